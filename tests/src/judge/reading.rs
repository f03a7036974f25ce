//! Members read (DESIGN section 10; KEY-7, MSG-8, MSG-13).
//!
//! Only those are asked for whom there is no doubt: publisher and subscriber take part, unchanged, from before the message until
//! the end.

use keyward_protocol::{DeviceId, Role};

use super::{
    evidence::Happened,
    record::{Record, Sealed},
    Conviction,
};

const RULE: &str = "reading";
/// How long a message is parked for a key that is not there yet (MSG-13), in milliseconds.
const PARKED: u64 = 60_000;
/// How long a message takes at most when everything is well, in milliseconds.
const PROMPT: u64 = 15_000;

/// Judges.
pub fn judge(record: &Record) -> Vec<Conviction> {
    let (Some(over), Some(quiet)) = (record.over, record.quiet) else {
        return vec![Conviction {
            rule: RULE,
            what: "the run was cut short: it says nothing of what members read".into(),
            evidence: Vec::new(),
        }];
    };
    let mut convictions = silent_publishers(record, quiet.at);
    for sealed in &record.sealed {
        let due = sealed.acknowledged.is_some() && sealed.spot.at + PROMPT < over.at;
        if !due || !takes_part(record, sealed, &sealed.publisher, Role::publishes, over.at) {
            continue;
        }
        for subscriber in &record.began.subscribers {
            if takes_part(record, sealed, subscriber, Role::subscribes, over.at) {
                convictions.extend(unread(record, sealed, subscriber));
            }
        }
    }
    convictions
}

/// A publisher that is a member publishes again when everything is well.
fn silent_publishers(record: &Record, quiet: u64) -> Vec<Conviction> {
    let Some(last) = record.last() else {
        return Vec::new();
    };
    let mut convictions = Vec::new();
    for group in &last.state.groups {
        for device in &record.began.publishers {
            let is_member = last
                .active(&group.group, device)
                .is_some_and(|member| member.role.publishes());
            let publishes = record.sealed.iter().any(|sealed| {
                sealed.publisher == *device
                    && sealed.group == group.group
                    && sealed.spot.at >= quiet
                    && sealed.acknowledged.is_some()
            });
            if is_member && !publishes {
                convictions.push(Conviction {
                    rule: RULE,
                    what: format!(
                        "{device}, a publisher of {}, published nothing any more when everything was well",
                        group.group
                    ),
                    evidence: record.quiet.into_iter().collect(),
                });
            }
        }
    }
    convictions
}

/// Whether a device is the same member from the message until the end.
fn takes_part(
    record: &Record,
    sealed: &Sealed,
    device: &DeviceId,
    may: fn(Role) -> bool,
    over: u64,
) -> bool {
    let last = record.last();
    let member = last.and_then(|block| block.active(&sealed.group, device));
    member.is_some_and(|member| {
        may(member.role)
            && member.joined_epoch <= sealed.header.epoch
            && record.is_steady(&sealed.group, device, sealed.spot.at, over)
    })
}

/// Whether a subscriber did not read a message that it must have read.
fn unread(record: &Record, sealed: &Sealed, subscriber: &DeviceId) -> Option<Conviction> {
    let text = sealed.text.as_ref()?;
    let read = record.said.iter().any(|said| {
        said.device == *subscriber
            && said.event.event == "message"
            && said.event.payload.as_ref() == Some(text)
    });
    if read || !record.is_subscribed(subscriber) || is_excused(record, sealed, subscriber) {
        return None;
    }
    Some(Conviction {
        rule: RULE,
        what: format!(
            "{subscriber} never read '{text}' of {} (epoch {} of {})",
            sealed.publisher, sealed.header.epoch, sealed.group
        ),
        evidence: [Some(sealed.spot), sealed.acknowledged]
            .into_iter()
            .flatten()
            .chain(
                deliveries(record, sealed, subscriber)
                    .map(|delivery| delivery.spot)
                    .take(3),
            )
            .collect(),
    })
}

