//! What goes into a session and what comes out of it.

use alloc::{string::String, vec::Vec};
use core::fmt;

use keyward_protocol::{
    registration::Voucher, signing::Signed, topic::TopicFilter, DeviceId, GroupId,
};

use super::{durable::Change, keys::NewKeys, notice::Notice, refusal::Refusal};

/// What time it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds of a clock that never goes back, e.g. since the start of the process. Not since the start of the
    /// computer, and not kept across restarts.
    pub mono_ms: u64,
    /// Milliseconds since 1970, if the device has a clock that it trusts.
    pub wall_ms: Option<u64>,
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// Connected to the broker, or again; subscriptions are on their way.
    Connected,
    /// The connection is lost.
    Disconnected,
    /// A message came, on whatever topic.
    Message {
        /// Its topic.
        topic: String,
        /// Its payload.
        payload: Vec<u8>,
        /// Whether it came with RETAIN set: the broker had kept it.
        retain: bool,
    },
    /// Time has passed: send one at least every second.
    Tick,
    /// Ask the gateway to register this device with its voucher (REQ-3).
    Enrol(Signed<Voucher>),
    /// Ask the gateway to publish everything again, and for the time (REQ-4). The session does so by itself when it misses
    /// something.
    Resync,
    /// Ask the gateway to replace the device's keys (REQ-5). The new keys must be durable already.
    ReplaceKeys(NewKeys),
    /// The operator releases a topic filter: plaintext is accepted there again (MSG-16).
    Release(TopicFilter),
}

/// What a subscription is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interest {
    /// Control messages: what is retained must come with every connection.
    Control,
    /// Messages of applications, without the device's own.
    Application,
}

/// What to do, after the changes are durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Subscribe, now and whenever the broker has forgotten it.
    Subscribe {
        /// To what.
        filter: String,
        /// What for.
        interest: Interest,
    },
    /// End a subscription.
    Unsubscribe {
        /// Of what.
        filter: String,
    },
    /// Publish with QoS 1. Control messages may be lost: the session repeats them until they are answered.
    Publish {
        /// Where.
        topic: String,
        /// What.
        payload: Vec<u8>,
        /// Whether the broker keeps it.
        retain: bool,
    },
    /// Hand a message up.
    Deliver(Delivery),
    /// A message was refused.
    Refuse {
        /// Its topic.
        topic: String,
        /// Why.
        reason: Refusal,
    },
    /// A message came on a topic that is not protected: hand it up as it is, marked as not protected.
    Pass {
        /// Its topic.
        topic: String,
        /// Its payload.
        payload: Vec<u8>,
        /// Whether the broker had kept it.
        retain: bool,
    },
    /// Something that an operator or the program should know.
    Notice(Notice),
}

/// What is noteworthy about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Sealed in an older epoch, after the grace (MSG-8).
    Late,
    /// A retained value that was delivered before (MSG-12).
    Repeat,
    /// A retained value.
    Retained,
    /// A will (MSG-17).
    Will,
}

impl Mark {
    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Repeat => "repeat",
            Self::Retained => "retained",
            Self::Will => "will",
        }
    }

    /// Whether an application that cannot see marks must not get the message (MSG-18).
    pub fn must_be_seen(self) -> bool {
        matches!(self, Self::Late | Self::Repeat)
    }
}

/// A message that was opened: sealed by this sender, for this topic, and never delivered before (unless marked
/// [`Mark::Repeat`]).
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The topic.
    pub topic: String,
    /// The group.
    pub group: GroupId,
    /// The epoch that it was sealed in.
    pub epoch: u32,
    /// Who sealed it. In an unsigned group another member may have forged it.
    pub sender: DeviceId,
    /// When it was sealed, in seconds since 1970, if the group's policy has it.
    pub time: Option<u32>,
    /// What the sender's application sealed.
    pub payload: Vec<u8>,
    /// What is noteworthy, rising.
    pub marks: Vec<Mark>,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("topic", &self.topic)
            .field("group", &self.group)
            .field("epoch", &self.epoch)
            .field("sender", &self.sender)
            .field("time", &self.time)
            .field("bytes", &self.payload.len())
            .field("marks", &self.marks)
            .finish()
    }
}

/// What an input leads to.
#[derive(Debug, Default)]
pub struct Effects {
    /// To make durable first, in order, all or none.
    pub changes: Vec<Change>,
    /// To do then, in order.
    pub actions: Vec<Action>,
}

/// What became of a message that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Hand it up, after the changes are durable (MSG-11).
    Message(Delivery),
    /// The topic is not protected: the payload is what it is.
    NotProtected,
    /// Kept until its epoch or sender is known; its end comes as an [`Action`] (MSG-13).
    Parked,
    /// Refused.
    Refused(Refusal),
}

/// How a message is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An ordinary message.
    Live,
    /// A value that the broker retains. The session keeps it, and publishes it sealed anew when the epoch changes (MSG-12).
    Retained,
    /// The device's will, to be given to the broker in CONNECT: another one for each connection, with a boot of its own
    /// (MSG-17).
    Will,
}

/// A sealed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// What to publish.
    pub bytes: Vec<u8>,
    /// The group that it was sealed for.
    pub group: GroupId,
    /// The epoch that it was sealed in.
    pub epoch: u32,
    /// Bytes that protection added.
    pub bytes_added: usize,
    /// Whether it was sealed although nothing new was heard of the chain for too long, because the policy says so: report it
    /// (STM-10).
    pub stale: bool,
    /// To make durable before it is published.
    pub changes: Vec<Change>,
}
