//! The rules of the chain, as far as a bridge can tell them: one gateway, its devices and its groups.

use std::collections::BTreeMap;

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
        GatewayView, GroupView, KeyExchange, MemberView, MembershipView, StagedEpoch,
    },
    BlockHash, Commitment, DeviceId, Digest, GroupId, Role,
};

use super::devices::{self, ACCOUNT};

/// What the chain refuses changes nothing.
pub type Result<T = ()> = std::result::Result<T, &'static str>;

fn check(condition: bool, error: &'static str) -> Result {
    condition.then_some(()).ok_or(error)
}

/// The state after a block, or of the one that is being built.
#[derive(Clone, Debug)]
pub struct State {
    /// The block.
    pub number: u32,
    /// Whether the gateway may act.
    pub gateway_acts: bool,
    /// Devices, revoked ones included.
    pub devices: BTreeMap<DeviceId, DeviceView>,
    /// Groups, closed ones included.
    pub groups: BTreeMap<GroupId, Group>,
    indexes: BTreeMap<GroupId, u32>,
    /// The newest epoch that a device acknowledged, and the block.
    holdings: BTreeMap<(GroupId, DeviceId), (u32, u32)>,
    /// Rises with every change that statements or grants depend on.
    pub changes: u64,
}

/// What governance and other gateways do.
#[derive(Clone, Copy, Debug)]
pub enum Call {
    /// Create a group.
    Create,
    /// Add a device.
    Add(Role),
    /// Remove it.
    Remove,
    /// Begin a new epoch.
    Rotate,
    /// Freeze the group.
    Freeze,
    /// Let it go on.
    Thaw,
    /// Close it.
    Close,
    /// Change whether a join begins a new epoch.
    RekeyOnJoin(bool),
    /// Suspend a device.
    Suspend,
    /// Let it take part again.
    Reinstate,
    /// Revoke it.
    Revoke,
    /// Suspend the gateway, or let it act again.
    Gateway(bool),
}

/// Number and hash of a block.
pub fn block_ref(number: u32) -> BlockRef {
    BlockRef {
        number,
        hash: BlockHash([number as u8; 32]),
    }
}

/// The current commitment of a group.
pub fn committed(group: &Group) -> Option<Commitment> {
    let exchange = group.exchange(group.view.epoch)?;
    exchange.committed.map(|(commitment, _)| commitment)
}

fn settle(group: &mut Group) {
    if matches!(group.view.state, GroupState::Active | GroupState::Awaiting) {
        group.view.state = match committed(group) {
            Some(_) => GroupState::Active,
            None => GroupState::Awaiting,
        };
    }
}

fn current(group: &mut Group) -> Option<&mut KeyExchange> {
    let exchange = group.view.exchanges.last_mut();
    exchange.map(|(_, exchange)| exchange)
}

fn begin(group: &mut Group, number: u32, cause: Cause, staged: Option<StagedEpoch>) {
    let exchange = KeyExchange {
        cause,
        began: number,
        committed: staged.as_ref().map(|one| (one.commitment, one.custodian)),
        activated: staged.map(|_| number),
        delivery: None,
    };
    group.view.exchanges.push((group.view.epoch, exchange));
    settle(group);
}

/// Moves on to the next epoch, once per block; an epoch that is awaited does not move (KEX-2).
fn advance(group: &mut Group, number: u32, cause: Cause) {
    let began = group.exchange(group.view.epoch).map(|at| at.began);
    let closed = group.view.state == GroupState::Closed;
    if committed(group).is_none() || closed || began == Some(number) {
        return;
    }
    group.view.epoch += 1;
    let staged = (!group.view.staged.is_empty()).then(|| group.view.staged.remove(0));
    begin(group, number, cause, staged);
}

