//! Adding and removing members: roles, indexes, first epochs, all or nothing.

use frame_support::{assert_noop, assert_ok, assert_storage_noop};
use keyward_protocol::{statement::GroupState, DeviceId, Role};
use sp_runtime::DispatchResult;

use super::{builders::*, *};
use crate::{DeviceGroups, Error, Event, Groups};

type E = Error<Test>;

fn add_all(members: &[(DeviceId, Role)]) -> DispatchResult {
    let members = list(members.iter().cloned());
    Fleet::add_members(by(&ANNE), group_id("acme.g"), members)
}

fn remove_all(devices: &[DeviceId]) -> DispatchResult {
    Fleet::remove_members(by(&ANNE), group_id("acme.g"), list(devices.iter().cloned()))
}

fn three() -> [DeviceId; 3] {
    ["acme.a", "acme.b", "acme.c"].map(|name| register(name, &ANNE))
}

#[test]
fn the_administrator_s_own_devices_join_at_once_for_all_filters() {
    run(|| {
        let id = active_group("acme.g", 2);
        let [a, b, c] = three();
        let members = [
            (a.clone(), Role::Publish),
            (b, Role::Subscribe),
            (c, Role::Both),
        ];
        assert_ok!(add_all(&members));
        for (device, role) in members {
            let joined = member(&id, &device).unwrap();
            assert_eq!((joined.role, joined.joined_epoch), (role, 2));
            assert_eq!(joined.filters, group(&id).filters);
            assert_eq!(
                DeviceGroups::<Test>::get(&device).into_inner(),
                std::slice::from_ref(&id)
            );
        }
        assert_eq!((group(&id).members, group(&id).publishers), (3, 2));
        let index = member(&id, &a).unwrap().index;
        let event = Event::MemberAdded {
            group: id,
            device: a,
            role: Role::Publish,
            index,
            joined_epoch: 2,
            by_governance: false,
        };
        System::assert_has_event(event.into());
    });
}

#[test]
fn a_batch_makes_one_epoch() {
    run(|| {
        let group = active_group("acme.g", 3);
        let devices = three();
        assert_ok!(add_all(&devices.clone().map(|device| (device, Role::Both))));
        assert_eq!(epochs(&group), (GroupState::Active, 2, 2));
        next_block();
        assert_ok!(remove_all(&devices));
        assert_eq!(epochs(&group), (GroupState::Active, 3, 1));
    });
}

#[test]
fn a_joining_member_starts_no_epoch_where_the_policy_says_so_and_sees_the_current_one() {
    run(|| {
        let policy = keyward_protocol::policy::Policy {
            rekey_on_join: false,
            ..Default::default()
        };
        let group = create_group_with("acme.g", policy);
        (1..=3).for_each(|epoch| stage(&group, epoch));
        next_block();
        let [a, _, _] = three();
        add(&group, &a, Role::Both);
        assert_eq!(epochs(&group), (GroupState::Active, 1, 2));
        assert_eq!(member(&group, &a).unwrap().joined_epoch, 1);
    });
}

#[test]
fn who_joins_a_group_that_awaits_an_epoch_gets_that_one() {
    run(|| {
        let group = create_group("acme.g");
        next_block();
        let [a, _, _] = three();
        add(&group, &a, Role::Both);
        assert_eq!(epochs(&group), (GroupState::Awaiting, 1, 0));
        assert_eq!(member(&group, &a).unwrap().joined_epoch, 1);
    });
}

#[test]
fn an_index_is_never_used_twice() {
    run(|| {
        let group = active_group("acme.g", 0);
        let [a, b, _] = three();
        let mut last = None;
        for device in [&a, &b, &a, &a, &b] {
            add(&group, device, Role::Both);
            let index = Some(member(&group, device).unwrap().index);
            assert!(index > last);
            last = index;
            remove(&group, device);
            next_block();
        }
    });
}

#[test]
fn a_group_that_gave_out_all_indexes_takes_nobody() {
    run(|| {
        let group = active_group("acme.g", 0);
        let [a, _, _] = three();
        Groups::<Test>::mutate(&group, |group| {
            group.as_mut().unwrap().next_index = u32::MAX;
        });
        assert_noop!(add_all(&[(a, Role::Both)]), E::IndexesExhausted);
    });
}

#[test]
fn a_list_with_one_bad_item_changes_nothing() {
    run(|| {
        let group = active_group("acme.g", 2);
        let [a, b, c] = three();
        let unknown = device_id("acme.unknown");
        let with = |device: &DeviceId| (device.clone(), Role::Both);
        assert_noop!(add_all(&[with(&a), with(&unknown)]), E::UnknownDevice);
        assert_noop!(add_all(&[with(&a), with(&a)]), E::AlreadyMember);
        assert_ok!(add_all(&[with(&a), with(&b)]));
        next_block();
        assert_noop!(add_all(&[with(&c), with(&a)]), E::AlreadyMember);
        assert_noop!(remove_all(&[a.clone(), c]), E::NotMember);
        assert_noop!(remove_all(&[a.clone(), a.clone()]), E::NotMember);
        assert!(member(&group, &a).is_some());
    });
}

