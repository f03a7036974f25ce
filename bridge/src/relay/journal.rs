//! What survives a crash: the journal in memory, and the changes that a store makes durable (DESIGN section 7).
//!
//! The relay applies a [`Change`] to its own copy when it decides on it and hands the change out; a store that applied
//! the same changes loads the same journal.

use std::{collections::BTreeMap, fmt, sync::Arc};

use codec::{Decode, Encode};
use keyward_protocol::{
    beacon::BlockRef,
    bytes::Nonce,
    grant::EpochSecret,
    request::{Ask, Refusal},
    AccountId, Commitment, DeviceId, Digest, GatewayName, Genesis, GroupId, Signature,
    VerifyingKey,
};

/// Which gateway, on which chain: a journal belongs to one.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Home {
    /// The chain.
    pub genesis: Genesis,
    /// The gateway's account.
    pub account: AccountId,
    /// Its short name, as it stands in topics.
    pub name: GatewayName,
}

/// An epoch secret that this gateway drew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldSecret {
    /// The secret.
    pub secret: EpochSecret,
    /// Its commitment in this gateway's name.
    pub commitment: Commitment,
    /// Chain time at which a later epoch had begun, in milliseconds since 1970.
    pub retired_ms: Option<u64>,
}

/// A retained message that this gateway owes the broker, byte for byte.
#[derive(Clone, PartialEq, Eq)]
pub struct Retained {
    /// Hash of what the payload says: made anew only when it differs.
    pub fingerprint: Digest,
    /// The payload.
    pub payload: Arc<[u8]>,
}

impl fmt::Debug for Retained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Retained({} bytes)", self.payload.len())
    }
}

/// How far a request has come.
#[expect(
    clippy::large_enum_variant,
    reason = "one per device, and most are answered within seconds"
)]
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum AskState {
    /// Accepted, and on its way to the chain.
    Pending(Ask),
    /// Done.
    Done,
    /// Refused, and why.
    Refused(Refusal, String),
}

/// The newest request of a device.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AskRecord {
    /// The key that signed it: counters of another key do not count.
    pub key: VerifyingKey,
    /// Its counter.
    pub counter: u64,
    /// Its nonce.
    pub nonce: Nonce,
    /// What became of it.
    pub state: AskState,
}

/// Which receipt: a device may acknowledge an epoch with two commitments, and both are evidence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct ReceiptKey {
    /// The group.
    pub group: GroupId,
    /// The device.
    pub device: DeviceId,
    /// The epoch.
    pub epoch: u32,
    /// The commitment that the device saw.
    pub commitment: Commitment,
}

/// A verified receipt that is not finalized yet.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ReceiptRecord {
    /// The version of the keys that signed it.
    pub key_version: u32,
    /// Its signature.
    pub signature: Signature,
    /// Nonce of the answer: first 16 bytes of the receipt's hash.
    pub nonce: Nonce,
}

/// One durable change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Whose journal this is; once.
    Home(Home),
    /// Newest finalized block that was dealt with.
    Cursor(BlockRef),
    /// A secret was drawn.
    Secret(GroupId, u32, HeldSecret),
    /// A later epoch has begun, at this chain time in milliseconds.
    Retire(GroupId, u32, u64),
    /// A secret is erased: its wrapping key is overwritten.
    Erase(GroupId, u32),
    /// The broker is owed this.
    Retain(String, Retained),
    /// The broker is no longer owed anything there.
    Release(String),
    /// The newest request of a device.
    Ask(DeviceId, AskRecord),
    /// A receipt was accepted.
    Receipt(ReceiptKey, ReceiptRecord),
    /// A receipt is finalized or refused.
    ReceiptSettled(ReceiptKey),
}

/// Everything that survives a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    /// Whose journal this is.
    pub home: Option<Home>,
    /// Newest finalized block that was dealt with.
    pub cursor: Option<BlockRef>,
    /// Secrets by group and epoch.
    pub secrets: BTreeMap<(GroupId, u32), HeldSecret>,
    /// Retained messages by topic.
    pub retained: BTreeMap<String, Retained>,
    /// Newest request by device.
    pub asks: BTreeMap<DeviceId, AskRecord>,
    /// Receipts on their way.
    pub receipts: BTreeMap<ReceiptKey, ReceiptRecord>,
}

impl Journal {
    /// Applies a change.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Home(home) => self.home = Some(home),
            Change::Cursor(block) => self.cursor = Some(block),
            Change::Secret(group, epoch, held) => {
                self.secrets.insert((group, epoch), held);
            }
            Change::Retire(group, epoch, ms) => {
                if let Some(held) = self.secrets.get_mut(&(group, epoch)) {
                    held.retired_ms = Some(ms);
                }
            }
            Change::Erase(group, epoch) => {
                self.secrets.remove(&(group, epoch));
            }
            Change::Retain(topic, retained) => {
                self.retained.insert(topic, retained);
            }
            Change::Release(topic) => {
                self.retained.remove(&topic);
            }
            Change::Ask(device, record) => {
                self.asks.insert(device, record);
            }
            Change::Receipt(key, record) => {
                self.receipts.insert(key, record);
            }
            Change::ReceiptSettled(key) => {
                self.receipts.remove(&key);
            }
        }
    }
}
