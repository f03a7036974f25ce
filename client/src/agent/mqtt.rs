//! The link over MQTT 5, with rumqttc: a persistent session under the device's id, acknowledgements by hand, back-off, and
//! TLS whenever the address says so.

mod gate;
mod options;

use std::{collections::BTreeMap, fmt, io::ErrorKind, time::Duration};

use keyward_protocol::DeviceId;
use rand_core::{OsRng, RngCore as _};
use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, ManualAck, Packet, PublishNotice,
    PublishNoticeError, PublishOptions, QoS, RetainForwardRule, SubscribeFilter,
    SubscribeNoticeError, SubscribeReasonCode,
};
use tokio::{sync::mpsc, task::JoinHandle, time};

use self::gate::{Gate, Keeper};
pub use self::options::LinkInvalid;
use super::{
    address::Connection,
    link::{Interest, Link, LinkEvent, NotPublished, Publication, Received, Ticket, Will},
};

/// Events that wait to be taken before nothing more is read.
const WAITING: usize = 256;
/// Filters in one SUBSCRIBE.
const FILTERS: usize = 32;
/// Shortest and longest pause before connecting again; up to half of it is left to chance, so that devices do not come all at
/// once after an outage.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(15));
/// How long a connection must have stood to count as one.
const STABLE: Duration = Duration::from_secs(10);
/// How long ending in good order may take.
const CLOSING: Duration = Duration::from_secs(2);

/// A link over MQTT 5.
pub struct Mqtt {
    client: AsyncClient,
    events: mpsc::Receiver<FromBroker>,
    answers: mpsc::UnboundedReceiver<LinkEvent>,
    answer: mpsc::UnboundedSender<LinkEvent>,
    wanted: BTreeMap<String, Interest>,
    connected: bool,
    was_connected: bool,
    unacknowledged: BTreeMap<Ticket, ManualAck>,
    tickets: u64,
    keeper: Keeper,
    poller: JoinHandle<()>,
}

/// What the task that polls passes on.
enum FromBroker {
    Connected { resumed: bool },
    Disconnected { reason: String, told: bool },
    Publish(rumqttc::Publish),
}

impl Mqtt {
    /// Begins to connect as a device. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// When the options contradict each other, or a file that they name cannot be used. That the broker cannot be reached
    /// comes as [`LinkEvent::Disconnected`].
    pub fn begin(connection: &Connection, device: &DeviceId) -> Result<Self, LinkInvalid> {
        Self::begin_at(connection, device, gate::open())
    }

    /// The same, but waits before each connection until it was told the will ([`Link::will`]).
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub fn begin_with_will(
        connection: &Connection,
        device: &DeviceId,
    ) -> Result<Self, LinkInvalid> {
        Self::begin_at(connection, device, gate::kept())
    }

    fn begin_at(
        connection: &Connection,
        device: &DeviceId,
        (keeper, gate): (Keeper, Gate),
    ) -> Result<Self, LinkInvalid> {
        let options = options::of(connection, device)?;
        let (client, eventloop) = AsyncClient::builder(options).unbounded().build();
        let (sender, events) = mpsc::channel(WAITING);
        let (answer, answers) = mpsc::unbounded_channel();
        Ok(Self {
            client,
            events,
            answers,
            answer,
            wanted: BTreeMap::new(),
            connected: false,
            was_connected: false,
            unacknowledged: BTreeMap::new(),
            tickets: 0,
            keeper,
            poller: tokio::spawn(poll(eventloop, sender, gate)),
        })
    }

    fn told(&mut self, told: FromBroker) -> Option<LinkEvent> {
        match told {
            FromBroker::Connected { resumed } => {
                self.connected = true;
                let again = self.was_connected;
                self.was_connected = true;
                self.send_subscriptions(&self.wanted, again);
                Some(LinkEvent::Connected { resumed })
            }
            FromBroker::Disconnected { reason, told } => {
                self.connected = false;
                // The broker sends them again on the next connection.
                self.unacknowledged.clear();
                Some(LinkEvent::Disconnected { reason, told })
            }
            FromBroker::Publish(publish) => self.received(publish),
        }
    }

    fn received(&mut self, publish: rumqttc::Publish) -> Option<LinkEvent> {
        let ticket = Ticket(self.tickets);
        self.tickets = self.tickets.saturating_add(1);
        let ack = self.client.prepare_ack(&publish);
        let Ok(topic) = String::from_utf8(publish.topic.to_vec()) else {
            // MQTT forbids it: nobody can have meant it for us.
            ack.map(|ack| self.client.try_manual_ack(ack));
            return None;
        };
        if let Some(ack) = ack {
            self.unacknowledged.insert(ticket, ack);
        }
        Some(LinkEvent::Received(Received {
            topic,
            payload: publish.payload.to_vec(),
            retain: publish.retain,
            ticket,
        }))
    }

