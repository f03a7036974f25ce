//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args as Arguments, Parser, Subcommand};
use keyward_protocol::{
    topic::{is_topic_name, TopicFilter, PREFIX},
    DeviceId,
};

use super::address::{Address, Connection, ConnectionInvalid};

const EXAMPLES: &str = "\
A device from nothing to its first message:

  export KEYWARD_STORE=/var/lib/keyward-agent

  # the device makes its keys, and asks its authority to vouch for them
  keyward-agent init --device 1111 --out request.json
  # the authority answers with provisioning.json ('keyward ca issue')
  keyward-agent enrol --provisioning provisioning.json --broker mqtts://HOST --ca-file ca.pem

  # from now on the broker is known
  keyward-agent sub --topic hsu0001
  keyward-agent pub --topic hsu0001 --message '{\"valve\":\"open\"}'
  keyward-agent status

Exit codes:

  0  done
  1  not done; the reason is on standard error
  2  the command line is not right
  3  not sealed: stale, nothing new was heard of the chain for longer than the group allows
  4  not sealed: the device may not publish on this topic
  5  not sealed: the group has no usable key (awaiting, frozen, closed), or it did not come in time
  6  refused by the gateway
  7  the key store cannot be used: missing, in use, open to others, or another key file
  8  the broker was not reached in time
  9  not sealed: the key store was restored from a backup, or copied; run 'keyward-agent replace-keys'";

/// End-to-end encryption for MQTT: a device that enrols, publishes and subscribes.
#[derive(Debug, Parser)]
#[command(name = "keyward-agent", version, after_help = EXAMPLES, max_term_width = 120)]
pub struct Args {
    /// Directory of the key store; only its owner may enter it
    #[arg(long, global = true, env = "KEYWARD_STORE", value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// File with the key that opens the store, mode 0400; default: the systemd credential 'keyward-store.key', else
    /// 'store.key' in the store
    #[arg(long, global = true, env = "KEYWARD_KEY_FILE", value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Print JSON, one object on each line, instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// What to log on standard error: error, warn, info, debug, trace, or a filter like 'keyward_client=debug'
    #[arg(
        long,
        global = true,
        env = "RUST_LOG",
        value_name = "FILTER",
        default_value = "warn"
    )]
    pub log: String,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the keys of a device, and the request for its certificate authority
    #[command(after_help = "\
The request is not secret. When the store has keys of this device already, they are kept and the request is written again.

  keyward-agent --store store init --device 1111 --out request.json
  keyward ca issue --ca ca --request request.json --gateway gw1 --topic hsu0001 --out provisioning.json")]
    Init(Init),
    /// Enrol over MQTT, through the gateway, with what the authority gave
    #[command(after_help = "\
Waits until the registration is finalized on the chain. A device that is enrolled already is left as it is. Broker and
options are remembered for the other commands.

  keyward-agent --store store enrol --provisioning provisioning.json --broker mqtt://127.0.0.1
  keyward-agent --store store enrol --provisioning provisioning.json \\
    --broker mqtts://broker.example --ca-file ca.pem --password-file password")]
    Enrol(Enrol),
    /// Replace the device's keys over MQTT, through the gateway
    #[command(after_help = "\
Makes new keys, has the old ones sign for them, and waits until the chain has them and the gateway says so. Each group of the
device gets a new epoch. Do it when the store was restored from a backup (a start of it would be used twice), when a copy of it
may be in wrong hands, and as often as your rules demand. A device whose keys are lost needs a new voucher instead
('keyward-agent init --key-version N', 'keyward ca issue').

May be killed at any moment and run again: the device works with the old keys until the chain has the new ones, and with the
new ones from then on. Whichever command runs next finds out.

  keyward-agent --store store replace-keys
  keyward-agent --store store replace-keys --timeout 600 --json")]
    ReplaceKeys(ReplaceKeys),
    /// Seal a message and publish it
    #[command(after_help = "\
