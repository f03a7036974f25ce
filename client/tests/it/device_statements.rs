//! What the owner says that the device is in, and the owner's key (STM-1, STM-2, STM-11, STM-12).

use keyward_client::session::{Action, Interest, Notice, Refusal, SealRefused};
use keyward_crypto::{sign::sign_message, SigningKey};
use keyward_protocol::{
    beacon::AnchorCertificate,
    extension::{Extension, Extensions},
    statement::DeviceStatement,
    topic::ControlTopic,
    Genesis,
};

use crate::world::{identity, topic, Gateway, World, GENESIS, TOPIC};

fn is_in_a_group(device: &crate::world::Device) -> bool {
    !device.session.status().groups.is_empty()
}

/// STM-2: everything that is wrong with a statement has its reason, and changes nothing.
#[test]
fn only_the_owner_s_statement_for_this_device_chain_and_keys_is_believed() {
    let world = World::new();
    let stranger = Gateway::new("gw1", 0x33);
    let ours = world.device_statement(&identity("1112"));
    let own = world.device_topic(&identity("1112").device);
    let change = |change: fn(&mut DeviceStatement)| {
        let mut statement = ours.clone();
        change(&mut statement);
        world.gateway.sign(statement)
    };
    let elsewhere = sign_message(Genesis([8; 32]), ours.clone(), &world.gateway.key).unwrap();
    let critical = |statement: &mut DeviceStatement| {
        let extension = Extension {
            id: 9,
            critical: true,
            bytes: Default::default(),
        };
        statement.extensions = Extensions(vec![extension].try_into().unwrap());
    };
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (stranger.sign(ours.clone()), "Signature"),
        (
            change(|statement| statement.gateway = keyward_protocol::AccountId([9; 32])),
            "Misplaced",
        ),
        (elsewhere.to_wire(), "AnotherChain"),
        (
            change(|statement| statement.device = "1113".parse().unwrap()),
            "Misplaced",
        ),
        (change(|statement| statement.key_version = 2), "KeyVersion"),
        (change(critical), "UnknownExtension"),
        (b"garbage".to_vec(), "Malformed"),
    ];
    for (bytes, reason) in cases {
        let mut device = world.device("1112");
        device.receive(&world, &own, bytes, true);
        assert_eq!(device.control_refusals(), [reason]);
        assert!(
            !is_in_a_group(&device) && !device.session.is_told(),
            "{reason}"
        );
    }
}

/// STM-12: what is cleared at the broker is no statement.
#[test]
fn an_empty_message_changes_nothing_and_is_not_minded() {
    let mut world = World::new();
    let mut device = world.ready("1112");
    for (topic, _) in world.retained(&identity("1112")) {
        device.receive(&world, &topic, Vec::new(), true);
    }
    assert_eq!(device.control_refusals(), [""; 0]);
    assert!(is_in_a_group(&device));
}

#[test]
fn a_lower_revision_is_refused_and_the_same_with_other_content_is_a_conflict() {
    let mut world = World::new();
    let old = world.device_state(&identity("1112"));
    world.block = 20;
    let mut device = world.ready("1112");
    device.hear(&world, old);
    assert_eq!(device.control_refusals(), ["Old"]);
    let mut other = world.device_statement(&identity("1112"));
    other.groups = Default::default();
    device.hear(
        &world,
        (world.device_topic(&other.device), world.gateway.sign(other)),
    );
    let notices = device.notices();
    assert!(
        matches!(notices[..], [Notice::Conflict { revision: 20, .. }]),
        "{notices:?}"
    );
    assert!(notices[0].is_alarm());
    assert!(is_in_a_group(&device));
}

/// STM-2, after a restart too.
#[test]
fn revisions_are_durable() {
    let mut world = World::new();
    let old = world.device_state(&identity("1112"));
    world.block = 20;
    let device = world.ready("1112");
    let mut device = device.restart(&world);
    device.hear(&world, old);
    assert_eq!(device.control_refusals(), ["Old"]);
}

