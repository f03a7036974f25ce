//! A grant: a group's epoch secrets for one device, sealed to its agreement key (KEY-4).
//!
//! On the wire it is a libsodium sealed box (`crypto_box_seal`) of
//!
//! ```text
//! version u8 · group · device · key version u32 · compact n · n × (epoch u32 · secret [32]) · extensions
//! ```

use alloc::{boxed::Box, vec::Vec};
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, Encode, EncodeLike, Input, MaxEncodedLen, Output};
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
///
/// The bytes stay where they are while the value moves, in maps and vectors too: a moved array would leave a copy behind that
/// nobody erases.
#[derive(Clone, Eq)]
pub struct EpochSecret(Box<Zeroizing<[u8; 32]>>);

impl EpochSecret {
    /// Wraps bytes that were drawn or opened.
    pub fn new(mut bytes: [u8; 32]) -> Self {
        let secret = Self::of(&bytes);
        bytes.zeroize();
        secret
    }

    /// A copy of bytes that their holder erases.
    pub fn of(bytes: &[u8; 32]) -> Self {
        let mut secret = Self::empty();
        secret.0.copy_from_slice(bytes);
        secret
    }

    fn empty() -> Self {
        Self(Box::new(Zeroizing::new([0; 32])))
    }

    /// The bytes, for deriving and for storing wrapped.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Zeroize for EpochSecret {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for EpochSecret {}

/// As the 32 bytes themselves.
impl Encode for EpochSecret {
    fn size_hint(&self) -> usize {
        self.expose().len()
    }
    fn encode_to<T: Output + ?Sized>(&self, to: &mut T) {
        to.write(self.expose());
    }
}

impl EncodeLike for EpochSecret {}

impl Decode for EpochSecret {
    fn decode<I: Input>(from: &mut I) -> Result<Self, codec::Error> {
        let mut secret = Self::empty();
        from.read(&mut **secret.0)?;
        Ok(secret)
    }
}

impl MaxEncodedLen for EpochSecret {
    fn max_encoded_len() -> usize {
        32
    }
}

impl PartialEq for EpochSecret {
    fn eq(&self, other: &Self) -> bool {
        let pairs = self.expose().iter().zip(other.expose().iter());
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
