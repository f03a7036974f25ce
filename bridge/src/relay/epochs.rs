//! Epoch secrets: drawn, committed to ahead of time, rotated, retired and erased (DESIGN sections 2, 5 and 7).

use keyward_crypto::epoch::{commitment, generate_secret};
use keyward_protocol::{statement::GroupState, view::StagedEpoch, Commitment, GroupId};

use super::{
    fleet::Group,
    grants,
    journal::{Change, HeldSecret},
    transactions::{Command, Job},
    Relay, SLOT_MS,
};

/// Epochs kept staged ahead of the current one.
const STAGED_AHEAD: u32 = 4;
/// How long secrets of a group are kept that we are no longer custodian of, in milliseconds: the usual history.
const FORMER_AGE_MS: u64 = 40 * 24 * 3600 * 1000;

impl Relay {
    /// Sends what the groups' queues and rotations need.
    pub(super) fn plan_epochs(&mut self) {
        let Some(fleet) = self.fleet.take() else {
            return;
        };
        for group in fleet.groups.values() {
            let custodian = group.view.custodians.contains(&self.home.account);
            if custodian && group.view.state != GroupState::Closed {
                self.plan_group(group);
            }
        }
        self.fleet = Some(fleet);
    }

    fn plan_group(&mut self, group: &Group) {
        let id = &group.view.group;
        if let Some(lost) = self.first_lost(group) {
            // Nothing may be sealed under a commitment that we cannot open (BRG-4).
            return self.start(Job::Withdraw(id.clone()), |_| {
                let (group, epoch) = (id.clone(), lost);
                Some(Command::Withdraw { group, epoch })
            });
        }
        self.plan_staging(group);
        if self.wants_rotation(group) {
            let group = id.clone();
            self.start(Job::Rotate(id.clone()), |_| Some(Command::Rotate { group }));
        }
    }

    /// The first epoch to take back: staged in our name, and the journal does not hold its secret. Also the current one,
    /// where only the administrator could rotate.
    fn first_lost(&self, group: &Group) -> Option<u32> {
        let id = &group.view.group;
        if group.view.admin != self.home.account && self.has_lost_current(group) {
            return Some(group.view.epoch);
        }
        let lost = |staged: &&StagedEpoch| {
            staged.custodian == self.home.account
                && !grants::holds(&self.journal, id, staged.epoch, staged.commitment)
        };
        group.view.staged.iter().find(lost).map(|lost| lost.epoch)
    }

    /// Commits to the next epochs, in order: one after the other is valid only in this order.
    fn plan_staging(&mut self, group: &Group) {
        let id = &group.view.group;
        if self.transactions.is_open(&Job::Withdraw(id.clone())) {
            return;
        }
        let next = next_free(group);
        let last = group.view.epoch.saturating_add(STAGED_AHEAD);
        for epoch in next..=last {
            let job = Job::Stage(id.clone(), epoch);
            self.start(job.clone(), |relay| {
                let commitment = relay.secret_for(id, epoch);
                Some(Command::Stage {
                    group: id.clone(),
                    epoch,
                    commitment,
                })
            });
            if !self.transactions.is_open(&job) {
                return;
            }
        }
    }

    /// The commitment for an epoch. Its secret is drawn once and never replaced: a transaction with it may still land (BRG-1).
    fn secret_for(&mut self, group: &GroupId, epoch: u32) -> Commitment {
        if let Some(held) = self.journal.secrets.get(&(group.clone(), epoch)) {
            return held.commitment;
        }
        let secret = generate_secret(&mut *self.rng);
        let (genesis, account) = (self.home.genesis, self.home.account);
        let commitment = commitment(&genesis, group, epoch, &account, &secret);
        let held = HeldSecret {
            secret,
            commitment,
            retired_ms: None,
        };
        self.change(Change::Secret(group.clone(), epoch, held));
        commitment
    }

    /// Whether the current epoch must end: we committed to it and cannot open it, or it is old enough. Waits until the
    /// next one is staged, so that the group need not await it.
    fn wants_rotation(&self, group: &Group) -> bool {
        let Some((epoch, _, custodian)) = group.committed() else {
            return false;
        };
        let current = epoch == group.view.epoch && group.view.state == GroupState::Active;
        if !current || custodian != self.home.account || group.view.staged.is_empty() {
            return false;
        }
        self.has_lost_current(group) || self.is_rotation_due(group, epoch)
    }

    /// Whether we committed to the current epoch and cannot open it.
    fn has_lost_current(&self, group: &Group) -> bool {
        group
            .committed()
            .is_some_and(|(epoch, commitment, custodian)| {
                epoch == group.view.epoch
                    && custodian == self.home.account
                    && !grants::holds(&self.journal, &group.view.group, epoch, commitment)
            })
    }

