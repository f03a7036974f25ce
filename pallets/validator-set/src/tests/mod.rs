//! A runtime with the real Session, Aura and GRANDPA, and one module of tests per behaviour. `try_state` is run after every test.

use frame_support::{
    construct_runtime, derive_impl, ord_parameter_types,
    traits::{ConstU32, ConstU64, EitherOfDiverse, Hooks, OnNewAccount},
};
use frame_system::{EnsureRoot, EnsureSignedBy};
use sp_consensus_aura::{sr25519::AuthorityId as AuraId, Slot};
use sp_consensus_grandpa::AuthorityId as GrandpaId;
use sp_core::{ed25519, sr25519, Pair};
use sp_runtime::{
    impl_opaque_keys,
    traits::{ConvertInto, IdentityLookup, OpaqueKeys},
    AccountId32, BuildStorage,
};

use crate as pallet_validator_set;
use crate::{Equivocation, Minimum, Operators, SessionLength, Validators};

mod equivocation_tests;
mod genesis_tests;
mod offence_tests;
mod random_tests;
mod session_tests;
mod set_tests;

construct_runtime!(
    pub enum Test {
        System: frame_system,
        Timestamp: pallet_timestamp,
        Aura: pallet_aura,
        ValidatorSet: pallet_validator_set,
        Session: pallet_session,
        Grandpa: pallet_grandpa,
    }
);

impl_opaque_keys! {
    pub struct SessionKeys {
        pub aura: Aura,
        pub grandpa: Grandpa,
    }
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = frame_system::mocking::MockBlockU32<Test>;
    type AccountId = AccountId32;
    type Lookup = IdentityLookup<AccountId32>;
}

impl pallet_timestamp::Config for Test {
    type Moment = u64;
    type OnTimestampSet = Aura;
    type MinimumPeriod = ConstU64<1_000>;
    type WeightInfo = ();
}

impl pallet_aura::Config for Test {
    type AuthorityId = AuraId;
    type DisabledValidators = ();
    type MaxAuthorities = ConstU32<100>;
    type AllowMultipleBlocksPerSlot = frame_support::traits::ConstBool<false>;
    type SlotDuration = ConstU64<2_000>;
}

impl pallet_grandpa::Config for Test {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
    type MaxAuthorities = ConstU32<100>;
    type MaxNominators = ConstU32<0>;
    type MaxSetIdSessionEntries = ConstU64<6>;
    type KeyOwnerProof = crate::KeyOwnerProof;
    // The runtime's tests have the real one, which wants the runtime's transactions.
    type EquivocationReportSystem = ();
}

impl pallet_session::Config for Test {
    type RuntimeEvent = RuntimeEvent;
    type ValidatorId = AccountId32;
    type ValidatorIdOf = ConvertInto;
    type ShouldEndSession = pallet_session::PeriodicSessions<SessionLength<Test>, ConstU32<0>>;
    type NextSessionRotation = pallet_session::PeriodicSessions<SessionLength<Test>, ConstU32<0>>;
    type SessionManager = ValidatorSet;
    type SessionHandler = <SessionKeys as OpaqueKeys>::KeyTypeIdProviders;
    type Keys = SessionKeys;
    type DisablingStrategy = ();
    type WeightInfo = ();
    type Currency = currency::Nothing;
    type KeyDeposit = frame_support::traits::ConstU128<0>;
}

ord_parameter_types! {
    /// Stands for two thirds of the council.
    pub const Council: AccountId32 = AccountId32::new([0xc0; 32]);
}

/// Admits by a provider reference, as the runtime does.
pub struct Admission;

impl OnNewAccount<AccountId32> for Admission {
    fn on_new_account(who: &AccountId32) {
        if System::providers(who) == 0 {
            System::inc_providers(who);
        }
    }
}

/// Blocks that an operator that left waits.
pub const COOLDOWN: u32 = 25;
/// Most validators.
pub const MOST: u32 = 7;
/// Sessions that are kept.
pub const KEPT: u32 = 6;

impl crate::Config for Test {
    type GovernanceOrigin =
        EitherOfDiverse<EnsureRoot<AccountId32>, EnsureSignedBy<Council, AccountId32>>;
    type Admission = Admission;
    type MaxValidators = ConstU32<MOST>;
    type MaxOperators = ConstU32<9>;
    type Cooldown = ConstU32<COOLDOWN>;
    type KeptSessions = ConstU32<KEPT>;
    type WeightInfo = ();
}

/// Blocks in a session of these tests.
pub const SESSION: u32 = 10;

/// The account of an operator.
pub fn account(number: u8) -> AccountId32 {
    AccountId32::new([number; 32])
}

pub fn council() -> RuntimeOrigin {
    RuntimeOrigin::signed(Council::get())
}

pub fn signed(number: u8) -> RuntimeOrigin {
    RuntimeOrigin::signed(account(number))
}

/// The Aura key of an operator; its `version` rises when it changes its keys.
pub fn aura_pair(number: u8, version: u8) -> sr25519::Pair {
    sr25519::Pair::from_seed(&[number, version].repeat(16).try_into().unwrap())
}

pub fn keys(number: u8, version: u8) -> SessionKeys {
    let seed = [number, version].repeat(16).try_into().unwrap();
    SessionKeys {
        aura: aura_pair(number, version).public().into(),
        grandpa: GrandpaId::from(ed25519::Pair::from_seed(&seed).public()),
    }
}

