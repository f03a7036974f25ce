//! Writes the first inputs of every corpus: from `protocol/vectors`, and courses of events for the state machines.
//!
//! `cargo run --package keyward-fuzz --example seed_corpus` writes `seed-*` files into `fuzz/corpus`; what a fuzzer found
//! stays.

use std::path::{Path, PathBuf};

use codec::Encode;
use keyward_bridge_testing::{chain::Chain, devices};
use keyward_client::session::Settings;
use keyward_fuzz::{
    relay::Op as RelayOp,
    session::{device::Device, world::World, Op},
    TARGETS,
};
use serde_json::Value;

fn crate_directory() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn vectors(file: &str) -> Value {
    let path = crate_directory().join("../protocol/vectors").join(file);
    let text = std::fs::read_to_string(path).expect("vectors");
    serde_json::from_str(&text).expect("JSON")
}

fn cases(file: &str) -> Vec<Value> {
    let cases = vectors(file);
    cases["cases"].as_array().expect("cases").clone()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().expect("text")).expect("hexadecimal")
}

fn write(target: &str, name: &str, input: &[u8]) {
    assert!(
        TARGETS.iter().any(|(known, _)| *known == target),
        "{target}"
    );
    let directory: PathBuf = crate_directory().join("corpus").join(target);
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(directory.join(format!("seed-{name}")), input).expect("a file");
}

/// Signed messages and pages.
fn messages() {
    for (number, case) in cases("signed.json").iter().enumerate() {
        let target = match case["type"].as_str().expect("a type") {
            "Voucher" => "voucher",
            "DeviceStatement" => "device_statement",
            "GroupStatement" => "group_statement",
            "PublisherPage" => "publisher_page",
            "Beacon" => "beacon",
            "AnchorCertificate" => "anchor_certificate",
            "Request" => "request",
            "Response" => "response",
            "Receipt" => "receipt",
            _ => continue,
        };
        write(target, &format!("vector-{number}"), &bytes(&case["wire"]));
        if let (Some(_), Some(_)) = (case.get("signer"), case.get("signature")) {
            let signed = [
                vec![0],
                bytes(&case["signer"]["public"]),
                bytes(&case["signature"]),
                bytes(&case["payload"]),
            ];
            write("signature", &format!("vector-{number}"), &signed.concat());
        }
    }
    write(
        "signature",
        "harmed",
        &[&[1; 33], &[4, 0, 3, 0, 1][..], b"payload"].concat(),
    );
    write(
        "signature",
        "plus-order",
        &[&[3; 33], &[0][..], b"payload"].concat(),
    );
}

fn sealed() {
    for (number, case) in cases("grants.json").iter().enumerate() {
        let name = format!("vector-{number}");
        let plain = bytes(&case["plaintext"]);
        write("grant", &name, &plain);
        write(
            "sealed_grant",
            &name,
            &[vec![0], bytes(&case["sealed"])].concat(),
        );
        write(
            "sealed_grant",
            &format!("plain-{number}"),
            &[vec![1], plain].concat(),
        );
    }
    for (number, case) in cases("messages.json").iter().enumerate() {
        let name = format!("vector-{number}");
        let wire = bytes(&case["wire"]);
        write("message_header", &name, &wire);
        let is = |key: &str| u8::from(case[key] == Value::Bool(true));
        let policy = is("signed") | is("timed") << 1;
        write(
            "protected_message",
            &name,
            &[vec![policy, 0], wire].concat(),
        );
    }
    for policy in 4..8u8 {
        let head = [policy, 0, 1, 2, 3, 0, 9, 0, 0, 0, 0, 0, 0, 0];
        let time: &[u8] = if policy & 2 == 2 { &[1, 2, 3, 4] } else { &[] };
        let whole = [&head[..], time, &[0, 0], b"payload"].concat();
        write("protected_message", &format!("sealed-{policy}"), &whole);
        let harmed = [&head[..], time, &[1, 4, 0, 20, 0, 1], b"payload"].concat();
        write("protected_message", &format!("harmed-{policy}"), &harmed);
    }
    let secret = [7; 32];
    let place = b"\x05place";
    let whole = [&[1][..], place, &[4, 2, 60, 0, 0], &secret].concat();
    write("wrapped_secret", "whole", &whole);
    write(
        "wrapped_secret",
        "harmed",
        &[&[1][..], place, &[4, 0, 9, 0, 3], &secret].concat(),
    );
    write(
        "wrapped_secret",
        "stored",
        &[&[0][..], place, &[7; 60]].concat(),
    );
}

