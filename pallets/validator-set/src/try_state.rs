//! What must hold at the end of every block. The tests check it after every test, `try-runtime` after every upgrade.

use alloc::collections::BTreeSet;

use frame_support::{ensure, traits::Get};
use sp_runtime::{traits::Zero, TryRuntimeError};

use crate::{
    pallet::{Config, Minimum, Offences, Operators, SessionBlocks, Sessions, Validators},
    session::oldest_kept,
    set::Operator,
};

/// Checks the state.
pub(crate) fn check<T: Config>() -> Result<(), TryRuntimeError> {
    check_set::<T>()?;
    check_sessions::<T>()?;
    check_offences::<T>()
}

fn check_set<T: Config>() -> Result<(), TryRuntimeError> {
    let validators = Validators::<T>::get();
    ensure!(
        validators.windows(2).all(|pair| pair.first() < pair.last()),
        "validators do not rise"
    );
    let active: BTreeSet<_> = Operators::<T>::iter()
        .filter(|(_, operator)| *operator == Operator::Active)
        .map(|(account, _)| account)
        .collect();
    ensure!(
        active.iter().eq(validators.iter()),
        "validators are not the active operators"
    );
    ensure!(
        Operators::<T>::count() <= T::MaxOperators::get(),
        "too many operators"
    );
    let keyless =
        |account: &&T::AccountId| pallet_session::Pallet::<T>::load_keys(account).is_none();
    ensure!(
        !validators.iter().any(|account| keyless(&account)),
        "a validator has no session keys"
    );
    let minimum = Minimum::<T>::get() as usize;
    let fits = validators.is_empty() || (1..=validators.len()).contains(&minimum);
    ensure!(fits, "fewer validators than the minimum, or a minimum of 0");
    Ok(())
}

fn check_sessions<T: Config>() -> Result<(), TryRuntimeError> {
    ensure!(
        !SessionBlocks::<T>::get().is_zero(),
        "sessions have no blocks"
    );
    let current = pallet_session::Pallet::<T>::current_index();
    let kept = oldest_kept::<T>()..=current;
    let mut sessions: alloc::vec::Vec<_> = Sessions::<T>::iter().collect();
    sessions.sort_by_key(|(session, _)| *session);
    ensure!(
        sessions.iter().all(|(session, _)| kept.contains(session)),
        "the record has a session that is too old, or to come"
    );
    let start = |record: Option<&(_, crate::pallet::SessionRecordOf<T>)>| {
        record.map(|(_, record)| record.start)
    };
    ensure!(
        sessions
            .windows(2)
            .all(|pair| start(pair.first()) <= start(pair.last())),
        "a session began before the one before it"
    );
    Ok(())
}

fn check_offences<T: Config>() -> Result<(), TryRuntimeError> {
    for (_, record) in Offences::<T>::iter() {
        ensure!(!record.is_empty(), "a record of offences is empty");
        for (place, offence) in record.iter().enumerate() {
            let same = |other: &&_| *other == offence;
            ensure!(
                !record
                    .iter()
                    .take(place)
                    .any(|other| same(&other) || other.equivocation == offence.equivocation),
                "an offence is on record twice"
            );
        }
    }
    Ok(())
}
