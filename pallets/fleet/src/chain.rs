//! The hash chain of a group: whoever keeps the events can show, for ever, what the group's record was.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use keyward_protocol::{
    view::Cause, AccountId as RawAccount, Commitment, DeviceId, Digest, Genesis, GroupId, Role,
};
use scale_info::TypeInfo;
use sp_io::hashing::blake2_256;

use crate::{pallet::*, view::now};

/// One entry of a group's hash chain. Each stands in an event `ChainExtended`.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum Entry {
    /// The group advanced to an epoch.
    Advanced {
        /// The epoch.
        epoch: u32,
        /// Why.
        cause: Cause,
        /// Its commitment and custodian; none if it is awaited.
        committed: Option<(Commitment, RawAccount)>,
    },
    /// The awaited epoch was committed to.
    Activated {
        /// The epoch.
        epoch: u32,
        /// Its commitment.
        commitment: Commitment,
        /// Who committed.
        custodian: RawAccount,
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

/// The hash of the chain's first block, which everything signed is bound to.
pub(crate) fn genesis<T: Config>() -> Genesis {
    let hash = frame_system::Pallet::<T>::block_hash(
        frame_system::pallet_prelude::BlockNumberFor::<T>::default(),
    );
    Genesis(hash.as_ref().try_into().unwrap_or_default())
}

/// The head after an entry.
fn head_after(
    genesis: &Genesis,
    group: &GroupId,
    head: &Digest,
    block: u32,
    entry: &impl Encode,
) -> Digest {
    Digest((genesis, group, head, block, entry).using_encoded(blake2_256))
}

/// Puts an entry onto a group's chain (KEX-10).
pub(crate) fn extend<T: Config>(group: &GroupId, entry: Entry) {
    let head = ChainHeads::<T>::get(group).unwrap_or(Digest([0; 32]));
    let head = head_after(&genesis::<T>(), group, &head, now::<T>(), &entry);
    ChainHeads::<T>::insert(group, head);
    Pallet::<T>::deposit_event(Event::ChainExtended {
        group: group.clone(),
        entry,
        head,
    });
}

/// The head of the chain of anchors after one more.
pub(crate) fn anchored<T: Config>(group: &GroupId, head: &Digest, anchor: &impl Encode) -> Digest {
    head_after(&genesis::<T>(), group, head, now::<T>(), anchor)
}
