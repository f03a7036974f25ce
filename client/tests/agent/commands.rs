//! What each command does and says, and its exit codes.

use std::{process::Command, time::Instant};

use keyward_client::agent::link::{Link as _, LinkEvent, Publication};
use keyward_protocol::{policy::Policy, request::Refusal, topic::PREFIX, Role};
use keyward_test_ports::free_port;
use serde_json::Value;

use crate::{
    broker::Broker,
    gateway::{Answer, Gateway},
    scene::{agent, done, said, Device, Scene, PATIENCE, TOPIC},
};

#[tokio::test]
async fn a_member_reads_what_another_one_seals_and_a_removed_one_is_told_why_not() {
    let mut scene = Scene::set(&Policy::default()).await;
    let reader = scene.reader.subscribe().await;
    let sealed = done(scene.publisher.publish("open", "30").await)
        .pop()
        .unwrap();
    assert_eq!(
        (&sealed["event"], &sealed["epoch"]),
        (&"sealed".into(), &1.into())
    );
    assert!(sealed["bytes_added"].as_u64().unwrap() <= 89, "{sealed}");
    let message = reader.reads("open").await;
    assert_eq!(message["sender"], "1111");
    assert_eq!(message["group"], "valves");
    assert_eq!(message["epoch"], 1);

    scene.gateway.remove(&scene.reader.request).await;
    reader.until(|line| line["kind"] == "left").await;
    let publisher = [scene.publisher.member(Role::Publish)];
    scene
        .gateway
        .state(2, &publisher, &Policy::default(), 0)
        .await;
    let sealed = done(scene.publisher.publish("close", "30").await)
        .pop()
        .unwrap();
    assert_eq!(sealed["epoch"], 2);
    let refused = reader.until(|line| line["event"] == "refused").await;
    assert_eq!(
        (&refused["topic"], &refused["reason"]),
        (&TOPIC.into(), &"NotMember".into())
    );
}

#[tokio::test]
async fn a_killed_subscriber_gets_what_it_missed_and_nothing_twice() {
    let scene = Scene::set(&Policy::default()).await;
    let mut reader = scene.reader.subscribe().await;
    done(scene.publisher.publish("first", "30").await);
    reader.reads("first").await;
    reader.kill();
    done(scene.publisher.publish("while it was away", "30").await);
    let reader = scene.reader.subscribe().await;
    reader.reads("while it was away").await;
    done(scene.publisher.publish("afterwards", "30").await);
    reader.reads("afterwards").await;
    let messages = reader
        .lines()
        .into_iter()
        .filter(|line| line["event"] == "message");
    let payloads: Vec<_> = messages.map(|line| line["payload"].clone()).collect();
    assert_eq!(payloads, ["while it was away", "afterwards"]);
}

#[tokio::test]
async fn enrolling_twice_is_enrolling_once_and_status_says_what_is_known() {
    let broker = Broker::start("");
    let mut gateway = Gateway::serve(&broker.connection(), TOPIC, Answer::Enrols).await;
    let device = Device::init("1111", broker.port);
    let lines = done(device.enrol(&gateway, "30").await);
    let events: Vec<_> = lines
        .iter()
        .map(|line| line["step"].as_str().unwrap_or("-"))
        .collect();
    assert_eq!(events, ["connected", "accepted", "done", "-"]);
    assert_eq!(lines[3]["already"], false);
    gateway
        .state(1, &[device.member(Role::Both)], &Policy::default(), 0)
        .await;
    done(device.publish("x", "30").await);
    let again = done(device.enrol(&gateway, "30").await);
    assert_eq!((again.len(), &again[0]["already"]), (1, &true.into()));

    let status = device.run(&["status", "--json"]).await;
    assert_eq!(status.status.code(), Some(0));
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["device"], device.id);
    assert_eq!(status["groups"][0]["epoch"], 1);
    assert_eq!(status["groups"][0]["epochs_held"], serde_json::json!([1]));
    assert_eq!(status["protected"], serde_json::json!([TOPIC]));
    let people = device.run(&["status"]).await;
    assert!(
        said(&people).contains("epoch        1, key held"),
        "{}",
        said(&people)
    );
}

#[tokio::test]
async fn each_reason_for_not_sealing_has_its_exit_code() {
    let mut scene = Scene::set(&Policy::default()).await;
    // A reader may not publish.
    let refused = scene.reader.publish("x", "3").await;
    assert_eq!(refused.status.code(), Some(4), "{}", said(&refused));
    assert!(said(&refused).contains("NotPublisher"));
    // The gateway has heard nothing of the chain for longer than the group allows.
    let members = [scene.publisher.member(Role::Publish)];
    scene
        .gateway
        .state(2, &members, &Policy::default(), 700)
        .await;
    let stale = scene.publisher.publish("x", "3").await;
    assert_eq!(stale.status.code(), Some(3), "{}", said(&stale));
    assert!(said(&stale).contains("stale"));
    // Not protected at all.
    let args = [
        "pub",
        "--topic",
        "elsewhere",
        "--message",
        "x",
        "--timeout",
        "3",
    ];
    let plain = scene.publisher.run(&args).await;
    assert_eq!(plain.status.code(), Some(4), "{}", said(&plain));
}

