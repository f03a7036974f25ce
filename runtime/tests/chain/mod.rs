//! A chain in memory, built from a genesis preset.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub mod actors;
pub mod blocks;
pub mod calls;
pub mod motions;

use codec::Encode;
use frame_support::traits::GetCallName;
use keyward_runtime::{
    genesis, AccountId, Executive, Header, Nonce, Runtime, RuntimeCall, RuntimeEvent, Signature,
    System, TxExtension, UncheckedExtrinsic,
};
use serde_json::Value;
use sp_core::H256;
use sp_genesis_builder::{
    runtime_decl_for_genesis_builder::GenesisBuilder, PresetId, Result as Built,
};
use sp_keyring::Sr25519Keyring;
use sp_runtime::{
    generic::{Era, SignedPayload},
    traits::Header as _,
    ApplyExtrinsicResult, MultiAddress,
};

/// The default genesis, changed by a preset.
pub fn genesis_of(preset: &str) -> Value {
    let json = |id: Option<PresetId>| -> Value {
        serde_json::from_slice(&Runtime::get_preset(&id).unwrap()).unwrap()
    };
    let mut whole = json(None);
    merge(&mut whole, json(Some(preset.into())));
    whole
}

fn merge(base: &mut Value, patch: Value) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => patch
            .into_iter()
            .for_each(|(key, value)| merge(base.entry(key).or_insert(Value::Null), value)),
        (base, patch) => *base = patch,
    }
}

/// Builds this genesis in the externalities at hand.
pub fn build(genesis: &Value) -> Built {
    Runtime::build_state(serde_json::to_vec(genesis).unwrap())
}

/// The first block of a chain with this preset.
pub fn chain(preset: &str) -> sp_io::TestExternalities {
    let mut chain = sp_io::TestExternalities::new_empty();
    chain.execute_with(|| {
        build(&genesis_of(preset)).unwrap();
        let header = Header::new(
            1,
            H256::default(),
            H256::default(),
            H256::default(),
            Default::default(),
        );
        Executive::initialize_block(&header);
    });
    chain
}

/// The first block of the chain of four validators and a council of three.
pub fn local() -> sp_io::TestExternalities {
    chain(genesis::LOCAL)
}

/// What every transaction carries.
pub fn extensions(nonce: Nonce) -> TxExtension {
    (
        frame_system::CheckNonZeroSender::new(),
        frame_system::CheckSpecVersion::new(),
        frame_system::CheckTxVersion::new(),
        frame_system::CheckGenesis::new(),
        frame_system::CheckEra::from(Era::Immortal),
        pallet_governance::CheckAdmitted::new(),
        pallet_governance::CheckNonce::from(nonce),
        frame_system::CheckWeight::new(),
        frame_metadata_hash_extension::CheckMetadataHash::new(false),
        frame_system::WeightReclaim::new(),
    )
}

/// A transaction, signed as polkadot.js signs it.
pub fn signed(who: Sr25519Keyring, nonce: Nonce, call: RuntimeCall) -> UncheckedExtrinsic {
    let payload = SignedPayload::new(call, extensions(nonce)).unwrap();
    let signature = payload.using_encoded(|bytes| who.sign(bytes));
    let (call, extension, _) = payload.deconstruct();
    let address = MultiAddress::Id(who.to_account_id());
    UncheckedExtrinsic::new_signed(call, address, Signature::Sr25519(signature), extension)
}

/// Puts a signed transaction into the block.
pub fn apply(who: Sr25519Keyring, call: impl Into<RuntimeCall>) -> ApplyExtrinsicResult {
    let nonce = System::account_nonce(who.to_account_id());
    Executive::apply_extrinsic(signed(who, nonce, call.into()))
}

/// Whether this happened in the block.
pub fn happened(event: impl Into<RuntimeEvent>) -> bool {
    let event = event.into();
    System::events().iter().any(|record| record.event == event)
}

/// The account of a name.
pub fn account(who: Sr25519Keyring) -> AccountId {
    who.to_account_id()
}

/// Names of the calls of a pallet, given its calls' type.
pub fn call_names<Call: GetCallName>() -> &'static [&'static str] {
    Call::get_call_names()
}
