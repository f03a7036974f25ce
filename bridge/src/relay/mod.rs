//! The bridge without the world: a state machine that is told what happened and says what to do (DESIGN section 7).
//!
//! It has no clock, does no I/O and awaits nothing. Each [`Input`] gives [`Effects`]: changes for the journal, and actions
//! that may be carried out only after those changes are durable. Whatever is lost by a crash between the two is found
//! missing afterwards, because every decision is taken from finalized state and the journal alone.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod anchor;
pub mod broker;
mod delivery;
mod demand;
mod epochs;
pub mod fleet;
pub mod grants;
pub mod journal;
mod rate;
mod receipts;
mod requests;
mod statements;
mod tally;
pub mod transactions;

use std::{collections::BTreeMap, fmt, sync::Arc};

use keyward_crypto::SigningKey;
use keyward_protocol::{
    beacon::BlockRef,
    bytes::Nonce,
    request::{Response, Status},
    topic::ControlTopic,
    DeviceId, GroupId,
};
use rand_core::CryptoRngCore;

use self::{
    broker::{Broker, Publish, Rank},
    demand::Told,
    fleet::{Block, Fleet},
    journal::{Change, Home, Journal, ReceiptKey},
    rate::Rate,
    statements::Author,
    transactions::{Command, Job, Outcome, Transactions},
};
pub use anchor::GivenAnchor;
pub use tally::{GroupStatus, Status as RelayStatus, Tally};

/// How long the broker may take to tell what it retains, in milliseconds.
const SYNC: u64 = 5_000;
/// Time between two blocks, in milliseconds: blocks may be missing, but none comes earlier.
const SLOT_MS: u64 = 2_000;
/// Messages that wait for the first look at the chain.
const WAITING: usize = 256;

/// A message from the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Names it in [`Action::Acknowledge`].
    pub id: u64,
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
    /// Whether the broker retains it: told after a subscription, or published so just now.
    pub retained: bool,
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// A block was finalized.
    Finalized(Block),
    /// Connected and subscribed; what is retained follows.
    Connected,
    /// The connection is lost.
    Disconnected,
    /// A message came.
    Message(Message),
    /// The broker acknowledged a publish.
    Answered(u64),
    /// A transaction ended.
    Ended(u64, Outcome),
    /// The configuration certifies the statement key.
    Anchor(GivenAnchor),
    /// Compare everything anew.
    Reconcile,
    /// Time has passed.
    Tick,
}

/// What to do, after the changes are durable.
#[expect(
    clippy::large_enum_variant,
    reason = "they are moved once, from the relay to who carries them out"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Publish a retained message.
    Publish(Publish),
    /// Publish a message that is not retained.
    Respond {
        /// Where.
        topic: String,
        /// What.
        payload: Vec<u8>,
    },
    /// Acknowledge a message to the broker.
    Acknowledge(u64),
    /// Submit a transaction; its end comes back as [`Input::Ended`] with this number.
    Submit(u64, Command),
    /// Read the whole state at the next block, changed or not.
    Refresh,
    /// Subscribe anew, so that the broker tells everything it retains.
    Resubscribe,
    /// Tell the operator.
    Tell(Severity, String),
}

/// How much an operator should mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Info,
    /// Look at it.
    Warn,
}

/// What an input leads to.
#[derive(Debug, Default)]
pub struct Effects {
    /// To make durable first, in order.
    pub changes: Vec<Change>,
    /// To do then, in order.
    pub actions: Vec<Action>,
}

/// The newest finalized block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    block: BlockRef,
    time_ms: u64,
}

/// The state machine.
pub struct Relay {
    home: Home,
    prefix: String,
    key: SigningKey,
    rng: Box<dyn CryptoRngCore + Send>,
    journal: Journal,
    fleet: Option<Fleet>,
    head: Option<Head>,
    /// The first block that was seen.
    began: Option<u32>,
    broker: Broker,
    connected_at: Option<u64>,
    transactions: Transactions,
    /// The beacon that stands for each group.
    beacons: BTreeMap<GroupId, Told>,
    /// Receipts in the transaction on its way, per group.
    batches: BTreeMap<GroupId, Vec<ReceiptKey>>,
    /// Receipts per transaction: halved when one is refused.
    batch_limit: BTreeMap<GroupId, usize>,
    request_rate: Rate,
    receipt_rate: Rate,
    waiting: Vec<Message>,
    /// What the broker told as the gateway's anchor certificate, until it is judged.
    told_anchor: Option<Vec<u8>>,
    /// Whether something could not be stated at this block and is tried at the next.
    again: bool,
    tally: Tally,
    now: u64,
    effects: Effects,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Relay({} at {:?})", self.home.name, self.head)
    }
}

