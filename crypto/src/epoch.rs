//! Epoch secrets, and the commitments that bind a custodian to one of them before it is used (KEY-1, KEY-2).

use keyward_protocol::{
    grant::{commitment_payload, EpochSecret},
    AccountId, Commitment, Genesis, GroupId,
};
use rand_core::CryptoRngCore;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::hash::blake2b_256;

/// Draws an epoch secret: 32 bytes (KEY-1). Pass the operating system's generator.
pub fn generate_secret(rng: &mut (impl CryptoRngCore + ?Sized)) -> EpochSecret {
    let mut bytes = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut *bytes);
    EpochSecret::of(&bytes)
}

/// The commitment to an epoch secret (KEY-2): BLAKE2b-256 over label, version, genesis, purpose, group, epoch, custodian and
/// secret. It hides the secret, which has 256 bits of its own, and opens to one secret, group, epoch and custodian only.
pub fn commitment(
    genesis: &Genesis,
    group: &GroupId,
    epoch: u32,
    custodian: &AccountId,
    secret: &EpochSecret,
) -> Commitment {
    let payload = commitment_payload(genesis, group, epoch, custodian, secret);
    Commitment(blake2b_256(&payload).0)
}

/// Whether a secret is the one committed to, compared in constant time (KEY-5).
pub fn opens(
    committed: &Commitment,
    genesis: &Genesis,
    group: &GroupId,
    epoch: u32,
    custodian: &AccountId,
    secret: &EpochSecret,
) -> bool {
    let ours = commitment(genesis, group, epoch, custodian, secret);
    ours.0.ct_eq(&committed.0).into()
}
