//! Messages that wait until their group, epoch or sender is known (MSG-13).
//!
//! What waits is not verified by its tag yet, and whoever can publish could fill the room. So nothing is refused for want of
//! room that could not have been a forgery itself, and of what could be one, no claimed sender takes another's share.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use keyward_protocol::{limits, GroupId};

use super::{effects::Action, opening::Verdict, refusal::Refusal, Session};

const PARKED_MS: u64 = limits::PARKED_SECONDS.saturating_mul(1000);
/// What a message takes at least of a sender's share, in bytes.
const LEAST: usize = limits::PARKED_BYTES / limits::PARKED_MESSAGES;

/// Why a message waits.
#[derive(Clone, Copy)]
pub(super) struct Wait {
    /// Index of the sender that its header claims.
    pub(super) sender: u32,
    /// Whether it carries this sender's signature.
    pub(super) is_signed: bool,
    /// Why it is refused in the end.
    pub(super) otherwise: Refusal,
}

/// A message that waits.
struct Parked {
    topic: String,
    payload: Vec<u8>,
    retain: bool,
    until: u64,
    wait: Wait,
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
    /// Takes a message, and gives those that have to go for it: perhaps itself.
    fn put(&mut self, parked: Parked) -> Vec<Parked> {
        self.0.push(parked);
        let mut gone = Vec::new();
        while !self.fits() {
            gone.push(self.0.remove(self.dispensable()));
        }
        gone
    }

    fn fits(&self) -> bool {
        let bytes = self.0.iter().map(Parked::size);
        let bytes = bytes.fold(0, usize::saturating_add);
        self.0.len() <= limits::PARKED_MESSAGES && bytes <= limits::PARKED_BYTES
    }

    /// What goes first: what waits twice, else what carries no signature, else anything; of these the oldest of the sender
    /// that takes most.
    fn dispensable(&self) -> usize {
        if let Some(copy) = self.copy() {
            return copy;
        }
        let all_signed = self.0.iter().all(|one| one.wait.is_signed);
        let is_candidate = |one: &&Parked| all_signed || !one.wait.is_signed;
        let mut shares = BTreeMap::<u32, usize>::new();
        for one in self.0.iter().filter(is_candidate) {
            let share = shares.entry(one.wait.sender).or_default();
            *share = share.saturating_add(one.size().max(LEAST));
        }
        let largest = shares.values().max();
        let mut all = self.0.iter();
        let goes = |one: &Parked| is_candidate(&one) && shares.get(&one.wait.sender) == largest;
        all.position(goes).unwrap_or_default()
    }

    /// A message that came again later.
    fn copy(&self) -> Option<usize> {
        let mut seen = BTreeSet::new();
        let mut last_first = self.0.iter().enumerate().rev();
        let copy = last_first.find(|(_, one)| !seen.insert((&one.topic, &one.payload)));
        copy.map(|(at, _)| at)
    }

    /// All messages.
    fn take(&mut self) -> Vec<Parked> {
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
    /// Parks a message of a group, or of none that is known yet.
    pub(super) fn park(
        &mut self,
        home: Option<GroupId>,
        topic: &str,
        payload: &[u8],
        retain: bool,
        wait: Wait,
    ) {
        let parked = Parked {
            topic: topic.into(),
            payload: payload.to_vec(),
            retain,
            until: self.clock.mono().saturating_add(PARKED_MS),
            wait,
        };
        self.put(home, parked);
    }

    fn put(&mut self, home: Option<GroupId>, parked: Parked) {
        let gone = self.parking(home.as_ref()).put(parked);
        self.give_up(gone);
    }

    fn parking(&mut self, home: Option<&GroupId>) -> &mut Parking {
        match home.and_then(|group| self.live.get_mut(group)) {
            Some(live) => &mut live.parking,
            None => &mut self.unplaced,
        }
    }

    fn give_up(&mut self, gone: Vec<Parked>) {
        for parked in gone {
            self.refuse(parked.topic, parked.wait.otherwise);
        }
    }

    /// Something became known of a group, or which groups there are: tries the parked messages again.
    pub(super) fn reopen(&mut self, home: Option<&GroupId>) {
        for parked in self.parking(home).take() {
            let Parked {
                topic,
                payload,
                retain,
                wait,
                ..
            } = &parked;
            match self.examine(topic, payload, *retain, wait.is_signed) {
                Verdict::Message(delivery) => self.act(Action::Deliver(delivery)),
                Verdict::Open => self.act(Action::Pass {
                    topic: parked.topic,
                    payload: parked.payload,
                    retain: parked.retain,
                }),
                Verdict::Refused(reason) => self.refuse(parked.topic, reason),
                // It keeps the time that it may wait.
                Verdict::Park(home, wait) => self.put(home, Parked { wait, ..parked }),
            }
        }
    }

    /// Refuses what has waited too long.
    pub(super) fn expire_parked(&mut self) {
        let now = self.clock.mono();
        let groups = self.live.values_mut().map(|live| &mut live.parking);
        let over: Vec<Parked> = groups
            .chain([&mut self.unplaced])
            .flat_map(|parking| parking.expire(now))
            .collect();
        self.give_up(over);
    }

    /// The device left a group.
    pub(super) fn refuse_parked(&mut self, mut parking: Parking) {
        for parked in parking.take() {
            self.refuse(parked.topic, Refusal::NotMember);
        }
    }

    fn refuse(&mut self, topic: String, reason: Refusal) {
        self.act(Action::Refuse { topic, reason });
    }
}
