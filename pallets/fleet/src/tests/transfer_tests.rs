//! A device passes to another gateway when both sides say so, or when governance does.

use frame_support::{assert_noop, assert_ok};
use keyward_protocol::{statement::GroupState, Role};

use super::{builders::*, *};
use crate::{Devices, Error, Event, Offers, OwnedDevices, Usages};

type E = Error<Test>;

fn transfer(who: &AccountId32, to: &AccountId32) -> sp_runtime::DispatchResult {
    Fleet::transfer_device(by(who), device_id("acme.d"), to.clone())
}

fn owner() -> AccountId32 {
    Devices::<Test>::get(device_id("acme.d")).unwrap().owner
}

#[test]
fn a_device_passes_when_both_sides_call() {
    run(|| {
        let device = register("acme.d", &ANNE);
        assert_ok!(transfer(&ANNE, &BERT));
        assert_eq!(owner(), ANNE);
        assert_eq!(Offers::<Test>::get(&device), Some(BERT));
        assert_ok!(transfer(&BERT, &BERT));
        assert_eq!(owner(), BERT);
        assert_eq!(Offers::<Test>::get(&device), None);
        assert!(OwnedDevices::<Test>::contains_key(BERT, &device));
        assert!(!OwnedDevices::<Test>::contains_key(ANNE, &device));
        assert_eq!(Usages::<Test>::get(ANNE).devices, 0);
        assert_eq!(Usages::<Test>::get(BERT).devices, 1);
        let event = Event::DeviceTransferred {
            device,
            from: ANNE,
            to: BERT,
            by_governance: false,
        };
        System::assert_has_event(event.into());
    });
}

#[test]
fn a_gateway_takes_nothing_that_it_was_not_offered() {
    run(|| {
        register("acme.d", &ANNE);
        assert_noop!(transfer(&BERT, &BERT), E::NotOffered);
        assert_ok!(transfer(&ANNE, &CORA));
        assert_noop!(transfer(&BERT, &BERT), E::NotOffered);
        // Nor does it hand on what it was offered.
        assert!(transfer(&CORA, &BERT).is_err());
        assert_eq!(owner(), ANNE);
        assert_ok!(transfer(&CORA, &CORA));
        assert_eq!(owner(), CORA);
    });
}

#[test]
fn an_offer_can_be_replaced_and_taken_back() {
    run(|| {
        let device = register("acme.d", &ANNE);
        assert_ok!(transfer(&ANNE, &BERT));
        assert_ok!(transfer(&ANNE, &CORA));
        assert_noop!(transfer(&BERT, &BERT), E::NotOffered);
        assert_ok!(transfer(&ANNE, &ANNE));
        System::assert_last_event(Event::DeviceOfferWithdrawn { device }.into());
        assert_noop!(transfer(&CORA, &CORA), E::NotOffered);
        assert_noop!(transfer(&ANNE, &ANNE), E::NotOffered);
    });
}

#[test]
fn only_active_gateways_are_offered_devices_and_accept() {
    run(|| {
        register("acme.d", &ANNE);
        assert_noop!(transfer(&ANNE, &NOBODY), E::UnknownGateway);
        assert_ok!(transfer(&ANNE, &BERT));
        assert_ok!(Fleet::suspend_gateway(council(), BERT));
        assert_noop!(transfer(&BERT, &BERT), E::GatewayNotActive);
        assert_noop!(transfer(&ANNE, &BERT), E::GatewayNotActive);
    });
}

#[test]
fn an_offer_of_a_gateway_that_is_not_active_any_more_is_not_accepted() {
    run(|| {
        register("acme.d", &ANNE);
        assert_ok!(transfer(&ANNE, &BERT));
        assert_ok!(Fleet::suspend_gateway(council(), ANNE));
        assert_noop!(transfer(&BERT, &BERT), E::GatewayNotActive);
        assert_ok!(Fleet::reinstate_gateway(council(), ANNE));
        assert_ok!(transfer(&BERT, &BERT));
    });
}

#[test]
fn governance_moves_a_device_at_once_also_from_an_expelled_gateway() {
    run(|| {
        let device = register("acme.d", &ANNE);
        assert_ok!(Fleet::expel_gateway(council(), ANNE));
        assert_ok!(Fleet::transfer_device(council(), device.clone(), BERT));
        assert_eq!(owner(), BERT);
        let event = Event::DeviceTransferred {
            device,
            from: ANNE,
            to: BERT,
            by_governance: true,
        };
        System::assert_has_event(event.into());
    });
}

#[test]
fn a_transfer_by_governance_voids_the_offer() {
    run(|| {
        let device = register("acme.d", &ANNE);
        assert_ok!(transfer(&ANNE, &CORA));
        assert_ok!(Fleet::transfer_device(council(), device, BERT));
        assert_noop!(transfer(&CORA, &CORA), E::NotOffered);
    });
}

#[test]
fn memberships_stay_and_no_epoch_advances() {
    run(|| {
        let device = register("acme.d", &ANNE);
        let group = active_group("acme.g", 3);
        add(&group, &device, Role::Both);
        next_block();
        let before = member(&group, &device);
        assert_ok!(transfer(&ANNE, &CORA));
        assert_ok!(transfer(&CORA, &CORA));
        assert_eq!(member(&group, &device), before);
        assert_eq!(epochs(&group), (GroupState::Active, 2, 2));
    });
}

#[test]
fn the_new_owner_alone_acts_for_the_device() {
    run(|| {
        let device = register("acme.d", &ANNE);
        assert_ok!(transfer(&ANNE, &BERT));
        assert_ok!(transfer(&BERT, &BERT));
        assert_noop!(
            Fleet::suspend_device(by(&ANNE), device.clone()),
            E::NotOwner
        );
        assert_ok!(Fleet::suspend_device(by(&BERT), device));
    });
}

#[test]
fn invitations_pass_to_the_new_owner() {
    run(|| {
        let device = register_foreign("globex.d");
        let group = create_group("acme.g");
        add(&group, &device, Role::Subscribe);
        assert_ok!(Fleet::transfer_device(council(), device.clone(), BERT));
        let accept = |who: &AccountId32| {
            Fleet::accept_membership(by(who), group.clone(), device.clone(), filters(["acme.g"]))
        };
        assert_noop!(accept(&CORA), E::NotOwner);
        assert_ok!(accept(&BERT));
        assert!(member(&group, &device).is_some());
    });
}

#[test]
fn the_offer_of_a_revoked_device_is_void() {
    run(|| {
        let device = register("acme.d", &ANNE);
        assert_ok!(transfer(&ANNE, &BERT));
        assert_ok!(Fleet::revoke_device(by(&ANNE), device.clone()));
        assert!(transfer(&BERT, &BERT).is_err());
        assert_eq!(owner(), ANNE);
        assert_eq!(Offers::<Test>::get(&device), None);
    });
}
