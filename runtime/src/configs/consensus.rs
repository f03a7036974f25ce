//! Who authors and finalizes: Aura and GRANDPA, fed by Session with what the validator set says; and what is done about whoever
//! signs twice.

use frame_support::{
    parameter_types,
    traits::{ConstBool, ConstU128, ConstU32, ConstU64, Get, OnNewAccount},
};
use frame_system::offchain::{CreateBare, CreateTransactionBase};
use pallet_grandpa::EquivocationReportSystem;
use pallet_session::{FindAccountFromAuthorIndex, PeriodicSessions};
use pallet_validator_set::{KeyOwnerProof, SessionLength};
use sp_consensus_aura::sr25519::AuthorityId as AuraId;
use sp_runtime::traits::{ConvertInto, OpaqueKeys};

use crate::{
    configs::governance::RootOrCouncil, no_token::NoToken, AccountId, Aura, BlockNumber,
    Governance, Runtime, RuntimeCall, RuntimeEvent, RuntimeHoldReason, SessionKeys,
    UncheckedExtrinsic, ValidatorSet, SLOT_MS,
};

/// Most validators of a network.
type MaxValidators = ConstU32<100>;
/// Most approved operators: twice as many.
type MaxOperators = ConstU32<200>;

/// A week of sessions of one hour: how long an offence can be reported.
const KEPT_SESSIONS: u32 = 7 * 24;
/// Two hours of two-second blocks.
const COOLDOWN: BlockNumber = 3_600;

/// Sessions end every so many blocks as genesis says: from state, so that every node agrees.
type Sessions = PeriodicSessions<SessionLength<Runtime>, Offset>;

parameter_types! {
    pub const Offset: BlockNumber = 0;
}

/// Blocks for which a report of an offence can be recorded.
pub struct ReportLongevity;

impl Get<u64> for ReportLongevity {
    fn get() -> u64 {
        let blocks: BlockNumber = SessionLength::<Runtime>::get();
        u64::from(KEPT_SESSIONS) * u64::from(blocks)
    }
}

impl pallet_aura::Config for Runtime {
    type AuthorityId = AuraId;
    type DisabledValidators = ();
    type MaxAuthorities = MaxValidators;
    type AllowMultipleBlocksPerSlot = ConstBool<false>;
    type SlotDuration = ConstU64<SLOT_MS>;
}

impl pallet_authorship::Config for Runtime {
    type FindAuthor = FindAccountFromAuthorIndex<Runtime, Aura>;
    type EventHandler = ();
}

impl pallet_grandpa::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
    type MaxAuthorities = MaxValidators;
    type MaxNominators = ConstU32<0>;
    type MaxSetIdSessionEntries = ConstU64<{ KEPT_SESSIONS as u64 }>;
    // Not `pallet_session::historical`: an offender would escape by changing its keys. See the README of the validator set.
    type KeyOwnerProof = KeyOwnerProof;
    type EquivocationReportSystem =
        EquivocationReportSystem<Self, ValidatorSet, ValidatorSet, ReportLongevity>;
}

impl pallet_session::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type ValidatorId = AccountId;
    type ValidatorIdOf = ConvertInto;
    type ShouldEndSession = Sessions;
    type NextSessionRotation = Sessions;
    type SessionManager = ValidatorSet;
    type SessionHandler = <SessionKeys as OpaqueKeys>::KeyTypeIdProviders;
    type Keys = SessionKeys;
    // An offender goes on until the council decides.
    type DisablingStrategy = ();
    type WeightInfo = pallet_session::weights::SubstrateWeight<Runtime>;
    type Currency = NoToken<RuntimeHoldReason>;
    type KeyDeposit = ConstU128<0>;
}

/// Operators are admitted to the chain when the council approves them.
pub struct AdmitOperators;

impl OnNewAccount<AccountId> for AdmitOperators {
    fn on_new_account(who: &AccountId) {
        Governance::admit(who);
    }
}

impl pallet_validator_set::Config for Runtime {
    type GovernanceOrigin = RootOrCouncil;
    type Admission = AdmitOperators;
    type MaxValidators = MaxValidators;
    type MaxOperators = MaxOperators;
    type Cooldown = ConstU32<COOLDOWN>;
    type KeptSessions = ConstU32<KEPT_SESSIONS>;
    type WeightInfo = pallet_validator_set::weights::SubstrateWeight<Runtime>;
}

/// Reports of offences are bare transactions, made by the node.
impl<Call> CreateTransactionBase<Call> for Runtime
where
    RuntimeCall: From<Call>,
{
    type Extrinsic = UncheckedExtrinsic;
    type RuntimeCall = RuntimeCall;
}

impl<Call> CreateBare<Call> for Runtime
where
    RuntimeCall: From<Call>,
{
    fn create_bare(call: RuntimeCall) -> UncheckedExtrinsic {
        UncheckedExtrinsic::new_bare(call)
    }
}
