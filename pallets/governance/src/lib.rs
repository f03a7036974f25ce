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

pub use admission::AdmitMembers;
pub use budget::Spending;
pub use gate::CheckAdmitted;
pub use nonce::CheckNonce;
pub use pallet::*;
pub use permission::{
    Permissions, Roles, Signers, NONCES_AHEAD, NONCE_TOO_FAR, NOT_ADMITTED, NOT_PERMITTED,
    OPERATIONAL, TOO_LONG,
};
pub use weights::WeightInfo;

mod admission;
#[cfg(feature = "runtime-benchmarks")]
pub mod benchmarking;
mod budget;
mod gate;
mod nonce;
mod permission;
#[cfg(test)]
mod tests;
pub mod weights;

#[frame_support::pallet]
#[expect(
    clippy::expect_used,
    reason = "FRAME's macros expect the pallet to be in the runtime"
)]
pub mod pallet {
    use crate::{Permissions, Spending, WeightInfo};
    use alloc::{boxed::Box, vec::Vec};
    use frame_support::{
        dispatch::{DispatchResult, GetDispatchInfo, PostDispatchInfo},
        pallet_prelude::*,
        traits::{EnsureOrigin, UnfilteredDispatchable},
    };
    use frame_system::pallet_prelude::*;
    use sp_runtime::{traits::Dispatchable, Perbill};

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
        /// Which roles an account has, and which roles may sign a call.
        type Permissions: Permissions<Self::AccountId, <Self as frame_system::Config>::RuntimeCall>;
        /// Share of a block's reference time and length that the transactions of one account may fill.
        type BudgetShare: Get<Perbill>;
        /// Longest transaction, in bytes, of an account that has no role that governs.
        type MaxLength: Get<u32>;
        /// Weights of the calls.
        type WeightInfo: WeightInfo;
        /// Makes what the gate is benchmarked with.
        #[cfg(feature = "runtime-benchmarks")]
        type BenchmarkHelper: crate::benchmarking::BenchmarkHelper<
            Self::AccountId,
            <Self as frame_system::Config>::RuntimeCall,
        >;
    }

    /// What each account filled of the last block that it had a transaction in. One entry per account that may sign anything,
    /// overwritten.
    #[pallet::storage]
    pub type Spendings<T: Config> =
        StorageMap<_, Blake2_128Concat, T::AccountId, Spending<BlockNumberFor<T>>, ValueQuery>;

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
