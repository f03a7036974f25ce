//! A broker that takes connections and does not answer: the connection ends, says why, and is made anew.

use std::time::{Duration, Instant};

use keyward_bridge::{
    config::{BrokerAddress, Encryption},
    mqtt::{Command, Settings},
    relay::Input,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::Adapter;

const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// On topics that end so a message is not acknowledged.
const UNANSWERED: &str = "unanswered";

/// Types of packets (MQTT 5, section 2.1.2).
const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const SUBSCRIBE: u8 = 8;
const PINGREQ: u8 = 12;

/// A broker that keeps nothing and tells nothing, only acknowledges.
struct Silent {
    port: u16,
}

impl Silent {
    /// `confirms`: whether it confirms the subscriptions of its first connection. It confirms no later ones, so that why the first one
    /// ended is told for long enough.
    async fn start(mut confirms: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, std::mem::take(&mut confirms)));
            }
        });
        Self { port }
    }

    fn adapter(&self) -> Adapter {
        Adapter::start(Settings {
            address: BrokerAddress {
                host: "127.0.0.1".into(),
                port: self.port,
                encryption: Encryption::Plain,
            },
            client_id: "gw1".into(),
            login: None,
            certificates: Default::default(),
            prefix: "keyward/v1".into(),
            gateway: "gw1".parse().unwrap(),
            answer_within: ANSWER_WITHIN,
        })
    }
}

async fn serve(mut stream: TcpStream, confirms: bool) -> Option<()> {
    loop {
        let (first, body) = read_packet(&mut stream).await?;
        let answer = match first >> 4 {
            CONNECT => vec![0x20, 3, 0, 0, 0],
            PUBLISH => acknowledgement(&body),
            SUBSCRIBE if confirms => vec![0x90, 6, body[0], body[1], 0, 1, 1, 1],
            PINGREQ => vec![0xd0, 0],
            _ => Vec::new(),
        };
        stream.write_all(&answer).await.ok()?;
    }
}

/// Of a PUBLISH with QoS 1, unless its topic says that there is none.
fn acknowledgement(publish: &[u8]) -> Vec<u8> {
    let length = usize::from(u16::from_be_bytes([publish[0], publish[1]]));
    let (topic, rest) = publish[2..].split_at(length);
    match topic.ends_with(UNANSWERED.as_bytes()) {
        true => Vec::new(),
        false => vec![0x40, 2, rest[0], rest[1]],
    }
}

/// First byte and body.
async fn read_packet(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let first = stream.read_u8().await.ok()?;
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        let byte = stream.read_u8().await.ok()?;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((first, body))
}

impl Adapter {
    async fn connects(&mut self) {
        self.until(|input| matches!(input, Input::Connected).then_some(()))
            .await;
    }

    /// The connection ends after so long, not earlier; it says why, and connects anew.
    async fn gives_up(&mut self, since: Instant) {
        self.until(|input| matches!(input, Input::Disconnected).then_some(()))
            .await;
        assert!(since.elapsed() >= ANSWER_WITHIN, "{:?}", since.elapsed());
        self.says("has not acknowledged").await;
        self.connects().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_never_acknowledged_ends_the_connection_and_one_that_is_does_not() {
    let broker = Silent::start(true).await;
    let mut adapter = broker.adapter();
    adapter.connects().await;
    adapter.publish(1, "keyward/v1/gateway/gw1/answered", b"message");
    adapter
        .until(|input| match input {
            Input::Answered(1) => Some(()),
            Input::Disconnected => panic!("it gave up a broker that answers"),
            _ => None,
        })
        .await;
    let since = Instant::now();
    let topic = format!("keyward/v1/gateway/gw1/{UNANSWERED}");
    adapter.publish(2, &topic, b"message");
    adapter.gives_up(since).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_a_device_that_is_never_acknowledged_ends_the_connection() {
    let broker = Silent::start(true).await;
    let mut adapter = broker.adapter();
    adapter.connects().await;
    let since = Instant::now();
    let asked = adapter.broker.ask(Command::Respond {
        topic: format!("keyward/v1/gateway/gw1/device/{UNANSWERED}"),
        payload: b"answer".to_vec(),
    });
    assert!(asked);
    adapter.gives_up(since).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_is_never_confirmed_ends_the_connection() {
    let broker = Silent::start(false).await;
    let since = Instant::now();
    let mut adapter = broker.adapter();
    adapter.connects().await;
    adapter.gives_up(since).await;
}