fn deliveries<'a>(
    record: &'a Record,
    sealed: &'a Sealed,
    subscriber: &'a DeviceId,
) -> impl Iterator<Item = &'a super::record::Delivery> {
    record.deliveries.iter().filter(move |delivery| {
        let same = delivery.sealed.and_then(|at| record.sealed.get(at));
        delivery.device == *subscriber && same.is_some_and(|same| std::ptr::eq(same, sealed))
    })
}

/// What the protocol allows: the broker died with the message (it acknowledges before it saves) or had lost the subscription, the
/// receiver was killed with the message in flight, or the key was lost with the journal or came later than a message is parked.
fn is_excused(record: &Record, sealed: &Sealed, subscriber: &DeviceId) -> bool {
    let first = deliveries(record, sealed, subscriber).next();
    let delivered = first.map_or(u64::MAX, |delivery| delivery.spot.at);
    // Until the receiver acknowledges it the broker has it, and loses it when it dies.
    let acknowledged =
        deliveries(record, sealed, subscriber).find_map(|delivery| delivery.acknowledged);
    let broker_lost = record.happened(
        "broker",
        &[Happened::Killed, Happened::Died],
        sealed.spot.at,
        acknowledged.map_or(u64::MAX, |acknowledged| acknowledged.at),
    );
    let killed = deliveries(record, sealed, subscriber).any(|delivery| {
        record.happened(
            subscriber.as_str(),
            &[Happened::Killed],
            delivery.spot.at,
            delivery
                .acknowledged
                .map_or(u64::MAX, |acknowledged| acknowledged.at),
        )
    });
    broker_lost
        || subscription_was_lost(record, sealed, subscriber)
        || killed
        || key_was_lost(record, sealed)
        || key_was_late(record, sealed, subscriber, delivered)
}

/// Whether the broker died before the message came, or its database was deleted, and it passed nothing on to the subscriber between
/// the two: what it has not saved it does not know any more, subscriptions among it, until the subscriber subscribes again.
fn subscription_was_lost(record: &Record, sealed: &Sealed, subscriber: &DeviceId) -> bool {
    let forgets = [Happened::Killed, Happened::Died, Happened::Emptied];
    let mut faults = record.faults.iter().rev();
    let forgot = faults.find(|(spot, part, happened)| {
        part == "broker" && forgets.contains(happened) && spot.at <= sealed.spot.at
    });
    forgot.is_some_and(|(forgot, _, _)| {
        !record.passed_on.iter().any(|(spot, party)| {
            party == subscriber.as_str() && (forgot.at..=sealed.spot.at).contains(&spot.at)
        })
    })
}

/// Whether the journal went back while the key of the message may still have been on its way.
fn key_was_lost(record: &Record, sealed: &Sealed) -> bool {
    let restored = record
        .faults
        .iter()
        .filter(|(_, _, happened)| *happened == Happened::Restored);
    restored.into_iter().any(|(spot, _, _)| {
        let block = record.blocks.iter().rfind(|block| block.time_ms <= spot.at);
        let group = block.and_then(|block| block.group(&sealed.group));
        let began = group.is_some_and(|group| group.epoch >= sealed.header.epoch);
        began && spot.at <= sealed.spot.at.saturating_add(PARKED)
    })
}

/// Whether the statement of the message's epoch came to the subscriber later than the message is parked, or never.
fn key_was_late(record: &Record, sealed: &Sealed, subscriber: &DeviceId, delivered: u64) -> bool {
    let told = record.statements.iter().find(|stated| {
        !stated.up
            && stated.party == subscriber.as_str()
            && stated.statement.group == sealed.group
            && stated.statement.epoch >= sealed.header.epoch
    });
    told.is_none_or(|told| told.spot.at > delivered.saturating_add(PARKED))
}
