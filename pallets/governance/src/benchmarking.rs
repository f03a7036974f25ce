//! Benchmarks.

use alloc::{boxed::Box, vec};
use frame_benchmarking::v2::*;
use frame_support::traits::EnsureOrigin;

use crate::pallet::*;

#[benchmarks(where <T as Config>::RuntimeCall: From<frame_system::Call<T>>)]
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
    fn check_admitted() {
        let who: T::AccountId = whitelisted_caller();
        Pallet::<T>::admit(&who);
        let admitted;
        #[block]
        {
            admitted = Pallet::<T>::is_admitted(&who);
        }
        assert!(admitted);
    }
}
