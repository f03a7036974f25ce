//! Suspending, reinstating and revoking devices: their groups advance in the same extrinsic.

use frame_support::{assert_noop, assert_ok};
use keyward_protocol::{
    statement::GroupState,
    view::{Cause, DeviceStatus},
    DeviceId, GroupId, Role,
};

use super::{builders::*, *};
use crate::{DeviceGroups, Devices, Error, Event, Invitations, KeyExchanges, OwnedDevices, Usages};

type E = Error<Test>;

/// A device of ANNE in two groups with staged epochs, at epoch 2 of both.
fn member_of_two() -> (DeviceId, [GroupId; 2]) {
    let device = register("acme.d", &ANNE);
    let groups = ["acme.g", "acme.h"].map(|name| active_group(name, 4));
    groups
        .iter()
        .for_each(|group| add(group, &device, Role::Both));
    next_block();
    (device, groups)
}

fn status(device: &DeviceId) -> DeviceStatus {
    Devices::<Test>::get(device).unwrap().status
}

fn cause(group: &GroupId, epoch: u32) -> Cause {
    KeyExchanges::<Test>::get(group, epoch).unwrap().cause
}

#[test]
fn suspending_a_device_advances_all_its_groups_and_keeps_its_memberships() {
    run(|| {
        let (device, groups) = member_of_two();
        assert_ok!(Fleet::suspend_device(by(&ANNE), device.clone()));
        assert_eq!(status(&device), DeviceStatus::Suspended);
        for id in &groups {
            assert_eq!(epochs(id), (GroupState::Active, 3, 2));
            assert_eq!(cause(id, 3), Cause::Suspended);
            assert_eq!(group(id).members, 1);
            assert!(member(id, &device).is_some());
        }
        let event = Event::DeviceSuspended {
            device,
            by_governance: false,
        };
        System::assert_has_event(event.into());
    });
}

#[test]
fn reinstating_a_device_is_a_join() {
    run(|| {
        let (device, groups) = member_of_two();
        assert_ok!(Fleet::suspend_device(by(&ANNE), device.clone()));
        next_block();
        assert_ok!(Fleet::reinstate_device(by(&ANNE), device.clone()));
        assert_eq!(status(&device), DeviceStatus::Active);
        for group in &groups {
            assert_eq!(epochs(group), (GroupState::Active, 4, 1));
            assert_eq!(cause(group, 4), Cause::Reinstated);
            // What was said in its absence stays unreadable.
            assert_eq!(member(group, &device).unwrap().joined_epoch, 4);
        }
    });
}

#[test]
fn a_device_reinstated_in_the_block_of_its_suspension_gets_no_epoch_from_before() {
    run(|| {
        let (device, groups) = member_of_two();
        assert_ok!(Fleet::suspend_device(by(&ANNE), device.clone()));
        assert_ok!(Fleet::reinstate_device(by(&ANNE), device.clone()));
        for group in &groups {
            assert_eq!(epochs(group).1, 3);
            assert_eq!(member(group, &device).unwrap().joined_epoch, 3);
        }
    });
}

#[test]
fn where_joining_does_not_rekey_a_reinstated_device_gets_the_current_epoch_only() {
    run(|| {
        let device = register("acme.d", &ANNE);
        let policy = keyward_protocol::policy::Policy {
            rekey_on_join: false,
            ..Default::default()
        };
        let group = create_group_with("acme.g", policy);
        (1..=3).for_each(|epoch| stage(&group, epoch));
        add(&group, &device, Role::Both);
        next_block();
        assert_ok!(Fleet::suspend_device(by(&ANNE), device.clone()));
        next_block();
        assert_ok!(Fleet::reinstate_device(by(&ANNE), device.clone()));
        assert_eq!(epochs(&group), (GroupState::Active, 2, 1));
        assert_eq!(member(&group, &device).unwrap().joined_epoch, 2);
    });
}

