//! The chain as polkadot.js sees it: `tests/polkadot-js`, written with its own library, against real nodes (docs/governance.md).

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result};
use keyward_test_ports::free_port;
use keyward_tests::{
    height,
    network::{silently, Network, Plan},
    place::{new_seed, write_secret, Place},
    play::Play,
    process::{binary, command, find, find_system, run, Process},
    scenario::{Scenario, PAPER},
    wait::seconds,
};

/// Who validates in the preset `local`.
const VALIDATORS: [&str; 4] = ["alice", "bob", "charlie", "dave"];
/// The network key of the first of them, and the name that others know it by.
const FIRST_KEY: &str = "0000000000000000000000000000000000000000000000000000000000000001";
const FIRST_PEER: &str = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";
/// How long installing the library, and all the checks, may take.
const PATIENCE: Duration = Duration::from_secs(400);
/// What happens when the paper's experiment runs: of each, at least one.
const BUSY: &str = "council.propose,council.Executed,governance.DispatchedAsRoot,fleet.OrganisationAdmitted,fleet.GatewayAdmitted,\
                    fleet.AuthorityAdmitted,fleet.DeviceRegistered,fleet.GroupCreated,fleet.MemberAdded,fleet.MemberRemoved,\
                    fleet.EpochStaged,fleet.EpochAdvanced,fleet.EpochActivated,fleet.Delivered,fleet.Acknowledged,\
                    fleet.ChainExtended";

/// Starts the validators of the preset `local`, waits until they finalize, and gives the first one's RPC port.
async fn local(place: &Place) -> Result<(Vec<Process>, u16)> {
    let (port, peers) = (free_port()?, free_port()?);
    let mut nodes = Vec::new();
    for (index, name) in VALIDATORS.iter().enumerate() {
        let (mut node, first) = (validator(place, name)?, index == 0);
        let key = place.path(format!("{name}.key"));
        write_secret(&key, &if first { FIRST_KEY.into() } else { new_seed() })?;
        node.arg("--node-key-file").arg(&key);
        match first {
            true => node
                .arg(format!("--rpc-port={port}"))
                .arg(format!("--listen-addr=/ip4/127.0.0.1/tcp/{peers}")),
            false => node
                .arg(format!("--rpc-port={}", free_port()?))
                .arg("--listen-addr=/ip4/127.0.0.1/tcp/0")
                .arg(format!(
                    "--bootnodes=/ip4/127.0.0.1/tcp/{peers}/p2p/{FIRST_PEER}"
                )),
        };
        nodes.push(Process::start(name, node, &place.log(name))?);
    }
    height::finalizes(port, 1, seconds(120)).await?;
    Ok((nodes, port))
}

fn validator(place: &Place, name: &str) -> Result<Command> {
    let mut node = command(&find(binary::NODE)?);
    node.args(["--chain", "local", &format!("--{name}")])
        .args(["--no-prometheus", "--no-telemetry", "--no-mdns"])
        .args(["--state-pruning", "archive", "--rpc-max-connections", "200"])
        // The harness names no port in its requests, which only development chains accept by themselves.
        .args(["--rpc-cors", "all"])
        .arg("--base-path")
        .arg(place.path(name));
    Ok(node)
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("polkadot-js")
}

/// The directory that has the library, which is installed there when it is not.
async fn library(place: &Place) -> Result<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/polkadot-js");
    let installed = run(command(&script), PATIENCE, &place.log("npm")).await?;
    Ok(installed.success()?.trim().to_owned())
}

/// Runs the checks of one kind; all must hold.
async fn check(place: &Place, kind: &str, port: u16, settings: &[(&str, &str)]) -> Result<()> {
    let mut checks = command(&find_system("node", "nodejs")?);
    checks
        .arg(scripts().join("main.mjs"))
        .args([kind, &format!("ws://127.0.0.1:{port}")])
        .env("KEYWARD_POLKADOT_JS", library(place).await?)
        .envs(settings.iter().copied());
    let report = run(checks, PATIENCE, &place.log("polkadot-js")).await?;
    println!(
        "{}",
        report.success().context("polkadot.js sees it otherwise")?
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_council_governs_through_polkadot_js() -> Result<()> {
    let place = Place::new("polkadot-js")?;
    let (_nodes, port) = local(&place).await?;
    let next = place.path("next.wasm");
    let mut settings = Vec::new();
    // Not built with SKIP_WASM_BUILD; the chain is upgraded to its own runtime then.
    if let Some(wasm) = keyward_next_runtime::WASM {
        std::fs::write(&next, wasm)?;
        settings.push((
            "KEYWARD_NEXT_WASM",
            next.to_str().context("a path that is no text")?,
        ));
    }
    check(&place, "govern", port, &settings).await
}

#[tokio::test(flavor = "multi_thread")]
async fn polkadot_js_decodes_everything_on_a_busy_chain() -> Result<()> {
    let scenario = Scenario::parse(PAPER)?;
    let plan = Plan {
        name: "busy",
        devices: scenario.devices.clone(),
        topics: scenario.topics(),
    };
    let network = Network::start(plan).await?;
    let mut play = Play::new(&network, &scenario);
    for step in &scenario.steps {
        play.step(step, &silently).await?;
    }
    let settings = [("KEYWARD_EXPECTED", BUSY)];
    check(&network.place, "inspect", network.node.port(), &settings).await
}
