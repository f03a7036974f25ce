//! A runtime with only this pallet, and one module of tests per behaviour.

use core::cell::RefCell;

use frame_support::{
    construct_runtime, derive_impl, ord_parameter_types,
    traits::{ChangeMembers, InitializeMembers},
};
use frame_system::EnsureSignedBy;
use sp_runtime::BuildStorage;

use crate as pallet_governance;

mod admission_tests;
mod member_tests;
mod root_tests;

construct_runtime!(
    pub enum Test {
        System: frame_system,
        Governance: pallet_governance,
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

impl pallet_governance::Config for Test {
    type RuntimeCall = RuntimeCall;
    type RootOrigin = EnsureSignedBy<Council, u64>;
    type WeightInfo = ();
}

/// An account that genesis admits.
const FOUNDER: u64 = 1;
/// An account that nobody admitted.
const STRANGER: u64 = 2;

/// The first block of a chain that admitted [`FOUNDER`].
fn chain() -> sp_io::TestExternalities {
    let genesis = RuntimeGenesisConfig {
        governance: GovernanceConfig {
            admitted: vec![FOUNDER, FOUNDER],
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
