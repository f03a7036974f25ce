//! Memberships: adding with consent, removing, and what happens to them when a device is suspended, reinstated, revoked or
//! gets other keys.

use frame_support::{dispatch::DispatchResult, ensure};
use frame_system::pallet_prelude::OriginFor;
use keyward_protocol::{
    history::Entry, limits, topic::Filters, view::Cause, view::DeviceStatus, DeviceId, GroupId,
    Role,
};

use crate::{
    caller::Caller,
    chain, device, epoch,
    group::{administered, ensure_filters, ensure_open, load, save_revised},
    organisation,
    pallet::*,
    sorted,
    types::{Batch, Invitation, Member},
    view::touch,
};

/// What a call does to one group: which, and on whose authority.
struct Change<'a, T: Config> {
    id: &'a GroupId,
    group: &'a mut GroupOf<T>,
    by_governance: bool,
}

pub(crate) fn add<T: Config>(
    origin: OriginFor<T>,
    id: GroupId,
    members: Batch<(DeviceId, Role)>,
) -> DispatchResult {
    let (mut group, caller) = administered::<T>(origin, &id)?;
    ensure_open::<T>(&group)?;
    ensure!(!members.is_empty(), Error::<T>::EmptyList);
    let before = group.members;
    let mut change = Change::<T> {
        id: &id,
        group: &mut group,
        by_governance: caller.by_governance(),
    };
    for (device, role) in members {
        change.add(device, role)?;
    }
    match group.members == before {
        true => touch::<T>(),
        false => save_revised::<T>(&id, group),
    }
    Ok(())
}

pub(crate) fn accept<T: Config>(
    origin: OriginFor<T>,
    id: GroupId,
    device: DeviceId,
    filters: Filters,
) -> DispatchResult {
    let (known, caller) = device::owned::<T>(origin, &device)?;
    let mut group = load::<T>(&id)?;
    ensure_open::<T>(&group)?;
    ensure_active::<T>(&known)?;
    let invitation = take_invitation::<T>(&id, &device).ok_or(Error::<T>::NotInvited)?;
    ensure_filters::<T>(&filters)?;
    ensure!(
        filters.is_within(&group.filters),
        Error::<T>::FiltersNotOffered
    );
    let mut change = Change::<T> {
        id: &id,
        group: &mut group,
        by_governance: caller.by_governance(),
    };
    change.join(device, known.key_version, invitation.role, filters)?;
    save_revised::<T>(&id, group);
    Ok(())
}

pub(crate) fn remove<T: Config>(
    origin: OriginFor<T>,
    id: GroupId,
    devices: Batch<DeviceId>,
) -> DispatchResult {
    let caller = Caller::<T>::of(origin)?;
    let mut group = load::<T>(&id)?;
    ensure!(!devices.is_empty(), Error::<T>::EmptyList);
    let before = group.members;
    let may_all = caller.may_act_for(&group.admin);
    let mut change = Change::<T> {
        id: &id,
        group: &mut group,
        by_governance: caller.by_governance(),
    };
    for device in devices {
        let known = device::load::<T>(&device)?;
        ensure!(
            may_all || caller.may_act_for(&known.owner),
            Error::<T>::NotAdmin
        );
        change.remove(device)?;
    }
    if group.members == before {
        touch::<T>();
        return Ok(());
    }
    epoch::advance::<T>(&id, &mut group, Cause::Removed)?;
    save_revised::<T>(&id, group);
    Ok(())
}

/// Suspends a device's memberships: it stays listed and gets no key (MEM-4).
pub(crate) fn suspend_in_all<T: Config>(device: &DeviceId) -> DispatchResult {
    each_group::<T>(device, |id, group| {
        let entry = Entry::Suspended {
            device: device.clone(),
        };
        chain::extend::<T>(id, entry);
        epoch::advance::<T>(id, group, Cause::Suspended)
    })
}

