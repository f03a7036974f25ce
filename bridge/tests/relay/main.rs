//! The relay in a simulated world: a chain that finalizes late and loses transactions, a broker that forgets and is written
//! into by strangers, devices that ask, lie and repeat, and a process that dies after any change and any action. Whatever
//! happens, in whatever order: when everything has calmed down, everything is as finalized state says.

mod anchors;
mod expect;
mod lifecycle;
mod memory;
mod refusals;
mod restored;

use keyward_bridge_testing::{
    custody::OTHER,
    devices::{self, device, group},
    state::ACCOUNT,
    world::{Death, World},
};
use keyward_protocol::{Commitment, Role};
use proptest::{prelude::*, sample::Index};

/// What happens next.
#[derive(Clone, Debug)]
enum Event {
    Create(usize),
    Add(usize, usize, Role),
    Remove(usize, usize),
    Suspend(usize),
    Reinstate(usize),
    Revoke(usize),
    Rotate(usize),
    Freeze(usize),
    Thaw(usize),
    Close(usize),
    RekeyOnJoin(usize, bool),
    History(usize, u32),
    Custody(usize, bool, bool),
    OtherStages(usize),
    Transfer(usize, bool),
    Gateway(bool),
    Seal(usize),
    Lose(usize, bool),
    Connect,
    Disconnect(usize),
    Receive(usize),
    Hear(usize),
    Look,
    End,
    Tick(u64),
    Round,
    Reconcile,
    LoseDatabase,
    Overwrite(Index),
    Delete(Index),
    Mute(bool),
    Silence,
    Foreign(u8),
    Whisper(Index, bool),
    Restart,
    Die(usize, usize),
    LoseJournal,
    Backup,
    Restore,
    Enrol(usize),
    Replace(usize),
    Resync(usize),
    Acknowledge(usize, usize),
    Conflict(usize, usize, u32),
    Replay(usize, usize),
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Publish), Just(Role::Subscribe), Just(Role::Both)]
}

fn governance() -> impl Strategy<Value = Event> {
    let (g, d) = (0..2usize, 0..4usize);
    prop_oneof![
        1 => g.clone().prop_map(Event::Create),
        6 => (g.clone(), d.clone(), role()).prop_map(|(g, d, r)| Event::Add(g, d, r)),
        4 => (g.clone(), d.clone()).prop_map(|(g, d)| Event::Remove(g, d)),
        2 => d.clone().prop_map(Event::Suspend),
        2 => d.clone().prop_map(Event::Reinstate),
        1 => d.clone().prop_map(Event::Revoke),
        2 => g.clone().prop_map(Event::Rotate),
        1 => g.clone().prop_map(Event::Freeze),
        2 => g.clone().prop_map(Event::Thaw),
        1 => (g.clone(), any::<bool>()).prop_map(|(g, rekey)| Event::RekeyOnJoin(g, rekey)),
        1 => (g.clone(), 1..8u32).prop_map(|(g, history)| Event::History(g, history)),
        1 => (g.clone(), any::<bool>(), any::<bool>())
            .prop_map(|(g, ours, others)| Event::Custody(g, ours, others)),
        1 => g.prop_map(Event::OtherStages),
        1 => (0..4usize, any::<bool>()).prop_map(|(d, ours)| Event::Transfer(d, ours)),
        1 => any::<bool>().prop_map(Event::Gateway),
    ]
}

fn course() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => Just(Event::Round),
        4 => (0..4usize).prop_map(Event::Seal),
        2 => (0..4usize, any::<bool>()).prop_map(|(which, lands)| Event::Lose(which, lands)),
        2 => Just(Event::Connect),
        1 => (0..4usize).prop_map(Event::Disconnect),
        3 => (1..6usize).prop_map(Event::Receive),
        3 => (1..6usize).prop_map(Event::Hear),
        4 => Just(Event::Look),
        3 => Just(Event::End),
        2 => prop_oneof![Just(300u64), Just(6_000), Just(31_000)].prop_map(Event::Tick),
    ]
}

