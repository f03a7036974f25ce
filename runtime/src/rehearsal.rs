//! What the runtime that could come next has and this one has not. Only with the feature `next`, for rehearsing upgrades.

pub use pallet::*;

#[frame_support::pallet]
#[expect(
    clippy::expect_used,
    reason = "FRAME's macros expect the pallet to be in the runtime"
)]
pub mod pallet {
    use frame_support::pallet_prelude::*;
    use frame_system::pallet_prelude::*;

    /// The pallet.
    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// Nothing to decide.
    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {}

    /// What happened.
    #[pallet::event]
    #[pallet::generate_deposit(fn deposit_event)]
    pub enum Event<T: Config> {
        /// The new call was dispatched.
        Rehearsed,
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// A call that the runtime before did not have. Root.
        #[pallet::call_index(0)]
        #[pallet::weight(T::DbWeight::get().writes(1))]
        pub fn rehearse(origin: OriginFor<T>) -> DispatchResult {
            ensure_root(origin)?;
            Self::deposit_event(Event::Rehearsed);
            Ok(())
        }
    }
}

#[cfg(feature = "next")]
impl Config for crate::Runtime {}
