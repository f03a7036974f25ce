//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
First steps:

  # the gateway's keys; the council admits it (see 'keyward --help')
  keyward gateway init --out /etc/keyward/keys

  # a configuration, as small as it can be
  cat >/etc/keyward/bridge.toml <<END
  [chain]
  url = \"ws://127.0.0.1:9944\"
  account_key_file = \"keys/account.key\"
  [gateway]
  statement_key_file = \"keys/statement.key\"
  custody_key_file = \"keys/custody.key\"
  [mqtt]
  url = \"mqtt://127.0.0.1:1883\"
  client_id = \"gw1\"
  [store]
  path = \"/var/lib/keyward/journal.sqlite\"
  key_file = \"keys/store.key\"
  [admin]
  listen = \"127.0.0.1:9616\"
  END

  keyward-bridge check-config
  keyward-bridge run

  # in another terminal
  keyward-bridge status
  curl -s http://127.0.0.1:9616/readyz

Exit codes:
  0  done; run: stopped by a signal
  1  not done; the reason is on standard error. run: may be started again
  2  the command line or the configuration is not right; nothing was started
  3  status: the bridge runs but does not do its work now; it says why";

/// Follows the chain beside Mosquitto, and publishes each group's key sealed to each member.
#[derive(Debug, Parser)]
#[command(name = "keyward-bridge", version, after_help = EXAMPLES, max_term_width = 120)]
pub struct Args {
    /// Configuration file
    #[arg(
        long,
        global = true,
        env = "KEYWARD_BRIDGE_CONFIG",
        default_value = "/etc/keyward/bridge.toml",
        value_name = "FILE"
    )]
    pub config: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Do the work, until SIGTERM or SIGINT
    #[command(after_help = "\
Can be killed at any time: what it had promised is in its journal, and it goes on from there.

What it logs is chosen with RUST_LOG, e.g. RUST_LOG=debug or RUST_LOG=keyward_bridge=debug,info. No secret is logged.")]
    Run {
        /// How to log
        #[arg(long, value_enum, default_value_t = LogFormat::Text)]
        log: LogFormat,
    },
    /// Check the configuration and every key that it names, and start nothing
    CheckConfig,
    /// Show how the running bridge stands
    Status {
        /// Print JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Have the running bridge compare chain, journal and broker anew, and wait until they agree
    #[command(after_help = "\
Never needed in theory: the bridge compares all the time. Harmless at any time.")]
    Reconcile {
        /// Seconds to wait until they agree
        #[arg(long, default_value_t = 60, value_name = "SECONDS")]
        wait: u64,
    },
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

/// The configuration of the help.
#[cfg(test)]
pub(crate) fn example() -> &'static str {
    let example = EXAMPLES.split("<<END\n").nth(1).unwrap();
    example.split("  END\n").next().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_configuration_may_stand_before_and_after_the_command() {
        for line in [
            "keyward-bridge --config a.toml run",
            "keyward-bridge run --config a.toml",
        ] {
            let args = Args::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(args.config, PathBuf::from("a.toml"), "{line}");
        }
    }

    #[test]
    fn the_configuration_of_the_help_is_a_configuration() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bridge.toml");
        std::fs::write(&path, example()).unwrap();
        crate::config::Config::load(&path).unwrap();
    }
}
