//! How far a gateway's view of the chain has come, and how its statement key changes (DESIGN section 5).

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

use crate::{
    bytes::{AccountId, BlockHash, Digest, VerifyingKey},
    id::GroupId,
    limits,
    signing::{Body, Purpose},
    wire::Canonical,
};

/// A finalized block.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BlockRef {
    /// Its number.
    pub number: u32,
    /// Its hash.
    pub hash: BlockHash,
}

/// A custodian tells that at this finalized block the group's statement is still this one (STM-8). Retained; sent at least
/// every [`crate::policy::Policy::beacon_seconds`] and at each change.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Beacon {
    /// Who tells.
    pub gateway: AccountId,
    /// The group.
    pub group: GroupId,
    /// The newest revision.
    pub revision: u64,
    /// Hash of the group statement of that revision (SIG-3).
    pub statement: Digest,
    /// Newest finalized block that the gateway knows.
    pub block: BlockRef,
    /// That block's time, in milliseconds since 1970.
    pub chain_time: u64,
}

impl Canonical for Beacon {}
impl Body for Beacon {
    const PURPOSE: Purpose = Purpose::Beacon;
    const MAX: usize = limits::SMALL;
}

/// A gateway's new statement key, signed by the current one or by the device's authority (STM-11). Retained under
/// `…/gateway/<gw>/anchor`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AnchorCertificate {
    /// Whose key.
    pub gateway: AccountId,
    /// The new key.
    pub statement_key: VerifyingKey,
    /// Number of a finalized block at which the chain has the new key; one that does not rise is refused.
    pub serial: u64,
}

impl Canonical for AnchorCertificate {}
impl Body for AnchorCertificate {
    const PURPOSE: Purpose = Purpose::AnchorCertificate;
    const MAX: usize = limits::SMALL;
}
