//! How far a nonce may be ahead.

use codec::Encode;
use frame_support::{assert_ok, dispatch::DispatchInfo, pallet_prelude::TransactionSource};
use scale_info::TypeInfo;
use sp_runtime::traits::{DispatchTransaction, TransactionExtension};

use super::*;
use crate::{CheckNonce, NONCES_AHEAD, NONCE_TOO_FAR};

fn validate(who: u64, nonce: u32) -> Result<ValidTransaction, TransactionValidityError> {
    let origin = RuntimeOrigin::signed(who);
    let (info, source) = (DispatchInfo::default(), TransactionSource::External);
    let answer =
        CheckNonce::<Test>::from(nonce).validate_only(origin, &remark(), &info, 0, source, 0);
    answer.map(|(valid, ..)| valid)
}

#[test]
fn sixty_four_ahead_is_the_most() {
    chain().execute_with(|| {
        assert_eq!((NONCES_AHEAD, NONCE_TOO_FAR), (64, 79));
        assert_ok!(validate(FOUNDER, 0));
        assert_ok!(validate(FOUNDER, 64));
        assert_eq!(validate(FOUNDER, 65), Err(custom(NONCE_TOO_FAR)));
        assert_eq!(validate(FOUNDER, u32::MAX), Err(custom(NONCE_TOO_FAR)));
        System::inc_account_nonce(FOUNDER);
        assert_ok!(validate(FOUNDER, 65));
    });
}

#[test]
fn otherwise_it_is_the_stock_check() {
    chain().execute_with(|| {
        System::inc_account_nonce(FOUNDER);
        assert_eq!(
            validate(FOUNDER, 0),
            Err(InvalidTransaction::Stale.into()),
            "replay"
        );
        let ahead = validate(FOUNDER, 3).unwrap();
        assert_eq!(ahead.requires, [(FOUNDER, 2u32).encode()]);
        assert_eq!(ahead.provides, [(FOUNDER, 3u32).encode()]);
        let run = |nonce| {
            let origin = RuntimeOrigin::signed(FOUNDER);
            let info = DispatchInfo::default();
            let check = CheckNonce::<Test>::from(nonce);
            check.test_run(origin, &remark(), &info, 0, 0, |_| Ok(Default::default()))
        };
        assert_eq!(run(2), Err(InvalidTransaction::Future.into()));
        assert_ok!(run(1).unwrap());
        assert_eq!(System::account_nonce(FOUNDER), 2);
    });
}

#[test]
fn nobody_outside_sees_a_difference() {
    type Stock = frame_system::CheckNonce<Test>;
    type Ours = CheckNonce<Test>;
    let name = <Ours as TransactionExtension<RuntimeCall>>::IDENTIFIER;
    assert_eq!(name, "CheckNonce");
    for nonce in [0, 63, 64, 1 << 20] {
        assert_eq!(Ours::from(nonce).encode(), Stock::from(nonce).encode());
        assert_eq!(
            format!("{:?}", Ours::from(nonce)),
            format!("{:?}", Stock::from(nonce))
        );
    }
    assert_eq!(Ours::type_info(), Stock::type_info());
    assert_eq!(
        scale_info::meta_type::<Ours>(),
        scale_info::meta_type::<Stock>()
    );
}
