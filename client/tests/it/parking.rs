//! Messages wait until their epoch is known, within bounds (MSG-13).

use keyward_client::session::{Input, Refusal};
use keyward_protocol::limits;

use crate::world::{identity, Device, Forged, World, TOPIC};

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

/// Messages of a sender, in the order in which it sealed them.
fn sealed(world: &World, sender: &mut Device, count: usize) -> Vec<Vec<u8>> {
    let payload = |number: usize| format!("{} {number}", sender_name(sender)).into_bytes();
    let payloads: Vec<_> = (0..count).map(payload).collect();
    let seal = |payload: &Vec<u8>| sender.seal(world, payload).unwrap().bytes;
    payloads.iter().map(seal).collect()
}

fn sender_name(device: &Device) -> String {
    device.identity.device.to_string()
}

fn take(world: &World, reader: &mut Device, messages: &[Vec<u8>]) {
    for message in messages {
        reader.receive(world, TOPIC, message.clone(), false);
    }
}

/// How many messages of a sender come out once the reader knows everything.
fn read_of(world: &World, reader: &mut Device, sender: &str) -> usize {
    world.tell(reader);
    let delivered = reader.delivered();
    let of_sender = delivered.iter().filter(|one| one.sender.as_str() == sender);
    of_sender.count()
}

#[test]
fn no_more_messages_wait_than_fit() {
    let (world, mut reader, mut sender) = behind();
    let messages = sealed(&world, &mut sender, limits::PARKED_MESSAGES + 1);
    let (last, first) = messages.split_last().unwrap();
    take(&world, &mut reader, first);
    assert_eq!(reader.refused(), []);
    // The oldest goes.
    assert_eq!(reader.refuses(&world, last.clone()), Refusal::UnknownEpoch);
    world.tell(&mut reader);
    let delivered = reader.delivered();
    assert_eq!(delivered.len(), limits::PARKED_MESSAGES);
    assert_eq!(delivered[0].payload, b"1111 1");
}

#[test]
fn no_more_bytes_wait_than_fit() {
    let (world, mut reader, mut sender) = behind();
    let mut large = |number: u8| {
        let payload = vec![number; limits::PAYLOAD];
        sender.seal(&world, &payload).unwrap().bytes
    };
    let messages: Vec<_> = (0..7).map(&mut large).collect();
    take(&world, &mut reader, &messages);
    assert_eq!(reader.refused(), []);
    assert_eq!(reader.refuses(&world, large(7)), Refusal::UnknownEpoch);
    assert_eq!(read_of(&world, &mut reader, "1111"), 7);
}

/// Where messages are signed, nobody but a publisher takes any room.
#[test]
fn a_forgery_does_not_wait_and_takes_nobody_s_room() {
    let (mut world, mut reader, mut sender) = behind();
    let genuine = sealed(&world, &mut sender, 2);
    take(&world, &mut reader, &genuine[..1]);
    let stranger = identity("1113").signing;
    for counter in 0..=limits::PARKED_MESSAGES as u64 {
        let forged = Forged {
            counter,
            ..Forged::default()
        };
        let forged = world.group().forge(0, &stranger, forged);
        assert_eq!(reader.refuses(&world, forged), Refusal::Signature);
    }
    take(&world, &mut reader, &genuine[1..]);
    assert_eq!(read_of(&world, &mut reader, "1111"), 2);
}

/// It waits, since the policy may be about to change; but not in the place of what is signed.
#[test]
fn what_is_not_signed_does_not_take_the_room_of_what_is() {
    let (mut world, mut reader, mut sender) = behind();
    let genuine = sealed(&world, &mut sender, 9);
    take(&world, &mut reader, &genuine[..5]);
    let mut unsigned = world.group().clone();
    unsigned.policy.signed = false;
    let flood: Vec<_> = (0..=limits::PARKED_MESSAGES as u64)
        .map(|counter| {
            let forged = Forged {
                counter,
                ..Forged::default()
            };
            unsigned.forge(0, &identity("1113").signing, forged)
        })
        .collect();
    take(&world, &mut reader, &flood);
    take(&world, &mut reader, &genuine[5..]);
    assert_eq!(read_of(&world, &mut reader, "1111"), 9);
}

