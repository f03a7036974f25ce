//! Sealed boxes, byte for byte libsodium's `crypto_box_seal`:
//!
//! ```text
//! ephemeral public key [32] · Poly1305 tag [16] · XSalsa20 ciphertext
//! key   = HSalsa20(X25519(ephemeral secret, recipient), 0)
//! nonce = BLAKE2b-192(ephemeral public ‖ recipient)
//! ```
//!
//! Put together here from `crypto_secretbox` and `curve25519-dalek` and not taken from `crypto_box`, because the secret
//! bytes of that crate's key are not erased, and because it cannot share an ephemeral key (KEY-6).

use alloc::vec::Vec;
use blake2::{digest::consts::U24, Blake2b, Digest as _};
use crypto_secretbox::{
    aead::{generic_array::GenericArray, AeadInPlace, KeyInit},
    Kdf, Nonce, Tag, XSalsa20Poly1305,
};
use keyward_protocol::AgreementKey;
use rand_core::CryptoRngCore;
use salsa20::Salsa20;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::agreement::AgreementSecret;

/// Bytes that a box adds to its content: ephemeral key and tag.
pub const OVERHEAD: usize = KEY + TAG;
const KEY: usize = 32;
const TAG: usize = 16;

/// Why nothing was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotSealed {
    /// The recipient's key is of small order or not canonical (REG-5): everybody could open the box.
    #[error("recipient key {recipient} is of small order or not canonical; its owner must make a new one")]
    Recipient {
        /// The key.
        recipient: AgreementKey,
    },
}

/// Why a sealed box was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotOpened {
    /// Shorter than an empty box.
    #[error("{actual} bytes are no sealed box, which has at least 48; ask for it again")]
    TooShort {
        /// Bytes that came.
        actual: usize,
    },
    /// Sealed to another key, or changed on its way.
    #[error("the sealed box is for another key or was changed; ask for it again")]
    NotOurs,
}

/// Seals bytes to a key with an ephemeral key of its own.
///
/// # Errors
/// When the recipient's key is not acceptable; a retry does not help.
pub fn seal(
    recipient: &AgreementKey,
    content: &[u8],
    rng: &mut (impl CryptoRngCore + ?Sized),
) -> Result<Vec<u8>, NotSealed> {
    seal_from(&AgreementSecret::generate(rng), recipient, content)
}

/// Seals from a given ephemeral key, which must not meet the same recipient twice: the nonce would repeat.
pub(crate) fn seal_from(
    ephemeral: &AgreementSecret,
    recipient: &AgreementKey,
    content: &[u8],
) -> Result<Vec<u8>, NotSealed> {
    let refused = NotSealed::Recipient {
        recipient: *recipient,
    };
    if !recipient.is_acceptable() {
        return Err(refused);
    }
    let cipher = cipher(ephemeral, recipient).ok_or(refused)?;
    let mut sealed = Vec::with_capacity(content.len().saturating_add(OVERHEAD));
    sealed.extend_from_slice(&ephemeral.public().0);
    sealed.extend_from_slice(&[0; TAG]);
    sealed.extend_from_slice(content);
    let nonce = nonce(&ephemeral.public(), recipient);
    if let Some((head, body)) = sealed.split_at_mut_checked(OVERHEAD) {
        let tag = cipher
            .encrypt_in_place_detached(&nonce, &[], body)
            .map_err(|_| refused)?;
        head.split_at_mut(KEY).1.copy_from_slice(&tag);
    }
    Ok(sealed)
}

/// Opens a box with the recipient's key.
pub(crate) fn open(
    secret: &AgreementSecret,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
    let too_short = NotOpened::TooShort {
        actual: sealed.len(),
    };
    let (ephemeral, rest) = sealed.split_first_chunk::<KEY>().ok_or(too_short)?;
    let (tag, body) = rest.split_first_chunk::<TAG>().ok_or(too_short)?;
    let ephemeral = AgreementKey(*ephemeral);
    let cipher = cipher(secret, &ephemeral).ok_or(NotOpened::NotOurs)?;
    let mut content = Zeroizing::new(body.to_vec());
    cipher
        .decrypt_in_place_detached(
            &nonce(&ephemeral, &secret.public()),
            &[],
            &mut content,
            Tag::from_slice(tag),
        )
        .map_err(|_| NotOpened::NotOurs)?;
    Ok(content)
}

fn cipher(ours: &AgreementSecret, theirs: &AgreementKey) -> Option<XSalsa20Poly1305> {
    let shared = ours.agree(theirs)?;
    let zero = GenericArray::default();
    let key = Zeroizing::new(Salsa20::kdf(GenericArray::from_slice(&*shared), &zero));
    Some(XSalsa20Poly1305::new(&key))
}

fn nonce(ephemeral: &AgreementKey, recipient: &AgreementKey) -> Nonce {
    Blake2b::<U24>::new()
        .chain_update(ephemeral)
        .chain_update(recipient)
        .finalize()
}
