//! Another gateway: it administers groups, is custodian of them, and owns devices, as the council or this gateway has it.

use keyward_protocol::{
    statement::GroupState,
    view::{Cause, DeviceStatus, GatewayStatus, GatewayView},
    AccountId, Commitment, DeviceId, GroupId,
};

use crate::{
    devices,
    group::{abandon, committed},
    state::{check, Result, State, ACCOUNT},
};

/// Its account.
pub const OTHER: AccountId = AccountId([8; 32]);

/// What the chain says of it.
pub fn other_gateway() -> GatewayView {
    GatewayView {
        account: OTHER,
        organisation: "demo".parse().expect("an id"),
        name: "gw2".parse().expect("a name"),
        statement_key: devices::authority_key().verifying_key(),
        custody_key: devices::agreement(&"gw2".parse().expect("an id"), 1).public(),
        status: GatewayStatus::Active,
    }
}

impl State {
    /// Refuses where this gateway is no custodian.
    pub fn ensure_custodian(&self, id: &GroupId) -> Result {
        let group = self.groups.get(id).ok_or("UnknownGroup")?;
        check(group.view.custodians.contains(&ACCOUNT), "NotCustodian")
    }

    /// The administrator may at any time, a custodian when it is due (KEX-11).
    pub fn ensure_may_rotate(&self, id: &GroupId) -> Result {
        self.ensure_custodian(id)?;
        let group = self.groups.get(id).ok_or("UnknownGroup")?;
        let every = u64::from(group.view.policy.rotate_every);
        let began = group.exchange(group.view.epoch).map_or(0, |at| at.began);
        let age = u64::from(self.number - began) * 2;
        let due = every > 0 && age >= every;
        check(group.view.admin == ACCOUNT || due, "NotDue")
    }

    /// Has another gateway administer a group.
    pub fn set_admin(&mut self, id: &GroupId, admin: AccountId) -> Result {
        self.revise(id, |group, _, _| {
            group.view.admin = admin;
            Ok(())
        })
    }

    /// Changes the custodians: one that leaves takes the queue with it, and the group awaits another (KEX-4).
    pub fn set_custodians(&mut self, id: &GroupId, custodians: &[AccountId]) -> Result {
        self.revise(id, |group, number, _| {
            check(group.view.state != GroupState::Closed, "GroupClosed")?;
            check(group.view.custodians != custodians, "AlreadySo")?;
            let gone = |account: &AccountId| !custodians.contains(account);
            let of_queue = group
                .view
                .staged
                .iter()
                .any(|staged| gone(&staged.custodian));
            let of_epoch = committed(group).is_some_and(|(_, account)| gone(&account));
            group.view.custodians = custodians.to_vec();
            if of_queue || of_epoch {
                group.view.staged.clear();
                abandon(group, number, Cause::CustodianLeft);
            }
            Ok(())
        })
    }

    /// The other gateway commits to the next free epoch, or to the one that is awaited.
    pub fn other_stages(&mut self, id: &GroupId) -> Result {
        let group = self.groups.get(id).ok_or("UnknownGroup")?;
        check(group.view.custodians.contains(&OTHER), "NotCustodian")?;
        let last = group.view.staged.last();
        let epoch = match committed(group) {
            None => group.view.epoch,
            Some(_) => last.map_or(group.view.epoch, |staged| staged.epoch) + 1,
        };
        let mut commitment = [0x0e; 32];
        commitment[..4].copy_from_slice(&epoch.to_le_bytes());
        self.stage(id, epoch, Commitment(commitment), OTHER)
    }

    /// Gives a device to the other gateway, or back.
    pub fn transfer(&mut self, id: &DeviceId, owner: AccountId) -> Result {
        let device = self.devices.get_mut(id).ok_or("UnknownDevice")?;
        check(device.status != DeviceStatus::Revoked, "DeviceRevoked")?;
        check(device.owner != owner, "AlreadySo")?;
        device.owner = owner;
        self.each_group_of(id, |group, _, _| {
            group.members.get_mut(id).ok_or("NotMember")?.owner = owner;
            Ok(())
        })
    }
}
