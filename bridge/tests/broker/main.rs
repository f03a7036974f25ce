//! The adapter to the broker, and the relay behind it, with a real Mosquitto, and with a broker that a test speaks for.

mod fake;
mod silence;
mod subscriptions;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command as Process, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use keyward_bridge::{
    admin::metrics::rekey_seconds,
    chain::Ledger,
    config::{BrokerAddress, Encryption},
    health::Health,
    mqtt::{Broker, Command, Mqtt, Settings},
    owner::{Event, Owner},
    relay::{
        broker::Publish,
        journal::{Change, Home, Retained},
        transactions, Input, Message, Relay,
    },
    store::Store,
};
use keyward_crypto::{SigningKey, WrappingKey};
use keyward_protocol::{limits, AccountId, Digest, Genesis};
use keyward_test_ports::free_port;
use rand_core::OsRng;
use rumqttc::{AsyncClient, MqttOptions, Packet, PublishOptions, QoS};
use tokio::sync::mpsc;

const STATE: &str = "keyward/v1/gateway/gw1/state";
const REQUEST: &str = "keyward/v1/device/d1/gw1/request";
const PATIENCE: Duration = Duration::from_secs(20);
/// A broker that remembers nothing when it ends.
const OPEN: &str = "allow_anonymous true\n";

/// A Mosquitto on a free port; killed when dropped.
struct Mosquitto {
    child: Child,
    directory: tempfile::TempDir,
    port: u16,
}

impl Mosquitto {
    fn start(extra: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port().unwrap();
        let config = format!("listener {port} 127.0.0.1\nuser root\n{extra}");
        std::fs::write(directory.path().join("mosquitto.conf"), config).unwrap();
        let child = spawn(directory.path());
        let broker = Self {
            child,
            directory,
            port,
        };
        broker.wait();
        broker
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.child = spawn(self.directory.path());
        self.wait();
    }

    fn wait(&self) {
        let deadline = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "Mosquitto does not listen");
            std::thread::yield_now();
        }
    }

    fn settings(&self) -> Settings {
        settings(self.port)
    }
}

