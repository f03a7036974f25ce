//! Who may join, leave and be removed.

use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchError::BadOrigin;

use super::*;
use crate::{Error, Event, Operator};

fn operator(number: u8) -> Option<Operator<u32>> {
    Operators::<Test>::get(account(number))
}

#[test]
fn an_approved_operator_with_keys_joins() {
    run(|| {
        assert_ok!(ValidatorSet::approve(council(), account(5)));
        assert!(happened(Event::OperatorApproved {
            account: account(5)
        }));
        assert_ok!(set_keys(5));
        assert_ok!(ValidatorSet::join(signed(5)));
        assert!(happened(Event::ValidatorJoined {
            account: account(5)
        }));
        assert_eq!(set(), [1, 2, 3, 4, 5]);
        assert_eq!(operator(5), Some(Operator::Active));
    });
}

#[test]
fn approval_admits_the_account_to_the_chain_once() {
    run(|| {
        assert_eq!(System::providers(&account(5)), 0);
        assert_ok!(ValidatorSet::approve(council(), account(5)));
        assert_eq!(System::providers(&account(5)), 1);
        assert_ok!(ValidatorSet::remove(council(), account(5)));
        assert_ok!(ValidatorSet::approve(council(), account(5)));
        assert_eq!(System::providers(&account(5)), 1);
    });
}

#[test]
fn who_was_not_approved_does_not_join_or_leave() {
    run(|| {
        Admission::on_new_account(&account(5));
        assert_ok!(set_keys(5));
        assert_noop!(ValidatorSet::join(signed(5)), Error::<Test>::NotApproved);
        assert_noop!(ValidatorSet::leave(signed(5)), Error::<Test>::NotApproved);
        assert!(!ValidatorSet::is_operator(&account(5)));
    });
}

#[test]
fn an_operator_without_session_keys_does_not_join() {
    run(|| {
        assert_ok!(ValidatorSet::approve(council(), account(5)));
        assert_noop!(ValidatorSet::join(signed(5)), Error::<Test>::NoSessionKeys);
    });
}

#[test]
fn only_the_council_approves_removes_clears_and_sets_the_minimum() {
    run(|| {
        for who in [signed(1), signed(9), RuntimeOrigin::none()] {
            assert_noop!(ValidatorSet::approve(who.clone(), account(5)), BadOrigin);
            assert_noop!(ValidatorSet::remove(who.clone(), account(1)), BadOrigin);
            assert_noop!(ValidatorSet::set_minimum(who.clone(), 1), BadOrigin);
            assert_noop!(ValidatorSet::clear_offences(who, account(1)), BadOrigin);
        }
        assert_ok!(ValidatorSet::approve(RuntimeOrigin::root(), account(5)));
    });
}

#[test]
fn nobody_is_approved_or_joins_twice() {
    run(|| {
        let approve = ValidatorSet::approve(council(), account(1));
        assert_noop!(approve, Error::<Test>::AlreadyApproved);
        assert_noop!(
            ValidatorSet::join(signed(1)),
            Error::<Test>::AlreadyValidator
        );
    });
}

#[test]
fn a_validator_leaves_and_joins_again_after_the_cooldown() {
    run(|| {
        assert_ok!(ValidatorSet::leave(signed(1)));
        assert!(happened(Event::ValidatorLeft {
            account: account(1)
        }));
        assert_eq!(operator(1), Some(Operator::Left { at: 1 }));
        assert!(ValidatorSet::is_operator(&account(1)));
        assert_noop!(ValidatorSet::leave(signed(1)), Error::<Test>::NotValidator);
        go_to(COOLDOWN);
        assert_noop!(ValidatorSet::join(signed(1)), Error::<Test>::CoolingDown);
        go_to(COOLDOWN + 1);
        assert_ok!(ValidatorSet::join(signed(1)));
        assert_eq!(set(), [1, 2, 3, 4]);
    });
}

#[test]
fn nobody_leaves_when_fewer_than_the_minimum_would_stay() {
    run(|| {
        assert_ok!(ValidatorSet::leave(signed(1)));
        assert_ok!(ValidatorSet::leave(signed(3)));
        let error = Error::<Test>::TooFewValidators;
        assert_noop!(ValidatorSet::leave(signed(2)), error);
        assert_noop!(
            ValidatorSet::remove(council(), account(2)),
            Error::<Test>::TooFewValidators
        );
        assert_ok!(ValidatorSet::set_minimum(council(), 1));
        assert_ok!(ValidatorSet::leave(signed(2)));
        assert_noop!(
            ValidatorSet::leave(signed(4)),
            Error::<Test>::TooFewValidators
        );
    });
}

#[test]
fn the_last_validator_stays_whatever_the_minimum_says() {
    ext(&[1], 1).execute_with(|| {
        // Somebody with Root wrote it.
        Minimum::<Test>::put(0);
        assert_noop!(
            ValidatorSet::leave(signed(1)),
            Error::<Test>::TooFewValidators
        );
    });
}

#[test]
fn who_is_removed_is_approved_no_more() {
    run(|| {
        assert_ok!(ValidatorSet::remove(council(), account(2)));
        for event in [
            Event::ValidatorLeft {
                account: account(2),
            },
            Event::OperatorRemoved {
                account: account(2),
            },
        ] {
            assert!(happened(event));
        }
        assert_eq!(set(), [1, 3, 4]);
        assert!(!ValidatorSet::is_operator(&account(2)));
        assert_noop!(ValidatorSet::join(signed(2)), Error::<Test>::NotApproved);
        assert_noop!(
            ValidatorSet::remove(council(), account(2)),
            Error::<Test>::NotApproved
        );
    });
}

#[test]
fn removing_an_operator_that_does_not_validate_leaves_the_set_as_it_is() {
    run(|| {
        approve_with_keys(5);
        assert_ok!(ValidatorSet::remove(council(), account(5)));
        assert!(!happened(Event::ValidatorLeft {
            account: account(5)
        }));
        assert_eq!(set(), [1, 2, 3, 4]);
    });
}

#[test]
fn the_minimum_is_at_least_one_and_at_most_the_number_of_validators() {
    run(|| {
        for bad in [0, 5, u32::MAX] {
            assert_noop!(
                ValidatorSet::set_minimum(council(), bad),
                Error::<Test>::BadMinimum
            );
        }
        assert_ok!(ValidatorSet::set_minimum(council(), 4));
        assert!(happened(Event::MinimumChanged { minimum: 4 }));
        assert_noop!(
            ValidatorSet::leave(signed(1)),
            Error::<Test>::TooFewValidators
        );
    });
}

#[test]
fn validators_and_operators_are_bounded() {
    run(|| {
        for number in 5..=9 {
            approve_with_keys(number);
        }
        let approve = ValidatorSet::approve(council(), account(10));
        assert_noop!(approve, Error::<Test>::TooManyOperators);
        for number in 5..=7 {
            assert_ok!(ValidatorSet::join(signed(number)));
        }
        let join = ValidatorSet::join(signed(8));
        assert_noop!(join, Error::<Test>::TooManyValidators);
    });
}
