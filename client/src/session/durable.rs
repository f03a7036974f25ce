//! What survives a crash: the session's state that a store makes durable.
//!
//! The session applies a [`Change`] to its own copy when it decides on it and hands the change out; a store that applied the
//! same changes loads the same state. A store need not know what a change is: see [`super::record::Record`].

use alloc::{collections::BTreeMap, string::String, vec::Vec};
use core::fmt;

use codec::{Decode, Encode};
use keyward_protocol::{
    grant::EpochSecret,
    message::Stream,
    statement::{DeviceStatement, GroupStatement, PublisherPage},
    topic::TopicFilter,
    AccountId, Commitment, Digest, GroupId, VerifyingKey,
};

use super::window::{Boots, Step, TagPrefix};

/// A statement that was believed, with its hash.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Held<T> {
    /// What it says.
    pub body: T,
    /// Its hash (SIG-3).
    pub hash: Digest,
}

/// The owner's statement key, told by an anchor certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct OwnerKey {
    /// The key.
    pub key: VerifyingKey,
    /// The certificate's serial.
    pub serial: u64,
}

/// The newest beacon that confirms a group's statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Heard {
    /// The revision that it confirms.
    pub revision: u64,
    /// Number of the finalized block.
    pub block: u32,
    /// That block's time, in milliseconds since 1970.
    pub chain_time: u64,
}

/// What the newest secret of a group opened when it came (KEX-8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Committed {
    /// Its epoch.
    pub epoch: u32,
    /// The commitment.
    pub commitment: Commitment,
    /// The custodian who committed to it.
    pub custodian: AccountId,
}

/// What is known of a group besides its statement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Facts {
    /// Revision and hash of the newest statement of each custodian.
    pub said: BTreeMap<AccountId, (u64, Digest)>,
    /// The newest beacon.
    pub heard: Option<Heard>,
    /// The newest epoch whose receipt is on chain.
    pub acknowledged: Option<u32>,
    /// Chain time at which each past epoch was over, in milliseconds since 1970.
    pub retired: BTreeMap<u32, u64>,
    /// What the newest secret opened: a later statement may name another commitment.
    pub opened: Option<Committed>,
}

/// Whose window: one sender in one group, live messages or wills.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WindowKey {
    /// The group.
    pub group: GroupId,
    /// The sender's index.
    pub sender: u32,
    /// Live or will.
    pub stream: Stream,
}

/// Whose retained value, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValueKey {
    /// The group.
    pub group: GroupId,
    /// The sender's index.
    pub sender: u32,
    /// The topic.
    pub topic: String,
}

/// The newest retained value of a sender on a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ValueSeen {
    /// Its boot.
    pub boot: u32,
    /// Its counter.
    pub counter: u64,
    /// The beginning of its tag.
    pub tag: TagPrefix,
}

/// A value that the device retains on a topic; `Debug` shows its length only.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Retained {
    /// The epoch that it was last sealed in.
    pub epoch: u32,
    /// What the application sealed.
    pub payload: Vec<u8>,
}

impl fmt::Debug for Retained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.payload.len();
        write!(f, "Retained({length} bytes, epoch {})", self.epoch)
    }
}

/// One durable change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This start's boot (MSG-9).
    Boot(u32),
    /// Counter of the newest request (REQ-1).
    Asked(u64),
    /// The owner's statement key (STM-11).
    Owner(OwnerKey),
    /// What the device is in (STM-1).
    Device(Held<DeviceStatement>),
    /// A topic filter is protected, or was released (MSG-16).
    Protect(TopicFilter, bool),
    /// A group's statement (STM-3).
    Statement(GroupId, Held<GroupStatement>),
    /// What is known of a group besides.
    Facts(GroupId, Facts),
    /// A page of publishers (STM-7).
    Page(GroupId, PublisherPage),
    /// A page that the statement does not name any more.
    DropPage(GroupId, u32),
    /// A secret that opens its commitment (KEY-5).
    Secret(GroupId, u32, EpochSecret),
    /// A secret is erased: its wrapping key is overwritten (KEY-8).
    Erase(GroupId, u32),
    /// A message was received (MSG-11).
    Received(WindowKey, Step),
    /// A retained value was received (MSG-12).
    Value(ValueKey, ValueSeen),
    /// The device retains this on a topic, or nothing any more.
    Retain(String, Option<Retained>),
    /// Somebody else seals with this version of the device's keys, or its store was restored (MSG-9, MSG-10).
    Copied(u32),
}