/// STM-1: a device is in no group that its statement does not list, and keeps no secret of one.
#[test]
fn who_is_not_listed_any_more_erases_the_secrets_and_can_do_nothing() {
    let mut world = World::new();
    let sealed = world.ready("1111").seal(&world, b"x").unwrap().bytes;
    let mut device = world.ready("1114");
    assert!(!device.secrets.is_empty());
    world.group().remove("1114");
    world.block += 1;
    device.hear(&world, world.device_state(&identity("1114")));
    assert!(device
        .notices()
        .contains(&Notice::Left("valves".parse().unwrap())));
    assert!(device.secrets.is_empty(), "secrets are left");
    assert_eq!(device.refuses(&world, sealed), Refusal::NotMember);
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::NotMember));
    assert!(device.session.is_told() && device.session.is_current(TOPIC));
    let unsubscribed = |action: &Action| matches!(action, Action::Unsubscribe { filter } if filter.contains("group/valves"));
    assert!(device.actions.iter().any(unsubscribed));
}

#[test]
fn messages_that_wait_are_refused_when_the_group_is_left() {
    let mut world = World::new();
    let mut device = world.ready("1112");
    world.group().rotate();
    let mut sender = world.ready("1111");
    let sealed = sender.seal(&world, b"x").unwrap().bytes;
    device.receive(&world, TOPIC, sealed, false);
    assert_eq!(device.refused(), []);
    world.group().remove("1112");
    world.block += 1;
    device.hear(&world, world.device_state(&identity("1112")));
    assert_eq!(device.refused(), [Refusal::NotMember]);
}

#[test]
fn a_session_subscribes_to_the_control_topics_of_its_owner_and_custodians() {
    let mut world = World::new();
    world.group().custodian = Gateway::new("gw2", 0x44);
    let mut device = world.device("1112");
    let filters = |device: &crate::world::Device, wanted: Interest| -> Vec<String> {
        let filter = |action: &Action| match action {
            Action::Subscribe { filter, interest } if *interest == wanted => Some(filter.clone()),
            _ => None,
        };
        device.actions.iter().filter_map(filter).collect()
    };
    assert_eq!(
        filters(&device, Interest::Control),
        [
            "keyward/v1/gateway/gw1/anchor",
            "keyward/v1/gateway/gw1/device/1112/response",
            "keyward/v1/gateway/gw1/device/1112/state",
        ]
    );
    device.actions.clear();
    device.hear(&world, world.device_state(&identity("1112")));
    assert_eq!(
        filters(&device, Interest::Control),
        [
            "keyward/v1/gateway/gw2/device/1112/response",
            "keyward/v1/gateway/gw2/grant/1112/valves",
            "keyward/v1/gateway/gw2/group/valves/#",
        ]
    );
    assert_eq!(filters(&device, Interest::Application), [""; 0]);
}

#[test]
fn a_session_that_follows_its_groups_subscribes_to_what_it_reads() {
    let world = World::new();
    let settings = keyward_client::session::Settings {
        follow: true,
        ..Default::default()
    };
    for (name, follows) in [("1111", false), ("1112", true)] {
        let mut device = crate::world::Device::start(
            &world,
            identity(name),
            Default::default(),
            Default::default(),
            settings.clone(),
        );
        device.hear(&world, world.device_state(&identity(name)));
        let subscribed = Action::Subscribe {
            filter: "app/#".into(),
            interest: Interest::Application,
        };
        assert_eq!(device.actions.contains(&subscribed), follows, "{name}");
    }
}

fn certificate(world: &World, key: &SigningKey, serial: u64, by: &SigningKey) -> (String, Vec<u8>) {
    let certificate = AnchorCertificate {
        gateway: world.gateway.account,
        statement_key: key.verifying_key(),
        serial,
    };
    let wire = sign_message(GENESIS, certificate, by).unwrap().to_wire();
    (topic(ControlTopic::Anchor("gw1".parse().unwrap())), wire)
}

