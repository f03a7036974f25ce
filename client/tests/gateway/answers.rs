//! How the gateway answers.

use std::sync::{Arc, Mutex};

use keyward_client::agent::{
    link::{Link, LinkEvent, Publication, Received},
    mqtt::Mqtt,
};
use keyward_crypto::{
    sign::{sign_message, verify, Verifier},
    SigningKey,
};
use keyward_protocol::{
    request::{Ask, Request, Response, Status},
    signing::Unverified,
    statement::DeviceStatement,
    topic::{ControlTopic, PREFIX},
    VerifyingKey,
};
use tokio::sync::mpsc;

use super::{now, Answer, Desk, Outgoing, ACCOUNT, FIRST, GENESIS};

/// Publishes what the gateway says, and answers what it is asked.
pub async fn run(
    mut link: Mqtt,
    key: SigningKey,
    desk: Arc<Mutex<Desk>>,
    mut queue: mpsc::UnboundedReceiver<Outgoing>,
) {
    let mut waiting = std::collections::BTreeMap::new();
    let mut next = 1;
    loop {
        tokio::select! {
            Some((topic, payload, done)) = queue.recv() => {
                link.publish(Publication(next), &topic, payload, true);
                waiting.insert(Publication(next), done);
                next += 1;
            }
            event = link.next() => match event {
                LinkEvent::Received(received) => {
                    link.acknowledge(received.ticket);
                    respond(&mut link, &key, &mut desk.lock().unwrap(), &received);
                }
                LinkEvent::Published(publication, outcome) => {
                    outcome.unwrap();
                    waiting.remove(&publication).map(|done| done.send(()));
                }
                _ => {}
            },
        }
    }
}

fn respond(link: &mut Mqtt, key: &SigningKey, desk: &mut Desk, received: &Received) {
    let Ok(request) = Unverified::<Request>::from_wire(&received.payload) else {
        return;
    };
    let done = match &request.claims().ask {
        Ask::Enrol { voucher, .. } => {
            let keys = (voucher.signing_key, voucher.key_version);
            desk.keys.insert(voucher.device.clone(), keys);
            Some(voucher.key_version)
        }
        Ask::ReplaceKeys { .. } => replace(desk, request.clone()),
        Ask::Resync => None,
    };
    let (Some(key_version), request) = (done, request.claims()) else {
        return;
    };
    match desk.answer {
        Answer::Enrols => {
            send_response(link, key, request, Status::Accepted);
            send_response(link, key, request, Status::Done);
            send_statement(link, key, request, key_version, desk);
        }
        Answer::Silent => send_statement(link, key, request, key_version, desk),
        Answer::Deaf => {}
        Answer::Refuses(refusal) => send_response(link, key, request, Status::Refused(refusal)),
    }
}

/// The version of the device's keys when it is done; none if the request is not signed as it must be (REQ-5, REG-6).
fn replace(desk: &mut Desk, request: Unverified<Request>) -> Option<u32> {
    let Ask::ReplaceKeys {
        replacement,
        new_signature,
        current_signature,
    } = request.claims().ask.clone()
    else {
        return None;
    };
    let (current, version) = *desk.keys.get(&replacement.device)?;
    // As the bridge: what is signed by a key that does not count (any more) is not even answered.
    verify(request, &GENESIS, &current).ok()?;
    let verifies = |key: &VerifyingKey, signature| {
        let verifier = Verifier::new(key).unwrap();
        verifier.verifies_replacement(&GENESIS, &replacement, signature)
    };
    assert!(verifies(&replacement.signing_key, &new_signature));
    assert!(verifies(&current, &current_signature));
    assert!(replacement.not_after > super::now() / 1000);
    assert_eq!(replacement.key_version, version + 1);
    desk.asked.push(replacement.clone());
    if matches!(desk.answer, Answer::Enrols | Answer::Silent) {
        let keys = (replacement.signing_key, replacement.key_version);
        desk.keys.insert(replacement.device.clone(), keys);
    }
    Some(replacement.key_version)
}

fn send_response(link: &mut Mqtt, key: &SigningKey, request: &Request, status: Status) {
    let response = Response {
        gateway: ACCOUNT,
        device: request.device.clone(),
        nonce: request.nonce,
        status,
        reason: Default::default(),
        block: FIRST,
        chain_time: now(),
    };
    let topic = ControlTopic::Response("gw1".parse().unwrap(), request.device.clone());
    let signed = sign_message(GENESIS, response, key).unwrap();
    link.publish(
        Publication(0),
        &topic.to_topic(PREFIX),
        signed.to_wire(),
        false,
    );
}

/// The device is on chain, and in no group.
fn send_statement(
    link: &mut Mqtt,
    key: &SigningKey,
    request: &Request,
    key_version: u32,
    desk: &mut Desk,
) {
    desk.revision += 1;
    let statement = DeviceStatement {
        gateway: ACCOUNT,
        device: request.device.clone(),
        key_version,
        revision: desk.revision,
        groups: Default::default(),
        block: FIRST,
        chain_time: now(),
        extensions: Default::default(),
    };
    let topic = ControlTopic::DeviceState("gw1".parse().unwrap(), request.device.clone());
    let signed = sign_message(GENESIS, statement, key).unwrap();
    link.publish(
        Publication(0),
        &topic.to_topic(PREFIX),
        signed.to_wire(),
        true,
    );
}
