//! The screen: what runs where, who may sign what and how, and commands to try.

use std::{path::PathBuf, process::Command};

use keyward_tests::{
    consortium::Consortium,
    machine::Machine,
    process::{binary, find, shown},
    screen::Screen,
};

/// Prints it.
pub fn show(screen: &Screen, consortium: &Consortium) {
    screen.title("What runs where");
    for machine in &consortium.machines {
        screen.line(&format!(
            "  {:<10} node     {}",
            machine.name,
            machine.url()
        ));
        if let Some(gateway) = &machine.gateway {
            let (mqtt, admin) = (gateway.mqtt, gateway.admin);
            let name = &gateway.name;
            screen.line(&format!(
                "  {:<10} gateway  {name}: mqtts://127.0.0.1:{mqtt}   http://127.0.0.1:{admin}/metrics",
                ""
            ));
        }
    }
    if let Some(first) = consortium.machines.first() {
        screen.title("In a browser on this machine: polkadot.js");
        screen.line(&format!(
            "  https://polkadot.js.org/apps/?rpc={}#/explorer",
            first.url()
        ));
    }
    council(screen, consortium);
    screen.title("Open another terminal and try, for example:");
    for (what, command) in commands(consortium) {
        screen.line(&format!("  # {what}"));
        screen.line(&format!("  {command}"));
    }
    screen.line("");
    screen.line("Ctrl-C stops everything.");
}

fn council(screen: &Screen, consortium: &Consortium) {
    screen.title("The council; two thirds of it decide");
    for member in &consortium.network.plan.council {
        let address = member
            .account
            .map(|account| keyward_chain_client::account_to_ss58(&account))
            .unwrap_or_default();
        let file = key_file(consortium, member);
        screen.line(&format!("  {:<10} {address}", member.name.as_str()));
        screen.line(&format!("  {:<10} {}", "", file.display()));
    }
    screen.line(
        "  keyward signs with --account-file FILE. In polkadot.js: Settings, allow local in-browser account storage; Accounts,",
    );
    screen.line("  From seed, choose raw seed, and paste what is in the file. Only for networks to try things on.");
}

fn key_file(consortium: &Consortium, member: &keyward_consortium::Member) -> PathBuf {
    let (organisation, name) = (&member.organisation, &member.name);
    let file = format!("organisations/{organisation}/council/{name}.key");
    consortium.directory.join(file)
}

fn commands(consortium: &Consortium) -> Vec<(String, String)> {
    let Some(first) = consortium.machines.first() else {
        return Vec::new();
    };
    let Ok(program) = find(binary::OPERATOR) else {
        return Vec::new();
    };
    let keyward = |args: &[&str]| {
        let mut keyward = Command::new(&program);
        keyward.arg("--url").arg(first.url()).args(args);
        shown(&keyward)
    };
    let mut all = vec![
        ("who validates".into(), keyward(&["validator", "status"])),
        (
            "gateways, and what they may do".into(),
            keyward(&["gateway", "list"]),
        ),
        ("open motions".into(), keyward(&["council", "list"])),
        ("whether the files are right".into(), {
            let mut check = Command::new(&program);
            check.args(["network", "check"]).arg(&consortium.directory);
            shown(&check)
        }),
    ];
    all.extend(group(consortium, &program));
    all
}

/// How a gateway makes a group.
fn group(consortium: &Consortium, program: &std::path::Path) -> Option<(String, String)> {
    let with_gateway = |machine: &&Machine| machine.gateway.is_some();
    let machine = consortium.machines.iter().find(with_gateway)?;
    let gateway = &machine.gateway.as_ref()?.name;
    let organisation = gateway.split('.').next()?;
    let mut create = Command::new(program);
    create.arg("--url").arg(machine.url());
    create.arg("--account-file");
    create.arg(machine.directory.join("bridge/keys/account.key"));
    let id = format!("{organisation}.valves");
    let topic = format!("{organisation}/valves");
    create.args(["group", "create", &id, "--topic", &topic]);
    Some((
        format!("as gateway {gateway}, make a group"),
        shown(&create),
    ))
}
