//! Finds the blocks that extended a group's hash chain, and reads their entries.
//!
//! A head never comes again. So where the head is the same at two blocks nothing was added between them, and halving finds
//! the few blocks that matter among millions without reading the others.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use codec::{Decode, Encode};
use keyward_protocol::{
    beacon::BlockRef, BlockHash, Commitment, DeviceId, Digest, Genesis, GroupId,
};
use sp_crypto_hashing::blake2_128;
use subxt::events::Phase;

use super::{
    head_after,
    receipts::{receipts, Recorded},
    ArchiveFailed, Entry, Record, NO_HEAD,
};
use crate::{
    client::Client,
    decoded::{self, DecodedCall},
    rpc::{decode, Rpc, RpcFailed},
    runtime::{Runtime, Runtimes},
    view::{storage_key, ReadFailed, View},
};

/// The head of a group at a block.
#[derive(Clone, Copy, Debug)]
struct At {
    number: u32,
    head: Digest,
}

/// Reads a group's entries from a node, in order.
pub struct Archive {
    rpc: Arc<dyn Rpc>,
    runtimes: Arc<Runtimes>,
    genesis: Genesis,
    group: GroupId,
    /// Ranges of blocks that were not looked at, the next one last. The head at the beginning is known of each.
    open: Vec<(At, At)>,
    found: VecDeque<Record>,
    /// Everything up to this block is found.
    reached: u32,
}

impl Client {
    /// A group's entries in the blocks after one, whose head is this, up to another.
    ///
    /// # Errors
    /// When the node does not answer, or no longer keeps the state of the last block.
    pub async fn archive(
        &self,
        group: &GroupId,
        after: u32,
        head: Digest,
        last: BlockRef,
    ) -> Result<Archive, ArchiveFailed> {
        let mut archive = Archive {
            rpc: self.rpc.clone(),
            runtimes: self.runtimes.clone(),
            genesis: self.genesis(),
            group: group.clone(),
            open: Vec::new(),
            found: VecDeque::new(),
            reached: after,
        };
        let end = At {
            number: last.number,
            head: archive.head_in(last.number, last.hash).await?,
        };
        archive.open.push((
            At {
                number: after,
                head,
            },
            end,
        ));
        Ok(archive)
    }

    /// The head of a group's hash chain at a block of a number.
    ///
    /// # Errors
    /// When the node does not answer, or no longer keeps the block's state.
    pub async fn chain_head_at(
        &self,
        group: &GroupId,
        number: u32,
    ) -> Result<Digest, ArchiveFailed> {
        let block = hash(&*self.rpc, number).await?;
        let head = chain_head(&*self.rpc, group, block).await;
        head.map_err(|error| failed(error, number))
    }
}

impl View {
    /// The head of a group's hash chain: 32 zero bytes if nothing was put onto it.
    ///
    /// # Errors
    /// When the node does not answer, or no longer keeps the block's state.
    pub async fn chain_head(&self, group: &GroupId) -> Result<Digest, ReadFailed> {
        let head = chain_head(&*self.rpc, group, self.block()).await;
        head.map_err(|error| self.failed(error))
    }
}

async fn chain_head(rpc: &dyn Rpc, group: &GroupId, block: BlockHash) -> Result<Digest, RpcFailed> {
    let group = group.encode();
    let key = [
        &storage_key("Fleet", "ChainHeads")[..],
        &blake2_128(&group),
        &group,
    ]
    .concat();
    let head = rpc.storage(&key, block).await?;
    head.map_or(Ok(NO_HEAD), |bytes| decode("head of a group", &bytes))
}

async fn hash(rpc: &dyn Rpc, number: u32) -> Result<BlockHash, ArchiveFailed> {
    let found = rpc.block_hash(number).await.map_err(ReadFailed::from)?;
    let absent = || RpcFailed::Unavailable {
        reason: format!("it does not have block {number}"),
    };
    Ok(found.ok_or_else(absent).map_err(ReadFailed::from)?)
}

fn failed(error: RpcFailed, number: u32) -> ArchiveFailed {
    match error.is_pruned() {
        true => ArchiveFailed::Pruned { number },
        false => ReadFailed::from(error).into(),
    }
}

impl Archive {
    /// Everything up to this block is found.
    pub fn reached(&self) -> u32 {
        self.reached
    }

    /// The next entry; none after the last one.
    ///
    /// # Errors
    /// When the node does not answer, no longer keeps a block's state, or contradicts itself.
    pub async fn next(&mut self) -> Result<Option<Record>, ArchiveFailed> {
        loop {
            if let Some(record) = self.found.pop_front() {
                return Ok(Some(record));
            }
            let Some((before, end)) = self.open.pop() else {
                return Ok(None);
            };
            if before.head == end.head {
                self.reached = end.number;
                continue;
            }
            match end.number.saturating_sub(before.number) {
                0 | 1 => {
                    self.found = self.read(before.head, end).await?.into();
                    self.reached = end.number;
                }
                between => {
                    let number = before.number.saturating_add(between / 2);
                    let middle = self.at(number).await?;
                    self.open.push((middle, end));
                    self.open.push((before, middle));
                }
            }
        }
    }

    async fn at(&self, number: u32) -> Result<At, ArchiveFailed> {
        let block = hash(&*self.rpc, number).await?;
        let head = self.head_in(number, block).await?;
        Ok(At { number, head })
    }

