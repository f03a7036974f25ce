//! Who gets a transaction into the pool, and which goes first.

use codec::Encode;
use frame_support::{
    assert_ok,
    dispatch::{DispatchClass, DispatchInfo, GetDispatchInfo},
    pallet_prelude::{
        InvalidTransaction, TransactionSource, TransactionValidityError, ValidTransaction,
    },
};
use sp_runtime::traits::{DispatchTransaction, TransactionExtension};

use super::*;
use crate::{
    CheckAdmitted, CheckNonce, Permissions, NOT_ADMITTED, NOT_PERMITTED, OPERATIONAL, TOO_LONG,
};

fn validate(who: u64, call: RuntimeCall) -> Result<ValidTransaction, TransactionValidityError> {
    ask(who, &call, &call.get_dispatch_info(), 100)
}

#[test]
fn an_account_that_was_never_admitted_is_refused_by_name_before_its_nonce() {
    chain().execute_with(|| {
        assert_eq!(NOT_ADMITTED, 77);
        assert_eq!(validate(STRANGER, remark()), Err(custom(NOT_ADMITTED)));
        let both = (CheckAdmitted::<Test>::new(), CheckNonce::<Test>::from(9));
        let by_nonce = CheckNonce::<Test>::from(0);
        let info = DispatchInfo::default();
        let source = TransactionSource::External;
        let origin = || RuntimeOrigin::signed(STRANGER);
        let refused = both.validate_only(origin(), &remark(), &info, 0, source, 0);
        assert_eq!(refused.unwrap_err(), custom(NOT_ADMITTED));
        let refused = by_nonce.validate_only(origin(), &remark(), &info, 0, source, 0);
        assert_eq!(refused.unwrap_err(), InvalidTransaction::Payment.into());
    });
}

#[test]
fn an_account_that_was_admitted_is_accepted() {
    chain().execute_with(|| {
        assert_ok!(validate(FOUNDER, remark()));
        Governance::admit(&STRANGER);
        assert_ok!(validate(STRANGER, remark()));
    });
}

#[test]
fn an_account_without_a_role_signs_nothing_not_even_an_empty_batch() {
    chain().execute_with(|| {
        assert_eq!(NOT_PERMITTED, 78);
        for call in [remark(), heap_pages(), batch(vec![]), batch(vec![remark()])] {
            assert_eq!(validate(SUSPENDED, call), Err(custom(NOT_PERMITTED)));
        }
        assert_ok!(validate(FOUNDER, batch(vec![])));
    });
}

#[test]
fn each_role_signs_its_own_calls_and_no_other() {
    chain().execute_with(|| {
        assert_ok!(validate(FOUNDER, heap_pages()));
        assert_ok!(validate(MEMBER, remark_with_event()));
        for (who, call) in [(FOUNDER, remark_with_event()), (MEMBER, heap_pages())] {
            assert_eq!(validate(who, call), Err(custom(NOT_PERMITTED)));
        }
        let nobody: RuntimeCall = frame_system::Call::set_code { code: vec![] }.into();
        for who in [FOUNDER, MEMBER, BOTH] {
            assert_eq!(validate(who, nobody.clone()), Err(custom(NOT_PERMITTED)));
        }
        assert_ok!(validate(BOTH, remark_with_event()));
        assert_ok!(validate(BOTH, heap_pages()));
    });
}

#[test]
fn every_call_in_a_batch_must_be_allowed() {
    chain().execute_with(|| {
        assert_ok!(validate(FOUNDER, batch(vec![remark(), heap_pages()])));
        let smuggled = vec![remark(), remark_with_event()];
        assert_eq!(
            validate(FOUNDER, batch(smuggled)),
            Err(custom(NOT_PERMITTED))
        );
        // Each by another role of the same account.
        assert_ok!(validate(
            BOTH,
            batch(vec![remark_with_event(), heap_pages()])
        ));
    });
}

#[test]
fn a_batch_in_a_batch_is_refused() {
    chain().execute_with(|| {
        let nested = batch(vec![batch(vec![remark()])]);
        assert_eq!(validate(FOUNDER, nested), Err(custom(NOT_PERMITTED)));
        let empty = batch(vec![batch(vec![])]);
        assert_eq!(validate(BOTH, empty), Err(custom(NOT_PERMITTED)));
    });
}

#[test]
fn only_who_governs_sends_long_transactions() {
    chain().execute_with(|| {
        assert_eq!(TOO_LONG, 80);
        let info = DispatchInfo::default();
        assert_ok!(ask(FOUNDER, &remark(), &info, 1_000));
        assert_eq!(ask(FOUNDER, &remark(), &info, 1_001), Err(custom(TOO_LONG)));
        assert_ok!(ask(MEMBER, &remark(), &info, 1_001));
        assert_ok!(ask(BOTH, &remark(), &info, 1_001));
    });
}

#[test]
fn refusal_is_no_matter_of_who_brings_the_transaction() {
    chain().execute_with(|| {
        let check = CheckAdmitted::<Test>::new();
        let info = DispatchInfo::default();
        for source in [
            TransactionSource::Local,
            TransactionSource::InBlock,
            TransactionSource::External,
        ] {
            let origin = RuntimeOrigin::signed(STRANGER);
            let answer = check.validate_only(origin, &remark(), &info, 0, source, 0);
            assert_eq!(answer.unwrap_err(), custom(NOT_ADMITTED));
        }
    });
}

#[test]
fn what_nobody_signed_is_refused() {
    chain().execute_with(|| {
        let check = CheckAdmitted::<Test>::new();
        let (info, source) = (DispatchInfo::default(), TransactionSource::External);
        for origin in [RuntimeOrigin::none(), RuntimeOrigin::root()] {
            let answer = check.validate_only(origin, &remark(), &info, 0, source, 0);
            let refused = InvalidTransaction::UnknownOrigin.into();
            assert_eq!(answer.map(|_| ()).unwrap_err(), refused);
        }
    });
}

#[test]
fn removal_goes_first() {
    chain().execute_with(|| {
        let removal = validate(FOUNDER, heap_pages()).unwrap().priority;
        let other = validate(FOUNDER, remark()).unwrap().priority;
        assert_eq!((removal, other), (OPERATIONAL, 0));
    });
}

#[test]
fn what_alone_is_over_the_budget_waits_until_removals_are_in_the_block() {
    chain().execute_with(|| {
        let mut info = heap_pages().get_dispatch_info();
        assert_eq!(info.class, DispatchClass::Operational);
        let weights = block_weights();
        info.call_weight = weights.max_block / 2;
        assert_eq!(ask(BOTH, &heap_pages(), &info, 100).unwrap().priority, 0);
    });
}

#[test]
fn the_gate_weighs_every_call_that_it_looks_at() {
    assert_eq!(Table::size(&remark()), 1);
    assert_eq!(Table::size(&batch(vec![remark(); 7])), 7);
}

#[test]
fn the_extension_adds_no_bytes_to_a_transaction() {
    let check = CheckAdmitted::<Test>::new();
    assert!(check.encode().is_empty());
    assert_eq!(core::mem::size_of_val(&check), 0);
    assert_eq!(format!("{check:?}"), "CheckAdmitted");
    let name = <CheckAdmitted<Test> as TransactionExtension<RuntimeCall>>::IDENTIFIER;
    assert_eq!(name, "CheckAdmitted");
}
