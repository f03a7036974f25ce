//! What a device asks its gateway, and what it believes of the answers (REQ-1 to REQ-5, REG-2, REG-6).

use keyward_client::session::{Answer, Asked, Input, NewKeys, Notice, SealRefused};
use keyward_crypto::{
    hash,
    sign::{self, sign_message, Verifier},
    AgreementSecret, SigningKey,
};
use keyward_protocol::{
    bytes::Nonce,
    registration::Voucher,
    request::{Ask, Refusal, Request, Response, Status},
    signing::{Signed, Unverified},
    topic::ControlTopic,
};

use crate::world::{block, identity, topic, Device, Gateway, Packet, World, GENESIS};

fn requests(device: &mut Device) -> Vec<Request> {
    let mut published = device.published();
    published.retain(|(topic, _)| {
        topic == &format!("keyward/v1/device/{}/gw1/request", device.identity.device)
    });
    let key = device.identity.signing.verifying_key();
    let read = |(_, payload): Packet| {
        let unverified = Unverified::<Request>::from_wire(&payload).unwrap();
        sign::verify(unverified, &GENESIS, &key)
            .unwrap()
            .into_body()
    };
    published.into_iter().map(read).collect()
}

fn voucher(world: &World, device: &Device) -> Signed<Voucher> {
    let identity = &device.identity;
    let voucher = Voucher {
        authority: "ca".parse().unwrap(),
        device: identity.device.clone(),
        gateway: world.gateway.account,
        signing_key: identity.signing.verifying_key(),
        agreement_key: identity.agreement.public(),
        key_version: identity.key_version,
        not_after: 2_000_000_000,
    };
    sign_message(GENESIS, voucher, &world.authority).unwrap()
}

fn new_keys() -> NewKeys {
    NewKeys {
        signing: SigningKey::from_seed(&[5; 32]),
        agreement: AgreementSecret::from_bytes(&[6; 32]),
        not_after: 1_900_000_000,
    }
}

fn answer(world: &World, by: &Gateway, to: &Device, nonce: Nonce, status: Status) -> Packet {
    let response = Response {
        gateway: by.account,
        device: to.identity.device.clone(),
        nonce,
        status,
        reason: b"words".to_vec().try_into().unwrap(),
        block: block(30),
        chain_time: world.time_ms(),
    };
    let device = to.identity.device.clone();
    (
        topic(ControlTopic::Response(by.name.parse().unwrap(), device)),
        by.sign(response),
    )
}

fn answers(device: &mut Device) -> Vec<(Asked, Answer)> {
    let answered = |notice: Notice| match notice {
        Notice::Answered { asked, answer } => Some((asked, answer)),
        _ => None,
    };
    device.notices().into_iter().filter_map(answered).collect()
}

/// REQ-3, REG-2.
#[test]
fn an_enrolment_carries_voucher_and_proof_and_is_repeated_until_it_is_answered() {
    let mut world = World::new();
    let mut device = world.device("1112");
    let voucher = voucher(&world, &device);
    device.handle(&world, Input::Enrol(voucher.clone()));
    let request = requests(&mut device).remove(0);
    let Ask::Enrol {
        voucher: shown,
        voucher_signature,
        proof,
    } = &request.ask
    else {
        panic!("{request:?}");
    };
    assert_eq!(
        (shown, voucher_signature),
        (voucher.body(), voucher.signature())
    );
    let verifier = Verifier::new(&identity("1112").signing.verifying_key()).unwrap();
    assert!(verifier.verifies_registration(&GENESIS, &hash::registration(&GENESIS, shown), proof));

    world.mono_ms += 3_000;
    device.tick(&world);
    assert_eq!(requests(&mut device), std::slice::from_ref(&request));
    device.hear(
        &world,
        answer(
            &world,
            &world.gateway,
            &device,
            request.nonce,
            Status::Accepted,
        ),
    );
    assert_eq!(answers(&mut device), [(Asked::Enrol, Answer::Accepted)]);
    // The last word may get lost: it is asked for again.
    world.mono_ms += 6_000;
    device.tick(&world);
    assert_eq!(requests(&mut device), std::slice::from_ref(&request));
    device.hear(
        &world,
        answer(&world, &world.gateway, &device, request.nonce, Status::Done),
    );
    assert_eq!(answers(&mut device), [(Asked::Enrol, Answer::Done)]);
    world.tell(&mut device);
    world.mono_ms += 1_000_000;
    device.tick(&world);
    assert_eq!(requests(&mut device), []);
}

