//! The public form comes back as it was, and wrong keys in it are found.

use std::collections::BTreeMap;

use keyward_consortium::*;
use keyward_protocol::{AccountId, AgreementKey, VerifyingKey};

use crate::{lines, EXAMPLE};

/// A network with keys that are only numbers.
pub fn network() -> Network {
    let mut plan = Plan::parse(EXAMPLE).value.unwrap();
    let mut next = 0_u8;
    let mut key = || {
        next += 1;
        let mut key = [9; 32];
        key[0] = next;
        key
    };
    for member in &mut plan.council {
        member.account.get_or_insert_with(|| AccountId(key()));
    }
    let council = plan.council.clone();
    for member in &mut plan.committee {
        let same = council.iter().find(|it| it.name == member.name);
        let account = same.and_then(|it| it.account);
        let account = account.unwrap_or_else(|| AccountId(key()));
        member.account.get_or_insert(account);
    }
    let mut machines = BTreeMap::new();
    for machine in &plan.machines {
        let session = machine.validator.then(|| SessionKeys {
            account: AccountId(key()),
            aura: AuraKey(AccountId(key())),
            grandpa: VerifyingKey(key()),
        });
        let peer_id = PeerId(VerifyingKey(key()));
        machines.insert(machine.name.clone(), MachineKeys { peer_id, session });
    }
    let gateways = plan.gateways.iter().map(|gateway| {
        let keys = GatewayKeys {
            account: AccountId(key()),
            statement: VerifyingKey(key()),
            custody: AgreementKey(key()),
        };
        (gateway.name.clone(), keys)
    });
    let gateways = gateways.collect();
    let authorities = plan.authorities.iter();
    let authorities = authorities.map(|it| (it.id.clone(), VerifyingKey(key())));
    Network {
        machines,
        gateways,
        authorities: authorities.collect(),
        plan,
    }
}

#[test]
fn a_network_comes_back_from_its_file() {
    let network = network();
    let text = network.to_toml();
    assert!(is_network(&text) && !is_network(EXAMPLE));
    let checked = Network::parse(&text);
    assert_eq!(lines(&checked), Vec::<String>::new());
    assert_eq!(checked.value.unwrap(), network);
}

#[test]
fn everybody_with_a_role_is_in_the_accounts_once() {
    // 4 operators, 3 gateways, 4 in the council, of whom 2 are in the committee, and 1 more there.
    assert_eq!(network().accounts().len(), 12);
}

#[test]
fn nodes_are_found_under_their_addresses() {
    let network = network();
    let addresses = network.addresses();
    assert_eq!(addresses.len(), 6);
    assert!(addresses[0].starts_with("/dns/acme-1.valley.example/tcp/30333/p2p/12D3Koo"));
    assert!(addresses[2].starts_with("/ip4/192.0.2.17/tcp/30333/p2p/12D3Koo"));
}

fn refused(from: &str, to: &str, words: &[&str]) {
    let text = network().to_toml();
    assert!(text.contains(from), "no {from} in {text}");
    let checked = Network::parse(&text.replacen(from, to, 1));
    let told = lines(&checked).join("\n");
    assert!(checked.value.is_none(), "{told}");
    for word in words {
        assert!(told.contains(word), "no '{word}' in {told}");
    }
}

#[test]
fn a_key_that_is_wrong_missing_or_anothers_is_found() {
    let network = network();
    let (name, keys) = network.gateways.first_key_value().unwrap();
    let statement = keys.statement.to_string();
    refused(
        &statement,
        "0x12",
        &[&format!("gateways {name}: keys.statement")],
    );
    let small = "00".repeat(32);
    refused(&statement, &small, &["small order"]);
    let other = network.authorities.values().next().unwrap().to_string();
    refused(&statement, &other, &["is the key of somebody else"]);
    let session = network.machines.values().find_map(|it| it.session).unwrap();
    let aura = format!("aura = \"{}\"", session.aura.0);
    refused(&aura, "", &["a validator has account, aura and grandpa"]);
    let peer = network
        .machines
        .values()
        .next()
        .unwrap()
        .peer_id
        .to_string();
    refused(&peer, "12D3Koo", &["keys.peer_id"]);
}

#[test]
fn a_version_that_nobody_knows_is_refused() {
    refused("version = 1", "version = 2", &["version: is not 1"]);
    refused("version = 1", "", &["version: is missing"]);
}

#[test]
fn a_plan_is_no_network() {
    let told = lines(&Network::parse(EXAMPLE)).join("\n");
    assert!(
        told.contains("validators acme-1: keys: is missing"),
        "{told}"
    );
    assert!(told.contains("council rosa: account: is missing"), "{told}");
}
