//! The files in which operators, authorities and devices tell each other whom to trust, as JSON. None is secret.
//!
//! The device makes its keys and writes an [`EnrolmentRequest`]; the authority answers with a [`Provisioning`], which is all
//! that the device trusts (PRV-1): nothing is trusted on first use. A gateway that gets another statement key afterwards tells
//! its devices by what is in an [`AnchorFile`] (STM-11).

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

use crate::{
    bytes::{AccountId, AgreementKey, Genesis, VerifyingKey},
    id::{DeviceId, GatewayName},
    topic::TopicFilter,
};

/// What a device asks its authority to vouch for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentRequest {
    /// The device's id.
    pub device: DeviceId,
    /// 1 for a new device.
    pub key_version: u32,
    /// Its Ed25519 key.
    pub signing_key: VerifyingKey,
    /// Its X25519 key.
    pub agreement_key: AgreementKey,
}

/// The gateway that a device belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnerGateway {
    /// Its account on chain.
    pub account: AccountId,
    /// Its short name, as it stands in topics.
    pub name: GatewayName,
    /// The key that it signs statements with, on the day of provisioning.
    pub statement_key: VerifyingKey,
    /// Number of a finalized block at which the chain had that key: no anchor certificate up to this serial takes the device back
    /// to a key from before (STM-11). Files of former versions do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor_serial: Option<u64>,
}

/// What a device is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provisioning {
    /// The device's id.
    pub device: DeviceId,
    /// The chain.
    pub genesis: Genesis,
    /// The authority's key.
    pub authority_key: VerifyingKey,
    /// The owner gateway.
    pub gateway: OwnerGateway,
    /// The signed voucher: hexadecimal of its wire form (SIG-2).
    pub voucher: String,
    /// Topics on which plaintext is refused from the first day.
    pub protected_topics: Vec<TopicFilter>,
}

/// A gateway's new statement key, for its bridge to tell the devices: it goes to the broker as it is (STM-11).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorFile {
    /// Who signed it: the statement key from before, or the authority of the devices.
    pub signer: VerifyingKey,
    /// The signed anchor certificate: hexadecimal of its wire form (SIG-2).
    pub certificate: String,
}
