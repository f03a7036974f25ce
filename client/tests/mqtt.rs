//! The link to the broker, with a real Mosquitto.

mod broker;

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use broker::{connection, Broker};

use keyward_client::agent::{
    link::{Interest, Link, LinkEvent, NotPublished, Publication, Received},
    mqtt::Mqtt,
};
use keyward_test_ports::free_port;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for the first event that is what is looked for.
async fn until<T>(link: &mut Mqtt, wanted: impl Fn(LinkEvent) -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = wanted(link.next().await) {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found)
        .await
        .expect("it does not happen")
}

async fn subscribed(link: &mut Mqtt) {
    until(link, |event| {
        matches!(event, LinkEvent::Subscribed { .. }).then_some(())
    })
    .await;
}

async fn received(link: &mut Mqtt) -> Received {
    until(link, |event| match event {
        LinkEvent::Received(received) => Some(received),
        _ => None,
    })
    .await
}

async fn published(link: &mut Mqtt) -> Result<(), NotPublished> {
    until(link, |event| match event {
        LinkEvent::Published(_, outcome) => Some(outcome),
        _ => None,
    })
    .await
}

async fn send(link: &mut Mqtt, text: &str) {
    link.publish(Publication(1), "app/valve", text.into(), false);
    published(link).await.unwrap();
}

fn valve() -> Vec<String> {
    vec!["app/valve".into()]
}

/// LNK-1.
#[tokio::test]
async fn what_came_while_the_device_was_away_is_delivered_and_only_what_it_acknowledged_is_gone() {
    let broker = Broker::start("");
    let mut reader = broker.link("reader");
    reader.subscribe(&valve(), Interest::Application);
    subscribed(&mut reader).await;
    reader.close().await;

    let mut writer = broker.link("writer");
    for text in ["one", "two"] {
        send(&mut writer, text).await;
    }
    // A new process: first it gets both, and acknowledges one.
    let mut reader = broker.link("reader");
    let one = received(&mut reader).await;
    let two = received(&mut reader).await;
    assert_eq!(
        (&one.payload[..], &two.payload[..]),
        (&b"one"[..], &b"two"[..])
    );
    reader.acknowledge(one.ticket);
    reader.close().await;
    // Then it gets the other one again.
    let mut reader = broker.link("reader");
    assert_eq!(received(&mut reader).await.payload, b"two");
    send(&mut writer, "three").await;
    assert_eq!(received(&mut reader).await.payload, b"three");
}

/// An application's messages keep their order (MQTT 5, section 4.6), and a request with a higher counter goes last (REQ-1).
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn publications_leave_in_the_order_in_which_they_were_asked_for() {
    let broker = Broker::start("");
    let mut reader = broker.link("reader");
    reader.subscribe(&valve(), Interest::Application);
    subscribed(&mut reader).await;
    let mut writer = broker.link("writer");
    send(&mut writer, "first").await;
    assert_eq!(received(&mut reader).await.payload, b"first");
    for number in 0..200 {
        let text = number.to_string();
        writer.publish(Publication(number), "app/valve", text.into(), false);
    }
    for number in 0..200 {
        let next = received(&mut reader).await;
        assert_eq!(String::from_utf8_lossy(&next.payload), number.to_string());
        reader.acknowledge(next.ticket);
    }
}

#[tokio::test]
async fn a_broker_that_lost_everything_is_subscribed_to_and_published_to_again() {
    let mut broker = Broker::start("");
    let mut reader = broker.link("reader");
    reader.subscribe(&valve(), Interest::Application);
    subscribed(&mut reader).await;
    let mut writer = broker.link("writer");
    send(&mut writer, "before").await;
    assert_eq!(received(&mut reader).await.payload, b"before");

    broker.lose_everything();
    until(&mut reader, |event| {
        matches!(event, LinkEvent::Disconnected { .. }).then_some(())
    })
    .await;
    let resumed = until(&mut reader, |event| match event {
        LinkEvent::Connected { resumed } => Some(resumed),
        _ => None,
    });
    assert!(!resumed.await);
    subscribed(&mut reader).await;
    send(&mut writer, "after").await;
    assert_eq!(received(&mut reader).await.payload, b"after");
}

/// A broker may have lost a session, or never made it durable, and say that it has it.
#[tokio::test]
async fn every_connection_is_subscribed_anew_also_when_the_broker_says_that_it_remembers() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    let device = "reader".parse().unwrap();
    let mut link = Mqtt::begin(&connection("mqtt", port), &device).unwrap();
    link.subscribe(&valve(), Interest::Application);
    tokio::spawn(async move {
        loop {
            link.next().await;
        }
    });
    // QoS 1, no local; what is retained with the first one, and then only if the broker did forget.
    for options in [0b0000_0101, 0b0001_0101] {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (connect, _) = packet(&mut stream).await;
        assert_eq!(connect, 0x10);
        stream.write_all(&SESSION_PRESENT).await.unwrap();
        let (subscribe, body) = packet(&mut stream).await;
        assert_eq!(subscribe, 0x82);
        let mut filter = b"\0\x09app/valve".to_vec();
        filter.push(options);
        assert!(body.ends_with(&filter), "{body:?}");
        // SUBACK of the same packet id: QoS 1.
        let granted = [0x90, 4, body[0], body[1], 0, 1];
        stream.write_all(&granted).await.unwrap();
    }
}

/// CONNACK of a broker that has the session, without properties.
const SESSION_PRESENT: [u8; 5] = [0x20, 3, 1, 0, 0];

