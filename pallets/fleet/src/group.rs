//! Groups: creation, policy, custodians, administrator, freezing and closing.

use alloc::vec::Vec;
use frame_support::{dispatch::DispatchResult, ensure};
use frame_system::pallet_prelude::OriginFor;
use keyward_protocol::{
    id::IdBytes, policy::Policy, statement::GroupState, topic::Filters, wire::Canonical, GroupId,
};
use sp_runtime::DispatchError;

use crate::{
    caller::{self, Caller},
    epoch, organisation,
    pallet::*,
    sorted,
    types::{Gateway, Group},
    view::{now, seconds, touch},
};

pub(crate) fn load<T: Config>(id: &GroupId) -> Result<GroupOf<T>, Error<T>> {
    Groups::<T>::get(id).ok_or(Error::<T>::UnknownGroup)
}

/// A group that is not closed.
pub(crate) fn load_living<T: Config>(id: &GroupId) -> Result<GroupOf<T>, Error<T>> {
    let group = load::<T>(id)?;
    ensure!(group.state != GroupState::Closed, Error::<T>::GroupClosed);
    Ok(group)
}

/// Refuses what gives access in a group that is frozen or closed.
pub(crate) fn ensure_open<T: Config>(group: &GroupOf<T>) -> Result<(), Error<T>> {
    ensure!(group.state != GroupState::Closed, Error::<T>::GroupClosed);
    ensure!(group.state != GroupState::Frozen, Error::<T>::GroupFrozen);
    Ok(())
}

/// Stores a group after a change that no statement shows.
pub(crate) fn save<T: Config>(id: &GroupId, group: GroupOf<T>) {
    Groups::<T>::insert(id, group);
    touch::<T>();
}

/// Stores a group after a change that statements show: its revision rises (KEX-7).
pub(crate) fn save_revised<T: Config>(id: &GroupId, mut group: GroupOf<T>) {
    group.revision = group.revision.saturating_add(1);
    group.revised_at = now::<T>();
    save::<T>(id, group);
}

/// A group, for its administrator or governance.
pub(crate) fn administered<T: Config>(
    origin: OriginFor<T>,
    id: &GroupId,
) -> Result<(GroupOf<T>, Caller<T>), DispatchError> {
    let caller = Caller::<T>::of(origin)?;
    let group = load::<T>(id)?;
    ensure!(caller.may_act_for(&group.admin), Error::<T>::NotAdmin);
    Ok((group, caller))
}

pub(crate) fn create<T: Config>(
    admin: T::AccountId,
    id: IdBytes,
    filters: Filters,
    policy: Policy,
    custodians: CustodiansOf<T>,
) -> DispatchResult {
    let gateway = caller::active::<T>(&admin)?;
    let id = GroupId::try_from(id).map_err(|_| Error::<T>::BadId)?;
    organisation::ensure_own::<T>(&gateway.organisation, id.organisation())?;
    ensure!(!Groups::<T>::contains_key(&id), Error::<T>::GroupExists);
    ensure_filters::<T>(&filters)?;
    policy.validate().map_err(|_| Error::<T>::BadPolicy)?;
    let custodians = in_order::<T>(custodians)?;
    ensure!(!custodians.is_empty(), Error::<T>::BadCustodians);
    ensure!(
        custodians.iter().all(caller::is_active::<T>),
        Error::<T>::BadCustodians
    );
    count::<T>(&admin, &gateway)?;
    custodians
        .iter()
        .try_for_each(|account| enter::<T>(account, &id))?;
    Pallet::<T>::deposit_event(Event::GroupCreated {
        group: id.clone(),
        admin: admin.clone(),
    });
    let mut group = Group {
        admin,
        custodians,
        filters,
        policy,
        state: GroupState::Awaiting,
        epoch: 1,
        began_at: now::<T>(),
        began_time: seconds::<T>(),
        committed: None,
        staged: Default::default(),
        revision: 0,
        revised_at: now::<T>(),
        members: 0,
        publishers: 0,
        next_index: 0,
    };
    epoch::found::<T>(&id, &mut group);
    save_revised::<T>(&id, group);
    Ok(())
}

pub(crate) fn set_policy<T: Config>(
    origin: OriginFor<T>,
    id: GroupId,
    policy: Policy,
) -> DispatchResult {
    let (mut group, caller) = administered::<T>(origin, &id)?;
    ensure_open::<T>(&group)?;
    policy.validate().map_err(|_| Error::<T>::BadPolicy)?;
    group.policy = policy;
    save_revised::<T>(&id, group);
    Pallet::<T>::deposit_event(Event::PolicyChanged {
        group: id,
        by_governance: caller.by_governance(),
    });
    Ok(())
}

