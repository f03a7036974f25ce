//! A runtime with only this pallet, and one module of tests per behaviour. `try_state` is run after every test.

use frame_support::{construct_runtime, derive_impl, ord_parameter_types, traits::EitherOfDiverse};
use frame_system::{EnsureRoot, EnsureSignedBy};
use sp_runtime::{traits::IdentityLookup, AccountId32, BuildStorage};

use crate as pallet_fleet;
use crate::AdmitAccount;

mod admission_tests;
mod anchor_tests;
mod builders;
mod chain_tests;
mod consent_tests;
mod custodian_tests;
mod enrolment_tests;
mod epoch_tests;
mod genesis_tests;
mod group_tests;
mod key_replacement_tests;
mod key_tests;
mod membership_tests;
mod permission_tests;
mod quota_tests;
mod random_tests;
mod receipt_tests;
mod revision_tests;
mod suspension_tests;
mod transfer_tests;
mod view_tests;

construct_runtime!(
    pub enum Test {
        System: frame_system,
        Timestamp: pallet_timestamp,
        Fleet: pallet_fleet,
    }
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = frame_system::mocking::MockBlockU32<Test>;
    type AccountId = AccountId32;
    type Lookup = IdentityLookup<AccountId32>;
}

#[derive_impl(pallet_timestamp::config_preludes::TestDefaultConfig)]
impl pallet_timestamp::Config for Test {}

ord_parameter_types! {
    /// Stands for two thirds of the council.
    pub const Council: AccountId32 = AccountId32::new([0xc0; 32]);
    /// Stands for more than half of the technical committee.
    pub const Committee: AccountId32 = AccountId32::new([0xc1; 32]);
}

/// Admits by a provider reference, as the runtime does.
pub struct Admission;

impl AdmitAccount<AccountId32> for Admission {
    fn admit(who: &AccountId32) {
        if !Self::is_admitted(who) {
            System::inc_providers(who);
        }
    }

    fn is_admitted(who: &AccountId32) -> bool {
        System::providers(who) > 0
    }
}

impl pallet_fleet::Config for Test {
    type GovernanceOrigin =
        EitherOfDiverse<EnsureRoot<AccountId32>, EnsureSignedBy<Council, AccountId32>>;
    type EmergencyOrigin = EnsureSignedBy<Committee, AccountId32>;
    type Admission = Admission;
    type Time = Timestamp;
    type WeightInfo = ();
}

/// Seconds since 1970 in the first block of every test.
pub const START: u64 = 1_700_000_000;

/// A chain at block 1 with nothing in it, and a keystore for the benchmarks.
pub fn ext() -> sp_io::TestExternalities {
    let storage = frame_system::GenesisConfig::<Test>::default().build_storage();
    let mut ext = sp_io::TestExternalities::new(storage.expect("the default genesis builds"));
    let keystore = sp_keystore::testing::MemoryKeystore::new();
    ext.register_extension(sp_keystore::KeystoreExt::new(keystore));
    ext.execute_with(|| {
        System::set_block_number(1);
        Timestamp::set_timestamp(START * 1000);
    });
    ext
}

/// Checks what must hold at the end of every block.
pub fn check_state() {
    crate::try_state::check::<Test>().expect("the state is consistent");
}

/// Runs a test on a chain with the usual organisations and gateways; see [`builders::found`].
pub fn run(test: impl FnOnce()) {
    ext().execute_with(|| {
        builders::found();
        test();
        check_state();
    });
}

/// Goes on to the next block, two seconds later.
pub fn next_block() {
    System::set_block_number(System::block_number() + 1);
    wait(2);
}

/// Lets seconds pass in this block.
pub fn wait(seconds: u64) {
    Timestamp::set_timestamp(Timestamp::get() + seconds * 1000);
}
