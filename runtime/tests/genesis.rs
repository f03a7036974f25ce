//! Genesis presets.

mod chain;

use chain::{account, build, chain, genesis_of, local};
use frame_support::assert_ok;
use keyward_runtime::{
    genesis, AccountId, Aura, BlockNumber, Governance, Grandpa, Runtime, Session, System,
    SESSION_BLOCKS,
};
use pallet_validator_set::{Minimum, SessionBlocks, Validators};
use serde_json::json;
use sp_genesis_builder::runtime_decl_for_genesis_builder::GenesisBuilder;
use sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie, Dave};

fn accounts(names: &[Sr25519Keyring]) -> Vec<AccountId> {
    let mut accounts: Vec<AccountId> = names.iter().copied().map(account).collect();
    accounts.sort();
    accounts
}

fn council() -> Vec<AccountId> {
    let mut members = pallet_collective::Members::<Runtime, pallet_collective::Instance1>::get();
    members.sort();
    members
}

#[test]
fn both_presets_are_named_and_build() {
    let names = Runtime::preset_names();
    assert_eq!(
        names,
        [genesis::DEV.into(), genesis::LOCAL.into()] as [sp_genesis_builder::PresetId; 2]
    );
    for preset in [genesis::DEV, genesis::LOCAL] {
        sp_io::TestExternalities::new_empty().execute_with(|| {
            assert_ok!(build(&genesis_of(preset)));
        });
    }
    assert_eq!(Runtime::get_preset(&Some("mainnet".into())), None);
}

/// Validators of the set, how few there may be, and blocks of a session.
fn validator_set() -> (Vec<AccountId>, u32, BlockNumber) {
    (
        Validators::<Runtime>::get().into_inner(),
        Minimum::<Runtime>::get(),
        SessionBlocks::<Runtime>::get(),
    )
}

#[test]
fn dev_is_alice_alone() {
    chain(genesis::DEV).execute_with(|| {
        assert_eq!(council(), accounts(&[Alice]));
        assert_eq!(Session::validators(), accounts(&[Alice]));
        let expected = (accounts(&[Alice]), 1, SESSION_BLOCKS);
        assert_eq!(validator_set(), expected);
        assert_eq!(pallet_aura::Authorities::<Runtime>::get().len(), 1);
        assert_eq!(Grandpa::grandpa_authorities().len(), 1);
    });
}

#[test]
fn local_has_four_validators_and_a_council_of_three() {
    local().execute_with(|| {
        assert_eq!(council(), accounts(&[Alice, Bob, Charlie]));
        let mut validators = Session::validators();
        validators.sort();
        assert_eq!(validators, accounts(&[Alice, Bob, Charlie, Dave]));
        assert_eq!(validator_set(), (validators, 2, SESSION_BLOCKS));
        assert_eq!(pallet_aura::Authorities::<Runtime>::get().len(), 4);
        assert_eq!(Grandpa::grandpa_authorities().len(), 4);
        assert_eq!(Aura::slot_duration(), keyward_runtime::SLOT_MS);
    });
}

#[test]
fn validators_and_members_are_admitted_by_one_provider_that_session_relies_on() {
    local().execute_with(|| {
        for who in [Alice, Bob, Charlie, Dave].map(account) {
            assert!(Governance::is_admitted(&who));
            assert_eq!((System::providers(&who), System::consumers(&who)), (1, 1));
        }
        assert!(!Governance::is_admitted(&account(Sr25519Keyring::Eve)));
    });
}

#[test]
fn a_genesis_with_a_field_that_nobody_knows_is_refused() {
    let mut genesis = genesis_of(genesis::DEV);
    genesis["governance"]["sudo"] = json!("Alice");
    sp_io::TestExternalities::new_empty()
        .execute_with(|| assert!(build(&genesis).unwrap_err().contains("sudo")));
}

#[test]
fn the_pallets_that_polkadot_js_looks_for_have_their_names() {
    use frame_support::traits::PalletsInfoAccess;
    let infos = keyward_runtime::AllPalletsWithSystem::infos();
    let names: Vec<_> = infos.iter().map(|pallet| pallet.name).collect();
    for name in [
        "Council",
        "TechnicalCommittee",
        "Membership",
        "TechnicalMembership",
        "Preimage",
        "Scheduler",
        "Session",
        "TxPause",
    ] {
        assert!(names.contains(&name), "{name}");
    }
    for absent in ["Balances", "TransactionPayment", "Sudo"] {
        assert!(!names.contains(&absent), "{absent}");
    }
    let fleet = infos.iter().find(|pallet| pallet.name == "Fleet");
    assert_eq!(fleet.map(|pallet| pallet.index), Some(30));
}
