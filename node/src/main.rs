//! The Keyward node: a validator or full node of a Keyward chain.

mod cli;
mod command;
mod rpc;
mod service;

fn main() -> sc_cli::Result<()> {
    command::run()
}