    fn is_rotation_due(&self, group: &Group, epoch: u32) -> bool {
        let every = u64::from(group.view.policy.rotate_every).saturating_mul(1000);
        let activated = group
            .exchange(epoch)
            .and_then(|exchange| exchange.activated);
        let (Some(activated), Some(head)) = (activated, self.head) else {
            return false;
        };
        let blocks = u64::from(head.block.number.saturating_sub(activated));
        every > 0 && blocks.saturating_mul(SLOT_MS) >= every
    }

    pub(super) fn on_staged(&mut self, group: &GroupId, epoch: u32, done: bool) {
        let held = self.journal.secrets.get(&(group.clone(), epoch));
        let commitment = held.map(|held| held.commitment);
        let custodian = self.home.account;
        let fleet = self.fleet.as_mut();
        let group = fleet.and_then(|fleet| fleet.groups.get_mut(group));
        let (Some(group), Some(commitment), true) = (group, commitment, done) else {
            return;
        };
        // Our copy of the state may be from before; an awaited epoch shows only when the state is read again.
        if next_free(group) == epoch && !is_awaited(group) {
            group.view.staged.push(StagedEpoch {
                epoch,
                commitment,
                custodian,
            });
        }
    }

    pub(super) fn on_withdrawn(&mut self, group: &GroupId, done: bool) {
        let fleet = self.fleet.as_ref();
        let lost = fleet
            .and_then(|fleet| fleet.groups.get(group))
            .and_then(|group| self.first_lost(group));
        let fleet = self.fleet.as_mut();
        let group = fleet.and_then(|fleet| fleet.groups.get_mut(group));
        if let (Some(group), Some(lost), true) = (group, lost, done) {
            group.view.staged.retain(|staged| staged.epoch < lost);
            if lost == group.view.epoch {
                // The group awaits the next one.
                group.view.epoch = lost.saturating_add(1);
            }
        }
    }

    /// Notes which secrets belong to past epochs, and erases those that nobody may need any more. Where the group was another's
    /// meanwhile, the time of an epoch that is not past has not begun.
    pub(super) fn age_secrets(&mut self) {
        let (Some(fleet), Some(head)) = (self.fleet.take(), self.head) else {
            return;
        };
        let mut changes = Vec::new();
        for ((id, epoch), held) in &self.journal.secrets {
            let group = fleet.groups.get(id);
            let (id, epoch, is_past) = (id.clone(), *epoch, is_past(group, *epoch));
            changes.push(match held.retired_ms {
                _ if may_erase(group, epoch, held, head.time_ms) => Change::Erase(id, epoch),
                None if is_past => Change::Retire(id, epoch, head.time_ms),
                Some(_) if !is_past => {
                    let mut held = held.clone();
                    held.retired_ms = None;
                    Change::Secret(id, epoch, held)
                }
                _ => continue,
            });
        }
        changes.into_iter().for_each(|change| self.change(change));
        self.fleet = Some(fleet);
    }

    /// Sends a transaction for a job, unless one is on its way or the job pauses.
    pub(super) fn start(&mut self, job: Job, command: impl FnOnce(&mut Self) -> Option<Command>) {
        let block = self.head.map_or(0, |head| head.block.number);
        if self.transactions.may_start(&job, block) {
            if let Some(command) = command(self) {
                self.submit(job, command);
            }
        }
    }
}

/// The next epoch that nobody has committed to.
fn next_free(group: &Group) -> u32 {
    let queued = u32::try_from(group.view.staged.len()).unwrap_or(u32::MAX);
    match is_awaited(group) {
        true => group.view.epoch,
        false => group.view.epoch.saturating_add(queued).saturating_add(1),
    }
}

/// Whether nobody has committed to the current epoch. The group's state need not say so: a frozen one may await, too.
fn is_awaited(group: &Group) -> bool {
    let current = group.exchange(group.view.epoch);
    current.is_none_or(|exchange| exchange.committed.is_none())
}

/// Whether a later epoch has begun, or the group is no longer ours.
fn is_past(group: Option<&Group>, epoch: u32) -> bool {
    group.is_none_or(|group| epoch < group.view.epoch)
}

fn may_erase(group: Option<&Group>, epoch: u32, held: &HeldSecret, now_ms: u64) -> bool {
    let older_than = |ms: u64| {
        let age = held
            .retired_ms
            .map(|retired| now_ms.saturating_sub(retired));
        age.is_some_and(|age| age > ms)
    };
    let Some(group) = group else {
        return older_than(FORMER_AGE_MS);
    };
    if group.view.state == GroupState::Closed {
        return true;
    }
    let committed = group
        .exchange(epoch)
        .and_then(|exchange| exchange.committed);
    if committed.is_some_and(|(commitment, _)| commitment != held.commitment) {
        // Another commitment took the epoch: ours can never be used.
        return true;
    }
    let policy = &group.view.policy;
    let behind = group.view.epoch.saturating_sub(epoch);
    behind > policy.history && older_than(u64::from(policy.history_age).saturating_mul(1000))
}
