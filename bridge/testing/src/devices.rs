//! Keys, what devices say with them, and what the gateway signed. All keys follow from names, so that the world can be made
//! anew at will.

use keyward_bridge::relay::journal::Home;
use keyward_crypto::{
    hash,
    sign::{sign_message, verify},
    AgreementSecret, SigningKey,
};
use keyward_protocol::{
    bytes::Nonce,
    receipt::Receipt,
    registration::{KeyReplacement, Voucher},
    request::{Ask, Request},
    signing::{payload, Body, Signed, Unverified},
    topic::{ControlTopic, PREFIX},
    AuthorityId, Commitment, DeviceId, GatewayName, Genesis, GroupId,
};

use crate::{numbers::keys_of, state::ACCOUNT};

/// The chain.
pub const GENESIS: Genesis = Genesis([0x9e; 32]);
/// Later than any block.
const NEVER: u64 = u64::MAX;

/// A device by its number.
pub fn device(number: usize) -> DeviceId {
    format!("d{number}").parse().expect("an id")
}

/// A group by its number.
pub fn group(number: usize) -> GroupId {
    format!("g{number}").parse().expect("an id")
}

/// The gateway's name.
pub fn gateway() -> GatewayName {
    "gw".parse().expect("a name")
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
    keys_of("statement").0
}

/// The authority's id.
pub fn authority() -> AuthorityId {
    "demo-ca".parse().expect("an id")
}

/// The authority's key.
pub fn authority_key() -> SigningKey {
    keys_of("authority").0
}

/// A device's signing key of a version.
pub fn signing(device: &DeviceId, version: u32) -> SigningKey {
    keys_of(&format!("{device} {version}")).0
}

/// A device's agreement key of a version.
pub fn agreement(device: &DeviceId, version: u32) -> AgreementSecret {
    keys_of(&format!("{device} {version}")).1
}

/// The topic of a device's requests.
pub fn request_topic(device: &DeviceId) -> String {
    ControlTopic::Request(device.clone(), gateway()).to_topic(PREFIX)
}

/// The topic of a device's receipts.
pub fn receipt_topic(device: &DeviceId) -> String {
    ControlTopic::Ack(device.clone(), gateway()).to_topic(PREFIX)
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
    let signed = sign_message(GENESIS, body, key);
    signed.expect("a body that keeps its rules").to_wire()
}

/// What these bytes say, if the gateway signed them.
pub fn verified<T: Body>(bytes: &[u8]) -> Option<Signed<T>> {
    let unverified = Unverified::from_wire(bytes).ok()?;
    verify(unverified, &GENESIS, &statement_key().verifying_key()).ok()
}
