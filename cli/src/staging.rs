//! Directories that appear whole or not at all.

use std::{
    fs::{DirBuilder, File},
    io::ErrorKind,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{flock, FlockOperation, Mode, OFlags},
    io::Errno,
};

use crate::key_file::WriteFailed;

/// A directory that nobody sees under its name before it is complete. What is dropped before that is removed; what a killed
/// process left is removed by the next one that makes the same directory. The lock says which is which.
#[derive(Debug)]
pub struct Staging {
    path: PathBuf,
    target: PathBuf,
    done: bool,
    _lock: File,
}

impl Staging {
    /// Makes one beside where it is to be.
    ///
    /// # Errors
    /// When the target exists, another process is making it, or its parent cannot be written to.
    pub fn new(target: &Path) -> Result<Self, WriteFailed> {
        refuse_existing(target)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = target.with_file_name(format!(".{name}.incomplete"));
        let lock = remove_abandoned(&path)
            .and_then(|()| DirBuilder::new().mode(0o700).create(&path))
            .and_then(|()| lock(&path))
            .map_err(|source| io(&path, source))?;
        Ok(Self {
            path,
            target: target.to_owned(),
            done: false,
            _lock: lock,
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

fn remove_abandoned(path: &Path) -> std::io::Result<()> {
    match lock(path) {
        Ok(_abandoned) => std::fs::remove_dir_all(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Locks a directory until what is returned is dropped, or the process ends.
fn lock(path: &Path) -> std::io::Result<File> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Err(std::io::Error::other(
            "another process is making it; wait until that has ended",
        )),
        locked => Ok(locked.map(|()| directory)?),
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
    fn what_a_killed_process_left_is_removed_and_what_a_living_one_makes_is_not() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("net");
        let killed = Staging::new(&target).unwrap();
        std::fs::write(killed.path().join("secret"), "1").unwrap();
        let busy = Staging::new(&target).unwrap_err().to_string();
        assert!(busy.contains("another process is making it"), "{busy}");
        assert!(killed.path().join("secret").exists());
        // Killed, it has no time to remove anything; its lock goes with it.
        let left = killed.path().to_owned();
        let killed = std::mem::ManuallyDrop::new(killed);
        flock(&killed._lock, FlockOperation::Unlock).unwrap();
        let staging = Staging::new(&target).unwrap();
        assert_eq!(staging.path(), left);
        assert!(!left.join("secret").exists());
        staging.finish().unwrap();
        assert!(target.exists() && !left.exists());
    }

    #[test]
    fn what_somebody_put_in_the_way_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("net");
        let aside = place.path().join("aside");
        std::fs::create_dir(&aside).unwrap();
        std::fs::write(aside.join("precious"), "1").unwrap();
        std::os::unix::fs::symlink(&aside, place.path().join(".net.incomplete")).unwrap();
        Staging::new(&target).unwrap_err();
        assert!(aside.join("precious").exists() && !target.exists());
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
