//! Council, technical committee, and what they govern with. The pallets' names are those that polkadot.js looks for.

use frame_support::{
    parameter_types,
    traits::{ConstU32, Contains, EitherOfDiverse, EqualPrivilegeOnly},
    weights::Weight,
};
use frame_system::{EnsureNever, EnsureRoot};
use pallet_collective::{EnsureProportionAtLeast, EnsureProportionMoreThan, PrimeDefaultVote};
use pallet_governance::AdmitMembers;
use pallet_tx_pause::RuntimeCallNameOf;
use sp_runtime::Perbill;

use crate::{
    configs::{
        permissions::{BudgetShare, MaxLength, Table},
        system::Weights,
    },
    no_token::NoToken,
    AccountId, BlockNumber, Council, OriginCaller, Preimage, Runtime, RuntimeCall, RuntimeEvent,
    RuntimeHoldReason, RuntimeOrigin, System, TechnicalCommittee,
};

/// The council.
pub(crate) type CouncilInstance = pallet_collective::Instance1;
/// The technical committee.
pub(crate) type TechnicalInstance = pallet_collective::Instance2;

/// Two thirds of the council.
pub type TwoThirdsOfCouncil = EnsureProportionAtLeast<AccountId, CouncilInstance, 2, 3>;
/// Root, or two thirds of the council.
pub type RootOrCouncil = EitherOfDiverse<EnsureRoot<AccountId>, TwoThirdsOfCouncil>;
/// More than half of the technical committee, or who governs.
pub type Emergency =
    EitherOfDiverse<RootOrCouncil, EnsureProportionMoreThan<AccountId, TechnicalInstance, 1, 2>>;

/// Members of a collective, at most.
pub(crate) type MaxMembers = ConstU32<100>;
/// Five days of two-second blocks.
const MOTION_BLOCKS: BlockNumber = 5 * 24 * 1_800;

parameter_types! {
    pub const MotionDuration: BlockNumber = MOTION_BLOCKS;
    pub MaxProposalWeight: Weight = Perbill::from_percent(50) * Weights::get().max_block;
    pub MaximumSchedulerWeight: Weight = Perbill::from_percent(80) * Weights::get().max_block;
}

impl pallet_governance::Config for Runtime {
    type RuntimeCall = RuntimeCall;
    type RootOrigin = TwoThirdsOfCouncil;
    type Permissions = Table;
    type BudgetShare = BudgetShare;
    type MaxLength = MaxLength;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = Table;
    type WeightInfo = pallet_governance::weights::SubstrateWeight<Runtime>;
}

impl pallet_membership::Config<pallet_membership::Instance1> for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type AddOrigin = RootOrCouncil;
    type RemoveOrigin = RootOrCouncil;
    type SwapOrigin = RootOrCouncil;
    type ResetOrigin = RootOrCouncil;
    type PrimeOrigin = RootOrCouncil;
    type MembershipInitialized = AdmitMembers<Runtime, Council>;
    type MembershipChanged = AdmitMembers<Runtime, Council>;
    type MaxMembers = MaxMembers;
    type WeightInfo = pallet_membership::weights::SubstrateWeight<Runtime>;
}

impl pallet_membership::Config<pallet_membership::Instance2> for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type AddOrigin = RootOrCouncil;
    type RemoveOrigin = RootOrCouncil;
    type SwapOrigin = RootOrCouncil;
    type ResetOrigin = RootOrCouncil;
    type PrimeOrigin = RootOrCouncil;
    type MembershipInitialized = AdmitMembers<Runtime, TechnicalCommittee>;
    type MembershipChanged = AdmitMembers<Runtime, TechnicalCommittee>;
    type MaxMembers = MaxMembers;
    type WeightInfo = pallet_membership::weights::SubstrateWeight<Runtime>;
}

impl pallet_collective::Config<CouncilInstance> for Runtime {
    type RuntimeOrigin = RuntimeOrigin;
    type Proposal = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type MotionDuration = MotionDuration;
    type MaxProposals = ConstU32<100>;
    type MaxMembers = MaxMembers;
    type DefaultVote = PrimeDefaultVote;
    type WeightInfo = pallet_collective::weights::SubstrateWeight<Runtime>;
    // `setMembers` would bypass admission: only `Membership` changes members.
    type SetMembersOrigin = EnsureNever<AccountId>;
    type MaxProposalWeight = MaxProposalWeight;
    type DisapproveOrigin = RootOrCouncil;
    type KillOrigin = RootOrCouncil;
    type Consideration = ();
}

impl pallet_collective::Config<TechnicalInstance> for Runtime {
    type RuntimeOrigin = RuntimeOrigin;
    type Proposal = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type MotionDuration = MotionDuration;
    type MaxProposals = ConstU32<100>;
    type MaxMembers = MaxMembers;
    type DefaultVote = PrimeDefaultVote;
    type WeightInfo = pallet_collective::weights::SubstrateWeight<Runtime>;
    type SetMembersOrigin = EnsureNever<AccountId>;
    type MaxProposalWeight = MaxProposalWeight;
    type DisapproveOrigin = RootOrCouncil;
    type KillOrigin = RootOrCouncil;
    type Consideration = ();
}

impl pallet_preimage::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_preimage::weights::SubstrateWeight<Runtime>;
    type Currency = NoToken<RuntimeHoldReason>;
    type ManagerOrigin = RootOrCouncil;
    type Consideration = ();
}

impl pallet_scheduler::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeOrigin = RuntimeOrigin;
    type PalletsOrigin = OriginCaller;
    type RuntimeCall = RuntimeCall;
    type MaximumWeight = MaximumSchedulerWeight;
    type ScheduleOrigin = RootOrCouncil;
    type OriginPrivilegeCmp = EqualPrivilegeOnly;
    type MaxScheduledPerBlock = ConstU32<50>;
    type WeightInfo = pallet_scheduler::weights::SubstrateWeight<Runtime>;
    type Preimages = Preimage;
    type BlockNumberProvider = System;
}

impl pallet_utility::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type PalletsOrigin = OriginCaller;
    type WeightInfo = pallet_utility::weights::SubstrateWeight<Runtime>;
}

/// Calls that nobody can pause: what keeps the chain alive, what governs it, and what takes access away.
pub struct NeverPaused;

impl Contains<RuntimeCallNameOf<Runtime>> for NeverPaused {
    fn contains(name: &RuntimeCallNameOf<Runtime>) -> bool {
        const PALLETS: [&[u8]; 11] = [
            b"System",
            b"Timestamp",
            b"ValidatorSet",
            b"Session",
            b"Grandpa",
            b"Governance",
            b"Membership",
            b"Council",
            b"TechnicalMembership",
            b"TechnicalCommittee",
            b"TxPause",
        ];
        const FLEET: [&[u8]; 10] = [
            b"remove_members",
            b"suspend_device",
            b"revoke_device",
            b"rotate",
            b"stage_epoch",
            b"withdraw_staged",
            b"suspend_gateway",
            b"expel_gateway",
            b"revoke_authority",
            b"freeze_group",
        ];
        let (pallet, call) = (name.0.as_slice(), name.1.as_slice());
        PALLETS.contains(&pallet) || (pallet == b"Fleet" && FLEET.contains(&call))
    }
}

impl pallet_tx_pause::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type PauseOrigin = Emergency;
    type UnpauseOrigin = Emergency;
    type WhitelistedCalls = NeverPaused;
    type MaxNameLen = ConstU32<256>;
    type WeightInfo = pallet_tx_pause::weights::SubstrateWeight<Runtime>;
}
