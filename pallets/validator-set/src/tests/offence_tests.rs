//! What is on record, for how long, and what the council does about it.

use frame_support::{assert_noop, assert_ok};
use pallet_grandpa::{EquivocationOffence, TimeSlot};
use sp_staking::offence::{OffenceError, ReportOffence};

use super::*;
use crate::{
    offence::{is_known, record},
    Error, Event, Offences, MAX_OFFENCES,
};

fn votes(round: u64) -> Equivocation {
    Equivocation::Votes { set: 0, round }
}

/// As `pallet_grandpa` reports what it has verified.
fn report(offender: u8, round: u64) -> Result<(), OffenceError> {
    let offence = EquivocationOffence {
        time_slot: TimeSlot { set_id: 0, round },
        session_index: Session::current_index(),
        validator_set_count: 4,
        offender: account(offender),
    };
    ValidatorSet::report_offence(vec![], offence)
}

fn known(offender: u8, round: u64) -> bool {
    let time = TimeSlot { set_id: 0, round };
    <ValidatorSet as ReportOffence<_, _, EquivocationOffence<AccountId32>>>::is_known_offence(
        &[account(offender)],
        &time,
    )
}

fn on_record(number: u8) -> Vec<(Equivocation, bool)> {
    let offences = Offences::<Test>::get(account(number)).into_iter();
    offences
        .map(|offence| (offence.equivocation, offence.cleared))
        .collect()
}

#[test]
fn two_votes_of_one_round_are_recorded_once_and_nothing_else_happens() {
    run(|| {
        assert!(!known(2, 7));
        assert_eq!(report(2, 7), Ok(()));
        assert!(happened(Event::OffenceReported {
            account: account(2),
            equivocation: votes(7),
            session: 0
        }));
        assert!(known(2, 7) && !known(2, 8) && !known(1, 7));
        assert_eq!(report(2, 7), Err(OffenceError::DuplicateReport));
        assert_eq!(on_record(2), [(votes(7), false)]);
        go_to_session(3);
        assert_eq!(in_force(), [1, 2, 3, 4]);
    });
}

#[test]
fn the_record_of_an_account_is_bounded() {
    run(|| {
        for round in 0..u64::from(MAX_OFFENCES) {
            assert_eq!(report(2, round), Ok(()));
        }
        assert!(known(2, 1_000), "so that no more reports are made");
        assert_eq!(report(2, 1_000), Err(OffenceError::DuplicateReport));
        assert_eq!(on_record(2).len() as u32, MAX_OFFENCES);
        assert_eq!(report(1, 1_000), Ok(()));
    });
}

#[test]
fn the_council_clears_a_record() {
    run(|| {
        assert_eq!((report(2, 7), report(2, 8)), (Ok(()), Ok(())));
        assert_ok!(ValidatorSet::clear_offences(council(), account(2)));
        let (account, count) = (account(2), 2);
        assert!(happened(Event::OffencesCleared { account, count }));
        assert_eq!(on_record(2), [(votes(7), true), (votes(8), true)]);
    });
}

#[test]
fn there_must_be_something_to_clear() {
    run(|| {
        let clear = || ValidatorSet::clear_offences(council(), account(2));
        assert_noop!(clear(), Error::<Test>::NoOffences);
        assert_eq!(report(2, 7), Ok(()));
        assert_ok!(clear());
        assert_noop!(clear(), Error::<Test>::NoOffences);
    });
}

#[test]
fn what_the_council_has_cleared_is_not_reported_anew() {
    run(|| {
        assert_eq!(report(2, 7), Ok(()));
        assert_ok!(ValidatorSet::clear_offences(council(), account(2)));
        assert!(known(2, 7));
        assert_eq!(report(2, 7), Err(OffenceError::DuplicateReport));
    });
}

#[test]
fn what_was_cleared_is_forgotten_when_no_report_of_it_can_come() {
    run(|| {
        assert_eq!(report(2, 7), Ok(()));
        assert_ok!(ValidatorSet::clear_offences(council(), account(2)));
        assert_eq!(report(2, 8), Ok(()));
        go_to_session(KEPT - 1);
        assert!(is_known::<Test>(&account(2), votes(7)));
        go_to_session(KEPT);
        assert_ok!(record::<Test>(account(2), votes(9), KEPT));
        assert_eq!(on_record(2), [(votes(8), false), (votes(9), false)]);
    });
}

#[test]
fn a_record_of_old_offences_goes_away_when_it_is_cleared() {
    run(|| {
        assert_eq!(report(2, 7), Ok(()));
        go_to_session(KEPT);
        assert_eq!(on_record(2), [(votes(7), false)], "until somebody saw it");
        assert_ok!(ValidatorSet::clear_offences(council(), account(2)));
        assert!(!Offences::<Test>::contains_key(account(2)));
    });
}

#[test]
fn who_is_removed_stays_on_record() {
    run(|| {
        assert_eq!(report(2, 7), Ok(()));
        assert_ok!(ValidatorSet::remove(council(), account(2)));
        assert_eq!(on_record(2), [(votes(7), false)]);
        assert_ok!(ValidatorSet::clear_offences(council(), account(2)));
    });
}
