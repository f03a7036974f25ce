//! A real Mosquitto, for one test.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use keyward_client::agent::{address::Connection, mqtt::Mqtt};
use keyward_test_ports::free_port;

/// A broker in a directory of its own; killed when dropped.
pub struct Broker {
    pub directory: tempfile::TempDir,
    pub port: u16,
    process: Child,
}

impl Broker {
    /// Starts one, with more lines in its configuration.
    pub fn start(more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port().unwrap();
        let path = directory.path().display();
        let configuration = format!(
            "listener {port} 127.0.0.1\nuser root\nallow_anonymous true\npersistence true\n\
             persistence_location {path}/\nautosave_interval 1800\n{more}"
        );
        std::fs::write(directory.path().join("conf"), configuration).unwrap();
        let process = spawn(directory.path());
        Self {
            directory,
            port,
            process,
        }
    }

    /// Ends at the instruction where it is, and starts again without anything that it held.
    pub fn lose_everything(&mut self) {
        self.kill();
        let _ = std::fs::remove_file(self.directory.path().join("mosquitto.db"));
        self.process = spawn(self.directory.path());
    }

    /// Starts it again.
    pub fn restart(&mut self) {
        self.process = spawn(self.directory.path());
    }

    /// Ends it at the instruction where it is.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// How to get to it.
    pub fn connection(&self) -> Connection {
        connection("mqtt", self.port)
    }

    /// Connects as a device.
    pub fn link(&self, device: &str) -> Mqtt {
        Mqtt::begin(&self.connection(), &device.parse().unwrap()).unwrap()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(directory: &Path) -> Child {
    let program = [
        "/usr/sbin/mosquitto",
        "/usr/bin/mosquitto",
        "/usr/local/sbin/mosquitto",
    ]
    .map(PathBuf::from)
    .into_iter()
    .find(|path| path.is_file())
    .expect("mosquitto is not installed; run 'apt-get install mosquitto'");
    Command::new(program)
        .arg("-c")
        .arg(directory.join("conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// How to get to a port of the loopback address.
pub fn connection(scheme: &str, port: u16) -> Connection {
    Connection {
        broker: format!("{scheme}://127.0.0.1:{port}").parse().unwrap(),
        ca_file: None,
        cert_file: None,
        cert_key_file: None,
        username: None,
        password_file: None,
        prefix: "keyward/v1".into(),
    }
}
