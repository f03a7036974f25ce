//! The command line.

use sc_cli::{
    BuildSpecCmd, ChainInfoCmd, CheckBlockCmd, ExportBlocksCmd, ExportChainSpecCmd, ExportStateCmd,
    ImportBlocksCmd, KeySubcommand, PurgeChainCmd, RevertCmd, RunCmd, SignCmd, VanityCmd,
    VerifyCmd,
};

/// A node of a Keyward chain.
#[derive(Debug, clap::Parser)]
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
    fn there_is_no_other_database_than_parity_db() {
        let rocks = ["keyward-node", "--dev", "--database", "rocksdb"];
        assert!(Cli::try_parse_from(rocks).is_err());
    }
}
