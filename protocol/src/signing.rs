//! What is signed and hashed (SIG-1): `label ‖ version ‖ genesis ‖ purpose ‖ SCALE(fields)`.
//!
//! SCALE prefixes every variable-length field with its length, so no two different sets of fields give the same bytes,
//! and the purpose keeps a signature from being taken for another kind.
//!
//! A signed message on the wire (SIG-2):
//!
//! ```text
//! version u8 · genesis [32] · SCALE(body) · signature [64]
//! ```

use alloc::vec::Vec;
use codec::{Decode, Encode};
use core::fmt;

use crate::{
    bytes::{Genesis, Signature},
    wire::{self, Canonical, WireInvalid},
    VERSION,
};

/// First bytes of everything that is signed or committed to.
pub const LABEL: &[u8; 10] = b"keyward/v1";

/// What a signature or hash is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// An authority vouches for a device.
    Voucher = 1,
    /// A device proves that it holds the keys of its voucher.
    Registration = 2,
    /// A device's keys are replaced.
    KeyReplacement = 3,
    /// A gateway tells a device what it is in.
    DeviceStatement = 4,
    /// A custodian tells a group's state.
    GroupStatement = 5,
    /// Hash of a page of publishers.
    PublisherPage = 6,
    /// A custodian tells how far its view of the chain has come.
    Beacon = 7,
    /// A gateway's new statement key.
    AnchorCertificate = 8,
    /// A device asks its gateway.
    Request = 9,
    /// A gateway answers.
    Response = 10,
    /// A device acknowledges an epoch.
    Receipt = 11,
    /// Commitment to an epoch secret.
    EpochSecret = 12,
}

/// The bytes to sign or hash (SIG-1).
pub fn payload(genesis: &Genesis, purpose: Purpose, fields: &impl Encode) -> Vec<u8> {
    let mut bytes = wire::concat(&[LABEL, &[VERSION], &genesis.0, &[purpose as u8]]);
    fields.encode_to(&mut bytes);
    bytes
}

/// The body of a signed message.
pub trait Body: Encode + Decode + Canonical {
    /// What its signature is for.
    const PURPOSE: Purpose;
    /// Largest size on the wire, in bytes.
    const MAX: usize;
}

/// A signed message whose signature this program made or checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed<T> {
    genesis: Genesis,
    body: T,
    signature: Signature,
}

impl<T: Body> Signed<T> {
    /// Signs a body with `sign`, which gets the payload.
    ///
    /// # Errors
    /// When the body breaks a rule of its format or is too long for the wire: the same checks as for a reader.
    pub fn new(
        genesis: Genesis,
        body: T,
        sign: impl FnOnce(&[u8]) -> Signature,
    ) -> Result<Self, WireInvalid> {
        body.check()?;
        let signature = sign(&payload(&genesis, T::PURPOSE, &body));
        let signed = Self {
            genesis,
            body,
            signature,
        };
        wire::bounded(&signed.to_wire(), T::MAX)?;
        Ok(signed)
    }

    /// The bytes for the wire (SIG-2).
    pub fn to_wire(&self) -> Vec<u8> {
        let mut bytes = wire::concat(&[&[VERSION], &self.genesis.0]);
        self.body.encode_to(&mut bytes);
        bytes.extend_from_slice(&self.signature.0);
        bytes
    }

    /// The bytes that were signed. Their BLAKE2b-256 is "the hash of" this message (SIG-3).
    pub fn payload(&self) -> Vec<u8> {
        payload(&self.genesis, T::PURPOSE, &self.body)
    }

    /// What it says.
    pub fn body(&self) -> &T {
        &self.body
    }

    /// What it says, owned.
    pub fn into_body(self) -> T {
        self.body
    }

    /// Its signature.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }
}

/// A well-formed message that nobody has checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unverified<T>(Signed<T>);

/// Why a well-formed message is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unverifiable {
    /// It is for another chain.
    Genesis,
    /// The signature is not that key's.
    Signature,
}

impl fmt::Display for Unverifiable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Genesis => "made for another chain (genesis hash differs)",
            Self::Signature => "signature does not verify",
        })
    }
}

impl core::error::Error for Unverifiable {}

impl<T: Body> Unverified<T> {
    /// Reads hostile bytes.
    pub fn from_wire(bytes: &[u8]) -> Result<Self, WireInvalid> {
        let rest = wire::versioned(wire::bounded(bytes, T::MAX)?)?;
        let (genesis, rest) = rest
            .split_first_chunk::<32>()
            .ok_or(WireInvalid::TooShort)?;
        let (body, signature) = rest.split_last_chunk::<64>().ok_or(WireInvalid::TooShort)?;
        Ok(Self(Signed {
            genesis: Genesis(*genesis),
            body: wire::decode_exactly(body)?,
            signature: Signature(*signature),
        }))
    }

    /// What it claims: good for finding the key to check it with, and for nothing else.
    pub fn claims(&self) -> &T {
        &self.0.body
    }

    /// Believes it if it is for this chain and `verify`, which gets payload and signature, says so.
    pub fn verify_with(
        self,
        genesis: &Genesis,
        verify: impl FnOnce(&[u8], &Signature) -> bool,
    ) -> Result<Signed<T>, Unverifiable> {
        if self.0.genesis != *genesis {
            return Err(Unverifiable::Genesis);
        }
        match verify(&self.0.payload(), &self.0.signature) {
            true => Ok(self.0),
            false => Err(Unverifiable::Signature),
        }
    }
}
