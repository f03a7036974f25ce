//! Protected messages: every combination of flags and streams, and the ends of every number. Each is sealed a second time
//! here from the primitives alone.

use aes_gcm_siv::{
    aead::{Aead, KeyInit, Payload},
    Aes256GcmSiv,
};
use hkdf::Hkdf;
use keyward_crypto::{hash::blake2b_256, message::Expected, GroupKey, Verifier};
use keyward_protocol::{
    grant::EpochSecret,
    message::{associated_data, signature_context, signature_payload, Header, Message, Stream},
    GroupId,
};
use serde_json::{json, Value};
use sha2::Sha256;

use super::hexed;
use crate::fixed::{genesis, group, signing};

const TIME: u32 = 1_721_260_800;
const PAYLOAD: &[u8] = br#"{"valve":"open","temperature":25.0}"#;
const SECRET: [u8; 32] = [0x11; 32];

struct Case {
    header: Header,
    group: GroupId,
    topic: &'static str,
    payload: &'static [u8],
}

pub fn vectors() -> Value {
    let mut cases = Vec::new();
    for stream in [Stream::Live, Stream::Retained, Stream::Will] {
        for (signed, timed) in [(false, false), (false, true), (true, false), (true, true)] {
            cases.push(Case {
                header: header(signed, timed, stream, (1, 0, 1, 0)),
                group: group("hsu0001"),
                topic: "hsu0001",
                payload: PAYLOAD,
            });
        }
    }
    let numbers = [
        (63, 64, 16_383, 16_384),
        (1 << 30, (1 << 30) - 1, u32::MAX, u64::MAX),
        (u32::MAX, u32::MAX, 0, (1 << 30) - 1),
        (0, 1, 2, 1 << 56),
    ];
    cases.extend(numbers.map(|numbers| Case {
        header: header(true, true, Stream::Live, numbers),
        group: group("acme.valves"),
        topic: "acme/größe/1",
        payload: b"",
    }));
    let cases: Vec<Value> = cases.iter().map(vector).collect();
    json!({
        "genesis": hexed(genesis()),
        "secret": hexed(SECRET),
        "signer": {"seed": hexed([3; 32]), "public": hexed(signing(3).verifying_key())},
        "cases": cases,
    })
}

fn header(signed: bool, timed: bool, stream: Stream, numbers: (u32, u32, u32, u64)) -> Header {
    let (epoch, sender, boot, counter) = numbers;
    Header {
        signed,
        timed,
        stream,
        epoch,
        sender,
        boot,
        counter,
    }
}

fn vector(case: &Case) -> Value {
    let header = &case.header;
    let signer = signing(3);
    let secret = EpochSecret::new(SECRET);
    let group_key = GroupKey::new(&genesis(), &case.group, header.epoch, &secret);
    let key = group_key.message_key(header.sender, header.boot, header.stream);
    let time = header.timed.then_some(TIME);
    let signer = header.signed.then_some(&signer);
    let wire = key
        .seal(header.counter, case.topic, time, case.payload, signer)
        .unwrap();
    assert_eq!(wire.len(), header.overhead() + case.payload.len());
    reopen(case, &key, &wire);

    let (prk, raw_key) = derive(case);
    let head = header.to_wire();
    let data = associated_data(&genesis(), &case.group, case.topic, &head);
    assert_eq!(by_hand(case, &raw_key, &data), wire);
    json!({
        "stream": header.stream as u8, "signed": header.signed, "timed": header.timed,
        "epoch": header.epoch, "sender": header.sender, "boot": header.boot,
        "counter": header.counter, "group": case.group.as_str(), "topic": case.topic,
        "time": time, "payload": hexed(case.payload), "header": hexed(&head),
        "prk": hexed(prk), "info": hexed(header.key_info(&case.group)), "key": hexed(raw_key),
        "nonce": hexed(header.nonce()), "associated_data": hexed(&data),
        "signature_context": hexed(signature_context(&genesis(), &case.group, case.topic)),
        "wire": hexed(wire),
    })
}

fn reopen(case: &Case, key: &keyward_crypto::MessageKey, wire: &[u8]) {
    let message = Message::from_wire(wire).unwrap();
    assert_eq!(message.header, case.header);
    let verifier = Verifier::new(&signing(3).verifying_key()).unwrap();
    let expected = Expected {
        signed_by: case.header.signed.then_some(&verifier),
        timed: case.header.timed,
    };
    let opened = key.open(&message, case.topic, expected).unwrap();
    assert_eq!(opened.payload, case.payload);
    assert_eq!(opened.time, case.header.timed.then_some(TIME));
}

fn derive(case: &Case) -> ([u8; 32], [u8; 32]) {
    let (prk, hkdf) = Hkdf::<Sha256>::extract(Some(&genesis().0), &SECRET);
    let mut key = [0; 32];
    let info = case.header.key_info(&case.group);
    hkdf.expand(&info, &mut key).unwrap();
    (prk.into(), key)
}

fn by_hand(case: &Case, key: &[u8; 32], data: &[u8]) -> Vec<u8> {
    let time: &[u8] = if case.header.timed {
        &TIME.to_le_bytes()
    } else {
        &[]
    };
    let plaintext = [time, case.payload].concat();
    let payload = Payload {
        msg: &plaintext,
        aad: data,
    };
    let cipher = Aes256GcmSiv::new(key.into());
    let ciphertext = cipher
        .encrypt(&case.header.nonce().into(), payload)
        .unwrap();
    let mut wire = [case.header.to_wire(), ciphertext].concat();
    if case.header.signed {
        let context = blake2b_256(&signature_context(&genesis(), &case.group, case.topic));
        let signature = signing(3).sign(&signature_payload(&context, &wire));
        wire.extend_from_slice(&signature.0);
    }
    wire
}
