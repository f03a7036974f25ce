//! What view functions and the runtime API answer; and the block's number and time.

use alloc::vec::Vec;
use frame_support::traits::UnixTime;
use keyward_protocol::{
    bytes::AccountId as RawAccount,
    limits,
    view::{
        AuthorityView, ConflictView, CustodyView, DeviceStatus, DeviceView, GatewayStatus,
        GatewayView, GroupView, InvitationView, KeyExchange, MemberView, MembershipView,
        PermissionsView,
    },
    AuthorityId, DeviceId, Digest, GroupId,
};
use sp_runtime::SaturatedConversion;

use crate::{
    caller::is_active,
    pallet::*,
    types::{Authority, Gateway, Member},
    AdmitAccount,
};

/// Items on a page of an answer, at most.
const PAGE: u32 = 1_024;

/// The number of this block.
pub(crate) fn now<T: Config>() -> u32 {
    frame_system::Pallet::<T>::block_number().saturated_into()
}

/// The time of this block, in seconds since 1970.
pub(crate) fn seconds<T: Config>() -> u64 {
    T::Time::now().as_secs()
}

/// Counts a change that a statement or a grant could depend on.
pub(crate) fn touch<T: Config>() {
    Changes::<T>::mutate(|changes| *changes = changes.saturating_add(1));
}

/// An account in the form that `keyward-protocol` knows.
pub(crate) fn raw<T: Config>(account: &T::AccountId) -> RawAccount {
    RawAccount(account.clone().into())
}

fn account_of<T: Config>(account: RawAccount) -> T::AccountId {
    account.0.into()
}

fn size(limit: u32) -> usize {
    limit.min(PAGE) as usize
}

pub(crate) fn gateway<T: Config>(account: RawAccount) -> Option<GatewayView> {
    let gateway = Gateways::<T>::get(account_of::<T>(account))?;
    Some(gateway_view(account, gateway))
}

pub(crate) fn gateways<T: Config>() -> Vec<GatewayView> {
    let view = |(account, gateway)| gateway_view(raw::<T>(&account), gateway);
    let mut gateways: Vec<_> = Gateways::<T>::iter().map(view).collect();
    gateways.sort_by_key(|gateway| gateway.account);
    gateways
}

fn gateway_view(account: RawAccount, gateway: Gateway) -> GatewayView {
    GatewayView {
        account,
        organisation: gateway.organisation,
        name: gateway.name,
        statement_key: gateway.statement_key,
        custody_key: gateway.custody_key,
        status: gateway.status,
    }
}

pub(crate) fn authorities<T: Config>() -> Vec<AuthorityView> {
    let mut authorities: Vec<_> = Authorities::<T>::iter().map(authority_view).collect();
    authorities.sort_by(|a, b| a.authority.cmp(&b.authority));
    authorities
}

fn authority_view((id, authority): (AuthorityId, Authority)) -> AuthorityView {
    AuthorityView {
        authority: id,
        organisation: authority.organisation,
        key: authority.key,
        status: authority.status,
    }
}

pub(crate) fn device<T: Config>(id: DeviceId) -> Option<DeviceView> {
    let device = Devices::<T>::get(&id)?;
    Some(device_view::<T>(id, device))
}

fn device_view<T: Config>(id: DeviceId, device: DeviceOf<T>) -> DeviceView {
    let groups = DeviceGroups::<T>::get(&id);
    let membership = |group| membership_view::<T>(&id, group);
    let groups = groups.into_iter().filter_map(membership).collect();
    DeviceView {
        device: id,
        owner: raw::<T>(&device.owner),
        authority: device.authority,
        signing_key: device.signing_key,
        agreement_key: device.agreement_key,
        key_version: device.key_version,
        status: device.status,
        enrolled_at: device.enrolled_at,
        groups,
    }
}

fn membership_view<T: Config>(device: &DeviceId, id: GroupId) -> Option<MembershipView> {
    let member = Members::<T>::get(&id, device)?;
    let group = Groups::<T>::get(&id)?;
    Some(MembershipView {
        group: id,
        role: member.role,
        filters: member.filters,
        custodians: active_custodians::<T>(&group),
    })
}

fn active_custodians<T: Config>(group: &GroupOf<T>) -> Vec<RawAccount> {
    let custodians = group.custodians.iter();
    let active = custodians.filter(|account| is_active::<T>(account));
    active.map(raw::<T>).collect()
}

pub(crate) fn devices_of<T: Config>(
    owner: RawAccount,
    after: Option<DeviceId>,
    limit: u32,
) -> Vec<DeviceView> {
    let owner = account_of::<T>(owner);
    let ids = match after {
        Some(after) => {
            let after = OwnedDevices::<T>::hashed_key_for(&owner, after);
            OwnedDevices::<T>::iter_key_prefix_from(&owner, after)
        }
        None => OwnedDevices::<T>::iter_key_prefix(&owner),
    };
    ids.filter_map(device::<T>).take(size(limit)).collect()
}

pub(crate) fn devices<T: Config>(after: Option<DeviceId>, limit: u32) -> Vec<DeviceView> {
    let devices = match after {
        Some(after) => Devices::<T>::iter_from_key(after),
        None => Devices::<T>::iter(),
    };
    let view = |(id, device)| device_view::<T>(id, device);
    devices.map(view).take(size(limit)).collect()
}

