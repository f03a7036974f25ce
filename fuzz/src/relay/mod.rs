//! A bridge's relay as a state machine (`keyward_bridge::relay`): bytes decide what governance does, which transactions
//! land and when, what the broker loses and strangers write into it, what devices and forgers say, and where the process
//! dies. The [`judge`] finds the rules of `docs/protocol.md` kept at every step, and, when everything has calmed down, the
//! broker as finalized state says.

pub mod chain;
pub mod devices;
pub mod judge;
pub mod line;
pub mod state;

use std::collections::BTreeMap;

use keyward_bridge::relay::{journal::Journal, Action, Effects, Input, Relay};
use keyward_protocol::{request::Ask, topic::PREFIX, Commitment, DeviceId, GroupId, Role};

use self::{
    chain::Chain,
    judge::Judge,
    line::{Broker, Sent},
    state::Call,
};
use crate::{choices::Choices, numbers::Numbers};

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
}

impl Op {
    /// All of them, in the order of their bytes.
    pub const ALL: [Self; 18] = [
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
    ];
}

/// A bridge's relay (DESIGN section 7): events, and then the calm after them.
pub fn relay(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut course = Course::new();
    for _ in 0..EVENTS {
        if choices.is_over() {
            break;
        }
        let op = Op::ALL[choices.below(Op::ALL.len())];
        course.happen(op, &mut choices);
    }
    course.calm_down();
    // A gateway that was suspended makes up for it.
    if !course.chain.finalized.gateway_acts {
        course.call(Call::Gateway(true), 0, 0);
        course.calm_down();
    }
}

struct Course {
    chain: Chain,
    broker: Broker,
    relay: Relay,
    journal: Journal,
    judge: Judge,
    now: u64,
    starts: u64,
    refresh: bool,
    /// How many changes become durable of what comes next, and how many actions are carried out then.
    death: Option<(usize, usize)>,
    counters: BTreeMap<DeviceId, u64>,
    /// Everything that devices said.
    said: Vec<(String, Vec<u8>)>,
}

fn new_journal() -> Journal {
    Journal {
        home: Some(devices::home()),
        ..Journal::default()
    }
}

fn new_relay(journal: &Journal, starts: u64) -> Relay {
    let rng = Box::new(Numbers::new(starts));
    let key = devices::statement_key();
    Relay::new(devices::home(), PREFIX, key, journal.clone(), rng)
}

impl Course {
    fn new() -> Self {
        let journal = new_journal();
        Self {
            chain: Chain::new(),
            broker: Broker::default(),
            relay: new_relay(&journal, 0),
            journal,
            judge: Judge::default(),
            now: 0,
            starts: 0,
            refresh: false,
            death: None,
            counters: BTreeMap::new(),
            said: Vec::new(),
        }
    }

    fn restart(&mut self) {
        self.broker.disconnect(0, false);
        self.chain.forget_waiters();
        self.judge.on_start();
        self.starts += 1;
        (self.now, self.refresh, self.death) = (0, false, None);
        self.relay = new_relay(&self.journal, self.starts);
    }

    fn input(&mut self, input: Input) {
        self.judge.on_input(&input);
        let by = match &input {
            Input::Message(message) => Some((message.topic.clone(), message.payload.clone())),
            _ => None,
        };
        let effects = self.relay.handle(self.now, input);
        match self.death.take() {
            None => {
                self.carry_out(&effects, by.as_ref(), usize::MAX, usize::MAX);
                self.judge.on_effects(&self.journal, &effects);
            }
            Some((changes, actions)) => {
                self.carry_out(&effects, by.as_ref(), changes, actions);
                self.restart();
            }
        }
    }

    fn carry_out(
        &mut self,
        effects: &Effects,
        by: Option<&(String, Vec<u8>)>,
        changes: usize,
        actions: usize,
    ) {
        for change in effects.changes.iter().take(changes) {
            self.judge.on_change(&self.journal, change, by);
            self.journal.apply(change.clone());
        }
        let is_whole = effects.changes.len() <= changes;
        for action in effects.actions.iter().take(actions).filter(|_| is_whole) {
            self.judge.on_action(&self.journal, action);
            self.perform(action.clone());
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Publish(publish) => {
                let token = publish.token;
                if !self.broker.send(Sent::Publish(publish)) {
                    self.input(Input::Answered(token));
                }
            }
            Action::Respond { topic, payload } => {
                self.broker.send(Sent::Respond(topic, payload));
            }
            Action::Acknowledge(id) => _ = self.broker.send(Sent::Acknowledge(id)),
            Action::Submit(id, command) => self.chain.submit(id, command),
            Action::Refresh => self.refresh = true,
            Action::Resubscribe => _ = self.broker.send(Sent::Resubscribe),
            Action::Tell(..) => {}
        }
    }

