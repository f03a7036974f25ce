//! Everything around the relay, and the promises that hold at every step: nothing is done before it is durable, no second
//! secret is committed to for an epoch, nothing is called delivered before it was read back.

use std::collections::BTreeMap;

use keyward_bridge::{
    mqtt,
    relay::{
        journal::{AskState, Change, Journal, ReceiptKey},
        transactions::Command,
        Action, Effects, Input, Relay,
    },
};
use keyward_protocol::{
    grant::Grant,
    request::Ask,
    signing::Signed,
    statement::{DeviceStatement, GroupStatement},
    topic::{ControlTopic, PREFIX},
    Commitment, DeviceId, GroupId,
};

use crate::{
    broker::Broker,
    chain::{Chain, Pooled},
    devices::{self, verified, GENESIS},
    numbers::Numbers,
    witness::Witness,
};

/// Where a process dies while it deals with an input.
#[derive(Clone, Copy, Debug)]
pub struct Death {
    /// After so many changes are durable.
    pub changes: usize,
    /// And, if those were all, so many actions are carried out.
    pub actions: usize,
}

impl Death {
    /// It does not.
    const NEVER: Self = Self {
        changes: usize::MAX,
        actions: usize::MAX,
    };
}

/// The world. `W`: who looks on.
pub struct World<W = ()> {
    /// Who looks on.
    pub witness: W,
    /// The chain.
    pub chain: Chain,
    /// The broker.
    pub broker: Broker,
    /// The bridge.
    pub relay: Relay,
    /// What the bridge has made durable.
    pub journal: Journal,
    /// How often the journal was lost.
    pub generation: u32,
    /// A copy of the journal from before.
    saved: Option<Journal>,
    /// Every secret that was drawn, and for what.
    drawn: BTreeMap<[u8; 32], (GroupId, u32)>,
    /// The process's clock, in milliseconds.
    now: u64,
    refresh: bool,
    starts: u64,
    death: Option<Death>,
    /// The newest counter of each device's requests.
    counters: BTreeMap<DeviceId, u64>,
    /// Everything that devices said, with its topic.
    pub said: Vec<(String, Vec<u8>)>,
    /// Every commitment that was submitted, by journal, group and epoch.
    committed: BTreeMap<(u32, GroupId, u32), Commitment>,
    /// What this process published last on a topic, with its number, until the broker has acknowledged it.
    unanswered: BTreeMap<String, (u64, Vec<u8>)>,
    /// What came back from the broker last, on this connection.
    read_back: BTreeMap<String, Vec<u8>>,
    /// Topics of everything that was published retained.
    pub published: Vec<String>,
    /// Requests that were accepted.
    pub asked: Vec<(DeviceId, Ask)>,
    /// Receipts that were accepted, with the version of the keys.
    pub receipts: Vec<(ReceiptKey, u32)>,
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

impl<W: Witness> World<W> {
    /// A world in which nothing has happened.
    pub fn new(witness: W) -> Self {
        let journal = new_journal();
        Self {
            witness,
            chain: Chain::default(),
            broker: Broker::default(),
            relay: new_relay(&journal, 0),
            journal,
            generation: 0,
            saved: None,
            drawn: BTreeMap::new(),
            now: 0,
            refresh: false,
            starts: 0,
            death: None,
            counters: BTreeMap::new(),
            said: Vec::new(),
            committed: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            read_back: BTreeMap::new(),
            published: Vec::new(),
            asked: Vec::new(),
            receipts: Vec::new(),
        }
    }

    /// Has the process die while it deals with the next input.
    pub fn doom(&mut self, death: Death) {
        self.death = Some(death);
    }

    /// The process is killed and started again.
    pub fn restart(&mut self) {
        self.broker.disconnect(0, false);
        self.chain.forget_waiters();
        self.witness.on_start();
        self.read_back.clear();
        self.unanswered.clear();
        self.starts += 1;
        self.now = 0;
        self.death = None;
        self.relay = new_relay(&self.journal, self.starts);
    }

    /// The journal is lost: an operator names another one.
    pub fn lose_journal(&mut self) {
        self.go_on_with(new_journal());
    }