#[test]
fn a_list_that_names_nothing_is_refused() {
    run(|| {
        active_group("acme.g", 2);
        assert_noop!(add_all(&[]), E::EmptyList);
        assert_noop!(remove_all(&[]), E::EmptyList);
    });
}

#[test]
fn a_list_of_more_than_256_does_not_decode() {
    let call = |length: usize| {
        let devices = vec![device_id("acme.d"); length];
        codec::Encode::encode(&(5u8, group_id("acme.g"), devices))
    };
    let decode = |bytes: Vec<u8>| {
        <(u8, keyward_protocol::GroupId, crate::Batch<DeviceId>) as codec::Decode>::decode(
            &mut &bytes[..],
        )
    };
    assert!(decode(call(256)).is_ok());
    assert!(decode(call(257)).is_err());
}

#[test]
fn a_device_is_in_at_most_10_groups() {
    run(|| {
        let [a, _, _] = three();
        let groups: Vec<_> = (0..11)
            .map(|n| create_group(&format!("acme.g{n}")))
            .collect();
        groups[..10]
            .iter()
            .for_each(|group| add(group, &a, Role::Both));
        let members = list([(a.clone(), Role::Both)]);
        assert_noop!(
            Fleet::add_members(by(&ANNE), groups[10].clone(), members),
            E::TooManyGroups
        );
        let listed = DeviceGroups::<Test>::get(&a).into_inner();
        assert!(
            listed.windows(2).all(|pair| pair[0] < pair[1]),
            "groups rise: {listed:?}"
        );
    });
}

#[test]
fn a_removed_member_gets_no_key_from_that_block_on() {
    run(|| {
        let group = active_group("acme.g", 2);
        let [a, b, _] = three();
        add(&group, &a, Role::Both);
        add(&group, &b, Role::Both);
        next_block();
        remove(&group, &a);
        assert!(member(&group, &a).is_none());
        assert!(DeviceGroups::<Test>::get(&a).is_empty());
        assert_eq!(epochs(&group), (GroupState::Active, 3, 0));
        // The one that stayed keeps its place.
        assert_eq!(member(&group, &b).unwrap().joined_epoch, 2);
        let event = Event::MemberRemoved {
            group,
            device: a,
            by_governance: false,
        };
        System::assert_has_event(event.into());
    });
}

#[test]
fn who_comes_back_gets_nothing_of_its_absence() {
    run(|| {
        let group = active_group("acme.g", 6);
        let [a, _, _] = three();
        add(&group, &a, Role::Both);
        next_block();
        remove(&group, &a);
        next_block();
        assert_ok!(Fleet::rotate(by(&ANNE), group.clone()));
        next_block();
        add(&group, &a, Role::Both);
        assert_eq!(member(&group, &a).unwrap().joined_epoch, 5);
        // Removed and added again in one block: still no epoch from before.
        next_block();
        remove(&group, &a);
        add(&group, &a, Role::Both);
        assert_eq!(epochs(&group).1, 6);
        assert_eq!(member(&group, &a).unwrap().joined_epoch, 6);
    });
}

#[test]
fn who_joins_in_the_block_of_an_advance_gets_the_new_epoch_without_another() {
    run(|| {
        let group = active_group("acme.g", 3);
        let [a, b, _] = three();
        add(&group, &a, Role::Both);
        next_block();
        remove(&group, &a);
        add(&group, &b, Role::Both);
        assert_eq!(epochs(&group), (GroupState::Active, 3, 1));
        assert_eq!(member(&group, &b).unwrap().joined_epoch, 3);
    });
}

#[test]
fn removing_from_one_group_leaves_the_others_alone() {
    run(|| {
        let [a, _, _] = three();
        let groups = ["acme.g", "acme.h"].map(|name| active_group(name, 2));
        groups.iter().for_each(|group| add(group, &a, Role::Both));
        next_block();
        let before = crate::Groups::<Test>::get(&groups[1]);
        remove(&groups[0], &a);
        assert_eq!(crate::Groups::<Test>::get(&groups[1]), before);
        assert_eq!(
            DeviceGroups::<Test>::get(&a).into_inner(),
            [groups[1].clone()]
        );
    });
}

#[test]
fn reading_a_group_changes_nothing() {
    run(|| {
        let group = active_group("acme.g", 2);
        assert_storage_noop!({
            Fleet::group(group.clone());
            Fleet::members(group.clone(), None, 10);
        });
    });
}
