//! Rules of keys under change, one by one: what the property tests see only by chance.

use std::collections::BTreeSet;

use keyward_bridge::relay::{
    journal::Change, transactions::Command, Action, Effects, Input, Relay,
};
use keyward_bridge_testing::{
    custody::OTHER,
    devices::{self, device, group, GENESIS},
    numbers::Numbers,
    state::{self, ACCOUNT},
    World,
};
use keyward_crypto::SigningKey;
use keyward_protocol::{
    beacon::Beacon,
    request::Ask,
    signing::Unverified,
    statement::{GroupState, GroupStatement},
    topic::{ControlTopic, PREFIX},
    view::GatewayStatus,
    Commitment, DeviceId, GroupId, Role,
};

use crate::{expect, settled};

/// Members of the large group.
const MANY: usize = 300;

fn epoch(world: &World) -> u32 {
    world.chain.finalized.groups[&group(0)].view.epoch
}

fn epochs_granted(world: &World, of: &DeviceId) -> Vec<u32> {
    let grant = world.grant(&group(0), of, world.version(of));
    let epochs = grant.expect("a grant").epochs.into_iter();
    epochs.map(|granted| granted.epoch).collect()
}

/// Epochs of a group whose secrets the journal holds.
fn held(world: &World, of: &GroupId) -> BTreeSet<u32> {
    let secrets = world.journal.secrets.keys();
    let of_group = secrets.filter(|(group, _)| group == of);
    of_group.map(|(_, epoch)| *epoch).collect()
}

/// KEX-2, KEY-6: all that happens to a group in one block is one epoch, and a pass on each processor seals one grant to each member.
#[test]
fn hundreds_of_changes_in_a_block_are_one_epoch_and_a_few_passes_of_grants() {
    let mut world = settled();
    world.chain.apply(|state| {
        (10..10 + MANY).try_for_each(|number| {
            state.register(&device(number))?;
            state.add(&group(0), &device(number), Role::Subscribe)
        })
    });
    world.calm_down();
    let (before, sealed) = (epoch(&world), world.relay.status().grants_sealed);
    world.chain.apply(|state| {
        (10..10 + MANY / 3).try_for_each(|number| state.remove(&group(0), &device(number)))?;
        (10 + MANY / 3..10 + MANY / 2).try_for_each(|number| state.suspend(&device(number)))?;
        state.revoke(&device(10 + MANY / 2))?;
        state.register(&device(9_999))?;
        state.add(&group(0), &device(9_999), Role::Both)?;
        state.rotate(&group(0))
    });
    world.calm_down();
    assert_eq!(epoch(&world), before + 1);
    let members = &world.chain.finalized.groups[&group(0)].members;
    let active: Vec<_> = members.values().filter(|member| member.active).collect();
    let newly = world.relay.status().grants_sealed - sealed;
    assert_eq!(newly, active.len() as u64);
    let ephemeral = |member: &DeviceId| {
        let topic = ControlTopic::Grant(devices::gateway(), member.clone(), group(0));
        world.told(&topic).expect("a grant")[..32].to_vec()
    };
    let keys: BTreeSet<_> = active
        .iter()
        .map(|member| ephemeral(&member.device))
        .collect();
    let processors = std::thread::available_parallelism().unwrap().get();
    assert!(keys.len() <= processors, "{} passes", keys.len());
    expect::all(&world);
}

/// KEY-7.
#[test]
fn a_grant_holds_the_epochs_that_were_not_acknowledged_as_far_as_history_goes() {
    let mut world = settled();
    let (awake, asleep) = (device(0), device(1));
    let first = epoch(&world);
    for _ in 0..3 {
        world.acknowledge(&group(0), &awake);
        world.calm_down();
        world.chain.apply(|state| state.rotate(&group(0)));
        world.calm_down();
    }
    let current = epoch(&world);
    assert_eq!(current, first + 3);
    assert_eq!(epochs_granted(&world, &awake), [current]);
    let joined = world.chain.finalized.groups[&group(0)].members[&asleep].joined_epoch;
    assert_eq!(
        epochs_granted(&world, &asleep),
        (joined..=current).collect::<Vec<_>>()
    );
    // The policy of these groups keeps six epochs beside the current one.
    for _ in 0..10 {
        world.chain.apply(|state| state.rotate(&group(0)));
        world.calm_down();
    }
    let current = epoch(&world);
    assert_eq!(
        epochs_granted(&world, &asleep),
        (current - 6..=current).collect::<Vec<_>>()
    );
}

