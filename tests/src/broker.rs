//! Mosquitto, with a configuration like the shipped one: everyone writes only under its own branch.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use keyward_test_ports::free_port;

use crate::{
    mqtt::{Address, Client, Login},
    place::{make_directory, write_secret, Place},
    process::{self, command, find_system, Process},
    wait::{eventually, seconds},
};

/// Debian's package.
const PACKAGE: &str = "mosquitto";
/// User that may read and write everything: the broker itself, as an attacker or an observer.
pub const OMNIPOTENT: &str = "omnipotent";

/// A running broker.
pub struct Broker {
    process: Process,
    program: PathBuf,
    directory: PathBuf,
    log: PathBuf,
    port: u16,
    password: String,
}

impl Broker {
    /// Starts one for a gateway of this name and its application's topics.
    pub async fn start(place: &Place, gateway: &str, topics: &[String]) -> Result<Self> {
        let directory = place.path("broker");
        make_directory(&directory.join("data"))?;
        let password = new_password();
        let users = format!("{gateway}:{password}\n{OMNIPOTENT}:{password}\n");
        write_secret(&directory.join("passwords"), &users)?;
        hash_passwords(&directory.join("passwords"), place).await?;
        write_secret(&directory.join("acl"), &access(gateway, topics))?;
        let port = free_port()?;
        write_secret(
            &directory.join("mosquitto.conf"),
            &configuration(&directory, port),
        )?;
        let program = find_system("mosquitto", PACKAGE)?;
        let log = place.log("mosquitto");
        let process = spawn(&program, &directory, &log)?;
        let mut broker = Self {
            process,
            program,
            directory,
            log,
            port,
            password,
        };
        broker.wait_until_it_answers().await?;
        Ok(broker)
    }

    async fn wait_until_it_answers(&mut self) -> Result<()> {
        let address = self.omnipotent("harness-probe");
        eventually(seconds(15), "the broker to answer", || {
            let ended = self.process.check();
            let address = address.clone();
            async move {
                ended?;
                Client::connect(&address).await.map(drop)
            }
        })
        .await
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The password of the gateway's user.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The address of somebody who may do everything.
    pub fn omnipotent(&self, client_id: &str) -> Address {
        let login = Login {
            user: OMNIPOTENT.into(),
            password: self.password.clone(),
        };
        Address {
            port: self.port,
            client_id: client_id.into(),
            login: Some(login),
        }
    }

    /// The address of a device.
    pub fn device(&self, client_id: &str) -> Address {
        Address {
            port: self.port,
            client_id: client_id.into(),
            login: None,
        }
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Starts it again with what it had saved, after it was killed.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.stop();
        self.process = spawn(&self.program, &self.directory, &self.log)?;
        self.wait_until_it_answers().await
    }

    /// Kills it, deletes everything that it held, and starts it again.
    pub async fn lose_everything(&mut self) -> Result<()> {
        self.process.kill();
        std::fs::remove_dir_all(self.directory.join("data"))?;
        make_directory(&self.directory.join("data"))?;
        self.process = spawn(&self.program, &self.directory, &self.log)?;
        self.wait_until_it_answers().await
    }
}

fn spawn(program: &Path, directory: &Path, log: &Path) -> Result<Process> {
    let mut mosquitto = command(program);
    mosquitto.arg("-c").arg(directory.join("mosquitto.conf"));
    Process::start("mosquitto", mosquitto, log)
}

fn new_password() -> String {
    let mut bytes = [0; 16];
    rand_core::RngCore::fill_bytes(&mut rand_core::OsRng, &mut bytes);
    hex::encode(bytes)
}

/// Replaces the passwords of a file by their hashes; they never stand in an argument list.
async fn hash_passwords(file: &Path, place: &Place) -> Result<()> {
    let mut hash = command(&find_system("mosquitto_passwd", PACKAGE)?);
    hash.arg("-U").arg(file);
    let ran = process::run(hash, Duration::from_secs(10), &place.log("commands")).await?;
    ran.success().map(drop)
}

/// What Keyward needs of a broker, as it is shipped.
const SETTINGS: &str = include_str!("../../bridge/mosquitto/keyward.conf");
/// Who may write where, as it is shipped.
const ACCESS: &str = include_str!("../../bridge/mosquitto/keyward.acl");

/// Devices are anonymous and named by their client id, the gateway logs in (DESIGN section 6).
fn access(gateway: &str, topics: &[String]) -> String {
    let topics: String = topics
        .iter()
        .map(|topic| format!("topic readwrite {topic}\n"))
        .collect();
    format!(
        "\
{ACCESS}
topic readwrite plain/#
{topics}
user {OMNIPOTENT}
topic readwrite #

user {gateway}
topic read keyward/v1/gateway/{gateway}/#
"
    )
}

fn configuration(directory: &Path, port: u16) -> String {
    let directory = directory.display();
    // A Mosquitto that root starts would otherwise become another user and could not read its own files.
    format!(
        "\
listener {port} 127.0.0.1
user root
allow_anonymous true
password_file {directory}/passwords
acl_file {directory}/acl
persistence_location {directory}/data/
{SETTINGS}
log_dest stderr
log_type error
log_type warning
log_type notice
"
    )
}
