//! The set of validators and who may be in it.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
    ensure,
    traits::{Get, OnNewAccount, ValidatorRegistration},
};
use frame_system::pallet_prelude::BlockNumberFor;
use scale_info::TypeInfo;
use sp_runtime::{traits::Saturating, DispatchResult};

use crate::pallet::{Config, Error, Event, Minimum, Operators, Pallet, Validators};

/// An account that the council approved, and what it does.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum Operator<BlockNumber> {
    /// It may join.
    Approved,
    /// It is in the set of validators.
    Active,
    /// It left in a block, and may join again after the cooldown.
    Left {
        /// The block.
        at: BlockNumber,
    },
}

pub(crate) fn approve<T: Config>(account: T::AccountId) -> DispatchResult {
    ensure!(
        !Operators::<T>::contains_key(&account),
        Error::<T>::AlreadyApproved
    );
    ensure!(
        Operators::<T>::count() < T::MaxOperators::get(),
        Error::<T>::TooManyOperators
    );
    T::Admission::on_new_account(&account);
    Operators::<T>::insert(&account, Operator::Approved);
    Pallet::<T>::deposit_event(Event::OperatorApproved { account });
    Ok(())
}

pub(crate) fn join<T: Config>(account: T::AccountId) -> DispatchResult {
    match Operators::<T>::get(&account).ok_or(Error::<T>::NotApproved)? {
        Operator::Approved => {}
        Operator::Active => return Err(Error::<T>::AlreadyValidator.into()),
        Operator::Left { at } => ensure!(cooled_down::<T>(at), Error::<T>::CoolingDown),
    }
    ensure!(
        pallet_session::Pallet::<T>::is_registered(&account),
        Error::<T>::NoSessionKeys
    );
    Validators::<T>::try_mutate(|validators| match validators.binary_search(&account) {
        Ok(_) => Err(Error::<T>::AlreadyValidator),
        Err(place) => validators
            .try_insert(place, account.clone())
            .map_err(|_| Error::<T>::TooManyValidators),
    })?;
    Operators::<T>::insert(&account, Operator::Active);
    Pallet::<T>::deposit_event(Event::ValidatorJoined { account });
    Ok(())
}

fn cooled_down<T: Config>(left: BlockNumberFor<T>) -> bool {
    frame_system::Pallet::<T>::block_number() >= left.saturating_add(T::Cooldown::get())
}

pub(crate) fn leave<T: Config>(account: T::AccountId) -> DispatchResult {
    ensure!(
        Operators::<T>::contains_key(&account),
        Error::<T>::NotApproved
    );
    take_out::<T>(&account)?;
    let at = frame_system::Pallet::<T>::block_number();
    Operators::<T>::insert(&account, Operator::Left { at });
    Pallet::<T>::deposit_event(Event::ValidatorLeft { account });
    Ok(())
}

pub(crate) fn remove<T: Config>(account: T::AccountId) -> DispatchResult {
    let operator = Operators::<T>::take(&account).ok_or(Error::<T>::NotApproved)?;
    if operator == Operator::Active {
        take_out::<T>(&account)?;
        Pallet::<T>::deposit_event(Event::ValidatorLeft {
            account: account.clone(),
        });
    }
    Pallet::<T>::deposit_event(Event::OperatorRemoved { account });
    Ok(())
}

/// Takes a validator out of the set. It stays as large as the minimum, which is at least one.
fn take_out<T: Config>(account: &T::AccountId) -> DispatchResult {
    Validators::<T>::try_mutate(|validators| {
        let place = validators
            .binary_search(account)
            .map_err(|_| Error::<T>::NotValidator)?;
        let least = Minimum::<T>::get().max(1) as usize;
        ensure!(validators.len() > least, Error::<T>::TooFewValidators);
        validators.remove(place);
        Ok(())
    })
}

pub(crate) fn set_minimum<T: Config>(minimum: u32) -> DispatchResult {
    let validators = Validators::<T>::decode_len().unwrap_or_default();
    ensure!(
        minimum >= 1 && minimum as usize <= validators,
        Error::<T>::BadMinimum
    );
    Minimum::<T>::put(minimum);
    Pallet::<T>::deposit_event(Event::MinimumChanged { minimum });
    Ok(())
}
