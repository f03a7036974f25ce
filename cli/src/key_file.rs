//! Key files: one line, `0x` and the hexadecimal of 32 secret bytes, readable by their owner only.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use keyward_chain_client::KeyFileInvalid;
use zeroize::Zeroizing;

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteFailed {
    /// It exists: nothing is overwritten.
    #[error("{} exists already and is left as it is; name another place, or move it away", path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> WriteFailed + '_ {
    |source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => WriteFailed::Exists {
            path: path.to_owned(),
        },
        _ => WriteFailed::Io {
            path: path.to_owned(),
            source,
        },
    }
}

/// Makes a directory that only its owner may enter, and its parents; one that exists is left as it is.
pub fn make_directory(path: &Path) -> Result<(), WriteFailed> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(failed(path))
}

/// Writes a new key file with mode 0400. Never overwrites.
pub fn write_secret(path: &Path, secret: &[u8; 32]) -> Result<(), WriteFailed> {
    let digits = Zeroizing::new(hex::encode(secret));
    let line = Zeroizing::new(format!("0x{}\n", &*digits));
    write_new(path, line.as_bytes(), 0o400)
}

/// Writes a new JSON file that holds no secret. Never overwrites.
pub fn write_public<T: serde::Serialize>(path: &Path, value: &T) -> Result<(), WriteFailed> {
    let text = serde_json::to_string_pretty(value);
    let text = text.map_err(std::io::Error::from).map_err(failed(path))?;
    write_new(path, format!("{text}\n").as_bytes(), 0o644)
}

/// As [`write_public`], whole or not at all: who is interrupted finds nothing under that name, and runs again.
pub fn write_public_whole<T: serde::Serialize>(path: &Path, value: &T) -> Result<(), WriteFailed> {
    let incomplete = path.with_extension("incomplete");
    match std::fs::remove_file(&incomplete) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            return Err(failed(&incomplete)(source))
        }
        _ => write_public(&incomplete, value)?,
    }
    if path.symlink_metadata().is_ok() {
        return Err(WriteFailed::Exists {
            path: path.to_owned(),
        });
    }
    std::fs::rename(&incomplete, path).map_err(failed(path))
}

/// Writes a new file with a mode, whatever the process's mask. Never overwrites.
pub fn write_new(path: &Path, content: &[u8], mode: u32) -> Result<(), WriteFailed> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path);
    let write = |mut file: File| {
        file.write_all(content)?;
        // The mask took bits away.
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.sync_all()
    };
    file.and_then(write).map_err(failed(path))
}

/// Gives a file another mode.
pub fn replace_mode(path: &Path, mode: u32) -> Result<(), WriteFailed> {
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, mode).map_err(failed(path))
}

/// Why a key file gives no key.
#[derive(Debug, thiserror::Error)]
pub enum SecretInvalid {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] KeyFileInvalid),
    /// It does not hold 32 bytes in hexadecimal.
    #[error("{} does not hold 0x and 64 hexadecimal digits", path.display())]
    Content {
        /// Which.
        path: PathBuf,
    },
}

/// Reads a key file; one that others may use is refused.
pub fn read_secret(path: &Path) -> Result<Zeroizing<[u8; 32]>, SecretInvalid> {
    let line = keyward_chain_client::read_key_file(path)?;
    let mut secret = Zeroizing::new([0; 32]);
    let digits = line.strip_prefix("0x").unwrap_or(&line);
    match hex::decode_to_slice(digits, &mut *secret) {
        Ok(()) => Ok(secret),
        Err(_) => Err(SecretInvalid::Content {
            path: path.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_key_file_can_be_read_by_its_owner_only_and_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new").join("store.key");
        make_directory(path.parent().unwrap()).unwrap();
        write_secret(&path, &[0xab; 32]).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o400, 0o700));
        assert_eq!(*read_secret(&path).unwrap(), [0xab; 32]);
    }

    #[test]
    fn a_key_file_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("account.key");
        write_secret(&path, &[1; 32]).unwrap();
        assert!(matches!(
            write_secret(&path, &[2; 32]),
            Err(WriteFailed::Exists { .. })
        ));
        assert_eq!(*read_secret(&path).unwrap(), [1; 32]);
    }

    #[test]
    fn what_an_interrupted_command_left_of_a_file_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("anchor.json");
        std::fs::write(dir.path().join("anchor.incomplete"), "[1").unwrap();
        write_public_whole(&path, &[1, 2]).unwrap();
        assert_eq!(mode(&path), 0o644);
        let text = || std::fs::read_to_string(&path).unwrap();
        let before = text();
        assert!(matches!(
            write_public_whole(&path, &[3]),
            Err(WriteFailed::Exists { .. })
        ));
        assert_eq!(text(), before);
    }

    /// KEY-9.
    #[test]
    fn a_loose_or_garbled_key_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("authority.key");
        std::fs::write(&path, "0x1234\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            read_secret(&path),
            Err(SecretInvalid::File(KeyFileInvalid::Loose { .. }))
        ));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let refused = read_secret(&path).unwrap_err();
        assert!(matches!(refused, SecretInvalid::Content { .. }));
        assert!(!refused.to_string().contains("1234"));
    }
}
