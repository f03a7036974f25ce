//! The account that signs transactions.

use std::{
    fmt,
    io::Read,
    path::{Path, PathBuf},
    str::FromStr,
};

use keyward_protocol::AccountId;
use subxt_signer::{sr25519::Keypair, SecretUri};
use zeroize::Zeroizing;

/// Longest key file, in bytes.
const LONGEST: u64 = 1024;

/// An sr25519 account that can sign. Its secret is never shown.
#[derive(Clone)]
pub struct Signer(Keypair);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.account())
    }
}

/// Why there is no signer.
#[derive(Debug, thiserror::Error)]
pub enum SignerInvalid {
    /// The file cannot be read, or others may read it.
    #[error(transparent)]
    File(#[from] KeyFileInvalid),
    /// The text is neither a secret URI nor a seed. The text itself is not repeated.
    #[error("neither a secret URI nor a 0x-hexadecimal seed of 32 bytes{}", path.as_deref().map(|path| format!(" in {}", path.display())).unwrap_or_default())]
    Secret {
        /// Where it stood, if in a file.
        path: Option<PathBuf>,
    },
}

impl Signer {
    /// From a secret URI: a mnemonic, a `0x`-hexadecimal seed or a development name such as `//Alice`.
    pub fn from_suri(suri: &str) -> Result<Self, SignerInvalid> {
        let invalid = || SignerInvalid::Secret { path: None };
        let uri = SecretUri::from_str(suri).map_err(|_| invalid())?;
        Keypair::from_uri(&uri).map(Self).map_err(|_| invalid())
    }

    /// From a file that holds one secret URI. A file that its group or others may read is refused.
    pub fn from_file(path: &Path) -> Result<Self, SignerInvalid> {
        let secret = read_key_file(path)?;
        Self::from_suri(&secret).map_err(|_| SignerInvalid::Secret {
            path: Some(path.to_owned()),
        })
    }

    /// The account.
    pub fn account(&self) -> AccountId {
        AccountId(self.0.public_key().0)
    }

    /// Signs a transaction's payload.
    pub(crate) fn sign(&self, payload: &[u8]) -> [u8; 64] {
        self.0.sign(payload).0
    }
}

/// Why a key file is not used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileInvalid {
    /// It cannot be read.
    #[error("cannot read the key file {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Its group or others may read or write it.
    #[error("the key file {} has mode {mode:04o}, so that others than its owner may use it; run: chmod 400 {}", path.display(), path.display())]
    Loose {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is empty, not text or longer than a key.
    #[error("the key file {} does not hold one line of text", path.display())]
    Content {
        /// Which.
        path: PathBuf,
    },
}

/// Reads the one line of a key file. Refuses a file that group or others may use; the text is erased when dropped.
pub fn read_key_file(path: &Path) -> Result<Zeroizing<String>, KeyFileInvalid> {
    let unreadable = |source| KeyFileInvalid::Unreadable {
        path: path.to_owned(),
        source,
    };
    let content = || KeyFileInvalid::Content {
        path: path.to_owned(),
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    refuse_loose(path, &metadata)?;
    if !metadata.is_file() || metadata.len() > LONGEST {
        return Err(content());
    }
    // Sized beforehand, so that no copy is left behind by growing.
    let mut text = Zeroizing::new(String::with_capacity(LONGEST as usize + 1));
    file.take(LONGEST)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    let line = Zeroizing::new(text.trim().to_owned());
    match line.is_empty() || line.lines().count() != 1 {
        true => Err(content()),
        false => Ok(line),
    }
}

#[cfg(unix)]
fn refuse_loose(path: &Path, metadata: &std::fs::Metadata) -> Result<(), KeyFileInvalid> {
    use std::os::unix::fs::PermissionsExt;
    match metadata.permissions().mode() & 0o7777 {
        mode if mode & 0o077 != 0 => Err(KeyFileInvalid::Loose {
            path: path.to_owned(),
            mode,
        }),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn refuse_loose(_: &Path, _: &std::fs::Metadata) -> Result<(), KeyFileInvalid> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const ALICE: &str = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";

    fn file(content: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("account.key");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    #[test]
    fn a_development_name_and_a_seed_give_their_accounts() {
        assert_eq!(
            Signer::from_suri("//Alice").unwrap().account().to_string(),
            ALICE
        );
        let (_dir, path) = file(&format!("0x{}\n", "07".repeat(32)), 0o400);
        let seeded = Signer::from_file(&path).unwrap();
        assert_ne!(seeded.account().to_string(), ALICE);
    }

    #[test]
    fn a_key_file_that_others_may_read_is_refused() {
        for mode in [0o440, 0o404, 0o644, 0o620, 0o601] {
            let (_dir, path) = file("//Alice", mode);
            let refused = Signer::from_file(&path).unwrap_err();
            assert!(
                matches!(refused, SignerInvalid::File(KeyFileInvalid::Loose { .. })),
                "{mode:o}"
            );
        }
        for mode in [0o400, 0o600] {
            let (_dir, path) = file("//Alice", mode);
            assert!(Signer::from_file(&path).is_ok(), "{mode:o}");
        }
    }

    #[test]
    fn neither_errors_nor_debug_repeat_the_secret() {
        let (_dir, path) = file("0xdeadbeef-not-a-key", 0o400);
        let error = Signer::from_file(&path).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("deadbeef"));
        let seed = "2a".repeat(32);
        let signer = Signer::from_suri(&format!("0x{seed}")).unwrap();
        assert!(!format!("{signer:?}").contains(&seed));
    }

    #[test]
    fn a_file_with_several_lines_or_none_is_refused() {
        for content in ["", "\n", "//Alice\n//Bob\n"] {
            let (_dir, path) = file(content, 0o400);
            let refused = read_key_file(&path).unwrap_err();
            assert!(
                matches!(refused, KeyFileInvalid::Content { .. }),
                "{content:?}"
            );
        }
    }
}
