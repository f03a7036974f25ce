//! `keyward network`: from one file to everything that a consortium's machines need.

mod broker;
mod certificate;
mod check;
mod directory;
mod instructions;
mod keys;
mod machine;
mod new;
mod node;
mod paths;
mod units;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use keyward_chain_client::SignerInvalid;
use keyward_consortium::{Finding, Severity};

use crate::{
    ca::CaFailed,
    chain::Context,
    gateway::GatewayFailed,
    key_file::WriteFailed,
    output::{Failure, UsageInvalid},
};

/// Networks: from one file to chain specification, keys and a directory for each machine.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a network of a consortium.toml: every key, the chain specification, a directory per machine
    #[command(after_help = "\
Writes a new directory, all of it or nothing: network.toml (public), chain.json and chain-raw.json, machines/NAME with node, bridge,
Mosquitto and systemd units for each machine, organisations/ID with the accounts of council and committee and the authorities.
Key files have mode 0400, directories 0700; no secret is in what is public. README.md says what goes where.

  keyward network new consortium.toml --out valley

Needs keyward-node (for the chain specification) and mosquitto_passwd. To start all of it on one machine:

  keyward network new local.toml --out /srv/trial --install-dir '/srv/trial/machines/{machine}' \\
    --data-dir '/srv/trial/machines/{machine}/data'")]
    New(New),
    /// Say what is wrong with a consortium.toml, a network.toml or a directory of 'keyward network new'
    #[command(after_help = "\
Every finding has its place and what to do. Exit code 1 when one is an error; warnings alone end with 0.

  keyward network check consortium.toml
  keyward network check valley
  keyward network check --json valley/network.toml

Of a directory: that every key is there, with its mode, and is the one that network.toml names; that the chain specification is what
keyward-node makes of network.toml.")]
    Check(Check),
}

#[derive(Debug, Args)]
pub struct New {
    /// What the founders agreed on; consortium/examples/consortium.toml shows every field
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Directory for the network; must not exist
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Where a machine's directory will be on that machine; {machine} stands for its name
    #[arg(long, value_name = "PATH", default_value = "/etc/keyward")]
    install_dir: String,
    /// Where node, bridge and broker will keep their data; {machine} stands for the machine's name
    #[arg(long, value_name = "PATH", default_value = "/var/lib/keyward")]
    data_dir: String,
    /// Where keyward-node and keyward-bridge will be
    #[arg(long, value_name = "PATH", default_value = "/usr/local/bin")]
    bin_dir: String,
    /// The keyward-node that writes the chain specification (default: beside this program, or in PATH)
    #[arg(long, value_name = "PROGRAM")]
    node: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Check {
    /// consortium.toml, network.toml or a directory of 'keyward network new'
    #[arg(value_name = "FILE|DIR")]
    target: PathBuf,
    /// The keyward-node that makes the chain specification to compare with (default: beside this program, or in PATH)
    #[arg(long, value_name = "PROGRAM")]
    node: Option<PathBuf>,
}

/// Why a network was not made, or is not right.
#[derive(Debug, thiserror::Error)]
pub enum NetworkFailed {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The plan has errors: nothing was made.
    #[error("{}: nothing was made:\n{}", path.display(), lines(findings))]
    NotMade {
        /// The file.
        path: PathBuf,
        /// All that is wrong.
        findings: Vec<Finding>,
    },
    /// The check found errors.
    #[error("{} is not right: {errors} error(s)", path.display())]
    NotRight {
        /// What was checked.
        path: PathBuf,
        /// How many.
        errors: usize,
    },
    /// The command line does not make sense.
    #[error(transparent)]
    Usage(#[from] UsageInvalid),
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] WriteFailed),
    /// A gateway's keys could not be made.
    #[error(transparent)]
    Gateway(#[from] GatewayFailed),
    /// An authority could not be made.
    #[error(transparent)]
    Authority(#[from] CaFailed),
    /// An account could not be derived.
    #[error(transparent)]
    Signer(#[from] SignerInvalid),
    /// A certificate could not be made.
    #[error("the certificate of {subject} could not be made: {source}")]
    Certificate {
        /// Whose.
        subject: String,
        /// Why.
        source: rcgen::Error,
    },
    /// A program is missing.
    #[error("{program} is not installed; {remedy}")]
    NoProgram {
        /// Which.
        program: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A program did not do its work.
    #[error("{} failed: {said}", program.display())]
    Program {
        /// Which.
        program: PathBuf,
        /// What it said.
        said: String,
    },
}

impl Failure for NetworkFailed {
    fn is_usage(&self) -> bool {
        matches!(self, Self::Usage(_))
    }
}

/// Runs the command.
pub async fn run(command: Command, context: &Context) -> Result<(), NetworkFailed> {
    match command {
        Command::New(arguments) => new::run(&arguments, context),
        Command::Check(arguments) => check::run(&arguments, context),
    }
}

fn lines(findings: &[Finding]) -> String {
    let lines = findings.iter().map(|finding| format!("  {finding}"));
    lines.collect::<Vec<_>>().join("\n")
}

fn errors(findings: &[Finding]) -> usize {
    let errors = findings.iter().filter(|it| it.severity == Severity::Error);
    errors.count()
}

/// Reads a file of either form, of reasonable size.
fn read_text(path: &std::path::Path) -> Result<String, NetworkFailed> {
    use std::io::Read;
    let unreadable = |source| NetworkFailed::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .map_err(unreadable)?
        // One more than is read as a network: what is too long is told to be.
        .take(keyward_consortium::LONGEST as u64 + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    Ok(text)
}
