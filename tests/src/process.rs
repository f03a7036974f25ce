//! Child processes that cannot outlive this one, with their output in files.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io::Write,
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{bail, Context, Result};
use rustix::process::{kill_process, set_parent_process_death_signal, Pid, Signal};

/// How long a process has to stop by itself after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(5);
/// Lines of each log in an error.
const TAIL: usize = 12;

/// Where this process's children write their logs, for [`log_tails`].
static LOGS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// The binaries of this workspace.
pub mod binary {
    /// The node.
    pub const NODE: &str = "keyward-node";
    /// The bridge.
    pub const BRIDGE: &str = "keyward-bridge";
    /// The device's program.
    pub const AGENT: &str = "keyward-agent";
    /// The operator's command.
    pub const OPERATOR: &str = "keyward";
}

/// Finds a binary of this workspace: in `KEYWARD_BIN_DIR`, else beside the running program or the directory above it, where
/// Cargo puts the binaries of the profile that the test was built with.
pub fn find(name: &str) -> Result<PathBuf> {
    let directories = match std::env::var_os("KEYWARD_BIN_DIR") {
        Some(directory) => vec![PathBuf::from(directory)],
        None => {
            let this = std::env::current_exe().context("where this program is")?;
            this.ancestors()
                .skip(1)
                .take(2)
                .map(Path::to_owned)
                .collect()
        }
    };
    let found = directories
        .iter()
        .map(|directory| directory.join(name))
        .find(|path| path.is_file());
    found.with_context(|| {
        let searched: Vec<_> = directories
            .iter()
            .map(|directory| directory.display().to_string())
            .collect();
        format!(
            "{name} is not built: it is not in {}; run 'make build', or set KEYWARD_BIN_DIR",
            searched.join(" or ")
        )
    })
}

/// Finds a program of the system in `PATH` and the places for administrators' programs.
pub fn find_system(name: &str, package: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    places
        .map(|place: PathBuf| place.join(name))
        .find(|path| path.is_file())
        .with_context(|| format!("{name} is not installed; run 'apt-get install {package}'"))
}

/// Finds a library of the system, for preloading: `name` is its path below a directory of libraries.
pub fn find_library(name: &str, package: &str) -> Result<PathBuf> {
    let here = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let places = [
        Path::new(&here),
        Path::new("/usr/lib"),
        Path::new("/usr/local/lib"),
    ];
    places
        .iter()
        .map(|place| place.join(name))
        .find(|path| path.is_file())
        .with_context(|| format!("{name} is not installed; run 'apt-get install {package}'"))
}

/// A command whose process is killed when this one ends, however it ends, and which Ctrl-C in a terminal does not reach.
pub fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.process_group(0).stdin(Stdio::null());
    die_with_parent(&mut command);
    command
}

#[expect(
    unsafe_code,
    reason = "`pre_exec` is unsafe; the closure makes one async-signal-safe system call"
)]
fn die_with_parent(command: &mut Command) {
    let last_will =
        || set_parent_process_death_signal(Some(Signal::KILL)).map_err(std::io::Error::from);
    // SAFETY: between fork and exec only prctl(2) is called; nothing is allocated and no lock is taken.
    unsafe { command.pre_exec(last_will) };
}

/// A running process; killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a command with standard output and error appended to `log`.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let file = open_log(log)?;
        command.stdout(file.try_clone()?).stderr(file);
        Self::spawn(name, command, log)
    }

    /// Starts a command with standard output in `output` and standard error appended to `log`.
    pub fn start_with_output(
        name: &str,
        mut command: Command,
        output: &Path,
        log: &Path,
    ) -> Result<Self> {
        command.stdout(open_log(output)?).stderr(open_log(log)?);
        Self::spawn(name, command, log)
    }

    fn spawn(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name: name.into(),
            child,
            log: log.into(),
        })
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where its messages go.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// An error with the end of its log if it has ended.
    pub fn check(&mut self) -> Result<()> {
        match self.ended() {
            None => Ok(()),
            Some(status) => bail!(
                "{} has ended ({status}); its last messages:\n{}",
                self.name,
                tail(&self.log)
            ),
        }
    }

    fn signal(&mut self, signal: Signal) {
        if self.ended().is_none() {
            // An error means that it has just ended.
            let _ = kill_process(Pid::from_child(&self.child), signal);
        }
    }

    /// Stops it at the instruction where it is, without a chance to tidy up.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }

    /// Freezes it: it keeps its connections and answers nothing.
    pub fn freeze(&mut self) {
        self.signal(Signal::STOP);
    }

    /// Lets a frozen process go on.
    pub fn thaw(&mut self) {
        self.signal(Signal::CONT);
    }

    /// Asks it to stop; what was asked to stop may be dropped together without waiting one after the other.
    pub fn ask_to_stop(&mut self) {
        self.signal(Signal::TERM);
        self.thaw();
    }

    /// Stops it as its operator would, and kills it when it does not.
    pub fn stop(&mut self) {
        self.ask_to_stop();
        let deadline = Instant::now() + PATIENCE;
        while self.ended().is_none() {
            if Instant::now() > deadline {
                return self.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What a command that ended has to say.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    command: String,
}

impl Ran {
    /// Standard output of a command that succeeded.
    pub fn success(self) -> Result<String> {
        match self.code {
            Some(0) => Ok(self.stdout),
            code => bail!(
                "'{}' failed ({}):\n{}{}",
                self.command,
                code.map_or("killed".into(), |code| format!("exit code {code}")),
                self.stdout,
                self.stderr
            ),
        }
    }
}

/// Runs a command to its end, which must come within `patience`, and appends what it says to `log`.
pub async fn run(mut command: Command, patience: Duration, log: &Path) -> Result<Ran> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let shown = shown(&command);
    let child = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start '{shown}'"))?;
    let output = tokio::time::timeout(patience, child.wait_with_output())
        .await
        .with_context(|| format!("'{shown}' did not end within {} s", patience.as_secs()))??;
    let ran = Ran {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        command: shown,
    };
    let mut log = open_log(log)?;
    writeln!(
        log,
        "$ {}\n{}{}[{:?}]",
        ran.command, ran.stdout, ran.stderr, ran.code
    )?;
    Ok(ran)
}

/// A command as it would be typed.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(quoted).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &std::ffi::OsStr) -> String {
    let word = OsString::from(word).to_string_lossy().into_owned();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word,
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

fn open_log(path: &Path) -> Result<File> {
    let mut logs = LOGS.lock().unwrap_or_else(PoisonError::into_inner);
    if !logs.iter().any(|log| log == path) {
        logs.push(path.to_owned());
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// The last lines of a log.
pub fn tail(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().collect();
    let from = lines.len().saturating_sub(TAIL);
    lines[from..]
        .iter()
        .map(|line| format!("    {line}\n"))
        .collect()
}

/// The last lines of every log that this process's children write.
pub fn log_tails() -> String {
    let logs = LOGS.lock().unwrap_or_else(PoisonError::into_inner);
    logs.iter()
        .filter(|log| log.is_file())
        .map(|log| format!("  {}:\n{}", log.display(), tail(log)))
        .collect()
}
