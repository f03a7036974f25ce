//! X25519 (RFC 7748): a device's agreement key, a gateway's custody key.

use alloc::vec::Vec;
use core::fmt;
use curve25519_dalek::MontgomeryPoint;
use keyward_protocol::AgreementKey;
use rand_core::CryptoRngCore;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::sealed_box::{self, NotOpened};

/// A secret X25519 key with its public key. Erased on drop, never in `Debug`.
#[derive(Clone)]
pub struct AgreementSecret {
    secret: Zeroizing<[u8; 32]>,
    // Kept, because a sealed box's nonce needs it: computing it anew would cost as much as a fourth of the opening.
    public: AgreementKey,
}

impl AgreementSecret {
    /// The key of 32 secret bytes; they are clamped when used, as RFC 7748 says.
    pub fn from_bytes(secret: &[u8; 32]) -> Self {
        let public = AgreementKey(MontgomeryPoint::mul_base_clamped(*secret).to_bytes());
        Self {
            secret: Zeroizing::new(*secret),
            public,
        }
    }

    /// Draws a key. Pass the operating system's generator.
    pub fn generate(rng: &mut (impl CryptoRngCore + ?Sized)) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *secret);
        Self::from_bytes(&secret)
    }

    /// The secret bytes, for storing them wrapped.
    pub fn expose(&self) -> &[u8; 32] {
        &self.secret
    }

    /// The public key.
    pub fn public(&self) -> AgreementKey {
        self.public
    }

    /// Opens a sealed box (libsodium's `crypto_box_seal_open`). Anybody can seal: the content is hostile still.
    ///
    /// # Errors
    /// When it is not a box for this key; a retry does not help.
    pub fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        sealed_box::open(self, sealed)
    }

    /// X25519; `None` when the result is zero, that is when the other key is of small order (RFC 7748, section 6.1).
    pub(crate) fn agree(&self, other: &AgreementKey) -> Option<Zeroizing<[u8; 32]>> {
        let mut point = MontgomeryPoint(other.0).mul_clamped(*self.secret);
        let shared = Zeroizing::new(point.to_bytes());
        point.zeroize();
        let zero: bool = shared.ct_eq(&[0; 32]).into();
        (!zero).then_some(shared)
    }
}

impl ZeroizeOnDrop for AgreementSecret {}

impl fmt::Debug for AgreementSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgreementSecret(of {})", self.public)
    }
}
