//! A message from one end to the other: as plain MQTT, and protected by the agent, with its store on disk, at both ends.

use std::time::{Duration, Instant};

use anyhow::{anyhow, bail, ensure, Context, Result};
use keyward_client::{
    agent::{
        clock::Clock,
        driver::{Driver, Messages, Told},
        link::{Interest, Link, LinkEvent, Publication},
        mqtt::Mqtt,
        store::{KeySource, Store},
    },
    session::{Action, Durable, Identity, Kind, Session, Settings},
};
use keyward_protocol::{topic::PREFIX, GroupId, Role};
use keyward_tests::screen::Screen;
use rand_core::OsRng;
use serde::Serialize;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{timeout, Instant as Deadline},
};

use crate::ground::Ground;

const PLAIN: &str = "acme/plain/power";
const PROTECTED: &str = "acme/probe/power";
/// Bytes of payload.
const PAYLOAD: usize = 100;
/// Pause between two messages.
const PAUSE: Duration = Duration::from_millis(10);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Messages that warm up.
const WARM: usize = 20;

/// Seconds from one end to the other.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Latencies {
    /// Plain MQTT.
    pub plain: Vec<f64>,
    /// Sealed, published, opened, delivered.
    pub protected: Vec<f64>,
}

/// Sends so many messages each way, in turns.
pub async fn measure(ground: &Ground, messages: usize, screen: &Screen) -> Result<Latencies> {
    let mut tasks = JoinSet::new();
    let mut plain = Plain::connect(ground, &mut tasks).await?;
    let mut protected = Protected::connect(ground, &mut tasks, screen).await?;
    let mut all = Latencies::default();
    for number in 0..messages + WARM {
        let payload = [number as u8; PAYLOAD];
        let (by_plain, by_protected) = match number % 2 {
            0 => (plain.send(&payload).await?, protected.send(&payload).await?),
            _ => {
                let by_protected = protected.send(&payload).await?;
                (plain.send(&payload).await?, by_protected)
            }
        };
        if number >= WARM {
            all.plain.push(by_plain);
            all.protected.push(by_protected);
        }
    }
    Ok(all)
}

/// Messages that came, with their times.
type Arrivals = mpsc::UnboundedReceiver<(Instant, Vec<u8>)>;

/// The next message, which must be this one.
async fn arrival(arrivals: &mut Arrivals, payload: &[u8], began: Instant) -> Result<f64> {
    let arrived = timeout(PATIENCE, arrivals.recv()).await;
    let (at, came) = arrived
        .context("a message did not arrive")?
        .context("a link ended")?;
    ensure!(came == payload, "another message arrived");
    Ok(at.duration_since(began).as_secs_f64())
}

/// Two clients without Keyward, on links like those of the agent.
struct Plain {
    sender: mpsc::UnboundedSender<Vec<u8>>,
    arrivals: Arrivals,
}

impl Plain {
    async fn connect(ground: &Ground, tasks: &mut JoinSet<()>) -> Result<Self> {
        let connection = ground.connection()?;
        let mut publisher = Mqtt::begin(&connection, &"acme.plain-publisher".parse()?)?;
        let mut subscriber = Mqtt::begin(&connection, &"acme.plain-subscriber".parse()?)?;
        subscriber.subscribe(&[PLAIN.into()], Interest::Application);
        until(&mut publisher, |event| {
            matches!(event, LinkEvent::Connected { .. })
        })
        .await?;
        until(&mut subscriber, |event| {
            matches!(event, LinkEvent::Subscribed { .. })
        })
        .await?;
        let (sender, mut outgoing) = mpsc::unbounded_channel::<Vec<u8>>();
        tasks.spawn(async move {
            loop {
                tokio::select! {
                    Some(payload) = outgoing.recv() => {
                        publisher.publish(Publication(1), PLAIN, payload, false);
                    }
                    _ = publisher.next() => {}
                }
            }
        });
        let (arrived, arrivals) = mpsc::unbounded_channel();
        tasks.spawn(async move {
            loop {
                if let LinkEvent::Received(received) = subscriber.next().await {
                    let _ = arrived.send((Instant::now(), received.payload));
                    subscriber.acknowledge(received.ticket);
                }
            }
        });
        Ok(Self { sender, arrivals })
    }

    async fn send(&mut self, payload: &[u8]) -> Result<f64> {
        tokio::time::sleep(PAUSE).await;
        let began = Instant::now();
        self.sender
            .send(payload.to_vec())
            .ok()
            .context("the publisher ended")?;
        arrival(&mut self.arrivals, payload, began).await
    }
}

async fn until(link: &mut Mqtt, what: impl Fn(&LinkEvent) -> bool) -> Result<()> {
    let looking = async { while !what(&link.next().await) {} };
    timeout(PATIENCE, looking)
        .await
        .context("a client did not connect")
}

