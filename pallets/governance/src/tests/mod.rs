//! A runtime with only this pallet, and one module of tests per behaviour.

use core::cell::RefCell;

use frame_support::{
    construct_runtime, derive_impl,
    dispatch::DispatchInfo,
    ord_parameter_types,
    pallet_prelude::{
        InvalidTransaction, TransactionSource, TransactionValidityError, ValidTransaction,
    },
    parameter_types,
    traits::{ChangeMembers, ConstU32, Get, InitializeMembers},
};
use frame_system::{limits::BlockWeights, EnsureSignedBy};
use sp_runtime::{traits::DispatchTransaction, BuildStorage, Perbill};

use crate as pallet_governance;
use crate::{CheckAdmitted, Permissions, Roles, Signers};

mod budget_tests;
mod gate_tests;
mod member_tests;
mod nonce_tests;
mod root_tests;

construct_runtime!(
    pub enum Test {
        System: frame_system,
        Governance: pallet_governance,
        Utility: pallet_utility,
    }
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = frame_system::mocking::MockBlock<Test>;
    type AccountId = u64;
}

ord_parameter_types! {
    /// Stands for two thirds of the council.
    pub const Council: u64 = 100;
}

impl pallet_utility::Config for Test {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type PalletsOrigin = OriginCaller;
    type WeightInfo = ();
}

parameter_types! {
    pub const BudgetShare: Perbill = Perbill::from_percent(25);
}

impl pallet_governance::Config for Test {
    type RuntimeCall = RuntimeCall;
    type RootOrigin = EnsureSignedBy<Council, u64>;
    type Permissions = Table;
    type BudgetShare = BudgetShare;
    type MaxLength = ConstU32<1_000>;
    type WeightInfo = ();
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = Table;
}

/// A gateway that genesis admits.
const FOUNDER: u64 = 1;
/// A gateway that nobody admitted.
const STRANGER: u64 = 2;
/// A member of the council, admitted.
const MEMBER: u64 = 4;
/// An account that genesis admits and that has no role: a suspended gateway.
const SUSPENDED: u64 = 5;
/// A gateway that is a member of the council, too.
const BOTH: u64 = 6;

/// Remarks for gateways and the council, remarks with events for the council, heap pages for gateways.
pub struct Table;

impl Permissions<u64, RuntimeCall> for Table {
    fn roles(who: &u64) -> Roles {
        match *who {
            FOUNDER | STRANGER => Roles::GATEWAY,
            MEMBER => Roles::COUNCIL,
            BOTH => Roles::GATEWAY | Roles::COUNCIL,
            _ => Roles::NONE,
        }
    }

    fn signers(call: &RuntimeCall) -> Signers<'_, RuntimeCall> {
        use frame_system::Call as System;
        match call {
            RuntimeCall::Utility(pallet_utility::Call::batch { calls }) => Signers::Each(calls),
            RuntimeCall::System(System::remark { .. }) => {
                Signers::Roles(Roles::GATEWAY | Roles::COUNCIL)
            }
            RuntimeCall::System(System::remark_with_event { .. }) => Signers::Roles(Roles::COUNCIL),
            RuntimeCall::System(System::set_heap_pages { .. }) => Signers::Roles(Roles::GATEWAY),
            _ => Signers::Roles(Roles::NONE),
        }
    }
}

#[cfg(feature = "runtime-benchmarks")]
impl crate::benchmarking::BenchmarkHelper<u64, RuntimeCall> for Table {
    fn give_every_role(_: &u64) {}

    fn batch(n: u32) -> RuntimeCall {
        batch(vec![remark(); n as usize])
    }
}

fn remark() -> RuntimeCall {
    frame_system::Call::remark { remark: vec![] }.into()
}

fn remark_with_event() -> RuntimeCall {
    frame_system::Call::remark_with_event { remark: vec![] }.into()
}

/// The only operational one.
fn heap_pages() -> RuntimeCall {
    frame_system::Call::set_heap_pages { pages: 1 }.into()
}

fn batch(calls: Vec<RuntimeCall>) -> RuntimeCall {
    pallet_utility::Call::batch { calls }.into()
}

/// What the gate says about a call of this account that declares this, in a transaction of this length.
fn ask(
    who: u64,
    call: &RuntimeCall,
    info: &DispatchInfo,
    length: usize,
) -> Result<ValidTransaction, TransactionValidityError> {
    let origin = RuntimeOrigin::signed(who);
    let source = TransactionSource::External;
    let answer = CheckAdmitted::<Test>::new().validate_only(origin, call, info, length, source, 0);
    answer.map(|(valid, ..)| valid)
}

fn block_weights() -> BlockWeights {
    <Test as frame_system::Config>::BlockWeights::get()
}

fn custom(code: u8) -> TransactionValidityError {
    InvalidTransaction::Custom(code).into()
}

/// The first block of a chain that admitted all but [`STRANGER`].
fn chain() -> sp_io::TestExternalities {
    let genesis = RuntimeGenesisConfig {
        governance: GovernanceConfig {
            admitted: vec![FOUNDER, FOUNDER, MEMBER, SUSPENDED, BOTH],
        },
        ..Default::default()
    };
    let mut chain: sp_io::TestExternalities = genesis.build_storage().unwrap().into();
    chain.execute_with(|| System::set_block_number(1));
    chain
}

/// What a collective was told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Changed(Vec<u64>, Vec<u64>, Vec<u64>),
    Initialized(Vec<u64>),
    Prime(Option<u64>),
}

thread_local! {
    static TOLD: RefCell<Vec<Told>> = const { RefCell::new(Vec::new()) };
}

fn told() -> Vec<Told> {
    TOLD.with(RefCell::take)
}

/// A collective that remembers what it was told, and at which point admission had come: it trusts that members may vote.
struct Collective;

impl Collective {
    fn hears(what: Told, members: &[u64]) {
        assert!(members.iter().all(Governance::is_admitted));
        TOLD.with(|told| told.borrow_mut().push(what));
    }
}

impl ChangeMembers<u64> for Collective {
    fn change_members_sorted(incoming: &[u64], outgoing: &[u64], sorted_new: &[u64]) {
        let what = Told::Changed(incoming.to_vec(), outgoing.to_vec(), sorted_new.to_vec());
        Self::hears(what, sorted_new);
    }

    fn set_prime(prime: Option<u64>) {
        Self::hears(Told::Prime(prime), &[]);
    }

    fn get_prime() -> Option<u64> {
        Some(7)
    }
}

impl InitializeMembers<u64> for Collective {
    fn initialize_members(members: &[u64]) {
        Self::hears(Told::Initialized(members.to_vec()), members);
    }
}
