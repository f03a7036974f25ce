//! The program itself: exit codes, and what it says, without a chain and without a broker.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use keyward_test_ports::free_port;
use rustix::process::{kill_process, Pid, Signal};

const PATIENCE: Duration = Duration::from_secs(20);

/// A directory with keys and a configuration; nothing listens where it says.
struct Place {
    directory: tempfile::TempDir,
    admin: u16,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            directory: tempfile::tempdir().unwrap(),
            admin: free_port().unwrap(),
        };
        for (name, byte) in [
            ("account", "1a"),
            ("statement", "2b"),
            ("custody", "3c"),
            ("store", "4d"),
        ] {
            place.write(
                &format!("{name}.key"),
                &format!("0x{}\n", byte.repeat(32)),
                0o400,
            );
        }
        place.configure(place.admin);
        place
    }

    fn configure(&self, admin: u16) {
        let (node, broker) = (free_port().unwrap(), free_port().unwrap());
        let text = format!(
            "[chain]\nurl = \"ws://127.0.0.1:{node}\"\naccount_key_file = \"account.key\"\n\
             [gateway]\nstatement_key_file = \"statement.key\"\ncustody_key_file = \"custody.key\"\n\
             [mqtt]\nurl = \"mqtt://127.0.0.1:{broker}\"\nclient_id = \"gw1\"\n\
             [store]\npath = \"journal.sqlite\"\nkey_file = \"store.key\"\n\
             [admin]\nlisten = \"127.0.0.1:{admin}\"\n"
        );
        self.write("bridge.toml", &text, 0o600);
    }

    fn write(&self, name: &str, content: &str, mode: u32) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyward-bridge"));
        command
            .arg("--config")
            .arg(self.directory.path().join("bridge.toml"))
            .arg(name);
        command
    }

    fn output(&self, name: &str) -> Output {
        self.command(name).output().unwrap()
    }

    /// Starts it; its log goes to a file.
    fn run(&self) -> Running {
        let log = std::fs::File::create(self.log()).unwrap();
        let child = self
            .command("run")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Running(child)
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// Waits until it answers; gives what `status` says and its exit code.
    fn status(&self) -> (Option<i32>, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = self.output("status");
            let text = String::from_utf8(output.stdout).unwrap();
            if output.status.code() != Some(1) {
                return (output.status.code(), text);
            }
            assert!(
                Instant::now() < deadline,
                "it does not answer: {}",
                read(&self.log())
            );
        }
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Killed when dropped.
struct Running(Child);

impl Running {
    fn signal(&mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.0.try_wait().unwrap() {
                Some(status) => return status.code(),
                None => assert!(Instant::now() < deadline, "it does not stop"),
            }
            std::thread::yield_now();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_configuration_that_is_right_is_shown_without_its_secrets() {
    let place = Place::new();
    let output = place.output("check-config");
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(
        said.contains("statement key") && said.contains("not encrypted"),
        "{said}"
    );
    for secret in ["1a1a1a", "2b2b2b", "3c3c3c", "4d4d4d"] {
        assert!(!said.contains(secret), "{said}");
    }
    assert!(
        !place.directory.path().join("journal.sqlite").exists(),
        "something was started"
    );
}

#[test]
fn a_configuration_that_is_not_right_has_its_exit_code_in_every_command() {
    let place = Place::new();
    place.write("bridge.toml", "[chain]\n", 0o600);
    for command in ["run", "check-config", "status", "reconcile"] {
        let output = place.output(command);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command}: {said}");
        assert!(said.contains("bridge.toml"), "{said}");
    }
}

#[test]
fn commands_for_a_bridge_that_does_not_run_say_so() {
    let place = Place::new();
    for command in ["status", "reconcile"] {
        let output = place.output(command);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        assert!(said.contains("keyward-bridge run"), "{said}");
    }
}

#[test]
fn without_a_chain_it_waits_says_why_and_stops_on_a_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = Place::new();
        let mut bridge = place.run();
        let (code, said) = place.status();
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("looking for the gateway on chain"), "{said}");
        assert_eq!(bridge.signal(signal), Some(0), "{}", read(&place.log()));
    }
}

#[test]
fn a_second_bridge_on_the_same_journal_is_refused_also_after_a_kill_only_while_the_first_runs() {
    let place = Place::new();
    let mut bridge = place.run();
    place.status();
    place.configure(free_port().unwrap());
    let output = place.output("run");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("used by another process"), "{said}");
    bridge.signal(Signal::KILL);
    place.configure(place.admin);
    let _next = place.run();
    assert_eq!(place.status().0, Some(3));
}

#[test]
fn nothing_secret_is_logged() {
    let place = Place::new();
    let mut bridge = place.run();
    place.status();
    bridge.signal(Signal::TERM);
    let log = read(&place.log());
    assert!(log.contains("keyward-bridge"), "{log}");
    for secret in ["1a1a1a", "2b2b2b", "3c3c3c", "4d4d4d"] {
        assert!(!log.contains(secret), "{log}");
    }
}
