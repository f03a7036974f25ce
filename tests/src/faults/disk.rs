//! A small disk under the bridge's journal, so that it can be full: a tmpfs, where this process may mount one.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{ensure, Context, Result};

use crate::{place::copy_directory, process::find_system};

/// Its size, as mount(8) takes it: a journal of a few devices has room many times over.
const SIZE: &str = "size=16m,mode=0700";
/// What is written at once to fill it.
const PIECE: usize = 4096;

/// A mounted disk; unmounted when dropped.
pub struct Disk {
    directory: PathBuf,
}

impl Disk {
    /// Mounts one over a directory, whose files are on it afterwards. Nothing may use them meanwhile.
    ///
    /// # Errors
    /// Says why this machine does not allow it; the directory is as it was then.
    pub fn under(directory: &Path, aside: &Path) -> Result<Self> {
        copy_directory(directory, aside)?;
        let mut mount = Command::new(find_system("mount", "mount")?);
        mount.args(["-t", "tmpfs", "-o", SIZE, "keyward-journal"]);
        run(mount.arg(directory))?;
        let disk = Self {
            directory: directory.into(),
        };
        copy_directory(aside, directory)?;
        Ok(disk)
    }

    fn ballast(&self) -> PathBuf {
        self.directory.join("ballast")
    }

    /// Fills it to the last byte.
    pub fn fill(&self) -> Result<()> {
        let mut ballast = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.ballast())?;
        while ballast.write_all(&[0; PIECE]).is_ok() {}
        self.is_full()
            .then_some(())
            .context("the disk could not be filled")
    }

    /// Whether not even a byte has room.
    fn is_full(&self) -> bool {
        let probe = self.directory.join("probe");
        let written = File::create(&probe).and_then(|mut file| file.write_all(&[0; PIECE]));
        // It is empty if it is there at all.
        let _ = std::fs::remove_file(&probe);
        written.is_err()
    }

    /// Makes room again.
    pub fn free(&self) -> Result<()> {
        std::fs::remove_file(self.ballast()).context("the ballast cannot be removed")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whoever still has a file open keeps it until then.
        let unmount = find_system("umount", "mount")
            .and_then(|umount| run(Command::new(umount).arg("-l").arg(&self.directory)));
        if let Err(error) = unmount {
            eprintln!("{} stays mounted: {error:#}", self.directory.display());
        }
    }
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().context("cannot start it")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}", said.trim());
    Ok(())
}
