//! Why a message is refused, not sealed, or a control message not believed. Names are stable: programs and operators match
//! on them.

use keyward_crypto::message::{MessageNotSealed, MessageRefused};
use keyward_protocol::{
    bytes::VerifyingKey, message::MessageInvalid, policy::PolicyInvalid, signing::Unverifiable,
    wire::WireInvalid,
};
use thiserror::Error;

/// Why a message on a protected topic was refused. No retry helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Not sealed at all (MSG-16).
    #[error("plaintext on a protected topic")]
    Plaintext,
    /// Sealed, but not in its one form.
    #[error("not a well-formed protected message: {0}")]
    Malformed(MessageInvalid),
    /// The device is in no group with this topic.
    #[error("this device is in no group that this topic belongs to")]
    NotMember,
    /// Two groups claim the topic with the same filter (TOP-3).
    #[error("two groups of this device have the same filter for this topic; correct the filters")]
    TopicConflict,
    /// The device publishes in the group, and is not meant to read.
    #[error("this device's role in the group is to publish, not to read")]
    NotSubscriber,
    /// The group is closed.
    #[error("the group is closed")]
    Closed,
    /// The sender is no publisher in the current statement (MSG-7).
    #[error("the sender is no publisher of the group now")]
    NotPublisher,
    /// Sealed in the device's own name.
    #[error("sealed in this device's own name")]
    Own,
    /// The secret of its epoch is not known, and did not become known in time (MSG-13).
    #[error("the secret of the message's epoch is not known")]
    UnknownEpoch,
    /// Sealed in an older epoch, and the grace is over in a group whose messages are not signed (MSG-8).
    #[error("sealed in an older epoch, and messages of the group are not signed")]
    OldEpoch,
    /// Came before (MSG-10).
    #[error("this message came before")]
    Replayed,
    /// Too far behind the newest of its sender to tell whether it came before (MSG-10).
    #[error("too far behind the sender's newest message to tell whether it came before")]
    BehindWindow,
    /// Of a start of the sender that is too long ago (MSG-10).
    #[error("sealed before the sender's last four starts")]
    OldBoot,
    /// The same counter as another message: somebody else has the sender's keys, or its store was restored (MSG-10).
    #[error(
        "another message of the sender has the same counter: its keys or its store were copied"
    )]
    Cloned,
    /// An older retained value than the newest one known (MSG-12).
    #[error("an older value than the newest known of this topic")]
    OldValue,
    /// Too many topics with retained values in one group.
    #[error("too many topics with retained values in the group")]
    TooManyValues,
    /// Changed, moved from a topic that nothing was read on, moved from another group, or sealed with another secret (MSG-5).
    #[error("changed on its way, or not sealed for this topic")]
    Tampered,
    /// Genuine, but sealed for another topic of the group (MSG-5).
    #[error("sealed for another topic of the group, and moved to this one")]
    Moved,
    /// The signature is not the sender's (MSG-6).
    #[error("the signature is not the sender's")]
    Signature,
    /// No signature, and the policy demands one (MSG-4).
    #[error("not signed, and the group's policy demands it")]
    Unsigned,
    /// A signature, and the policy has none (MSG-4).
    #[error("signed, and the group's policy has no signatures")]
    Signed,
    /// No time, and the policy demands it (MSG-4).
    #[error("does not say when it was sealed, and the group's policy demands it")]
    Untimed,
    /// A time, and the policy has none (MSG-4).
    #[error("says when it was sealed, and the group's policy does not have that")]
    Timed,
    /// Sealed too long ago, or in the future (MSG-15).
    #[error("its time is further from now than the group's policy allows")]
    Expired,
    /// The device does not know what time it is, and the policy has a `max_age`.
    #[error(
        "this device does not know the time yet, and the group's policy limits the age of messages"
    )]
    NoTime,
}