#[test]
fn suspension_and_reinstatement_are_refused_where_they_change_nothing() {
    run(|| {
        let device = register("acme.d", &ANNE);
        assert_noop!(
            Fleet::reinstate_device(by(&ANNE), device.clone()),
            E::DeviceActive
        );
        assert_ok!(Fleet::suspend_device(by(&ANNE), device.clone()));
        assert_noop!(Fleet::suspend_device(by(&ANNE), device), E::DeviceSuspended);
        let unknown = device_id("acme.unknown");
        assert_noop!(
            Fleet::suspend_device(by(&ANNE), unknown.clone()),
            E::UnknownDevice
        );
        assert_noop!(
            Fleet::reinstate_device(by(&ANNE), unknown.clone()),
            E::UnknownDevice
        );
        assert_noop!(Fleet::revoke_device(by(&ANNE), unknown), E::UnknownDevice);
    });
}

#[test]
fn a_revoked_device_leaves_all_its_groups_and_these_advance() {
    run(|| {
        let (device, groups) = member_of_two();
        assert_ok!(Fleet::revoke_device(by(&ANNE), device.clone()));
        assert_eq!(status(&device), DeviceStatus::Revoked);
        for id in &groups {
            assert_eq!(epochs(id), (GroupState::Active, 3, 2));
            assert_eq!(cause(id, 3), Cause::Revoked);
            assert_eq!((group(id).members, group(id).publishers), (0, 0));
            assert!(member(id, &device).is_none());
        }
        assert!(DeviceGroups::<Test>::get(&device).is_empty());
        assert!(!OwnedDevices::<Test>::contains_key(ANNE, &device));
        assert_eq!(Usages::<Test>::get(ANNE).devices, 0);
    });
}

#[test]
fn a_suspended_device_can_be_revoked_and_its_groups_advance() {
    run(|| {
        let (device, groups) = member_of_two();
        assert_ok!(Fleet::suspend_device(by(&ANNE), device.clone()));
        next_block();
        assert_ok!(Fleet::revoke_device(by(&ANNE), device.clone()));
        for group in &groups {
            assert!(member(group, &device).is_none());
        }
    });
}

#[test]
fn revocation_is_for_ever() {
    run(|| {
        let device = register("acme.d", &ANNE);
        assert_ok!(Fleet::revoke_device(by(&ANNE), device.clone()));
        let d = || device.clone();
        assert_noop!(Fleet::revoke_device(by(&ANNE), d()), E::DeviceRevoked);
        assert_noop!(Fleet::suspend_device(by(&ANNE), d()), E::DeviceRevoked);
        assert_noop!(Fleet::reinstate_device(by(&ANNE), d()), E::DeviceRevoked);
        assert_noop!(Fleet::reinstate_device(council(), d()), E::DeviceRevoked);
        assert_noop!(
            Fleet::transfer_device(by(&ANNE), d(), BERT),
            E::DeviceRevoked
        );
    });
}

#[test]
fn a_revoked_device_has_no_invitations_left() {
    run(|| {
        let device = register_foreign("globex.d");
        let group = create_group("acme.g");
        add(&group, &device, Role::Both);
        assert_eq!(Invitations::<Test>::get(&device).len(), 1);
        assert_ok!(Fleet::revoke_device(by(&CORA), device.clone()));
        assert!(Invitations::<Test>::get(&device).is_empty());
    });
}

#[test]
fn a_suspended_or_revoked_device_joins_no_group() {
    run(|| {
        let device = register("acme.d", &ANNE);
        let group = create_group("acme.g");
        let add = || {
            let members = list([(device.clone(), Role::Both)]);
            Fleet::add_members(by(&ANNE), group.clone(), members)
        };
        assert_ok!(Fleet::suspend_device(by(&ANNE), device.clone()));
        assert_noop!(add(), E::DeviceSuspended);
        assert_ok!(Fleet::revoke_device(by(&ANNE), device.clone()));
        assert_noop!(add(), E::DeviceRevoked);
    });
}

#[test]
fn revoking_in_a_group_without_staged_epochs_leaves_it_awaiting() {
    run(|| {
        let device = register("acme.d", &ANNE);
        let group = active_group("acme.g", 1);
        add(&group, &device, Role::Both);
        next_block();
        assert_ok!(Fleet::revoke_device(by(&ANNE), device));
        assert_eq!(epochs(&group), (GroupState::Awaiting, 3, 0));
    });
}
