//! The state of chains that run today survives the runtimes that come after: a committed snapshot is upgraded with the real wasm,
//! and everything in it is decoded and checked.

use std::collections::BTreeMap;

use codec::{Decode, Encode};
use frame_support::weights::Weight;
use sc_executor::WasmExecutor;
use sc_executor_common::runtime_blob::RuntimeBlob;
use serde_json::Value;
use sp_core::{storage::Storage, traits::Externalities};
use sp_io::TestExternalities;

/// The state of a chain with runtime 1, which had no validator set, at the end of the paper's experiment, as `keyward-node export-state` writes it, without
/// the code.
const SNAPSHOT: &str = include_str!("snapshots/spec-1.json");
/// `UpgradeCheckSelect::All`: before and after each migration, then everything that is stored.
const ALL_CHECKS: u8 = 1;

type Executor = WasmExecutor<sp_io::SubstrateHostFunctions>;

fn bytes(hex: &str) -> Vec<u8> {
    sp_core::bytes::from_hex(hex).unwrap()
}

/// The snapshot, without the items whose key is refused.
fn snapshot(keeps: impl Fn(&[u8]) -> bool) -> TestExternalities {
    let file: Value = serde_json::from_str(SNAPSHOT).unwrap();
    let top = file["top"].as_object().unwrap();
    assert!(top.len() > 50, "{} items", top.len());
    let pair = |(key, value): (&String, &Value)| (bytes(key), bytes(value.as_str().unwrap()));
    let storage = Storage {
        top: top
            .iter()
            .map(pair)
            .filter(|(key, _)| keeps(key))
            .collect::<BTreeMap<_, _>>(),
        children_default: Default::default(),
    };
    storage.into()
}

/// Runs the upgrade in the wasm and answers the weight that it took, and a block's.
fn upgrade(chain: &mut TestExternalities, wasm: &[u8]) -> Result<(Weight, Weight), String> {
    let blob = RuntimeBlob::uncompress_if_needed(wasm).unwrap();
    let mut ext = chain.ext();
    let answer = Executor::builder()
        .build()
        .uncached_call(
            blob,
            &mut ext as &mut dyn Externalities,
            false,
            "TryRuntime_on_runtime_upgrade",
            &ALL_CHECKS.encode(),
        )
        .map_err(|error| error.to_string())?;
    Ok(Decode::decode(&mut &answer[..]).unwrap())
}

#[test]
fn what_is_stored_today_is_understood_by_the_runtime_that_comes_next() {
    // Without the wasm (SKIP_WASM_BUILD) there is nothing to run.
    let Some(wasm) = keyward_next_runtime::WASM else {
        return;
    };
    let (weight, block) = upgrade(&mut snapshot(|_| true), wasm).unwrap();
    assert!(weight.all_lt(block), "{weight} of {block}");
}

#[test]
fn a_state_that_breaks_a_rule_is_found() {
    let Some(wasm) = keyward_next_runtime::WASM else {
        return;
    };
    // Members whose devices are gone.
    let devices = frame_support::storage::storage_prefix(b"Fleet", b"Devices");
    let mut chain = snapshot(|key| !key.starts_with(&devices));
    let refused = upgrade(&mut chain, wasm).unwrap_err();
    assert!(!refused.is_empty());
}
