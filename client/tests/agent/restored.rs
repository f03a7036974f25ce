//! A store that was restored from a backup: the device finds out, seals nothing more, and says what to do (MSG-9, MSG-10).

use std::path::Path;

use keyward_client::agent::link::{Interest, Link as _, LinkEvent, Publication};
use keyward_protocol::{policy::Policy, Role};
use serde_json::Value;

use crate::{
    gateway::Member,
    scene::{done, said, Scene, TOPIC},
};

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    let done = std::process::Command::new("cp")
        .arg("-a")
        .args([from, to])
        .status();
    assert!(done.unwrap().success());
}

/// What it sealed after the backup comes back to it, from whoever kept it.
#[tokio::test]
async fn a_restored_device_stops_and_says_how_to_go_on() {
    let mut scene = Scene::set(&Policy::default()).await;
    let both = [scene.publisher.member(Role::Both)];
    scene.gateway.state(2, &both, &Policy::default(), 0).await;
    let mut watcher = scene.broker.link("watcher");
    watcher.subscribe(&[TOPIC.into()], Interest::Application);
    while !matches!(watcher.next().await, LinkEvent::Subscribed { .. }) {}
    done(scene.publisher.publish("before the backup", "30").await);
    let backup = scene.publisher.place.path().join("backup");
    copy(&scene.publisher.store(), &backup);
    for message in ["one", "two", "three"] {
        done(scene.publisher.publish(message, "30").await);
    }
    let mut kept = Vec::new();
    while kept.len() < 4 {
        if let LinkEvent::Received(received) = watcher.next().await {
            kept.push(received.payload);
        }
    }
    copy(&backup, &scene.publisher.store());
    let device = scene.publisher.subscribe().await;
    watcher.publish(Publication(1), TOPIC, kept[3].clone(), false);
    let alarm = device.until(|line| line["kind"] == "copied").await;
    assert!(alarm["text"].as_str().unwrap().contains("ALARM"), "{alarm}");
    drop(device);

    let refused = scene.publisher.publish("x", "5").await;
    assert_eq!(refused.status.code(), Some(9), "{}", said(&refused));
    assert!(said(&refused).contains(r#""reason":"Copied""#));
    assert!(said(&refused).contains("replace the keys"));
    let status = scene.publisher.run(&["status", "--json"]).await;
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["copied"], true);

    done(scene.publisher.run(&["replace-keys", "--json"]).await);
    let mut request = scene.publisher.request.clone();
    {
        let desk = scene.gateway.desk();
        let asked = desk.asked.last().unwrap();
        request.key_version = asked.key_version;
        request.signing_key = asked.signing_key;
        request.agreement_key = asked.agreement_key;
    }
    let renewed = Member {
        request: &request,
        role: Role::Both,
    };
    let members = [renewed, scene.reader.member(Role::Subscribe)];
    scene
        .gateway
        .state(3, &members, &Policy::default(), 0)
        .await;
    let sealed = done(scene.publisher.publish("with new keys", "30").await);
    assert_eq!(sealed[0]["epoch"], 3);
    let status = scene.publisher.run(&["status", "--json"]).await;
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["copied"], false);
}