fn names() {
    let names = vectors("names.json");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for (number, case) in cases("names.json").iter().enumerate() {
        write(
            "identifier",
            &format!("vector-{number}"),
            text(&case["id"]).as_bytes(),
        );
    }
    for (number, case) in names["filters"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let topic = case["matches"].get(0).map(text).unwrap_or_default();
        let lines = [topic, text(&case["filter"])].join("\n");
        write(
            "topic_filter",
            &format!("vector-{number}"),
            lines.as_bytes(),
        );
    }
    for (number, case) in names["decisions"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let filters = case["filters"].as_array().into_iter().flatten().map(text);
        let lines = [text(&case["topic"])].into_iter().chain(filters);
        let lines = Vec::from_iter(lines).join("\n");
        write(
            "topic_filter",
            &format!("decision-{number}"),
            lines.as_bytes(),
        );
    }
    for (number, topic) in names["control"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        write(
            "control_topic",
            &format!("vector-{number}"),
            text(topic).as_bytes(),
        );
    }
    write(
        "control_topic",
        "prefix",
        b"site/a\nsite/a/gateway/gw1/anchor",
    );
}

fn files() {
    let key = "ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1";
    let request = serde_json::json!({
        "device": "1111", "key_version": 1, "signing_key": key, "agreement_key": key,
    });
    let gateway = serde_json::json!({
        "account": key, "name": "gw1", "statement_key": key, "anchor_serial": 41,
    });
    let provisioning = serde_json::json!({
        "device": "1111", "genesis": key, "authority_key": key, "gateway": gateway,
        "voucher": "01", "protected_topics": ["app/#"],
    });
    write("provisioning", "request", request.to_string().as_bytes());
    write(
        "provisioning",
        "provisioning",
        provisioning.to_string().as_bytes(),
    );
    write(
        "policy",
        "default",
        &keyward_protocol::policy::Policy::default().encode(),
    );
}

/// What a node answers of a chain with a group.
fn views() {
    let mut chain = Chain::default();
    chain.found_group();
    chain.seal(0);
    let fleet = chain.finalized.fleet();
    let group = fleet.groups.values().next().expect("a group");
    let view = |which: u8, name: &str, encoded: Vec<u8>| {
        write("chain_view", name, &[vec![which], encoded].concat());
    };
    view(0, "group", group.view.encode());
    view(
        2,
        "member",
        group.members.values().next().expect("a member").encode(),
    );
    view(6, "exchange", group.view.exchanges[0].1.encode());
    view(
        1,
        "device",
        fleet.devices.values().next().expect("a device").encode(),
    );
    view(
        3,
        "gateway",
        fleet.gateways.values().next().expect("a gateway").encode(),
    );
    view(
        4,
        "authority",
        fleet.authorities.values().next().expect("one").encode(),
    );
    let id = devices::group(0);
    let device = devices::device(0);
    let role = keyward_protocol::Role::Both;
    view(5, "invitation", (&id, &device, role).encode());
    view(7, "conflict", (3u32, &device, [7u8; 32], 9u32).encode());
    view(
        8,
        "custody",
        (&id, 3u64, 2u32, group.view.state, 4u32).encode(),
    );
    view(9, "permissions", (true, None::<bool>, vec![id]).encode());
}

