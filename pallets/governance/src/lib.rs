#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(
    not(any(test, feature = "runtime-benchmarks")),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

extern crate alloc;

pub use admission::{AdmitMembers, CheckAdmitted, NOT_ADMITTED};
pub use pallet::*;
pub use weights::WeightInfo;

mod admission;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod tests;
pub mod weights;

#[frame_support::pallet]
#[expect(
    clippy::expect_used,
    reason = "FRAME's macros expect the pallet to be in the runtime"
)]
pub mod pallet {
    use crate::WeightInfo;
    use alloc::{boxed::Box, vec::Vec};
    use frame_support::{
        dispatch::{DispatchResult, GetDispatchInfo, PostDispatchInfo},
        pallet_prelude::*,
        traits::{EnsureOrigin, UnfilteredDispatchable},
    };
    use frame_system::pallet_prelude::*;
    use sp_runtime::traits::Dispatchable;

    /// The pallet.
    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// What the runtime decides.
    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
        /// The runtime's calls.
        type RuntimeCall: Parameter
            + UnfilteredDispatchable<RuntimeOrigin = Self::RuntimeOrigin>
            + Dispatchable<RuntimeOrigin = Self::RuntimeOrigin, PostInfo = PostDispatchInfo>
            + GetDispatchInfo;
        /// Who may act as root: two thirds of the council.
        type RootOrigin: EnsureOrigin<Self::RuntimeOrigin>;
        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// What happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// The council dispatched a call with Root, and the call succeeded.
        DispatchedAsRoot,
    }

    /// Accounts that may submit transactions from the first block.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// The accounts.
        pub admitted: Vec<T::AccountId>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            self.admitted.iter().for_each(Pallet::<T>::admit);
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Dispatch a call with Root. Only two thirds of the council may, by a motion.
        ///
        /// The call's own error is returned, so that `council.Executed` shows it. Root is nobody: calls that want a signer,
        /// such as `system.remarkWithEvent`, fail with `BadOrigin`.
        #[pallet::call_index(0)]
        #[pallet::weight({
            let info = call.get_dispatch_info();
            (info.call_weight.saturating_add(T::WeightInfo::as_root()), info.class)
        })]
        pub fn as_root(
            origin: OriginFor<T>,
            call: Box<<T as Config>::RuntimeCall>,
        ) -> DispatchResult {
            T::RootOrigin::ensure_origin(origin)?;
            call.dispatch_bypass_filter(frame_system::RawOrigin::Root.into())
                .map_err(|failed| failed.error)?;
            Self::deposit_event(Event::DispatchedAsRoot);
            Ok(())
        }
    }

    impl<T: Config> Pallet<T> {
        /// Lets an account submit transactions, once and for ever.
        pub fn admit(who: &T::AccountId) {
            if !Self::is_admitted(who) {
                frame_system::Pallet::<T>::inc_providers(who);
            }
        }

        /// Whether an account may submit transactions.
        pub fn is_admitted(who: &T::AccountId) -> bool {
            frame_system::Pallet::<T>::providers(who) > 0
        }
    }
}
