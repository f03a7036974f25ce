//! How much of a block one account may fill.

use codec::{Encode, MaxEncodedLen};
use frame_support::{
    assert_ok,
    dispatch::{DispatchInfo, Pays, PostDispatchInfo},
    pallet_prelude::{InvalidTransaction, TransactionValidityError, Weight},
};
use sp_runtime::traits::DispatchTransaction;

use super::*;
use crate::{CheckAdmitted, Spending, Spendings};

/// A quarter of the block's second.
const BUDGET: u64 = 250_000_000_000;
/// A quarter of the block's 5 MiB.
const LENGTH: usize = 1_310_720;

/// What a transaction weighs that does nothing.
fn base() -> u64 {
    let weights = block_weights();
    assert_eq!(weights.max_block.ref_time(), 4 * BUDGET);
    weights.get(Default::default()).base_extrinsic.ref_time()
}

fn weighing(time: u64) -> DispatchInfo {
    DispatchInfo {
        call_weight: Weight::from_parts(time - base(), 0),
        ..Default::default()
    }
}

/// Puts a transaction into the block that declares `time` and uses `used` less than that.
fn enter(who: u64, time: u64, unused: u64, length: usize) -> Result<(), TransactionValidityError> {
    let info = weighing(time);
    let actual = info
        .call_weight
        .saturating_sub(Weight::from_parts(unused, 0));
    let post = PostDispatchInfo {
        actual_weight: Some(actual),
        pays_fee: Pays::No,
    };
    let origin = RuntimeOrigin::signed(who);
    let done =
        CheckAdmitted::<Test>::new().test_run(origin, &remark(), &info, length, 0, |_| Ok(post));
    assert_ok!(done?);
    Ok(())
}

fn exhausted() -> Result<(), TransactionValidityError> {
    Err(InvalidTransaction::ExhaustsResources.into())
}

#[test]
fn an_account_fills_a_quarter_of_a_block_and_no_more() {
    chain().execute_with(|| {
        for _ in 0..4 {
            assert_ok!(enter(FOUNDER, BUDGET / 4, 0, 100));
        }
        assert_eq!(enter(FOUNDER, BUDGET / 1_000, 0, 100), exhausted());
        // It is nobody else's matter, and over with the block.
        assert_ok!(enter(BOTH, BUDGET, 0, 100));
        System::set_block_number(2);
        assert_ok!(enter(FOUNDER, BUDGET, 0, 100));
    });
}

#[test]
fn what_was_declared_and_not_used_can_be_used_again() {
    chain().execute_with(|| {
        assert_ok!(enter(FOUNDER, BUDGET, BUDGET / 2, 100));
        assert_ok!(enter(FOUNDER, BUDGET / 2, 0, 100));
        assert_eq!(enter(FOUNDER, BUDGET / 1_000, 0, 100), exhausted());
    });
}

#[test]
fn every_transaction_counts_with_the_base_weight() {
    chain().execute_with(|| {
        assert_ok!(enter(FOUNDER, base(), 0, 100));
        assert_eq!(Spendings::<Test>::get(FOUNDER).time, base());
    });
}

#[test]
fn length_counts_too() {
    chain().execute_with(|| {
        let most = 1_000;
        for _ in 0..LENGTH / most {
            assert_ok!(enter(FOUNDER, base(), 0, most));
        }
        assert_eq!(enter(FOUNDER, base(), 0, most), exhausted());
        assert_ok!(enter(FOUNDER, base(), 0, LENGTH % most));
    });
}

#[test]
fn a_pool_refuses_at_once_what_no_block_could_take() {
    chain().execute_with(|| {
        assert_ok!(ask(FOUNDER, &remark(), &weighing(BUDGET), 100));
        let refused = ask(FOUNDER, &remark(), &weighing(BUDGET + 1), 100);
        assert_eq!(refused.map(drop), exhausted());
    });
}

#[test]
fn a_pool_judges_against_a_fresh_block() {
    chain().execute_with(|| {
        assert_ok!(enter(FOUNDER, BUDGET, 0, 100));
        // As `Executive::validate_transaction` does.
        System::set_block_number(2);
        assert_ok!(ask(FOUNDER, &remark(), &weighing(BUDGET), 100));
    });
}

#[test]
fn asking_alone_fills_nothing() {
    chain().execute_with(|| {
        for _ in 0..9 {
            assert_ok!(ask(FOUNDER, &remark(), &weighing(BUDGET), 100));
        }
        assert!(!Spendings::<Test>::contains_key(FOUNDER));
    });
}

#[test]
fn who_governs_exceeds_it_with_one_transaction_in_a_block() {
    chain().execute_with(|| {
        assert_ok!(enter(MEMBER, 2 * BUDGET, BUDGET, 100));
        assert_eq!(enter(MEMBER, 2 * BUDGET, 0, 100), exhausted());
        // What fits the budget still does.
        assert_ok!(enter(MEMBER, BUDGET, 0, 100));
        assert_eq!(enter(MEMBER, BUDGET / 1_000, 0, 100), exhausted());
        System::set_block_number(2);
        assert_ok!(enter(MEMBER, BUDGET / 1_000, 0, LENGTH + 1));
        assert_eq!(enter(MEMBER, BUDGET / 1_000, 0, LENGTH + 1), exhausted());
    });
}

#[test]
fn nobody_else_exceeds_it() {
    chain().execute_with(|| {
        assert_eq!(enter(FOUNDER, BUDGET + 1, 0, 100), exhausted());
    });
}

#[test]
fn only_a_transaction_that_alone_is_over_it_may_exceed_it() {
    chain().execute_with(|| {
        assert_ok!(enter(MEMBER, BUDGET / 2 + 1, 0, 100));
        assert_eq!(enter(MEMBER, BUDGET / 2, 0, 100), exhausted());
        assert_ok!(enter(MEMBER, 2 * BUDGET, 0, 100));
    });
}

#[test]
fn the_entry_of_an_account_is_small_and_overwritten() {
    chain().execute_with(|| {
        for block in 1..4 {
            System::set_block_number(block);
            assert_ok!(enter(FOUNDER, BUDGET, 0, 100));
            let expected = Spending {
                block,
                time: BUDGET,
                length: 100,
                oversized: false,
            };
            assert_eq!(Spendings::<Test>::get(FOUNDER), expected);
        }
        assert_eq!(Spendings::<Test>::iter().count(), 1);
        assert!(Spending::<u32>::max_encoded_len() <= 17);
    });
}

#[test]
fn what_is_refused_leaves_no_entry() {
    chain().execute_with(|| {
        assert!(enter(STRANGER, BUDGET, 0, 100).is_err());
        assert!(enter(SUSPENDED, BUDGET, 0, 100).is_err());
        assert!(enter(FOUNDER, BUDGET + 1, 0, 100).is_err());
        assert_eq!(Spendings::<Test>::iter().count(), 0);
        assert!(!remark().encode().is_empty());
    });
}
