//! What the broker should hold under this gateway's branch, what it really holds, and the way from one to the other
//! (BRG-5, DESIGN sections 2 and 6): differing or absent is published again, unknown is cleared, with pauses that grow.
//!
//! Each topic is in one of three places: at rest, ready to be published, or waiting for its time. Publishing takes the
//! ready topics in the order of their [`Rank`], so that a page comes before the statement that names it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use keyward_crypto::hash::blake2b_256;
use keyward_protocol::Digest;

/// Publishes that may wait for their acknowledgement at once.
const WINDOW: usize = 256;
/// Topics that nobody asked for and that are remembered until they are cleared.
const UNKNOWN: usize = 8192;
/// How long an acknowledgement or the message itself may take to come back at first, in milliseconds.
const ECHO: u64 = 10_000;
/// First pause before a topic is published again, in milliseconds.
const PAUSE: u64 = 250;
/// Longest pause, in milliseconds.
const LONGEST_PAUSE: u64 = 30_000;
/// A topic at rest for so long begins with the first pause again, in milliseconds.
const CALM: u64 = 60_000;

/// The order of publishing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// The gateway itself.
    Gateway,
    /// Device statements.
    Device,
    /// Publisher pages: before the statement that names their hashes.
    Page,
    /// Group statements: before the grants, so that publishers stop using the old epoch first.
    Group,
    /// Grants.
    Grant,
    /// Beacons: they name the hash of the statement.
    Beacon,
    /// What must go.
    Clear,
}

/// A message to publish, retained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Names it in the acknowledgement.
    pub token: u64,
    /// Where.
    pub topic: String,
    /// What; empty to clear the topic.
    pub payload: Arc<[u8]>,
}

/// Where a topic is: in none of the two queues, or in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Rest,
    Ready(Rank),
    Later(u64),
}

#[derive(Clone, Debug)]
struct Topic {
    want: Option<Arc<[u8]>>,
    want_hash: Option<Digest>,
    held: Option<Digest>,
    rank: Rank,
    place: Place,
    /// The publish that waits for its acknowledgement.
    token: Option<u64>,
    /// Whether this content was published, and the broker has not acknowledged it, on any connection.
    unanswered: bool,
    /// Whether the last publish has not come back yet.
    echo_due: bool,
    tries: u32,
    published: u64,
    /// Whether this content was published before, on any connection.
    sent: bool,
    forced: bool,
}

impl Topic {
    fn new(rank: Rank) -> Self {
        Self {
            want: None,
            want_hash: None,
            held: None,
            rank,
            place: Place::Rest,
            token: None,
            unanswered: false,
            echo_due: false,
            tries: 0,
            published: 0,
            sent: false,
            forced: false,
        }
    }

    fn demand(&mut self, want: Option<Arc<[u8]>>, rank: Rank) {
        self.want_hash = want.as_deref().map(blake2b_256);
        self.want = want;
        self.rank = rank;
        self.tries = 0;
        self.sent = false;
        self.forced = false;
        self.unanswered = false;
        self.echo_due = false;
    }

    fn is_right(&self) -> bool {
        self.want_hash == self.held && !self.forced
    }

    fn is_settled(&self) -> bool {
        self.is_right() && !self.unanswered
    }

    /// When to publish it, given that it is not settled.
    fn due(&self, now: u64) -> Place {
        if self.tries == 0 || self.forced {
            return Place::Ready(self.rank);
        }
        let waits = self.token.is_some() || self.echo_due;
        let calm = now.saturating_sub(self.published) > CALM;
        let pause = match (waits, calm) {
            (true, _) => pause(self.tries).max(ECHO),
            (false, true) => PAUSE,
            (false, false) => pause(self.tries),
        };
        match self.published.saturating_add(pause) {
            due if due <= now => Place::Ready(self.rank),
            due => Place::Later(due),
        }
    }
}

fn pause(tries: u32) -> u64 {
    let doubled = 1u64.checked_shl(tries.saturating_sub(1));
    PAUSE
        .saturating_mul(doubled.unwrap_or(LONGEST_PAUSE))
        .min(LONGEST_PAUSE)
}

/// The broker as it should be and as it is.
#[derive(Debug, Default)]
pub struct Broker {
    topics: BTreeMap<String, Topic>,
    ready: BTreeSet<(Rank, String)>,
    later: BTreeSet<(u64, String)>,
    tokens: BTreeMap<u64, String>,
    next: u64,
    unknown: usize,
    listening: bool,
    clearing: bool,
    republished: u64,
}

