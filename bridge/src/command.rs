//! What the commands do and say.

use std::{
    fmt::Write,
    path::Path,
    time::{Duration, Instant},
};

use tracing_subscriber::EnvFilter;

use crate::{
    admin::{client, client::NoAnswer, Report},
    args::{Args, Command, LogFormat},
    config::{Config, ConfigInvalid, Encryption, Keys},
    relay::RelayStatus,
    run::{self, RunFailed},
};

/// Exit code: the command line or the configuration is not right.
const NOT_RIGHT: u8 = 2;
/// Exit code of `status`: the bridge does not do its work now.
const NOT_READY: u8 = 3;
/// Pause between two looks at a bridge that reconciles.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What is logged unless `RUST_LOG` says otherwise: libraries only when something is wrong.
const LOGGED: &str = "info,rumqttc=error,subxt=warn,jsonrpsee=warn";

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum CommandFailed {
    /// The configuration is not right.
    #[error(transparent)]
    Config(#[from] ConfigInvalid),
    /// The bridge could not go on.
    #[error(transparent)]
    Run(#[from] RunFailed),
    /// The running bridge did not answer.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    /// Chain and broker did not come to agree.
    #[error("after {seconds} s the broker does not hold {outbox} of the messages that it should{}", not_ready.as_deref().map(|why| format!("; {why}")).unwrap_or_default())]
    NotReconciled {
        /// How long was waited.
        seconds: u64,
        /// Messages that differ.
        outbox: usize,
        /// Why the bridge does not do its work, if so.
        not_ready: Option<String>,
    },
    /// The answer cannot be printed.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl CommandFailed {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Config(_) => NOT_RIGHT,
            _ => 1,
        }
    }
}

/// Runs a command; gives the exit code.
///
/// # Errors
/// When it was not done.
pub async fn execute(args: Args) -> Result<u8, CommandFailed> {
    match args.command {
        Command::Run { log } => {
            start_logging(log);
            let config = Config::load(&args.config)?;
            let keys = Keys::load(&config)?;
            run::run(config, keys).await?;
            Ok(0)
        }
        Command::CheckConfig => check_config(&args.config),
        Command::Status { json } => status(&args.config, json).await,
        Command::Reconcile { wait } => reconcile(&args.config, wait).await,
    }
}

fn start_logging(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    match format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}

fn check_config(path: &Path) -> Result<u8, CommandFailed> {
    let config = Config::load(path)?;
    let keys = Keys::load(&config)?;
    let broker = &config.broker;
    let encrypted = match broker.encryption {
        Encryption::Plain => "not encrypted",
        Encryption::Tls { .. } => "TLS",
    };
    let certified = match &keys.anchor {
        Some(given) => format!(
            ", certified with serial {}",
            given.certificate.claims().serial
        ),
        None => String::new(),
    };
    println!(
        "{} is right.\nchain          {}\naccount        {}\nstatement key  {}{}\ncustody key    {}\nbroker         {}:{}, {encrypted}\njournal        {}\nadmin          http://{}",
        path.display(),
        config.chain_url,
        keys.address(),
        keys.statement.verifying_key(),
        certified,
        keys.custody.public(),
        broker.host,
        broker.port,
        config.store_path.display(),
        config.listen,
    );
    Ok(0)
}

async fn status(path: &Path, json: bool) -> Result<u8, CommandFailed> {
    let report = client::status(Config::load(path)?.listen).await?;
    match json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print!("{}", describe(&report)),
    }
    Ok(match report.not_ready {
        None => 0,
        Some(_) => NOT_READY,
    })
}

async fn reconcile(path: &Path, seconds: u64) -> Result<u8, CommandFailed> {
    let address = Config::load(path)?.listen;
    client::reconcile(address).await?;
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let report = client::status(address).await?;
        let outbox = report.relay.as_ref().map_or(0, |relay| relay.outbox);
        if report.not_ready.is_none() && outbox == 0 {
            let retained = report.relay.map_or(0, |relay| relay.retained);
            println!("the broker holds all {retained} messages that it should");
            return Ok(0);
        }
        if Instant::now() > deadline {
            return Err(CommandFailed::NotReconciled {
                seconds,
                outbox,
                not_ready: report.not_ready,
            });
        }
    }
}

/// A report for people.
fn describe(report: &Report) -> String {
    let mut text = String::new();
    let state = report.not_ready.as_deref().unwrap_or("ready");
    line(&mut text, "state", state);
    if let Some(relay) = &report.relay {
        describe_relay(&mut text, relay, report.seconds_since_block);
    }
    line(&mut text, "version", &report.version);
    text
}

/// Writing into a string does not fail.
fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "{name:<14}{value}");
}

fn describe_relay(text: &mut String, relay: &RelayStatus, since: Option<f64>) {
    let age = since
        .map(|since| format!(", {since:.0} s ago"))
        .unwrap_or_default();
    let block = relay
        .block
        .map_or("none".into(), |block| format!("{block}{age}"));
    let told = if relay.broker {
        "connected"
    } else {
        "not connected"
    };
    line(text, "gateway", &relay.gateway);
    line(text, "account", relay.account);
    line(text, "block", block);
    line(
        text,
        "broker",
        format!(
            "{told}; {} retained, {} to publish, {} published again",
            relay.retained, relay.outbox, relay.republished
        ),
    );
    line(text, "devices", relay.devices);
    line(
        text,
        "requests",
        format!(
            "{} accepted, {} on their way",
            relay.requests_accepted, relay.requests_pending
        ),
    );
    line(
        text,
        "receipts",
        format!(
            "{} accepted, {} on their way",
            relay.receipts_accepted, relay.receipts_pending
        ),
    );
    line(
        text,
        "transactions",
        format!("{} on their way", relay.transactions),
    );
    line(text, "refused", refused(relay));
    if !relay.groups.is_empty() {
        let _ = writeln!(
            text,
            "\n{:<33}{:<10}{:>6}{:>10}{:>8}{:>9}{:>7}  delivered",
            "group", "state", "epoch", "revision", "staged", "members", "stale"
        );
    }
    for (name, group) in &relay.groups {
        let state = format!("{:?}", group.state).to_lowercase();
        let delivered = if group.delivered { "yes" } else { "not yet" };
        let _ = writeln!(
            text,
            "{name:<33}{state:<10}{:>6}{:>10}{:>8}{:>9}{:>7}  {delivered}",
            group.epoch, group.revision, group.staged, group.members, group.stale
        );
    }
}

fn refused(relay: &RelayStatus) -> String {
    let all: Vec<_> = relay
        .refused
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    match all.is_empty() {
        true => "none".to_owned(),
        false => all.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::tests::working;

    #[test]
    fn a_report_for_people_says_first_whether_it_works() {
        let mut report = Report {
            version: "1".into(),
            not_ready: None,
            seconds_since_block: Some(1.4),
            relay: Some(working()),
        };
        let text = describe(&report);
        assert!(text.starts_with("state         ready\n"), "{text}");
        assert!(
            text.contains("block         7, 1 s ago") && text.contains("refused       2 forged\n"),
            "{text}"
        );
        report.not_ready = Some("the chain is not followed yet".into());
        assert!(describe(&report).starts_with("state         the chain is not followed yet\n"));
    }

    #[test]
    fn what_is_not_right_has_its_own_exit_code() {
        let missing = Config::load(Path::new("/nowhere")).unwrap_err();
        assert_eq!(CommandFailed::from(missing).code(), 2);
    }
}
