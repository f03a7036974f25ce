//! The connection to the broker, behind [`Broker`].
//!
//! Each connection is a fresh one for the library, and says so in order: [`Input::Connected`], what the broker holds and what
//! devices say, [`Input::Disconnected`]. At the broker the session lasts for a day, so that what devices say while the
//! bridge is away waits for it. What the bridge says waits nowhere: whatever is lost with a connection, the relay finds
//! missing.

mod connection;
mod session;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use keyward_protocol::{topic::ControlTopic, GatewayName};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use crate::{
    config::{BrokerAddress, Config, Keys},
    health::Health,
    owner::Event,
    relay::{broker::Publish, Input},
};

/// First pause before the next connection.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long a broker may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What the broker is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Publish and retain; comes back as [`Input::Answered`] when the broker has taken it.
    Publish(Publish),
    /// Publish without retaining.
    Respond {
        /// Where.
        topic: String,
        /// What.
        payload: Vec<u8>,
    },
    /// Acknowledge a message.
    Acknowledge(u64),
    /// Subscribe anew, so that everything retained is told again.
    Resubscribe,
    /// Say goodbye and disconnect.
    Leave,
}

/// A connection to a broker. What is asked while there is none is forgotten.
pub trait Broker: Send {
    /// Asks without waiting; tells whether there was somebody to ask.
    fn ask(&self, command: Command) -> bool;
}

/// Where to connect, as whom, and to which topics.
#[derive(Clone)]
pub struct Settings {
    /// The broker.
    pub address: BrokerAddress,
    /// MQTT client id.
    pub client_id: String,
    /// User name and password.
    pub login: Option<(String, zeroize::Zeroizing<String>)>,
    /// PEM of authorities, certificate and key; with TLS only.
    pub certificates: Certificates,
    /// Prefix of the control topics.
    pub prefix: String,
    /// The gateway's short name.
    pub gateway: GatewayName,
    /// How long the broker may take to acknowledge something, until the connection is given up for another one.
    pub answer_within: Duration,
}

/// Certificates of a TLS connection.
#[derive(Clone, Default)]
pub struct Certificates {
    /// Authorities that may vouch for the broker; none: the system's.
    pub ca: Option<Vec<u8>>,
    /// The client's.
    pub client: Option<crate::config::ClientPem>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let BrokerAddress { host, port, .. } = &self.address;
        write!(f, "Settings({} at {host}:{port})", self.client_id)
    }
}

impl Settings {
    /// From configuration and keys.
    pub fn new(config: &Config, keys: &Keys, gateway: GatewayName) -> Self {
        let password = keys.password.clone().unwrap_or_default();
        let login = config.username.clone().map(|name| (name, password));
        Self {
            address: config.broker.clone(),
            client_id: config.client_id.clone(),
            login,
            certificates: Certificates {
                ca: keys.ca.clone(),
                client: keys.client.clone(),
            },
            prefix: config.prefix.clone(),
            gateway,
            answer_within: ANSWER_WITHIN,
        }
    }

    fn state_topic(&self) -> String {
        ControlTopic::GatewayState(self.gateway.clone()).to_topic(&self.prefix)
    }

    fn own_branch(&self) -> String {
        format!("{}/gateway/{}/", self.prefix, self.gateway)
    }

    /// The gateway's own branch, and what devices say to it.
    fn filters(&self) -> [String; 3] {
        let (prefix, gateway) = (&self.prefix, &self.gateway);
        [
            format!("{prefix}/gateway/{gateway}/#"),
            format!("{prefix}/device/+/{gateway}/request"),
            format!("{prefix}/device/+/{gateway}/ack"),
        ]
    }
}

/// The way into the connection that stands, if one does.
#[derive(Clone, Default)]
struct Line(Arc<Mutex<Option<mpsc::Sender<Command>>>>);

impl Line {
    fn set(&self, commands: Option<mpsc::Sender<Command>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = commands;
    }
}

impl Broker for Line {
    fn ask(&self, command: Command) -> bool {
        let line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        line.as_ref()
            .is_some_and(|commands| commands.try_send(command).is_ok())
    }
}

/// The adapter: connects, again and again, until it is told to leave.
pub struct Mqtt {
    line: Line,
    leave: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Mqtt {
    /// Starts connecting.
    pub fn start(settings: Settings, events: mpsc::Sender<Event>, health: Arc<Health>) -> Self {
        let line = Line::default();
        let (leave, leaving) = watch::channel(false);
        let keeper = Keeper {
            settings,
            events,
            health,
            line: line.clone(),
            leaving,
        };
        Self {
            line,
            leave,
            task: tokio::spawn(keeper.connect_for_ever()),
        }
    }

    /// For whoever decides what is published.
    pub fn broker(&self) -> Box<dyn Broker> {
        Box::new(self.line.clone())
    }

    /// Says that the gateway goes offline, and disconnects; gives up after `patience`.
    pub async fn leave(self, patience: Duration) {
        // The receiver ends only with the task.
        let _ = self.leave.send(true);
        self.line.ask(Command::Leave);
        let abort = self.task.abort_handle();
        if tokio::time::timeout(patience, self.task).await.is_err() {
            tracing::warn!("the broker did not take the goodbye in time");
            abort.abort();
        }
    }
}

struct Keeper {
    settings: Settings,
    events: mpsc::Sender<Event>,
    health: Arc<Health>,
    line: Line,
    leaving: watch::Receiver<bool>,
}

impl Keeper {
    async fn connect_for_ever(mut self) {
        let mut pause = PAUSE;
        while !*self.leaving.borrow() {
            let ended =
                connection::Connection::new(&self.settings, &self.events, &self.line, &self.health)
                    .run()
                    .await;
            self.line.set(None);
            if ended.stood {
                pause = PAUSE;
                // Nobody listens any more when the bridge stops.
                let _ = self.events.send(Event::Input(Input::Disconnected)).await;
            }
            if *self.leaving.borrow() {
                return;
            }
            tracing::warn!(problem = %ended.why, pause = ?pause, "no connection to the broker; trying again");
            self.health.set_broker_problem(Some(ended.why));
            let waiting = tokio::time::sleep(pause);
            tokio::select! {
                () = waiting => {}
                _ = self.leaving.changed() => return,
            }
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }
}
