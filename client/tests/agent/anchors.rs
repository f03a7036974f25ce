//! The gateway's statement key, from the file that a device is provisioned with to what it believes (PRV-1, STM-11).

use keyward_crypto::SigningKey;
use keyward_protocol::policy::Policy;

use crate::{
    gateway::SERIAL,
    scene::{done, Scene},
};

/// Somebody has kept what the authority signed for a key that was stolen since.
#[tokio::test]
async fn a_certificate_from_before_the_provisioning_does_not_bring_an_older_key_back() {
    let scene = Scene::set(&Policy::default()).await;
    let reader = scene.reader.subscribe().await;
    let stolen = SigningKey::from_seed(&[2; 32]).verifying_key();
    scene.gateway.certify(stolen, SERIAL).await;
    let refused = reader.until(|line| line["kind"] == "control-refused").await;
    let text = refused["text"].as_str().unwrap();
    assert!(text.contains("older than what is known: 5"), "{text}");
    done(scene.publisher.publish("as before", "30").await);
    reader.reads("as before").await;

    scene.gateway.certify(stolen, SERIAL + 1).await;
    let changed = reader.until(|line| line["kind"] == "owner-key").await;
    let text = changed["text"].as_str().unwrap();
    assert!(text.contains("(serial 6)"), "{text}");
}
