//! Secrets are believed only when they open the statement's commitment (KEY-4, KEY-5, MSG-13).

use keyward_client::session::{Notice, SealRefused};
use keyward_protocol::{grant::EpochSecret, Commitment};

use crate::world::{identity, secret_of, World};

/// KEY-5: a sealed box that the device can open proves nothing.
#[test]
fn a_secret_that_nobody_committed_to_is_refused() {
    let mut world = World::new();
    let mut device = world.device("1111");
    let mut packets = world.retained(&identity("1111"));
    let forged = world
        .group()
        .grant_of(&identity("1111"), &[(1, EpochSecret::new([0x66; 32]))]);
    packets[3] = forged.clone();
    for packet in packets {
        device.hear(&world, packet);
    }
    assert_eq!(device.control_refusals(), ["Secret"]);
    assert!(device.secrets.is_empty());
    world.mono_ms += 600;
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::NotReady));
    // The genuine one is taken, and then the forgery does not replace it.
    device.hear(&world, world.groups[0].grant(&identity("1111")));
    device.hear(&world, forged);
    world.mono_ms += 600;
    assert!(device.seal(&world, b"x").is_ok());
}

/// One bad secret does not spoil the good ones.
#[test]
fn each_epoch_of_a_grant_is_judged_by_itself() {
    let mut world = World::new();
    world.group().rotate();
    let mut device = world.device("1112");
    device.hear(&world, world.device_state(&identity("1112")));
    device.hear(&world, world.groups[0].state());
    let id = world.group().id.clone();
    let mixed = [(1, EpochSecret::new([1; 32])), (2, secret_of(&id, 2))];
    let grant = world.group().grant_of(&identity("1112"), &mixed);
    device.hear(&world, grant);
    assert_eq!(device.session.status().groups[0].held, [2]);
    assert_eq!(device.control_refusals(), ["Secret"]);
}

#[test]
fn a_grant_for_another_device_group_or_key_is_refused() {
    let mut world = World::new();
    let mut device = world.ready("1112");
    let (topic, _) = world.group().grant(&identity("1112"));
    let (_, of_1113) = world.group().grant(&identity("1113"));
    let mut renamed = world.group().clone();
    renamed.id = "others".parse().unwrap();
    let (_, of_others) = renamed.grant(&identity("1112"));
    let mut newer = identity("1112");
    newer.key_version = 2;
    let (_, of_newer) = world.group().grant(&newer);
    let cases = [
        (of_1113, "Grant"),
        (of_others, "Grant"),
        (of_newer, "KeyVersion"),
        (vec![0; 99], "Grant"),
    ];
    for (bytes, reason) in cases {
        device.receive(&world, &topic, bytes, true);
        assert_eq!(device.control_refusals(), [reason]);
    }
}

/// MSG-13: a grant may come before its statement.
#[test]
fn a_grant_waits_for_its_commitment() {
    let mut world = World::new();
    let mut device = world.device("1112");
    device.hear(&world, world.device_state(&identity("1112")));
    device.hear(&world, world.groups[0].grant(&identity("1112")));
    assert!(device.secrets.is_empty());
    device.hear(&world, world.groups[0].state());
    let told = Notice::Secret {
        group: world.group().id.clone(),
        epoch: 1,
    };
    assert!(device.notices().contains(&told));
    assert_eq!(device.secrets.len(), 1);
}

#[test]
fn a_grant_does_not_wait_longer_than_a_minute() {
    let mut world = World::new();
    let mut device = world.ready("1112");
    world.group().rotate();
    device.hear(&world, world.groups[0].grant(&identity("1112")));
    world.mono_ms += 59_999;
    device.tick(&world);
    assert_eq!(device.control_refusals(), [""; 0]);
    world.mono_ms += 1;
    device.tick(&world);
    assert_eq!(device.control_refusals(), ["UnknownEpoch"]);
    device.hear(&world, world.groups[0].state());
    assert_eq!(device.session.status().groups[0].held, [1]);
}

/// A waiting grant that turns out forged is refused then.
#[test]
fn a_waiting_grant_is_judged_by_the_statement_that_comes() {
    let mut world = World::new();
    let mut device = world.ready("1112");
    world.group().rotate();
    let forged = world
        .group()
        .grant_of(&identity("1112"), &[(2, EpochSecret::new([9; 32]))]);
    device.hear(&world, forged);
    device.hear(&world, world.groups[0].state());
    assert_eq!(device.control_refusals(), ["Secret"]);
    assert_eq!(device.session.status().groups[0].held, [1]);
}

/// The commitment binds the custodian: the same secret under another account does not open it.
#[test]
fn a_commitment_of_another_custodian_is_not_opened() {
    let mut world = World::new();
    let mut device = world.device("1112");
    device.hear(&world, world.device_state(&identity("1112")));
    let mut statement = world.group().statement();
    statement.commitments[0].commitment = Commitment([5; 32]);
    let topic = world.group().state_topic();
    device.hear(&world, (topic, world.gateway.sign(statement)));
    device.hear(&world, world.groups[0].grant(&identity("1112")));
    assert_eq!(device.control_refusals(), ["Secret"]);
}

/// A device that was away catches up from one retained message.
#[test]
fn one_grant_brings_all_epochs_that_were_missed() {
    let mut world = World::new();
    let mut device = world.ready("1112");
    (0..20).for_each(|_| world.group().rotate());
    world.tell(&mut device);
    assert_eq!(
        device.session.status().groups[0].held,
        (1..=21).collect::<Vec<_>>()
    );
}

/// Something became known, but not what it waits for.
#[test]
fn a_grant_that_waits_on_does_not_wait_longer_for_it() {
    let mut world = World::new();
    let mut device = world.ready("1112");
    world.group().rotate();
    let statement = world.group().state();
    world.group().rotate();
    device.hear(&world, world.groups[0].grant(&identity("1112")));
    world.mono_ms += 30_000;
    device.hear(&world, statement);
    assert_eq!(device.session.status().groups[0].held, [1, 2]);
    world.mono_ms += 30_000;
    device.tick(&world);
    assert_eq!(device.control_refusals(), ["UnknownEpoch"]);
}

/// What the statement has left behind is neither taken nor waited for.
#[test]
fn an_old_epoch_that_the_statement_does_not_name_is_ignored() {
    let mut world = World::new();
    world.group().policy.history = 1;
    world.group().rotate();
    world.group().rotate();
    let mut device = world.ready("1112");
    assert_eq!(device.session.status().groups[0].held, [2, 3]);
    world.mono_ms += 60_000;
    device.tick(&world);
    assert_eq!(device.control_refusals(), [""; 0]);
}

/// A custodian that names another commitment gives another secret: it is the one that is used from then on.
#[test]
fn a_secret_that_replaces_another_one_is_the_one_that_opens() {
    let mut world = World::new();
    let mut reader = world.ready("1112");
    let mut sender = world.ready("1111");
    reader.reads(&world, sender.seal(&world, b"x").unwrap().bytes);
    world.group().revision += 1;
    world
        .group()
        .secrets
        .insert(1, EpochSecret::new([0x66; 32]));
    world.settle(&mut reader);
    world.settle(&mut sender);
    // Who starts anew has derived nothing of the former secret, and understands who has.
    let message = sender.seal(&world, b"y").unwrap().bytes;
    world.ready("1112").reads(&world, message);
    let mut sender = sender.restart(&world);
    world.settle(&mut sender);
    reader.reads(&world, sender.seal(&world, b"z").unwrap().bytes);
}