/// KEY-7.
#[test]
fn an_acknowledgement_causes_no_new_grant() {
    let mut world = settled();
    let sealed = world.relay.status().grants_sealed;
    world.acknowledge(&group(0), &device(0));
    world.calm_down();
    world.input(Input::Reconcile);
    world.calm_down();
    assert_eq!(world.relay.status().grants_sealed, sealed);
}

/// MEM-3: who joins, comes back or has other keys gets nothing of before.
#[test]
fn who_joins_again_gets_none_of_the_epochs_of_its_absence() {
    let mut world = settled();
    let back = |world: &mut World| {
        world.calm_down();
        let current = epoch(world);
        assert_eq!(epochs_granted(world, &device(0)), [current]);
    };
    world.chain.apply(|state| state.suspend(&device(0)));
    world.calm_down();
    assert!(world.grant(&group(0), &device(0), 1).is_none());
    world.chain.apply(|state| state.rotate(&group(0)));
    world.calm_down();
    world.chain.apply(|state| state.reinstate(&device(0)));
    back(&mut world);
    world
        .chain
        .apply(|state| state.remove(&group(0), &device(0)));
    world.calm_down();
    world
        .chain
        .apply(|state| state.add(&group(0), &device(0), Role::Both));
    back(&mut world);
    world.ask(&device(0), 1, devices::replacement(&device(0), 1));
    back(&mut world);
    assert_eq!(world.version(&device(0)), 2);
}

/// MEM-3: who joins while an epoch is awaited is granted that one when it comes, and not the one before.
#[test]
fn who_joins_while_an_epoch_is_awaited_is_not_granted_the_one_before() {
    let mut world = settled();
    world.chain.apply(|state| state.register(&device(2)));
    world.calm_down();
    // Faster than the gateway stages.
    for _ in 0..5 {
        world.chain.apply(|state| state.rotate(&group(0)));
        world.seal(0);
    }
    world
        .chain
        .apply(|state| state.add(&group(0), &device(2), Role::Both));
    world.seal(0);
    world.look();
    while world.broker.receive() || world.hear() {}
    let view = &world.chain.finalized.groups[&group(0)].view;
    assert_eq!(view.state, GroupState::Awaiting);
    assert_eq!(
        epochs_granted(&world, &device(0)).last(),
        Some(&(view.epoch - 1))
    );
    assert!(world.grant(&group(0), &device(2), 1).is_none());
    world.calm_down();
    assert_eq!(epochs_granted(&world, &device(2)), [epoch(&world)]);
}

/// KEX-3: epochs are staged in order. What is staged while others are being withdrawn might go with them.
#[test]
fn while_epochs_are_withdrawn_none_is_staged() {
    let mut world = settled();
    world.calm_down();
    world.lose_journal();
    world.look();
    let submitted = |world: &World| -> Vec<_> {
        let commands = world.chain.pool.iter().map(|pooled| &pooled.command);
        commands.cloned().collect()
    };
    let withdrawn = submitted(&world);
    assert!(matches!(withdrawn[..], [Command::Withdraw { .. }]));
    // Before it lands, what it was to take back has come into use: nothing is left that would have to be withdrawn.
    for _ in 0..4 {
        world.chain.apply(|state| state.rotate(&group(0)));
        world.seal(0);
    }
    world.look();
    assert_eq!(submitted(&world), withdrawn);
    world.calm_down();
    expect::all(&world);
    let staged = |command: &&Command| matches!(command, Command::Stage { .. });
    assert_eq!(world.chain.refused.iter().filter(staged).count(), 0);
}

/// KEX-11: a custodian that does not administer the group rotates when it is due, and not before.
#[test]
fn a_custodian_rotates_when_it_is_due_and_not_before() {
    let mut world = settled();
    world.chain.apply(|state| {
        state.set_admin(&group(0), OTHER)?;
        state.set_policy(&group(0), |policy| policy.rotate_every = 40)
    });
    world.calm_down();
    let (before, at) = (epoch(&world), world.chain.finalized.number);
    for _ in 0..120 {
        world.round();
    }
    let (epochs, blocks) = (epoch(&world) - before, world.chain.finalized.number - at);
    // Every 20 blocks, and some until the transaction is in one.
    assert!(
        (blocks / 24..=blocks / 20 + 1).contains(&epochs),
        "{epochs} in {blocks} blocks"
    );

    world
        .chain
        .apply(|state| state.set_policy(&group(0), |policy| policy.rotate_every = 0));
    world.calm_down();
    let before = epoch(&world);
    for _ in 0..60 {
        world.round();
    }
    assert_eq!(epoch(&world), before, "it never rotates by itself");
    let early = |command: &&Command| matches!(command, Command::Rotate { .. });
    assert_eq!(world.chain.refused.iter().filter(early).count(), 0);
}

