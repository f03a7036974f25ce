//! How far a nonce may be ahead: a pool keeps only so many transactions of one account.

use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::{
    dispatch::{DispatchInfo, PostDispatchInfo},
    ensure,
    pallet_prelude::{InvalidTransaction, TransactionSource, TransactionValidityError, Weight},
};
use scale_info::{Type, TypeInfo};
use sp_runtime::{
    traits::{
        AsSystemOriginSigner, DispatchInfoOf, DispatchOriginOf, Dispatchable, Implication,
        PostDispatchInfoOf, Saturating, TransactionExtension, ValidateResult,
    },
    DispatchResult,
};

use crate::permission::{NONCES_AHEAD, NONCE_TOO_FAR};

type Inner<T> = frame_system::CheckNonce<T>;
type CallOf<T> = <T as frame_system::Config>::RuntimeCall;

/// `frame_system::CheckNonce`, which it is for everybody outside: name, bytes and type are the same. It refuses with
/// [`NONCE_TOO_FAR`], too, what is more than [`NONCES_AHEAD`] ahead.
#[derive(Clone, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct CheckNonce<T: frame_system::Config>(Inner<T>);

impl<T: frame_system::Config> CheckNonce<T> {
    /// The extension, with the nonce of a transaction.
    pub fn from(nonce: T::Nonce) -> Self {
        Self(Inner::from(nonce))
    }
}

impl<T: frame_system::Config> core::fmt::Debug for CheckNonce<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Debug::fmt(&self.0, f)
    }
}

impl<T: frame_system::Config + 'static> TypeInfo for CheckNonce<T>
where
    Inner<T>: TypeInfo,
{
    type Identity = <Inner<T> as TypeInfo>::Identity;

    fn type_info() -> Type {
        Inner::<T>::type_info()
    }
}

impl<T> TransactionExtension<CallOf<T>> for CheckNonce<T>
where
    T: frame_system::Config + Send + Sync,
    CallOf<T>: Dispatchable<Info = DispatchInfo, PostInfo = PostDispatchInfo>,
    DispatchOriginOf<CallOf<T>>: AsSystemOriginSigner<T::AccountId> + Clone,
{
    const IDENTIFIER: &'static str = <Inner<T> as TransactionExtension<CallOf<T>>>::IDENTIFIER;
    type Implicit = ();
    type Val = <Inner<T> as TransactionExtension<CallOf<T>>>::Val;
    type Pre = <Inner<T> as TransactionExtension<CallOf<T>>>::Pre;

    fn weight(&self, call: &CallOf<T>) -> Weight {
        self.0.weight(call)
    }

    fn validate(
        &self,
        origin: DispatchOriginOf<CallOf<T>>,
        call: &CallOf<T>,
        info: &DispatchInfoOf<CallOf<T>>,
        length: usize,
        implicit: (),
        implication: &impl Implication,
        source: TransactionSource,
    ) -> ValidateResult<Self::Val, CallOf<T>> {
        if let Some(who) = origin.as_system_origin_signer() {
            let next = frame_system::Pallet::<T>::account_nonce(who);
            let ahead = (self.0).0.saturating_sub(next);
            ensure!(
                ahead <= NONCES_AHEAD.into(),
                InvalidTransaction::Custom(NONCE_TOO_FAR)
            );
        }
        let Self(inner) = self;
        inner.validate(origin, call, info, length, implicit, implication, source)
    }

    fn prepare(
        self,
        val: Self::Val,
        origin: &DispatchOriginOf<CallOf<T>>,
        call: &CallOf<T>,
        info: &DispatchInfoOf<CallOf<T>>,
        length: usize,
    ) -> Result<Self::Pre, TransactionValidityError> {
        self.0.prepare(val, origin, call, info, length)
    }

    fn post_dispatch_details(
        pre: Self::Pre,
        info: &DispatchInfoOf<CallOf<T>>,
        post_info: &PostDispatchInfoOf<CallOf<T>>,
        length: usize,
        result: &DispatchResult,
    ) -> Result<Weight, TransactionValidityError> {
        Inner::<T>::post_dispatch_details(pre, info, post_info, length, result)
    }
}
