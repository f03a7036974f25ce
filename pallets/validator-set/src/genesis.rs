//! The first validators: those of genesis, or those of a chain that had no such pallet.

use frame_support::{
    traits::{Get, OnNewAccount},
    weights::Weight,
    BoundedVec,
};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::traits::Zero;

use crate::{
    pallet::{Config, Minimum, Operators, SessionBlocks, Validators},
    set::Operator,
};

/// Puts the first validators in place. A genesis that breaks a rule cannot be built.
pub(crate) fn build<T: Config>(
    validators: &[T::AccountId],
    minimum: u32,
    session_blocks: BlockNumberFor<T>,
) {
    assert!(
        !session_blocks.is_zero(),
        "validatorSet.sessionBlocks is 0: a session has at least one block"
    );
    SessionBlocks::<T>::put(session_blocks);
    if validators.is_empty() {
        return;
    }
    assert!(
        minimum >= 1 && minimum as usize <= validators.len(),
        "validatorSet.minimum is {minimum} with {} validators: it is at least 1 and at most their number",
        validators.len()
    );
    install::<T>(validators, minimum);
}

#[expect(
    clippy::panic,
    reason = "there is no other way to refuse a genesis, and no chain yet that could be harmed"
)]
fn install<T: Config>(validators: &[T::AccountId], minimum: u32) {
    let mut sorted = validators.to_vec();
    sorted.sort();
    sorted.dedup();
    assert!(
        sorted.len() == validators.len(),
        "validatorSet.validators names an account twice"
    );
    let most = T::MaxValidators::get();
    let Ok(sorted) = BoundedVec::try_from(sorted) else {
        panic!(
            "validatorSet.validators has {} accounts, more than {most}",
            validators.len()
        );
    };
    put::<T>(sorted, minimum);
}

fn put<T: Config>(validators: BoundedVec<T::AccountId, T::MaxValidators>, minimum: u32) {
    for account in &validators {
        T::Admission::on_new_account(account);
        Operators::<T>::insert(account, Operator::Active);
    }
    Validators::<T>::put(validators);
    Minimum::<T>::put(minimum);
}

/// On a chain from before this pallet: whoever validates there goes on, and nobody leaves before the council lowers the minimum.
pub(crate) fn adopt<T: Config>() -> Weight {
    let weight = T::DbWeight::get();
    let mut present = pallet_session::Pallet::<T>::validators();
    if Validators::<T>::decode_len().unwrap_or_default() > 0 || present.is_empty() {
        return weight.reads(2);
    }
    present.sort();
    present.dedup();
    let present = BoundedVec::truncate_from(present);
    let count = u32::try_from(present.len()).unwrap_or(u32::MAX);
    put::<T>(present, count);
    let each = u64::from(count).saturating_mul(2);
    weight.reads_writes(each.saturating_add(2), each.saturating_add(4))
}