/// Everything that survives a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durable {
    /// The newest boot that was used; 0 before the first start.
    pub boot: u32,
    /// Counter of the newest request.
    pub asked: u64,
    /// The owner's statement key, if a certificate told it.
    pub owner: Option<OwnerKey>,
    /// What the device is in.
    pub device: Option<Held<DeviceStatement>>,
    /// Topic filters that were protected once, and whether they are now.
    pub protected: BTreeMap<TopicFilter, bool>,
    /// Statements of groups, also of those that the device left: their revisions do not fall.
    pub statements: BTreeMap<GroupId, Held<GroupStatement>>,
    /// What is known of groups besides.
    pub facts: BTreeMap<GroupId, Facts>,
    /// Pages of publishers.
    pub pages: BTreeMap<(GroupId, u32), PublisherPage>,
    /// Secrets by group and epoch.
    pub secrets: BTreeMap<(GroupId, u32), EpochSecret>,
    /// What was received; also of groups that the device left, so that nothing comes twice when it is in them again.
    pub windows: BTreeMap<WindowKey, Boots>,
    /// Retained values that were received.
    pub values: BTreeMap<ValueKey, ValueSeen>,
    /// What the device itself retains.
    pub retained: BTreeMap<String, Retained>,
    /// The version of the device's keys that nothing may be sealed with any more, if there is one.
    pub copied: Option<u32>,
}

impl Durable {
    /// Applies a change.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Boot(boot) => self.boot = boot,
            Change::Asked(counter) => self.asked = counter,
            Change::Owner(owner) => self.owner = Some(owner),
            Change::Device(device) => self.device = Some(device),
            Change::Protect(filter, is_protected) => {
                self.protected.insert(filter, is_protected);
            }
            Change::Statement(group, statement) => {
                self.statements.insert(group, statement);
            }
            Change::Facts(group, facts) => {
                self.facts.insert(group, facts);
            }
            Change::Page(group, page) => {
                self.pages.insert((group, page.page), page);
            }
            Change::DropPage(group, page) => {
                self.pages.remove(&(group, page));
            }
            Change::Secret(group, epoch, secret) => {
                self.secrets.insert((group, epoch), secret);
            }
            Change::Erase(group, epoch) => {
                self.secrets.remove(&(group, epoch));
            }
            Change::Received(key, step) => self.windows.entry(key).or_default().apply(step),
            Change::Value(key, seen) => {
                self.values.insert(key, seen);
            }
            Change::Retain(topic, Some(value)) => {
                self.retained.insert(topic, value);
            }
            Change::Retain(topic, None) => {
                self.retained.remove(&topic);
            }
            Change::Copied(key_version) => self.copied = Some(key_version),
        }
    }

    /// Applies a change that is needed afterwards. One comes with every message: only what is new of it is copied.
    pub(super) fn copy(&mut self, change: &Change) {
        if let Change::Received(key, step) = change {
            if let Some(boots) = self.windows.get_mut(key) {
                return boots.apply(step.clone());
            }
        }
        self.apply(change.clone());
    }

    /// Epochs of a group whose secrets are held, rising.
    pub fn epochs(&self, group: &GroupId) -> impl DoubleEndedIterator<Item = u32> + '_ {
        let all = (group.clone(), 0)..=(group.clone(), u32::MAX);
        self.secrets.range(all).map(|((_, epoch), _)| *epoch)
    }
}
