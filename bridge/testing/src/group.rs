//! One group: its epochs and its members.

use keyward_bridge::relay::fleet::Group;
use keyward_protocol::{
    statement::GroupState,
    topic::Filters,
    view::{Cause, DeviceStatus, DeviceView, KeyExchange, MemberView},
    AccountId, Commitment, Role,
};

use crate::state::{check, Result, ACCOUNT};

/// The current commitment of a group.
pub fn committed(group: &Group) -> Option<(Commitment, AccountId)> {
    group.exchange(group.view.epoch)?.committed
}

/// Refuses what gives access in a group that is frozen or closed.
pub fn ensure_open(group: &Group) -> Result {
    check(group.view.state != GroupState::Closed, "GroupClosed")?;
    check(group.view.state != GroupState::Frozen, "GroupFrozen")
}

/// The record of the current epoch.
pub fn current(group: &mut Group) -> Option<&mut KeyExchange> {
    let epoch = group.view.epoch;
    let mut exchanges = group.view.exchanges.iter_mut();
    let found = exchanges.find(|(of, _)| *of == epoch);
    found.map(|(_, exchange)| exchange)
}

/// A group that is neither frozen nor closed is active when its epoch is committed to.
pub fn settle(group: &mut Group) {
    let settled = match committed(group) {
        Some(_) => GroupState::Active,
        None => GroupState::Awaiting,
    };
    if matches!(group.view.state, GroupState::Active | GroupState::Awaiting) {
        group.view.state = settled;
    }
}

/// Records that the current epoch began.
pub fn begin(
    group: &mut Group,
    number: u32,
    cause: Cause,
    committed: Option<(Commitment, AccountId)>,
) {
    let exchange = KeyExchange {
        cause,
        began: number,
        committed,
        activated: committed.map(|_| number),
        delivery: None,
    };
    group.view.exchanges.push((group.view.epoch, exchange));
    settle(group);
}

/// Whether somebody may hold the current epoch, and it did not begin in this block.
fn is_in_use(group: &Group) -> bool {
    committed(group).is_some() && group.view.state != GroupState::Closed
}

fn began(group: &Group) -> u32 {
    group.exchange(group.view.epoch).map_or(0, |at| at.began)
}

/// Moves a group on to the next epoch, once per block.
pub fn advance(group: &mut Group, number: u32, cause: Cause) {
    if !is_in_use(group) || began(group) == number {
        return;
    }
    group.view.epoch += 1;
    let next = (!group.view.staged.is_empty()).then(|| group.view.staged.remove(0));
    let committed = next.map(|next| (next.commitment, next.custodian));
    begin(group, number, cause, committed);
}

/// Gives the current epoch up.
pub fn abandon(group: &mut Group, number: u32, cause: Cause) {
    if !is_in_use(group) || began(group) != number {
        return advance(group, number, cause);
    }
    if let Some(exchange) = current(group) {
        exchange.committed = None;
        exchange.activated = None;
    }
    settle(group);
}

/// Writes a member down, with an index of its own and the current epoch as its first.
pub fn seat(group: &mut Group, device: &DeviceView, role: Role, filters: Filters, index: &mut u32) {
    let member = MemberView {
        device: device.device.clone(),
        role,
        index: *index,
        joined_epoch: group.view.epoch,
        filters,
        owner: ACCOUNT,
        active: device.status == DeviceStatus::Active,
        key_version: device.key_version,
        signing_key: device.signing_key,
        agreement_key: device.agreement_key,
        acknowledged: None,
    };
    *index += 1;
    group.members.insert(device.device.clone(), member);
}

/// Has a member begin anew.
pub fn reseat(group: &mut Group, device: &DeviceView, index: &mut u32) -> Result {
    let member = group.members.get(&device.device).ok_or("NotMember")?;
    let (role, filters) = (member.role, member.filters.clone());
    seat(group, device, role, filters, index);
    Ok(())
}
