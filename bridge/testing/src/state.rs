//! The rules of `pallets/fleet`, as far as a bridge can tell.

use std::collections::{BTreeMap, BTreeSet};

use keyward_bridge::relay::{
    fleet::{Fleet, Group},
    journal::ReceiptKey,
    transactions::Command,
};
use keyward_protocol::{
    beacon::BlockRef,
    limits,
    policy::Policy,
    statement::GroupState,
    topic::{Filters, TopicFilter},
    view::{
        AuthorityStatus, AuthorityView, Cause, Delivery, DeviceStatus, DeviceView, GatewayStatus,
        GatewayView, GroupView, MembershipView, StagedEpoch,
    },
    AccountId, BlockHash, Commitment, DeviceId, Digest, GroupId, Role,
};

use crate::{
    custody::{other_gateway, OTHER},
    devices,
    group::{abandon, advance, begin, committed, current, ensure_open, reseat, seat, settle},
};

/// Chain time of block 0, in milliseconds.
const BEGAN_MS: u64 = 1_700_000_000_000;

/// The gateway's account.
pub const ACCOUNT: AccountId = AccountId([7; 32]);

/// The state after a block, or of the one that is being built.
#[derive(Clone)]
pub struct State {
    /// The block.
    pub number: u32,
    gateway: GatewayView,
    other: GatewayView,
    /// Devices of the gateway, revoked ones included.
    pub devices: BTreeMap<DeviceId, DeviceView>,
    /// Groups, closed ones included.
    pub groups: BTreeMap<GroupId, Group>,
    indexes: BTreeMap<GroupId, u32>,
    /// Rises with every change that statements or grants depend on.
    pub changes: u64,
    /// Receipts for another commitment than the chain's.
    pub conflicts: BTreeSet<ReceiptKey>,
    /// Last epoch that a device acknowledged, and the block; kept when it leaves.
    holdings: BTreeMap<(GroupId, DeviceId), (u32, u32)>,
}

/// Or the name of the pallet's error.
pub type Result<T = ()> = std::result::Result<T, &'static str>;

/// Refuses with the pallet's error.
pub fn check(condition: bool, error: &'static str) -> Result {
    condition.then_some(()).ok_or(error)
}

/// Number and hash of a block.
pub fn block_ref(number: u32) -> BlockRef {
    let mut hash = [0xb1; 32];
    hash[..4].copy_from_slice(&number.to_le_bytes());
    BlockRef {
        number,
        hash: BlockHash(hash),
    }
}

/// Time of a block.
pub fn time_ms(number: u32) -> u64 {
    BEGAN_MS + u64::from(number) * 2_000
}

impl Default for State {
    /// The gateway and its authority are admitted, and nothing else has happened.
    fn default() -> Self {
        let gateway = GatewayView {
            account: ACCOUNT,
            organisation: "demo".parse().expect("an id"),
            name: devices::gateway(),
            statement_key: devices::statement_key().verifying_key(),
            custody_key: devices::agreement(&"gw".parse().expect("an id"), 1).public(),
            status: GatewayStatus::Active,
        };
        Self {
            number: 0,
            gateway,
            other: other_gateway(),
            devices: BTreeMap::new(),
            groups: BTreeMap::new(),
            indexes: BTreeMap::new(),
            changes: 1,
            conflicts: BTreeSet::new(),
            holdings: BTreeMap::new(),
        }
    }
}

impl State {
    /// The gateway may act.
    pub fn gateway_is_active(&self) -> bool {
        self.gateway.status == GatewayStatus::Active
    }

    /// What a bridge reads.
    pub fn fleet(&self) -> Fleet {
        let authority = AuthorityView {
            authority: devices::authority(),
            organisation: "demo".parse().expect("an id"),
            key: devices::authority_key().verifying_key(),
            status: AuthorityStatus::Active,
        };
        let living = |(_, device): &(_, DeviceView)| device.status != DeviceStatus::Revoked;
        let owned = self.devices.values();
        let owned = owned.filter(|device| device.owner == ACCOUNT);
        let devices = owned.map(|device| (device.device.clone(), self.device(&device.device)));
        let ours = |group: &&Group| group.view.custodians.contains(&ACCOUNT);
        let groups = self.groups.values().filter(ours);
        let groups = groups.map(|group| (group.view.group.clone(), self.group(group)));
        let groups = self.gateway_is_active().then(|| groups.collect());
        Fleet {
            gateways: [(ACCOUNT, self.gateway.clone()), (OTHER, self.other.clone())].into(),
            authorities: [(authority.authority.clone(), authority)].into(),
            devices: devices.filter(living).collect(),
            groups: groups.unwrap_or_default(),
        }
    }