Waits until the group's newest key is known, and until the broker has the message. Prints epoch and added bytes.

  keyward-agent --store store pub --topic hsu0001 --message '{\"valve\":\"open\"}'
  sensor | keyward-agent --store store pub --topic hsu0001 --file -
  keyward-agent --store store pub --topic hsu0001 --message on --retain --json")]
    Pub(Publish),
    /// Subscribe, and print what is opened and what is refused
    #[command(after_help = "\
Prints for each message who sent it, in which group and epoch, or why it was refused. Messages that came while the device
was away are printed first. Ends with Ctrl-C or SIGTERM.

With a will the broker tells the others when this device is gone without a word: the message is sealed anew for each
connection, with the newest key, so that also the broker cannot read it. The device must be allowed to publish there. In a
group whose messages have a longest age, a will is refused once the connection is older than that.

  keyward-agent --store store sub --topic hsu0001
  keyward-agent --store store sub --topic 'plant/+/valve' --topic alarm --json | jq .payload
  keyward-agent --store store sub --topic hsu0001 --will-topic hsu0001 --will-payload '{\"gone\":\"1111\"}'")]
    Sub(Subscribe),
    /// Show what the device knows: its groups, epochs, and how old its view of the chain is
    #[command(after_help = "\
Asks nobody, and may run beside the other commands.

  keyward-agent --store store status
  keyward-agent --store store status --json | jq '.groups[].epoch'")]
    Status,
    /// Accept plaintext again on a topic that was protected once
    #[command(after_help = "\
A topic that was protected stays so, even when the device leaves the group: otherwise whoever removes the device could feed
it plaintext. Only the device's operator takes that back.

  keyward-agent --store store release hsu0001")]
    Release(Release),
}

/// Makes keys.
#[derive(Debug, Arguments)]
pub struct Init {
    /// The device's id, e.g. 1111
    #[arg(long)]
    pub device: DeviceId,
    /// Version of the keys: 1 for a new device, one more than the chain's for a device that lost its keys
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub key_version: u32,
    /// Where to write the request
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Enrols.
#[derive(Debug, Arguments)]
pub struct Enrol {
    /// What the authority gave ('keyward ca issue')
    #[arg(long, value_name = "FILE")]
    pub provisioning: PathBuf,
    /// How to get to the broker.
    #[command(flatten)]
    pub broker: Broker,
    /// Seconds to wait for the gateway and the chain
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = duration)]
    pub timeout: Duration,
}

/// Replaces keys.
#[derive(Debug, Arguments)]
pub struct ReplaceKeys {
    /// How to get to the broker.
    #[command(flatten)]
    pub broker: Broker,
    /// Seconds to wait for the gateway and the chain
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = duration)]
    pub timeout: Duration,
}

/// Publishes.
#[derive(Debug, Arguments)]
pub struct Publish {
    /// Topic to publish on
    #[arg(long, value_parser = topic)]
    pub topic: String,
    /// The message; everybody on this machine can see it in 'ps': use --file for what is secret
    #[arg(
        long,
        value_name = "TEXT",
        required_unless_present = "file",
        conflicts_with = "file"
    )]
    pub message: Option<String>,
    /// File with the message, '-' for standard input
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Have the broker keep the message for later subscribers
    #[arg(long)]
    pub retain: bool,
    /// How to get to the broker.
    #[command(flatten)]
    pub broker: Broker,
    /// Seconds to wait for the newest key and for the broker
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = duration)]
    pub timeout: Duration,
}

/// Subscribes.
#[derive(Debug, Arguments)]
pub struct Subscribe {
    /// Topic filter; may be repeated
    #[arg(long = "topic", value_name = "FILTER", required = true)]
    pub topics: Vec<TopicFilter>,
    /// What the broker publishes when the device is gone.
    #[command(flatten)]
    pub will: Will,
    /// How to get to the broker.
    #[command(flatten)]
    pub broker: Broker,
}

