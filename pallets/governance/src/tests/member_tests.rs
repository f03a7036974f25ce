//! Whoever becomes a member of a collective may vote.

use super::*;
use crate::AdmitMembers;

type Members = AdmitMembers<Test, Collective>;

#[test]
fn a_new_member_is_admitted_before_the_collective_hears_of_it() {
    chain().execute_with(|| {
        Members::change_members_sorted(&[STRANGER], &[3], &[FOUNDER, STRANGER]);
        assert!(Governance::is_admitted(&STRANGER));
        assert_eq!(
            told(),
            [Told::Changed(
                vec![STRANGER],
                vec![3],
                vec![FOUNDER, STRANGER]
            )]
        );
    });
}

#[test]
fn the_first_members_are_admitted() {
    chain().execute_with(|| {
        Members::initialize_members(&[STRANGER, 3]);
        assert!(Governance::is_admitted(&STRANGER) && Governance::is_admitted(&3));
        assert_eq!(told(), [Told::Initialized(vec![STRANGER, 3])]);
    });
}

#[test]
fn who_leaves_stays_admitted_so_that_its_nonce_is_never_reset() {
    chain().execute_with(|| {
        Members::change_members_sorted(&[STRANGER], &[], &[STRANGER]);
        Members::change_members_sorted(&[], &[STRANGER], &[]);
        assert_eq!(System::providers(&STRANGER), 1);
        Members::change_members_sorted(&[STRANGER], &[], &[STRANGER]);
        assert_eq!(System::providers(&STRANGER), 1);
        assert_eq!(told().len(), 3);
    });
}

#[test]
fn the_prime_is_forwarded() {
    chain().execute_with(|| {
        Members::set_prime(Some(FOUNDER));
        assert_eq!(told(), [Told::Prime(Some(FOUNDER))]);
        assert_eq!(Members::get_prime(), Some(7));
    });
}

#[test]
fn an_account_is_admitted_once_and_for_ever() {
    chain().execute_with(|| {
        assert_eq!(System::providers(&FOUNDER), 1, "genesis named it twice");
        Governance::admit(&STRANGER);
        Governance::admit(&STRANGER);
        assert_eq!(System::providers(&STRANGER), 1);
        System::inc_account_nonce(STRANGER);
        Governance::admit(&STRANGER);
        assert_eq!(System::account_nonce(STRANGER), 1);
    });
}