impl Relay {
    /// A relay that goes on where a journal ended. `key`: the gateway's statement key; `rng`: the operating system's
    /// generator.
    pub fn new(
        home: Home,
        prefix: &str,
        key: SigningKey,
        journal: Journal,
        rng: Box<dyn CryptoRngCore + Send>,
    ) -> Self {
        let mut relay = Self {
            home,
            prefix: prefix.to_owned(),
            key,
            rng,
            journal,
            fleet: None,
            head: None,
            began: None,
            broker: Broker::default(),
            connected_at: None,
            transactions: Transactions::default(),
            beacons: BTreeMap::new(),
            batches: BTreeMap::new(),
            batch_limit: BTreeMap::new(),
            request_rate: Rate::new(10, 2_000),
            receipt_rate: Rate::new(64, 500),
            waiting: Vec::new(),
            told_anchor: None,
            again: false,
            tally: Tally::default(),
            now: 0,
            effects: Effects::default(),
        };
        relay.recall();
        relay
    }

    /// Deals with an input. `now`: milliseconds of a clock that never goes back, e.g. since the start.
    pub fn handle(&mut self, now: u64, input: Input) -> Effects {
        self.now = self.now.max(now);
        match input {
            Input::Finalized(block) => self.on_block(block),
            Input::Connected => self.on_connected(),
            Input::Disconnected => {
                self.connected_at = None;
                self.broker.disconnected();
            }
            Input::Message(message) => self.on_message(message),
            Input::Answered(token) => self.broker.answered(token, self.now),
            Input::Ended(id, outcome) => self.on_ended(id, outcome),
            Input::Anchor(given) => self.on_given_anchor(given),
            Input::Reconcile => {
                self.act(Action::Refresh);
                self.act(Action::Resubscribe);
                // What is deleted without a word is not told again: nothing is believed to be held until it is told.
                if self.connected_at.is_some() {
                    self.on_connected();
                }
            }
            Input::Tick => self.on_tick(),
        }
        let publishes = self.broker.take(self.now);
        self.effects
            .actions
            .extend(publishes.into_iter().map(Action::Publish));
        std::mem::take(&mut self.effects)
    }

    /// Before the chain was seen, the journal tells what the broker should hold.
    fn recall(&mut self) {
        let online = Arc::from(ONLINE.as_bytes());
        self.broker
            .want(&self.state_topic(), Rank::Gateway, online, 0);
        for (topic, retained) in &self.journal.retained {
            let rank = demand::rank(&self.prefix, topic);
            self.broker.want(topic, rank, retained.payload.clone(), 0);
        }
    }

    fn on_block(&mut self, block: Block) {
        let number = block.block.number;
        if self.head.is_some_and(|head| number < head.block.number) {
            return;
        }
        self.head = Some(Head {
            block: block.block,
            time_ms: block.time_ms,
        });
        self.began.get_or_insert(number);
        self.change(Change::Cursor(block.block));
        let changed = block.fleet.is_some();
        if let Some(fleet) = block.fleet {
            self.fleet = Some(*fleet);
        }
        self.settle(number);
        self.age_secrets();
        if changed || std::mem::take(&mut self.again) {
            self.demand();
        }
        self.beacons();
        self.plan();
        for message in std::mem::take(&mut self.waiting) {
            self.on_message(message);
        }
    }

    fn on_connected(&mut self) {
        self.connected_at = Some(self.now);
        self.broker.connected();
        let publish = Publish {
            token: 0,
            topic: self.state_topic(),
            payload: Arc::from(ONLINE.as_bytes()),
        };
        self.act(Action::Publish(publish));
        // Not retained: its echo tells that everything retained has been told before.
        self.act(Action::Respond {
            topic: self.state_topic(),
            payload: ONLINE.into(),
        });
    }

    fn on_tick(&mut self) {
        let waited = |since: u64| self.now.saturating_sub(since) > SYNC;
        if self.connected_at.is_some_and(waited) {
            self.broker.listening(self.now);
        }
        self.plan();
    }

    /// Decides which transactions to send.
    fn plan(&mut self) {
        if self.fleet.is_none() || self.head.is_none() || self.blocked().is_some() {
            return;
        }
        self.plan_epochs();
        self.plan_deliveries();
        self.plan_requests();
        self.plan_receipts();
    }

    fn on_message(&mut self, message: Message) {
        let own = format!("{}/gateway/{}/", self.prefix, self.home.name);
        if message.topic.starts_with(&own) {
            self.act(Action::Acknowledge(message.id));
            return self.on_own(&message);
        }
        let topic = ControlTopic::parse(&self.prefix, &message.topic);
        let addressed = match &topic {
            Some(ControlTopic::Request(_, gateway) | ControlTopic::Ack(_, gateway)) => {
                *gateway == self.home.name
            }
            _ => false,
        };
        if addressed && self.fleet.is_none() && self.waiting.len() < WAITING {
            return self.waiting.push(message);
        }
        self.act(Action::Acknowledge(message.id));
        match topic {
            _ if !addressed => {}
            Some(ControlTopic::Request(device, _)) => self.on_request(&device, &message.payload),
            Some(ControlTopic::Ack(device, _)) => self.on_receipt(&device, &message.payload),
            _ => {}
        }
    }

