//! A network.toml becomes a first block that says what it says, and holds nothing secret.
//!
//! Where the wasm is needed, a program built without it says so.

use std::collections::BTreeMap;

use codec::{Decode, Encode};
use keyward_consortium::{
    AuraKey, GatewayKeys, MachineKeys, Network, PeerId, Plan, SessionKeys as Keys,
};
use keyward_protocol::{AccountId as Raw, AgreementKey, VerifyingKey};
use keyward_runtime::{AccountId, WASM_BINARY};
use serde_json::Value;
use sp_core::Pair;
use sp_crypto_hashing::twox_128;

use crate::{load, network};

/// The secret that a name stands for; its public keys are real ones.
fn seed(name: &str) -> [u8; 32] {
    sp_crypto_hashing::blake2_256(name.as_bytes())
}

fn sr25519(name: &str) -> Raw {
    Raw(sp_core::sr25519::Pair::from_seed(&seed(name)).public().0)
}

fn ed25519(name: &str) -> VerifyingKey {
    VerifyingKey(sp_core::ed25519::Pair::from_seed(&seed(name)).public().0)
}

/// The four-organisation example, with keys that are derived from names.
fn example() -> Network {
    let text = include_str!("../../consortium/examples/consortium.toml");
    let mut plan = Plan::parse(text).value.unwrap();
    let Plan {
        council, committee, ..
    } = &mut plan;
    for member in council.iter_mut().chain(committee) {
        let person = format!("{}/{}", member.organisation, member.name);
        member.account.get_or_insert_with(|| sr25519(&person));
    }
    let machines = plan.machines.iter().map(|it| {
        let keys = MachineKeys {
            peer_id: PeerId(ed25519(&format!("node {}", it.name))),
            session: it.validator.then(|| Keys {
                account: sr25519(&format!("operator {}", it.name)),
                aura: AuraKey(sr25519(&format!("aura {}", it.name))),
                grandpa: ed25519(&format!("grandpa {}", it.name)),
            }),
        };
        (it.name.clone(), keys)
    });
    let gateways = plan.gateways.iter().enumerate().map(|(n, it)| {
        let keys = GatewayKeys {
            account: sr25519(&format!("gateway {}", it.name)),
            statement: ed25519(&format!("statement {}", it.name)),
            custody: AgreementKey([n as u8 + 9; 32]),
        };
        (it.name.clone(), keys)
    });
    let authorities = plan.authorities.iter().map(|it| {
        let key = ed25519(&format!("authority {}", it.id));
        (it.id.clone(), key)
    });
    Network {
        machines: machines.collect(),
        gateways: gateways.collect(),
        authorities: authorities.collect(),
        plan,
    }
}

/// The network's file, and where it is.
fn file(network: &Network) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("network.toml");
    std::fs::write(&path, network.to_toml()).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

fn refusal(path: &str) -> String {
    load(path).err().expect("this network cannot be loaded")
}

#[test]
fn the_patch_names_everybody_once_and_where_they_belong() {
    let network = example();
    let patch = network::genesis(&network).unwrap();
    let count = |path: &str| patch.pointer(path).unwrap().as_array().unwrap().len();
    assert_eq!(count("/governance/admitted"), 12);
    assert_eq!(
        (count("/validatorSet/validators"), count("/session/keys")),
        (4, 4)
    );
    assert_eq!(
        (
            count("/membership/members"),
            count("/technicalMembership/members")
        ),
        (4, 3)
    );
    assert_eq!(
        (
            count("/fleet/organisations"),
            count("/fleet/gateways"),
            count("/fleet/authorities")
        ),
        (4, 3, 3)
    );
    assert_eq!(patch["validatorSet"]["minimum"], 3);
    assert_eq!(patch["validatorSet"]["sessionBlocks"], 1_800);
    assert_eq!(
        patch["fleet"]["organisations"][2]["quotas"]["devices"],
        2_000
    );
    let gateway = &patch["fleet"]["gateways"][0];
    assert_eq!(gateway["name"], "acme.gw1");
    assert_eq!(
        gateway["statementKey"],
        ed25519("statement acme.gw1").to_string()
    );
}

#[test]
fn session_keys_are_the_validators_own() {
    let network = example();
    let patch = network::genesis(&network).unwrap();
    let (account, _, keys): (AccountId, AccountId, keyward_runtime::SessionKeys) =
        serde_json::from_value(patch["session"]["keys"][1].clone()).unwrap();
    assert_eq!(account.encode(), sr25519("operator hydro-1").0);
    let expected = [sr25519("aura hydro-1").0, ed25519("grandpa hydro-1").0].concat();
    assert_eq!(keys.encode(), expected);
}

