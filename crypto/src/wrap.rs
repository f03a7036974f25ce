//! Secrets at rest: wrapped under 32 bytes with AES-256-GCM-SIV (RFC 8452), bound to what they are (KEY-9).
//!
//! A store keeps two tables: one key per secret, drawn at random and wrapped under the key file, in slots that are
//! overwritten in place; and the secrets, each wrapped under its own key. Overwriting the slot erases the secret, also
//! where older copies of the second table remain.

use aes_gcm_siv::{
    aead::{AeadInPlace, KeyInit},
    Aes256GcmSiv, Key, Nonce, Tag,
};
use alloc::{boxed::Box, vec::Vec};
use core::fmt;
use rand_core::CryptoRngCore;
use thiserror::Error;
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

const LABEL: &[u8; 15] = b"keyward/v1/wrap";
const NONCE: usize = 12;
const SECRET: usize = 32;
const TAG: usize = 16;

/// Bytes that wrapping adds.
pub const OVERHEAD: usize = NONCE + TAG;
/// Length of a wrapped secret of 32 bytes.
pub const WRAPPED: usize = SECRET + OVERHEAD;

/// A wrapped secret: `nonce [12] ‖ ciphertext [32] ‖ tag [16]`. Not secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Wrapped([u8; WRAPPED]);

impl Wrapped {
    /// From the store.
    pub fn from_bytes(bytes: [u8; WRAPPED]) -> Self {
        Self(bytes)
    }

    /// For the store.
    pub fn as_bytes(&self) -> &[u8; WRAPPED] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Wrapped {
    type Error = NotUnwrapped;
    fn try_from(bytes: &[u8]) -> Result<Self, NotUnwrapped> {
        let actual = bytes.len();
        let bytes = bytes
            .try_into()
            .map_err(|_| NotUnwrapped::Length { actual })?;
        Ok(Self(bytes))
    }
}

impl fmt::Debug for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wrapped(..)")
    }
}

/// Why a wrapped secret was not unwrapped. No retry helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotUnwrapped {
    /// Not so many bytes as a wrapped secret has.
    #[error("{actual} bytes are no wrapped secret of this kind; the store is damaged")]
    Length {
        /// Bytes that came.
        actual: usize,
    },
    /// Wrapped under another key, or for another purpose, or damaged.
    #[error("the secret was wrapped under another key or for another place, or is damaged; check the key file")]
    Authenticity,
}

/// Why a secret was not wrapped: the cipher refused, which it does for lengths only that do not occur here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the cipher refused to wrap; the associated data is too long")]
pub struct NotWrapped;

/// A key that wraps secrets. Erased on drop, never in `Debug`. Its bytes stay where they are while it moves, so that no copy is
/// left behind.
#[derive(Clone)]
pub struct WrappingKey(Box<Zeroizing<[u8; 32]>>);