pub(crate) fn group<T: Config>(id: GroupId) -> Option<GroupView> {
    let group = Groups::<T>::get(&id)?;
    Some(GroupView {
        admin: raw::<T>(&group.admin),
        custodians: active_custodians::<T>(&group),
        filters: group.filters,
        policy: group.policy,
        state: group.state,
        epoch: group.epoch,
        staged: group.staged.into_inner(),
        revision: group.revision,
        revised_at: group.revised_at,
        members: group.members,
        chain_head: ChainHeads::<T>::get(&id).unwrap_or(Digest([0; 32])),
        exchanges: exchanges::<T>(&id, group.epoch),
        group: id,
    })
}

/// The epochs on record, by rising epoch.
fn exchanges<T: Config>(id: &GroupId, current: u32) -> Vec<(u32, KeyExchange)> {
    let oldest = current.saturating_sub(limits::HISTORY);
    let exchange = |epoch| Some((epoch, KeyExchanges::<T>::get(id, epoch)?));
    (oldest..=current).filter_map(exchange).collect()
}

pub(crate) fn groups<T: Config>(after: Option<GroupId>, limit: u32) -> Vec<GroupId> {
    let ids = match after {
        Some(after) => Groups::<T>::iter_keys_from(Groups::<T>::hashed_key_for(after)),
        None => Groups::<T>::iter_keys(),
    };
    ids.take(size(limit)).collect()
}

pub(crate) fn members<T: Config>(
    id: GroupId,
    after: Option<DeviceId>,
    limit: u32,
) -> Vec<MemberView> {
    let members = match after {
        Some(after) => {
            let after = Members::<T>::hashed_key_for(&id, after);
            Members::<T>::iter_prefix_from(&id, after)
        }
        None => Members::<T>::iter_prefix(&id),
    };
    let view = |(device, member)| member_view::<T>(&id, device, member);
    members.filter_map(view).take(size(limit)).collect()
}

fn member_view<T: Config>(id: &GroupId, device: DeviceId, member: Member) -> Option<MemberView> {
    let known = Devices::<T>::get(&device)?;
    let holding = Holdings::<T>::get(id, &device);
    Some(MemberView {
        device,
        role: member.role,
        index: member.index,
        joined_epoch: member.joined_epoch,
        filters: member.filters,
        owner: raw::<T>(&known.owner),
        active: known.status == DeviceStatus::Active,
        key_version: known.key_version,
        signing_key: known.signing_key,
        agreement_key: known.agreement_key,
        acknowledged: holding.map(|holding| (holding.epoch, holding.at)),
    })
}

pub(crate) fn custody<T: Config>(account: RawAccount) -> Vec<CustodyView> {
    let ids = active_custody::<T>(account).into_iter();
    ids.filter_map(custody_view::<T>).collect()
}

fn custody_view<T: Config>(id: GroupId) -> Option<CustodyView> {
    let group = Groups::<T>::get(&id)?;
    Some(CustodyView {
        group: id,
        revision: group.revision,
        epoch: group.epoch,
        state: group.state,
        staged: group.staged.len().saturated_into(),
    })
}

/// The groups of an active custodian.
fn active_custody<T: Config>(account: RawAccount) -> Vec<GroupId> {
    let account = account_of::<T>(account);
    match is_active::<T>(&account) {
        true => CustodianGroups::<T>::get(&account).into_inner(),
        false => Vec::new(),
    }
}

pub(crate) fn conflicts<T: Config>(id: GroupId) -> Vec<ConflictView> {
    let all = Conflicts::<T>::iter_prefix((id,));
    let view = |((epoch, device), conflict): ((u32, DeviceId), crate::Conflict)| ConflictView {
        epoch,
        device,
        commitment: conflict.commitment,
        at: conflict.at,
    };
    let mut conflicts: Vec<_> = all.map(view).collect();
    conflicts.sort_by(|a, b| (a.epoch, &a.device).cmp(&(b.epoch, &b.device)));
    conflicts
}

pub(crate) fn invitations<T: Config>(owner: RawAccount) -> Vec<InvitationView> {
    let devices = OwnedDevices::<T>::iter_key_prefix(account_of::<T>(owner));
    let of_device = |device: DeviceId| {
        let invitations = Invitations::<T>::get(&device).into_iter();
        invitations.map(move |invitation| InvitationView {
            group: invitation.group,
            device: device.clone(),
            role: invitation.role,
        })
    };
    let mut invitations: Vec<_> = devices.flat_map(of_device).collect();
    invitations.sort_by(|a, b| (&a.group, &a.device).cmp(&(&b.group, &b.device)));
    invitations
}

pub(crate) fn permissions<T: Config>(account: RawAccount) -> PermissionsView {
    let known = account_of::<T>(account);
    let gateway = Gateways::<T>::get(&known);
    let active = gateway.filter(|gateway| gateway.status == GatewayStatus::Active);
    PermissionsView {
        admitted: T::Admission::is_admitted(&known),
        gateway_of: active.map(|gateway| gateway.organisation),
        custodian_of: active_custody::<T>(account),
    }
}
