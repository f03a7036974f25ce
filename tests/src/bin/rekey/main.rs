//! `keyward-bench-network`: how long a removal takes, from its submission to the last device that holds the new key, with four
//! validators, Mosquitto, a bridge and a thousand devices; and what protection adds to a message's way (docs/benchmarks.md).
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | it was measured, whether the promises were kept or not |
//! | 1 | it could not be measured; the reason is printed |
//! | 2 | the command line is not right |

mod crowd;
mod ground;
mod histogram;
mod latency;
mod processes;
mod removals;
mod report;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{ensure, Result};
use clap::Parser;
use keyward_client::session::Identity;
use keyward_protocol::{DeviceId, GroupId, Role};
use keyward_tests::{interrupt::interrupted, screen::Screen};

use self::{crowd::Crowd, ground::Ground, histogram::Histogram, processes::Used, report::Report};

/// Measures removals on a whole network on this machine.
#[derive(Debug, Parser)]
#[command(name = "keyward-bench-network", version, max_term_width = 100)]
struct Args {
    /// Members of the group
    #[arg(long, default_value_t = 1_000)]
    members: usize,
    /// Members that may publish; the others only read
    #[arg(long, default_value_t = 64)]
    publishers: usize,
    /// Removals to measure
    #[arg(long, default_value_t = 30)]
    removals: usize,
    /// Messages to send each way
    #[arg(long, default_value_t = 500)]
    messages: usize,
    /// Few of everything, to see that it works
    #[arg(long)]
    quick: bool,
    /// Write the tables of docs/benchmarks.md into a file, too
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write every measurement into a file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Leave the directory with all keys, databases and logs behind
    #[arg(long)]
    keep_dir: bool,
}

impl Args {
    fn settled(mut self) -> Result<Self> {
        if self.quick {
            (self.members, self.publishers) = (20, 4);
            (self.removals, self.messages) = (3, 20);
        }
        let enough = self.removals > 0 && self.members >= self.removals + 2;
        ensure!(
            enough,
            "there must be at least a removal, and two members more than removals"
        );
        ensure!(
            self.publishers <= self.members / 2,
            "more publishers than half of the members"
        );
        Ok(self)
    }
}

fn main() -> ExitCode {
    let screen = Screen::new();
    match run(&screen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keyward-bench-network: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(screen: &Screen) -> Result<()> {
    let args = Args::parse().settled()?;
    // A connection of each device at both ends, and room for everything else.
    processes::open_many(args.members as u64 * 2 + 1_024)?;
    let runtime = tokio::runtime::Runtime::new()?;
    // Children die with the thread that started them: this one, which lives as long as the program.
    runtime.block_on(async {
        tokio::select! {
            result = measure(&args, screen) => result,
            () = interrupted() => Err(anyhow::anyhow!("interrupted")),
        }
    })
}

async fn measure(args: &Args, screen: &Screen) -> Result<()> {
    let mut ground = Ground::start(args.keep_dir, screen).await?;
    let devices = ground.register("meter", args.members, screen).await?;
    ground.start_gateway().await?;
    screen.told("gateway", "broker and bridge are ready");
    let group: GroupId = "acme.meters".parse()?;
    ground.create(&group, "acme/meter/#").await?;
    ground
        .add(&group, &with_roles(&devices, args.publishers))
        .await?;
    let formed = ground.settled(&group).await?;
    screen.told(
        "group",
        &format!("{} members, epoch {}", formed.members, formed.epoch),
    );
    let (provisioned, connection) = (ground.provisioned()?, ground.connection()?);
    let mut crowd = Crowd::gather(&group, &devices, &provisioned, &connection, screen).await?;
    crowd.acknowledged(formed.epoch).await?;
    screen.told("devices", "all receipts are on chain");
    let before = (
        Histogram::read(ground.admin()?).await?,
        Used::so_far(&mut ground)?,
    );
    let removals = removals::measure(&ground, &mut crowd, &group, args.removals, screen).await?;
    let after = (
        Histogram::read(ground.admin()?).await?,
        Used::so_far(&mut ground)?,
    );
    let latencies = latency::measure(&ground, args.messages, screen).await?;
    let report = Report {
        machine: processes::machine(),
        members: args.members,
        publishers: args.publishers,
        bridge: after.0.since(&before.0),
        used: after.1.each(before.1, removals.len()),
        removals,
        refused: crowd.refused,
        latencies,
    };
    publish(args, &report, screen)
}

/// Every second one of the first publishes, so that every second removal changes a page of publishers, too.
fn with_roles(devices: &[Identity], publishers: usize) -> Vec<(DeviceId, Role)> {
    let role = |at: usize| match at % 2 == 1 && at / 2 < publishers {
        true => Role::Both,
        false => Role::Subscribe,
    };
    let devices = devices.iter().enumerate();
    devices
        .map(|(at, it)| (it.device.clone(), role(at)))
        .collect()
}

fn publish(args: &Args, report: &Report, screen: &Screen) -> Result<()> {
    let text = report.render();
    screen.line("");
    screen.line(&text);
    if let Some(path) = &args.markdown {
        std::fs::write(path, &text)?;
    }
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_string_pretty(report)? + "\n")?;
    }
    Ok(())
}
