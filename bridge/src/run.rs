//! `keyward-bridge run`: puts the parts together, and takes them apart on a signal.

use std::{sync::Arc, time::Duration};

use keyward_chain_client::Client;
use prometheus_client::metrics::histogram::Histogram;
use rand_core::OsRng;
use tokio::{
    signal::unix::{signal, SignalKind},
    sync::mpsc,
    task::JoinHandle,
    time::MissedTickBehavior,
};

use crate::{
    admin::{metrics, Admin, NotServed},
    chain::{self, Chain, ChainFailed},
    config::{Config, Keys},
    health::Health,
    mqtt::{self, Mqtt},
    owner::{Event, Owner},
    relay::{
        journal::{Home, Journal},
        Input, Relay,
    },
    store::{Store, StoreFailed},
};

/// Events that may wait for the owner.
const EVENTS: usize = 1024;
/// Pause between two ticks.
const TICK: Duration = Duration::from_millis(200);
/// How long the owner may take to finish after a signal.
const FINISH: Duration = Duration::from_secs(2);
/// Pause before a journal is opened again that could not be opened.
const REOPEN: Duration = Duration::from_secs(2);
/// How long the broker may take to hear a goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// Why a bridge could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum RunFailed {
    /// The journal.
    #[error(transparent)]
    Store(#[from] StoreFailed),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainFailed),
    /// The admin pages.
    #[error(transparent)]
    Admin(#[from] NotServed),
    /// Signals cannot be waited for.
    #[error("cannot wait for signals: {0}")]
    Signals(std::io::Error),
    /// The journal is that of another account.
    #[error("the journal belongs to account {found}, and chain.account_key_file is of account {actual}; correct one of them, or name another store.path")]
    OtherAccount {
        /// Of the journal.
        found: keyward_protocol::AccountId,
        /// Of the key file.
        actual: keyward_protocol::AccountId,
    },
    /// A part ended that should not.
    #[error("a part of the bridge ended: {0}")]
    Broken(tokio::task::JoinError),
}

/// Works until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start, or go on.
pub async fn run(config: Config, keys: Keys) -> Result<(), RunFailed> {
    let mut terminate = signal(SignalKind::terminate()).map_err(RunFailed::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunFailed::Signals)?;
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    tokio::pin!(stop);
    let (base, events) = tokio::select! {
        base = Base::open(config, keys) => base?,
        () = &mut stop => return Ok(()),
    };
    let mut store = base.store;
    let mut journal = base.journal;
    let parts = base.parts;
    let (home, client) = tokio::select! {
        home = parts.home(&journal) => home?,
        () = &mut stop => return Ok(()),
    };
    store.claim(&mut journal, &home)?;
    let mut running = parts.start(store, journal, home, client, events);
    let ended = tokio::select! {
        () = &mut stop => Ok(()),
        ended = &mut running.owner => ended.map_err(RunFailed::Broken)?.map_err(RunFailed::from),
        failed = &mut running.chain.task => Err(failed.map_or_else(RunFailed::Broken, RunFailed::from)),
    };
    tracing::info!("stopping");
    notify(&[sd_notify::NotifyState::Stopping]);
    running.finish().await;
    ended
}

/// What is there before anything runs.
struct Base {
    store: Store,
    journal: Journal,
    parts: Parts,
}

impl Base {
    async fn open(config: Config, keys: Keys) -> Result<(Self, mpsc::Receiver<Event>), RunFailed> {
        let (events, waiting) = mpsc::channel(EVENTS);
        let parts = Parts {
            config,
            keys,
            events,
            health: Arc::new(Health::default()),
            rekey_seconds: metrics::rekey_seconds(),
        };
        parts
            .health
            .set_starting(Some("looking for the gateway on chain".into()));
        let admin = Admin {
            events: parts.events.clone(),
            health: parts.health.clone(),
            rekey_seconds: parts.rekey_seconds.clone(),
        };
        let address = admin.serve(parts.config.listen).await?;
        tracing::info!(account = %parts.keys.address(), admin = %address, "keyward-bridge {}", env!("CARGO_PKG_VERSION"));
        let (store, journal) = parts.journal().await?;
        // What it waits for from now on shows in its admin pages.
        notify(&[sd_notify::NotifyState::Ready]);
        parts
            .health
            .set_starting(Some("looking for the gateway on chain".into()));
        let base = Self {
            store,
            journal,
            parts,
        };
        Ok((base, waiting))
    }
}

/// What the parts are made of.
struct Parts {
    config: Config,
    keys: Keys,
    events: mpsc::Sender<Event>,
    health: Arc<Health>,
    rekey_seconds: Histogram,
}

impl Parts {
    /// Opens the journal, however long the disk is full.
    async fn journal(&self) -> Result<(Store, Journal), StoreFailed> {
        let mut told = false;
        loop {
            match Store::open(&self.config.store_path, self.keys.store.clone()) {
                Err(failed) if failed.is_retryable() => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::error!(%failed, "the journal cannot be opened; trying again");
                    }
                    self.health.set_starting(Some(failed.to_string()));
                    notify(&[sd_notify::NotifyState::Ready]);
                    tokio::time::sleep(REOPEN).await;
                }
                opened => return opened,
            }
        }
    }

    /// Whose bridge this is. A journal that knows it needs no chain to go on serving.
    async fn home(&self, journal: &Journal) -> Result<(Home, Option<Client>), RunFailed> {
        let actual = self.keys.account.account();
        match &journal.home {
            Some(home) if home.account == actual => Ok((home.clone(), None)),
            Some(home) => Err(RunFailed::OtherAccount {
                found: home.account,
                actual,
            }),
            None => {
                let client = chain::connect(&self.config.chain_url, &self.health).await;
                let home = chain::discover(&client, actual, &self.health).await;
                Ok((home, Some(client)))
            }
        }
    }

    fn start(
        self,
        store: Store,
        journal: Journal,
        home: Home,
        client: Option<Client>,
        waiting: mpsc::Receiver<Event>,
    ) -> Running {
        let (events, health) = (self.events.clone(), self.health.clone());
        let settings = mqtt::Settings::new(&self.config, &self.keys, home.name.clone());
        let mqtt = Mqtt::start(settings, events.clone(), health.clone());
        let settings = chain::Settings {
            url: self.config.chain_url,
            signer: self.keys.account,
        };
        let cursor = journal.cursor;
        let chain = Chain::start(
            settings,
            client,
            home.clone(),
            cursor,
            events.clone(),
            health.clone(),
        );
        let relay = Relay::new(
            home,
            &self.config.prefix,
            self.keys.statement,
            journal,
            Box::new(OsRng),
        );
        let owner = Owner::new(
            relay,
            store,
            mqtt.broker(),
            chain.ledger(),
            self.rekey_seconds,
            health.clone(),
        );
        let owner = match self.keys.anchor {
            Some(anchor) => owner.first(Input::Anchor(anchor)),
            None => owner,
        };
        self.health.set_starting(None);
        Running {
            owner: tokio::task::spawn_blocking(move || owner.run(waiting)),
            chain,
            mqtt,
            ticks: tokio::spawn(tick(events.clone())),
            events,
            health,
        }
    }
}

