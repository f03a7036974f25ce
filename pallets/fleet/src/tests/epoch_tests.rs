//! Epochs: committed to before they are used, one advance per group and block, never backwards.

use frame_support::{assert_noop, assert_ok};
use keyward_protocol::{
    statement::GroupState,
    view::{Cause, StagedEpoch},
    Commitment, GroupId, Role,
};
use sp_runtime::DispatchResult;

use super::{builders::*, *};
use crate::{Error, Event, Groups, KeyExchanges};

type E = Error<Test>;

const WEEK: u64 = 7 * 24 * 3600;

fn stage_by(who: &AccountId32, group: &GroupId, epoch: u32) -> DispatchResult {
    Fleet::stage_epoch(by(who), group.clone(), epoch, commitment(epoch))
}

fn rotate_by(who: &AccountId32, group: &GroupId) -> DispatchResult {
    Fleet::rotate(by(who), group.clone())
}

fn withdraw_by(who: &AccountId32, group: &GroupId, epoch: u32) -> DispatchResult {
    Fleet::withdraw_staged(by(who), group.clone(), epoch)
}

#[test]
fn the_first_commitment_activates_the_group() {
    run(|| {
        let id = create_group("acme.g");
        next_block();
        assert_ok!(stage_by(&BERT, &id, 1));
        assert_eq!(epochs(&id), (GroupState::Active, 1, 0));
        assert_eq!(group(&id).committed, Some((commitment(1), raw(&BERT))));
        let exchange = KeyExchanges::<Test>::get(&id, 1).unwrap();
        assert_eq!((exchange.began, exchange.activated), (1, Some(2)));
        assert_eq!(exchange.committed, Some((commitment(1), raw(&BERT))));
        let event = Event::EpochActivated {
            group: id,
            epoch: 1,
            commitment: commitment(1),
            custodian: BERT,
        };
        System::assert_has_event(event.into());
    });
}

#[test]
fn commitments_are_staged_for_the_next_free_epoch_only() {
    run(|| {
        let id = create_group("acme.g");
        for wrong in [0, 2, u32::MAX] {
            assert_noop!(stage_by(&ANNE, &id, wrong), E::NotNextEpoch);
        }
        stage(&id, 1);
        for wrong in [0, 1, 3, u32::MAX] {
            assert_noop!(stage_by(&ANNE, &id, wrong), E::NotNextEpoch);
        }
        assert_ok!(stage_by(&BERT, &id, 2));
        assert_noop!(stage_by(&ANNE, &id, 2), E::NotNextEpoch);
        assert_ok!(stage_by(&ANNE, &id, 3));
        let staged = |epoch: u32, who: &AccountId32| StagedEpoch {
            epoch,
            commitment: commitment(epoch),
            custodian: raw(who),
        };
        assert_eq!(
            group(&id).staged.into_inner(),
            [staged(2, &BERT), staged(3, &ANNE)]
        );
    });
}

#[test]
fn at_most_8_epochs_are_staged() {
    run(|| {
        let id = active_group("acme.g", 8);
        assert_eq!(epochs(&id), (GroupState::Active, 1, 8));
        assert_noop!(stage_by(&ANNE, &id, 10), E::QueueFull);
        assert_ok!(rotate_by(&ANNE, &id));
        assert_ok!(stage_by(&ANNE, &id, 10));
    });
}

#[test]
fn the_advance_goes_to_what_was_committed_before() {
    run(|| {
        let id = active_group("acme.g", 1);
        assert_ok!(stage_by(&BERT, &id, 3));
        let device = register("acme.d", &ANNE);
        add(&id, &device, Role::Both);
        next_block();
        remove(&id, &device);
        assert_eq!(group(&id).committed, Some((commitment(3), raw(&BERT))));
        let exchange = KeyExchanges::<Test>::get(&id, 3).unwrap();
        assert_eq!(exchange.cause, Cause::Removed);
        assert_eq!((exchange.began, exchange.activated), (3, Some(3)));
        let event = Event::EpochAdvanced {
            group: id,
            epoch: 3,
            cause: Cause::Removed,
            commitment: Some(commitment(3)),
        };
        System::assert_has_event(event.into());
    });
}

