//! What must be so when nothing happens any more, from finalized state alone.

use std::collections::{BTreeMap, BTreeSet};

use keyward_bridge::relay::{
    fleet::{Fleet, Group},
    journal::Journal,
};
use keyward_bridge_testing::{
    broker::is_own,
    devices::{self, verified, GENESIS},
    state::ACCOUNT,
};
use keyward_crypto::hash::{hash_of, page_hash};
use keyward_protocol::{
    beacon::Beacon,
    signing::Signed,
    statement::{DeviceStatement, GroupState, GroupStatement, PublisherPage},
    topic::ControlTopic,
    view::{DeviceStatus, DeviceView, MemberView},
    AccountId, DeviceId, GroupId,
};

use super::{
    judge::{check_grant, topic},
    World,
};

/// Everything.
pub fn check(world: &World) {
    let fleet = world.chain.finalized.fleet();
    let mut calm = Calm {
        world,
        demanded: BTreeSet::new(),
    };
    calm.demand(ControlTopic::GatewayState(devices::gateway()));
    calm.check_devices(&fleet);
    for group in fleet.groups.values() {
        calm.check_group(group);
    }
    let held = world.broker.retained.keys().filter(|of| is_own(of));
    let held: BTreeSet<String> = held.cloned().collect();
    assert_eq!(
        held, calm.demanded,
        "the branch holds what is demanded (BRG-5)"
    );
}

/// What the broker holds, and what was found that it should.
struct Calm<'a> {
    world: &'a World,
    demanded: BTreeSet<String>,
}

impl Calm<'_> {
    /// What the broker holds where something must be.
    fn demand(&mut self, of: ControlTopic) -> &[u8] {
        let of = topic(of);
        let held = self.world.broker.retained.get(&of);
        let held = held.unwrap_or_else(|| panic!("nothing at {of} (BRG-5)"));
        self.demanded.insert(of);
        held
    }

    /// Each device is told its groups and who serves them (STM-1), by what it does not refuse as older than it knows (STM-2).
    fn check_devices(&mut self, fleet: &Fleet) {
        for device in fleet.devices.values() {
            let of = ControlTopic::DeviceState(devices::gateway(), device.device.clone());
            let said = verified::<DeviceStatement>(self.demand(of.clone()));
            let said = said.expect("a device statement (STM-1)").into_body();
            let told = said.groups.iter().map(|group| {
                let custodians = group.custodians.iter().map(|one| one.account);
                (group.group.clone(), custodians.collect())
            });
            let told: BTreeMap<_, BTreeSet<_>> = told.collect();
            assert_eq!(told, memberships(device), "STM-1: {}", device.device);
            assert_eq!(said.key_version, device.key_version, "STM-1");
            self.world.witness.check_newest(&topic(of), said.revision);
        }
    }

    fn check_group(&mut self, group: &Group) {
        let said = self.check_statement(group);
        self.check_pages(group, &said);
        if group.view.state == GroupState::Closed {
            return;
        }
        let of = ControlTopic::Beacon(devices::gateway(), group.view.group.clone());
        let beacon = verified::<Beacon>(self.demand(of)).expect("a beacon (STM-9)");
        assert_eq!(beacon.body().statement, hash_of(&said), "STM-8");
        check_queue(&self.world.journal, group);
        self.check_epoch(group);
    }

    /// STM-3, STM-4.
    fn check_statement(&mut self, group: &Group) -> Signed<GroupStatement> {
        let view = &group.view;
        let of = ControlTopic::GroupState(devices::gateway(), view.group.clone());
        let said = verified::<GroupStatement>(self.demand(of.clone()));
        let said = said.expect("a group statement (STM-3)");
        let body = said.body();
        let told = (body.revision, body.epoch, body.state);
        assert_eq!(told, (view.revision, view.epoch, view.state), "STM-3");
        let oldest = view.epoch.saturating_sub(view.policy.history);
        for (epoch, exchange) in &view.exchanges {
            let committed = exchange.committed.filter(|_| *epoch >= oldest);
            assert_eq!(body.commitment(*epoch), committed, "STM-3");
        }
        self.world.witness.check_newest(&topic(of), body.revision);
        said
    }

    /// STM-6, MEM-4.
    fn check_pages(&mut self, group: &Group, said: &Signed<GroupStatement>) {
        let mut publishers = BTreeSet::new();
        for (number, named) in (0..).zip(&said.body().pages) {
            let id = group.view.group.clone();
            let of = ControlTopic::Publishers(devices::gateway(), id, number);
            let page = PublisherPage::from_wire(self.demand(of), &GENESIS);
            let page = page.expect("a page (STM-6)");
            assert_eq!(page_hash(&GENESIS, &page), *named, "STM-6");
            publishers.extend(page.publishers.into_iter().map(|one| one.device));
        }
        let takes_part = |member: &&MemberView| member.active && member.role.publishes();
        let members = group.members.values().filter(takes_part);
        let members: BTreeSet<DeviceId> = members.map(|member| member.device.clone()).collect();
        assert_eq!(publishers, members, "STM-6, MEM-4");
    }

    /// The group has an epoch. One of ours can be opened, every member was granted it, and that is on record; of another
    /// custodian's we say nothing.
    fn check_epoch(&mut self, group: &Group) {
        let (journal, view) = (&self.world.journal, &group.view);
        let exchange = group.exchange(view.epoch).expect("a record (KEX-10)");
        let committed = exchange.committed;
        let (_, custodian) = committed.expect("a group does not await for ever (KEX-3)");
        if custodian != ACCOUNT {
            return;
        }
        let held = holds(journal, group, view.epoch);
        let is_frozen = view.state == GroupState::Frozen;
        assert!(held || is_frozen, "BRG-4");
        assert!(exchange.delivery.is_some() || is_frozen, "BRG-3");
        let entitled = |member: &&MemberView| member.active && member.joined_epoch <= view.epoch;
        for member in group.members.values().filter(entitled).filter(|_| held) {
            let (device, id) = (&member.device, &view.group);
            let of = ControlTopic::Grant(devices::gateway(), device.clone(), id.clone());
            let granted = check_grant(journal, group, device, self.demand(of));
            let owed = owed(self.world, group, member);
            assert!(
                owed.is_subset(&granted),
                "{device} in {id}: owed {owed:?}, granted {granted:?} (KEY-7)"
            );
        }
    }
}

