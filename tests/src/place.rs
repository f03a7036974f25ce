//! Where a network lives: one directory that only its owner may enter.

use std::{
    fs::{DirBuilder, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// A directory for everything, removed when dropped.
#[derive(Debug)]
pub struct Place {
    directory: TempDir,
}

impl Place {
    /// Makes one, with mode 0700.
    pub fn new(name: &str) -> Result<Self> {
        let mode = std::fs::Permissions::from_mode(0o700);
        let directory = tempfile::Builder::new()
            .prefix(&format!("keyward-{name}-"))
            .permissions(mode)
            .tempdir()
            .context("cannot make a temporary directory")?;
        let place = Self { directory };
        make_directory(&place.path("logs"))?;
        Ok(place)
    }

    /// Leaves the directory where it is when dropped.
    pub fn keep(&mut self) {
        self.directory.disable_cleanup(true);
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    /// A path in it.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root().join(name)
    }

    /// The log of a process.
    pub fn log(&self, name: &str) -> PathBuf {
        self.path("logs").join(format!("{name}.log"))
    }
}

/// Makes a directory, and its parents, with mode 0700.
pub fn make_directory(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("cannot make {}", path.display()))
}

/// Writes a file that only its owner may read.
pub fn write_secret(path: &Path, content: &str) -> Result<()> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(content.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// 32 random bytes in hexadecimal: the seed of an account or of a node's key.
pub fn new_seed() -> String {
    let mut bytes = [0; 32];
    rand_core::RngCore::fill_bytes(&mut rand_core::OsRng, &mut bytes);
    hex::encode(bytes)
}

/// Copies a directory with everything in it; file modes stay.
pub fn copy_directory(from: &Path, to: &Path) -> Result<()> {
    make_directory(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_directory(&entry.path(), &target)?,
            false => drop(std::fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}
