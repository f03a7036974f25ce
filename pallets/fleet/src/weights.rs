//! Weights of the pallet's calls.
//!
//! Set by hand, on the high side, until they are generated on the reference machine by
//!
//! ```text
//! cargo build --release --package keyward-runtime --features runtime-benchmarks
//! frame-omni-bencher v1 benchmark pallet --pallet pallet_fleet --extrinsic '*' --steps 50 --repeat 20 \
//!     --runtime $CARGO_TARGET_DIR/release/wbuild/keyward-runtime/keyward_runtime.wasm \
//!     --genesis-builder-preset dev --output pallets/fleet/src/weights.rs
//! ```
//!
//! Each call counts what it reads and writes at most, lists item by item. Proof sizes are counted, too, though nobody needs
//! them on a chain of its own.

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::RocksDbWeight, RuntimeDbWeight, Weight},
};

/// Weights of the pallet's calls.
pub trait WeightInfo {
    /// Of `admit_organisation`.
    fn admit_organisation() -> Weight;
    /// Of `admit_gateway`.
    fn admit_gateway() -> Weight;
    /// Of `suspend_gateway`. `g`: groups that it is custodian of.
    fn suspend_gateway(g: u32) -> Weight;
    /// Of `reinstate_gateway`.
    fn reinstate_gateway() -> Weight;
    /// Of `expel_gateway`. `g`: groups that it is custodian of.
    fn expel_gateway(g: u32) -> Weight;
    /// Of `replace_gateway_keys`. `g`: groups that it is custodian of.
    fn replace_gateway_keys(g: u32) -> Weight;
    /// Of `admit_authority`.
    fn admit_authority() -> Weight;
    /// Of `revoke_authority`.
    fn revoke_authority() -> Weight;
    /// Of `freeze_group`.
    fn freeze_group() -> Weight;
    /// Of `thaw_group`.
    fn thaw_group() -> Weight;
    /// Of `register_device`.
    fn register_device() -> Weight;
    /// Of `replace_device_keys`. In as many groups as a device may be in.
    fn replace_device_keys() -> Weight;
    /// Of `suspend_device`. In as many groups as a device may be in.
    fn suspend_device() -> Weight;
    /// Of `reinstate_device`. In as many groups as a device may be in.
    fn reinstate_device() -> Weight;
    /// Of `revoke_device`. In as many groups as a device may be in, with as many invitations as it may have.
    fn revoke_device() -> Weight;
    /// Of `transfer_device`.
    fn transfer_device() -> Weight;
    /// Of `accept_membership`.
    fn accept_membership() -> Weight;
    /// Of `create_group`. With as many custodians as a group may have.
    fn create_group() -> Weight;
    /// Of `set_policy`.
    fn set_policy() -> Weight;
    /// Of `set_custodians`. With as many custodians as a group may have, before and after.
    fn set_custodians() -> Weight;
    /// Of `transfer_admin`.
    fn transfer_admin() -> Weight;
    /// Of `add_members`. `n`: devices.
    fn add_members(n: u32) -> Weight;
    /// Of `remove_members`. `n`: devices.
    fn remove_members(n: u32) -> Weight;
    /// Of `rotate`.
    fn rotate() -> Weight;
    /// Of `close_group`.
    fn close_group() -> Weight;
    /// Of `stage_epoch`.
    fn stage_epoch() -> Weight;
    /// Of `withdraw_staged`.
    fn withdraw_staged() -> Weight;
    /// Of `record_delivery`.
    fn record_delivery() -> Weight;
    /// Of `anchor`.
    fn anchor() -> Weight;
    /// Of `acknowledge`. `n`: receipts.
    fn acknowledge(n: u32) -> Weight;
}

/// Size of a stored value with its key and its share of the trie: most are below 256 bytes, a group below 2 KiB.
const PROOF: u64 = 1_024;

/// What a call needs at most.
struct Cost {
    /// Microseconds of computation.
    micros: u64,
    /// Values read.
    reads: u64,
    /// Values written.
    writes: u64,
}

impl Cost {
    const fn new(micros: u64, reads: u64, writes: u64) -> Self {
        Self {
            micros,
            reads,
            writes,
        }
    }