impl Refusal {
    /// Its stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Plaintext => "Plaintext",
            Self::Malformed(_) => "Malformed",
            Self::NotMember => "NotMember",
            Self::TopicConflict => "TopicConflict",
            Self::NotSubscriber => "NotSubscriber",
            Self::Closed => "Closed",
            Self::NotPublisher => "NotPublisher",
            Self::Own => "Own",
            Self::UnknownEpoch => "UnknownEpoch",
            Self::OldEpoch => "OldEpoch",
            Self::Replayed => "Replayed",
            Self::BehindWindow => "BehindWindow",
            Self::OldBoot => "OldBoot",
            Self::Cloned => "Cloned",
            Self::OldValue => "OldValue",
            Self::TooManyValues => "TooManyValues",
            Self::Tampered => "Tampered",
            Self::Moved => "Moved",
            Self::Signature => "Signature",
            Self::Unsigned => "Unsigned",
            Self::Signed => "Signed",
            Self::Untimed => "Untimed",
            Self::Timed => "Timed",
            Self::Expired => "Expired",
            Self::NoTime => "NoTime",
        }
    }
}

impl From<MessageRefused> for Refusal {
    fn from(refused: MessageRefused) -> Self {
        match refused {
            MessageRefused::Topic | MessageRefused::AnotherKey | MessageRefused::Tampered => {
                Self::Tampered
            }
            MessageRefused::Unsigned => Self::Unsigned,
            MessageRefused::Signed => Self::Signed,
            MessageRefused::Untimed => Self::Untimed,
            MessageRefused::Timed => Self::Timed,
            MessageRefused::Signature => Self::Signature,
        }
    }
}

/// Why nothing was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealRefused {
    /// The topic is not protected.
    #[error("the topic is not protected: no group of this device has it, and none had")]
    NotProtected,
    /// The device is in no group with this topic.
    #[error("this device is in no group that this topic belongs to")]
    NotMember,
    /// Two groups claim the topic with the same filter (TOP-3).
    #[error("two groups of this device have the same filter for this topic; correct the filters")]
    TopicConflict,
    /// The device may not publish in the group.
    #[error("this device may not publish in the group")]
    NotPublisher,
    /// The group's statement, the page with this device, or the current secret has not come yet.
    #[error("the group's statement or its current key has not come yet")]
    NotReady,
    /// A newer statement is announced, and has not come yet.
    #[error("a newer state of the group is announced and has not come yet")]
    Outdated,
    /// The new epoch is accepted, and is used in a moment (MSG-14).
    #[error("a new epoch begins; it is used in {wait_ms} ms")]
    Settling {
        /// How long.
        wait_ms: u64,
    },
    /// Nothing new was heard of the chain for longer than `max_silence` (STM-10).
    #[error("stale: nothing new was heard of the chain for longer than the group allows")]
    Stale,
    /// The group waits for a new epoch (STM-5).
    #[error("the group awaits a new epoch")]
    Awaiting,
    /// The group is frozen (STM-5).
    #[error("the group is frozen")]
    Frozen,
    /// The group is closed (STM-5).
    #[error("the group is closed")]
    Closed,
    /// The policy demands the time, and the device does not know it yet.
    #[error("the group's messages carry the time, and this device does not know it yet")]
    NoTime,
    /// Counters are used up (MSG-9).
    #[error("the counters of this start are used up; start anew")]
    Exhausted,
    /// Somebody else seals with this device's keys, or its store was restored (MSG-9, MSG-10).
    #[error(
        "somebody has sealed with this device's keys what this store knows nothing of: it was restored, or copied; replace the keys"
    )]
    Copied,
    /// More retained values, or more bytes of them, than a session keeps.
    #[error("too many retained values; at most {max}")]
    TooManyValues {
        /// How many at most.
        max: usize,
    },
    /// Topic or payload are not what a message may have.
    #[error(transparent)]
    Message(#[from] MessageNotSealed),
}