impl Broker {
    /// Demands a retained message.
    pub fn want(&mut self, topic: &str, rank: Rank, payload: Arc<[u8]>, now: u64) {
        let entry = self
            .topics
            .entry(topic.to_owned())
            .or_insert_with(|| Topic::new(rank));
        if entry.want.as_ref() != Some(&payload) {
            entry.demand(Some(payload), rank);
            self.review(topic, now);
        }
    }

    /// Demands that a topic is empty.
    pub fn unwant(&mut self, topic: &str, now: u64) {
        if let Some(entry) = self.topics.get_mut(topic) {
            entry.demand(None, Rank::Clear);
            self.review(topic, now);
        }
    }

    /// What is demanded, by topic.
    pub fn wanted(&self) -> impl Iterator<Item = (&str, &Arc<[u8]>)> {
        let topics = self.topics.iter();
        topics.filter_map(|(topic, entry)| Some((topic.as_str(), entry.want.as_ref()?)))
    }

    /// Publishes a topic again although the broker holds it: somebody asked for it.
    pub fn force(&mut self, topic: &str, now: u64) {
        if let Some(entry) = self.topics.get_mut(topic) {
            entry.forced = entry.want.is_some();
            self.review(topic, now);
        }
    }

    /// The broker holds this now; empty: nothing.
    pub fn holds(&mut self, topic: &str, payload: &[u8], now: u64) {
        let held = (!payload.is_empty()).then(|| blake2b_256(payload));
        if !self.topics.contains_key(topic) {
            if held.is_none() || self.unknown >= UNKNOWN {
                return;
            }
            self.unknown = self.unknown.saturating_add(1);
        }
        let entry = self
            .topics
            .entry(topic.to_owned())
            .or_insert_with(|| Topic::new(Rank::Clear));
        entry.held = held;
        if entry.held == entry.want_hash {
            entry.echo_due = false;
        }
        self.review(topic, now);
    }

    /// Begins a connection: nothing is known of what the broker holds.
    pub fn connected(&mut self) {
        self.disconnected();
        self.topics.retain(|_, entry| entry.want.is_some());
        self.unknown = 0;
        self.topics.values_mut().for_each(|entry| entry.held = None);
    }

    /// Everything that was retained has been told: from now on differences are closed.
    pub fn listening(&mut self, now: u64) {
        if !self.listening {
            self.listening = true;
            self.review_all(now);
        }
    }

    /// Whether differences are being closed.
    pub fn is_listening(&self) -> bool {
        self.listening
    }

    /// From now on what nobody demands is cleared; before, chain state is not known.
    pub fn clear_unknown(&mut self, now: u64) {
        if !self.clearing {
            self.clearing = true;
            self.review_all(now);
        }
    }

    /// The connection is gone, and with it everything on its way.
    pub fn disconnected(&mut self) {
        self.listening = false;
        self.tokens.clear();
        self.ready.clear();
        self.later.clear();
        for entry in self.topics.values_mut() {
            entry.token = None;
            entry.echo_due = false;
            entry.place = Place::Rest;
            entry.tries = 0;
        }
    }

    /// The broker acknowledged a message: whether it holds it shows when it comes back.
    pub fn answered(&mut self, token: u64, now: u64) {
        // That of a publish that was given up says nothing of the one that took its place.
        let Some(topic) = self.tokens.remove(&token) else {
            return;
        };
        if let Some(entry) = self.topics.get_mut(&topic) {
            entry.token = None;
            entry.unanswered = false;
            self.review(&topic, now);
        }
    }

    /// Whether the broker holds what is demanded of a topic, acknowledged and read back.
    pub fn is_settled(&self, topic: &str) -> bool {
        let settled = |entry: &Topic| entry.want.is_some() && entry.is_settled();
        self.listening && self.topics.get(topic).is_some_and(settled)
    }

    /// Topics whose difference is not closed.
    pub fn depth(&self) -> usize {
        let open = |entry: &&Topic| !entry.is_settled() && (entry.want.is_some() || self.clearing);
        self.topics.values().filter(open).count()
    }

    /// Messages published again because the broker had lost or changed them, or never acknowledged them.
    pub fn republished(&self) -> u64 {
        self.republished
    }

    /// What to publish now.
    pub fn take(&mut self, now: u64) -> Vec<Publish> {
        let mut publishes = Vec::new();
        self.wake(now);
        while self.listening && self.tokens.len() < WINDOW {
            let Some((_, topic)) = self.ready.pop_first() else {
                break;
            };
            publishes.extend(self.publish(topic, now));
        }
        publishes
    }