/// Has a device join its groups again. A frozen group gives nobody access (MEM-4).
pub(crate) fn reinstate_in_all<T: Config>(device: &DeviceId, key_version: u32) -> DispatchResult {
    each_group::<T>(device, |id, group| {
        ensure!(
            group.state != keyward_protocol::statement::GroupState::Frozen,
            Error::<T>::GroupFrozen
        );
        if group.policy.rekey_on_join {
            epoch::advance::<T>(id, group, Cause::Reinstated)?;
        }
        reseat::<T>(id, group, device, key_version)
    })
}

/// Gives a device with new keys a new index in each group, and none of the epochs that the former keys may hold.
pub(crate) fn rekey_in_all<T: Config>(device: &DeviceId, key_version: u32) -> DispatchResult {
    each_group::<T>(device, |id, group| {
        epoch::advance::<T>(id, group, Cause::KeysReplaced)?;
        reseat::<T>(id, group, device, key_version)
    })
}

/// Takes a device out of all its groups, and its invitations back.
pub(crate) fn leave_all<T: Config>(device: &DeviceId, by_governance: bool) -> DispatchResult {
    each_group::<T>(device, |id, group| {
        let mut change = Change::<T> {
            id,
            group,
            by_governance,
        };
        change.remove(device.clone())?;
        epoch::advance::<T>(id, group, Cause::Revoked)
    })?;
    for invitation in Invitations::<T>::take(device) {
        Pallet::<T>::deposit_event(Event::InvitationWithdrawn {
            group: invitation.group,
            device: device.clone(),
            by_governance,
        });
    }
    Ok(())
}

/// Changes every group of a device; what their statements say changes with it.
fn each_group<T: Config>(
    device: &DeviceId,
    mut change: impl FnMut(&GroupId, &mut GroupOf<T>) -> DispatchResult,
) -> DispatchResult {
    for id in DeviceGroups::<T>::get(device) {
        let mut group = load::<T>(&id)?;
        change(&id, &mut group)?;
        save_revised::<T>(&id, group);
    }
    Ok(())
}

impl<T: Config> Change<'_, T> {
    /// Has the administrator's own device join, and invites another owner's (MEM-1).
    fn add(&mut self, device: DeviceId, role: Role) -> DispatchResult {
        let known = device::load::<T>(&device)?;
        ensure_active::<T>(&known)?;
        ensure!(
            !Members::<T>::contains_key(self.id, &device),
            Error::<T>::AlreadyMember
        );
        ensure!(
            !is_invited::<T>(self.id, &device),
            Error::<T>::AlreadyMember
        );
        match known.owner == self.group.admin {
            true => self.join(device, known.key_version, role, self.group.filters.clone()),
            false => self.invite(device, role),
        }
    }

    fn invite(&self, device: DeviceId, role: Role) -> DispatchResult {
        let invitation = Invitation {
            group: self.id.clone(),
            role,
        };
        Invitations::<T>::try_append(&device, invitation)
            .map_err(|_| Error::<T>::TooManyInvitations)?;
        Pallet::<T>::deposit_event(Event::MemberInvited {
            group: self.id.clone(),
            device,
            role,
            by_governance: self.by_governance,
        });
        Ok(())
    }

    /// Makes a device a member. Where the policy says so the group advances first: the joiner holds no earlier epoch.
    fn join(
        &mut self,
        device: DeviceId,
        key_version: u32,
        role: Role,
        filters: Filters,
    ) -> DispatchResult {
        self.count_in(role)?;
        DeviceGroups::<T>::try_mutate(&device, |groups| sorted::insert(groups, self.id.clone()))
            .map_err(|_| Error::<T>::TooManyGroups)?;
        if self.group.policy.rekey_on_join {
            epoch::advance::<T>(self.id, self.group, Cause::Joined)?;
        }
        let member = seat::<T>(self.id, self.group, &device, key_version, role, filters)?;
        Pallet::<T>::deposit_event(Event::MemberAdded {
            group: self.id.clone(),
            device,
            role,
            index: member.index,
            joined_epoch: member.joined_epoch,
            by_governance: self.by_governance,
        });
        Ok(())
    }

    /// Counts a member, against the quota of the administrator's organisation.
    fn count_in(&mut self, role: Role) -> DispatchResult {
        let admin = Gateways::<T>::get(&self.group.admin).ok_or(Error::<T>::UnknownGateway)?;
        let quotas = organisation::quotas::<T>(&admin)?;
        ensure!(self.group.members < quotas.members, Error::<T>::MemberQuota);
        self.group.members = self.group.members.saturating_add(1);
        if role.publishes() {
            ensure!(
                self.group.publishers < limits::PUBLISHERS,
                Error::<T>::TooManyPublishers
            );
            self.group.publishers = self.group.publishers.saturating_add(1);
        }
        Ok(())
    }

    /// Removes a member, or takes an invitation back. The caller advances the epoch, once for all.
    fn remove(&mut self, device: DeviceId) -> DispatchResult {
        let (group, by_governance) = (self.id.clone(), self.by_governance);
        let Some(member) = Members::<T>::take(self.id, &device) else {
            take_invitation::<T>(self.id, &device).ok_or(Error::<T>::NotMember)?;
            Pallet::<T>::deposit_event(Event::InvitationWithdrawn {
                group,
                device,
                by_governance,
            });
            return Ok(());
        };
        self.group.members = self.group.members.saturating_sub(1);
        if member.role.publishes() {
            self.group.publishers = self.group.publishers.saturating_sub(1);
        }
        leave::<T>(self.id, &device);
        let entry = Entry::Left {
            device: device.clone(),
        };
        chain::extend::<T>(self.id, entry);
        Pallet::<T>::deposit_event(Event::MemberRemoved {
            group,
            device,
            by_governance,
        });
        Ok(())
    }
}

