//! How a device comes on chain and changes its keys (DESIGN section 4.1, "Enrolment", "Key replacement").

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

use crate::{
    bytes::{AccountId, AgreementKey, Digest, VerifyingKey},
    id::{AuthorityId, DeviceId},
    limits,
    signing::{Body, Purpose},
    wire::Canonical,
};

/// An authority vouches that these keys are this device's, under this gateway (REG-1).
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Voucher {
    /// Who vouches.
    pub authority: AuthorityId,
    /// For which device.
    pub device: DeviceId,
    /// The only gateway that may register it.
    pub gateway: AccountId,
    /// The device's Ed25519 key.
    pub signing_key: VerifyingKey,
    /// The device's X25519 key.
    pub agreement_key: AgreementKey,
    /// 1 for a new device; the device's version plus one for a replacement. Makes a voucher work once.
    pub key_version: u32,
    /// Last moment at which the chain accepts it, in seconds since 1970.
    pub not_after: u64,
}

impl Canonical for Voucher {}
impl Body for Voucher {
    const PURPOSE: Purpose = Purpose::Voucher;
    const MAX: usize = limits::SMALL;
}

/// What the device signs to show that it holds the signing key (REG-2).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Registration {
    /// BLAKE2b-256 of the voucher's payload.
    pub voucher: Digest,
    /// The gateway it registers with.
    pub gateway: AccountId,
    /// The device's Ed25519 key.
    pub signing_key: VerifyingKey,
    /// The device's X25519 key.
    pub agreement_key: AgreementKey,
}

/// New keys for a device, signed by the new signing key and by the current one (REG-6). A lost device gets a new
/// [`Voucher`] and a [`Registration`] instead (REG-7).
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct KeyReplacement {
    /// Which device.
    pub device: DeviceId,
    /// Its current key version plus one.
    pub key_version: u32,
    /// Its new Ed25519 key.
    pub signing_key: VerifyingKey,
    /// Its new X25519 key.
    pub agreement_key: AgreementKey,
    /// Last moment at which the chain accepts it, in seconds since 1970.
    pub not_after: u64,
}

impl Canonical for KeyReplacement {}