    fn publish(&mut self, topic: String, now: u64) -> Option<Publish> {
        let entry = self.topics.get_mut(&topic)?;
        self.next = self.next.saturating_add(1);
        let again = u64::from(entry.sent && !entry.forced);
        self.republished = self.republished.saturating_add(again);
        entry.tries = entry.tries.saturating_add(1);
        entry.published = now;
        entry.token = Some(self.next);
        entry.unanswered = true;
        entry.echo_due = true;
        entry.sent = true;
        entry.forced = false;
        let due = now.saturating_add(ECHO);
        entry.place = Place::Later(due);
        let payload = entry.want.clone().unwrap_or_default();
        self.later.insert((due, topic.clone()));
        self.tokens.insert(self.next, topic.clone());
        Some(Publish {
            token: self.next,
            topic,
            payload,
        })
    }

    /// Looks again at the topics whose time has come.
    fn wake(&mut self, now: u64) {
        while self.later.first().is_some_and(|(time, _)| *time <= now) {
            let Some((_, topic)) = self.later.pop_first() else {
                return;
            };
            if let Some(entry) = self.topics.get_mut(&topic) {
                entry.place = Place::Rest;
            }
            self.review(&topic, now);
        }
    }

    fn review_all(&mut self, now: u64) {
        let topics: Vec<String> = self.topics.keys().cloned().collect();
        topics.iter().for_each(|topic| self.review(topic, now));
    }

    /// Puts a topic where it belongs.
    fn review(&mut self, topic: &str, now: u64) {
        let Some(entry) = self.topics.get_mut(topic) else {
            return;
        };
        let closes = entry.want.is_some() || self.clearing;
        let new = match self.listening && closes && !entry.is_settled() {
            true => entry.due(now),
            false => Place::Rest,
        };
        if !matches!(new, Place::Later(_)) {
            // Another publish takes the place of what was published last, or none is needed.
            if let Some(token) = entry.token.take() {
                self.tokens.remove(&token);
            }
        }
        let old = std::mem::replace(&mut entry.place, new);
        let empty = entry.want.is_none() && entry.held.is_none();
        self.leave(topic, old);
        match new {
            Place::Rest if empty => self.forget(topic),
            Place::Rest => {}
            Place::Ready(rank) => {
                self.ready.insert((rank, topic.to_owned()));
            }
            Place::Later(time) => {
                self.later.insert((time, topic.to_owned()));
            }
        }
    }

    fn leave(&mut self, topic: &str, place: Place) {
        match place {
            Place::Rest => {}
            Place::Ready(rank) => {
                self.ready.remove(&(rank, topic.to_owned()));
            }
            Place::Later(time) => {
                self.later.remove(&(time, topic.to_owned()));
            }
        }
    }

