//! Networks: genesis and chain specifications (DESIGN section 3).

use keyward_runtime::{genesis, WASM_BINARY};
use sc_chain_spec::{NoExtension, Properties};
use sc_service::ChainType;

/// A Keyward chain specification.
pub type ChainSpec = sc_service::GenericChainSpec<NoExtension>;

/// Loads a network by name, or from the file of that path.
///
/// - `dev`: one validator, a council of one.
/// - `local` (and the empty name): four validators, a council of three.
///
/// # Errors
/// When the file cannot be read, or the program was built without the runtime's wasm.
pub fn load(name: &str) -> Result<ChainSpec, String> {
    match name {
        "dev" => built_in("Keyward Development", "keyward_dev", genesis::DEV, ChainType::Development),
        "" | "local" => built_in("Keyward Local", "keyward_local", genesis::LOCAL, ChainType::Local),
        path => ChainSpec::from_json_file(path.into())
            .map_err(|error| format!("chain specification {path} cannot be used: {error}")),
    }
}

fn built_in(name: &str, id: &str, preset: &str, kind: ChainType) -> Result<ChainSpec, String> {
    let wasm = WASM_BINARY.ok_or(
        "this program was built without the runtime (SKIP_WASM_BUILD); build it again without, or give a chain \
         specification file with --chain",
    )?;
    Ok(ChainSpec::builder(wasm, None)
        .with_name(name)
        .with_id(id)
        .with_chain_type(kind)
        .with_genesis_config_preset_name(preset)
        .with_properties(properties())
        .build())
}

/// There is no token: polkadot.js shows "none" where it would show a currency.
fn properties() -> Properties {
    let mut properties = Properties::new();
    properties.insert("tokenSymbol".into(), "none".into());
    properties.insert("tokenDecimals".into(), 0.into());
    properties.insert("ss58Format".into(), 42.into());
    properties
}
