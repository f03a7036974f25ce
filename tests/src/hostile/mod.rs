//! A hostile broker: a man in the middle of every connection, with the real Mosquitto behind it, that a test scripts while
//! everything runs. A rule looks at each CONNECT, CONNACK, PUBLISH and PUBACK and decides its [`Fate`]; without a rule the
//! double is an honest broker.
//!
//! | behaviour | with |
//! |---|---|
//! | drops, withholds, delays, duplicates | [`Hostile::lie`] and a [`Fate`], e.g. by [`to`] |
//! | reorders | [`Fate::Hold`], then [`Hostile::release`] |
//! | acknowledges what it does not hold; withholds PUBACKs | [`Fate::Swallow`]; [`What::Acknowledgement`] |
//! | replays, swaps, truncates, invents, delivers where nobody subscribed, lies about RETAIN | [`Hostile::deliver`], or [`Fate::Instead`] |
//! | rolls back | [`rolled_back`] |
//! | lies about sessions, forgets them | [`Fate::Session`], [`Fate::Forget`] |
//! | floods | [`Hostile::flood`] |
//! | throws a client out | [`Hostile::cut`] |

mod flood;
mod lure;
mod packet;
mod relay;
mod rule;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc, Mutex, MutexGuard, PoisonError,
    },
};

use anyhow::{Context, Result};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};

pub use self::{
    flood::{resident, Flood},
    lure::{notices, Notice},
    rule::{rolled_back, to, Fate, Held, Passing, What},
};
use self::{packet::Publish, relay::Line};
use crate::{
    capture::Direction,
    wait::{eventually, seconds},
};

/// How long a client that was thrown out has to come back.
const BACK: u64 = 60;

/// Says what becomes of a packet, if it minds.
type Rule = Arc<dyn Fn(&Passing) -> Option<Fate> + Send + Sync>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A packet that is kept, and the way that it would have gone.
type Kept = (mpsc::Sender<Vec<u8>>, Vec<u8>);

#[derive(Default)]
struct Shared {
    /// The newest first decides.
    rules: Mutex<BTreeMap<u64, Rule>>,
    next: AtomicU64,
    /// Every PUBLISH that came, before anything was done to it.
    seen: Mutex<Vec<Passing>>,
    held: Mutex<Vec<Kept>>,
    /// By client id.
    lines: Mutex<HashMap<String, Line>>,
    /// How often each client id has connected.
    connections: Mutex<HashMap<String, usize>>,
}

impl Shared {
    fn fate(&self, passing: &Passing) -> Fate {
        let rules: Vec<Rule> = lock(&self.rules).values().rev().cloned().collect();
        let fate = rules.iter().find_map(|rule| rule(passing));
        fate.unwrap_or(Fate::Pass)
    }

    fn begun(&self, client: &str, line: Line) {
        lock(&self.lines).insert(client.into(), line);
    }

    /// The broker has answered to CONNECT, and whatever was to be done to the answer is done.
    fn stands(&self, client: &str) {
        *lock(&self.connections).entry(client.into()).or_default() += 1;
    }

    /// Forgets a connection, unless another one has taken its place.
    fn ended(&self, client: &str, line: &Line) {
        let mut lines = lock(&self.lines);
        if lines.get(client).is_some_and(|now| now.is(line)) {
            lines.remove(client);
        }
    }

    fn line(&self, client: &str) -> Option<Line> {
        lock(&self.lines).get(client).cloned()
    }
}

/// The double.
pub struct Hostile {
    port: u16,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// A rule that holds until this is dropped.
#[must_use = "the broker is honest again as soon as this is dropped"]
pub struct Lie {
    number: u64,
    shared: Arc<Shared>,
}

impl Drop for Lie {
    fn drop(&mut self) {
        lock(&self.shared.rules).remove(&self.number);
    }
}

impl Hostile {
    /// Stands before the broker at this port; honest until it is told otherwise.
    pub async fn before(broker: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("no free port for the hostile broker")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::<Shared>::default();
        let task = tokio::spawn(listen(listener, broker, shared.clone()));
        Ok(Self { port, shared, task })
    }

    /// Where clients connect instead of to the broker.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Lies in this way until what this gives is dropped.
    pub fn lie(&self, rule: impl Fn(&Passing) -> Option<Fate> + Send + Sync + 'static) -> Lie {
        let number = self.shared.next.fetch_add(1, Ordering::Relaxed);
        lock(&self.shared.rules).insert(number, Arc::new(rule));
        Lie {
            number,
            shared: self.shared.clone(),
        }
    }

    /// The PUBLISH packets of a client and direction so far, on topics that begin so, as their senders sent them.
    pub fn seen(&self, client: &str, direction: Direction, topics: &str) -> Vec<Passing> {
        let mut seen = lock(&self.shared.seen).clone();
        seen.retain(|passing| {
            passing.client == client
                && passing.direction == direction
                && passing.topic.starts_with(topics)
        });
        seen
    }

    /// Delivers to a client, with QoS 0, whatever it has subscribed to.
    pub async fn deliver(
        &self,
        client: &str,
        topic: &str,
        payload: &[u8],
        retain: bool,
    ) -> Result<()> {
        let line = self.shared.line(client);
        let line = line.with_context(|| format!("{client} is not connected"))?;
        let publish = Publish::new(topic, payload, retain, line.level);
        let sent = line.to_client.send(publish.bytes()).await;
        sent.ok().with_context(|| format!("{client} has just gone"))
    }

    /// Passes on what was held, the last first.
    pub async fn release(&self) -> Result<()> {
        let held = std::mem::take(&mut *lock(&self.shared.held));
        for (onward, bytes) in held.into_iter().rev() {
            let sent = onward.send(bytes).await;
            sent.ok().context("its connection has ended")?;
        }
        Ok(())
    }

    /// Packets that are held.
    pub fn held(&self) -> usize {
        lock(&self.shared.held).len()
    }

    /// How often a client has connected.
    pub fn connections(&self, client: &str) -> usize {
        lock(&self.shared.connections)
            .get(client)
            .copied()
            .unwrap_or(0)
    }

    /// Ends the connection of a client, and waits until it is back.
    pub async fn cut(&self, client: &str) -> Result<()> {
        // It may have lost its connection by itself just now.
        let what = format!("{client} to be connected");
        let line = eventually(seconds(BACK), &what, || async {
            self.shared.line(client).ok_or("it is not")
        })
        .await?;
        let before = self.connections(client);
        line.cut.notify_one();
        let what = format!("{client} to connect again");
        eventually(seconds(BACK), &what, || async {
            let now = self.connections(client);
            (now > before).then_some(()).ok_or("it has not")
        })
        .await
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(listener: TcpListener, broker: u16, shared: Arc<Shared>) {
    // Relays end with their connections, or with the runtime.
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(relay::serve(client, broker, shared.clone()));
    }
}