    fn forget(&mut self, topic: &str) {
        self.topics.remove(topic);
        self.unknown = self.unknown.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "keyward/v1/gateway/gw/group/g/state";

    fn payload(byte: u8) -> Arc<[u8]> {
        Arc::from([byte].as_slice())
    }

    fn listening() -> Broker {
        let mut broker = Broker::default();
        broker.connected();
        broker.listening(0);
        broker.clear_unknown(0);
        broker
    }

    /// Publishes what is due and lets the broker acknowledge and echo it.
    fn exchange(broker: &mut Broker, now: u64) -> usize {
        let publishes = broker.take(now);
        for publish in &publishes {
            broker.holds(&publish.topic, &publish.payload, now);
            broker.answered(publish.token, now);
        }
        publishes.len()
    }

    #[test]
    fn what_is_absent_is_published_once_and_settles_after_acknowledgement_and_echo() {
        let mut broker = listening();
        broker.want(TOPIC, Rank::Group, payload(1), 0);
        let publish = broker.take(0).remove(0);
        assert!(broker.take(0).is_empty());
        broker.answered(publish.token, 1);
        assert!(!broker.is_settled(TOPIC));
        broker.holds(TOPIC, &[1], 2);
        assert!(broker.is_settled(TOPIC));
        assert_eq!((broker.depth(), broker.republished()), (0, 0));
    }

    #[test]
    fn what_the_broker_already_holds_is_not_published() {
        let mut broker = Broker::default();
        broker.want(TOPIC, Rank::Group, payload(1), 0);
        broker.connected();
        broker.holds(TOPIC, &[1], 0);
        broker.listening(0);
        assert!(broker.take(0).is_empty());
        assert!(broker.is_settled(TOPIC));
    }

    #[test]
    fn an_overwritten_message_is_published_again_with_growing_pauses() {
        let mut broker = listening();
        broker.want(TOPIC, Rank::Group, payload(1), 0);
        exchange(&mut broker, 0);
        let mut now = 0;
        for pause in [250, 500, 1000, 2000] {
            broker.holds(TOPIC, &[9], now);
            assert_eq!(exchange(&mut broker, now + pause - 1), 0);
            now += pause;
            assert_eq!(exchange(&mut broker, now), 1);
        }
        assert_eq!(broker.republished(), 4);
    }

    #[test]
    fn new_content_does_not_wait_for_the_pause_of_the_old() {
        let mut broker = listening();
        broker.want(TOPIC, Rank::Group, payload(1), 0);
        exchange(&mut broker, 0);
        broker.holds(TOPIC, &[9], 1);
        broker.want(TOPIC, Rank::Group, payload(2), 1);
        assert_eq!(broker.take(1)[0].payload, payload(2));
    }

    #[test]
    fn a_message_that_never_comes_back_is_published_again() {
        let mut broker = listening();
        broker.want(TOPIC, Rank::Group, payload(1), 0);
        assert_eq!(broker.take(0).len(), 1);
        assert!(broker.take(ECHO - 1).is_empty());
        assert_eq!(broker.take(ECHO).len(), 1);
    }

    /// BRG-3: neither the echo without the acknowledgement, nor that of another publish; also not on another connection.
    #[test]
    fn what_came_back_and_was_never_acknowledged_is_not_settled() {
        let mut broker = listening();
        broker.want(TOPIC, Rank::Group, payload(1), 0);
        let first = broker.take(0).remove(0);
        broker.holds(TOPIC, &[1], 1);
        let again = broker.take(ECHO).remove(0);
        broker.holds(TOPIC, &[1], ECHO);
        broker.answered(first.token, ECHO);
        assert!(!broker.is_settled(TOPIC));

        broker.connected();
        broker.holds(TOPIC, &[1], ECHO);
        broker.listening(ECHO);
        broker.answered(again.token, ECHO);
        assert!(!broker.is_settled(TOPIC));
        let last = broker.take(ECHO).remove(0);
        broker.answered(last.token, ECHO);
        assert!(broker.is_settled(TOPIC));
    }

    /// BRG-5.
    #[test]
    fn what_is_never_acknowledged_is_published_again_with_growing_pauses() {
        let mut broker = listening();
        broker.want(TOPIC, Rank::Group, payload(1), 0);
        let mut times = Vec::new();
        for now in (0..=200_000).step_by(1_000) {
            for publish in broker.take(now) {
                broker.holds(&publish.topic, &publish.payload, now);
                times.push(now);
            }
        }
        let pauses: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(pauses.first(), Some(&ECHO), "{pauses:?}");
        assert!(pauses.is_sorted(), "{pauses:?}");
        assert_eq!(pauses.last(), Some(&LONGEST_PAUSE), "{pauses:?}");
    }

    #[test]
    fn unknown_topics_are_cleared_once_the_state_is_known() {
        let mut broker = Broker::default();
        broker.connected();
        broker.listening(0);
        broker.holds("foreign", &[1], 0);
        assert!(broker.take(0).is_empty());
        broker.clear_unknown(0);
        let publish = broker.take(0).remove(0);
        assert_eq!(
            (publish.topic.as_str(), publish.payload.len()),
            ("foreign", 0)
        );
        broker.answered(publish.token, 0);
        broker.holds("foreign", &[], 0);
        assert_eq!(broker.depth(), 0);
        assert!(broker.topics.is_empty());
    }

    #[test]
    fn pages_go_before_statements_and_statements_before_grants() {
        let mut broker = listening();
        for (topic, rank) in [("c", Rank::Grant), ("b", Rank::Group), ("a", Rank::Page)] {
            broker.want(topic, rank, payload(1), 0);
        }
        let order: Vec<_> = broker.take(0).into_iter().map(|p| p.topic).collect();
        assert_eq!(order, ["a", "b", "c"]);
    }

    #[test]
    fn a_broker_that_lost_everything_gets_everything_again() {
        let mut broker = listening();
        broker.want(TOPIC, Rank::Group, payload(1), 0);
        exchange(&mut broker, 0);
        broker.connected();
        broker.listening(5);
        assert_eq!(exchange(&mut broker, 5), 1);
        assert!(broker.is_settled(TOPIC));
    }
}
