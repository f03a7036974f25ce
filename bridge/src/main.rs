//! `keyward-bridge`: beside Mosquitto, follows the chain and publishes each group's key sealed to each member.

use std::process::ExitCode;

use clap::Parser;
use keyward_bridge::{args::Args, command};

#[tokio::main]
async fn main() -> ExitCode {
    match command::execute(Args::parse()).await {
        Ok(code) => ExitCode::from(code),
        Err(failed) => {
            // Each error already says what caused it.
            eprintln!("keyward-bridge: {failed}");
            ExitCode::from(failed.code())
        }
    }
}
