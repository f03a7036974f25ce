//! A broker in memory, and the line between it and the bridge: ordered, and lost with what is on it.

use std::collections::{BTreeMap, VecDeque};

use keyward_bridge::{
    mqtt::Command,
    relay::{Input, Message, OFFLINE},
};
use keyward_protocol::topic::PREFIX;

/// The broker.
#[derive(Default)]
pub struct Broker {
    /// Retained messages by topic.
    pub retained: BTreeMap<String, Vec<u8>>,
    /// It does everything as ever, and acknowledges nothing.
    pub is_mute: bool,
    /// Messages to the bridge that it has not acknowledged: they outlive a connection.
    session: BTreeMap<u64, (String, Vec<u8>)>,
    /// What the bridge has sent and the broker has not received yet.
    to_broker: VecDeque<Command>,
    /// What the broker has sent and the bridge has not received yet.
    to_bridge: VecDeque<Input>,
    connected: bool,
    /// The line is dead, and nobody has noticed.
    is_dead: bool,
    next: u64,
}

/// Whether a topic is below the gateway's branch.
pub fn is_own(topic: &str) -> bool {
    let below = topic.strip_prefix(PREFIX);
    below.is_some_and(|below| below.starts_with("/gateway/gw/"))
}

impl Broker {
    /// Whether nothing is on the line.
    pub fn is_quiet(&self) -> bool {
        self.to_broker.is_empty() && self.to_bridge.is_empty()
    }

    /// The bridge connects and subscribes.
    pub fn connect(&mut self) {
        if self.connected {
            return;
        }
        self.connected = true;
        self.to_bridge.push_back(Input::Connected);
        self.tell_retained();
        let waiting = self.session.clone();
        for (id, (topic, payload)) in waiting {
            self.tell(id, topic, payload, false);
        }
    }

    /// The line dies without a word: what is sent on it waits, until somebody notices and disconnects.
    pub fn fall_silent(&mut self) {
        self.is_dead = self.connected;
    }

    /// It acknowledges again, and who waits on a dead line notices.
    pub fn recover(&mut self) {
        self.is_mute = false;
        if self.is_dead {
            self.disconnect(0, true);
        }
    }

    /// The connection breaks; the broker received this many of the messages on the line. `told`: whether the bridge lives
    /// to hear of it.
    pub fn disconnect(&mut self, received: usize, told: bool) {
        if !self.connected {
            return;
        }
        self.is_dead = false;
        for _ in 0..received {
            self.receive();
        }
        self.connected = false;
        self.to_broker.clear();
        self.to_bridge.clear();
        if told {
            self.to_bridge.push_back(Input::Disconnected);
        }
        let state = format!("{PREFIX}/gateway/gw/state");
        self.retained.insert(state, OFFLINE.as_bytes().to_vec());
    }

    /// The broker's database is gone, and all connections with it.
    pub fn lose_everything(&mut self) {
        self.disconnect(0, true);
        self.retained.clear();
        self.session.clear();
    }

    /// The bridge sends something, which is forgotten while there is no connection.
    pub fn send(&mut self, sent: Command) {
        if self.connected {
            self.to_broker.push_back(sent);
        }
    }

    /// The broker receives the next message of the bridge.
    pub fn receive(&mut self) -> bool {
        if self.is_dead {
            return false;
        }
        match self.to_broker.pop_front() {
            None => return false,
            Some(Command::Publish(publish)) => {
                self.publish(&publish.topic, &publish.payload);
                if !self.is_mute {
                    self.to_bridge.push_back(Input::Answered(publish.token));
                }
            }
            Some(Command::Respond { topic, payload }) => self.whisper(&topic, &payload),
            Some(Command::Acknowledge(id)) => {
                self.session.remove(&id);
            }
            Some(Command::Resubscribe) => self.tell_retained(),
            Some(Command::Leave) => {}
        }
        true
    }

    /// The bridge hears what the broker sent next.
    pub fn hear(&mut self) -> Option<Input> {
        match self.is_dead {
            true => None,
            false => self.to_bridge.pop_front(),
        }
    }

    /// Somebody publishes a retained message; empty: deletes it.
    pub fn publish(&mut self, topic: &str, payload: &[u8]) {
        match payload.is_empty() {
            true => self.retained.remove(topic),
            false => self.retained.insert(topic.to_owned(), payload.to_vec()),
        };
        self.tell_own(topic, payload, true);
    }

    /// Somebody publishes a message that is not retained.
    pub fn whisper(&mut self, topic: &str, payload: &[u8]) {
        self.tell_own(topic, payload, false);
    }

    fn tell_own(&mut self, topic: &str, payload: &[u8], retained: bool) {
        if is_own(topic) && self.connected {
            self.next += 1;
            self.tell(self.next, topic.to_owned(), payload.to_vec(), retained);
        }
    }

    /// Somebody says something to the gateway.
    pub fn say(&mut self, topic: String, payload: Vec<u8>) {
        self.next += 1;
        let id = self.next;
        self.session.insert(id, (topic.clone(), payload.clone()));
        if self.connected {
            self.tell(id, topic, payload, false);
        }
    }

    fn tell_retained(&mut self) {
        let own = self.retained.iter().filter(|(topic, _)| is_own(topic));
        let own: Vec<_> = own.map(|(t, p)| (t.clone(), p.clone())).collect();
        for (topic, payload) in own {
            self.next += 1;
            self.tell(self.next, topic, payload, true);
        }
    }

    fn tell(&mut self, id: u64, topic: String, payload: Vec<u8>, retained: bool) {
        self.to_bridge.push_back(Input::Message(Message {
            id,
            topic,
            payload,
            retained,
        }));
    }
}
