//! A currency for pallets that want one where there is none: amounts of zero succeed, everything else fails.

use core::marker::PhantomData;

use codec::Encode;
use frame_support::traits::{
    fungible::{self, hold},
    tokens::{
        BalanceStatus, DepositConsequence, Fortitude, Preservation, Provenance, WithdrawConsequence,
    },
    Currency, ExistenceRequirement, ReservableCurrency, SignedImbalance, WithdrawReasons,
};
use scale_info::TypeInfo;
use sp_runtime::{DispatchError, DispatchResult, TokenError};

use crate::Balance;

/// No token.
pub struct NoToken<Reason>(PhantomData<Reason>);

fn zero(amount: Balance) -> DispatchResult {
    if amount == 0 {
        Ok(())
    } else {
        Err(TokenError::UnknownAsset.into())
    }
}

impl<A, R> fungible::Inspect<A> for NoToken<R> {
    type Balance = Balance;

    fn total_issuance() -> Balance {
        0
    }
    fn minimum_balance() -> Balance {
        0
    }
    fn total_balance(_: &A) -> Balance {
        0
    }
    fn balance(_: &A) -> Balance {
        0
    }
    fn reducible_balance(_: &A, _: Preservation, _: Fortitude) -> Balance {
        0
    }
    fn can_deposit(_: &A, amount: Balance, _: Provenance) -> DepositConsequence {
        match amount {
            0 => DepositConsequence::Success,
            _ => DepositConsequence::UnknownAsset,
        }
    }
    fn can_withdraw(_: &A, amount: Balance) -> WithdrawConsequence<Balance> {
        match amount {
            0 => WithdrawConsequence::Success,
            _ => WithdrawConsequence::UnknownAsset,
        }
    }
}

impl<A, R> fungible::Unbalanced<A> for NoToken<R> {
    fn handle_dust(_: fungible::Dust<A, Self>) {}
    fn write_balance(_: &A, amount: Balance) -> Result<Option<Balance>, DispatchError> {
        zero(amount).map(|()| None)
    }
    fn set_total_issuance(_: Balance) {}
}

impl<A: Eq, R> fungible::Mutate<A> for NoToken<R> {}

impl<A, R: Encode + TypeInfo + 'static> hold::Inspect<A> for NoToken<R> {
    type Reason = R;

    fn total_balance_on_hold(_: &A) -> Balance {
        0
    }
    fn balance_on_hold(_: &R, _: &A) -> Balance {
        0
    }
}

impl<A, R: Encode + TypeInfo + 'static> hold::Unbalanced<A> for NoToken<R> {
    fn set_balance_on_hold(_: &R, _: &A, amount: Balance) -> DispatchResult {
        zero(amount)
    }
}

impl<A, R: Encode + TypeInfo + 'static> hold::Mutate<A> for NoToken<R> {}

type Nothing = fungible::Imbalance<Balance, (), ()>;

impl<A, R> Currency<A> for NoToken<R> {
    type Balance = Balance;
    type PositiveImbalance = Nothing;
    type NegativeImbalance = Nothing;

    fn total_balance(_: &A) -> Balance {
        0
    }
    fn can_slash(_: &A, amount: Balance) -> bool {
        amount == 0
    }
    fn total_issuance() -> Balance {
        0
    }
    fn minimum_balance() -> Balance {
        0
    }
    fn burn(_: Balance) -> Nothing {
        Nothing::default()
    }
    fn issue(_: Balance) -> Nothing {
        Nothing::default()
    }
    fn free_balance(_: &A) -> Balance {
        0
    }
    fn ensure_can_withdraw(
        _: &A,
        amount: Balance,
        _: WithdrawReasons,
        _: Balance,
    ) -> DispatchResult {
        zero(amount)
    }
    fn transfer(_: &A, _: &A, amount: Balance, _: ExistenceRequirement) -> DispatchResult {
        zero(amount)
    }
    fn slash(_: &A, amount: Balance) -> (Nothing, Balance) {
        (Nothing::default(), amount)
    }
    fn deposit_into_existing(_: &A, amount: Balance) -> Result<Nothing, DispatchError> {
        zero(amount).map(|()| Nothing::default())
    }
    fn deposit_creating(_: &A, _: Balance) -> Nothing {
        Nothing::default()
    }
    fn withdraw(
        _: &A,
        amount: Balance,
        _: WithdrawReasons,
        _: ExistenceRequirement,
    ) -> Result<Nothing, DispatchError> {
        zero(amount).map(|()| Nothing::default())
    }
    fn make_free_balance_be(_: &A, _: Balance) -> SignedImbalance<Balance, Nothing> {
        SignedImbalance::Positive(Nothing::default())
    }
}

impl<A, R> ReservableCurrency<A> for NoToken<R> {
    fn can_reserve(_: &A, amount: Balance) -> bool {
        amount == 0
    }
    fn slash_reserved(_: &A, amount: Balance) -> (Nothing, Balance) {
        (Nothing::default(), amount)
    }
    fn reserved_balance(_: &A) -> Balance {
        0
    }
    fn reserve(_: &A, amount: Balance) -> DispatchResult {
        zero(amount)
    }
    fn unreserve(_: &A, amount: Balance) -> Balance {
        amount
    }
    fn repatriate_reserved(
        _: &A,
        _: &A,
        amount: Balance,
        _: BalanceStatus,
    ) -> Result<Balance, DispatchError> {
        Ok(amount)
    }
}
