//! Checks an archive: by itself, and against the head that the chain has.

use std::path::Path;

use keyward_chain_client::{
    archive::{ArchiveFailed, Record},
    Client,
};
use keyward_protocol::{beacon::BlockRef, Digest, GroupId};
use serde::Serialize;

use super::{
    archive::{FileFailed, Header, Reader},
    check::{describe, what, ArchivedConflict, Checked, Checker},
    export::Pace,
    text, AuditFailed,
};
use crate::chain::{ChainFailed, Context};

/// What even an archive that is right leaves open.
const NOT_CHECKED: [&str; 2] = [
    "The chain verified the signatures of receipts when it recorded them. They stand in the archive; the keys that made them do not.",
    "The head to compare with is the node's: ask a node that you trust, or several.",
];

/// What is known of an archive.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The group.
    pub group: GroupId,
    /// Devices that signed for other commitments than the chain had.
    pub conflicts: Vec<ArchivedConflict>,
    /// Whether it is whole: by itself, and where a node was asked also the chain's own.
    pub right: bool,
    /// What is wrong with it.
    pub problems: Vec<String>,
    /// Entries.
    pub entries: u64,
    /// Receipts that stand in it.
    pub receipts: u64,
    /// Batches of receipts of which only the digest stands in it.
    pub batches_without_receipts: u64,
    /// The block up to which it goes.
    pub block: BlockRef,
    /// The head that it reaches.
    pub head: Digest,
    /// The head that the chain has there; none if no node was asked.
    pub chain_head: Option<Digest>,
    /// What is left open.
    pub not_checked: [&'static str; 2],
}

/// Checks the archive of a group.
pub async fn run(
    group: GroupId,
    file: &Path,
    offline: bool,
    context: &Context,
) -> Result<(), AuditFailed> {
    let (header, mut checked) = read(file, Some(context))?;
    if header.group != group {
        return Err(AuditFailed::OtherGroup {
            file: file.into(),
            actual: header.group,
            group,
        });
    }
    let chain_head = match offline {
        true => None,
        false => Some(compare(file, &header, &mut checked, context).await?),
    };
    let unlisted = checked.unlisted;
    let more = (unlisted > 0).then(|| format!("{unlisted} more, of the same kinds"));
    let report = Report {
        group,
        right: checked.problems.is_empty(),
        entries: checked.entries,
        receipts: checked.receipts,
        batches_without_receipts: checked.bare_batches,
        block: header.block,
        head: checked.head(),
        chain_head,
        conflicts: checked.conflicts,
        problems: checked.problems.into_iter().chain(more).collect(),
        not_checked: NOT_CHECKED,
    };
    context.output.show(&report, text::archive);
    ended(report, file)
}

fn ended(report: Report, file: &Path) -> Result<(), AuditFailed> {
    if let Some(first) = report.problems.first() {
        return Err(AuditFailed::ArchiveWrong {
            file: file.into(),
            count: report.problems.len(),
            first: first.clone(),
        });
    }
    match report.conflicts.len() {
        0 => Ok(()),
        count => Err(AuditFailed::Conflicts {
            group: report.group,
            count,
        }),
    }
}

/// Reads an archive to its end.
pub fn read(file: &Path, context: Option<&Context>) -> Result<(Header, Checked), FileFailed> {
    let (mut reader, header) = Reader::open(file)?;
    let mut checker = Checker::new(&header);
    let (mut entries, mut pace) = (0u64, Pace::new());
    while let Some(record) = reader.record()? {
        checker.take(&record);
        entries = entries.saturating_add(1);
        if let Some(context) = context {
            pace.tell(context, || format!("{entries} entries read"));
        }
    }
    let checked = checker.finish();
    Ok((header, checked))
}