/// Where and as whom to connect: to the broker at a port of this machine.
fn settings(port: u16) -> Settings {
    Settings {
        address: BrokerAddress {
            host: "127.0.0.1".into(),
            port,
            encryption: Encryption::Plain,
        },
        client_id: "gw1".into(),
        login: None,
        certificates: Default::default(),
        prefix: "keyward/v1".into(),
        gateway: "gw1".parse().unwrap(),
        answer_within: PATIENCE,
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(directory: &Path) -> Child {
    let places = [
        "/usr/sbin",
        "/usr/local/sbin",
        "/usr/bin",
        "/opt/homebrew/sbin",
    ];
    let found = places
        .iter()
        .map(|place| Path::new(place).join("mosquitto"));
    let program: PathBuf = found
        .into_iter()
        .find(|path| path.is_file())
        .expect("mosquitto is not installed; run 'apt-get install mosquitto'");
    Process::new(program)
        .arg("-c")
        .arg(directory.join("mosquitto.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The adapter, with what it tells.
struct Adapter {
    mqtt: Mqtt,
    broker: Box<dyn Broker>,
    events: mpsc::Receiver<Event>,
    health: Arc<Health>,
}

impl Adapter {
    fn start(settings: Settings) -> Self {
        let (tell, events) = mpsc::channel(1024);
        let health = Arc::new(Health::default());
        let mqtt = Mqtt::start(settings, tell, health.clone());
        Self {
            broker: mqtt.broker(),
            mqtt,
            events,
            health,
        }
    }

    async fn next(&mut self) -> Input {
        let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
        match event
            .expect("nothing happens")
            .expect("the adapter has ended")
        {
            Event::Input(input) => input,
            other => panic!("{other:?}"),
        }
    }

    /// The next input that a test is interested in.
    async fn until<T>(&mut self, wanted: impl Fn(Input) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.next().await) {
                return found;
            }
        }
    }

    /// Connected, and subscribed: its own message has come back.
    async fn is_up(&mut self) {
        self.until(|input| matches!(input, Input::Connected).then_some(()))
            .await;
        self.publish(1, STATE, b"up");
        self.message(STATE, b"up").await;
    }

    fn publish(&self, token: u64, topic: &str, payload: &[u8]) {
        let asked = self.broker.ask(Command::Publish(Publish {
            token,
            topic: topic.into(),
            payload: Arc::from(payload),
        }));
        assert!(asked, "there is no connection");
    }

    /// Waits until it gives this as the reason why there is no connection.
    async fn says(&self, reason: &str) {
        self.health.saw_block(1);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let why = self.health.not_ready(Some(&status())).unwrap();
            if why.contains(reason) {
                return;
            }
            assert!(Instant::now() < deadline, "it says: {why}");
            tokio::task::yield_now().await;
        }
    }

    async fn message(&mut self, topic: &str, payload: &[u8]) -> Message {
        self.until(|input| match input {
            Input::Message(message) if message.topic == topic && message.payload == payload => {
                Some(message)
            }
            _ => None,
        })
        .await
    }
}

/// Some other client.
struct Device {
    client: AsyncClient,
    heard: mpsc::UnboundedReceiver<rumqttc::Publish>,
}

impl Device {
    async fn connect(port: u16, id: &str) -> Self {
        let mut options = MqttOptions::new(id, ("127.0.0.1".to_owned(), port));
        options.set_max_packet_size(Some(1 << 20));
        let (client, mut polls) = AsyncClient::builder(options).capacity(16).build();
        let (tell, heard) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                match polls.poll().await {
                    Ok(rumqttc::Event::Incoming(Packet::Publish(publish))) => {
                        let _ = tell.send(publish);
                    }
                    Ok(_) => {}
                    Err(_) => return,
                }
            }
        });
        Self { client, heard }
    }

    async fn say(&self, topic: &str, payload: Vec<u8>) {
        self.publish(topic, payload, PublishOptions::at_least_once())
            .await;
    }

    async fn retain(&self, topic: &str, payload: Vec<u8>) {
        let options = PublishOptions::at_least_once().retained();
        self.publish(topic, payload, options).await;
    }

    /// Publishes, and waits until the broker has it.
    async fn publish(&self, topic: &str, payload: Vec<u8>, options: PublishOptions) {
        let notice = self.client.publish_tracked(topic, payload, options).await;
        notice.unwrap().wait_async().await.unwrap();
    }

    /// The next message on a topic, as a new subscriber gets it.
    async fn hears(&mut self, topic: &str, payload: &[u8]) {
        self.client
            .subscribe(topic, QoS::AtLeastOnce)
            .await
            .unwrap();
        let hearing = async {
            loop {
                let publish = self.heard.recv().await.expect("the connection is lost");
                if &publish.topic[..] == topic.as_bytes() && &publish.payload[..] == payload {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, hearing)
            .await
            .expect("it hears nothing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_is_answered_retained_and_comes_back() {
    let mosquitto = Mosquitto::start(OPEN);
    let mut adapter = Adapter::start(mosquitto.settings());
    adapter.is_up().await;
    let topic = "keyward/v1/gateway/gw1/group/g/state";
    adapter.publish(7, topic, b"statement");
    let (mut answered, mut echoed) = (false, false);
    while !(answered && echoed) {
        match adapter.next().await {
            Input::Answered(7) => answered = true,
            Input::Message(message) if message.topic == topic => {
                assert!(message.retained);
                echoed = true;
            }
            _ => {}
        }
    }
    let mut device = Device::connect(mosquitto.port, "d1").await;
    device.hears(topic, b"statement").await;
}

/// BRG-5: what somebody publishes without retaining it is told from what the broker holds.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_says_whether_it_was_published_to_be_retained() {
    let mosquitto = Mosquitto::start(OPEN);
    let mut adapter = Adapter::start(mosquitto.settings());
    adapter.is_up().await;
    let topic = "keyward/v1/gateway/gw1/group/g/state";
    let writer = Device::connect(mosquitto.port, "writer").await;
    writer.retain(topic, b"wrong".to_vec()).await;
    writer.say(topic, b"right".to_vec()).await;
    assert!(adapter.message(topic, b"wrong").await.retained);
    assert!(!adapter.message(topic, b"right").await.retained);
    writer.retain(topic, Vec::new()).await;
    assert!(adapter.message(topic, b"").await.retained);
}

/// What was queued for an earlier connection, many times the window of unacknowledged messages, says nothing of now.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_kept_of_an_earlier_subscription_is_not_taken_for_what_it_holds_now() {
    let mosquitto = Mosquitto::start(OPEN);
    let mut first = Adapter::start(mosquitto.settings());
    first.is_up().await;
    first.mqtt.leave(PATIENCE).await;
    let topic = "keyward/v1/gateway/gw1/group/g/state";
    let writer = Device::connect(mosquitto.port, "writer").await;
    for number in 0..100 {
        let topic = format!("{topic}/{number}");
        writer.retain(&topic, b"once".to_vec()).await;
        writer.retain(&topic, Vec::new()).await;
    }
    let mut second = Adapter::start(mosquitto.settings());
    second
        .until(|input| matches!(input, Input::Connected).then_some(()))
        .await;
    second.publish(1, STATE, b"up");
    second
        .until(|input| match input {
            Input::Message(message) if message.payload == b"up" => Some(()),
            Input::Message(message) if message.topic.starts_with(topic) => {
                panic!("{} is not retained any more", message.topic)
            }
            _ => None,
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_broker_was_killed_it_connects_and_subscribes_again() {
    let mut mosquitto = Mosquitto::start(OPEN);
    let mut adapter = Adapter::start(mosquitto.settings());
    adapter.is_up().await;
    mosquitto.kill();
    adapter
        .until(|input| matches!(input, Input::Disconnected).then_some(()))
        .await;
    assert!(
        !adapter.broker.ask(Command::Resubscribe),
        "what is asked without a connection is forgotten"
    );
    mosquitto.restart();
    adapter.is_up().await;
    let device = Device::connect(mosquitto.port, "d1").await;
    device.say(REQUEST, b"a request".to_vec()).await;
    adapter.message(REQUEST, b"a request").await;
}

/// REQ-6.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_comes_again_until_it_is_acknowledged_also_to_the_next_process() {
    let mosquitto = Mosquitto::start(OPEN);
    let device = Device::connect(mosquitto.port, "d1").await;
    let mut first = Adapter::start(mosquitto.settings());
    first.is_up().await;
    device.say(REQUEST, b"one".to_vec()).await;
    device.say(REQUEST, b"two".to_vec()).await;
    let one = first.message(REQUEST, b"one").await;
    first.message(REQUEST, b"two").await;
    assert!(first.broker.ask(Command::Acknowledge(one.id)));
    // Its own message comes back after the acknowledgement has gone out on the same connection.
    first.publish(2, STATE, b"acknowledged");
    first.message(STATE, b"acknowledged").await;
    // The next process takes the session over, as after a kill.
    let mut second = Adapter::start(mosquitto.settings());
    let again = second
        .until(|input| match input {
            Input::Message(message) if message.topic == REQUEST => Some(message.payload),
            _ => None,
        })
        .await;
    assert_eq!(again, b"two", "what was acknowledged came again");
    drop(first);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_device_says_while_the_bridge_is_away_waits_for_it() {
    let mosquitto = Mosquitto::start(OPEN);
    let mut first = Adapter::start(mosquitto.settings());
    first.is_up().await;
    first.mqtt.leave(PATIENCE).await;
    let device = Device::connect(mosquitto.port, "d1").await;
    device.say(REQUEST, b"meanwhile".to_vec()).await;
    let mut second = Adapter::start(mosquitto.settings());
    second.message(REQUEST, b"meanwhile").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_says_so_and_of_who_is_lost_the_broker_says_so() {
    let mut mosquitto = Mosquitto::start(OPEN);
    let mut adapter = Adapter::start(mosquitto.settings());
    adapter.is_up().await;
    adapter.mqtt.leave(PATIENCE).await;
    let offline = br#"{"state":"offline"}"#;
    Device::connect(mosquitto.port, "d1")
        .await
        .hears(STATE, offline)
        .await;

    mosquitto.kill();
    mosquitto.restart();
    let mut lost = Adapter::start(mosquitto.settings());
    lost.is_up().await;
    // Another connection of the same name: the broker throws the first one out, as when its network is gone.
    let mut device = Device::connect(mosquitto.port, "d2").await;
    let thief = Device::connect(mosquitto.port, "gw1").await;
    thief.say("elsewhere", Vec::new()).await;
    device.hears(STATE, offline).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_that_is_too_large_does_not_reach_it() {
    let mosquitto = Mosquitto::start(OPEN);
    let mut adapter = Adapter::start(mosquitto.settings());
    adapter.is_up().await;
    let device = Device::connect(mosquitto.port, "d1").await;
    device
        .say(REQUEST, vec![1; limits::CONTROL_PACKET + 1])
        .await;
    device.say(REQUEST, b"small".to_vec()).await;
    let first = adapter.until(|input| match input {
        Input::Message(message) if message.topic == REQUEST => Some(message.payload),
        Input::Disconnected => panic!("it lost its connection"),
        _ => None,
    });
    assert_eq!(first.await, b"small");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_should_be_encrypted_does_not_talk_to_a_broker_that_is_not() {
    let mosquitto = Mosquitto::start(OPEN);
    let mut settings = mosquitto.settings();
    settings.address.encryption = Encryption::Tls {
        ca_file: None,
        client: None,
    };
    let mut adapter = Adapter::start(settings);
    adapter.says("TLS").await;
    assert!(adapter.events.try_recv().is_err(), "it connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_refuses_the_login_is_named_as_the_obstacle() {
    let mosquitto = Mosquitto::start("allow_anonymous false\n");
    let adapter = Adapter::start(mosquitto.settings());
    adapter.says("NotAuthorized").await;
}

struct NoLedger;

impl Ledger for NoLedger {
    fn submit(&self, _: u64, _: transactions::Command) -> bool {
        false
    }
    fn refresh(&self) {}
}

fn home() -> Home {
    Home {
        genesis: Genesis([1; 32]),
        account: AccountId([1; 32]),
        name: "gw1".parse().unwrap(),
    }
}

fn relay(journal: keyward_bridge::relay::journal::Journal) -> Relay {
    let key = SigningKey::from_seed(&[1; 32]);
    Relay::new(home(), "keyward/v1", key, journal, Box::new(OsRng))
}

fn status() -> keyward_bridge::relay::RelayStatus {
    let mut status = relay(Default::default()).status();
    status.block = Some(1);
    status
}

/// BRG-5. The whole way, without a chain: what the journal owes the broker is there, and is there again after the broker has lost
/// everything.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_lost_everything_gets_everything_again() {
    let topic = "keyward/v1/gateway/gw1/group/g/state";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.sqlite");
    let (mut store, mut journal) = Store::open(&path, WrappingKey::from_bytes(&[9; 32])).unwrap();
    let retained = Retained {
        fingerprint: Digest([1; 32]),
        payload: Arc::from(&b"statement"[..]),
    };
    let change = Change::Retain(topic.into(), retained);
    store.apply(std::slice::from_ref(&change)).unwrap();
    journal.apply(change);

    let mut mosquitto = Mosquitto::start(OPEN);
    let (tell, events) = mpsc::channel(1024);
    let mqtt = Mqtt::start(mosquitto.settings(), tell.clone(), Arc::default());
    let owner = Owner::new(
        relay(journal),
        store,
        mqtt.broker(),
        Box::new(NoLedger),
        rekey_seconds(),
        Arc::default(),
    );
    let owner = std::thread::spawn(move || owner.run(events));
    Device::connect(mosquitto.port, "d1")
        .await
        .hears(topic, b"statement")
        .await;

    mosquitto.kill();
    mosquitto.restart();
    Device::connect(mosquitto.port, "d1")
        .await
        .hears(topic, b"statement")
        .await;

    tell.send(Event::Stop).await.unwrap();
    mqtt.leave(PATIENCE).await;
    owner.join().unwrap().unwrap();
}
