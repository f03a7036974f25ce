//! A will is sealed for each connection, and accepted once per boot (MSG-17).

use keyward_client::session::{Kind, Mark, Refusal, SealRefused};
use keyward_protocol::message::{Message, Stream};

use crate::world::{identity, Device, Forged, World, TOPIC};

fn will(world: &World, sender: &mut Device) -> Vec<u8> {
    let sealed = sender.seal_as(world, TOPIC, b"gone", Kind::Will);
    sealed.unwrap().bytes
}

fn boot(bytes: &[u8]) -> u32 {
    Message::from_wire(bytes).unwrap().header.boot
}

/// A device that loses its connection twice is missed twice: each connection's will has a boot of its own.
#[test]
fn the_will_of_each_connection_is_accepted_once() {
    let mut world = World::new();
    let mut sender = world.ready("1111");
    let mut reader = world.ready("1112");
    for connection in 1..=3 {
        let sealed = will(&world, &mut sender);
        assert_eq!(boot(&sealed), connection);
        assert_eq!(reader.reads(&world, sealed.clone()).marks, [Mark::Will]);
        assert_eq!(reader.refuses(&world, sealed), Refusal::Replayed);
    }
    // Its messages go on where they were, and the next start is beyond all of them (MSG-9).
    let live = sender.seal(&world, b"x").unwrap().bytes;
    assert_eq!(boot(&live), 1);
    let mut sender = sender.restart(&world);
    assert_eq!(boot(&sender.seal(&world, b"x").unwrap().bytes), 4);
}

/// MSG-9: the boot of a will is durable before its first use.
#[test]
fn a_boot_that_is_taken_for_a_will_is_a_change() {
    let mut world = World::new();
    let mut sender = world.ready("1111");
    let first = sender
        .session
        .seal(world.now(), TOPIC, b"gone", Kind::Will)
        .unwrap();
    assert_eq!(first.changes.len(), 0, "the start's own boot is durable");
    let second = sender
        .session
        .seal(world.now(), TOPIC, b"gone", Kind::Will)
        .unwrap();
    assert_eq!(format!("{:?}", second.changes), "[Boot(2)]");
    assert_eq!(boot(&second.bytes), 2);
}

#[test]
fn exhausted_boots_mean_no_will() {
    let mut world = World::new();
    let mut sender = world.ready("1111");
    let boot = codec::Encode::encode(&(u32::MAX - 1));
    sender.values.insert("session/boot".into(), boot);
    let mut sender = sender.restart(&world);
    will(&world, &mut sender);
    let refused = sender.seal_as(&world, TOPIC, b"gone", Kind::Will);
    assert_eq!(refused, Err(SealRefused::Exhausted));
    assert!(sender.seal(&world, b"x").is_ok(), "its messages go on");
}

/// Windows of wills are their own: many connections do not push a sender's messages out of the last four boots (MSG-10).
#[test]
fn wills_do_not_make_the_boots_of_messages_old() {
    let mut world = World::new();
    let mut sender = world.ready("1111");
    let mut reader = world.ready("1112");
    let waiting = sender.seal(&world, b"waiting").unwrap().bytes;
    for _ in 0..6 {
        let sealed = will(&world, &mut sender);
        reader.reads(&world, sealed);
    }
    assert_eq!(reader.reads(&world, waiting).payload, b"waiting");
    let first = world.group().forge(
        0,
        &identity("1111").signing,
        Forged {
            stream: Stream::Will,
            ..Forged::default()
        },
    );
    assert_eq!(reader.refuses(&world, first), Refusal::OldBoot);
}

/// A will is sealed by the rules of every message.
#[test]
fn who_may_not_seal_has_no_will() {
    let mut world = World::new();
    let mut device = world.ready("1112");
    let refused = device.seal_as(&world, TOPIC, b"gone", Kind::Will);
    assert_eq!(refused, Err(SealRefused::NotPublisher));
    assert_eq!(
        device.session.sealable(TOPIC),
        Err(SealRefused::NotPublisher)
    );
    let mut device = world.ready("1111");
    assert_eq!(device.session.sealable(TOPIC), Ok(1));
    world.group().rotate();
    world.settle(&mut device);
    assert_eq!(device.session.sealable(TOPIC), Ok(2));
    assert_eq!(boot(&will(&world, &mut device)), 1);
}
