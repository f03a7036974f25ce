//! Carries out the command line.

use std::{future::Future, sync::Arc};

use keyward_runtime::opaque::Block;
use sc_cli::{CliConfiguration, SubstrateCli};
use sc_service::{Configuration, TaskManager};

use crate::{
    cli::{Cli, Subcommand},
    service::{self, FullBackend, FullClient, Service},
};

impl SubstrateCli for Cli {
    fn impl_name() -> String {
        "Keyward Node".into()
    }

    fn impl_version() -> String {
        env!("SUBSTRATE_CLI_IMPL_VERSION").into()
    }

    fn description() -> String {
        "A validator or full node of a Keyward chain: who may read a group's messages is decided here.\n\n\
         Examples:\n  keyward-node --dev --tmp                 a chain of one, forgotten when it stops\n  \
         keyward-node --chain network.json --validator --base-path /var/lib/keyward"
            .into()
    }

    fn author() -> String {
        env!("CARGO_PKG_AUTHORS").into()
    }

    fn support_url() -> String {
        "the operators' guide in docs/operations.md".into()
    }

    fn copyright_start_year() -> i32 {
        2026
    }

    fn load_spec(&self, id: &str) -> Result<Box<dyn sc_service::ChainSpec>, String> {
        keyward_chain_spec::load(id).map(|spec| Box::new(spec) as Box<dyn sc_service::ChainSpec>)
    }
}

/// Reads the command line and does what it says.
pub fn run() -> sc_cli::Result<()> {
    let cli = Cli::from_args();
    match &cli.subcommand {
        None => run_node(&cli),
        Some(subcommand) => run_subcommand(&cli, subcommand),
    }
}

fn run_node(cli: &Cli) -> sc_cli::Result<()> {
    let runner = cli.create_runner(&cli.run)?;
    runner.run_node_until_exit(|config| async move {
        service::new_full(config).map_err(sc_cli::Error::Service)
    })
}

fn run_subcommand(cli: &Cli, subcommand: &Subcommand) -> sc_cli::Result<()> {
    match subcommand {
        Subcommand::Key(cmd) => cmd.run(cli),
        Subcommand::Sign(cmd) => cmd.run(),
        Subcommand::Verify(cmd) => cmd.run(),
        Subcommand::Vanity(cmd) => cmd.run(),
        Subcommand::BuildSpec(cmd) => {
            let runner = cli.create_runner(cmd)?;
            runner.sync_run(|config| cmd.run(config.chain_spec, config.network))
        }
        Subcommand::ExportChainSpec(cmd) => cmd.run(cli.load_spec(&cmd.chain)?),
        Subcommand::CheckBlock(cmd) => on_node(cli, cmd, |node, _| {
            let done = cmd.run(node.client, node.import_queue);
            (done, node.task_manager)
        }),
        Subcommand::ExportBlocks(cmd) => on_node(cli, cmd, |node, config| {
            (cmd.run(node.client, config.database), node.task_manager)
        }),
        Subcommand::ExportState(cmd) => on_node(cli, cmd, |node, config| {
            (cmd.run(node.client, config.chain_spec), node.task_manager)
        }),
        Subcommand::ImportBlocks(cmd) => on_node(cli, cmd, |node, _| {
            let done = cmd.run(node.client, node.import_queue);
            (done, node.task_manager)
        }),
        Subcommand::PurgeChain(cmd) => {
            let runner = cli.create_runner(cmd)?;
            runner.sync_run(|config| cmd.run(config.database))
        }
        Subcommand::Revert(cmd) => on_node(cli, cmd, |node, _| {
            let votes: RevertVotes =
                Box::new(|client, _, blocks| Ok(sc_consensus_grandpa::revert(client, blocks)?));
            let done = cmd.run::<Block, _, _>(node.client, node.backend, Some(votes));
            (done, node.task_manager)
        }),
        Subcommand::ChainInfo(cmd) => {
            let runner = cli.create_runner(cmd)?;
            runner.sync_run(|config| cmd.run::<Block>(&config))
        }
    }
}

/// Takes GRANDPA's votes back with the blocks.
type RevertVotes = Box<dyn FnOnce(Arc<FullClient>, Arc<FullBackend>, u32) -> sc_cli::Result<()>>;

/// Does something with a node that has no network.
fn on_node<Cmd, Done>(
    cli: &Cli,
    cmd: &Cmd,
    run: impl FnOnce(Service, Configuration) -> (Done, TaskManager),
) -> sc_cli::Result<()>
where
    Cmd: CliConfiguration,
    Done: Future<Output = sc_cli::Result<()>>,
{
    let runner = cli.create_runner(cmd)?;
    runner.async_run(|config| {
        let node = service::new_partial(&config)?;
        Ok(run(node, config))
    })
}
