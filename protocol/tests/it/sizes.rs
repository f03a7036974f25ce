//! The largest value of every format fits its limit, and one byte more is refused (DESIGN section 5, "Limits").

use keyward_protocol::{
    beacon::{AnchorCertificate, Beacon, BlockRef},
    bytes::Nonce,
    extension::{Extension, Extensions},
    grant::{commitment_payload, EpochSecret, Grant, GrantedEpoch},
    limits,
    policy::Policy,
    receipt::Receipt,
    registration::{KeyReplacement, Voucher},
    request::{Ask, Refusal, Request, Response, Status},
    signing::{Body, Signed, Unverified},
    statement::{
        Custodian, DeviceGroup, DeviceStatement, EpochCommitment, GroupState, GroupStatement,
        Publisher, PublisherPage,
    },
    topic::{ControlTopic, Filters, TopicFilter, PREFIX},
    wire::WireInvalid,
    AccountId, AgreementKey, AuthorityId, BlockHash, Commitment, DeviceId, Digest, GatewayName,
    Genesis, GroupId, Role, Signature, VerifyingKey,
};

use crate::samples::bounded;

const GENESIS: Genesis = Genesis([7; 32]);
const BLOCK: BlockRef = BlockRef {
    number: u32::MAX,
    hash: BlockHash([0xff; 32]),
};
/// What crypto_box_seal adds.
const SEALED_BOX: usize = 48;
/// Fixed header, remaining length, topic length, packet id, property length and a few properties of a PUBLISH.
const PUBLISH: usize = 64;

/// The longest identifier that ends in a number.
fn name(number: u32) -> String {
    format!("{number:x>32}")
}

fn device(number: u32) -> DeviceId {
    DeviceId::new(&name(number)).unwrap()
}

fn group(number: u32) -> GroupId {
    GroupId::new(&name(number)).unwrap()
}

fn account(number: u32) -> AccountId {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    AccountId(bytes)
}

fn filters() -> Filters {
    let filters = (0..limits::FILTERS).map(|n| TopicFilter::new(&format!("{n:x>64}")).unwrap());
    Filters::new(filters).unwrap()
}

fn extensions() -> Extensions {
    let extension = |n| Extension {
        id: n as u16,
        critical: true,
        bytes: bounded(vec![0; limits::EXTENSION as usize]),
    };
    Extensions(bounded((0..limits::EXTENSIONS).map(extension)))
}

fn device_statement() -> DeviceStatement {
    let custodian = |n| Custodian {
        account: account(n),
        name: GatewayName::new(&name(n)).unwrap(),
        statement_key: VerifyingKey([1; 32]),
    };
    let device_group = |n| DeviceGroup {
        group: group(n),
        role: Role::Both,
        filters: filters(),
        custodians: bounded((0..limits::CUSTODIANS).map(custodian)),
    };
    DeviceStatement {
        gateway: account(0),
        device: device(0),
        key_version: u32::MAX,
        revision: u64::MAX,
        groups: bounded((0..limits::DEVICE_GROUPS).map(device_group)),
        block: BLOCK,
        chain_time: u64::MAX,
        extensions: extensions(),
    }
}

fn group_statement() -> GroupStatement {
    let commitment = |epoch| EpochCommitment {
        epoch,
        commitment: Commitment([1; 32]),
        custodian: 0,
    };
    GroupStatement {
        gateway: account(0),
        group: group(0),
        revision: u64::MAX,
        epoch: u32::MAX,
        state: GroupState::Closed,
        custodians: bounded((0..limits::STATEMENT_CUSTODIANS).map(account)),
        commitments: bounded((0..limits::EPOCHS).map(commitment)),
        policy: Policy {
            extensions: extensions(),
            ..Policy::default()
        },
        filters: filters(),
        pages: bounded((0..limits::PAGES).map(|_| Digest([1; 32]))),
        block: BLOCK,
        extensions: extensions(),
    }
}

fn page() -> PublisherPage {
    let publisher = |index| Publisher {
        index,
        device: device(index),
        key_version: u32::MAX,
        signing_key: VerifyingKey([1; 32]),
    };
    PublisherPage {
        group: group(0),
        page: u32::MAX,
        publishers: bounded((0..limits::PAGE).map(publisher)),
    }
}

fn grant() -> Grant {
    let granted = |epoch| GrantedEpoch {
        epoch,
        secret: EpochSecret::new([1; 32]),
    };
    Grant {
        group: group(0),
        device: device(0),
        key_version: u32::MAX,
        epochs: bounded((0..limits::EPOCHS).map(granted)),
        extensions: extensions(),
    }
}

fn voucher() -> Voucher {
    Voucher {
        authority: AuthorityId::new(&name(0)).unwrap(),
        device: device(0),
        gateway: account(0),
        signing_key: VerifyingKey([1; 32]),
        agreement_key: AgreementKey([1; 32]),
        key_version: u32::MAX,
        not_after: u64::MAX,
    }
}

fn request(ask: Ask) -> Request {
    Request {
        device: device(0),
        key_version: u32::MAX,
        gateway: account(0),
        ask,
        counter: u64::MAX,
        nonce: Nonce([1; 16]),
    }
}