    fn group(&self, group: &Group) -> Group {
        let mut group = group.clone();
        for (device, member) in &mut group.members {
            let key = (group.view.group.clone(), device.clone());
            member.acknowledged = self.holdings.get(&key).copied();
        }
        group
    }

    fn device(&self, id: &DeviceId) -> DeviceView {
        let acts = |account: &AccountId| *account != ACCOUNT || self.gateway_is_active();
        let memberships = self.groups.values().filter_map(|group| {
            let member = group.members.get(id)?;
            Some(MembershipView {
                group: group.view.group.clone(),
                role: member.role,
                filters: member.filters.clone(),
                custodians: group.view.custodians.iter().copied().filter(acts).collect(),
            })
        });
        DeviceView {
            groups: memberships.collect(),
            ..self.devices[id].clone()
        }
    }

    /// The state after a transaction.
    pub fn execute(mut self, command: &Command) -> Result<Self> {
        check(self.gateway_is_active(), "GatewayNotActive")?;
        match command {
            Command::Stage {
                group,
                epoch,
                commitment,
            } => {
                self.ensure_custodian(group)?;
                self.stage(group, *epoch, *commitment, ACCOUNT)?
            }
            Command::Withdraw { group, epoch } => {
                self.ensure_custodian(group)?;
                self.withdraw(group, *epoch)?
            }
            Command::Rotate { group } => {
                self.ensure_may_rotate(group)?;
                self.rotate(group)?
            }
            Command::Deliver {
                group,
                epoch,
                recipients,
                grants_root,
            } => {
                self.ensure_custodian(group)?;
                self.deliver(group, *epoch, *recipients, *grants_root)?
            }
            Command::Acknowledge { group, receipts } => {
                for (key, _) in receipts {
                    self.acknowledge(group, key)?;
                }
            }
            Command::Register { voucher, .. } => self.register(&voucher.device)?,
            Command::ReplaceByVoucher { voucher, .. } => {
                self.replace(&voucher.device, voucher.key_version, true)?
            }
            Command::Replace { replacement, .. } => {
                self.replace(&replacement.device, replacement.key_version, false)?
            }
        }
        Ok(self)
    }

    /// Changes a group and raises its revision.
    pub fn revise(
        &mut self,
        id: &GroupId,
        change: impl FnOnce(&mut Group, u32, &mut u32) -> Result,
    ) -> Result {
        let number = self.number;
        let group = self.groups.get_mut(id).ok_or("UnknownGroup")?;
        let index = self.indexes.entry(id.clone()).or_default();
        change(group, number, index)?;
        group.view.revision += 1;
        group.view.revised_at = number;
        group.revised_hash = block_ref(number).hash;
        self.changes += 1;
        Ok(())
    }

    /// Creates a group, which awaits its first epoch.
    pub fn create(&mut self, id: &GroupId) -> Result {
        check(!self.groups.contains_key(id), "GroupExists")?;
        let filter = TopicFilter::new(id.as_str()).expect("a filter");
        let view = GroupView {
            group: id.clone(),
            admin: ACCOUNT,
            custodians: vec![ACCOUNT],
            filters: Filters::new([filter]).expect("one filter"),
            policy: Policy {
                history: 6,
                ..Policy::default()
            },
            state: GroupState::Awaiting,
            epoch: 1,
            staged: Vec::new(),
            revision: 0,
            revised_at: 0,
            members: 0,
            chain_head: Digest([0; 32]),
            exchanges: Vec::new(),
        };
        let group = Group {
            view,
            revised_hash: BlockHash([0; 32]),
            members: BTreeMap::new(),
        };
        self.groups.insert(id.clone(), group);
        self.revise(id, |group, number, _| {
            begin(group, number, Cause::Created, None);
            Ok(())
        })
    }

    /// Adds a device.
    pub fn add(&mut self, id: &GroupId, device: &DeviceId, role: Role) -> Result {
        let known = self.devices.get(device).ok_or("UnknownDevice")?.clone();
        check(known.status == DeviceStatus::Active, "DeviceNotActive")?;
        self.revise(id, |group, number, index| {
            ensure_open(group)?;
            check(!group.members.contains_key(device), "AlreadyMember")?;
            if group.view.policy.rekey_on_join {
                advance(group, number, Cause::Joined);
            }
            let filters = group.view.filters.clone();
            seat(group, &known, role, filters, index);
            Ok(())
        })
    }

    /// Removes a device.
    pub fn remove(&mut self, id: &GroupId, device: &DeviceId) -> Result {
        self.revise(id, |group, number, _| {
            group.members.remove(device).ok_or("NotMember")?;
            advance(group, number, Cause::Removed);
            Ok(())
        })
    }

