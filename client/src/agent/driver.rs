//! Carries out what the session decides, in its order: what changed is durable first, then it is published and told; a message
//! is acknowledged to the broker when it was told and the next one is asked for (MSG-11).

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use keyward_protocol::topic::ControlTopic;
use tokio::time::{Interval, MissedTickBehavior};

mod succession;
mod will;

use super::{
    clock::Clock,
    exit::Failed,
    link::{Interest, Link, LinkEvent, NotPublished, Publication, Received, Ticket},
    store::{Store, Write},
};
use crate::session::{Action, Change, Effects, Input, Kind, SealRefused, Sealed, Session};
pub use succession::Heir;
pub use will::Wanted;
use will::Wills;

/// How often the session is told that time passes.
const TICK: Duration = Duration::from_millis(100);
/// Inputs that are made durable together.
const BATCH: usize = 64;
/// Publications of the session itself: it repeats what is not answered.
const UNNAMED: Publication = Publication(0);

/// What happened, after everything that it led to was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The session wants this to be known or handed up.
    Session(Action),
    /// Connected to the broker.
    Connected,
    /// Not connected; it is tried again.
    Disconnected(String),
    /// The broker answered to subscriptions.
    Subscribed {
        /// Those that it granted.
        granted: Vec<String>,
        /// Those that it refused.
        refused: Vec<String>,
    },
    /// The broker has a message, or never will.
    Published(Publication, Result<(), NotPublished>),
    /// The broker has the device's will, sealed in this epoch; or why it has none. Only where one is wanted.
    Will(Result<u32, SealRefused>),
    /// The device's new keys, of this version, took over.
    KeysReplaced(u32),
}

/// Whether messages of applications are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Messages {
    /// Taken, and acknowledged when they were told.
    Take,
    /// Left to the broker, which keeps them for the next `sub`.
    Leave,
}

/// A session on a store and a link.
pub struct Driver<L> {
    session: Session,
    store: Store,
    link: L,
    clock: Clock,
    ticks: Interval,
    prefix: String,
    messages: Messages,
    /// Told now, acknowledged when the next is asked for.
    told: Vec<Ticket>,
    /// Messages that the session keeps until it knows more, by topic.
    parked: BTreeMap<String, VecDeque<Ticket>>,
    is_connected: bool,
    wills: Option<Wills>,
    heir: Option<Heir>,
}

/// What inputs lead to, before it is durable.
#[derive(Default)]
struct Batch {
    changes: Vec<Change>,
    steps: Vec<Step>,
}

impl Batch {
    /// Whether the connection was lost.
    fn loses_connection(&self) -> bool {
        let is_loss = |step: &Step| matches!(step, Step::Tell(Told::Disconnected(_)));
        self.steps.iter().any(is_loss)
    }

    fn add(&mut self, effects: Effects) {
        self.changes.extend(effects.changes);
        self.steps
            .extend(effects.actions.into_iter().map(Step::Act));
    }
}

enum Step {
    /// Of the session.
    Act(Action),
    /// Of the session, and the end of the message that has just come.
    Answer(Action, Ticket),
    /// Of the link.
    Tell(Told),
    /// A control message was looked at.
    Control(Ticket),
    /// The session keeps a message of this topic until it knows more.
    Park(String, Ticket),
}

impl Step {
    /// The action is the end of the message with this ticket.
    fn answer(&mut self, ticket: Ticket) {
        if let Self::Act(action) = self {
            *self = Self::Answer(action.clone(), ticket);
        }
    }
}