/// STM-11: a new statement key is believed from the current one or the authority, with a rising serial, and nothing else.
#[test]
fn the_owner_s_key_changes_by_a_certificate_of_the_current_key_or_the_authority() {
    let mut world = World::new();
    let mut device = world.ready("1112");
    let (second, third) = (
        SigningKey::from_seed(&[2; 32]),
        SigningKey::from_seed(&[3; 32]),
    );
    let stranger = SigningKey::from_seed(&[9; 32]);
    device.hear(&world, certificate(&world, &second, 5, &stranger));
    device.hear(&world, certificate(&world, &second, 5, &second));
    assert_eq!(device.control_refusals(), ["Signature", "Signature"]);

    device.hear(&world, certificate(&world, &second, 5, &world.gateway.key));
    assert_eq!(device.notices().len(), 1);
    let old = certificate(&world, &third, 5, &second);
    device.hear(&world, old);
    device.hear(&world, certificate(&world, &third, 6, &world.gateway.key));
    assert_eq!(device.control_refusals(), ["Old", "Signature"]);

    device.hear(&world, certificate(&world, &third, 6, &world.authority));
    let mut device = device.restart(&world);
    // Statements of the old key are not believed any more, those of the new one are.
    world.block += 1;
    device.hear(&world, world.device_state(&identity("1112")));
    assert_eq!(device.control_refusals(), ["Signature"]);
    world.gateway.key = third;
    device.hear(&world, world.device_state(&identity("1112")));
    assert_eq!(device.control_refusals(), [""; 0]);
    assert!(device.session.is_told());
}

/// STM-11: also a device that has accepted no certificate yet takes none from before its provisioning.
#[test]
fn a_certificate_from_before_the_provisioning_is_refused() {
    let mut world = World::new();
    world.anchor_serial = Some(5);
    let mut device = world.device("1112");
    let older = SigningKey::from_seed(&[2; 32]);
    for serial in [4, 5] {
        device.hear(
            &world,
            certificate(&world, &older, serial, &world.authority),
        );
        assert_eq!(device.control_refusals(), ["Old"], "{serial}");
    }
    // One for the key that it was provisioned with says nothing new: the key that signed it may be gone.
    for (serial, by) in [(5, &world.authority), (4, &older)] {
        let same = certificate(&world, &world.gateway.key, serial, by);
        device.hear(&world, same);
        assert_eq!(device.notices(), [], "{serial}");
    }
    device.hear(&world, certificate(&world, &older, 6, &world.authority));
    assert!(matches!(
        device.notices()[..],
        [Notice::OwnerKey { serial: 6, .. }]
    ));
}

/// Who is provisioned anew goes by the newer key of both.
#[test]
fn a_new_provisioning_does_not_lose_against_an_older_certificate() {
    let mut world = World::new();
    let mut device = world.device("1112");
    let (second, third) = (
        SigningKey::from_seed(&[2; 32]),
        SigningKey::from_seed(&[3; 32]),
    );
    device.hear(&world, certificate(&world, &second, 5, &world.authority));
    (world.gateway.key, world.anchor_serial) = (third, Some(7));
    let mut device = device.restart(&world);
    world.tell(&mut device);
    assert!(device.session.is_told());
    // The other way round the certificate counts.
    (world.gateway.key, world.anchor_serial) = (second, Some(3));
    let mut device = device.restart(&world);
    world.block += 1;
    world.tell(&mut device);
    assert!(device.session.is_told());
}

#[test]
fn a_key_of_small_order_is_not_taken() {
    let mut world = World::new();
    let mut device = world.ready("1112");
    let certificate = AnchorCertificate {
        gateway: world.gateway.account,
        statement_key: keyward_protocol::VerifyingKey([0; 32]),
        serial: 1,
    };
    let topic = topic(ControlTopic::Anchor("gw1".parse().unwrap()));
    device.receive(&world, &topic, world.gateway.sign(certificate), true);
    assert_eq!(device.control_refusals(), ["Key"]);
}

/// The chain has newer keys for this device: somebody must look at it.
#[test]
fn a_statement_for_newer_keys_is_told() {
    let mut world = World::new();
    let mut device = world.ready("1112");
    let mut statement = world.device_statement(&identity("1112"));
    statement.key_version = 2;
    statement.revision += 1;
    device.hear(
        &world,
        (
            world.device_topic(&statement.device),
            world.gateway.sign(statement),
        ),
    );
    let notices = device.notices();
    assert!(
        notices.contains(&Notice::KeysReplaced { key_version: 2 }),
        "{notices:?}"
    );
}
