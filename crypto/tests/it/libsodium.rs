//! Sealed boxes against libsodium, through PyNaCl: it opens ours, one by one and of a pass, and we open its.

use keyward_crypto::{sealed_box, AgreementSecret, SealingPass};
use keyward_protocol::{
    extension::Extensions,
    grant::{EpochSecret, Grant, GrantedEpoch},
};
use rand_core::OsRng;
use serde_json::{json, Value};
use std::{io::Write as _, process::Stdio};

use crate::{
    fixed::{device, group},
    python::python,
};

/// Opens the boxes with their secrets, and seals the same contents to the same recipients.
const SCRIPT: &str = r#"
import json, sys
from nacl.public import PrivateKey, PublicKey, SealedBox
answers = []
for box in json.load(sys.stdin):
    secret = PrivateKey(bytes.fromhex(box["secret"]))
    opened = SealedBox(secret).decrypt(bytes.fromhex(box["sealed"]))
    public = PublicKey(bytes.fromhex(box["public"]))
    sealed = SealedBox(public).encrypt(opened)
    answers.append({"opened": opened.hex(), "sealed": sealed.hex()})
json.dump(answers, sys.stdout)
"#;

fn ask(boxes: &[Value]) -> Vec<Value> {
    let mut child = python()
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let question = serde_json::to_vec(boxes).unwrap();
    child.stdin.take().unwrap().write_all(&question).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "libsodium refuses one of our boxes"
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn question(secret: &AgreementSecret, sealed: &[u8]) -> Value {
    json!({
        "secret": hex::encode(secret.expose()),
        "public": hex::encode(secret.public()),
        "sealed": hex::encode(sealed),
    })
}

fn answered(answer: &Value, secret: &AgreementSecret, content: &[u8]) {
    assert_eq!(answer["opened"], hex::encode(content));
    let theirs = hex::decode(answer["sealed"].as_str().unwrap()).unwrap();
    assert_eq!(secret.open(&theirs).unwrap()[..], *content);
}

#[test]
fn libsodium_opens_our_boxes_and_we_open_its() {
    let secrets: Vec<_> = (0..20)
        .map(|_| AgreementSecret::generate(&mut OsRng))
        .collect();
    let contents: Vec<_> = (0..20).map(|at| vec![at as u8; at * at * 7]).collect();
    let boxes: Vec<_> = secrets
        .iter()
        .zip(&contents)
        .map(|(secret, content)| {
            let sealed = sealed_box::seal(&secret.public(), content, &mut OsRng).unwrap();
            question(secret, &sealed)
        })
        .collect();
    for (answer, (secret, content)) in ask(&boxes).iter().zip(secrets.iter().zip(&contents)) {
        answered(answer, secret, content);
    }
}

#[test]
fn libsodium_opens_every_grant_of_a_pass() {
    let mut pass = SealingPass::begin(&mut OsRng);
    let members: Vec<_> = (0..20)
        .map(|at| {
            let secret = AgreementSecret::generate(&mut OsRng);
            let grant = grant(at);
            let sealed = pass.seal(&grant, &secret.public()).unwrap();
            (question(&secret, &sealed), secret, grant)
        })
        .collect();
    let boxes: Vec<_> = members
        .iter()
        .map(|(question, ..)| question.clone())
        .collect();
    let answers = ask(&boxes);
    assert_eq!(answers.len(), members.len());
    for (answer, (_, secret, grant)) in answers.iter().zip(&members) {
        answered(answer, secret, &grant.to_wire());
    }
}

fn grant(at: u32) -> Grant {
    let granted = GrantedEpoch {
        epoch: at,
        secret: EpochSecret::new([at as u8; 32]),
    };
    Grant {
        group: group("hsu0001"),
        device: device(&format!("device-{at}")),
        key_version: 1,
        epochs: vec![granted].try_into().unwrap(),
        extensions: Extensions::default(),
    }
}
