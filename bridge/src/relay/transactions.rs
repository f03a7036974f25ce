//! Transactions on their way: at most one per job, none started again before the state behind its outcome was seen, and
//! pauses that grow while it fails. Time is counted in finalized blocks.

use std::collections::BTreeMap;

use keyward_protocol::{
    registration::{KeyReplacement, Voucher},
    Commitment, DeviceId, Digest, GroupId, Signature,
};

use super::journal::ReceiptKey;

/// Transactions that may be on their way at once.
const AT_ONCE: usize = 32;
/// Longest pause between two attempts, in blocks.
const LONGEST_PAUSE: u32 = 128;

/// What a transaction is for. Two transactions for the same job are never on their way at once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Job {
    /// Commit to the secret of an epoch.
    Stage(GroupId, u32),
    /// Take back staged epochs.
    Withdraw(GroupId),
    /// Begin a new epoch.
    Rotate(GroupId),
    /// Record the delivery of an epoch.
    Deliver(GroupId, u32),
    /// Record receipts.
    Acknowledge(GroupId),
    /// Register a device, or replace its keys.
    Device(DeviceId),
}

/// What a transaction asks the chain to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `stage_epoch`.
    Stage {
        /// The group.
        group: GroupId,
        /// The epoch.
        epoch: u32,
        /// Commitment to its secret.
        commitment: Commitment,
    },
    /// `withdraw_staged`.
    Withdraw {
        /// The group.
        group: GroupId,
        /// The first epoch to take back.
        epoch: u32,
    },
    /// `rotate`.
    Rotate {
        /// The group.
        group: GroupId,
    },
    /// `record_delivery`.
    Deliver {
        /// The group.
        group: GroupId,
        /// The epoch.
        epoch: u32,
        /// Members that it was delivered to.
        recipients: u32,
        /// Root over their grants.
        grants_root: Digest,
    },
    /// `acknowledge`.
    Acknowledge {
        /// The group.
        group: GroupId,
        /// Receipts with their signatures.
        receipts: Vec<(ReceiptKey, Signature)>,
    },
    /// `register_device`.
    Register {
        /// The voucher.
        voucher: Voucher,
        /// By the authority.
        voucher_signature: Signature,
        /// By the device.
        proof: Signature,
    },
    /// `replace_device_keys` with a new voucher.
    ReplaceByVoucher {
        /// The voucher.
        voucher: Voucher,
        /// By the authority.
        voucher_signature: Signature,
        /// By the device.
        proof: Signature,
    },
    /// `replace_device_keys`, signed by the current key.
    Replace {
        /// The new keys.
        replacement: KeyReplacement,
        /// By the new key.
        new_signature: Signature,
        /// By the current key.
        current_signature: Signature,
    },
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Finalized, and its call succeeded.
    Done {
        /// In this block.
        block: u32,
    },
    /// Finalized, and its call failed.
    Refused {
        /// In this block.
        block: u32,
        /// The chain's error, with its name.
        error: String,
    },
    /// It did not land, or nobody knows; the state decides whether it is tried again.
    Lost {
        /// What happened.
        reason: String,
    },
}

#[derive(Clone, Debug)]
enum Phase {
    Sent(u64),
    /// Ended in a block whose state was not seen yet.
    Landed(u32, Result<(), String>),
    /// Not before this block.
    Paused(u32),
}

#[derive(Clone, Debug)]
struct Attempt {
    phase: Phase,
    failures: u32,
}

/// All transactions on their way.
#[derive(Debug, Default)]
pub struct Transactions {
    jobs: BTreeMap<Job, Attempt>,
    next: u64,
}

impl Transactions {
    /// Whether a transaction for this job may be sent when this block is the newest.
    pub fn may_start(&self, job: &Job, block: u32) -> bool {
        let sent = |attempt: &&Attempt| matches!(attempt.phase, Phase::Sent(_));
        if self.jobs.values().filter(sent).count() >= AT_ONCE {
            return false;
        }
        match self.jobs.get(job).map(|attempt| &attempt.phase) {
            None => true,
            Some(Phase::Paused(until)) => block >= *until,
            Some(_) => false,
        }
    }

