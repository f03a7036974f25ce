//! Keys: acceptable points (REG-5), never twice, and signatures over the payloads of `keyward_protocol::signing` (SIG-1).

use codec::Encode;
use frame_support::ensure;
use keyward_protocol::{
    signing::{payload, Purpose},
    AgreementKey, Digest, Signature, VerifyingKey,
};
use sp_core::ed25519;
use sp_io::{crypto::ed25519_verify, hashing::blake2_256};

use crate::{chain::genesis, pallet::*, types::Holder};

/// Registers an Ed25519 key, which nobody ever gets again (ID-3).
pub(crate) fn claim_signing<T: Config>(
    key: &VerifyingKey,
    holder: Holder<T::AccountId>,
) -> Result<(), Error<T>> {
    ensure!(key.is_acceptable(), Error::<T>::UnacceptableKey);
    ensure!(!SigningKeys::<T>::contains_key(key), Error::<T>::KeyUsed);
    SigningKeys::<T>::insert(key, holder);
    Ok(())
}

/// Registers an X25519 key, which nobody ever gets again.
pub(crate) fn claim_agreement<T: Config>(
    key: &AgreementKey,
    holder: Holder<T::AccountId>,
) -> Result<(), Error<T>> {
    ensure!(key.is_acceptable(), Error::<T>::UnacceptableKey);
    ensure!(!AgreementKeys::<T>::contains_key(key), Error::<T>::KeyUsed);
    AgreementKeys::<T>::insert(key, holder);
    Ok(())
}

/// Registers both keys of a device or gateway.
pub(crate) fn claim<T: Config>(
    signing: &VerifyingKey,
    agreement: &AgreementKey,
    holder: Holder<T::AccountId>,
) -> Result<(), Error<T>> {
    claim_signing::<T>(signing, holder.clone())?;
    claim_agreement::<T>(agreement, holder)
}

/// Whether a signature over these fields, made for this purpose and chain, is this key's.
pub(crate) fn is_signed<T: Config>(
    purpose: Purpose,
    fields: &impl Encode,
    signature: &Signature,
    key: &VerifyingKey,
) -> bool {
    let message = payload(&genesis::<T>(), purpose, fields);
    let signature = ed25519::Signature::from_raw(signature.0);
    ed25519_verify(&signature, &message, &ed25519::Public::from_raw(key.0))
}

/// The hash of a payload (SIG-3).
pub(crate) fn hash_of<T: Config>(purpose: Purpose, fields: &impl Encode) -> Digest {
    Digest(blake2_256(&payload(&genesis::<T>(), purpose, fields)))
}
