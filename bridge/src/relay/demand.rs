//! What the broker should hold, from finalized state (BRG-2, DESIGN section 7): device statements of our devices; statement, pages
//! and beacon of our groups; grants of the groups whose active epoch is ours.

use std::{collections::BTreeSet, num::NonZero, sync::Arc};

use keyward_crypto::grant;
use keyward_protocol::{
    signing::Unverified,
    statement::{DeviceStatement, GroupState},
    topic::ControlTopic,
    view::{DeviceStatus, DeviceView, MemberView},
    wire::WireInvalid,
    Commitment, Digest, GroupId,
};

use super::{
    broker::Rank,
    fleet::{Fleet, Group},
    grants,
    journal::{Change, Retained},
    statements, Relay, Severity, SLOT_MS,
};

/// Grants of a group that are sealed at a time: so many copies of its secrets are in memory.
const BATCH: usize = 2048;

/// A beacon that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    statement: Digest,
    time_ms: u64,
}

/// The rank of a topic under our branch.
pub(super) fn rank(prefix: &str, topic: &str) -> Rank {
    match ControlTopic::parse(prefix, topic) {
        Some(ControlTopic::GatewayState(_) | ControlTopic::Anchor(_)) => Rank::Gateway,
        Some(ControlTopic::DeviceState(..)) => Rank::Device,
        Some(ControlTopic::Publishers(..)) => Rank::Page,
        Some(ControlTopic::GroupState(..)) => Rank::Group,
        Some(ControlTopic::Grant(..)) => Rank::Grant,
        Some(ControlTopic::Beacon(..)) => Rank::Beacon,
        _ => Rank::Clear,
    }
}

impl Relay {
    /// Compares what should be held with what was demanded so far.
    pub(super) fn demand(&mut self) {
        let Some(fleet) = self.fleet.take() else {
            return;
        };
        let mut kept = BTreeSet::new();
        if self.may_state(&fleet) {
            kept.extend(self.demand_anchor(&fleet));
            for device in fleet.devices.values() {
                kept.insert(self.demand_device(&fleet, device));
            }
            for group in fleet.groups.values() {
                self.demand_group(group, &mut kept);
            }
            self.release_all_but(&kept);
            self.forget_beacons(&fleet);
            self.broker.clear_unknown(self.now);
        }
        self.fleet = Some(fleet);
    }

    /// A statement with a key that the chain does not know would be refused by every device.
    fn may_state(&self, fleet: &Fleet) -> bool {
        let gateway = fleet.gateways.get(&self.home.account);
        gateway.is_some_and(|gateway| gateway.statement_key == self.key.verifying_key())
    }

    fn demand_device(&mut self, fleet: &Fleet, device: &DeviceView) -> String {
        let topic = self.topic(ControlTopic::DeviceState(
            self.home.name.clone(),
            device.device.clone(),
        ));
        // A device that does not take part is in no group.
        let groups = match device.status {
            DeviceStatus::Active => statements::device_groups(fleet, device),
            DeviceStatus::Suspended | DeviceStatus::Revoked => Vec::new(),
        };
        // Said anew by each start: of an older copy of the journal nothing tells what was said since, and with which revisions.
        let said = (&device.device, device.key_version, &groups, self.began);
        let fingerprint = self.author().fingerprint(&said);
        let Some(head) = self.head else {
            return topic;
        };
        if self.is_stated_at(&topic, fingerprint, head.block.number) {
            self.again = true;
            return topic;
        }
        let make = |relay: &Self| {
            statements::device_statement(relay.author(), device, groups, head.block, head.time_ms)
        };
        self.retain(&topic, Rank::Device, fingerprint, make);
        topic
    }

    /// Whether another statement stands there with the revision that a new one would get: revisions must rise.
    fn is_stated_at(&self, topic: &str, fingerprint: Digest, number: u32) -> bool {
        let Some(standing) = self.journal.retained.get(topic) else {
            return false;
        };
        let statement = Unverified::<DeviceStatement>::from_wire(&standing.payload);
        let revision = statement.map_or(0, |statement| statement.claims().revision);
        standing.fingerprint != fingerprint && revision >= u64::from(number)
    }

    fn demand_group(&mut self, group: &Group, kept: &mut BTreeSet<String>) {
        let id = &group.view.group;
        let pages = statements::pages(group);
        for page in &pages {
            let topic = self.topic(ControlTopic::Publishers(
                self.home.name.clone(),
                id.clone(),
                page.page,
            ));
            let fingerprint = keyward_crypto::hash::page_hash(&self.home.genesis, page);
            let make = |relay: &Self| Ok(page.to_wire(&relay.home.genesis));
            self.retain(&topic, Rank::Page, fingerprint, make);
            kept.insert(topic);
        }
        let topic = self.topic(ControlTopic::GroupState(self.home.name.clone(), id.clone()));
        let fingerprint = self.author().fingerprint(&(id, group.view.revision));
        let make = |relay: &Self| statements::group_statement(relay.author(), group, &pages);
        self.retain(&topic, Rank::Group, fingerprint, make);
        kept.insert(topic);
        self.demand_grants(group, kept);
    }

    fn demand_grants(&mut self, group: &Group, kept: &mut BTreeSet<String>) {
        if group.view.state == GroupState::Closed {
            return;
        }
        let granted = grants::grantable(&self.journal, &self.home.account, group);
        let Some((epoch, commitment)) = granted else {
            return;
        };
        let members = group.active_members();
        let entitled: Vec<_> = members.filter(|one| one.joined_epoch <= epoch).collect();
        for members in entitled.chunks(BATCH) {
            self.seal_anew(group, epoch, commitment, members);
        }
        for member in entitled {
            let topic = self.grant_topic(&group.view.group, member);
            self.recall_one(&topic, Rank::Grant);
            kept.insert(topic);
        }
    }

