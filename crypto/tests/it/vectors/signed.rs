//! Every signed message, and the payloads that are signed or hashed without a message of their own.

use keyward_crypto::{
    hash::{blake2b_256, hash_of, page_hash, registration},
    sign::{sign_message, verify},
    SigningKey,
};
use keyward_protocol::{
    request::Ask,
    signing::{payload, Body, Purpose, Unverified},
};
use serde_json::{json, Value};

use super::{bodies, hexed};
use crate::fixed::{genesis, signing};

/// Seeds of the signers are 32 times one byte.
const AUTHORITY: u8 = 1;
const GATEWAY: u8 = 2;
const DEVICE: u8 = 3;
const NEW_DEVICE: u8 = 4;

pub fn vectors() -> Value {
    let mut cases = vec![
        signed("Voucher", bodies::voucher(), AUTHORITY),
        signed("DeviceStatement", bodies::device_statement(), GATEWAY),
        signed("GroupStatement", bodies::group_statement(), GATEWAY),
        signed("Beacon", bodies::beacon(), GATEWAY),
        signed("AnchorCertificate", bodies::anchor(), GATEWAY),
        signed("Response", bodies::response(), GATEWAY),
        signed("Receipt", bodies::receipt(), DEVICE),
    ];
    cases.extend(requests());
    cases.extend([registered(), replaced(DEVICE), replaced(NEW_DEVICE), page()]);
    json!({ "genesis": hexed(genesis()), "cases": cases })
}

fn key(seed: u8) -> (SigningKey, Value) {
    let key = signing(seed);
    let fields = json!({"seed": hexed([seed; 32]), "public": hexed(key.verifying_key())});
    (key, fields)
}

fn signed<T: Body + Clone + PartialEq + core::fmt::Debug>(
    name: &str,
    (body, fields): (T, Value),
    seed: u8,
) -> Value {
    let (key, signer) = key(seed);
    let message = sign_message(genesis(), body, &key).unwrap();
    let wire = message.to_wire();
    let read = Unverified::<T>::from_wire(&wire).unwrap();
    let read = verify(read, &genesis(), &key.verifying_key()).unwrap();
    assert_eq!(read, message);
    json!({
        "type": name, "fields": fields, "purpose": T::PURPOSE as u8, "signer": signer,
        "payload": hexed(message.payload()), "hash": hexed(hash_of(&message)),
        "signature": hexed(message.signature()), "wire": hexed(wire),
    })
}

fn requests() -> Vec<Value> {
    let (voucher, voucher_fields) = bodies::voucher();
    let voucher_signature =
        signing(AUTHORITY).sign(&payload(&genesis(), Purpose::Voucher, &voucher));
    let registration = registration(&genesis(), &voucher);
    let proof = signing(DEVICE).sign_registration(&genesis(), &registration);
    let enrol_fields = json!({"enrol": {
        "voucher": voucher_fields, "voucher_signature": hexed(voucher_signature), "proof": hexed(proof),
    }});
    let enrol = Ask::Enrol {
        voucher,
        voucher_signature,
        proof,
    };
    let (replacement, replacement_fields) = bodies::replacement();
    let new_signature = signing(NEW_DEVICE).sign_replacement(&genesis(), &replacement);
    let current_signature = signing(DEVICE).sign_replacement(&genesis(), &replacement);
    let replace_fields = json!({"replace_keys": {
        "replacement": replacement_fields, "new_signature": hexed(new_signature),
        "current_signature": hexed(current_signature),
    }});
    let replace = Ask::ReplaceKeys {
        replacement,
        new_signature,
        current_signature,
    };
    vec![
        signed("Request", bodies::request(enrol, enrol_fields), DEVICE),
        signed(
            "Request",
            bodies::request(Ask::Resync, json!("resync")),
            DEVICE,
        ),
        signed("Request", bodies::request(replace, replace_fields), DEVICE),
    ]
}

fn registered() -> Value {
    let (key, signer) = key(DEVICE);
    let registration = registration(&genesis(), &bodies::voucher().0);
    let payload = payload(&genesis(), Purpose::Registration, &registration);
    let fields = json!({
        "voucher": hexed(registration.voucher), "gateway": hexed(registration.gateway),
        "signing_key": hexed(registration.signing_key), "agreement_key": hexed(registration.agreement_key),
    });
    json!({
        "type": "Registration", "fields": fields, "purpose": Purpose::Registration as u8, "signer": signer,
        "payload": hexed(&payload), "hash": hexed(blake2b_256(&payload)),
        "signature": hexed(key.sign_registration(&genesis(), &registration)),
    })
}

fn replaced(seed: u8) -> Value {
    let (key, signer) = key(seed);
    let (replacement, fields) = bodies::replacement();
    let payload = payload(&genesis(), Purpose::KeyReplacement, &replacement);
    json!({
        "type": "KeyReplacement", "fields": fields, "purpose": Purpose::KeyReplacement as u8, "signer": signer,
        "payload": hexed(&payload), "hash": hexed(blake2b_256(&payload)),
        "signature": hexed(key.sign_replacement(&genesis(), &replacement)),
    })
}

fn page() -> Value {
    let (page, fields) = bodies::page();
    json!({
        "type": "PublisherPage", "fields": fields, "purpose": Purpose::PublisherPage as u8,
        "payload": hexed(page.payload(&genesis())), "hash": hexed(page_hash(&genesis(), &page)),
        "wire": hexed(page.to_wire(&genesis())),
    })
}