/// Where nothing is signed anybody may claim to be a publisher; but not to be all of them for nothing.
#[test]
fn who_claims_to_be_one_sender_takes_no_other_s_room() {
    let mut world = World::new();
    world.group().policy.signed = false;
    let mut reader = world.ready("1112");
    world.group().rotate();
    let (mut flooded, mut other) = (world.ready("1111"), world.ready("1114"));
    let genuine = sealed(&world, &mut other, 9);
    take(&world, &mut reader, &genuine[..5]);
    let flood = sealed(&world, &mut flooded, 2 * limits::PARKED_MESSAGES);
    take(&world, &mut reader, &flood);
    take(&world, &mut reader, &genuine[5..]);
    assert_eq!(read_of(&world, &mut reader, "1114"), 9);
}

/// Shares are of bytes, too.
#[test]
fn large_messages_of_one_sender_do_not_push_out_another_s_small_ones() {
    let mut world = World::new();
    let mut reader = world.ready("1112");
    world.group().rotate();
    let (mut large, mut small) = (world.ready("1111"), world.ready("1114"));
    take(&world, &mut reader, &sealed(&world, &mut small, 20));
    for number in 0..9 {
        let payload = vec![number; limits::PAYLOAD];
        let message = large.seal(&world, &payload).unwrap().bytes;
        reader.receive(&world, TOPIC, message, false);
    }
    assert_eq!(read_of(&world, &mut reader, "1114"), 20);
}

#[test]
fn many_small_messages_of_one_sender_do_not_push_out_another_s_large_one() {
    let mut world = World::new();
    let mut reader = world.ready("1112");
    world.group().rotate();
    let (mut small, mut large) = (world.ready("1111"), world.ready("1114"));
    let message = large.seal(&world, &[7; 100_000]).unwrap().bytes;
    reader.receive(&world, TOPIC, message, false);
    let many = sealed(&world, &mut small, limits::PARKED_MESSAGES);
    take(&world, &mut reader, &many);
    assert_eq!(read_of(&world, &mut reader, "1114"), 1);
}

/// Whoever repeats a genuine message does not push out the others of its sender.
#[test]
fn what_waits_twice_goes_first() {
    let (world, mut reader, mut sender) = behind();
    let genuine = sealed(&world, &mut sender, 9);
    take(&world, &mut reader, &genuine[..5]);
    let copies = vec![genuine[4].clone(); limits::PARKED_MESSAGES];
    take(&world, &mut reader, &copies);
    take(&world, &mut reader, &genuine[5..]);
    assert_eq!(read_of(&world, &mut reader, "1111"), 9);
}

/// A device that joined while it was away hears what was queued for it before it hears that it is a member.
#[test]
fn a_message_waits_for_the_statement_that_says_which_group_it_belongs_to() {
    let mut world = World::new();
    let mut sender = world.ready("1111");
    let messages = sealed(&world, &mut sender, 2);
    let mut reader = world.device("1112");
    take(&world, &mut reader, &messages);
    assert_eq!((reader.delivered().len(), reader.refused().len()), (0, 0));
    assert_eq!(read_of(&world, &mut reader, "1111"), 2);
}

#[test]
fn a_message_of_no_group_is_refused_once_the_statement_has_come_again_or_in_a_minute() {
    let mut world = World::new();
    let message = world.ready("1111").seal(&world, b"x").unwrap().bytes;
    let stated = world.device_state(&identity("stranger"));
    let mut stranger = world.device("stranger");
    stranger.hear(&world, stated.clone());
    assert_eq!(
        stranger.refuses(&world, message.clone()),
        Refusal::NotMember
    );
    stranger.handle(&world, Input::Disconnected);
    stranger.handle(&world, Input::Connected);
    stranger.receive(&world, TOPIC, message.clone(), false);
    assert_eq!(stranger.refused(), []);
    stranger.hear(&world, stated);
    assert_eq!(stranger.refused(), [Refusal::NotMember]);

    let mut untold = world.device("stranger");
    untold.receive(&world, TOPIC, message, false);
    world.mono_ms += 60_000;
    untold.tick(&world);
    assert_eq!(untold.refused(), [Refusal::NotMember]);
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
