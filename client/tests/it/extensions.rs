//! What later versions add: a critical extension that is not known spoils the whole and is named, another one is ignored (EXT-1).

use keyward_protocol::{
    extension::{Extension, Extensions},
    grant::{Grant, GrantedEpoch},
};

use crate::world::{identity, secret_of, Seeded, World};

fn extensions(critical: bool) -> Extensions {
    let extension = Extension {
        id: 9,
        critical,
        bytes: vec![1, 2].try_into().unwrap(),
    };
    Extensions(vec![extension].try_into().unwrap())
}

#[test]
fn of_a_device_statement() {
    let mut world = World::new();
    for critical in [true, false] {
        let mut device = world.ready("1112");
        let mut statement = world.device_statement(&identity("1112"));
        statement.revision += 1;
        statement.extensions = extensions(critical);
        let topic = world.device_topic(&statement.device);
        device.receive(&world, &topic, world.gateway.sign(statement), true);
        check(device, critical);
    }
}

#[test]
fn of_a_group_statement_and_of_a_policy() {
    let mut world = World::new();
    for critical in [true, false] {
        let mut device = world.ready("1112");
        let mut statement = world.group().statement();
        statement.revision += 1;
        statement.extensions = extensions(critical);
        let topic = world.group().state_topic();
        device.receive(&world, &topic, world.gateway.sign(statement), true);
        check(device, critical);
    }
    let mut device = world.ready("1112");
    let mut statement = world.group().statement();
    statement.revision += 1;
    statement.policy.extensions = extensions(true);
    let topic = world.group().state_topic();
    device.receive(&world, &topic, world.gateway.sign(statement), true);
    assert_eq!(device.control_refusals(), ["Policy"]);
}

#[test]
fn of_a_grant() {
    let mut world = World::new();
    let id = world.group().id.clone();
    for critical in [true, false] {
        let mut device = world.device("1112");
        device.hear(&world, world.device_state(&identity("1112")));
        device.hear(&world, world.groups[0].state());
        let granted = GrantedEpoch {
            epoch: 1,
            secret: secret_of(&id, 1),
        };
        let grant = Grant {
            group: id.clone(),
            device: "1112".parse().unwrap(),
            key_version: 1,
            epochs: vec![granted].try_into().unwrap(),
            extensions: extensions(critical),
        };
        let to = identity("1112").agreement.public();
        let sealed = keyward_crypto::grant::seal(&grant, &to, &mut Seeded(1)).unwrap();
        let (topic, _) = world.group().grant(&identity("1112"));
        device.receive(&world, &topic, sealed, true);
        let held = device.session.status().groups.remove(0).held;
        assert_eq!(held.is_empty(), critical);
        check(device, critical);
    }
}

fn check(mut device: crate::world::Device, critical: bool) {
    let refused: &[&str] = match critical {
        true => &["UnknownExtension"],
        false => &[],
    };
    assert_eq!(device.control_refusals(), refused);
}
