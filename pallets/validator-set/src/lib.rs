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

pub use equivocation::{AuraEquivocation, LONGEST_HEADER};
pub use offence::{Equivocation, Offence, MAX_OFFENCES};
pub use pallet::*;
pub use session::{KeyOwnerProof, SessionLength, SessionRecord, SessionValidator, SESSION_BLOCKS};
pub use set::Operator;
pub use weights::WeightInfo;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod equivocation;
mod genesis;
mod offence;
pub mod runtime_api;
mod session;
mod set;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "try-runtime"))]
mod try_state;
pub mod weights;

#[frame_support::pallet]
#[expect(
    clippy::expect_used,
    clippy::let_unit_value,
    reason = "FRAME's macros expect the pallet to be in the runtime, and bind nothing"
)]
#[expect(
    deprecated,
    reason = "`AuthorizeCall`, which replaces `ValidateUnsigned` in 2027, is one more transaction extension"
)]
pub mod pallet {
    use alloc::{boxed::Box, vec::Vec};
    use frame_support::{
        pallet_prelude::*,
        traits::{EnsureOrigin, OnNewAccount, StorageVersion},
    };
    use frame_system::pallet_prelude::*;
    use sp_staking::SessionIndex;

    use crate::{
        equivocation::{self, AuraEquivocation},
        genesis,
        offence::{self, Equivocation, Offence, MAX_OFFENCES},
        session::{KeyOwnerProof, SessionRecord, SESSION_BLOCKS},
        set::{self, Operator},
        weights::WeightInfo,
    };

