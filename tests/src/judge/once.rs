//! At most once, and lost only with a receiver that was killed (DESIGN section 10; MSG-10, MSG-11).
//!
//! A device acknowledges a message to the broker when its application was told of it. So in each run of its program it prints at
//! least one line, a message or a refusal, for each message that it acknowledged; and it prints what a message says once for ever.

use std::collections::BTreeMap;

use keyward_protocol::DeviceId;

use super::{
    evidence::Happened,
    record::{Delivery, Record, Said, Spot},
    Conviction,
};

const RULE: &str = "once";
/// How long a message may be in a device that is well: it is parked for a minute at most (MSG-13), and as long again for all else.
const HELD: u64 = 120_000;

/// Judges.
pub fn judge(record: &Record) -> Vec<Conviction> {
    let mut convictions = twice(record);
    convictions.extend(never_sent(record));
    convictions.extend(swallowed(record));
    convictions.extend(stuck(record));
    convictions
}

fn messages(record: &Record) -> impl Iterator<Item = (&Said, &str)> {
    let messages = record
        .said
        .iter()
        .filter(|said| said.event.event == "message");
    messages.filter_map(|said| Some((said, said.event.payload.as_deref()?)))
}

fn twice(record: &Record) -> Vec<Conviction> {
    let mut first: BTreeMap<(&DeviceId, &str), Spot> = BTreeMap::new();
    let mut convictions = Vec::new();
    let new = messages(record).filter(|(said, _)| !is_repeat(said));
    for (said, text) in new {
        if let Some(before) = first.insert((&said.device, text), said.spot) {
            convictions.push(Conviction {
                rule: RULE,
                what: format!("'{text}' was delivered twice to {}", said.device),
                evidence: vec![before, said.spot],
            });
        }
    }
    convictions
}

/// MSG-12: a retained value comes again, and says so.
fn is_repeat(said: &Said) -> bool {
    said.event.marks.iter().any(|mark| mark == "repeat")
}

/// What is delivered was sealed by the sender that it names: checked where our devices can open what was sealed.
fn never_sent(record: &Record) -> Vec<Conviction> {
    let sealed: BTreeMap<&str, &DeviceId> = record
        .sealed
        .iter()
        .filter_map(|sealed| Some((sealed.text.as_deref()?, &sealed.publisher)))
        .collect();
    let everything = record.sealed.iter().all(|sealed| sealed.text.is_some());
    let mut convictions = Vec::new();
    for (said, text) in messages(record) {
        let sender = sealed.get(text).copied();
        let is_false = match sender {
            Some(sender) => said.event.sender.as_ref() != Some(sender),
            None => everything,
        };
        if is_false {
            convictions.push(Conviction {
                rule: RULE,
                what: format!(
                    "{} was told '{text}' of {}, but it was sealed by {}",
                    said.device,
                    name(said.event.sender.as_ref()),
                    name(sender)
                ),
                evidence: vec![said.spot],
            });
        }
    }
    convictions
}

fn name(device: Option<&DeviceId>) -> &str {
    device.map_or("nobody", DeviceId::as_str)
}

/// Acknowledged, and nobody was told.
fn swallowed(record: &Record) -> Vec<Conviction> {
    let mut convictions = Vec::new();
    for ((device, run), program) in &record.runs {
        let acknowledged: Vec<&Delivery> = record
            .deliveries
            .iter()
            .filter(|delivery| {
                delivery.device == *device
                    && delivery.run == Some(*run)
                    && delivery.acknowledged.is_some()
            })
            .collect();
        let told = record.said.iter().filter(|said| {
            said.device == *device
                && said.run == *run
                && matches!(said.event.event.as_str(), "message" | "refused")
        });
        let told = told.count();
        if !program.publishes && told < acknowledged.len() {
            let last = acknowledged.last().map(|delivery| delivery.spot);
            convictions.push(Conviction {
                rule: RULE,
                what: format!(
                    "run {run} of {device} acknowledged {} messages and told of {told}",
                    acknowledged.len()
                ),
                evidence: [program.started].into_iter().chain(last).collect(),
            });
        }
    }
    convictions
}

/// Never acknowledged, and the receiver was well: on the connection that it came over, or on a later one, it must end.
fn stuck(record: &Record) -> Vec<Conviction> {
    let Some(over) = record.over else {
        return Vec::new();
    };
    let is_open =
        |delivery: &&Delivery| delivery.acknowledged.is_none() && delivery.spot.at + HELD < over.at;
    let ended = |delivery: &Delivery| {
        let later = record.deliveries.iter().any(|later| {
            later.device == delivery.device
                && later.sealed == delivery.sealed
                && later.acknowledged.is_some()
        });
        let device = delivery.device.as_str();
        let happened =
            |part, kinds: &[Happened]| record.happened(part, kinds, delivery.spot.at, u64::MAX);
        later
            || happened(device, &[Happened::Killed, Happened::Frozen])
            || happened("broker", &[Happened::Killed])
            || !record.is_subscribed(&delivery.device)
    };
    record
        .deliveries
        .iter()
        .filter(is_open)
        .filter(|delivery| !is_publisher(record, &delivery.device) && !ended(delivery))
        .map(|delivery| Conviction {
            rule: RULE,
            what: format!(
                "{} neither told of a message nor refused it within {} s",
                delivery.device,
                HELD / 1000
            ),
            evidence: vec![delivery.spot],
        })
        .collect()
}

/// `pub` leaves messages to the broker.
fn is_publisher(record: &Record, device: &DeviceId) -> bool {
    record.began.publishers.contains(device)
}
