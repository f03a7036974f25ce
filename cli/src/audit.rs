//! `keyward audit`: who held which key of a group when, from the chain (DESIGN section 4.1; the paper's Fig. 11).

mod archive;
mod check;
mod export;
mod text;
mod verify;

use std::path::PathBuf;

use clap::Args;
use keyward_chain_client::{archive::ArchiveFailed, Holding};
use keyward_protocol::{
    beacon::BlockRef,
    statement::GroupState,
    view::{Cause, ConflictView, Delivery, GroupView, KeyExchange, MemberView},
    AccountId, Commitment, DeviceId, Digest, Genesis, GroupId, Role,
};
use serde::Serialize;

use crate::{
    chain::{ChainFailed, Context, Names},
    output::Failure,
};

/// What every audit leaves open, so that nobody takes it for checked.
const NOT_CHECKED: [&str; 4] = [
    "The answers are the node's: ask a node that you trust. They carry no proof yet.",
    "The chain keeps the last 64 epochs of a group; older ones are only in its hash chain: --export writes it, --archive checks what was written.",
    "Of each device, also of one that left, the chain keeps the last epoch that it acknowledged: it is listed there, and held the earlier ones since it joined.",
    "A delivery is what the custodian recorded; an acknowledgement is signed by the device and was verified by the chain.",
];

/// Who held which key of a group, when; conflicts first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward audit hsu0001
  keyward audit hsu0001 --json
  keyward audit hsu0001 --export hsu0001.jsonl             # from an archive node: every entry since the group's creation
  keyward audit hsu0001 --archive hsu0001.jsonl            # recomputes the hash chain, and compares with the node's
  keyward audit hsu0001 --archive hsu0001.jsonl --offline  # prints the head that it reaches, to compare by hand

A conflict is a device that signed for another key than the chain has: a custodian gave members different keys, or the
device lies. The exit code is 1 if there is one, or if an archive is not right.")]
pub struct Command {
    /// The group
    group: GroupId,
    /// Write every entry of the group's hash chain to this file, which must not be there; needs an archive node
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Check an archive that was exported, instead of the chain's present state
    #[arg(long, value_name = "FILE", conflicts_with = "export")]
    archive: Option<PathBuf>,
    /// Check the archive without asking a node
    #[arg(long, requires = "archive")]
    offline: bool,
}