    fn look(&mut self) {
        let refresh = std::mem::take(&mut self.refresh);
        let block = self.chain.look(refresh);
        self.input(Input::Finalized(block));
    }

    fn end(&mut self) -> bool {
        let ended = self.chain.end();
        let is_one = ended.is_some();
        if let Some((id, outcome)) = ended {
            self.input(Input::Ended(id, outcome));
        }
        is_one
    }

    fn hear(&mut self) -> bool {
        let heard = self.broker.hear();
        let is_one = heard.is_some();
        if let Some(input) = heard {
            self.input(input);
        }
        is_one
    }

    fn tick(&mut self, ms: u64) {
        self.now += ms;
        self.input(Input::Tick);
    }

    fn round(&mut self) {
        self.broker.connect();
        for _ in 0..10_000 {
            let received = self.broker.receive();
            let heard = self.hear();
            let ended = self.end();
            if !received && !heard && !ended {
                break;
            }
        }
        self.chain.seal(usize::MAX);
        self.look();
        self.tick(2_000);
    }

    /// Nothing goes wrong any more, until nothing happens any more.
    fn calm_down(&mut self) {
        self.death = None;
        let mut quiet = 0;
        for _ in 0..600 {
            self.round();
            let status = self.relay.status();
            let pending = match status.blocked {
                Some(_) => 0,
                None => status.requests_pending + status.receipts_pending,
            };
            let open = status.outbox + status.transactions + pending;
            let is_quiet = open == 0 && self.chain.is_quiet() && self.broker.is_quiet();
            quiet = if is_quiet { quiet + 1 } else { 0 };
            if quiet == 8 {
                let chain = &self.chain.finalized;
                return judge::check_calm(chain, &self.journal, &self.broker.retained);
            }
        }
        panic!("it does not calm down: {:?}", self.relay.status());
    }

    fn call(&mut self, call: Call, group: usize, device: usize) {
        let (group, device) = (devices::group(group), devices::device(device));
        self.chain.call(call, &group, &device);
    }

    fn happen(&mut self, op: Op, choices: &mut Choices<'_>) {
        match op {
            Op::Round => self.round(),
            Op::Call => self.govern(choices),
            Op::Seal => self.chain.seal(choices.below(4)),
            Op::Look => self.look(),
            Op::End => _ = self.end(),
            Op::Lose => {
                let how = choices.byte();
                self.chain.lose(usize::from(how >> 1), how & 1 == 1);
            }
            Op::Receive => (0..=choices.below(6)).for_each(|_| _ = self.broker.receive()),
            Op::Hear => (0..=choices.below(6)).for_each(|_| _ = self.hear()),
            Op::Connection => match choices.byte() {
                0..=127 => self.broker.connect(),
                how @ 128..=240 => self.broker.disconnect(usize::from(how & 3), true),
                _ => self.broker.lose_everything(),
            },
            Op::Tick => {
                let steps = [300, 2_000, 6_000, 31_000];
                self.tick(steps[choices.below(steps.len())]);
            }
            Op::Kill => match choices.byte() {
                0..=63 => self.restart(),
                how => self.death = Some((usize::from(how & 7), usize::from(how >> 3 & 7))),
            },
            Op::LoseJournal => {
                self.judge.generation += 1;
                self.journal = new_journal();
                self.restart();
            }
            Op::Ask => self.ask(choices),
            Op::Acknowledge => self.acknowledge(choices),
            Op::Forge | Op::Raw => self.forge(op, choices),
            Op::Write => self.write(choices),
            Op::Reconcile => self.input(Input::Reconcile),
        }
    }

    fn govern(&mut self, choices: &mut Choices<'_>) {
        let how = choices.byte();
        let (group, device) = (usize::from(how & 1), usize::from(how >> 1 & 3));
        let epochs = self.chain.finalized.groups.values();
        if epochs.map(|group| group.view.epoch).max() > Some(48) {
            return;
        }
        let call = match how >> 3 {
            0..=3 => Call::Create,
            4 | 5 => Call::Add(Role::Both),
            6 => Call::Add(Role::Publish),
            7 | 8 => Call::Add(Role::Subscribe),
            9..=12 => Call::Remove,
            13..=15 => Call::Rotate,
            16 => Call::Freeze,
            17..=19 => Call::Thaw,
            20 => Call::Close,
            21 => Call::RekeyOnJoin(false),
            22 => Call::RekeyOnJoin(true),
            23 | 24 => Call::Suspend,
            25 | 26 => Call::Reinstate,
            27 => Call::Revoke,
            28 => Call::Gateway(false),
            _ => Call::Gateway(true),
        };
        self.call(call, group, device);
    }

