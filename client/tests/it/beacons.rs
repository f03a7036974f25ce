//! How old the view of the chain is: publishers stop when it does not move (STM-8, STM-10).

use keyward_client::session::{Notice, SealRefused};
use keyward_protocol::{beacon::Beacon, bytes::Digest};

use crate::world::{block, identity, Gateway, World};

const MAX_SILENCE_MS: u64 = 600_000;

#[test]
fn a_publisher_stops_when_nothing_new_is_heard_for_longer_than_max_silence() {
    let mut world = World::new();
    let mut device = world.ready("1111");
    world.mono_ms = MAX_SILENCE_MS;
    assert!(device.seal(&world, b"x").is_ok());
    world.mono_ms += 1;
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::Stale));
    device.hear(&world, world.groups[0].beacon_at(world.time_ms()));
    assert!(device.seal(&world, b"x").is_ok());
}

#[test]
fn a_policy_may_prefer_availability_and_then_it_is_reported() {
    let mut world = World::new();
    world.group().policy.seal_when_stale = true;
    let mut device = world.ready("1111");
    assert!(!device.seal(&world, b"x").unwrap().stale);
    world.mono_ms = MAX_SILENCE_MS + 1;
    assert!(device.seal(&world, b"x").unwrap().stale);
}

/// A beacon that comes again is as old as it was.
#[test]
fn the_age_counts_from_chain_time_and_not_from_when_a_beacon_came() {
    let mut world = World::new();
    let old = world.groups[0].beacon_at(world.time_ms());
    let mut device = world.ready("1111");
    world.mono_ms = MAX_SILENCE_MS + 1;
    device.hear(&world, old);
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::Stale));
}

/// STM-8: chain time does not fall.
#[test]
fn an_older_beacon_does_not_make_the_view_older() {
    let mut world = World::new();
    let mut device = world.ready("1111");
    let old = world.groups[0].beacon_at(world.time_ms() - 500_000);
    device.hear(&world, old);
    world.mono_ms = MAX_SILENCE_MS - 1_000;
    assert!(device.seal(&world, b"x").is_ok());
}

#[test]
fn only_a_listed_custodian_s_beacon_counts() {
    let mut world = World::new();
    let mut device = world.ready("1111");
    world.mono_ms = MAX_SILENCE_MS + 1;
    let forged = {
        let mut group = world.group().clone();
        group.custodian.key = Gateway::new("gw1", 0x77).key;
        group.beacon_at(EPOCH)
    };
    device.hear(&world, forged);
    assert_eq!(device.control_refusals(), ["Signature"]);
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::Stale));
}

const EPOCH: u64 = crate::world::EPOCH_MS + MAX_SILENCE_MS + 1;

/// STM-8: it counts only for the statement whose hash it names.
#[test]
fn a_beacon_for_another_statement_of_the_revision_is_a_conflict_and_does_not_count() {
    let mut world = World::new();
    let mut device = world.ready("1111");
    world.mono_ms = MAX_SILENCE_MS + 1;
    let beacon = Beacon {
        gateway: world.gateway.account,
        group: world.group().id.clone(),
        revision: world.group().revision,
        statement: Digest([0; 32]),
        block: block(99),
        chain_time: world.time_ms(),
    };
    device.hear(&world, world.groups[0].beacon(beacon));
    assert_eq!(device.control_refusals(), ["Conflict"]);
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::Stale));
}

/// Whoever lets beacons through and holds the statement back gains nothing.
#[test]
fn a_newer_statement_that_is_announced_must_come_before_anything_is_sealed() {
    let mut world = World::new();
    let mut device = world.ready("1111");
    world.group().revision += 1;
    device.hear(&world, world.groups[0].beacon_at(world.time_ms()));
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::Outdated));
    assert!(!device.session.is_current("app/valve"));
    // Then the beacon counts at once.
    world.mono_ms = MAX_SILENCE_MS;
    device.hear(&world, world.groups[0].state());
    assert!(device.seal(&world, b"x").is_ok());
    assert!(device.session.is_current("app/valve"));
}

#[test]
fn without_a_beacon_nothing_is_sealed() {
    let mut world = World::new();
    let mut device = world.device("1111");
    let mut packets = world.retained(&identity("1111"));
    packets.pop();
    for packet in packets {
        device.hear(&world, packet);
    }
    world.mono_ms += 600;
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::Stale));
}

/// A clock that is behind does not make old news new.
#[test]
fn chain_time_that_was_reached_is_never_undone() {
    let mut world = World::new();
    let mut device = world.ready("1111");
    let later = keyward_client::session::Now {
        mono_ms: world.mono_ms + MAX_SILENCE_MS + 1,
        wall_ms: Some(crate::world::EPOCH_MS),
    };
    let refused = device.session.seal(
        later,
        "app/valve",
        b"x",
        keyward_client::session::Kind::Live,
    );
    assert_eq!(refused, Err(SealRefused::Stale));
}

#[test]
fn going_stale_and_being_fresh_again_are_told_once() {
    let mut world = World::new();
    let mut device = world.ready("1111");
    let group = world.group().id.clone();
    world.mono_ms = MAX_SILENCE_MS + 1;
    device.tick(&world);
    device.tick(&world);
    assert_eq!(device.notices(), [Notice::Stale(group.clone())]);
    device.hear(&world, world.groups[0].beacon_at(world.time_ms()));
    device.tick(&world);
    assert_eq!(device.notices(), [Notice::Fresh(group)]);
}

/// What was heard before a restart is as old as it is.
#[test]
fn the_newest_beacon_is_durable() {
    let mut world = World::new();
    let device = world.ready("1111");
    let mut device = device.restart(&world);
    assert!(device.seal(&world, b"x").is_ok());
    let mut device = device.restart(&world);
    world.mono_ms = MAX_SILENCE_MS + 1;
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::Stale));
}
