//! `keyward audit`: who held which key of a group when, from the chain (DESIGN section 4.1; the paper's Fig. 11).

use clap::Args;
use keyward_protocol::{
    beacon::BlockRef,
    statement::GroupState,
    view::{Cause, ConflictView, Delivery, GroupView, KeyExchange, MemberView},
    AccountId, Commitment, DeviceId, Digest, GroupId, Role,
};
use serde::Serialize;

use crate::{
    chain::{ChainFailed, Context, Names},
    output::{list, name, table},
};

/// What every audit leaves open, so that nobody takes it for checked.
const NOT_CHECKED: [&str; 4] = [
    "The answers are the node's: ask a node that you trust. They carry no proof yet.",
    "The chain keeps the last 64 epochs of a group; older ones are only in the hash chain, whose head is shown and not recomputed.",
    "Of each device the chain keeps the last epoch that it acknowledged: it is listed there, and held the earlier ones since it joined.",
    "A delivery is what the custodian recorded; an acknowledgement is signed by the device and was verified by the chain.",
];

/// Who held which key of a group, when; conflicts first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward audit hsu0001
  keyward audit hsu0001 --json

A conflict is a device that signed for another key than the chain has: a custodian gave members different keys. The
exit code is 1 if there is one.")]
pub struct Command {
    /// The group
    group: GroupId,
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
    /// Devices saw other keys than the chain has.
    #[error("{count} conflict(s) in group {group}: its custodian gave devices other keys than it committed to; remove that custodian")]
    Conflicts {
        /// The group.
        group: GroupId,
        /// How many.
        count: usize,
    },
}

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

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Acknowledgement {
    device: DeviceId,
    at: u32,
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
    let client = context.connect().await?;
    let block = client.finalized().await.map_err(ChainFailed::from)?;
    let view = client.at(block.hash);
    let found = view.group(&group).await.map_err(ChainFailed::from)?;
    let found = found.ok_or_else(|| AuditFailed::Unknown {
        group: group.clone(),
    })?;
    let members = view.members(&group).await.map_err(ChainFailed::from)?;
    let conflicts = view.conflicts(&group).await.map_err(ChainFailed::from)?;
    let names = Names::of(&view).await?;
    let audit = audit(block, found, members, conflicts, &|account| {
        names.name(account)
    });
    context.output.show(&audit, text);
    match audit.conflicts.len() {
        0 => Ok(()),
        count => Err(AuditFailed::Conflicts { group, count }),
    }
}

fn audit(
    block: BlockRef,
    group: GroupView,
    mut members: Vec<MemberView>,
    conflicts: Vec<ConflictView>,
    name: &dyn Fn(&AccountId) -> String,
) -> Audit {
    members.sort_by_key(|member| member.index);
    Audit {
        findings: findings(&group, &members),
        epochs: group
            .exchanges
            .iter()
            .map(|(n, exchange)| epoch(*n, exchange, &members, name))
            .collect(),
        members: members.iter().map(member).collect(),
        group: group.group,
        state: group.state,
        epoch: group.epoch,
        chain_head: group.chain_head,
        block,
        conflicts,
        not_checked: NOT_CHECKED,
    }
}