/// Makes keys in the keystore with a proof of ownership, and sets them.
pub fn set_keys(number: u8) -> sp_runtime::DispatchResult {
    use codec::Encode;
    let generated = SessionKeys::generate(&account(number).encode(), None);
    Session::set_keys(signed(number), generated.keys, generated.proof.encode())
}

/// A chain at block 1 with these validators, and a keystore.
pub fn ext(validators: &[u8], minimum: u32) -> sp_io::TestExternalities {
    let accounts: Vec<_> = validators.iter().map(|number| account(*number)).collect();
    let genesis = RuntimeGenesisConfig {
        validator_set: crate::GenesisConfig {
            validators: accounts,
            minimum,
            session_blocks: SESSION,
        },
        session: pallet_session::GenesisConfig {
            keys: validators
                .iter()
                .map(|number| (account(*number), account(*number), keys(*number, 0)))
                .collect(),
            ..Default::default()
        },
        ..Default::default()
    };
    let mut ext = sp_io::TestExternalities::new(genesis.build_storage().unwrap());
    let keystore = sp_keystore::testing::MemoryKeystore::new();
    ext.register_extension(sp_keystore::KeystoreExt::new(keystore));
    ext.execute_with(|| go_to(1));
    ext
}

/// Runs a test on a chain of validators 1 to 4, of which two may leave.
pub fn run(test: impl FnOnce()) {
    ext(&[1, 2, 3, 4], 2).execute_with(|| {
        test();
        check_state();
    });
}

/// Checks what must hold at the end of every block.
pub fn check_state() {
    crate::try_state::check::<Test>().expect("the state is consistent");
}

/// Slot of a block: a few were missed before the first.
pub fn slot_of(block: u32) -> Slot {
    Slot::from(u64::from(block) + 5)
}

/// Goes on to a block.
pub fn go_to(block: u32) {
    while System::block_number() < block {
        Grandpa::on_finalize(System::block_number());
        let next = System::block_number() + 1;
        System::set_block_number(next);
        System::reset_events();
        pallet_aura::CurrentSlot::<Test>::put(slot_of(next));
        Session::on_initialize(next);
        check_state();
    }
}

/// Goes on to the first block of a session.
pub fn go_to_session(session: u32) {
    go_to(session * SESSION);
    assert_eq!(Session::current_index(), session);
}

/// Numbers of the validators of the running session.
pub fn in_force() -> Vec<u8> {
    let mut numbers: Vec<u8> = Session::validators().iter().map(number).collect();
    numbers.sort();
    numbers
}

/// Numbers of the set.
pub fn set() -> Vec<u8> {
    Validators::<Test>::get().iter().map(number).collect()
}

fn number(account: &AccountId32) -> u8 {
    AsRef::<[u8; 32]>::as_ref(account)[0]
}

/// Approves an operator and sets its keys.
pub fn approve_with_keys(number: u8) {
    frame_support::assert_ok!(ValidatorSet::approve(council(), account(number)));
    frame_support::assert_ok!(set_keys(number));
}

/// Whether this happened in the block.
pub fn happened(event: crate::Event<Test>) -> bool {
    let event = RuntimeEvent::from(event);
    System::events().iter().any(|record| record.event == event)
}

/// A currency without any money, for the deposit that Session does not take.
mod currency {
    use frame_support::traits::{
        fungible::{hold, Dust, Inspect, Mutate, Unbalanced},
        tokens::{DepositConsequence, Fortitude, Preservation, Provenance, WithdrawConsequence},
    };
    use sp_runtime::{AccountId32, DispatchError, DispatchResult};

    pub struct Nothing;

    impl Inspect<AccountId32> for Nothing {
        type Balance = u128;

        fn total_issuance() -> u128 {
            0
        }

        fn minimum_balance() -> u128 {
            0
        }

        fn total_balance(_: &AccountId32) -> u128 {
            0
        }

        fn balance(_: &AccountId32) -> u128 {
            0
        }

        fn reducible_balance(_: &AccountId32, _: Preservation, _: Fortitude) -> u128 {
            0
        }

        fn can_deposit(_: &AccountId32, _: u128, _: Provenance) -> DepositConsequence {
            DepositConsequence::Success
        }

        fn can_withdraw(_: &AccountId32, _: u128) -> WithdrawConsequence<u128> {
            WithdrawConsequence::Success
        }
    }

    impl Unbalanced<AccountId32> for Nothing {
        fn handle_dust(_: Dust<AccountId32, Self>) {}

        fn write_balance(_: &AccountId32, _: u128) -> Result<Option<u128>, DispatchError> {
            Ok(None)
        }

        fn set_total_issuance(_: u128) {}
    }

    impl Mutate<AccountId32> for Nothing {}

    impl hold::Inspect<AccountId32> for Nothing {
        type Reason = super::RuntimeHoldReason;

        fn total_balance_on_hold(_: &AccountId32) -> u128 {
            0
        }

        fn balance_on_hold(_: &Self::Reason, _: &AccountId32) -> u128 {
            0
        }
    }

    impl hold::Unbalanced<AccountId32> for Nothing {
        fn set_balance_on_hold(_: &Self::Reason, _: &AccountId32, _: u128) -> DispatchResult {
            Ok(())
        }
    }

    impl hold::Mutate<AccountId32> for Nothing {}
}
