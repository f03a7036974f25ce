//! The operator's command `keyward`, as an operator types it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    place::Place,
    process::{self, binary, command, find, Ran},
    wait::seconds,
};

/// Longest that a command may take: several transactions until they are finalized.
const PATIENCE: u64 = 90;

/// Runs `keyward`.
#[derive(Clone, Debug)]
pub struct Operator {
    program: PathBuf,
    url: String,
    account_file: Option<PathBuf>,
    log: PathBuf,
}

impl Operator {
    /// For a node.
    pub fn new(place: &Place, url: String) -> Result<Self> {
        Ok(Self {
            program: find(binary::OPERATOR)?,
            url,
            account_file: None,
            log: place.log("commands"),
        })
    }

    /// The same, signing with an account.
    pub fn signing_with(&self, account_file: &Path) -> Self {
        Self {
            account_file: Some(account_file.into()),
            ..self.clone()
        }
    }

    /// The whole command line for some arguments.
    pub fn command<S: AsRef<str>>(&self, args: &[S]) -> Command {
        let mut keyward = command(&self.program);
        keyward.arg("--url").arg(&self.url);
        if let Some(file) = &self.account_file {
            keyward.arg("--account-file").arg(file);
        }
        keyward.args(args.iter().map(AsRef::as_ref));
        keyward
    }

    /// Runs it, whatever comes of it.
    pub async fn run<S: AsRef<str>>(&self, args: &[S]) -> Result<Ran> {
        process::run(self.command(args), seconds(PATIENCE), &self.log).await
    }

    /// Runs it; it must succeed. Gives its standard output.
    pub async fn must<S: AsRef<str>>(&self, args: &[S]) -> Result<String> {
        self.run(args).await?.success()
    }

    /// Runs it with `--json`; it must succeed.
    pub async fn json<S: AsRef<str>>(&self, args: &[S]) -> Result<serde_json::Value> {
        let args: Vec<&str> = args.iter().map(AsRef::as_ref).chain(["--json"]).collect();
        let answer = self.must(&args).await?;
        serde_json::from_str(&answer)
            .with_context(|| format!("'keyward {}' prints no JSON: {answer}", args.join(" ")))
    }
}
