//! `keyward`, the operator's command: certificate authority, devices, groups, gateways, the council, and the audit.
//!
//! Exit codes, the same for every command:
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | not done, or an audit found a conflict; the reason is on standard error |
//! | 2 | the command line is not right |

mod anchor;
mod args;
mod audit;
mod ca;
mod chain;
mod council;
mod device;
mod gateway;
mod group;
mod key_file;
mod network;
mod output;
mod owner_file;
mod policy_file;
mod staging;
mod validator;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    args::{Args, Command},
    chain::Context,
    output::{printable, Failure},
};

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let context = Context::new(args.url, args.account_file, args.json);
    match args.command {
        Command::Ca(command) => ended(ca::run(command, &context).await),
        Command::Device(command) => ended(device::run(command, &context).await),
        Command::Group(command) => ended(group::run(command, &context).await),
        Command::Gateway(command) => ended(gateway::run(command, &context).await),
        Command::Council(command) => ended(council::run(command, &context).await),
        Command::Network(command) => ended(network::run(command, &context).await),
        Command::Validator(command) => ended(validator::run(command, &context).await),
        Command::Audit(command) => ended(audit::run(command, &context).await),
    }
}

/// The exit code; an error is told on standard error. Each says itself what caused it.
fn ended<E: Failure>(result: Result<(), E>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    eprintln!("keyward: {}", printable(&error.to_string()));
    match error.is_usage() {
        true => ExitCode::from(2),
        false => ExitCode::FAILURE,
    }
}