/// The groups that a device takes part in, and who serves them.
fn memberships(device: &DeviceView) -> BTreeMap<GroupId, BTreeSet<AccountId>> {
    let active = device.status == DeviceStatus::Active;
    let groups = device.groups.iter().filter(|_| active);
    let groups = groups.map(|group| {
        let custodians = group.custodians.iter().copied();
        (group.group.clone(), custodians.collect())
    });
    groups.collect()
}

/// Whether the journal opens what the chain has for an epoch.
fn holds(journal: &Journal, group: &Group, epoch: u32) -> bool {
    let exchange = group.exchange(epoch);
    let committed = exchange.and_then(|exchange| exchange.committed);
    let held = journal.secrets.get(&(group.view.group.clone(), epoch));
    let pair = committed.zip(held);
    pair.is_some_and(|((commitment, _), held)| commitment == held.commitment)
}

/// The epochs that a member's grant must have: since it joined or acknowledged one, as far as the history goes, those that the
/// journal opens; and of a journal that never was another, all that this gateway committed to (KEY-7).
fn owed(world: &World, group: &Group, member: &MemberView) -> BTreeSet<u32> {
    let view = &group.view;
    let acknowledged = member.acknowledged.map_or(0, |(epoch, _)| epoch);
    let oldest = member.joined_epoch.max(acknowledged + 1);
    let oldest = oldest.max(view.epoch.saturating_sub(view.policy.history));
    let ours = |epoch: &u32| {
        let exchange = group.exchange(*epoch);
        let committed = exchange.and_then(|exchange| exchange.committed);
        committed.is_some_and(|(_, account)| account == ACCOUNT)
    };
    let epochs = (oldest.min(view.epoch)..=view.epoch).filter(ours);
    let held = |epoch: &u32| world.generation == 0 || holds(&world.journal, group, *epoch);
    epochs.filter(held).collect()
}

/// Epochs are staged ahead (KEX-3), and ours can be opened (BRG-4). What is not past has not begun to age (KEY-8).
fn check_queue(journal: &Journal, group: &Group) {
    let view = &group.view;
    assert!(view.staged.len() >= 4, "{:?} (KEX-3)", view.staged);
    let ours = view.staged.iter();
    for staged in ours.filter(|staged| staged.custodian == ACCOUNT) {
        let held = journal.secrets.get(&(view.group.clone(), staged.epoch));
        let opens = held.is_some_and(|held| held.commitment == staged.commitment);
        assert!(opens, "{} is staged (BRG-4)", staged.epoch);
    }
    for ((id, epoch), held) in &journal.secrets {
        let is_past = *id != view.group || *epoch < view.epoch;
        assert!(is_past || held.retired_ms.is_none(), "{epoch} (KEY-8)");
    }
}
