//! What a message must be to be opened (MSG-4 to MSG-7, MSG-15 to MSG-17).

use keyward_client::session::{Action, Kind, Mark, Refusal};
use keyward_protocol::message::Stream;

use crate::world::{identity, Forged, World, TOPIC};

#[test]
fn a_member_reads_who_sealed_what_in_which_group_and_epoch() {
    let mut world = World::new();
    let sealed = world.ready("1111").seal(&world, b"open").unwrap();
    assert_eq!(sealed.bytes_added, 85);
    let mut reader = world.ready("1112");
    let delivery = reader.reads(&world, sealed.bytes);
    assert_eq!(delivery.payload, b"open");
    assert_eq!(
        (delivery.sender.as_str(), delivery.group.as_str()),
        ("1111", "valves")
    );
    assert_eq!(
        (delivery.epoch, delivery.time, delivery.topic.as_str()),
        (1, None, TOPIC)
    );
    assert_eq!(delivery.marks, []);
}

/// MSG-5, MSG-6. And what is refused uses nothing up (MSG-11).
#[test]
fn what_was_changed_or_moved_is_refused_and_the_genuine_message_is_still_read() {
    let mut world = World::new();
    let sealed = world.ready("1111").seal(&world, b"open").unwrap().bytes;
    let mut reader = world.ready("1112");
    let before = reader.values.clone();
    let signature = sealed.len() - 64;
    for (at, reason) in [
        (signature - 17, Refusal::Tampered),
        (signature - 1, Refusal::Tampered),
        (signature, Refusal::Signature),
        (sealed.len() - 1, Refusal::Signature),
    ] {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_eq!(reader.refuses(&world, changed), reason);
    }
    reader.receive(&world, "app/other", sealed.clone(), false);
    assert_eq!(reader.refused(), [Refusal::Tampered]);
    assert!(reader.values == before, "something was remembered");
    assert_eq!(reader.reads(&world, sealed).payload, b"open");
}

/// MSG-5: where its topic is known, a moved message has a reason of its own.
#[test]
fn a_message_that_was_moved_from_a_known_topic_is_told_from_a_changed_one() {
    let mut world = World::new();
    let mut sender = world.ready("1111");
    let first = sender.seal(&world, b"open").unwrap().bytes;
    let second = sender.seal(&world, b"close").unwrap().bytes;
    let mut reader = world.ready("1112");
    assert_eq!(reader.reads(&world, first).payload, b"open");
    let before = reader.values.clone();
    reader.receive(&world, "app/other", second.clone(), false);
    assert_eq!(reader.refused(), [Refusal::Moved]);
    let mut changed = second.clone();
    changed[second.len() - 70] ^= 1;
    reader.receive(&world, "app/other", changed, false);
    assert_eq!(reader.refused(), [Refusal::Tampered]);
    assert!(reader.values == before, "something was remembered");
    assert_eq!(reader.reads(&world, second).payload, b"close");
}

/// MSG-16.
#[test]
fn plaintext_on_a_protected_topic_is_refused_for_members_and_strangers() {
    let mut world = World::new();
    for name in ["1112", "stranger"] {
        let mut device = world.ready(name);
        for plain in [&b"{\"valve\":\"open\"}"[..], b"", b"\x00"] {
            assert_eq!(
                device.refuses(&world, plain.to_vec()),
                Refusal::Plaintext,
                "{name}"
            );
        }
    }
}

#[test]
fn half_a_message_is_refused_as_malformed() {
    let mut world = World::new();
    let sealed = world.ready("1111").seal(&world, b"open").unwrap().bytes;
    let mut reader = world.ready("1112");
    for length in [1, 5, 20, 60] {
        let refused = reader.refuses(&world, sealed[..length].to_vec());
        assert_eq!(refused.name(), "Malformed");
    }
}

/// MSG-7, MSG-6: a member that may not send, and one that pretends to be another.
#[test]
fn insiders_cannot_pretend() {
    let mut world = World::new();
    let mut reader = world.ready("1112");
    let insider = identity("1113");
    let group = world.group();
    let own = group.forge(
        group.member("1113").index,
        &insider.signing,
        Forged::default(),
    );
    let other = group.forge(
        group.member("1111").index,
        &insider.signing,
        Forged::default(),
    );
    let nobody = group.forge(99, &insider.signing, Forged::default());
    assert_eq!(reader.refuses(&world, own), Refusal::NotPublisher);
    assert_eq!(reader.refuses(&world, nobody), Refusal::NotPublisher);
    assert_eq!(reader.refuses(&world, other), Refusal::Signature);
}

