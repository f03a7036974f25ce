//! Nothing secret in chain state, blocks, events, logs, broker traffic, command lines, environments, or files that others may
//! read: the actual bytes of the actual keys are looked for in all of them.

use std::{
    collections::BTreeSet,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{ensure, Context, Result};
use keyward_chain_client::Call;
use keyward_protocol::{policy::Policy, topic::ControlTopic, topic::PREFIX, GroupId, Role};
use keyward_tests::{
    device::{read_seed, Device},
    network::{Network, Plan},
    rpc,
};
use serde_json::json;

const TOPIC: &str = "app/valve";
const PATIENCE: Duration = Duration::from_secs(90);

/// A secret, in every form in which it could be written down.
struct Secret {
    name: String,
    forms: Vec<Vec<u8>>,
}

impl Secret {
    fn new(name: impl Into<String>, bytes: &[u8]) -> Self {
        let hex = hex::encode(bytes);
        let list: Vec<_> = bytes.iter().map(u8::to_string).collect();
        Self {
            name: name.into(),
            forms: vec![
                bytes.to_vec(),
                hex.to_uppercase().into_bytes(),
                hex.into_bytes(),
                base64(bytes),
                // As `Debug` would print an array.
                list.join(", ").into_bytes(),
            ],
        }
    }

    /// A secret that is text.
    fn text(name: impl Into<String>, text: &str) -> Self {
        Self {
            name: name.into(),
            forms: vec![text.as_bytes().to_vec()],
        }
    }

    fn is_in(&self, haystack: &[u8]) -> bool {
        self.forms.iter().any(|form| contains(haystack, form))
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let Some((first, _)) = needle.split_first() else {
        return false;
    };
    let mut rest = haystack;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = &rest[at..];
        if rest.starts_with(needle) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

/// Base64 (RFC 4648), without the last group, which padding changes.
fn base64(bytes: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks_exact(3)
        .flat_map(|group| {
            let bits = group
                .iter()
                .fold(0, |bits, byte| bits << 8 | usize::from(*byte));
            [18, 12, 6, 0].map(|shift| ALPHABET[bits >> shift & 63])
        })
        .collect()
}

/// Command lines and environments of all processes, looked at all the time.
struct Processes {
    stop: Arc<AtomicBool>,
    watcher: JoinHandle<BTreeSet<Vec<u8>>>,
}

impl Processes {
    fn watch() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let watcher = std::thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while !stopped.load(Ordering::Relaxed) {
                seen.extend(command_lines_and_environments());
                std::thread::sleep(Duration::from_millis(5));
            }
            seen
        });
        Self { stop, watcher }
    }

    fn seen(self) -> Result<BTreeSet<Vec<u8>>> {
        self.stop.store(true, Ordering::Relaxed);
        let seen = self.watcher.join();
        seen.map_err(|_| anyhow::anyhow!("the watcher of processes panicked"))
    }
}

fn command_lines_and_environments() -> Vec<Vec<u8>> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok())
        .flat_map(|entry| ["cmdline", "environ"].map(|file| entry.path().join(file)))
        // A process that has just ended cannot be read any more.
        .filter_map(|path| std::fs::read(path).ok())
        .filter(|bytes| !bytes.is_empty())
        .collect()
}

/// KEY-9, KEY-1.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_can_be_found_where_others_look() -> Result<()> {
    let processes = Processes::watch();
    let (network, group, member) = live_a_little().await?;
    let secrets = secrets(&network, &group, &member)?;
    the_search_finds_what_is_there(&network, &secrets)?;

    let seen = processes.seen()?;
    let agents = seen
        .iter()
        .filter(|bytes| contains(bytes, b"keyward-agent"))
        .count();
    ensure!(agents > 0, "no agent was seen running");
    for bytes in &seen {
        absent(&secrets, "command lines and environments", bytes)?;
    }
    for publish in network.observer.history() {
        absent(
            &secrets,
            &format!("MQTT, {}", publish.topic),
            &publish.payload,
        )?;
    }
    the_chain_holds_none(&network, &secrets).await?;
    files_are_closed_to_others(&network)?;
    files_open_to_others_hold_none(&network, &secrets)?;
    logs_and_stores_hold_none(&network, &secrets)
}

/// Everything that makes or moves secrets: enrolment, grants, messages, a rotation, a removal.
async fn live_a_little() -> Result<(Network, GroupId, Device)> {
    let network = Network::start(Plan::new("secrets", &["1111", "1112"], &["app/#"])?).await?;
    let mut member = Device::new("9001")?;
    member.enrol(&network).await?;
    let group: GroupId = "valves".parse()?;
    let members = [
        ("1111".parse()?, Role::Publish),
        ("1112".parse()?, Role::Subscribe),
        (member.id.clone(), Role::Subscribe),
    ];
    network
        .form(&group, TOPIC, &Policy::default(), &members)
        .await?;
    network.settled(&group).await?;
    let mut reader = network.agent("1112")?.subscribe(&[TOPIC])?;
    reader.ready().await?;
    network.agent("1111")?.publish(TOPIC, "a reading").await?;
    reader.reads("a reading", PATIENCE).await?;
    network.submit(Call::rotate(&group)).await?;
    network.settled(&group).await?;
    network.agent("1111")?.publish(TOPIC, "another").await?;
    reader.reads("another", PATIENCE).await?;
    network.delivered(&group).await?;
    Ok((network, group, member))
}