    async fn head_in(&self, number: u32, block: BlockHash) -> Result<Digest, ArchiveFailed> {
        let head = chain_head(&*self.rpc, &self.group, block).await;
        head.map_err(|error| failed(error, number))
    }

    /// The entries of a block, which must lead from head to head.
    async fn read(&self, mut head: Digest, end: At) -> Result<Vec<Record>, ArchiveFailed> {
        let number = end.number;
        let block = hash(&*self.rpc, number).await?;
        let contradiction = || ArchiveFailed::Contradiction { number, block };
        let records = self.records(number, block).await?;
        let records = records.ok_or_else(contradiction)?;
        for record in &records {
            head = head_after(&self.genesis, &self.group, &head, number, &record.entry);
            if head != record.head {
                return Err(contradiction());
            }
        }
        match head == end.head {
            true => Ok(records),
            false => Err(contradiction()),
        }
    }

    /// The entries of a block from its events; none if they cannot be read.
    async fn records(
        &self,
        number: u32,
        block: BlockHash,
    ) -> Result<Option<Vec<Record>>, ArchiveFailed> {
        let failed = |error| failed(error, number);
        let key = storage_key("System", "Events");
        let events = self.rpc.storage(&key, block).await.map_err(failed)?;
        let header = self.rpc.header(block).await.map_err(failed)?;
        let Some(header) = header else {
            return Ok(None);
        };
        // The events are those of the runtime that executed the block.
        let runtime = self.runtimes.at(header.parent).await.map_err(failed)?;
        let Some(mut found) = extended(&runtime, events.unwrap_or_default(), &self.group) else {
            return Ok(None);
        };
        if found.iter().any(|found| !found.recorded.is_empty()) {
            let body = self.rpc.body(block).await.map_err(failed)?;
            let calls = calls(&runtime, body.unwrap_or_default()).await;
            found
                .iter_mut()
                .for_each(|found| found.add_receipts(&calls, &self.group));
        }
        Ok(Some(
            found.into_iter().map(|found| found.at(number)).collect(),
        ))
    }
}

/// An entry of a block, as its events tell.
struct Found {
    entry: Entry,
    head: Digest,
    /// The transaction.
    index: Option<u32>,
    recorded: Vec<Recorded>,
    receipts: Option<Vec<crate::call::ReceiptItem>>,
}

impl Found {
    fn at(self, block: u32) -> Record {
        Record {
            block,
            entry: self.entry,
            head: self.head,
            receipts: self.receipts,
        }
    }

    fn add_receipts(&mut self, calls: &BTreeMap<u32, DecodedCall>, group: &GroupId) {
        let call = self.index.and_then(|index| calls.get(&index));
        if let (Entry::Receipts { digest, .. }, Some(call)) = (&self.entry, call) {
            self.receipts = receipts(call, group, &self.recorded, digest);
        }
    }
}

/// The entries of a group among a block's events; none if one of them cannot be read.
fn extended(runtime: &Runtime, events: Vec<u8>, group: &GroupId) -> Option<Vec<Found>> {
    let mut found = Vec::new();
    let mut recorded: Vec<Recorded> = Vec::new();
    for event in runtime.offline().events().from_bytes(events).iter() {
        let event = event.ok()?;
        if event.pallet_name() != "Fleet" {
            continue;
        }
        let fields = event.field_bytes();
        match event.event_name() {
            "Acknowledged" => {
                let (of, device, epoch): (GroupId, DeviceId, u32) = whole(fields)?;
                recorded.extend((of == *group).then_some(Recorded {
                    device,
                    epoch,
                    conflict: None,
                }));
            }
            "ConflictRecorded" => {
                let (of, device, epoch, saw): (GroupId, DeviceId, u32, Commitment) = whole(fields)?;
                recorded.extend((of == *group).then_some(Recorded {
                    device,
                    epoch,
                    conflict: Some(saw),
                }));
            }
            "ChainExtended" => {
                let of = GroupId::decode(&mut &fields[..]).ok()?;
                if of == *group {
                    let (_, entry, head): (GroupId, Entry, Digest) = whole(fields)?;
                    let index = match event.phase() {
                        Phase::ApplyExtrinsic(index) => Some(index),
                        _ => None,
                    };
                    found.push(Found {
                        recorded: std::mem::take(&mut recorded),
                        receipts: None,
                        entry,
                        head,
                        index,
                    });
                }
            }
            _ => {}
        }
    }
    Some(found)
}

fn whole<T: Decode>(bytes: &[u8]) -> Option<T> {
    decode("event", bytes).ok()
}

/// The calls of a block's transactions that can be read, by index.
async fn calls(runtime: &Runtime, body: Vec<Vec<u8>>) -> BTreeMap<u32, DecodedCall> {
    let metadata = runtime.metadata();
    let transactions = runtime.offline().extrinsics().from_bytes(body).await;
    let calls = transactions
        .iter()
        .zip(0..)
        .filter_map(|(transaction, index)| {
            let call = transaction.ok()?;
            let call = decoded::read(call.call_data_bytes(), &metadata).ok()?;
            Some((index, call))
        });
    calls.collect()
}

#[cfg(test)]
mod tests;
