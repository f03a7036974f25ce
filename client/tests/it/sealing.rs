//! Who may seal, and with which counters (MSG-7, MSG-9).

use std::collections::BTreeSet;

use keyward_client::session::{Kind, SealRefused};
use keyward_protocol::message::Message;

use crate::world::{identity, Device, World, TOPIC};

fn numbers(bytes: &[u8]) -> (u32, u32, u64) {
    let header = Message::from_wire(bytes).unwrap().header;
    (header.epoch, header.boot, header.counter)
}

#[test]
fn only_a_publisher_seals_and_only_for_its_group_s_topics() {
    let mut world = World::new();
    for (name, topic, refused) in [
        ("1112", TOPIC, SealRefused::NotPublisher),
        ("stranger", TOPIC, SealRefused::NotMember),
        ("1111", "weather", SealRefused::NotProtected),
    ] {
        let mut device = world.ready(name);
        assert_eq!(
            device.seal_as(&world, topic, b"x", Kind::Live),
            Err(refused)
        );
    }
    let mut device = world.ready("1111");
    let wild = device
        .seal_as(&world, "app/+", b"x", Kind::Live)
        .unwrap_err();
    assert_eq!(wild.name(), "Topic");
}

/// The role is the owner's word, the page the custodian's: both must say it.
#[test]
fn a_device_that_no_page_lists_does_not_seal() {
    let mut world = World::new();
    let mut device = world.device("1111");
    let state = world.device_state(&identity("1111"));
    world.group().members.remove(0);
    device.hear(&world, state);
    for packet in world.retained(&identity("1112")).split_off(1) {
        device.hear(&world, packet);
    }
    let grant = world.group().grant(&identity("1111"));
    device.hear(&world, grant);
    world.mono_ms += 600;
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::NotPublisher));
}

/// The owner's word counts as well: whom it lets read only does not seal, whatever a page says.
#[test]
fn a_device_that_its_owner_lets_read_only_does_not_seal() {
    let mut world = World::new();
    let mut device = world.ready("1111");
    let mut statement = world.device_statement(&identity("1111"));
    statement.groups[0].role = keyward_protocol::Role::Subscribe;
    statement.revision += 1;
    let topic = world.device_topic(&statement.device);
    device.hear(&world, (topic, world.gateway.sign(statement)));
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::NotPublisher));
}

/// MSG-9: the boot rises at every start and is durable before its first use, counters rise with each message.
#[test]
fn boot_and_counter_rise_and_no_pair_is_used_twice() {
    let mut world = World::new();
    let mut device = world.ready("1111");
    let mut used = BTreeSet::new();
    for boot in 1..=3 {
        for counter in 0..3 {
            let sealed = device.seal(&world, b"x").unwrap().bytes;
            assert_eq!(numbers(&sealed), (1, boot, counter));
            assert!(used.insert(numbers(&sealed)));
        }
        device = device.restart(&world);
    }
}

/// What is refused uses no counter up twice, and none is skipped.
#[test]
fn a_refused_message_has_no_counter() {
    let mut world = World::new();
    let mut device = world.ready("1111");
    let too_long = vec![0; keyward_protocol::limits::PAYLOAD + 1];
    assert_eq!(
        device.seal(&world, &too_long).unwrap_err().name(),
        "TooLong"
    );
    let sealed = device.seal(&world, b"x").unwrap().bytes;
    assert_eq!(numbers(&sealed).2, 0);
}

/// The last boot is used, and then there is none.
#[test]
fn exhausted_boots_mean_refuse() {
    let mut world = World::new();
    let mut device = world.ready("1111");
    let boot = codec::Encode::encode(&(u32::MAX - 1));
    device.values.insert("session/boot".into(), boot);
    let mut device = device.restart(&world);
    assert_eq!(
        numbers(&device.seal(&world, b"x").unwrap().bytes).1,
        u32::MAX
    );
    let mut device = device.restart(&world);
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::Exhausted));
}

/// An owner that takes a device out of a group and puts it back must not make it use a counter again.
#[test]
fn counters_go_on_when_a_group_is_left_and_joined_again() {
    let mut world = World::new();
    let mut device = world.ready("1111");
    device.seal(&world, b"x").unwrap();
    let mut statement = world.device_statement(&identity("1111"));
    statement.groups = Default::default();
    statement.revision += 1;
    device.hear(
        &world,
        (
            world.device_topic(&statement.device),
            world.gateway.sign(statement),
        ),
    );
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::NotMember));
    world.block += 2;
    world.settle(&mut device);
    assert_eq!(
        numbers(&device.seal(&world, b"y").unwrap().bytes),
        (1, 1, 1)
    );
}

#[test]
fn counters_go_on_over_epochs() {
    let mut world = World::new();
    let mut device = world.ready("1111");
    device.seal(&world, b"x").unwrap();
    world.group().rotate();
    world.settle(&mut device);
    assert_eq!(
        numbers(&device.seal(&world, b"x").unwrap().bytes),
        (2, 1, 1)
    );
}

#[test]
fn a_device_knows_when_it_has_heard_everything() {
    let mut world = World::new();
    let mut device = world.device("1111");
    assert!(!device.session.is_told() && !device.session.is_current(TOPIC));
    for packet in world.retained(&identity("1111")) {
        assert!(!device.session.is_current(TOPIC));
        device.hear(&world, packet);
        if device.session.is_current(TOPIC) {
            break;
        }
    }
    assert!(device.session.is_current(TOPIC));
    // A new connection: what is known may be old.
    device.handle(&world, keyward_client::session::Input::Connected);
    assert!(!device.session.is_told() && !device.session.is_current(TOPIC));
    world.tell(&mut device);
    assert!(device.session.is_current(TOPIC));
    is_current_again_after_a_rotation(&mut world, device);
}

fn is_current_again_after_a_rotation(world: &mut World, mut device: Device) {
    world.group().rotate();
    device.hear(world, world.groups[0].state());
    assert!(!device.session.is_current(TOPIC));
    device.hear(world, world.groups[0].grant(&identity("1111")));
    assert!(device.session.is_current(TOPIC));
}

#[test]
fn retryable_is_what_may_work_by_itself_later() {
    assert!(SealRefused::Stale.is_retryable() && SealRefused::NotReady.is_retryable());
    assert!(!SealRefused::Exhausted.is_retryable() && !SealRefused::TopicConflict.is_retryable());
}

/// MSG-15: a message that must say when it was sealed is not sealed by a device that does not know, also where the policy prefers
/// availability.
#[test]
fn a_device_that_does_not_know_the_time_seals_nothing_that_must_say_it() {
    let mut world = World::new();
    world.has_clock = false;
    world.group().policy.max_age = 60;
    world.group().policy.seal_when_stale = true;
    let mut device = world.device("1111");
    let mut packets = world.retained(&identity("1111"));
    packets.pop();
    for packet in packets {
        device.hear(&world, packet);
    }
    world.mono_ms += 600;
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::NoTime));
}
