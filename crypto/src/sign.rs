//! Ed25519 (RFC 8032): signing keys, verifiers that keep the decoded key, signed messages (SIG-1 to SIG-4).

use core::fmt;
use ed25519_dalek::{Signer as _, Verifier as _};
use keyward_protocol::{
    registration::{KeyReplacement, Registration},
    signing::{payload, Body, Purpose, Signed, Unverifiable, Unverified},
    wire::WireInvalid,
    Genesis, Signature, VerifyingKey,
};
use rand_core::CryptoRngCore;
use thiserror::Error;
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// A secret Ed25519 key. Erased on drop, never in `Debug`.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// The key of a 32-byte seed (RFC 8032, section 5.1.5).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// Draws a key. Pass the operating system's generator.
    pub fn generate(rng: &mut (impl CryptoRngCore + ?Sized)) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *seed);
        Self::from_seed(&seed)
    }

    /// The seed, for storing it wrapped.
    pub fn expose_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public key.
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(self.0.verifying_key().to_bytes())
    }

    /// Signs bytes. What they are must be clear from the bytes alone: pass a payload of [`keyward_protocol::signing`] or
    /// [`keyward_protocol::message`].
    pub fn sign(&self, payload: &[u8]) -> Signature {
        Signature(self.0.sign(payload).to_bytes())
    }

    /// The device's proof in an enrolment (REG-2).
    pub fn sign_registration(&self, genesis: &Genesis, registration: &Registration) -> Signature {
        self.sign(&payload(genesis, Purpose::Registration, registration))
    }

    /// One of the two signatures of a key replacement (REG-6).
    pub fn sign_replacement(&self, genesis: &Genesis, replacement: &KeyReplacement) -> Signature {
        self.sign(&payload(genesis, Purpose::KeyReplacement, replacement))
    }
}

impl ZeroizeOnDrop for SigningKey {}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(of {})", self.verifying_key())
    }
}

/// Why 32 bytes are not a key that signatures can be checked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyInvalid {
    /// Of small order, or not in its canonical encoding (REG-5): signatures under it mean nothing.
    #[error(
        "verifying key {key} is of small order or not canonical; its owner must make a new one"
    )]
    NotAcceptable {
        /// The key.
        key: VerifyingKey,
    },
    /// No point of the curve.
    #[error("verifying key {key} is not on the curve; its owner must make a new one")]
    NotOnCurve {
        /// The key.
        key: VerifyingKey,
    },
}

/// A public key, decoded once: decoding takes a tenth of the time of a verification.
///
/// Checks strictly: no small-order key or `R`, canonical `S`, equation without cofactor. What it accepts, the chain
/// accepts too; the chain is the authority (SIG-4).
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier(ed25519_dalek::VerifyingKey);

impl Verifier {
    /// Decodes a key.
    ///
    /// # Errors
    /// When the key is of small order, not canonical or not on the curve. No retry helps.
    pub fn new(key: &VerifyingKey) -> Result<Self, KeyInvalid> {
        if !key.is_acceptable() {
            return Err(KeyInvalid::NotAcceptable { key: *key });
        }
        ed25519_dalek::VerifyingKey::from_bytes(&key.0)
            .map(Self)
            .map_err(|_| KeyInvalid::NotOnCurve { key: *key })
    }

    /// The key.
    pub fn key(&self) -> VerifyingKey {
        VerifyingKey(self.0.to_bytes())
    }

    /// Whether a signature over these bytes is this key's.
    pub fn verifies(&self, payload: &[u8], signature: &Signature) -> bool {
        let (r, _) = signature.0.split_at(32);
        // `verify_strict` decodes R to see whether it is of small order. Where the equation holds, R is the canonical
        // encoding of a point, so that its bytes tell as much: an eighth of the time is saved.
        let strict = r
            .try_into()
            .map(VerifyingKey)
            .is_ok_and(|r| r.is_acceptable());
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        strict && self.0.verify(payload, &signature).is_ok()
    }

    /// Believes a message if it is for this chain and signed with this key.
    ///
    /// # Errors
    /// Says which of the two is not so.
    pub fn verify<T: Body>(
        &self,
        unverified: Unverified<T>,
        genesis: &Genesis,
    ) -> Result<Signed<T>, Unverifiable> {
        unverified.verify_with(genesis, |payload, signature| {
            self.verifies(payload, signature)
        })
    }

    /// Whether a device's proof in an enrolment is this key's (REG-2).
    pub fn verifies_registration(
        &self,
        genesis: &Genesis,
        registration: &Registration,
        signature: &Signature,
    ) -> bool {
        let payload = payload(genesis, Purpose::Registration, registration);
        self.verifies(&payload, signature)
    }

    /// Whether a signature of a key replacement is this key's (REG-6).
    pub fn verifies_replacement(
        &self,
        genesis: &Genesis,
        replacement: &KeyReplacement,
        signature: &Signature,
    ) -> bool {
        let payload = payload(genesis, Purpose::KeyReplacement, replacement);
        self.verifies(&payload, signature)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({})", self.key())
    }
}

/// Signs a message.
///
/// # Errors
/// When the body breaks a rule of its format or is too long for the wire.
pub fn sign_message<T: Body>(
    genesis: Genesis,
    body: T,
    key: &SigningKey,
) -> Result<Signed<T>, WireInvalid> {
    Signed::new(genesis, body, |payload| key.sign(payload))
}

/// Believes a message if it is for this chain and signed with this key. Whoever checks often keeps a [`Verifier`].
///
/// # Errors
/// [`Unverifiable::Signature`] also when the key itself is not acceptable.
pub fn verify<T: Body>(
    unverified: Unverified<T>,
    genesis: &Genesis,
    key: &VerifyingKey,
) -> Result<Signed<T>, Unverifiable> {
    match Verifier::new(key) {
        Ok(verifier) => verifier.verify(unverified, genesis),
        Err(_) => unverified.verify_with(genesis, |_, _| false),
    }
}
