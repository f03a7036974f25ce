//! Programs with a bug that the judge must convict: `tests/faults/bugs/NAME.patch`. A patch begins with lines `Key: value`, which
//! say what is wrong, which program it is in, and by which rule and with which seed it is convicted.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{ensure, Context, Result};
use tempfile::TempDir;

use crate::process::{binary, find};

/// A bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bug {
    /// What is wrong.
    pub what: String,
    /// The package of the program that has it.
    package: String,
    /// The program.
    program: String,
    /// The judge's rule that it breaks.
    pub rule: String,
    /// A seed with which it shows.
    pub seed: u64,
    patch: PathBuf,
}

impl Bug {
    /// The one of this name.
    ///
    /// # Errors
    /// When there is none, or it does not say what it must.
    pub fn named(name: &str) -> Result<Self> {
        let patch = directory().join(format!("{name}.patch"));
        let text = std::fs::read_to_string(&patch).with_context(|| {
            format!(
                "there is no bug {name}: the bugs are {}",
                names().join(", ")
            )
        })?;
        Self::read(&text, patch)
    }

    fn read(text: &str, patch: PathBuf) -> Result<Self> {
        let value = |key: &str| -> Result<String> {
            let head = text.lines().take_while(|line| !line.starts_with("diff "));
            let mut values = head.filter_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
            let value = values.next().map(str::to_owned);
            value.with_context(|| format!("{} does not say its {key}", patch.display()))
        };
        Ok(Self {
            what: value("Bug")?,
            package: value("Package")?,
            program: value("Program")?,
            rule: value("Rule")?,
            seed: value("Seed")?.parse()?,
            patch: patch.clone(),
        })
    }

    /// Builds the program with the bug, from the last commit, in a directory of its own; the other programs are those of always.
    ///
    /// # Errors
    /// When the patch does not fit any more, or does not compile.
    pub fn build(&self) -> Result<Programs> {
        let place = tempfile::Builder::new().prefix("keyward-bug-").tempdir()?;
        let source = place.path().join("source");
        let programs = Programs {
            directory: place.path().join("bin"),
            _source: Worktree::at(&source)?,
            _place: place,
        };
        run(git(&source).arg("apply").arg(&self.patch))?;
        // Never where the programs without a bug are built.
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root().join("target"), Into::into);
        let target = target.join("bugs");
        let mut cargo = Command::new("cargo");
        cargo.args(["build", "--locked", "--release", "--package", &self.package]);
        cargo.args(["--bin", &self.program]).current_dir(&source);
        run(cargo.env("CARGO_TARGET_DIR", &target))?;
        std::fs::create_dir(&programs.directory)?;
        let built = target.join("release").join(&self.program);
        std::fs::copy(built, programs.directory.join(&self.program))?;
        for name in [
            binary::NODE,
            binary::BRIDGE,
            binary::AGENT,
            binary::OPERATOR,
        ] {
            if name != self.program {
                symlink(find(name)?, programs.directory.join(name))?;
            }
        }
        Ok(programs)
    }
}

/// The programs, one of them with a bug; gone when dropped.
pub struct Programs {
    /// Where they are.
    pub directory: PathBuf,
    _source: Worktree,
    _place: TempDir,
}

/// A second checkout of this repository; removed when dropped.
struct Worktree(PathBuf);

impl Worktree {
    fn at(path: &Path) -> Result<Self> {
        let mut git = git(&root());
        run(git
            .args(["worktree", "add", "--quiet", "--detach"])
            .arg(path))?;
        Ok(Self(path.into()))
    }
}

impl Drop for Worktree {
    fn drop(&mut self) {
        let removed = run(git(&root())
            .args(["worktree", "remove", "--force"])
            .arg(&self.0));
        if let Err(error) = removed {
            eprintln!("{} stays: {error:#}", self.0.display());
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("faults/bugs")
}

/// The names of all bugs.
pub fn names() -> Vec<String> {
    let entries = std::fs::read_dir(directory()).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let patches = paths.filter(|path| path.extension().is_some_and(|end| end == "patch"));
    let mut names: Vec<String> = patches
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    names
}

fn git(directory: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(directory);
    git
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status();
    let status = status.with_context(|| format!("cannot start {command:?}"))?;
    ensure!(status.success(), "{command:?} failed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_says_what_it_is_and_what_convicts_it() {
        let names = names();
        assert!(names.len() >= 4, "{names:?}");
        for name in names {
            let bug = Bug::named(&name).unwrap();
            assert!(crate::judge::RULES.contains(&bug.rule.as_str()), "{name}");
        }
    }

    #[test]
    fn every_bug_fits_the_sources() {
        for name in names() {
            let patch = directory().join(format!("{name}.patch"));
            run(git(&root()).args(["apply", "--check"]).arg(&patch)).unwrap();
        }
    }
}
