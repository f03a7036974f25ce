//! A group's hash chain: what was recorded of it, entry by entry, and what each head is the hash of (KEX-10, DESIGN section 4.1).

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

use crate::{
    bytes::{AccountId, Commitment, Digest, Genesis},
    id::{DeviceId, GroupId},
    role::Role,
    view::Cause,
};

/// The head of a group that has no entry yet.
pub const NO_HEAD: Digest = Digest([0; 32]);

/// One entry of a group's hash chain. Each stands in an event `ChainExtended`.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case", deny_unknown_fields)
)]
pub enum Entry {
    /// The group advanced to an epoch.
    Advanced {
        /// The epoch.
        epoch: u32,
        /// Why.
        cause: Cause,
        /// Its commitment and custodian; none if it is awaited.
        committed: Option<(Commitment, AccountId)>,
    },
    /// The awaited epoch was committed to.
    Activated {
        /// The epoch.
        epoch: u32,
        /// Its commitment.
        commitment: Commitment,
        /// Who committed.
        custodian: AccountId,
    },
    /// The commitment of the current epoch fell away in the block of its advance.
    Awaited {
        /// The epoch.
        epoch: u32,
    },
    /// A custodian delivered an epoch.
    Delivered {
        /// The epoch.
        epoch: u32,
        /// To how many members.
        recipients: u32,
        /// Root over the grants.
        grants_root: Digest,
    },
    /// A device became a member, or got a new index with its new keys.
    Joined {
        /// The device.
        device: DeviceId,
        /// The version of its keys.
        key_version: u32,
        /// What it may do.
        role: Role,
        /// Its index.
        index: u32,
        /// First epoch that it may hold.
        joined_epoch: u32,
    },
    /// A device is no longer a member.
    Left {
        /// The device.
        device: DeviceId,
    },
    /// A member is suspended.
    Suspended {
        /// The device.
        device: DeviceId,
    },
    /// A batch of receipts was recorded.
    Receipts {
        /// BLAKE2b-256 of SCALE(the receipts that were recorded, as they stood in the call).
        digest: Digest,
        /// How many.
        count: u32,
    },
}

/// What the head after an entry is the BLAKE2b-256 of, in SCALE.
pub fn link<'a, E: Encode>(
    genesis: &'a Genesis,
    group: &'a GroupId,
    head: &'a Digest,
    block: u32,
    entry: &'a E,
) -> impl Encode + use<'a, E> {
    (genesis, group, head, block, entry)
}
