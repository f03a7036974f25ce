//! What the judge is shown: a file of JSON lines with what went over the wire, what devices printed, what the chain finalized,
//! and what was done to the parts. Times are milliseconds since 1970 by the clock of the process that ran the schedule.
//!
//! A file holds the secret agreement keys of the devices in the test's own hands, so that it can be judged again: it is its
//! owner's alone, and those devices live as long as the run.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use keyward_protocol::{
    policy::Policy, statement::GroupState, AccountId, Commitment, DeviceId, GatewayName, Genesis,
    GroupId, Role, VerifyingKey,
};
use serde::{Deserialize, Serialize};

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// When it was seen.
    pub at: u64,
    /// What was seen.
    #[serde(flatten)]
    pub what: What,
}

/// What was seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
pub enum What {
    /// The run begins.
    Began(Began),
    /// A device in the test's own hands.
    Ours {
        /// Which.
        device: DeviceId,
        /// Its secret agreement key.
        #[serde(with = "hex_bytes")]
        agreement: Vec<u8>,
    },
    /// A finalized block.
    Block(Block),
    /// A connection to the broker was accepted.
    Connection {
        /// Its number in this run.
        connection: u64,
        /// Whose it is: `bridge`, or a device.
        party: String,
    },
    /// An MQTT packet, before it was passed on.
    Packet(Packet),
    /// A device's program was started.
    Started {
        /// The device.
        device: DeviceId,
        /// The number of the run of its program.
        run: u32,
        /// Whether it publishes one message; otherwise it subscribes.
        publishes: bool,
    },
    /// A device's program has ended.
    Ended {
        /// The device.
        device: DeviceId,
        /// The number of the run of its program.
        run: u32,
        /// Its exit code; none if a signal ended it.
        code: Option<i32>,
    },
    /// A device's program printed a line.
    Printed {
        /// The device.
        device: DeviceId,
        /// The number of the run of its program.
        run: u32,
        /// The line.
        event: Printed,
    },
    /// What a device's store knew at some time between `asked` and now.
    Status {
        /// The device.
        device: DeviceId,
        /// When it was asked.
        asked: u64,
        /// Its groups.
        groups: Vec<Known>,
    },
    /// Something was done to a part, or happened to it.
    Fault {
        /// Which part: `node`, `broker`, `bridge`, `rpc`, or a device.
        part: String,
        /// What.
        happened: Happened,
    },
    /// A step of the schedule that could not be carried out on this machine.
    Skipped {
        /// The step.
        step: String,
        /// Why.
        why: String,
    },
    /// A transaction of the administrator, and what became of it.
    Call {
        /// What it asks for.
        call: String,
        /// What became of it.
        outcome: String,
    },
    /// The last fault is over and everything was started.
    Healed,
    /// The time that was given for healing is over, or everything was seen to be well before.
    Quiet,
    /// What the broker holds at the end.
    Held {
        /// The topic.
        topic: String,
        /// The payload.
        #[serde(with = "hex_bytes")]
        payload: Vec<u8>,
    },
    /// The run is over; without this line it was cut short.
    Over,
}

/// What a run begins with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Began {
    /// The seed of its schedule.
    pub seed: u64,
    /// The chain.
    pub genesis: Genesis,
    /// The gateway's short name.
    pub gateway: GatewayName,
    /// Its account.
    pub account: AccountId,
    /// The key that its statements are signed with.
    pub statement_key: VerifyingKey,
    /// Devices whose program subscribes.
    pub subscribers: Vec<DeviceId>,
    /// Devices whose program publishes.
    pub publishers: Vec<DeviceId>,
}

/// What was done to a part, or happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happened {
    /// SIGKILL.
    Killed,
    /// It runs again.
    Started,
    /// SIGSTOP.
    Frozen,
    /// SIGCONT.
    Thawed,
    /// It ended by itself.
    Died,
    /// It panicked.
    Panicked,
    /// The broker's database was deleted while it did not run.
    Emptied,
    /// The disk under the journal has no room any more.
    Full,
    /// It has room again.
    Freed,
    /// The journal was copied.
    Saved,
    /// The copy was put in the journal's place.
    Restored,
    /// Connections stand, and nothing passes.
    Stalled,
    /// Connections were cut.
    Cut,
    /// Everything passes again.
    Passes,
}

