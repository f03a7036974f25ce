//! The first validators.

use std::panic::catch_unwind;

use super::*;
use crate::{genesis, Operator};

fn refusal(validators: &[u8], minimum: u32, session_blocks: u32) -> String {
    let accounts: Vec<_> = validators.iter().map(|number| account(*number)).collect();
    let build = || {
        sp_io::TestExternalities::new_empty()
            .execute_with(|| genesis::build::<Test>(&accounts, minimum, session_blocks));
    };
    let refused = catch_unwind(build).unwrap_err();
    refused.downcast_ref::<String>().map_or_else(
        || (*refused.downcast_ref::<&str>().unwrap()).to_owned(),
        Clone::clone,
    )
}

#[test]
fn the_validators_of_genesis_validate_from_the_first_block() {
    ext(&[3, 1, 2], 3).execute_with(|| {
        assert_eq!((set(), in_force()), (vec![1, 2, 3], vec![1, 2, 3]));
        assert_eq!(Minimum::<Test>::get(), 3);
        for number in 1..=3 {
            assert_eq!(
                Operators::<Test>::get(account(number)),
                Some(Operator::Active)
            );
            let who = account(number);
            assert_eq!((System::providers(&who), System::consumers(&who)), (1, 1));
        }
        go_to_session(3);
        assert_eq!(in_force(), [1, 2, 3]);
    });
}

#[test]
fn a_genesis_that_breaks_a_rule_is_refused() {
    assert!(refusal(&[1, 2], 0, 10).contains("minimum is 0"));
    assert!(refusal(&[1, 2], 3, 10).contains("minimum is 3"));
    assert!(refusal(&[1, 2, 1], 1, 10).contains("twice"));
    assert!(refusal(&[1, 2], 1, 0).contains("sessionBlocks"));
    assert!(refusal(&[1, 2, 3, 4, 5, 6, 7, 8], 1, 10).contains("more than 7"));
}

#[test]
fn a_chain_from_before_this_pallet_keeps_its_validators() {
    run(|| {
        let _ = Operators::<Test>::clear(u32::MAX, None);
        Validators::<Test>::kill();
        Minimum::<Test>::kill();
        ValidatorSet::on_runtime_upgrade();
        assert_eq!((set(), Minimum::<Test>::get()), (vec![1, 2, 3, 4], 4));
        frame_support::assert_noop!(
            ValidatorSet::leave(signed(1)),
            crate::Error::<Test>::TooFewValidators
        );
        go_to_session(5);
        assert_eq!(in_force(), [1, 2, 3, 4]);
    });
}

#[test]
fn an_upgrade_of_a_chain_with_this_pallet_changes_nothing() {
    run(|| {
        frame_support::assert_ok!(ValidatorSet::leave(signed(1)));
        frame_support::assert_storage_noop!(ValidatorSet::on_runtime_upgrade());
    });
}
