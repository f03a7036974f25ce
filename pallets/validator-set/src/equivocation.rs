//! Two blocks of one slot: how a report is verified, and who may bring one.

use codec::Encode;
use frame_support::{ensure, traits::KeyOwnerProofSystem};
use frame_system::pallet_prelude::HeaderFor;
use sp_consensus_aura::{digests::CompatibleDigestItem, Slot};
use sp_consensus_slots::EquivocationProof;
use sp_core::crypto::key_types::AURA;
use sp_runtime::{
    traits::{Get, Header as _, SaturatedConversion, Saturating},
    transaction_validity::{
        InvalidTransaction, TransactionPriority, TransactionSource, TransactionValidity,
        ValidTransaction,
    },
    DigestItem, DispatchResult, RuntimeAppPublic,
};

use crate::{
    offence::{self, Equivocation},
    pallet::{Call, Config, Error, Pallet},
    session::{self, KeyOwnerProof, SessionLength},
};

/// Two headers of one slot, sealed by the same key.
pub type AuraEquivocation<Header, AuthorityId> = EquivocationProof<Header, AuthorityId>;

/// Bytes of the longest header that a report may have. One that names 100 new authorities of Aura and GRANDPA has half of it.
pub const LONGEST_HEADER: usize = 16 * 1024;

type Report<T> = AuraEquivocation<HeaderFor<T>, <T as pallet_aura::Config>::AuthorityId>;

/// Records the offence if the report proves it.
pub(crate) fn report<T: Config>(report: &Report<T>, owner: KeyOwnerProof) -> DispatchResult {
    let account = verify::<T>(report, owner)?;
    let slot = report.slot.into();
    Ok(offence::record::<T>(
        account,
        Equivocation::Blocks { slot },
        owner.session,
    )?)
}

/// Whose offence the report proves. The cheap checks come first.
pub(crate) fn verify<T: Config>(
    report: &Report<T>,
    owner: KeyOwnerProof,
) -> Result<T::AccountId, Error<T>> {
    ensure!(
        session::contains::<T>(owner.session, report.slot),
        Error::<T>::InvalidKeyOwner
    );
    let key = (AURA, report.offender.to_raw_vec());
    let account = Pallet::<T>::check_proof(key, owner).ok_or(Error::<T>::InvalidKeyOwner)?;
    let slot = report.slot.into();
    ensure!(
        !offence::is_known::<T>(&account, Equivocation::Blocks { slot }),
        Error::<T>::KnownOffence
    );
    ensure!(proves::<T>(report), Error::<T>::InvalidEquivocation);
    Ok(account)
}

/// Whether two different headers of the slot have valid seals of the key.
fn proves<T: Config>(report: &Report<T>) -> bool {
    let signed = |header: &HeaderFor<T>| signed_hash::<T>(header, report.slot, &report.offender);
    match (signed(&report.first_header), signed(&report.second_header)) {
        // What was signed differs. The hashes of the sealed headers would not do: one header can have two seals.
        (Some(first), Some(second)) => first != second,
        _ => false,
    }
}

/// The hash that the key signed, if the header is of the slot and its seal is valid.
fn signed_hash<T: Config>(
    header: &HeaderFor<T>,
    slot: Slot,
    key: &T::AuthorityId,
) -> Option<T::Hash> {
    let fits = header.encoded_size() <= LONGEST_HEADER;
    if !fits || slot_of::<T>(header)? != slot {
        return None;
    }
    let mut header = header.clone();
    let seal = header.digest_mut().pop()?;
    let seal = <DigestItem as CompatibleDigestItem<SignatureOf<T>>>::as_aura_seal(&seal)?;
    let hash = header.hash();
    key.verify(&hash, &seal).then_some(hash)
}

type SignatureOf<T> = <<T as pallet_aura::Config>::AuthorityId as RuntimeAppPublic>::Signature;

/// The slot of a header. Aura accepts no header that names two.
fn slot_of<T: Config>(header: &HeaderFor<T>) -> Option<Slot> {
    let slot = |item: &DigestItem| CompatibleDigestItem::<SignatureOf<T>>::as_aura_pre_digest(item);
    let mut slots = header.digest().logs().iter().filter_map(slot);
    let first = slots.next();
    first.filter(|_| slots.next().is_none())
}

/// Whether an unsigned call may go into the pool or a block: valid reports, and in the pool only the node's own.
pub(crate) fn validate<T: Config>(
    source: TransactionSource,
    call: &Call<T>,
) -> TransactionValidity {
    let Call::report_aura_equivocation {
        equivocation,
        owner,
    } = call
    else {
        return InvalidTransaction::Call.into();
    };
    // Reports cost their reporter nothing: whoever authors a block takes its own only.
    if !matches!(
        source,
        TransactionSource::Local | TransactionSource::InBlock
    ) {
        return InvalidTransaction::Call.into();
    }
    verify::<T>(equivocation, *owner).map_err(|refused| match refused {
        Error::KnownOffence => InvalidTransaction::Stale,
        _ => InvalidTransaction::BadProof,
    })?;
    ValidTransaction::with_tag_prefix("AuraEquivocation")
        .priority(TransactionPriority::MAX)
        .and_provides((&equivocation.offender, equivocation.slot))
        .longevity(longevity::<T>())
        .propagate(false)
        .build()
}

/// Blocks for which a report can be recorded.
fn longevity<T: Config>() -> u64 {
    SessionLength::<T>::get()
        .saturating_mul(T::KeptSessions::get().into())
        .saturated_into()
}
