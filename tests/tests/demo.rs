//! The demo as a program: what it says, how it ends, and what it leaves behind.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{ensure, Context, Result};
use keyward_tests::{
    place::Place,
    process::{command, find, run, Process},
    wait::eventually,
};
use rustix::process::{kill_process, Pid, Signal};

const PATIENCE: Duration = Duration::from_secs(150);
const INTERRUPTED: i32 = 130;

/// One step, whose table of readers is wrong on purpose: a stranger is said to read, a member not to.
const WRONG: &str = r#"
devices = ["1111", "1112", "1113"]

[groups.hsu0001]
topic = "hsu0001"
publishers = ["1111"]

[[step]]
name = "upside-down"
figure = "none"
members = { hsu0001 = ["1111", "1112"] }
subscribed = { hsu0001 = ["1112", "1113"] }
send = { from = "1111", group = "hsu0001", payload = '{"valve":"open","temperature":25.0}' }
reads = ["1113"]
cannot_read = ["1112"]
"#;

struct Scene {
    place: Place,
    program: PathBuf,
}

impl Scene {
    fn set(name: &str) -> Result<Self> {
        let place = Place::new(name)?;
        let program = find("keyward-demo")?;
        Ok(Self { place, program })
    }

    fn demo(&self, scenario: &Path) -> std::process::Command {
        let mut demo = command(&self.program);
        demo.arg("--scenario").arg(scenario);
        // Its files are found, and seen to be gone, under a directory of the test's own.
        demo.env("TMPDIR", self.place.path("tmp"));
        demo
    }

    fn write(&self, scenario: &str) -> Result<PathBuf> {
        let path = self.place.path("scenario.toml");
        std::fs::write(&path, scenario)?;
        keyward_tests::place::make_directory(&self.place.path("tmp"))?;
        Ok(path)
    }

    fn leaves_nothing(&self) -> Result<()> {
        let left: Vec<_> = std::fs::read_dir(self.place.path("tmp"))?
            .flatten()
            .map(|entry| entry.path())
            .collect();
        ensure!(left.is_empty(), "files are left: {left:?}");
        let running = processes_that_mention(&self.place.path("tmp"))?;
        ensure!(running.is_empty(), "processes are left: {running:?}");
        Ok(())
    }
}

/// Command lines of processes that work on a directory.
fn processes_that_mention(directory: &Path) -> Result<Vec<String>> {
    let directory = directory.display().to_string();
    let lines = std::fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    Ok(lines.filter(|line| line.contains(&directory)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_demo_leaves_nothing_and_a_surprise_fails_the_next_one() -> Result<()> {
    let scene = Scene::set("demo-test")?;
    let scenario = scene.write(WRONG)?;
    is_interrupted(&scene, &scenario).await?;
    scene.leaves_nothing()?;

    is_kept_until_it_is_told_to_stop(&scene, &scenario).await?;
    scene.leaves_nothing()
}

/// Run to its end with `--keep`, it says what was wrong and what to try, goes on running, and fails once it is stopped.
async fn is_kept_until_it_is_told_to_stop(scene: &Scene, scenario: &Path) -> Result<()> {
    let log = scene.place.log("kept-demo");
    let mut kept = scene.demo(scenario);
    kept.arg("--keep");
    let mut demo = Process::start("keyward-demo", kept, &log)?;
    says(&mut demo, "Ctrl-C stops everything").await?;
    let said = std::fs::read_to_string(&log)?;
    for words in [
        "polkadot.js.org/apps/?rpc=ws://127.0.0.1:",
        "1113 must read",
        "1112 must receive and not be able to read",
        "2 surprises",
        "On the wire",
        "Audit of group hsu0001",
        "Everything is still running",
    ] {
        ensure!(said.contains(words), "no '{words}' in:\n{said}");
    }
    ensure!(!said.contains('\x1b'), "colours although nobody looks");
    what_it_says_to_try_works(scene, &said).await?;
    ends_with(&mut demo, 1).await
}

/// The first command that it prints.
async fn what_it_says_to_try_works(scene: &Scene, said: &str) -> Result<()> {
    let audit = said
        .lines()
        .map(str::trim)
        .find(|line| line.contains("keyward") && line.contains(" audit "))
        .context("it prints no command to try")?;
    let mut shell = command(Path::new("/bin/sh"));
    shell.arg("-c").arg(audit);
    let ran = run(shell, Duration::from_secs(30), &scene.place.log("tried")).await?;
    ensure!(ran.success()?.contains("hsu0001"), "{audit}");
    Ok(())
}

/// Waits until it has printed something.
async fn says(demo: &mut Process, words: &str) -> Result<()> {
    let log = demo.log().to_owned();
    eventually(PATIENCE, &format!("the demo to say '{words}'"), || {
        let ended = demo.check();
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        async move {
            ended?;
            said.contains(words).then_some(()).context("it has not")
        }
    })
    .await
}

/// Sends Ctrl-C, and waits until it ends with this code.
async fn ends_with(demo: &mut Process, code: i32) -> Result<()> {
    let id = i32::try_from(demo.id())?;
    kill_process(Pid::from_raw(id).context("no process id")?, Signal::INT)?;
    let status = eventually(PATIENCE, "the demo to end", || {
        let ended = demo.ended();
        async move { ended.ok_or("it has not") }
    })
    .await?;
    ensure!(status.code() == Some(code), "it ends with {status}");
    Ok(())
}

/// Ctrl-C while it is starting.
async fn is_interrupted(scene: &Scene, scenario: &Path) -> Result<()> {
    let log = scene.place.log("interrupted-demo");
    let mut demo = Process::start("keyward-demo", scene.demo(scenario), &log)?;
    says(&mut demo, "mqtt://").await?;
    ends_with(&mut demo, INTERRUPTED).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_with_a_mistake_is_refused_before_anything_starts() -> Result<()> {
    let scene = Scene::set("demo-mistake")?;
    let scenario = scene.write(&WRONG.replace("publishers = [\"1111\"]", "publishers = []"))?;
    let log = scene.place.log("demo");
    let ran = run(scene.demo(&scenario), Duration::from_secs(10), &log).await?;
    ensure!(ran.code == Some(2), "it ends with {:?}", ran.code);
    ensure!(
        ran.stderr.contains("group hsu0001 has no publisher"),
        "{}",
        ran.stderr
    );
    ensure!(ran.stdout.is_empty(), "{}", ran.stdout);
    scene.leaves_nothing()
}
