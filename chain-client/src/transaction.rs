//! Signed transactions: mortal, with a managed nonce, and whole before they are sent, so that a journal can hold them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Mutex,
};

use codec::{Decode, Encode};
use keyward_protocol::{beacon::BlockRef, AccountId, Digest};
use subxt::{
    config::{substrate::H256, DefaultExtrinsicParamsBuilder},
    utils::{AccountId32, MultiSignature},
    SubstrateConfig,
};

use crate::{
    call::{Call, CallInvalid},
    runtime::Runtime,
    signer::Signer,
};

/// Blocks for which a transaction may be included, counted from the finalized block that it names.
pub const MORTALITY: u32 = 64;

/// A signed transaction. Encode it into a journal before it is sent: after a restart
/// [`Client::outcome`](crate::Client::outcome) tells what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Prepared {
    /// The bytes to send.
    pub bytes: Vec<u8>,
    /// BLAKE2b-256 of the bytes: the transaction's name on chain.
    pub hash: Digest,
    /// Who signed.
    pub account: AccountId,
    /// The account's nonce that it uses.
    pub nonce: u32,
    /// Number of the finalized block that it was made at: it can only be in a later one.
    pub born: u32,
    /// Once the block of this number is finalized, and the transaction is in no block up to it, it can never land.
    pub expires_at: u32,
}

/// Signs a call.
pub(crate) fn sign(
    runtime: &Runtime,
    signer: &Signer,
    call: &Call,
    nonce: u32,
    born: BlockRef,
) -> Result<Prepared, CallInvalid> {
    let misread = |reason: &dyn std::fmt::Display| CallInvalid::Misread {
        call: call.path(),
        reason: reason.to_string(),
    };
    let transactions = runtime.offline().transactions();
    let encoded = call.encode_for(&runtime.metadata())?;
    let payload = transactions
        .from_call_data_bytes(&encoded)
        .map_err(|error| misread(&error))?;
    let params = DefaultExtrinsicParamsBuilder::<SubstrateConfig>::new()
        .nonce(nonce.into())
        .mortal_from_unchecked(MORTALITY.into(), born.number.into(), H256(born.hash.0))
        .build();
    let mut signable = transactions
        .create_v4_signable_offline(&payload, params)
        .map_err(|error| misread(&error))?;
    let signature = signable.signer_payload().map_err(|error| misread(&error))?;
    let signature = MultiSignature::Sr25519(signer.sign(&signature));
    let signed = signable
        .sign_with_account_and_signature(&AccountId32(signer.account().0), &signature)
        .map_err(|error| misread(&error))?;
    Ok(Prepared {
        hash: Digest(sp_crypto_hashing::blake2_256(signed.encoded())),
        bytes: signed.into_encoded(),
        account: signer.account(),
        nonce,
        born: born.number,
        expires_at: born.number.saturating_add(MORTALITY),
    })
}

/// Nonces that are given out but may not be in the node's pool yet, per account, with the block at which they are free again.
#[derive(Default)]
pub(crate) struct Nonces(Mutex<HashMap<AccountId, BTreeSet<(u32, u32)>>>);

impl Nonces {
    /// The lowest nonce, from the node's `next` on, that is not given out.
    pub(crate) fn reserve(&self, account: AccountId, next: u32, born: u32) -> u32 {
        let mut accounts = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let given = accounts.entry(account).or_default();
        given.retain(|(_, expires)| *expires > born);
        let taken = |nonce: &u32| given.iter().any(|(used, _)| used == nonce);
        let nonce = (next..).find(|nonce| !taken(nonce)).unwrap_or(next);
        given.insert((nonce, born.saturating_add(MORTALITY)));
        nonce
    }

    /// Gives a nonce back: its transaction is finalized, or will not be sent.
    pub(crate) fn release(&self, account: &AccountId, nonce: u32) {
        let mut accounts = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(given) = accounts.get_mut(account) {
            given.retain(|(used, _)| *used != nonce);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: AccountId = AccountId([1; 32]);
    const BOB: AccountId = AccountId([2; 32]);

    #[test]
    fn concurrent_transactions_of_an_account_get_different_nonces() {
        let nonces = Nonces::default();
        let given: Vec<_> = (0..3).map(|_| nonces.reserve(ALICE, 5, 100)).collect();
        assert_eq!(given, [5, 6, 7]);
        assert_eq!(nonces.reserve(BOB, 5, 100), 5);
    }

    #[test]
    fn a_nonce_given_back_is_used_first() {
        let nonces = Nonces::default();
        let first = nonces.reserve(ALICE, 5, 100);
        nonces.reserve(ALICE, 5, 100);
        nonces.release(&ALICE, first);
        assert_eq!(nonces.reserve(ALICE, 5, 100), 5);
        assert_eq!(nonces.reserve(ALICE, 5, 100), 7);
    }

    #[test]
    fn a_nonce_of_an_expired_transaction_is_free_again() {
        let nonces = Nonces::default();
        assert_eq!(nonces.reserve(ALICE, 5, 100), 5);
        assert_eq!(nonces.reserve(ALICE, 5, 100 + MORTALITY - 1), 6);
        assert_eq!(nonces.reserve(ALICE, 5, 100 + MORTALITY), 5);
    }
}
