//! Carries out the command line.

use sc_cli::SubstrateCli;
use sc_service::PartialComponents;

use crate::{
    cli::{Cli, Subcommand},
    service,
};
use keyward_runtime::Block;

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
        Subcommand::ExportChainSpec(cmd) => {
            let spec = cli.load_spec(&cmd.chain)?;
            cmd.run(spec)
        }
        Subcommand::CheckBlock(cmd) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents { client, task_manager, import_queue, .. } = service::new_partial(&config)?;
            Ok((cmd.run(client, import_queue), task_manager))
        }),
        Subcommand::ExportBlocks(cmd) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents { client, task_manager, .. } = service::new_partial(&config)?;
            Ok((cmd.run(client, config.database), task_manager))
        }),
        Subcommand::ExportState(cmd) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents { client, task_manager, .. } = service::new_partial(&config)?;
            Ok((cmd.run(client, config.chain_spec), task_manager))
        }),
        Subcommand::ImportBlocks(cmd) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents { client, task_manager, import_queue, .. } = service::new_partial(&config)?;
            Ok((cmd.run(client, import_queue), task_manager))
        }),
        Subcommand::PurgeChain(cmd) => {
            cli.create_runner(cmd)?.sync_run(|config| cmd.run(config.database))
        }
        Subcommand::Revert(cmd) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents { client, task_manager, backend, .. } = service::new_partial(&config)?;
            let revert_finality = Box::new(|client, _, blocks| {
                sc_consensus_grandpa::revert(client, blocks)?;
                Ok(())
            });
            Ok((cmd.run(client, backend, Some(revert_finality)), task_manager))
        }),
        Subcommand::ChainInfo(cmd) => cli.create_runner(cmd)?.sync_run(|config| cmd.run::<Block>(&config)),
    }
}