/// KEX-4: who is custodian no longer says nothing more of the group; who becomes one takes over.
#[test]
fn a_former_custodian_clears_what_it_said_and_a_new_one_takes_over() {
    let mut world = settled();
    let branch = format!("{PREFIX}/gateway/gw/group/g0/");
    let said = |world: &World| {
        let topics = world.broker.retained.keys();
        let of_group = |topic: &&String| topic.starts_with(&branch) || topic.ends_with("/g0");
        topics.filter(of_group).count()
    };
    assert!(said(&world) >= 4, "statement, page, beacon and two grants");
    world
        .chain
        .apply(|state| state.set_custodians(&group(0), &[OTHER]));
    world.chain.apply(|state| state.other_stages(&group(0)));
    world.calm_down();
    assert_eq!(said(&world), 0);
    expect::all(&world);
    world.published.clear();
    for _ in 0..90 {
        world.round();
    }
    let of_group = |topic: &&String| topic.contains("g0");
    assert_eq!(world.published.iter().filter(of_group).count(), 0);

    world
        .chain
        .apply(|state| state.set_custodians(&group(0), &[ACCOUNT]));
    world.calm_down();
    expect::all(&world);
    assert!(world.grant(&group(0), &device(0), 1).is_some());
    assert_current_is_young(&world);
}

/// KEY-8: what was drawn before and serves only now has not begun to age.
fn assert_current_is_young(world: &World) {
    let current = epoch(world);
    let ahead = world.journal.secrets.iter();
    let mut ahead = ahead.filter(|((_, epoch), _)| *epoch >= current);
    assert!(ahead.all(|(_, held)| held.retired_ms.is_none()));
}

/// KEX-4: a commitment may land when the group has gone and come back since it was sent.
#[test]
fn an_epoch_that_begins_when_its_group_has_come_back_has_not_begun_to_age() {
    let mut world = settled();
    for custodian in [OTHER, ACCOUNT, OTHER] {
        let chain = &mut world.chain;
        chain.apply(|state| state.set_custodians(&group(0), &[custodian]));
        world.seal(0);
        world.look();
    }
    let chain = &mut world.chain;
    chain.apply(|state| state.set_custodians(&group(0), &[ACCOUNT]));
    world.calm_down();
    assert_current_is_young(&world);
    expect::all(&world);
}

/// KEY-8: what a former custodian still held is erased after the usual history, and all of a closed group at once.
#[test]
fn secrets_of_groups_that_are_no_longer_served_are_erased() {
    let mut world = settled();
    world
        .chain
        .apply(|state| state.set_custodians(&group(0), &[OTHER]));
    world.calm_down();
    assert!(!held(&world, &group(0)).is_empty());
    world.chain.next.number += 41 * 24 * 1800;
    world.calm_down();
    assert_eq!(held(&world, &group(0)), BTreeSet::new());

    let mut world = settled();
    world.chain.apply(|state| state.close(&group(0)));
    world.calm_down();
    assert_eq!(held(&world, &group(0)), BTreeSet::new());
}

/// KEY-8: both the epochs and the time of the history must be over.
#[test]
fn a_past_secret_is_erased_when_it_is_older_than_both_parts_of_the_history() {
    let mut world = settled();
    world.chain.apply(|state| {
        state.set_policy(&group(0), |policy| {
            (policy.history, policy.history_age) = (2, 3_600);
        })
    });
    for _ in 0..6 {
        world.chain.apply(|state| state.rotate(&group(0)));
        world.calm_down();
    }
    let current = epoch(&world);
    let first = *held(&world, &group(0)).first().unwrap();
    assert!(first < current - 2, "{first}: none is an hour old yet");
    world.chain.next.number += 1_900;
    world.calm_down();
    let kept: BTreeSet<u32> = (current - 2..=current + 4).collect();
    assert_eq!(held(&world, &group(0)), kept);
}

