//! `keyward-network`: a consortium's network on this machine, from its file, until Ctrl-C. Every node, broker and bridge is run
//! by the command of the unit that `keyward network new` wrote for it.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | it was told to stop |
//! | 1 | it could not start, or a part of it ended; the reason is printed |
//! | 2 | the command line is not right |

mod hints;

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{bail, ensure, Context, Result};
use clap::Parser;
use keyward_tests::{
    consortium::Consortium, interrupt::interrupted, machine::Machine, place::Place, screen::Screen,
};

/// The network that is run when no file is given.
const LOCAL: &str = include_str!("../../../../consortium/examples/local.toml");
/// Pause between two looks at whether everything runs.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Runs a whole network on this machine, to try it.
#[derive(Debug, Parser)]
#[command(
    name = "keyward-network",
    version,
    max_term_width = 100,
    after_help = "  keyward-network\n  keyward-network --consortium consortium.toml --keep-dir"
)]
struct Args {
    /// The consortium's file, all of whose hosts are 127.0.0.1 (default: four validators and two gateways, as in
    /// consortium/examples/local.toml)
    #[arg(long, value_name = "FILE")]
    consortium: Option<PathBuf>,
    /// Leave the directory with all keys, databases and logs behind
    #[arg(long)]
    keep_dir: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let screen = Screen::new();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("keyward-network: {error}");
            return ExitCode::FAILURE;
        }
    };
    // Children die with the thread that started them: this one, which lives as long as the program.
    match runtime.block_on(run_until_interrupted(&args, &screen)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keyward-network: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run_until_interrupted(args: &Args, screen: &Screen) -> Result<()> {
    tokio::select! {
        result = run(args, screen) => result,
        () = interrupted() => {
            screen.line("");
            screen.line(match args.keep_dir {
                true => "Stopped. The files are where they were.",
                false => "Stopped, and all files deleted.",
            });
            Ok(())
        }
    }
}

async fn run(args: &Args, screen: &Screen) -> Result<()> {
    let mut place = Place::new("network")?;
    if args.keep_dir {
        place.keep();
    }
    let file = write_plan(&place, args.consortium.as_deref())?;
    screen.told("files", &place.root().display().to_string());
    let mut consortium = Consortium::from_file(place, &file).await?;
    screen.told(
        "keys",
        "made, with chain specification, configuration and units",
    );
    ports_are_free(&consortium)?;
    start(&mut consortium, screen).await?;
    hints::show(screen, &consortium);
    watch(&mut consortium).await
}

/// The file to make the network of.
fn write_plan(place: &Place, file: Option<&Path>) -> Result<PathBuf> {
    match file {
        Some(file) => {
            ensure!(file.is_file(), "there is no file {}", file.display());
            Ok(file.to_owned())
        }
        None => {
            let copy = place.path("local.toml");
            std::fs::write(&copy, LOCAL)?;
            Ok(copy)
        }
    }
}

/// A node whose port is taken would silently use another.
fn ports_are_free(consortium: &Consortium) -> Result<()> {
    let plan = &consortium.network.plan;
    let nodes = plan.machines.iter().flat_map(|machine| {
        let (name, ports) = (machine.name.to_string(), machine.ports);
        [
            (name.clone(), "p2p", ports.p2p),
            (name.clone(), "rpc", ports.rpc),
            (name, "prometheus", ports.prometheus),
        ]
    });
    let gateways = plan.gateways.iter().flat_map(|gateway| {
        let (name, ports) = (gateway.name.to_string(), gateway.ports);
        [
            (name.clone(), "mqtt", ports.mqtt),
            (name, "admin", ports.admin),
        ]
    });
    for (name, what, port) in nodes.chain(gateways) {
        if let Err(error) = TcpListener::bind(("127.0.0.1", port)) {
            bail!(
                "port {port} ({what} of {name}) cannot be used: {error}; stop what uses it, or give {name} another \
                 port in a file of your own (--consortium)"
            );
        }
    }
    Ok(())
}

async fn start(consortium: &mut Consortium, screen: &Screen) -> Result<()> {
    for machine in &mut consortium.machines {
        machine.node.start()?;
    }
    for machine in &mut consortium.machines {
        machine.node_answers().await?;
    }
    let height = consortium.finalize(1, 120).await?;
    screen.told("chain", &format!("block {} is finalized", height.finalized));
    let with_gateways = consortium
        .machines
        .iter_mut()
        .filter(|machine| machine.gateway.is_some());
    for machine in with_gateways {
        machine.start_gateway().await?;
        let name = machine.gateway.as_ref().map_or("", |it| &it.name);
        screen.told("gateway", &format!("{name} is ready"));
    }
    Ok(())
}

/// Ends when a part of the network does.
async fn watch(consortium: &mut Consortium) -> Result<()> {
    loop {
        for service in consortium.machines.iter_mut().flat_map(Machine::services) {
            service
                .check()
                .context("the network is stopped, since a part of it has ended")?;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
