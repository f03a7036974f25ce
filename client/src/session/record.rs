//! Changes as a store keeps them: named values, and named secrets that it wraps.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use codec::{Decode, DecodeAll, Encode};
use keyward_protocol::{grant::EpochSecret, message::Stream, topic::TopicFilter, GroupId};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{
    durable::{Change, Durable, ValueKey, WindowKey},
    window::{Block, Step},
};

/// What all names begin with.
pub const PREFIX: &str = "session/";

/// What a store has to do for a change.
#[derive(Clone, PartialEq, Eq)]
pub enum Record {
    /// Remember a value under a name.
    Put(String, Vec<u8>),
    /// Forget the value of a name.
    Delete(String),
    /// Keep a secret under a name, wrapped (KEY-9): a key, or what an application retains.
    Keep(String, Zeroizing<Vec<u8>>),
    /// Erase the secret of a name.
    Erase(String),
}

/// A record that this version did not write.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{name} is damaged; restore the store from a backup and give the device new keys")]
pub struct Damaged {
    /// Its name.
    pub name: String,
}

impl From<&Change> for Record {
    fn from(change: &Change) -> Self {
        let put =
            |name: &str, value: &dyn Fn() -> Vec<u8>| Self::Put(format!("{PREFIX}{name}"), value());
        match change {
            Change::Boot(boot) => put("boot", &|| boot.encode()),
            Change::Asked(counter) => put("asked", &|| counter.encode()),
            Change::Owner(owner) => put("owner", &|| owner.encode()),
            Change::Device(device) => put("device", &|| device.encode()),
            Change::Protect(filter, is) => put(&format!("protected/{filter}"), &|| is.encode()),
            Change::Statement(group, held) => put(&format!("statement/{group}"), &|| held.encode()),
            Change::Facts(group, facts) => put(&format!("facts/{group}"), &|| facts.encode()),
            Change::Page(group, page) => {
                put(&format!("page/{group}/{}", page.page), &|| page.encode())
            }
            Change::DropPage(group, page) => Self::Delete(format!("{PREFIX}page/{group}/{page}")),
            Change::Secret(group, epoch, secret) => Self::Keep(
                secret_name(group, *epoch),
                Zeroizing::new(secret.expose().to_vec()),
            ),
            Change::Erase(group, epoch) => Self::Erase(secret_name(group, *epoch)),
            Change::Received(key, Step::Put(boot, at, block)) => {
                Self::Put(window_name(key, *boot, *at), block.encode())
            }
            Change::Received(key, Step::Drop(boot, at)) => {
                Self::Delete(window_name(key, *boot, *at))
            }
            Change::Value(key, seen) => {
                let ValueKey {
                    group,
                    sender,
                    topic,
                } = key;
                put(&format!("value/{group}/{sender}/{topic}"), &|| {
                    seen.encode()
                })
            }
            Change::Copied(key_version) => put("copied", &|| key_version.encode()),
            Change::Retain(topic, Some(value)) => {
                Self::Keep(retain_name(topic), Zeroizing::new(value.encode()))
            }
            Change::Retain(topic, None) => Self::Erase(retain_name(topic)),
        }
    }
}

fn secret_name(group: &GroupId, epoch: u32) -> String {
    format!("{PREFIX}secret/{group}/{epoch}")
}

fn retain_name(topic: &str) -> String {
    format!("{PREFIX}retain/{topic}")
}

fn window_name(key: &WindowKey, boot: u32, at: u64) -> String {
    let WindowKey {
        group,
        sender,
        stream,
    } = key;
    format!(
        "{PREFIX}window/{group}/{sender}/{}/{boot}/{at}",
        *stream as u8
    )
}

impl Durable {
    /// The state of a store: its values and secrets whose names begin with [`PREFIX`].
    ///
    /// # Errors
    /// When one of them was not written by [`Record`].
    pub fn load(
        values: impl IntoIterator<Item = (String, Vec<u8>)>,
        secrets: impl IntoIterator<Item = (String, Zeroizing<Vec<u8>>)>,
    ) -> Result<Self, Damaged> {
        let mut durable = Self::default();
        for (name, value) in values {
            let change = change(&name, &value).ok_or(Damaged { name })?;
            durable.apply(change);
        }
        for (name, secret) in secrets {
            let change = secret_change(&name, &secret).ok_or(Damaged { name })?;
            durable.apply(change);
        }
        Ok(durable)
    }
}

fn decode<T: Decode>(mut value: &[u8]) -> Option<T> {
    T::decode_all(&mut value).ok()
}

fn secret_change(name: &str, secret: &[u8]) -> Option<Change> {
    let (kind, rest) = name.strip_prefix(PREFIX)?.split_once('/')?;
    Some(match kind {
        "secret" => {
            let (group, epoch) = rest.split_once('/')?;
            let secret = EpochSecret::of(secret.try_into().ok()?);
            Change::Secret(group.parse().ok()?, epoch.parse().ok()?, secret)
        }
        "retain" => Change::Retain(rest.to_string(), Some(decode(secret)?)),
        _ => return None,
    })
}

fn change(name: &str, value: &[u8]) -> Option<Change> {
    let name = name.strip_prefix(PREFIX)?;
    let (kind, rest) = name.split_once('/').unwrap_or((name, ""));
    Some(match kind {
        "boot" => Change::Boot(decode(value)?),
        "asked" => Change::Asked(decode(value)?),
        "owner" => Change::Owner(decode(value)?),
        "device" => Change::Device(decode(value)?),
        "protected" => Change::Protect(TopicFilter::new(rest).ok()?, decode(value)?),
        "statement" => Change::Statement(rest.parse().ok()?, decode(value)?),
        "facts" => Change::Facts(rest.parse().ok()?, decode(value)?),
        "page" => Change::Page(rest.split_once('/')?.0.parse().ok()?, decode(value)?),
        "window" => window_change(rest, decode(value)?)?,
        "value" => Change::Value(value_key(rest)?, decode(value)?),
        "copied" => Change::Copied(decode(value)?),
        _ => return None,
    })
}

fn window_change(rest: &str, block: Block) -> Option<Change> {
    let levels: Vec<&str> = rest.split('/').collect();
    let [group, sender, stream, boot, at] = *levels.as_slice() else {
        return None;
    };
    let key = WindowKey {
        group: group.parse().ok()?,
        sender: sender.parse().ok()?,
        stream: match stream {
            "0" => Stream::Live,
            "2" => Stream::Will,
            _ => return None,
        },
    };
    Some(Change::Received(
        key,
        Step::Put(boot.parse().ok()?, at.parse().ok()?, block),
    ))
}

fn value_key(rest: &str) -> Option<ValueKey> {
    let (group, rest) = rest.split_once('/')?;
    let (sender, topic) = rest.split_once('/')?;
    Some(ValueKey {
        group: group.parse().ok()?,
        sender: sender.parse().ok()?,
        topic: topic.to_string(),
    })
}
