//! Evidence put in order: who sealed what and since when it can have been sealed, what was delivered to whom and acknowledged,
//! which secrets the devices in the test's hands ever got, and what the chain said at each block.
//!
//! Formats are decoded by `keyward-protocol`, boxes and messages opened by the primitives of `keyward-crypto`; nothing is shared
//! with the session of the client or with the bridge.

use std::{collections::BTreeMap, rc::Rc};

use anyhow::Result;
use keyward_protocol::{
    grant::EpochSecret,
    message::Header,
    receipt::Receipt,
    request::{Request, Response, Status},
    statement::GroupStatement,
    DeviceId, GroupId,
};

use super::{
    evidence::{Began, Group, Happened, Known, Line, Member, Printed, State},
    reader::Reader,
};

/// The party of the bridge's connections.
pub const BRIDGE: &str = "bridge";

/// Where something stands in the file, and when it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// The line, from 1.
    pub line: usize,
    /// Milliseconds since 1970.
    pub at: u64,
}

/// A finalized block and the state at its end.
pub struct Final {
    /// Where it stands.
    pub spot: Spot,
    /// Its number.
    pub number: u32,
    /// Its time by the chain, in milliseconds.
    pub time_ms: u64,
    /// The state.
    pub state: Rc<State>,
}

impl Final {
    /// A group at the end of the block.
    pub fn group(&self, group: &GroupId) -> Option<&Group> {
        self.state.groups.iter().find(|found| found.group == *group)
    }

    /// A member that takes part at the end of the block.
    pub fn active(&self, group: &GroupId, device: &DeviceId) -> Option<&Member> {
        let members = &self.group(group)?.members;
        members
            .iter()
            .find(|member| member.device == *device && member.active)
    }
}

/// One run of a device's program.
#[derive(Clone, Debug)]
pub struct Run {
    /// When it was started.
    pub started: Spot,
    /// When it ended.
    pub ended: Option<Spot>,
    /// Whether it publishes.
    pub publishes: bool,
}

/// A protected message as a publisher sent it, at its first appearance.
pub struct Sealed {
    /// Where it appeared first.
    pub spot: Spot,
    /// The run of the publisher's program that opened the connection: it was not sealed before that began.
    pub since: Spot,
    /// By whose connection.
    pub publisher: DeviceId,
    /// Its topic.
    pub topic: String,
    /// Its group.
    pub group: GroupId,
    /// Its clear part.
    pub header: Header,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// When the broker acknowledged it.
    pub acknowledged: Option<Spot>,
    /// What it says, if any of our devices could ever open it.
    pub text: Option<String>,
}

/// A protected message as it went to a subscriber.
pub struct Delivery {
    /// Where it stands.
    pub spot: Spot,
    /// To whom.
    pub device: DeviceId,
    /// The run of its program.
    pub run: Option<u32>,
    /// Its topic.
    pub topic: String,
    /// Which of the sealed messages it is; none if nobody of ours sealed it.
    pub sealed: Option<usize>,
    /// When the subscriber acknowledged it.
    pub acknowledged: Option<Spot>,
}

/// A group statement that the gateway signed, as it went over the wire.
pub struct Stated {
    /// Where it stands.
    pub spot: Spot,
    /// Whose connection.
    pub party: String,
    /// Whether it went to the broker.
    pub up: bool,
    /// What it says.
    pub statement: GroupStatement,
}

/// A secret that one of our devices got.
pub struct Got {
    /// Where the grant stands.
    pub spot: Spot,
    /// Which device.
    pub device: DeviceId,
    /// Of which group.
    pub group: GroupId,
    /// Of which epoch.
    pub epoch: u32,
    /// The secret.
    pub secret: EpochSecret,
}

/// A receipt.
pub struct Receipted {
    /// Where it stands.
    pub spot: Spot,
    /// Whether it went to the broker; otherwise to the bridge.
    pub up: bool,
    /// When the bridge acknowledged it, if it went there.
    pub acknowledged: Option<Spot>,
    /// What it says.
    pub receipt: Receipt,
}