/// What the broker publishes when the device is gone without a word.
#[derive(Clone, Debug, Default, Arguments)]
#[command(next_help_heading = "Will")]
pub struct Will {
    /// Topic of the will, one that this device may publish on
    #[arg(long, value_name = "TOPIC", value_parser = topic, requires = "will_content")]
    pub will_topic: Option<String>,
    /// The will's message; everybody on this machine can see it in 'ps': use --will-file for what is secret
    #[arg(
        long,
        value_name = "TEXT",
        group = "will_content",
        requires = "will_topic"
    )]
    pub will_payload: Option<String>,
    /// File with the will's message
    #[arg(
        long,
        value_name = "FILE",
        group = "will_content",
        requires = "will_topic"
    )]
    pub will_file: Option<PathBuf>,
    /// Seconds that the broker waits with it: a device that is back by then is not missed
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 5,
        requires = "will_topic",
        value_parser = clap::value_parser!(u32).range(1..=86_400)
    )]
    pub will_delay: u32,
}

/// Releases.
#[derive(Debug, Arguments)]
pub struct Release {
    /// Topic or topic filter, as 'status' shows it
    pub topic: TopicFilter,
}

/// How to get to the broker.
#[derive(Clone, Debug, Default, Arguments)]
#[command(next_help_heading = "Broker (remembered by 'enrol')")]
pub struct Broker {
    /// mqtt://HOST:1883, or mqtts://HOST:8883 for an encrypted connection; the port may be left out
    #[arg(long, value_name = "URL", env = "KEYWARD_BROKER")]
    pub broker: Option<Address>,
    /// PEM file with the certificate authorities that may vouch for the broker (default: the system's)
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// PEM file with the device's own certificate
    #[arg(long, value_name = "FILE")]
    pub cert_file: Option<PathBuf>,
    /// PEM file with the key of that certificate
    #[arg(long, value_name = "FILE")]
    pub cert_key_file: Option<PathBuf>,
    /// User name (default with a password: the device's id)
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,
    /// File with the password, mode 0400 or 0600
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Prefix of the control topics
    #[arg(long, value_name = "TOPIC", value_parser = topic)]
    pub prefix: Option<String>,
}

/// Why it is not clear how to get to the broker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerInvalid {
    /// Neither named nor remembered.
    #[error("which broker? Name it once with --broker mqtt://HOST, or enrol first")]
    Missing,
    /// The options contradict each other.
    #[error(transparent)]
    Connection(#[from] ConnectionInvalid),
}

impl Broker {
    /// What was named now, completed by what was remembered. Another broker is another connection: nothing is taken over
    /// from the remembered one then.
    pub fn connection(&self, remembered: Option<&Connection>) -> Result<Connection, BrokerInvalid> {
        let remembered = remembered.filter(|remembered| {
            self.broker
                .as_ref()
                .is_none_or(|broker| *broker == remembered.broker)
        });
        let broker = self
            .broker
            .clone()
            .or_else(|| remembered.map(|r| r.broker.clone()));
        let or = |named: &Option<PathBuf>, of: fn(&Connection) -> &Option<PathBuf>| {
            named
                .as_deref()
                .map(absolute)
                .or_else(|| remembered.and_then(|r| of(r).clone()))
        };
        let connection = Connection {
            broker: broker.ok_or(BrokerInvalid::Missing)?,
            ca_file: or(&self.ca_file, |r| &r.ca_file),
            cert_file: or(&self.cert_file, |r| &r.cert_file),
            cert_key_file: or(&self.cert_key_file, |r| &r.cert_key_file),
            username: self
                .username
                .clone()
                .or_else(|| remembered.and_then(|r| r.username.clone())),
            password_file: or(&self.password_file, |r| &r.password_file),
            prefix: match (&self.prefix, remembered) {
                (Some(prefix), _) => prefix.clone(),
                (None, Some(remembered)) => remembered.prefix.clone(),
                (None, None) => PREFIX.to_owned(),
            },
        };
        connection.check()?;
        Ok(connection)
    }
}

