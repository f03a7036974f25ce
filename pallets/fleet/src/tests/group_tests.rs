//! Groups: their creation, policy, administrator, freezing and end.

use frame_support::{assert_noop, assert_ok};
use keyward_protocol::{
    policy::Policy,
    statement::GroupState,
    topic::Filters,
    view::{Cause, KeyExchange},
    Role,
};
use sp_runtime::DispatchResult;

use super::{builders::*, *};
use crate::{CustodianGroups, Error, Event, KeyExchanges, Usages};

type E = Error<Test>;

fn create(who: &AccountId32, name: &str, custodians: &[AccountId32]) -> DispatchResult {
    let custodians = list(custodians.iter().cloned());
    Fleet::create_group(
        by(who),
        bytes(name),
        filters(["t"]),
        Policy::default(),
        custodians,
    )
}

#[test]
fn a_new_group_awaits_its_first_epoch() {
    run(|| {
        let id = create_group("acme.g");
        assert_eq!(epochs(&id), (GroupState::Awaiting, 1, 0));
        let expected = KeyExchange {
            cause: Cause::Created,
            began: 1,
            committed: None,
            activated: None,
            delivery: None,
        };
        assert_eq!(KeyExchanges::<Test>::get(&id, 1), Some(expected));
        assert_eq!(group(&id).members, 0);
        assert_eq!(Usages::<Test>::get(ANNE).groups, 1);
        assert_eq!(
            CustodianGroups::<Test>::get(BERT).into_inner(),
            std::slice::from_ref(&id)
        );
        System::assert_has_event(
            Event::GroupCreated {
                group: id,
                admin: ANNE,
            }
            .into(),
        );
    });
}

#[test]
fn a_group_s_id_is_used_once_and_for_ever_and_is_the_organisation_s() {
    run(|| {
        let group = create_group("acme.g");
        assert_noop!(create(&ANNE, "acme.g", &[ANNE]), E::GroupExists);
        assert_ok!(Fleet::close_group(by(&ANNE), group));
        assert_noop!(create(&ANNE, "acme.g", &[ANNE]), E::GroupExists);
        assert_noop!(create(&ANNE, "globex.g", &[ANNE]), E::ForeignId);
        assert_noop!(create(&ANNE, "bare", &[ANNE]), E::ForeignId);
        assert_noop!(create(&ANNE, "acme.#", &[ANNE]), E::BadId);
        assert_noop!(create(&ANNE, "", &[ANNE]), E::BadId);
        assert_noop!(create(&NOBODY, "acme.h", &[ANNE]), E::NotGateway);
    });
}

#[test]
fn custodians_are_active_gateways_of_any_organisation_each_once() {
    run(|| {
        assert_noop!(create(&ANNE, "acme.h", &[]), E::BadCustodians);
        assert_noop!(create(&ANNE, "acme.h", &[ANNE, NOBODY]), E::BadCustodians);
        assert_ok!(Fleet::suspend_gateway(council(), BERT));
        assert_noop!(create(&ANNE, "acme.h", &[BERT]), E::BadCustodians);
        assert_ok!(create(&ANNE, "acme.h", &[CORA, ANNE]));
        // Stored in rising order.
        assert_eq!(
            group(&group_id("acme.h")).custodians.into_inner(),
            [ANNE, CORA]
        );
    });
}

#[test]
fn a_custodian_named_twice_counts_once_or_is_refused() {
    run(|| match create(&ANNE, "acme.h", &[ANNE, ANNE]) {
        Ok(()) => assert_eq!(group(&group_id("acme.h")).custodians.into_inner(), [ANNE]),
        Err(error) => assert_eq!(error, E::BadCustodians.into()),
    });
}

#[test]
fn filters_rise_and_there_is_at_least_one() {
    run(|| {
        let with = |filters: Filters| {
            let custodians = list([ANNE]);
            let policy = Policy::default();
            Fleet::create_group(by(&ANNE), bytes("acme.h"), filters, policy, custodians)
        };
        assert_noop!(with(Filters::default()), E::BadFilters);
        // Only hostile bytes have filters out of order.
        let decode = |texts: [&str; 2]| {
            let encoded = codec::Encode::encode(&texts.to_vec());
            <Filters as codec::Decode>::decode(&mut &encoded[..]).unwrap()
        };
        assert_noop!(with(decode(["b", "a"])), E::BadFilters);
        assert_noop!(with(decode(["a", "a"])), E::BadFilters);
        assert_ok!(with(decode(["a", "b"])));
    });
}