    /// The version of what is stored.
    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    /// The pallet.
    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    /// What the runtime decides.
    #[pallet::config]
    pub trait Config:
        frame_system::Config<RuntimeEvent: From<Event<Self>>>
        + pallet_session::Config<ValidatorId = <Self as frame_system::Config>::AccountId>
        + pallet_aura::Config
    {
        /// Who governs: root or two thirds of the council.
        type GovernanceOrigin: EnsureOrigin<Self::RuntimeOrigin>;
        /// Lets the accounts of operators submit transactions.
        type Admission: OnNewAccount<Self::AccountId>;
        /// Most validators of a network.
        #[pallet::constant]
        type MaxValidators: Get<u32>;
        /// Most approved operators, validators among them.
        #[pallet::constant]
        type MaxOperators: Get<u32>;
        /// Blocks that an operator that left waits before it joins again.
        #[pallet::constant]
        type Cooldown: Get<BlockNumberFor<Self>>;
        /// Sessions, the running one included, whose offences can be reported.
        #[pallet::constant]
        type KeptSessions: Get<u32>;
        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// The record of a session, as stored.
    pub type SessionRecordOf<T> = SessionRecord<
        <T as frame_system::Config>::AccountId,
        <T as pallet_aura::Config>::AuthorityId,
        <T as Config>::MaxValidators,
    >;
    /// An offence, as stored.
    pub type OffenceOf<T> = Offence<BlockNumberFor<T>>;

    /// The accounts that the council approved as operators of validators, and what they do.
    #[pallet::storage]
    pub type Operators<T: Config> =
        CountedStorageMap<_, Blake2_128Concat, T::AccountId, Operator<BlockNumberFor<T>>>;

    /// The validators, by rising account: the set that is planned when the next session begins, and in force one session
    /// after that. `session.validators` says who validates now.
    #[pallet::storage]
    pub type Validators<T: Config> =
        StorageValue<_, BoundedVec<T::AccountId, T::MaxValidators>, ValueQuery>;

    /// There are never fewer validators than these.
    #[pallet::storage]
    pub type Minimum<T> = StorageValue<_, u32, ValueQuery>;

    /// Blocks in a session when genesis says nothing else.
    #[pallet::type_value]
    pub fn DefaultSessionBlocks<T: Config>() -> BlockNumberFor<T> {
        SESSION_BLOCKS.into()
    }

    /// Blocks in a session. Set by genesis only.
    #[pallet::storage]
    pub type SessionBlocks<T: Config> =
        StorageValue<_, BlockNumberFor<T>, ValueQuery, DefaultSessionBlocks<T>>;

    /// When each of the last sessions began, and whose keys were in force: what reports of offences are held against.
    #[pallet::storage]
    pub type Sessions<T: Config> = StorageMap<_, Twox64Concat, SessionIndex, SessionRecordOf<T>>;

    /// Two blocks of one slot and two votes of one round, by the account whose key signed them. At most 32 for each account.
    #[pallet::storage]
    pub type Offences<T: Config> = StorageMap<
        _,
        Blake2_128Concat,
        T::AccountId,
        BoundedVec<OffenceOf<T>, ConstU32<MAX_OFFENCES>>,
        ValueQuery,
    >;

    /// What happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(crate) fn deposit_event)]
    pub enum Event<T: Config> {
        /// The council approved an account as operator: it may set session keys and join.
        OperatorApproved {
            /// The operator.
            account: T::AccountId,
        },
        /// An operator joined the validators; in force two sessions later.
        ValidatorJoined {
            /// The operator.
            account: T::AccountId,
        },
        /// A validator left, or was removed by the council; in force two sessions later.
        ValidatorLeft {
            /// The operator.
            account: T::AccountId,
        },
        /// The council removed an operator: it is no longer approved.
        OperatorRemoved {
            /// The former operator.
            account: T::AccountId,
        },
        /// The council changed how few validators there may be.
        MinimumChanged {
            /// The new minimum.
            minimum: u32,
        },
        /// A validator signed two blocks of one slot, or two votes of one round. Nothing else happens: the council decides.
        OffenceReported {
            /// The operator whose key it was.
            account: T::AccountId,
            /// What it signed twice.
            equivocation: Equivocation,
            /// In which session.
            session: SessionIndex,
        },
        /// The council has dealt with the offences of an account.
        OffencesCleared {
            /// The operator.
            account: T::AccountId,
            /// How many they were.
            count: u32,
        },
    }

    /// Why a call failed.
    #[pallet::error]
    pub enum Error<T> {
        /// The account is no approved operator: the council approves it with `validatorSet.approve`.
        NotApproved,
        /// The account is an approved operator already.
        AlreadyApproved,
        /// The operator validates already.
        AlreadyValidator,
        /// The operator does not validate.
        NotValidator,
        /// The operator has no session keys: it makes them with `author_rotateKeysWithOwner` and sets them with
        /// `session.setKeys`, then joins.
        NoSessionKeys,
        /// The operator left a short time ago: it joins again when `Cooldown` blocks have passed since then.
        CoolingDown,
        /// There are as many validators as there can be.
        TooManyValidators,
        /// There are as many approved operators as there can be: the council removes one first.
        TooManyOperators,
        /// There would be fewer validators than the minimum: another joins first, or the council lowers the minimum.
        TooFewValidators,
        /// The minimum is at least one and at most the number of validators.
        BadMinimum,
        /// There is nothing on record against the account, or the council has cleared it.
        NoOffences,
        /// The headers do not prove that one key signed two different blocks of the slot.
        InvalidEquivocation,
        /// The key was not in force in that session, the slot is not in it, or the session is too long ago.
        InvalidKeyOwner,
        /// The offence is on record already, or the account's record is full.
        KnownOffence,
    }

    /// Who validates from the first block.
    #[pallet::genesis_config]
    pub struct GenesisConfig<T: Config> {
        /// The operators whose session keys are in Session's genesis.
        pub validators: Vec<T::AccountId>,
        /// How few validators there may be.
        pub minimum: u32,
        /// Blocks in a session, for ever.
        pub session_blocks: BlockNumberFor<T>,
    }

    impl<T: Config> Default for GenesisConfig<T> {
        fn default() -> Self {
            Self {
                validators: Vec::new(),
                minimum: 1,
                session_blocks: SESSION_BLOCKS.into(),
            }
        }
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            genesis::build::<T>(&self.validators, self.minimum, self.session_blocks);
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        /// A chain from before this pallet: whoever validates there stays.
        fn on_runtime_upgrade() -> Weight {
            genesis::adopt::<T>()
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            crate::try_state::check::<T>()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Approve an account as operator of a validator, and admit it to the chain. Governance.
        ///
        /// Whoever holds the account then sets its session keys (`session.setKeys`) and joins.
        #[pallet::call_index(0)]
        #[pallet::weight(<T as Config>::WeightInfo::approve())]
        pub fn approve(origin: OriginFor<T>, account: T::AccountId) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            set::approve::<T>(account)
        }

        /// Join the validators. An approved operator whose session keys are set; in force two sessions later.
        ///
        /// Whoever left joins again when `Cooldown` blocks have passed.
        #[pallet::call_index(1)]
        #[pallet::weight(<T as Config>::WeightInfo::join(T::MaxValidators::get()))]
        pub fn join(origin: OriginFor<T>) -> DispatchResult {
            set::join::<T>(ensure_signed(origin)?)
        }

        /// Leave the validators. A validator; in force two sessions later, until when its node goes on running.
        ///
        /// Refused when there would be fewer validators than the minimum. The account stays approved.
        #[pallet::call_index(2)]
        #[pallet::weight(<T as Config>::WeightInfo::leave(T::MaxValidators::get()))]
        pub fn leave(origin: OriginFor<T>) -> DispatchResult {
            set::leave::<T>(ensure_signed(origin)?)
        }

        /// Remove an operator: it is no longer approved, and no validator two sessions later. Governance.
        ///
        /// Refused when there would be fewer validators than the minimum: lower it first.
        #[pallet::call_index(3)]
        #[pallet::weight(<T as Config>::WeightInfo::remove(T::MaxValidators::get()))]
        pub fn remove(origin: OriginFor<T>, account: T::AccountId) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            set::remove::<T>(account)
        }

        /// Set how few validators there may be: at least one, at most as many as there are. Governance.
        #[pallet::call_index(4)]
        #[pallet::weight(<T as Config>::WeightInfo::set_minimum())]
        pub fn set_minimum(origin: OriginFor<T>, minimum: u32) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            set::set_minimum::<T>(minimum)
        }

