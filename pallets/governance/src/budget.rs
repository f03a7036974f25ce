//! How much of a block one account may fill: no fee keeps a flood away.
//!
//! A block builder leaves a transaction that is over the budget, and those of the account after it, for a later block
//! (`ExhaustsResources`). A pool judges each transaction by itself, against the budget of a fresh block: it refuses at once what
//! no block could take.

use codec::{Decode, Encode, MaxEncodedLen};
use frame_support::{
    dispatch::{DispatchClass, DispatchInfo},
    traits::Get,
};
use frame_system::pallet_prelude::BlockNumberFor;
use scale_info::TypeInfo;

use crate::pallet::*;

/// What an account filled of the last block that it had a transaction in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Spending<BlockNumber> {
    /// The block. What was filled of an earlier one does not count.
    pub block: BlockNumber,
    /// Reference time of its transactions, in picoseconds: what they declared, less what they returned when they were done.
    pub time: u64,
    /// Length of its transactions, in bytes.
    pub length: u32,
    /// Whether a transaction went in that alone is over the budget.
    pub oversized: bool,
}

/// What is asked of a block, or given to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    time: u64,
    length: u32,
}

impl Share {
    /// What an account may fill of a block.
    pub(crate) fn budget<T: Config>() -> Self {
        let weights = T::BlockWeights::get();
        let lengths = T::BlockLength::get();
        let share = T::BudgetShare::get();
        Self {
            time: share.mul_floor(weights.max_block.ref_time()),
            length: share.mul_floor(*lengths.max.get(DispatchClass::Operational)),
        }
    }

    /// What a transaction fills at most: as the block counts it.
    pub(crate) fn of<T: Config>(info: &DispatchInfo, length: usize) -> Self {
        let base = T::BlockWeights::get().get(info.class).base_extrinsic;
        Self {
            time: info.total_weight().saturating_add(base).ref_time(),
            length: length.try_into().unwrap_or(u32::MAX),
        }
    }

    fn fits(self, budget: Self) -> bool {
        self.time <= budget.time && self.length <= budget.length
    }

    /// Whether no budget of a block is enough.
    pub(crate) fn is_oversized<T: Config>(self) -> bool {
        !self.fits(Self::budget::<T>())
    }
}

type SpendingOf<T> = Spending<BlockNumberFor<T>>;

/// What an account filled of this block so far.
fn so_far<T: Config>(who: &T::AccountId) -> SpendingOf<T> {
    let block = frame_system::Pallet::<T>::block_number();
    let last = Spendings::<T>::get(who);
    match last.block == block {
        true => last,
        false => Spending {
            block,
            ..Spending::default()
        },
    }
}

/// What an account would have filled with this, too; none if that is over the budget. One transaction per block that alone is over
/// it is accepted, and not counted further, if the account is `exempt`.
pub(crate) fn with<T: Config>(
    who: &T::AccountId,
    share: Share,
    exempt: bool,
) -> Option<SpendingOf<T>> {
    let before = so_far::<T>(who);
    if share.is_oversized::<T>() {
        let first = exempt && !before.oversized;
        return first.then_some(Spending {
            oversized: true,
            ..before
        });
    }
    let sum = Share {
        time: before.time.saturating_add(share.time),
        length: before.length.saturating_add(share.length),
    };
    sum.fits(Share::budget::<T>()).then_some(Spending {
        time: sum.time,
        length: sum.length,
        ..before
    })
}

/// Gives back reference time that was declared and not used.
pub(crate) fn give_back<T: Config>(who: &T::AccountId, time: u64) {
    if time > 0 {
        Spendings::<T>::mutate_extant(who, |spending| {
            spending.time = spending.time.saturating_sub(time);
        });
    }
}
