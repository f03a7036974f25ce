//! Nothing that was acknowledged is lost (DESIGN section 10; REQ-3, REQ-6, BRG-3, BRG-5, BRG-6, KEX-6), and no part panics.
//!
//! A journal that is put back loses what was acknowledged after it was copied: what then must hold is that everything ends well
//! all the same, which the state at the end shows.

use keyward_protocol::{
    signing::Unverified,
    statement::{DeviceStatement, GroupState},
    topic::{ControlTopic, PREFIX},
    DeviceId,
};

use super::{
    evidence::{Group, Happened},
    opening,
    record::{is_final, Record, Spot, BRIDGE},
    Conviction,
};

const RULE: &str = "durable";
/// How long the bridge has for the chain when everything is well, in milliseconds.
const PROMPT: u64 = 20_000;

/// Judges.
pub fn judge(record: &Record) -> Vec<Conviction> {
    let mut convictions = panics(record);
    if let (Some(over), Some(quiet)) = (record.over, record.quiet) {
        convictions.extend(requests(record, over.at, quiet.at));
        convictions.extend(receipts(record, over.at, quiet.at));
        convictions.extend(at_the_end(record, over));
    }
    convictions
}

fn panics(record: &Record) -> Vec<Conviction> {
    let panicked = record
        .faults
        .iter()
        .filter(|(_, _, happened)| *happened == Happened::Panicked);
    panicked
        .map(|(spot, part, _)| Conviction {
            rule: "running",
            what: format!("{part} panicked"),
            evidence: vec![*spot],
        })
        .collect()
}

/// Whether it is too early to ask for something that was acknowledged then, or a journal from before it was put back.
fn is_excused(record: &Record, acknowledged: u64, over: u64, quiet: u64) -> bool {
    let due = acknowledged.max(quiet) + PROMPT;
    due > over || record.happened("bridge", &[Happened::Restored], acknowledged, u64::MAX)
}

/// A request that the bridge acknowledged, or answered with `accepted`, gets its last word; what is `done` is on chain.
fn requests(record: &Record, over: u64, quiet: u64) -> Vec<Conviction> {
    let mut convictions = Vec::new();
    for asked in &record.asked {
        let request = &asked.request;
        let responses = || {
            let responses = record.responses.iter();
            responses.filter(|(_, response)| response.nonce == request.nonce)
        };
        let accepted = responses().map(|(spot, _)| *spot).min();
        let Some(since) = asked.acknowledged.into_iter().chain(accepted).min() else {
            continue;
        };
        let answered = responses().any(|(_, response)| is_final(response));
        if !answered
            && !may_be_unheard(record, &request.device, since.at)
            && !is_excused(record, since.at, over, quiet)
        {
            convictions.push(Conviction {
                rule: RULE,
                what: format!(
                    "the bridge acknowledged a request of {} and never gave its last word",
                    request.device
                ),
                evidence: vec![asked.spot, since],
            });
        }
        let done = responses()
            .find(|(_, response)| response.status == keyward_protocol::request::Status::Done);
        if let Some((spot, _)) = done {
            if !is_registered(record, &request.device) {
                convictions.push(Conviction {
                    rule: RULE,
                    what: format!(
                        "{} is not on chain, though the bridge said that it is",
                        request.device
                    ),
                    evidence: vec![*spot],
                });
            }
        }
    }
    convictions
}

/// Whether the last word may have been said to nobody, and not for nothing: the broker died, what was asked is on chain, and the bridge
/// ran all the time, so that it forgot nothing. It does not keep the word for who does not ask again.
fn may_be_unheard(record: &Record, device: &DeviceId, since: u64) -> bool {
    let died = |part| {
        let kinds = [Happened::Killed, Happened::Died];
        record.happened(part, &kinds, since, u64::MAX)
    };
    is_registered(record, device) && died("broker") && !died(BRIDGE)
}

fn is_registered(record: &Record, device: &DeviceId) -> bool {
    let last = record.last();
    last.is_some_and(|block| block.state.devices.iter().any(|d| d.device == *device))
}

