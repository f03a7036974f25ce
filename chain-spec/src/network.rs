//! The chain specification of a `network.toml`: its first block has the founders in it, and nothing secret.

use codec::Decode;
use keyward_consortium::{
    Gateway, GatewayKeys, Machine, Member, Network, Organisation, Quotas, SessionKeys as Keys,
};
use keyward_runtime::{AccountId, SessionKeys};
use sc_chain_spec::ChainType;
use serde_json::{json, Value};

use crate::{properties, ChainSpec};

/// Longest file that is read, in bytes: one more than a network may have.
const LONGEST: u64 = keyward_consortium::LONGEST as u64 + 1;

/// Reads a `network.toml` and makes its specification with this runtime.
///
/// # Errors
/// When the file cannot be read, or is not right: every error in it, one a line.
pub(crate) fn load(path: &str, wasm: &[u8]) -> Result<ChainSpec, String> {
    specification(&read(path)?, wasm)
}

/// Reads a `network.toml`.
pub(crate) fn read(path: &str) -> Result<Network, String> {
    use std::io::Read;
    let mut text = String::new();
    let file = std::fs::File::open(path).and_then(|it| it.take(LONGEST).read_to_string(&mut text));
    file.map_err(|error| format!("network {path} cannot be read: {error}"))?;
    if !keyward_consortium::is_network(&text) {
        return Err(format!(
            "{path} is no network.toml: it does not begin with a version; 'keyward network new' makes one of a consortium.toml"
        ));
    }
    let network = Network::parse(&text).into_result();
    network.map_err(|errors| format!("network {path} is not right:\n{errors}"))
}

/// The specification of a network.
pub(crate) fn specification(network: &Network, wasm: &[u8]) -> Result<ChainSpec, String> {
    let settings = &network.plan.network;
    let addresses = network.addresses();
    let boot_nodes = addresses.iter().map(|address| {
        let read = address.parse();
        read.map_err(|error| format!("{address} is no address of a node: {error}"))
    });
    let boot_nodes = boot_nodes.collect::<Result<Vec<_>, String>>()?;
    Ok(ChainSpec::builder(wasm, None)
        .with_name(&settings.name)
        .with_id(&settings.id)
        .with_protocol_id(&settings.id)
        .with_chain_type(ChainType::Live)
        .with_boot_nodes(boot_nodes)
        .with_properties(properties())
        .with_genesis_config_patch(genesis(network)?)
        .build())
}

/// What differs from the runtime's default genesis. Everything in it is public: a [`Network`] has nothing else.
pub(crate) fn genesis(network: &Network) -> Result<Value, String> {
    let plan = &network.plan;
    let validators = plan.validators();
    let validators: Vec<(&Machine, Keys)> = validators
        .filter_map(|it| Some((it, network.machines.get(&it.name)?.session?)))
        .collect();
    let sessions = validators.iter().map(|(_, keys)| session(keys));
    let operators = validators.iter().map(|(_, keys)| account(&keys.account));
    Ok(json!({
        "governance": { "admitted": network.accounts().iter().map(account).collect::<Vec<_>>() },
        "validatorSet": {
            "validators": operators.collect::<Vec<_>>(),
            "minimum": plan.network.minimum_validators,
            "sessionBlocks": plan.network.session_blocks,
        },
        "session": { "keys": sessions.collect::<Result<Vec<_>, _>>()? },
        "membership": { "members": members(&plan.council) },
        "technicalMembership": { "members": members(&plan.committee) },
        "fleet": fleet(network),
    }))
}

fn account(account: &keyward_consortium::Account) -> AccountId {
    account.0.into()
}

fn members(members: &[Member]) -> Vec<AccountId> {
    let accounts = members.iter().filter_map(|it| it.account.as_ref());
    accounts.map(account).collect()
}

/// Both keys in their encoding, in the order of the runtime's `SessionKeys`: what an operator's account stands for.
fn session(keys: &Keys) -> Result<(AccountId, AccountId, SessionKeys), String> {
    let encoded = [keys.aura.0 .0, keys.grandpa.0].concat();
    let session = SessionKeys::decode(&mut &encoded[..]);
    let session = session.map_err(|error| format!("session keys: {error}"))?;
    Ok((account(&keys.account), account(&keys.account), session))
}

fn fleet(network: &Network) -> Value {
    let plan = &network.plan;
    let gateways = plan.gateways.iter();
    let gateways = gateways.filter_map(|it| Some(gateway(it, network.gateways.get(&it.name)?)));
    let authorities = plan.authorities.iter().filter_map(|it| {
        let key = network.authorities.get(&it.id)?;
        Some(json!({ "id": it.id, "organisation": it.organisation, "key": key }))
    });
    json!({
        "organisations": plan.organisations.iter().map(organisation).collect::<Vec<_>>(),
        "gateways": gateways.collect::<Vec<_>>(),
        "authorities": authorities.collect::<Vec<_>>(),
    })
}

fn organisation(it: &Organisation) -> Value {
    let Quotas {
        devices,
        groups,
        members,
    } = it.quotas;
    json!({
        "name": it.id,
        "label": it.label,
        "quotas": { "devices": devices, "groups": groups, "members": members },
        "bareNames": it.bare_names,
    })
}

fn gateway(it: &Gateway, keys: &GatewayKeys) -> Value {
    json!({
        "account": account(&keys.account),
        "organisation": it.organisation,
        "name": it.name,
        "statementKey": keys.statement,
        "custodyKey": keys.custody,
    })
}