impl SealRefused {
    /// Its stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotProtected => "NotProtected",
            Self::NotMember => "NotMember",
            Self::TopicConflict => "TopicConflict",
            Self::NotPublisher => "NotPublisher",
            Self::NotReady => "NotReady",
            Self::Outdated => "Outdated",
            Self::Settling { .. } => "Settling",
            Self::Stale => "Stale",
            Self::Awaiting => "Awaiting",
            Self::Frozen => "Frozen",
            Self::Closed => "Closed",
            Self::NoTime => "NoTime",
            Self::Exhausted => "Exhausted",
            Self::Copied => "Copied",
            Self::TooManyValues { .. } => "TooManyValues",
            Self::Message(MessageNotSealed::Topic) => "Topic",
            Self::Message(MessageNotSealed::TooLong { .. }) => "TooLong",
        }
    }

    /// Whether it may work later, without anybody doing anything about it.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::NotMember
                | Self::NotPublisher
                | Self::NotReady
                | Self::Outdated
                | Self::Settling { .. }
                | Self::Stale
                | Self::Awaiting
                | Self::Frozen
                | Self::NoTime
        )
    }
}

/// Why a control message changes nothing (STM-12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ControlRefused {
    /// Not in its one form.
    #[error("not well-formed: {0}")]
    Malformed(WireInvalid),
    /// For another chain, or not signed by whom it should be.
    #[error(transparent)]
    Unverifiable(Unverifiable),
    /// For another device or group than its topic says, or of another gateway.
    #[error("it names another gateway, device or group than its topic")]
    Misplaced,
    /// Of somebody who is no custodian of the group.
    #[error("its author is no custodian of a group of this device")]
    NotCustodian,
    /// For another version of the device's keys.
    #[error("it is for version {theirs} of this device's keys, and these are version {ours}")]
    KeyVersion {
        /// The version that it is for.
        theirs: u32,
        /// Ours.
        ours: u32,
    },
    /// Older than what is known (STM-2, STM-4, STM-11).
    #[error("older than what is known: {known} is the newest")]
    Old {
        /// The newest revision or serial known.
        known: u64,
    },
    /// Of the same revision as what is known, with other content (STM-4).
    #[error("says something else than what is known of revision {revision}")]
    Conflict {
        /// The revision.
        revision: u64,
    },
    /// A critical extension that this version does not know (EXT-1).
    #[error("critical extension {id} is not known; update this program")]
    UnknownExtension {
        /// Its number.
        id: u16,
    },
    /// A policy that cannot be followed (POL-2).
    #[error("its policy cannot be followed: {0}")]
    Policy(PolicyInvalid),
    /// A key that signatures cannot be checked with (REG-5).
    #[error("key {0} is not acceptable")]
    Key(VerifyingKey),
    /// A grant that is not for this device, or not a grant.
    #[error("not a grant for this device")]
    Grant,
    /// A secret that nobody committed to (KEY-5).
    #[error("the secret of epoch {epoch} does not open the commitment of the group's statement")]
    Secret {
        /// The epoch.
        epoch: u32,
    },
    /// A grant of an epoch that did not become known in time (MSG-13).
    #[error("epoch {epoch} of a grant did not become known in time")]
    UnknownEpoch {
        /// The epoch.
        epoch: u32,
    },
    /// A response to nothing that this device asked (REQ-2).
    #[error("nothing was asked that it answers")]
    NotAsked,
}

impl ControlRefused {
    /// Its stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "Malformed",
            Self::Unverifiable(Unverifiable::Genesis) => "AnotherChain",
            Self::Unverifiable(Unverifiable::Signature) => "Signature",
            Self::Misplaced => "Misplaced",
            Self::NotCustodian => "NotCustodian",
            Self::KeyVersion { .. } => "KeyVersion",
            Self::Old { .. } => "Old",
            Self::Conflict { .. } => "Conflict",
            Self::UnknownExtension { .. } => "UnknownExtension",
            Self::Policy(_) => "Policy",
            Self::Key(_) => "Key",
            Self::Grant => "Grant",
            Self::Secret { .. } => "Secret",
            Self::UnknownEpoch { .. } => "UnknownEpoch",
            Self::NotAsked => "NotAsked",
        }
    }
}

impl From<WireInvalid> for ControlRefused {
    fn from(invalid: WireInvalid) -> Self {
        Self::Malformed(invalid)
    }
}

impl From<Unverifiable> for ControlRefused {
    fn from(unverifiable: Unverifiable) -> Self {
        Self::Unverifiable(unverifiable)
    }
}
