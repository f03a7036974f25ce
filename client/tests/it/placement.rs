//! A control message is believed only on the topic that is its own: for this device, from the gateway and about the group that the
//! topic names (STM-3, STM-6, STM-8, STM-11, STM-12, REQ-2).

use keyward_client::session::{Input, SealRefused};
use keyward_protocol::{
    beacon::{AnchorCertificate, Beacon},
    bytes::{Digest, Nonce},
    request::{Response, Status},
    statement::PublisherPage,
    topic::ControlTopic,
    AccountId,
};

use crate::world::{block, identity, secret_of, topic, Gateway, World, GENESIS};

const ELSEWHERE: AccountId = AccountId([0xee; 32]);

#[test]
fn a_beacon_of_another_gateway_or_group_changes_nothing() {
    let mut world = World::new();
    let mut device = world.ready("1111");
    world.mono_ms += 600_001;
    let genuine = Beacon {
        gateway: world.gateway.account,
        group: world.group().id.clone(),
        revision: world.group().revision,
        statement: Digest([0; 32]),
        block: block(99),
        chain_time: world.time_ms(),
    };
    let other_gateway = Beacon {
        gateway: ELSEWHERE,
        ..genuine.clone()
    };
    let other_group = Beacon {
        group: "pumps".parse().unwrap(),
        ..genuine
    };
    let (topic, _) = world.groups[0].beacon_at(0);
    for beacon in [other_gateway, other_group] {
        device.receive(&world, &topic, world.gateway.sign(beacon), true);
        assert_eq!(device.control_refusals(), ["Misplaced"]);
    }
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::Stale));
}

#[test]
fn a_page_of_another_group_or_number_changes_nothing() {
    let mut world = World::new();
    let mut device = world.device("1112");
    let mut packets = world.retained(&identity("1112"));
    let (page_topic, _) = packets.remove(1);
    for packet in packets {
        device.hear(&world, packet);
    }
    device.actions.clear();
    let page = world.group().pages().remove(0);
    let other_group = PublisherPage {
        group: "pumps".parse().unwrap(),
        ..page.clone()
    };
    let other_number = PublisherPage { page: 1, ..page };
    for page in [other_group, other_number] {
        device.receive(&world, &page_topic, page.to_wire(&GENESIS), true);
        assert_eq!(device.control_refusals(), ["Misplaced"]);
    }
    assert_eq!(device.session.status().groups[0].publishers, 0);
}

/// Who is no custodian may not even have its pages looked at.
#[test]
fn a_page_below_the_branch_of_a_stranger_changes_nothing() {
    let mut world = World::new();
    let mut device = world.device("1112");
    device.hear(&world, world.device_state(&identity("1112")));
    device.hear(&world, world.groups[0].state());
    device.actions.clear();
    let (page_topic, page) = world.group().page_packets().remove(0);
    let elsewhere = page_topic.replace("gw1", "gw9");
    device.receive(&world, &elsewhere, page, true);
    assert_eq!(device.control_refusals(), ["NotCustodian"]);
    assert_eq!(device.session.status().groups[0].publishers, 0);
}

#[test]
fn an_answer_of_another_gateway_or_to_another_device_is_not_believed() {
    let mut world = World::new();
    let mut device = world.ready("1112");
    device.handle(&world, Input::Resync);
    device.actions.clear();
    let genuine = Response {
        gateway: world.gateway.account,
        device: "1112".parse().unwrap(),
        nonce: Nonce([0; 16]),
        status: Status::Done,
        reason: Default::default(),
        block: block(30),
        chain_time: world.time_ms(),
    };
    let response_topic = topic(ControlTopic::Response(
        "gw1".parse().unwrap(),
        genuine.device.clone(),
    ));
    let other_gateway = Response {
        gateway: ELSEWHERE,
        ..genuine.clone()
    };
    let other_device = Response {
        device: "1113".parse().unwrap(),
        ..genuine
    };
    for response in [other_gateway, other_device] {
        device.receive(&world, &response_topic, world.gateway.sign(response), false);
        assert_eq!(device.control_refusals(), ["Misplaced"]);
    }
}

#[test]
fn a_certificate_of_another_gateway_is_not_taken() {
    let mut world = World::new();
    let mut device = world.ready("1112");
    let ours = topic(ControlTopic::Anchor("gw1".parse().unwrap()));
    let theirs = topic(ControlTopic::Anchor("gw2".parse().unwrap()));
    for (place, gateway) in [(ours, ELSEWHERE), (theirs, world.gateway.account)] {
        let certificate = AnchorCertificate {
            gateway,
            statement_key: Gateway::new("gw2", 0x21).key.verifying_key(),
            serial: 1,
        };
        device.receive(&world, &place, world.gateway.sign(certificate), true);
        assert_eq!(device.control_refusals(), ["Misplaced"]);
    }
}

/// What the broker delivers of another device's branch is not looked at, whoever signed it and whatever is in it.
#[test]
fn what_is_another_device_s_is_not_looked_at() {
    let mut world = World::new();
    let mut device = world.ready("1112");
    let id = world.group().id.clone();
    world.group().rotate();
    let newest = [(2, secret_of(&id, 2))];
    let (own, grant) = world.group().grant_of(&identity("1112"), &newest);
    device.hear(&world, world.groups[0].state());
    device.actions.clear();
    device.receive(&world, &own.replace("1112", "1113"), grant, true);
    assert_eq!(device.control_refusals(), ["Misplaced"]);
    assert_eq!(device.session.status().groups[0].held, [1]);
    let mut statement = world.device_statement(&identity("1112"));
    statement.groups = Default::default();
    statement.revision += 1;
    let other = world.device_topic(&"1113".parse().unwrap());
    device.receive(&world, &other, world.gateway.sign(statement), true);
    assert_eq!(device.control_refusals(), ["Misplaced"]);
    assert_eq!(device.session.status().groups.len(), 1);
}