/// A receipt that the bridge acknowledged is on chain, or a newer one is, unless the member has changed since.
fn receipts(record: &Record, over: u64, quiet: u64) -> Vec<Conviction> {
    let Some(last) = record.last() else {
        return Vec::new();
    };
    let mut convictions = Vec::new();
    for receipted in &record.receipts {
        let Some(acknowledged) = receipted.acknowledged.filter(|_| !receipted.up) else {
            continue;
        };
        let receipt = &receipted.receipt;
        let member = last.active(&receipt.group, &receipt.device);
        let is_missing = member.is_some_and(|member| {
            member.joined_epoch <= receipt.epoch && member.acknowledged < Some(receipt.epoch)
        });
        if is_missing && !is_excused(record, acknowledged.at, over, quiet) {
            convictions.push(Conviction {
                rule: RULE,
                what: format!(
                    "the bridge acknowledged {}'s receipt of epoch {} of {}, which is not on chain",
                    receipt.device, receipt.epoch, receipt.group
                ),
                evidence: vec![receipted.spot, acknowledged],
            });
        }
    }
    convictions
}

/// Everything that finalized state demands is there: epochs, statements, grants, receipts.
fn at_the_end(record: &Record, over: Spot) -> Vec<Conviction> {
    let Some(last) = record.last() else {
        return Vec::new();
    };
    let mut missing = Vec::new();
    for group in &last.state.groups {
        missing.extend(of_group(record, group));
        for device in &record.began.subscribers {
            let member = last.active(&group.group, device);
            let is_behind = member.is_some_and(|member| member.acknowledged != Some(group.epoch));
            if is_behind && record.is_subscribed(device) {
                let acknowledged = member.and_then(|member| member.acknowledged);
                missing.push(format!(
                    "the chain has a receipt of {device} of {acknowledged:?}, and {} is at epoch {}",
                    group.group, group.epoch
                ));
            }
        }
        for device in last
            .state
            .devices
            .iter()
            .map(|registered| &registered.device)
        {
            let is_member = last.active(&group.group, device).is_some();
            missing.extend(of_device(record, group, device, is_member));
        }
    }
    let convict = |what| Conviction {
        rule: RULE,
        what: format!("at the end {what}"),
        evidence: vec![last.spot, over],
    };
    missing.into_iter().map(convict).collect()
}

fn of_group(record: &Record, group: &Group) -> Vec<String> {
    let mut missing = Vec::new();
    let Group {
        group: id,
        epoch,
        state,
        ..
    } = group;
    if *state != GroupState::Active {
        missing.push(format!("{id} is {state:?}"));
    }
    let delivered = group.exchanges.last().is_some_and(|exchange| {
        exchange.epoch == *epoch && exchange.committed.is_some() && exchange.delivered
    });
    if !delivered {
        missing.push(format!(
            "the delivery of epoch {epoch} of {id} is not on chain"
        ));
    }
    let topic = ControlTopic::GroupState(record.began.gateway.clone(), id.clone());
    let held = record.held.get(&topic.to_topic(PREFIX));
    let stated = held.and_then(|payload| opening::statement(&record.began, payload));
    let said = stated.map(|statement| (statement.revision, statement.epoch));
    if said != Some((group.revision, *epoch)) {
        missing.push(format!(
            "the broker's statement of {id} has revision and epoch {said:?}, not {:?}",
            (group.revision, *epoch)
        ));
    }
    missing
}

fn of_device(record: &Record, group: &Group, device: &DeviceId, is_member: bool) -> Vec<String> {
    let (gateway, id) = (&record.began.gateway, &group.group);
    let mut missing = Vec::new();
    let grant = ControlTopic::Grant(gateway.clone(), device.clone(), id.clone());
    let is_granted = record.held.contains_key(&grant.to_topic(PREFIX));
    if is_granted != is_member {
        missing.push(format!(
            "{device} is a member of {id}: {is_member}; the broker holds a grant for it: {is_granted}"
        ));
    }
    let state = ControlTopic::DeviceState(gateway.clone(), device.clone());
    let held = record.held.get(&state.to_topic(PREFIX));
    let statement = held.and_then(|payload| Unverified::<DeviceStatement>::from_wire(payload).ok());
    let is_told = statement.is_some_and(|statement| {
        let groups = &statement.claims().groups;
        groups.iter().any(|told| told.group == *id)
    });
    let listed = group.members.iter().any(|member| member.device == *device);
    if is_told != listed && is_told != is_member {
        missing.push(format!(
            "{device} is a member of {id}: {is_member}; its statement says: {is_told}"
        ));
    }
    missing
}
