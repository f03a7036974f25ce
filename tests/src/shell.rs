//! A shell at some place: a directory, and the variables that are right there.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{ensure, Context, Result};

use crate::{
    page::Block,
    process::{self, binary, command, find, find_system, Process},
    wait::seconds,
};

/// Longest that a block of commands may take: several transactions until they are finalized.
const PATIENCE: u64 = 150;

/// A shell.
#[derive(Clone, Debug)]
pub struct Shell {
    program: PathBuf,
    directory: PathBuf,
    variables: Vec<(String, String)>,
    log: PathBuf,
}

impl Shell {
    /// In a directory, with the workspace's programs in `PATH` and no variable of theirs set. What is typed, and what it says, goes
    /// to `log`.
    pub fn new(directory: &Path, log: PathBuf) -> Result<Self> {
        let programs = find(binary::OPERATOR)?;
        let programs = programs
            .parent()
            .context("the program is in no directory")?;
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}:/usr/sbin", programs.display());
        Ok(Self {
            program: find_system("bash", "bash")?,
            directory: directory.into(),
            variables: vec![("PATH".into(), path)],
            log,
        })
    }

    /// The same with more variables.
    pub fn with(&self, variables: &[(&str, &str)]) -> Self {
        let mut other = self.clone();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        other.variables.extend(variables.iter().map(owned));
        other
    }

    /// The same in another directory.
    pub fn at(&self, directory: &Path) -> Self {
        Self {
            directory: directory.into(),
            ..self.clone()
        }
    }

    fn command(&self, script: &str) -> Command {
        let mut shell = command(&self.program);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KEYWARD_")) {
            shell.env_remove(name);
        }
        shell.envs(self.variables.iter().map(|(name, value)| (name, value)));
        shell.current_dir(&self.directory);
        // A person would stop where something fails, and sees both outputs on one screen.
        let script = format!("set -euo pipefail\nexec 2>&1\n{script}");
        shell.args(["--norc", "--noprofile", "-c", &script]);
        shell
    }

    /// Types some lines, which must succeed, and gives what they print.
    ///
    /// # Errors
    /// With what they say when one fails.
    pub async fn types(&self, script: &str) -> Result<String> {
        let ran = process::run(self.command(script), seconds(PATIENCE), &self.log).await?;
        ran.success()
    }

    /// Types a block, as [`Shell::types`].
    ///
    /// # Errors
    /// With the line of the page, and what it says, when a command fails.
    pub async fn types_block(&self, block: &Block) -> Result<String> {
        let typed = self.types(&block.text).await;
        typed.with_context(|| format!("the block at line {}", block.line))
    }

    /// Starts a block of one command and leaves it running, with its output in a file.
    pub fn starts(&self, block: &Block, output: &Path) -> Result<Process> {
        let commands = block.commands();
        ensure!(
            commands.len() == 1,
            "the block at line {} is not one command",
            block.line
        );
        let script = format!("exec {}", block.text.trim());
        Process::start("another terminal", self.command(&script), output)
    }
}
