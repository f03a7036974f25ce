//! When a change is in force, and that nothing else changes the set.

use frame_support::assert_ok;
use sp_core::crypto::key_types::{AURA, GRANDPA};

use super::*;
use crate::Sessions;

/// How often GRANDPA's set changed.
fn voters() -> u64 {
    pallet_grandpa::CurrentSetId::<Test>::get()
}

#[test]
fn whoever_joins_validates_two_sessions_later() {
    run(|| {
        approve_with_keys(5);
        assert_ok!(ValidatorSet::join(signed(5)));
        go_to_session(1);
        assert_eq!(in_force(), [1, 2, 3, 4]);
        go_to_session(2);
        assert_eq!(in_force(), [1, 2, 3, 4, 5]);
        assert_eq!(pallet_aura::Authorities::<Test>::get().len(), 5);
        go_to(2 * SESSION + 1);
        assert_eq!(Grandpa::grandpa_authorities().len(), 5);
    });
}

#[test]
fn whoever_leaves_validates_until_the_session_after_the_next() {
    run(|| {
        assert_ok!(ValidatorSet::leave(signed(4)));
        go_to_session(1);
        assert_eq!(in_force(), [1, 2, 3, 4]);
        go_to_session(2);
        assert_eq!(in_force(), [1, 2, 3]);
    });
}

#[test]
fn without_a_change_neither_aura_nor_grandpa_is_disturbed() {
    run(|| {
        go_to_session(12);
        assert_eq!(in_force(), [1, 2, 3, 4]);
        assert_eq!(voters(), 0);
    });
}

#[test]
fn new_keys_of_a_validator_are_in_force_two_sessions_later() {
    run(|| {
        let old = Grandpa::grandpa_authorities();
        assert_ok!(set_keys(2));
        go_to(SESSION + 1);
        assert_eq!(Grandpa::grandpa_authorities(), old);
        go_to(2 * SESSION + 1);
        assert_ne!(Grandpa::grandpa_authorities(), old);
        assert_eq!((in_force(), voters()), (vec![1, 2, 3, 4], 1));
        go_to_session(9);
        assert_eq!(voters(), 1);
    });
}

#[test]
fn sessions_are_as_long_as_genesis_says() {
    run(|| {
        go_to(SESSION - 1);
        assert_eq!(Session::current_index(), 0);
        go_to(SESSION);
        assert_eq!(Session::current_index(), 1);
    });
}

#[test]
fn a_session_of_no_blocks_does_not_stop_the_chain() {
    ext(&[1], 1).execute_with(|| {
        // Somebody with Root wrote it.
        crate::SessionBlocks::<Test>::put(0);
        System::set_block_number(2);
        Session::on_initialize(2);
        assert_eq!(Session::current_index(), 1);
    });
}

#[test]
fn the_record_has_the_keys_in_force_and_not_those_set_for_later() {
    run(|| {
        assert_ok!(set_keys(2));
        go_to_session(1);
        let old = keys(2, 0);
        for session in 0..=1 {
            let aura: &[u8] = old.aura.as_ref();
            assert!(ValidatorSet::key_owner_proof(session, AURA, aura).is_some());
            let grandpa: &[u8] = old.grandpa.as_ref();
            assert!(ValidatorSet::key_owner_proof(session, GRANDPA, grandpa).is_some());
        }
        go_to_session(2);
        assert!(ValidatorSet::key_owner_proof(2, AURA, old.aura.as_ref()).is_none());
        let new = pallet_session::NextKeys::<Test>::get(account(2)).unwrap();
        assert!(ValidatorSet::key_owner_proof(2, AURA, new.aura.as_ref()).is_some());
        assert!(ValidatorSet::key_owner_proof(1, AURA, new.aura.as_ref()).is_none());
    });
}

#[test]
fn as_many_sessions_are_kept_as_the_runtime_says() {
    run(|| {
        go_to_session(20);
        let mut kept: Vec<u32> = Sessions::<Test>::iter_keys().collect();
        kept.sort();
        assert_eq!(kept, (21 - KEPT..=20).collect::<Vec<_>>());
    });
}
