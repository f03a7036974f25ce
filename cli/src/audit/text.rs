//! An audit as people read it.

use keyward_protocol::{view::ConflictView, Commitment};

use super::{check::ArchivedConflict, verify::Report, Acknowledgement, Audit, Epoch, Member};
use crate::output::{list, name, table};

/// The whole audit, conflicts first.
pub fn text(audit: &Audit) -> String {
    let parts = [
        format!(
            "Audit of group {} at block {} (finalized): epoch {}, {}\n",
            audit.group,
            audit.block.number,
            audit.epoch,
            name(&audit.state)
        ),
        conflicts_text(&audit.conflicts),
        format!("Findings: {}\n", bullets(&audit.findings)),
        format!("Epochs\n{}\n", epochs_text(&audit.epochs)),
        format!("Members\n{}\n", members_text(&audit.members)),
        format!("Head of the hash chain: {}\n", audit.chain_head),
        format!("Not checked here:{}", bullets(&audit.not_checked)),
    ];
    parts.join("\n")
}

/// What is known of an archive, conflicts first.
pub fn archive(report: &Report) -> String {
    let verdict = match (report.right, report.chain_head) {
        (true, Some(_)) => "It is whole, and the chain's own: every entry leads to the next one, and the last to the head that the chain has.",
        (true, None) => "It is whole by itself: every entry leads to the next one. Whether it is the chain's, only the head below tells.",
        (false, _) => "IT IS NOT RIGHT.",
    };
    let chain_head = report
        .chain_head
        .map_or("not asked".to_owned(), |head| head.to_string());
    let parts = [
        format!(
            "Archive of group {} up to block {}: {} entries, {} receipts\n",
            report.group, report.block.number, report.entries, report.receipts
        ),
        archived_conflicts(&report.conflicts),
        format!("{verdict}\n"),
        format!("Problems: {}\n", bullets(&report.problems)),
        format!("Head of the archive: {}", report.head),
        format!("Head of the chain:   {chain_head}\n"),
        format!("Not checked here:{}", bullets(&report.not_checked)),
    ];
    parts.join("\n")
}

fn archived_conflicts(conflicts: &[ArchivedConflict]) -> String {
    let view = |conflict: &ArchivedConflict| ConflictRow {
        epoch: conflict.epoch,
        device: conflict.device.to_string(),
        commitment: conflict.commitment,
        at: conflict.at,
    };
    conflict_table(conflicts.iter().map(view).collect())
}

fn bullets(lines: &[impl AsRef<str>]) -> String {
    match lines.is_empty() {
        true => "none".to_owned(),
        false => lines
            .iter()
            .map(|line| format!("\n  - {}", line.as_ref()))
            .collect(),
    }
}

/// A device that signed for another commitment.
struct ConflictRow {
    epoch: u32,
    device: String,
    commitment: Commitment,
    at: u32,
}

fn conflicts_text(conflicts: &[ConflictView]) -> String {
    let view = |conflict: &ConflictView| ConflictRow {
        epoch: conflict.epoch,
        device: conflict.device.to_string(),
        commitment: conflict.commitment,
        at: conflict.at,
    };
    conflict_table(conflicts.iter().map(view).collect())
}

fn conflict_table(conflicts: Vec<ConflictRow>) -> String {
    if conflicts.is_empty() {
        return "Conflicts: none\n".to_owned();
    }
    let row = |conflict: &ConflictRow| {
        [
            conflict.epoch.to_string(),
            conflict.device.clone(),
            conflict.commitment.to_string(),
            conflict.at.to_string(),
        ]
    };
    let rows = table(
        ["epoch", "device", "commitment that it saw", "block"],
        conflicts.iter().map(row),
    );
    format!("CONFLICTS: {}\n{rows}\n", conflicts.len())
}

fn epochs_text(epochs: &[Epoch]) -> String {
    let row = |epoch: &Epoch| {
        [
            epoch.epoch.to_string(),
            name(&epoch.cause),
            epoch.began.to_string(),
            epoch
                .activated
                .map_or("awaited".to_owned(), |block| block.to_string()),
            epoch
                .custodian_name
                .clone()
                .unwrap_or_else(|| "-".to_owned()),
            epoch.commitment.map_or("-".to_owned(), short),
            epoch.delivery.as_ref().map_or("-".to_owned(), |delivery| {
                format!("to {} (block {})", delivery.recipients, delivery.at)
            }),
            list(epoch.acknowledged.iter().map(acknowledged)),
        ]
    };
    let header = [
        "epoch",
        "cause",
        "began",
        "active",
        "custodian",
        "commitment",
        "delivered",
        "acknowledged",
    ];
    table(header, epochs.iter().map(row))
}

fn acknowledged(acknowledgement: &Acknowledgement) -> String {
    let Acknowledgement { device, at, member } = acknowledgement;
    let left = if *member { "" } else { ", left" };
    format!("{device} (block {at}{left})")
}

/// The first digits, enough to compare by eye; JSON has them all.
fn short(commitment: Commitment) -> String {
    commitment
        .to_string()
        .chars()
        .take(12)
        .chain(['…'])
        .collect()
}

fn members_text(members: &[Member]) -> String {
    let row = |member: &Member| {
        let last = member.acknowledged_epoch.zip(member.acknowledged_at);
        [
            member.device.to_string(),
            name(&member.role),
            if member.active { "active" } else { "suspended" }.to_owned(),
            member.joined_epoch.to_string(),
            last.map_or("-".to_owned(), |(epoch, block)| {
                format!("epoch {epoch} in block {block}")
            }),
        ]
    };
    table(
        ["device", "role", "status", "since epoch", "acknowledged"],
        members.iter().map(row),
    )
}