/// Two devices with the agent's driver and store.
struct Protected {
    sender: mpsc::UnboundedSender<Vec<u8>>,
    arrivals: Arrivals,
}

impl Protected {
    async fn connect(ground: &Ground, tasks: &mut JoinSet<()>, screen: &Screen) -> Result<Self> {
        let devices = ground.register("probe", 2, screen).await?;
        let group: GroupId = "acme.probe".parse()?;
        ground.create(&group, "acme/probe/#").await?;
        let roles = [Role::Publish, Role::Subscribe];
        let members = devices.iter().zip(roles);
        let members: Vec<_> = members
            .map(|(it, role)| (it.device.clone(), role))
            .collect();
        ground.add(&group, &members).await?;
        ground.settled(&group).await?;
        let [publisher, subscriber] = &devices[..] else {
            bail!("two devices");
        };
        let mut publisher = drive(ground, publisher, Messages::Leave)?;
        let mut subscriber = drive(ground, subscriber, Messages::Take)?;
        subscriber.subscribe(&[PROTECTED.into()]);
        ready(&mut subscriber, true).await?;
        ready(&mut publisher, false).await?;
        let (sender, mut outgoing) = mpsc::unbounded_channel::<Vec<u8>>();
        tasks.spawn(async move {
            loop {
                tokio::select! {
                    Some(payload) = outgoing.recv() => {
                        match publisher.seal(PROTECTED, &payload, Kind::Live) {
                            Ok(Ok(sealed)) => {
                                publisher.publish(Publication(1), PROTECTED, sealed.bytes, false);
                            }
                            refused => return eprintln!("not sealed: {refused:?}"),
                        }
                    }
                    told = publisher.next() => if let Err(failed) = told {
                        return eprintln!("the publisher failed: {failed}");
                    },
                }
            }
        });
        let (arrived, arrivals) = mpsc::unbounded_channel();
        tasks.spawn(async move {
            loop {
                match subscriber.next().await {
                    Ok(told) => hand_up(told, &arrived),
                    Err(failed) => return eprintln!("the subscriber failed: {failed}"),
                }
            }
        });
        Ok(Self { sender, arrivals })
    }

    async fn send(&mut self, payload: &[u8]) -> Result<f64> {
        tokio::time::sleep(PAUSE).await;
        let began = Instant::now();
        self.sender
            .send(payload.to_vec())
            .ok()
            .context("the publisher ended")?;
        arrival(&mut self.arrivals, payload, began).await
    }
}

fn hand_up(told: Vec<Told>, arrived: &mpsc::UnboundedSender<(Instant, Vec<u8>)>) {
    for one in told {
        match one {
            Told::Session(Action::Deliver(delivery)) => {
                let _ = arrived.send((Instant::now(), delivery.payload));
            }
            Told::Session(Action::Refuse { reason, .. }) => eprintln!("refused: {reason:?}"),
            _ => {}
        }
    }
}

/// A device as the agent runs it.
fn drive(ground: &Ground, identity: &Identity, messages: Messages) -> Result<Driver<Mqtt>> {
    let directory = ground.consortium.place.path(identity.device.as_str());
    let store = Store::create(&directory, &KeySource::find(&directory, None))?;
    let clock = Clock::start();
    let session = Session::start(
        Settings::default(),
        ground.provisioned()?,
        identity.clone(),
        Durable::default(),
        Box::new(OsRng),
        clock.now(),
    );
    let link = Mqtt::begin(&ground.connection()?, &identity.device)?;
    let driver = Driver::begin(session, store, link, clock, PREFIX.into(), messages);
    driver.map_err(|failed| anyhow!("{failed}"))
}

/// Waits until a device knows everything of the topic, and its subscription stands.
async fn ready(driver: &mut Driver<Mqtt>, subscribes: bool) -> Result<()> {
    let deadline = Deadline::now() + PATIENCE;
    let mut subscribed = !subscribes;
    let mut usable = None;
    loop {
        ensure!(
            Deadline::now() < deadline,
            "a device knows too little: {:?}",
            driver.session().status()
        );
        let told = driver.next().await.map_err(|failed| anyhow!("{failed}"))?;
        subscribed |= told.iter().any(|one| match one {
            Told::Subscribed { granted, .. } => granted.iter().any(|topic| topic == PROTECTED),
            _ => false,
        });
        if driver.session().is_current(PROTECTED) && subscribed {
            // Until the epoch has settled.
            let since = usable.get_or_insert_with(Instant::now);
            if since.elapsed() > Duration::from_secs(1) {
                return Ok(());
            }
        }
    }
}
