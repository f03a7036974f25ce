//! Who authors and finalizes: Aura and GRANDPA, fed by Session from genesis.

use frame_support::{
    parameter_types,
    traits::{ConstBool, ConstU128, ConstU32, ConstU64},
};
use pallet_session::PeriodicSessions;
use sp_consensus_aura::sr25519::AuthorityId as AuraId;
use sp_runtime::traits::{ConvertInto, OpaqueKeys};

use crate::{
    no_token::NoToken, AccountId, BlockNumber, Runtime, RuntimeEvent, RuntimeHoldReason,
    SessionKeys, SESSION_BLOCKS, SLOT_MS,
};

/// Most validators of a network.
type MaxValidators = ConstU32<100>;

parameter_types! {
    /// Blocks in a session: a storage-free constant, so that every node agrees.
    pub const Period: BlockNumber = SESSION_BLOCKS;
    pub const Offset: BlockNumber = 0;
}

impl pallet_aura::Config for Runtime {
    type AuthorityId = AuraId;
    type DisabledValidators = ();
    type MaxAuthorities = MaxValidators;
    type AllowMultipleBlocksPerSlot = ConstBool<false>;
    type SlotDuration = ConstU64<SLOT_MS>;
}

impl pallet_grandpa::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
    type MaxAuthorities = MaxValidators;
    type MaxNominators = ConstU32<0>;
    type MaxSetIdSessionEntries = ConstU64<0>;
    type KeyOwnerProof = sp_core::Void;
    type EquivocationReportSystem = ();
}

impl pallet_session::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type ValidatorId = AccountId;
    type ValidatorIdOf = ConvertInto;
    type ShouldEndSession = PeriodicSessions<Period, Offset>;
    type NextSessionRotation = PeriodicSessions<Period, Offset>;
    // The validators of genesis stay; the validator set takes this place.
    type SessionManager = ();
    type SessionHandler = <SessionKeys as OpaqueKeys>::KeyTypeIdProviders;
    type Keys = SessionKeys;
    type DisablingStrategy = ();
    type WeightInfo = pallet_session::weights::SubstrateWeight<Runtime>;
    type Currency = NoToken<RuntimeHoldReason>;
    type KeyDeposit = ConstU128<0>;
}
