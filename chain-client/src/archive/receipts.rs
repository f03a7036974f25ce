//! The receipts behind an entry: it binds them by a digest, and they themselves stand in the transaction that recorded them.

use keyward_protocol::{Commitment, DeviceId, Digest, GroupId, Signature};

use super::digest_of;
use crate::{
    call::ReceiptItem,
    decoded::{Datum, DecodedCall},
};

/// A receipt that a call recorded, as the events before the entry tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) device: DeviceId,
    pub(super) epoch: u32,
    /// Of a conflict: what the device saw.
    pub(super) conflict: Option<Commitment>,
}

/// The receipts of an entry, from the call of its transaction; none if they are not those of the digest.
pub(super) fn receipts(
    call: &DecodedCall,
    group: &GroupId,
    recorded: &[Recorded],
    digest: &Digest,
) -> Option<Vec<ReceiptItem>> {
    let mut all = Vec::new();
    collect(call, group, &mut all);
    let mut found = Vec::new();
    for wanted in recorded {
        let conflict = |item: &ReceiptItem| {
            let mut of_item = recorded
                .iter()
                .filter(|other| (&other.device, other.epoch) == (&item.device, item.epoch));
            of_item.any(|other| other.conflict == Some(item.commitment))
        };
        let fits = |item: &&ReceiptItem| {
            let right = match wanted.conflict {
                Some(commitment) => item.commitment == commitment,
                None => !conflict(item),
            };
            item.device == wanted.device && item.epoch == wanted.epoch && right
        };
        found.push(all.iter().find(fits)?.clone());
    }
    (digest_of(&found) == *digest).then_some(found)
}

/// Every receipt for a group in a call, also in calls within calls.
fn collect(call: &DecodedCall, group: &GroupId, found: &mut Vec<ReceiptItem>) {
    let of_group = call.arg("group") == Some(&Datum::Text(group.to_string()));
    if call.path() == "Fleet.acknowledge" && of_group {
        if let Some(Datum::List(items)) = call.arg("receipts") {
            found.extend(items.iter().filter_map(item));
        }
    }
    call.args
        .iter()
        .for_each(|(_, arg)| within(arg, group, found));
}

fn within(datum: &Datum, group: &GroupId, found: &mut Vec<ReceiptItem>) {
    match datum {
        Datum::Call(call) => collect(call, group, found),
        Datum::List(items) => items.iter().for_each(|item| within(item, group, found)),
        Datum::Fields(fields) | Datum::Variant(_, fields) => fields
            .iter()
            .for_each(|(_, field)| within(field, group, found)),
        _ => {}
    }
}

fn item(datum: &Datum) -> Option<ReceiptItem> {
    let Datum::Fields(fields) = datum else {
        return None;
    };
    let field = |name: &str| fields.iter().find(|(of, _)| of == name).map(|(_, it)| it);
    let (Datum::Text(device), Datum::Number(epoch)) = (field("device")?, field("epoch")?) else {
        return None;
    };
    Some(ReceiptItem {
        device: DeviceId::new(device).ok()?,
        epoch: (*epoch).try_into().ok()?,
        commitment: Commitment(bytes(field("commitment")?)?),
        signature: Signature(bytes(field("signature")?)?),
    })
}

fn bytes<const N: usize>(datum: &Datum) -> Option<[u8; N]> {
    match datum {
        Datum::Bytes(bytes) => bytes.as_slice().try_into().ok(),
        _ => None,
    }
}