fn response() -> Response {
    Response {
        gateway: account(0),
        device: device(0),
        nonce: Nonce([1; 16]),
        status: Status::Refused(Refusal::Chain),
        reason: bounded(vec![b'x'; limits::REASON as usize]),
        block: BLOCK,
        chain_time: u64::MAX,
    }
}

/// Signs, reads back, and gives the size on the wire.
fn size<T: Body + PartialEq + Clone + core::fmt::Debug>(body: T) -> usize {
    let message = Signed::new(GENESIS, body, |_| Signature([0; 64])).unwrap();
    let wire = message.to_wire();
    let read = Unverified::<T>::from_wire(&wire).unwrap();
    assert_eq!(read.claims(), message.body());
    wire.len()
}

/// LIM-1, and so each of the following.
#[test]
fn the_largest_device_statement_fits() {
    assert_eq!(size(device_statement()), 7_632);
}

#[test]
fn the_largest_group_statement_fits() {
    assert_eq!(size(group_statement()), 6_550);
}

#[test]
fn the_largest_page_fits() {
    let wire = page().to_wire(&GENESIS);
    assert!(wire.len() <= limits::STATEMENT);
    assert_eq!(PublisherPage::from_wire(&wire, &GENESIS), Ok(page()));
    assert_eq!(wire.len(), 4_744);
}

#[test]
fn the_largest_grant_fits_when_it_is_sealed() {
    let wire = grant().to_wire();
    assert!(wire.len() + SEALED_BOX <= limits::GRANT);
    assert_eq!(Grant::from_wire(&wire), Ok(grant()));
    assert_eq!(wire.len(), 2_946);
}

#[test]
fn the_largest_small_messages_fit() {
    assert_eq!(size(voucher()), 271);
    let beacon = Beacon {
        gateway: account(0),
        group: group(0),
        revision: u64::MAX,
        statement: Digest([1; 32]),
        block: BLOCK,
        chain_time: u64::MAX,
    };
    assert_eq!(size(beacon), 246);
    let anchor = AnchorCertificate {
        gateway: account(0),
        statement_key: VerifyingKey([1; 32]),
        serial: u64::MAX,
    };
    assert_eq!(size(anchor), 169);
    let receipt = Receipt {
        group: group(0),
        epoch: u32::MAX,
        commitment: Commitment([1; 32]),
        device: device(0),
        key_version: u32::MAX,
    };
    assert_eq!(size(receipt), 203);
}

#[test]
fn the_largest_requests_and_the_largest_response_fit() {
    let enrol = Ask::Enrol {
        voucher: voucher(),
        voucher_signature: Signature([1; 64]),
        proof: Signature([1; 64]),
    };
    let replace = Ask::ReplaceKeys {
        replacement: KeyReplacement {
            device: device(0),
            key_version: u32::MAX,
            signing_key: VerifyingKey([1; 32]),
            agreement_key: AgreementKey([1; 32]),
            not_after: u64::MAX,
        },
        new_signature: Signature([1; 64]),
        current_signature: Signature([1; 64]),
    };
    assert_eq!(size(request(enrol)), 493);
    assert_eq!(size(request(replace)), 428);
    assert_eq!(size(response()), 482);
}

/// LIM-1, ENV-2.
#[test]
fn a_message_beyond_its_limit_is_refused_before_it_is_read() {
    let actual = limits::STATEMENT + 1;
    let max = limits::STATEMENT;
    let read = Unverified::<GroupStatement>::from_wire(&vec![1; actual]);
    assert_eq!(read, Err(WireInvalid::TooLong { max, actual }));
    let read = PublisherPage::from_wire(&vec![1; actual], &GENESIS);
    assert_eq!(read, Err(WireInvalid::TooLong { max, actual }));
    let (max, actual) = (limits::GRANT, limits::GRANT + 1);
    let read = Grant::from_wire(&vec![1; actual]);
    assert_eq!(read, Err(WireInvalid::TooLong { max, actual }));
}

/// The packet limit of a client holds the largest control message on its longest topic.
#[test]
fn every_control_message_fits_the_packet_limit() {
    let gateway = GatewayName::new(&name(0)).unwrap();
    let longest = ControlTopic::Grant(gateway, device(0), group(0)).to_topic(PREFIX);
    let message = limits::STATEMENT.max(limits::GRANT).max(limits::REQUEST);
    assert!(message + longest.len() + PUBLISH <= limits::CONTROL_PACKET);
}

#[test]
fn every_protected_message_fits_the_packet_limit() {
    use keyward_protocol::message::{MAX_HEADER, SIGNATURE, TAG};
    let message = limits::PAYLOAD + MAX_HEADER + 4 + TAG + SIGNATURE;
    assert!(message + limits::TOPIC + PUBLISH <= limits::MESSAGE_PACKET);
}

/// The commitment's payload never grows its buffer, so that no copy of the secret is left behind.
#[test]
fn the_largest_commitment_payload_fits_its_buffer() {
    let secret = EpochSecret::new([1; 32]);
    let payload = commitment_payload(&GENESIS, &group(0), u32::MAX, &account(0), &secret);
    assert!(payload.len() <= 256, "{}", payload.len());
    assert_eq!(payload.capacity(), 256);
}

/// Neither does the grant's.
#[test]
fn the_plaintext_of_a_grant_fills_its_buffer() {
    let plaintext = grant().to_wire();
    assert_eq!(plaintext.capacity(), plaintext.len());
}
