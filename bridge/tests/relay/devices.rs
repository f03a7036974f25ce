//! Keys and what devices say. All keys follow from names, so that the world can be made anew at will.

use keyward_bridge::relay::journal::Home;
use keyward_crypto::{hash, AgreementSecret, SigningKey};
use keyward_protocol::{
    bytes::Nonce,
    receipt::Receipt,
    registration::{KeyReplacement, Voucher},
    request::{Ask, Request},
    signing::{payload, Body},
    AuthorityId, Commitment, DeviceId, GatewayName, Genesis, GroupId,
};

use crate::state::ACCOUNT;

/// The chain.
pub const GENESIS: Genesis = Genesis([0x9e; 32]);
/// The control topics' prefix.
pub const PREFIX: &str = "keyward/v1";
/// Later than any block.
const NEVER: u64 = u64::MAX;

fn seed(of: &str) -> [u8; 32] {
    hash::blake2b_256(of.as_bytes()).0
}

/// The gateway's name.
pub fn gateway() -> GatewayName {
    GatewayName::new("gw").unwrap()
}

/// The gateway on its chain.
pub fn home() -> Home {
    Home {
        genesis: GENESIS,
        account: ACCOUNT,
        name: gateway(),
    }
}

/// The gateway's statement key.
pub fn statement_key() -> SigningKey {
    SigningKey::from_seed(&seed("statement"))
}

/// The authority's id.
pub fn authority() -> AuthorityId {
    AuthorityId::new("demo-ca").unwrap()
}

/// The authority's key.
pub fn authority_key() -> SigningKey {
    SigningKey::from_seed(&seed("authority"))
}

/// A device's signing key of a version.
pub fn signing(device: &DeviceId, version: u32) -> SigningKey {
    SigningKey::from_seed(&seed(&format!("sign {device} {version}")))
}

/// A device's agreement key of a version.
pub fn agreement(device: &DeviceId, version: u32) -> AgreementSecret {
    AgreementSecret::from_bytes(&seed(&format!("agree {device} {version}")))
}

/// The topic of a device's requests.
pub fn request_topic(device: &DeviceId) -> String {
    format!("{PREFIX}/device/{device}/gw/request")
}

/// The topic of a device's receipts.
pub fn receipt_topic(device: &DeviceId) -> String {
    format!("{PREFIX}/device/{device}/gw/ack")
}

/// What a device asks to be enrolled with keys of this version.
pub fn enrolment(device: &DeviceId, version: u32) -> Ask {
    let key = signing(device, version);
    let voucher = Voucher {
        authority: authority(),
        device: device.clone(),
        gateway: ACCOUNT,
        signing_key: key.verifying_key(),
        agreement_key: agreement(device, version).public(),
        key_version: version,
        not_after: NEVER,
    };
    let signed = payload(&GENESIS, Voucher::PURPOSE, &voucher);
    let registration = hash::registration(&GENESIS, &voucher);
    Ask::Enrol {
        voucher_signature: authority_key().sign(&signed),
        proof: key.sign_registration(&GENESIS, &registration),
        voucher,
    }
}

/// What a device asks to get keys of the version after this one.
pub fn replacement(device: &DeviceId, version: u32) -> Ask {
    let next = version + 1;
    let replacement = KeyReplacement {
        device: device.clone(),
        key_version: next,
        signing_key: signing(device, next).verifying_key(),
        agreement_key: agreement(device, next).public(),
        not_after: NEVER,
    };
    Ask::ReplaceKeys {
        new_signature: signing(device, next).sign_replacement(&GENESIS, &replacement),
        current_signature: signing(device, version).sign_replacement(&GENESIS, &replacement),
        replacement,
    }
}

/// A request, signed with keys of this version.
pub fn request(device: &DeviceId, version: u32, ask: Ask, counter: u64) -> Vec<u8> {
    let mut nonce = [0; 16];
    nonce[..8].copy_from_slice(&counter.to_le_bytes());
    let request = Request {
        device: device.clone(),
        key_version: version,
        gateway: ACCOUNT,
        ask,
        counter,
        nonce: Nonce(nonce),
    };
    sign(request, &signing(device, version))
}

/// A receipt, signed with keys of this version.
pub fn receipt(
    group: &GroupId,
    epoch: u32,
    commitment: Commitment,
    device: &DeviceId,
    version: u32,
) -> Vec<u8> {
    let receipt = Receipt {
        group: group.clone(),
        epoch,
        commitment,
        device: device.clone(),
        key_version: version,
    };
    sign(receipt, &signing(device, version))
}

/// Signs a message.
pub fn sign<T: Body>(body: T, key: &SigningKey) -> Vec<u8> {
    let signed = keyward_crypto::sign::sign_message(GENESIS, body, key);
    signed.unwrap().to_wire()
}