    fn say(&mut self, topic: String, payload: Vec<u8>) {
        self.judge.note_genuine(&topic, &payload);
        self.said.push((topic.clone(), payload.clone()));
        self.broker.say(topic, payload);
    }

    fn version(&self, device: &DeviceId) -> u32 {
        let known = self.chain.finalized.devices.get(device);
        known.map_or(1, |known| known.key_version)
    }

    fn ask(&mut self, choices: &mut Choices<'_>) {
        let how = choices.byte();
        let device = devices::device(usize::from(how & 3));
        let version = self.version(&device);
        let counter = self.counters.entry(device.clone()).or_default();
        *counter += 1;
        let counter = match how >> 6 {
            0 => counter.saturating_sub(1),
            _ => *counter,
        };
        let (version, ask) = match how >> 2 & 7 {
            0 | 1 => (1, devices::enrolment(&device, 1)),
            2 => (version + 1, devices::enrolment(&device, version + 1)),
            3..=5 => (version, devices::replacement(&device, version)),
            _ => (version, Ask::Resync),
        };
        let payload = devices::request(&device, version, ask, counter);
        self.say(devices::request_topic(&device), payload);
    }

    fn acknowledge(&mut self, choices: &mut Choices<'_>) {
        let how = choices.byte();
        let (device, group) = (
            devices::device(usize::from(how & 3)),
            devices::group(usize::from(how >> 2 & 1)),
        );
        let back = u32::from(how >> 3 & 3);
        let commitment = match how >> 5 {
            0 => Some(Commitment([0xee; 32])),
            _ => self.commitment(&group, back),
        };
        let epoch = self.epoch(&group).saturating_sub(back);
        if let Some(commitment) = commitment {
            let version = self.version(&device);
            let receipt = devices::receipt(&group, epoch, commitment, &device, version);
            self.say(devices::receipt_topic(&device), receipt);
        }
    }

    fn epoch(&self, group: &GroupId) -> u32 {
        let group = self.chain.finalized.groups.get(group);
        group.map_or(1, |group| group.view.epoch)
    }

    fn commitment(&self, group: &GroupId, back: u32) -> Option<Commitment> {
        let group = self.chain.finalized.groups.get(group)?;
        let exchange = group.exchange(group.view.epoch.checked_sub(back)?)?;
        exchange.committed.map(|(commitment, _)| commitment)
    }

    /// What a device said, again: as it was, on another topic, or changed. Or bytes out of nowhere.
    fn forge(&mut self, op: Op, choices: &mut Choices<'_>) {
        let how = choices.byte();
        let device = devices::device(usize::from(how & 3));
        let topic = match how & 4 {
            0 => devices::request_topic(&device),
            _ => devices::receipt_topic(&device),
        };
        if op == Op::Raw {
            let payload = choices.bytes().to_vec();
            return self.broker.say(topic, payload);
        }
        let back = usize::from(choices.byte());
        let Some((of, payload)) = self.said.iter().rev().nth(back).cloned() else {
            return;
        };
        match how >> 3 & 3 {
            0 => self.broker.say(of, payload),
            1 => self.broker.say(topic, payload),
            _ => {
                let harmed = choices.harm(payload);
                self.broker.say(of, harmed);
            }
        }
    }

    /// A stranger writes below the gateway's branch, or deletes there; retained or not.
    fn write(&mut self, choices: &mut Choices<'_>) {
        let how = choices.byte();
        let wanted = self.relay.wanted();
        let at = choices.below(wanted.len());
        let Some((topic, right)) = wanted.iter().nth(at) else {
            return;
        };
        let number = how >> 4;
        match how & 7 {
            0 => self.broker.publish(topic, b""),
            1 => self.broker.publish(topic, b"not what the gateway said"),
            2 => self.broker.whisper(topic, right),
            3 => self.broker.whisper(topic, b"a whisper"),
            4 => {
                let other = wanted.values().nth(usize::from(number) % wanted.len());
                let other = other.cloned().unwrap_or_default();
                self.broker.publish(topic, &other);
            }
            5 => {
                let topic = format!("{PREFIX}/gateway/gw/grant/stranger{number}/g0");
                self.broker.publish(&topic, b"foreign");
            }
            6 => {
                let topic = format!("{PREFIX}/gateway/gw/nonsense/{number}");
                self.broker.publish(&topic, b"foreign");
            }
            _ => {
                let harmed = choices.harm(right.clone());
                self.broker.publish(topic, &harmed);
            }
        }
    }
}