pub(crate) fn set_custodians<T: Config>(
    origin: OriginFor<T>,
    id: GroupId,
    custodians: CustodiansOf<T>,
) -> DispatchResult {
    let (mut group, caller) = administered::<T>(origin, &id)?;
    let custodians = in_order::<T>(custodians)?;
    let is_new = |account: &&T::AccountId| !group.custodians.contains(account);
    let added: Vec<T::AccountId> = custodians.iter().filter(is_new).cloned().collect();
    if !added.is_empty() {
        ensure_open::<T>(&group)?;
    }
    ensure!(
        added.iter().all(caller::is_active::<T>),
        Error::<T>::BadCustodians
    );
    let living = group.state != GroupState::Closed;
    ensure!(!living || !custodians.is_empty(), Error::<T>::BadCustodians);
    let former = core::mem::replace(&mut group.custodians, custodians.clone());
    let left: Vec<_> = former
        .into_iter()
        .filter(|account| !custodians.contains(account))
        .collect();
    left.iter().for_each(|account| leave::<T>(account, &id));
    added
        .iter()
        .try_for_each(|account| enter::<T>(account, &id))?;
    Pallet::<T>::deposit_event(Event::CustodiansChanged {
        group: id.clone(),
        custodians,
        by_governance: caller.by_governance(),
    });
    if left.iter().any(caller::is_active::<T>) {
        epoch::custodian_left::<T>(&id, &mut group)?;
    }
    save_revised::<T>(&id, group);
    Ok(())
}

pub(crate) fn transfer_admin<T: Config>(
    origin: OriginFor<T>,
    id: GroupId,
    to: T::AccountId,
) -> DispatchResult {
    let (mut group, caller) = administered::<T>(origin, &id)?;
    ensure_open::<T>(&group)?;
    ensure!(group.admin != to, Error::<T>::AlreadyAdmin);
    let gateway = caller::recipient::<T>(&to)?;
    if let Caller::Gateway(admin) = &caller {
        let own = caller::active::<T>(admin)?.organisation;
        ensure!(gateway.organisation == own, Error::<T>::ForeignId);
    }
    uncount::<T>(&group.admin);
    count::<T>(&to, &gateway)?;
    group.admin = to.clone();
    save::<T>(&id, group);
    Pallet::<T>::deposit_event(Event::AdminTransferred {
        group: id,
        to,
        by_governance: caller.by_governance(),
    });
    Ok(())
}

pub(crate) fn freeze<T: Config>(id: GroupId) -> DispatchResult {
    let mut group = load::<T>(&id)?;
    ensure_open::<T>(&group)?;
    group.state = GroupState::Frozen;
    save_revised::<T>(&id, group);
    Pallet::<T>::deposit_event(Event::GroupFrozen { group: id });
    Ok(())
}

pub(crate) fn thaw<T: Config>(id: GroupId) -> DispatchResult {
    let mut group = load_living::<T>(&id)?;
    ensure!(group.state == GroupState::Frozen, Error::<T>::NotFrozen);
    group.state = match group.committed {
        Some(_) => GroupState::Active,
        None => GroupState::Awaiting,
    };
    save_revised::<T>(&id, group);
    Pallet::<T>::deposit_event(Event::GroupThawed { group: id });
    Ok(())
}

pub(crate) fn close<T: Config>(origin: OriginFor<T>, id: GroupId) -> DispatchResult {
    let (mut group, caller) = administered::<T>(origin, &id)?;
    ensure!(group.state != GroupState::Closed, Error::<T>::GroupClosed);
    epoch::void_queue::<T>(&id, &mut group);
    uncount::<T>(&group.admin);
    group.state = GroupState::Closed;
    save_revised::<T>(&id, group);
    Pallet::<T>::deposit_event(Event::GroupClosed {
        group: id,
        by_governance: caller.by_governance(),
    });
    Ok(())
}

/// Filters rise, and there is at least one (TOP-1).
pub(crate) fn ensure_filters<T: Config>(filters: &Filters) -> Result<(), Error<T>> {
    ensure!(
        !filters.is_empty() && filters.check().is_ok(),
        Error::<T>::BadFilters
    );
    Ok(())
}

/// Custodians by rising account, none twice.
fn in_order<T: Config>(mut custodians: CustodiansOf<T>) -> Result<CustodiansOf<T>, Error<T>> {
    custodians.sort();
    ensure!(sorted::rises(&custodians), Error::<T>::BadCustodians);
    Ok(custodians)
}

/// Notes that a gateway is custodian of a group.
fn enter<T: Config>(account: &T::AccountId, id: &GroupId) -> Result<(), Error<T>> {
    CustodianGroups::<T>::try_mutate(account, |groups| sorted::insert(groups, id.clone()))
        .map_err(|_| Error::<T>::TooManyCustodies)
}

/// Notes that a gateway is not custodian of a group any more.
fn leave<T: Config>(account: &T::AccountId, id: &GroupId) {
    CustodianGroups::<T>::mutate_exists(account, |groups| {
        if let Some(list) = groups {
            sorted::remove(list, id);
            if list.is_empty() {
                *groups = None;
            }
        }
    });
}

/// Counts a group against its administrator's quota.
fn count<T: Config>(admin: &T::AccountId, gateway: &Gateway) -> DispatchResult {
    let quotas = organisation::quotas::<T>(gateway)?;
    Usages::<T>::try_mutate(admin, |usage| {
        ensure!(usage.groups < quotas.groups, Error::<T>::GroupQuota);
        usage.groups = usage.groups.saturating_add(1);
        Ok(())
    })
}

fn uncount<T: Config>(admin: &T::AccountId) {
    Usages::<T>::mutate(admin, |usage| usage.groups = usage.groups.saturating_sub(1));
}
