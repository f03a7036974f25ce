//! What is known of a group that the device is in, for as long as the session lives.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    string::String,
    vec::Vec,
};
use core::fmt;

use keyward_crypto::{sign::KeyInvalid, GroupKey, MessageKey, Verifier};
use keyward_protocol::{
    beacon::Beacon,
    grant::Grant,
    message::Stream,
    statement::{Publisher, PublisherPage},
    AccountId, DeviceId, Digest, VerifyingKey,
};

use super::parking::Parking;

/// A publisher of the current statement (MSG-7).
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) device: DeviceId,
    pub(super) key_version: u32,
    pub(super) key: VerifyingKey,
    /// Decoded when a signed message of it comes.
    verifier: Option<Verifier>,
}

impl Sender {
    pub(super) fn new(publisher: &Publisher) -> Self {
        Self {
            device: publisher.device.clone(),
            key_version: publisher.key_version,
            key: publisher.signing_key,
            verifier: None,
        }
    }

    pub(super) fn verifier(&mut self) -> Result<&Verifier, KeyInvalid> {
        let verifier = match self.verifier.take() {
            Some(verifier) => verifier,
            None => Verifier::new(&self.key)?,
        };
        Ok(self.verifier.insert(verifier))
    }
}

/// A grant whose commitment is not known yet (MSG-13).
#[derive(Debug)]
pub(super) struct WaitingGrant {
    pub(super) grant: Grant,
    pub(super) until: u64,
}

/// Keys of messages that are kept at most; which they are makes no difference but time.
const KEYS: usize = 32;

/// Which key of an epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyOf {
    pub(super) epoch: u32,
    pub(super) sender: u32,
    pub(super) boot: u32,
    pub(super) stream: Stream,
}

/// Keys that were derived from secrets that are held.
#[derive(Default)]
pub(super) struct Derived {
    groups: BTreeMap<u32, GroupKey>,
    messages: BTreeMap<KeyOf, Box<MessageKey>>,
}

impl Derived {
    /// Whether one of an epoch's keys was derived: its secret is held.
    pub(super) fn has(&self, epoch: u32) -> bool {
        self.groups.contains_key(&epoch)
    }

    /// The key of messages; derived from the epoch's key, which is derived from its secret if it must be.
    pub(super) fn message_key(
        &mut self,
        of: KeyOf,
        epoch_key: impl FnOnce() -> Option<GroupKey>,
    ) -> Option<&MessageKey> {
        if !self.messages.contains_key(&of) {
            if !self.has(of.epoch) {
                self.groups.insert(of.epoch, epoch_key()?);
            }
            if self.messages.len() >= KEYS {
                self.messages.clear();
            }
            let epoch_key = self.groups.get(&of.epoch)?;
            let key = epoch_key.message_key(of.sender, of.boot, of.stream);
            self.messages.insert(of, Box::new(key));
        }
        self.messages.get(&of).map(|key| &**key)
    }

    /// An epoch's secret is not held any more, or another one.
    pub(super) fn forget(&mut self, epoch: u32) {
        self.groups.remove(&epoch);
        self.messages.retain(|of, _| of.epoch != epoch);
    }
}

/// A group.
#[derive(Default)]
pub(super) struct Live {
    /// When the session learned of the epoch that is current; none: before it began, so that its grace is over (MSG-8).
    pub(super) epoch_since: Option<u64>,
    /// When the current epoch may be used to seal (MSG-14).
    pub(super) usable_at: Option<u64>,
    /// The newest revision that a beacon announced.
    pub(super) announced: u64,
    /// Beacons of statements that have not come yet.
    pub(super) beacons: BTreeMap<AccountId, Beacon>,
    /// Pages of statements that have not come yet.
    pub(super) pages: BTreeMap<u32, (Digest, PublisherPage)>,
    /// Grants of epochs that are not known yet.
    pub(super) grants: BTreeMap<AccountId, WaitingGrant>,
    pub(super) parking: Parking,
    pub(super) keys: Derived,
    /// Publishers by index, of the pages that are there.
    pub(super) senders: BTreeMap<u32, Sender>,
    /// This device's index among them, if it is one with its present keys.
    pub(super) own_index: Option<u32>,
    /// Whether all pages are there.
    pub(super) is_complete: bool,
    /// Whether the statement was confirmed since the session is connected.
    pub(super) confirmed: bool,
    /// Whether it was said that nothing new is heard.
    pub(super) is_stale: bool,
    /// Topics on which messages were read lately: where a moved one may come from.
    pub(super) read_on: VecDeque<String>,
}

/// Topics that are remembered to tell whether a message was moved.
const READ_ON: usize = 8;

impl Live {
    /// Notes that a message was read on a topic.
    pub(super) fn note_topic(&mut self, topic: &str) {
        if self.read_on.front().is_some_and(|newest| newest == topic) {
            return;
        }
        self.read_on.retain(|known| known != topic);
        self.read_on.push_front(topic.into());
        self.read_on.truncate(READ_ON);
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epochs: Vec<&u32> = self.keys.groups.keys().collect();
        f.debug_struct("Live")
            .field("publishers", &self.senders.len())
            .field("epochs", &epochs)
            .finish_non_exhaustive()
    }
}
