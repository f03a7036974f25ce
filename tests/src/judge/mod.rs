//! The judge: reads the evidence of a run and decides whether the promises held. It is written against `docs/protocol.md` and
//! DESIGN section 10, and never asks the client's session or the bridge: it decodes with `keyward-protocol` and opens boxes and
//! messages with the primitives of `keyward-crypto`, as anybody with the secrets of the devices in the test's hands could.
//!
//! | rule | what must hold | where |
//! |---|---|---|
//! | `secrecy` | what a publisher seals after it accepted a removal, or later than `max_silence` after its block, opens with nothing that the removed device ever got; no device is granted an epoch of its absence | [`secrecy`] |
//! | `reading` | every member that is connected opens what was published and acknowledged, within a bounded time after healing | [`reading`] |
//! | `rising` | revisions and epochs that devices accept, epochs and counters that publishers use, only rise | [`rising`] |
//! | `commitment` | an epoch has one commitment, on chain, in statements, in receipts, and in what grants open | [`commitment`] |
//! | `once` | a message is delivered at most once, and lost only if its receiver was killed with it in flight | [`once`] |
//! | `durable` | what was acknowledged is not lost: requests, receipts, epochs that the chain finalized | [`durable`] |
//! | `running` | no part panics | [`durable`] |
//!
//! A verdict is a conviction only where evidence leaves no doubt; what cannot be decided is acquitted. So every bound is taken
//! from the side of the accused: a message counts as sealed no earlier than the publisher's program was started.

pub mod commitment;
pub mod durable;
pub mod evidence;
pub mod once;
pub mod opening;
pub mod reader;
pub mod reading;
pub mod record;
pub mod rising;
pub mod secrecy;
#[cfg(test)]
mod tests;

use std::fmt;

use anyhow::Result;

use self::{
    evidence::Line,
    record::{Record, Spot},
};

/// The rules, by name.
pub const RULES: &[&str] = &[
    "secrecy",
    "reading",
    "rising",
    "commitment",
    "once",
    "durable",
    "running",
];

/// A promise that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conviction {
    /// Which.
    pub rule: &'static str,
    /// What happened, with names and times.
    pub what: String,
    /// Where the evidence stands.
    pub evidence: Vec<Spot>,
}

impl fmt::Display for Conviction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)?;
        for spot in &self.evidence {
            write!(f, "\n    line {}, at {}", spot.line, clock(spot.at))?;
        }
        Ok(())
    }
}

/// A time of day, UTC, with milliseconds.
pub fn clock(at: u64) -> String {
    let (seconds, ms) = (at / 1000 % 86_400, at % 1000);
    format!(
        "{:02}:{:02}:{:02}.{ms:03}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// What was decided.
#[derive(Debug)]
pub struct Verdict {
    /// Promises that did not hold.
    pub convictions: Vec<Conviction>,
    /// How much was looked at.
    pub looked_at: LookedAt,
    /// Steps that this machine cannot do, and why.
    pub skipped: Vec<String>,
}

/// How much evidence there was: a judge that was shown nothing acquits everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LookedAt {
    /// Finalized blocks.
    pub blocks: usize,
    /// Removals of a member from a group.
    pub removals: usize,
    /// Messages that were sealed.
    pub sealed: usize,
    /// Of those, how many our devices could open.
    pub opened: usize,
    /// Messages that programs printed.
    pub delivered: usize,
    /// Things that were done to parts.
    pub faults: usize,
}

impl fmt::Display for LookedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} blocks, {} removals, {} messages sealed ({} opened by our devices), {} delivered, {} faults",
            self.blocks, self.removals, self.sealed, self.opened, self.delivered, self.faults
        )
    }
}

/// Judges a run.
///
/// # Errors
/// When this is no evidence of a run.
pub fn judge(lines: &[Line]) -> Result<Verdict> {
    let record = Record::of(lines)?;
    let mut convictions = Vec::new();
    convictions.extend(secrecy::judge(&record));
    convictions.extend(reading::judge(&record));
    convictions.extend(rising::judge(&record));
    convictions.extend(commitment::judge(&record));
    convictions.extend(once::judge(&record));
    convictions.extend(durable::judge(&record));
    convictions.sort();
    convictions.dedup();
    let messages = record
        .said
        .iter()
        .filter(|said| said.event.event == "message");
    let skipped = record.skipped.iter();
    Ok(Verdict {
        looked_at: LookedAt {
            blocks: record.blocks.len(),
            removals: secrecy::absences(&record).len(),
            sealed: record.sealed.len(),
            opened: record.sealed.iter().filter(|s| s.text.is_some()).count(),
            delivered: messages.count(),
            faults: record.faults.len(),
        },
        skipped: skipped
            .map(|(_, step, why)| format!("{step}: {why}"))
            .collect(),
        convictions,
    })
}
