//! One body of every kind, and its fields for implementations that encode them anew.

use keyward_protocol::{
    beacon::{AnchorCertificate, Beacon, BlockRef},
    bytes::Nonce,
    extension::{Extension, Extensions},
    policy::Policy,
    receipt::Receipt,
    registration::{KeyReplacement, Voucher},
    request::{Ask, Refusal, Request, Response, Status},
    statement::{
        Custodian, DeviceGroup, DeviceStatement, EpochCommitment, GroupState, GroupStatement,
        Publisher, PublisherPage,
    },
    topic::{Filters, TopicFilter},
    AuthorityId, BlockHash, Commitment, Digest, Role,
};
use serde_json::{json, Value};

use super::hexed;
use crate::fixed::{account, agreement, device, gateway_name, genesis, group, signing};

/// 18 July 2024, the day after the paper.
pub const CHAIN_TIME: u64 = 1_721_260_800_000;

pub fn block() -> (BlockRef, Value) {
    let hash = BlockHash([0xb1; 32]);
    let fields = json!({"number": 70_000, "hash": hexed(hash)});
    let number = 70_000;
    (BlockRef { number, hash }, fields)
}

pub fn extensions() -> (Extensions, Value) {
    let bytes = vec![0xee, 0xff].try_into().unwrap();
    let extension = Extension {
        id: 0x0102,
        critical: true,
        bytes,
    };
    let fields = json!([{"id": 0x0102, "critical": true, "bytes": "eeff"}]);
    (Extensions(vec![extension].try_into().unwrap()), fields)
}

pub fn filters(texts: &[&str]) -> (Filters, Value) {
    let filters = texts.iter().map(|text| TopicFilter::new(text).unwrap());
    (Filters::new(filters).unwrap(), json!(texts))
}

pub fn voucher() -> (Voucher, Value) {
    let voucher = Voucher {
        authority: AuthorityId::new("ca1").unwrap(),
        device: device("1111"),
        gateway: account(0xa1),
        signing_key: signing(3).verifying_key(),
        agreement_key: agreement(5).public(),
        key_version: 1,
        not_after: 1_752_796_800,
    };
    let fields = json!({
        "authority": "ca1", "device": "1111", "gateway": hexed(voucher.gateway),
        "signing_key": hexed(voucher.signing_key), "agreement_key": hexed(voucher.agreement_key),
        "key_version": 1, "not_after": 1_752_796_800u64,
    });
    (voucher, fields)
}

pub fn replacement() -> (KeyReplacement, Value) {
    let replacement = KeyReplacement {
        device: device("1111"),
        key_version: 2,
        signing_key: signing(4).verifying_key(),
        agreement_key: agreement(6).public(),
        not_after: 1_752_796_801,
    };
    let fields = json!({
        "device": "1111", "key_version": 2, "signing_key": hexed(replacement.signing_key),
        "agreement_key": hexed(replacement.agreement_key), "not_after": 1_752_796_801u64,
    });
    (replacement, fields)
}

pub fn device_statement() -> (DeviceStatement, Value) {
    let (filters, filter_fields) = filters(&["hsu0001", "hsu0001/#"]);
    let (block, block_fields) = block();
    let custodian = Custodian {
        account: account(0xa1),
        name: gateway_name(),
        statement_key: signing(2).verifying_key(),
    };
    let group_of_device = DeviceGroup {
        group: group("hsu0001"),
        role: Role::Both,
        filters,
        custodians: vec![custodian.clone()].try_into().unwrap(),
    };
    let statement = DeviceStatement {
        gateway: account(0xa1),
        device: device("1111"),
        key_version: 1,
        revision: 69_999,
        groups: vec![group_of_device].try_into().unwrap(),
        block,
        chain_time: CHAIN_TIME,
        extensions: Extensions::default(),
    };
    let custodian = json!({
        "account": hexed(custodian.account), "name": "gw1", "statement_key": hexed(custodian.statement_key),
    });
    let group = json!({
        "group": "hsu0001", "role": "both", "filters": filter_fields, "custodians": [custodian],
    });
    let fields = json!({
        "gateway": hexed(statement.gateway), "device": "1111", "key_version": 1, "revision": 69_999,
        "groups": [group], "block": block_fields, "chain_time": CHAIN_TIME, "extensions": [],
    });
    (statement, fields)
}

fn policy() -> (Policy, Value) {
    let policy = Policy {
        commands: true,
        max_age: 30,
        ..Policy::default()
    };
    let fields = json!({
        "suite": 0, "signed": true, "rekey_on_join": true, "commands": true,
        "seal_while_awaiting": false, "seal_when_stale": false, "max_age": 30, "max_silence": 600,
        "grace": 30_000, "settle": 500, "rotate_every": 604_800, "history": 32,
        "history_age": 3_456_000, "takeover": 30, "extensions": [],
    });
    (policy, fields)
}

