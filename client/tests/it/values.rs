//! Retained values: new once, later a repeat, sealed anew with the epoch (MSG-12).

use keyward_client::session::{Action, Input, Kind, Mark, Refusal, SealRefused};
use keyward_protocol::message::{Message, Stream};

use crate::world::{identity, Device, Forged, World, TOPIC};

fn value(world: &World, sender: &mut Device, payload: &[u8]) -> Vec<u8> {
    sender
        .seal_as(world, TOPIC, payload, Kind::Retained)
        .unwrap()
        .bytes
}

fn resealed(device: &mut Device) -> Vec<Vec<u8>> {
    let is_value = |action: &Action| match action {
        Action::Publish {
            topic,
            payload,
            retain: true,
        } if topic == TOPIC => Some(payload.clone()),
        _ => None,
    };
    let values = device.actions.iter().filter_map(is_value).collect();
    device.actions.clear();
    values
}

#[test]
fn a_value_is_new_once_and_then_a_repeat_if_the_broker_retained_it() {
    let mut world = World::new();
    let mut sender = world.ready("1111");
    let mut reader = world.ready("1112");
    let sealed = value(&world, &mut sender, b"21.5");
    assert_eq!(reader.reads(&world, sealed.clone()).marks, [Mark::Retained]);
    // As a live message it is a replay.
    assert_eq!(reader.refuses(&world, sealed.clone()), Refusal::Replayed);
    let mut reader = reader.restart(&world);
    reader.receive(&world, TOPIC, sealed, true);
    let repeat = reader.delivered().remove(0);
    assert_eq!(repeat.marks, [Mark::Repeat, Mark::Retained]);
    assert_eq!(repeat.payload, b"21.5");
    assert!(Mark::Repeat.must_be_seen() && !Mark::Retained.must_be_seen());
}

#[test]
fn an_older_value_is_refused_however_it_comes() {
    let mut world = World::new();
    let mut sender = world.ready("1111");
    let mut reader = world.ready("1112");
    let old = value(&world, &mut sender, b"1");
    let mut sender = sender.restart(&world);
    let new = value(&world, &mut sender, b"2");
    reader.reads(&world, new);
    for retain in [false, true] {
        reader.receive(&world, TOPIC, old.clone(), retain);
        assert_eq!(reader.refused(), [Refusal::OldValue]);
    }
}

/// Each topic has its own newest value: the order in which a broker tells them is its own.
#[test]
fn values_of_different_topics_do_not_overtake_each_other() {
    let mut world = World::new();
    let mut sender = world.ready("1111");
    let mut reader = world.ready("1112");
    let first = sender
        .seal_as(&world, "app/1", b"1", Kind::Retained)
        .unwrap()
        .bytes;
    let second = sender
        .seal_as(&world, "app/2", b"2", Kind::Retained)
        .unwrap()
        .bytes;
    reader.receive(&world, "app/2", second, true);
    reader.receive(&world, "app/1", first, true);
    assert_eq!((reader.delivered().len(), reader.refused()), (2, vec![]));
}

#[test]
fn two_values_with_one_counter_are_evidence_of_a_clone() {
    let mut world = World::new();
    let mut reader = world.ready("1112");
    let key = identity("1111").signing;
    let mut forge = |payload: &'static [u8]| {
        let forged = Forged {
            stream: Stream::Retained,
            payload,
            ..Forged::default()
        };
        world.group().forge(0, &key, forged)
    };
    let (one, two) = (forge(b"one"), forge(b"two"));
    reader.reads(&world, one);
    assert_eq!(reader.refuses(&world, two), Refusal::Cloned);
}

#[test]
fn values_are_sealed_anew_when_the_epoch_changes_also_by_a_later_start() {
    let mut world = World::new();
    let mut sender = world.ready("1111");
    value(&world, &mut sender, b"21.5");
    let mut sender = sender.restart(&world);
    world.mono_ms += 1_000;
    sender.tick(&world);
    assert_eq!(
        resealed(&mut sender),
        Vec::<Vec<u8>>::new(),
        "nothing has changed"
    );

    world.group().rotate();
    world.tell(&mut sender);
    sender.tick(&world);
    assert_eq!(resealed(&mut sender).len(), 0, "not before it has settled");
    world.mono_ms += 500;
    sender.tick(&world);
    let again = resealed(&mut sender);
    assert_eq!(again.len(), 1);
    assert_eq!(Message::from_wire(&again[0]).unwrap().header.epoch, 2);
    sender.tick(&world);
    assert_eq!(resealed(&mut sender).len(), 0, "once is enough");

    let mut reader = world.ready("1112");
    assert_eq!(reader.reads(&world, again[0].clone()).payload, b"21.5");
}