/// A finalized block, with the state at its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Block {
    /// Its number.
    pub number: u32,
    /// Its time by the chain, in milliseconds since 1970.
    pub time_ms: u64,
    /// The state; none if it is that of the block before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
}

/// State of the chain, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The gateway's groups.
    pub groups: Vec<Group>,
    /// The gateway's devices.
    pub devices: Vec<Registered>,
}

/// A device that is registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Its id.
    pub device: DeviceId,
    /// The version of its keys.
    pub key_version: u32,
    /// Its Ed25519 key.
    pub signing_key: VerifyingKey,
}

/// A group on chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its id.
    pub group: GroupId,
    /// What it is doing.
    pub state: GroupState,
    /// Its epoch.
    pub epoch: u32,
    /// Its revision.
    pub revision: u64,
    /// Its topic filters.
    pub filters: Vec<String>,
    /// Its policy.
    pub policy: Policy,
    /// Epochs on record, by rising epoch.
    pub exchanges: Vec<Exchange>,
    /// Its members, suspended ones included.
    pub members: Vec<Member>,
}

/// An epoch on chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// The epoch.
    pub epoch: u32,
    /// Its commitment, and who made it.
    pub committed: Option<(Commitment, AccountId)>,
    /// Whether its delivery is recorded.
    pub delivered: bool,
}

/// A member on chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The device.
    pub device: DeviceId,
    /// What it may do.
    pub role: Role,
    /// Its index.
    pub index: u32,
    /// First epoch that it may hold.
    pub joined_epoch: u32,
    /// Whether it takes part.
    pub active: bool,
    /// The newest epoch whose receipt is recorded.
    pub acknowledged: Option<u32>,
}

/// An MQTT packet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Packet {
    /// The connection.
    pub connection: u64,
    /// Whether it goes to the broker.
    pub up: bool,
    /// What it is.
    #[serde(flatten)]
    pub content: Content,
}

/// What an MQTT packet is; others are not kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "packet", rename_all = "kebab-case")]
pub enum Content {
    /// PUBLISH.
    Publish {
        /// Its packet identifier, if its QoS is not 0.
        id: Option<u16>,
        /// Its topic.
        topic: String,
        /// Its payload.
        #[serde(with = "hex_bytes")]
        payload: Vec<u8>,
    },
    /// PUBACK that says success.
    Puback {
        /// The identifier of the packet that it answers.
        id: u16,
    },
}

/// A line that a device's program printed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Printed {
    /// What kind: `message`, `refused`, `sealed`, `ready`, `notice`.
    pub event: String,
    /// The topic.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub topic: String,
    /// The epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u32>,
    /// Who sealed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<DeviceId>,
    /// What it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// What is noteworthy about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<String>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The kind of a notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// What a device's store knows of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The group.
    pub group: GroupId,
    /// The revision of the statement that it accepted.
    pub revision: u64,
    /// Its epoch.
    pub epoch: u32,
}

mod hex_bytes {
    use serde::{de::Error, Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Now, in milliseconds since 1970.
pub fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

/// Where evidence is written down. Cheap to clone; every line is in the file as soon as it is noted.
#[derive(Clone, Debug)]
pub struct Log {
    file: Arc<Mutex<File>>,
    path: PathBuf,
}

impl Log {
    /// A new file that only its owner may read.
    pub fn new(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self {
            file: Arc::new(Mutex::new(file)),
            path: path.into(),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Notes what is seen now.
    ///
    /// # Panics
    /// When it cannot be written: a judge must not be shown half of the evidence.
    pub fn note(&self, what: What) {
        // Time and order are those of the file: the clock is read under its lock.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let line = Line { at: now_ms(), what };
        let mut text = serde_json::to_string(&line).expect("evidence has only text as keys");
        text.push('\n');
        let written = file.write_all(text.as_bytes());
        written.expect("evidence can be written");
    }

    /// Notes what was done to a part.
    pub fn fault(&self, part: &str, happened: Happened) {
        self.note(What::Fault {
            part: part.to_owned(),
            happened,
        });
    }
}

/// Reads a file; its line 1 is the first of the vector.
pub fn read(path: &Path) -> Result<Vec<Line>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines = BufReader::new(file).lines().enumerate();
    lines
        .map(|(at, line)| {
            serde_json::from_str(&line?)
                .with_context(|| format!("{}, line {}", path.display(), at + 1))
        })
        .collect()
}
