//! One connection: a task that polls, and one that publishes, so that a full queue of the library never stops the polling.

use std::{
    collections::HashMap,
    future::Future,
    sync::{
        atomic::{AtomicU64, AtomicUsize, Ordering},
        Arc, Mutex, PoisonError,
    },
    time::Duration,
};

use futures::{future::BoxFuture, stream::FuturesUnordered, FutureExt, StreamExt};
use keyward_protocol::limits;
use rand_core::{OsRng, RngCore};
use rumqttc::{
    AckMode, AsyncClient, Event as Polled, EventLoop, LastWill, ManualAck, MqttOptions, Packet,
    PublishNoticeError, PublishOptions, PublishResult, QoS, SubscribeFilterInput,
    SubscribeProperties, SubscribeReasonCode, TlsConfiguration, Transport,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use super::{session, Command, Line, Settings};
use crate::{
    config::Encryption,
    health::Health,
    owner::Event,
    relay::{broker::Publish, Input, Message, OFFLINE},
};

/// How long the broker keeps the session of a bridge that is away, in seconds.
const SESSION_EXPIRY: u32 = 24 * 3600;
/// Seconds without a packet after which the library asks whether the broker is there.
const KEEP_ALIVE: u16 = 20;
/// Seconds until a connection must stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Messages that the broker may send before the first of them is acknowledged.
const UNACKNOWLEDGED: u16 = 512;
/// Commands that may wait: a window of the relay, acknowledgements and answers.
const QUEUE: usize = 4096;
/// Requests that wait in the library.
const REQUESTS: usize = 64;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);
/// Largest number of a subscription (MQTT 5, section 3.8.2.1.2).
const LAST_SUBSCRIPTION: usize = (1 << 28) - 1;

/// Names messages, over all connections.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// What the broker says to a publish: the token to report, if it has one and the broker took it. Or why the connection must end.
type Answer = BoxFuture<'static, Result<Option<u64>, String>>;

/// Acknowledgements that are due, by message.
type Due = Arc<Mutex<HashMap<u64, ManualAck>>>;

/// How a connection ended.
pub(super) struct Ended {
    /// Whether it had stood.
    pub(super) stood: bool,
    /// Why, for an operator.
    pub(super) why: String,
}

/// One connection.
pub(super) struct Connection<'a> {
    settings: &'a Settings,
    events: &'a mpsc::Sender<Event>,
    line: &'a Line,
    health: &'a Health,
    due: Due,
    stood: bool,
    subscribed: bool,
    /// Number of the newest subscription.
    subscription: Arc<AtomicUsize>,
}

