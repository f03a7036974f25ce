//! Weights of the calls of `pallet_governance`, generated from its benchmarks (20 steps, 200 repetitions): see
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
    /// Of `as_root`.
    fn as_root() -> Weight;
    /// Of `check_admitted`. `n`: 1 to 1000.
    fn check_admitted(n: u32) -> Weight;
}

/// Weights on the reference machine, over the runtime's database.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn as_root() -> Weight {
        // Proof: measured 0 bytes. Fastest: 9_856 ns.
        Weight::from_parts(10_863_000, 0)
    }
    // Storage: `System::Account` (r:1 w:0)
    // Storage: `Council::Members` (r:1 w:0)
    // Storage: `TechnicalCommittee::Members` (r:1 w:0)
    // Storage: `Fleet::Gateways` (r:1 w:0)
    // Storage: `ValidatorSet::Operators` (r:1 w:0)
    // Storage: `Governance::Spendings` (r:1 w:1)
    fn check_admitted(n: u32) -> Weight {
        // Proof: measured 3750 bytes. Fastest: 44_608 ns.
        Weight::from_parts(50_991_810, 5235)
            .saturating_add(Weight::from_parts(5_824, 0).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().writes(1))
    }
}

/// The same over a fixed database, for tests.
impl WeightInfo for () {
    fn as_root() -> Weight {
        Weight::from_parts(10_863_000, 0)
    }
    fn check_admitted(n: u32) -> Weight {
        Weight::from_parts(50_991_810, 5235)
            .saturating_add(Weight::from_parts(5_824, 0).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
}