/// Somebody who may write everywhere replaces what the gateway said.
#[tokio::test]
async fn forged_statements_stop_neither_publisher_nor_reader() {
    let scene = Scene::set(&Policy::default()).await;
    let reader = scene.reader.subscribe().await;
    done(scene.publisher.publish("before", "30").await);
    reader.reads("before").await;
    drop(reader);
    let mut vandal = scene.broker.link("vandal");
    let forged = [
        "gateway/gw1/device/1111/state",
        "gateway/gw1/device/1112/state",
        "gateway/gw1/group/valves/state",
        "gateway/gw1/grant/1111/valves",
        "gateway/gw1/grant/1112/valves",
    ];
    for topic in forged {
        let topic = format!("{PREFIX}/{topic}");
        vandal.publish(Publication(1), &topic, b"forged".to_vec(), true);
        while !matches!(vandal.next().await, LinkEvent::Published(..)) {}
    }
    let reader = scene.reader.subscribe().await;
    done(scene.publisher.publish("in spite of it", "30").await);
    reader.reads("in spite of it").await;
    reader.until(|line| line["kind"] == "control-refused").await;
}

#[tokio::test]
async fn a_gateway_that_declines_is_quoted() {
    let broker = Broker::start("");
    let answer = Answer::Refuses(Refusal::Voucher);
    let gateway = Gateway::serve(&broker.connection(), TOPIC, answer).await;
    let device = Device::init("1111", broker.port);
    let declined = device.enrol(&gateway, "30").await;
    assert_eq!(declined.status.code(), Some(6), "{}", said(&declined));
    let text = said(&declined);
    assert!(
        text.contains(r#""reason":"Voucher""#) && text.contains("voucher is not valid"),
        "{text}"
    );
    // And so the device is not enrolled.
    let status = device.run(&["status", "--json"]).await;
    assert!(said(&status).contains(r#""enrolled": false"#));
}

#[tokio::test]
async fn a_provisioning_of_another_device_is_refused_before_anything_is_sent() {
    let broker = Broker::start("");
    let gateway = Gateway::serve(&broker.connection(), TOPIC, Answer::Enrols).await;
    let device = Device::init("1111", broker.port);
    let other = Device {
        request: Device::init("2222", broker.port).request,
        ..device
    };
    let refused = other.enrol(&gateway, "30").await;
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("for device 2222, and this is 1111"));
}

#[tokio::test]
async fn without_a_broker_a_device_gives_up_in_time_and_says_why() {
    let broker = Broker::start("");
    let gateway = Gateway::serve(&broker.connection(), TOPIC, Answer::Enrols).await;
    let device = Device::init("1111", free_port().unwrap());
    let began = Instant::now();
    let failed = device.enrol(&gateway, "1").await;
    assert_eq!(failed.status.code(), Some(8), "{}", said(&failed));
    assert!(said(&failed).contains("the broker was not reached"));
    assert!(began.elapsed() < PATIENCE);
}

#[tokio::test]
async fn a_topic_is_released_by_its_operator_only_when_no_group_has_it() {
    let mut scene = Scene::set(&Policy::default()).await;
    let kept = scene.reader.subscribe().await;
    drop(kept);
    let refused = scene.reader.run(&["release", TOPIC]).await;
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    scene.gateway.remove(&scene.reader.request).await;
    let reader = scene.reader.subscribe().await;
    drop(reader);
    let released = scene.reader.run(&["release", TOPIC, "--json"]).await;
    assert_eq!(done(released)[0]["event"], "released");
    let status = scene.reader.run(&["status", "--json"]).await;
    assert!(
        said(&status).contains(r#""protected": []"#),
        "{}",
        said(&status)
    );
}

#[test]
fn a_store_that_cannot_be_used_has_its_exit_code() {
    let place = tempfile::tempdir().unwrap();
    let missing = agent(&place.path().join("none"))
        .arg("status")
        .output()
        .unwrap();
    assert_eq!(missing.status.code(), Some(7), "{}", said(&missing));
    let unnamed = Command::new(env!("CARGO_BIN_EXE_keyward-agent"))
        .env_remove("KEYWARD_STORE")
        .arg("status")
        .output();
    assert_eq!(unnamed.unwrap().status.code(), Some(2));
}
