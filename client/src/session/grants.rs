//! Grants: secrets are believed only when they open the statement's commitment (KEY-5, MSG-13).

use alloc::vec::Vec;

use keyward_crypto::{epoch, grant};
use keyward_protocol::{
    grant::{Grant, GrantedEpoch},
    limits,
    statement::{Custodian, GroupState},
    AccountId, GroupId,
};

use super::{
    durable::Committed, live::WaitingGrant, notice::Notice, refusal::ControlRefused, Change,
    Session,
};

const PARKED_MS: u64 = limits::PARKED_SECONDS.saturating_mul(1000);

/// What became of one epoch of a grant.
enum Verdict {
    /// It opens its commitment.
    Opens(Committed),
    /// It is held already, or so old that the statement does not name it any more.
    Nothing,
    /// Its commitment is not known yet.
    Unknown,
}

impl Session {
    pub(super) fn on_grant(
        &mut self,
        custodian: &Custodian,
        group: &GroupId,
        payload: &[u8],
    ) -> Result<(), ControlRefused> {
        let recipient = grant::Recipient {
            group,
            device: &self.identity.device,
            key_version: self.identity.key_version,
        };
        let opened = grant::open(&self.identity.agreement, payload, recipient);
        let grant = opened.map_err(|refused| match refused {
            grant::GrantRefused::UnknownExtension { id } => ControlRefused::UnknownExtension { id },
            grant::GrantRefused::KeyVersion { actual } => ControlRefused::KeyVersion {
                theirs: actual,
                ours: self.identity.key_version,
            },
            _ => ControlRefused::Grant,
        })?;
        self.take_grant(custodian.account, group, grant)
    }

    fn take_grant(
        &mut self,
        account: AccountId,
        group: &GroupId,
        grant: Grant,
    ) -> Result<(), ControlRefused> {
        if self
            .statement(group)
            .is_some_and(|statement| statement.state == GroupState::Closed)
        {
            return Ok(());
        }
        let mut refused = Ok(());
        let mut is_unknown = false;
        let mut is_new = false;
        for granted in &grant.epochs {
            match self.judge(group, granted) {
                Ok(Verdict::Opens(committed)) => {
                    self.keep(group, granted, committed);
                    is_new = true;
                }
                Ok(Verdict::Nothing) => {}
                Ok(Verdict::Unknown) => is_unknown = true,
                Err(reason) => refused = Err(reason),
            }
        }
        if is_unknown {
            self.wait_for_commitment(account, group, grant);
        }
        if is_new {
            self.retire(group);
            self.schedule(group);
            self.reopen(Some(group));
        }
        refused
    }

    /// Whether a secret may be believed (KEY-5).
    fn judge(&self, group: &GroupId, granted: &GrantedEpoch) -> Result<Verdict, ControlRefused> {
        let epoch = granted.epoch;
        if self.durable.secrets.get(&(group.clone(), epoch)) == Some(&granted.secret) {
            return Ok(Verdict::Nothing);
        }
        let Some(statement) = self.statement(group) else {
            return Ok(Verdict::Unknown);
        };
        let Some((commitment, custodian)) = statement.commitment(epoch) else {
            let newest = statement.commitments.last().map(|last| last.epoch);
            return Ok(match newest.is_some_and(|newest| epoch < newest) {
                true => Verdict::Nothing,
                false => Verdict::Unknown,
            });
        };
        let genesis = &self.provisioned.genesis;
        match epoch::opens(
            &commitment,
            genesis,
            group,
            epoch,
            &custodian,
            &granted.secret,
        ) {
            true => Ok(Verdict::Opens(Committed {
                epoch,
                commitment,
                custodian,
            })),
            false => Err(ControlRefused::Secret { epoch }),
        }
    }

    fn keep(&mut self, group: &GroupId, granted: &GrantedEpoch, committed: Committed) {
        let (group, epoch) = (group.clone(), granted.epoch);
        self.change(Change::Secret(group.clone(), epoch, granted.secret.clone()));
        self.amend(&group, |facts| {
            if facts.opened.is_none_or(|newest| newest.epoch <= epoch) {
                facts.opened = Some(committed);
            }
        });
        // Another secret may have been held for the epoch.
        if let Some(live) = self.live.get_mut(&group) {
            live.keys.forget(epoch);
        }
        self.tell(Notice::Secret { group, epoch });
    }

    fn wait_for_commitment(&mut self, account: AccountId, group: &GroupId, grant: Grant) {
        let until = self.clock.mono().saturating_add(PARKED_MS);
        if let Some(live) = self.live.get_mut(group) {
            live.grants.insert(account, WaitingGrant { grant, until });
        }
    }

    /// A newer statement was accepted: grants that came before it may be believed now.
    pub(super) fn take_waiting_grants(&mut self, group: &GroupId) {
        let waiting = self
            .live
            .get_mut(group)
            .map(|live| core::mem::take(&mut live.grants));
        for (account, WaitingGrant { grant, until }) in waiting.into_iter().flatten() {
            if let Err(reason) = self.take_grant(account, group, grant) {
                self.tell_refused_grant(account, group, reason);
            }
            // It does not wait longer for having waited already.
            let live = self.live.get_mut(group);
            if let Some(still) = live.and_then(|live| live.grants.get_mut(&account)) {
                still.until = until;
            }
        }
    }

    /// Refuses grants whose commitment did not become known in time (MSG-13).
    pub(super) fn expire_grants(&mut self) {
        let now = self.clock.mono();
        let mut expired = Vec::new();
        for (group, live) in &mut self.live {
            live.grants.retain(|account, waiting| {
                let is_over = waiting.until <= now;
                let epoch = waiting.grant.epochs.last().map_or(0, |last| last.epoch);
                if is_over {
                    expired.push((*account, group.clone(), epoch));
                }
                !is_over
            });
        }
        for (account, group, epoch) in expired {
            self.tell_refused_grant(account, &group, ControlRefused::UnknownEpoch { epoch });
        }
    }

    fn tell_refused_grant(&mut self, account: AccountId, group: &GroupId, reason: ControlRefused) {
        let stated = self.stated_group(group);
        let mut custodians = stated
            .into_iter()
            .flat_map(|stated| stated.custodians.iter());
        let Some(custodian) = custodians.find(|custodian| custodian.account == account) else {
            return;
        };
        let device = self.identity.device.clone();
        let topic = keyward_protocol::topic::ControlTopic::Grant(
            custodian.name.clone(),
            device,
            group.clone(),
        );
        let topic = self.topic(&topic);
        self.tell(Notice::ControlRefused { topic, reason });
    }
}
