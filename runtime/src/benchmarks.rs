//! Benchmarks of the pallets whose weights are Keyward's own.
//!
//! ```text
//! cargo build --release --package keyward-runtime --features runtime-benchmarks
//! frame-omni-bencher v1 benchmark pallet --extrinsic '*' --pallet pallet_governance --genesis-builder-preset dev \
//!     --runtime $CARGO_TARGET_DIR/release/wbuild/keyward-runtime/keyward_runtime.wasm \
//!     --output pallets/governance/src/weights.rs
//! ```

use alloc::{string::String, vec::Vec};
use frame_benchmarking::{BenchmarkBatch, BenchmarkConfig, BenchmarkList};
use frame_support::traits::{StorageInfo, StorageInfoTrait, WhitelistedStorageKeys};
use frame_system_benchmarking::Pallet as SystemBench;

use crate::{AllPalletsWithSystem, Fleet, Governance, Runtime, ValidatorSet};

frame_benchmarking::define_benchmarks!(
    [frame_system, SystemBench::<Runtime>]
    [pallet_governance, Governance]
    [pallet_validator_set, ValidatorSet]
    [pallet_fleet, Fleet]
);

impl frame_system_benchmarking::Config for Runtime {}

/// What can be measured.
pub fn list(extra: bool) -> (Vec<BenchmarkList>, Vec<StorageInfo>) {
    let mut list = Vec::new();
    list_benchmarks!(list, extra);
    (list, AllPalletsWithSystem::storage_info())
}

/// Measures.
pub fn run(config: BenchmarkConfig) -> Result<Vec<BenchmarkBatch>, String> {
    let whitelist = AllPalletsWithSystem::whitelisted_storage_keys();
    let mut batches = Vec::new();
    let params = (&config, &whitelist);
    add_benchmarks!(params, batches);
    Ok(batches)
}
