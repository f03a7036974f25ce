//! What the broker retains now comes with the newest subscription; what it kept for an earlier one says nothing of now (BRG-5).

use std::sync::Mutex;

use keyward_bridge::{mqtt::Command, relay::Input};

use crate::{
    fake::{puback, retained, suback, Fake, Packet},
    Adapter,
};

const BRANCH: &str = "keyward/v1/gateway/gw1/group/g";

/// To each subscription it tells what it kept of each earlier one, of one that it made up, and then what it retains.
async fn broker() -> Fake {
    let earlier = Mutex::new(Vec::<Vec<u8>>::new());
    Fake::start(move |packet| match packet {
        Packet::Publish { id, .. } => puback(id),
        Packet::Subscribe { id, number } => {
            let mut earlier = earlier.lock().unwrap();
            let state = format!("{BRANCH}/{}", earlier.len());
            let made_up = if number == [1] { [2] } else { [1] };
            let mut said = suback(id);
            for other in earlier.iter().map(Vec::as_slice).chain([&made_up[..]]) {
                said.extend(retained(&state, b"kept", other));
            }
            said.extend(retained(&state, b"held", &number));
            earlier.push(number);
            said
        }
        Packet::Other => Vec::new(),
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_comes_with_the_newest_subscription_is_told() {
    let mut adapter = Adapter::start(broker().await.settings());
    for number in 0..3 {
        let (topic, payload) = adapter
            .until(|input| match input {
                Input::Message(message) => Some((message.topic, message.payload)),
                _ => None,
            })
            .await;
        assert_eq!(topic, format!("{BRANCH}/{number}"));
        assert_eq!(payload, b"held", "of another subscription");
        assert!(adapter.broker.ask(Command::Resubscribe));
    }
}
