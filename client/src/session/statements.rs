//! Group statements, and what follows from them (STM-3 to STM-5, KEY-8).

use alloc::vec::Vec;

use keyward_crypto::hash::hash_of;
use keyward_protocol::{
    signing::Unverified,
    statement::{Custodian, GroupState, GroupStatement},
    GroupId,
};

use super::{
    control::{believe, check_extensions, refuse_old},
    durable::Held,
    notice::Notice,
    refusal::ControlRefused,
    Change, Session,
};

impl Session {
    /// A custodian's statement of a group (STM-3).
    pub(super) fn on_group_statement(
        &mut self,
        custodian: &Custodian,
        group: &GroupId,
        payload: &[u8],
    ) -> Result<(), ControlRefused> {
        let unverified = Unverified::<GroupStatement>::from_wire(payload)?;
        let claims = unverified.claims();
        if claims.group != *group || claims.gateway != custodian.account {
            return Err(ControlRefused::Misplaced);
        }
        let signed = believe(self, unverified, &custodian.statement_key)?;
        let hash = hash_of(&signed);
        let body = signed.into_body();
        check_extensions(&body.extensions)?;
        body.policy.validate().map_err(ControlRefused::Policy)?;
        let said = self.facts(group).said.get(&custodian.account).copied();
        match said {
            Some((_, known)) if known == hash => {}
            Some((known, _)) => refuse_old(body.revision, known)?,
            None => {}
        }
        let is_new = self.is_newer(&body)?;
        let revision = body.revision;
        self.amend(group, |facts| {
            facts.said.insert(custodian.account, (revision, hash));
        });
        if is_new {
            self.accept_statement(group, Held { body, hash });
        }
        if self
            .statement(group)
            .is_some_and(|known| known.revision == revision)
        {
            self.confirm(group);
        }
        self.count_waiting_beacon(custodian, group);
        Ok(())
    }

    /// Whether a statement is newer than the one that counts; refuses an older one, and one of the same revision that says
    /// something else, whoever says it (STM-4).
    fn is_newer(&self, said: &GroupStatement) -> Result<bool, ControlRefused> {
        let Some(known) = self.statement(&said.group) else {
            return Ok(true);
        };
        let same = GroupStatement {
            gateway: known.gateway,
            ..said.clone()
        };
        if same == *known {
            return Ok(false);
        }
        refuse_old(said.revision, known.revision)?;
        Ok(true)
    }

    fn confirm(&mut self, group: &GroupId) {
        if let Some(live) = self.live.get_mut(group) {
            live.confirmed = true;
        }
    }

    fn accept_statement(&mut self, group: &GroupId, held: Held<GroupStatement>) {
        let before = self
            .statement(group)
            .map(|known| (known.state, self.current_epoch(known)));
        let current = self.current_epoch(&held.body);
        let state = held.body.state;
        self.change(Change::Statement(group.clone(), held));
        self.drop_old_pages(group);
        if before.map(|(_, epoch)| epoch) != Some(current) {
            let now = self.clock.mono();
            if let Some(live) = self.live.get_mut(group) {
                live.epoch_since = Some(now);
                live.usable_at = None;
            }
        }
        if before != Some((state, current)) {
            let group = group.clone();
            self.tell(Notice::State {
                group,
                state,
                epoch: current,
            });
        }
        match state {
            GroupState::Closed => self.erase(group, |_| true),
            _ => self.retire(group),
        }
        self.take_waiting_grants(group);
        self.schedule(group);
        self.reopen(Some(group));
    }

    /// The epoch that is current for reading: while a new one is awaited, the last one where the policy goes on with it.
    pub(super) fn current_epoch(&self, statement: &GroupStatement) -> u32 {
        let goes_on =
            statement.policy.seal_while_awaiting && statement.state == GroupState::Awaiting;
        let last = statement.commitments.last().map(|last| last.epoch);
        match last {
            Some(last) if goes_on => last,
            _ => statement.epoch,
        }
    }

    /// Whether the current epoch has a commitment, and its secret is not held.
    pub(super) fn lacks_secret(&self, group: &GroupId) -> bool {
        let Some(statement) = self.statement(group) else {
            return false;
        };
        let epoch = self.current_epoch(statement);
        let is_closed = statement.state == GroupState::Closed;
        let committed = statement.commitment(epoch).is_some();
        committed && !is_closed && !self.durable.secrets.contains_key(&(group.clone(), epoch))
    }

    /// From now on the settling of the current epoch runs, if its secret is held (MSG-14).
    pub(super) fn schedule(&mut self, group: &GroupId) {
        let Some(statement) = self.statement(group) else {
            return;
        };
        let epoch = self.current_epoch(statement);
        let settle = u64::from(statement.policy.settle);
        let held = self.durable.secrets.contains_key(&(group.clone(), epoch));
        let now = self.clock.mono();
        if let Some(live) = self.live.get_mut(group) {
            if held && live.usable_at.is_none() {
                // Known before this start: it has settled since.
                let wait = live.epoch_since.map_or(0, |_| settle);
                live.usable_at = Some(now.saturating_add(wait));
            }
        }
    }

    /// The device is in a group: now, or since before this start.
    pub(super) fn enter(&mut self, group: &GroupId) {
        self.live.entry(group.clone()).or_default();
        if let Some(heard) = self.facts(group).heard {
            self.clock.reached(heard.chain_time);
        }
        self.refresh_senders(group);
        self.schedule(group);
    }

    /// The device is not in a group any more (STM-1).
    pub(super) fn leave(&mut self, group: &GroupId) {
        self.erase(group, |_| true);
        self.end_receipt(group);
        if let Some(live) = self.live.remove(group) {
            self.refuse_parked(live.parking);
        }
        self.tell(Notice::Left(group.clone()));
    }

    /// Erases secrets of a group.
    fn erase(&mut self, group: &GroupId, which: impl Fn(u32) -> bool) {
        let epochs: Vec<u32> = self
            .durable
            .epochs(group)
            .filter(|epoch| which(*epoch))
            .collect();
        for epoch in epochs {
            self.change(Change::Erase(group.clone(), epoch));
            if let Some(live) = self.live.get_mut(group) {
                live.keys.forget(epoch);
            }
        }
    }

    /// Notes when past epochs were over, as far as the time is known.
    pub(super) fn retire(&mut self, group: &GroupId) {
        let (Some(now), Some(statement)) = (self.clock.now_ms(), self.statement(group)) else {
            return;
        };
        let current = self.current_epoch(statement);
        let held: Vec<u32> = self.durable.epochs(group).collect();
        self.amend(group, |facts| {
            facts.retired.retain(|epoch, _| held.contains(epoch));
            for epoch in held.into_iter().filter(|epoch| *epoch < current) {
                facts.retired.entry(epoch).or_insert(now);
            }
        });
    }

    /// Erases secrets that are both older than the policy's history and longer past than its age (KEY-8).
    pub(super) fn age_secrets(&mut self) {
        let Some(now) = self.clock.now_ms() else {
            return;
        };
        let groups: Vec<GroupId> = self.live.keys().cloned().collect();
        for group in groups {
            self.retire(&group);
            let Some(statement) = self.statement(&group) else {
                continue;
            };
            let oldest = statement.epoch.saturating_sub(statement.policy.history);
            let age = u64::from(statement.policy.history_age).saturating_mul(1000);
            let retired = self.facts(&group).retired;
            let is_over = |epoch: u32| {
                let since = retired.get(&epoch);
                epoch < oldest && since.is_some_and(|since| now.saturating_sub(*since) > age)
            };
            self.erase(&group, is_over);
        }
    }
}