/// Why there is no audit, or what it found.
#[derive(Debug, thiserror::Error)]
pub enum AuditFailed {
    /// The chain could not be asked.
    #[error(transparent)]
    Chain(#[from] ChainFailed),
    /// There is no such group.
    #[error("there is no group {group}; 'keyward group list' shows those that are")]
    Unknown {
        /// Which.
        group: GroupId,
    },
    /// The archive cannot be read or written.
    #[error(transparent)]
    File(#[from] archive::FileFailed),
    /// The node cannot tell what an archive needs.
    #[error(transparent)]
    Archive(#[from] ArchiveFailed),
    /// It is the archive of another group.
    #[error("{} is an archive of group {actual}, not of {group}", file.display())]
    OtherGroup {
        /// The file.
        file: PathBuf,
        /// Of which group it is.
        actual: GroupId,
        /// Which was named.
        group: GroupId,
    },
    /// It is an archive of another chain.
    #[error("{} is an archive of chain {expected}, and the node is of chain {actual}; name a node of that chain with --url", file.display())]
    OtherChain {
        /// The file.
        file: PathBuf,
        /// Of the archive.
        expected: Genesis,
        /// Of the node.
        actual: Genesis,
    },
    /// It ends in a block that is not the chain's.
    #[error("{} ends in another block {number} than this chain has: it was exported from another fork, its first line was changed, or the node is behind", file.display())]
    OtherFork {
        /// The file.
        file: PathBuf,
        /// Number of its last block.
        number: u32,
    },
    /// The archive is not what the chain recorded.
    #[error("{} is not right, {count} problem(s): {first}", file.display())]
    ArchiveWrong {
        /// The file.
        file: PathBuf,
        /// How many problems.
        count: usize,
        /// The first one.
        first: String,
    },
    /// Devices saw other keys than the chain has.
    #[error("{count} conflict(s) in group {group}: a custodian gave devices other keys than it committed to, or the devices lie; find out which, then remove the custodian or revoke the device")]
    Conflicts {
        /// The group.
        group: GroupId,
        /// How many.
        count: usize,
    },
}

impl Failure for AuditFailed {}

/// One epoch of the group.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Epoch {
    epoch: u32,
    cause: Cause,
    began: u32,
    activated: Option<u32>,
    commitment: Option<Commitment>,
    custodian: Option<AccountId>,
    custodian_name: Option<String>,
    delivery: Option<Delivery>,
    /// Devices of which this is the last epoch that they acknowledged.
    acknowledged: Vec<Acknowledgement>,
}

/// What a device signed for: that it holds the epoch's key.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Acknowledgement {
    device: DeviceId,
    at: u32,
    /// Whether it is a member today.
    member: bool,
}

#[derive(Debug, Serialize)]
struct Member {
    device: DeviceId,
    role: Role,
    active: bool,
    joined_epoch: u32,
    acknowledged_epoch: Option<u32>,
    acknowledged_at: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Audit {
    group: GroupId,
    block: BlockRef,
    conflicts: Vec<ConflictView>,
    /// What looks wrong or is not finished, in words.
    findings: Vec<String>,
    state: GroupState,
    epoch: u32,
    epochs: Vec<Epoch>,
    members: Vec<Member>,
    chain_head: Digest,
    not_checked: [&'static str; 4],
}

/// Runs the command.
pub async fn run(command: Command, context: &Context) -> Result<(), AuditFailed> {
    let group = command.group;
    if let Some(file) = command.export {
        return export::run(group, &file, context).await;
    }
    if let Some(file) = command.archive {
        return verify::run(group, &file, command.offline, context).await;
    }
    let client = context.connect().await?;
    let block = client.finalized().await.map_err(ChainFailed::from)?;
    let view = client.at(block.hash);
    let found = view.group(&group).await.map_err(ChainFailed::from)?;
    let found = found.ok_or_else(|| AuditFailed::Unknown {
        group: group.clone(),
    })?;
    let members = view.members(&group).await.map_err(ChainFailed::from)?;
    let holdings = view.holdings(&group).await.map_err(ChainFailed::from)?;
    let conflicts = view.conflicts(&group).await.map_err(ChainFailed::from)?;
    let names = Names::of(&view).await?;
    let seen = Seen {
        block,
        group: found,
        members,
        holdings,
        conflicts,
    };
    let audit = audit(seen, &|account| names.name(account));
    context.output.show(&audit, text::text);
    match audit.conflicts.len() {
        0 => Ok(()),
        count => Err(AuditFailed::Conflicts { group, count }),
    }
}

/// What the chain says of the group at one block.
struct Seen {
    block: BlockRef,
    group: GroupView,
    members: Vec<MemberView>,
    holdings: Vec<Holding>,
    conflicts: Vec<ConflictView>,
}

fn audit(mut seen: Seen, name: &dyn Fn(&AccountId) -> String) -> Audit {
    seen.members.sort_by_key(|member| member.index);
    seen.holdings.sort_by_key(|holding| holding.at);
    let exchanges = seen.group.exchanges.iter();
    Audit {
        findings: findings(&seen.group, &seen.members),
        epochs: exchanges
            .map(|(number, exchange)| epoch(*number, exchange, &seen, name))
            .collect(),
        members: seen.members.iter().map(member).collect(),
        group: seen.group.group,
        state: seen.group.state,
        epoch: seen.group.epoch,
        chain_head: seen.group.chain_head,
        block: seen.block,
        conflicts: seen.conflicts,
        not_checked: NOT_CHECKED,
    }
}

fn epoch(
    epoch: u32,
    exchange: &KeyExchange,
    seen: &Seen,
    name: &dyn Fn(&AccountId) -> String,
) -> Epoch {
    let is_member = |device: &DeviceId| seen.members.iter().any(|member| member.device == *device);
    let acknowledgement = |holding: &Holding| Acknowledgement {
        device: holding.device.clone(),
        at: holding.at,
        member: is_member(&holding.device),
    };
    let here = seen
        .holdings
        .iter()
        .filter(|holding| holding.epoch == epoch);
    let (commitment, custodian) = exchange.committed.unzip();
    Epoch {
        epoch,
        cause: exchange.cause,
        began: exchange.began,
        activated: exchange.activated,
        commitment,
        custodian,
        custodian_name: custodian.as_ref().map(name),
        delivery: exchange.delivery.clone(),
        acknowledged: here.map(acknowledgement).collect(),
    }
}

fn member(member: &MemberView) -> Member {
    Member {
        device: member.device.clone(),
        role: member.role,
        active: member.active,
        joined_epoch: member.joined_epoch,
        acknowledged_epoch: member.acknowledged.map(|(epoch, _)| epoch),
        acknowledged_at: member.acknowledged.map(|(_, at)| at),
    }
}

/// What a reader should not have to find out by comparing columns.
fn findings(group: &GroupView, members: &[MemberView]) -> Vec<String> {
    let mut findings = Vec::new();
    let epochs: Vec<u32> = group.exchanges.iter().map(|(epoch, _)| *epoch).collect();
    let gap = epochs
        .windows(2)
        .find(|pair| pair[1] != pair[0].saturating_add(1));
    if let Some(pair) = gap {
        findings.push(format!(
            "between epochs {} and {} some are missing",
            pair[0], pair[1]
        ));
    }
    if group.state == GroupState::Awaiting {
        findings.push(format!(
            "epoch {} is awaited: no custodian has committed to it",
            group.epoch
        ));
    }
    let delivered = group
        .exchanges
        .last()
        .is_some_and(|(_, last)| last.delivery.is_some());
    if group.state == GroupState::Active && !delivered {
        findings.push(format!(
            "epoch {} is not recorded as delivered yet",
            group.epoch
        ));
    }
    let behind = members
        .iter()
        .filter(|member| {
            member.active && member.acknowledged.map(|(epoch, _)| epoch) != Some(group.epoch)
        })
        .map(|member| member.device.to_string());
    let behind: Vec<_> = behind.collect();
    if group.state == GroupState::Active && !behind.is_empty() {
        findings.push(format!(
            "epoch {} is not acknowledged by {}",
            group.epoch,
            behind.join(", ")
        ));
    }
    findings
}

#[cfg(test)]
mod archive_tests;
#[cfg(test)]
mod tests;