        /// Mark the offences of an account as dealt with. Governance.
        ///
        /// They stay on record, `cleared`, as long as they could be reported anew.
        #[pallet::call_index(5)]
        #[pallet::weight(<T as Config>::WeightInfo::clear_offences())]
        pub fn clear_offences(origin: OriginFor<T>, account: T::AccountId) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            offence::clear::<T>(account)
        }

        /// Report two different blocks that one validator signed for one slot. Nodes do this by themselves, unsigned.
        ///
        /// `owner` names the session in which the key was in force. The offence is recorded once; the validator goes on until
        /// the council decides.
        #[pallet::call_index(6)]
        #[pallet::weight(<T as Config>::WeightInfo::report_aura_equivocation())]
        pub fn report_aura_equivocation(
            origin: OriginFor<T>,
            equivocation: Box<AuraEquivocation<HeaderFor<T>, T::AuthorityId>>,
            owner: KeyOwnerProof,
        ) -> DispatchResult {
            ensure_none(origin)?;
            equivocation::report::<T>(&equivocation, owner)
        }
    }

    #[pallet::validate_unsigned]
    impl<T: Config> ValidateUnsigned for Pallet<T> {
        type Call = Call<T>;

        fn validate_unsigned(source: TransactionSource, call: &Self::Call) -> TransactionValidity {
            equivocation::validate::<T>(source, call)
        }

        fn pre_dispatch(call: &Self::Call) -> Result<(), TransactionValidityError> {
            equivocation::validate::<T>(TransactionSource::InBlock, call).map(drop)
        }
    }

    impl<T: Config> Pallet<T> {
        /// Whether the council approved this account as operator, whether or not it validates.
        pub fn is_operator(account: &T::AccountId) -> bool {
            Operators::<T>::contains_key(account)
        }
    }
}
