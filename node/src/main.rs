//! The Keyward node: a validator or full node of a Keyward chain.
#![expect(
    clippy::result_large_err,
    reason = "errors of sc-cli and sc-service are that large"
)]

mod cli;
mod command;
mod consensus;
mod equivocation;
mod rpc;
mod service;

fn main() -> sc_cli::Result<()> {
    command::run()
}
