//! `keyward network check`: what was made is right, and every change is found.

use crate::desk::{Desk, EXAMPLE, LOCAL};

#[test]
fn what_was_made_is_right_and_every_change_is_found() {
    let desk = Desk::new();
    let Some(ran) = desk.network(LOCAL) else {
        return;
    };
    ran.ends(0, &[]);
    desk.check(&["net"])
        .ends(0, &["1 warning(s)", "session for tests"]);
    desk.check(&["net/network.toml"]).ends(0, &["network.toml"]);
    let json = desk.check(&["--json", "net"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&json["errors"], &json["warnings"]), (&0.into(), &1.into()));
    for break_it in [
        loose_key,
        loose_directory,
        lost_key,
        swapped_keys,
        foreign_member,
        foreign_session_key,
        changed_copy,
        changed_plan,
        lost_configuration,
    ] {
        let desk = desk.copy();
        let words = break_it(&desk);
        desk.check_files().ends(1, words);
    }
    let desk = desk.copy();
    let words = changed_specification(&desk);
    desk.check(&["net"]).ends(1, words);
}

type Words = &'static [&'static str];

fn loose_key(desk: &Desk) -> Words {
    desk.chmod("net/machines/acme-1/bridge/keys/store.key", 0o440);
    &[
        "machines/acme-1/bridge/keys/store.key: has mode 0440",
        "chmod 0400",
    ]
}

fn loose_directory(desk: &Desk) -> Words {
    desk.chmod("net/machines/metro-1/node/keystore", 0o755);
    &[
        "machines/metro-1/node/keystore: has mode 0755",
        "chmod 0700",
    ]
}

fn lost_key(desk: &Desk) -> Words {
    std::fs::remove_file(desk.path("net/machines/roads-1/node/node.key")).unwrap();
    std::fs::remove_file(desk.path("net/organisations/roads/council/rosa.key")).unwrap();
    &[
        "roads-1/node/node.key: is missing",
        "council/rosa.key: is missing",
    ]
}

fn swapped_keys(desk: &Desk) -> Words {
    desk.swap(
        "net/machines/acme-1/bridge/keys/account.key",
        "net/machines/hydro-1/bridge/keys/account.key",
    );
    &[
        "acme-1/bridge/keys/account.key: is not the key",
        "hydro-1/bridge/keys/account.key: is not",
    ]
}

fn foreign_member(desk: &Desk) -> Words {
    desk.swap(
        "net/organisations/acme/council/anna.key",
        "net/machines/acme-1/node/operator.key",
    );
    &[
        "council/anna.key: is not the key",
        "operator.key: is not the key",
    ]
}

fn foreign_session_key(desk: &Desk) -> Words {
    let directory = "net/machines/hydro-1/node/keystore";
    let keys = std::fs::read_dir(desk.path(directory)).unwrap();
    let keys: Vec<_> = keys
        .map(|it| format!("{directory}/{}", it.unwrap().file_name().to_str().unwrap()))
        .collect();
    desk.swap(&keys[0], &keys[1]);
    &[
        "hydro-1/node/keystore/6175726",
        "hydro-1/node/keystore/6772616",
    ]
}

fn changed_specification(desk: &Desk) -> Words {
    let text = desk.read("net/chain-raw.json");
    let at = text.find("\"top\"").unwrap();
    let value = text[at..].find("\": \"0x").unwrap() + at + 7;
    let digit = if &text[value..=value] == "0" {
        "1"
    } else {
        "0"
    };
    let mut changed = text.clone();
    changed.replace_range(value..=value, digit);
    desk.write("net/chain-raw.json", &changed);
    &[
        "chain-raw.json: is not what keyward-node makes",
        "on another chain",
    ]
}

fn changed_copy(desk: &Desk) -> Words {
    let name = "net/machines/metro-1/node/chain-raw.json";
    let text = desk.read(name).replace("30401", "30499");
    desk.write(name, &text);
    &["metro-1/node/chain-raw.json: is not the network's chain-raw.json"]
}

fn changed_plan(desk: &Desk) -> Words {
    let text = desk
        .read("net/consortium.toml")
        .replace("session_blocks = 10", "session_blocks = 20");
    desk.write("net/consortium.toml", &text);
    &["consortium.toml: does not say what network.toml says"]
}

fn lost_configuration(desk: &Desk) -> Words {
    std::fs::remove_file(desk.path("net/machines/acme-1/mosquitto/keyward.acl")).unwrap();
    &["acme-1/mosquitto/keyward.acl: is missing"]
}

#[test]
fn a_file_is_checked_without_any_other_program() {
    let desk = Desk::new();
    desk.write("good.toml", EXAMPLE);
    desk.keyward(&["network", "check", "good.toml"])
        .ends(0, &["is right"]);
    desk.write("bad.toml", &EXAMPLE.replace("metro-2\"", "metro-1\""));
    desk.keyward(&["network", "check", "bad.toml"])
        .ends(1, &["machines metro-1", "error(s)"]);
    let ran = desk.keyward(&["--json", "network", "check", "bad.toml"]);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["findings"][0]["severity"], "error");
    desk.keyward(&["network", "check", "nowhere.toml"])
        .ends(1, &["cannot read nowhere.toml"]);
    let secret = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
    desk.write(
        "secret.toml",
        &EXAMPLE.replace(
            "name = \"rosa\"",
            &format!("name = \"rosa\"\naccount = \"{secret}\""),
        ),
    );
    let ran = desk.keyward(&["network", "check", "secret.toml"]);
    ran.ends(1, &["nothing secret belongs into this file"]);
    assert!(!ran.stdout.contains("obey") && !ran.stderr.contains("obey"));
}
