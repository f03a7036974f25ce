//! The metadata that clients are built with is the runtime's own, and says what calls are for.

use std::{env, fs};

use keyward_runtime::Runtime;
use scale_info::{TypeDef, TypeInfo};

const COMMITTED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../chain-client/metadata.scale"
);
/// The newest version that polkadot-sdk writes and `subxt` reads.
const VERSION: u32 = 16;

#[test]
fn the_committed_metadata_is_up_to_date() {
    let current = Runtime::metadata_at_version(VERSION).unwrap();
    if env::var_os("KEYWARD_BLESS").is_some() {
        fs::write(COMMITTED, &*current).unwrap();
    }
    assert!(
        fs::read(COMMITTED).unwrap() == *current,
        "chain-client/metadata.scale is out of date. If the change of the runtime is meant, write it anew with\n  \
         KEYWARD_BLESS=1 cargo test --package keyward-runtime --test metadata"
    );
}

/// Names of the variants of a call, event or error, each with whether it is documented.
fn variants<T: TypeInfo>() -> Vec<(&'static str, bool)> {
    let TypeDef::Variant(all) = T::type_info().type_def else {
        panic!("calls, events and errors have variants");
    };
    let variants = all.variants.into_iter();
    variants
        .map(|variant| (variant.name, !variant.docs.concat().trim().is_empty()))
        .collect()
}

#[test]
fn whoever_reads_a_call_an_event_or_an_error_in_polkadot_js_is_told_what_it_is() {
    let ours = [
        variants::<pallet_fleet::Call<Runtime>>(),
        variants::<pallet_fleet::Event<Runtime>>(),
        variants::<pallet_fleet::Error<Runtime>>(),
        variants::<pallet_governance::Call<Runtime>>(),
        variants::<pallet_governance::Event<Runtime>>(),
        variants::<pallet_validator_set::Call<Runtime>>(),
        variants::<pallet_validator_set::Event<Runtime>>(),
        variants::<pallet_validator_set::Error<Runtime>>(),
    ]
    .concat();
    assert!(ours.len() > 90);
    let silent = |&&(name, documented): &&(&str, bool)| !documented && !name.starts_with("__");
    let silent: Vec<_> = ours.iter().filter(silent).collect();
    assert!(silent.is_empty(), "without docs: {silent:?}");
}
