//! Devices with their stores, a publisher and a reader, and what a running agent says.

use std::{
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use keyward_protocol::{policy::Policy, provisioning::EnrolmentRequest, Role};
use serde_json::Value;

use crate::{
    broker::Broker,
    gateway::{Answer, Gateway, Member},
};

pub const TOPIC: &str = "app/valve";
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A device with its store.
pub struct Device {
    pub place: tempfile::TempDir,
    pub id: &'static str,
    pub broker: String,
    pub request: EnrolmentRequest,
}

impl Device {
    pub fn init(id: &'static str, broker: u16) -> Self {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("request.json");
        let made = agent(&place.path().join("store"))
            .args(["init", "--device", id, "--out"])
            .arg(&out)
            .output()
            .unwrap();
        assert_eq!(made.status.code(), Some(0), "{made:?}");
        let request = serde_json::from_str(&std::fs::read_to_string(out).unwrap()).unwrap();
        Self {
            place,
            id,
            broker: format!("mqtt://127.0.0.1:{broker}"),
            request,
        }
    }

    pub fn store(&self) -> PathBuf {
        self.place.path().join("store")
    }

    pub async fn run(&self, args: &[&str]) -> Output {
        let mut command = tokio::process::Command::from(agent(&self.store()));
        command.args(args).output().await.unwrap()
    }

    pub async fn enrol(&self, gateway: &Gateway, timeout: &str) -> Output {
        let path = self.place.path().join("provisioning.json");
        let provisioning = gateway.provisioning(&self.request);
        std::fs::write(&path, serde_json::to_string(&provisioning).unwrap()).unwrap();
        let path = path.display().to_string();
        let args = [
            "enrol",
            "--json",
            "--timeout",
            timeout,
            "--provisioning",
            &path,
            "--broker",
            &self.broker,
        ];
        self.run(&args).await
    }

    pub async fn publish(&self, message: &str, timeout: &str) -> Output {
        let args = [
            "pub",
            "--json",
            "--topic",
            TOPIC,
            "--message",
            message,
            "--timeout",
            timeout,
        ];
        self.run(&args).await
    }

    /// Subscribes, and waits until it says that it is.
    pub async fn subscribe(&self) -> Subscriber {
        self.subscribe_with(&[]).await
    }

    /// The same, with more arguments.
    pub async fn subscribe_with(&self, more: &[&str]) -> Subscriber {
        let output = self.place.path().join("received.jsonl");
        let file = std::fs::File::create(&output).unwrap();
        let process = agent(&self.store())
            .args(["sub", "--json", "--topic", TOPIC])
            .args(more)
            .stdout(file)
            .spawn()
            .unwrap();
        let subscriber = Subscriber { process, output };
        subscriber.until(|line| line["event"] == "ready").await;
        subscriber
    }

    pub fn member(&self, role: Role) -> Member<'_> {
        Member {
            request: &self.request,
            role,
        }
    }
}

pub fn agent(store: &std::path::Path) -> Command {
    let mut agent = Command::new(env!("CARGO_BIN_EXE_keyward-agent"));
    agent
        .env_remove("RUST_LOG")
        .arg("--store")
        .arg(store)
        .stdin(Stdio::null());
    agent
}

/// A running `sub`; killed when dropped.
pub struct Subscriber {
    pub process: Child,
    output: PathBuf,
}

impl Subscriber {
    pub fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.output).unwrap();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    pub async fn until(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let lines = self.lines();
            if let Some(line) = lines.iter().find(|line| wanted(line)) {
                return line.clone();
            }
            assert!(Instant::now() < deadline, "it says only {lines:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn reads(&self, payload: &str) -> Value {
        self.until(|line| line["payload"] == payload).await
    }

    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

pub fn done(output: Output) -> Vec<Value> {
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A publisher and a reader, enrolled and members.
pub struct Scene {
    pub publisher: Device,
    pub reader: Device,
    pub gateway: Gateway,
    pub broker: Broker,
}

impl Scene {
    pub async fn set(policy: &Policy) -> Self {
        let broker = Broker::start("");
        let mut gateway = Gateway::serve(&broker.connection(), TOPIC, Answer::Enrols).await;
        let publisher = Device::init("1111", broker.port);
        let reader = Device::init("1112", broker.port);
        for device in [&publisher, &reader] {
            done(device.enrol(&gateway, "30").await);
        }
        let members = [
            publisher.member(Role::Publish),
            reader.member(Role::Subscribe),
        ];
        gateway.state(1, &members, policy, 0).await;
        Self {
            publisher,
            reader,
            gateway,
            broker,
        }
    }
}
