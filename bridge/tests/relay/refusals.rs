//! What devices and strangers send and the bridge refuses: counted, acknowledged to the broker, and without any change (REQ-6).

use keyward_bridge_testing::{
    devices::{self, group},
    World,
};
use keyward_protocol::{request::Ask, Commitment, DeviceId};

use crate::settled;

fn refused(world: &World, reason: &str) -> u64 {
    let refused = world.relay.status().refused;
    refused.get(reason).copied().unwrap_or(0)
}

/// A monitor that sees a count rise must have seen the one before it.
#[test]
fn every_reason_is_counted_from_the_start() {
    let refused = World::new(()).relay.status().refused;
    let reasons = [
        "busy",
        "chain",
        "forged",
        "malformed",
        "replayed",
        "unknown",
        "voucher",
    ];
    assert_eq!(refused, reasons.map(|reason| (reason.to_owned(), 0)).into());
}

fn d0() -> DeviceId {
    "d0".parse().unwrap()
}

/// Has something said, and tells by how much a refusal was counted; nothing else may have changed.
fn count(world: &mut World, reason: &str, topic: String, payload: Vec<u8>) -> u64 {
    let (before, asks) = (refused(world, reason), world.journal.asks.clone());
    let receipts = world.journal.receipts.clone();
    world.broker.say(topic, payload);
    world.round();
    assert_eq!(world.journal.asks, asks);
    assert_eq!(world.journal.receipts, receipts);
    refused(world, reason) - before
}

fn request(world: &mut World, reason: &str, payload: Vec<u8>) -> u64 {
    count(world, reason, devices::request_topic(&d0()), payload)
}

#[test]
fn a_request_that_is_no_request_is_counted_as_malformed() {
    let mut world = settled();
    for payload in [&b""[..], b"{}", &[1; 3_000]] {
        assert_eq!(request(&mut world, "malformed", payload.to_vec()), 1);
    }
    let of_another = devices::request(&"d1".parse().unwrap(), 1, Ask::Resync, 1);
    assert_eq!(request(&mut world, "malformed", of_another), 1);
}

#[test]
fn a_request_that_somebody_else_signed_is_counted_as_forged() {
    let mut world = settled();
    let mut forged = devices::request(&d0(), 1, Ask::Resync, 1);
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(request(&mut world, "forged", forged), 1);
}

#[test]
fn a_request_of_other_keys_or_of_nobody_is_counted_as_unknown() {
    let mut world = settled();
    let later = devices::request(&d0(), 2, Ask::Resync, 1);
    assert_eq!(request(&mut world, "unknown", later), 1);
    let nobody: DeviceId = "d9".parse().unwrap();
    let payload = devices::request(&nobody, 1, Ask::Resync, 1);
    let topic = devices::request_topic(&nobody);
    assert_eq!(count(&mut world, "unknown", topic, payload), 1);
}

#[test]
fn a_request_that_came_before_a_newer_one_is_counted_as_replayed() {
    let mut world = settled();
    world.ask(&d0(), 1, Ask::Resync);
    world.ask(&d0(), 1, Ask::Resync);
    world.round();
    let first = devices::request(&d0(), 1, Ask::Resync, 1);
    assert_eq!(request(&mut world, "replayed", first), 1);
    let newest = devices::request(&d0(), 1, Ask::Resync, 2);
    assert_eq!(
        request(&mut world, "replayed", newest),
        0,
        "it is answered again"
    );
}

#[test]
fn a_device_that_asks_too_often_is_counted_as_busy_and_served_again_later() {
    let mut world = settled();
    for _ in 0..40 {
        world.ask(&d0(), 1, Ask::Resync);
    }
    world.round();
    assert_eq!(refused(&world, "busy"), 30);
    let accepted = world.relay.status().requests_accepted;
    (0..3).for_each(|_| world.round());
    world.ask(&d0(), 1, Ask::Resync);
    world.round();
    assert_eq!(world.relay.status().requests_accepted, accepted + 1);
}

#[test]
fn a_voucher_that_its_authority_did_not_sign_is_counted() {
    let mut world = settled();
    let device: DeviceId = "d3".parse().unwrap();
    let Ask::Enrol { voucher, proof, .. } = devices::enrolment(&device, 1) else {
        unreachable!("an enrolment");
    };
    let ask = Ask::Enrol {
        voucher,
        voucher_signature: proof,
        proof,
    };
    let payload = devices::request(&device, 1, ask, 1);
    let topic = devices::request_topic(&device);
    assert_eq!(count(&mut world, "voucher", topic, payload), 1);
}

#[test]
fn a_receipt_that_is_forged_or_of_a_stranger_is_counted() {
    let mut world = settled();
    let of = group(0);
    let commitment = Commitment([1; 32]);
    let topic = devices::receipt_topic(&d0());
    let mut forged = devices::receipt(&of, 1, commitment, &d0(), 1);
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(count(&mut world, "forged", topic.clone(), forged), 1);
    let elsewhere = devices::receipt(&group(1), 1, commitment, &d0(), 1);
    assert_eq!(count(&mut world, "unknown", topic, elsewhere), 1);
}

/// A request for the chain is on its way; what the device asks meanwhile does not replace it.
#[test]
fn beside_a_request_on_its_way_another_is_refused_and_a_resync_served() {
    let mut world = settled();
    world.chain.apply(|state| state.set_gateway(false));
    world.round();
    world.ask(&d0(), 1, devices::replacement(&d0(), 1));
    world.round();
    assert_eq!(world.relay.status().requests_pending, 1);
    world.ask(&d0(), 2, devices::enrolment(&d0(), 2));
    world.ask(&d0(), 1, Ask::Resync);
    world.round();
    let status = world.relay.status();
    assert_eq!((status.requests_pending, status.requests_accepted), (1, 2));
}
