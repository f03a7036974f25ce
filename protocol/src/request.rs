//! What a device asks its gateway, and the answer (DESIGN section 6).

use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, Encode};

use crate::{
    beacon::BlockRef,
    bytes::{AccountId, Nonce, Signature},
    id::DeviceId,
    limits,
    registration::{KeyReplacement, Voucher},
    signing::{Body, Purpose},
    wire::{Canonical, WireInvalid},
};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Ask {
    /// Register me (REQ-3). The request is signed by the voucher's signing key.
    Enrol {
        /// The voucher.
        voucher: Voucher,
        /// The authority's signature over it.
        voucher_signature: Signature,
        /// The device's signature over its [`crate::registration::Registration`].
        proof: Signature,
    },
    /// Publish my statement, my groups' statements and my grants again, and tell me the time (REQ-4).
    Resync,
    /// Replace my keys (REQ-5). The request is signed by the current key.
    ReplaceKeys {
        /// The new keys.
        replacement: KeyReplacement,
        /// Signature over the replacement by the new signing key.
        new_signature: Signature,
        /// Signature over the replacement by the current signing key.
        current_signature: Signature,
    },
}

/// A request (REQ-1), published to `…/device/<device>/<gw>/request`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Request {
    /// Who asks.
    pub device: DeviceId,
    /// The version of the keys that it signs with.
    pub key_version: u32,
    /// Whom it asks.
    pub gateway: AccountId,
    /// What it asks.
    pub ask: Ask,
    /// Rises with every request of the device; a lower one is refused.
    pub counter: u64,
    /// Echoed in the response.
    pub nonce: Nonce,
}

impl Canonical for Request {
    fn check(&self) -> Result<(), WireInvalid> {
        let same = match &self.ask {
            Ask::Enrol { voucher, .. } => {
                voucher.device == self.device
                    && voucher.gateway == self.gateway
                    && voucher.key_version == self.key_version
            }
            Ask::Resync => true,
            Ask::ReplaceKeys { replacement, .. } => replacement.device == self.device,
        };
        same.then_some(())
            .ok_or(WireInvalid::NotCanonical("request and its body agree"))
    }
}
impl Body for Request {
    const PURPOSE: Purpose = Purpose::Request;
    const MAX: usize = limits::REQUEST;
}

/// What became of a request or receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Status {
    /// Durable at the bridge and on its way to the chain; another response follows.
    Accepted,
    /// Finalized on chain, or done.
    Done,
    /// Will not be done; the response's text says why.
    Refused(Refusal),
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Refusal {
    /// Its counter does not rise.
    Replayed,
    /// Too many requests; try again later.
    Busy,
    /// The device is not known here, or not with this key version.
    Unknown,
    /// The voucher is not this chain's, this gateway's, or its authority's.
    Voucher,
    /// The chain refused it; the text names the chain's error.
    Chain,
}

/// An answer (REQ-2), published to `…/gateway/<gw>/device/<device>/response` and signed by the gateway's statement key. The
/// nonce is the request's; for a receipt it is the first 16 bytes of the receipt's hash.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Response {
    /// Who answers.
    pub gateway: AccountId,
    /// Whom.
    pub device: DeviceId,
    /// Of the request.
    pub nonce: Nonce,
    /// What became of it.
    pub status: Status,
    /// For a human, UTF-8; empty unless refused.
    pub reason: BoundedVec<u8, ConstU32<{ limits::REASON }>>,
    /// Newest finalized block that the gateway knows.
    pub block: BlockRef,
    /// That block's time, in milliseconds since 1970: with the nonce it gives a device without a clock its offset.
    pub chain_time: u64,
}

impl Canonical for Response {
    fn check(&self) -> Result<(), WireInvalid> {
        let text = core::str::from_utf8(&self.reason).is_ok();
        text.then_some(())
            .ok_or(WireInvalid::NotCanonical("reason is UTF-8"))
    }
}
impl Body for Response {
    const PURPOSE: Purpose = Purpose::Response;
    const MAX: usize = limits::REQUEST;
}