    /// Somebody copies the journal.
    pub fn backup(&mut self) {
        self.saved = Some(self.journal.clone());
    }

    /// Somebody restores the copy.
    pub fn restore(&mut self) {
        if let Some(saved) = self.saved.clone() {
            self.go_on_with(saved);
        }
    }

    fn go_on_with(&mut self, journal: Journal) {
        self.generation += 1;
        self.journal = journal;
        self.asked.clear();
        self.receipts.clear();
        self.restart();
    }

    /// Tells the relay what happened, and does what it says.
    pub fn input(&mut self, input: Input) {
        self.witness.on_input(self.now, &input);
        let genuine = self.hear_of(&input);
        let effects = self.relay.handle(self.now, input);
        let death = self.death.take();
        self.carry_out(&effects, death.unwrap_or(Death::NEVER), genuine);
        match death {
            None => self.witness.on_effects(&self.journal, &effects),
            Some(_) => self.restart(),
        }
    }

    /// Whether it is no message, or one that a device said.
    fn hear_of(&mut self, input: &Input) -> bool {
        match input {
            Input::Connected | Input::Disconnected => self.read_back.clear(),
            Input::Message(message) => {
                let (topic, payload) = (&message.topic, &message.payload);
                if message.retained {
                    self.read_back.insert(topic.clone(), payload.clone());
                }
                let mut said = self.said.iter();
                return said.any(|said| (&said.0, &said.1) == (topic, payload));
            }
            Input::Answered(token) => self.unanswered.retain(|_, open| open.0 != *token),
            _ => {}
        }
        true
    }

    fn carry_out(&mut self, effects: &Effects, death: Death, genuine: bool) {
        for change in effects.changes.iter().take(death.changes) {
            self.note(change);
            self.witness.on_change(&self.journal, change, genuine);
            self.journal.apply(change.clone());
        }
        let is_whole = effects.changes.len() <= death.changes;
        let actions = effects.actions.iter().take(death.actions);
        for action in actions.filter(|_| is_whole) {
            self.witness.on_action(&self.journal, action);
            self.perform(action.clone());
        }
    }

    fn note(&mut self, change: &Change) {
        match change {
            Change::Secret(group, epoch, held) => {
                let known = self.journal.secrets.get(&(group.clone(), *epoch));
                let replaces = known.is_some_and(|known| known.commitment != held.commitment);
                assert!(
                    !replaces,
                    "the secret of {group} {epoch} is replaced (BRG-1)"
                );
                let place = (group.clone(), *epoch);
                let first = self.drawn.entry(*held.secret.expose());
                let first = first.or_insert_with(|| place.clone());
                assert_eq!(*first, place, "a secret serves twice (KEY-1)");
            }
            Change::Ask(device, record) => {
                if let AskState::Pending(ask) = &record.state {
                    self.asked.push((device.clone(), ask.clone()));
                }
            }
            Change::Receipt(key, record) => {
                self.receipts.push((key.clone(), record.key_version));
            }
            // Neither the device nor the group is this gateway's any more: it cannot tell what became of the receipt.
            Change::ReceiptSettled(key) => {
                let fleet = self.chain.finalized.fleet();
                if fleet.device_key(&key.device, &key.group).is_none() {
                    self.receipts.retain(|(of, _)| of != key);
                }
            }
            _ => {}
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Publish(publish) => {
                let (topic, payload) = (&publish.topic, publish.payload.to_vec());
                self.check_published(topic, &payload);
                self.published.push(topic.clone());
                self.unanswered
                    .insert(topic.clone(), (publish.token, payload));
                self.broker.send(mqtt::Command::Publish(publish));
            }
            Action::Respond { topic, payload } => {
                self.broker.send(mqtt::Command::Respond { topic, payload })
            }
            Action::Acknowledge(id) => self.broker.send(mqtt::Command::Acknowledge(id)),
            Action::Submit(id, command) => {
                self.check_submitted(&command);
                let id = Some(id);
                self.chain.pool.push_back(Pooled { id, command });
            }
            Action::Refresh => self.refresh = true,
            Action::Resubscribe => self.broker.send(mqtt::Command::Resubscribe),
            Action::Tell(..) => {}
        }
    }

