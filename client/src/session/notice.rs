//! What a session tells besides messages.

use alloc::string::String;
use core::fmt;

use keyward_protocol::{
    request::Refusal as RequestRefusal, statement::GroupState, topic::TopicFilter, DeviceId,
    GroupId, VerifyingKey,
};

use super::refusal::ControlRefused;

/// What was asked of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// To register the device.
    Enrol,
    /// To publish everything again.
    Resync,
    /// To replace the device's keys.
    ReplaceKeys,
}

impl Asked {
    fn text(self) -> &'static str {
        match self {
            Self::Enrol => "enrolment",
            Self::Resync => "resync",
            Self::ReplaceKeys => "key replacement",
        }
    }
}

/// What became of what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Durable at the gateway, and on its way to the chain.
    Accepted,
    /// Finalized on chain, or done.
    Done,
    /// Will not be done.
    Refused {
        /// Why.
        refusal: RequestRefusal,
        /// The gateway's words.
        text: String,
    },
}

/// Something that an operator or the program should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The gateway has answered.
    Answered {
        /// To what.
        asked: Asked,
        /// What.
        answer: Answer,
    },
    /// The owner's statement was accepted, and the device is in these many groups. Comes again for each newer one.
    Told {
        /// Groups that it lists.
        groups: usize,
    },
    /// The device is in a group now.
    Joined(GroupId),
    /// The device is not in a group any more; its secrets are erased.
    Left(GroupId),
    /// A group's state or epoch is another.
    State {
        /// The group.
        group: GroupId,
        /// What it is doing.
        state: GroupState,
        /// Its epoch.
        epoch: u32,
    },
    /// The secret of an epoch is known, opens its commitment, and is durable.
    Secret {
        /// The group.
        group: GroupId,
        /// The epoch.
        epoch: u32,
    },
    /// The device's receipt for an epoch is on chain.
    Acknowledged {
        /// The group.
        group: GroupId,
        /// The epoch.
        epoch: u32,
    },
    /// The gateway refused a receipt.
    ReceiptRefused {
        /// The group.
        group: GroupId,
        /// The epoch.
        epoch: u32,
        /// The gateway's words.
        text: String,
    },
    /// Nothing new was heard of the chain for longer than the group allows (STM-10).
    Stale(GroupId),
    /// Something new was heard again.
    Fresh(GroupId),
    /// The owner has another statement key now (STM-11).
    OwnerKey {
        /// The key.
        key: VerifyingKey,
        /// Its serial.
        serial: u64,
    },
    /// ALARM: two messages with the same counter, both sealed and signed by this device: its keys or its store were copied
    /// (MSG-10).
    Clone {
        /// The group.
        group: GroupId,
        /// The device.
        device: DeviceId,
    },
    /// ALARM: a message is signed with this device's keys and its store knows nothing of it: the store was restored, or copied.
    /// Nothing is sealed any more until the keys are replaced (MSG-9, MSG-10).
    Copied(GroupId),
    /// ALARM: a gateway says two things of the same revision (STM-4).
    Conflict {
        /// The topic that it said it on.
        topic: String,
        /// The revision.
        revision: u64,
    },
    /// The chain has other keys for this device: it must start with those.
    KeysReplaced {
        /// Their version.
        key_version: u32,
    },
    /// Two groups of the device have the same filter (TOP-3).
    TopicConflict(TopicFilter),
    /// A control message changed nothing (STM-12).
    ControlRefused {
        /// Its topic.
        topic: String,
        /// Why.
        reason: ControlRefused,
    },
    /// A topic filter is not protected any more.
    Released(TopicFilter),
    /// A topic filter was not released: a group of the device has it.
    NotReleased(TopicFilter),
}

impl Notice {
    /// Its stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Answered { .. } => "answered",
            Self::Told { .. } => "told",
            Self::Joined(_) => "joined",
            Self::Left(_) => "left",
            Self::State { .. } => "state",
            Self::Secret { .. } => "secret",
            Self::Acknowledged { .. } => "acknowledged",
            Self::ReceiptRefused { .. } => "receipt-refused",
            Self::Stale(_) => "stale",
            Self::Fresh(_) => "fresh",
            Self::OwnerKey { .. } => "owner-key",
            Self::Clone { .. } => "clone",
            Self::Copied(_) => "copied",
            Self::Conflict { .. } => "conflict",
            Self::KeysReplaced { .. } => "keys-replaced",
            Self::TopicConflict(_) => "topic-conflict",
            Self::ControlRefused { .. } => "control-refused",
            Self::Released(_) => "released",
            Self::NotReleased(_) => "not-released",
        }
    }

    /// Whether somebody should look at it at once.
    pub fn is_alarm(&self) -> bool {
        matches!(
            self,
            Self::Clone { .. }
                | Self::Copied(_)
                | Self::Conflict { .. }
                | Self::KeysReplaced { .. }
                | Self::TopicConflict(_)
        )
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { asked, answer } => match answer {
                Answer::Accepted => write!(f, "{}: accepted by the gateway, on its way to the chain", asked.text()),
                Answer::Done => write!(f, "{}: done", asked.text()),
                Answer::Refused { text, .. } => write!(f, "{}: refused by the gateway: {text}", asked.text()),
            },
            Self::Told { groups } => write!(f, "the gateway says that this device is in {groups} groups"),
            Self::Joined(group) => write!(f, "in group {group} now"),
            Self::Left(group) => write!(f, "not in group {group} any more; its secrets are erased"),
            Self::State { group, state, epoch } => write!(f, "group {group} is {state:?}, epoch {epoch}"),
            Self::Secret { group, epoch } => write!(f, "secret of epoch {epoch} of group {group} is known"),
            Self::Acknowledged { group, epoch } => write!(f, "receipt for epoch {epoch} of group {group} is on chain"),
            Self::ReceiptRefused { group, epoch, text } => {
                write!(f, "receipt for epoch {epoch} of group {group} was refused: {text}")
            }
            Self::Stale(group) => write!(f, "stale: nothing new of group {group} was heard for longer than it allows"),
            Self::Fresh(group) => write!(f, "group {group} is heard of again"),
            Self::OwnerKey { key, serial } => write!(f, "the gateway's statement key is {key} now (serial {serial})"),
            Self::Clone { group, device } => write!(
                f,
                "ALARM: two messages of {device} in group {group} have the same counter: its keys or its store were copied; give it new keys"
            ),
            Self::Copied(group) => write!(
                f,
                "ALARM: a message in group {group} is signed with this device's keys, and its store knows nothing of it: the store was restored, or copied; nothing is sealed any more until the keys are replaced"
            ),
            Self::Conflict { topic, revision } => {
                write!(f, "ALARM: two different statements of revision {revision} on {topic}; the first one stands")
            }
            Self::KeysReplaced { key_version } => {
                write!(f, "the chain has keys of version {key_version} for this device; start with those")
            }
            Self::TopicConflict(filter) => {
                write!(f, "two groups of this device have the filter {filter}; nothing is sealed or opened there")
            }
            Self::ControlRefused { topic, reason } => write!(f, "{topic} changed nothing: {reason}"),
            Self::Released(filter) => write!(f, "{filter} is not protected any more"),
            Self::NotReleased(filter) => write!(f, "{filter} stays protected: a group of this device has it"),
        }
    }
}
