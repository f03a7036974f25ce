//! A chain with one gateway: blocks, and a pool whose transactions land late, never, or after everybody gave them up.

use std::collections::VecDeque;

use keyward_bridge::relay::{
    fleet::Block,
    transactions::{Command, Outcome},
};
use keyward_protocol::{DeviceId, GroupId, Role};

use super::{
    devices,
    state::{block_ref, Call, State},
};

/// Chain time of block 0, in milliseconds since 1970.
const BEGAN_MS: u64 = 1_700_000_000_000;

/// The chain.
#[derive(Debug)]
pub struct Chain {
    next: State,
    /// The newest finalized block.
    pub finalized: State,
    /// Transactions that may land, and who waits for them.
    pool: VecDeque<(Option<u64>, Command)>,
    ended: VecDeque<(u64, Outcome)>,
    told: Option<u64>,
}

impl Chain {
    /// A chain that has admitted the gateway and its authority, with two devices in a group.
    pub fn new() -> Self {
        let mut state = State::new();
        state.number = 1;
        let group = devices::group(0);
        for number in 0..2 {
            let device = devices::device(number);
            state.register(&device).expect("a new device");
        }
        let first = devices::device(0);
        state.call(Call::Create, &group, &first).expect("a group");
        for number in 0..2 {
            let device = devices::device(number);
            let join = state.call(Call::Add(Role::Both), &group, &device);
            join.expect("a member");
        }
        let mut next = state.clone();
        next.number = 2;
        Self {
            next,
            finalized: state,
            pool: VecDeque::new(),
            ended: VecDeque::new(),
            told: None,
        }
    }

    /// What governance does in the block that is being built.
    pub fn call(&mut self, call: Call, group: &GroupId, device: &DeviceId) {
        let mut after = self.next.clone();
        if after.call(call, group, device).is_ok() {
            self.next = after;
        }
    }

    /// The gateway sends a transaction.
    pub fn submit(&mut self, id: u64, command: Command) {
        self.pool.push_back((Some(id), command));
    }

    /// Finalizes a block with the first transactions of the pool.
    pub fn seal(&mut self, transactions: usize) {
        for _ in 0..transactions.min(self.pool.len()) {
            let Some((id, command)) = self.pool.pop_front() else {
                break;
            };
            let block = self.next.number;
            let outcome = match self.next.clone().execute(&command) {
                Ok(after) => {
                    self.next = after;
                    Outcome::Done { block }
                }
                Err(error) => Outcome::Refused {
                    block,
                    error: error.to_owned(),
                },
            };
            self.ended.extend(id.map(|id| (id, outcome)));
        }
        self.finalized = self.next.clone();
        self.next.number += 1;
    }

    /// The bridge gives a transaction up, which may land all the same.
    pub fn lose(&mut self, which: usize, lands: bool) {
        let at = which % self.pool.len().max(1);
        let reason = "nobody knows".to_owned();
        let id = self.pool.get_mut(at).and_then(|(id, _)| id.take());
        self.ended
            .extend(id.map(|id| (id, Outcome::Lost { reason })));
        if !lands {
            self.pool.remove(at);
        }
    }

    /// Nobody waits any more: the process is gone.
    pub fn forget_waiters(&mut self) {
        self.pool.iter_mut().for_each(|(id, _)| *id = None);
        self.ended.clear();
        self.told = None;
    }

    /// How the next transaction ended.
    pub fn end(&mut self) -> Option<(u64, Outcome)> {
        self.ended.pop_front()
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
            block: block_ref(state.number),
            time_ms: BEGAN_MS + u64::from(state.number) * 2_000,
            fleet: changed.then(|| Box::new(state.fleet())),
        }
    }
}

impl Default for Chain {
    fn default() -> Self {
        Self::new()
    }
}
