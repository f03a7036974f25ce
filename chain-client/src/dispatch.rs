//! What became of a transaction inside its block: its events, and the error that they carry.

use codec::{Decode, Encode};
use subxt::{events::Phase, metadata::ArcMetadata};

use crate::runtime::Runtime;

/// Events of one transaction.
pub(crate) struct Applied {
    /// `Pallet.Event`, in order.
    pub events: Vec<String>,
    /// The error, if the call failed: that of the transaction, or that of the call inside a motion or batch.
    pub error: Option<DispatchFailure>,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DispatchFailure {
    /// The pallet, or `Runtime` for the errors that every call may have.
    pub pallet: String,
    /// The error's name.
    pub error: String,
    /// What the runtime's metadata says about it.
    pub docs: String,
}

/// Reads the events of the transaction at an index of its block; `None` if they do not decode.
pub(crate) fn applied(runtime: &Runtime, events: Vec<u8>, index: u32) -> Option<Applied> {
    let metadata = runtime.metadata();
    let mut applied = Applied {
        events: Vec::new(),
        error: None,
    };
    for event in runtime.offline().events().from_bytes(events).iter() {
        let event = event.ok()?;
        if event.phase() != Phase::ApplyExtrinsic(index) {
            continue;
        }
        let (pallet, name) = (event.pallet_name(), event.event_name());
        applied.events.push(format!("{pallet}.{name}"));
        if let Some(error) = error_in(pallet, name, event.field_bytes()) {
            applied.error.get_or_insert(failure(&metadata, error));
        }
    }
    Some(applied)
}

/// The `DispatchError` that an event carries, encoded, with whatever follows it.
fn error_in<'a>(pallet: &str, event: &str, fields: &'a [u8]) -> Option<&'a [u8]> {
    let after = |skip: usize| fields.get(skip..);
    match (pallet, event) {
        ("System", "ExtrinsicFailed") => Some(fields),
        // proposal_hash: [u8; 32], result: DispatchResult
        ("Council" | "TechnicalCommittee", "Executed") => match fields.get(32) {
            Some(1) => after(33),
            _ => None,
        },
        // index: u32, error
        ("Utility", "BatchInterrupted") => after(4),
        _ => None,
    }
}

/// Variant of `DispatchError` that names a pallet's own error.
const MODULE: u8 = 3;

fn failure(metadata: &ArcMetadata, error: &[u8]) -> DispatchFailure {
    match error {
        [MODULE, pallet, index, ..] => module_failure(metadata, *pallet, *index),
        [variant, ..] => runtime_failure(metadata, *variant),
        [] => unnamed("empty"),
    }
}

fn module_failure(metadata: &ArcMetadata, pallet: u8, index: u8) -> DispatchFailure {
    let found = metadata.pallet_by_error_index(pallet).and_then(|pallet| {
        let variant = pallet.error_variant_by_index(index)?;
        Some(DispatchFailure {
            pallet: pallet.name().to_owned(),
            error: variant.name.clone(),
            docs: match (pallet.name(), variant.name.as_str()) {
                ("System", "CallFiltered") => "This call is paused.".to_owned(),
                _ => docs(&variant.docs),
            },
        })
    });
    found.unwrap_or_else(|| unnamed(&format!("error {index} of pallet {pallet}")))
}

fn runtime_failure(metadata: &ArcMetadata, index: u8) -> DispatchFailure {
    let variants = metadata
        .dispatch_error_ty()
        .and_then(|id| metadata.types().resolve(id))
        .map(|ty| &ty.type_def);
    let variant = match variants {
        Some(scale_info::TypeDef::Variant(def)) => def.variants.iter().find(|v| v.index == index),
        _ => None,
    };
    let Some(variant) = variant else {
        return unnamed(&format!("error {index}"));
    };
    DispatchFailure {
        pallet: "Runtime".to_owned(),
        error: variant.name.clone(),
        docs: match variant.name.as_str() {
            "BadOrigin" => "This account may not make this call.".to_owned(),
            _ => docs(&variant.docs),
        },
    }
}

fn docs(lines: &[String]) -> String {
    let lines: Vec<_> = lines.iter().map(|line| line.trim()).collect();
    lines.join(" ").trim().to_owned()
}

fn unnamed(error: &str) -> DispatchFailure {
    DispatchFailure {
        pallet: "Runtime".to_owned(),
        error: error.to_owned(),
        docs: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_motions_call_is_found_behind_its_hash() {
        let mut fields = vec![7; 32];
        assert_eq!(
            error_in("Council", "Executed", &[&fields[..], &[0]].concat()),
            None
        );
        fields.extend([1, MODULE, 9, 2, 0, 0, 0]);
        assert_eq!(
            error_in("Council", "Executed", &fields),
            Some(&fields[33..])
        );
    }

    #[test]
    fn events_that_report_success_carry_no_error() {
        assert_eq!(error_in("System", "ExtrinsicSuccess", &[0, 0, 0]), None);
        assert_eq!(error_in("Fleet", "GroupCreated", &[1, 3]), None);
    }
}