impl WrappingKey {
    /// A key from a key file or from a slot of the table.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut key = Self::empty();
        key.0.copy_from_slice(bytes);
        key
    }

    /// Draws a key. Pass the operating system's generator.
    pub fn generate(rng: &mut (impl CryptoRngCore + ?Sized)) -> Self {
        let mut key = Self::empty();
        rng.fill_bytes(&mut **key.0);
        key
    }

    fn empty() -> Self {
        Self(Box::new(Zeroizing::new([0; 32])))
    }

    /// The bytes, for wrapping them.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Wraps a secret. `place` says what it is and where it stands (kind, group, epoch, …), so that an entry that was
    /// moved or exchanged does not unwrap.
    ///
    /// # Errors
    /// Only when `place` is longer than 64 GiB.
    pub fn wrap(
        &self,
        place: &[u8],
        secret: &[u8; 32],
        rng: &mut (impl CryptoRngCore + ?Sized),
    ) -> Result<Wrapped, NotWrapped> {
        let mut bytes = [0; WRAPPED];
        let (nonce, rest) = bytes.split_at_mut(NONCE);
        let (body, tag) = rest.split_at_mut(SECRET);
        rng.fill_bytes(nonce);
        body.copy_from_slice(secret);
        let (nonce, data) = (Nonce::from_slice(nonce), data(place));
        let sealed =
            self.with_cipher(|cipher| cipher.encrypt_in_place_detached(nonce, &data, body));
        tag.copy_from_slice(&sealed.map_err(|_| NotWrapped)?);
        Ok(Wrapped(bytes))
    }

    /// Unwraps a secret that was wrapped for this `place`.
    ///
    /// # Errors
    /// When it was not wrapped with this key for this place, or is damaged.
    pub fn unwrap(
        &self,
        place: &[u8],
        wrapped: &Wrapped,
    ) -> Result<Zeroizing<[u8; 32]>, NotUnwrapped> {
        let (nonce, rest) = wrapped.0.split_at(NONCE);
        let (body, tag) = rest.split_at(SECRET);
        let mut secret = Zeroizing::new([0; SECRET]);
        secret.copy_from_slice(body);
        let (nonce, data, tag) = (Nonce::from_slice(nonce), data(place), Tag::from_slice(tag));
        self.with_cipher(|cipher| {
            cipher.decrypt_in_place_detached(nonce, &data, &mut *secret, tag)
        })
        .map_err(|_| NotUnwrapped::Authenticity)?;
        Ok(secret)
    }

    /// Wraps a secret of any length: `nonce [12] ‖ ciphertext ‖ tag [16]`, for 32 bytes the same as [`Self::wrap`].
    ///
    /// # Errors
    /// Only when `place` or the secret is longer than 64 GiB.
    pub fn wrap_bytes(
        &self,
        place: &[u8],
        secret: &[u8],
        rng: &mut (impl CryptoRngCore + ?Sized),
    ) -> Result<Vec<u8>, NotWrapped> {
        let mut nonce = [0; NONCE];
        rng.fill_bytes(&mut nonce);
        // Sized beforehand: a buffer that grew would leave a copy of the secret behind.
        let mut wrapped = Vec::with_capacity(secret.len().saturating_add(OVERHEAD));
        wrapped.extend_from_slice(&nonce);
        wrapped.extend_from_slice(secret);
        let (_, body) = wrapped.split_at_mut_checked(NONCE).ok_or(NotWrapped)?;
        let (nonce, data) = (Nonce::from_slice(&nonce), data(place));
        match self.with_cipher(|cipher| cipher.encrypt_in_place_detached(nonce, &data, body)) {
            Ok(tag) => wrapped.extend_from_slice(&tag),
            Err(_) => {
                wrapped.zeroize();
                return Err(NotWrapped);
            }
        }
        Ok(wrapped)
    }

    /// Unwraps a secret of any length that was wrapped for this `place`.
    ///
    /// # Errors
    /// When it was not wrapped with this key for this place, or is damaged.
    pub fn unwrap_bytes(
        &self,
        place: &[u8],
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, NotUnwrapped> {
        let length = NotUnwrapped::Length {
            actual: wrapped.len(),
        };
        let (nonce, rest) = wrapped.split_first_chunk::<NONCE>().ok_or(length)?;
        let (body, tag) = rest.split_last_chunk::<TAG>().ok_or(length)?;
        let mut secret = Zeroizing::new(body.to_vec());
        let (nonce, data, tag) = (Nonce::from_slice(nonce), data(place), Tag::from_slice(tag));
        self.with_cipher(|cipher| cipher.decrypt_in_place_detached(nonce, &data, &mut secret, tag))
            .map_err(|_| NotUnwrapped::Authenticity)?;
        Ok(secret)
    }

    /// Uses the cipher, and leaves nothing of it and of what it read on the stack: a cipher is moved when it is made, its round
    /// keys begin with the key, and what is left there gets into the padding of whatever is made there next.
    fn with_cipher<T>(&self, work: impl FnOnce(Aes256GcmSiv) -> T) -> T {
        #[inline(never)]
        fn below<T>(key: &[u8; 32], work: impl FnOnce(Aes256GcmSiv) -> T) -> T {
            work(Aes256GcmSiv::new(Key::<Aes256GcmSiv>::from_slice(key)))
        }
        let done = below(&self.0, work);
        burn_stack();
        done
    }
}

impl ZeroizeOnDrop for WrappingKey {}

/// Overwrites 8 KiB of the stack below its caller, more than a cipher takes.
#[inline(never)]
fn burn_stack() {
    let mut below = [0_u64; 1024];
    below.zeroize();
}

impl fmt::Debug for WrappingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrappingKey(..)")
    }
}

fn data(place: &[u8]) -> Vec<u8> {
    [LABEL, place].concat()
}
