//! A device: its key store, its relay to the broker, and `keyward-agent` run on them.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context, Result};
use keyward_protocol::DeviceId;
use serde::Deserialize;

use crate::{
    capture::Capture,
    place::{copy_directory, make_directory, Place},
    process::{self, binary, command, find, Process, Ran},
    wait::{eventually, seconds},
};

/// Longest that an enrolment may take: a transaction until it is finalized, with room to spare.
const ENROLMENT: u64 = 90;
/// Longest that publishing may take: until the publisher knows the newest epoch.
const PUBLISHING: u64 = 60;

/// A device.
pub struct Agent {
    /// Its id.
    pub id: DeviceId,
    /// What goes between it and the broker, unless that is encrypted.
    pub capture: Capture,
    /// The broker's port and the file of the authority that vouches for it, if the connection is encrypted.
    encrypted: Option<(u16, PathBuf)>,
    program: PathBuf,
    directory: PathBuf,
    log: PathBuf,
    runs: AtomicU32,
}

impl Agent {
    /// Makes the keys of a new device.
    pub async fn init(place: &Place, id: &DeviceId, broker: u16) -> Result<Self> {
        let agent = Self {
            id: id.clone(),
            capture: Capture::before(broker).await?,
            encrypted: None,
            program: find(binary::AGENT)?,
            directory: place.path("devices").join(id.as_str()),
            log: place.log(&format!("agent-{id}")),
            runs: AtomicU32::new(0),
        };
        make_directory(&agent.directory)?;
        let mut init = agent.command(&["init", "--device", id.as_str(), "--out"]);
        init.arg(agent.request());
        agent.run(init, 30).await?.success()?;
        Ok(agent)
    }

    /// Makes the keys of a new device whose connection to the broker is encrypted.
    pub async fn init_encrypted(
        place: &Place,
        id: &DeviceId,
        broker: u16,
        authority: &Path,
    ) -> Result<Self> {
        let agent = Self::init(place, id, broker).await?;
        Ok(Self {
            encrypted: Some((broker, authority.into())),
            ..agent
        })
    }

    /// Its key store.
    pub fn store(&self) -> PathBuf {
        self.directory.join("store")
    }

    /// What it asks its authority to vouch for.
    pub fn request(&self) -> PathBuf {
        self.directory.join("request.json")
    }

    /// What its authority gave it.
    pub fn provisioning(&self) -> PathBuf {
        self.directory.join("provisioning.json")
    }

    /// Where its messages go.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The broker's address as the device knows it: through its capture, unless it is encrypted.
    pub fn broker(&self) -> String {
        match &self.encrypted {
            Some((port, _)) => format!("mqtts://127.0.0.1:{port}"),
            None => format!("mqtt://127.0.0.1:{}", self.capture.port()),
        }
    }

    /// The whole command line for some arguments.
    pub fn command<S: AsRef<str>>(&self, args: &[S]) -> Command {
        let mut agent = command(&self.program);
        agent.arg("--store").arg(self.store());
        agent.args(args.iter().map(AsRef::as_ref));
        agent
    }

    async fn run(&self, command: Command, patience: u64) -> Result<Ran> {
        process::run(command, seconds(patience), &self.log).await
    }

    /// Enrols over MQTT with what its authority gave it, whatever comes of it.
    pub async fn try_to_enrol(&self) -> Result<Ran> {
        let mut enrol = self.command(&["enrol", "--timeout", &ENROLMENT.to_string(), "--broker"]);
        enrol
            .arg(self.broker())
            .arg("--provisioning")
            .arg(self.provisioning());
        if let Some((_, authority)) = &self.encrypted {
            enrol.arg("--ca-file").arg(authority);
        }
        self.run(enrol, ENROLMENT + 5).await
    }

    /// Enrols over MQTT.
    pub async fn enrol(&self) -> Result<()> {
        self.try_to_enrol().await?.success()?;
        Ok(())
    }

    /// Publishes one message, whatever comes of it.
    pub async fn try_to_publish(&self, topic: &str, message: &str, patience: u64) -> Result<Ran> {
        let patience_text = patience.to_string();
        let publish = self.command(&[
            "pub",
            "--json",
            "--topic",
            topic,
            "--message",
            message,
            "--timeout",
            &patience_text,
        ]);
        self.run(publish, patience + 5).await
    }

    /// Publishes one message.
    pub async fn publish(&self, topic: &str, message: &str) -> Result<Sealed> {
        let ran = self.try_to_publish(topic, message, PUBLISHING).await?;
        let printed = ran.success()?;
        let sealed = lines::<Sealed>(&printed).find(|sealed| sealed.event == "sealed");
        sealed.with_context(|| format!("{} published, but printed only: {printed}", self.id))
    }