    /// Subscribes with every connection, whatever the broker says that it remembers. `again`: this process was subscribed to it
    /// before.
    fn send_subscriptions(&self, wanted: &BTreeMap<String, Interest>, again: bool) {
        let filters: Vec<_> = wanted
            .iter()
            .map(|(filter, kind)| options_of(filter, *kind, again))
            .collect();
        for some in filters.chunks(FILTERS) {
            let (client, answer, some) = (self.client.clone(), self.answer.clone(), some.to_vec());
            tokio::spawn(async move {
                if let Some(event) = subscribe(client, some).await {
                    // Nobody listens any more: the program is ending.
                    let _ = answer.send(event);
                }
            });
        }
    }
}

impl Link for Mqtt {
    fn subscribe(&mut self, filters: &[String], interest: Interest) {
        let new: BTreeMap<_, _> = filters
            .iter()
            .map(|filter| (filter.clone(), interest))
            .collect();
        if self.connected {
            self.send_subscriptions(&new, false);
        }
        self.wanted.extend(new);
    }

    fn unsubscribe(&mut self, filters: &[String]) {
        self.wanted.retain(|filter, _| !filters.contains(filter));
        for filter in filters {
            // The channel has no bound; it is closed only when the program is ending.
            let _ = self.client.try_unsubscribe(filter.as_str());
        }
    }

    fn publish(&mut self, publication: Publication, topic: &str, payload: Vec<u8>, retain: bool) {
        // Queued here, so that publications leave in the order in which they were asked for.
        let queued = queue(&self.client, topic, &payload, retain);
        let (client, answer, topic) = (self.client.clone(), self.answer.clone(), topic.to_owned());
        tokio::spawn(async move {
            let outcome = publish(queued, client, topic, payload, retain).await;
            let _ = answer.send(LinkEvent::Published(publication, outcome));
        });
    }

    fn acknowledge(&mut self, ticket: Ticket) {
        if let Some(ack) = self.unacknowledged.remove(&ticket) {
            let _ = self.client.try_manual_ack(ack);
        }
    }

    fn will(&mut self, will: Option<Will>) {
        self.keeper.tell(will);
    }

    fn renew(&mut self) {
        self.keeper.renew();
    }

    async fn next(&mut self) -> LinkEvent {
        loop {
            let told = tokio::select! {
                Some(answer) = self.answers.recv() => return answer,
                Some(told) = self.events.recv() => told,
                // The task that polls ends only with the program.
                else => std::future::pending().await,
            };
            if let Some(event) = self.told(told) {
                return event;
            }
        }
    }

    async fn close(mut self) {
        if self.connected && self.client.disconnect_with_timeout(CLOSING).await.is_ok() {
            // Whatever still comes is not wanted; the broker keeps it.
            let drained = async { while self.events.recv().await.is_some() {} };
            let _ = time::timeout(CLOSING, drained).await;
        }
    }
}

impl Drop for Mqtt {
    fn drop(&mut self) {
        self.poller.abort();
    }
}

impl fmt::Debug for Mqtt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mqtt")
            .field("connected", &self.connected)
            .finish_non_exhaustive()
    }
}