/// Compares with the chain; gives the head that it has. Where it is another one, the first entry that differs is named.
async fn compare(
    file: &Path,
    header: &Header,
    checked: &mut Checked,
    context: &Context,
) -> Result<Digest, AuditFailed> {
    let client = context.connect().await?;
    if client.genesis() != header.genesis {
        return Err(AuditFailed::OtherChain {
            file: file.into(),
            expected: header.genesis,
            actual: client.genesis(),
        });
    }
    let hash = client.block_hash(header.block.number).await;
    if hash.map_err(ChainFailed::from)? != Some(header.block.hash) {
        return Err(AuditFailed::OtherFork {
            file: file.into(),
            number: header.block.number,
        });
    }
    let head = head(&client, header, checked, context).await?;
    if head != checked.head() && checked.problems.is_empty() {
        let named = difference(file, header, checked, &client, context).await?;
        checked.problems.push(named);
    }
    Ok(head)
}

/// The head at the archive's end. A node that does not keep it may tell all the same: nothing was added since then if the
/// head is still this one.
async fn head(
    client: &Client,
    header: &Header,
    checked: &Checked,
    context: &Context,
) -> Result<Digest, AuditFailed> {
    match client
        .chain_head_at(&header.group, header.block.number)
        .await
    {
        Err(ArchiveFailed::Pruned { number }) => {
            let newest = client.finalized().await.map_err(ChainFailed::from)?;
            let view = client.at(newest.hash);
            let head = view.chain_head(&header.group).await;
            let head = head.map_err(ChainFailed::from)?;
            context.output.progress(
                "this node no longer keeps the state of the archive's last block; comparing with its newest one",
            );
            match head == checked.head() {
                true => Ok(head),
                false => Err(ArchiveFailed::Pruned { number }.into()),
            }
        }
        head => Ok(head?),
    }
}

/// The first entry that is not the chain's, found by halving: heads that differ once never agree again.
async fn difference(
    file: &Path,
    header: &Header,
    checked: &Checked,
    client: &Client,
    context: &Context,
) -> Result<String, AuditFailed> {
    let (mut same, mut other) = (0, header.block.number);
    while other.saturating_sub(same) > 1 {
        let middle = same.midpoint(other);
        context
            .output
            .progress(&format!("looking between blocks {same} and {other}"));
        match client.chain_head_at(&header.group, middle).await? == checked.head_at(middle) {
            true => same = middle,
            false => other = middle,
        }
    }
    let hash = client.block_hash(other).await.map_err(ChainFailed::from)?;
    let block = BlockRef {
        number: other,
        hash: hash.unwrap_or(header.block.hash),
    };
    let mut archive = client
        .archive(&header.group, same, checked.head_at(same), block)
        .await?;
    let mut chain = Vec::new();
    while let Some(record) = archive.next().await? {
        chain.push(record);
    }
    let ours = records_of(file, other)?;
    Ok(first_difference(
        checked.entries_before(other),
        other,
        &ours,
        &chain,
    ))
}

/// The archive's entries of a block.
fn records_of(file: &Path, block: u32) -> Result<Vec<Record>, FileFailed> {
    let (mut reader, _) = Reader::open(file)?;
    let mut records = Vec::new();
    while let Some(record) = reader.record()? {
        if record.block == block {
            records.push(record);
        }
    }
    Ok(records)
}

/// Names the first entry of a block that archive and chain do not share. `before`: entries in earlier blocks.
pub fn first_difference(before: u64, block: u32, ours: &[Record], chain: &[Record]) -> String {
    let pairs = ours.iter().zip(chain);
    let shared = pairs.take_while(|(ours, chain)| ours.entry == chain.entry);
    let shared = shared.count();
    let number = before.saturating_add(shared as u64).saturating_add(1);
    match (ours.get(shared), chain.get(shared)) {
        (Some(ours), Some(chain)) => format!(
            "{} is not the chain's, which has {} there",
            describe(number, ours),
            what(chain)
        ),
        (Some(ours), None) => format!("the chain has no {}", describe(number, ours)),
        (None, Some(chain)) => format!(
            "an entry of block {block} is missing: {}; it would be entry {number}",
            what(chain)
        ),
        (None, None) => format!("block {block} has another hash chain before it than the chain"),
    }
}