pub fn group_statement() -> (GroupStatement, Value) {
    let (policy, policy_fields) = policy();
    let (filters, filter_fields) = filters(&["hsu0001"]);
    let (extensions, extension_fields) = extensions();
    let (block, block_fields) = block();
    let commitment = |epoch, byte, custodian| EpochCommitment {
        epoch,
        commitment: Commitment([byte; 32]),
        custodian,
    };
    let page_hash = keyward_crypto::hash::page_hash(&genesis(), &page().0);
    let statement = GroupStatement {
        gateway: account(0xa1),
        group: group("hsu0001"),
        revision: 300,
        epoch: 8,
        state: GroupState::Active,
        custodians: vec![account(0xa1), account(0xa2)].try_into().unwrap(),
        commitments: vec![commitment(7, 0xc7, 1), commitment(8, 0xc8, 0)]
            .try_into()
            .unwrap(),
        policy,
        filters,
        pages: vec![page_hash].try_into().unwrap(),
        block,
        extensions,
    };
    let fields = json!({
        "gateway": hexed(statement.gateway), "group": "hsu0001", "revision": 300, "epoch": 8,
        "state": "active", "custodians": [hexed([0xa1; 32]), hexed([0xa2; 32])],
        "commitments": [
            {"epoch": 7, "commitment": hexed([0xc7; 32]), "custodian": 1},
            {"epoch": 8, "commitment": hexed([0xc8; 32]), "custodian": 0},
        ],
        "policy": policy_fields, "filters": filter_fields, "pages": [hexed(page_hash)],
        "block": block_fields, "extensions": extension_fields,
    });
    (statement, fields)
}

pub fn page() -> (PublisherPage, Value) {
    let publisher = |index, name, seed| Publisher {
        index,
        device: device(name),
        key_version: 1,
        signing_key: signing(seed).verifying_key(),
    };
    let publishers = vec![publisher(0, "1111", 3), publisher(5, "1114", 4)];
    let publisher_fields: Vec<Value> = publishers
        .iter()
        .map(|publisher| {
            json!({
                "index": publisher.index, "device": publisher.device.as_str(),
                "key_version": publisher.key_version, "signing_key": hexed(publisher.signing_key),
            })
        })
        .collect();
    let page = PublisherPage {
        group: group("hsu0001"),
        page: 0,
        publishers: publishers.try_into().unwrap(),
    };
    let fields = json!({"group": "hsu0001", "page": 0, "publishers": publisher_fields});
    (page, fields)
}

pub fn beacon() -> (Beacon, Value) {
    let (block, block_fields) = block();
    let beacon = Beacon {
        gateway: account(0xa1),
        group: group("hsu0001"),
        revision: 300,
        statement: Digest([0xd1; 32]),
        block,
        chain_time: CHAIN_TIME,
    };
    let fields = json!({
        "gateway": hexed(beacon.gateway), "group": "hsu0001", "revision": 300,
        "statement": hexed(beacon.statement), "block": block_fields, "chain_time": CHAIN_TIME,
    });
    (beacon, fields)
}

pub fn anchor() -> (AnchorCertificate, Value) {
    let anchor = AnchorCertificate {
        gateway: account(0xa1),
        statement_key: signing(9).verifying_key(),
        serial: 2,
    };
    let fields = json!({
        "gateway": hexed(anchor.gateway), "statement_key": hexed(anchor.statement_key), "serial": 2,
    });
    (anchor, fields)
}

pub fn request(ask: Ask, ask_fields: Value) -> (Request, Value) {
    let request = Request {
        device: device("1111"),
        key_version: 1,
        gateway: account(0xa1),
        ask,
        counter: 41,
        nonce: Nonce([0x4e; 16]),
    };
    let fields = json!({
        "device": "1111", "key_version": 1, "gateway": hexed(request.gateway), "ask": ask_fields,
        "counter": 41, "nonce": hexed(request.nonce),
    });
    (request, fields)
}

pub fn response() -> (Response, Value) {
    let (block, block_fields) = block();
    let response = Response {
        gateway: account(0xa1),
        device: device("1111"),
        nonce: Nonce([0x4e; 16]),
        status: Status::Refused(Refusal::Chain),
        reason: b"DeviceExists".to_vec().try_into().unwrap(),
        block,
        chain_time: CHAIN_TIME,
    };
    let fields = json!({
        "gateway": hexed(response.gateway), "device": "1111", "nonce": hexed(response.nonce),
        "status": {"refused": "chain"}, "reason": "DeviceExists", "block": block_fields,
        "chain_time": CHAIN_TIME,
    });
    (response, fields)
}

pub fn receipt() -> (Receipt, Value) {
    let receipt = Receipt {
        group: group("hsu0001"),
        epoch: 8,
        commitment: Commitment([0xc8; 32]),
        device: device("1111"),
        key_version: 1,
    };
    let fields = json!({
        "group": "hsu0001", "epoch": 8, "commitment": hexed(receipt.commitment), "device": "1111",
        "key_version": 1,
    });
    (receipt, fields)
}