/// The next packet of a client: its first byte, and what follows its length.
async fn packet(stream: &mut tokio::net::TcpStream) -> (u8, Vec<u8>) {
    let first = stream.read_u8().await.unwrap();
    let (mut length, mut shift) = (0, 0);
    loop {
        let byte = stream.read_u8().await.unwrap();
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    (first, body)
}

#[tokio::test]
async fn a_connection_that_was_lost_for_a_moment_brings_nothing_retained_again() {
    let broker = Broker::start("");
    let mut writer = broker.link("writer");
    writer.publish(Publication(1), "app/valve", b"kept".to_vec(), true);
    published(&mut writer).await.unwrap();
    let mut reader = broker.link("reader");
    reader.subscribe(&valve(), Interest::Application);
    let kept = received(&mut reader).await;
    assert_eq!(kept.payload, b"kept");
    reader.acknowledge(kept.ticket);
    // Its own word comes after the acknowledgement.
    reader.publish(Publication(1), "app/other", b"x".to_vec(), false);
    published(&mut reader).await.unwrap();
    reader.renew();
    let resumed = until(&mut reader, |event| match event {
        LinkEvent::Connected { resumed } => Some(resumed),
        _ => None,
    });
    assert!(resumed.await);
    subscribed(&mut reader).await;
    send(&mut writer, "new").await;
    assert_eq!(received(&mut reader).await.payload, b"new");
}

#[tokio::test]
async fn what_is_published_while_there_is_no_broker_arrives_when_there_is_one() {
    let mut broker = Broker::start("");
    broker.kill();
    let mut link = broker.link("writer");
    link.publish(Publication(7), "app/valve", b"patient".to_vec(), true);
    until(&mut link, |event| {
        matches!(event, LinkEvent::Disconnected { .. }).then_some(())
    })
    .await;
    broker.restart();
    published(&mut link).await.unwrap();
    let mut reader = broker.link("reader");
    reader.subscribe(&valve(), Interest::Application);
    let kept = received(&mut reader).await;
    assert_eq!((&kept.payload[..], kept.retain), (&b"patient"[..], true));
}

#[tokio::test]
async fn what_the_broker_s_access_rules_refuse_is_told() {
    let rules = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(rules.path(), "topic read #\n").unwrap();
    let broker = Broker::start(&format!("acl_file {}\n", rules.path().display()));
    let mut link = broker.link("writer");
    link.publish(Publication(1), "app/valve", b"x".to_vec(), false);
    assert!(matches!(
        published(&mut link).await,
        Err(NotPublished::Refused { .. })
    ));
}

#[tokio::test]
async fn a_device_does_not_hear_itself() {
    let broker = Broker::start("");
    let mut link = broker.link("1111");
    link.subscribe(&valve(), Interest::Application);
    subscribed(&mut link).await;
    send(&mut link, "mine").await;
    send(&mut broker.link("2222"), "theirs").await;
    assert_eq!(received(&mut link).await.payload, b"theirs");
}

#[tokio::test]
async fn an_encrypted_address_never_gets_a_plain_word_and_never_connects_to_a_plain_broker() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    let ca = certificate_authority();
    let mut connection = connection("mqtts", port);
    connection.ca_file = Some(ca.path().join("ca.pem"));
    let mut link = Mqtt::begin(&connection, &"1111".parse().unwrap()).unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut first = [0; 1];
    let read = stream.read_exact(&mut first);
    tokio::select! {
        read = read => drop(read.unwrap()),
        event = link.next() => panic!("{event:?}"),
    }
    // A TLS handshake; a CONNECT would begin with 0x10.
    assert_eq!(first, [0x16]);
    drop((stream, listener));

    let broker = Broker::start("");
    connection.broker = format!("mqtts://127.0.0.1:{}", broker.port)
        .parse()
        .unwrap();
    let mut link = Mqtt::begin(&connection, &"1111".parse().unwrap()).unwrap();
    let mut attempts = 0;
    while attempts < 3 {
        match tokio::time::timeout(PATIENCE, link.next()).await.unwrap() {
            LinkEvent::Disconnected { .. } => attempts += 1,
            event => panic!("{event:?}"),
        }
    }
}

#[tokio::test]
async fn an_encrypted_connection_needs_the_right_authority() {
    let (ours, foreign) = (certificate_authority(), certificate_authority());
    let path = ours.path().display();
    let tls = free_port().unwrap();
    let _broker = Broker::start(&format!(
        "listener {tls} 127.0.0.1\ncertfile {path}/ca.pem\nkeyfile {path}/ca.key\n"
    ));
    let mut connection = connection("mqtts", tls);
    connection.ca_file = Some(foreign.path().join("ca.pem"));
    let mut link = Mqtt::begin(&connection, &"1111".parse().unwrap()).unwrap();
    let mut reason = String::new();
    // The broker may not listen yet.
    while !reason.contains("certificate") {
        match tokio::time::timeout(PATIENCE, link.next()).await.unwrap() {
            LinkEvent::Disconnected { reason: told, .. } => reason = told,
            event => panic!("{event:?}"),
        }
    }
    connection.ca_file = Some(ours.path().join("ca.pem"));
    let mut link = Mqtt::begin(&connection, &"1111".parse().unwrap()).unwrap();
    send(&mut link, "encrypted").await;
}

/// A self-signed certificate for 127.0.0.1, and its key.
fn certificate_authority() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let made = Command::new("openssl")
        .current_dir(&directory)
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
        ])
        .args([
            "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "1",
        ])
        .args([
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .stderr(Stdio::null())
        .status()
        .expect("openssl is not installed; run 'apt-get install openssl'");
    assert!(made.success());
    directory
}
