//! A bridge's relay as a state machine (`keyward_bridge::relay`): bytes decide what governance and the other custodian do, which
//! transactions land and when, what the broker loses, does not answer, and strangers write into it, what devices and forgers say,
//! where the process dies, and when an old copy of its journal comes into use. The [`judge`] finds the rules of `docs/protocol.md`
//! kept at every step, and [`calm`], when everything has calmed down, the broker as finalized state says.

pub mod calm;
pub mod judge;
pub mod pauses;

use keyward_bridge::relay::Input;
use keyward_bridge_testing::{
    custody::OTHER,
    devices::{self, device, group},
    state::{State, ACCOUNT},
    world::Death,
};
use keyward_protocol::{request::Ask, topic::PREFIX, Commitment, Role};

use self::judge::Judge;
use crate::choices::Choices;

type World = keyward_bridge_testing::World<Judge>;

/// Events of one course: longer inputs end here.
const EVENTS: usize = 120;

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Op {
    /// Everything on its way arrives, and a block comes.
    Round,
    /// Governance calls.
    Call,
    /// A block is finalized with some of the transactions.
    Seal,
    /// The bridge sees the newest block.
    Look,
    /// The bridge hears how a transaction ended.
    End,
    /// The bridge gives a transaction up.
    Lose,
    /// The broker receives.
    Receive,
    /// The bridge hears the broker.
    Hear,
    /// The connection comes, goes, or the broker's database is lost.
    Connection,
    /// Time passes.
    Tick,
    /// The process is killed and started again, at once or in the middle of what comes next.
    Kill,
    /// The journal is lost.
    LoseJournal,
    /// A device asks.
    Ask,
    /// A device acknowledges an epoch.
    Acknowledge,
    /// What a device said comes again, changed, on another topic.
    Forge,
    /// Bytes come on a device's topic.
    Raw,
    /// A stranger writes below the gateway's branch.
    Write,
    /// The operator has everything compared anew.
    Reconcile,
    /// Groups and devices go to another gateway, or come back, and it commits to epochs.
    Custody,
    /// Somebody copies the journal.
    Backup,
    /// The copy comes into use.
    Restore,
    /// The broker stops acknowledging, begins again, or the line to it is dead.
    Mute,
}

impl Op {
    /// All of them, in the order of their bytes: others come behind them, so that inputs go on meaning what they meant.
    pub const ALL: [Self; 22] = [
        Self::Round,
        Self::Call,
        Self::Seal,
        Self::Look,
        Self::End,
        Self::Lose,
        Self::Receive,
        Self::Hear,
        Self::Connection,
        Self::Tick,
        Self::Kill,
        Self::LoseJournal,
        Self::Ask,
        Self::Acknowledge,
        Self::Forge,
        Self::Raw,
        Self::Write,
        Self::Reconcile,
        Self::Custody,
        Self::Backup,
        Self::Restore,
        Self::Mute,
    ];
}

/// A bridge's relay (DESIGN section 7): events, and then the calm after them.
pub fn relay(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut world = World::new(Judge::default());
    world.chain.found_group();
    world.seal(0);
    for _ in 0..EVENTS {
        if choices.is_over() {
            break;
        }
        let op = Op::ALL[choices.below(Op::ALL.len())];
        happen(&mut world, op, &mut choices);
    }
    calm_down(&mut world);
    // A gateway that was suspended makes up for it.
    if !world.chain.finalized.gateway_is_active() {
        world.chain.apply(|state| state.set_gateway(true));
        calm_down(&mut world);
    }
}

fn calm_down(world: &mut World) {
    world.calm_down();
    calm::check(world);
}

fn happen(world: &mut World, op: Op, choices: &mut Choices<'_>) {
    match op {
        Op::Round => world.round(),
        Op::Call => govern(world, choices.byte()),
        Op::Seal => world.seal(choices.below(4)),
        Op::Look => world.look(),
        Op::End => _ = world.end(),
        Op::Lose => {
            let how = choices.byte();
            world.chain.lose(usize::from(how >> 1), how & 1 == 1);
        }
        Op::Receive => (0..=choices.below(6)).for_each(|_| _ = world.broker.receive()),
        Op::Hear => (0..=choices.below(6)).for_each(|_| _ = world.hear()),
        Op::Connection => match choices.byte() {
            0..=127 => world.broker.connect(),
            how @ 128..=240 => world.broker.disconnect(usize::from(how & 3), true),
            _ => world.broker.lose_everything(),
        },
        Op::Tick => {
            let steps = [300, 2_000, 6_000, 31_000];
            world.tick(steps[choices.below(steps.len())]);
        }
        Op::Kill => match choices.byte() {
            0..=63 => world.restart(),
            how => world.doom(Death {
                changes: usize::from(how & 7),
                actions: usize::from(how >> 3 & 7),
            }),
        },
        Op::LoseJournal => world.lose_journal(),
        Op::Ask => ask(world, choices.byte()),
        Op::Acknowledge => acknowledge(world, choices.byte()),
        Op::Forge | Op::Raw => forge(world, op, choices),
        Op::Write => write(world, choices),
        Op::Reconcile => world.input(Input::Reconcile),
        Op::Custody => entrust(world, choices.byte()),
        Op::Backup => world.backup(),
        Op::Restore => world.restore(),
        Op::Mute => match choices.byte() {
            0..=127 => world.broker.is_mute = true,
            128..=191 => world.broker.recover(),
            _ => world.broker.fall_silent(),
        },
    }
}

/// Whether groups have gone through so many epochs that the next ones would push the first out of the chain's record.
fn is_old(world: &World) -> bool {
    let groups = world.chain.finalized.groups.values();
    groups.map(|group| group.view.epoch).max() > Some(48)
}

