//! New keys for a device: signed by both, durable before they are asked for, and no moment at which a kill locks it out (REQ-5,
//! REG-6).

use std::{
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use keyward_protocol::{
    policy::Policy, provisioning::EnrolmentRequest, registration::KeyReplacement, request::Refusal,
    Role,
};
use serde_json::Value;

use crate::{
    gateway::{Answer, Member},
    scene::{agent, done, said, Scene, PATIENCE},
};

impl Scene {
    async fn replace(&self, timeout: &str) -> std::process::Output {
        let args = ["replace-keys", "--json", "--timeout", timeout];
        self.publisher.run(&args).await
    }

    fn replacing(&self) -> Child {
        agent(&self.publisher.store())
            .args(["replace-keys", "--json", "--timeout", "60"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Waits until the gateway was asked.
    async fn asked(&self) -> KeyReplacement {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(asked) = self.gateway.desk().asked.last() {
                return asked.clone();
            }
            assert!(Instant::now() < deadline, "it does not ask");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn status(&self) -> Value {
        let status = self.publisher.run(&["status", "--json"]).await;
        serde_json::from_slice(&status.stdout).unwrap()
    }

    /// The keys that the chain has for the publisher.
    fn on_chain(&self) -> EnrolmentRequest {
        let desk = self.gateway.desk();
        let (signing_key, key_version) = desk.keys[&self.publisher.request.device];
        let mut asked = desk.asked.iter();
        match asked.find(|asked| asked.signing_key == signing_key) {
            None => self.publisher.request.clone(),
            Some(asked) => EnrolmentRequest {
                device: asked.device.clone(),
                key_version,
                signing_key,
                agreement_key: asked.agreement_key,
            },
        }
    }

    /// The chain gives the group another epoch, with the keys that it has; then the publisher publishes.
    async fn publishes(&mut self, epoch: u32, message: &str) {
        let request = self.on_chain();
        let publisher = Member {
            request: &request,
            role: Role::Publish,
        };
        let members = [publisher, self.reader.member(Role::Subscribe)];
        self.gateway
            .state(epoch, &members, &Policy::default(), 0)
            .await;
        let sealed = done(self.publisher.publish(message, "30").await);
        assert_eq!(sealed[0]["epoch"], epoch, "{message}");
    }
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn the_new_keys_count_when_it_is_done() {
    let mut scene = Scene::set(&Policy::default()).await;
    let reader = scene.reader.subscribe().await;
    let before = scene.status().await;
    let lines = done(scene.replace("30").await);
    let steps: Vec<_> = lines
        .iter()
        .filter_map(|line| line["step"].as_str())
        .collect();
    assert_eq!(steps, ["made", "connected", "accepted", "done"]);
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["event"], &last["key_version"]),
        (&"keys-replaced".into(), &2.into())
    );
    let after = scene.status().await;
    assert_eq!(after["key_version"], 2);
    assert_ne!(after["signing_key"], before["signing_key"]);
    assert_ne!(after["agreement_key"], before["agreement_key"]);
    let signing = scene.on_chain().signing_key.to_string();
    assert_eq!(after["signing_key"], signing);
    assert_eq!(after.get("next_key_version"), None);

    scene.publishes(2, "with new keys").await;
    assert_eq!(reader.reads("with new keys").await["sender"], "1111");
    // And again, from the new ones to newer ones.
    let again = done(scene.replace("30").await);
    assert_eq!(again.last().unwrap()["key_version"], 3);
    scene.publishes(3, "with newer keys").await;
}

/// Killed before the gateway did anything: the old keys go on, and the same new ones are asked for again.
#[tokio::test]
async fn killed_while_it_waits_it_goes_on_with_the_old_keys_until_it_is_asked_again() {
    let mut scene = Scene::set(&Policy::default()).await;
    scene.gateway.desk().answer = Answer::Deaf;
    let waiting = scene.replacing();
    let first = scene.asked().await;
    kill(waiting);
    let status = scene.status().await;
    assert_eq!(
        (&status["key_version"], &status["next_key_version"]),
        (&1.into(), &2.into())
    );
    let people = scene.publisher.run(&["status"]).await;
    assert!(said(&people).contains("replace-keys"), "{}", said(&people));
    scene.publishes(2, "with the old keys").await;

    scene.gateway.desk().answer = Answer::Enrols;
    let lines = done(scene.replace("30").await);
    assert_eq!(lines.last().unwrap()["key_version"], 2);
    let on_chain = scene.on_chain();
    assert_eq!(
        on_chain.signing_key, first.signing_key,
        "other keys than before"
    );
    scene.publishes(3, "with the new keys").await;
}

/// Killed after the chain has the new keys, before the device knows: the next command finds out, whichever it is.
#[tokio::test]
async fn killed_after_the_chain_has_them_the_next_command_takes_them() {
    let mut scene = Scene::set(&Policy::default()).await;
    scene.gateway.desk().answer = Answer::Deaf;
    let waiting = scene.replacing();
    let asked = scene.asked().await;
    kill(waiting);
    let device = scene.publisher.request.device.clone();
    let keys = (asked.signing_key, asked.key_version);
    scene.gateway.desk().keys.insert(device, keys);
    scene.publishes(2, "by the next command").await;
    let status = scene.status().await;
    assert_eq!(status["key_version"], 2);
    assert_eq!(status.get("next_key_version"), None);
}

/// A subscriber that was running all the time takes them too, and goes on reading.
#[tokio::test]
async fn a_subscriber_takes_the_new_keys_and_goes_on() {
    let mut scene = Scene::set(&Policy::default()).await;
    scene.gateway.desk().answer = Answer::Deaf;
    std::mem::swap(&mut scene.publisher, &mut scene.reader);
    let waiting = scene.replacing();
    let asked = scene.asked().await;
    kill(waiting);
    std::mem::swap(&mut scene.publisher, &mut scene.reader);
    let reader = scene.reader.subscribe().await;
    done(scene.publisher.publish("before", "30").await);
    reader.reads("before").await;
    let request = EnrolmentRequest {
        device: asked.device,
        key_version: asked.key_version,
        signing_key: asked.signing_key,
        agreement_key: asked.agreement_key,
    };
    let renewed = Member {
        request: &request,
        role: Role::Subscribe,
    };
    let members = [scene.publisher.member(Role::Publish), renewed];
    scene
        .gateway
        .state(2, &members, &Policy::default(), 0)
        .await;
    reader.until(|line| line["kind"] == "keys-taken-over").await;
    done(scene.publisher.publish("after", "30").await);
    assert_eq!(reader.reads("after").await["epoch"], 2);
}

/// The gateway's word may get lost: its statement for the new keys says the same.
#[tokio::test]
async fn an_answer_that_is_lost_does_no_harm() {
    let mut scene = Scene::set(&Policy::default()).await;
    scene.gateway.desk().answer = Answer::Silent;
    let lines = done(scene.replace("30").await);
    assert_eq!(lines.last().unwrap()["key_version"], 2);
    scene.publishes(2, "x").await;
}

#[tokio::test]
async fn a_gateway_that_declines_is_quoted_and_the_old_keys_stay() {
    let mut scene = Scene::set(&Policy::default()).await;
    scene.gateway.desk().answer = Answer::Refuses(Refusal::Chain);
    let declined = scene.replace("30").await;
    assert_eq!(declined.status.code(), Some(6), "{}", said(&declined));
    assert!(said(&declined).contains(r#""reason":"Chain""#));
    assert!(said(&declined).contains("the old ones still count"));
    scene.publishes(2, "with the old keys").await;
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_is_told_from_a_broker_that_is_not_there() {
    let mut scene = Scene::set(&Policy::default()).await;
    scene.gateway.desk().answer = Answer::Deaf;
    let late = scene.replace("2").await;
    assert_eq!(late.status.code(), Some(8), "{}", said(&late));
    assert!(said(&late).contains("the gateway did not answer in time"));
    scene.broker.kill();
    let away = scene.replace("1").await;
    assert_eq!(away.status.code(), Some(8), "{}", said(&away));
    assert!(said(&away).contains("the broker was not reached"));
}

/// Killed anywhere: the device works with the keys that the chain has.
#[tokio::test]
async fn no_moment_at_which_it_is_killed_locks_a_device_out() {
    let mut scene = Scene::set(&Policy::default()).await;
    for (round, after) in (2..).zip([0, 15, 30, 60, 90, 120, 180, 250, 400]) {
        let running = scene.replacing();
        tokio::time::sleep(Duration::from_millis(after)).await;
        kill(running);
        scene
            .publishes(round, &format!("killed after {after} ms"))
            .await;
    }
    let lines = done(scene.replace("30").await);
    assert_eq!(lines.last().unwrap()["event"], "keys-replaced");
    scene.publishes(20, "in the end").await;
}
