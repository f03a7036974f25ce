//! A chain in memory: blocks, and a pool of transactions that land late, never, or after everybody gave them up.

use std::collections::VecDeque;

use keyward_bridge::relay::{
    fleet::Block,
    transactions::{Command, Outcome},
};
use keyward_protocol::Role;

use crate::{
    devices::{device, group},
    state::{self, Result, State},
};

/// A transaction in the pool.
pub struct Pooled {
    /// Who waits for its end; none when they gave up.
    pub id: Option<u64>,
    /// What it asks.
    pub command: Command,
}

/// The chain.
pub struct Chain {
    /// The block that is being built.
    pub next: State,
    /// The newest finalized block.
    pub finalized: State,
    /// Transactions that may land.
    pub pool: VecDeque<Pooled>,
    /// Transactions that were refused.
    pub refused: Vec<Command>,
    /// Ends that the bridge was not told of yet.
    pub ended: VecDeque<(u64, Outcome)>,
    /// The counter when the bridge read the state last.
    told: Option<u64>,
}

impl Default for Chain {
    /// A chain that has admitted the gateway and its authority.
    fn default() -> Self {
        let state = State::default();
        let mut next = state.clone();
        next.number = 1;
        Self {
            next,
            finalized: state,
            pool: VecDeque::new(),
            refused: Vec::new(),
            ended: VecDeque::new(),
            told: None,
        }
    }
}

impl Chain {
    /// Registers two devices and makes a group of them, in the block that is being built.
    pub fn found_group(&mut self) {
        self.apply(|state| state.create(&group(0)));
        for number in 0..2 {
            self.apply(|state| {
                state.register(&device(number))?;
                state.add(&group(0), &device(number), Role::Both)
            });
        }
    }

    /// Finalizes a block with the first transactions of the pool.
    pub fn seal(&mut self, transactions: usize) {
        for _ in 0..transactions {
            let Some(Pooled { id, command }) = self.pool.pop_front() else {
                break;
            };
            let block = self.next.number;
            let outcome = match self.next.clone().execute(&command) {
                Ok(after) => {
                    self.next = after;
                    Outcome::Done { block }
                }
                Err(error) => {
                    self.refused.push(command);
                    let error = error.to_owned();
                    Outcome::Refused { block, error }
                }
            };
            self.ended.extend(id.map(|id| (id, outcome)));
        }
        self.finalized = self.next.clone();
        self.next.number += 1;
    }

    /// Has the bridge give a transaction up; it may land all the same.
    pub fn lose(&mut self, which: usize, lands: bool) {
        if self.pool.is_empty() {
            return;
        }
        let at = which % self.pool.len();
        let reason = "nobody knows".to_owned();
        let id = self.pool[at].id.take();
        self.ended
            .extend(id.map(|id| (id, Outcome::Lost { reason })));
        if !lands {
            self.pool.remove(at);
        }
    }

    /// Forgets who waits: the process is gone.
    pub fn forget_waiters(&mut self) {
        self.pool.iter_mut().for_each(|pooled| pooled.id = None);
        self.ended.clear();
        self.told = None;
    }

    /// Whether nothing is on its way.
    pub fn is_quiet(&self) -> bool {
        self.pool.is_empty() && self.ended.is_empty()
    }

    /// What the bridge is told of the newest block.
    pub fn look(&mut self, refresh: bool) -> Block {
        let state = &self.finalized;
        let changed = refresh || self.told != Some(state.changes);
        self.told = Some(state.changes);
        Block {
            block: state::block_ref(state.number),
            time_ms: state::time_ms(state.number),
            fleet: changed.then(|| Box::new(state.fleet())),
        }
    }

    /// What governance or an operator does, in the block that is being built; what the chain refuses changes nothing.
    pub fn apply(&mut self, call: impl FnOnce(&mut State) -> Result) {
        let mut after = self.next.clone();
        if call(&mut after).is_ok() {
            self.next = after;
        }
    }
}
