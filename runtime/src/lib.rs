//! Keyward's runtime: composition only (DESIGN sections 3 and 4). Rules live in the pallets, bytes in `keyward-protocol`.
#![cfg_attr(not(feature = "std"), no_std)]
#![recursion_limit = "512"]
#![expect(
    missing_docs,
    reason = "the macros of FRAME generate public items without any"
)]

#[cfg(feature = "std")]
include!(concat!(env!("OUT_DIR"), "/wasm_binary.rs"));

extern crate alloc;

pub mod apis;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarks;
pub mod configs;
pub mod genesis;
mod no_token;
pub mod rehearsal;

use alloc::{borrow::Cow, vec::Vec};
use sp_runtime::{
    generic, impl_opaque_keys,
    traits::{BlakeTwo256, IdentifyAccount, Verify},
    MultiAddress, MultiSignature,
};
use sp_version::RuntimeVersion;

pub use apis::RuntimeApi;
#[cfg(feature = "std")]
pub use apis::RUNTIME_API_VERSIONS;
#[cfg(feature = "std")]
pub use pallet_validator_set::runtime_api::{Refusal, ValidatorSetApi};

/// Number of a block.
pub type BlockNumber = u32;
/// Signature of a transaction.
pub type Signature = MultiSignature;
/// An account: a 32-byte public key.
pub type AccountId = <<Signature as Verify>::Signer as IdentifyAccount>::AccountId;
/// What the payment API would count; there is no token.
pub type Balance = u128;
/// Number of an account's transactions.
pub type Nonce = u32;
/// Hash of a block, a call or a storage root.
pub type Hash = sp_core::H256;
/// How transactions name an account.
pub type Address = MultiAddress<AccountId, ()>;
/// A block's header.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// A block.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;
/// Blocks as a node handles them: transactions stay bytes, so that it need not know the calls, which upgrades change.
pub mod opaque {
    /// A block.
    pub type Block = sp_runtime::generic::Block<super::Header, sp_runtime::OpaqueExtrinsic>;
}
/// A transaction as it comes from outside.
pub type UncheckedExtrinsic =
    generic::UncheckedExtrinsic<Address, RuntimeCall, Signature, TxExtension>;
/// Dispatches blocks to pallets.
pub type Executive = frame_executive::Executive<
    Runtime,
    Block,
    frame_system::ChainContext<Runtime>,
    Runtime,
    AllPalletsWithSystem,
>;

/// What every transaction carries and passes, in this order. `CheckAdmitted` stands before `CheckNonce`, which would refuse
/// an account without provider with a text about fees.
pub type TxExtension = (
    frame_system::CheckNonZeroSender<Runtime>,
    frame_system::CheckSpecVersion<Runtime>,
    frame_system::CheckTxVersion<Runtime>,
    frame_system::CheckGenesis<Runtime>,
    frame_system::CheckEra<Runtime>,
    pallet_governance::CheckAdmitted<Runtime>,
    pallet_governance::CheckNonce<Runtime>,
    frame_system::CheckWeight<Runtime>,
    frame_metadata_hash_extension::CheckMetadataHash<Runtime>,
    frame_system::WeightReclaim<Runtime>,
);

impl_opaque_keys! {
    /// The keys with which a validator authors and finalizes.
    pub struct SessionKeys {
        /// Authors blocks.
        pub aura: Aura,
        /// Finalizes them.
        pub grandpa: Grandpa,
    }
}

/// Defines the version. The number must be a literal: it is also written into a section of the wasm.
macro_rules! version {
    ($spec:tt) => {
        /// Version of the runtime. Raise `spec_version` with every change of behaviour, `transaction_version` when a call's
        /// encoding changes.
        #[sp_version::runtime_version]
        pub const VERSION: RuntimeVersion = RuntimeVersion {
            spec_name: Cow::Borrowed("keyward"),
            impl_name: Cow::Borrowed("keyward"),
            authoring_version: 1,
            spec_version: $spec,
            impl_version: 1,
            apis: apis::RUNTIME_API_VERSIONS,
            transaction_version: 1,
            system_version: 1,
        };
    };
}

#[cfg(not(feature = "next"))]
version!(2);
#[cfg(feature = "next")]
version!(3);

/// Length of a slot in milliseconds.
pub const SLOT_MS: u64 = 2_000;
/// Blocks in a session when genesis says nothing else.
pub const SESSION_BLOCKS: BlockNumber = pallet_validator_set::SESSION_BLOCKS;

#[frame_support::runtime]
mod runtime {
    /// The runtime.
    #[runtime::runtime]
    #[runtime::derive(
        RuntimeCall,
        RuntimeEvent,
        RuntimeError,
        RuntimeOrigin,
        RuntimeFreezeReason,
        RuntimeHoldReason,
        RuntimeSlashReason,
        RuntimeLockId,
        RuntimeTask,
        RuntimeViewFunction
    )]
    pub struct Runtime;

    #[runtime::pallet_index(0)]
    pub type System = frame_system;
    #[runtime::pallet_index(1)]
    pub type Timestamp = pallet_timestamp;
    #[runtime::pallet_index(2)]
    pub type Aura = pallet_aura;
    // Before Session: its genesis gives validators their provider reference.
    #[runtime::pallet_index(3)]
    pub type Governance = pallet_governance;
    // Before Session, too, whose genesis asks it for the validators.
    #[runtime::pallet_index(4)]
    pub type ValidatorSet = pallet_validator_set;
    #[runtime::pallet_index(5)]
    pub type Session = pallet_session;
    #[runtime::pallet_index(6)]
    pub type Grandpa = pallet_grandpa;
    // Reports of offences ask who authored the block.
    #[runtime::pallet_index(7)]
    pub type Authorship = pallet_authorship;

    #[runtime::pallet_index(10)]
    pub type Membership = pallet_membership<Instance1>;
    #[runtime::pallet_index(11)]
    pub type Council = pallet_collective<Instance1>;
    #[runtime::pallet_index(12)]
    pub type TechnicalMembership = pallet_membership<Instance2>;
    #[runtime::pallet_index(13)]
    pub type TechnicalCommittee = pallet_collective<Instance2>;

    #[runtime::pallet_index(20)]
    pub type Preimage = pallet_preimage;
    #[runtime::pallet_index(21)]
    pub type Scheduler = pallet_scheduler;
    #[runtime::pallet_index(22)]
    pub type Utility = pallet_utility;
    #[runtime::pallet_index(23)]
    pub type TxPause = pallet_tx_pause;

    #[runtime::pallet_index(30)]
    pub type Fleet = pallet_fleet;

    #[cfg(feature = "next")]
    #[runtime::pallet_index(255)]
    pub type Rehearsal = crate::rehearsal;
}
