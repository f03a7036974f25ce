//! Epochs: committed to before they are used, advanced at most once per group and block.
//!
//! ```text
//!            stage (next free)                advance, something staged
//!           ┌────────┐                       ┌────────┐
//!           │        ▼                       │        ▼
//!        ┌──┴─────────┐   advance, nothing staged   ┌──────────┐
//!   ────►│   active   ├────────────────────────────►│ awaiting │◄──── create_group
//!        └────────────┘◄────────────────────────────┴──────────┘
//!                          stage (the awaited one)
//! ```
//!
//! A commitment that stood at the end of a block is never taken from its epoch: whatever makes it unusable later moves the
//! group on to the next epoch.

use frame_support::{dispatch::DispatchResult, ensure};
use frame_system::pallet_prelude::OriginFor;
use keyward_protocol::{
    history::Entry,
    limits,
    statement::GroupState,
    view::{Cause, KeyExchange, StagedEpoch},
    Commitment, GroupId,
};

use crate::{
    caller::{self, Caller},
    chain,
    group::{load, load_living, save, save_revised},
    pallet::*,
    view::{now, raw, seconds},
};

/// Begins the first epoch of a new group, which is awaited.
pub(crate) fn found<T: Config>(id: &GroupId, group: &mut GroupOf<T>) {
    begin::<T>(id, group, Cause::Created);
}

/// Advances a group to the next staged epoch, or to one that it awaits. Nothing happens when it advanced in this block
/// already, when the current epoch is still awaited, so that nobody holds it, or when the group is closed (KEX-1, KEX-2).
pub(crate) fn advance<T: Config>(
    id: &GroupId,
    group: &mut GroupOf<T>,
    cause: Cause,
) -> DispatchResult {
    let in_use = group.committed.is_some() && group.state != GroupState::Closed;
    if !in_use || group.began_at == now::<T>() {
        return Ok(());
    }
    group.epoch = group
        .epoch
        .checked_add(1)
        .ok_or(Error::<T>::EpochsExhausted)?;
    group.committed = match group.staged.is_empty() {
        true => None,
        false => {
            let next = group.staged.remove(0);
            Some((next.commitment, next.custodian))
        }
    };
    begin::<T>(id, group, cause);
    Ok(())
}

/// Records that the current epoch of a group began now.
fn begin<T: Config>(id: &GroupId, group: &mut GroupOf<T>, cause: Cause) {
    let (epoch, began, committed) = (group.epoch, now::<T>(), group.committed);
    group.began_at = began;
    group.began_time = seconds::<T>();
    settle_state(group);
    let exchange = KeyExchange {
        cause,
        began,
        committed,
        activated: committed.map(|_| began),
        delivery: None,
    };
    KeyExchanges::<T>::insert(id, epoch, exchange);
    if let Some(outdated) = epoch.checked_sub(limits::EPOCHS) {
        KeyExchanges::<T>::remove(id, outdated);
    }
    let entry = Entry::Advanced {
        epoch,
        cause,
        committed,
    };
    chain::extend::<T>(id, entry);
    Pallet::<T>::deposit_event(Event::EpochAdvanced {
        group: id.clone(),
        epoch,
        cause,
        commitment: committed.map(|(commitment, _)| commitment),
    });
}

/// A group that is neither frozen nor closed is active when its epoch is committed to.
fn settle_state<AccountId>(group: &mut crate::Group<AccountId>) {
    let settled = match group.committed {
        Some(_) => GroupState::Active,
        None => GroupState::Awaiting,
    };
    if matches!(group.state, GroupState::Active | GroupState::Awaiting) {
        group.state = settled;
    }
}

/// Takes the whole queue back.
pub(crate) fn void_queue<T: Config>(id: &GroupId, group: &mut GroupOf<T>) {
    truncate_queue::<T>(id, group, 0);
}

fn truncate_queue<T: Config>(id: &GroupId, group: &mut GroupOf<T>, keep: usize) {
    let Some(first) = group.staged.get(keep).map(|staged| staged.epoch) else {
        return;
    };
    group.staged.truncate(keep);
    Pallet::<T>::deposit_event(Event::StagedWithdrawn {
        group: id.clone(),
        epoch: first,
    });
}

/// An active custodian is none any more, or has other keys: it takes the whole queue with it, and the group awaits one of
/// those that remain (KEX-4).
pub(crate) fn custodian_left<T: Config>(id: &GroupId, group: &mut GroupOf<T>) -> DispatchResult {
    void_queue::<T>(id, group);
    abandon::<T>(id, group, Cause::CustodianLeft)
}

/// Gives the current epoch up, with nothing staged: the group awaits the next one, or this one if it began in this block,
/// so that nobody holds it (KEX-5).
fn abandon<T: Config>(id: &GroupId, group: &mut GroupOf<T>, cause: Cause) -> DispatchResult {
    let in_use = group.committed.is_some() && group.state != GroupState::Closed;
    if !in_use || group.began_at != now::<T>() {
        return advance::<T>(id, group, cause);
    }
    group.committed = None;
    settle_state(group);
    KeyExchanges::<T>::mutate(id, group.epoch, |exchange| {
        if let Some(exchange) = exchange {
            exchange.committed = None;
            exchange.activated = None;
            exchange.delivery = None;
        }
    });
    let epoch = group.epoch;
    chain::extend::<T>(id, Entry::Awaited { epoch });
    Pallet::<T>::deposit_event(Event::EpochAwaited {
        group: id.clone(),
        epoch,
    });
    Ok(())
}