    /// Changes every group of a device.
    pub fn each_group_of(
        &mut self,
        device: &DeviceId,
        change: impl Fn(&mut Group, u32, &mut u32) -> Result,
    ) -> Result {
        let with = |group: &&Group| group.members.contains_key(device);
        let groups = self.groups.values().filter(with);
        let groups: Vec<GroupId> = groups.map(|group| group.view.group.clone()).collect();
        self.changes += 1;
        groups.iter().try_for_each(|id| self.revise(id, &change))
    }

    /// Suspends a device.
    pub fn suspend(&mut self, device: &DeviceId) -> Result {
        let known = self.devices.get_mut(device).ok_or("UnknownDevice")?;
        check(known.status == DeviceStatus::Active, "DeviceNotActive")?;
        known.status = DeviceStatus::Suspended;
        self.each_group_of(device, |group, number, _| {
            group.members.get_mut(device).ok_or("NotMember")?.active = false;
            advance(group, number, Cause::Suspended);
            Ok(())
        })
    }

    /// Lets a suspended device take part again.
    pub fn reinstate(&mut self, device: &DeviceId) -> Result {
        let known = self.devices.get_mut(device).ok_or("UnknownDevice")?;
        check(known.status == DeviceStatus::Suspended, "DeviceActive")?;
        known.status = DeviceStatus::Active;
        let known = known.clone();
        self.each_group_of(device, |group, number, index| {
            check(group.view.state != GroupState::Frozen, "GroupFrozen")?;
            if group.view.policy.rekey_on_join {
                advance(group, number, Cause::Reinstated);
            }
            reseat(group, &known, index)
        })
    }

    /// Revokes a device.
    pub fn revoke(&mut self, device: &DeviceId) -> Result {
        let known = self.devices.get_mut(device).ok_or("UnknownDevice")?;
        check(known.status != DeviceStatus::Revoked, "DeviceRevoked")?;
        known.status = DeviceStatus::Revoked;
        self.each_group_of(device, |group, number, _| {
            group.members.remove(device).ok_or("NotMember")?;
            advance(group, number, Cause::Revoked);
            Ok(())
        })
    }

    /// Registers a device, with the keys of its first version.
    pub fn register(&mut self, id: &DeviceId) -> Result {
        check(!self.devices.contains_key(id), "DeviceExists")?;
        let device = DeviceView {
            device: id.clone(),
            owner: ACCOUNT,
            authority: devices::authority(),
            signing_key: devices::signing(id, 1).verifying_key(),
            agreement_key: devices::agreement(id, 1).public(),
            key_version: 1,
            status: DeviceStatus::Active,
            enrolled_at: self.number,
            groups: Vec::new(),
        };
        self.devices.insert(id.clone(), device);
        self.changes += 1;
        Ok(())
    }

    fn replace(&mut self, id: &DeviceId, version: u32, by_voucher: bool) -> Result {
        let known = self.devices.get_mut(id).ok_or("UnknownDevice")?;
        check(known.status != DeviceStatus::Revoked, "DeviceRevoked")?;
        check(known.owner == ACCOUNT, "NotOwner")?;
        let may = by_voucher || known.status == DeviceStatus::Active;
        check(may, "DeviceSuspended")?;
        check(known.key_version + 1 == version, "WrongKeyVersion")?;
        known.key_version = version;
        known.signing_key = devices::signing(id, version).verifying_key();
        known.agreement_key = devices::agreement(id, version).public();
        let known = known.clone();
        self.each_group_of(id, |group, number, index| {
            advance(group, number, Cause::KeysReplaced);
            reseat(group, &known, index)
        })
    }

    /// Begins a new epoch.
    pub fn rotate(&mut self, id: &GroupId) -> Result {
        self.revise(id, |group, number, _| {
            check(group.view.state != GroupState::Closed, "GroupClosed")?;
            advance(group, number, Cause::Rotated);
            Ok(())
        })
    }

    /// Changes the policy.
    pub fn set_policy(&mut self, id: &GroupId, change: impl FnOnce(&mut Policy)) -> Result {
        self.revise(id, |group, _, _| {
            ensure_open(group)?;
            change(&mut group.view.policy);
            Ok(())
        })
    }

    /// Freezes a group.
    pub fn freeze(&mut self, id: &GroupId) -> Result {
        self.revise(id, |group, _, _| {
            ensure_open(group)?;
            group.view.state = GroupState::Frozen;
            Ok(())
        })
    }

    /// Lets a frozen group go on.
    pub fn thaw(&mut self, id: &GroupId) -> Result {
        self.revise(id, |group, _, _| {
            check(group.view.state == GroupState::Frozen, "NotFrozen")?;
            group.view.state = GroupState::Active;
            settle(group);
            Ok(())
        })
    }

    /// Closes a group.
    pub fn close(&mut self, id: &GroupId) -> Result {
        self.revise(id, |group, _, _| {
            check(group.view.state != GroupState::Closed, "GroupClosed")?;
            group.view.staged.clear();
            group.view.state = GroupState::Closed;
            Ok(())
        })
    }