    /// BRG-2: what must survive is published only when it is durable.
    fn check_published(&self, topic: &str, payload: &[u8]) {
        use ControlTopic::{DeviceState, Grant, GroupState, Publishers};
        let owed = matches!(
            ControlTopic::parse(PREFIX, topic),
            Some(DeviceState(..) | Grant(..) | GroupState(..) | Publishers(..))
        );
        if owed && !payload.is_empty() {
            let durable = self.journal.retained.get(topic);
            let durable = durable.map(|retained| &*retained.payload);
            assert_eq!(
                durable,
                Some(payload),
                "{topic} is published and not durable (BRG-2)"
            );
        }
    }

    fn check_submitted(&mut self, command: &Command) {
        match command {
            Command::Stage {
                group,
                epoch,
                commitment,
            } => {
                let held = self.journal.secrets.get(&(group.clone(), *epoch));
                let durable = held.map(|held| held.commitment);
                assert_eq!(
                    durable,
                    Some(*commitment),
                    "{group} {epoch} is not durable (KEY-3, BRG-1)"
                );
                let key = (self.generation, group.clone(), *epoch);
                let first = *self.committed.entry(key).or_insert(*commitment);
                assert_eq!(
                    first, *commitment,
                    "two secrets for {group} {epoch} (BRG-1)"
                );
            }
            Command::Deliver { group, .. } => self.check_delivered(group),
            Command::Acknowledge { receipts, .. } => {
                for (key, _) in receipts {
                    assert!(
                        self.journal.receipts.contains_key(key),
                        "{key:?} is not durable (BRG-6)"
                    );
                }
            }
            _ => {}
        }
    }

    /// BRG-3: everything of a group that is owed to the broker was acknowledged by it, and came back.
    fn check_delivered(&self, group: &GroupId) {
        for (topic, retained) in &self.journal.retained {
            use ControlTopic::{Grant, GroupState, Publishers};
            let of_group = match ControlTopic::parse(PREFIX, topic) {
                Some(GroupState(_, of) | Publishers(_, of, _) | Grant(_, _, of)) => of == *group,
                _ => false,
            };
            let back = self.read_back.get(topic).map(Vec::as_slice);
            let is_back = back == Some(&*retained.payload);
            assert!(!of_group || is_back, "{topic} was not read back (BRG-3)");
            let open = self.unanswered.get(topic);
            let is_open = open.is_some_and(|(_, payload)| payload[..] == *retained.payload);
            assert!(
                !of_group || !is_open,
                "{topic} was not acknowledged (BRG-3)"
            );
        }
    }

    /// A block is finalized with the first transactions of the pool.
    pub fn seal(&mut self, transactions: usize) {
        self.chain.seal(transactions);
    }

    /// The bridge sees the newest block.
    pub fn look(&mut self) {
        let refresh = std::mem::take(&mut self.refresh);
        let block = self.chain.look(refresh);
        self.input(Input::Finalized(block));
    }

    /// The bridge hears how a transaction ended.
    pub fn end(&mut self) -> bool {
        let Some((id, outcome)) = self.chain.ended.pop_front() else {
            return false;
        };
        self.input(Input::Ended(id, outcome));
        true
    }

    /// The bridge hears the next message of the broker.
    pub fn hear(&mut self) -> bool {
        let Some(input) = self.broker.hear() else {
            return false;
        };
        self.input(input);
        true
    }

    /// Time passes.
    pub fn tick(&mut self, ms: u64) {
        self.now += ms;
        self.input(Input::Tick);
    }

    /// Everything on its way arrives, and a block comes.
    pub fn round(&mut self) {
        self.broker.connect();
        for _ in 0..10_000 {
            let received = self.broker.receive();
            let heard = self.hear();
            let ended = self.end();
            if !received && !heard && !ended {
                break;
            }
        }
        self.seal(usize::MAX);
        self.look();
        self.tick(2_000);
    }

