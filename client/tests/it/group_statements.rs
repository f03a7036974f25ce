//! What custodians say of a group (STM-3 to STM-7, POL-2, EXT-1).

use keyward_client::session::{Notice, Refusal, SealRefused};
use keyward_crypto::sign::sign_message;
use keyward_protocol::{
    statement::{GroupState, GroupStatement},
    Role,
};

use crate::world::{identity, Gateway, World, GENESIS};

/// Only who is listed, with the key that is listed, is believed.
#[test]
fn a_statement_is_believed_from_a_listed_custodian_with_its_listed_key_only() {
    let mut world = World::new();
    let mut device = world.ready("1111");
    let stranger = Gateway::new("gw9", 0x55);
    let change = |change: &dyn Fn(&mut GroupStatement)| {
        let mut statement = world.groups[0].statement();
        statement.revision += 1;
        change(&mut statement);
        statement
    };
    let topic = world.groups[0].state_topic();
    let elsewhere = topic.replace("gw1", "gw9");
    let newer = change(&|_| {});
    let forged = sign_message(GENESIS, newer.clone(), &stranger.key)
        .unwrap()
        .to_wire();
    let of_another = change(&|statement| statement.gateway = stranger.account);
    let misnamed = change(&|statement| statement.group = "other".parse().unwrap());
    let suite = change(&|statement| statement.policy.suite = 1);
    let cases = [
        (topic.clone(), forged.clone(), "Signature"),
        (elsewhere, forged, "NotCustodian"),
        (topic.clone(), world.gateway.sign(of_another), "Misplaced"),
        (topic.clone(), world.gateway.sign(misnamed), "Misplaced"),
        (topic.clone(), world.gateway.sign(suite), "Policy"),
        (topic, vec![1, 2, 3], "Malformed"),
    ];
    for (topic, bytes, reason) in cases {
        device.receive(&world, &topic, bytes, true);
        assert_eq!(device.control_refusals(), [reason]);
    }
    assert!(device.seal(&world, b"as before").is_ok());
}

/// STM-4.
#[test]
fn a_lower_revision_is_refused_also_after_a_restart() {
    let mut world = World::new();
    let old = world.group().state();
    world.group().rotate();
    let device = world.ready("1111");
    let mut device = device.restart(&world);
    device.hear(&world, old);
    assert_eq!(device.control_refusals(), ["Old"]);
    assert_eq!(device.seal(&world, b"x").unwrap().epoch, 2);
}

/// STM-4: keep the first, refuse the second, report.
#[test]
fn the_same_revision_with_other_content_is_a_conflict_and_the_first_stands() {
    let mut world = World::new();
    let mut device = world.ready("1111");
    let mut other = world.group().statement();
    other.state = GroupState::Closed;
    let topic = world.group().state_topic();
    device.hear(&world, (topic, world.gateway.sign(other)));
    let notices = device.notices();
    assert!(
        matches!(notices[..], [Notice::Conflict { revision: 2, .. }]),
        "{notices:?}"
    );
    assert!(device.seal(&world, b"x").is_ok());
}

/// STM-4 among custodians: the same content of another custodian is no conflict, other content is.
#[test]
fn two_custodians_must_say_the_same_of_a_revision() {
    let mut world = World::new();
    let second = Gateway::new("gw2", 0x66);
    let mut device = world.ready("1111");
    let mut statement = world.device_statement(&identity("1111"));
    statement.revision += 1;
    let both = vec![world.gateway.custodian(), second.custodian()];
    statement.groups[0].custodians = both.try_into().unwrap();
    device.hear(
        &world,
        (
            world.device_topic(&statement.device),
            world.gateway.sign(statement),
        ),
    );
    device.actions.clear();

    let mut echo = world.group().statement();
    echo.gateway = second.account;
    let topic = world.group().state_topic().replace("gw1", "gw2");
    device.hear(&world, (topic.clone(), second.sign(echo.clone())));
    assert_eq!(device.control_refusals(), [""; 0]);

    // The newest counts, whoever of them says it; the other may lag behind.
    echo.revision += 1;
    echo.state = GroupState::Frozen;
    device.hear(&world, (topic, second.sign(echo)));
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::Frozen));
    let lagging = world.group().state();
    device.actions.clear();
    device.hear(&world, lagging);
    assert_eq!(device.control_refusals(), ["Old"]);
    // Two things of one revision are a conflict also when it is not the newest.
    let mut contrary = world.group().statement();
    contrary.state = GroupState::Awaiting;
    let topic = world.group().state_topic();
    device.hear(&world, (topic, world.gateway.sign(contrary)));
    assert_eq!(device.control_refusals(), ["Conflict"]);
    let mut contrary = world.group().statement();
    contrary.revision += 1;
    let topic = world.group().state_topic();
    device.hear(&world, (topic, world.gateway.sign(contrary)));
    assert_eq!(device.control_refusals(), ["Conflict"]);
}