/// A path that means the same from another directory.
fn absolute(path: &std::path::Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds".to_owned())?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    match duration > Duration::from_secs(7 * 24 * 3600) {
        true => Err("at most a week".to_owned()),
        false => Ok(duration),
    }
}

fn topic(text: &str) -> Result<String, String> {
    match is_topic_name(text) && !text.starts_with('$') {
        true => Ok(text.to_owned()),
        false => Err(
            "a topic has no '+', '#' or control character and does not begin with '$'".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{error::ErrorKind, CommandFactory};

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn global_options_may_stand_before_and_after_the_command() {
        for line in [
            "keyward-agent --store s --json status",
            "keyward-agent status --json --store s",
        ] {
            let args = parse(line).unwrap();
            assert_eq!((args.store, args.json), (Some("s".into()), true));
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_before_anything_is_done() {
        for line in [
            "keyward-agent init --device a/b --out r",
            "keyward-agent init --device a --out r --key-version 0",
            "keyward-agent pub --topic a/+ --message x",
            "keyward-agent pub --topic $SYS/x --message x",
            "keyward-agent pub --topic a --message x --timeout soon",
            "keyward-agent pub --topic a --message x --timeout=-1",
            "keyward-agent sub --topic a/#/b",
            "keyward-agent sub --topic a --broker http://h",
            "keyward-agent sub --topic a --will-topic a/+ --will-payload x",
            "keyward-agent sub --topic a --will-topic a --will-payload x --will-delay 0",
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ValueValidation, "{line}");
            assert_eq!(error.exit_code(), 2);
        }
    }

    #[test]
    fn a_message_is_given_once() {
        let error = parse("keyward-agent pub --topic a").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingRequiredArgument);
        let error = parse("keyward-agent pub --topic a --message x --file y").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ArgumentConflict);
    }

    #[test]
    fn a_will_has_a_topic_and_one_message() {
        for line in [
            "keyward-agent sub --topic a --will-topic a",
            "keyward-agent sub --topic a --will-payload x",
            "keyward-agent sub --topic a --will-file x",
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::MissingRequiredArgument, "{line}");
        }
        let both = "keyward-agent sub --topic a --will-topic a --will-payload x --will-file y";
        assert_eq!(parse(both).unwrap_err().kind(), ErrorKind::ArgumentConflict);
        for good in [
            "keyward-agent sub --topic a",
            "keyward-agent sub --topic a --will-topic a --will-payload x --will-delay 1",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_password_is_no_argument() {
        let error = parse("keyward-agent sub --topic a --password x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownArgument);
    }

    #[test]
    fn help_names_every_exit_code() {
        let help = Args::command().render_long_help().to_string();
        for code in super::super::exit::ALL {
            assert!(help.contains(&format!("\n  {code}  ")), "{code}");
        }
    }

    fn named(broker: &str) -> Broker {
        Broker {
            broker: Some(broker.parse().unwrap()),
            ..Broker::default()
        }
    }

    #[test]
    fn what_was_remembered_completes_what_is_named() {
        let first = Broker {
            ca_file: Some("/ca.pem".into()),
            prefix: Some("site/a".into()),
            ..named("mqtts://h")
        };
        let remembered = first.connection(None).unwrap();
        assert_eq!(
            Broker::default().connection(Some(&remembered)),
            Ok(remembered.clone())
        );
        assert_eq!(
            named("mqtts://h").connection(Some(&remembered)),
            Ok(remembered)
        );
        assert_eq!(
            Broker::default().connection(None),
            Err(BrokerInvalid::Missing)
        );
    }

    #[test]
    fn another_broker_takes_nothing_over() {
        let remembered = Broker {
            ca_file: Some("/ca.pem".into()),
            password_file: Some("/password".into()),
            ..named("mqtts://h")
        };
        let remembered = remembered.connection(None).unwrap();
        let other = named("mqtt://elsewhere")
            .connection(Some(&remembered))
            .unwrap();
        assert_eq!((other.ca_file, other.password_file), (None, None));
    }
}
