//! Bounded lists that rise without doubles: the reverse maps.

use frame_support::{traits::Get, BoundedVec};

/// The list is full.
pub(crate) struct Full;

/// Puts an item at its place. One that is there already is not put again.
pub(crate) fn insert<K: Ord, S: Get<u32>>(
    list: &mut BoundedVec<K, S>,
    item: K,
) -> Result<(), Full> {
    match list.binary_search(&item) {
        Ok(_) => Ok(()),
        Err(place) => list.try_insert(place, item).map_err(|_| Full),
    }
}

/// Takes an item out, if it is there.
pub(crate) fn remove<K: Ord, S: Get<u32>>(list: &mut BoundedVec<K, S>, item: &K) {
    list.retain(|other| other != item);
}

/// Whether a list rises without doubles.
pub(crate) fn rises<K: Ord>(list: &[K]) -> bool {
    list.is_sorted_by(|a, b| a < b)
}
