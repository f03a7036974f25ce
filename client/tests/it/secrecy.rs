//! No secret in `Debug`, in values that a store does not wrap, or in what goes to the broker.

use keyward_client::session::{Change, Input, Kind, Record};

use crate::world::{identity, secret_of, World, TOPIC};

fn forms(secret: &[u8]) -> [String; 3] {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let list: Vec<String> = secret.iter().map(u8::to_string).collect();
    [hex.to_uppercase(), hex, list.join(", ")]
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

/// What the types say of themselves; a new field that shows more changes this.
#[test]
fn debug_output_is_pinned() {
    let mut world = World::new();
    let mut device = world.ready("1114");
    assert_eq!(
        format!("{:?}", device.session),
        "Session(1114, key version 1, boot 1)"
    );
    let id = world.group().id.clone();
    let secret = Change::Secret(id.clone(), 1, secret_of(&id, 1));
    assert_eq!(
        format!("{secret:?}"),
        "Secret(GroupId(valves), 1, EpochSecret(..))"
    );
    let sealed = device
        .seal_as(&world, TOPIC, b"a value", Kind::Retained)
        .unwrap();
    assert_eq!(
        format!("{:?}", sealed.changes),
        "[Retain(\"app/valve\", Some(Retained(7 bytes, epoch 1)))]"
    );
    let sealed = world.ready("1111").seal(&world, b"open").unwrap().bytes;
    let delivery = device.reads(&world, sealed);
    assert_eq!(
        format!("{delivery:?}"),
        "Delivery { topic: \"app/valve\", group: GroupId(valves), epoch: 1, sender: DeviceId(1111), time: None, bytes: 4, marks: [] }"
    );
}

#[test]
fn no_debug_output_unwrapped_value_or_packet_holds_a_secret() {
    let mut world = World::new();
    let mut device = world.device("1114");
    let mut shown = String::new();
    let mut packets = Vec::new();
    for packet in world.retained(&identity("1114")) {
        let (topic, payload) = packet;
        let input = Input::Message {
            topic,
            payload,
            retain: true,
        };
        let effects = device.session.handle(world.now(), input);
        shown += &format!("{effects:?}");
        device.store(&effects.changes);
        device.actions.extend(effects.actions);
    }
    packets.extend(device.published());
    shown += &format!("{:?} {:?}", device.session, device.session.durable());
    shown += &format!("{:?}", identity("1114"));
    let own = identity("1114");
    let group = world.group().id.clone();
    let secrets = [
        secret_of(&group, 1).expose().to_vec(),
        own.signing.expose_seed().to_vec(),
        own.agreement.expose().to_vec(),
    ];
    assert!(shown.contains("EpochSecret(..)") && !packets.is_empty());
    for secret in secrets {
        for form in forms(&secret) {
            assert!(!shown.contains(&form), "in {shown}");
        }
        for (name, value) in &device.values {
            assert!(!contains(value, &secret), "{name}");
        }
        for (topic, payload) in &packets {
            assert!(!contains(payload, &secret), "{topic}");
        }
    }
}

/// KEY-9: secrets go to a store as secrets, and are erased as such.
#[test]
fn secrets_are_records_of_their_own_kind() {
    let group: keyward_protocol::GroupId = "valves".parse().unwrap();
    let kept = Record::from(&Change::Secret(group.clone(), 7, secret_of(&group, 7)));
    assert!(matches!(kept, Record::Keep(name, _) if name == "session/secret/valves/7"));
    let erased = Record::from(&Change::Erase(group, 7));
    assert!(matches!(erased, Record::Erase(name) if name == "session/secret/valves/7"));
}

#[test]
fn a_record_that_nobody_wrote_is_damage() {
    use keyward_client::session::Durable;
    for name in [
        "session/boot",
        "session/window/a/b",
        "session/nonsense",
        "other",
    ] {
        let damaged = Durable::load([(name.to_string(), vec![1])], []).unwrap_err();
        assert_eq!(damaged.name, name);
    }
}
