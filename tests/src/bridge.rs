//! `keyward-bridge` beside the broker.

use std::path::{Path, PathBuf};

use anyhow::{ensure, Result};
use keyward_test_ports::free_port;

use crate::{
    place::{make_directory, write_secret, Place},
    process::{self, binary, command, find, Process, Ran},
    rpc,
    wait::{eventually, seconds},
};

/// What a bridge needs to know.
pub struct Setup<'a> {
    /// WebSocket address of the node.
    pub chain: String,
    /// Directory that `keyward gateway init` wrote.
    pub keys: &'a Path,
    /// Port of the broker.
    pub broker: u16,
    /// The gateway's short name, also its user name at the broker.
    pub gateway: &'a str,
    /// Its password there.
    pub password: &'a str,
}

/// A bridge; it runs unless it was killed.
#[derive(Debug)]
pub struct Bridge {
    process: Option<Process>,
    program: PathBuf,
    config: PathBuf,
    directory: PathBuf,
    log: PathBuf,
    commands: PathBuf,
    admin: u16,
}

impl Bridge {
    /// Writes its configuration and starts it.
    pub async fn start(place: &Place, setup: Setup<'_>) -> Result<Self> {
        let directory = place.path("bridge");
        make_directory(&directory)?;
        let admin = free_port()?;
        write_secret(&directory.join("mqtt.password"), setup.password)?;
        write_secret(
            &directory.join("bridge.toml"),
            &configuration(&directory, &setup, admin),
        )?;
        let mut bridge = Self {
            process: None,
            program: find(binary::BRIDGE)?,
            config: directory.join("bridge.toml"),
            directory,
            log: place.log("bridge"),
            commands: place.log("commands"),
            admin,
        };
        bridge.command("check-config").await?.success()?;
        bridge.restart().await?;
        Ok(bridge)
    }

    /// Starts it without waiting until it is ready; stops it first if it runs.
    pub fn launch(&mut self) -> Result<()> {
        self.process = None;
        let mut bridge = command(&self.program);
        bridge.arg("--config").arg(&self.config).arg("run");
        self.process = Some(Process::start("keyward-bridge", bridge, &self.log)?);
        Ok(())
    }

    /// Starts it, again if it runs, and waits until it is ready.
    pub async fn restart(&mut self) -> Result<()> {
        self.launch()?;
        let port = self.admin;
        eventually(seconds(60), "the bridge to be ready", || {
            let ended = self.process.as_mut().map_or(Ok(()), Process::check);
            async move {
                ended?;
                let (status, body) = rpc::get(port, "/readyz").await?;
                ensure!(
                    status == 200,
                    "it answers with HTTP status {status}: {body}"
                );
                Ok::<_, anyhow::Error>(())
            }
        })
        .await
    }

    /// Kills it with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Its process, while it runs.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    /// Runs one of its other commands.
    pub async fn command(&self, name: &str) -> Result<Ran> {
        let mut bridge = command(&self.program);
        bridge.arg("--config").arg(&self.config).arg(name);
        process::run(bridge, seconds(60), &self.commands).await
    }

    /// Port of its admin pages.
    pub fn admin(&self) -> u16 {
        self.admin
    }

    /// Its configuration file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Where its journal is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where its messages go.
    pub fn log(&self) -> &Path {
        &self.log
    }
}

fn configuration(directory: &Path, setup: &Setup<'_>, admin: u16) -> String {
    let (directory, keys) = (directory.display(), setup.keys.display());
    let Setup {
        chain,
        broker,
        gateway,
        ..
    } = setup;
    format!(
        "\
[chain]
url = \"{chain}\"
account_key_file = \"{keys}/account.key\"

[gateway]
statement_key_file = \"{keys}/statement.key\"
custody_key_file = \"{keys}/custody.key\"

[mqtt]
url = \"mqtt://127.0.0.1:{broker}\"
client_id = \"{gateway}\"
username = \"{gateway}\"
password_file = \"{directory}/mqtt.password\"

[store]
path = \"{directory}/journal.sqlite\"
key_file = \"{keys}/store.key\"

[admin]
listen = \"127.0.0.1:{admin}\"
"
    )
}