impl<'a> Connection<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        events: &'a mpsc::Sender<Event>,
        line: &'a Line,
        health: &'a Health,
    ) -> Self {
        Self {
            settings,
            events,
            line,
            health,
            due: Due::default(),
            stood: false,
            subscribed: false,
            subscription: Arc::default(),
        }
    }

    /// Connects, and serves until the connection is lost or left.
    pub(super) async fn run(mut self) -> Ended {
        let options = match options(self.settings) {
            Ok(options) => options,
            Err(why) => return Ended { stood: false, why },
        };
        let (client, polls) = AsyncClient::builder(options).capacity(REQUESTS).build();
        let why = self.serve(client, polls).await;
        Ended {
            stood: self.stood,
            why,
        }
    }

    async fn serve(&mut self, client: AsyncClient, mut polls: EventLoop) -> String {
        let (commands, waiting) = mpsc::channel(QUEUE);
        let (stands, standing) = oneshot::channel();
        let mut stands = Some(stands);
        let writer = Writer {
            client: client.clone(),
            settings: self.settings.clone(),
            events: self.events.clone(),
            due: self.due.clone(),
            subscription: self.subscription.clone(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(writer.run(standing, waiting));
        loop {
            let polled = tokio::select! {
                polled = polls.poll() => polled,
                Some(ended) = tasks.join_next() => match ended {
                    // It said goodbye: only the last packets are left.
                    Ok(None) => polls.poll().await,
                    Ok(Some(why)) => return why,
                    Err(error) => return error.to_string(),
                },
            };
            match polled {
                Ok(Polled::Incoming(Packet::ConnAck(_))) => {
                    self.stood = true;
                    self.line.set(Some(commands.clone()));
                    self.tell(Input::Connected).await;
                    if let Some(stands) = stands.take() {
                        // A writer that has gone says why above.
                        let _ = stands.send(());
                    }
                }
                Ok(Polled::Incoming(packet)) => self.incoming(packet, &client).await,
                Ok(_) => {}
                Err(error) => return error.to_string(),
            }
        }
    }

    async fn tell(&self, input: Input) {
        // Nobody listens any more when the bridge stops.
        let _ = self.events.send(Event::Input(input)).await;
    }

    async fn incoming(&mut self, packet: Packet, client: &AsyncClient) {
        match packet {
            Packet::SubAck(_) if !self.subscribed => {
                self.subscribed = true;
                self.health.set_broker_problem(None);
                tracing::info!("connected to the broker");
            }
            Packet::Publish(publish) => self.message(publish, client).await,
            _ => {}
        }
    }

    async fn message(&self, publish: rumqttc::Publish, client: &AsyncClient) {
        let ack = client.prepare_ack(&publish);
        let topic = String::from_utf8(publish.topic.to_vec());
        // What the broker retains now comes with the newest subscription.
        let stale = |topic: &String| {
            topic.starts_with(&self.settings.own_branch()) && !self.is_of_newest(&publish)
        };
        let topic = match topic {
            Ok(topic) if !stale(&topic) => topic,
            _ => {
                // A full queue: the broker delivers it again with the next connection.
                let _ = ack.map(|ack| client.try_manual_ack(ack));
                return;
            }
        };
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        if let Some(ack) = ack {
            let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
            due.insert(id, ack);
        }
        self.tell(Input::Message(Message {
            id,
            topic,
            payload: publish.payload.to_vec(),
            retained: publish.retain,
        }))
        .await;
    }

    /// Whether a message comes of the newest subscription, and not of an earlier one, which the broker kept for an earlier
    /// connection. A broker that does not number subscriptions delivers those before it confirms a new one.
    fn is_of_newest(&self, publish: &rumqttc::Publish) -> bool {
        let numbers = publish.properties.as_ref();
        let numbers = numbers.map_or(&[][..], |its| &its.subscription_identifiers);
        match numbers.is_empty() {
            true => self.subscribed,
            false => numbers.contains(&self.subscription.load(Ordering::Relaxed)),
        }
    }
}

/// What an operator has configured, in the library's terms.
fn options(settings: &Settings) -> Result<MqttOptions, String> {
    let address = (settings.address.host.clone(), settings.address.port);
    let mut options = MqttOptions::new(settings.client_id.clone(), address);
    let will = LastWill::new(
        settings.state_topic(),
        OFFLINE,
        QoS::AtLeastOnce,
        true,
        None,
    );
    options
        .set_transport(transport(settings)?)
        .set_keep_alive(KEEP_ALIVE)
        .set_connect_timeout(CONNECT_TIMEOUT)
        .set_clean_start(false)
        .set_session_expiry_interval(Some(SESSION_EXPIRY))
        .set_session_store(session::Empty {
            expiry: SESSION_EXPIRY,
        })
        .set_ack_mode(AckMode::Manual)
        .set_receive_maximum(Some(UNACKNOWLEDGED))
        .set_max_packet_size(u32::try_from(limits::CONTROL_PACKET).ok())
        .set_last_will(will);
    if let Some((name, password)) = &settings.login {
        options.set_credentials(name.clone(), password.as_bytes().to_vec());
    }
    Ok(options)
}

fn transport(settings: &Settings) -> Result<Transport, String> {
    let certificates = &settings.certificates;
    let Encryption::Tls { .. } = &settings.address.encryption else {
        return Ok(Transport::tcp());
    };
    let client = certificates.client.as_ref();
    let client = client.map(|(cert, key)| (cert.clone(), key.to_vec()));
    match &certificates.ca {
        Some(ca) => Ok(Transport::tls(ca.clone(), client, None)),
        None if client.is_some() => Err("a client certificate needs mqtt.ca_file".into()),
        None => TlsConfiguration::try_default_rustls()
            .map(Transport::tls_with_config)
            .map_err(|error| format!("the system's certificate authorities: {error}")),
    }
}

/// Publishes.
struct Writer {
    client: AsyncClient,
    settings: Settings,
    events: mpsc::Sender<Event>,
    due: Due,
    subscription: Arc<AtomicUsize>,
}

impl Writer {
    /// Serves commands; gives why the connection must end, or nothing after a goodbye.
    async fn run(
        self,
        standing: oneshot::Receiver<()>,
        mut commands: mpsc::Receiver<Command>,
    ) -> Option<String> {
        standing.await.ok()?;
        if let Err(why) = self.perform(Command::Resubscribe).await {
            return Some(why);
        }
        let mut open = FuturesUnordered::<Answer>::new();
        loop {
            tokio::select! {
                Some(answer) = open.next(), if !open.is_empty() => match answer {
                    Ok(Some(token)) => {
                        // Nobody listens any more when the bridge stops.
                        let _ = self.events.send(Event::Input(Input::Answered(token))).await;
                    }
                    Ok(None) => {}
                    Err(why) => return Some(why),
                },
                command = commands.recv() => match command? {
                    Command::Leave => return self.leave().await,
                    command => match self.perform(command).await {
                        Ok(answer) => open.extend(answer),
                        Err(why) => return Some(why),
                    },
                },
            }
        }
    }

    /// Does what is asked, or gives why the connection must end. Also the library does not take more while the broker has not
    /// acknowledged enough of what it took before.
    async fn perform(&self, command: Command) -> Result<Option<Answer>, String> {
        let performing = async {
            match command {
                Command::Publish(publish) => self.publish(publish).await.map(Some),
                Command::Respond { topic, payload } => {
                    let options = PublishOptions::at_least_once();
                    self.send(topic, payload, options, None).await.map(Some)
                }
                Command::Acknowledge(id) => self.acknowledge(id).await.map(|()| None),
                Command::Resubscribe => self.subscribe().await.map(|()| None),
                Command::Leave => Ok(None),
            }
        };
        within(self.settings.answer_within, performing).await?
    }

    async fn acknowledge(&self, id: u64) -> Result<(), String> {
        let ack = self
            .due
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
        match ack {
            Some(ack) => self
                .client
                .manual_ack(ack)
                .await
                .map_err(|error| error.to_string()),
            // Of an earlier connection: it comes again.
            None => Ok(()),
        }
    }

    /// Subscribes, and waits until the broker has said yes: what is published afterwards comes back after what is retained.
    ///
    /// The broker forwards the retain flag as it was published: only what is retained tells what it holds.
    async fn subscribe(&self) -> Result<(), String> {
        let filters = self.settings.filters();
        let wanted = filters.map(|filter| {
            SubscribeFilterInput::new(filter, QoS::AtLeastOnce).preserve_retain(true)
        });
        let number = new_subscription();
        self.subscription.store(number, Ordering::Relaxed);
        let properties = SubscribeProperties {
            id: Some(number),
            user_properties: Vec::new(),
        };
        let notice = self
            .client
            .subscribe_many_with_properties_tracked(wanted, properties)
            .await;
        let answer = notice
            .map_err(|error| error.to_string())?
            .wait_async()
            .await;
        let answer = answer.map_err(|error| error.to_string())?;
        let refused =
            |code: &&SubscribeReasonCode| !matches!(code, SubscribeReasonCode::Success(_));
        match answer.return_codes.iter().find(refused) {
            None => Ok(()),
            Some(code) => Err(format!(
                "it refuses subscriptions below {} ({code:?}); look at its access list",
                self.settings.prefix
            )),
        }
    }

    async fn publish(&self, publish: Publish) -> Result<Answer, String> {
        let Publish {
            token,
            topic,
            payload,
        } = publish;
        let options = PublishOptions::at_least_once().retained();
        self.send(topic, payload.to_vec(), options, Some(token))
            .await
    }

    async fn send(
        &self,
        topic: String,
        payload: Vec<u8>,
        options: PublishOptions,
        token: Option<u64>,
    ) -> Result<Answer, String> {
        let notice = self.client.publish_tracked(topic.clone(), payload, options);
        let notice = notice.await.map_err(|error| error.to_string())?;
        let patience = self.settings.answer_within;
        let answer = async move {
            let taken = was_taken(&topic, within(patience, notice.wait_async()).await?);
            Ok(token.filter(|_| taken))
        };
        Ok(answer.boxed())
    }

    /// Says that the gateway is offline, which the broker says only of who does not say it itself.
    async fn leave(&self) -> Option<String> {
        let goodbye = async {
            let topic = self.settings.state_topic();
            let options = PublishOptions::at_least_once().retained();
            let notice = self
                .client
                .publish_tracked(topic, OFFLINE, options)
                .await
                .ok()?;
            notice.wait_async().await.ok()
        };
        let said = tokio::time::timeout(GOODBYE, goodbye).await.ok().flatten();
        let left = self.client.disconnect_with_timeout(GOODBYE).await;
        match (said, left) {
            (Some(_), Ok(())) => None,
            _ => Some("it did not take the goodbye".into()),
        }
    }
}

/// A number that no earlier subscription of this session has, also none of an earlier process.
fn new_subscription() -> usize {
    (OsRng.next_u32() as usize % LAST_SUBSCRIPTION) + 1
}

/// A broker that acknowledges nothing is not one that works: another connection may find it better.
async fn within<T>(patience: Duration, answer: impl Future<Output = T>) -> Result<T, String> {
    let answer = tokio::time::timeout(patience, answer).await;
    let silent = |_| {
        let seconds = patience.as_secs_f32();
        format!("it has not acknowledged what was sent {seconds} s ago; look at its log, its load and its disk")
    };
    answer.map_err(silent)
}

/// Whether the broker took a message. A refusal is for the operator.
fn was_taken(topic: &str, answer: Result<PublishResult, PublishNoticeError>) -> bool {
    match answer {
        Ok(PublishResult::Qos1(ack)) if !is_accepted(&ack) => {
            tracing::warn!(topic, reason = ?ack.reason, "the broker refused a message; look at its access list and limits");
            false
        }
        Ok(_) => true,
        Err(error) => {
            tracing::debug!(topic, %error, "a message was lost with the connection");
            false
        }
    }
}

fn is_accepted(ack: &rumqttc::PubAck) -> bool {
    use rumqttc::PubAckReason;
    matches!(
        ack.reason,
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers
    )
}
