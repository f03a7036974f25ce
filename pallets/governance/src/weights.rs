//! Weights of the pallet's calls.
//!
//! Set by hand, on the high side, until they are generated on the reference machine by
//!
//! ```text
//! cargo build --release --package keyward-runtime --features runtime-benchmarks
//! frame-omni-bencher v1 benchmark pallet --pallet pallet_governance --extrinsic '*' --steps 50 --repeat 20 \
//!     --runtime $CARGO_TARGET_DIR/release/wbuild/keyward-runtime/keyward_runtime.wasm \
//!     --genesis-builder-preset dev --output pallets/governance/src/weights.rs
//! ```

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Weights of the pallet's calls.
pub trait WeightInfo {
    /// Overhead of `as_root`, without the call.
    fn as_root() -> Weight;
    /// What `CheckAdmitted` reads and writes, of an account with every role. `n`: calls, in a batch.
    fn check_admitted(n: u32) -> Weight;
}

/// Weights on the reference machine.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn as_root() -> Weight {
        Weight::from_parts(20_000_000, 0)
    }

    fn check_admitted(n: u32) -> Weight {
        Weight::from_parts(20_000_000, 20_000)
            .saturating_add(Weight::from_parts(20_000, 0).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads_writes(6, 1))
    }
}

impl WeightInfo for () {
    fn as_root() -> Weight {
        Weight::zero()
    }

    fn check_admitted(_: u32) -> Weight {
        Weight::zero()
    }
}
