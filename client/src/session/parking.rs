//! Messages that wait until their epoch or their sender is known (MSG-13).

use alloc::{string::String, vec::Vec};

use keyward_protocol::{limits, GroupId};

use super::{effects::Action, opening::Verdict, refusal::Refusal, Session};

const PARKED_MS: u64 = limits::PARKED_SECONDS.saturating_mul(1000);

/// A message that waits.
pub(super) struct Parked {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) retain: bool,
    until: u64,
    /// Why it is refused in the end.
    otherwise: Refusal,
}

impl Parked {
    fn size(&self) -> usize {
        self.topic.len().saturating_add(self.payload.len())
    }
}

/// The messages of one group that wait, in the order in which they came.
#[derive(Default)]
pub(super) struct Parking(Vec<Parked>);

impl Parking {
    /// Takes a message, if there is room.
    fn put(&mut self, parked: Parked) -> bool {
        let bytes = self
            .0
            .iter()
            .fold(parked.size(), |sum, one| sum.saturating_add(one.size()));
        let has_room = self.0.len() < limits::PARKED_MESSAGES && bytes <= limits::PARKED_BYTES;
        if has_room {
            self.0.push(parked);
        }
        has_room
    }

    /// All messages.
    pub(super) fn take(&mut self) -> Vec<Parked> {
        core::mem::take(&mut self.0)
    }

    /// The messages that have waited too long.
    fn expire(&mut self, now: u64) -> Vec<Parked> {
        let (over, waiting) = self
            .take()
            .into_iter()
            .partition(|parked| parked.until <= now);
        self.0 = waiting;
        over
    }
}

impl Session {
    /// Parks a message; `false` if there is no room.
    pub(super) fn park(
        &mut self,
        group: &GroupId,
        topic: &str,
        payload: &[u8],
        retain: bool,
        otherwise: Refusal,
    ) -> bool {
        let until = self.clock.mono().saturating_add(PARKED_MS);
        let Some(live) = self.live.get_mut(group) else {
            return false;
        };
        live.parking.put(Parked {
            topic: topic.into(),
            payload: payload.to_vec(),
            retain,
            until,
            otherwise,
        })
    }

    /// Something became known of a group: tries its parked messages again.
    pub(super) fn reopen(&mut self, group: &GroupId) {
        let parked = self.live.get_mut(group).map(|live| live.parking.take());
        for mut parked in parked.into_iter().flatten() {
            match self.examine(&parked.topic, &parked.payload, parked.retain) {
                Verdict::Message(delivery) => self.act(Action::Deliver(delivery)),
                Verdict::Open => self.act(Action::Pass {
                    topic: parked.topic,
                    payload: parked.payload,
                    retain: parked.retain,
                }),
                Verdict::Refused(reason) => self.refuse(parked.topic, reason),
                Verdict::Park(home, otherwise) => {
                    parked.otherwise = otherwise;
                    self.put_back(&home, parked);
                }
            }
        }
    }

    /// It keeps the time that it may wait.
    fn put_back(&mut self, group: &GroupId, parked: Parked) {
        let (topic, otherwise) = (parked.topic.clone(), parked.otherwise);
        let live = self.live.get_mut(group);
        if !live.is_some_and(|live| live.parking.put(parked)) {
            self.refuse(topic, otherwise);
        }
    }

    /// Refuses what has waited too long.
    pub(super) fn expire_parked(&mut self) {
        let now = self.clock.mono();
        let over: Vec<Parked> = self
            .live
            .values_mut()
            .flat_map(|live| live.parking.expire(now))
            .collect();
        for parked in over {
            self.refuse(parked.topic, parked.otherwise);
        }
    }

    pub(super) fn refuse(&mut self, topic: String, reason: Refusal) {
        self.act(Action::Refuse { topic, reason });
    }
}
