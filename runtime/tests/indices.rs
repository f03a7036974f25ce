//! Names and indices of everything that clients, archives and stored state rely on never change: they are only added to.

use std::{env, fs};

use frame_support::__private::metadata::{
    v14::{PalletMetadata, StorageEntryType},
    RuntimeMetadata,
};
use keyward_protocol::history::Entry;
use keyward_runtime::Runtime;
use pallet_fleet::{Holder, KeyAuthorisation};
use pallet_validator_set::{runtime_api::Refusal, Equivocation, Operator};
use scale_info::{
    form::{Form, PortableForm},
    meta_type, MetaType, PortableRegistry, TypeDef,
};
use sp_runtime::AccountId32;

/// What is fixed. Lines are only added, by `KEYWARD_BLESS=1`.
const FROZEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/frozen_indices.txt");

/// The variants of an enumeration, a line each.
fn variants<F: Form>(kind: &str, of: TypeDef<F>) -> Vec<String> {
    let TypeDef::Variant(all) = of else {
        panic!("{kind} is no enumeration")
    };
    all.variants
        .iter()
        .map(|variant| format!("{kind} {} {}", variant.index, variant.name.as_ref()))
        .collect()
}

/// Where a pallet stands, its calls, events and errors, and what it stores under which names and hashers.
fn pallet(types: &PortableRegistry, pallet: &PalletMetadata<PortableForm>) -> Vec<String> {
    let name = &pallet.name;
    let mut lines = vec![format!("pallet {} {name}", pallet.index)];
    let calls = pallet.calls.iter().map(|calls| ("call", calls.ty));
    let events = pallet.event.iter().map(|events| ("event", events.ty));
    let errors = pallet.error.iter().map(|errors| ("error", errors.ty));
    for (kind, of) in calls.chain(events).chain(errors) {
        let of = types.resolve(of.id).unwrap();
        lines.extend(variants(&format!("{name} {kind}"), of.type_def.clone()));
    }
    for entry in pallet.storage.iter().flat_map(|storage| &storage.entries) {
        let kind = match &entry.ty {
            StorageEntryType::Plain(_) => "plain".to_owned(),
            StorageEntryType::Map { hashers, .. } => format!("{hashers:?}"),
        };
        lines.push(format!("{name} storage {} {kind}", entry.name));
    }
    lines
}

/// The same of all pallets.
fn pallets() -> Vec<String> {
    let RuntimeMetadata::V14(metadata) = Runtime::metadata().1 else {
        panic!("another version of metadata")
    };
    let lines = |one| pallet(&metadata.types, one);
    metadata.pallets.iter().flat_map(lines).collect()
}

/// Enumerations that stand in state, events and answers.
fn enumerations() -> Vec<String> {
    [
        ("Fleet entry", meta_type::<Entry>()),
        ("Fleet cause", meta_type::<keyward_protocol::view::Cause>()),
        (
            "Fleet state",
            meta_type::<keyward_protocol::statement::GroupState>(),
        ),
        (
            "Fleet gateway-status",
            meta_type::<keyward_protocol::view::GatewayStatus>(),
        ),
        (
            "Fleet authority-status",
            meta_type::<keyward_protocol::view::AuthorityStatus>(),
        ),
        (
            "Fleet device-status",
            meta_type::<keyward_protocol::view::DeviceStatus>(),
        ),
        ("Fleet role", meta_type::<keyward_protocol::Role>()),
        ("Fleet holder", meta_type::<Holder<AccountId32>>()),
        ("Fleet authorisation", meta_type::<KeyAuthorisation>()),
        ("ValidatorSet operator", meta_type::<Operator<u32>>()),
        ("ValidatorSet equivocation", meta_type::<Equivocation>()),
        ("ValidatorSet refusal", meta_type::<Refusal>()),
    ]
    .into_iter()
    .flat_map(|(kind, of): (_, MetaType)| variants(kind, of.type_info().type_def))
    .collect()
}

#[test]
fn names_and_indices_are_as_they_ever_were() {
    let present = [pallets(), enumerations()].concat();
    let mut frozen = fs::read_to_string(FROZEN).unwrap();
    let is_frozen = |frozen: &str, line: &str| frozen.lines().any(|known| known == line);
    if env::var_os("KEYWARD_BLESS").is_some() {
        for line in &present {
            if !is_frozen(&frozen, line) {
                frozen.push_str(line);
                frozen.push('\n');
            }
        }
        fs::write(FROZEN, &frozen).unwrap();
    }
    let gone: Vec<&str> = frozen
        .lines()
        .filter(|line| !line.starts_with('#') && !present.iter().any(|known| known == line))
        .collect();
    assert!(gone.is_empty(), "changed or gone: {gone:#?}");
    let new: Vec<&String> = present
        .iter()
        .filter(|line| !is_frozen(&frozen, line))
        .collect();
    assert!(
        new.is_empty(),
        "new: {new:#?}. If they are meant, add them with\n  \
         KEYWARD_BLESS=1 cargo test --package keyward-runtime --test indices"
    );
}
