//! Every rule that a format has beyond its types: kept by the writer, demanded by the reader (ENV-2).

use codec::Encode;
use keyward_protocol::{
    beacon::{Beacon, BlockRef},
    bytes::Nonce,
    extension::{Extension, Extensions},
    grant::{EpochSecret, Grant, GrantedEpoch},
    policy::{Policy, PolicyInvalid},
    registration::{KeyReplacement, Voucher},
    request::{Ask, Request, Response, Status},
    signing::{Body, Signed, Unverified},
    statement::{
        Custodian, DeviceGroup, DeviceStatement, EpochCommitment, GroupState, GroupStatement,
        Publisher, PublisherPage,
    },
    topic::{Filters, TopicFilter},
    wire::WireInvalid,
    AccountId, AgreementKey, AuthorityId, BlockHash, Commitment, DeviceId, Digest, GatewayName,
    Genesis, GroupId, Role, Signature, VerifyingKey, VERSION,
};

use crate::samples::bounded;

const GENESIS: Genesis = Genesis([7; 32]);
const BLOCK: BlockRef = BlockRef {
    number: 1,
    hash: BlockHash([1; 32]),
};

fn device(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

fn group(name: &str) -> GroupId {
    GroupId::new(name).unwrap()
}

/// A rule that writer and reader name in the same words.
fn refused<T: Body + core::fmt::Debug + PartialEq>(body: T, rule: &'static str) {
    let wire = wire(&body.encode());
    let read = Unverified::<T>::from_wire(&wire);
    assert_eq!(read.err(), Some(WireInvalid::NotCanonical(rule)), "read");
    let written = Signed::new(GENESIS, body, |_| Signature([0; 64]));
    assert_eq!(
        written.err(),
        Some(WireInvalid::NotCanonical(rule)),
        "written"
    );
}

fn accepted<T: Body + core::fmt::Debug + PartialEq>(body: T) {
    let read = Unverified::<T>::from_wire(&wire(&body.encode()));
    assert!(read.is_ok(), "{read:?}");
}

fn wire(body: &[u8]) -> Vec<u8> {
    [&[VERSION], &GENESIS.0[..], body, &[0; 64]].concat()
}

fn extension(id: u16) -> Extension {
    Extension {
        id,
        critical: false,
        bytes: bounded([]),
    }
}

fn extensions(ids: &[u16]) -> Extensions {
    Extensions(bounded(ids.iter().copied().map(extension)))
}

fn custodian(account: u8) -> Custodian {
    Custodian {
        account: AccountId([account; 32]),
        name: GatewayName::new("gw").unwrap(),
        statement_key: VerifyingKey([1; 32]),
    }
}

fn device_group(name: &str, custodians: &[u8]) -> DeviceGroup {
    DeviceGroup {
        group: group(name),
        role: Role::Both,
        filters: Filters::default(),
        custodians: bounded(custodians.iter().copied().map(custodian)),
    }
}

fn device_statement(groups: Vec<DeviceGroup>) -> DeviceStatement {
    DeviceStatement {
        gateway: AccountId([1; 32]),
        device: device("1111"),
        key_version: 1,
        revision: 1,
        groups: bounded(groups),
        block: BLOCK,
        chain_time: 1,
        extensions: Extensions::default(),
    }
}

/// STM-1, ENV-2.
#[test]
fn a_device_statement_lists_groups_by_rising_id() {
    let rule = "groups and custodians rise";
    accepted(device_statement(vec![
        device_group("a", &[]),
        device_group("b", &[]),
    ]));
    refused(
        device_statement(vec![device_group("b", &[]), device_group("a", &[])]),
        rule,
    );
    refused(
        device_statement(vec![device_group("a", &[]), device_group("a", &[])]),
        rule,
    );
}

#[test]
fn a_device_statement_lists_custodians_by_rising_account() {
    let rule = "groups and custodians rise";
    accepted(device_statement(vec![device_group("a", &[1, 2])]));
    refused(device_statement(vec![device_group("a", &[2, 1])]), rule);
    refused(device_statement(vec![device_group("a", &[1, 1])]), rule);
}

/// `Filters` has no constructor for an order that falls: such filters come from hostile bytes only.
fn falling_filters() -> Vec<u8> {
    ["b", "a"]
        .map(|text| TopicFilter::new(text).unwrap())
        .to_vec()
        .encode()
}

/// TOP-1.
#[test]
fn filters_rise() {
    let rising = Filters::new(["a", "b"].map(|text| TopicFilter::new(text).unwrap())).unwrap();
    let mut statement = device_statement(vec![device_group("a", &[])]);
    statement
        .groups
        .iter_mut()
        .for_each(|group| group.filters = rising.clone());
    let body = statement.encode();
    let at = body
        .windows(5)
        .position(|five| five == rising.encode())
        .unwrap();
    let mut falling = wire(&body);
    falling[33 + at..33 + at + 5].copy_from_slice(&falling_filters());
    let read = Unverified::<DeviceStatement>::from_wire(&falling);
    assert_eq!(read.err(), Some(WireInvalid::NotCanonical("filters rise")));
    accepted(statement);
}

fn group_statement() -> GroupStatement {
    let commitment = |epoch| EpochCommitment {
        epoch,
        commitment: Commitment([1; 32]),
        custodian: 0,
    };
    GroupStatement {
        gateway: AccountId([1; 32]),
        group: group("a"),
        revision: 1,
        epoch: 5,
        state: GroupState::Active,
        custodians: bounded([AccountId([1; 32]), AccountId([2; 32])]),
        commitments: bounded([commitment(4), commitment(5)]),
        policy: Policy::default(),
        filters: Filters::default(),
        pages: bounded([Digest([1; 32])]),
        block: BLOCK,
        extensions: Extensions::default(),
    }
}

fn with(change: impl FnOnce(&mut GroupStatement)) -> GroupStatement {
    let mut statement = group_statement();
    change(&mut statement);
    statement
}

/// STM-3.
#[test]
fn a_group_statement_lists_epochs_and_custodians_in_rising_order() {
    let rule = "epochs and custodians rise";
    accepted(group_statement());
    refused(
        with(|s| s.commitments.iter_mut().for_each(|c| c.epoch = 4)),
        rule,
    );
    refused(
        with(|s| s.commitments.iter_mut().for_each(|c| c.epoch = 9 - c.epoch)),
        rule,
    );
    refused(
        with(|s| s.custodians = bounded([AccountId([2; 32]), AccountId([1; 32])])),
        rule,
    );
    refused(
        with(|s| s.custodians = bounded([AccountId([1; 32]), AccountId([1; 32])])),
        rule,
    );
}

#[test]
fn a_group_statement_has_no_commitment_of_a_later_epoch() {
    let rule = "no commitment after the current epoch";
    refused(with(|s| s.epoch = 4), rule);
    accepted(with(|s| s.epoch = 6));
}

#[test]
fn a_group_statement_names_the_custodian_of_each_commitment() {
    let rule = "custodian index in range";
    refused(
        with(|s| s.commitments.iter_mut().for_each(|c| c.custodian = 2)),
        rule,
    );
    accepted(with(|s| {
        s.commitments.iter_mut().for_each(|c| c.custodian = 1)
    }));
    let statement = with(|s| {
        s.commitments
            .iter_mut()
            .for_each(|c| c.custodian = (c.epoch - 4) as u8)
    });
    let of = |custodian| Some((Commitment([1; 32]), AccountId([custodian; 32])));
    assert_eq!(statement.commitment(4), of(1));
    assert_eq!(statement.commitment(5), of(2));
    assert_eq!(statement.commitment(6), None);
}

#[test]
fn extensions_rise_wherever_they_stand() {
    let rule = "extensions rise by id";
    for ids in [[2, 1], [1, 1]] {
        refused(with(|s| s.extensions = extensions(&ids)), rule);
        refused(with(|s| s.policy.extensions = extensions(&ids)), rule);
        let mut statement = device_statement(vec![]);
        statement.extensions = extensions(&ids);
        refused(statement, rule);
        let mut grant = grant(&[1]);
        grant.extensions = extensions(&ids);
        assert_eq!(
            Grant::from_wire(&grant.to_wire()),
            Err(WireInvalid::NotCanonical(rule))
        );
        let policy = Policy {
            extensions: extensions(&ids),
            ..Policy::default()
        };
        assert_eq!(policy.validate(), Err(PolicyInvalid::Extensions));
    }
    accepted(with(|s| s.extensions = extensions(&[1, 2])));
}

/// EXT-1.
#[test]
fn an_unknown_critical_extension_is_named_and_a_known_or_another_one_is_not() {
    let mut all = extensions(&[3, 5, 9]);
    all.0
        .iter_mut()
        .filter(|one| one.id >= 5)
        .for_each(|one| one.critical = true);
    assert_eq!(all.unknown_critical(&[]), Some(5));
    assert_eq!(all.unknown_critical(&[5]), Some(9));
    assert_eq!(all.unknown_critical(&[5, 9]), None);
    let policy = Policy {
        extensions: all,
        ..Policy::default()
    };
    assert_eq!(policy.validate(), Err(PolicyInvalid::UnknownExtension(5)));
}

fn grant(epochs: &[u32]) -> Grant {
    let granted = |epoch: &u32| GrantedEpoch {
        epoch: *epoch,
        secret: EpochSecret::new([1; 32]),
    };
    Grant {
        group: group("a"),
        device: device("1111"),
        key_version: 1,
        epochs: bounded(epochs.iter().map(granted)),
        extensions: Extensions::default(),
    }
}

/// KEY-4.
#[test]
fn a_grant_lists_epochs_in_rising_order() {
    assert!(Grant::from_wire(&grant(&[1, 2]).to_wire()).is_ok());
    for epochs in [[2, 1], [1, 1]] {
        let read = Grant::from_wire(&grant(&epochs).to_wire());
        assert_eq!(read, Err(WireInvalid::NotCanonical("epochs rise")));
    }
}

fn page(indices: &[u32]) -> PublisherPage {
    let publisher = |index: &u32| Publisher {
        index: *index,
        device: device("1111"),
        key_version: 1,
        signing_key: VerifyingKey([1; 32]),
    };
    PublisherPage {
        group: group("a"),
        page: 0,
        publishers: bounded(indices.iter().map(publisher)),
    }
}

/// STM-6.
#[test]
fn a_page_lists_publishers_by_rising_index() {
    let read = |page: PublisherPage| PublisherPage::from_wire(&page.to_wire(&GENESIS), &GENESIS);
    assert!(read(page(&[1, 2])).is_ok());
    for indices in [[2, 1], [1, 1]] {
        let rule = WireInvalid::NotCanonical("publishers rise by index");
        assert_eq!(read(page(&indices)), Err(rule));
    }
}

#[test]
fn a_page_of_another_chain_is_refused() {
    let wire = page(&[1]).to_wire(&Genesis([8; 32]));
    let rule = WireInvalid::NotCanonical("genesis of this chain");
    assert_eq!(PublisherPage::from_wire(&wire, &GENESIS), Err(rule));
}

fn voucher() -> Voucher {
    Voucher {
        authority: AuthorityId::new("ca").unwrap(),
        device: device("1111"),
        gateway: AccountId([1; 32]),
        signing_key: VerifyingKey([1; 32]),
        agreement_key: AgreementKey([1; 32]),
        key_version: 1,
        not_after: 1,
    }
}

fn request(ask: Ask) -> Request {
    Request {
        device: device("1111"),
        key_version: 1,
        gateway: AccountId([1; 32]),
        ask,
        counter: 1,
        nonce: Nonce([1; 16]),
    }
}

/// REQ-1, REQ-3.
#[test]
fn an_enrolment_agrees_with_its_voucher() {
    let rule = "request and its body agree";
    let enrol = |change: fn(&mut Voucher)| {
        let mut voucher = voucher();
        change(&mut voucher);
        request(Ask::Enrol {
            voucher,
            voucher_signature: Signature([1; 64]),
            proof: Signature([2; 64]),
        })
    };
    accepted(enrol(|_| {}));
    refused(
        enrol(|voucher| voucher.device = DeviceId::new("1112").unwrap()),
        rule,
    );
    refused(enrol(|voucher| voucher.gateway = AccountId([2; 32])), rule);
    refused(enrol(|voucher| voucher.key_version = 2), rule);
}

/// REQ-5.
#[test]
fn a_key_replacement_is_for_the_device_that_asks() {
    let rule = "request and its body agree";
    let replace = |name| {
        let replacement = KeyReplacement {
            device: device(name),
            key_version: 2,
            signing_key: VerifyingKey([1; 32]),
            agreement_key: AgreementKey([1; 32]),
            not_after: 1,
        };
        request(Ask::ReplaceKeys {
            replacement,
            new_signature: Signature([1; 64]),
            current_signature: Signature([2; 64]),
        })
    };
    accepted(replace("1111"));
    refused(replace("1112"), rule);
    accepted(request(Ask::Resync));
}

/// REQ-2.
#[test]
fn a_reason_is_text() {
    let response = |reason: &[u8]| Response {
        gateway: AccountId([1; 32]),
        device: device("1111"),
        nonce: Nonce([1; 16]),
        status: Status::Done,
        reason: bounded(reason.iter().copied()),
        block: BLOCK,
        chain_time: 1,
    };
    accepted(response("größe".as_bytes()));
    refused(response(&[0xff]), "reason is UTF-8");
}

/// SCALE itself allows one form of each number, choice and length only; these are its other forms.
#[test]
fn longer_forms_of_numbers_and_unknown_choices_do_not_decode() {
    let beacon = Beacon {
        gateway: AccountId([1; 32]),
        group: group("a"),
        revision: 1,
        statement: Digest([1; 32]),
        block: BLOCK,
        chain_time: 1,
    };
    let body = beacon.encode();
    // The group's length, 1, as `04`; then in two and in four bytes.
    assert_eq!(body[32..34], [4, b'a']);
    for longer in [&[0x05, 0x00][..], &[0x06, 0, 0, 0], &[0x03, 1, 0, 0, 0]] {
        let body = [&body[..32], longer, &body[33..]].concat();
        let read = Unverified::<Beacon>::from_wire(&wire(&body));
        assert_eq!(read.err(), Some(WireInvalid::Malformed));
    }
    let mut statement = group_statement().encode();
    let state = 32 + 2 + 8 + 4;
    assert_eq!(statement[state], 0);
    statement[state] = 4;
    let read = Unverified::<GroupStatement>::from_wire(&wire(&statement));
    assert_eq!(read.err(), Some(WireInvalid::Malformed));
}

#[test]
fn bytes_after_the_end_are_counted() {
    let body = [device_statement(vec![]).encode(), vec![0; 3]].concat();
    let read = Unverified::<DeviceStatement>::from_wire(&wire(&body));
    assert_eq!(read.err(), Some(WireInvalid::Trailing(3)));
}

#[test]
fn lists_beyond_their_bound_do_not_decode() {
    let many: Vec<EpochCommitment> = (0..66)
        .map(|epoch| EpochCommitment {
            epoch,
            commitment: Commitment([1; 32]),
            custodian: 0,
        })
        .collect();
    let mut statement = group_statement();
    statement.epoch = 100;
    let bytes = statement.encode();
    let listed = statement.commitments.encode();
    let at = bytes
        .windows(listed.len())
        .position(|part| part == listed)
        .unwrap();
    let body = [&bytes[..at], &many.encode(), &bytes[at + listed.len()..]].concat();
    let read = Unverified::<GroupStatement>::from_wire(&wire(&body));
    assert_eq!(read.err(), Some(WireInvalid::Malformed));
    let body = [
        &bytes[..at],
        &many[..65].to_vec().encode(),
        &bytes[at + listed.len()..],
    ]
    .concat();
    assert!(Unverified::<GroupStatement>::from_wire(&wire(&body)).is_ok());
}