#[test]
fn a_policy_that_breaks_a_rule_is_refused() {
    run(|| {
        let id = create_group("acme.g");
        let bad = Policy {
            commands: true,
            ..Policy::default()
        };
        let custodians = list([ANNE]);
        assert_noop!(
            Fleet::create_group(
                by(&ANNE),
                bytes("acme.h"),
                filters(["t"]),
                bad.clone(),
                custodians
            ),
            E::BadPolicy
        );
        assert_noop!(Fleet::set_policy(by(&ANNE), id.clone(), bad), E::BadPolicy);
        let bad = Policy {
            history: 65,
            ..Policy::default()
        };
        assert_noop!(Fleet::set_policy(by(&ANNE), id, bad), E::BadPolicy);
    });
}

#[test]
fn a_policy_changes_without_a_new_epoch() {
    run(|| {
        let id = active_group("acme.g", 1);
        let policy = Policy {
            signed: false,
            grace: 0,
            ..Policy::default()
        };
        assert_ok!(Fleet::set_policy(by(&ANNE), id.clone(), policy.clone()));
        assert_eq!(group(&id).policy, policy);
        assert_eq!(epochs(&id), (GroupState::Active, 1, 1));
    });
}

#[test]
fn an_administrator_gives_a_group_to_a_gateway_of_its_organisation() {
    run(|| {
        let id = create_group("acme.g");
        let transfer =
            |who: RuntimeOrigin, to: AccountId32| Fleet::transfer_admin(who, id.clone(), to);
        assert_noop!(transfer(by(&ANNE), ANNE), E::AlreadyAdmin);
        assert_noop!(transfer(by(&ANNE), NOBODY), E::UnknownGateway);
        assert!(transfer(by(&ANNE), CORA).is_err());
        assert_eq!(group(&id).admin, ANNE);
        assert_ok!(transfer(by(&ANNE), BERT));
        assert_eq!(group(&id).admin, BERT);
        assert_eq!(
            (
                Usages::<Test>::get(ANNE).groups,
                Usages::<Test>::get(BERT).groups
            ),
            (0, 1)
        );
        assert_noop!(transfer(by(&ANNE), ANNE), E::NotAdmin);
        // Governance gives it to any.
        assert_ok!(transfer(council(), CORA));
        assert_eq!(group(&id).admin, CORA);
    });
}

#[test]
fn a_suspended_gateway_is_given_no_group() {
    run(|| {
        let id = create_group("acme.g");
        assert_ok!(Fleet::suspend_gateway(council(), BERT));
        assert_noop!(
            Fleet::transfer_admin(by(&ANNE), id, BERT),
            E::GatewayNotActive
        );
    });
}

#[test]
fn a_frozen_group_gives_access_to_nobody_and_still_takes_it_away() {
    run(|| {
        let [d, e] = ["acme.d", "acme.e"].map(|name| register(name, &ANNE));
        let id = active_group("acme.g", 3);
        add(&id, &d, Role::Both);
        next_block();
        assert_ok!(Fleet::freeze_group(council(), id.clone()));
        assert_eq!(group(&id).state, GroupState::Frozen);
        let members = list([(e, Role::Both)]);
        assert_noop!(
            Fleet::add_members(by(&ANNE), id.clone(), members),
            E::GroupFrozen
        );
        remove(&id, &d);
        assert!(member(&id, &d).is_none());
        assert_eq!(epochs(&id), (GroupState::Frozen, 3, 1));
        stage(&id, 5);
        next_block();
        assert_ok!(Fleet::rotate(by(&ANNE), id.clone()));
        assert_eq!(epochs(&id), (GroupState::Frozen, 4, 1));
    });
}

#[test]
fn nobody_is_reinstated_into_a_frozen_group() {
    run(|| {
        let device = register("acme.d", &ANNE);
        let id = active_group("acme.g", 3);
        add(&id, &device, Role::Both);
        assert_ok!(Fleet::suspend_device(by(&ANNE), device.clone()));
        assert_ok!(Fleet::freeze_group(council(), id.clone()));
        assert_noop!(
            Fleet::reinstate_device(by(&ANNE), device.clone()),
            E::GroupFrozen
        );
        assert_ok!(Fleet::thaw_group(council(), id));
        assert_ok!(Fleet::reinstate_device(by(&ANNE), device));
    });
}

#[test]
fn a_group_is_frozen_once_and_thawed_once() {
    run(|| {
        let id = active_group("acme.g", 0);
        assert_noop!(Fleet::thaw_group(council(), id.clone()), E::NotFrozen);
        assert_ok!(Fleet::freeze_group(committee(), id.clone()));
        assert_noop!(Fleet::freeze_group(committee(), id.clone()), E::GroupFrozen);
        System::assert_last_event(Event::GroupFrozen { group: id.clone() }.into());
        assert_ok!(Fleet::thaw_group(council(), id.clone()));
        assert_eq!(group(&id).state, GroupState::Active);
        System::assert_last_event(Event::GroupThawed { group: id }.into());
    });
}

