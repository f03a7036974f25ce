//! Networks: genesis and chain specifications (DESIGN section 3).

mod network;

use keyward_runtime::{genesis, WASM_BINARY};
use sc_chain_spec::{NoExtension, Properties};
use sc_service::ChainType;

/// A Keyward chain specification.
pub type ChainSpec = sc_service::GenericChainSpec<NoExtension>;

/// Loads a network by name, or from the file of that path.
///
/// - `dev`: one validator, a council of one.
/// - `local` (and the empty name): four validators, a council of three.
/// - a path that ends with `.toml`: the network that `keyward network new` made, with this program's runtime.
/// - any other path: a chain specification.
///
/// # Errors
/// When the file cannot be read, or the program was built without the runtime's wasm.
pub fn load(name: &str) -> Result<ChainSpec, String> {
    match name {
        "dev" => built_in(
            "Keyward Development",
            "keyward_dev",
            genesis::DEV,
            ChainType::Development,
        ),
        "" | "local" => built_in(
            "Keyward Local",
            "keyward_local",
            genesis::LOCAL,
            ChainType::Local,
        ),
        path if path.ends_with(".toml") => network::load(path, wasm()?),
        path => ChainSpec::from_json_file(path.into())
            .map_err(|error| format!("chain specification {path} cannot be used: {error}")),
    }
}

fn wasm() -> Result<&'static [u8], String> {
    let missing = "this program was built without the runtime (SKIP_WASM_BUILD); build it again without, or give a chain \
                   specification file with --chain";
    WASM_BINARY.ok_or_else(|| missing.to_owned())
}

fn built_in(name: &str, id: &str, preset: &str, kind: ChainType) -> Result<ChainSpec, String> {
    Ok(ChainSpec::builder(wasm()?, None)
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

#[cfg(test)]
mod network_tests;

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str) -> String {
        load(name).err().expect("this network cannot be loaded")
    }

    fn raw(name: &str) -> serde_json::Value {
        let spec = load(name).unwrap();
        serde_json::from_str(&spec.as_json(true).unwrap()).unwrap()
    }

    /// Builds the genesis by running the wasm; a program built without it says so.
    #[test]
    fn the_networks_that_come_with_the_program_have_a_genesis_and_no_token() {
        if WASM_BINARY.is_none() {
            assert!(refusal("dev").contains("SKIP_WASM_BUILD"));
            return;
        }
        for (name, id) in [
            ("dev", "keyward_dev"),
            ("local", "keyward_local"),
            ("", "keyward_local"),
        ] {
            let spec = raw(name);
            assert_eq!(spec["id"], id);
            assert_eq!(spec["properties"]["tokenSymbol"], "none");
            assert!(spec["telemetryEndpoints"].is_null());
            assert!(spec["genesis"]["raw"]["top"].as_object().unwrap().len() > 10);
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let refused = refusal("no/such/network.json");
        assert!(refused.contains("no/such/network.json"), "{refused}");
    }
}
