//! `make network` as a program (`keyward-network`): what it says works, it leaves nothing behind, and it does not go on when a
//! part of it has ended.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{ensure, Context, Result};
use keyward_tests::{
    consortium::Plan,
    place::{make_directory, Place},
    process::{command, find, run, Process},
    wait::eventually,
};
use rustix::process::{kill_process, Pid, Signal};

const PATIENCE: Duration = Duration::from_secs(180);
/// One after the other, for the first blocks and two gateways.
const PLAN: Plan = Plan {
    validators: 4,
    nodes: 0,
    gateways: 2,
    minimum: 3,
};

struct Scene {
    place: Place,
    program: PathBuf,
    file: PathBuf,
}

impl Scene {
    fn set(name: &str, consortium: &str) -> Result<Self> {
        let place = Place::new(name)?;
        make_directory(&place.path("tmp"))?;
        let file = place.path("consortium.toml");
        std::fs::write(&file, consortium)?;
        let program = find("keyward-network")?;
        Ok(Self {
            place,
            program,
            file,
        })
    }

    fn network(&self) -> Command {
        let mut network = command(&self.program);
        network.arg("--consortium").arg(&self.file);
        // Its files are found, and seen to be gone, under a directory of the test's own.
        network.env("TMPDIR", self.place.path("tmp"));
        network
    }

    async fn runs(&self) -> Result<Process> {
        let log = self.place.log("network");
        let mut network = Process::start("keyward-network", self.network(), &log)?;
        eventually(PATIENCE, "the network to run", || {
            let ended = network.check();
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            async move {
                ended?;
                let runs = said.contains("Ctrl-C stops everything");
                runs.then_some(()).context("it does not say so yet")
            }
        })
        .await?;
        Ok(network)
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

/// Ids and command lines of processes that work on a directory.
fn processes_that_mention(directory: &Path) -> Result<Vec<(i32, String)>> {
    let directory = directory.display().to_string();
    let line = |entry: std::fs::DirEntry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        Some((id, String::from_utf8_lossy(&line).replace('\0', " ")))
    };
    let lines = std::fs::read_dir("/proc")?.flatten().filter_map(line);
    Ok(lines
        .filter(|(_, line)| line.contains(&directory))
        .collect())
}

async fn ends_with(network: &mut Process, code: i32) -> Result<()> {
    let status = eventually(PATIENCE, "the network to end", || {
        let ended = network.ended();
        async move { ended.ok_or("it has not") }
    })
    .await?;
    ensure!(status.code() == Some(code), "it ends with {status}");
    Ok(())
}

fn signal(id: i32, signal: Signal) -> Result<()> {
    Ok(kill_process(
        Pid::from_raw(id).context("no process id")?,
        signal,
    )?)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_prints_works_and_ctrl_c_leaves_nothing() -> Result<()> {
    let scene = Scene::set("local-network", &PLAN.to_toml()?)?;
    let mut network = scene.runs().await?;
    let said = std::fs::read_to_string(network.log())?;
    for words in [
        "polkadot.js.org/apps/?rpc=ws://127.0.0.1:",
        "mqtts://127.0.0.1:",
        "/metrics",
        "anna",
        "council/anna.key",
    ] {
        ensure!(said.contains(words), "no '{words}' in:\n{said}");
    }
    ensure!(said.lines().count() <= 60, "more than a screen:\n{said}");
    what_it_says_to_try_works(&scene, &said).await?;
    signal(i32::try_from(network.id())?, Signal::INT)?;
    ends_with(&mut network, 0).await?;
    scene.leaves_nothing()
}

/// Every command that it prints.
async fn what_it_says_to_try_works(scene: &Scene, said: &str) -> Result<()> {
    let keyward = find("keyward")?.display().to_string();
    let commands: Vec<_> = said
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with(&keyward))
        .collect();
    ensure!(commands.len() >= 5, "it prints {commands:?}");
    for line in commands {
        let mut shell = command(Path::new("/bin/sh"));
        shell.arg("-c").arg(line);
        let log = scene.place.log("tried");
        run(shell, Duration::from_secs(90), &log).await?.success()?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_part_ends_all_of_it_ends_and_says_which() -> Result<()> {
    let plan = Plan {
        gateways: 0,
        ..PLAN
    };
    let scene = Scene::set("broken-network", &plan.to_toml()?)?;
    let mut network = scene.runs().await?;
    let nodes = processes_that_mention(&scene.place.path("tmp"))?;
    let third = nodes
        .iter()
        .find(|(_, line)| line.contains("--name=metro-1"));
    signal(third.context("no node of metro-1")?.0, Signal::KILL)?;
    ends_with(&mut network, 1).await?;
    let said = std::fs::read_to_string(network.log())?;
    ensure!(said.contains("metro-1-node has ended"), "{said}");
    scene.leaves_nothing()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named_before_anything_runs() -> Result<()> {
    let taken = TcpListener::bind(("127.0.0.1", 0))?;
    let port = taken.local_addr()?.port();
    let toml = PLAN.to_toml()?;
    let (before, rest) = toml.split_once("rpc = ").context("no RPC port")?;
    let (_, after) = rest.split_once(',').context("no other port")?;
    let scene = Scene::set("taken-port", &format!("{before}rpc = {port},{after}"))?;
    let ran = run(scene.network(), PATIENCE, &scene.place.log("network")).await?;
    ensure!(ran.code == Some(1), "it ends with {:?}", ran.code);
    let named = format!("port {port} (rpc of acme-1)");
    ensure!(ran.stderr.contains(&named), "{}", ran.stderr);
    scene.leaves_nothing()
}