#[test]
fn a_refusal_is_told_with_the_gateway_s_words() {
    let world = World::new();
    let mut device = world.device("1112");
    device.handle(&world, Input::Enrol(voucher(&world, &device)));
    let nonce = requests(&mut device)[0].nonce;
    let status = Status::Refused(Refusal::Chain);
    device.hear(
        &world,
        answer(&world, &world.gateway, &device, nonce, status),
    );
    let refused = Answer::Refused {
        refusal: Refusal::Chain,
        text: "words".into(),
    };
    assert_eq!(answers(&mut device), [(Asked::Enrol, refused)]);
}

#[test]
fn a_voucher_for_another_gateway_is_not_even_sent() {
    let world = World::new();
    let mut device = world.device("1112");
    let mut other = voucher(&world, &device).into_body();
    other.gateway = Gateway::new("gw2", 2).account;
    let other = sign_message(GENESIS, other, &world.authority).unwrap();
    device.handle(&world, Input::Enrol(other));
    assert!(matches!(
        answers(&mut device)[..],
        [(Asked::Enrol, Answer::Refused { .. })]
    ));
    assert_eq!(requests(&mut device), []);
}

/// REQ-2: only an answer of the owner, with the nonce of what waits.
#[test]
fn an_answer_is_believed_only_of_the_owner_and_with_the_nonce() {
    let mut world = World::new();
    world.group().custodian = Gateway::new("gw2", 0x44);
    let mut device = world.ready("1112");
    device.handle(&world, Input::Resync);
    let nonce = requests(&mut device)[0].nonce;
    device.actions.clear();
    let impostor = Gateway {
        key: SigningKey::from_seed(&[9; 32]),
        ..world.gateway.clone()
    };
    let custodian = world.group().custodian.clone();
    let stranger = Gateway::new("gw3", 3);
    for by in [&impostor, &custodian, &stranger] {
        device.hear(&world, answer(&world, by, &device, nonce, Status::Done));
    }
    device.hear(
        &world,
        answer(
            &world,
            &world.gateway,
            &device,
            Nonce([0; 16]),
            Status::Done,
        ),
    );
    assert_eq!(
        device.control_refusals(),
        ["Signature", "NotAsked", "NotCustodian", "NotAsked"]
    );
    device.hear(
        &world,
        answer(&world, &world.gateway, &device, nonce, Status::Done),
    );
    assert_eq!(answers(&mut device), [(Asked::Resync, Answer::Done)]);
}

/// A repeated request is answered as often: what comes again is neither news nor a forgery.
#[test]
fn an_answer_that_comes_again_is_passed_over() {
    let mut world = World::new();
    let mut device = world.ready("1112");
    device.handle(&world, Input::Resync);
    let nonce = requests(&mut device)[0].nonce;
    world.mono_ms += 3_000;
    device.tick(&world);
    assert_eq!(requests(&mut device)[0].nonce, nonce);
    device.actions.clear();
    for _ in 0..2 {
        device.hear(
            &world,
            answer(&world, &world.gateway, &device, nonce, Status::Done),
        );
    }
    assert_eq!(
        device.notices(),
        [Notice::Answered {
            asked: Asked::Resync,
            answer: Answer::Done
        }]
    );
}

/// REQ-1: the counter is durable before it is sent, and rises.
#[test]
fn counters_rise_also_over_restarts_and_after_a_restored_store() {
    let mut world = World::new();
    world.has_clock = false;
    let mut device = world.device("1112");
    let mut counters = Vec::new();
    for _ in 0..3 {
        device.handle(&world, Input::Resync);
        counters.extend(requests(&mut device).iter().map(|request| request.counter));
        device = device.restart(&world);
    }
    assert!(
        counters.len() > 3 && counters.windows(2).all(|two| two[0] < two[1]),
        "{counters:?}"
    );
    // The gateway knows a higher one.
    device.handle(&world, Input::Resync);
    let first = requests(&mut device).pop().unwrap();
    let replayed = Status::Refused(Refusal::Replayed);
    device.hear(
        &world,
        answer(&world, &world.gateway, &device, first.nonce, replayed),
    );
    assert_eq!(answers(&mut device), []);
    assert_eq!(requests(&mut device), [], "not faster than it is repeated");
    world.mono_ms += 3_000;
    device.tick(&world);
    let second = requests(&mut device).remove(0);
    assert!(second.counter > first.counter + 1_000 && second.nonce != first.nonce);
}

/// REQ-1: whatever waits, and in whatever order it was asked.
#[test]
fn no_request_is_sent_after_one_with_a_higher_counter() {
    let mut world = World::new();
    world.has_clock = false;
    let mut device = world.device("1112");
    let mut sent = requests(&mut device);
    device.handle(&world, Input::Enrol(voucher(&world, &device)));
    let enrolment = requests(&mut device).remove(0);
    let replayed = Status::Refused(Refusal::Replayed);
    let packet = answer(&world, &world.gateway, &device, enrolment.nonce, replayed);
    device.hear(&world, packet);
    sent.push(enrolment);
    // While the enrolment waits to be made anew.
    device.handle(&world, Input::Resync);
    sent.extend(requests(&mut device));
    world.mono_ms += 2_999;
    device.handle(&world, Input::Disconnected);
    device.handle(&world, Input::ReplaceKeys(new_keys()));
    device.handle(&world, Input::Resync);
    device.handle(&world, Input::Connected);
    sent.extend(requests(&mut device));
    assert_eq!(sent.len(), 6);
    let rise = sent.windows(2).all(|two| two[0].counter < two[1].counter);
    assert!(rise, "{sent:?}");
}