/// STM-9.
#[test]
fn a_beacon_never_stands_for_longer_than_it_may() {
    let mut world = settled();
    world
        .chain
        .apply(|state| state.set_policy(&group(0), |policy| policy.max_silence = 33));
    (0..6).for_each(|_| world.round());
    let topic = ControlTopic::Beacon(devices::gateway(), group(0));
    let told = |world: &World| {
        let beacon = Unverified::<Beacon>::from_wire(world.told(&topic).unwrap()).unwrap();
        beacon.claims().chain_time
    };
    let mut oldest = 0;
    for _ in 0..60 {
        world.round();
        let now = state::time_ms(world.chain.finalized.number);
        oldest = oldest.max(now - told(&world));
    }
    assert!(oldest <= 11_000, "{oldest} ms");
}

/// BRG-6: conflicts first, then of each device the newest.
#[test]
fn a_batch_has_conflicts_first_and_of_each_device_the_newest_receipt() {
    let mut world = settled();
    for _ in 0..3 {
        world.chain.apply(|state| state.rotate(&group(0)));
        world.calm_down();
    }
    let view = world.chain.finalized.groups[&group(0)].view.clone();
    let say = |world: &mut World, number: usize, epoch: u32, commitment: Commitment| {
        let receipt = devices::receipt(&group(0), epoch, commitment, &device(number), 1);
        world.say(devices::receipt_topic(&device(number)), receipt);
    };
    let joined = |number: usize| {
        let members = &world.chain.finalized.groups[&group(0)].members;
        members[&device(number)].joined_epoch
    };
    let from = joined(0).max(joined(1));
    for epoch in from..=view.epoch {
        let exchange = view.exchanges.iter().find(|(at, _)| *at == epoch);
        let (commitment, _) = exchange.unwrap().1.committed.unwrap();
        (0..2).for_each(|number| say(&mut world, number, epoch, commitment));
    }
    say(&mut world, 1, from, Commitment([0xee; 32]));
    while world.broker.receive() || world.hear() {}
    world.look();
    let batch = world
        .chain
        .pool
        .iter()
        .find_map(|pooled| match &pooled.command {
            Command::Acknowledge { receipts, .. } => Some(receipts),
            _ => None,
        });
    let batch: Vec<_> = batch
        .expect("a batch")
        .iter()
        .map(|(key, _)| (key.device.clone(), key.epoch))
        .collect();
    let expected = [
        (device(1), from),
        (device(0), view.epoch),
        (device(1), view.epoch),
    ];
    assert_eq!(batch, expected);
    world.calm_down();
    assert_eq!(world.chain.finalized.conflicts.len(), 1);
    expect::all(&world);
}

/// REQ-4.
#[test]
fn after_a_resync_everything_that_the_device_reads_is_published_again() {
    let mut world = settled();
    world.published.clear();
    world.ask(&device(0), 1, Ask::Resync);
    world.round();
    let published: BTreeSet<&str> = world.published.iter().map(String::as_str).collect();
    let expected = [
        "device/d0/state",
        "group/g0/state",
        "group/g0/publishers/0",
        "group/g0/beacon",
        "grant/d0/g0",
    ];
    let branch = format!("{PREFIX}/gateway/gw/");
    for topic in expected {
        let topic = format!("{branch}{topic}");
        assert!(published.contains(topic.as_str()), "{topic}: {published:?}");
    }
    let foreign = format!("{branch}grant/d1/g0");
    assert!(!published.contains(foreign.as_str()), "{published:?}");
}

/// Members that have not acknowledged the epoch, and for how long.
#[test]
fn members_that_are_behind_are_counted_until_their_receipts_are_there() {
    let mut world = settled();
    let stale = |world: &World| {
        let status = &world.relay.status().groups["g0"];
        (status.stale, status.stale_seconds)
    };
    assert_eq!(stale(&world).0, 2);
    for number in 0..2 {
        world.acknowledge(&group(0), &device(number));
    }
    while world.broker.receive() || world.hear() {}
    assert_eq!(stale(&world), (0, 0), "their receipts are in the journal");
    world.calm_down();
    assert_eq!(stale(&world), (0, 0), "and on the chain");
    world.chain.apply(|state| state.rotate(&group(0)));
    let began = world.chain.next.number;
    for _ in 0..9 {
        world.round();
    }
    let since = u64::from(world.chain.finalized.number - began) * 2;
    assert_eq!(stale(&world), (2, since));
    world.acknowledge(&group(0), &device(0));
    world.calm_down();
    assert_eq!(stale(&world).0, 1);
    world.chain.apply(|state| state.suspend(&device(1)));
    world.calm_down();
    assert_eq!(stale(&world).0, 1, "of the new epoch: the one that is left");
    world.acknowledge(&group(0), &device(0));
    world.calm_down();
    assert_eq!(stale(&world), (0, 0));
}

