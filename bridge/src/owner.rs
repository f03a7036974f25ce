//! The one thread that has relay and journal. It takes what happened, as much as waits at once; lets the relay decide; makes
//! its changes durable in one transaction; and only then carries out what it decided: a secret before its commitment, grants and
//! statements before they are published, a request before its acknowledgement (BRG-1, BRG-2, REQ-6; DESIGN section 7).

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::{mpsc, oneshot};

use crate::{
    chain::Ledger,
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
    started: Instant,
    /// Inputs that carrying out has caused itself.
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
    ) -> Self {
        Self {
            relay,
            store,
            broker,
            ledger,
            rekeys: Rekeys::default(),
            rekey_seconds,
            started: Instant::now(),
            own: Vec::new(),
        }
    }

    /// Works until it is told to stop, or nobody is left to tell it anything. Blocks: a thread of its own.
    ///
    /// # Errors
    /// When the journal fails: what is not durable must not be done, so that the process ends, and the next one goes on.
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
            self.rekeys.block(block);
        }
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let more = self.relay.handle(now, input);
        effects.changes.extend(more.changes);
        effects.actions.extend(more.actions);
    }

    fn carry_out(&mut self, effects: Effects) -> Result<(), StoreFailed> {
        self.store.apply(&effects.changes)?;
        effects
            .changes
            .iter()
            .for_each(|change| self.measure(change));
        for action in effects.actions {
            self.perform(action);
        }
        Ok(())
    }

    fn measure(&mut self, change: &Change) {
        if let Change::Receipt(receipt, _) = change {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
            if let Some(seconds) = self.rekeys.receipt(receipt, now_ms) {
                self.rekey_seconds.observe(seconds);
            }
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Publish(publish) => {
                let token = publish.token;
                if !self.broker.ask(Command::Publish(publish)) {
                    self.own.push(Input::Answered(token));
                }
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

/// Answers, unless whoever asked has gone.
fn answer<T>(to: oneshot::Sender<T>, with: T) {
    let _ = to.send(with);
}

#[cfg(test)]
mod tests;