    /// Suspends the gateway, and has its groups await a custodian; or lets it act again.
    pub fn set_gateway(&mut self, active: bool) -> Result {
        check(active != self.gateway_is_active(), "AlreadySo")?;
        self.changes += 1;
        self.gateway.status = match active {
            true => GatewayStatus::Active,
            false => GatewayStatus::Suspended,
        };
        let ours = |(_, group): &(&GroupId, &Group)| group.view.custodians.contains(&ACCOUNT);
        let groups = self.groups.iter().filter(ours);
        let groups: Vec<GroupId> = groups.map(|(id, _)| id.clone()).collect();
        match active {
            true => Ok(()),
            false => groups.iter().try_for_each(|id| {
                self.revise(id, |group, number, _| {
                    group.view.staged.clear();
                    abandon(group, number, Cause::CustodianLeft);
                    Ok(())
                })
            }),
        }
    }

    /// A custodian commits to an epoch.
    pub fn stage(
        &mut self,
        id: &GroupId,
        epoch: u32,
        commitment: Commitment,
        by: AccountId,
    ) -> Result {
        let group = self.groups.get_mut(id).ok_or("UnknownGroup")?;
        check(group.view.state != GroupState::Closed, "GroupClosed")?;
        if committed(group).is_none() {
            return self.revise(id, |group, number, _| {
                check(epoch == group.view.epoch, "NotNextEpoch")?;
                let exchange = current(group).ok_or("UnknownEpoch")?;
                exchange.committed = Some((commitment, by));
                exchange.activated = Some(number);
                settle(group);
                Ok(())
            });
        }
        let last = group.view.staged.last();
        let last = last.map_or(group.view.epoch, |staged| staged.epoch);
        check(epoch == last + 1, "NotNextEpoch")?;
        let full = group.view.staged.len() >= limits::STAGED as usize;
        check(!full, "QueueFull")?;
        group.view.staged.push(StagedEpoch {
            epoch,
            commitment,
            custodian: by,
        });
        self.changes += 1;
        Ok(())
    }

    fn withdraw(&mut self, id: &GroupId, epoch: u32) -> Result {
        let group = self.groups.get_mut(id).ok_or("UnknownGroup")?;
        check(group.view.state != GroupState::Closed, "GroupClosed")?;
        if epoch == group.view.epoch {
            let (_, by) = committed(group).ok_or("NotStaged")?;
            check(by == ACCOUNT, "NotCommitter")?;
            return self.revise(id, |group, number, _| {
                group.view.staged.clear();
                abandon(group, number, Cause::Rotated);
                Ok(())
            });
        }
        let staged = &mut group.view.staged;
        let found = staged.iter().find(|staged| staged.epoch == epoch);
        check(
            found.ok_or("NotStaged")?.custodian == ACCOUNT,
            "NotCommitter",
        )?;
        staged.retain(|staged| staged.epoch < epoch);
        self.changes += 1;
        Ok(())
    }

    fn deliver(&mut self, id: &GroupId, epoch: u32, recipients: u32, root: Digest) -> Result {
        let at = self.number;
        let group = self.groups.get_mut(id).ok_or("UnknownGroup")?;
        check(group.view.state != GroupState::Closed, "GroupClosed")?;
        let mut exchanges = group.view.exchanges.iter_mut();
        let found = exchanges.find(|(of, _)| *of == epoch);
        let (_, exchange) = found.ok_or("UnknownEpoch")?;
        let (_, by) = exchange.committed.ok_or("UnknownEpoch")?;
        check(by == ACCOUNT, "NotCommitter")?;
        check(exchange.delivery.is_none(), "AlreadyDelivered")?;
        exchange.delivery = Some(Delivery {
            at,
            recipients,
            grants_root: root,
        });
        Ok(())
    }

    fn acknowledge(&mut self, id: &GroupId, key: &ReceiptKey) -> Result {
        let at = self.number;
        let group = self.groups.get(id).ok_or("UnknownGroup")?;
        let exchange = group.exchange(key.epoch).ok_or("UnknownEpoch")?;
        let (commitment, _) = exchange.committed.ok_or("UnknownEpoch")?;
        let member = group.members.get(&key.device).ok_or("NotMember")?;
        check(key.epoch >= member.joined_epoch, "EpochBeforeJoin")?;
        let holding = (id.clone(), key.device.clone());
        let known = self.holdings.get(&holding);
        if key.commitment != commitment {
            self.conflicts.insert(key.clone());
        } else if known.is_none_or(|(epoch, _)| *epoch < key.epoch) {
            self.holdings.insert(holding, (key.epoch, at));
        }
        Ok(())
    }
}
