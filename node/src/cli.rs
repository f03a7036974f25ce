//! The command line.

use sc_cli::{
    ChainInfoCmd, CheckBlockCmd, ExportBlocksCmd, ExportChainSpecCmd, ExportStateCmd, ImportBlocksCmd, KeySubcommand,
    PurgeChainCmd, RevertCmd, RunCmd, SignCmd, VanityCmd, VerifyCmd,
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
