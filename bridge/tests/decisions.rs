//! The relay through its inputs and actions: what an operator and a stolen voucher can make it do.

use std::{collections::BTreeSet, sync::Arc};

use keyward_bridge::relay::{
    fleet::{Block, Fleet, Group},
    journal::{Change, Home, Journal, Retained},
    transactions::{Command, Outcome},
    Action, Effects, Input, Message, Relay, ONLINE,
};
use keyward_crypto::{
    hash,
    sign::{self, sign_message},
    AgreementSecret, SigningKey,
};
use keyward_protocol::{
    beacon::BlockRef,
    bytes::Nonce,
    policy::Policy,
    registration::Voucher,
    request::{Ask, Refusal, Request, Response, Status},
    signing::Unverified,
    statement::GroupState,
    view::{
        AuthorityStatus, AuthorityView, Cause, DeviceStatus, DeviceView, GatewayStatus,
        GatewayView, GroupView, KeyExchange, StagedEpoch,
    },
    AccountId, BlockHash, Commitment, DeviceId, Digest, Genesis,
};
use rand_core::OsRng;

const GENESIS: Genesis = Genesis([1; 32]);
const GATEWAY: AccountId = AccountId([2; 32]);
const STATE: &str = "keyward/v1/gateway/gw1/state";
const TOPIC: &str = "keyward/v1/gateway/gw1/group/g/state";

fn statement_key() -> SigningKey {
    SigningKey::from_seed(&[3; 32])
}

fn authority_key() -> SigningKey {
    SigningKey::from_seed(&[4; 32])
}

fn device_key() -> SigningKey {
    SigningKey::from_seed(&[5; 32])
}

fn relay(journal: Journal) -> Relay {
    let home = Home {
        genesis: GENESIS,
        account: GATEWAY,
        name: "gw1".parse().unwrap(),
    };
    let rng = Box::new(OsRng);
    Relay::new(home, "keyward/v1", statement_key(), journal, rng)
}

/// What the broker sends back.
fn told(topic: &str, payload: &[u8], retained: bool) -> Input {
    Input::Message(Message {
        id: 1,
        topic: topic.into(),
        payload: payload.into(),
        retained,
    })
}

fn published(effects: &Effects) -> BTreeSet<&str> {
    let publishes = effects.actions.iter().filter_map(|action| match action {
        Action::Publish(publish) => Some(publish.topic.as_str()),
        _ => None,
    });
    publishes.collect()
}

#[test]
fn reconciling_believes_nothing_that_the_broker_does_not_tell_anew() {
    let mut journal = Journal::default();
    let retained = Retained {
        fingerprint: Digest([1; 32]),
        payload: Arc::from(&b"statement"[..]),
    };
    journal.apply(Change::Retain(TOPIC.into(), retained));
    let mut relay = relay(journal);
    relay.handle(0, Input::Connected);
    relay.handle(1, told(TOPIC, b"statement", true));
    relay.handle(1, told(STATE, ONLINE.as_bytes(), true));
    let heard = relay.handle(2, told(STATE, ONLINE.as_bytes(), false));
    assert!(published(&heard).is_empty(), "the broker holds everything");

    let asked = relay.handle(3, Input::Reconcile);
    let resubscribed = asked
        .actions
        .iter()
        .position(|action| *action == Action::Resubscribe);
    let marked = asked
        .actions
        .iter()
        .position(|action| matches!(action, Action::Respond { .. }));
    assert!(resubscribed.is_some() && resubscribed < marked, "{asked:?}");
    // The statement has gone without a word: it is not among what is told.
    relay.handle(4, told(STATE, ONLINE.as_bytes(), true));
    let heard = relay.handle(4, told(STATE, ONLINE.as_bytes(), false));
    assert_eq!(published(&heard), [TOPIC].into());
}

#[test]
fn reconciling_without_a_connection_waits_for_one() {
    let mut relay = relay(Journal::default());
    let asked = relay.handle(0, Input::Reconcile);
    assert!(published(&asked).is_empty());
}

fn voucher() -> Voucher {
    Voucher {
        authority: "ca".parse().unwrap(),
        device: "d1".parse().unwrap(),
        gateway: GATEWAY,
        signing_key: device_key().verifying_key(),
        agreement_key: AgreementSecret::from_bytes(&[6; 32]).public(),
        key_version: 1,
        not_after: 1_000_000,
    }
}

fn enrolment(counter: u64) -> Input {
    let voucher = voucher();
    let registration = hash::registration(&GENESIS, &voucher);
    let vouched = sign_message(GENESIS, voucher.clone(), &authority_key()).unwrap();
    let request = Request {
        device: voucher.device.clone(),
        key_version: 1,
        gateway: GATEWAY,
        ask: Ask::Enrol {
            proof: device_key().sign_registration(&GENESIS, &registration),
            voucher_signature: *vouched.signature(),
            voucher,
        },
        counter,
        nonce: Nonce([u8::try_from(counter).unwrap(); 16]),
    };
    let signed = sign_message(GENESIS, request, &device_key()).unwrap();
    told("keyward/v1/device/d1/gw1/request", &signed.to_wire(), false)
}

