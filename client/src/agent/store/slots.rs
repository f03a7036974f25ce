//! The table of keys that is overwritten in place (KEY-9): one random key per secret, wrapped under the key file. When a slot
//! is overwritten, the secret that its key wraps is gone, wherever copies of the wrapped secret remain.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use keyward_crypto::{
    wrap::{NotUnwrapped, WRAPPED},
    Wrapped, WrappingKey,
};
use rand_core::CryptoRngCore;

use super::{
    files::{self, FileRefused},
    StoreFailed,
};

/// Bytes from one slot to the next: a divisor of every sector size, so that no slot is written half.
const STRIDE: u64 = 64;

/// The table, one file.
#[derive(Debug)]
pub struct Slots {
    file: File,
    path: PathBuf,
}

impl Slots {
    /// Opens or makes the table of a store.
    pub fn open(store: &Path) -> Result<Self, FileRefused> {
        let path = store.join("slots");
        let file = files::open_private(&path)?;
        Ok(Self { file, path })
    }

    /// How many slots there are, used or not.
    pub fn len(&self) -> Result<u32, FileRefused> {
        let bytes = self.file.metadata().map_err(files::io(&self.path))?.len();
        Ok(u32::try_from(bytes.div_ceil(STRIDE)).unwrap_or(u32::MAX))
    }

    /// Draws a key and writes it, wrapped, into a slot. Durable after [`Self::sync`].
    pub fn fill(
        &self,
        slot: u32,
        master: &WrappingKey,
        rng: &mut impl CryptoRngCore,
    ) -> Result<WrappingKey, StoreFailed> {
        let key = WrappingKey::generate(rng);
        let wrapped = master.wrap(&place(slot), key.expose(), rng)?;
        self.write(slot, wrapped.as_bytes())?;
        Ok(key)
    }

    /// The key in a slot.
    pub fn key(&self, slot: u32, master: &WrappingKey) -> Result<WrappingKey, StoreFailed> {
        let mut bytes = [0; WRAPPED];
        self.file
            .read_exact_at(&mut bytes, u64::from(slot) * STRIDE)
            .map_err(files::io(&self.path))?;
        let key = master.unwrap(&place(slot), &Wrapped::from_bytes(bytes));
        key.map(|key| WrappingKey::from_bytes(&key))
            .map_err(|source: NotUnwrapped| StoreFailed::Secret { source })
    }

    /// Overwrites a slot with what says nothing. Durable after [`Self::sync`].
    pub fn erase(&self, slot: u32) -> Result<(), FileRefused> {
        self.write(slot, &[0; WRAPPED])
    }

    fn write(&self, slot: u32, bytes: &[u8; WRAPPED]) -> Result<(), FileRefused> {
        let mut padded = [0; STRIDE as usize];
        for (to, from) in padded.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.file
            .write_all_at(&padded, u64::from(slot) * STRIDE)
            .map_err(files::io(&self.path))
    }

    /// Waits until everything written is on the disk.
    pub fn sync(&self) -> Result<(), FileRefused> {
        self.file.sync_all().map_err(files::io(&self.path))
    }
}

fn place(slot: u32) -> [u8; 8] {
    let mut place = *b"slot\0\0\0\0";
    for (to, from) in place.iter_mut().skip(4).zip(slot.to_le_bytes()) {
        *to = from;
    }
    place
}
