//! A service as its systemd unit says, without systemd: the command of `ExecStart=`, run as a child process.

use std::{
    future::Future,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{ensure, Context, Result};

use crate::{
    process::{command, Process},
    wait::eventually,
};

/// Pause between two looks at whether a service runs.
const PAUSE: Duration = Duration::from_millis(100);

/// A service; it runs unless it was stopped.
#[derive(Debug)]
pub struct Service {
    name: String,
    line: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    process: Option<Process>,
}

impl Service {
    /// Reads a unit. The service is not started.
    pub fn read(unit: &Path, name: &str, log: PathBuf) -> Result<Self> {
        let text = std::fs::read_to_string(unit)
            .with_context(|| format!("cannot read the unit {}", unit.display()))?;
        let line = exec_start(&text)
            .with_context(|| format!("the unit {} cannot be run", unit.display()))?;
        Ok(Self {
            name: name.into(),
            line,
            environment: Vec::new(),
            log,
            process: None,
        })
    }

    /// The same command, as another service.
    pub fn like(&self, name: &str, log: PathBuf) -> Self {
        Self {
            name: name.into(),
            line: self.line.clone(),
            environment: self.environment.clone(),
            log,
            process: None,
        }
    }

    /// The value of an option, e.g. of `--base-path`.
    pub fn option(&self, name: &str) -> Option<&str> {
        let at = self.line.iter().position(|word| word == name);
        let joined = format!("{name}=");
        let next = at.and_then(|at| self.line.get(at.saturating_add(1)));
        next.map(String::as_str)
            .or_else(|| self.line.iter().find_map(|word| word.strip_prefix(&joined)))
    }

    /// Gives an option another value from the next start on; adds it if it is not there.
    pub fn set(&mut self, name: &str, value: &str) {
        let joined = format!("{name}=");
        if let Some(at) = self.line.iter().position(|word| word == name) {
            if let Some(old) = self.line.get_mut(at.saturating_add(1)) {
                *old = value.into();
            }
        } else if let Some(old) = self.line.iter_mut().find(|word| word.starts_with(&joined)) {
            *old = format!("{joined}{value}");
        } else {
            self.line.extend([name.into(), value.into()]);
        }
    }

    /// Adds a word to the command, from the next start on.
    pub fn add(&mut self, word: &str) {
        self.line.push(word.into());
    }

    /// Sets variables of its environment, in place of those set before, from the next start on.
    pub fn set_environment(&mut self, environment: &[(&str, &str)]) {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        self.environment = environment.iter().map(owned).collect();
    }

    /// What is run.
    pub fn command(&self) -> Result<Command> {
        let (program, args) = self.line.split_first().context("an empty command")?;
        let mut command = command(Path::new(program));
        command.args(args);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }

    /// Starts it; stops it first if it runs.
    pub fn start(&mut self) -> Result<()> {
        self.stop();
        self.process = Some(Process::start(&self.name, self.command()?, &self.log)?);
        Ok(())
    }

    /// Stops it as systemd would.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Asks it to stop, without waiting.
    pub fn ask_to_stop(&mut self) {
        if let Some(process) = &mut self.process {
            process.ask_to_stop();
        }
    }

    /// Kills it with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Its process, while it runs.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    /// An error, with the end of its log, if it should run and has ended.
    pub fn check(&mut self) -> Result<()> {
        self.process.as_mut().map_or(Ok(()), Process::check)
    }

    /// Looks again and again until `look` succeeds; gives up at once when the service has ended.
    pub async fn until<T, F>(
        &mut self,
        patience: Duration,
        what: &str,
        mut look: impl FnMut() -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let name = self.name.clone();
        let alive = async {
            loop {
                self.check()?;
                tokio::time::sleep(PAUSE).await;
            }
        };
        let what = format!("{name} to {what}");
        tokio::select! {
            looked = eventually(patience, &what, &mut look) => looked,
            ended = alive => ended,
        }
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its messages go.
    pub fn log(&self) -> &Path {
        &self.log
    }
}

/// The words of the only `ExecStart=` of a unit, with lines that end in a backslash joined. Quotes and specifiers are refused:
/// units of `keyward network new` have none.
fn exec_start(unit: &str) -> Result<Vec<String>> {
    let joined = unit.replace("\\\n", " ");
    let mut lines = joined
        .lines()
        .filter_map(|line| line.trim().strip_prefix("ExecStart="));
    let line = lines.next().context("it has no ExecStart=")?;
    ensure!(lines.next().is_none(), "it has more than one ExecStart=");
    let plain = !line.contains(['"', '\'', '%', '$', '\\']);
    ensure!(plain, "ExecStart= has quotes or specifiers: {line}");
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    ensure!(!words.is_empty(), "ExecStart= is empty");
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(line: &str) -> Service {
        Service {
            name: "node".into(),
            line: line.split(' ').map(str::to_owned).collect(),
            environment: Vec::new(),
            log: PathBuf::new(),
            process: None,
        }
    }

    #[test]
    fn the_command_of_a_unit_may_go_over_several_lines() {
        let unit = "[Service]\nExecStart=/usr/bin/keyward-node \\\n  --chain c.json \\\n  --validator\nUser=x\n";
        let words = exec_start(unit).unwrap();
        assert_eq!(
            words,
            ["/usr/bin/keyward-node", "--chain", "c.json", "--validator"]
        );
    }

    #[test]
    fn a_unit_that_only_systemd_understands_is_refused() {
        for unit in [
            "[Service]\n",
            "ExecStart=/a\nExecStart=/b\n",
            "ExecStart=/a %i\n",
            "ExecStart=/a \"b c\"\n",
            "ExecStart=\n",
        ] {
            assert!(exec_start(unit).is_err(), "{unit}");
        }
    }

    #[test]
    fn options_are_found_and_replaced_in_both_forms() {
        let mut node = service("/a --port 1 --rpc-port=2 --validator");
        assert_eq!(
            (node.option("--port"), node.option("--rpc-port")),
            (Some("1"), Some("2"))
        );
        assert_eq!(node.option("--name"), None);
        node.set("--port", "3");
        node.set("--rpc-port", "4");
        node.set("--name", "x");
        assert_eq!(
            node.line.join(" "),
            "/a --port 3 --rpc-port=4 --validator --name x"
        );
    }
}
