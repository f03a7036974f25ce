//! Beacons: how old the view of the chain is (STM-8, STM-10).

use alloc::vec::Vec;

use keyward_protocol::{
    beacon::Beacon,
    signing::Unverified,
    statement::{Custodian, GroupState},
    GroupId,
};

use super::{control::believe, durable::Heard, notice::Notice, refusal::ControlRefused, Session};

/// How a beacon stands to the statement of its author.
enum Standing {
    /// It confirms it.
    Confirms,
    /// It announces a newer one.
    Announces,
    /// It is about an older one.
    Old,
}

impl Session {
    pub(super) fn on_beacon(
        &mut self,
        custodian: &Custodian,
        group: &GroupId,
        payload: &[u8],
    ) -> Result<(), ControlRefused> {
        let unverified = Unverified::<Beacon>::from_wire(payload)?;
        let claims = unverified.claims();
        if claims.group != *group || claims.gateway != custodian.account {
            return Err(ControlRefused::Misplaced);
        }
        let beacon = believe(self, unverified, &custodian.statement_key)?.into_body();
        self.clock.reached(beacon.chain_time);
        match self.standing(&beacon)? {
            Standing::Confirms => self.count(&beacon),
            Standing::Announces => self.announce(beacon),
            Standing::Old => {}
        }
        Ok(())
    }

    fn standing(&self, beacon: &Beacon) -> Result<Standing, ControlRefused> {
        let facts = self.facts(&beacon.group);
        let revision = beacon.revision;
        Ok(match facts.said.get(&beacon.gateway) {
            Some((known, _)) if revision < *known => Standing::Old,
            Some((known, hash)) if revision == *known && beacon.statement == *hash => {
                Standing::Confirms
            }
            Some((known, _)) if revision == *known => {
                return Err(ControlRefused::Conflict { revision })
            }
            _ => Standing::Announces,
        })
    }

    /// It confirms the statement that counts, and its chain time does not fall.
    fn count(&mut self, beacon: &Beacon) {
        let current = self
            .statement(&beacon.group)
            .map(|statement| statement.revision);
        if current != Some(beacon.revision) {
            return;
        }
        let heard = Heard {
            revision: beacon.revision,
            block: beacon.block.number,
            chain_time: beacon.chain_time,
        };
        self.amend(&beacon.group, |facts| {
            if facts
                .heard
                .is_none_or(|known| known.chain_time <= heard.chain_time)
            {
                facts.heard = Some(heard);
            }
        });
        if let Some(live) = self.live.get_mut(&beacon.group) {
            live.confirmed = true;
        }
    }

    fn announce(&mut self, beacon: Beacon) {
        if let Some(live) = self.live.get_mut(&beacon.group) {
            live.announced = live.announced.max(beacon.revision);
            live.beacons.insert(beacon.gateway, beacon);
        }
    }

    /// A statement came: a beacon may have come before it.
    pub(super) fn count_waiting_beacon(&mut self, custodian: &Custodian, group: &GroupId) {
        let live = self.live.get_mut(group);
        let Some(beacon) = live.and_then(|live| live.beacons.remove(&custodian.account)) else {
            return;
        };
        match self.standing(&beacon) {
            Ok(Standing::Confirms) => self.count(&beacon),
            Ok(Standing::Announces) => self.announce(beacon),
            Ok(Standing::Old) | Err(_) => {}
        }
    }

    /// Whether a beacon announced a newer statement than the one that counts.
    pub(super) fn is_outdated(&self, group: &GroupId) -> bool {
        let known = self
            .statement(group)
            .map_or(0, |statement| statement.revision);
        self.live
            .get(group)
            .is_some_and(|live| live.announced > known)
    }

    /// Whether nothing new was heard for longer than the policy allows; also when the time is not known (STM-10).
    pub(super) fn is_stale(&self, group: &GroupId) -> bool {
        let silence = self
            .statement(group)
            .map_or(0, |statement| statement.policy.max_silence);
        let heard = self.durable.facts.get(group).and_then(|facts| facts.heard);
        match (self.clock.now_ms(), heard) {
            (Some(now), Some(heard)) => {
                now.saturating_sub(heard.chain_time) > u64::from(silence).saturating_mul(1000)
            }
            _ => true,
        }
    }

    /// Says when a group becomes stale, and when it is fresh again.
    pub(super) fn watch_freshness(&mut self) {
        let groups: Vec<GroupId> = self.live.keys().cloned().collect();
        for group in groups {
            let statement = self.statement(&group);
            let is_open = statement.is_some_and(|statement| statement.state != GroupState::Closed);
            let heard = self.facts(&group).heard.is_some();
            let is_stale = self.is_stale(&group);
            let Some(live) = self.live.get_mut(&group) else {
                continue;
            };
            if is_open && heard && live.is_stale != is_stale {
                live.is_stale = is_stale;
                self.tell(match is_stale {
                    true => Notice::Stale(group),
                    false => Notice::Fresh(group),
                });
            }
        }
    }
}
