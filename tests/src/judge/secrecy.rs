//! Who was removed reads nothing (DESIGN section 10; KEX-1, MEM-3, MSG-14, STM-10).
//!
//! A publisher has accepted a removal when its store says so (`status`), or when it signed a receipt for the epoch that the
//! removal began: whoever holds that secret holds the statement that names its commitment (KEY-5). That a statement was delivered
//! to it proves nothing: it may have been killed before it looked.

use std::collections::BTreeSet;

use keyward_protocol::{DeviceId, GroupId};

use super::{
    opening,
    record::{Final, Record, Sealed, Spot},
    Conviction,
};

const RULE: &str = "secrecy";

/// A member that takes no part in its group any more, from one block until another.
pub struct Absence {
    /// Whose.
    pub device: DeviceId,
    /// Of which group.
    pub group: GroupId,
    /// Where the block stands.
    pub spot: Spot,
    /// The block's number.
    pub block: u32,
    /// The block's time.
    pub from: u64,
    /// The group's revision at its end.
    pub revision: u64,
    /// The group's epoch at its end.
    pub epoch: u32,
    /// The time of the block that brought it back.
    pub until: Option<u64>,
}

impl Absence {
    fn covers(&self, at: u64) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// All removals, suspensions and revocations of members.
pub fn absences(record: &Record) -> Vec<Absence> {
    let mut absences: Vec<Absence> = Vec::new();
    for pair in record.blocks.windows(2) {
        let [before, after] = pair else { continue };
        for (group, device) in active(before) {
            if after.active(&group, &device).is_none() {
                absences.extend(absence(after, group, device));
            }
        }
        for (group, device) in active(after) {
            let open = absences.iter_mut().find(|absence| {
                absence.group == group && absence.device == device && absence.until.is_none()
            });
            if let Some(absence) = open {
                absence.until = Some(after.time_ms);
            }
        }
    }
    absences
}

fn absence(block: &Final, group: GroupId, device: DeviceId) -> Option<Absence> {
    let state = block.group(&group)?;
    Some(Absence {
        spot: block.spot,
        block: block.number,
        from: block.time_ms,
        revision: state.revision,
        epoch: state.epoch,
        until: None,
        group,
        device,
    })
}

fn active(block: &Final) -> BTreeSet<(GroupId, DeviceId)> {
    let groups = block.state.groups.iter();
    let members = groups.flat_map(|group| group.members.iter().map(move |m| (group, m)));
    members
        .filter(|(_, member)| member.active)
        .map(|(group, member)| (group.group.clone(), member.device.clone()))
        .collect()
}

/// Judges.
pub fn judge(record: &Record) -> Vec<Conviction> {
    let mut convictions = granted_in_absence(record);
    for absence in absences(record) {
        let silence = record.last().and_then(|block| block.group(&absence.group));
        let (silence, settle) = silence.map_or((0, 0), |group| {
            (
                u64::from(group.policy.max_silence) * 1000,
                u64::from(group.policy.settle),
            )
        });
        let candidates = record
            .sealed
            .iter()
            .filter(|sealed| sealed.group == absence.group && absence.covers(sealed.spot.at));
        for sealed in candidates {
            let why = after_accepting(record, &absence, sealed, settle)
                .or_else(|| after_silence(&absence, sealed, silence));
            let Some((why, proof)) = why else { continue };
            if is_read(record, &absence, sealed) {
                convictions.push(conviction(&absence, sealed, &why, proof));
            }
        }
    }
    convictions
}

fn conviction(absence: &Absence, sealed: &Sealed, why: &str, proof: Option<Spot>) -> Conviction {
    let Absence {
        device,
        group,
        block,
        ..
    } = absence;
    let what = format!(
        "{device}, out of {group} since block {block}, can open a message of {} (epoch {}), sealed {why}",
        sealed.publisher, sealed.header.epoch
    );
    Conviction {
        rule: RULE,
        what,
        evidence: [
            Some(absence.spot),
            proof,
            Some(sealed.since),
            Some(sealed.spot),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}

type Why = (String, Option<Spot>);

/// The publisher had accepted the removal, and had had its time to settle (MSG-14).
fn after_accepting(
    record: &Record,
    absence: &Absence,
    sealed: &Sealed,
    settle: u64,
) -> Option<Why> {
    let knew = record.knew.iter().filter(|knew| {
        let known = |known: &super::evidence::Known| {
            known.group == absence.group && known.revision >= absence.revision
        };
        knew.device == sealed.publisher && knew.groups.iter().any(known)
    });
    let knew = knew.map(|knew| knew.spot);
    let signed = record.receipts.iter().filter(|receipted| {
        let receipt = &receipted.receipt;
        receipted.up
            && receipt.device == sealed.publisher
            && receipt.group == absence.group
            && receipt.epoch >= absence.epoch
    });
    // The program that seals began after the proof; or it is the same, and what it sent it sent in that order.
    let signed = signed.map(|receipted| receipted.spot);
    let before = |spot: &Spot| spot.at + settle < sealed.since.at;
    let in_order = |spot: &Spot| spot.line < sealed.spot.line && spot.at + settle < sealed.spot.at;
    let proof = knew
        .filter(before)
        .chain(signed.filter(|spot| before(spot) || in_order(spot)))
        .min()?;
    let why = format!("after it had accepted revision {}", absence.revision);
    Some((why, Some(proof)))
}

/// No beacon from before the removal allowed it any more (STM-10).
fn after_silence(absence: &Absence, sealed: &Sealed, silence: u64) -> Option<Why> {
    let late = sealed.since.at.checked_sub(absence.from + silence)?;
    Some((
        format!("more than max_silence after the removal's block, by {late} ms at least"),
        None,
    ))
}

/// Whether the device that is out can read: it ever got a secret that opens the message, or its program printed it.
fn is_read(record: &Record, absence: &Absence, sealed: &Sealed) -> bool {
    let got = record
        .got
        .iter()
        .filter(|got| got.device == absence.device && got.group == absence.group);
    let mut opened =
        got.filter_map(|got| opening::opens(&record.began.genesis, sealed, &got.secret));
    let printed = record.said.iter().any(|said| {
        said.device == absence.device
            && said.event.event == "message"
            && said.event.payload.is_some()
            && said.event.payload == sealed.text
    });
    printed || opened.next().is_some()
}

/// MEM-3, KEY-7: grants hold epochs of membership only.
fn granted_in_absence(record: &Record) -> Vec<Conviction> {
    let mut convictions = Vec::new();
    let mut seen = BTreeSet::new();
    for got in &record.got {
        let allowed = record.blocks.iter().any(|block| {
            let group = block.group(&got.group);
            let member = block.active(&got.group, &got.device);
            group.zip(member).is_some_and(|(group, member)| {
                (member.joined_epoch..=group.epoch).contains(&got.epoch)
            })
        });
        if !allowed && seen.insert((&got.device, &got.group, got.epoch)) {
            convictions.push(Conviction {
                rule: RULE,
                what: format!(
                    "{} was granted epoch {} of {}, of which it never was a member",
                    got.device, got.epoch, got.group
                ),
                evidence: vec![got.spot],
            });
        }
    }
    convictions
}
