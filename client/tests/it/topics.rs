//! Which group a topic belongs to, and what stays protected (TOP-3, MSG-16).

use keyward_client::session::{Action, Input, Kind, Notice, Refusal, SealRefused};
use keyward_protocol::topic::TopicFilter;

use crate::world::{filters, secret_of, World, TOPIC};

/// A second group with these filters and the same members.
fn with_second(first: &[&str], second: &[&str]) -> World {
    let mut world = World::new();
    world.group().filters = filters(first);
    let mut group = world.group().clone();
    group.id = "second".parse().unwrap();
    group.filters = filters(second);
    group.secrets = [(1, secret_of(&group.id, 1))].into();
    world.groups.push(group);
    world.groups.sort_by(|a, b| a.id.cmp(&b.id));
    world
}

/// TOP-3.
#[test]
fn the_most_specific_filter_decides_for_sender_and_reader() {
    let mut world = with_second(&["app/#"], &["app/valve"]);
    let (mut sender, mut reader) = (world.ready("1111"), world.ready("1112"));
    for (topic, group) in [(TOPIC, "second"), ("app/other", "valves")] {
        let sealed = sender.seal_as(&world, topic, b"x", Kind::Live).unwrap();
        assert_eq!(sealed.group.as_str(), group);
        reader.receive(&world, topic, sealed.bytes, false);
        assert_eq!(reader.delivered()[0].group.as_str(), group);
    }
}

/// Never try several keys: what another group's member sealed for a topic that is not that group's is not opened.
#[test]
fn a_message_of_the_less_specific_group_is_not_opened() {
    let mut world = World::new();
    let sealed = world.ready("1111").seal(&world, b"x").unwrap().bytes;
    let mut world = with_second(&["app/#"], &["app/valve"]);
    assert_eq!(
        world.ready("1112").refuses(&world, sealed),
        Refusal::Tampered
    );
}

/// TOP-3: a tie is a configuration error.
#[test]
fn two_groups_with_one_filter_are_refused_and_told() {
    let mut world = with_second(&["app/#"], &["app/#", "b"]);
    let mut device = world.device("1114");
    world.tell(&mut device);
    let conflict = Notice::TopicConflict(TopicFilter::new("app/#").unwrap());
    assert!(device.notices().contains(&conflict));
    world.mono_ms += 600;
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::TopicConflict));
    assert_eq!(
        device.refuses(&world, b"plain".to_vec()),
        Refusal::Plaintext
    );
    let mut alone = World::new();
    let sealed = alone.ready("1111").seal(&alone, b"x").unwrap().bytes;
    assert_eq!(device.refuses(&world, sealed), Refusal::TopicConflict);
    // Other topics of the two are not concerned.
    assert!(device.seal_as(&world, "b", b"x", Kind::Live).is_ok());
}

/// MSG-16: also when the group is left, and after a restart.
#[test]
fn a_topic_that_was_protected_stays_so_until_the_operator_releases_it() {
    let mut world = with_second(&["app/#"], &["pump/+"]);
    let mut device = world.ready("1112");
    world.groups.retain(|group| group.id.as_str() != "second");
    world.block += 1;
    world.settle(&mut device);
    let mut device = device.restart(&world);
    device.actions.clear();
    device.receive(&world, "pump/1", b"plain".to_vec(), false);
    assert_eq!(device.refused(), [Refusal::Plaintext]);

    let filter = TopicFilter::new("pump/+").unwrap();
    device.handle(&world, Input::Release(filter.clone()));
    assert_eq!(device.notices(), [Notice::Released(filter)]);
    let mut device = device.restart(&world);
    device.actions.clear();
    device.receive(&world, "pump/1", b"plain".to_vec(), false);
    assert!(matches!(device.actions[..], [Action::Pass { .. }]));
}

#[test]
fn a_filter_of_a_group_that_the_device_is_in_is_not_released() {
    let mut world = World::new();
    let mut device = world.ready("1112");
    let filter = TopicFilter::new("app/#").unwrap();
    device.handle(&world, Input::Release(filter.clone()));
    assert_eq!(device.notices(), [Notice::NotReleased(filter)]);
    assert_eq!(
        device.refuses(&world, b"plain".to_vec()),
        Refusal::Plaintext
    );
}

/// A topic of the provisioning is protected from the first day, can be released, and stays released.
#[test]
fn provisioned_topics_are_protected_until_they_are_released() {
    let mut world = World::new();
    let mut device = world.device("stranger");
    assert_eq!(
        device.refuses(&world, b"plain".to_vec()),
        Refusal::Plaintext
    );
    device.handle(&world, Input::Release(TopicFilter::new("app/#").unwrap()));
    let mut device = device.restart(&world);
    device.actions.clear();
    device.receive(&world, TOPIC, b"plain".to_vec(), false);
    assert!(matches!(device.actions[..], [Action::Pass { .. }]));
    // A group protects it again.
    let mut device = world.ready("1112");
    assert_eq!(
        device.refuses(&world, b"plain".to_vec()),
        Refusal::Plaintext
    );
}

#[test]
fn the_status_shows_what_a_device_knows() {
    let mut world = World::new();
    let device = world.ready("1112");
    let status = device.session.status();
    let group = &status.groups[0];
    assert_eq!(
        (group.group.as_str(), group.epoch, group.publishers),
        ("valves", Some(1), 2)
    );
    assert_eq!((group.age_ms, group.is_stale), (Some(600), false));
    assert_eq!(group.held, [1]);
    assert_eq!(status.protected, [TopicFilter::new("app/#").unwrap()]);
    let durable = device.session.durable();
    let same = keyward_client::session::Status::of(durable, Some(world.time_ms()));
    assert_eq!(same, status);
}

/// MSG-16: a group protects a topic again that was released before.
#[test]
fn a_group_protects_its_topics_also_when_they_were_released_before() {
    let mut world = World::new();
    let mut device = world.device("1112");
    device.handle(&world, Input::Release(TopicFilter::new("app/#").unwrap()));
    world.settle(&mut device);
    world.group().members.clear();
    world.block += 1;
    world.settle(&mut device);
    assert_eq!(
        device.refuses(&world, b"plain".to_vec()),
        Refusal::Plaintext
    );
}
