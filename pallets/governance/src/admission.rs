//! Who gets a transaction into the pool, and which goes first.

use core::marker::PhantomData;

use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::{
    dispatch::{DispatchClass, DispatchInfo},
    pallet_prelude::{InvalidTransaction, TransactionSource, ValidTransaction, Weight},
    traits::{ChangeMembers, InitializeMembers},
};
use scale_info::TypeInfo;
use sp_runtime::{
    impl_tx_ext_default,
    traits::{
        AsSystemOriginSigner, DispatchInfoOf, Dispatchable, TransactionExtension, ValidateResult,
    },
    transaction_validity::TransactionPriority,
};

use crate::{Config, Pallet, WeightInfo};

/// `InvalidTransaction::Custom` code: the account was never admitted. polkadot.js shows "Custom error: 77".
pub const NOT_ADMITTED: u8 = 77;

/// Priority of `Operational` calls: removal goes before everything else.
pub const OPERATIONAL: TransactionPriority = 1 << 32;

/// Refuses transactions of accounts that were never admitted with [`NOT_ADMITTED`], and puts `Operational` calls first.
///
/// It stands before `CheckNonce`, which would refuse such an account with a text about fees. It is zero-sized: extensions
/// with bytes of their own lock polkadot.js out.
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

impl<T> TransactionExtension<CallOf<T>> for CheckAdmitted<T>
where
    T: Config + Send + Sync,
    CallOf<T>: Dispatchable<Info = DispatchInfo>,
    <CallOf<T> as Dispatchable>::RuntimeOrigin: AsSystemOriginSigner<T::AccountId> + Clone,
{
    const IDENTIFIER: &'static str = "CheckAdmitted";
    type Implicit = ();
    type Val = ();
    type Pre = ();

    fn weight(&self, _: &CallOf<T>) -> Weight {
        <T as Config>::WeightInfo::check_admitted()
    }

    fn validate(
        &self,
        origin: <CallOf<T> as Dispatchable>::RuntimeOrigin,
        _call: &CallOf<T>,
        info: &DispatchInfoOf<CallOf<T>>,
        _len: usize,
        _implicit: (),
        _implication: &impl Encode,
        _source: TransactionSource,
    ) -> ValidateResult<(), CallOf<T>> {
        let refused = origin
            .as_system_origin_signer()
            .is_some_and(|who| !Pallet::<T>::is_admitted(who));
        if refused {
            return Err(InvalidTransaction::Custom(NOT_ADMITTED).into());
        }
        let priority = match info.class {
            DispatchClass::Operational => OPERATIONAL,
            _ => 0,
        };
        let valid = ValidTransaction {
            priority,
            ..Default::default()
        };
        Ok((valid, (), origin))
    }

    impl_tx_ext_default!(CallOf<T>; prepare);
}

/// Admits whoever becomes a member, then tells the collective: a council member that may not vote would be a trap.
pub struct AdmitMembers<T, Collective>(PhantomData<(T, Collective)>);

impl<T: Config, Collective: ChangeMembers<T::AccountId>> ChangeMembers<T::AccountId>
    for AdmitMembers<T, Collective>
{
    fn change_members_sorted(
        incoming: &[T::AccountId],
        outgoing: &[T::AccountId],
        sorted_new: &[T::AccountId],
    ) {
        incoming.iter().for_each(Pallet::<T>::admit);
        Collective::change_members_sorted(incoming, outgoing, sorted_new);
    }

    fn set_prime(prime: Option<T::AccountId>) {
        Collective::set_prime(prime);
    }

    fn get_prime() -> Option<T::AccountId> {
        Collective::get_prime()
    }
}

impl<T: Config, Collective: InitializeMembers<T::AccountId>> InitializeMembers<T::AccountId>
    for AdmitMembers<T, Collective>
{
    fn initialize_members(members: &[T::AccountId]) {
        members.iter().for_each(Pallet::<T>::admit);
        Collective::initialize_members(members);
    }
}
