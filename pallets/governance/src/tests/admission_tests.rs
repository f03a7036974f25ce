//! Who gets a transaction into the pool, and which goes first.

use codec::Encode;
use frame_support::{
    assert_ok,
    dispatch::{DispatchInfo, GetDispatchInfo},
    pallet_prelude::{InvalidTransaction, TransactionSource, TransactionValidityError},
};
use frame_system::CheckNonce;
use sp_runtime::traits::DispatchTransaction;

use super::*;
use crate::{CheckAdmitted, NOT_ADMITTED};

type Extensions = (CheckAdmitted<Test>, CheckNonce<Test>);

fn normal() -> RuntimeCall {
    frame_system::Call::remark { remark: vec![] }.into()
}

fn operational() -> RuntimeCall {
    frame_system::Call::set_heap_pages { pages: 1 }.into()
}

/// Priority of a call that the pool accepts from this account with this nonce.
fn validate(who: u64, nonce: u32, call: &RuntimeCall) -> Result<u64, TransactionValidityError> {
    let extensions: Extensions = (CheckAdmitted::new(), CheckNonce::from(nonce));
    let info: DispatchInfo = call.get_dispatch_info();
    let origin = RuntimeOrigin::signed(who);
    let valid = extensions.validate_only(origin, call, &info, 0, TransactionSource::External, 0);
    valid.map(|(valid, ..)| valid.priority)
}

fn refused() -> TransactionValidityError {
    InvalidTransaction::Custom(NOT_ADMITTED).into()
}

#[test]
fn an_account_that_was_never_admitted_is_refused_by_name_before_its_nonce() {
    chain().execute_with(|| {
        assert_eq!(NOT_ADMITTED, 77);
        assert_eq!(validate(STRANGER, 0, &normal()), Err(refused()));
        assert_eq!(validate(STRANGER, 9, &operational()), Err(refused()));
        let nonce_only = CheckNonce::<Test>::from(0);
        let info = normal().get_dispatch_info();
        let origin = RuntimeOrigin::signed(STRANGER);
        let by_nonce =
            nonce_only.validate_only(origin, &normal(), &info, 0, TransactionSource::External, 0);
        assert_eq!(by_nonce.unwrap_err(), InvalidTransaction::Payment.into());
    });
}

#[test]
fn an_account_that_was_admitted_is_accepted() {
    chain().execute_with(|| {
        assert_ok!(validate(FOUNDER, 0, &normal()));
        Governance::admit(&STRANGER);
        assert_ok!(validate(STRANGER, 0, &normal()));
    });
}

#[test]
fn refusal_is_no_matter_of_who_brings_the_transaction() {
    chain().execute_with(|| {
        let check = CheckAdmitted::<Test>::new();
        let info = normal().get_dispatch_info();
        for source in [
            TransactionSource::Local,
            TransactionSource::InBlock,
            TransactionSource::External,
        ] {
            let origin = RuntimeOrigin::signed(STRANGER);
            let answer = check.validate_only(origin, &normal(), &info, 0, source, 0);
            assert_eq!(answer.unwrap_err(), refused());
        }
    });
}

#[test]
fn removal_goes_first() {
    chain().execute_with(|| {
        let removal = validate(FOUNDER, 0, &operational()).unwrap();
        let other = validate(FOUNDER, 0, &normal()).unwrap();
        assert!(removal > other);
        assert_eq!(removal, crate::admission::OPERATIONAL);
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

#[test]
fn the_extension_adds_no_bytes_to_a_transaction() {
    let check = CheckAdmitted::<Test>::new();
    assert!(check.encode().is_empty());
    assert_eq!(core::mem::size_of_val(&check), 0);
    assert_eq!(format!("{check:?}"), "CheckAdmitted");
}