#[test]
fn a_group_advances_once_per_block() {
    run(|| {
        let id = active_group("acme.g", 5);
        assert_ok!(rotate_by(&ANNE, &id));
        assert_ok!(rotate_by(&ANNE, &id));
        assert_ok!(Fleet::rotate(council(), id.clone()));
        assert_eq!(epochs(&id), (GroupState::Active, 2, 4));
        next_block();
        assert_ok!(rotate_by(&ANNE, &id));
        assert_eq!(epochs(&id), (GroupState::Active, 3, 3));
    });
}

#[test]
fn a_thousand_changes_in_a_block_make_one_epoch() {
    run(|| {
        let devices = ["acme.a", "acme.b", "acme.c", "acme.d"].map(|name| register(name, &ANNE));
        let id = active_group("acme.g", 5);
        add(&id, &devices[0], Role::Both);
        next_block();
        remove(&id, &devices[0]);
        for _ in 0..125 {
            let members = list(devices.iter().map(|device| (device.clone(), Role::Both)));
            assert_ok!(Fleet::add_members(by(&ANNE), id.clone(), members));
            let leaving = list(devices.iter().cloned());
            assert_ok!(Fleet::remove_members(by(&ANNE), id.clone(), leaving));
        }
        assert_eq!(epochs(&id), (GroupState::Active, 3, 3));
    });
}

#[test]
fn groups_advance_each_for_itself() {
    run(|| {
        let [g, h] = ["acme.g", "acme.h"].map(|name| active_group(name, 2));
        assert_ok!(rotate_by(&ANNE, &g));
        assert_ok!(rotate_by(&ANNE, &h));
        assert_eq!((epochs(&g).1, epochs(&h).1), (2, 2));
    });
}

#[test]
fn without_a_staged_epoch_the_group_awaits_and_advances_no_further() {
    run(|| {
        let id = active_group("acme.g", 0);
        assert_ok!(rotate_by(&ANNE, &id));
        assert_eq!(epochs(&id), (GroupState::Awaiting, 2, 0));
        assert_eq!(group(&id).committed, None);
        next_block();
        assert_ok!(rotate_by(&ANNE, &id));
        assert_eq!(epochs(&id), (GroupState::Awaiting, 2, 0));
        assert_ok!(stage_by(&BERT, &id, 2));
        assert_eq!(epochs(&id), (GroupState::Active, 2, 0));
        let exchange = KeyExchanges::<Test>::get(&id, 2).unwrap();
        assert_eq!((exchange.began, exchange.activated), (2, Some(3)));
    });
}

#[test]
fn a_removal_after_a_late_activation_advances_although_the_epoch_began_before() {
    run(|| {
        let device = register("acme.d", &ANNE);
        let id = active_group("acme.g", 0);
        add(&id, &device, Role::Both);
        assert_eq!(epochs(&id), (GroupState::Awaiting, 2, 0));
        next_block();
        stage(&id, 2);
        stage(&id, 3);
        next_block();
        remove(&id, &device);
        assert_eq!(epochs(&id), (GroupState::Active, 3, 0));
    });
}

#[test]
fn a_custodian_rotates_when_it_is_due_and_not_before() {
    run(|| {
        let id = active_group("acme.g", 3);
        assert_noop!(rotate_by(&BERT, &id), E::NotDue);
        // The epoch began two seconds ago.
        wait(WEEK - 3);
        assert_noop!(rotate_by(&BERT, &id), E::NotDue);
        wait(1);
        assert_ok!(rotate_by(&BERT, &id));
        assert_eq!(epochs(&id), (GroupState::Active, 2, 2));
        assert_eq!(
            KeyExchanges::<Test>::get(&id, 2).unwrap().cause,
            Cause::Rotated
        );
        next_block();
        assert_noop!(rotate_by(&BERT, &id), E::NotDue);
    });
}

#[test]
fn a_custodian_never_rotates_where_the_policy_schedules_nothing() {
    run(|| {
        let policy = keyward_protocol::policy::Policy {
            rotate_every: 0,
            ..Default::default()
        };
        let id = create_group_with("acme.g", policy);
        stage(&id, 1);
        next_block();
        wait(100 * WEEK);
        assert_noop!(rotate_by(&BERT, &id), E::NotDue);
        assert_ok!(rotate_by(&ANNE, &id));
    });
}

