//! BRG-5: what the broker does not hold or does not acknowledge is published again, with pauses that grow.

use std::collections::BTreeMap;

use keyward_bridge::relay::{broker::Publish, Input};
use keyward_bridge_testing::broker::is_own;

/// The shortest pause, in milliseconds; each one is twice as long as the one before, up to the longest.
const SHORTEST: u64 = 250;
/// The longest one.
const LONGEST: u64 = 30_000;
/// A topic that was let alone for so long begins anew.
const CALM: u64 = 60_000;

/// What was published on a topic last.
#[derive(Debug)]
struct Last {
    payload: Vec<u8>,
    /// How often, one after the other.
    times: u32,
    at: u64,
}

/// What was published since somebody had a reason to ask for all of it.
#[derive(Debug, Default)]
pub struct Pauses {
    now: u64,
    topics: BTreeMap<String, Last>,
}

impl Pauses {
    /// Another connection, a device's request, an operator and a change of the state are such reasons.
    pub fn on_input(&mut self, now: u64, input: &Input) {
        self.now = now;
        let anew = match input {
            Input::Connected | Input::Disconnected | Input::Reconcile | Input::Anchor(_) => true,
            Input::Finalized(block) => block.fleet.is_some(),
            Input::Message(message) => !is_own(&message.topic),
            Input::Answered(_) | Input::Ended(..) | Input::Tick => false,
        };
        if anew {
            self.topics.clear();
        }
    }

    /// Refuses what comes too early. What nobody demands is cleared as often as strangers write it.
    pub fn on_publish(&mut self, publish: &Publish) {
        let (topic, now) = (&publish.topic, self.now);
        // Number 0 is the greeting of a connection.
        if publish.token == 0 || publish.payload.is_empty() {
            return;
        }
        let same = |last: &&Last| last.payload == *publish.payload && now - last.at <= CALM;
        let last = self.topics.get(topic).filter(same);
        if let Some(Last { times, at, .. }) = last {
            let pause = (SHORTEST << (times - 1).min(8)).min(LONGEST);
            let waited = now - at;
            assert!(
                waited >= pause,
                "{topic}: {times} times, and again after {waited} ms (BRG-5)"
            );
        }
        let times = last.map_or(0, |last| last.times) + 1;
        let payload = publish.payload.to_vec();
        let last = Last {
            payload,
            times,
            at: now,
        };
        self.topics.insert(topic.clone(), last);
    }
}