fn mishap() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::Restart),
        6 => (0..6usize, 0..8usize).prop_map(|(c, a)| Event::Die(c, a)),
        1 => Just(Event::LoseDatabase),
        3 => any::<Index>().prop_map(Event::Overwrite),
        2 => any::<Index>().prop_map(Event::Delete),
        1 => any::<bool>().prop_map(Event::Mute),
        1 => Just(Event::Silence),
        1 => any::<u8>().prop_map(Event::Foreign),
        2 => (any::<Index>(), any::<bool>()).prop_map(|(at, right)| Event::Whisper(at, right)),
        1 => Just(Event::Reconcile),
        1 => Just(Event::Backup),
    ]
}

fn talk() -> impl Strategy<Value = Event> {
    let (g, d) = (0..2usize, 0..4usize);
    prop_oneof![
        2 => d.clone().prop_map(Event::Enrol),
        2 => d.clone().prop_map(Event::Replace),
        2 => d.clone().prop_map(Event::Resync),
        6 => (g.clone(), d.clone()).prop_map(|(g, d)| Event::Acknowledge(g, d)),
        1 => (g, d.clone(), 1..4u32).prop_map(|(g, d, e)| Event::Conflict(g, d, e)),
        1 => (d, 0..8usize).prop_map(|(d, which)| Event::Replay(d, which)),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![4 => governance(), 6 => course(), 3 => mishap(), 3 => talk()]
}

/// A world with two devices and a group that works.
fn settled() -> World {
    let mut world = World::new(());
    world.chain.found_group();
    for _ in 0..6 {
        world.round();
    }
    world
}

fn happen(world: &mut World, event: Event) {
    match event {
        Event::Create(..)
        | Event::Add(..)
        | Event::Remove(..)
        | Event::Suspend(..)
        | Event::Reinstate(..)
        | Event::Revoke(..)
        | Event::Rotate(..)
        | Event::Freeze(..)
        | Event::Thaw(..)
        | Event::Close(..)
        | Event::RekeyOnJoin(..)
        | Event::History(..)
        | Event::Custody(..)
        | Event::OtherStages(..)
        | Event::Transfer(..)
        | Event::Gateway(..) => govern(world, event),
        Event::Restart
        | Event::Die(..)
        | Event::LoseDatabase
        | Event::Overwrite(..)
        | Event::Delete(..)
        | Event::Mute(..)
        | Event::Silence
        | Event::Foreign(..)
        | Event::Whisper(..)
        | Event::LoseJournal
        | Event::Backup
        | Event::Restore
        | Event::Reconcile => go_wrong(world, event),
        Event::Enrol(..)
        | Event::Replace(..)
        | Event::Resync(..)
        | Event::Acknowledge(..)
        | Event::Conflict(..)
        | Event::Replay(..) => say(world, event),
        _ => go_on(world, event),
    }
}

fn govern(world: &mut World, event: Event) {
    let chain = &mut world.chain;
    match event {
        Event::Create(g) => chain.apply(|state| state.create(&group(g))),
        Event::Add(g, d, role) => chain.apply(|state| state.add(&group(g), &device(d), role)),
        Event::Remove(g, d) => chain.apply(|state| state.remove(&group(g), &device(d))),
        Event::Suspend(d) => chain.apply(|state| state.suspend(&device(d))),
        Event::Reinstate(d) => chain.apply(|state| state.reinstate(&device(d))),
        Event::Revoke(d) => chain.apply(|state| state.revoke(&device(d))),
        Event::Rotate(g) => chain.apply(|state| state.rotate(&group(g))),
        Event::Freeze(g) => chain.apply(|state| state.freeze(&group(g))),
        Event::Thaw(g) => chain.apply(|state| state.thaw(&group(g))),
        Event::Close(g) => chain.apply(|state| state.close(&group(g))),
        Event::RekeyOnJoin(g, rekey) => {
            chain.apply(|state| state.set_policy(&group(g), |it| it.rekey_on_join = rekey))
        }
        Event::History(g, history) => {
            chain.apply(|state| state.set_policy(&group(g), |it| it.history = history))
        }
        Event::Custody(g, ours, others) => {
            let ours = ours.then_some(ACCOUNT).into_iter();
            let all: Vec<_> = ours.chain(others.then_some(OTHER)).collect();
            if !all.is_empty() {
                chain.apply(|state| state.set_custodians(&group(g), &all));
            }
        }
        Event::OtherStages(g) => chain.apply(|state| state.other_stages(&group(g))),
        Event::Transfer(d, ours) => {
            let owner = if ours { ACCOUNT } else { OTHER };
            chain.apply(|state| state.transfer(&device(d), owner))
        }
        Event::Gateway(active) => chain.apply(|state| state.set_gateway(active)),
        _ => {}
    }
}

fn go_on(world: &mut World, event: Event) {
    match event {
        Event::Seal(transactions) => world.seal(transactions),
        Event::Lose(which, lands) => world.chain.lose(which, lands),
        Event::Connect => world.broker.connect(),
        Event::Disconnect(received) => world.broker.disconnect(received, true),
        Event::Receive(count) => (0..count).for_each(|_| _ = world.broker.receive()),
        Event::Hear(count) => (0..count).for_each(|_| _ = world.hear()),
        Event::Look => world.look(),
        Event::End => _ = world.end(),
        Event::Tick(ms) => world.tick(ms),
        Event::Round => world.round(),
        _ => {}
    }
}

fn go_wrong(world: &mut World, event: Event) {
    let topic_at = |world: &World, at: Index| {
        let mut topics = world.broker.retained.keys();
        let count = topics.len();
        (count > 0).then(|| topics.nth(at.index(count)).unwrap().clone())
    };
    match event {
        Event::Restart => world.restart(),
        Event::Die(changes, actions) => world.doom(Death { changes, actions }),
        Event::LoseJournal => world.lose_journal(),
        Event::Backup => world.backup(),
        Event::Restore => world.restore(),
        Event::LoseDatabase => world.broker.lose_everything(),
        Event::Reconcile => world.input(keyward_bridge::relay::Input::Reconcile),
        Event::Overwrite(at) => {
            if let Some(topic) = topic_at(world, at) {
                world.broker.publish(&topic, b"not what the gateway said");
            }
        }
        Event::Delete(at) => {
            if let Some(topic) = topic_at(world, at) {
                world.broker.publish(&topic, b"");
            }
        }
        Event::Mute(is_mute) => world.broker.is_mute = is_mute,
        Event::Silence => world.broker.fall_silent(),
        Event::Whisper(at, right) => whisper(world, at, right),
        Event::Foreign(number) => {
            let topic = match number % 3 {
                0 => format!("keyward/v1/gateway/gw/grant/stranger{number}/g0"),
                1 => format!("keyward/v1/gateway/gw/group/g0/publishers/{}", number % 64),
                _ => format!("keyward/v1/gateway/gw/nonsense/{number}"),
            };
            world.broker.publish(&topic, b"foreign");
        }
        _ => {}
    }
}

/// Somebody publishes below the gateway's branch without retaining it: what should stand there, or something else.
fn whisper(world: &mut World, at: Index, right: bool) {
    let wanted = world.relay.wanted();
    if let Some((topic, payload)) = wanted.iter().nth(at.index(wanted.len().max(1))) {
        let payload = if right { &payload[..] } else { b"a whisper" };
        world.broker.whisper(topic, payload);
    }
}

fn say(world: &mut World, event: Event) {
    match event {
        Event::Enrol(d) => world.ask(&device(d), 1, devices::enrolment(&device(d), 1)),
        Event::Replace(d) => {
            let version = world.version(&device(d));
            let ask = devices::replacement(&device(d), version);
            world.ask(&device(d), version, ask);
        }
        Event::Resync(d) => {
            let version = world.version(&device(d));
            world.ask(&device(d), version, keyward_protocol::request::Ask::Resync);
        }
        Event::Acknowledge(g, d) => world.acknowledge(&group(g), &device(d)),
        Event::Conflict(g, d, epoch) => {
            let version = world.version(&device(d));
            let other = Commitment([0xee; 32]);
            let receipt = devices::receipt(&group(g), epoch, other, &device(d), version);
            world.say(devices::receipt_topic(&device(d)), receipt);
        }
        Event::Replay(d, which) => world.replay(&device(d), which),
        _ => {}
    }
}

fn run(events: Vec<Event>) {
    let mut world = settled();
    for event in events {
        happen(&mut world, event);
    }
    world.calm_down();
    expect::all(&world);
    // A gateway that was suspended makes up for it.
    world.chain.apply(|state| state.set_gateway(true));
    world.calm_down();
    expect::all(&world);
}

/// `PROPTEST_CASES` looks longer.
fn config() -> ProptestConfig {
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: if asked { default.cases } else { 48 },
        max_shrink_iters: 4_000,
        failure_persistence: None,
        ..default
    }
}

