//! Messages wait until their epoch is known, within bounds (MSG-13).

use keyward_client::session::Refusal;
use keyward_protocol::limits;

use crate::world::{identity, Device, World, TOPIC};

/// A reader of epoch 1, and a sender that is at epoch 2 already.
fn behind() -> (World, Device, Device) {
    let mut world = World::new();
    let reader = world.ready("1112");
    world.group().rotate();
    let sender = world.ready("1111");
    (world, reader, sender)
}

#[test]
fn a_message_of_a_later_epoch_is_delivered_once_its_secret_comes_in_order() {
    let (world, mut reader, mut sender) = behind();
    for payload in [b"1", b"2", b"3"] {
        let sealed = sender.seal(&world, payload).unwrap().bytes;
        reader.receive(&world, TOPIC, sealed, false);
    }
    assert_eq!((reader.delivered().len(), reader.refused().len()), (0, 0));
    reader.hear(&world, world.groups[0].state());
    assert_eq!(reader.delivered().len(), 0);
    reader.hear(&world, world.groups[0].grant(&identity("1112")));
    let payloads: Vec<_> = reader
        .delivered()
        .into_iter()
        .map(|one| one.payload)
        .collect();
    assert_eq!(payloads, [b"1", b"2", b"3"]);
}

#[test]
fn after_a_minute_it_is_refused_as_of_an_unknown_epoch() {
    let (mut world, mut reader, mut sender) = behind();
    reader.receive(
        &world,
        TOPIC,
        sender.seal(&world, b"x").unwrap().bytes,
        false,
    );
    world.mono_ms += 30_000;
    // Something became known, but not what it waits for: it does not wait longer for that.
    reader.hear(&world, world.groups[0].state());
    world.mono_ms += 29_999;
    reader.tick(&world);
    assert_eq!(reader.refused(), []);
    world.mono_ms += 1;
    reader.tick(&world);
    assert_eq!(reader.refused(), [Refusal::UnknownEpoch]);
    reader.hear(&world, world.groups[0].grant(&identity("1112")));
    assert_eq!(reader.delivered(), []);
}

#[test]
fn no_more_messages_wait_than_fit() {
    let (world, mut reader, mut sender) = behind();
    for _ in 0..limits::PARKED_MESSAGES {
        reader.receive(
            &world,
            TOPIC,
            sender.seal(&world, b"x").unwrap().bytes,
            false,
        );
    }
    assert_eq!(reader.refused(), []);
    let one_more = sender.seal(&world, b"x").unwrap().bytes;
    assert_eq!(reader.refuses(&world, one_more), Refusal::UnknownEpoch);
    world.tell(&mut reader);
    assert_eq!(reader.delivered().len(), limits::PARKED_MESSAGES);
}

#[test]
fn no_more_bytes_wait_than_fit() {
    let (world, mut reader, mut sender) = behind();
    let large = vec![7; limits::PAYLOAD];
    for _ in 0..7 {
        reader.receive(
            &world,
            TOPIC,
            sender.seal(&world, &large).unwrap().bytes,
            false,
        );
    }
    assert_eq!(reader.refused(), []);
    let eighth = sender.seal(&world, &large).unwrap().bytes;
    assert_eq!(reader.refuses(&world, eighth), Refusal::UnknownEpoch);
}

/// The bounds are those of one group: another group's messages still find room.
#[test]
fn groups_do_not_take_each_other_s_room() {
    let mut world = World::new();
    let mut second = world.group().clone();
    second.id = "pumps".parse().unwrap();
    second.filters = crate::world::filters(&["pump/#"]);
    second.secrets = [(1, crate::world::secret_of(&second.id, 1))].into();
    // Groups rise by id: "pumps" is before "valves".
    world.groups.insert(0, second);
    let mut reader = world.ready("1112");
    world.groups.iter_mut().for_each(|group| group.rotate());
    let mut sender = world.ready("1111");
    for _ in 0..=limits::PARKED_MESSAGES {
        reader.receive(
            &world,
            TOPIC,
            sender.seal(&world, b"x").unwrap().bytes,
            false,
        );
    }
    assert_eq!(reader.refused().len(), 1);
    let kind = keyward_client::session::Kind::Live;
    let other = sender.seal_as(&world, "pump/1", b"y", kind).unwrap().bytes;
    reader.receive(&world, "pump/1", other, false);
    assert_eq!(reader.refused(), []);
}
