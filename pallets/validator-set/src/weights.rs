//! Weights of the calls of `pallet_validator_set`, generated from its benchmarks (10 steps, 20 repetitions): see
//! docs/releasing.md, "Weights". Do not edit.
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
    // Storage: `ValidatorSet::Operators` (r:1 w:1)
    // Storage: `ValidatorSet::CounterForOperators` (r:1 w:1)
    // Storage: `System::Account` (r:1 w:1)
    fn approve() -> Weight {
        // Proof: measured 219 bytes. Fastest: 33_004 ns.
        Weight::from_parts(36_768_000, 3529)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    // Storage: `ValidatorSet::Operators` (r:1 w:1)
    // Storage: `Session::NextKeys` (r:1 w:0)
    // Storage: `ValidatorSet::Validators` (r:1 w:1)
    fn join(v: u32) -> Weight {
        // Proof: measured 1213 + v * 39 bytes. Fastest: 35_953 ns.
        Weight::from_parts(64_113_362, 4687)
            .saturating_add(Weight::from_parts(646_166, 0).saturating_mul(v.into()))
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(2))
            .saturating_add(Weight::from_parts(0, 43).saturating_mul(v.into()))
    }
    // Storage: `ValidatorSet::Operators` (r:1 w:1)
    // Storage: `ValidatorSet::Validators` (r:1 w:1)
    // Storage: `ValidatorSet::Minimum` (r:1 w:0)
    fn leave(v: u32) -> Weight {
        // Proof: measured 537 + v * 35 bytes. Fastest: 49_287 ns.
        Weight::from_parts(70_082_341, 4687)
            .saturating_add(Weight::from_parts(217_061, 0).saturating_mul(v.into()))
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    // Storage: `ValidatorSet::Operators` (r:1 w:1)
    // Storage: `ValidatorSet::CounterForOperators` (r:1 w:1)
    // Storage: `ValidatorSet::Validators` (r:1 w:1)
    // Storage: `ValidatorSet::Minimum` (r:1 w:0)
    fn remove(_v: u32) -> Weight {
        // Proof: measured 553 + v * 35 bytes. Fastest: 40_730 ns.
        Weight::from_parts(46_312_303, 4687)
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    // Storage: `ValidatorSet::Validators` (r:1 w:0)
    // Storage: `ValidatorSet::Minimum` (r:0 w:1)
    fn set_minimum() -> Weight {
        // Proof: measured 3357 bytes. Fastest: 22_708 ns.
        Weight::from_parts(24_253_000, 4687)
            .saturating_add(T::DbWeight::get().reads(1))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    // Storage: `ValidatorSet::Offences` (r:1 w:1)
    // Storage: `Session::CurrentIndex` (r:1 w:0)
    fn clear_offences() -> Weight {
        // Proof: measured 1247 bytes. Fastest: 26_698 ns.
        Weight::from_parts(28_914_000, 4346)
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    // Storage: `ValidatorSet::Sessions` (r:2 w:0)
    // Storage: `Aura::CurrentSlot` (r:1 w:0)
    // Storage: `ValidatorSet::Offences` (r:1 w:1)
    // Storage: `Session::CurrentIndex` (r:1 w:0)
    fn report_aura_equivocation() -> Weight {
        // Proof: measured 10940 bytes. Fastest: 276_628 ns.
        Weight::from_parts(292_019_000, 25184)
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().writes(1))
    }
}

/// The same over a fixed database, for tests.
impl WeightInfo for () {
    fn approve() -> Weight {
        Weight::from_parts(36_768_000, 3529)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn join(v: u32) -> Weight {
        Weight::from_parts(64_113_362, 4687)
            .saturating_add(Weight::from_parts(646_166, 0).saturating_mul(v.into()))
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(2))
            .saturating_add(Weight::from_parts(0, 43).saturating_mul(v.into()))
    }
    fn leave(v: u32) -> Weight {
        Weight::from_parts(70_082_341, 4687)
            .saturating_add(Weight::from_parts(217_061, 0).saturating_mul(v.into()))
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn remove(_v: u32) -> Weight {
        Weight::from_parts(46_312_303, 4687)
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn set_minimum() -> Weight {
        Weight::from_parts(24_253_000, 4687)
            .saturating_add(ParityDbWeight::get().reads(1))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn clear_offences() -> Weight {
        Weight::from_parts(28_914_000, 4346)
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn report_aura_equivocation() -> Weight {
        Weight::from_parts(292_019_000, 25184)
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
}