proptest! {
    #![proptest_config(config())]

    /// Everything but the loss of the journal.
    #[test]
    fn whatever_happens_everything_is_right_when_it_has_calmed_down(
        events in proptest::collection::vec(event(), 1..80),
    ) {
        run(events);
    }

    /// The journal is lost, too: groups go on with epochs that the new one holds.
    #[test]
    fn groups_go_on_when_the_journal_is_lost(
        before in proptest::collection::vec(event(), 1..30),
        after in proptest::collection::vec(event(), 1..30),
    ) {
        run(before.into_iter().chain([Event::LoseJournal]).chain(after).collect());
    }
}

proptest! {
    #![proptest_config(config())]

    /// An old copy of the journal comes into use: nothing is sealed under what it cannot open, and no secret serves twice.
    #[test]
    fn groups_go_on_when_an_old_journal_is_restored(
        before in proptest::collection::vec(event(), 1..20),
        meanwhile in proptest::collection::vec(event(), 1..20),
        after in proptest::collection::vec(event(), 1..20),
    ) {
        let backup = before.into_iter().chain([Event::Backup]);
        let restore = meanwhile.into_iter().chain([Event::Restore]);
        run(backup.chain(restore).chain(after).collect());
    }
}

#[test]
fn a_group_that_awaits_while_it_is_frozen_gets_its_epoch() {
    run(vec![Event::Freeze(0), Event::Gateway(false)]);
}

