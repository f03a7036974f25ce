//! Weights of the pallet's calls.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Weights of the pallet's calls.
pub trait WeightInfo {
    /// Overhead of `as_root`, without the call.
    fn as_root() -> Weight;
    /// What `CheckAdmitted` reads.
    fn check_admitted() -> Weight;
}

/// Weights on the reference machine.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn as_root() -> Weight {
        Weight::from_parts(10_000_000, 0)
    }
    fn check_admitted() -> Weight {
        Weight::from_parts(5_000_000, 3593).saturating_add(T::DbWeight::get().reads(1))
    }
}

impl WeightInfo for () {
    fn as_root() -> Weight {
        Weight::zero()
    }
    fn check_admitted() -> Weight {
        Weight::zero()
    }
}
