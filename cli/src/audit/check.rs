//! Whether the entries of an archive lead from nothing to its head, one after the other, and what they say (KEX-10).

use std::collections::BTreeMap;

use keyward_chain_client::archive::{Entry, Record, NO_HEAD};
use keyward_protocol::{Commitment, DeviceId, Digest};
use serde::Serialize;

use super::archive::Header;

/// Problems that are listed; more are counted.
const LISTED: usize = 16;

/// A device that signed for another commitment than the chain had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArchivedConflict {
    /// The epoch.
    pub epoch: u32,
    /// The device.
    pub device: DeviceId,
    /// The commitment that it saw.
    pub commitment: Commitment,
    /// Block of the record.
    pub at: u32,
}

/// What an archive says, read to the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Entries.
    pub entries: u64,
    /// What is wrong with it, entry by entry.
    pub problems: Vec<String>,
    /// Problems that are not listed.
    pub unlisted: u64,
    /// Devices that saw other commitments.
    pub conflicts: Vec<ArchivedConflict>,
    /// Receipts that stand in it.
    pub receipts: u64,
    /// Batches of receipts of which only the digest stands in it.
    pub bare_batches: u64,
    /// Of each block with entries: its number, the number of its first entry, and the head after its last one.
    pub blocks: Vec<(u32, u64, Digest)>,
}

impl Checked {
    /// The head that the archive reaches.
    pub fn head(&self) -> Digest {
        self.blocks.last().map_or(NO_HEAD, |(_, _, head)| *head)
    }

    /// The head at a block.
    pub fn head_at(&self, block: u32) -> Digest {
        let until = self
            .blocks
            .partition_point(|(number, _, _)| *number <= block);
        let last = until.checked_sub(1).and_then(|at| self.blocks.get(at));
        last.map_or(NO_HEAD, |(_, _, head)| *head)
    }

    /// How many entries stand in blocks before one.
    pub fn entries_before(&self, block: u32) -> u64 {
        let from = self
            .blocks
            .partition_point(|(number, _, _)| *number < block);
        let first = self
            .blocks
            .get(from)
            .map(|(_, first, _)| first.saturating_sub(1));
        first.unwrap_or(self.entries)
    }

    fn problem(&mut self, text: String) {
        match self.problems.len() < LISTED {
            true => self.problems.push(text),
            false => self.unlisted = self.unlisted.saturating_add(1),
        }
    }
}

/// Takes the entries of an archive, one after the other.
pub struct Checker<'a> {
    header: &'a Header,
    checked: Checked,
    /// The commitments of epochs, as the entries tell.
    commitments: BTreeMap<u32, Commitment>,
}

impl<'a> Checker<'a> {
    /// Begins.
    pub fn new(header: &'a Header) -> Self {
        Self {
            header,
            checked: Checked {
                entries: 0,
                problems: Vec::new(),
                unlisted: 0,
                conflicts: Vec::new(),
                receipts: 0,
                bare_batches: 0,
                blocks: Vec::new(),
            },
            commitments: BTreeMap::new(),
        }
    }

    /// Takes the next entry. Each is checked against the head that stands with the one before, so that one that is wrong
    /// does not make those after it wrong.
    pub fn take(&mut self, record: &Record) {
        let head = self.checked.head();
        let before = self.checked.blocks.last().map(|(number, _, _)| *number);
        self.checked.entries = self.checked.entries.saturating_add(1);
        let number = self.checked.entries;
        let named = describe(number, record);
        let leads_to = record.head_after(&self.header.genesis, &self.header.group, &head);
        if leads_to != record.head {
            self.checked.problem(format!(
                "{named} does not lead from the head before it to the head that stands with it: it was changed, or an entry before it was taken out, put in or moved"
            ));
        }
        if before.is_some_and(|before| before > record.block)
            || record.block > self.header.block.number
        {
            self.checked.problem(format!(
                "{named} stands after an entry of a later block, or after the end of the archive"
            ));
        }
        if !record.binds_its_receipts() {
            self.checked.problem(format!(
                "the receipts of {named} are not those that it binds: one was changed, is missing, or stands in another place"
            ));
        }
        match self.checked.blocks.last_mut() {
            Some((block, _, head)) if *block == record.block => *head = record.head,
            _ => self
                .checked
                .blocks
                .push((record.block, number, record.head)),
        }
        self.learn(record);
    }

    /// What has to be seen first: devices that saw other commitments than the chain had.
    fn learn(&mut self, record: &Record) {
        match &record.entry {
            Entry::Advanced {
                epoch, committed, ..
            } => {
                let commitment = committed.map(|(commitment, _)| commitment);
                self.commit(*epoch, commitment);
            }
            Entry::Activated {
                epoch, commitment, ..
            } => self.commit(*epoch, Some(*commitment)),
            Entry::Awaited { epoch } => self.commit(*epoch, None),
            Entry::Receipts { .. } => self.receipts(record),
            _ => {}
        }
    }

    fn commit(&mut self, epoch: u32, commitment: Option<Commitment>) {
        match commitment {
            Some(commitment) => self.commitments.insert(epoch, commitment),
            None => self.commitments.remove(&epoch),
        };
    }

    fn receipts(&mut self, record: &Record) {
        let Some(receipts) = &record.receipts else {
            self.checked.bare_batches = self.checked.bare_batches.saturating_add(1);
            return;
        };
        self.checked.receipts = self.checked.receipts.saturating_add(receipts.len() as u64);
        for receipt in receipts {
            if self.commitments.get(&receipt.epoch) != Some(&receipt.commitment) {
                self.checked.conflicts.push(ArchivedConflict {
                    epoch: receipt.epoch,
                    device: receipt.device.clone(),
                    commitment: receipt.commitment,
                    at: record.block,
                });
            }
        }
    }

    /// Ends: the last entry must lead to the head that the first line names.
    pub fn finish(mut self) -> Checked {
        let head = self.checked.head();
        if head != self.header.head {
            self.checked.problem(format!(
                "the last entry leads to head {head}, and the archive's first line says {}: entries are missing at the end",
                self.header.head
            ));
        }
        self.checked
    }
}

/// An entry in words that find it again.
pub fn describe(number: u64, record: &Record) -> String {
    format!("entry {number} (block {}: {})", record.block, what(record))
}

/// An entry as its line says it.
pub fn what(record: &Record) -> String {
    serde_json::to_string(&record.entry).unwrap_or_default()
}
