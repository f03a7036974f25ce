//! What must be true when everything has calmed down, from finalized state alone.

use std::collections::BTreeSet;

use keyward_bridge::relay::{
    fleet::{Fleet, Group},
    ONLINE,
};
use keyward_bridge_testing::{
    devices::{self, verified, GENESIS},
    group,
    state::ACCOUNT,
    World,
};
use keyward_crypto::hash;
use keyward_protocol::{
    beacon::Beacon,
    request::Ask,
    statement::{GroupState, GroupStatement, PublisherPage},
    topic::{ControlTopic, PREFIX},
    view::{DeviceStatus, MemberView, StagedEpoch},
    DeviceId, GroupId,
};

/// Everything.
pub fn all(world: &World) {
    let fleet = world.chain.finalized.fleet();
    let mut topics: BTreeSet<String> =
        [topic(ControlTopic::GatewayState(devices::gateway()))].into();
    let state = world.told(&ControlTopic::GatewayState(devices::gateway()));
    assert_eq!(state.map(Vec::as_slice), Some(ONLINE.as_bytes()));
    for id in fleet.devices.keys() {
        topics.insert(device(world, &fleet, id));
    }
    for group in fleet.groups.values() {
        topics.extend(statements(world, group));
        topics.extend(grants(world, group));
        epochs(world, group);
    }
    let held: BTreeSet<String> = world.broker.retained.keys().cloned().collect();
    assert_eq!(
        held, topics,
        "the branch holds what is demanded, and nothing else (BRG-5)"
    );
    if world.chain.finalized.gateway_is_active() {
        requests(world);
        receipts(world);
    }
}

/// Not the bridge's own idea of it.
fn active(group: &Group) -> impl Iterator<Item = &MemberView> {
    group.members.values().filter(|member| member.active)
}

fn topic(topic: ControlTopic) -> String {
    topic.to_topic(PREFIX)
}

/// The device's statement says what the chain says (STM-1).
fn device(world: &World, fleet: &Fleet, id: &DeviceId) -> String {
    let on_chain = &fleet.devices[id];
    let statement = world.device_statement(id).expect("a device statement");
    let told: Vec<&GroupId> = statement.groups.iter().map(|group| &group.group).collect();
    let groups = on_chain.groups.iter().map(|membership| &membership.group);
    let active = on_chain.status == DeviceStatus::Active;
    let groups: Vec<&GroupId> = groups.filter(|_| active).collect();
    assert_eq!(told, groups, "groups of {id} (STM-1)");
    assert_eq!(statement.key_version, on_chain.key_version);
    for group in &statement.groups {
        let membership = on_chain.groups.iter().find(|on| on.group == group.group);
        let told: Vec<_> = group.custodians.iter().map(|it| it.account).collect();
        let on_chain = &membership.expect("a membership").custodians;
        assert_eq!(told, *on_chain, "custodians of {} (STM-1)", group.group);
    }
    topic(ControlTopic::DeviceState(devices::gateway(), id.clone()))
}

/// Statement, pages and beacon of a group are those of its revision (STM-3, STM-6, STM-8).
fn statements(world: &World, group: &Group) -> Vec<String> {
    let (name, id) = (devices::gateway(), &group.view.group);
    let state = ControlTopic::GroupState(name.clone(), id.clone());
    let statement = world.group_statement(id).expect("a group statement");
    let told = (statement.revision, statement.epoch, statement.state);
    let on_chain = (group.view.revision, group.view.epoch, group.view.state);
    assert_eq!(told, on_chain, "statement of {id} (STM-3)");
    assert_eq!(statement.block.number, group.view.revised_at);
    let oldest = group.view.epoch.saturating_sub(group.view.policy.history);
    for (epoch, exchange) in &group.view.exchanges {
        let expected = exchange.committed.filter(|_| *epoch >= oldest);
        assert_eq!(
            statement.commitment(*epoch),
            expected,
            "{id} {epoch} (STM-3)"
        );
    }
    let mut topics = vec![topic(state.clone())];
    let mut publishers = Vec::new();
    for (number, named) in (0..).zip(&statement.pages) {
        let page = ControlTopic::Publishers(name.clone(), id.clone(), number);
        let bytes = world.told(&page).expect("a page");
        let page_told = PublisherPage::from_wire(bytes, &GENESIS).expect("a page");
        assert_eq!(
            hash::page_hash(&GENESIS, &page_told),
            *named,
            "page of {id} (STM-6)"
        );
        publishers.extend(
            page_told
                .publishers
                .into_iter()
                .map(|publisher| publisher.device),
        );
        topics.push(topic(page));
    }
    let expected = active(group).filter(|member| member.role.publishes());
    let mut expected: Vec<&MemberView> = expected.collect();
    expected.sort_by_key(|member| member.index);
    let expected: Vec<_> = expected
        .iter()
        .map(|member| member.device.clone())
        .collect();
    assert_eq!(publishers, expected, "publishers of {id} (MEM-4)");
    if group.view.state != GroupState::Closed {
        topics.push(beacon(world, id, world.told(&state).expect("a statement")));
    }
    topics
}

