//! The device acknowledges what it holds, until its gateway says that it is on chain (KEX-8, REQ-2).

use keyward_client::session::Notice;
use keyward_crypto::{hash::hash_of, sign};
use keyward_protocol::{
    bytes::Nonce,
    grant::EpochSecret,
    receipt::Receipt,
    request::{Refusal, Response, Status},
    signing::Unverified,
    topic::ControlTopic,
};

use crate::world::{block, identity, topic, Device, Gateway, Packet, World, GENESIS};

fn acks(device: &mut Device) -> Vec<Packet> {
    let mut published = device.published();
    published.retain(|(topic, _)| topic.ends_with("/ack"));
    published
}

fn receipt(bytes: &[u8]) -> (Receipt, Nonce) {
    let unverified = Unverified::<Receipt>::from_wire(bytes).unwrap();
    let key = identity("1112").signing.verifying_key();
    let signed = sign::verify(unverified, &GENESIS, &key).unwrap();
    let nonce = *hash_of(&signed).0.first_chunk().unwrap();
    (signed.into_body(), Nonce(nonce))
}

fn response(world: &World, gateway: &Gateway, nonce: Nonce, status: Status) -> Packet {
    let response = Response {
        gateway: gateway.account,
        device: "1112".parse().unwrap(),
        nonce,
        status,
        reason: Default::default(),
        block: block(30),
        chain_time: world.time_ms(),
    };
    let topic = topic(ControlTopic::Response(
        gateway.name.parse().unwrap(),
        "1112".parse().unwrap(),
    ));
    (topic, gateway.sign(response))
}

#[test]
fn a_receipt_names_the_commitment_and_is_repeated_until_it_is_on_chain() {
    let mut world = World::new();
    let mut device = world.device("1112");
    world.tell(&mut device);
    let sent = acks(&mut device);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0, "keyward/v1/device/1112/gw1/ack");
    let (body, nonce) = receipt(&sent[0].1);
    let (commitment, _) = world.group().statement().commitment(1).unwrap();
    assert_eq!(
        (body.epoch, body.commitment, body.key_version),
        (1, commitment, 1)
    );

    device.tick(&world);
    assert_eq!(acks(&mut device), []);
    world.mono_ms += 5_000;
    device.tick(&world);
    assert_eq!(acks(&mut device), sent);
    // Seen is not finalized.
    device.hear(
        &world,
        response(&world, &world.gateway, nonce, Status::Accepted),
    );
    world.mono_ms += 10_000;
    device.tick(&world);
    assert_eq!(acks(&mut device), sent);

    device.actions.clear();
    device.hear(
        &world,
        response(&world, &world.gateway, nonce, Status::Done),
    );
    let group = world.group().id.clone();
    assert_eq!(device.notices(), [Notice::Acknowledged { group, epoch: 1 }]);
    let mut device = device.restart(&world);
    world.mono_ms += 1_000_000;
    device.tick(&world);
    assert_eq!(acks(&mut device), []);
    assert_eq!(device.session.status().groups[0].acknowledged, Some(1));
}

#[test]
fn it_goes_to_the_epoch_s_custodian_and_to_the_owner() {
    let mut world = World::new();
    world.group().custodian = Gateway::new("gw2", 0x44);
    let mut device = world.device("1112");
    world.tell(&mut device);
    let topics: Vec<_> = acks(&mut device)
        .into_iter()
        .map(|(topic, _)| topic)
        .collect();
    assert_eq!(
        topics,
        [
            "keyward/v1/device/1112/gw2/ack",
            "keyward/v1/device/1112/gw1/ack"
        ]
    );
}

/// Of two gateways the first confirms it; the other one's word is no news, and no sign of a forgery.
#[test]
fn what_the_other_gateway_answers_is_passed_over() {
    let mut world = World::new();
    world.group().custodian = Gateway::new("gw2", 0x44);
    let mut device = world.device("1112");
    world.tell(&mut device);
    let (_, nonce) = receipt(&acks(&mut device)[0].1);
    device.actions.clear();
    let custodian = world.group().custodian.clone();
    for by in [&custodian, &world.gateway] {
        device.hear(&world, response(&world, by, nonce, Status::Done));
    }
    let group = world.group().id.clone();
    assert_eq!(device.notices(), [Notice::Acknowledged { group, epoch: 1 }]);
}

#[test]
fn nobody_else_can_confirm_it() {
    let world = World::new();
    let mut device = world.device("1112");
    world.tell(&mut device);
    let (_, nonce) = receipt(&acks(&mut device)[0].1);
    let impostor = Gateway {
        key: Gateway::new("gw1", 0x99).key,
        ..world.gateway.clone()
    };
    device.actions.clear();
    device.hear(&world, response(&world, &impostor, nonce, Status::Done));
    device.hear(
        &world,
        response(&world, &world.gateway, Nonce([1; 16]), Status::Done),
    );
    assert_eq!(device.control_refusals(), ["Signature", "NotAsked"]);
    assert_eq!(device.session.status().groups[0].acknowledged, None);
}

#[test]
fn the_newest_epoch_is_acknowledged_and_a_refusal_ends_it() {
    let mut world = World::new();
    let mut device = world.device("1112");
    world.tell(&mut device);
    acks(&mut device);
    world.group().rotate();
    world.tell(&mut device);
    let (body, nonce) = receipt(&acks(&mut device)[0].1);
    assert_eq!(body.epoch, 2);
    device.actions.clear();
    device.hear(
        &world,
        response(
            &world,
            &world.gateway,
            nonce,
            Status::Refused(Refusal::Chain),
        ),
    );
    assert!(matches!(
        device.notices()[..],
        [Notice::ReceiptRefused { epoch: 2, .. }]
    ));
    world.mono_ms += 1_000_000;
    device.tick(&world);
    device.handle(&world, keyward_client::session::Input::Connected);
    assert_eq!(acks(&mut device), []);
}

#[test]
fn what_is_not_held_is_not_acknowledged() {
    let mut world = World::new();
    let mut device = world.device("1112");
    for packet in world.retained(&identity("1112")) {
        if !packet.0.contains("/grant/") {
            device.hear(&world, packet);
        }
    }
    world.mono_ms += 100;
    device.tick(&world);
    assert_eq!(acks(&mut device), []);
}

/// KEX-8: whoever shows a device one commitment and then another one does not make it forget the first.
#[test]
fn a_receipt_names_the_commitment_that_the_secret_opened_also_when_a_later_statement_names_another()
{
    let mut world = World::new();
    let mut device = world.device("1112");
    world.tell(&mut device);
    let sent = acks(&mut device);
    let other = EpochSecret::new([0x66; 32]);
    world.group().revision += 1;
    world.group().secrets.insert(1, other);
    device.hear(&world, world.groups[0].state());
    let mut device = device.restart(&world);
    device.tick(&world);
    assert_eq!(acks(&mut device), sent);
}
