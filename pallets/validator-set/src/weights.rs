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
        // Proof: measured 219 bytes. Fastest: 35_960 ns.
        Weight::from_parts(39_389_000, 3529)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    // Storage: `ValidatorSet::Operators` (r:1 w:1)
    // Storage: `Session::NextKeys` (r:1 w:0)
    // Storage: `ValidatorSet::Validators` (r:1 w:1)
    fn join(v: u32) -> Weight {
        // Proof: measured 1213 + v * 39 bytes. Fastest: 38_635 ns.
        Weight::from_parts(44_501_064, 4687)
            .saturating_add(Weight::from_parts(253_658, 0).saturating_mul(v.into()))
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(2))
            .saturating_add(Weight::from_parts(0, 43).saturating_mul(v.into()))
    }
    // Storage: `ValidatorSet::Operators` (r:1 w:1)
    // Storage: `ValidatorSet::Validators` (r:1 w:1)
    // Storage: `ValidatorSet::Minimum` (r:1 w:0)
    fn leave(v: u32) -> Weight {
        // Proof: measured 537 + v * 35 bytes. Fastest: 35_322 ns.
        Weight::from_parts(45_642_562, 4687)
            .saturating_add(Weight::from_parts(163_594, 0).saturating_mul(v.into()))
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    // Storage: `ValidatorSet::Operators` (r:1 w:1)
    // Storage: `ValidatorSet::CounterForOperators` (r:1 w:1)
    // Storage: `ValidatorSet::Validators` (r:1 w:1)
    // Storage: `ValidatorSet::Minimum` (r:1 w:0)
    fn remove(v: u32) -> Weight {
        // Proof: measured 553 + v * 35 bytes. Fastest: 35_300 ns.
        Weight::from_parts(51_745_137, 4687)
            .saturating_add(Weight::from_parts(88_179, 0).saturating_mul(v.into()))
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    // Storage: `ValidatorSet::Validators` (r:1 w:0)
    // Storage: `ValidatorSet::Minimum` (r:0 w:1)
    fn set_minimum() -> Weight {
        // Proof: measured 3357 bytes. Fastest: 29_111 ns.
        Weight::from_parts(34_222_000, 4687)
            .saturating_add(T::DbWeight::get().reads(1))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    // Storage: `ValidatorSet::Offences` (r:1 w:1)
    // Storage: `Session::CurrentIndex` (r:1 w:0)
    fn clear_offences() -> Weight {
        // Proof: measured 1247 bytes. Fastest: 31_788 ns.
        Weight::from_parts(35_164_000, 4346)
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    // Storage: `ValidatorSet::Sessions` (r:2 w:0)
    // Storage: `Aura::CurrentSlot` (r:1 w:0)
    // Storage: `ValidatorSet::Offences` (r:1 w:1)
    // Storage: `Session::CurrentIndex` (r:1 w:0)
    fn report_aura_equivocation() -> Weight {
        // Proof: measured 10940 bytes. Fastest: 303_110 ns.
        Weight::from_parts(359_135_000, 25184)
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().writes(1))
    }
}

/// The same over a fixed database, for tests.
impl WeightInfo for () {
    fn approve() -> Weight {
        Weight::from_parts(39_389_000, 3529)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn join(v: u32) -> Weight {
        Weight::from_parts(44_501_064, 4687)
            .saturating_add(Weight::from_parts(253_658, 0).saturating_mul(v.into()))
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(2))
            .saturating_add(Weight::from_parts(0, 43).saturating_mul(v.into()))
    }
    fn leave(v: u32) -> Weight {
        Weight::from_parts(45_642_562, 4687)
            .saturating_add(Weight::from_parts(163_594, 0).saturating_mul(v.into()))
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn remove(v: u32) -> Weight {
        Weight::from_parts(51_745_137, 4687)
            .saturating_add(Weight::from_parts(88_179, 0).saturating_mul(v.into()))
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn set_minimum() -> Weight {
        Weight::from_parts(34_222_000, 4687)
            .saturating_add(ParityDbWeight::get().reads(1))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn clear_offences() -> Weight {
        Weight::from_parts(35_164_000, 4346)
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn report_aura_equivocation() -> Weight {
        Weight::from_parts(359_135_000, 25184)
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
}
