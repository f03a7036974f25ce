//! Blocks, time and accounts.

use frame_support::{
    derive_impl,
    dispatch::DispatchClass,
    parameter_types,
    traits::{ConstU32, ConstU64, InsideBoth},
    weights::{
        constants::{
            BlockExecutionWeight, ExtrinsicBaseWeight, ParityDbWeight, WEIGHT_REF_TIME_PER_MILLIS,
        },
        Weight,
    },
};
use frame_system::limits::{BlockLength, BlockWeights};
use sp_runtime::{traits::AccountIdLookup, Perbill};
use sp_version::RuntimeVersion;

use crate::{
    AccountId, Aura, Block, Hash, Nonce, PalletInfo, Runtime, RuntimeCall, RuntimeEvent,
    RuntimeOrigin, RuntimeTask, TxPause, SLOT_MS, VERSION,
};

/// Share of a block for normal transactions; the rest is for `Operational` ones: removals.
const NORMAL: Perbill = Perbill::from_percent(75);
/// Of a two-second slot, a gateway's slow processor has 600 ms of reference time to fill. Nobody needs proofs of storage on a
/// chain of its own: they are not limited.
const BLOCK: Weight = Weight::from_parts(600 * WEIGHT_REF_TIME_PER_MILLIS, u64::MAX);

fn block_weights() -> BlockWeights {
    BlockWeights::builder()
        .base_block(BlockExecutionWeight::get())
        .for_class(DispatchClass::all(), |weights| {
            weights.base_extrinsic = ExtrinsicBaseWeight::get();
        })
        .for_class(DispatchClass::Normal, |weights| {
            weights.max_total = Some(NORMAL * BLOCK);
        })
        .for_class(DispatchClass::Operational, |weights| {
            weights.max_total = Some(BLOCK);
            weights.reserved = Some(BLOCK - NORMAL * BLOCK);
        })
        .avg_block_initialization(Perbill::from_percent(10))
        .build_or_panic()
}

parameter_types! {
    pub const Version: RuntimeVersion = VERSION;
    pub Weights: BlockWeights = block_weights();
    pub Length: BlockLength = BlockLength::builder()
        .max_length(5 * 1024 * 1024)
        .modify_max_length_for_class(DispatchClass::Normal, |length| *length = NORMAL * *length)
        .build();
}

#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig)]
impl frame_system::Config for Runtime {
    type BaseCallFilter = InsideBoth<frame_support::traits::Everything, TxPause>;
    type BlockWeights = Weights;
    type BlockLength = Length;
    type Block = Block;
    type AccountId = AccountId;
    type Lookup = AccountIdLookup<AccountId, ()>;
    type Nonce = Nonce;
    type Hash = Hash;
    type BlockHashCount = ConstU32<4096>;
    type DbWeight = ParityDbWeight;
    type Version = Version;
    type AccountData = ();
    type SS58Prefix = frame_support::traits::ConstU16<42>;
    type MaxConsumers = ConstU32<16>;
}

impl pallet_timestamp::Config for Runtime {
    type Moment = u64;
    type OnTimestampSet = Aura;
    type MinimumPeriod = ConstU64<{ SLOT_MS / 2 }>;
    type WeightInfo = pallet_timestamp::weights::SubstrateWeight<Runtime>;
}