fn govern(world: &mut World, how: u8) {
    if is_old(world) {
        return;
    }
    let (group, device) = (
        group(usize::from(how & 1)),
        device(usize::from(how >> 1 & 3)),
    );
    let rekey =
        |state: &mut State, rekey| state.set_policy(&group, |policy| policy.rekey_on_join = rekey);
    world.chain.apply(|state| match how >> 3 {
        0..=3 => state.create(&group),
        4 | 5 => state.add(&group, &device, Role::Both),
        6 => state.add(&group, &device, Role::Publish),
        7 | 8 => state.add(&group, &device, Role::Subscribe),
        9..=12 => state.remove(&group, &device),
        13..=15 => state.rotate(&group),
        16 => state.freeze(&group),
        17..=19 => state.thaw(&group),
        20 => state.close(&group),
        21 => rekey(state, false),
        22 => rekey(state, true),
        23 | 24 => state.suspend(&device),
        25 | 26 => state.reinstate(&device),
        27 => state.revoke(&device),
        28 => state.set_gateway(false),
        _ => state.set_gateway(true),
    });
}

/// Who serves a group, administers it, or owns a device; and what the other gateway does with it.
fn entrust(world: &mut World, how: u8) {
    if is_old(world) {
        return;
    }
    let (group, device) = (
        group(usize::from(how & 1)),
        device(usize::from(how >> 1 & 3)),
    );
    world.chain.apply(|state| match how >> 3 {
        0..=6 => state.set_custodians(&group, &[ACCOUNT, OTHER]),
        7..=10 => state.set_custodians(&group, &[OTHER]),
        11..=15 => state.set_custodians(&group, &[ACCOUNT]),
        16..=22 => state.other_stages(&group),
        23 | 24 => state.set_admin(&group, OTHER),
        25 | 26 => state.set_admin(&group, ACCOUNT),
        27..=29 => state.transfer(&device, OTHER),
        _ => state.transfer(&device, ACCOUNT),
    });
}

fn ask(world: &mut World, how: u8) {
    let device = device(usize::from(how & 3));
    let version = world.version(&device);
    let counter = world.count(&device);
    let counter = match how >> 6 {
        0 => counter.saturating_sub(1),
        _ => counter,
    };
    let (version, ask) = match how >> 2 & 7 {
        0 | 1 => (1, devices::enrolment(&device, 1)),
        2 => (version + 1, devices::enrolment(&device, version + 1)),
        3..=5 => (version, devices::replacement(&device, version)),
        _ => (version, Ask::Resync),
    };
    let payload = devices::request(&device, version, ask, counter);
    world.say(devices::request_topic(&device), payload);
}

fn acknowledge(world: &mut World, how: u8) {
    let (device, group) = (
        device(usize::from(how & 3)),
        group(usize::from(how >> 2 & 1)),
    );
    let back = u32::from(how >> 3 & 3);
    let on_chain = world.chain.finalized.groups.get(&group);
    let current = on_chain.map_or(1, |on_chain| on_chain.view.epoch);
    let epoch = current.saturating_sub(back);
    let committed =
        on_chain.and_then(|on_chain| on_chain.exchange(current.checked_sub(back)?)?.committed);
    let commitment = match how >> 5 {
        0 => Some(Commitment([0xee; 32])),
        _ => committed.map(|(commitment, _)| commitment),
    };
    if let Some(commitment) = commitment {
        let version = world.version(&device);
        let receipt = devices::receipt(&group, epoch, commitment, &device, version);
        world.say(devices::receipt_topic(&device), receipt);
    }
}

/// What a device said, again: as it was, on another topic, or changed. Or bytes out of nowhere.
fn forge(world: &mut World, op: Op, choices: &mut Choices<'_>) {
    let how = choices.byte();
    let device = device(usize::from(how & 3));
    let topic = match how & 4 {
        0 => devices::request_topic(&device),
        _ => devices::receipt_topic(&device),
    };
    if op == Op::Raw {
        let payload = choices.bytes().to_vec();
        return world.broker.say(topic, payload);
    }
    let back = usize::from(choices.byte());
    let Some((of, payload)) = world.said.iter().rev().nth(back).cloned() else {
        return;
    };
    match how >> 3 & 3 {
        0 => world.broker.say(of, payload),
        1 => world.broker.say(topic, payload),
        _ => {
            let harmed = choices.harm(payload);
            world.broker.say(of, harmed);
        }
    }
}

/// A stranger writes below the gateway's branch, or deletes there; retained or not.
fn write(world: &mut World, choices: &mut Choices<'_>) {
    let how = choices.byte();
    let (wanted, broker) = (world.relay.wanted(), &mut world.broker);
    let at = choices.below(wanted.len());
    let Some((topic, right)) = wanted.iter().nth(at) else {
        return;
    };
    let number = how >> 4;
    match how & 7 {
        0 => broker.publish(topic, b""),
        1 => broker.publish(topic, b"not what the gateway said"),
        2 => broker.whisper(topic, right),
        3 => broker.whisper(topic, b"a whisper"),
        4 => {
            let other = wanted.values().nth(usize::from(number) % wanted.len());
            let other = other.cloned().unwrap_or_default();
            broker.publish(topic, &other);
        }
        5 => {
            let topic = format!("{PREFIX}/gateway/gw/grant/stranger{number}/g0");
            broker.publish(&topic, b"foreign");
        }
        6 => {
            let topic = format!("{PREFIX}/gateway/gw/nonsense/{number}");
            broker.publish(&topic, b"foreign");
        }
        _ => {
            let harmed = choices.harm(right.clone());
            broker.publish(topic, &harmed);
        }
    }
}
