//! `keyward network new`.

use std::path::{Path, PathBuf};

use keyward_chain_client::account_to_ss58;
use keyward_consortium::{Checked, Finding, Machine, Network, Plan};
use serde::Serialize;

use super::{
    certificate::Authority,
    directory::{CHAIN, CHAIN_RAW, CONSORTIUM, NETWORK},
    instructions, keys,
    machine::{public, secret, Writer},
    node,
    paths::{find_program, Places},
    read_text, NetworkFailed, New,
};
use crate::{
    chain::Context,
    key_file::{make_directory, WriteFailed},
    output::{list, table},
    staging::Staging,
};

#[derive(Serialize)]
struct Made {
    directory: PathBuf,
    network: String,
    machines: Vec<MadeMachine>,
    council: Vec<String>,
    warnings: Vec<Finding>,
}

#[derive(Serialize)]
struct MadeMachine {
    name: String,
    organisation: String,
    host: String,
    validator: bool,
    archive: bool,
    gateway: Option<String>,
    directory: PathBuf,
}

pub fn run(arguments: &New, context: &Context) -> Result<(), NetworkFailed> {
    let text = read_text(&arguments.file)?;
    let (plan, warnings) = plan(arguments, &text, context)?;
    let places = Places::new(arguments, &plan)?;
    if std::fs::symlink_metadata(&arguments.out).is_ok() {
        let path = arguments.out.clone();
        return Err(WriteFailed::Exists { path }.into());
    }
    // Before any key is made.
    let node = node::require(arguments.node.as_deref())?;
    if !plan.gateways.is_empty() && find_program("mosquitto_passwd").is_none() {
        return Err(NetworkFailed::NoProgram {
            program: "mosquitto_passwd",
            remedy: "install Mosquitto: apt-get install mosquitto",
        });
    }
    let staging = Staging::new(&arguments.out)?;
    let network = write(staging.path(), &plan, &text, &places, &node, context)?;
    staging.finish()?;
    let made = made(&network, &arguments.out, warnings);
    context.output.show(&made, made_text);
    Ok(())
}

/// The plan; what founders should think about is told, what cannot work is refused.
fn plan(
    arguments: &New,
    text: &str,
    context: &Context,
) -> Result<(Plan, Vec<Finding>), NetworkFailed> {
    let Checked { value, findings } = Plan::parse(text);
    let Some(plan) = value else {
        return Err(NetworkFailed::NotMade {
            path: arguments.file.clone(),
            findings,
        });
    };
    for finding in &findings {
        context.output.progress(&finding.to_string());
    }
    Ok((plan, findings))
}

fn write(
    root: &Path,
    plan: &Plan,
    text: &str,
    places: &Places,
    node: &Path,
    context: &Context,
) -> Result<Network, NetworkFailed> {
    context.output.progress("making keys and certificates");
    public(&root.join(CONSORTIUM), text.as_bytes())?;
    let network = keys::make(plan.clone(), root)?;
    let file = root.join(NETWORK);
    public(&file, network.to_toml().as_bytes())?;
    let authority = Authority::new(&network.plan.network.name)?;
    let tls = root.join("tls");
    make_directory(&tls)?;
    public(&tls.join("ca.pem"), authority.pem.certificate.as_bytes())?;
    secret(&tls.join("ca.key"), authority.pem.key.as_bytes())?;
    context.output.progress("making the chain specification");
    let plain = node::chain_specification(node, &file, false)?;
    public(&root.join(CHAIN), &plain)?;
    let raw = node::chain_specification(node, &file, true)?;
    public(&root.join(CHAIN_RAW), &raw)?;
    let writer = Writer {
        network: &network,
        places,
        authority: &authority,
        chain: &raw,
        root,
    };
    writer.write()?;
    let machines = network.plan.machines.iter();
    let installed: Vec<_> = machines.map(|machine| places.on(machine)).collect();
    let readme = instructions::of_network(&network, plan, &installed);
    public(&root.join("README.md"), readme.as_bytes())?;
    Ok(network)
}

fn made(network: &Network, out: &Path, warnings: Vec<Finding>) -> Made {
    let plan = &network.plan;
    let machine = |machine: &Machine| MadeMachine {
        name: machine.name.to_string(),
        organisation: machine.organisation.to_string(),
        host: machine.host.to_string(),
        validator: machine.validator,
        archive: machine.archive,
        gateway: plan
            .gateway_on(&machine.name)
            .map(|gateway| gateway.name.to_string()),
        directory: out.join(super::directory::machine_directory(&machine.name)),
    };
    let council = plan.council.iter().filter_map(|it| it.account.as_ref());
    Made {
        directory: out.to_owned(),
        network: plan.network.name.clone(),
        machines: plan.machines.iter().map(machine).collect(),
        council: council.map(account_to_ss58).collect(),
        warnings,
    }
}

fn made_text(made: &Made) -> String {
    let row = |machine: &MadeMachine| {
        let node = match (machine.validator, machine.archive) {
            (true, true) => "validator, archive",
            (true, false) => "validator",
            (false, true) => "archive",
            (false, false) => "node",
        };
        [
            machine.name.clone(),
            machine.organisation.clone(),
            machine.host.clone(),
            node.to_owned(),
            machine.gateway.clone().unwrap_or_else(|| "-".into()),
        ]
    };
    let header = ["machine", "organisation", "host", "node", "gateway"];
    let out = made.directory.display();
    format!(
        "{}\n\ncouncil  {}\n\nNext: read {out}/README.md, give each machine its directory below {out}/machines,\nand run the commands of the README.md in it.",
        table(header, made.machines.iter().map(row)),
        list(&made.council),
    )
}
