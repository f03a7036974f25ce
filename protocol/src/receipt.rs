//! A device acknowledges an epoch: what it saw, signed (KEX-8).

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

use crate::{
    bytes::Commitment,
    id::{DeviceId, GroupId},
    limits,
    signing::{Body, Purpose},
    wire::Canonical,
};

/// "I hold the secret of this epoch, and this is the commitment that it opened." A custodian that gave two members
/// different secrets is found out by it.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Receipt {
    /// The group.
    pub group: GroupId,
    /// The epoch.
    pub epoch: u32,
    /// The commitment that the device saw in the statement, and that its secret opened.
    pub commitment: Commitment,
    /// The device.
    pub device: DeviceId,
    /// The version of the keys that it signs with.
    pub key_version: u32,
}

impl Canonical for Receipt {}
impl Body for Receipt {
    const PURPOSE: Purpose = Purpose::Receipt;
    const MAX: usize = limits::SMALL;
}