#[test]
fn a_busy_gateway_is_asked_again() {
    let mut world = World::new();
    let mut device = world.device("1112");
    device.handle(&world, Input::Resync);
    let request = requests(&mut device).remove(0);
    let busy = Status::Refused(Refusal::Busy);
    device.hear(
        &world,
        answer(&world, &world.gateway, &device, request.nonce, busy),
    );
    assert_eq!(answers(&mut device), []);
    world.mono_ms += 3_000;
    device.tick(&world);
    assert_eq!(requests(&mut device), [request]);
}

/// REQ-5, REG-6: signed by both keys.
#[test]
fn a_key_replacement_is_signed_by_the_new_and_the_current_key() {
    let mut world = World::new();
    let mut device = world.ready("1112");
    let keys = new_keys();
    device.handle(&world, Input::ReplaceKeys(keys.clone()));
    let request = requests(&mut device).remove(0);
    let Ask::ReplaceKeys {
        replacement,
        new_signature,
        current_signature,
    } = &request.ask
    else {
        panic!("{request:?}");
    };
    assert_eq!(
        (replacement.key_version, replacement.not_after),
        (2, 1_900_000_000)
    );
    let verifies = |key: &SigningKey, signature| {
        let verifier = Verifier::new(&key.verifying_key()).unwrap();
        verifier.verifies_replacement(&GENESIS, replacement, signature)
    };
    assert!(verifies(&keys.signing, new_signature));
    assert!(verifies(&identity("1112").signing, current_signature));
}

/// REQ-4: the device asks by itself for what does not come, with pauses that grow.
#[test]
fn what_does_not_come_is_asked_for() {
    let mut world = World::new();
    let mut device = world.device("1112");
    device.tick(&world);
    assert_eq!(requests(&mut device), []);
    world.mono_ms += 3_000;
    device.tick(&world);
    let request = requests(&mut device).remove(0);
    assert_eq!(request.ask, Ask::Resync);
    device.hear(
        &world,
        answer(&world, &world.gateway, &device, request.nonce, Status::Done),
    );
    world.mono_ms += 29_000;
    device.tick(&world);
    assert_eq!(requests(&mut device), []);
    world.mono_ms += 1_000;
    device.tick(&world);
    let request = requests(&mut device).remove(0);
    world.tell(&mut device);
    device.hear(
        &world,
        answer(&world, &world.gateway, &device, request.nonce, Status::Done),
    );
    world.mono_ms += 1_000_000;
    device.tick(&world);
    assert_eq!(requests(&mut device), []);
}

/// A device without a clock gets its offset from a signed answer to its own question.
#[test]
fn a_device_without_a_clock_learns_the_time_from_an_answer() {
    let mut world = World::new();
    world.has_clock = false;
    world.group().policy.max_age = 60;
    let mut device = world.device("1111");
    let request = requests(&mut device).remove(0);
    world.settle(&mut device);
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::Stale));
    device.hear(
        &world,
        answer(&world, &world.gateway, &device, request.nonce, Status::Done),
    );
    assert!(device.seal(&world, b"x").is_ok());
    // It goes on with the monotonic clock.
    world.mono_ms += 601_000;
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::Stale));
}

/// Whoever holds an answer back makes the clock fast, and the device stale, never slow.
#[test]
fn an_answer_that_is_held_back_does_not_make_old_news_new() {
    let mut world = World::new();
    world.has_clock = false;
    let mut device = world.device("1111");
    let nonce = requests(&mut device).remove(0).nonce;
    let answered = answer(&world, &world.gateway, &device, nonce, Status::Done);
    let retained = world.retained(&identity("1111"));
    world.mono_ms += 601_000;
    for packet in retained.into_iter().chain([answered]) {
        device.hear(&world, packet);
    }
    world.mono_ms += 600;
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::Stale));
}

#[test]
fn nothing_is_sent_while_there_is_no_connection() {
    let mut world = World::new();
    let mut device = world.device("1112");
    device.handle(&world, Input::Disconnected);
    device.handle(&world, Input::Resync);
    world.mono_ms += 100_000;
    device.tick(&world);
    assert_eq!(requests(&mut device), []);
    device.handle(&world, Input::Connected);
    assert_eq!(requests(&mut device).len(), 1);
}
