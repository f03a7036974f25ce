//! `keyward-demo`: the paper's experiment on one screen. Starts a chain, a broker, a bridge and devices as real processes,
//! runs a scenario step by step, and says of each device whether it could read what it should and nothing else.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | every device read what it must, and nothing else |
//! | 1 | one did not, or a part failed; the reasons are printed |
//! | 2 | the command line or the scenario is not right |
//! | 130 | interrupted before its end |

mod hints;
mod show;
mod wire;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use keyward_tests::{
    interrupt::interrupted,
    network::{Network, Plan},
    play::Play,
    scenario::{Scenario, PAPER},
    screen::Screen,
};

/// Shows who may read a message, and who may not although it receives it.
#[derive(Debug, Parser)]
#[command(name = "keyward-demo", version, max_term_width = 100)]
struct Args {
    /// Scenario to run, in the form of tests/scenarios/paper.toml (default: the paper's experiment)
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Leave everything running at the end, until Ctrl-C, and print commands to try
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let scenario = match read(&args) {
        Ok(scenario) => scenario,
        Err(error) => {
            eprintln!("keyward-demo: {error:#}");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("keyward-demo: {error}");
            return ExitCode::FAILURE;
        }
    };
    // Children die with the thread that started them: this one, which lives as long as the program.
    runtime.block_on(run_until_interrupted(&args, &scenario))
}

fn read(args: &Args) -> Result<Scenario> {
    match &args.scenario {
        Some(path) => Scenario::read(path),
        None => Scenario::parse(PAPER),
    }
}

async fn run_until_interrupted(args: &Args, scenario: &Scenario) -> ExitCode {
    let screen = Screen::new();
    tokio::select! {
        result = run(args, scenario, &screen) => match result {
            Ok((network, surprises)) => {
                if args.keep {
                    hints::show(&screen, &network, scenario);
                    interrupted().await;
                }
                ExitCode::from(u8::from(surprises > 0))
            }
            Err(error) => {
                screen.failure(&format!("keyward-demo: {error:#}"));
                ExitCode::FAILURE
            }
        },
        () = interrupted() => {
            screen.line("");
            screen.line("Interrupted: everything is stopped and its files are deleted.");
            ExitCode::from(130)
        }
    }
}

/// Runs the scenario; gives what still runs, and the number of surprises.
async fn run(args: &Args, scenario: &Scenario, screen: &Screen) -> Result<(Network, usize)> {
    show::introduction(screen, args.scenario.as_deref(), scenario);
    let mut topics = scenario.topics();
    topics.sort();
    let plan = Plan {
        name: "demo",
        devices: scenario.devices.clone(),
        topics,
    };
    let tell = |part: &str, text: &str| screen.told(part, text);
    let network = Network::start_telling(plan, &tell).await?;
    screen.line(&format!(
        "  {:<10} {}",
        "files",
        network.place.root().display()
    ));
    let mut play = Play::new(&network, scenario);
    let mut outcomes = Vec::new();
    for (number, step) in scenario.steps.iter().enumerate() {
        show::step(screen, number + 1, scenario, step);
        let outcome = play.step(step, &tell).await?;
        show::readings(screen, step, &outcome);
        outcomes.push((step, outcome));
    }
    wire::show(screen, &network, scenario, &outcomes).await?;
    show::audits(screen, &network, scenario).await?;
    let surprises = show::verdict(screen, &outcomes);
    Ok((network, surprises))
}