/// Tells the owner that time passes. One that has a full queue knows.
async fn tick(events: mpsc::Sender<Event>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        if let Err(mpsc::error::TrySendError::Closed(_)) =
            events.try_send(Event::Input(Input::Tick))
        {
            return;
        }
    }
}

/// Everything that runs.
struct Running {
    owner: JoinHandle<Result<(), StoreFailed>>,
    chain: Chain,
    mqtt: Mqtt,
    ticks: JoinHandle<()>,
    events: mpsc::Sender<Event>,
    health: Arc<Health>,
}

impl Running {
    /// Lets the owner deal with what waits, says goodbye to the broker, and stops; within a few seconds, whatever hangs. What
    /// is not done then is in the journal.
    async fn finish(self) {
        self.health.stop();
        self.ticks.abort();
        self.chain.task.abort();
        let owner = self.owner;
        let finishing = async {
            if !owner.is_finished() && self.events.send(Event::Stop).await.is_ok() {
                // It has told already why it ended, or does so now.
                if let Ok(Err(error)) = owner.await {
                    tracing::error!(%error, "the last changes are not durable");
                }
            }
        };
        if tokio::time::timeout(FINISH, finishing).await.is_err() {
            tracing::warn!("the last changes were not durable in time");
        }
        self.mqtt.leave(GOODBYE).await;
    }
}

fn notify(state: &[sd_notify::NotifyState<'_>]) {
    // Without systemd there is nobody to notify.
    if let Err(error) = sd_notify::notify(false, state) {
        tracing::debug!(%error, "systemd was not notified");
    }
}