pub(crate) fn stage<T: Config>(
    who: T::AccountId,
    id: GroupId,
    epoch: u32,
    commitment: Commitment,
) -> DispatchResult {
    caller::active::<T>(&who)?;
    let group = load_living::<T>(&id)?;
    caller::custodian::<T>(&who, &group)?;
    match group.committed {
        None => activate::<T>(who, &id, group, epoch, commitment),
        Some(_) => enqueue::<T>(who, &id, group, epoch, commitment),
    }
}

/// Commits to the epoch that the group awaits (KEX-3).
fn activate<T: Config>(
    who: T::AccountId,
    id: &GroupId,
    mut group: GroupOf<T>,
    epoch: u32,
    commitment: Commitment,
) -> DispatchResult {
    ensure!(epoch == group.epoch, Error::<T>::NotNextEpoch);
    let custodian = raw::<T>(&who);
    group.committed = Some((commitment, custodian));
    settle_state(&mut group);
    KeyExchanges::<T>::mutate(id, epoch, |exchange| {
        if let Some(exchange) = exchange {
            exchange.committed = group.committed;
            exchange.activated = Some(now::<T>());
        }
    });
    save_revised::<T>(id, group);
    let entry = Entry::Activated {
        epoch,
        commitment,
        custodian,
    };
    chain::extend::<T>(id, entry);
    Pallet::<T>::deposit_event(Event::EpochActivated {
        group: id.clone(),
        epoch,
        commitment,
        custodian: who,
    });
    Ok(())
}

/// Commits to the next free epoch (KEX-3).
fn enqueue<T: Config>(
    who: T::AccountId,
    id: &GroupId,
    mut group: GroupOf<T>,
    epoch: u32,
    commitment: Commitment,
) -> DispatchResult {
    let last = group
        .staged
        .last()
        .map_or(group.epoch, |staged| staged.epoch);
    let next = last.checked_add(1).ok_or(Error::<T>::EpochsExhausted)?;
    ensure!(epoch == next, Error::<T>::NotNextEpoch);
    let staged = StagedEpoch {
        epoch,
        commitment,
        custodian: raw::<T>(&who),
    };
    group
        .staged
        .try_push(staged)
        .map_err(|_| Error::<T>::QueueFull)?;
    save::<T>(id, group);
    Pallet::<T>::deposit_event(Event::EpochStaged {
        group: id.clone(),
        epoch,
        commitment,
        custodian: who,
    });
    Ok(())
}

pub(crate) fn withdraw<T: Config>(who: T::AccountId, id: GroupId, epoch: u32) -> DispatchResult {
    caller::active::<T>(&who)?;
    let mut group = load_living::<T>(&id)?;
    caller::custodian::<T>(&who, &group)?;
    let account = raw::<T>(&who);
    if epoch == group.epoch {
        let (_, committer) = group.committed.ok_or(Error::<T>::NotStaged)?;
        ensure!(committer == account, Error::<T>::NotCommitter);
        void_queue::<T>(&id, &mut group);
        abandon::<T>(&id, &mut group, Cause::Rotated)?;
        save_revised::<T>(&id, group);
        return Ok(());
    }
    let mut queue = group.staged.iter().enumerate();
    let found = queue.find(|(_, staged)| staged.epoch == epoch);
    let (place, staged) = found.ok_or(Error::<T>::NotStaged)?;
    ensure!(staged.custodian == account, Error::<T>::NotCommitter);
    truncate_queue::<T>(&id, &mut group, place);
    save::<T>(&id, group);
    Ok(())
}

pub(crate) fn rotate<T: Config>(origin: OriginFor<T>, id: GroupId) -> DispatchResult {
    let caller = Caller::<T>::of(origin)?;
    let mut group = load::<T>(&id)?;
    if let Caller::Gateway(who) = &caller {
        ensure_may_rotate::<T>(who, &group)?;
    }
    ensure!(group.state != GroupState::Closed, Error::<T>::GroupClosed);
    let before = group.epoch;
    advance::<T>(&id, &mut group, Cause::Rotated)?;
    if group.epoch != before {
        save_revised::<T>(&id, group);
    }
    Ok(())
}

/// The administrator may at any time, a custodian when it is due (KEX-11).
fn ensure_may_rotate<T: Config>(who: &T::AccountId, group: &GroupOf<T>) -> Result<(), Error<T>> {
    if *who == group.admin {
        return Ok(());
    }
    ensure!(group.custodians.contains(who), Error::<T>::NotAdmin);
    let every = u64::from(group.policy.rotate_every);
    let age = seconds::<T>().saturating_sub(group.began_time);
    ensure!(every > 0 && age >= every, Error::<T>::NotDue);
    Ok(())
}
