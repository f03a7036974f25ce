//! What only rises (STM-2, STM-4, MSG-9, MSG-14): revisions and epochs that devices accept; epochs, boots and counters that
//! publishers seal with. And what a gateway signs at one revision is one statement (STM-3).

use std::collections::BTreeMap;

use keyward_protocol::{message::Stream, DeviceId, GroupId};

use super::{
    record::{Record, Sealed, Spot},
    Conviction,
};

const RULE: &str = "rising";
/// Receipts that a device sends at once may cross: nothing orders them (KEX-8). In milliseconds.
const CROSSING: u64 = 1_000;

/// Judges.
pub fn judge(record: &Record) -> Vec<Conviction> {
    let mut convictions = stores(record);
    convictions.extend(receipts(record));
    convictions.extend(messages(record));
    convictions.extend(counters(record));
    convictions.extend(statements(record));
    convictions
}

fn fell(who: &str, what: &str, from: u64, to: u64, before: Spot, after: Spot) -> Conviction {
    Conviction {
        rule: RULE,
        what: format!("{who}: {what} fell from {from} to {to}"),
        evidence: vec![before, after],
    }
}

/// Something that may not fall, each under a name of its own.
#[derive(Default)]
struct Heights(BTreeMap<String, (u64, Spot)>);

impl Heights {
    fn rise(&mut self, who: &str, what: String, to: u64, spot: Spot) -> Option<Conviction> {
        let key = format!("{who} {what}");
        match self.0.get(&key) {
            Some((from, before)) if *from > to => Some(fell(who, &what, *from, to, *before, spot)),
            _ => {
                self.0.insert(key, (to, spot));
                None
            }
        }
    }
}

/// What stores say. A group that was left and joined again begins anew only with a higher revision: they rise for ever.
fn stores(record: &Record) -> Vec<Conviction> {
    let mut heights = Heights::default();
    let mut convictions = Vec::new();
    for knew in &record.knew {
        for known in &knew.groups {
            let who = knew.device.as_str();
            let named = |what: &str| format!("the {what} that it accepted for {}", known.group);
            convictions.extend(heights.rise(who, named("revision"), known.revision, knew.spot));
            let epoch = u64::from(known.epoch);
            convictions.extend(heights.rise(who, named("epoch"), epoch, knew.spot));
        }
    }
    convictions
}

/// The epochs of receipts, each at its first appearance: older ones may be repeated until they are confirmed.
fn receipts(record: &Record) -> Vec<Conviction> {
    let mut heights = Heights::default();
    let mut seen: BTreeMap<(&DeviceId, &GroupId, u32), Spot> = BTreeMap::new();
    let mut convictions = Vec::new();
    for receipted in record.receipts.iter().filter(|receipted| receipted.up) {
        let receipt = &receipted.receipt;
        let key = (&receipt.device, &receipt.group, receipt.epoch);
        if seen.insert(key, receipted.spot).is_none() {
            let what = format!("the epoch of its receipts for {}", receipt.group);
            let who = receipt.device.as_str();
            let epoch = u64::from(receipt.epoch);
            let fell = heights.rise(who, what, epoch, receipted.spot);
            convictions.extend(fell.filter(|fell| !is_crossing(&fell.evidence)));
        }
    }
    convictions
}

fn is_crossing(evidence: &[Spot]) -> bool {
    matches!(evidence, [newer, older] if older.at - newer.at < CROSSING)
}

/// The epochs that a publisher seals with, and its boots from run to run of its program.
fn messages(record: &Record) -> Vec<Conviction> {
    let mut heights = Heights::default();
    let mut convictions = Vec::new();
    for sealed in &record.sealed {
        let (who, group) = (sealed.publisher.as_str(), &sealed.group);
        let epoch = u64::from(sealed.header.epoch);
        let what = format!("the epoch that it seals with in {group}");
        convictions.extend(heights.rise(who, what, epoch, sealed.spot));
        let boot = u64::from(sealed.header.boot);
        let what = format!("the boot that it seals with in {group}");
        convictions.extend(heights.rise(who, what, boot, sealed.spot));
    }
    convictions.extend(shared_boots(record));
    convictions
}

/// Two runs of a program never share a boot (MSG-9).
fn shared_boots(record: &Record) -> Vec<Conviction> {
    let mut first: BTreeMap<(&DeviceId, u32), &Sealed> = BTreeMap::new();
    let mut convictions = Vec::new();
    for sealed in &record.sealed {
        let key = (&sealed.publisher, sealed.header.boot);
        let before = *first.entry(key).or_insert(sealed);
        if before.since != sealed.since {
            convictions.push(Conviction {
                rule: RULE,
                what: format!(
                    "{} sealed with boot {} in two runs of its program",
                    sealed.publisher, sealed.header.boot
                ),
                evidence: vec![before.spot, sealed.spot],
            });
        }
    }
    convictions
}

type Nonce<'a> = (&'a GroupId, u32, u32, u32, Stream, u64);

/// A key and a nonce serve one message (MSG-3).
fn counters(record: &Record) -> Vec<Conviction> {
    let mut used: BTreeMap<Nonce<'_>, &Sealed> = BTreeMap::new();
    let mut convictions = Vec::new();
    for sealed in &record.sealed {
        let header = &sealed.header;
        let key = (
            &sealed.group,
            header.epoch,
            header.sender,
            header.boot,
            header.stream,
            header.counter,
        );
        if let Some(before) = used.insert(key, sealed) {
            convictions.push(Conviction {
                rule: RULE,
                what: format!(
                    "{} sealed two messages with epoch {}, boot {} and counter {}",
                    sealed.publisher, header.epoch, header.boot, header.counter
                ),
                evidence: vec![before.spot, sealed.spot],
            });
        }
    }
    convictions
}

/// One statement for a revision, and what the chain had at it.
fn statements(record: &Record) -> Vec<Conviction> {
    let mut first = BTreeMap::new();
    let mut convictions = Vec::new();
    for stated in record.statements.iter().filter(|stated| stated.up) {
        let statement = &stated.statement;
        let key = (statement.group.clone(), statement.revision);
        let (before, said) = first.entry(key).or_insert((stated.spot, statement));
        if *said != statement {
            convictions.push(Conviction {
                rule: RULE,
                what: format!(
                    "the gateway signed two statements of {} with revision {}",
                    statement.group, statement.revision
                ),
                evidence: vec![*before, stated.spot],
            });
        }
    }
    convictions
}