/// MSG-4: the statement's policy decides what must be there, never the message.
#[test]
fn a_message_cannot_choose_to_be_unsigned_or_untimed() {
    for (is_signed, is_timed) in [(true, false), (false, true)] {
        let mut world = World::new();
        world.group().policy.signed = is_signed;
        world.group().policy.max_age = if is_timed { 60 } else { 0 };
        let mut reader = world.ready("1112");
        let mut contrary = world.group().clone();
        contrary.policy.signed = !is_signed;
        let key = identity("1111").signing;
        let time = is_timed.then_some((world.time_ms() / 1000) as u32);
        let sealed = contrary.forge(
            0,
            &key,
            Forged {
                time,
                ..Forged::default()
            },
        );
        let expected = if is_signed {
            Refusal::Unsigned
        } else {
            Refusal::Signed
        };
        assert_eq!(reader.refuses(&world, sealed), expected);
        let time = (!is_timed).then_some(1);
        let sealed = world.group().forge(
            0,
            &key,
            Forged {
                time,
                ..Forged::default()
            },
        );
        let expected = if is_timed {
            Refusal::Untimed
        } else {
            Refusal::Timed
        };
        assert_eq!(reader.refuses(&world, sealed), expected);
    }
}

/// MSG-15: before and after.
#[test]
fn a_command_is_refused_when_its_time_is_further_away_than_max_age() {
    let mut world = World::new();
    world.group().policy.max_age = 60;
    let mut reader = world.ready("1112");
    let key = identity("1111").signing;
    let now = (world.time_ms() / 1000) as u32;
    for (counter, time, expected) in [
        (0, now - 61, Some(Refusal::Expired)),
        (1, now + 61, Some(Refusal::Expired)),
        (2, now - 60, None),
        (3, now + 60, None),
    ] {
        let forged = Forged {
            time: Some(time),
            counter,
            ..Forged::default()
        };
        let sealed = world.group().forge(0, &key, forged);
        match expected {
            Some(reason) => assert_eq!(reader.refuses(&world, sealed), reason),
            None => assert_eq!(reader.reads(&world, sealed).time, Some(time)),
        }
    }
    let mut sender = world.ready("1111");
    let sealed = sender.seal(&world, b"x").unwrap();
    assert_eq!(
        reader.reads(&world, sealed.bytes.clone()).time,
        Some((world.time_ms() / 1000) as u32)
    );
}

/// Without the time nothing of such a group can be judged, and nothing is used up.
#[test]
fn a_device_that_does_not_know_the_time_refuses_what_must_not_be_old() {
    let mut world = World::new();
    world.group().policy.max_age = 60;
    let sealed = world.ready("1111").seal(&world, b"x").unwrap().bytes;
    world.has_clock = false;
    let mut reader = world.ready("1112");
    assert_eq!(reader.refuses(&world, sealed.clone()), Refusal::NoTime);
    world.has_clock = true;
    assert_eq!(reader.reads(&world, sealed).payload, b"x");
}

#[test]
fn a_device_that_only_publishes_reads_nothing() {
    let mut world = World::new();
    let sealed = world.ready("1114").seal(&world, b"x").unwrap().bytes;
    assert_eq!(
        world.ready("1111").refuses(&world, sealed),
        Refusal::NotSubscriber
    );
}

/// MSG-17.
#[test]
fn a_will_is_accepted_once_per_boot() {
    let mut world = World::new();
    let mut sender = world.ready("1111");
    let mut reader = world.ready("1112");
    let will = sender
        .seal_as(&world, TOPIC, b"gone", Kind::Will)
        .unwrap()
        .bytes;
    assert_eq!(reader.reads(&world, will.clone()).marks, [Mark::Will]);
    assert_eq!(reader.refuses(&world, will), Refusal::Replayed);
    // Sealed by hand with another counter of the same boot.
    let key = identity("1111").signing;
    let second = Forged {
        counter: 1,
        stream: Stream::Will,
        ..Forged::default()
    };
    let second = world.group().forge(0, &key, second);
    assert_eq!(reader.refuses(&world, second), Refusal::Replayed);
    let mut sender = sender.restart(&world);
    let will = sender
        .seal_as(&world, TOPIC, b"gone", Kind::Will)
        .unwrap()
        .bytes;
    assert_eq!(reader.reads(&world, will).payload, b"gone");
}

/// A retained message cannot be passed off as a live one or a will: the stream has a key of its own.
#[test]
fn a_message_cannot_change_its_stream() {
    let mut world = World::new();
    let sealed = world.ready("1111").seal(&world, b"x").unwrap().bytes;
    let mut reader = world.ready("1112");
    for flag in [4, 8] {
        let mut changed = sealed.clone();
        changed[0] |= flag;
        assert_eq!(reader.refuses(&world, changed), Refusal::Tampered);
    }
}

#[test]
fn what_is_not_protected_is_passed_on_as_it_is() {
    let mut world = World::new();
    let mut reader = world.ready("1112");
    reader.receive(&world, "weather", b"sunny".to_vec(), true);
    let passed = Action::Pass {
        topic: "weather".into(),
        payload: b"sunny".to_vec(),
        retain: true,
    };
    assert_eq!(reader.actions, [passed]);
}

#[test]
fn opening_directly_gives_the_changes_that_must_be_durable_first() {
    let mut world = World::new();
    let sealed = world.ready("1111").seal(&world, b"x").unwrap().bytes;
    let mut reader = world.ready("1112");
    let (opened, effects) = reader.session.open(world.now(), TOPIC, &sealed, false);
    assert!(matches!(
        opened,
        keyward_client::session::Opened::Message(_)
    ));
    assert_eq!(effects.changes.len(), 1);
}
