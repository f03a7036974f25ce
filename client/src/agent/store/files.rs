//! Files that only their owner may use, the key file, and the lock that keeps a second process out.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{Read as _, Write as _},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use keyward_crypto::WrappingKey;
use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

/// Bits of a mode that let others in.
const OTHERS: u32 = 0o077;
/// Longest key file in bytes.
const LONGEST: u64 = 256;
/// How often a lock is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// Why a file or directory of the store is not used.
#[derive(Debug, thiserror::Error)]
pub enum FileRefused {
    /// The system refused.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others than its owner may use it.
    #[error("{} has mode {mode:04o}: others may use it; run 'chmod go= {}'", path.display(), path.display())]
    Loose {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It belongs to another user.
    #[error("{} belongs to user {owner}, and this program runs as user {user}; run it as the owner", path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who runs.
        user: u32,
    },
    /// It holds no key.
    #[error("{} holds no key: one line with 0x and 64 hexadecimal digits", path.display())]
    NoKey {
        /// Which.
        path: PathBuf,
    },
    /// Another process uses the store.
    #[error("another process uses the key store {}; one device runs one program at a time", path.display())]
    InUse {
        /// The store.
        path: PathBuf,
    },
}

/// An error of the system, with the path that it is about.
pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> FileRefused + '_ {
    |source| FileRefused::Io {
        path: path.to_owned(),
        source,
    }
}

/// Makes a directory that only its owner may enter; refuses one that exists and is looser.
pub fn make_directory(path: &Path) -> Result<(), FileRefused> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(io(path))?;
    check(path)
}

/// Refuses what others than this user may use.
pub fn check(path: &Path) -> Result<(), FileRefused> {
    let metadata = std::fs::metadata(path).map_err(io(path))?;
    check_metadata(path, &metadata)
}

fn check_metadata(path: &Path, metadata: &std::fs::Metadata) -> Result<(), FileRefused> {
    let (owner, user) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != user {
        return Err(FileRefused::Foreign {
            path: path.to_owned(),
            owner,
            user,
        });
    }
    match metadata.mode() & 0o7777 {
        mode if mode & OTHERS != 0 => Err(FileRefused::Loose {
            path: path.to_owned(),
            mode,
        }),
        _ => Ok(()),
    }
}

/// Opens a file for reading and writing, making it with mode 0600; refuses a looser one.
pub fn open_private(path: &Path) -> Result<File, FileRefused> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(io(path))?;
    let metadata = file.metadata().map_err(io(path))?;
    check_metadata(path, &metadata)?;
    Ok(file)
}

/// Makes directory entries durable.
pub fn sync_directory(path: &Path) -> Result<(), FileRefused> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(io(path))
}

/// Draws a key and writes it to a new file with mode 0400; one that exists is left as it is.
pub fn make_key(path: &Path, rng: &mut impl CryptoRngCore) -> Result<(), FileRefused> {
    let digits = Zeroizing::new(hex::encode(WrappingKey::generate(rng).expose()));
    let line = Zeroizing::new(format!("0x{}\n", &*digits));
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o400)
        .open(path);
    let mut file = match file {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        file => file.map_err(io(path))?,
    };
    file.write_all(line.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(io(path))?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// Reads a key. A systemd credential is closed by systemd, whatever its mode says; any other file must be its owner's alone.
pub fn read_key(path: &Path, is_credential: bool) -> Result<WrappingKey, FileRefused> {
    let file = File::open(path).map_err(io(path))?;
    if !is_credential {
        let metadata = file.metadata().map_err(io(path))?;
        check_metadata(path, &metadata)?;
    }
    let mut line = Zeroizing::new(String::with_capacity(LONGEST as usize));
    let read = file.take(LONGEST).read_to_string(&mut line);
    read.map_err(io(path))?;
    let digits = line.trim().trim_start_matches("0x");
    let mut key = Zeroizing::new([0; 32]);
    match hex::decode_to_slice(digits, &mut *key) {
        Ok(()) => Ok(WrappingKey::from_bytes(&key)),
        Err(_) => Err(FileRefused::NoKey {
            path: path.to_owned(),
        }),
    }
}

/// Keeps other processes out until it is dropped, or the process ends however it ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock lives as long as the open file")] File);

/// Locks a store. A process that is just ending gets `patience` to do so.
pub fn lock(store: &Path, patience: Duration) -> Result<Lock, FileRefused> {
    let path = store.join("lock");
    let file = open_private(&path)?;
    let deadline = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lock(file)),
            Err(TryLockError::Error(source)) => return Err(FileRefused::Io { path, source }),
            Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                return Err(FileRefused::InUse {
                    path: store.to_owned(),
                })
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
        }
    }
}
