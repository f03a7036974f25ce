//! A grant: a group's epoch secrets for one device, sealed to its agreement key (KEY-4).
//!
//! On the wire it is a libsodium sealed box (`crypto_box_seal`) of
//!
//! ```text
//! version u8 · group · device · key version u32 · compact n · n × (epoch u32 · secret [32]) · extensions
//! ```

use alloc::vec::Vec;
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, Encode, MaxEncodedLen};
use core::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    bytes::{AccountId, Genesis},
    extension::Extensions,
    id::{DeviceId, GroupId},
    limits,
    signing::{self, Purpose},
    wire::{self, rises, Canonical, WireInvalid},
    VERSION,
};

/// The secret of one epoch: 32 bytes from the operating system's generator (KEY-1). Erased on drop, never in `Debug`,
/// compared without a branch on its bytes.
#[derive(Clone, Eq, Encode, Decode, MaxEncodedLen, Zeroize, ZeroizeOnDrop)]
pub struct EpochSecret([u8; 32]);

impl EpochSecret {
    /// Wraps bytes that were drawn or opened.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for deriving and for storing wrapped.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for EpochSecret {
    fn eq(&self, other: &Self) -> bool {
        let pairs = self.0.iter().zip(other.0.iter());
        pairs.fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
    }
}

impl fmt::Debug for EpochSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EpochSecret(..)")
    }
}

/// One epoch's secret in a grant.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
pub struct GrantedEpoch {
    /// The epoch.
    pub epoch: u32,
    /// Its secret.
    pub secret: EpochSecret,
}

/// What is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
pub struct Grant {
    /// The group.
    pub group: GroupId,
    /// The device.
    pub device: DeviceId,
    /// The version of the device's keys that it is sealed to.
    pub key_version: u32,
    /// Secrets by rising epoch.
    pub epochs: BoundedVec<GrantedEpoch, ConstU32<{ limits::EPOCHS }>>,
    /// What later versions add.
    pub extensions: Extensions,
}

impl Canonical for Grant {
    fn check(&self) -> Result<(), WireInvalid> {
        self.extensions.check()?;
        let rising = rises(self.epochs.iter().map(|granted| granted.epoch));
        rising
            .then_some(())
            .ok_or(WireInvalid::NotCanonical("epochs rise"))
    }
}

impl Grant {
    /// The plaintext to seal. The buffer is sized beforehand, so that no copy is left behind, and erased on drop.
    pub fn to_wire(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.encoded_size().saturating_add(1)));
        bytes.push(VERSION);
        self.encode_to(&mut *bytes);
        bytes
    }

    /// Reads what was in the sealed box: hostile still, since anybody can seal.
    pub fn from_wire(bytes: &[u8]) -> Result<Self, WireInvalid> {
        wire::decode_exactly(wire::versioned(wire::bounded(bytes, limits::GRANT)?)?)
    }
}

/// The bytes whose BLAKE2b-256 is the commitment to an epoch secret (KEY-2). Erased on drop.
pub fn commitment_payload(
    genesis: &Genesis,
    group: &GroupId,
    epoch: u32,
    custodian: &AccountId,
    secret: &EpochSecret,
) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(256));
    bytes.extend_from_slice(&signing::payload(
        genesis,
        Purpose::EpochSecret,
        &(group, epoch, custodian),
    ));
    bytes.extend_from_slice(secret.expose());
    bytes
}