/// Polls the connection; publishes and subscribes nothing itself, so that it never waits for itself.
async fn poll(mut eventloop: EventLoop, sender: mpsc::Sender<FromBroker>, mut gate: Gate) {
    let mut pause = PAUSES.0;
    gate.pass(&mut eventloop.options).await;
    let mut since = time::Instant::now();
    loop {
        let polled = tokio::select! {
            polled = eventloop.poll() => Some(polled),
            () = gate.renewed() => None,
        };
        let Some(polled) = polled else {
            // The connection is dropped without a word, which the broker forgives for as long as it waits with the will.
            eventloop.clean();
            let (reason, told) = ("to be connected anew".to_owned(), true);
            if sender
                .send(FromBroker::Disconnected { reason, told })
                .await
                .is_err()
            {
                return;
            }
            gate.pass(&mut eventloop.options).await;
            continue;
        };
        let told = match polled {
            Ok(Event::Incoming(Packet::ConnAck(connack))) => {
                since = time::Instant::now();
                let resumed = connack.session_present;
                FromBroker::Connected { resumed }
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => FromBroker::Publish(publish),
            Ok(Event::Outgoing(rumqttc::Outgoing::Disconnect)) => return,
            Ok(_) => continue,
            Err(ConnectionError::RequestsDone) => return,
            Err(error) => {
                let (reason, told) = (error.to_string(), may_be_told(&error));
                if sender
                    .send(FromBroker::Disconnected { reason, told })
                    .await
                    .is_err()
                {
                    return;
                }
                if since.elapsed() > STABLE {
                    pause = PAUSES.0;
                }
                time::sleep(by_chance(pause)).await;
                gate.pass(&mut eventloop.options).await;
                pause = (pause * 2).min(PAUSES.1);
                since = time::Instant::now();
                continue;
            }
        };
        if sender.send(told).await.is_err() {
            return;
        }
    }
}

/// Whether the broker may have been told the will before the connection failed.
fn may_be_told(error: &ConnectionError) -> bool {
    match error {
        ConnectionError::Io(error) => !matches!(
            error.kind(),
            ErrorKind::ConnectionRefused
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkUnreachable
        ),
        ConnectionError::Tls(_) | ConnectionError::ConnectionRefused(_) => false,
        _ => true,
    }
}

/// Between half of a pause and all of it.
fn by_chance(pause: Duration) -> Duration {
    let half = pause / 2;
    half + half.mul_f64(f64::from(OsRng.next_u32()) / f64::from(u32::MAX))
}

/// What is retained comes anew for control messages; for applications again only when the broker has forgotten the device.
fn options_of(filter: &str, interest: Interest, again: bool) -> SubscribeFilter {
    let is_application = interest == Interest::Application;
    let qos = match interest {
        Interest::Control => QoS::AtMostOnce,
        Interest::Application => QoS::AtLeastOnce,
    };
    let mut options = SubscribeFilter::new(filter, qos);
    options.nolocal = is_application;
    if is_application && again {
        options.retain_forward_rule = RetainForwardRule::OnNewSubscribe;
    }
    options
}

/// Subscribes, and waits for the answer; none if the connection was lost, for then it is done again.
async fn subscribe(client: AsyncClient, filters: Vec<SubscribeFilter>) -> Option<LinkEvent> {
    let names: Vec<_> = filters.iter().map(|filter| filter.path.clone()).collect();
    let notice = client.subscribe_many_tracked(filters).await;
    let answer = match notice {
        Ok(notice) => notice.wait_async().await,
        Err(_) => return refused(names),
    };
    let codes = match answer {
        Ok(answer) => answer.return_codes,
        Err(SubscribeNoticeError::V5SubAckFailure(codes)) => codes,
        Err(_) => return None,
    };
    let granted =
        |code: Option<&SubscribeReasonCode>| matches!(code, Some(SubscribeReasonCode::Success(_)));
    let numbered = names.into_iter().enumerate();
    let (yes, no): (Vec<_>, Vec<_>) = numbered.partition(|(at, _)| granted(codes.get(*at)));
    Some(LinkEvent::Subscribed {
        granted: yes.into_iter().map(|(_, name)| name).collect(),
        refused: no.into_iter().map(|(_, name)| name).collect(),
    })
}

fn refused(refused: Vec<String>) -> Option<LinkEvent> {
    Some(LinkEvent::Subscribed {
        granted: Vec::new(),
        refused,
    })
}

/// Queues a publication; the queue has no bound.
fn queue(
    client: &AsyncClient,
    topic: &str,
    payload: &[u8],
    retain: bool,
) -> Result<PublishNotice, NotPublished> {
    let options = PublishOptions::new(QoS::AtLeastOnce).retain(retain);
    let queued = client.try_publish_tracked(topic.to_owned(), payload.to_vec(), options);
    queued.map_err(|error| NotPublished::Impossible {
        reason: error.to_string(),
    })
}

/// Waits until the broker has acknowledged what was queued, also over connections and sessions that are lost meanwhile.
async fn publish(
    mut queued: Result<PublishNotice, NotPublished>,
    client: AsyncClient,
    topic: String,
    payload: Vec<u8>,
    retain: bool,
) -> Result<(), NotPublished> {
    loop {
        match queued?.wait_completion_async().await {
            Ok(()) => return Ok(()),
            Err(PublishNoticeError::SessionReset) => {
                queued = queue(&client, &topic, &payload, retain);
            }
            Err(PublishNoticeError::V5PubAck(reason)) => {
                let reason = format!("{reason:?}");
                return Err(NotPublished::Refused { reason });
            }
            Err(error) => {
                let reason = error.to_string();
                return Err(NotPublished::Impossible { reason });
            }
        }
    }
}