impl<L: Link> Driver<L> {
    /// On a session, with what it wants to do first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn begin(
        (session, first): (Session, Effects),
        store: Store,
        link: L,
        clock: Clock,
        prefix: String,
        messages: Messages,
    ) -> Result<Self, Failed> {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut driver = Self {
            session,
            store,
            link,
            clock,
            ticks,
            prefix,
            messages,
            told: Vec::new(),
            parked: BTreeMap::new(),
            is_connected: false,
            wills: None,
            heir: None,
        };
        let mut batch = Batch::default();
        batch.add(first);
        driver.carry_out(batch)?;
        Ok(driver)
    }

    /// With a will. The link must be one that waits for it ([`Link::will`]).
    ///
    /// # Errors
    /// When the store fails.
    pub fn with_will(mut self, wanted: Wanted) -> Result<Self, Failed> {
        self.wills = Some(Wills::new(wanted));
        self.tell_will()?;
        Ok(self)
    }

    /// Waits for what happens next. May be dropped while it waits, without losing anything.
    ///
    /// # Errors
    /// When the store fails: nothing that was not durable was told or acknowledged then.
    pub async fn next(&mut self) -> Result<Vec<Told>, Failed> {
        self.acknowledge_told();
        let first = tokio::select! {
            event = self.link.next() => Some(event),
            _ = self.ticks.tick() => None,
        };
        let mut batch = Batch::default();
        match first {
            Some(event) => self.take(event, &mut batch),
            None => self.input(Input::Tick, &mut batch),
        }
        for _ in 1..BATCH {
            // Only what is there already.
            match tokio::time::timeout(Duration::ZERO, self.link.next()).await {
                Ok(event) => self.take(event, &mut batch),
                Err(_) => break,
            }
        }
        let was_connected = self.is_connected;
        let lost = batch.loses_connection();
        let mut told = self.carry_out(batch)?;
        if lost {
            self.tell_will()?;
        }
        if was_connected {
            self.renew_will();
        }
        self.succeed(&mut told)?;
        Ok(told)
    }

    /// Gives the session an input that does not come from the broker.
    ///
    /// # Errors
    /// When the store fails.
    pub fn tell(&mut self, input: Input) -> Result<Vec<Told>, Failed> {
        let mut batch = Batch::default();
        self.input(input, &mut batch);
        let mut told = self.carry_out(batch)?;
        self.succeed(&mut told)?;
        Ok(told)
    }

    /// The session, for looking.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Subscribes to messages of applications.
    pub fn subscribe(&mut self, filters: &[String]) {
        self.link.subscribe(filters, Interest::Application);
    }

    /// Ends subscriptions.
    pub fn unsubscribe(&mut self, filters: &[String]) {
        self.link.unsubscribe(filters);
    }

    /// Seals a message. What it used up is durable when this returns.
    ///
    /// # Errors
    /// The outer one when the store fails, the inner one when nothing was sealed.
    pub fn seal(
        &mut self,
        topic: &str,
        payload: &[u8],
        kind: Kind,
    ) -> Result<Result<Sealed, SealRefused>, Failed> {
        let sealed = self.session.seal(self.clock.now(), topic, payload, kind);
        if let Ok(sealed) = &sealed {
            self.commit(&sealed.changes)?;
        }
        Ok(sealed)
    }

    /// Publishes; what comes of it is told.
    pub fn publish(
        &mut self,
        publication: Publication,
        topic: &str,
        payload: Vec<u8>,
        retain: bool,
    ) {
        self.link.publish(publication, topic, payload, retain);
    }

    /// Remembers something of the agent's own.
    ///
    /// # Errors
    /// When the store fails.
    pub fn remember(&mut self, write: Write) -> Result<(), Failed> {
        Ok(self.store.commit(&[write])?)
    }

    /// Ends in good order.
    pub async fn close(mut self) {
        self.acknowledge_told();
        self.link.close().await;
    }

    fn acknowledge_told(&mut self) {
        for ticket in std::mem::take(&mut self.told) {
            self.link.acknowledge(ticket);
        }
    }

    fn take(&mut self, event: LinkEvent, batch: &mut Batch) {
        match event {
            LinkEvent::Connected { resumed } => {
                tracing::info!(resumed, "connected");
                self.parked.clear();
                self.is_connected = true;
                batch.steps.push(Step::Tell(Told::Connected));
                if let Some(wills) = &mut self.wills {
                    batch.steps.push(Step::Tell(Told::Will(wills.connected())));
                }
                self.input(Input::Connected, batch);
            }
            LinkEvent::Disconnected { reason, told } => {
                if let (Some(wills), true) = (&mut self.wills, told) {
                    wills.told();
                }
                tracing::warn!(reason, "not connected");
                self.is_connected = false;
                batch.steps.push(Step::Tell(Told::Disconnected(reason)));
                self.input(Input::Disconnected, batch);
            }
            LinkEvent::Subscribed { granted, refused } => {
                let told = Told::Subscribed { granted, refused };
                batch.steps.push(Step::Tell(told));
            }
            LinkEvent::Published(UNNAMED, Ok(())) => {}
            LinkEvent::Published(UNNAMED, Err(error)) => {
                tracing::warn!(%error, "a request or receipt was not published");
            }
            LinkEvent::Published(publication, outcome) => {
                let told = Told::Published(publication, outcome);
                batch.steps.push(Step::Tell(told));
            }
            LinkEvent::Received(received) => self.received(received, batch),
        }
    }

    fn received(&mut self, received: Received, batch: &mut Batch) {
        let Received {
            topic,
            payload,
            retain,
            ticket,
        } = received;
        let control = ControlTopic::parse(&self.prefix, &topic).is_some();
        if !control && self.messages == Messages::Leave {
            return;
        }
        let input = Input::Message {
            topic: topic.clone(),
            payload,
            retain,
        };
        let before = batch.steps.len();
        self.input(input, batch);
        if control {
            return batch.steps.push(Step::Control(ticket));
        }
        let answers =
            |step: &Step| matches!(step, Step::Act(action) if ends(action) == Some(&topic));
        let of_message = batch
            .steps
            .iter_mut()
            .skip(before)
            .find(|step| answers(step));
        match of_message {
            Some(step) => step.answer(ticket),
            None => batch.steps.push(Step::Park(topic, ticket)),
        }
    }

    fn input(&mut self, input: Input, batch: &mut Batch) {
        batch.add(self.session.handle(self.clock.now(), input));
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), Failed> {
        let writes: Vec<Write> = changes.iter().map(Write::from).collect();
        Ok(self.store.commit(&writes)?)
    }

    /// First what must be durable, then everything else.
    fn carry_out(&mut self, batch: Batch) -> Result<Vec<Told>, Failed> {
        self.commit(&batch.changes)?;
        let mut told = Vec::new();
        for step in batch.steps {
            match step {
                Step::Tell(event) => told.push(event),
                Step::Act(action) => {
                    self.unpark(&action);
                    told.extend(self.act(action));
                }
                Step::Answer(action, ticket) => {
                    self.told.push(ticket);
                    told.extend(self.act(action));
                }
                Step::Control(ticket) => self.told.push(ticket),
                Step::Park(topic, ticket) => {
                    self.parked.entry(topic).or_default().push_back(ticket);
                }
            }
        }
        Ok(told)
    }

    /// An action that is the end of a message that did not just come is that of a parked one.
    fn unpark(&mut self, action: &Action) {
        let Some(topic) = ends(action) else {
            return;
        };
        if let Some(tickets) = self.parked.get_mut(topic) {
            self.told.extend(tickets.pop_front());
        }
        self.parked.retain(|_, tickets| !tickets.is_empty());
    }

    fn act(&mut self, action: Action) -> Option<Told> {
        match action {
            Action::Subscribe { filter, interest } => {
                self.link.subscribe(&[filter], interest);
                None
            }
            Action::Unsubscribe { filter } => {
                self.link.unsubscribe(&[filter]);
                None
            }
            Action::Publish {
                topic,
                payload,
                retain,
            } => {
                self.link.publish(UNNAMED, &topic, payload, retain);
                None
            }
            action => Some(Told::Session(action)),
        }
    }
}

/// The topic of the message that an action is the end of.
fn ends(action: &Action) -> Option<&String> {
    match action {
        Action::Deliver(delivery) => Some(&delivery.topic),
        Action::Refuse { topic, .. } | Action::Pass { topic, .. } => Some(topic),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
