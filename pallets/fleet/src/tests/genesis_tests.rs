//! The founders are there from the first block, by the rules of the calls.

use sp_runtime::BuildStorage;

use super::{builders::*, *};
use crate::{
    Authorities, BareNames, Gateways, GenesisAuthority, GenesisConfig, GenesisGateway,
    GenesisOrganisation, Organisations, SigningKeys,
};

fn founders() -> GenesisConfig<Test> {
    let (gateway, authority) = (Keys::of("gw1"), Keys::of("ca"));
    GenesisConfig {
        organisations: vec![GenesisOrganisation {
            name: organisation("acme"),
            label: "Acme Valves".into(),
            quotas: QUOTAS,
            bare_names: true,
        }],
        gateways: vec![GenesisGateway {
            account: ANNE,
            organisation: organisation("acme"),
            name: "gw1".parse().unwrap(),
            statement_key: gateway.verifying(),
            custody_key: gateway.agreement,
        }],
        authorities: vec![GenesisAuthority {
            id: authority_id("acme.ca"),
            organisation: organisation("acme"),
            key: authority.verifying(),
        }],
    }
}

fn built(genesis: &GenesisConfig<Test>) -> sp_io::TestExternalities {
    let mut storage = frame_system::GenesisConfig::<Test>::default()
        .build_storage()
        .unwrap();
    genesis.assimilate_storage(&mut storage).unwrap();
    storage.into()
}

#[test]
fn the_founders_are_admitted() {
    built(&founders()).execute_with(|| {
        assert_eq!(BareNames::<Test>::get(), Some(organisation("acme")));
        assert_eq!(Organisations::<Test>::count(), 1);
        assert!(Gateways::<Test>::contains_key(&ANNE));
        assert!(Admission::is_admitted(&ANNE));
        assert!(Authorities::<Test>::contains_key(authority_id("acme.ca")));
        assert!(SigningKeys::<Test>::contains_key(
            Keys::of("gw1").verifying()
        ));
        check_state();
    });
}

#[test]
#[should_panic(expected = "UnknownOrganisation")]
fn a_gateway_of_nobody_is_refused() {
    let mut founders = founders();
    founders.gateways[0].organisation = organisation("globex");
    built(&founders);
}

#[test]
#[should_panic(expected = "longer than 64 bytes")]
fn a_label_that_does_not_fit_is_refused() {
    let mut founders = founders();
    founders.organisations[0].label = "x".repeat(65);
    built(&founders);
}

#[test]
#[should_panic(expected = "KeyUsed")]
fn a_key_stands_for_one_only() {
    let mut founders = founders();
    founders.authorities[0].key = founders.gateways[0].statement_key;
    built(&founders);
}

#[test]
fn the_file_form_is_what_people_can_read() {
    let json = serde_json::to_value(founders()).unwrap();
    assert_eq!(json["organisations"][0]["bareNames"], true);
    assert_eq!(json["gateways"][0]["name"], "gw1");
    let key = json["gateways"][0]["statementKey"].as_str().unwrap();
    assert_eq!(key, Keys::of("gw1").verifying().to_string());
}
