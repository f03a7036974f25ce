//! A device joins another owner's group only with its owner's consent, for the filters that the owner agrees to.

use frame_support::{assert_noop, assert_ok};
use keyward_protocol::{statement::GroupState, topic::Filters, GroupId, Role};
use sp_runtime::DispatchResult;

use super::{builders::*, *};
use crate::{Error, Event, Invitations};

type E = Error<Test>;

/// An active group of ANNE, and a device of CORA that is invited to publish there.
fn invited() -> (GroupId, keyward_protocol::DeviceId) {
    let group = active_group("acme.g", 3);
    let device = register_foreign("globex.d");
    add(&group, &device, Role::Publish);
    (group, device)
}

fn accept(who: &AccountId32, filters: Filters) -> DispatchResult {
    Fleet::accept_membership(by(who), group_id("acme.g"), device_id("globex.d"), filters)
}

/// MEM-1.
#[test]
fn a_foreign_device_is_invited_and_is_no_member() {
    run(|| {
        let (group, device) = invited();
        assert!(member(&group, &device).is_none());
        assert_eq!(epochs(&group), (GroupState::Active, 1, 3));
        let event = Event::MemberInvited {
            group,
            device,
            role: Role::Publish,
            by_governance: false,
        };
        System::assert_has_event(event.into());
    });
}

#[test]
fn a_device_of_a_fellow_gateway_of_the_organisation_is_invited_too() {
    run(|| {
        let group = create_group("acme.g");
        let device = register("acme.d", &BERT);
        add(&group, &device, Role::Both);
        assert!(member(&group, &device).is_none());
        assert_eq!(Invitations::<Test>::get(&device).len(), 1);
    });
}

#[test]
fn governance_cannot_force_a_device_into_a_group_of_another_owner_by_adding_it() {
    run(|| {
        let group = create_group("acme.g");
        let device = register_foreign("globex.d");
        let members = list([(device.clone(), Role::Both)]);
        assert_ok!(Fleet::add_members(council(), group.clone(), members));
        assert!(member(&group, &device).is_none());
    });
}

#[test]
fn its_owner_accepts_with_the_filters_that_it_agrees_to() {
    run(|| {
        let (id, device) = invited();
        assert_ok!(accept(&CORA, filters(["acme.g"])));
        let joined = member(&id, &device).unwrap();
        assert_eq!(joined.filters, filters(["acme.g"]));
        assert_eq!((joined.role, joined.joined_epoch), (Role::Publish, 2));
        assert_eq!(epochs(&id), (GroupState::Active, 2, 2));
        assert_eq!((group(&id).members, group(&id).publishers), (1, 1));
        assert!(Invitations::<Test>::get(&device).is_empty());
        assert_noop!(accept(&CORA, filters(["acme.g"])), E::NotInvited);
    });
}

/// TOP-2.
#[test]
fn filters_that_the_group_does_not_have_are_refused() {
    run(|| {
        invited();
        assert_noop!(accept(&CORA, filters(["secret/#"])), E::FiltersNotOffered);
        assert_noop!(
            accept(&CORA, filters(["acme.g", "secret"])),
            E::FiltersNotOffered
        );
        // Narrower is not the same filter.
        assert_noop!(accept(&CORA, filters(["acme.g/a"])), E::FiltersNotOffered);
        assert_noop!(accept(&CORA, Filters::default()), E::BadFilters);
    });
}

#[test]
fn nobody_but_its_owner_accepts() {
    run(|| {
        let (group, device) = invited();
        assert_noop!(accept(&ANNE, filters(["acme.g"])), E::NotOwner);
        assert_noop!(accept(&BERT, filters(["acme.g"])), E::NotOwner);
        assert!(member(&group, &device).is_none());
    });
}

#[test]
fn nobody_accepts_what_was_not_offered() {
    run(|| {
        create_group("acme.g");
        register_foreign("globex.d");
        assert_noop!(accept(&CORA, filters(["acme.g"])), E::NotInvited);
    });
}