#[test]
fn an_accepted_request_outlives_the_resync_after_it() {
    run(vec![
        Event::Gateway(false),
        Event::Round,
        Event::Replace(1),
        Event::Resync(1),
    ]);
}

/// BRG-5: a writer who overwrites a topic and then publishes its right content unretained does not make the bridge believe.
#[test]
fn right_content_that_is_not_retained_is_not_taken_for_what_the_broker_holds() {
    let mut world = settled();
    let topics: Vec<String> = world.broker.retained.keys().cloned().collect();
    for topic in topics {
        let right = world.broker.retained[&topic].clone();
        // The second time the bridge pauses before it publishes again.
        for _ in 0..2 {
            world.broker.publish(&topic, b"wrong");
            while world.broker.receive() || world.hear() {}
        }
        world.broker.whisper(&topic, &right);
    }
    world.calm_down();
    expect::all(&world);
}

/// BRG-3: what the broker holds and never acknowledged is not called delivered, also when another connection shows that it is
/// held; and BRG-5: it is not published without end.
#[test]
fn an_epoch_that_is_never_acknowledged_is_not_recorded_as_delivered() {
    let mut world = settled();
    world.calm_down();
    world.broker.is_mute = true;
    world.chain.apply(|state| state.rotate(&group(0)));
    world.published.clear();
    let delivery = |world: &World| {
        let view = &world.chain.finalized.groups[&group(0)].view;
        view.exchanges.last().unwrap().1.delivery.clone()
    };
    let rounds = |world: &mut World| {
        for _ in 0..40 {
            world.round();
            assert_eq!(delivery(world), None);
        }
    };
    rounds(&mut world);
    let grant = "keyward/v1/gateway/gw/grant/d0/g0";
    let published = world.published.iter().filter(|topic| *topic == grant);
    // In 80 seconds; after the first one every 10 seconds, and then less often.
    assert!((5..=9).contains(&published.count()));
    world.broker.disconnect(0, true);
    rounds(&mut world);
    world.calm_down();
    assert_ne!(delivery(&world), None);
    expect::all(&world);
}

#[test]
fn a_quiet_world_is_right() {
    run(Vec::new());
}

#[test]
fn a_closed_group_is_told_and_its_grants_are_cleared() {
    run(vec![Event::Close(0), Event::Round, Event::Restart]);
}
