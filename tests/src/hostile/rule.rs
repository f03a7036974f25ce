//! What a broker that lies may do to a packet, and rules that say when.

use std::{collections::BTreeMap, time::Duration};

use keyward_protocol::topic::{ControlTopic, PREFIX};

use crate::capture::Direction;

/// Topics with what they held.
pub type Held = BTreeMap<String, Vec<u8>>;

/// What kind of packet passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A CONNECT.
    Connect,
    /// A CONNACK, and whether it says that there is a session.
    Session(bool),
    /// A PUBLISH.
    Publish,
    /// A PUBACK; topic, payload and RETAIN are those of the PUBLISH that it answers.
    Acknowledgement,
}

/// A packet on its way through the double.
#[derive(Clone, Debug)]
pub struct Passing {
    /// Client id of the connection.
    pub client: String,
    /// Which way.
    pub direction: Direction,
    /// What kind.
    pub what: What,
    /// Its topic; empty where there is none.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
    /// Its RETAIN flag.
    pub retain: bool,
}

impl Passing {
    /// Whether it is a PUBLISH from the broker to this client, on a topic that begins so.
    pub fn is_to(&self, client: &str, topics: &str) -> bool {
        self.is_publish(client, Direction::Down, topics)
    }

    /// Whether it is a PUBLISH of this client, on a topic that begins so.
    pub fn is_from(&self, client: &str, topics: &str) -> bool {
        self.is_publish(client, Direction::Up, topics)
    }

    fn is_publish(&self, client: &str, direction: Direction, topics: &str) -> bool {
        self.what == What::Publish
            && self.direction == direction
            && self.client == client
            && self.topic.starts_with(topics)
    }

    /// The same PUBLISH with another payload.
    pub fn with_payload(&self, payload: &[u8]) -> Fate {
        self.instead(&self.topic, payload, self.retain)
    }

    /// The same PUBLISH with this RETAIN flag.
    pub fn with_retain(&self, retain: bool) -> Fate {
        self.instead(&self.topic, &self.payload, retain)
    }

    fn instead(&self, topic: &str, payload: &[u8], retain: bool) -> Fate {
        Fate::Instead {
            topic: topic.into(),
            payload: payload.into(),
            retain,
        }
    }
}

/// What becomes of a packet.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It is passed on as it came.
    Pass,
    /// It does not arrive, and nobody says so.
    Drop,
    /// It does not arrive, and its sender is told that it did: a forged PUBACK.
    Swallow,
    /// It is passed on later, after others that came later.
    Delay(Duration),
    /// It arrives twice, the second time marked as a duplicate.
    Twice,
    /// It is kept until [`super::Hostile::release`].
    Hold,
    /// A PUBLISH arrives as another one.
    Instead {
        /// Its topic.
        topic: String,
        /// Its payload.
        payload: Vec<u8>,
        /// Its RETAIN flag.
        retain: bool,
    },
    /// A CONNACK says this about the session.
    Session(bool),
    /// A CONNECT makes the broker forget the session that it had.
    Forget,
}

/// PUBLISH packets from the broker to a client, on topics that begin so.
pub fn to(client: &str, topics: &str, fate: Fate) -> impl Fn(&Passing) -> Option<Fate> {
    let (client, topics) = (client.to_owned(), topics.to_owned());
    move |passing| passing.is_to(&client, &topics).then(|| fate.clone())
}

/// Serves a client what gateways had retained at an earlier moment, whatever they say now.
pub fn rolled_back(client: &str, held: Held) -> impl Fn(&Passing) -> Option<Fate> {
    let (client, gateways) = (client.to_owned(), format!("{PREFIX}/gateway/"));
    move |passing| {
        let control = ControlTopic::parse(PREFIX, &passing.topic);
        let is_answer = matches!(control, Some(ControlTopic::Response(..)));
        if is_answer || !passing.is_to(&client, &gateways) {
            return None;
        }
        Some(match held.get(&passing.topic) {
            Some(old) => passing.with_payload(old),
            None => Fate::Drop,
        })
    }
}
