//! Keyward's cryptography, composed from audited crates: sign, verify, seal, open, derive (DESIGN sections 5 and 5.1).
//!
//! Suite 0: X25519 sealed box (libsodium's `crypto_box_seal`), HKDF-SHA256, AES-256-GCM-SIV (RFC 8452), Ed25519 (RFC 8032).
//! The crate has no state beyond its keys, no I/O and no clock; whoever needs randomness passes the generator in, so that
//! every output can be reproduced by a test. Secrets are erased when dropped and never show in `Debug`.
//!
//! | module | what |
//! |---|---|
//! | [`hash`] | BLAKE2b-256: "the hash of" a message, page or voucher |
//! | [`epoch`] | epoch secrets and the commitments to them |
//! | [`sign`] | Ed25519 keys, signed messages |
//! | [`agreement`], [`sealed_box`] | X25519 keys, sealed boxes |
//! | [`grant`] | grants, one by one or in a pass over all members |
//! | [`message`] | protected messages |
//! | [`wrap`] | secrets at rest |
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

pub mod agreement;
pub mod epoch;
pub mod grant;
pub mod hash;
pub mod message;
pub mod sealed_box;
pub mod sign;
pub mod wrap;

pub use agreement::AgreementSecret;
pub use grant::SealingPass;
pub use message::{GroupKey, MessageKey};
pub use sign::{SigningKey, Verifier};
pub use wrap::{Wrapped, WrappingKey};