    /// This, and `each` for each of `items`.
    const fn and(self, items: u32, each: Self) -> Self {
        let items = items as u64;
        Self {
            micros: self
                .micros
                .saturating_add(each.micros.saturating_mul(items)),
            reads: self.reads.saturating_add(each.reads.saturating_mul(items)),
            writes: self
                .writes
                .saturating_add(each.writes.saturating_mul(items)),
        }
    }

    fn weight(self, db: RuntimeDbWeight) -> Weight {
        let picos = self.micros.saturating_mul(1_000_000);
        Weight::from_parts(picos, self.reads.saturating_mul(PROOF))
            .saturating_add(db.reads_writes(self.reads, self.writes))
    }
}

/// Implements the trait over a database's weights.
macro_rules! weights {
    ($db:expr) => {
        fn admit_organisation() -> Weight {
            Cost::new(20, 3, 4).weight($db)
        }
        fn admit_gateway() -> Weight {
            Cost::new(40, 7, 9).weight($db)
        }
        fn suspend_gateway(g: u32) -> Weight {
            Cost::new(30, 3, 3).and(g, Cost::new(25, 4, 5)).weight($db)
        }
        fn reinstate_gateway() -> Weight {
            Cost::new(20, 2, 2).weight($db)
        }
        fn expel_gateway(g: u32) -> Weight {
            Cost::new(30, 3, 4).and(g, Cost::new(25, 4, 5)).weight($db)
        }
        fn replace_gateway_keys(g: u32) -> Weight {
            Cost::new(40, 5, 5).and(g, Cost::new(25, 4, 5)).weight($db)
        }
        fn admit_authority() -> Weight {
            Cost::new(30, 5, 4).weight($db)
        }
        fn revoke_authority() -> Weight {
            Cost::new(20, 2, 2).weight($db)
        }
        fn freeze_group() -> Weight {
            Cost::new(25, 2, 2).weight($db)
        }
        fn thaw_group() -> Weight {
            Cost::new(25, 2, 2).weight($db)
        }
        fn register_device() -> Weight {
            Cost::new(200, 10, 6).weight($db)
        }
        fn replace_device_keys() -> Weight {
            Cost::new(600, 58, 56).weight($db)
        }
        fn suspend_device() -> Weight {
            Cost::new(400, 36, 44).weight($db)
        }
        fn reinstate_device() -> Weight {
            Cost::new(400, 46, 54).weight($db)
        }
        fn revoke_device() -> Weight {
            Cost::new(450, 50, 60).weight($db)
        }
        fn transfer_device() -> Weight {
            Cost::new(40, 9, 7).weight($db)
        }
        fn accept_membership() -> Weight {
            Cost::new(80, 12, 10).weight($db)
        }
        fn create_group() -> Weight {
            Cost::new(80, 15, 11).weight($db)
        }
        fn set_policy() -> Weight {
            Cost::new(40, 4, 2).weight($db)
        }
        fn set_custodians() -> Weight {
            Cost::new(80, 22, 14).weight($db)
        }
        fn transfer_admin() -> Weight {
            Cost::new(40, 8, 4).weight($db)
        }
        fn add_members(n: u32) -> Weight {
            Cost::new(60, 9, 6).and(n, Cost::new(40, 4, 4)).weight($db)
        }
        fn remove_members(n: u32) -> Weight {
            Cost::new(60, 7, 6).and(n, Cost::new(40, 4, 4)).weight($db)
        }
        fn rotate() -> Weight {
            Cost::new(40, 5, 6).weight($db)
        }
        fn close_group() -> Weight {
            Cost::new(40, 5, 3).weight($db)
        }
        fn stage_epoch() -> Weight {
            Cost::new(40, 6, 5).weight($db)
        }
        fn withdraw_staged() -> Weight {
            Cost::new(40, 6, 6).weight($db)
        }
        fn record_delivery() -> Weight {
            Cost::new(40, 4, 2).weight($db)
        }
        fn anchor() -> Weight {
            Cost::new(40, 4, 3).weight($db)
        }
        fn acknowledge(n: u32) -> Weight {
            Cost::new(40, 3, 2).and(n, Cost::new(80, 6, 3)).weight($db)
        }
    };
}

/// Weights over the runtime's database.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    weights!(T::DbWeight::get());
}

/// For tests.
impl WeightInfo for () {
    weights!(RocksDbWeight::get());
}
