//! At most once: windows, boots, and evidence of clones (MSG-10, MSG-11).

use std::collections::BTreeSet;

use keyward_client::session::{
    window::{Boots, Look, TagPrefix},
    Notice, Refusal,
};
use proptest::prelude::*;

use crate::world::{identity, Device, Forged, World};

fn message(world: &mut World, boot: u32, counter: u64) -> Vec<u8> {
    let key = identity("1111").signing;
    world.group().forge(
        0,
        &key,
        Forged {
            boot,
            counter,
            ..Forged::default()
        },
    )
}

#[test]
fn a_message_is_read_once_also_after_a_restart() {
    let mut world = World::new();
    let mut reader = world.ready("1112");
    let sealed = message(&mut world, 1, 0);
    reader.reads(&world, sealed.clone());
    assert_eq!(reader.refuses(&world, sealed.clone()), Refusal::Replayed);
    let mut reader = reader.restart(&world);
    assert_eq!(reader.refuses(&world, sealed), Refusal::Replayed);
}

#[test]
fn messages_may_overtake_each_other_within_the_window() {
    let mut world = World::new();
    let mut reader = world.ready("1112");
    for counter in [5_000, 4_000, 2_953, 4_999] {
        let sealed = message(&mut world, 1, counter);
        reader.reads(&world, sealed);
    }
    let behind = message(&mut world, 1, 2_952);
    assert_eq!(reader.refuses(&world, behind), Refusal::BehindWindow);
    // What left the window is forgotten by the store too.
    let sealed = message(&mut world, 1, 50_000);
    reader.reads(&world, sealed);
    let blocks = reader
        .values
        .keys()
        .filter(|name| name.contains("/window/"))
        .count();
    assert_eq!(blocks, 1);
    let mut reader = reader.restart(&world);
    let behind = message(&mut world, 1, 5_001);
    assert_eq!(reader.refuses(&world, behind), Refusal::BehindWindow);
}

#[test]
fn the_last_four_boots_are_remembered_and_older_ones_refused() {
    let mut world = World::new();
    let mut reader = world.ready("1112");
    for boot in [3, 9, 5, 7] {
        let sealed = message(&mut world, boot, 0);
        reader.reads(&world, sealed);
    }
    let too_old = message(&mut world, 2, 0);
    assert_eq!(reader.refuses(&world, too_old), Refusal::OldBoot);
    let between = message(&mut world, 4, 0);
    reader.reads(&world, between);
    // Boot 3 made room for 4.
    let forgotten = message(&mut world, 3, 0);
    assert_eq!(reader.refuses(&world, forgotten), Refusal::OldBoot);
    let mut reader = reader.restart(&world);
    for boot in [4, 5, 7, 9] {
        let again = message(&mut world, boot, 0);
        assert_eq!(
            reader.refuses(&world, again),
            Refusal::Replayed,
            "boot {boot}"
        );
    }
}

fn another(world: &mut World, payload: &'static [u8], by: &str) -> Vec<u8> {
    let key = identity(by).signing;
    world.group().forge(
        0,
        &key,
        Forged {
            payload,
            ..Forged::default()
        },
    )
}

fn is_alarmed(reader: &mut Device) -> bool {
    let is_clone = |notice: &Notice| matches!(notice, Notice::Clone { device, .. } if device.as_str() == "1111");
    reader
        .notices()
        .iter()
        .any(|notice| is_clone(notice) && notice.is_alarm())
}

/// MSG-10: the same counter with another valid tag.
#[test]
fn two_messages_with_one_counter_are_evidence_of_a_clone_also_after_a_restart() {
    let mut world = World::new();
    let mut reader = world.ready("1112");
    let first = another(&mut world, b"one", "1111");
    reader.reads(&world, first);
    let mut reader = reader.restart(&world);
    reader.actions.clear();
    let second = another(&mut world, b"two", "1111");
    assert_eq!(reader.refuses(&world, second), Refusal::Cloned);
    assert!(is_alarmed(&mut reader));
}

#[test]
fn a_forgery_with_a_used_counter_is_no_evidence() {
    let mut world = World::new();
    let mut reader = world.ready("1112");
    let first = another(&mut world, b"one", "1111");
    reader.reads(&world, first.clone());
    let forged = another(&mut world, b"two", "1113");
    assert_eq!(reader.refuses(&world, forged), Refusal::Signature);
    let mut changed = first;
    let tag = changed.len() - 65;
    changed[tag - 14] ^= 1;
    assert_eq!(reader.refuses(&world, changed), Refusal::Tampered);
    assert!(!is_alarmed(&mut reader));
}

/// Leaving a group and being in it again makes nothing readable a second time.
#[test]
fn what_was_read_stays_read_when_the_group_is_left_and_joined_again() {
    let mut world = World::new();
    let mut reader = world.ready("1112");
    let sealed = message(&mut world, 1, 0);
    reader.reads(&world, sealed.clone());
    let mut statement = world.device_statement(&identity("1112"));
    statement.groups = Default::default();
    statement.revision += 1;
    reader.hear(
        &world,
        (
            world.device_topic(&statement.device),
            world.gateway.sign(statement),
        ),
    );
    world.block += 2;
    world.settle(&mut reader);
    assert_eq!(reader.refuses(&world, sealed), Refusal::Replayed);
}

proptest! {
    /// Against a model that remembers everything: nothing is new twice, and what is in the window and did not come is new.
    #[test]
    fn a_window_agrees_with_one_that_remembers_everything(
        counters in proptest::collection::vec((0u32..6, 0u64..400), 1..300),
        size in prop_oneof![Just(64u64), Just(128), Just(2048)],
    ) {
        let mut boots = Boots::default();
        let mut seen = BTreeSet::new();
        for (boot, counter) in counters {
            let tag = TagPrefix([0; 4]);
            let look = boots.look(boot, counter, tag, size);
            let newest = seen.iter().filter(|(b, _)| *b == boot).map(|(_, c)| *c).max();
            match look {
                Look::New => {
                    prop_assert!(seen.insert((boot, counter)), "{boot} {counter} twice");
                    for step in boots.mark(boot, counter, tag, size) {
                        boots.apply(step);
                    }
                }
                Look::Same => prop_assert!(seen.contains(&(boot, counter))),
                Look::Behind => prop_assert!(newest.is_some_and(|newest| newest >= counter + size)),
                Look::OldBoot => {
                    let newer: BTreeSet<u32> = seen.iter().map(|(b, _)| *b).filter(|b| *b > boot).collect();
                    prop_assert!(newer.len() >= 4);
                }
                Look::Other => prop_assert!(false),
            }
            prop_assert!(boots.0.len() <= 4);
        }
    }
}

/// MSG-10: a microcontroller remembers 128 counters behind the newest one.
#[test]
fn the_window_is_as_large_as_it_is_set() {
    let mut world = World::new();
    let settings = keyward_client::session::Settings {
        window: 128,
        ..Default::default()
    };
    let mut reader = Device::start(
        &world,
        identity("1112"),
        Default::default(),
        Default::default(),
        settings,
    );
    world.settle(&mut reader);
    for counter in [1_000, 873] {
        let sealed = message(&mut world, 1, counter);
        reader.reads(&world, sealed);
    }
    let behind = message(&mut world, 1, 872);
    assert_eq!(reader.refuses(&world, behind), Refusal::BehindWindow);
}