#[test]
fn a_group_that_awaited_when_frozen_awaits_when_thawed() {
    run(|| {
        let id = create_group("acme.g");
        assert_ok!(Fleet::freeze_group(council(), id.clone()));
        assert_ok!(Fleet::thaw_group(council(), id.clone()));
        assert_eq!(group(&id).state, GroupState::Awaiting);
        assert_ok!(Fleet::freeze_group(council(), id.clone()));
        stage(&id, 1);
        assert_eq!(group(&id).state, GroupState::Frozen);
        assert_ok!(Fleet::thaw_group(council(), id.clone()));
        assert_eq!(group(&id).state, GroupState::Active);
    });
}

#[test]
fn a_closed_group_is_over() {
    run(|| {
        let device = register("acme.d", &ANNE);
        let id = active_group("acme.g", 2);
        add(&id, &device, Role::Both);
        next_block();
        assert_ok!(Fleet::close_group(by(&ANNE), id.clone()));
        assert_eq!(group(&id).state, GroupState::Closed);
        assert_eq!(Usages::<Test>::get(ANNE).groups, 0);
        let g = || id.clone();
        let next = group(&id).epoch + 1;
        assert_noop!(Fleet::close_group(by(&ANNE), g()), E::GroupClosed);
        assert_noop!(Fleet::rotate(by(&ANNE), g()), E::GroupClosed);
        assert_noop!(
            Fleet::stage_epoch(by(&ANNE), g(), next, commitment(9)),
            E::GroupClosed
        );
        assert_noop!(
            Fleet::set_policy(by(&ANNE), g(), Policy::default()),
            E::GroupClosed
        );
        assert_noop!(Fleet::freeze_group(council(), g()), E::GroupClosed);
        assert_noop!(Fleet::thaw_group(council(), g()), E::GroupClosed);
        let members = list([(register("acme.e", &ANNE), Role::Both)]);
        assert_noop!(Fleet::add_members(by(&ANNE), g(), members), E::GroupClosed);
    });
}

#[test]
fn members_of_a_closed_group_stay_listed_until_they_are_removed() {
    run(|| {
        let device = register("acme.d", &ANNE);
        let id = active_group("acme.g", 2);
        add(&id, &device, Role::Both);
        next_block();
        assert_ok!(Fleet::close_group(by(&ANNE), id.clone()));
        assert!(member(&id, &device).is_some());
        let epoch = group(&id).epoch;
        next_block();
        remove(&id, &device);
        assert!(member(&id, &device).is_none());
        assert_eq!(
            (group(&id).state, group(&id).epoch),
            (GroupState::Closed, epoch)
        );
    });
}

#[test]
fn a_device_in_a_closed_group_can_be_suspended_re_keyed_and_revoked() {
    run(|| {
        let device = register("acme.d", &ANNE);
        let id = active_group("acme.g", 2);
        add(&id, &device, Role::Both);
        next_block();
        assert_ok!(Fleet::close_group(by(&ANNE), id.clone()));
        let epoch = group(&id).epoch;
        assert_ok!(Replacement::of("acme.d", "new").submit());
        assert_ok!(Fleet::suspend_device(by(&ANNE), device.clone()));
        assert_ok!(Fleet::reinstate_device(by(&ANNE), device.clone()));
        assert_ok!(Fleet::revoke_device(by(&ANNE), device.clone()));
        assert!(member(&id, &device).is_none());
        assert_eq!(
            (group(&id).state, group(&id).epoch),
            (GroupState::Closed, epoch)
        );
    });
}

#[test]
fn what_is_asked_of_an_unknown_group_is_refused() {
    run(|| {
        let g = || group_id("acme.unknown");
        assert_noop!(
            Fleet::set_policy(by(&ANNE), g(), Policy::default()),
            E::UnknownGroup
        );
        assert_noop!(Fleet::rotate(by(&ANNE), g()), E::UnknownGroup);
        assert_noop!(Fleet::close_group(by(&ANNE), g()), E::UnknownGroup);
        assert_noop!(Fleet::freeze_group(council(), g()), E::UnknownGroup);
        assert_noop!(
            Fleet::stage_epoch(by(&ANNE), g(), 1, commitment(1)),
            E::UnknownGroup
        );
        assert_noop!(
            Fleet::set_custodians(by(&ANNE), g(), list([ANNE])),
            E::UnknownGroup
        );
    });
}