#[test]
fn an_invitation_is_sent_once() {
    run(|| {
        let (group, device) = invited();
        let again = list([(device, Role::Both)]);
        assert_noop!(
            Fleet::add_members(by(&ANNE), group, again),
            E::AlreadyMember
        );
    });
}

#[test]
fn the_administrator_takes_an_invitation_back_and_the_owner_declines_without_a_new_epoch() {
    run(|| {
        let (group, device) = invited();
        remove(&group, &device);
        assert_noop!(accept(&CORA, filters(["acme.g"])), E::NotInvited);
        let by_governance = false;
        let event = Event::InvitationWithdrawn {
            group: group.clone(),
            device: device.clone(),
            by_governance,
        };
        System::assert_last_event(event.into());
        add(&group, &device, Role::Both);
        assert_ok!(Fleet::remove_members(
            by(&CORA),
            group.clone(),
            list([device])
        ));
        assert_noop!(accept(&CORA, filters(["acme.g"])), E::NotInvited);
        assert_eq!(epochs(&group), (GroupState::Active, 1, 3));
    });
}

#[test]
fn an_owner_takes_its_device_out_of_any_group_and_the_group_advances() {
    run(|| {
        let (group, device) = invited();
        assert_ok!(accept(&CORA, filters(["acme.g"])));
        next_block();
        assert_ok!(Fleet::remove_members(
            by(&CORA),
            group.clone(),
            list([device.clone()])
        ));
        assert!(member(&group, &device).is_none());
        assert_eq!(epochs(&group), (GroupState::Active, 3, 1));
    });
}

#[test]
fn an_owner_takes_nobody_else_s_device_out_of_a_group() {
    run(|| {
        let (group, device) = invited();
        assert_ok!(accept(&CORA, filters(["acme.g"])));
        let others = register("acme.d", &ANNE);
        next_block();
        add(&group, &others, Role::Both);
        let both = list([device.clone(), others.clone()]);
        assert_noop!(
            Fleet::remove_members(by(&CORA), group.clone(), both),
            E::NotAdmin
        );
        assert!(member(&group, &device).is_some() && member(&group, &others).is_some());
    });
}

#[test]
fn a_suspended_device_joins_nothing_by_consent() {
    run(|| {
        invited();
        assert_ok!(Fleet::suspend_device(by(&CORA), device_id("globex.d")));
        assert_noop!(accept(&CORA, filters(["acme.g"])), E::DeviceSuspended);
    });
}

#[test]
fn nobody_joins_a_frozen_or_closed_group_by_consent() {
    run(|| {
        let (group, _) = invited();
        assert_ok!(Fleet::freeze_group(council(), group.clone()));
        assert_noop!(accept(&CORA, filters(["acme.g"])), E::GroupFrozen);
        assert_ok!(Fleet::thaw_group(council(), group.clone()));
        assert_ok!(Fleet::close_group(by(&ANNE), group));
        assert!(accept(&CORA, filters(["acme.g"])).is_err());
    });
}

#[test]
fn a_device_has_at_most_16_invitations() {
    run(|| {
        let device = register_foreign("globex.d");
        for number in 0..=16 {
            let admin = if number < 10 { ANNE } else { BERT };
            let name = format!("acme.g{number}");
            let (policy, custodians) = (Default::default(), list([ANNE]));
            assert_ok!(Fleet::create_group(
                by(&admin),
                bytes(&name),
                filters(["t"]),
                policy,
                custodians
            ));
            let members = list([(device.clone(), Role::Both)]);
            let invite = Fleet::add_members(by(&admin), group_id(&name), members);
            let expected = match number {
                16 => Err(E::TooManyInvitations.into()),
                _ => Ok(()),
            };
            assert_eq!(invite, expected);
        }
    });
}

#[test]
fn after_the_group_has_another_administrator_the_invitation_stands() {
    run(|| {
        let (group, device) = invited();
        assert_ok!(Fleet::transfer_admin(by(&ANNE), group.clone(), BERT));
        assert_ok!(accept(&CORA, filters(["acme.g"])));
        assert!(member(&group, &device).is_some());
    });
}