fn finalized(number: u32, enrolled: bool) -> Input {
    at(number, state(enrolled))
}

fn at(number: u32, fleet: Fleet) -> Input {
    Input::Finalized(Block {
        block: BlockRef {
            number,
            hash: BlockHash([8; 32]),
        },
        time_ms: u64::from(number) * 2_000,
        fleet: Some(Box::new(fleet)),
    })
}

fn state(enrolled: bool) -> Fleet {
    let gateway = GatewayView {
        account: GATEWAY,
        organisation: "demo".parse().unwrap(),
        name: "gw1".parse().unwrap(),
        statement_key: statement_key().verifying_key(),
        custody_key: AgreementSecret::from_bytes(&[7; 32]).public(),
        status: GatewayStatus::Active,
    };
    let authority = AuthorityView {
        authority: "ca".parse().unwrap(),
        organisation: "demo".parse().unwrap(),
        key: authority_key().verifying_key(),
        status: AuthorityStatus::Active,
    };
    let voucher = voucher();
    let device = DeviceView {
        device: voucher.device.clone(),
        owner: GATEWAY,
        authority: voucher.authority,
        signing_key: voucher.signing_key,
        agreement_key: voucher.agreement_key,
        key_version: 1,
        status: DeviceStatus::Active,
        enrolled_at: 2,
        groups: Vec::new(),
    };
    let devices: Vec<(DeviceId, DeviceView)> = vec![(voucher.device, device)];
    Fleet {
        gateways: [(GATEWAY, gateway)].into(),
        authorities: [(authority.authority.clone(), authority)].into(),
        devices: devices.into_iter().filter(|_| enrolled).collect(),
        groups: Default::default(),
    }
}

/// A group of another administrator, whose current epoch and next one we committed to.
fn group_of(admin: AccountId) -> Group {
    let commitment = Commitment([9; 32]);
    let exchange = KeyExchange {
        cause: Cause::Created,
        began: 1,
        committed: Some((commitment, GATEWAY)),
        activated: Some(1),
        delivery: None,
    };
    let staged = StagedEpoch {
        epoch: 2,
        commitment,
        custodian: GATEWAY,
    };
    Group {
        view: GroupView {
            group: "g".parse().unwrap(),
            admin,
            custodians: vec![GATEWAY],
            filters: Default::default(),
            policy: Policy::default(),
            state: GroupState::Active,
            epoch: 1,
            staged: vec![staged],
            revision: 1,
            revised_at: 1,
            members: 0,
            chain_head: Digest([0; 32]),
            exchanges: vec![(1, exchange)],
        },
        revised_hash: BlockHash([8; 32]),
        members: Default::default(),
    }
}

fn withdrawn(effects: &Effects) -> Vec<u32> {
    let submitted = effects.actions.iter().filter_map(|action| match action {
        Action::Submit(_, Command::Withdraw { epoch, .. }) => Some(*epoch),
        _ => None,
    });
    submitted.collect()
}

/// BRG-4: only the administrator may rotate before it is due; another custodian takes back the current epoch, too.
#[test]
fn a_lost_journal_takes_back_all_that_it_cannot_open() {
    for (admin, first) in [(GATEWAY, 2), (AccountId([0x55; 32]), 1)] {
        let mut relay = relay(Journal::default());
        let mut fleet = state(false);
        let group = group_of(admin);
        fleet.groups = [(group.view.group.clone(), group)].into();
        assert_eq!(withdrawn(&relay.handle(0, at(1, fleet))), [first]);
    }
}

/// What devices are answered: nonce and status.
fn answers(effects: &Effects) -> Vec<(u8, Status)> {
    let responses = effects.actions.iter().filter_map(|action| match action {
        Action::Respond { payload, .. } => Some(payload),
        _ => None,
    });
    responses
        .map(|payload| {
            let response = Unverified::<Response>::from_wire(payload).unwrap();
            let key = statement_key().verifying_key();
            let response = sign::verify(response, &GENESIS, &key).unwrap().into_body();
            (response.nonce.0[0], response.status)
        })
        .collect()
}

/// REG-4: also with the same keys, and after the device was enrolled by it.
#[test]
fn a_voucher_works_once_and_the_same_request_is_answered_again() {
    let mut relay = relay(Journal::default());
    relay.handle(0, finalized(1, false));
    let asked = relay.handle(1, enrolment(1));
    assert_eq!(answers(&asked), [(1, Status::Accepted)]);
    let submitted = asked.actions.iter().find_map(|action| match action {
        Action::Submit(id, Command::Register { .. }) => Some(*id),
        _ => None,
    });
    let done = Outcome::Done { block: 2 };
    let ended = relay.handle(2, Input::Ended(submitted.unwrap(), done));
    assert!(answers(&ended).is_empty(), "the state does not show it yet");
    let enrolled = relay.handle(2, finalized(2, true));
    assert_eq!(answers(&enrolled), [(1, Status::Done)]);

    let repeated = relay.handle(3, enrolment(1));
    assert_eq!(answers(&repeated), [(1, Status::Done)]);
    let second = relay.handle(4, enrolment(2));
    assert_eq!(answers(&second), [(2, Status::Refused(Refusal::Voucher))]);
}
