//! What validators signed twice: recorded, and left to the council.

use alloc::vec::Vec;

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{ensure, traits::ConstU32, BoundedVec};
use pallet_grandpa::{EquivocationOffence, TimeSlot};
use scale_info::TypeInfo;
use sp_runtime::DispatchResult;
use sp_staking::{
    offence::{OffenceError, ReportOffence},
    SessionIndex,
};

use crate::{
    pallet::{Config, Error, Event, OffenceOf, Offences, Pallet},
    session::oldest_kept,
};

/// Most offences on record for an account.
pub const MAX_OFFENCES: u32 = 32;

/// What a validator signed twice.
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
pub enum Equivocation {
    /// Two blocks of one slot (Aura).
    Blocks {
        /// The slot.
        slot: u64,
    },
    /// Two prevotes or two precommits of one round (GRANDPA).
    Votes {
        /// The set of voters.
        set: u64,
        /// The round in this set.
        round: u64,
    },
}

/// An offence on record.
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
pub struct Offence<BlockNumber> {
    /// What was signed twice.
    pub equivocation: Equivocation,
    /// The session in which the key was in force.
    pub session: SessionIndex,
    /// The block with the report.
    pub block: BlockNumber,
    /// Whether the council has dealt with it.
    pub cleared: bool,
}

type Record<T> = BoundedVec<OffenceOf<T>, ConstU32<MAX_OFFENCES>>;

/// Drops what was cleared and can be reported no more.
fn forget<T: Config>(record: &mut Record<T>) {
    let oldest = oldest_kept::<T>();
    record.retain(|offence| !offence.cleared || offence.session >= oldest);
}

/// Whether nothing new would be recorded: it is known, or the record is full.
pub(crate) fn is_known<T: Config>(account: &T::AccountId, equivocation: Equivocation) -> bool {
    let mut record = Offences::<T>::get(account);
    forget::<T>(&mut record);
    record.is_full() || has::<T>(&record, equivocation)
}

fn has<T: Config>(record: &Record<T>, equivocation: Equivocation) -> bool {
    record
        .iter()
        .any(|offence| offence.equivocation == equivocation)
}

/// Records an offence and says so.
pub(crate) fn record<T: Config>(
    account: T::AccountId,
    equivocation: Equivocation,
    session: SessionIndex,
) -> Result<(), Error<T>> {
    Offences::<T>::try_mutate(&account, |record| {
        forget::<T>(record);
        ensure!(!has::<T>(record, equivocation), Error::<T>::KnownOffence);
        let offence = Offence {
            equivocation,
            session,
            block: frame_system::Pallet::<T>::block_number(),
            cleared: false,
        };
        record
            .try_push(offence)
            .map_err(|_| Error::<T>::KnownOffence)
    })?;
    Pallet::<T>::deposit_event(Event::OffenceReported {
        account,
        equivocation,
        session,
    });
    Ok(())
}

/// Marks what is on record as dealt with.
pub(crate) fn clear<T: Config>(account: T::AccountId) -> DispatchResult {
    let mut record = Offences::<T>::get(&account);
    let mut count = 0_u32;
    for offence in record.iter_mut().filter(|offence| !offence.cleared) {
        offence.cleared = true;
        count = count.saturating_add(1);
    }
    ensure!(count > 0, Error::<T>::NoOffences);
    forget::<T>(&mut record);
    if record.is_empty() {
        Offences::<T>::remove(&account);
    } else {
        Offences::<T>::insert(&account, record);
    }
    Pallet::<T>::deposit_event(Event::OffencesCleared { account, count });
    Ok(())
}

impl From<&TimeSlot> for Equivocation {
    fn from(time: &TimeSlot) -> Self {
        Self::Votes {
            set: time.set_id,
            round: time.round,
        }
    }
}

/// GRANDPA's reports, which `pallet_grandpa` has verified.
impl<T: Config> ReportOffence<T::AccountId, T::AccountId, EquivocationOffence<T::AccountId>>
    for Pallet<T>
{
    fn report_offence(
        _: Vec<T::AccountId>,
        offence: EquivocationOffence<T::AccountId>,
    ) -> Result<(), OffenceError> {
        let equivocation = Equivocation::from(&offence.time_slot);
        record::<T>(offence.offender, equivocation, offence.session_index)
            .map_err(|_| OffenceError::DuplicateReport)
    }

    fn is_known_offence(offenders: &[T::AccountId], time: &TimeSlot) -> bool {
        let known = |account| is_known::<T>(account, Equivocation::from(time));
        offenders.iter().all(known)
    }
}