fn beacon(world: &World, id: &GroupId, statement: &[u8]) -> String {
    let beacon = ControlTopic::Beacon(devices::gateway(), id.clone());
    let bytes = world.told(&beacon).expect("a beacon");
    let told = verified::<Beacon>(bytes).expect("our beacon");
    let statement = verified::<GroupStatement>(statement).expect("our statement");
    assert_eq!(
        told.body().statement,
        hash::hash_of(&statement),
        "beacon of {id} (STM-8)"
    );
    topic(beacon)
}

/// Every active member holds a grant that opens to exactly the epochs that it may have, nobody else holds one (KEY-7, MEM-3).
fn grants(world: &World, group: &Group) -> Vec<String> {
    let Some((current, commitment, custodian)) = group.committed() else {
        return Vec::new();
    };
    if custodian != ACCOUNT {
        return Vec::new();
    }
    let held = world
        .journal
        .secrets
        .get(&(group.view.group.clone(), current));
    let held = held.is_some_and(|held| held.commitment == commitment);
    let healed = held || group.view.state != GroupState::Active;
    let acts = world.chain.finalized.gateway_is_active();
    assert!(
        healed || !acts,
        "the current epoch of {} is not held (BRG-4)",
        group.view.group
    );
    if group.view.state == GroupState::Closed {
        let secrets = world.journal.secrets.keys();
        let left = secrets.filter(|(id, _)| *id == group.view.group).count();
        assert_eq!(left, 0, "{} is closed (KEY-8)", group.view.group);
    }
    if !held || group.view.state == GroupState::Closed {
        return Vec::new();
    }
    let entitled = |member: &&MemberView| member.joined_epoch <= current;
    let members = active(group).filter(entitled);
    members
        .map(|member| grant(world, group, current, member))
        .collect()
}

fn grant(world: &World, group: &Group, current: u32, member: &MemberView) -> String {
    let id = &group.view.group;
    let grant = world.grant(id, &member.device, member.key_version);
    let grant = grant.unwrap_or_else(|| panic!("no grant for {} in {id}", member.device));
    let granted: BTreeSet<u32> = grant.epochs.iter().map(|granted| granted.epoch).collect();
    for granted in &grant.epochs {
        let exchange = group.exchange(granted.epoch);
        let committed = exchange.and_then(|exchange| exchange.committed);
        let (commitment, custodian) = committed.expect("a committed epoch");
        let (epoch, secret) = (granted.epoch, &granted.secret);
        let opens =
            keyward_crypto::epoch::opens(&commitment, &GENESIS, id, epoch, &custodian, secret);
        assert!(
            opens,
            "{} in {id}: epoch {epoch} does not open (KEY-5)",
            member.device
        );
        assert!(
            epoch >= member.joined_epoch,
            "{} in {id}: {epoch} (MEM-3)",
            member.device
        );
    }
    let acknowledged = member.acknowledged.map_or(0, |(epoch, _)| epoch);
    let oldest = member.joined_epoch.max(acknowledged + 1);
    let oldest = oldest.max(current.saturating_sub(group.view.policy.history));
    let holds = |epoch: &u32| {
        let committed = group
            .exchange(*epoch)
            .and_then(|exchange| exchange.committed);
        let held = world.journal.secrets.get(&(id.clone(), *epoch));
        committed
            .zip(held)
            .is_some_and(|((made, _), held)| made == held.commitment)
    };
    let owed: BTreeSet<u32> = (oldest..=current).chain([current]).filter(holds).collect();
    let lost = owed.difference(&granted).count();
    assert_eq!(
        lost, 0,
        "{} in {id}: owed {owed:?}, granted {granted:?} (KEY-7)",
        member.device
    );
    if world.generation == 0 {
        let all: BTreeSet<u32> = (oldest..=current)
            .filter(|epoch| {
                let exchange = group.exchange(*epoch);
                let committed = exchange.and_then(|exchange| exchange.committed);
                committed.is_some_and(|(_, custodian)| custodian == ACCOUNT)
            })
            .collect();
        assert!(
            all.is_subset(&granted),
            "{id}: {all:?} of which {granted:?}: an epoch is lost"
        );
    }
    topic(ControlTopic::Grant(
        devices::gateway(),
        member.device.clone(),
        id.clone(),
    ))
}

