//! `keyward`, the operator's command: certificate authority, devices, groups, gateways, the council, and the audit.
//!
//! Exit codes, the same for every command:
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | not done, or an audit found a conflict; the reason is on standard error |
//! | 2 | the command line is not right |

mod args;
mod audit;
mod ca;
mod chain;
mod council;
mod device;
mod gateway;
mod group;
mod key_file;
mod motions;
mod output;
mod policy_file;

use std::process::ExitCode;

use clap::Parser;

use crate::{args::Args, chain::Context, output::UsageInvalid};

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Each error already says what caused it.
            eprintln!("keyward: {error}");
            match error.is::<UsageInvalid>() {
                true => ExitCode::from(2),
                false => ExitCode::FAILURE,
            }
        }
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let context = Context::new(args.url, args.account_file, args.json);
    match args.command {
        args::Command::Ca(command) => ca::run(command, &context).await?,
        args::Command::Device(command) => device::run(command, &context).await?,
        args::Command::Group(command) => group::run(command, &context).await?,
        args::Command::Gateway(command) => gateway::run(command, &context).await?,
        args::Command::Council(command) => council::run(command, &context).await?,
        args::Command::Audit(command) => audit::run(command, &context).await?,
    }
    Ok(())
}