#[test]
fn a_file_that_is_not_right_is_refused_with_all_its_errors() {
    let network = example();
    let key = ed25519("statement acme.gw1").to_string();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("network.toml");
    let text = network.to_toml();
    let text = text
        .replace(&key, "0x12")
        .replace("session_blocks = 1800", "session_blocks = 1");
    std::fs::write(&path, text).unwrap();
    let refused = network::read(path.to_str().unwrap()).unwrap_err();
    for word in [
        "network.toml is not right",
        "gateways acme.gw1: keys.statement",
        "session_blocks",
    ] {
        assert!(refused.contains(word), "{refused}");
    }
    let plan = include_str!("../../consortium/examples/consortium.toml");
    std::fs::write(&path, plan).unwrap();
    let refused = network::read(path.to_str().unwrap()).unwrap_err();
    assert!(refused.contains("keyward network new"), "{refused}");
    assert!(refusal("no/such/network.toml").contains(match WASM_BINARY {
        Some(_) => "no/such/network.toml",
        None => "SKIP_WASM_BUILD",
    }));
}

/// The storage of the first block, by running the wasm.
fn storage(network: &Network) -> Option<(Value, BTreeMap<String, String>)> {
    let (_directory, path) = file(network);
    if WASM_BINARY.is_none() {
        assert!(refusal(&path).contains("SKIP_WASM_BUILD"));
        return None;
    }
    let spec = load(&path).unwrap();
    let raw: Value = serde_json::from_str(&spec.as_json(true).unwrap()).unwrap();
    let top = serde_json::from_value(raw["genesis"]["raw"]["top"].clone()).unwrap();
    Some((raw, top))
}

/// Hexadecimal digits, as specifications have them.
fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn prefix(pallet: &str, item: &str) -> String {
    format!(
        "0x{}{}",
        digits(&twox_128(pallet.as_bytes())),
        digits(&twox_128(item.as_bytes()))
    )
}

fn value<T: Decode>(top: &BTreeMap<String, String>, pallet: &str, item: &str) -> T {
    let hex = &top[&prefix(pallet, item)];
    let bytes: Vec<u8> = hex.as_bytes()[2..]
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    T::decode(&mut &bytes[..]).unwrap()
}

fn entries(top: &BTreeMap<String, String>, pallet: &str, item: &str) -> usize {
    let prefix = prefix(pallet, item);
    top.keys().filter(|key| key.starts_with(&prefix)).count()
}

fn sorted(mut accounts: Vec<Raw>) -> Vec<[u8; 32]> {
    accounts.sort();
    accounts.into_iter().map(|it| it.0).collect()
}

#[test]
fn the_first_block_says_what_the_file_says() {
    let network = example();
    let Some((raw, top)) = storage(&network) else {
        return;
    };
    assert_eq!(
        (raw["id"].as_str(), raw["chainType"].as_str()),
        (Some("valley-water"), Some("Live"))
    );
    assert_eq!(raw["protocolId"], "valley-water");
    assert_eq!(raw["bootNodes"].as_array().unwrap().len(), 6);
    assert_eq!(raw["properties"]["tokenSymbol"], "none");
    let members = |members: &[keyward_consortium::Member]| {
        sorted(members.iter().map(|it| it.account.unwrap()).collect())
    };
    let council: Vec<[u8; 32]> = value(&top, "Membership", "Members");
    assert_eq!(council, members(&network.plan.council));
    let committee: Vec<[u8; 32]> = value(&top, "TechnicalMembership", "Members");
    assert_eq!(committee, members(&network.plan.committee));
    let operators = network.machines.values().filter_map(|it| it.session);
    let operators = sorted(operators.map(|it| it.account).collect());
    let validators: Vec<[u8; 32]> = value(&top, "ValidatorSet", "Validators");
    assert_eq!(validators, operators);
    assert_eq!(value::<u32>(&top, "ValidatorSet", "Minimum"), 3);
    assert_eq!(value::<u32>(&top, "ValidatorSet", "SessionBlocks"), 1_800);
    assert_eq!(value::<Vec<[u8; 32]>>(&top, "Aura", "Authorities").len(), 4);
    assert_eq!(
        value::<Vec<([u8; 32], u64)>>(&top, "Grandpa", "Authorities").len(),
        4
    );
    assert_eq!(entries(&top, "System", "Account"), network.accounts().len());
    assert_eq!(entries(&top, "Fleet", "Gateways"), 3);
    assert_eq!(entries(&top, "Fleet", "Authorities"), 3);
}

#[test]
fn the_same_file_gives_the_same_first_block() {
    let network = example();
    assert_eq!(storage(&network), storage(&network));
}

/// The secrets of every key that the network names.
#[test]
fn no_secret_is_in_a_specification() {
    let network = example();
    let mut text = network.to_toml();
    text += &network::genesis(&network).unwrap().to_string();
    if let Some((raw, _)) = storage(&network) {
        text += &raw.to_string();
    }
    let machines = network.plan.machines.iter().flat_map(|it| {
        ["node", "operator", "aura", "grandpa"].map(|kind| format!("{kind} {}", it.name))
    });
    let gateways = network.plan.gateways.iter();
    let gateways =
        gateways.flat_map(|it| ["gateway", "statement"].map(|kind| format!("{kind} {}", it.name)));
    let text = text.to_lowercase();
    for name in machines.chain(gateways) {
        assert!(!text.contains(&digits(&seed(&name))), "{name}");
    }
}