/// What a device has in its store after everything was told.
fn stored() {
    use keyward_client::session::{Input, Record};
    use keyward_fuzz::session::{device::Time, world};
    let mut world = World::new();
    let time = Time {
        mono_ms: 0,
        wall_ms: Some(world.time_ms()),
    };
    let identity = world::identity(world::DEVICE, 1);
    let (mut device, effects) =
        Device::new(identity, Settings::default(), world.provisioned(), time);
    let mut changes = effects.changes;
    let statement = world.statement(&world.groups[0], 0);
    for packet in [
        world.say_device(),
        world.say_page(0, 0),
        world.say_statement(0, statement),
        world.say_grant(0, 0, &[1], false),
        world.say_beacon(0, 0, 0),
    ] {
        let input = Input::Message {
            topic: packet.topic,
            payload: packet.payload,
            retain: true,
        };
        changes.extend(device.handle(time, input).changes);
    }
    let mut all = Vec::new();
    for (number, change) in changes.iter().enumerate() {
        let (is_secret, name, value) = match Record::from(change) {
            Record::Put(name, value) => (0, name, value),
            Record::Keep(name, secret) => (1, name, secret.to_vec()),
            Record::Delete(_) | Record::Erase(_) => continue,
        };
        // A length is one byte here.
        if value.len() > 255 {
            continue;
        }
        let head = [&[is_secret, name.len() as u8][..], name.as_bytes()].concat();
        let record = [&head[..], &[value.len() as u8], &value].concat();
        write("stored_state", &format!("record-{number}"), &record);
        all.extend(record);
    }
    write("stored_state", "all", &all);
}

/// A course of events as text: names of events, and numbers for the bytes that follow them.
fn course<T: Copy + core::fmt::Debug>(events: &[T], text: &str) -> Vec<u8> {
    let byte = |word: &str| {
        let event = events.iter().position(|event| format!("{event:?}") == word);
        let number = match word.strip_prefix("0x") {
            Some(digits) => u8::from_str_radix(digits, 16).ok(),
            None => word.parse().ok(),
        };
        let event = event.map(|at| at as u8);
        event
            .or(number)
            .unwrap_or_else(|| panic!("{word} is no event and no byte"))
    };
    text.split_whitespace().map(byte).collect()
}