    /// Subscribes to topics until it is stopped.
    pub fn subscribe(&self, topics: &[&str]) -> Result<Subscriber> {
        let mut subscribe = self.command(&["sub", "--json"]);
        for topic in topics {
            subscribe.arg("--topic").arg(topic);
        }
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        let output = self.directory.join(format!("received-{run}.jsonl"));
        let name = format!("subscriber {}", self.id);
        let process = Process::start_with_output(&name, subscribe, &output, &self.log)?;
        Ok(Subscriber {
            device: self.id.clone(),
            process,
            output,
        })
    }

    /// What `keyward-agent status --json` says. No other command of the device may run.
    pub async fn status(&self) -> Result<serde_json::Value> {
        let printed = self
            .run(self.command(&["status", "--json"]), 30)
            .await?
            .success()?;
        serde_json::from_str(&printed).with_context(|| format!("status is no JSON: {printed}"))
    }

    /// Copies the key store, with all keys that the device holds now.
    pub fn back_up(&self, name: &str) -> Result<PathBuf> {
        let to = self.directory.join(name);
        copy_directory(&self.store(), &to)?;
        Ok(to)
    }

    /// Puts a copy in the place of the key store.
    pub fn restore(&self, copy: &Path) -> Result<()> {
        std::fs::remove_dir_all(self.store())?;
        copy_directory(copy, &self.store())
    }
}

/// What `pub --json` prints.
#[derive(Clone, Debug, Deserialize)]
pub struct Sealed {
    event: String,
    /// The epoch that it was sealed in.
    pub epoch: u32,
    /// Bytes that protection added to the payload.
    pub bytes_added: usize,
}

/// One line of `sub --json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    event: String,
    /// The topic.
    #[serde(default)]
    pub topic: String,
    /// The epoch of a message that was opened.
    pub epoch: Option<u32>,
    /// Who sealed a message that was opened.
    pub sender: Option<String>,
    /// What a message said, if it is text.
    pub payload: Option<String>,
    /// What is noteworthy about a message.
    #[serde(default)]
    pub marks: Vec<String>,
    /// Why a message was refused.
    pub reason: Option<String>,
}

impl Event {
    /// Whether this is a message that was opened.
    pub fn is_message(&self) -> bool {
        self.event == "message"
    }

    /// Whether this is a message that was refused.
    pub fn is_refusal(&self) -> bool {
        self.event == "refused"
    }
}

/// A running `keyward-agent sub`.
pub struct Subscriber {
    /// Which device.
    pub device: DeviceId,
    process: Process,
    output: PathBuf,
}

impl Subscriber {
    /// Waits until it is subscribed.
    pub async fn ready(&mut self) -> Result<()> {
        let what = format!("{} to be subscribed", self.device);
        let (process, output) = (&mut self.process, &self.output);
        eventually(seconds(60), &what, || {
            let ended = process.check();
            async move {
                ended?;
                let ready = events(output).iter().any(|event| event.event == "ready");
                ready.then_some(()).context("it does not say so yet")
            }
        })
        .await
    }

    /// What it printed so far about messages.
    pub fn events(&self) -> Vec<Event> {
        let mut events = events(&self.output);
        events.retain(|event| event.is_message() || event.is_refusal());
        events
    }

    /// Waits for a refusal with one of these reasons, after the first `skip` events.
    pub async fn refuses(&self, skip: usize, reason: &str, patience: Duration) -> Result<Event> {
        let what = format!("{} to refuse a message as {reason}", self.device);
        eventually(patience, &what, || async {
            let events = self.events();
            let refused = |event: &&Event| event.reason.as_deref() == Some(reason);
            let found = events.iter().skip(skip).find(refused).cloned();
            found.with_context(|| format!("it says {:?}", &events[skip.min(events.len())..]))
        })
        .await
    }

    /// Waits until it opened a message with this payload.
    pub async fn reads(&self, payload: &str, patience: Duration) -> Result<Event> {
        let what = format!("{} to read {payload}", self.device);
        eventually(patience, &what, || async {
            let events = self.events();
            let read = |event: &&Event| event.payload.as_deref() == Some(payload);
            let found = events.iter().find(read).cloned();
            found.with_context(|| format!("it says {events:?}"))
        })
        .await
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn events(output: &Path) -> Vec<Event> {
    let bytes = std::fs::read(output).unwrap_or_default();
    lines(&String::from_utf8_lossy(&bytes)).collect()
}

/// The lines that are JSON of this form; the last line may still be half written.
fn lines<T: serde::de::DeserializeOwned>(text: &str) -> impl Iterator<Item = T> + '_ {
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
}