/// Gives the current epoch and the whole queue up (KEX-4, KEX-5).
fn abandon(group: &mut Group, number: u32, cause: Cause) {
    group.view.staged.clear();
    let began = group.exchange(group.view.epoch).map(|at| at.began);
    if began != Some(number) {
        return advance(group, number, cause);
    }
    if let Some(exchange) = current(group) {
        (exchange.committed, exchange.activated) = (None, None);
    }
    settle(group);
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// The gateway and its authority are admitted, and nothing else has happened.
    pub fn new() -> Self {
        Self {
            number: 0,
            gateway_acts: true,
            devices: BTreeMap::new(),
            groups: BTreeMap::new(),
            indexes: BTreeMap::new(),
            holdings: BTreeMap::new(),
            changes: 1,
        }
    }

    /// What a bridge reads.
    pub fn fleet(&self) -> Fleet {
        let status = match self.gateway_acts {
            true => GatewayStatus::Active,
            false => GatewayStatus::Suspended,
        };
        let gateway = GatewayView {
            account: ACCOUNT,
            organisation: "demo".parse().expect("an id"),
            name: devices::gateway(),
            statement_key: devices::statement_key().verifying_key(),
            custody_key: devices::agreement(&devices::device(9), 1).public(),
            status,
        };
        let authority = AuthorityView {
            authority: devices::authority(),
            organisation: "demo".parse().expect("an id"),
            key: devices::authority_key().verifying_key(),
            status: AuthorityStatus::Active,
        };
        let living = self.devices.values();
        let living = living.filter(|device| device.status != DeviceStatus::Revoked);
        let groups = self.groups.iter().filter(|_| self.gateway_acts);
        Fleet {
            gateways: [(ACCOUNT, gateway)].into(),
            authorities: [(authority.authority.clone(), authority)].into(),
            devices: living
                .map(|device| (device.device.clone(), self.device(device)))
                .collect(),
            groups: groups
                .map(|(id, group)| (id.clone(), self.group(group)))
                .collect(),
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

    fn device(&self, device: &DeviceView) -> DeviceView {
        let memberships = self.groups.values().filter_map(|group| {
            let member = group.members.get(&device.device)?;
            Some(MembershipView {
                group: group.view.group.clone(),
                role: member.role,
                filters: member.filters.clone(),
                custodians: Vec::from_iter(self.gateway_acts.then_some(ACCOUNT)),
            })
        });
        DeviceView {
            groups: memberships.collect(),
            ..device.clone()
        }
    }

    fn revise(&mut self, id: &GroupId, change: impl FnOnce(&mut Group, u32) -> Result) -> Result {
        let number = self.number;
        let group = self.groups.get_mut(id).ok_or("UnknownGroup")?;
        change(group, number)?;
        group.view.revision += 1;
        group.view.revised_at = number;
        group.revised_hash = block_ref(number).hash;
        self.changes += 1;
        Ok(())
    }

    fn seat(&mut self, id: &GroupId, device: &DeviceView, role: Role) -> Result {
        let index = self.indexes.entry(id.clone()).or_default();
        let group = self.groups.get_mut(id).ok_or("UnknownGroup")?;
        let member = MemberView {
            device: device.device.clone(),
            role,
            index: *index,
            joined_epoch: group.view.epoch,
            filters: group.view.filters.clone(),
            owner: ACCOUNT,
            active: device.status == DeviceStatus::Active,
            key_version: device.key_version,
            signing_key: device.signing_key,
            agreement_key: device.agreement_key,
            acknowledged: None,
        };
        *index += 1;
        group.members.insert(device.device.clone(), member);
        Ok(())
    }

    fn groups_of(&self, device: &DeviceId) -> Vec<GroupId> {
        let with = |(_, group): &(&GroupId, &Group)| group.members.contains_key(device);
        self.groups
            .iter()
            .filter(with)
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Governance, or another gateway, calls.
    pub fn call(&mut self, call: Call, id: &GroupId, device: &DeviceId) -> Result {
        match call {
            Call::Create => self.create(id),
            Call::Add(role) => self.add(id, device, role),
            Call::Remove => self.revise(id, |group, number| {
                group.members.remove(device).ok_or("NotMember")?;
                advance(group, number, Cause::Removed);
                Ok(())
            }),
            Call::Rotate => self.rotate(id),
            Call::Freeze => self.revise(id, |group, _| {
                ensure_open(group)?;
                group.view.state = GroupState::Frozen;
                Ok(())
            }),
            Call::Thaw => self.revise(id, |group, _| {
                check(group.view.state == GroupState::Frozen, "NotFrozen")?;
                group.view.state = GroupState::Active;
                settle(group);
                Ok(())
            }),
            Call::Close => self.revise(id, |group, _| {
                check(group.view.state != GroupState::Closed, "GroupClosed")?;
                group.view.staged.clear();
                group.view.state = GroupState::Closed;
                Ok(())
            }),
            Call::RekeyOnJoin(rekey) => self.revise(id, |group, _| {
                ensure_open(group)?;
                group.view.policy.rekey_on_join = rekey;
                Ok(())
            }),
            Call::Suspend => self.set_status(device, DeviceStatus::Active, DeviceStatus::Suspended),
            Call::Reinstate => {
                self.set_status(device, DeviceStatus::Suspended, DeviceStatus::Active)
            }
            Call::Revoke => {
                let known = self.devices.get(device).ok_or("UnknownDevice")?.status;
                check(known != DeviceStatus::Revoked, "DeviceRevoked")?;
                self.set_status(device, known, DeviceStatus::Revoked)
            }
            Call::Gateway(acts) => self.set_gateway(acts),
        }
    }

    fn create(&mut self, id: &GroupId) -> Result {
        check(!self.groups.contains_key(id), "GroupExists")?;
        let filter = TopicFilter::new(id.as_str()).expect("a filter");
        let policy = Policy {
            history: 6,
            ..Policy::default()
        };
        let view = GroupView {
            group: id.clone(),
            admin: ACCOUNT,
            custodians: vec![ACCOUNT],
            filters: Filters::new([filter]).expect("one filter"),
            policy,
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
        self.revise(id, |group, number| {
            begin(group, number, Cause::Created, None);
            Ok(())
        })
    }

    fn add(&mut self, id: &GroupId, device: &DeviceId, role: Role) -> Result {
        let known = self.devices.get(device).ok_or("UnknownDevice")?.clone();
        check(known.status == DeviceStatus::Active, "DeviceNotActive")?;
        self.revise(id, |group, number| {
            ensure_open(group)?;
            check(!group.members.contains_key(device), "AlreadyMember")?;
            if group.view.policy.rekey_on_join {
                advance(group, number, Cause::Joined);
            }
            Ok(())
        })?;
        self.seat(id, &known, role)
    }

    fn rotate(&mut self, id: &GroupId) -> Result {
        self.revise(id, |group, number| {
            check(group.view.state != GroupState::Closed, "GroupClosed")?;
            advance(group, number, Cause::Rotated);
            Ok(())
        })
    }

    fn set_status(&mut self, device: &DeviceId, from: DeviceStatus, to: DeviceStatus) -> Result {
        let known = self.devices.get_mut(device).ok_or("UnknownDevice")?;
        check(known.status == from, "DeviceNotActive")?;
        known.status = to;
        let known = known.clone();
        self.changes += 1;
        for id in self.groups_of(device) {
            let frozen = self.groups.get(&id).map(|group| group.view.state);
            let frozen = frozen == Some(GroupState::Frozen);
            check(!frozen || to != DeviceStatus::Active, "GroupFrozen")?;
            self.revise(&id, |group, number| {
                let member = group.members.get_mut(device).ok_or("NotMember")?;
                member.active = false;
                match to {
                    DeviceStatus::Suspended => advance(group, number, Cause::Suspended),
                    DeviceStatus::Revoked => {
                        group.members.remove(device);
                        advance(group, number, Cause::Revoked);
                    }
                    DeviceStatus::Active if group.view.policy.rekey_on_join => {
                        advance(group, number, Cause::Reinstated);
                    }
                    DeviceStatus::Active => {}
                }
                Ok(())
            })?;
            if to == DeviceStatus::Active {
                self.reseat(&id, &known)?;
            }
        }
        Ok(())
    }

    fn reseat(&mut self, id: &GroupId, device: &DeviceView) -> Result {
        let group = self.groups.get(id).ok_or("UnknownGroup")?;
        let role = group.members.get(&device.device).ok_or("NotMember")?.role;
        self.seat(id, device, role)
    }

    fn set_gateway(&mut self, acts: bool) -> Result {
        check(acts != self.gateway_acts, "AlreadySo")?;
        self.gateway_acts = acts;
        self.changes += 1;
        let groups: Vec<GroupId> = self.groups.keys().cloned().collect();
        for id in groups.iter().filter(|_| !acts) {
            self.revise(id, |group, number| {
                abandon(group, number, Cause::CustodianLeft);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The state after a transaction of the gateway.
    pub fn execute(mut self, command: &Command) -> Result<Self> {
        check(self.gateway_acts, "GatewayNotActive")?;
        match command {
            Command::Stage {
                group,
                epoch,
                commitment,
            } => self.stage(group, *epoch, *commitment)?,
            Command::Withdraw { group, epoch } => self.withdraw(group, *epoch)?,
            Command::Rotate { group } => self.rotate(group)?,
            Command::Deliver {
                group,
                epoch,
                recipients,
                grants_root,
            } => self.deliver(group, *epoch, *recipients, *grants_root)?,
            Command::Acknowledge { group, receipts } => receipts
                .iter()
                .try_for_each(|(key, _)| self.acknowledge(group, key))?,
            Command::Register { voucher, .. } => self.register(&voucher.device)?,
            Command::ReplaceByVoucher { voucher, .. } => {
                self.replace(&voucher.device, voucher.key_version, true)?;
            }
            Command::Replace { replacement, .. } => {
                self.replace(&replacement.device, replacement.key_version, false)?;
            }
        }
        Ok(self)
    }

    fn stage(&mut self, id: &GroupId, epoch: u32, commitment: Commitment) -> Result {
        let group = self.groups.get_mut(id).ok_or("UnknownGroup")?;
        check(group.view.state != GroupState::Closed, "GroupClosed")?;
        if committed(group).is_none() {
            return self.revise(id, |group, number| {
                check(epoch == group.view.epoch, "NotNextEpoch")?;
                let exchange = current(group).ok_or("UnknownEpoch")?;
                exchange.committed = Some((commitment, ACCOUNT));
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
            custodian: ACCOUNT,
        });
        self.changes += 1;
        Ok(())
    }

    fn withdraw(&mut self, id: &GroupId, epoch: u32) -> Result {
        let group = self.groups.get_mut(id).ok_or("UnknownGroup")?;
        check(group.view.state != GroupState::Closed, "GroupClosed")?;
        if epoch == group.view.epoch {
            check(committed(group).is_some(), "NotStaged")?;
            return self.revise(id, |group, number| {
                abandon(group, number, Cause::Rotated);
                Ok(())
            });
        }
        let staged = &mut group.view.staged;
        check(staged.iter().any(|one| one.epoch == epoch), "NotStaged")?;
        staged.retain(|one| one.epoch < epoch);
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
        check(exchange.committed.is_some(), "UnknownEpoch")?;
        check(exchange.delivery.is_none(), "AlreadyDelivered")?;
        exchange.delivery = Some(Delivery {
            at,
            recipients,
            grants_root: root,
        });
        Ok(())
    }

    fn acknowledge(&mut self, id: &GroupId, key: &ReceiptKey) -> Result {
        let group = self.groups.get(id).ok_or("UnknownGroup")?;
        let exchange = group.exchange(key.epoch).ok_or("UnknownEpoch")?;
        let (commitment, _) = exchange.committed.ok_or("UnknownEpoch")?;
        let member = group.members.get(&key.device).ok_or("NotMember")?;
        check(key.epoch >= member.joined_epoch, "EpochBeforeJoin")?;
        let holding = (id.clone(), key.device.clone());
        let known = self.holdings.get(&holding).map_or(0, |(epoch, _)| *epoch);
        if key.commitment == commitment && known < key.epoch {
            self.holdings.insert(holding, (key.epoch, self.number));
        }
        Ok(())
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
        let may = by_voucher || known.status == DeviceStatus::Active;
        check(may, "DeviceSuspended")?;
        check(known.key_version + 1 == version, "WrongKeyVersion")?;
        known.key_version = version;
        known.signing_key = devices::signing(id, version).verifying_key();
        known.agreement_key = devices::agreement(id, version).public();
        let known = known.clone();
        self.changes += 1;
        for group in self.groups_of(id) {
            self.revise(&group, |group, number| {
                advance(group, number, Cause::KeysReplaced);
                Ok(())
            })?;
            self.reseat(&group, &known)?;
        }
        Ok(())
    }
}

fn ensure_open(group: &Group) -> Result {
    check(group.view.state != GroupState::Closed, "GroupClosed")?;
    check(group.view.state != GroupState::Frozen, "GroupFrozen")
}
