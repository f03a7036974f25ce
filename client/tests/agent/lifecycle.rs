//! Members come and go, groups stop and end, devices sleep through many epochs (KEY-7, KEY-8, MEM-3, STM-1, STM-5).

use keyward_protocol::{policy::Policy, statement::GroupState, Role};
use serde_json::Value;

use crate::scene::{done, said, Device, Scene, Subscriber};

impl Scene {
    /// Another epoch, with both as members.
    async fn epoch(&mut self, epoch: u32) {
        let members = [
            self.publisher.member(Role::Publish),
            self.reader.member(Role::Subscribe),
        ];
        self.gateway
            .state(epoch, &members, &Policy::default(), 0)
            .await;
    }
}

fn refusals(reader: &Subscriber) -> Vec<Value> {
    let lines = reader.lines().into_iter();
    let refused = lines.filter(|line| line["event"] == "refused");
    refused.map(|line| line["reason"].clone()).collect()
}

async fn held(device: &Device) -> Value {
    let status = device.run(&["status", "--json"]).await;
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    status["groups"][0]["epochs_held"].clone()
}

/// One retained grant opens what was queued, as far as history allows (KEY-7).
#[tokio::test]
async fn a_device_that_slept_through_many_epochs_reads_what_waits_for_it_as_far_as_history_allows()
{
    let mut scene = Scene::set(&Policy::default()).await;
    let mut reader = scene.reader.subscribe().await;
    reader.until(|line| line["kind"] == "secret").await;
    reader.kill();
    for epoch in 2..=40 {
        scene.epoch(epoch).await;
        if [5, 20, 35, 40].contains(&epoch) {
            done(scene.publisher.publish(&format!("in {epoch}"), "30").await);
        }
    }
    let reader = scene.reader.subscribe().await;
    for epoch in [20, 35, 40] {
        let message = reader.reads(&format!("in {epoch}")).await;
        assert_eq!(message["epoch"], epoch);
    }
    // Its policy keeps 32 epochs before the current one.
    assert_eq!(refusals(&reader), ["UnknownEpoch"]);
    let all: Vec<u32> = [1].into_iter().chain(8..=40).collect();
    assert_eq!(held(&scene.reader).await, serde_json::json!(all));
}

/// MEM-3: who was not a member does not read it, also when it is one again.
#[tokio::test]
async fn who_comes_back_never_reads_what_was_said_in_its_absence() {
    let mut scene = Scene::set(&Policy::default()).await;
    let mut reader = scene.reader.subscribe().await;
    done(scene.publisher.publish("with it", "30").await);
    reader.reads("with it").await;
    reader.kill();
    scene.gateway.remove(&scene.reader.request).await;
    let alone = [scene.publisher.member(Role::Publish)];
    scene.gateway.state(2, &alone, &Policy::default(), 0).await;
    // The broker keeps it for the subscription that it remembers.
    done(scene.publisher.publish("without it", "30").await);
    scene.epoch(3).await;
    done(scene.publisher.publish("with it again", "30").await);
    let reader = scene.reader.subscribe().await;
    reader.reads("with it again").await;
    assert_eq!(refusals(&reader), ["UnknownEpoch"]);
    assert_eq!(held(&scene.reader).await, serde_json::json!([1, 3]));
}

/// A device that is new reads nothing of before.
#[tokio::test]
async fn who_joins_reads_no_history() {
    let mut scene = Scene::set(&Policy::default()).await;
    let late = Device::init("1113", scene.broker.port);
    done(late.enrol(&scene.gateway, "30").await);
    let reader = late.subscribe().await;
    done(scene.publisher.publish("before it came", "30").await);
    let members = [
        scene.publisher.member(Role::Publish),
        late.member(Role::Subscribe),
    ];
    scene
        .gateway
        .state(2, &members, &Policy::default(), 0)
        .await;
    reader.until(|line| line["kind"] == "secret").await;
    done(scene.publisher.publish("since it came", "30").await);
    reader.reads("since it came").await;
    assert_eq!(refusals(&reader), ["NotMember"]);
    assert_eq!(held(&late).await, serde_json::json!([2]));
}

/// STM-5.
#[tokio::test]
async fn awaiting_and_frozen_groups_stop_publishers_and_closed_ones_are_erased() {
    let mut scene = Scene::set(&Policy::default()).await;
    let reader = scene.reader.subscribe().await;
    done(scene.publisher.publish("while it is active", "30").await);
    for (state, reason) in [
        (GroupState::Awaiting, "Awaiting"),
        (GroupState::Frozen, "Frozen"),
    ] {
        scene.gateway.state = state;
        scene.epoch(1).await;
        reader
            .until(|line| {
                let text = line["text"].as_str().unwrap_or_default();
                line["kind"] == "state" && text.contains(reason)
            })
            .await;
        let refused = scene.publisher.publish("x", "3").await;
        assert_eq!(refused.status.code(), Some(5), "{}", said(&refused));
        assert!(said(&refused).contains(&format!(r#""reason":"{reason}""#)));
    }
    scene.gateway.state = GroupState::Active;
    scene.epoch(1).await;
    done(scene.publisher.publish("active again", "30").await);
    reader.reads("active again").await;

    assert_eq!(held(&scene.reader).await, serde_json::json!([1]));
    scene.gateway.state = GroupState::Closed;
    scene.epoch(1).await;
    let refused = scene.publisher.publish("x", "3").await;
    assert_eq!(refused.status.code(), Some(5), "{}", said(&refused));
    assert!(said(&refused).contains(r#""reason":"Closed""#));
    reader
        .until(|line| {
            let text = line["text"].as_str().unwrap_or_default();
            line["kind"] == "state" && text.contains("Closed")
        })
        .await;
    for device in [&scene.publisher, &scene.reader] {
        assert_eq!(held(device).await, serde_json::json!([]));
    }
}
