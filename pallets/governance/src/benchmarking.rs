//! Benchmarks.

use alloc::{boxed::Box, vec};
use frame_benchmarking::{account, v2::*};
use frame_support::{
    dispatch::{DispatchInfo, PostDispatchInfo},
    traits::EnsureOrigin,
    weights::Weight,
};
use frame_system::RawOrigin;
use sp_runtime::traits::{
    AsSystemOriginSigner, AsTransactionAuthorizedOrigin, DispatchOriginOf, DispatchTransaction,
    Dispatchable,
};

use crate::{pallet::*, CheckAdmitted};

/// Makes what the gate is benchmarked with: the worst that it meets.
pub trait BenchmarkHelper<AccountId, Call> {
    /// Gives an account every role, in collectives that are full.
    fn give_every_role(who: &AccountId);

    /// A batch of `n` calls that an account with every role may sign.
    fn batch(n: u32) -> Call;
}

type CallOf<T> = <T as frame_system::Config>::RuntimeCall;

#[benchmarks(
    where
        T: Send + Sync,
        CallOf<T>: From<frame_system::Call<T>>
            + Dispatchable<Info = DispatchInfo, PostInfo = PostDispatchInfo>,
        <T as Config>::RuntimeCall: From<frame_system::Call<T>>,
        DispatchOriginOf<CallOf<T>>:
            AsSystemOriginSigner<T::AccountId> + AsTransactionAuthorizedOrigin + Clone,
)]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn as_root() -> Result<(), BenchmarkError> {
        let origin =
            T::RootOrigin::try_successful_origin().map_err(|()| BenchmarkError::Weightless)?;
        let call = Box::new(frame_system::Call::<T>::set_storage { items: vec![] }.into());
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, call);
        Ok(())
    }

    #[benchmark]
    fn check_admitted(n: Linear<1, 1_000>) {
        let who: T::AccountId = account("member", 0, 0);
        Pallet::<T>::admit(&who);
        T::BenchmarkHelper::give_every_role(&who);
        let call = T::BenchmarkHelper::batch(n);
        let info = DispatchInfo {
            call_weight: Weight::from_parts(1_000, 0),
            ..Default::default()
        };
        // Less than was declared: the budget is written twice.
        let spent = PostDispatchInfo {
            actual_weight: Some(Weight::zero()),
            ..Default::default()
        };
        let origin = RawOrigin::Signed(who.clone()).into();
        let outcome;
        #[block]
        {
            outcome =
                CheckAdmitted::<T>::new().test_run(origin, &call, &info, 100, 0, |_| Ok(spent));
        }
        assert!(matches!(outcome, Ok(Ok(_))));
        assert_eq!(Spendings::<T>::get(&who).length, 100);
    }
}