    /// Whether a transaction for this job is on its way, or its outcome was not seen in the state yet.
    pub fn is_open(&self, job: &Job) -> bool {
        let phase = self.jobs.get(job).map(|attempt| &attempt.phase);
        matches!(phase, Some(Phase::Sent(_) | Phase::Landed(..)))
    }

    /// Notes that a transaction is sent; the number names it.
    pub fn start(&mut self, job: Job) -> u64 {
        self.next = self.next.saturating_add(1);
        let failures = self.jobs.get(&job).map_or(0, |attempt| attempt.failures);
        let phase = Phase::Sent(self.next);
        self.jobs.insert(job, Attempt { phase, failures });
        self.next
    }

    /// Notes how a transaction ended.
    pub fn ended(&mut self, id: u64, outcome: Outcome, block: u32) {
        let named = |attempt: &Attempt| matches!(attempt.phase, Phase::Sent(sent) if sent == id);
        let found = self.jobs.values_mut().find(|attempt| named(attempt));
        let Some(attempt) = found else {
            return;
        };
        attempt.phase = match outcome {
            Outcome::Done { block } => Phase::Landed(block, Ok(())),
            Outcome::Refused { block, error } => Phase::Landed(block, Err(error)),
            Outcome::Lost { .. } => {
                attempt.failures = attempt.failures.saturating_add(1);
                Phase::Paused(block.saturating_add(pause(attempt.failures)))
            }
        };
    }

    /// Takes the outcomes whose block's state has been seen now.
    pub fn settled(&mut self, block: u32) -> Vec<(Job, Result<(), String>)> {
        let landed = |attempt: &Attempt| match &attempt.phase {
            Phase::Landed(at, result) if *at <= block => Some(result.clone()),
            _ => None,
        };
        let settled: Vec<_> = self
            .jobs
            .iter()
            .filter_map(|(job, attempt)| Some((job.clone(), landed(attempt)?)))
            .collect();
        for (job, result) in &settled {
            self.settle(job, result.is_ok(), block);
        }
        self.jobs
            .retain(|_, attempt| !is_stale(&attempt.phase, block));
        settled
    }

    fn settle(&mut self, job: &Job, done: bool, block: u32) {
        if done {
            self.jobs.remove(job);
        } else if let Some(attempt) = self.jobs.get_mut(job) {
            attempt.failures = attempt.failures.saturating_add(1);
            attempt.phase = Phase::Paused(block.saturating_add(pause(attempt.failures)));
        }
    }

    /// Forgets a job that is not wanted any more.
    pub fn forget(&mut self, job: &Job) {
        self.jobs.remove(job);
    }

    /// Transactions on their way.
    pub fn open(&self) -> usize {
        let sent = |attempt: &&Attempt| matches!(attempt.phase, Phase::Sent(_));
        self.jobs.values().filter(sent).count()
    }
}

/// Whether a pause ended long ago: nobody wants the job any more.
fn is_stale(phase: &Phase, block: u32) -> bool {
    matches!(phase, Phase::Paused(until) if until.saturating_add(LONGEST_PAUSE) < block)
}

fn pause(failures: u32) -> u32 {
    1u32.checked_shl(failures.saturating_sub(1))
        .unwrap_or(LONGEST_PAUSE)
        .min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        Job::Rotate(GroupId::new("g").unwrap())
    }

    #[test]
    fn a_job_is_not_started_twice_before_its_outcome_was_seen_in_the_state() {
        let mut transactions = Transactions::default();
        let id = transactions.start(job());
        assert!(!transactions.may_start(&job(), 5));
        transactions.ended(id, Outcome::Done { block: 7 }, 5);
        assert!(!transactions.may_start(&job(), 6));
        assert!(transactions.settled(6).is_empty());
        assert_eq!(transactions.settled(7), [(job(), Ok(()))]);
        assert!(transactions.may_start(&job(), 7));
    }

    #[test]
    fn pauses_grow_while_a_job_fails() {
        let mut transactions = Transactions::default();
        let mut block = 10;
        for pause in [1, 2, 4, 8] {
            let id = transactions.start(job());
            let reason = String::new();
            transactions.ended(id, Outcome::Lost { reason }, block);
            assert!(!transactions.may_start(&job(), block + pause - 1));
            block += pause;
            assert!(transactions.may_start(&job(), block));
        }
    }
}