/// Killed between publishing and noting: it is done again rather than not at all.
#[test]
fn a_value_that_may_not_have_been_published_is_sealed_again_by_the_next_start() {
    let mut world = World::new();
    let mut sender = world.ready("1111");
    value(&world, &mut sender, b"21.5");
    world.group().rotate();
    world.tell(&mut sender);
    world.mono_ms += 500;
    sender.tick(&world);
    assert_eq!(resealed(&mut sender).len(), 1);
    sender.tick(&world);
    let mut sender = sender.restart(&world);
    assert_eq!(resealed(&mut sender).len(), 1);
    sender.tick(&world);
    assert_eq!(resealed(&mut sender).len(), 0, "once is enough");
    world.mono_ms += 1_000;
    sender.tick(&world);
    let mut sender = sender.restart(&world);
    sender.tick(&world);
    assert_eq!(resealed(&mut sender).len(), 0);
}

#[test]
fn an_empty_value_ends_it() {
    let mut world = World::new();
    let mut sender = world.ready("1111");
    value(&world, &mut sender, b"21.5");
    value(&world, &mut sender, b"");
    world.group().rotate();
    world.tell(&mut sender);
    world.mono_ms += 500;
    sender.handle(&world, Input::Tick);
    assert_eq!(resealed(&mut sender).len(), 0);
    assert!(!sender.secrets.keys().any(|name| name.contains("retain")));
}

#[test]
fn the_number_of_values_is_bounded() {
    let mut world = World::new();
    let mut sender = world.ready("1111");
    for number in 0..256 {
        let topic = format!("app/{number}");
        sender
            .seal_as(&world, &topic, b"x", Kind::Retained)
            .unwrap();
    }
    let refused = sender.seal_as(&world, "app/one-more", b"x", Kind::Retained);
    assert_eq!(refused, Err(SealRefused::TooManyValues { max: 256 }));
    assert!(sender
        .seal_as(&world, "app/7", b"y", Kind::Retained)
        .is_ok());
}

/// LIM-1: a publisher cannot make a reader remember without end.
#[test]
fn the_number_of_topics_with_values_that_are_remembered_is_bounded() {
    let mut world = World::new();
    let mut sender = world.ready("1111");
    let mut reader = world.ready("1112");
    let first = value(&world, &mut sender, b"1");
    let second = value(&world, &mut sender, b"2");
    reader.reads(&world, first);
    let seen = reader.values["session/value/valves/0/app/valve"].clone();
    for number in 1..4096 {
        let name = format!("session/value/valves/0/app/{number}");
        reader.values.insert(name, seen.clone());
    }
    let mut reader = reader.restart(&world);
    let sealed = sender.seal_as(&world, "app/one-more", b"x", Kind::Retained);
    reader.receive(&world, "app/one-more", sealed.unwrap().bytes, true);
    assert_eq!(reader.refused(), [Refusal::TooManyValues]);
    // What is known goes on.
    assert_eq!(reader.reads(&world, second).payload, b"2");
}

/// LIM-1: the payloads of all values that a device retains have a common bound.
#[test]
fn the_bytes_of_values_are_bounded() {
    let mut world = World::new();
    let mut sender = world.ready("1111");
    let large = vec![7; keyward_protocol::limits::PAYLOAD];
    for number in 0..8 {
        let topic = format!("app/{number}");
        sender
            .seal_as(&world, &topic, &large, Kind::Retained)
            .unwrap();
    }
    let refused = sender.seal_as(&world, "app/one-more", b"x", Kind::Retained);
    assert_eq!(refused, Err(SealRefused::TooManyValues { max: 256 }));
    // What replaces another value finds its room.
    assert!(sender
        .seal_as(&world, "app/7", &large, Kind::Retained)
        .is_ok());
}

/// KEY-9: what an application retains is wrapped as a secret is, and comes back with it.
#[test]
fn the_payload_of_a_value_is_a_secret_of_the_store() {
    let mut world = World::new();
    let mut sender = world.ready("1111");
    value(&world, &mut sender, b"the recipe");
    let holds = |bytes: &[u8]| bytes.windows(10).any(|window| window == b"the recipe");
    for (name, value) in &sender.values {
        assert!(!holds(value), "{name} lies open");
    }
    assert!(sender.secrets.values().any(|secret| holds(secret)));
    let sender = sender.restart(&world);
    let retained = &sender.session.durable().retained;
    assert_eq!(retained[TOPIC].payload, b"the recipe");
}

/// One group's topics do not take the room of another's.
#[test]
fn values_of_other_groups_do_not_count() {
    let mut world = World::new();
    let mut sender = world.ready("1111");
    let mut reader = world.ready("1112");
    let first = value(&world, &mut sender, b"1");
    reader.reads(&world, first);
    let seen = reader.values["session/value/valves/0/app/valve"].clone();
    for number in 1..4096 {
        let name = format!("session/value/pumps/0/pump/{number}");
        reader.values.insert(name, seen.clone());
    }
    let mut reader = reader.restart(&world);
    let sealed = sender.seal_as(&world, "app/2", b"x", Kind::Retained);
    reader.receive(&world, "app/2", sealed.unwrap().bytes, true);
    assert_eq!(reader.delivered().len(), 1);
}