/// STM-5.
#[test]
fn awaiting_and_frozen_groups_are_not_sealed_for_and_closed_ones_are_erased() {
    for (state, refused) in [
        (GroupState::Awaiting, SealRefused::Awaiting),
        (GroupState::Frozen, SealRefused::Frozen),
        (GroupState::Closed, SealRefused::Closed),
    ] {
        let mut world = World::new();
        let mut device = world.ready("1114");
        let message = world.ready("1111").seal(&world, b"x").unwrap().bytes;
        world.group().state = state;
        world.group().revision += 1;
        device.hear(&world, world.groups[0].state());
        assert_eq!(device.seal(&world, b"x"), Err(refused));
        assert_eq!(device.secrets.is_empty(), state == GroupState::Closed);
        match state {
            GroupState::Closed => assert_eq!(device.refuses(&world, message), Refusal::Closed),
            _ => assert_eq!(device.reads(&world, message).payload, b"x"),
        }
    }
}

/// STM-5: the policy may except `awaiting`, and then the last epoch goes on.
#[test]
fn a_policy_may_let_publishers_go_on_while_an_epoch_is_awaited() {
    let mut world = World::new();
    world.group().policy.seal_while_awaiting = true;
    world.group().policy.grace = 0;
    let (mut sender, mut reader) = (world.ready("1111"), world.ready("1112"));
    let group = world.group();
    (group.state, group.epoch, group.revision) = (GroupState::Awaiting, 2, 3);
    world.mono_ms += 1_000;
    for device in [&mut sender, &mut reader] {
        device.hear(&world, world.groups[0].state());
    }
    let sealed = sender.seal(&world, b"x").unwrap();
    assert_eq!(sealed.epoch, 1);
    assert_eq!(reader.reads(&world, sealed.bytes).marks, []);
}

/// STM-7: a page is believed by its hash only, whichever comes first.
#[test]
fn a_page_is_believed_only_if_the_statement_names_it() {
    let mut world = World::new();
    let sealed = world.ready("1111").seal(&world, b"x").unwrap().bytes;
    let mut device = world.device("1112");
    let packets = world.retained(&identity("1112"));
    let [state, page, group, grant, _] = &packets[..] else {
        panic!("five packets");
    };
    let mut forged = world.group().clone();
    forged.members[0].identity = identity("9999");
    let forged = forged.page_packets().remove(0);
    for packet in [state, group, grant, &forged] {
        device.hear(&world, packet.clone());
    }
    // Its sender is not known: it waits.
    device.receive(&world, crate::world::TOPIC, sealed, false);
    assert_eq!((device.delivered().len(), device.refused()), (0, vec![]));
    device.hear(&world, page.clone());
    assert_eq!(device.delivered()[0].payload, b"x");
}

/// MSG-7: who is no publisher in the current statement is refused, whatever the epoch, and its old page with it.
#[test]
fn a_removed_publisher_is_refused_from_the_moment_the_statement_is_accepted() {
    let mut world = World::new();
    let mut reader = world.ready("1112");
    let sealed = world.ready("1111").seal(&world, b"x").unwrap().bytes;
    world.group().remove("1111");
    reader.hear(&world, world.groups[0].state());
    // The page that lists it is not believed any more; the new one has not come.
    reader.receive(&world, crate::world::TOPIC, sealed.clone(), false);
    assert_eq!(reader.delivered(), []);
    for packet in world.group().page_packets() {
        reader.hear(&world, packet);
    }
    assert_eq!(reader.refused(), [Refusal::NotPublisher]);
    assert_eq!(reader.refuses(&world, sealed), Refusal::NotPublisher);
}

#[test]
fn many_publishers_are_told_in_pages() {
    let mut world = World::new();
    for number in 0..100 {
        world.group().members.push(crate::world::Member {
            role: Role::Publish,
            index: 10 + number,
            identity: identity(&format!("p{number}")),
        });
    }
    let mut sender = world.ready("p99");
    let mut reader = world.ready("1112");
    let sealed = sender.seal(&world, b"from the second page").unwrap();
    assert_eq!(reader.reads(&world, sealed.bytes).sender.as_str(), "p99");
    assert_eq!(reader.session.status().groups[0].publishers, 102);
}

/// STM-5: what comes after the end is not kept, whatever it opens.
#[test]
fn a_closed_group_takes_no_secret_any_more() {
    let mut world = World::new();
    let mut device = world.ready("1112");
    world.group().state = GroupState::Closed;
    world.group().revision += 1;
    device.hear(&world, world.groups[0].state());
    assert!(device.secrets.is_empty());
    let grant = world.group().grant(&identity("1112"));
    device.hear(&world, grant);
    assert!(device.secrets.is_empty(), "a secret came back");
}