    /// Seals the grants of those members for whom what stands is not what they are to have, on all processors.
    fn seal_anew(
        &mut self,
        group: &Group,
        epoch: u32,
        commitment: Commitment,
        members: &[&MemberView],
    ) {
        let id = &group.view.group;
        let (mut standing, mut grants) = (Vec::new(), Vec::new());
        for member in members {
            let topic = self.grant_topic(id, member);
            let fingerprint = grants::fingerprint(id, epoch, commitment, member);
            let stands = self.journal.retained.get(&topic);
            if stands.is_some_and(|stands| stands.fingerprint == fingerprint) {
                continue;
            }
            if let Some(grant) = grants::grant(&self.journal, group, epoch, member) {
                standing.push((topic, fingerprint));
                grants.push((grant, member.agreement_key));
            }
        }
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let sealed = grant::seal_all(&grants, threads, &mut *self.rng);
        for ((topic, fingerprint), sealed) in standing.into_iter().zip(sealed) {
            match sealed {
                Ok(sealed) => {
                    self.tally.grants_sealed = self.tally.grants_sealed.saturating_add(1);
                    let payload = Arc::from(sealed);
                    let retained = Retained {
                        fingerprint,
                        payload,
                    };
                    self.change(Change::Retain(topic, retained));
                }
                Err(error) => self.tell(Severity::Warn, format!("no grant at {topic}: {error}")),
            }
        }
    }

    /// Demands a message, made anew only if what it says has changed.
    fn retain(
        &mut self,
        topic: &str,
        rank: Rank,
        fingerprint: Digest,
        make: impl FnOnce(&Self) -> Result<Vec<u8>, WireInvalid>,
    ) {
        let standing = self.journal.retained.get(topic);
        if standing.is_none_or(|standing| standing.fingerprint != fingerprint) {
            match make(self) {
                Ok(payload) => {
                    let payload = Arc::from(payload);
                    let retained = Retained {
                        fingerprint,
                        payload,
                    };
                    self.change(Change::Retain(topic.to_owned(), retained));
                }
                Err(error) => self.tell(Severity::Warn, format!("cannot state {topic}: {error}")),
            }
        }
        self.recall_one(topic, rank);
    }

    pub(super) fn recall_one(&mut self, topic: &str, rank: Rank) {
        if let Some(standing) = self.journal.retained.get(topic) {
            let payload = standing.payload.clone();
            self.broker.want(topic, rank, payload, self.now);
        }
    }

    fn release_all_but(&mut self, kept: &BTreeSet<String>) {
        let released = self.journal.retained.keys();
        let released: Vec<String> = released
            .filter(|topic| !kept.contains(*topic))
            .cloned()
            .collect();
        for topic in released {
            self.broker.unwant(&topic, self.now);
            self.change(Change::Release(topic));
        }
    }

    fn forget_beacons(&mut self, fleet: &Fleet) {
        let told: Vec<GroupId> = self.beacons.keys().cloned().collect();
        for id in told {
            let group = fleet.groups.get(&id);
            if group.is_none_or(|group| group.view.state == GroupState::Closed) {
                self.beacons.remove(&id);
                let topic = self.topic(ControlTopic::Beacon(self.home.name.clone(), id));
                self.broker.unwant(&topic, self.now);
            }
        }
    }

    /// Tells for every group, in time and at each change, that its statement is still this one (STM-8, STM-9).
    pub(super) fn beacons(&mut self) {
        let Some(fleet) = self.fleet.take() else {
            return;
        };
        if self.may_state(&fleet) {
            for group in fleet.groups.values() {
                self.beacon(group);
            }
        }
        self.fleet = Some(fleet);
    }

    fn beacon(&mut self, group: &Group) {
        let id = &group.view.group;
        let state = self.topic(ControlTopic::GroupState(self.home.name.clone(), id.clone()));
        let standing = self.journal.retained.get(&state);
        let statement = standing
            .and_then(|standing| statements::statement_hash(&standing.payload, &self.home.genesis));
        let (Some(statement), Some(head)) = (statement, self.head) else {
            return;
        };
        let every = u64::from(group.view.policy.beacon_seconds()).saturating_mul(1000);
        // The next block may come too late for it.
        let fresh = |told: &&Told| {
            let age = head.time_ms.saturating_sub(told.time_ms);
            told.statement == statement && age.saturating_add(SLOT_MS) <= every
        };
        let stands = self.beacons.get(id).filter(fresh).is_some();
        if stands || group.view.state == GroupState::Closed {
            return;
        }
        let revision = group.view.revision;
        let (block, time_ms) = (head.block, head.time_ms);
        let beacon = statements::beacon(self.author(), id, revision, statement, block, time_ms);
        if let Ok(payload) = beacon {
            let topic = self.topic(ControlTopic::Beacon(self.home.name.clone(), id.clone()));
            let payload = Arc::from(payload);
            self.broker.want(&topic, Rank::Beacon, payload, self.now);
            self.beacons.insert(id.clone(), Told { statement, time_ms });
        }
    }

    pub(super) fn grant_topic(&self, group: &GroupId, member: &MemberView) -> String {
        self.topic(ControlTopic::Grant(
            self.home.name.clone(),
            member.device.clone(),
            group.clone(),
        ))
    }

    pub(super) fn topic(&self, topic: ControlTopic) -> String {
        topic.to_topic(&self.prefix)
    }
}
