//! Weights of the calls of `pallet_validator_set`. Set by hand, on the high side, until they are generated from its benchmarks: see
//! docs/operations.md, "Weights".
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unnecessary_cast,
    unused_parens
)]

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::ParityDbWeight, Weight},
};

/// Weights of the calls.
pub trait WeightInfo {
    /// Of `approve`.
    fn approve() -> Weight;
    /// Of `join`. `v`: 1 to 99.
    fn join(v: u32) -> Weight;
    /// Of `leave`. `v`: 2 to 100.
    fn leave(v: u32) -> Weight;
    /// Of `remove`. `v`: 2 to 100.
    fn remove(v: u32) -> Weight;
    /// Of `set_minimum`.
    fn set_minimum() -> Weight;
    /// Of `clear_offences`.
    fn clear_offences() -> Weight;
    /// Of `report_aura_equivocation`.
    fn report_aura_equivocation() -> Weight;
}

/// Weights on the reference machine, over the runtime's database.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn approve() -> Weight {
        Weight::from_parts(60_000_000, 6_000)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(3))
    }

    fn join(v: u32) -> Weight {
        Weight::from_parts(60_000_000, 12_000)
            .saturating_add(Weight::from_parts(100_000, 0).saturating_mul(v.into()))
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().writes(3))
    }

    fn leave(v: u32) -> Weight {
        Weight::from_parts(60_000_000, 12_000)
            .saturating_add(Weight::from_parts(100_000, 0).saturating_mul(v.into()))
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().writes(3))
    }

    fn remove(v: u32) -> Weight {
        Weight::from_parts(60_000_000, 12_000)
            .saturating_add(Weight::from_parts(100_000, 0).saturating_mul(v.into()))
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().writes(3))
    }

    fn set_minimum() -> Weight {
        Weight::from_parts(30_000_000, 6_000)
            .saturating_add(T::DbWeight::get().reads(1))
            .saturating_add(T::DbWeight::get().writes(1))
    }

    fn clear_offences() -> Weight {
        Weight::from_parts(60_000_000, 6_000)
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().writes(1))
    }

    fn report_aura_equivocation() -> Weight {
        Weight::from_parts(800_000_000, 30_000)
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().writes(1))
    }
}

/// The same over a fixed database, for tests.
impl WeightInfo for () {
    fn approve() -> Weight {
        Weight::from_parts(60_000_000, 6_000)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(3))
    }

    fn join(v: u32) -> Weight {
        Weight::from_parts(60_000_000, 12_000)
            .saturating_add(Weight::from_parts(100_000, 0).saturating_mul(v.into()))
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().writes(3))
    }

    fn leave(v: u32) -> Weight {
        Weight::from_parts(60_000_000, 12_000)
            .saturating_add(Weight::from_parts(100_000, 0).saturating_mul(v.into()))
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().writes(3))
    }

    fn remove(v: u32) -> Weight {
        Weight::from_parts(60_000_000, 12_000)
            .saturating_add(Weight::from_parts(100_000, 0).saturating_mul(v.into()))
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().writes(3))
    }

    fn set_minimum() -> Weight {
        Weight::from_parts(30_000_000, 6_000)
            .saturating_add(ParityDbWeight::get().reads(1))
            .saturating_add(ParityDbWeight::get().writes(1))
    }

    fn clear_offences() -> Weight {
        Weight::from_parts(60_000_000, 6_000)
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().writes(1))
    }

    fn report_aura_equivocation() -> Weight {
        Weight::from_parts(800_000_000, 30_000)
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
}