/// Writes a member down, with an index of its own and the current epoch as its first (MEM-2, MEM-3).
fn seat<T: Config>(
    id: &GroupId,
    group: &mut GroupOf<T>,
    device: &DeviceId,
    key_version: u32,
    role: Role,
    filters: Filters,
) -> Result<Member, Error<T>> {
    let index = group.next_index;
    group.next_index = index.checked_add(1).ok_or(Error::<T>::IndexesExhausted)?;
    let member = Member {
        role,
        index,
        joined_epoch: group.epoch,
        filters,
    };
    Members::<T>::insert(id, device, &member);
    let entry = Entry::Joined {
        device: device.clone(),
        key_version,
        role,
        index,
        joined_epoch: group.epoch,
    };
    chain::extend::<T>(id, entry);
    Ok(member)
}

/// Has a member begin anew: other index, no earlier epoch.
fn reseat<T: Config>(
    id: &GroupId,
    group: &mut GroupOf<T>,
    device: &DeviceId,
    key_version: u32,
) -> DispatchResult {
    let member = Members::<T>::get(id, device).ok_or(Error::<T>::NotMember)?;
    seat::<T>(id, group, device, key_version, member.role, member.filters)?;
    Ok(())
}

/// Refuses a device that does not take part.
fn ensure_active<T: Config>(device: &DeviceOf<T>) -> Result<(), Error<T>> {
    match device.status {
        DeviceStatus::Active => Ok(()),
        DeviceStatus::Suspended => Err(Error::<T>::DeviceSuspended),
        DeviceStatus::Revoked => Err(Error::<T>::DeviceRevoked),
    }
}

fn is_invited<T: Config>(id: &GroupId, device: &DeviceId) -> bool {
    let invitations = Invitations::<T>::get(device);
    invitations.iter().any(|invitation| invitation.group == *id)
}

/// Takes an invitation off the device's list.
fn take_invitation<T: Config>(id: &GroupId, device: &DeviceId) -> Option<Invitation> {
    Invitations::<T>::mutate_exists(device, |list| {
        let invitations = list.as_mut()?;
        let place = invitations
            .iter()
            .position(|invitation| invitation.group == *id)?;
        let taken = invitations.remove(place);
        if invitations.is_empty() {
            *list = None;
        }
        Some(taken)
    })
}

/// Takes a group off the device's list.
fn leave<T: Config>(id: &GroupId, device: &DeviceId) {
    DeviceGroups::<T>::mutate_exists(device, |groups| {
        if let Some(list) = groups {
            sorted::remove(list, id);
            if list.is_empty() {
                *groups = None;
            }
        }
    });
}
