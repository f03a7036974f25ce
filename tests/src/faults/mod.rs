//! Seeded schedules of faults, and the evidence of what came of them, for [`crate::judge`].
//!
//! | module | what |
//! |---|---|
//! | [`schedule`] | what is done, and when, from a seed |
//! | [`stage`] | the network that it is done to |
//! | [`machines`], [`programs`], [`members`] | who does it: to node, broker, bridge and their connections; to devices; to groups |
//! | [`relay`], [`chain`] | what goes over the wire and what the chain finalizes, noted |
//! | [`proxy`], [`disk`] | a connection that stalls, a disk that is full |
//! | [`bugs`] | programs with a bug, to see that the judge convicts |
//!
//! A run has four parts: faults; healing, in which everything runs and must become well within [`HEALING`]; a quiet time in
//! which publishers go on; and a last one in which subscribers get what is still on its way. No wait is without a deadline.

pub mod bugs;
pub mod chain;
pub mod disk;
#[cfg(test)]
mod echo;
pub mod machines;
pub mod members;
pub mod programs;
pub mod proxy;
pub mod relay;
pub mod schedule;
pub mod stage;

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{bail, ensure, Context, Result};
use keyward_protocol::statement::GroupState;
use tokio::time::{sleep, timeout, Instant};

use self::{
    chain::{Follower, Newest},
    machines::BridgeLane,
    members::Administrator,
    programs::{Actor, Phase, Programs},
    schedule::{Schedule, FAULTS},
    stage::Stage,
};
use crate::{
    judge::{
        self,
        evidence::{self, Happened, Known, Log, State, What},
        Verdict,
    },
    place::{copy_directory, make_directory},
};

/// How long everything has to become well after the last fault, in seconds.
pub const HEALING: u64 = 75;
/// How long lanes may still be at work after the faults' time, in seconds: transactions and restarts have their own deadlines.
const LINGERING: u64 = 120;
/// How long publishers go on when everything is well, in seconds.
const QUIET: u64 = 8;
/// How long subscribers then have, in seconds: longer than the judge gives them.
const LAST: u64 = 17;
/// How long everything must have looked well to be believed, in seconds.
const CALM: u64 = 3;
/// How long setting the stage may take, in seconds.
const SETTING: u64 = 180;
/// Pause between two questions to a device's store.
const ASKING: Duration = Duration::from_millis(700);

/// What came of a run.
pub struct Outcome {
    /// The judge's verdict.
    pub verdict: Verdict,
    /// Where the evidence is.
    pub evidence: PathBuf,
}

impl Outcome {
    /// An error with everything that is wrong, if anything is.
    ///
    /// # Errors
    /// When the judge convicts.
    pub fn acquitted(self, seed: u64) -> Result<Self> {
        let convictions: Vec<_> = self
            .verdict
            .convictions
            .iter()
            .map(ToString::to_string)
            .collect();
        ensure!(
            convictions.is_empty(),
            "seed {seed}: {} convictions; the evidence is in {}\n{}",
            convictions.len(),
            self.evidence.display(),
            convictions.join("\n")
        );
        Ok(self)
    }
}

/// Runs the schedule of a seed and has it judged. The evidence, and the logs of all parts, are kept in `directory` when the judge
/// convicts or the run fails, and else if they are wanted.
///
/// # Errors
/// When the run cannot be carried out: that is no verdict.
pub async fn run(seed: u64, directory: &Path, wanted: bool) -> Result<Outcome> {
    make_directory(directory)?;
    let path = directory.join(format!("seed-{seed}.jsonl"));
    let log = Log::new(&path)?;
    let stage = timeout(Duration::from_secs(SETTING), Stage::set(seed, &log));
    let mut stage = stage
        .await
        .with_context(|| format!("seed {seed}: the network was not ready within {SETTING} s"))??;
    let logs = directory.join(format!("seed-{seed}.logs"));
    let acted = act(&mut stage, &Schedule::of(seed), &log).await;
    let verdict = acted.and_then(|()| judge::judge(&evidence::read(&path)?));
    let kept = match &verdict {
        Ok(verdict) => wanted || !verdict.convictions.is_empty(),
        Err(_) => true,
    };
    if kept {
        copy_directory(&stage.logs(), &logs)?;
    } else {
        std::fs::remove_file(&path)?;
    }
    let verdict = verdict.with_context(|| {
        format!(
            "seed {seed} could not be judged; what there is is in {}",
            path.display()
        )
    })?;
    Ok(Outcome {
        verdict,
        evidence: path,
    })
}

/// Everything at once, until the conductor is through.
async fn act(stage: &mut Stage, schedule: &Schedule, log: &Log) -> Result<()> {
    let first = stage.first_block().await?;
    let follower = Follower::new(
        stage.network.chain.clone(),
        stage.network.gateway.account,
        log,
    );
    let newest = follower.newest();
    let actors = std::mem::take(&mut stage.actors);
    let mut programs = Programs::new(Stage::programs(&actors, log), schedule.devices.clone());
    let done = {
        let conducted = conduct(stage, schedule, &mut programs, &newest, log);
        tokio::select! {
            done = conducted => done,
            failed = follower.run(first) => failed.context("the chain could not be followed"),
            () = ask_stores(&actors, log) => bail!("nobody asks the devices' stores any more"),
        }
    };
    done?;
    note_panics(stage, &actors, log);
    log.note(What::Over);
    Ok(())
}