/// A request for enrolment, as it went to the bridge.
pub struct Asked {
    /// Where it stands.
    pub spot: Spot,
    /// When the bridge acknowledged it.
    pub acknowledged: Option<Spot>,
    /// What it says.
    pub request: Request,
}

/// What a device's store knew.
pub struct Knew {
    /// Where the answer stands.
    pub spot: Spot,
    /// Which device.
    pub device: DeviceId,
    /// Its groups.
    pub groups: Vec<Known>,
}

/// A line that a program printed.
pub struct Said {
    /// Where it stands.
    pub spot: Spot,
    /// Which device.
    pub device: DeviceId,
    /// Which run of its program.
    pub run: u32,
    /// The line.
    pub event: Printed,
}

/// The whole run.
pub struct Record {
    /// What it began with.
    pub began: Began,
    /// Finalized blocks, in order.
    pub blocks: Vec<Final>,
    /// Runs of programs.
    pub runs: BTreeMap<(DeviceId, u32), Run>,
    /// Messages, by first appearance.
    pub sealed: Vec<Sealed>,
    /// Messages to subscribers.
    pub deliveries: Vec<Delivery>,
    /// When the broker passed something on, and to whom.
    pub passed_on: Vec<(Spot, String)>,
    /// Group statements.
    pub statements: Vec<Stated>,
    /// Secrets of our devices.
    pub got: Vec<Got>,
    /// Receipts.
    pub receipts: Vec<Receipted>,
    /// Requests for enrolment.
    pub asked: Vec<Asked>,
    /// Answers of the gateway.
    pub responses: Vec<(Spot, Response)>,
    /// What programs printed.
    pub said: Vec<Said>,
    /// What stores knew.
    pub knew: Vec<Knew>,
    /// What happened to parts.
    pub faults: Vec<(Spot, String, Happened)>,
    /// Steps that could not be carried out.
    pub skipped: Vec<(Spot, String, String)>,
    /// The last fault was over.
    pub healed: Option<Spot>,
    /// Everything was expected to be well from here on.
    pub quiet: Option<Spot>,
    /// The end.
    pub over: Option<Spot>,
    /// What the broker held at the end.
    pub held: BTreeMap<String, Vec<u8>>,
}

impl Record {
    /// Puts evidence in order.
    ///
    /// # Errors
    /// When there is no beginning, or a line does not say what it must.
    pub fn of(lines: &[Line]) -> Result<Self> {
        let mut reader = Reader::new(lines)?;
        for (at, line) in lines.iter().enumerate() {
            let spot = Spot {
                line: at + 1,
                at: line.at,
            };
            reader.take(spot, &line.what)?;
        }
        Ok(reader.finish())
    }

    /// The last block.
    pub fn last(&self) -> Option<&Final> {
        self.blocks.last()
    }

    /// Whether something happened to a part between two times, both included.
    pub fn happened(&self, part: &str, kinds: &[Happened], from: u64, to: u64) -> bool {
        self.faults.iter().any(|(spot, named, happened)| {
            named == part && kinds.contains(happened) && (from..=to).contains(&spot.at)
        })
    }

    /// Whether a device's program subscribes at the end: it is connected.
    pub fn is_subscribed(&self, device: &DeviceId) -> bool {
        let mut runs = self.runs.iter();
        runs.any(|((of, _), run)| of == device && !run.publishes && run.ended.is_none())
    }

    /// Whether a device takes part in a group in all blocks whose time lies between two times, and is one at their beginning.
    pub fn is_steady(&self, group: &GroupId, device: &DeviceId, from: u64, to: u64) -> bool {
        let before = self.blocks.iter().rfind(|block| block.time_ms <= from);
        let between = self
            .blocks
            .iter()
            .filter(|block| (from..=to).contains(&block.time_ms));
        let index = before.and_then(|block| Some(block.active(group, device)?.index));
        index.is_some()
            && between
                .map(|block| block.active(group, device).map(|member| member.index))
                .all(|found| found == index)
    }
}

/// Whether an answer is the last one.
pub fn is_final(response: &Response) -> bool {
    response.status != Status::Accepted
}