/// The group goes on, epochs are staged ahead, and the delivery is on record (KEX-3, BRG-3).
fn epochs(world: &World, group: &Group) {
    let id = &group.view.group;
    let numbers: Vec<u32> = group
        .view
        .exchanges
        .iter()
        .map(|(epoch, _)| *epoch)
        .collect();
    let expected: Vec<u32> = (1..=group.view.epoch).collect();
    assert_eq!(numbers, expected, "epochs of {id} (KEX-2)");
    if group.view.state == GroupState::Closed || !world.chain.finalized.gateway_is_active() {
        return;
    }
    let (_, custodian) = group::committed(group).expect("a group that does not await (KEX-3)");
    assert!(
        group.view.staged.len() >= 4,
        "{id}: {:?} staged",
        group.view.staged.len()
    );
    let ours = |staged: &&StagedEpoch| staged.custodian == ACCOUNT;
    for staged in group.view.staged.iter().filter(ours) {
        let held = world.journal.secrets.get(&(id.clone(), staged.epoch));
        let held = held.map(|held| held.commitment);
        assert_eq!(
            held,
            Some(staged.commitment),
            "{id} {} is staged (BRG-4)",
            staged.epoch
        );
    }
    let delivery = group
        .exchange(group.view.epoch)
        .and_then(|exchange| exchange.delivery.as_ref());
    let frozen = group.view.state == GroupState::Frozen;
    assert!(
        delivery.is_some() || frozen || custodian != ACCOUNT,
        "{id} {}: not delivered (BRG-3)",
        group.view.epoch
    );
}

/// What was accepted was done, or the chain refused it (REQ-6).
fn requests(world: &World) {
    for (device, ask) in &world.asked {
        let wanted = match ask {
            Ask::Enrol { voucher, .. } => voucher.key_version,
            Ask::ReplaceKeys { replacement, .. } => replacement.key_version,
            Ask::Resync => 0,
        };
        let known = world.chain.finalized.devices.get(device);
        let done = known.is_some_and(|known| known.key_version >= wanted);
        assert!(
            done || was_refused(world, device),
            "{device}: {ask:?} was forgotten (REQ-6)"
        );
    }
}

fn was_refused(world: &World, device: &DeviceId) -> bool {
    use keyward_bridge::relay::transactions::Command::{Register, Replace, ReplaceByVoucher};
    world.chain.refused.iter().any(|command| match command {
        Register { voucher, .. } | ReplaceByVoucher { voucher, .. } => voucher.device == *device,
        Replace { replacement, .. } => replacement.device == *device,
        _ => false,
    })
}

/// Accepted receipts reach the chain, unless the device left or has other keys since (BRG-6).
fn receipts(world: &World) {
    let fleet = world.chain.finalized.fleet();
    for (key, version) in &world.receipts {
        let Some(group) = fleet.groups.get(&key.group) else {
            continue;
        };
        let Some(member) = group.members.get(&key.device) else {
            continue;
        };
        let committed = group
            .exchange(key.epoch)
            .and_then(|exchange| exchange.committed);
        let Some((commitment, _)) = committed else {
            continue;
        };
        if member.key_version != *version || member.joined_epoch > key.epoch {
            continue;
        }
        let on_record = match key.commitment == commitment {
            true => member
                .acknowledged
                .is_some_and(|(epoch, _)| epoch >= key.epoch),
            false => world.chain.finalized.conflicts.contains(key),
        };
        // Where a batch with it was refused, the device is told and asks again.
        let refused = was_batch_refused(world, key);
        assert!(on_record || refused, "{key:?} is not on record (BRG-6)");
    }
}

fn was_batch_refused(world: &World, key: &keyward_bridge::relay::journal::ReceiptKey) -> bool {
    use keyward_bridge::relay::transactions::Command::Acknowledge;
    world.chain.refused.iter().any(|command| match command {
        Acknowledge { receipts, .. } => receipts.len() == 1 && receipts[0].0 == *key,
        _ => false,
    })
}
