//! A directory to work in, and the programs.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

/// The four-organisation example.
pub const EXAMPLE: &str = include_str!("../../../consortium/examples/consortium.toml");
/// The network for one machine.
pub const LOCAL: &str = include_str!("../../../consortium/examples/local.toml");

/// A program of this workspace: in `KEYWARD_BIN_DIR`, or beside `keyward`. Those of a release are always there; the node takes
/// long to build, so that a development build does without.
pub fn program(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_BIN_EXE_keyward")).parent().unwrap();
    let directory = std::env::var_os("KEYWARD_BIN_DIR").map(PathBuf::from);
    let path = directory.as_deref().unwrap_or(beside).join(name);
    let there = path.is_file();
    assert!(
        there || cfg!(debug_assertions),
        "{name} is not built; run 'make build'"
    );
    if !there {
        eprintln!("not tested: {name} is not built; set KEYWARD_BIN_DIR");
    }
    there.then_some(path)
}

/// A directory to work in.
pub struct Desk(pub TempDir);

/// How a command ended, and what it said.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    pub fn ends(&self, code: i32, words: &[&str]) -> &Self {
        let said = format!("{}\n{}", self.stdout, self.stderr);
        assert_eq!(self.code, code, "{said}");
        for word in words {
            assert!(said.contains(word), "no '{word}' in {said}");
        }
        self
    }
}

impl Desk {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        let mode = std::fs::Permissions::from_mode(0o600);
        if path.exists() {
            std::fs::set_permissions(&path, mode).unwrap();
        }
        std::fs::write(path, content).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn keyward(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
        command
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        Ran::from(command.args(arguments).output().unwrap())
    }

    /// Makes a network `net` of this file, as the local runner does: everything is used where it is.
    pub fn network(&self, consortium: &str) -> Option<Ran> {
        let node = program("keyward-node")?;
        let bin = node.parent().unwrap().to_str().unwrap();
        self.write("consortium.toml", consortium);
        let root = self.path("net/machines/{machine}");
        let install = root.to_str().unwrap();
        let data = format!("{install}/data");
        Some(self.keyward(&[
            "network",
            "new",
            "consortium.toml",
            "--out",
            "net",
            "--install-dir",
            install,
            "--data-dir",
            &data,
            "--bin-dir",
            bin,
            "--node",
            node.to_str().unwrap(),
        ]))
    }

    pub fn check(&self, arguments: &[&str]) -> Ran {
        let node = program("keyward-node").unwrap();
        let mut all = vec!["network", "check", "--node", node.to_str().unwrap()];
        all.extend(arguments);
        self.keyward(&all)
    }

    /// Without the node, which takes seconds: what is no matter of the chain specification.
    pub fn check_files(&self) -> Ran {
        let ran = self.keyward(&["network", "check", "--node", "/nowhere", "net"]);
        assert!(ran.stdout.contains("was not compared"), "{}", ran.stdout);
        ran
    }

    /// Every file of the network, relative to it.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![self.path("net")];
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => open.push(path),
                    false => found.push(path.strip_prefix(self.path("net")).unwrap().to_owned()),
                }
            }
        }
        found
    }
}

pub fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
impl Desk {
    /// The same network elsewhere.
    pub fn copy(&self) -> Self {
        let copy = Self::new();
        let (from, to) = (self.path("net"), copy.path("net"));
        let copied = Command::new("cp").arg("-a").args([from, to]).status();
        assert!(copied.unwrap().success());
        copy
    }

    pub fn chmod(&self, name: &str, mode: u32) {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.path(name), mode).unwrap();
    }

    /// Swaps two files.
    pub fn swap(&self, a: &str, b: &str) {
        let (first, second) = (self.read(a), self.read(b));
        for (name, content) in [(a, second), (b, first)] {
            self.write(name, &content);
            self.chmod(name, 0o400);
        }
    }
}
