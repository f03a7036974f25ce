//! A gateway that stops being an active custodian takes the whole queue with it: the group awaits a remaining one.

use frame_support::{assert_noop, assert_ok};
use keyward_protocol::{
    statement::GroupState,
    view::{Cause, GatewayStatus},
    GroupId,
};
use sp_runtime::DispatchResult;

use super::{builders::*, *};
use crate::{CustodianGroups, Error, Event, Gateways, KeyExchanges};

type E = Error<Test>;

fn set(group: &GroupId, custodians: &[AccountId32]) -> DispatchResult {
    Fleet::set_custodians(by(&ANNE), group.clone(), list(custodians.iter().cloned()))
}

/// A group at epoch 1 with two epochs staged by ANNE and one by BERT, in the next block.
fn staged_by_both() -> GroupId {
    let group = create_group("acme.g");
    (1..=3).for_each(|epoch| stage(&group, epoch));
    assert_ok!(Fleet::stage_epoch(
        by(&BERT),
        group.clone(),
        4,
        commitment(4)
    ));
    next_block();
    group
}

fn awaits_after_a_custodian_left(id: &GroupId) {
    assert_eq!(epochs(id), (GroupState::Awaiting, 2, 0));
    assert_eq!(group(id).committed, None);
    let exchange = KeyExchanges::<Test>::get(id, 2).unwrap();
    assert_eq!(exchange.cause, Cause::CustodianLeft);
}

fn replace_keys(account: &AccountId32, by_whom: RuntimeOrigin) -> DispatchResult {
    let keys = Keys::of("replaced");
    let (statement, custody) = (keys.verifying(), keys.agreement);
    Fleet::replace_gateway_keys(by_whom, account.clone(), statement, custody)
        .map(drop)
        .map_err(|failed| failed.error)
}

/// KEX-4.
#[test]
fn a_custodian_that_is_removed_takes_the_queue_with_it() {
    run(|| {
        let group = staged_by_both();
        assert_ok!(set(&group, &[BERT]));
        awaits_after_a_custodian_left(&group);
        assert_noop!(
            Fleet::stage_epoch(by(&ANNE), group.clone(), 2, commitment(2)),
            E::NotCustodian
        );
        assert_ok!(Fleet::stage_epoch(
            by(&BERT),
            group.clone(),
            2,
            commitment(2)
        ));
        assert_eq!(epochs(&group), (GroupState::Active, 2, 0));
        let custodians = list([BERT]);
        let event = Event::CustodiansChanged {
            group,
            custodians,
            by_governance: false,
        };
        System::assert_has_event(event.into());
    });
}

#[test]
fn one_that_committed_to_nothing_takes_the_queue_too() {
    run(|| {
        let group = active_group("acme.g", 2);
        assert_ok!(set(&group, &[ANNE]));
        awaits_after_a_custodian_left(&group);
    });
}

#[test]
fn one_that_is_suspended_takes_the_queue_and_is_custodian_again_when_reinstated() {
    run(|| {
        let group = staged_by_both();
        assert_ok!(Fleet::suspend_gateway(committee(), ANNE));
        awaits_after_a_custodian_left(&group);
        assert_eq!(
            Fleet::group(group.clone()).unwrap().custodians,
            [raw(&BERT)]
        );
        assert_noop!(
            Fleet::stage_epoch(by(&ANNE), group.clone(), 2, commitment(2)),
            E::GatewayNotActive
        );
        assert_ok!(Fleet::reinstate_gateway(council(), ANNE));
        assert_eq!(epochs(&group), (GroupState::Awaiting, 2, 0));
        assert_ok!(Fleet::stage_epoch(
            by(&ANNE),
            group.clone(),
            2,
            commitment(2)
        ));
    });
}

#[test]
fn one_that_is_expelled_takes_the_queue_and_leaves_the_group_for_ever() {
    run(|| {
        let id = staged_by_both();
        assert_ok!(Fleet::expel_gateway(council(), BERT));
        awaits_after_a_custodian_left(&id);
        assert_eq!(group(&id).custodians.into_inner(), [ANNE]);
        assert!(CustodianGroups::<Test>::get(BERT).is_empty());
    });
}

#[test]
fn expelling_a_suspended_custodian_starts_no_second_epoch() {
    run(|| {
        let group = staged_by_both();
        assert_ok!(Fleet::suspend_gateway(council(), BERT));
        stage(&group, 2);
        stage(&group, 3);
        next_block();
        // It was no active custodian any more when this queue was made.
        assert_ok!(Fleet::expel_gateway(council(), BERT));
        assert_eq!(epochs(&group), (GroupState::Active, 2, 1));
    });
}

#[test]
fn one_whose_keys_are_replaced_takes_the_queue_and_stays_custodian() {
    run(|| {
        let id = staged_by_both();
        assert_ok!(replace_keys(&ANNE, by(&ANNE)));
        awaits_after_a_custodian_left(&id);
        assert_eq!(group(&id).custodians.into_inner(), [ANNE, BERT]);
        assert_ok!(Fleet::stage_epoch(by(&ANNE), id, 2, commitment(2)));
        let keys = Keys::of("replaced");
        let stored = Gateways::<Test>::get(ANNE).unwrap();
        assert_eq!(
            (stored.statement_key, stored.custody_key),
            (keys.verifying(), keys.agreement)
        );
    });
}

