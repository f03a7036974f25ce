//! What is known of a group that the device is in, for as long as the session lives.

use alloc::{
    collections::{BTreeMap, VecDeque},
    string::String,
    vec::Vec,
};
use core::fmt;

use keyward_crypto::{GroupKey, Verifier};
use keyward_protocol::{
    beacon::Beacon, grant::Grant, statement::PublisherPage, AccountId, DeviceId, Digest,
    VerifyingKey,
};

use super::parking::Parking;

/// A publisher of the current statement (MSG-7).
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) device: DeviceId,
    pub(super) key_version: u32,
    pub(super) key: VerifyingKey,
    /// Decoded when a message of it comes.
    pub(super) verifier: Option<Verifier>,
}

/// A grant whose commitment is not known yet (MSG-13).
#[derive(Debug)]
pub(super) struct WaitingGrant {
    pub(super) grant: Grant,
    pub(super) until: u64,
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
    /// Keys that were derived, by epoch.
    pub(super) keys: BTreeMap<u32, GroupKey>,
    /// Publishers by index, of the pages that are there.
    pub(super) senders: BTreeMap<u32, Sender>,
    /// Whether all pages are there.
    pub(super) is_complete: bool,
    /// Whether the statement was confirmed since the session is connected.
    pub(super) confirmed: bool,
    /// Whether it was said that nothing new is heard.
    pub(super) is_stale: bool,
    /// Topics on which messages were read lately: where a moved one may come from.
    read_on: VecDeque<String>,
}

/// Topics that are remembered to tell whether a message was moved.
const READ_ON: usize = 8;

impl Live {
    /// Notes that a message was read on a topic.
    pub(super) fn note_topic(&mut self, topic: &str) {
        self.read_on.retain(|known| known != topic);
        self.read_on.push_front(topic.into());
        self.read_on.truncate(READ_ON);
    }

    /// Topics on which messages were read lately, the newest first.
    pub(super) fn topics(&self) -> impl Iterator<Item = &str> {
        self.read_on.iter().map(String::as_str)
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epochs: Vec<&u32> = self.keys.keys().collect();
        f.debug_struct("Live")
            .field("publishers", &self.senders.len())
            .field("epochs", &epochs)
            .finish_non_exhaustive()
    }
}
