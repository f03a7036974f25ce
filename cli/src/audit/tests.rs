//! Audits of fixed views.

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

fn holding(device: &str, epoch: u32, at: u32) -> Holding {
    Holding {
        device: device.parse().unwrap(),
        epoch,
        at,
    }
}

fn conflict() -> ConflictView {
    ConflictView {
        epoch: 2,
        device: "1112".parse().unwrap(),
        commitment: Commitment([0xaa; 32]),
        at: 25,
    }
}

fn of(group: GroupView, members: Vec<MemberView>, conflicts: Vec<ConflictView>) -> Audit {
    let acknowledged = |member: &MemberView| {
        let (epoch, at) = member.acknowledged?;
        Some(holding(member.device.as_str(), epoch, at))
    };
    let seen = Seen {
        block: BlockRef {
            number: 30,
            hash: BlockHash([4; 32]),
        },
        holdings: members.iter().filter_map(acknowledged).collect(),
        group,
        members,
        conflicts,
    };
    audit_of(seen)
}

fn audit_of(seen: Seen) -> Audit {
    audit(seen, &|_| "gw1".to_owned())
}

/// A group with a conflict, a member that is behind, and a device that left.
fn eventful() -> Audit {
    let members = vec![
        device("1112", 1, Some((2, 24))),
        device("1111", 0, Some((1, 14))),
    ];
    let seen = Seen {
        block: BlockRef {
            number: 30,
            hash: BlockHash([4; 32]),
        },
        group: group(),
        members,
        holdings: vec![
            holding("1112", 2, 24),
            holding("1111", 1, 14),
            holding("1113", 1, 13),
        ],
        conflicts: vec![conflict()],
    };
    audit_of(seen)
}

#[test]
fn an_audit_is_shown_as_frozen() {
    let shown = text::text(&eventful());
    let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
    let frozen: Vec<&str> = include_str!("frozen.txt").lines().collect();
    assert_eq!(lines, frozen, "\n{shown}");
}

#[test]
fn the_json_of_an_audit_is_frozen() {
    let shown = serde_json::to_value(eventful()).unwrap();
    let frozen: serde_json::Value = serde_json::from_str(include_str!("frozen.json")).unwrap();
    assert_eq!(
        shown,
        frozen,
        "\n{}",
        serde_json::to_string_pretty(&shown).unwrap()
    );
}

#[test]
fn each_device_stands_with_the_last_epoch_that_it_acknowledged() {
    let audit = eventful();
    let devices = |epoch: usize| {
        let acknowledged = audit.epochs[epoch].acknowledged.iter();
        acknowledged
            .map(|a| (a.device.to_string(), a.at, a.member))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        devices(0),
        [
            ("1113".to_owned(), 13, false),
            ("1111".to_owned(), 14, true)
        ]
    );
    assert_eq!(devices(1), [("1112".to_owned(), 24, true)]);
    assert_eq!(audit.findings, ["epoch 2 is not acknowledged by 1111"]);
}

#[test]
fn conflicts_come_first() {
    let text = text::text(&of(group(), Vec::new(), vec![conflict()]));
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
    assert!(findings[0].contains("missing") && findings[1].contains("not recorded as delivered"));
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
    assert!(text::text(&audit).contains("awaited"));
}

#[test]
fn every_audit_says_what_it_does_not_check() {
    let text = text::text(&of(group(), Vec::new(), Vec::new()));
    assert!(NOT_CHECKED.iter().all(|line| text.contains(line)));
}