#[test]
fn a_gateway_or_governance_replaces_its_keys_and_nobody_else() {
    run(|| {
        assert!(replace_keys(&ANNE, by(&BERT)).is_err());
        assert!(replace_keys(&ANNE, by(&CORA)).is_err());
        assert_eq!(replace_keys(&ANNE, by(&NOBODY)), Err(E::NotGateway.into()));
        assert_eq!(
            Gateways::<Test>::get(ANNE).unwrap().statement_key,
            Keys::of("acme.anne").verifying()
        );
        assert_ok!(replace_keys(&ANNE, council()));
        let keys = Keys::of("replaced");
        let event = Event::GatewayKeysReplaced {
            gateway: ANNE,
            statement_key: keys.verifying(),
            custody_key: keys.agreement,
            by_governance: true,
        };
        System::assert_has_event(event.into());
    });
}

#[test]
fn an_expelled_gateway_gets_no_keys() {
    run(|| {
        assert_ok!(Fleet::expel_gateway(council(), ANNE));
        assert_eq!(
            replace_keys(&ANNE, council()),
            Err(E::GatewayExpelled.into())
        );
    });
}

#[test]
fn in_the_block_of_an_advance_the_epoch_is_awaited_again_and_none_is_skipped() {
    run(|| {
        let id = staged_by_both();
        assert_ok!(Fleet::rotate(by(&ANNE), id.clone()));
        assert_eq!(epochs(&id), (GroupState::Active, 2, 2));
        assert_ok!(Fleet::suspend_gateway(council(), ANNE));
        assert_eq!(epochs(&id), (GroupState::Awaiting, 2, 0));
        System::assert_has_event(
            Event::EpochAwaited {
                group: id.clone(),
                epoch: 2,
            }
            .into(),
        );
        let exchange = KeyExchanges::<Test>::get(&id, 2).unwrap();
        assert_eq!((exchange.committed, exchange.activated), (None, None));
    });
}

#[test]
fn a_custodian_that_leaves_a_group_that_awaits_changes_no_epoch() {
    run(|| {
        let group = create_group("acme.g");
        next_block();
        assert_ok!(Fleet::suspend_gateway(council(), ANNE));
        assert_eq!(epochs(&group), (GroupState::Awaiting, 1, 0));
    });
}

#[test]
fn a_custodian_that_joins_starts_no_epoch() {
    run(|| {
        let id = staged_by_both();
        assert_ok!(set(&id, &[CORA, ANNE, BERT]));
        assert_eq!(epochs(&id), (GroupState::Active, 1, 3));
        assert_eq!(group(&id).custodians.into_inner(), [ANNE, BERT, CORA]);
        assert_eq!(CustodianGroups::<Test>::get(CORA).into_inner(), [id]);
    });
}

#[test]
fn custodians_are_set_to_active_gateways_only() {
    run(|| {
        let group = staged_by_both();
        assert_noop!(set(&group, &[]), E::BadCustodians);
        assert_noop!(set(&group, &[ANNE, NOBODY]), E::BadCustodians);
        assert_ok!(Fleet::suspend_gateway(council(), CORA));
        assert_noop!(set(&group, &[ANNE, CORA]), E::BadCustodians);
    });
}

#[test]
fn a_group_without_an_active_custodian_awaits_until_it_is_given_one() {
    run(|| {
        let group = staged_by_both();
        assert_ok!(Fleet::expel_gateway(council(), ANNE));
        assert_ok!(Fleet::suspend_gateway(council(), BERT));
        assert_eq!(epochs(&group), (GroupState::Awaiting, 2, 0));
        assert_ok!(Fleet::set_custodians(
            council(),
            group.clone(),
            list([CORA])
        ));
        assert_ok!(Fleet::stage_epoch(
            by(&CORA),
            group.clone(),
            2,
            commitment(2)
        ));
        assert_eq!(epochs(&group), (GroupState::Active, 2, 0));
    });
}

#[test]
fn a_gateway_is_custodian_of_at_most_256_groups() {
    run(|| {
        admit_organisation(
            "big",
            crate::Quotas {
                groups: 1000,
                ..QUOTAS
            },
        );
        let big = AccountId32::new([7; 32]);
        admit_gateway(&big, "big", "gw");
        let create = |number: u32| {
            let id = bytes(&format!("big.g{number}"));
            let custodians = list([CORA]);
            Fleet::create_group(by(&big), id, filters(["t"]), Default::default(), custodians)
        };
        for number in 0..256 {
            assert_ok!(create(number));
        }
        assert_noop!(create(256), E::TooManyCustodies);
        let group = create_group("acme.g");
        assert_noop!(set(&group, &[ANNE, CORA]), E::TooManyCustodies);
    });
}

#[test]
fn in_a_closed_group_custodians_only_leave() {
    run(|| {
        let id = staged_by_both();
        assert_ok!(Fleet::close_group(by(&ANNE), id.clone()));
        assert_noop!(set(&id, &[ANNE, BERT, CORA]), E::GroupClosed);
        let epoch = group(&id).epoch;
        assert_ok!(set(&id, &[BERT]));
        assert_eq!(group(&id).custodians.into_inner(), [BERT]);
        assert_eq!(
            (group(&id).state, group(&id).epoch),
            (GroupState::Closed, epoch)
        );
    });
}

#[test]
fn a_suspended_gateway_stays_suspended_with_new_keys() {
    run(|| {
        assert_ok!(Fleet::suspend_gateway(council(), ANNE));
        assert_eq!(
            replace_keys(&ANNE, by(&ANNE)),
            Err(E::GatewayNotActive.into())
        );
        assert_ok!(replace_keys(&ANNE, council()));
        assert_eq!(
            Gateways::<Test>::get(ANNE).unwrap().status,
            GatewayStatus::Suspended
        );
    });
}
