//! Every key of a network, made from the operating system's generator and written where it belongs.

use std::{collections::BTreeMap, path::Path};

use keyward_chain_client::Signer;
use keyward_consortium::{
    AuraKey, GatewayKeys, MachineKeys, MachineName, Member, Network, PeerId, Plan, SessionKeys,
};
use keyward_crypto::SigningKey;
use keyward_protocol::{AccountId, AuthorityId, GatewayName, OrganisationId, VerifyingKey};
use zeroize::Zeroizing;

use super::{
    directory::{authority_directory, machine_directory, member_key},
    NetworkFailed,
};
use crate::{
    ca, gateway,
    key_file::{make_directory, write_new, write_secret},
};

/// How Substrate's key store calls the key that authors blocks.
pub const AURA: &str = "aura";
/// How it calls the key that finalizes them.
pub const GRANDPA: &str = "gran";

/// Makes and writes every key; the plan's members get the accounts that they lack.
pub fn make(mut plan: Plan, root: &Path) -> Result<Network, NetworkFailed> {
    members(&mut plan, root)?;
    Ok(Network {
        machines: machines(&plan, root)?,
        gateways: gateways(&plan, root)?,
        authorities: authorities(&plan, root)?,
        plan,
    })
}

/// An sr25519 account from a secret seed.
pub fn account(seed: &[u8; 32]) -> Result<AccountId, NetworkFailed> {
    let digits = Zeroizing::new(hex::encode(seed));
    let suri = Zeroizing::new(format!("0x{}", &*digits));
    Ok(Signer::from_suri(&suri)?.account())
}

fn write(path: &Path, secret: &[u8; 32]) -> Result<(), NetworkFailed> {
    if let Some(directory) = path.parent() {
        make_directory(directory)?;
    }
    Ok(write_secret(path, secret)?)
}

fn new_account(path: &Path) -> Result<AccountId, NetworkFailed> {
    let seed = gateway::seed();
    write(path, &seed)?;
    account(&seed)
}

/// Whoever is in both bodies has one account, and one key file: that of the council.
fn members(plan: &mut Plan, root: &Path) -> Result<(), NetworkFailed> {
    let mut made: BTreeMap<(OrganisationId, MachineName), AccountId> = BTreeMap::new();
    let bodies = [
        ("council", &mut plan.council),
        ("committee", &mut plan.committee),
    ];
    for (body, members) in bodies {
        for member in members.iter_mut().filter(|it| it.account.is_none()) {
            let person = (member.organisation.clone(), member.name.clone());
            let account = match made.get(&person) {
                Some(account) => *account,
                None => new_account(&root.join(member_key(member, body)))?,
            };
            made.insert(person, account);
            member.account = Some(account);
        }
    }
    Ok(())
}

fn machines(plan: &Plan, root: &Path) -> Result<BTreeMap<MachineName, MachineKeys>, NetworkFailed> {
    let make = |machine: &keyward_consortium::Machine| {
        let directory = root.join(machine_directory(&machine.name)).join("node");
        let node = gateway::seed();
        write_node_key(&directory, &node)?;
        let session = machine.validator.then(|| session(&directory)).transpose()?;
        let peer_id = PeerId(SigningKey::from_seed(&node).verifying_key());
        Ok((machine.name.clone(), MachineKeys { peer_id, session }))
    };
    plan.machines.iter().map(make).collect()
}

/// As `sc-network` reads it: 64 digits and nothing else, not even a line's end.
fn write_node_key(directory: &Path, seed: &[u8; 32]) -> Result<(), NetworkFailed> {
    make_directory(directory)?;
    let digits = Zeroizing::new(hex::encode(seed));
    Ok(write_new(
        &directory.join("node.key"),
        digits.as_bytes(),
        0o400,
    )?)
}

fn session(directory: &Path) -> Result<SessionKeys, NetworkFailed> {
    let (aura, grandpa) = (gateway::seed(), gateway::seed());
    let keys = SessionKeys {
        account: new_account(&directory.join("operator.key"))?,
        aura: AuraKey(account(&aura)?),
        grandpa: SigningKey::from_seed(&grandpa).verifying_key(),
    };
    let keystore = directory.join("keystore");
    write_session_key(&keystore, AURA, &keys.aura.0 .0, &aura)?;
    write_session_key(&keystore, GRANDPA, &keys.grandpa.0, &grandpa)?;
    Ok(keys)
}

/// The name of a key in Substrate's key store: type and public key, in hexadecimal.
pub fn session_key_name(kind: &str, public: &[u8; 32]) -> String {
    format!("{}{}", hex::encode(kind), hex::encode(public))
}

/// As `sc-keystore` has it: the secret as a JSON string.
fn write_session_key(
    keystore: &Path,
    kind: &str,
    public: &[u8; 32],
    seed: &[u8; 32],
) -> Result<(), NetworkFailed> {
    make_directory(keystore)?;
    let digits = Zeroizing::new(hex::encode(seed));
    let json = Zeroizing::new(format!("\"0x{}\"", &*digits));
    let path = keystore.join(session_key_name(kind, public));
    Ok(write_new(&path, json.as_bytes(), 0o400)?)
}

fn gateways(plan: &Plan, root: &Path) -> Result<BTreeMap<GatewayName, GatewayKeys>, NetworkFailed> {
    let make = |it: &keyward_consortium::Gateway| {
        let directory = root.join(machine_directory(&it.machine));
        let public = gateway::initialise(&directory.join("bridge").join("keys"))?;
        let keys = GatewayKeys {
            account: public.account,
            statement: public.statement_key,
            custody: public.custody_key,
        };
        Ok((it.name.clone(), keys))
    };
    plan.gateways.iter().map(make).collect()
}

fn authorities(
    plan: &Plan,
    root: &Path,
) -> Result<BTreeMap<AuthorityId, VerifyingKey>, NetworkFailed> {
    let make = |it: &keyward_consortium::Authority| {
        let public = ca::initialise(&it.id, &root.join(authority_directory(it)))?;
        Ok((it.id.clone(), public.key))
    };
    plan.authorities.iter().map(make).collect()
}

/// Whether a member's key is in the directory: nobody has one whose account existed before.
pub fn has_key(member: &Member, body: &str, plan: &Plan) -> bool {
    let same =
        |other: &&Member| other.name == member.name && other.organisation == member.organisation;
    match body {
        "committee" => plan.council.iter().find(same).is_none(),
        _ => true,
    }
}