fn secrets(network: &Network, group: &GroupId, member: &Device) -> Result<Vec<Secret>> {
    let mut secrets = Vec::new();
    for name in ["account.key", "statement.key", "custody.key", "store.key"] {
        let seed = read_seed(&network.gateway.keys.join(name))?;
        secrets.push(Secret::new(name, &seed));
    }
    let authority = read_seed(&network.authority.join("authority.key"))?;
    secrets.push(Secret::new("authority.key", &authority));
    secrets.push(Secret::text("password", network.broker.password()));
    secrets.push(Secret::new("seed of 9001", &*member.signing.expose_seed()));
    secrets.push(Secret::new(
        "agreement key of 9001",
        member.agreement.expose(),
    ));
    let topic = ControlTopic::Grant(
        network.gateway.name.clone(),
        member.id.clone(),
        group.clone(),
    );
    let topic = topic.to_topic(PREFIX);
    let mut epochs = 0;
    for publish in network.observer.history() {
        if publish.topic == topic && !publish.payload.is_empty() {
            for (epoch, secret) in member.secrets(group, &publish.payload)? {
                secrets.push(Secret::new(
                    format!("secret of epoch {epoch}"),
                    secret.expose(),
                ));
                epochs += 1;
            }
        }
    }
    ensure!(epochs >= 2, "only {epochs} epoch secrets are known");
    Ok(secrets)
}

/// The control: a secret is found in its own file.
fn the_search_finds_what_is_there(network: &Network, secrets: &[Secret]) -> Result<()> {
    let file = std::fs::read(network.gateway.keys.join("statement.key"))?;
    let found = secrets.iter().find(|secret| secret.is_in(&file));
    let name = found.map(|secret| secret.name.as_str());
    ensure!(name == Some("statement.key"), "in statement.key: {name:?}");
    Ok(())
}

fn absent(secrets: &[Secret], place: &str, haystack: &[u8]) -> Result<()> {
    match secrets.iter().find(|secret| secret.is_in(haystack)) {
        None => Ok(()),
        Some(secret) => anyhow::bail!("{} is in {place}", secret.name),
    }
}

/// State at the end; extrinsics and events of every block.
async fn the_chain_holds_none(network: &Network, secrets: &[Secret]) -> Result<()> {
    /// twox128("System") ‖ twox128("Events").
    const EVENTS: &str = "0x26aa394eea5630e07c48ae0c9558cef780d41e5e16056765bc8461851072c9d7";
    let port = network.node.port();
    let finalized = network.chain.finalized().await?;
    let state = rpc::state(port, &format!("0x{}", finalized.hash)).await?;
    ensure!(
        state.len() > 50,
        "only {} items of state were read",
        state.len()
    );
    for (key, value) in &state {
        absent(secrets, "the keys of chain state", key)?;
        absent(secrets, "chain state", value)?;
    }
    for number in 1..=finalized.number {
        let hash = rpc::call(port, "chain_getBlockHash", json!([number])).await?;
        let block = rpc::call(port, "chain_getBlock", json!([hash])).await?;
        let extrinsics = block["block"]["extrinsics"].as_array();
        for extrinsic in extrinsics.context("a block without extrinsics")? {
            absent(secrets, &format!("block {number}"), &rpc::bytes(extrinsic)?)?;
        }
        let events = rpc::call(port, "state_getStorage", json!([EVENTS, hash])).await?;
        absent(
            secrets,
            &format!("events of block {number}"),
            &rpc::bytes(&events)?,
        )?;
    }
    Ok(())
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        match path.is_dir() {
            true => files.extend(self::files(&path)?),
            false => files.push(path),
        }
    }
    Ok(files)
}

fn mode(path: &Path) -> Result<u32> {
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o777)
}

/// Key files, journal and device stores are their owner's alone, whatever the directory around them allows.
fn files_are_closed_to_others(network: &Network) -> Result<()> {
    let mut private = vec![network.authority.join("authority.key")];
    for name in ["account.key", "statement.key", "custody.key", "store.key"] {
        private.push(network.gateway.keys.join(name));
    }
    let journal = files(network.bridge.directory())?;
    private.extend(
        journal
            .into_iter()
            .filter(|path| path.to_string_lossy().contains("journal")),
    );
    for agent in network.agents.values() {
        let store = files(&agent.store())?;
        ensure!(!store.is_empty(), "{} has no store", agent.id);
        private.extend(store);
    }
    for path in private {
        let mode = mode(&path)?;
        ensure!(mode & 0o077 == 0, "{} has mode {mode:04o}", path.display());
    }
    Ok(())
}

/// Whatever is not closed to others, wherever it is: the databases of node and broker, requests, provisionings, public files.
fn files_open_to_others_hold_none(network: &Network, secrets: &[Secret]) -> Result<()> {
    let mut looked_at = 0;
    for path in files(network.place.root())? {
        // The node's database comes and goes by itself.
        let Some((mode, content)) = mode(&path).ok().zip(std::fs::read(&path).ok()) else {
            continue;
        };
        if mode & 0o077 != 0 {
            absent(secrets, &path.display().to_string(), &content)?;
            looked_at += 1;
        }
    }
    ensure!(looked_at > 4, "only {looked_at} files are open to others");
    Ok(())
}

/// Logs; and journal and stores, where secrets lie wrapped.
fn logs_and_stores_hold_none(network: &Network, secrets: &[Secret]) -> Result<()> {
    let mut places = files(&network.place.path("logs"))?;
    places.extend(files(network.bridge.directory())?);
    for agent in network.agents.values() {
        places.extend(files(&agent.store())?);
    }
    // The one file whose business it is.
    places.retain(|path| !path.ends_with("mqtt.password"));
    ensure!(places.len() > 8, "only {places:?}");
    for path in places {
        absent(secrets, &path.display().to_string(), &std::fs::read(&path)?)?;
    }
    Ok(())
}
