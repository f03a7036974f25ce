//! The bytes of Keyward: identifiers, limits, topics, wire formats and everything that is signed (DESIGN sections 5 and 6).
//!
//! One definition, used by the pallet in wasm, by the bridge and by the device. The crate holds no cryptography and no
//! I/O: it turns values into bytes and hostile bytes into values or a [`wire::WireInvalid`]. The rules are numbered in
//! `docs/protocol.md`.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

extern crate alloc;

pub mod beacon;
pub mod bytes;
pub mod extension;
pub mod grant;
pub mod history;
pub mod id;
pub mod limits;
pub mod message;
pub mod policy;
#[cfg(feature = "serde")]
pub mod provisioning;
pub mod receipt;
pub mod registration;
pub mod request;
pub mod role;
pub mod signing;
pub mod statement;
pub mod topic;
pub mod view;
pub mod wire;

pub use bytes::{
    AccountId, AgreementKey, BlockHash, Commitment, Digest, Genesis, Signature, VerifyingKey,
};
pub use id::{AuthorityId, DeviceId, GatewayName, GroupId, OrganisationId};
pub use role::Role;

/// Version of every format in this crate, and the first byte of each control message (ENV-1).
pub const VERSION: u8 = 1;
