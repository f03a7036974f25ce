//! Directories that appear whole or not at all.

use std::{
    fs::{DirBuilder, File},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use crate::key_file::WriteFailed;

/// A directory that nobody sees under its name before it is complete. What is dropped before that is removed.
#[derive(Debug)]
pub struct Staging {
    path: PathBuf,
    target: PathBuf,
    done: bool,
}

impl Staging {
    /// Makes one beside where it is to be.
    ///
    /// # Errors
    /// When the target exists, or its parent cannot be written to.
    pub fn new(target: &Path) -> Result<Self, WriteFailed> {
        refuse_existing(target)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = target.with_file_name(format!(".{name}.{}.incomplete", std::process::id()));
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|source| io(&path, source))?;
        Ok(Self {
            path,
            target: target.to_owned(),
            done: false,
        })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// When something else has the name by now.
    pub fn finish(mut self) -> Result<(), WriteFailed> {
        refuse_existing(&self.target)?;
        let renamed = std::fs::rename(&self.path, &self.target);
        renamed.map_err(|source| io(&self.target, source))?;
        self.done = true;
        let parent = self.target.parent().filter(|it| !it.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        let synced = File::open(parent).and_then(|it| it.sync_all());
        synced.map_err(|source| io(parent, source))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.done {
            // There is nobody to tell; the name says that it is incomplete.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

fn refuse_existing(target: &Path) -> Result<(), WriteFailed> {
    match std::fs::symlink_metadata(target) {
        Ok(_) => Err(WriteFailed::Exists {
            path: target.to_owned(),
        }),
        Err(_) => Ok(()),
    }
}

fn io(path: &Path, source: std::io::Error) -> WriteFailed {
    WriteFailed::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_appears_whole_or_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("net");
        let left = || std::fs::read_dir(place.path()).unwrap().count();
        let staging = Staging::new(&target).unwrap();
        std::fs::write(staging.path().join("a"), "1").unwrap();
        drop(staging);
        assert_eq!(left(), 0);
        let staging = Staging::new(&target).unwrap();
        std::fs::write(staging.path().join("a"), "1").unwrap();
        assert!(!target.exists());
        staging.finish().unwrap();
        assert_eq!((left(), target.join("a").exists()), (1, true));
    }

    #[test]
    fn what_exists_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("net");
        let staging = Staging::new(&target).unwrap();
        std::fs::create_dir(&target).unwrap();
        assert!(Staging::new(&target).is_err());
        assert!(staging
            .finish()
            .unwrap_err()
            .to_string()
            .contains("exists already"));
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