fn retained(effects: &Effects) -> BTreeSet<&str> {
    let changes = effects.changes.iter().filter_map(|change| match change {
        Change::Retain(topic, _) => Some(topic.as_str()),
        _ => None,
    });
    changes.collect()
}

/// A gateway whose statement key was replaced on chain says nothing with the old one, and with the new one everything anew;
/// grants are not signed, and stay.
#[test]
fn with_another_statement_key_everything_signed_is_said_anew() {
    let mut world = settled();
    let key = SigningKey::from_seed(&[0x4e; 32]);
    let mut block = world.chain.look(true);
    block.block.number += 1;
    let fleet = block.fleet.as_mut().unwrap();
    let gateway = fleet.gateways.get_mut(&ACCOUNT).unwrap();
    gateway.statement_key = key.verifying_key();

    let old = world
        .relay
        .handle(1_000_000, Input::Finalized(block.clone()));
    assert_eq!(retained(&old), BTreeSet::new());
    let submits = |action: &Action| matches!(action, Action::Submit(..));
    assert!(!old.actions.iter().any(submits));
    let why = world.relay.status().blocked.unwrap();
    assert!(why.contains("statement key"), "{why}");

    let rng = Box::new(Numbers::new(99));
    let journal = world.journal.clone();
    let mut relay = Relay::new(devices::home(), PREFIX, key.clone(), journal, rng);
    let new = relay.handle(0, Input::Finalized(block));
    let said = retained(&new);
    let branch = format!("{PREFIX}/gateway/gw/");
    for topic in ["group/g0/state", "device/d0/state", "device/d1/state"] {
        assert!(
            said.contains(format!("{branch}{topic}").as_str()),
            "{said:?}"
        );
    }
    assert!(!said.iter().any(|topic| topic.contains("/grant/")));
    let statement = new.changes.iter().find_map(|change| match change {
        Change::Retain(topic, retained) if topic.ends_with("g0/state") => Some(&retained.payload),
        _ => None,
    });
    let statement = Unverified::<GroupStatement>::from_wire(statement.unwrap()).unwrap();
    keyward_crypto::sign::verify(statement, &GENESIS, &key.verifying_key()).unwrap();
}

/// A suspended gateway says so of itself and submits nothing; what it said stays readable as far as it is still true.
#[test]
fn a_suspended_gateway_submits_nothing() {
    let mut world = settled();
    world.chain.apply(|state| state.set_gateway(false));
    world.calm_down();
    let status = world.chain.finalized.fleet().gateways[&ACCOUNT].status;
    assert_eq!(status, GatewayStatus::Suspended);
    world.chain.apply(|state| state.rotate(&group(0)));
    let submitted = world.chain.pool.len();
    for _ in 0..20 {
        world.look();
        world.tick(2_000);
    }
    assert_eq!(world.chain.pool.len(), submitted);
    assert!(world.relay.status().blocked.unwrap().contains("suspended"));
}

/// BRG-2: a node that is behind tells of blocks that were dealt with; what they say is over.
#[test]
fn a_block_from_before_the_newest_one_changes_nothing() {
    let mut world = settled();
    let old = world.chain.look(true);
    world
        .chain
        .apply(|state| state.remove(&group(0), &device(0)));
    world.calm_down();
    let effects = world.relay.handle(u64::MAX / 2, Input::Finalized(old));
    assert!(effects.changes.is_empty(), "{effects:?}");
    assert_eq!(world.relay.status().groups["g0"].members, 1);
}

/// BRG-6: a receipt that the chain refuses does not take the others of its batch with it.
#[test]
fn one_receipt_that_is_refused_does_not_spoil_its_batch() {
    let mut world = settled();
    let acknowledged = epoch(&world);
    for number in 0..2 {
        world.acknowledge(&group(0), &device(number));
    }
    while world.broker.receive() || world.hear() {}
    world.look();
    // Before the batch lands the second device has joined anew, and may not hold that epoch any more.
    world.chain.apply(|state| {
        state.remove(&group(0), &device(1))?;
        state.add(&group(0), &device(1), Role::Both)
    });
    world.calm_down();
    let members = &world.chain.finalized.fleet().groups[&group(0)].members;
    let holds = |number: usize| {
        members[&device(number)]
            .acknowledged
            .map(|(epoch, _)| epoch)
    };
    assert_eq!((holds(0), holds(1)), (Some(acknowledged), None));
}
