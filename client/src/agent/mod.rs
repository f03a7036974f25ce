//! `keyward-agent`: the session on a real device, with a key store, a link to the broker, and a command line.
//!
//! | module | what |
//! |---|---|
//! | [`args`], [`address`], [`exit`] | the command line, the broker's address, how the program ends |
//! | [`store`], [`identity`] | the key store, and who the device is |
//! | [`link`], [`mqtt`] | what is needed of MQTT, and rumqttc behind it |
//! | [`driver`], [`clock`], [`start`] | carries out what the session decides |
//! | [`enrol`], [`replace`], [`publish`], [`subscribe`], `init`, `status`, `release` | the commands |
//! | `asking` | what is told of a request to the gateway |
//! | [`output`] | what is printed |

pub mod address;
pub mod args;
mod asking;
pub mod clock;
pub mod driver;
pub mod enrol;
pub mod exit;
pub mod identity;
mod init;
pub mod link;
pub mod mqtt;
pub mod output;
pub mod publish;
mod release;
pub mod replace;
pub mod start;
mod status;
pub mod store;
pub mod subscribe;

use std::{future::Future, io::IsTerminal as _, path::PathBuf, process::ExitCode};

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use self::{
    args::{Args, Command},
    exit::Failed,
    output::Output,
    start::Device,
    store::KeySource,
};

/// Runs the program.
pub fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(()) => ExitCode::from(exit::DONE),
        Err(failed) => {
            eprintln!("keyward-agent: {failed}");
            ExitCode::from(failed.code)
        }
    }
}

fn run(args: &Args) -> Result<(), Failed> {
    log(&args.log)?;
    let directory = directory(args)?;
    let key = KeySource::find(&directory, args.key_file.as_deref());
    let output = Output::new(args.json);
    match &args.command {
        Command::Init(arguments) => init::run(arguments, &directory, &key, output),
        Command::Enrol(arguments) => wait_for(enrol::run(arguments, &directory, &key, output)),
        Command::ReplaceKeys(arguments) => {
            let device = Device::open(&directory, &key)?;
            wait_for(replace::run(arguments, device, output))
        }
        Command::Pub(arguments) => {
            let device = Device::open(&directory, &key)?;
            wait_for(publish::run(arguments, device, output))
        }
        Command::Sub(arguments) => {
            let device = Device::open(&directory, &key)?;
            wait_for(subscribe::run(arguments, device, output))
        }
        Command::Status => status::run(&directory, &key, output),
        Command::Release(arguments) => {
            release::run(arguments, Device::open(&directory, &key)?, output)
        }
    }
}

/// Two threads: the connection stays alive while the other one waits for the disk.
fn wait_for(command: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failed::new(exit::FAILED, error))?;
    let done = runtime.block_on(command);
    // What still runs is a connection that is not needed any more.
    runtime.shutdown_background();
    done
}

fn directory(args: &Args) -> Result<PathBuf, Failed> {
    let missing = "which key store? Name its directory with --store DIR or KEYWARD_STORE";
    let named = args.store.clone();
    named.ok_or_else(|| Failed::new(exit::USAGE, missing))
}

/// Logs to standard error; never what is secret.
fn log(filter: &str) -> Result<(), Failed> {
    let filter = EnvFilter::try_new(filter);
    let filter = filter.map_err(|error| Failed::new(exit::USAGE, format!("--log: {error}")))?;
    let logging = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    logging.map_err(|error| Failed::new(exit::FAILED, error))
}
