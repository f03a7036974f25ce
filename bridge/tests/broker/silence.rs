//! A broker that takes connections and does not answer: the connection ends, says why, and is made anew.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use keyward_bridge::{mqtt::Command, relay::Input};

use crate::{
    fake::{puback, suback, Fake, Packet},
    Adapter,
};

const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// On topics that end so a message is not acknowledged.
const UNANSWERED: &str = "unanswered";

/// `confirms`: whether it confirms the first subscription. It confirms no later one, so that the reason why a connection ended
/// is told for long enough.
async fn broker(confirms: bool) -> Fake {
    let confirms = AtomicBool::new(confirms);
    Fake::start(move |packet| match packet {
        Packet::Publish { topic, id } if !topic.ends_with(UNANSWERED) => puback(id),
        Packet::Subscribe { id, .. } if confirms.swap(false, Ordering::Relaxed) => suback(id),
        _ => Vec::new(),
    })
    .await
}

impl Adapter {
    async fn connects(&mut self) {
        self.until(|input| matches!(input, Input::Connected).then_some(()))
            .await;
    }

    /// Connected to a broker that must answer soon.
    async fn to(broker: &Fake) -> Self {
        let mut settings = broker.settings();
        settings.answer_within = ANSWER_WITHIN;
        let mut adapter = Self::start(settings);
        adapter.connects().await;
        adapter
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
    let mut adapter = Adapter::to(&broker(true).await).await;
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
    let mut adapter = Adapter::to(&broker(true).await).await;
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
    let since = Instant::now();
    let mut adapter = Adapter::to(&broker(false).await).await;
    adapter.gives_up(since).await;
}

/// BRG-3: a broker that refuses a message has not acknowledged it.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_broker_refuses_is_not_answered() {
    const NOT_AUTHORIZED: u8 = 0x87;
    let broker = Fake::start(|packet| match packet {
        Packet::Publish { topic, id } if topic.ends_with("refused") => {
            vec![0x40, 3, id[0], id[1], NOT_AUTHORIZED]
        }
        Packet::Publish { id, .. } => puback(id),
        Packet::Subscribe { id, .. } => suback(id),
        Packet::Other => Vec::new(),
    })
    .await;
    let mut adapter = Adapter::start(broker.settings());
    adapter.connects().await;
    adapter.publish(1, "keyward/v1/gateway/gw1/refused", b"message");
    adapter.publish(2, "keyward/v1/gateway/gw1/answered", b"message");
    let first = adapter.until(|input| match input {
        Input::Answered(token) => Some(token),
        _ => None,
    });
    assert_eq!(first.await, 2);
}
