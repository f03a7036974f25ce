//! Node, broker, bridge and the connection between bridge and node, and what is done to them: each in a lane of its own, one step
//! after the other.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::time::{sleep, sleep_until, Instant};

use super::{
    disk::Disk,
    proxy::{Passage, Proxy},
    schedule::{Act, Step},
};
use crate::{
    bridge::Bridge,
    broker::Broker,
    judge::evidence::{Happened, Log, What},
    node::Node,
    process::Process,
};

/// Pause before a bridge that ended by itself is started again, as its unit would.
const AGAIN: Duration = Duration::from_secs(1);
/// Pause between two looks at it.
const PAUSE: Duration = Duration::from_millis(200);
/// The part's name.
const BRIDGE: &str = "bridge";

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// What is done to the node.
pub async fn node(node: &mut Node, steps: &[Step], began: Instant, log: &Log) -> Result<()> {
    for step in steps {
        sleep_until(began + ms(step.at)).await;
        match step.act {
            Act::Freeze(_) => frozen("node", node.process(), step, log).await,
            _ => {
                node.process().kill();
                log.fault("node", Happened::Killed);
                sleep(ms(step.lasts)).await;
                node.restart().await?;
                log.fault("node", Happened::Started);
            }
        }
    }
    Ok(())
}

/// What is done to the broker.
pub async fn broker(broker: &mut Broker, steps: &[Step], began: Instant, log: &Log) -> Result<()> {
    for step in steps {
        sleep_until(began + ms(step.at)).await;
        if let Act::Freeze(_) = step.act {
            frozen("broker", broker.process(), step, log).await;
            continue;
        }
        broker.process().kill();
        log.fault("broker", Happened::Killed);
        sleep(ms(step.lasts)).await;
        match step.act {
            Act::EmptyBroker => {
                log.fault("broker", Happened::Emptied);
                broker.lose_everything().await?;
            }
            _ => broker.restart().await?,
        }
        log.fault("broker", Happened::Started);
    }
    Ok(())
}

async fn frozen(part: &str, process: &mut Process, step: &Step, log: &Log) {
    process.freeze();
    log.fault(part, Happened::Frozen);
    sleep(ms(step.lasts)).await;
    process.thaw();
    log.fault(part, Happened::Thawed);
}

/// What is done to the connection between bridge and node.
pub async fn rpc(proxy: &Proxy, steps: &[Step], began: Instant, log: &Log) {
    for step in steps {
        sleep_until(began + ms(step.at)).await;
        let (passage, happened) = match step.act {
            Act::StallRpc => (Passage::Stalled, Happened::Stalled),
            _ => (Passage::Cut, Happened::Cut),
        };
        proxy.set(passage);
        log.fault("rpc", happened);
        sleep(ms(step.lasts)).await;
        proxy.set(Passage::Open);
        log.fault("rpc", Happened::Passes);
    }
}

/// The bridge, its journal, and the disk under it.
pub struct BridgeLane<'a> {
    bridge: &'a mut Bridge,
    /// None where this machine does not allow a small disk, and why.
    disk: std::result::Result<Disk, String>,
    copy: PathBuf,
    log: Log,
    /// When it is started again after it ended by itself.
    again: Option<Instant>,
}

impl<'a> BridgeLane<'a> {
    /// A bridge that runs.
    pub fn new(
        bridge: &'a mut Bridge,
        disk: std::result::Result<Disk, String>,
        copy: PathBuf,
        log: &Log,
    ) -> Self {
        Self {
            bridge,
            disk,
            copy,
            log: log.clone(),
            again: None,
        }
    }

    /// Carries the steps out.
    pub async fn run(&mut self, steps: &[Step], began: Instant) -> Result<()> {
        for step in steps {
            self.look_after(began + ms(step.at)).await?;
            self.step(step).await?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<()> {
        let lasts = ms(step.lasts);
        match step.act {
            Act::Freeze(_) => {
                if let Some(process) = self.bridge.process() {
                    frozen(BRIDGE, process, step, &self.log).await;
                }
            }
            Act::FillDisk => self.without_room(lasts).await?,
            Act::SaveJournal => {
                self.kill();
                replace_journal(self.bridge.directory(), &self.copy)?;
                self.log.fault(BRIDGE, Happened::Saved);
                self.start()?;
            }
            Act::RestoreJournal => {
                self.kill();
                replace_journal(&self.copy, self.bridge.directory())?;
                self.log.fault(BRIDGE, Happened::Restored);
                sleep(lasts).await;
                self.start()?;
            }
            _ => {
                self.kill();
                sleep(lasts).await;
                self.start()?;
            }
        }
        Ok(())
    }

    async fn without_room(&mut self, lasts: Duration) -> Result<()> {
        match &self.disk {
            Err(why) => self.log.note(What::Skipped {
                step: "a full disk under the journal".into(),
                why: why.clone(),
            }),
            Ok(disk) => {
                disk.fill()?;
                self.log.fault(BRIDGE, Happened::Full);
                self.look_after(Instant::now() + lasts).await?;
                self.make_room()?;
            }
        }
        Ok(())
    }

    fn make_room(&self) -> Result<()> {
        if let Ok(disk) = &self.disk {
            disk.free()?;
            self.log.fault(BRIDGE, Happened::Freed);
        }
        Ok(())
    }

    fn kill(&mut self) {
        self.bridge.kill();
        self.again = None;
        self.log.fault(BRIDGE, Happened::Killed);
    }

    fn start(&mut self) -> Result<()> {
        self.bridge.launch()?;
        self.log.fault(BRIDGE, Happened::Started);
        Ok(())
    }

    /// Until then, starts it again if it ends by itself.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn look_after(&mut self, until: Instant) -> Result<()> {
        loop {
            let ended = self.bridge.process().and_then(Process::ended);
            if ended.is_some() && self.again.is_none() {
                self.log.fault(BRIDGE, Happened::Died);
                self.again = Some(Instant::now() + AGAIN);
            }
            if self.again.is_some_and(|at| at <= Instant::now()) {
                self.again = None;
                self.start()?;
            }
            if Instant::now() >= until {
                return Ok(());
            }
            sleep(PAUSE.min(until - Instant::now())).await;
        }
    }
}

/// Puts the journal of one directory, with its write-ahead log, in the place of another's. Nobody has it open.
fn replace_journal(from: &Path, to: &Path) -> Result<()> {
    crate::place::make_directory(to)?;
    let is_journal = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("journal.sqlite")
    };
    for old in files(to)?.into_iter().filter(is_journal) {
        std::fs::remove_file(old)?;
    }
    for path in files(from)?.into_iter().filter(is_journal) {
        let name = path.file_name().context("a file has a name")?;
        std::fs::copy(&path, to.join(name))?;
    }
    Ok(())
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory)?;
    entries.map(|entry| Ok(entry?.path())).collect()
}
