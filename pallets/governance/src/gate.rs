//! Who gets a transaction into the pool and into a block, and which goes first.

use core::marker::PhantomData;

use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::{
    dispatch::{DispatchClass, DispatchInfo, PostDispatchInfo},
    ensure,
    pallet_prelude::{
        InvalidTransaction, TransactionSource, TransactionValidityError, ValidTransaction, Weight,
    },
    traits::Get,
    DebugNoBound,
};
use frame_system::pallet_prelude::BlockNumberFor;
use scale_info::TypeInfo;
use sp_runtime::{
    traits::{
        AsSystemOriginSigner, DispatchInfoOf, DispatchOriginOf, Dispatchable, PostDispatchInfoOf,
        TransactionExtension, ValidateResult,
    },
    DispatchResult,
};

use crate::{
    budget::{self, Share, Spending},
    permission::{Permissions, Roles, NOT_ADMITTED, NOT_PERMITTED, OPERATIONAL, TOO_LONG},
    Config, Pallet, Spendings, WeightInfo,
};

/// The permission gate (DESIGN section 4). It refuses, in this order,
///
/// - transactions of accounts that were never admitted, with [`NOT_ADMITTED`];
/// - calls that none of the account's roles may sign, with [`NOT_PERMITTED`];
/// - transactions that are too long for its roles, with [`TOO_LONG`];
/// - what is over the account's budget for this block, with `ExhaustsResources`: a block builder takes it later;
///
/// and puts `Operational` calls first. It stands before `CheckNonce`, which would refuse an account without provider with a text
/// about fees. It is zero-sized: extensions with bytes of their own lock polkadot.js out.
#[derive(Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[scale_info(skip_type_params(T))]
pub struct CheckAdmitted<T>(PhantomData<T>);

impl<T> CheckAdmitted<T> {
    /// The extension.
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for CheckAdmitted<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for CheckAdmitted<T> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<T> PartialEq for CheckAdmitted<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for CheckAdmitted<T> {}

impl<T> core::fmt::Debug for CheckAdmitted<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("CheckAdmitted")
    }
}

type CallOf<T> = <T as frame_system::Config>::RuntimeCall;

/// A transaction that may go in: whose it is, and what that account will have filled of the block.
#[derive(DebugNoBound)]
pub struct Passed<T: Config> {
    who: T::AccountId,
    spending: Spending<BlockNumberFor<T>>,
    /// Whether unused time goes back into the budget.
    counted: bool,
}

/// Whose transaction went in, and whether unused time goes back into its budget.
#[derive(DebugNoBound)]
pub struct Entered<T: Config> {
    who: T::AccountId,
    counted: bool,
}

impl<T: Config> CheckAdmitted<T> {
    /// Whether the account may sign this, of this length.
    fn check(
        who: &T::AccountId,
        call: &CallOf<T>,
        length: usize,
    ) -> Result<Roles, InvalidTransaction> {
        ensure!(
            Pallet::<T>::is_admitted(who),
            InvalidTransaction::Custom(NOT_ADMITTED)
        );
        let roles = T::Permissions::roles(who);
        ensure!(
            T::Permissions::may_sign(roles, call),
            InvalidTransaction::Custom(NOT_PERMITTED)
        );
        // Who governs brings runtimes: the block's limit is theirs.
        ensure!(
            roles.governs() || length <= T::MaxLength::get() as usize,
            InvalidTransaction::Custom(TOO_LONG)
        );
        Ok(roles)
    }
}

impl<T> TransactionExtension<CallOf<T>> for CheckAdmitted<T>
where
    T: Config + Send + Sync,
    CallOf<T>: Dispatchable<Info = DispatchInfo, PostInfo = PostDispatchInfo>,
    DispatchOriginOf<CallOf<T>>: AsSystemOriginSigner<T::AccountId> + Clone,
{
    const IDENTIFIER: &'static str = "CheckAdmitted";
    type Implicit = ();
    type Val = Passed<T>;
    type Pre = Entered<T>;

    fn weight(&self, call: &CallOf<T>) -> Weight {
        <T as Config>::WeightInfo::check_admitted(T::Permissions::size(call))
    }

    fn validate(
        &self,
        origin: DispatchOriginOf<CallOf<T>>,
        call: &CallOf<T>,
        info: &DispatchInfoOf<CallOf<T>>,
        length: usize,
        _implicit: (),
        _implication: &impl Encode,
        _source: TransactionSource,
    ) -> ValidateResult<Passed<T>, CallOf<T>> {
        // Bare extrinsics do not come here. Nothing else but a signature brings an origin with it.
        let signer = origin.as_system_origin_signer();
        let who = signer.ok_or(InvalidTransaction::UnknownOrigin)?.clone();
        let roles = Self::check(&who, call, length)?;
        let share = Share::of::<T>(info, length);
        let spending = budget::with::<T>(&who, share, roles.governs())
            .ok_or(InvalidTransaction::ExhaustsResources)?;
        let counted = !share.is_oversized::<T>();
        // What alone is over the budget waits until every removal is in the block.
        let first = info.class == DispatchClass::Operational && counted;
        let valid = ValidTransaction {
            priority: if first { OPERATIONAL } else { 0 },
            ..Default::default()
        };
        let passed = Passed {
            who,
            spending,
            counted,
        };
        Ok((valid, passed, origin))
    }

    fn prepare(
        self,
        passed: Passed<T>,
        _origin: &DispatchOriginOf<CallOf<T>>,
        _call: &CallOf<T>,
        _info: &DispatchInfoOf<CallOf<T>>,
        _length: usize,
    ) -> Result<Entered<T>, TransactionValidityError> {
        let Passed {
            who,
            spending,
            counted,
        } = passed;
        Spendings::<T>::insert(&who, spending);
        Ok(Entered { who, counted })
    }

    fn post_dispatch_details(
        entered: Entered<T>,
        info: &DispatchInfoOf<CallOf<T>>,
        post_info: &PostDispatchInfoOf<CallOf<T>>,
        _length: usize,
        _result: &DispatchResult,
    ) -> Result<Weight, TransactionValidityError> {
        if entered.counted {
            budget::give_back::<T>(&entered.who, post_info.calc_unspent(info).ref_time());
        }
        Ok(Weight::zero())
    }
}
