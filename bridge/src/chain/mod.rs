//! The chain: finalized blocks in, transactions out. Nothing here waits for the broker, and nobody waits for this.

mod calls;
mod follow;
mod snapshot;
mod submit;

use std::{
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::Duration,
};

use keyward_chain_client::{Client, ConnectFailed, ReadFailed, Signer, WalkFailed};
use keyward_protocol::{beacon::BlockRef, view::GatewayView, AccountId, Genesis};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    health::Health,
    owner::Event,
    relay::{journal::Home, transactions::Command},
};

/// First pause before the next attempt to connect.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Pause between two looks for the gateway on chain, while the council has not admitted it.
const ADMISSION: Duration = Duration::from_secs(2);
/// Transactions that may wait to be sent: as many as the relay has on their way at once.
const QUEUE: usize = 64;

/// A way to transactions and state.
pub trait Ledger: Send {
    /// Takes a transaction to submit; its end comes back as an event. Tells whether it was taken. Never waits.
    fn submit(&self, id: u64, command: Command) -> bool;
    /// Has the whole state read at the next block, changed or not.
    fn refresh(&self);
}

/// Why the chain cannot be followed any more. Does not heal by waiting.
#[derive(Debug, thiserror::Error)]
pub enum ChainFailed {
    /// The node is of another chain or fork than the journal.
    #[error(transparent)]
    Walk(#[from] WalkFailed),
    /// The node is of another chain than the journal.
    #[error("the node is of chain {actual}, the journal of chain {expected}; correct chain.url, or name another store.path")]
    OtherChain {
        /// Of the journal.
        expected: Genesis,
        /// Of the node.
        actual: Genesis,
    },
}

/// Where the node is, and who signs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// WebSocket address of the node.
    pub url: String,
    /// The gateway's account.
    pub signer: Signer,
}

/// Connects, however long it takes.
pub async fn connect(url: &str, health: &Health) -> Client {
    let mut pause = PAUSE;
    loop {
        let failed = match Client::connect(url).await {
            Ok(client) => return client,
            Err(failed) => failed,
        };
        tracing::warn!(%failed, ?pause, "cannot connect to the chain; trying again");
        match &failed {
            ConnectFailed::Incompatible(why) => health.chain_is_incompatible(why.to_string()),
            ConnectFailed::Unreachable { .. } => health.chain_failed(failed.to_string()),
        }
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

/// Finds out under which name the chain knows this gateway; waits until the council has admitted it.
pub async fn discover(client: &Client, account: AccountId, health: &Health) -> Home {
    let mut told = false;
    loop {
        match gateway(client, account).await {
            Ok(Some(gateway)) => {
                return Home {
                    genesis: client.genesis(),
                    account,
                    name: gateway.name,
                }
            }
            Ok(None) => {
                let why = format!("gateway {account} is not admitted on chain: ask the council");
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!("{why}");
                }
                health.set_starting(Some(why));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot read the chain now; trying again");
                health.set_starting(Some(error.to_string()));
            }
        }
        tokio::time::sleep(ADMISSION).await;
    }
}

async fn gateway(client: &Client, account: AccountId) -> Result<Option<GatewayView>, ReadFailed> {
    let head = client.finalized().await?;
    client.at(head.hash).gateway(account).await
}

/// The way in, for the owner.
#[derive(Clone)]
struct Way {
    commands: mpsc::Sender<(u64, Command)>,
    refresh: Arc<AtomicBool>,
}

impl Ledger for Way {
    fn submit(&self, id: u64, command: Command) -> bool {
        self.commands.try_send((id, command)).is_ok()
    }

    fn refresh(&self) {
        self.refresh.store(true, Ordering::Relaxed);
    }
}

/// The adapter: follows the chain and submits, from its own tasks.
pub struct Chain {
    way: Way,
    /// Ends only when the chain cannot be followed any more.
    pub task: JoinHandle<ChainFailed>,
}

impl Chain {
    /// Starts following after a block. `client`: a connection, if there is one already.
    pub fn start(
        settings: Settings,
        client: Option<Client>,
        home: Home,
        cursor: Option<BlockRef>,
        events: mpsc::Sender<Event>,
        health: Arc<Health>,
    ) -> Self {
        let (commands, waiting) = mpsc::channel(QUEUE);
        let refresh = Arc::new(AtomicBool::new(false));
        let way = Way {
            commands,
            refresh: refresh.clone(),
        };
        let task = tokio::spawn(async move {
            let client = match client {
                Some(client) => client,
                None => connect(&settings.url, &health).await,
            };
            let (expected, actual) = (home.genesis, client.genesis());
            if expected != actual {
                return ChainFailed::OtherChain { expected, actual };
            }
            tracing::info!(url = settings.url, "connected to the chain");
            let submitter = submit::Submitter {
                client: client.clone(),
                signer: settings.signer,
                events: events.clone(),
                health: health.clone(),
            };
            let mut submitting = tokio::task::JoinSet::new();
            submitting.spawn(submitter.run(waiting));
            let follower = follow::Follower {
                source: follow::Node::new(client, home.account, cursor),
                events,
                health,
                refresh,
                changes: None,
            };
            follower.run(cursor).await
        });
        Self { way, task }
    }

    /// For whoever decides what is submitted.
    pub fn ledger(&self) -> Box<dyn Ledger> {
        Box::new(self.way.clone())
    }
}
