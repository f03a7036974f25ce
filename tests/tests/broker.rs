//! The broker as the harness sets it up: everyone writes only under its own branch (DESIGN section 6).

use anyhow::{ensure, Result};
use keyward_tests::{
    broker::Broker,
    capture::{Capture, Direction},
    mqtt::{Address, Client},
    observer::Observer,
    place::Place,
    wait::{eventually, seconds},
};

const TOPIC: &str = "app/valve";

/// TOP-4, TOP-5.
#[tokio::test(flavor = "multi_thread")]
async fn everyone_writes_only_under_its_own_branch() -> Result<()> {
    let place = Place::new("broker")?;
    let broker = Broker::start(&place, "gw1", &["app/#".into()]).await?;
    let observer = Observer::start(broker.omnipotent("observer")).await?;
    let (device, _incoming) = Client::connect(&broker.device("1111")).await?;
    for topic in [
        "keyward/v1/gateway/gw1/group/g/state",
        "keyward/v1/gateway/gw1/grant/1111/g",
        "keyward/v1/device/1112/gw1/request",
        "keyward/v1/device/1111/gw1/request",
        TOPIC,
    ] {
        device.publish(topic, b"x", false).await?;
    }
    let arrived = eventually(seconds(10), "the message", || async {
        let history = observer.history();
        match history.iter().any(|publish| publish.topic == TOPIC) {
            true => Ok(history),
            false => Err("it has not come"),
        }
    })
    .await?;
    let topics: Vec<_> = arrived.iter().map(|publish| &publish.topic[..]).collect();
    assert_eq!(topics, ["keyward/v1/device/1111/gw1/request", TOPIC]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_sees_what_goes_over_the_wire_and_can_withhold_it() -> Result<()> {
    let place = Place::new("capture")?;
    let broker = Broker::start(&place, "gw1", &["app/#".into()]).await?;
    let capture = Capture::before(broker.port()).await?;
    let behind = Address {
        port: capture.port(),
        ..broker.device("1112")
    };
    let (reader, mut incoming) = Client::connect(&behind).await?;
    reader.subscribe("app/#").await?;
    let (sender, _incoming) = Client::connect(&broker.device("1111")).await?;
    capture.withhold(true);
    sender.publish(TOPIC, b"withheld", false).await?;
    eventually(seconds(10), "the capture of the message", || async {
        match capture.on(TOPIC, Direction::Down).len() {
            1 => Ok(()),
            _ => Err("it is not there"),
        }
    })
    .await?;
    capture.withhold(false);
    sender.publish(TOPIC, b"delivered", false).await?;
    let received = incoming.recv().await;
    ensure!(
        received
            .as_ref()
            .is_some_and(|publish| publish.payload == b"delivered"),
        "received {received:?}"
    );
    Ok(())
}
