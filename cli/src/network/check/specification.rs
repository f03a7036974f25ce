//! That the chain specification is what network.toml says.

use std::path::Path;

use keyward_consortium::{Finding, Network};
use serde_json::Value;

use super::super::{
    directory::{CHAIN, CHAIN_RAW, NETWORK},
    node,
};

const REMEDY: &str = "take the directory as 'keyward network new' wrote it; nodes with different specifications are on different chains";

/// Compares with what `keyward-node` makes of network.toml; without it, what can be read without.
pub fn check(root: &Path, network: &Network, program: Option<&Path>, findings: &mut Vec<Finding>) {
    for name in [CHAIN, CHAIN_RAW] {
        match read(&root.join(name)) {
            Ok(specification) => names(name, &specification, network, findings),
            Err(problem) => findings.push(Finding::error(name, problem, REMEDY)),
        }
    }
    let Some(program) = node::find(program) else {
        let problem = "was not compared with network.toml: keyward-node is not installed";
        let remedy = "name it with --node PROGRAM";
        return findings.push(Finding::warning(CHAIN_RAW, problem, remedy));
    };
    for (name, raw) in [(CHAIN, false), (CHAIN_RAW, true)] {
        let made = node::chain_specification(&program, &root.join(NETWORK), raw);
        let made = made.map_err(|error| error.to_string());
        let made =
            made.and_then(|json| serde_json::from_slice(&json).map_err(|error| error.to_string()));
        match (made, read(&root.join(name))) {
            (Ok(made), Ok(there)) => compare(name, made, there, findings),
            (Err(problem), _) => findings.push(Finding::error(NETWORK, problem, REMEDY)),
            // Told already.
            (_, Err(_)) => {}
        }
    }
}

fn read(path: &Path) -> Result<Value, String> {
    let json = std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    serde_json::from_slice(&json).map_err(|error| format!("is no chain specification: {error}"))
}

/// What anybody can compare.
fn names(place: &str, specification: &Value, network: &Network, findings: &mut Vec<Finding>) {
    let settings = &network.plan.network;
    let expected = [
        ("name", Value::from(settings.name.as_str())),
        ("id", Value::from(settings.id.as_str())),
        ("protocolId", Value::from(settings.id.as_str())),
        ("chainType", Value::from("Live")),
        ("bootNodes", Value::from(network.addresses())),
    ];
    for (field, expected) in expected {
        if specification.get(field) != Some(&expected) {
            let problem = format!("{field} is not what network.toml says");
            findings.push(Finding::error(place, problem, REMEDY));
        }
    }
}

/// A newer program has a newer runtime: that alone is no error, since a running chain keeps the one that it has.
fn compare(place: &str, mut made: Value, mut there: Value, findings: &mut Vec<Finding>) {
    if made == there {
        return;
    }
    let codes = [without_code(&mut made), without_code(&mut there)];
    // A newer runtime may lay its first block out differently: then only the plain form can be compared.
    if codes[0] != codes[1] && (place == CHAIN_RAW || made == there) {
        let problem = "has another runtime than this keyward-node";
        let remedy = "compare with the version that made it (--node); a running chain is upgraded by the council";
        findings.push(Finding::warning(place, problem, remedy));
    } else {
        let problem = "is not what keyward-node makes of network.toml";
        findings.push(Finding::error(place, problem, REMEDY));
    }
}

/// Takes the runtime out: `genesis.runtimeGenesis.code`, or storage key `:code`.
fn without_code(specification: &mut Value) -> Option<Value> {
    const CODE: &str = "0x3a636f6465";
    let plain = specification.pointer_mut("/genesis/runtimeGenesis");
    if let Some(genesis) = plain.and_then(Value::as_object_mut) {
        return genesis.remove("code");
    }
    let raw = specification.pointer_mut("/genesis/raw/top");
    raw.and_then(Value::as_object_mut)?.remove(CODE)
}
