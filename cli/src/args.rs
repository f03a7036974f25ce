//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{audit, ca, council, device, gateway, group, network, validator};

const EXAMPLES: &str = "\
From nothing to devices that may read:

  # a gateway's and an authority's keys; their public files go to the council
  keyward gateway init --out gw1
  keyward ca init --id demo-ca --out ca

  # the council admits them
  export KEYWARD_ACCOUNT_FILE=council.key
  keyward council admit-organisation demo --bare-names
  keyward council admit-gateway gw1 --organisation demo --public gw1/public.json
  keyward council admit-authority --organisation demo --authority ca/authority.json

  # the authority vouches for a device, which then enrols itself with keyward-agent
  keyward ca issue --ca ca --request request.json --gateway gw1 --out provisioning.json

  # with more members than one: see what is open, vote, close
  keyward council list
  keyward council vote 0
  keyward council close 0

  # a validator's operator, once the council has approved the account, at the node's own machine
  keyward council propose approve-validator 5Grwva…
  keyward validator join --account-file operator.key

  # the gateway makes a group
  export KEYWARD_ACCOUNT_FILE=gw1/account.key
  keyward group create hsu0001 --topic hsu0001
  keyward group add hsu0001 --member 1111:publish --member 1112:subscribe

  # anybody sees who held which key when
  keyward audit hsu0001

Exit codes: 0 done; 1 not done, or the audit found a conflict; 2 wrong command line.";

/// Operates Keyward: certificate authority, devices, groups, gateways, the council and the audit.
#[derive(Debug, Parser)]
#[command(name = "keyward", version, after_help = EXAMPLES, max_term_width = 120)]
pub struct Args {
    /// WebSocket address of a node
    #[arg(
        long,
        global = true,
        env = "KEYWARD_URL",
        default_value = "ws://127.0.0.1:9944",
        value_name = "WS"
    )]
    pub url: String,
    /// File with the secret URI or seed of the account that signs; mode 0400 or 0600
    #[arg(long, global = true, env = "KEYWARD_ACCOUNT_FILE", value_name = "FILE")]
    pub account_file: Option<PathBuf>,
    /// Print JSON instead of tables
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subjects.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Certificate authority: vouch for devices, offline if you like
    #[command(subcommand)]
    Ca(ca::Command),
    /// Devices: list, show, suspend, revoke, reinstate
    #[command(subcommand)]
    Device(device::Command),
    /// Groups: create, add and remove members, rotate keys
    #[command(subcommand)]
    Group(group::Command),
    /// Gateways: list, make the keys of a new one, replace those of yours
    #[command(subcommand)]
    Gateway(gateway::Command),
    /// The council and the technical committee: propose, vote, close; upgrade the chain
    Council(council::Council),
    /// Networks: make one of a file, check one
    #[command(subcommand)]
    Network(network::Command),
    /// Validators: join and leave with your node, see all of them
    #[command(subcommand)]
    Validator(validator::Command),
    /// Who held which key of a group, when; conflicts first
    Audit(audit::Command),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{error::ErrorKind, CommandFactory};

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_command_teaches_with_an_example() {
        fn leaves(command: &clap::Command, path: &str, found: &mut Vec<(String, String)>) {
            let mut subcommands = command.get_subcommands().peekable();
            if subcommands.peek().is_none() {
                let help = command.clone().render_long_help().to_string();
                return found.push((path.to_owned(), help));
            }
            for subcommand in subcommands {
                leaves(
                    subcommand,
                    &format!("{path} {}", subcommand.get_name()),
                    found,
                );
            }
        }
        let mut commands = Vec::new();
        leaves(&Args::command(), "keyward", &mut commands);
        assert!(commands.len() >= 50, "{}", commands.len());
        for (path, help) in commands {
            assert!(help.contains(&format!("  {path}")), "{path}:\n{help}");
        }
    }

    #[test]
    fn global_options_may_stand_before_and_after_the_command() {
        for line in [
            "keyward --json --url ws://h:1 device list",
            "keyward device list --json --url ws://h:1",
        ] {
            let args = Args::try_parse_from(line.split(' ')).unwrap();
            assert_eq!((args.json, args.url.as_str()), (true, "ws://h:1"));
        }
    }

    #[test]
    fn what_is_no_identifier_is_refused_before_anything_is_done() {
        for line in [
            "keyward device show a/b",
            "keyward group rotate #",
            "keyward group add g --member 1111",
            "keyward group add g --member 1111:writes",
            "keyward group create g --topic a/#/b",
            "keyward council vote 3f",
            "keyward council propose approve-validator //Alice",
            "keyward council propose pause register_device",
            "keyward council propose call Fleet.rotate",
            "keyward council propose set-minimum-validators 0",
            "keyward validator status --blocks 0",
        ] {
            let error = Args::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ValueValidation, "{line}");
            assert_eq!(error.exit_code(), 2);
        }
    }

    /// The technical committee has three powers; no other proposal takes --committee as who decides.
    #[test]
    fn only_emergencies_can_be_put_to_the_committee() {
        let account = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
        for line in [
            "freeze-group g --committee",
            "suspend-gateway gw1 --committee --vote",
            "pause Fleet.register_device --committee",
            "call 0x00 --committee",
        ] {
            let line = format!("keyward council propose {line}");
            assert!(Args::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
        for line in [
            "expel-gateway gw1 --committee".to_owned(),
            format!("approve-validator {account} --committee"),
            "thaw-group g --committee".to_owned(),
            "upgrade r.wasm --committee".to_owned(),
            "call 0x00 --committee --as-root".to_owned(),
        ] {
            let line = format!("keyward council propose {line}");
            assert!(Args::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for line in [
            "keyward group add g",
            "keyward ca init --id x",
            "keyward group create g",
        ] {
            let error = Args::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::MissingRequiredArgument, "{line}");
        }
    }
}