/// Courses of a device that knows everything and may seal.
const SESSIONS: &[(&str, &str)] = &[
    ("seal", "Seal 0 0 Seal 1 0 Seal 2 2 Seal 1 2 Tick 2 Seal 0 0"),
    ("read", "Say 0 0 0 Say 0x14 4 1 Say 0x21 0 2 Say 1 0 2"),
    ("replay", "Say 0 0 0 Replay 0 0 Replay 0 1 Say 0x10 0 0 Replay 0 1"),
    ("harm", "Say 0 0 0 Harm 0 0 0 30 0 1 Move 0 0 Move 0 6"),
    ("clone", "Say 0 0x20 0 Say 0 0x20 0 Say 0x0c 0 0 Seal 0 0 Say 0x0c 0x1c 0 Seal 0 0"),
    ("boots", "Say 0 4 0 Say 0 8 0 Say 0 12 0 Say 0 16 0 Say 0 20 0 Say 0 4 0"),
    ("window", "Say 0 0x80 0 Say 0 0x60 0 Say 0 0x40 0 Say 0 0xa0 0 Say 0 0x60 0"),
    ("rotate", "Chain 56 TellAll Say 0 1 0 Say 0 0 0 Tick 5 Say 0 1 0 Seal 0 0 Tick 2 Seal 0 0"),
    ("park", "Chain 56 Say 0 0 0 Say 0 0 1 Flood 0 255 Flood 0 20 TellAll Say 0 3 0 Tick 6"),
    ("frozen", "Chain 120 Tell 2 Seal 0 0 Chain 96 TellAll Seal 0 0"),
    ("awaiting", "Chain 80 TellAll Seal 0 0 Say 0 1 0 Chain 96 TellAll Tick 2 Seal 0 0"),
    ("awaiting-on", "Chain 160 0x05 Chain 80 TellAll Seal 0 0 Say 0 1 0 Tick 2 Chain 96 TellAll Tick 2 Seal 0 0"),
    ("closed", "Chain 136 TellAll Say 0 0 0 Seal 0 0 Tell 3"),
    ("removed", "Chain 38 TellAll Say 0 0 0 Seal 0 0 Chain 6 TellAll Tick 2 Say 0 0 0 Seal 0 0"),
    ("peer-removed", "Chain 32 TellAll Say 0 0 0 Say 0 1 0 Say 4 0 0"),
    ("stale", "Tick 6 Seal 0 0 Tell 4 Seal 0 0 Chain 160 9 TellAll Tick 6 Seal 0 0"),
    (
        "policy",
        "Chain 160 0x12 TellAll Say 0 0 0 Say 0x80 0 0 Say 0x40 0 0 Chain 160 0x15 Tell 2 Say 0 0 0 Tick 7 Tick 7",
    ),
    ("history", "Chain 160 0x01 Chain 56 TellAll Chain 56 TellAll Chain 56 TellAll Tick 7 Tick 7 Say 0 2 0"),
    ("restart", "Say 0 0 0 Restart 0 Replay 0 0 Seal 0 0 Say 0 0 0 Restart 0 Seal 0 0"),
    ("die", "Die 1 Say 0 0 0 Replay 0 0 Die 0 Say 0 0 0 Replay 0 0 Die 3 TellAll"),
    (
        "lies",
        "Lie 0 Lie 0x10 Lie 0x14 Lie 0x28 Lie 0x34 Say 0 0 0 TellAll Seal 0 0 Lie 0x0c Lie 0x1c Seal 0 0",
    ),
    (
        "keys",
        "Tell 10 Tell 0 Tell 11 Tell 9 TellAll Chain 144 TellAll Restart 1 TellAll Tick 2 Seal 0 0 Say 0 0 0",
    ),
    ("grants", "Chain 56 Tell 3 Tell 7 Tell 6 Tell 2 Tell 8 Tick 6 Tell 5"),
    (
        "requests",
        "Ask 0 Answer 0 Ask 2 Answer 1 Answer 2 Ask 3 Answer 4 Tick 3 Answer 8 Restart 0 Connection 0 Answer 0",
    ),
    ("receipts", "Answer 0 Answer 8 Tick 3 Restart 0 Connection 0 Tick 2"),
    ("release", "Release 3 Raw 0 11 3 1 2 3 Release 0 Raw 0 1 2 1 2 Raw 0 13 1 9"),
    ("values", "Seal 1 0 Seal 4 1 Chain 56 TellAll Tick 2 Tick 3 Restart 0 Connection 0"),
];

fn sessions() {
    for (name, text) in SESSIONS {
        let whole = format!("0 Connection 0 TellAll Tick 2 {text}");
        write("session", name, &course(&Op::ALL, &whole));
    }
    let text = "7 Connection 0 TellAll Answer 0 Tick 2 Say 1 0 2 Seal 0 0 Tick 6 Seal 0 0";
    write("session", "without-clock", &course(&Op::ALL, text));
}

