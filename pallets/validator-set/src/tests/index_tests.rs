//! Names and indices of everything that clients, archives and stored state rely on never change: they are only added to.

use frame_support::{
    __private::metadata_ir::{StorageEntryMetadataIR, StorageEntryTypeIR},
    traits::{GetCallIndex, GetCallName, PalletInfoAccess},
};
use scale_info::{TypeDef, TypeInfo};

use super::*;
use crate::{runtime_api::Refusal, Call, Error, Event, Operator};

/// What is fixed. A new line goes where its index puts it; no line ever changes or goes away.
const FROZEN: &str = include_str!("frozen_indices.txt");

fn variants<T: TypeInfo>(kind: &str) -> Vec<String> {
    let TypeDef::Variant(variants) = T::type_info().type_def else {
        panic!("{kind} is no enumeration")
    };
    let line = |variant: &scale_info::Variant| format!("{kind} {} {}", variant.index, variant.name);
    variants.variants.iter().map(line).collect()
}

fn calls() -> Vec<String> {
    let names = Call::<Test>::get_call_names();
    let indices = Call::<Test>::get_call_indices();
    names
        .iter()
        .zip(indices)
        .map(|(name, index)| format!("call {index} {name}"))
        .collect()
}

fn storage() -> Vec<String> {
    let metadata = ValidatorSet::storage_metadata();
    let line = |entry: &StorageEntryMetadataIR| {
        let kind = match &entry.ty {
            StorageEntryTypeIR::Plain(_) => "plain".to_owned(),
            StorageEntryTypeIR::Map { hashers, .. } => format!("{hashers:?}"),
        };
        format!("storage {} {kind}", entry.name)
    };
    metadata.entries.iter().map(line).collect()
}

#[test]
fn names_and_indices_are_as_they_ever_were() {
    let lines = [
        calls(),
        variants::<Error<Test>>("error"),
        variants::<Event<Test>>("event"),
        variants::<Operator<u32>>("operator"),
        variants::<Equivocation>("equivocation"),
        variants::<Refusal>("refusal"),
        storage(),
    ];
    let present = lines.concat();
    let frozen: Vec<&str> = FROZEN
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let gone: Vec<_> = frozen
        .iter()
        .filter(|line| !present.iter().any(|p| p == **line))
        .collect();
    assert!(gone.is_empty(), "changed or gone: {gone:#?}");
    let new: Vec<_> = present
        .iter()
        .filter(|line| !frozen.contains(&line.as_str()))
        .collect();
    assert!(new.is_empty(), "new, add to frozen_indices.txt: {new:#?}");
}

#[test]
fn the_pallet_stores_under_the_name_that_its_state_is_under() {
    assert_eq!(<ValidatorSet as PalletInfoAccess>::name(), "ValidatorSet");
}
