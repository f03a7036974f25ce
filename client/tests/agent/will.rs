//! A device that is gone without a word is missed: its will is sealed anew for each connection (MSG-17).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use keyward_client::agent::link::{Interest, Link as _, LinkEvent, Publication};
use keyward_protocol::{policy::Policy, Role};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::scene::{Scene, Subscriber, PATIENCE, TOPIC};

const WILL: [&str; 6] = [
    "--will-topic",
    TOPIC,
    "--will-payload",
    "gone",
    "--will-delay",
    "1",
];

/// Waits until the broker has the will, sealed in an epoch, for the n-th time.
async fn has_will(device: &Subscriber, epoch: u32, times: usize) {
    let text = format!("the broker has this device's will, sealed in epoch {epoch}");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let lines = device.lines();
        if lines.iter().filter(|line| line["text"] == text).count() >= times {
            return;
        }
        assert!(Instant::now() < deadline, "it says only {lines:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn wills(reader: &Subscriber) -> usize {
    let lines = reader.lines();
    lines
        .iter()
        .filter(|line| line["payload"] == "gone")
        .count()
}

#[tokio::test]
async fn a_killed_device_is_missed_once_and_the_broker_cannot_read_what_it_says() {
    let scene = Scene::set(&Policy::default()).await;
    let reader = scene.reader.subscribe().await;
    let mut watcher = scene.broker.link("watcher");
    watcher.subscribe(&[TOPIC.into()], Interest::Application);
    while !matches!(watcher.next().await, LinkEvent::Subscribed { .. }) {}
    let mut device = scene.publisher.subscribe_with(&WILL).await;
    has_will(&device, 1, 1).await;
    assert_eq!(wills(&reader), 0, "it is there");
    device.kill();
    let will = reader.reads("gone").await;
    assert_eq!(will["marks"], serde_json::json!(["will"]));
    assert_eq!(
        (&will["sender"], &will["epoch"]),
        (&"1111".into(), &1.into())
    );

    let seen = loop {
        if let LinkEvent::Received(received) = watcher.next().await {
            break received.payload;
        }
    };
    assert!(!seen.windows(4).any(|window| window == b"gone"));
    // Whoever has it sends it again.
    watcher.publish(Publication(1), TOPIC, seen, false);
    let refused = reader.until(|line| line["event"] == "refused").await;
    assert_eq!(refused["reason"], "Replayed");
    assert_eq!(wills(&reader), 1);
}

/// The broker's will is of the newest epoch also when the device was connected before: it connects again for it, unmissed.
#[tokio::test]
async fn a_will_is_of_the_newest_epoch() {
    let mut scene = Scene::set(&Policy::default()).await;
    let reader = scene.reader.subscribe().await;
    let mut device = scene.publisher.subscribe_with(&WILL).await;
    has_will(&device, 1, 1).await;
    let members = [
        scene.publisher.member(Role::Publish),
        scene.reader.member(Role::Subscribe),
    ];
    scene
        .gateway
        .state(2, &members, &Policy::default(), 0)
        .await;
    has_will(&device, 2, 1).await;
    // And when the broker was away.
    scene.broker.kill();
    device
        .until(|line| {
            line["kind"] == "disconnected" && line["text"] != "not connected: to be connected anew"
        })
        .await;
    scene.broker.restart();
    has_will(&device, 2, 2).await;
    reader.until(|line| line["kind"] == "disconnected").await;
    assert_eq!(wills(&reader), 0, "it was not gone");
    device.kill();
    let will = reader.reads("gone").await;
    assert_eq!(
        (&will["epoch"], &will["marks"]),
        (&2.into(), &serde_json::json!(["will"]))
    );
}

/// A device that is cut off twice is missed twice.
#[tokio::test]
async fn each_connection_has_a_will_of_its_own() {
    let mut scene = Scene::set(&Policy::default()).await;
    let reader = scene.reader.subscribe().await;
    let cable = Cable::to(scene.broker.port).await;
    scene.publisher.broker = format!("mqtt://127.0.0.1:{}", cable.port);
    let through = [&WILL[..], &["--broker", &scene.publisher.broker]].concat();
    let mut device = scene.publisher.subscribe_with(&through).await;
    has_will(&device, 1, 1).await;
    for times in 1..=2 {
        cable.set(false);
        let deadline = Instant::now() + PATIENCE;
        while wills(&reader) < times {
            assert!(Instant::now() < deadline, "{:#?}", reader.lines());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        cable.set(true);
        has_will(&device, 1, times + 1).await;
    }
    device.kill();
    let deadline = Instant::now() + PATIENCE;
    while wills(&reader) < 3 {
        assert!(Instant::now() < deadline, "{:#?}", reader.lines());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let refused = |line: &serde_json::Value| line["event"] == "refused";
    assert!(!reader.lines().iter().any(refused), "{:#?}", reader.lines());
}

/// Who may not publish where the will goes has none, and says so.
#[tokio::test]
async fn a_will_that_may_not_be_sealed_is_told() {
    let scene = Scene::set(&Policy::default()).await;
    let reader = scene.reader.subscribe_with(&WILL).await;
    reader
        .until(|line| {
            line["kind"] == "no-will"
                && line["text"]
                    .as_str()
                    .is_some_and(|text| text.starts_with("the broker has no will of this device"))
        })
        .await;
}

/// A TCP connection that can be cut.
struct Cable {
    port: u16,
    is_whole: Arc<watch::Sender<bool>>,
}

impl Cable {
    async fn to(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_whole = Arc::new(watch::Sender::new(true));
        let watched = is_whole.clone();
        tokio::spawn(async move {
            while let Ok((here, _)) = listener.accept().await {
                tokio::spawn(carry(here, target, watched.subscribe()));
            }
        });
        Self { port, is_whole }
    }

    fn set(&self, is_whole: bool) {
        self.is_whole.send_replace(is_whole);
    }
}

async fn carry(mut here: TcpStream, target: u16, mut is_whole: watch::Receiver<bool>) {
    let Ok(mut there) = TcpStream::connect(("127.0.0.1", target)).await else {
        return;
    };
    tokio::select! {
        biased;
        _ = is_whole.wait_for(|is_whole| !is_whole) => {}
        _ = tokio::io::copy_bidirectional(&mut here, &mut there) => {}
    }
}
