//! The current epoch, older ones, and how long they are kept (MSG-8, MSG-14, KEY-8).

use keyward_client::session::{Mark, Refusal, SealRefused};

use crate::world::{identity, World};

/// MSG-14: the new epoch is used after it has settled, and in the meantime nothing is sealed that a removed member could open.
#[test]
fn a_publisher_uses_a_new_epoch_once_statement_and_secret_have_settled() {
    let mut world = World::new();
    let mut device = world.ready("1111");
    world.group().remove("1113");
    device.hear(&world, world.groups[0].state());
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::NotReady));
    for packet in world.group().page_packets() {
        device.hear(&world, packet);
    }
    device.hear(&world, world.groups[0].grant(&identity("1111")));
    assert_eq!(
        device.seal(&world, b"x"),
        Err(SealRefused::Settling { wait_ms: 500 })
    );
    world.mono_ms += 499;
    assert_eq!(
        device.seal(&world, b"x"),
        Err(SealRefused::Settling { wait_ms: 1 })
    );
    world.mono_ms += 1;
    assert_eq!(device.seal(&world, b"x").unwrap().epoch, 2);
}

#[test]
fn what_was_known_before_a_start_has_settled() {
    let mut world = World::new();
    let device = world.ready("1111");
    assert!(device.restart(&world).seal(&world, b"x").is_ok());
}

/// MSG-8 in a signed group, and MSG-18.
#[test]
fn a_message_of_an_older_epoch_is_late_after_the_grace() {
    let mut world = World::new();
    let mut sender = world.ready("1111");
    let mut reader = world.ready("1112");
    let messages: Vec<_> = (0..3)
        .map(|_| sender.seal(&world, b"x").unwrap().bytes)
        .collect();
    world.group().rotate();
    world.tell(&mut reader);
    world.mono_ms += 30_000;
    assert_eq!(reader.reads(&world, messages[0].clone()).marks, []);
    world.mono_ms += 1;
    let late = reader.reads(&world, messages[1].clone());
    assert_eq!((late.marks, late.epoch), (vec![Mark::Late], 1));
    assert!(Mark::Late.must_be_seen());
    // A session that has just begun cannot tell how long the epoch has been over.
    let mut reader = reader.restart(&world);
    assert_eq!(
        reader.reads(&world, messages[2].clone()).marks,
        [Mark::Late]
    );
}

/// MSG-8 in an unsigned group: every member could have forged it, one that left as well.
#[test]
fn in_an_unsigned_group_an_older_epoch_is_refused() {
    let mut world = World::new();
    world.group().policy.signed = false;
    let sealed = world.ready("1111").seal(&world, b"x").unwrap().bytes;
    let mut reader = world.ready("1112");
    world.group().rotate();
    world.tell(&mut reader);
    assert_eq!(reader.refuses(&world, sealed), Refusal::OldEpoch);
}

/// An epoch of before the device was a member: its secret never comes, so nothing waits for it.
#[test]
fn an_older_epoch_whose_secret_is_not_held_is_refused_at_once() {
    let mut world = World::new();
    let sealed = world.ready("1111").seal(&world, b"x").unwrap().bytes;
    world.group().rotate();
    let mut reader = world.device("1112");
    let id = world.group().id.clone();
    for packet in world.retained(&identity("1112")) {
        if !packet.0.contains("/grant/") {
            reader.hear(&world, packet);
        }
    }
    let newest = [(2, crate::world::secret_of(&id, 2))];
    let grant = world.group().grant_of(&identity("1112"), &newest);
    reader.hear(&world, grant);
    assert_eq!(reader.refuses(&world, sealed), Refusal::UnknownEpoch);
}

/// KEY-8: erased when both are exceeded, not before.
#[test]
fn past_secrets_are_erased_when_history_and_age_are_both_exceeded() {
    let mut world = World::new();
    world.group().policy.history = 2;
    world.group().policy.history_age = 1_000;
    let mut device = world.ready("1112");
    world.group().rotate();
    world.group().rotate();
    world.tell(&mut device);
    // Old enough, but within the history.
    world.mono_ms += 2_000_000;
    device.tick(&world);
    assert_eq!(device.session.status().groups[0].held, [1, 2, 3]);
    // Out of the history, but the last of them not old enough.
    world.group().rotate();
    world.group().rotate();
    world.tell(&mut device);
    device.tick(&world);
    assert_eq!(device.session.status().groups[0].held, [3, 4, 5]);
    world.group().rotate();
    world.tell(&mut device);
    device.tick(&world);
    assert_eq!(device.session.status().groups[0].held, [3, 4, 5, 6]);
    let mut device = device.restart(&world);
    world.mono_ms += 1_000_001;
    device.tick(&world);
    assert_eq!(device.session.status().groups[0].held, [4, 5, 6]);
    assert_eq!(device.secrets.len(), 3);
}

/// KEY-8: with a secret goes what was derived from it, also where a message was opened with it before.
#[test]
fn an_erased_epoch_opens_nothing_although_a_message_of_it_was_read() {
    let mut world = World::new();
    world.group().policy.history = 1;
    world.group().policy.history_age = 1_000;
    let mut sender = world.ready("1111");
    let read = sender.seal(&world, b"read").unwrap().bytes;
    let kept = sender.seal(&world, b"kept").unwrap().bytes;
    let mut reader = world.ready("1112");
    reader.reads(&world, read);
    for _ in 0..3 {
        world.group().rotate();
        world.tell(&mut reader);
    }
    world.mono_ms += 1_000_001;
    world.tell(&mut reader);
    reader.tick(&world);
    assert!(!reader.session.status().groups[0].held.contains(&1));
    assert_eq!(reader.refuses(&world, kept), Refusal::UnknownEpoch);
}