async fn conduct(
    stage: &mut Stage,
    schedule: &Schedule,
    programs: &mut Programs<'_>,
    newest: &Newest,
    log: &Log,
) -> Result<()> {
    let disk = stage.disk.take().context("the disk was taken already")?;
    let enrolment = stage
        .enrolment
        .take()
        .context("the request was taken already")?;
    let network = &mut stage.network;
    let copy = network.place.path("journal-of-yesterday");
    let administrator = Administrator {
        chain: &network.chain,
        signer: &network.gateway.signer,
        enrolment,
        log: log.clone(),
    };
    let mut bridge = BridgeLane::new(&mut network.bridge, disk, copy, log);
    let began = Instant::now();
    let lanes = async {
        tokio::try_join!(
            machines::node(&mut network.node, &schedule.node, began, log),
            machines::broker(&mut network.broker, &schedule.broker, began, log),
            bridge.run(&schedule.bridge, began),
            administrator.run(&schedule.members, began),
            async {
                machines::rpc(&stage.rpc, &schedule.rpc, began, log).await;
                Ok(())
            },
        )
    };
    let longest = Duration::from_millis(FAULTS) + Duration::from_secs(LINGERING);
    tokio::select! {
        done = timeout(longest, lanes) => {
            done.with_context(|| format!("faults were not over {LINGERING} s after their time"))??;
        }
        failed = programs.run(Phase::Faults, began + 2 * longest) => failed?,
    }
    log.note(What::Healed);
    let deadline = Instant::now() + Duration::from_secs(HEALING);
    well(programs, &mut bridge, newest, deadline).await?;
    log.note(What::Quiet);
    for (phase, lasts) in [(Phase::Well, QUIET), (Phase::Last, LAST)] {
        let until = Instant::now() + Duration::from_secs(lasts);
        tokio::try_join!(programs.run(phase, until), bridge.look_after(until))?;
    }
    // What the broker holds is asked while all blocks are noted that it could follow from.
    stage.note_held();
    Ok(())
}

/// Until everything looks well, or the time is over: the judge decides what it thinks of that.
async fn well(
    programs: &mut Programs<'_>,
    bridge: &mut BridgeLane<'_>,
    newest: &Newest,
    deadline: Instant,
) -> Result<()> {
    let before: Vec<u64> = programs.all.iter().map(|program| program.printed).collect();
    let mut since = None;
    while Instant::now() < deadline {
        let until = Instant::now() + Duration::from_millis(500);
        tokio::try_join!(programs.run(Phase::Well, until), bridge.look_after(until))?;
        let state = lock(newest).1.clone();
        let is_well = looks_well(&state, programs, &before);
        since = is_well.then(|| since.unwrap_or(until));
        if since.is_some_and(|since| since.elapsed() > Duration::from_secs(CALM)) {
            return Ok(());
        }
    }
    Ok(())
}

fn lock(newest: &Newest) -> std::sync::MutexGuard<'_, (u32, State)> {
    let newest: &Mutex<(u32, State)> = newest;
    newest.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Epochs are delivered and acknowledged by the subscribers that run, and each of them has read something since.
fn looks_well(state: &State, programs: &Programs<'_>, before: &[u64]) -> bool {
    !state.groups.is_empty()
        && state.groups.iter().all(|group| {
            let delivered = group.exchanges.last();
            let delivered =
                delivered.is_some_and(|last| last.epoch == group.epoch && last.delivered);
            let behind = programs.all.iter().zip(before).any(|(program, before)| {
                let member = group
                    .members
                    .iter()
                    .find(|member| member.device == *program.device() && member.active);
                member.is_some_and(|member| {
                    !program.publishes()
                        && (member.acknowledged != Some(group.epoch) || program.printed <= *before)
                })
            });
            group.state == GroupState::Active && delivered && !behind
        })
}

/// What devices' stores know, one after the other, for ever.
async fn ask_stores(actors: &[Actor], log: &Log) {
    loop {
        for agent in actors.iter().map(|actor| &actor.agent) {
            let asked = evidence::now_ms();
            // A store that cannot be read now says nothing.
            if let Ok(status) = agent.status().await {
                log.note(What::Status {
                    device: agent.id.clone(),
                    asked,
                    groups: known(&status),
                });
            }
            sleep(ASKING).await;
        }
    }
}

fn known(status: &serde_json::Value) -> Vec<Known> {
    let groups = status["groups"].as_array().into_iter().flatten();
    groups
        .filter_map(|group| {
            Some(Known {
                group: group["group"].as_str()?.parse().ok()?,
                revision: group["revision"].as_u64()?,
                epoch: u32::try_from(group["epoch"].as_u64()?).ok()?,
            })
        })
        .collect()
}

fn note_panics(stage: &Stage, actors: &[Actor], log: &Log) {
    let network = &stage.network;
    let agents = actors.iter().map(|actor| &actor.agent);
    let devices = agents.map(|agent| (agent.id.as_str(), agent.log()));
    let node = network.place.log("node");
    let parts = [("bridge", network.bridge.log()), ("node", node.as_path())];
    for (part, path) in parts.into_iter().chain(devices) {
        let text = std::fs::read(path).unwrap_or_default();
        if String::from_utf8_lossy(&text).contains("panicked at") {
            log.fault(part, Happened::Panicked);
        }
    }
}