    /// Something was published under our own branch, by us or by somebody else (TOP-5).
    fn on_own(&mut self, message: &Message) {
        if !message.retained {
            // It says nothing of what the broker holds, whoever wrote it (BRG-5).
            if message.topic == self.state_topic() && self.connected_at.is_some() {
                self.broker.listening(self.now);
            }
            return;
        }
        self.broker
            .holds(&message.topic, &message.payload, self.now);
        let topic = ControlTopic::parse(&self.prefix, &message.topic);
        if let Some(ControlTopic::Anchor(_)) = topic {
            self.on_anchor(&message.payload);
        }
    }

    fn on_ended(&mut self, id: u64, outcome: Outcome) {
        let block = self.head.map_or(0, |head| head.block.number);
        if let Outcome::Lost { reason } = &outcome {
            self.tell(
                Severity::Warn,
                format!("a transaction did not land: {reason}"),
            );
        }
        self.transactions.ended(id, outcome, block);
        self.settle(block);
        self.plan();
    }

    /// Deals with the transactions whose outcome shows in the state now.
    fn settle(&mut self, block: u32) {
        for (job, result) in self.transactions.settled(block) {
            // The state that we hold may be older than what the transaction changed.
            self.act(Action::Refresh);
            if let Err(error) = &result {
                self.tell(
                    Severity::Warn,
                    format!("the chain refused {job:?}: {error}"),
                );
            }
            match job {
                Job::Stage(group, epoch) => self.on_staged(&group, epoch, result.is_ok()),
                Job::Withdraw(group) => self.on_withdrawn(&group, result.is_ok()),
                Job::Rotate(_) => {}
                Job::Deliver(group, epoch) => self.on_delivered(&group, epoch, result.is_ok()),
                Job::Acknowledge(group) => self.on_acknowledged(&group, result),
                Job::Device(device) => self.on_device_settled(&device, result),
            }
        }
    }

    /// Why this gateway must not act, if so.
    pub fn blocked(&self) -> Option<String> {
        let fleet = self.fleet.as_ref()?;
        let account = self.home.account;
        match fleet.active_gateway(&account) {
            None => Some(format!("gateway {account} is not admitted on chain, or suspended: ask the council")),
            Some(gateway) if gateway.statement_key != self.key.verifying_key() => Some(format!(
                "the statement key on chain is {}, not that of gateway.statement_key_file: correct the file, or replace the key on chain",
                gateway.statement_key
            )),
            Some(_) => None,
        }
    }

    /// Publishes an answer to a device.
    fn respond(&mut self, device: &DeviceId, nonce: Nonce, status: Status, reason: &str) {
        let Some(head) = self.head else {
            return;
        };
        let response = Response {
            gateway: self.home.account,
            device: device.clone(),
            nonce,
            status,
            reason: tally::clip(reason),
            block: head.block,
            chain_time: head.time_ms,
        };
        let topic = ControlTopic::Response(self.home.name.clone(), device.clone());
        let topic = topic.to_topic(&self.prefix);
        match self.author().sign(response) {
            Ok(payload) => self.act(Action::Respond { topic, payload }),
            Err(error) => self.tell(Severity::Warn, format!("no response to {device}: {error}")),
        }
    }

    fn author(&self) -> Author<'_> {
        Author {
            genesis: self.home.genesis,
            account: self.home.account,
            key: &self.key,
        }
    }

    fn state_topic(&self) -> String {
        ControlTopic::GatewayState(self.home.name.clone()).to_topic(&self.prefix)
    }

    fn change(&mut self, change: Change) {
        self.journal.apply(change.clone());
        self.effects.changes.push(change);
    }

    fn act(&mut self, action: Action) {
        // Two looks at the state do not see more than one.
        let again = action == Action::Refresh && self.effects.actions.contains(&action);
        if !again {
            self.effects.actions.push(action);
        }
    }

    fn tell(&mut self, severity: Severity, text: String) {
        self.act(Action::Tell(severity, text));
    }

    fn submit(&mut self, job: Job, command: Command) {
        let id = self.transactions.start(job);
        self.act(Action::Submit(id, command));
    }
}

/// What stands in `…/gateway/<gw>/state` while the bridge is connected.
pub const ONLINE: &str = r#"{"state":"online"}"#;
/// What the broker publishes there when the connection is lost.
pub const OFFLINE: &str = r#"{"state":"offline"}"#;