    /// Nothing goes wrong any more, until nothing happens any more.
    pub fn calm_down(&mut self) {
        self.broker.recover();
        let mut quiet = 0;
        for _ in 0..600 {
            self.round();
            let status = self.relay.status();
            let open = status.outbox + status.transactions;
            // A gateway that is suspended submits nothing.
            let pending = match status.blocked {
                Some(_) => 0,
                None => status.requests_pending + status.receipts_pending,
            };
            let still = open + pending == 0 && self.chain.is_quiet() && self.broker.is_quiet();
            quiet = if still { quiet + 1 } else { 0 };
            if quiet == 8 {
                return;
            }
        }
        panic!("it does not calm down: {:?}", self.relay.status());
    }

    /// The version of a device's keys on chain; 1 for one that is not enrolled.
    pub fn version(&self, device: &DeviceId) -> u32 {
        let known = self.chain.finalized.devices.get(device);
        known.map_or(1, |known| known.key_version)
    }

    /// The counter of a device's next request.
    pub fn count(&mut self, device: &DeviceId) -> u64 {
        let counter = self.counters.entry(device.clone()).or_default();
        *counter += 1;
        *counter
    }

    /// A device sends a request.
    pub fn ask(&mut self, device: &DeviceId, version: u32, ask: Ask) {
        let counter = self.count(device);
        let request = devices::request(device, version, ask, counter);
        self.say(devices::request_topic(device), request);
    }

    /// A device says something.
    pub fn say(&mut self, topic: String, payload: Vec<u8>) {
        self.said.push((topic.clone(), payload.clone()));
        self.broker.say(topic, payload);
    }

    /// Somebody sends again what a device sent before.
    pub fn replay(&mut self, device: &DeviceId, which: usize) {
        let topics = [
            devices::request_topic(device),
            devices::receipt_topic(device),
        ];
        let sent = self.said.iter().filter(|(topic, _)| topics.contains(topic));
        let sent: Vec<_> = sent.collect();
        if let Some((topic, payload)) = sent.get(which % sent.len().max(1)) {
            self.broker.say(topic.clone(), payload.clone());
        }
    }

    /// What the broker retains below the gateway's branch.
    pub fn told(&self, topic: &ControlTopic) -> Option<&Vec<u8>> {
        self.broker.retained.get(&topic.to_topic(PREFIX))
    }

    /// A device's statement at the broker, if the gateway signed it.
    pub fn device_statement(&self, device: &DeviceId) -> Option<DeviceStatement> {
        let topic = ControlTopic::DeviceState(devices::gateway(), device.clone());
        verified(self.told(&topic)?).map(Signed::into_body)
    }

    /// A group's statement at the broker, if the gateway signed it.
    pub fn group_statement(&self, group: &GroupId) -> Option<GroupStatement> {
        let topic = ControlTopic::GroupState(devices::gateway(), group.clone());
        verified(self.told(&topic)?).map(Signed::into_body)
    }

    /// The grant at the broker, as the device opens it with keys of this version.
    pub fn grant(&self, group: &GroupId, device: &DeviceId, version: u32) -> Option<Grant> {
        let topic = ControlTopic::Grant(devices::gateway(), device.clone(), group.clone());
        let recipient = keyward_crypto::grant::Recipient {
            group,
            device,
            key_version: version,
        };
        let key = devices::agreement(device, version);
        keyward_crypto::grant::open(&key, self.told(&topic)?, recipient).ok()
    }

    /// A device acknowledges the epoch of the statement, if it holds its secret.
    pub fn acknowledge(&mut self, group: &GroupId, device: &DeviceId) {
        let version = self.version(device);
        let Some(statement) = self.group_statement(group) else {
            return;
        };
        let Some(grant) = self.grant(group, device, version) else {
            return;
        };
        let epoch = statement.epoch;
        let granted = grant.epochs.iter().find(|granted| granted.epoch == epoch);
        let (Some((commitment, custodian)), Some(granted)) = (statement.commitment(epoch), granted)
        else {
            return;
        };
        let secret = &granted.secret;
        if keyward_crypto::epoch::opens(&commitment, &GENESIS, group, epoch, &custodian, secret) {
            let receipt = devices::receipt(group, epoch, commitment, device, version);
            self.say(devices::receipt_topic(device), receipt);
        }
    }
}
