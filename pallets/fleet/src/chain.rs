//! The hash chain of a group: whoever keeps the events can show, for ever, what the group's record was.

use codec::Encode;
use keyward_protocol::{
    history::{self, Entry},
    Digest, Genesis, GroupId,
};
use sp_io::hashing::blake2_256;

use crate::{pallet::*, view::now};

/// The hash of the chain's first block, which everything signed is bound to.
pub(crate) fn genesis<T: Config>() -> Genesis {
    let hash = frame_system::Pallet::<T>::block_hash(
        frame_system::pallet_prelude::BlockNumberFor::<T>::default(),
    );
    Genesis(hash.as_ref().try_into().unwrap_or_default())
}

/// The head after an entry in this block.
fn head_after<T: Config>(group: &GroupId, head: &Digest, entry: &impl Encode) -> Digest {
    let genesis = genesis::<T>();
    let link = history::link(&genesis, group, head, now::<T>(), entry);
    Digest(link.using_encoded(blake2_256))
}

/// Puts an entry onto a group's chain (KEX-10).
pub(crate) fn extend<T: Config>(group: &GroupId, entry: Entry) {
    let head = ChainHeads::<T>::get(group).unwrap_or(history::NO_HEAD);
    let head = head_after::<T>(group, &head, &entry);
    ChainHeads::<T>::insert(group, head);
    Pallet::<T>::deposit_event(Event::ChainExtended {
        group: group.clone(),
        entry,
        head,
    });
}

/// The head of the chain of anchors after one more.
pub(crate) fn anchored<T: Config>(group: &GroupId, head: &Digest, anchor: &impl Encode) -> Digest {
    head_after::<T>(group, head, anchor)
}
