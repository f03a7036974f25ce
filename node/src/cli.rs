//! The command line.

use sc_cli::{
    BuildSpecCmd, ChainInfoCmd, CheckBlockCmd, ExportBlocksCmd, ExportChainSpecCmd, ExportStateCmd,
    ImportBlocksCmd, KeySubcommand, PurgeChainCmd, RevertCmd, RunCmd, SignCmd, VanityCmd,
    VerifyCmd,
};

/// Kilobytes of transactions that a node keeps for later blocks, unless its operator says otherwise. An account may have 64
/// transactions of 64 KiB waiting, 4 MiB: room for sixteen accounts that fill it at the same time, and a tenth of that for
/// transactions whose predecessor is missing. Substrate's own default has room for five.
const POOL_KBYTES: &str = "65536";

/// A node of a Keyward chain.
#[derive(Debug, clap::Parser)]
#[command(mut_arg("pool_kbytes", |arg| arg.default_value(POOL_KBYTES)))]
pub struct Cli {
    /// What to do instead of running.
    #[command(subcommand)]
    pub subcommand: Option<Subcommand>,
    /// How to run.
    #[clap(flatten)]
    pub run: RunCmd,
}

/// What to do instead of running.
#[derive(Debug, clap::Subcommand)]
pub enum Subcommand {
    /// Make, inspect and insert keys.
    #[command(subcommand)]
    Key(KeySubcommand),
    /// Sign a message with a key.
    Sign(SignCmd),
    /// Verify a signature.
    Verify(VerifyCmd),
    /// Make a key whose address has a given beginning.
    Vanity(VanityCmd),
    /// Write a chain specification, as older guides have it: `export-chain-spec` does the same.
    BuildSpec(BuildSpecCmd),
    /// Write a chain specification.
    ExportChainSpec(ExportChainSpecCmd),
    /// Validate blocks.
    CheckBlock(CheckBlockCmd),
    /// Write blocks to a file.
    ExportBlocks(ExportBlocksCmd),
    /// Write the state at a block into a chain specification.
    ExportState(ExportStateCmd),
    /// Read blocks from a file.
    ImportBlocks(ImportBlocksCmd),
    /// Delete the chain's database.
    PurgeChain(PurgeChainCmd),
    /// Go back some blocks.
    Revert(RevertCmd),
    /// Show the database's meta data.
    ChainInfo(ChainInfoCmd),
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};
    use sc_cli::DatabasePruningMode;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn operators_find_the_commands_of_substrate_nodes() {
        let command = Cli::command();
        for name in [
            "key",
            "sign",
            "verify",
            "vanity",
            "build-spec",
            "export-chain-spec",
            "check-block",
            "export-blocks",
            "export-state",
            "import-blocks",
            "purge-chain",
            "revert",
            "chain-info",
        ] {
            assert!(command.find_subcommand(name).is_some(), "{name}");
        }
    }

    #[test]
    fn operators_find_the_flags_of_substrate_nodes() {
        let line = "keyward-node --chain network.json --validator --name gw1 --base-path /var/lib/keyward --port 30333 \
                    --rpc-port 9944 --rpc-cors all --rpc-methods safe --rpc-max-connections 200 --state-pruning 256 \
                    --blocks-pruning archive --database paritydb --sync warp --prometheus-port 9615 --no-telemetry \
                    --no-mdns --node-key-file node.key --keystore-path keys";
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        assert!(cli.run.validator && cli.subcommand.is_none());
        let line = "keyward-node --dev --tmp --no-prometheus --rpc-port 0 --listen-addr /ip4/127.0.0.1/tcp/0";
        assert!(Cli::try_parse_from(line.split_whitespace()).is_ok());
    }

    #[test]
    fn sixteen_accounts_can_fill_the_pool_without_pushing_each_other_out() {
        let pool = |line: &str| {
            let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
            (
                cli.run.pool_config.pool_limit,
                cli.run.pool_config.pool_kbytes,
            )
        };
        let (transactions, kilobytes) = pool("keyward-node --validator");
        assert!(transactions >= 16 * 64 && kilobytes >= 16 * 64 * 64);
        // What the operator says counts.
        assert_eq!(pool("keyward-node --pool-kbytes 1024").1, 1024);
    }

    /// The bridge and `keyward` read state at finalized blocks at most minutes old; older state is what an archive node is for.
    /// Bodies and justifications stay, so that any node can sync from any other.
    #[test]
    fn a_gateway_keeps_the_state_of_256_blocks_and_all_finalized_blocks() {
        let cli = Cli::try_parse_from(["keyward-node", "--validator"]).unwrap();
        let pruning = cli.run.import_params.pruning_params;
        assert!(
            pruning.state_pruning.is_none(),
            "Substrate's default is 256"
        );
        assert_eq!(
            pruning.blocks_pruning,
            DatabasePruningMode::ArchiveCanonical
        );
    }

    #[test]
    fn there_is_no_other_database_than_parity_db() {
        let rocks = ["keyward-node", "--dev", "--database", "rocksdb"];
        assert!(Cli::try_parse_from(rocks).is_err());
    }
}
