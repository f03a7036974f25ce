//! Devices and bridges that are made to use the hostile broker, and what devices say of it.

use std::path::PathBuf;

use anyhow::{ensure, Context, Result};
use serde::Deserialize;

use super::Hostile;
use crate::{agent::Agent, bridge::Bridge, place::write_secret, process, wait::seconds};

/// Something that a device wants to be known.
#[derive(Clone, Debug, Deserialize)]
pub struct Notice {
    event: String,
    /// What kind.
    #[serde(default)]
    pub kind: String,
    /// The same for people.
    #[serde(default)]
    pub text: String,
}

impl Hostile {
    /// From now on the device connects here.
    pub async fn lure(&self, agent: &Agent) -> Result<()> {
        let broker = format!("mqtt://127.0.0.1:{}", self.port);
        let mut enrol = agent.command(&["enrol", "--broker", &broker, "--provisioning"]);
        enrol.arg(agent.provisioning());
        let ran = process::run(enrol, seconds(60), agent.log()).await?;
        ran.success().map(drop)
    }

    /// From now on the bridge connects here: it is started anew.
    pub async fn lure_bridge(&self, bridge: &mut Bridge, broker: u16) -> Result<()> {
        let config = std::fs::read_to_string(bridge.config())?;
        let address = |port: u16| format!("mqtt://127.0.0.1:{port}\"");
        ensure!(
            config.contains(&address(broker)),
            "the bridge does not use the broker at port {broker}"
        );
        let config = config.replace(&address(broker), &address(self.port));
        write_secret(bridge.config(), &config)?;
        bridge.restart().await
    }
}

/// What the newest subscriber of a device has said besides messages.
pub fn notices(agent: &Agent) -> Result<Vec<Notice>> {
    let printed = std::fs::read(newest_output(agent)?)?;
    let printed = String::from_utf8_lossy(&printed);
    // The last line may still be half written.
    let lines = printed
        .lines()
        .filter_map(|line| serde_json::from_str::<Notice>(line).ok());
    Ok(lines.filter(|line| line.event == "notice").collect())
}

/// The harness numbers what subscribers print, beside the key store.
fn newest_output(agent: &Agent) -> Result<PathBuf> {
    let store = agent.store();
    let directory = store.parent().context("no directory of the device")?;
    let number = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?;
        let number = name.strip_prefix("received-")?.strip_suffix(".jsonl")?;
        number.parse::<u32>().ok()
    };
    let files = std::fs::read_dir(directory)?.filter_map(|entry| Some(entry.ok()?.path()));
    let newest = files
        .filter(|path| number(path).is_some())
        .max_by_key(number);
    newest.with_context(|| format!("{} has not subscribed", agent.id))
}