fn epoch(
    epoch: u32,
    exchange: &KeyExchange,
    members: &[MemberView],
    name: &dyn Fn(&AccountId) -> String,
) -> Epoch {
    let acknowledged = members
        .iter()
        .filter_map(|member| match member.acknowledged {
            Some((last, at)) if last == epoch => Some(Acknowledgement {
                device: member.device.clone(),
                at,
            }),
            _ => None,
        });
    let custodian = exchange.committed.as_ref().map(|(_, custodian)| *custodian);
    Epoch {
        epoch,
        cause: exchange.cause,
        began: exchange.began,
        activated: exchange.activated,
        commitment: exchange
            .committed
            .as_ref()
            .map(|(commitment, _)| *commitment),
        custodian,
        custodian_name: custodian.as_ref().map(name),
        delivery: exchange.delivery.clone(),
        acknowledged: acknowledged.collect(),
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

fn text(audit: &Audit) -> String {
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

fn bullets(lines: &[impl AsRef<str>]) -> String {
    match lines.is_empty() {
        true => "none".to_owned(),
        false => lines
            .iter()
            .map(|line| format!("\n  - {}", line.as_ref()))
            .collect(),
    }
}

fn conflicts_text(conflicts: &[ConflictView]) -> String {
    if conflicts.is_empty() {
        return "Conflicts: none\n".to_owned();
    }
    let row = |conflict: &ConflictView| {
        [
            conflict.epoch.to_string(),
            conflict.device.to_string(),
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
                format!("to {} in {}", delivery.recipients, delivery.at)
            }),
            list(
                epoch
                    .acknowledged
                    .iter()
                    .map(|ack| format!("{} in {}", ack.device, ack.at)),
            ),
        ]
    };
    let header = [
        "epoch",
        "cause",
        "block",
        "active",
        "custodian",
        "commitment",
        "delivered",
        "acknowledged",
    ];
    table(header, epochs.iter().map(row))
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

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_protocol::{policy::Policy, topic::Filters, AgreementKey, BlockHash, VerifyingKey};

    const GW: AccountId = AccountId([1; 32]);

    fn exchange(cause: Cause, began: u32) -> KeyExchange {
        KeyExchange {
            cause,
            began,
            committed: Some((Commitment([began as u8; 32]), GW)),
            activated: Some(began),
            delivery: Some(Delivery {
                at: began + 2,
                recipients: 2,
                grants_root: Digest([0; 32]),
            }),
        }
    }

    fn group() -> GroupView {
        GroupView {
            group: "hsu0001".parse().unwrap(),
            admin: GW,
            custodians: vec![GW],
            filters: Filters::default(),
            policy: Policy::default(),
            state: GroupState::Active,
            epoch: 2,
            staged: Vec::new(),
            revision: 5,
            revised_at: 20,
            members: 2,
            chain_head: Digest([7; 32]),
            exchanges: vec![
                (1, exchange(Cause::Created, 10)),
                (2, exchange(Cause::Joined, 20)),
            ],
        }
    }

    fn device(id: &str, index: u32, acknowledged: Option<(u32, u32)>) -> MemberView {
        MemberView {
            device: id.parse().unwrap(),
            role: Role::Both,
            index,
            joined_epoch: 1,
            filters: Filters::default(),
            owner: GW,
            active: true,
            key_version: 1,
            signing_key: VerifyingKey([2; 32]),
            agreement_key: AgreementKey([3; 32]),
            acknowledged,
        }
    }

    fn of(group: GroupView, members: Vec<MemberView>, conflicts: Vec<ConflictView>) -> Audit {
        let block = BlockRef {
            number: 30,
            hash: BlockHash([4; 32]),
        };
        audit(block, group, members, conflicts, &|_| "gw1".to_owned())
    }

    #[test]
    fn each_device_stands_with_the_last_epoch_that_it_acknowledged() {
        let members = vec![
            device("1112", 1, Some((2, 24))),
            device("1111", 0, Some((1, 14))),
        ];
        let audit = of(group(), members, Vec::new());
        let devices = |epoch: usize| {
            let acknowledged = audit.epochs[epoch].acknowledged.iter();
            acknowledged
                .map(|a| (a.device.to_string(), a.at))
                .collect::<Vec<_>>()
        };
        assert_eq!(devices(0), [("1111".to_owned(), 14)]);
        assert_eq!(devices(1), [("1112".to_owned(), 24)]);
        assert_eq!(audit.findings, ["epoch 2 is not acknowledged by 1111"]);
    }

    #[test]
    fn conflicts_come_first() {
        let conflict = ConflictView {
            epoch: 2,
            device: "1112".parse().unwrap(),
            commitment: Commitment([0xaa; 32]),
            at: 25,
        };
        let text = text(&of(group(), Vec::new(), vec![conflict]));
        let at = |what: &str| text.find(what).unwrap();
        assert!(at("CONFLICTS: 1") < at("Findings") && at("Findings") < at("Epochs"));
        assert!(text.contains(&"aa".repeat(32)));
    }

    #[test]
    fn what_is_missing_is_said() {
        let mut group = group();
        group.exchanges.remove(0);
        group.exchanges.insert(0, (0, exchange(Cause::Created, 3)));
        group.exchanges[1].1.delivery = None;
        let findings = of(group, Vec::new(), Vec::new()).findings;
        assert_eq!(findings.len(), 2);
        assert!(
            findings[0].contains("missing") && findings[1].contains("not recorded as delivered")
        );
    }

    #[test]
    fn an_awaited_epoch_is_shown_without_commitment() {
        let mut group = group();
        group.state = GroupState::Awaiting;
        group.exchanges[1].1 = KeyExchange {
            committed: None,
            activated: None,
            delivery: None,
            ..exchange(Cause::Removed, 20)
        };
        let audit = of(group, vec![device("1111", 0, None)], Vec::new());
        assert_eq!(audit.epochs[1].commitment, None);
        assert_eq!(
            audit.findings,
            ["epoch 2 is awaited: no custodian has committed to it"]
        );
        assert!(text(&audit).contains("awaited"));
    }

    #[test]
    fn every_audit_says_what_it_does_not_check() {
        let text = text(&of(group(), Vec::new(), Vec::new()));
        assert!(NOT_CHECKED.iter().all(|line| text.contains(line)));
    }
}
