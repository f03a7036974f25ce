//! SFrame (RFC 9605): one symmetric key, no signature, so that any holder of the key can seal as any other. Its key id says what
//! epoch and sender index say with us (RFC 9605, section 5.2).

use anyhow::Result;
use sframe::{
    frame::{EncryptedFrame, MediaFrame, MonotonicCounter},
    key::{DecryptionKey, EncryptionKey},
    CipherSuite,
};

use super::Ends;

/// Epoch 1,000 in 14 bits, sender index 1,000.
const KEY_ID: u64 = 1000 << 14 | 1000;

/// Both ends.
pub struct Frames {
    sealing: EncryptionKey,
    opening: DecryptionKey,
    counter: MonotonicCounter,
}

impl Frames {
    /// With a new key.
    pub fn new() -> Result<Self> {
        let (suite, secret) = (CipherSuite::AesGcm256Sha512, [7u8; 32]);
        Ok(Self {
            sealing: EncryptionKey::derive_from(suite, KEY_ID, secret)?,
            opening: DecryptionKey::derive_from(suite, KEY_ID, secret)?,
            counter: MonotonicCounter::with_start_value(1000, u64::MAX),
        })
    }
}

impl Ends for Frames {
    fn seal(&mut self, payload: &[u8]) -> Result<Vec<u8>> {
        let frame = MediaFrame::try_new(&mut self.counter, payload)?.encrypt(&self.sealing)?;
        Ok(frame.as_ref().to_vec())
    }

    fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>> {
        let frame = EncryptedFrame::try_new(sealed)?.decrypt(&self.opening)?;
        Ok(frame.payload().to_vec())
    }
}