/// Courses of a bridge with a group that works.
const RELAYS: &[(&str, &str)] = &[
    ("quiet", ""),
    ("members", "Ask 2 Round Round Call 36 Round Call 72 Round Call 186 Round Call 202 Round Call 218 Round"),
    ("groups", "Call 1 Round Call 33 Round Call 128 Round Call 136 Call 161 Round"),
    (
        "steps",
        "Call 104 Seal 2 Look Receive 3 Hear 3 End Lose 1 Tick 1 Seal 3 Look Lose 2 Seal 0",
    ),
    ("deaths", "Kill 73 Call 104 Round Kill 66 Round Kill 0 Round Kill 145 Look"),
    ("journal", "LoseJournal Round Round Call 104 LoseJournal Kill 70 Round"),
    (
        "requests",
        "Ask 2 Ask 3 Round Ask 12 Ask 24 Ask 0x4d Round Forge 0 0 Forge 8 1 Forge 0x10 0 0 9 0 1 Raw 4 3 1 2 3 Round Ask 9 Round",
    ),
    (
        "forged",
        "Ask 24 Round Ask 24 Round Forge 0 1 Round Forge 0x10 0 0 74 0 1 Round Forge 0x10 0 0 100 0 1 Round Ask 12 Forge 0x10 0 0 74 0 1 Round",
    ),
    ("busy", "Call 232 Round Ask 0x4c Round Ask 0x48 Ask 0x58 Round Call 224 Round"),
    (
        "receipts",
        "Acknowledge 0x20 Acknowledge 0x21 Round Acknowledge 0 Round Forge 0 0 Call 104 Round Acknowledge 0x28 Forge 0x14 0 0 100 0 1 Round",
    ),
    (
        "strangers",
        "Write 0 1 Write 1 2 Write 2 3 Write 3 1 Write 0x24 4 Write 5 0 Write 6 0 Write 7 2 0 9 0 1 Round Reconcile Round",
    ),
    ("whispers", "Write 1 2 Round Write 1 2 Write 2 2 Round Write 1 4 Round Write 1 4 Write 2 4 Round"),
    ("broker", "Connection 129 Connection 0 Connection 250 Round Write 0 3 Connection 128 Round"),
    ("gateway", "Call 224 Round Ask 12 Round Call 232 Round Call 224"),
    (
        "custodians",
        "Custody 0 Round Custody 128 Custody 128 Round Call 104 Round Call 104 Round Call 104 Round Call 104 Round Call 104 Round Acknowledge 0x20 Call 104 Round Call 104 Round",
    ),
    (
        "handed-over",
        "Custody 56 Custody 128 Round Round Call 74 Round Custody 88 Round Round Custody 0 Custody 128 Round Custody 88 Round",
    ),
    (
        "handed-back",
        "Custody 56 Seal 0 Look Custody 88 Seal 0 Look Custody 56 Seal 0 Look Custody 88 Seal 0 Seal 3 Look Round",
    ),
    ("administered", "Custody 184 Round LoseJournal Round Round Round Round Round Custody 0 Call 104 Custody 128 LoseJournal Round"),
    (
        "transferred",
        "Custody 216 Round Acknowledge 0x20 Call 104 Round Custody 240 Round Custody 218 Custody 242 Round",
    ),
    ("restored", "Backup Call 104 Round Call 104 Round Restore Round Round"),
    ("restored-same", "Backup Call 186 Round Round Call 202 Restore Round"),
    ("restored-late", "Backup Call 104 Seal 0 Look Restore Seal 3 Look Round Acknowledge 0x20 Restore Round"),
    (
        "restored-twice",
        "Backup Call 104 Round Restore Kill 66 Round Backup Custody 0 Custody 128 Round Restore Custody 184 Call 104 Round Restore Round",
    ),
    ("mute", "Mute 0 Call 104 Round Round Tick 3 Tick 3 Tick 1 Connection 129 Round Round Mute 128 Round"),
    ("mute-strangers", "Mute 0 Write 1 2 Round Write 1 2 Round Tick 0 Tick 0 Tick 2 Write 0 3 Round Mute 128 Round"),
    (
        "insist",
        "Write 1 2 Hear 5 Receive 5 Hear 5 Tick 0 Receive 5 Hear 5 Write 1 2 Hear 5 Tick 0 Receive 5 Hear 5 Write 1 2 Hear 5 Tick 0 Receive 5 Hear 5 Tick 1 Receive 5 Hear 5",
    ),
    ("dead", "Mute 255 Call 104 Round Tick 3 Round Connection 130 Round Mute 192 Call 72 Round Tick 3 Mute 128 Round"),
];

fn relays() {
    for (name, text) in RELAYS {
        let whole = format!("Round Round Round Round {text}");
        write("relay", name, &course(&RelayOp::ALL, &whole));
    }
}

fn main() {
    messages();
    sealed();
    names();
    files();
    views();
    stored();
    sessions();
    relays();
}
