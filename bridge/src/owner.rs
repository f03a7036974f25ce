//! The one thread that has relay and journal. It takes what happened, as much as waits at once; lets the relay decide; makes
//! its changes durable in one transaction; and only then carries out what it decided: a secret before its commitment, grants and
//! statements before they are published, a request before its acknowledgement (BRG-1, BRG-2, REQ-6; DESIGN section 7).

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::{mpsc, oneshot};

use crate::{
    chain::Ledger,
    health::Health,
    mqtt::{Broker, Command},
    rekey::Rekeys,
    relay::{
        journal::Change, transactions::Outcome, Action, Effects, Input, Relay, RelayStatus,
        Severity,
    },
    store::{Store, StoreFailed},
};

/// Inputs whose changes are made durable together.
const BATCH: usize = 256;
/// Pause before changes are made durable again that could not be.
const PAUSE: Duration = Duration::from_millis(500);

/// What the owner is told.
#[derive(Debug)]
pub enum Event {
    /// Something happened.
    Input(Input),
    /// Somebody wants to know how things stand.
    Status(oneshot::Sender<RelayStatus>),
    /// Somebody wants everything compared anew.
    Reconcile(oneshot::Sender<()>),
    /// Finish.
    Stop,
}

/// What somebody is told once a batch is dealt with.
type Answer = Box<dyn FnOnce(&Relay)>;

/// Relay and journal, and the ways out.
pub struct Owner {
    relay: Relay,
    store: Store,
    broker: Box<dyn Broker>,
    ledger: Box<dyn Ledger>,
    rekeys: Rekeys,
    rekey_seconds: Histogram,
    health: Arc<Health>,
    started: Instant,
    /// Inputs that come before what others tell: carrying out has caused them, or the configuration gives them.
    own: Vec<Input>,
}

impl Owner {
    /// Takes over.
    pub fn new(
        relay: Relay,
        store: Store,
        broker: Box<dyn Broker>,
        ledger: Box<dyn Ledger>,
        rekey_seconds: Histogram,
        health: Arc<Health>,
    ) -> Self {
        Self {
            relay,
            store,
            broker,
            ledger,
            rekeys: Rekeys::default(),
            rekey_seconds,
            health,
            started: Instant::now(),
            own: Vec::new(),
        }
    }

    /// Deals with this before anything else that happens.
    pub fn first(mut self, input: Input) -> Self {
        self.own.push(input);
        self
    }

    /// Works until it is told to stop, or nobody is left to tell it anything. Blocks: a thread of its own. While the disk is
    /// full it does nothing but try again: what is not durable must not be done, and who tells it something waits.
    ///
    /// # Errors
    /// When the journal fails for good, or the disk is still full when it must stop: the next process goes on.
    pub fn run(mut self, mut events: mpsc::Receiver<Event>) -> Result<(), StoreFailed> {
        while let Some(first) = events.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH {
                match events.try_recv() {
                    Ok(event) => batch.push(event),
                    Err(_) => break,
                }
            }
            if self.turn(batch)? {
                break;
            }
        }
        Ok(())
    }

    /// Deals with a batch; tells whether it was the last one.
    fn turn(&mut self, batch: Vec<Event>) -> Result<bool, StoreFailed> {
        let mut effects = Effects::default();
        let mut answers: Vec<Answer> = Vec::new();
        let mut last = false;
        for input in std::mem::take(&mut self.own) {
            self.decide(input, &mut effects);
        }
        for event in batch {
            match event {
                Event::Input(input) => self.decide(input, &mut effects),
                Event::Status(to) => answers.push(Box::new(|relay| answer(to, relay.status()))),
                Event::Reconcile(to) => {
                    self.decide(Input::Reconcile, &mut effects);
                    answers.push(Box::new(|_| answer(to, ())));
                }
                Event::Stop => last = true,
            }
        }
        self.carry_out(effects)?;
        answers.into_iter().for_each(|answer| answer(&self.relay));
        Ok(last)
    }

    fn decide(&mut self, input: Input, effects: &mut Effects) {
        if let Input::Finalized(block) = &input {
            let ended = self.rekeys.block(block, now_ms());
            let histogram = &self.rekey_seconds;
            ended
                .into_iter()
                .for_each(|seconds| histogram.observe(seconds));
        }
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let more = self.relay.handle(now, input);
        effects.changes.extend(more.changes);
        effects.actions.extend(more.actions);
    }

    fn carry_out(&mut self, effects: Effects) -> Result<(), StoreFailed> {
        self.make_durable(&effects.changes)?;
        effects
            .changes
            .iter()
            .for_each(|change| self.measure(change));
        for action in effects.actions {
            self.perform(action);
        }
        Ok(())
    }

    /// Makes changes durable, however long the disk is full. The relay has made them already: it must not decide anything
    /// before they are, and not be given up for them.
    fn make_durable(&mut self, changes: &[Change]) -> Result<(), StoreFailed> {
        loop {
            match self.store.apply(changes) {
                Ok(()) => break,
                Err(failed) if failed.is_retryable() && !self.health.is_stopping() => {
                    // Once: a log that goes on may be what fills the disk.
                    if self.health.journal_problem().is_none() {
                        tracing::error!(%failed, "nothing is done until the journal can be written");
                    }
                    self.health.set_journal_problem(Some(failed.to_string()));
                    std::thread::sleep(PAUSE);
                }
                Err(failed) => return Err(failed),
            }
        }
        if self.health.journal_problem().is_some() {
            tracing::info!("the journal can be written again");
            self.health.set_journal_problem(None);
        }
        Ok(())
    }

    fn measure(&mut self, change: &Change) {
        if let Change::Receipt(receipt, _) = change {
            if let Some(seconds) = self.rekeys.receipt(receipt, now_ms()) {
                self.rekey_seconds.observe(seconds);
            }
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            // What nobody takes is never answered, and published again.
            Action::Publish(publish) => {
                self.broker.ask(Command::Publish(publish));
            }
            // Whoever asked asks again.
            Action::Respond { topic, payload } => {
                self.broker.ask(Command::Respond { topic, payload });
            }
            // It comes again with the next connection.
            Action::Acknowledge(id) => {
                self.broker.ask(Command::Acknowledge(id));
            }
            Action::Resubscribe => {
                self.broker.ask(Command::Resubscribe);
            }
            Action::Submit(id, command) => {
                if !self.ledger.submit(id, command) {
                    let reason = "the chain is not connected".to_owned();
                    self.own.push(Input::Ended(id, Outcome::Lost { reason }));
                }
            }
            Action::Refresh => self.ledger.refresh(),
            Action::Tell(Severity::Info, text) => tracing::info!("{text}"),
            Action::Tell(Severity::Warn, text) => tracing::warn!("{text}"),
        }
    }
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

/// Answers, unless whoever asked has gone.
fn answer<T>(to: oneshot::Sender<T>, with: T) {
    let _ = to.send(with);
}

#[cfg(test)]
mod tests;
