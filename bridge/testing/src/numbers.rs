//! Randomness that is the same in every run. Not for secrets.

use std::{cell::RefCell, collections::BTreeMap};

use keyward_crypto::{hash::blake2b_256, AgreementSecret, SigningKey};
use rand_core::{CryptoRng, RngCore};

/// Numbers that follow from a seed.
#[derive(Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed << 32)
    }
}

impl RngCore for Numbers {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            self.0 += 1;
            let block = blake2b_256(&self.0.to_le_bytes());
            chunk.copy_from_slice(&block.0[..chunk.len()]);
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

// Demanded by what draws keys, and true enough for a world that is made anew in every run.
impl CryptoRng for Numbers {}

/// 32 bytes that follow from a name.
pub fn seed_of(name: &str) -> [u8; 32] {
    blake2b_256(name.as_bytes()).0
}

/// Keys that were made of a name: making them anew takes most of a run.
type Keys = BTreeMap<String, (SigningKey, AgreementSecret)>;

std::thread_local! {
    static KEYS: RefCell<Keys> = const { RefCell::new(BTreeMap::new()) };
}

/// The keys that follow from a name.
pub fn keys_of(name: &str) -> (SigningKey, AgreementSecret) {
    KEYS.with_borrow_mut(|known| {
        if let Some(keys) = known.get(name) {
            return keys.clone();
        }
        let seed = seed_of(name);
        let keys = (
            SigningKey::from_seed(&seed),
            AgreementSecret::from_bytes(&seed),
        );
        known.insert(name.to_owned(), keys.clone());
        keys
    })
}
