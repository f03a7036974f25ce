//! What the adapters report of themselves, for `/readyz`, `status` and the metrics.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::relay::RelayStatus;

/// A chain that has not finalized a block for so long is not being followed.
pub const CHAIN_SILENCE: Duration = Duration::from_secs(60);

/// What is known of the connections. Shared by everybody; a field each, no history.
#[derive(Debug, Default)]
pub struct Health(Mutex<State>);

#[derive(Clone, Debug, Default)]
struct State {
    starting: Option<String>,
    journal: Option<String>,
    block: Option<(u32, Instant)>,
    chain: Option<String>,
    incompatible: Option<String>,
    broker: Option<String>,
    stopping: bool,
}

impl Health {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves whole fields behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Not running yet, and why; none: running.
    pub fn set_starting(&self, why: Option<String>) {
        self.state().starting = why;
    }

    /// Why it is not running yet.
    pub fn starting(&self) -> Option<String> {
        self.state().starting.clone()
    }

    /// The process is told to stop.
    pub fn stop(&self) {
        self.state().stopping = true;
    }

    /// Whether the process is told to stop.
    pub fn is_stopping(&self) -> bool {
        self.state().stopping
    }

    /// Why nothing can be made durable now; none: it can.
    pub fn set_journal_problem(&self, why: Option<String>) {
        self.state().journal = why;
    }

    /// Why nothing can be made durable now.
    pub fn journal_problem(&self) -> Option<String> {
        self.state().journal.clone()
    }

    /// A block was finalized, and its state read.
    pub fn saw_block(&self, number: u32) {
        let mut state = self.state();
        state.block = Some((number, Instant::now()));
        state.chain = None;
        state.incompatible = None;
    }

    /// The chain cannot be followed now.
    pub fn chain_failed(&self, why: String) {
        self.state().chain = Some(why);
    }

    /// The chain's runtime is not understood: nothing is submitted.
    pub fn chain_is_incompatible(&self, why: String) {
        self.state().incompatible = Some(why);
    }

    /// Why the broker is not connected; none: it is.
    pub fn set_broker_problem(&self, why: Option<String>) {
        self.state().broker = why;
    }

    /// Time since the newest finalized block was seen.
    pub fn since_block(&self) -> Option<Duration> {
        self.state().block.map(|(_, seen)| seen.elapsed())
    }

    /// Why the bridge does not do its work now, if so.
    pub fn not_ready(&self, relay: Option<&RelayStatus>) -> Option<String> {
        let state = self.state().clone();
        let because = |what: &str, why: Option<String>| match why {
            None => what.to_owned(),
            Some(why) => format!("{what}: {why}"),
        };
        if let Some(why) = state.starting {
            return Some(because("starting", Some(why)));
        }
        if let Some(why) = state.journal {
            return Some(because(
                "nothing is done until the journal can be written",
                Some(why),
            ));
        }
        if let Some(why) = state.incompatible {
            return Some(because("the chain is not understood", Some(why)));
        }
        let Some(relay) = relay else {
            return Some("the bridge does not answer itself".into());
        };
        match state.block {
            None => return Some(because("the chain is not followed yet", state.chain)),
            Some((number, seen)) if seen.elapsed() > CHAIN_SILENCE => {
                let silent = format!("no block after {number} for {} s", seen.elapsed().as_secs());
                return Some(because(&silent, state.chain));
            }
            Some(_) if relay.block.is_none() => {
                return Some("the chain's state is being read".into())
            }
            Some(_) => {}
        }
        if !relay.broker {
            return Some(because(
                "the broker has not told what it holds",
                state.broker,
            ));
        }
        relay.blocked.clone()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::relay::GroupStatus;
    use keyward_protocol::statement::GroupState;

    fn group() -> GroupStatus {
        GroupStatus {
            state: GroupState::Active,
            epoch: 3,
            revision: 9,
            staged: 4,
            members: 2,
            delivered: true,
            stale: 1,
            stale_seconds: 8,
        }
    }

    /// A relay that does its work.
    pub(crate) fn working() -> RelayStatus {
        RelayStatus {
            gateway: "gw1".parse().unwrap(),
            account: keyward_protocol::AccountId([1; 32]),
            block: Some(7),
            block_time_ms: Some(14_000),
            broker: true,
            outbox: 0,
            retained: 3,
            devices: 2,
            groups: [("g".to_owned(), group())].into(),
            requests_pending: 0,
            receipts_pending: 0,
            transactions: 0,
            republished: 4,
            grants_sealed: 5,
            requests_accepted: 6,
            receipts_accepted: 7,
            refused: [("forged".to_owned(), 2), ("replayed".to_owned(), 0)].into(),
            blocked: None,
        }
    }

    fn following() -> Health {
        let health = Health::default();
        health.saw_block(7);
        health
    }

    #[test]
    fn a_bridge_that_follows_the_chain_and_hears_the_broker_is_ready() {
        assert_eq!(following().not_ready(Some(&working())), None);
    }

    #[test]
    fn each_obstacle_is_named() {
        let working = working();
        let starting = Health::default();
        starting.set_starting(Some("waiting for the council".into()));
        assert!(starting.not_ready(None).unwrap().contains("the council"));
        assert!(following()
            .not_ready(None)
            .unwrap()
            .contains("does not answer"));

        let blind = Health::default();
        blind.chain_failed("no connection".into());
        assert!(blind
            .not_ready(Some(&working))
            .unwrap()
            .contains("no connection"));

        let full = following();
        full.set_journal_problem(Some("the disk is full".into()));
        assert!(full.not_ready(None).unwrap().contains("the disk is full"));

        let stranger = following();
        stranger.chain_is_incompatible("runtime 9".into());
        assert!(stranger
            .not_ready(Some(&working))
            .unwrap()
            .contains("runtime 9"));

        let deaf = following();
        deaf.set_broker_problem(Some("connection refused".into()));
        let status = RelayStatus {
            broker: false,
            ..working.clone()
        };
        assert!(deaf
            .not_ready(Some(&status))
            .unwrap()
            .contains("connection refused"));

        let blocked = RelayStatus {
            blocked: Some("suspended".into()),
            ..working
        };
        assert_eq!(
            following().not_ready(Some(&blocked)).as_deref(),
            Some("suspended")
        );
    }
}
