//! What the broker holds: an MQTT client that may see everything, and believes what it reads without checking it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use keyward_protocol::{
    signing::{Body, Unverified},
    statement::{DeviceStatement, GroupStatement},
    topic::{ControlTopic, PREFIX},
    DeviceId, GatewayName, GroupId,
};
use tokio::task::JoinHandle;

use crate::mqtt::{Address, Client, Publish};

/// Pause before a lost connection is made again.
const RECONNECT: Duration = Duration::from_millis(200);

#[derive(Default)]
struct Seen {
    /// Newest payload of each topic since the last connection began; empty ones take their topic away.
    held: BTreeMap<String, Vec<u8>>,
    /// Everything ever.
    all: Vec<Publish>,
    /// Connections made after the first.
    reconnections: usize,
}

/// Watches a broker, and connects again when it was lost.
pub struct Observer {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Observer {
    /// Watches with a login that may read everything.
    pub async fn start(address: Address) -> Result<Self> {
        let seen = Arc::<Mutex<Seen>>::default();
        let first = subscribe(&address)
            .await
            .context("cannot watch the broker")?;
        let task = tokio::spawn(watch(address, first, seen.clone()));
        Ok(Self { seen, task })
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often it has connected: rises when the broker was lost and is back, and with it what it holds is read anew.
    pub fn connections(&self) -> usize {
        self.seen().reconnections + 1
    }

    /// The newest payload of a topic, if it was not cleared.
    pub fn held(&self, topic: &ControlTopic) -> Option<Vec<u8>> {
        self.seen().held.get(&topic.to_topic(PREFIX)).cloned()
    }

    /// All topics that hold something, with it.
    pub fn everything(&self) -> BTreeMap<String, Vec<u8>> {
        self.seen().held.clone()
    }

    /// Every PUBLISH that was ever seen.
    pub fn history(&self) -> Vec<Publish> {
        self.seen().all.clone()
    }

    /// A group's statement.
    pub fn group(&self, gateway: &GatewayName, group: &GroupId) -> Option<GroupStatement> {
        let topic = ControlTopic::GroupState(gateway.clone(), group.clone());
        claims(&self.held(&topic)?)
    }

    /// A device's statement.
    pub fn device(&self, gateway: &GatewayName, device: &DeviceId) -> Option<DeviceStatement> {
        let topic = ControlTopic::DeviceState(gateway.clone(), device.clone());
        claims(&self.held(&topic)?)
    }

    /// A device's sealed grant for a group.
    pub fn grant(
        &self,
        gateway: &GatewayName,
        device: &DeviceId,
        group: &GroupId,
    ) -> Option<Vec<u8>> {
        self.held(&ControlTopic::Grant(
            gateway.clone(),
            device.clone(),
            group.clone(),
        ))
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a signed message claims; nothing is checked.
pub fn claims<T: Body + Clone>(bytes: &[u8]) -> Option<T> {
    let message = Unverified::<T>::from_wire(bytes).ok()?;
    Some(message.claims().clone())
}

type Connection = (Client, tokio::sync::mpsc::UnboundedReceiver<Publish>);

async fn subscribe(address: &Address) -> Result<Connection> {
    let connection = Client::connect(address).await?;
    connection.0.subscribe("#").await?;
    Ok(connection)
}

async fn watch(address: Address, first: Connection, seen: Arc<Mutex<Seen>>) {
    let mut connection = Some(first);
    loop {
        if let Some((_client, mut incoming)) = connection.take() {
            while let Some(publish) = incoming.recv().await {
                keep(&seen, publish);
            }
        }
        tokio::time::sleep(RECONNECT).await;
        let lock = || seen.lock().unwrap_or_else(PoisonError::into_inner);
        lock().held.clear();
        connection = subscribe(&address).await.ok();
        lock().reconnections += usize::from(connection.is_some());
    }
}

fn keep(seen: &Mutex<Seen>, publish: Publish) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    match publish.payload.is_empty() {
        true => seen.held.remove(&publish.topic),
        false => seen
            .held
            .insert(publish.topic.clone(), publish.payload.clone()),
    };
    seen.all.push(publish);
}