#[test]
fn who_is_neither_administrator_nor_custodian_never_rotates() {
    run(|| {
        let id = active_group("acme.g", 3);
        wait(2 * WEEK);
        assert!(rotate_by(&CORA, &id).is_err());
        assert_noop!(rotate_by(&NOBODY, &id), E::NotGateway);
        assert_eq!(epochs(&id).1, 1);
    });
}

#[test]
fn a_custodian_takes_back_what_it_staged_and_all_that_is_after_it() {
    run(|| {
        let id = active_group("acme.g", 2);
        assert_ok!(stage_by(&BERT, &id, 4));
        assert_noop!(withdraw_by(&BERT, &id, 2), E::NotCommitter);
        assert_noop!(withdraw_by(&BERT, &id, 5), E::NotStaged);
        assert_noop!(withdraw_by(&CORA, &id, 4), E::NotCustodian);
        assert_noop!(withdraw_by(&ANNE, &id, 0), E::NotStaged);
        assert_ok!(withdraw_by(&ANNE, &id, 3));
        assert_eq!(epochs(&id), (GroupState::Active, 1, 1));
        System::assert_has_event(
            Event::StagedWithdrawn {
                group: id.clone(),
                epoch: 3,
            }
            .into(),
        );
        // The epoch is free again, for another commitment.
        assert_ok!(stage_by(&BERT, &id, 3));
    });
}

#[test]
fn a_custodian_that_lost_the_current_secret_takes_the_epoch_back() {
    run(|| {
        let id = active_group("acme.g", 2);
        assert_noop!(withdraw_by(&BERT, &id, 1), E::NotCommitter);
        assert_ok!(withdraw_by(&ANNE, &id, 1));
        assert_eq!(epochs(&id), (GroupState::Awaiting, 2, 0));
        assert_noop!(withdraw_by(&ANNE, &id, 1), E::NotStaged);
        assert_noop!(withdraw_by(&ANNE, &id, 2), E::NotStaged);
        assert_ok!(stage_by(&ANNE, &id, 2));
        assert_eq!(epochs(&id), (GroupState::Active, 2, 0));
    });
}

#[test]
fn taking_back_the_epoch_of_this_block_skips_none() {
    run(|| {
        let id = active_group("acme.g", 2);
        assert_ok!(rotate_by(&ANNE, &id));
        assert_ok!(withdraw_by(&ANNE, &id, 2));
        let (state, epoch, staged) = epochs(&id);
        assert_eq!((state, staged), (GroupState::Awaiting, 0));
        assert_ok!(stage_by(&BERT, &id, epoch));
        assert_eq!(epochs(&id), (GroupState::Active, epoch, 0));
        assert_eq!(group(&id).committed, Some((commitment(epoch), raw(&BERT))));
    });
}

/// KEX-5.
#[test]
fn a_commitment_is_never_replaced_in_place() {
    run(|| {
        let id = active_group("acme.g", 1);
        let other = Commitment([0xab; 32]);
        for epoch in [1, 2] {
            assert_noop!(
                Fleet::stage_epoch(by(&ANNE), id.clone(), epoch, other),
                E::NotNextEpoch
            );
        }
        assert_eq!(group(&id).committed.unwrap().0, commitment(1));
    });
}

#[test]
fn a_group_that_used_all_epochs_says_so() {
    run(|| {
        let id = active_group("acme.g", 0);
        Groups::<Test>::mutate(&id, |group| group.as_mut().unwrap().epoch = u32::MAX);
        assert_noop!(rotate_by(&ANNE, &id), E::EpochsExhausted);
        Groups::<Test>::mutate(&id, |group| group.as_mut().unwrap().epoch = 1);
    });
}

#[test]
fn governance_rotates_at_any_time() {
    run(|| {
        let id = active_group("acme.g", 1);
        assert_ok!(Fleet::rotate(RuntimeOrigin::root(), id.clone()));
        assert_eq!(epochs(&id), (GroupState::Active, 2, 0));
    });
}
