//! What processes used, as Linux counts it, and what the machine is.

use std::fs::read_to_string;

use anyhow::{ensure, Context, Result};
use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
use serde::Serialize;

use crate::ground::Ground;

/// Ticks of Linux's process clock in a second, on every architecture.
const TICKS: f64 = 100.0;

/// Seconds of processor time since the start.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Used {
    /// The bridge.
    pub bridge: f64,
    /// Mosquitto.
    pub broker: f64,
    /// All nodes together.
    pub nodes: f64,
    /// This process, which is all devices.
    pub devices: f64,
}

impl Used {
    /// Until now.
    pub fn so_far(ground: &mut Ground) -> Result<Self> {
        let mut used = Self {
            devices: processor_time(std::process::id())?,
            ..Self::default()
        };
        for machine in &mut ground.consortium.machines {
            used.nodes += of(&mut machine.node)?;
            if let Some(gateway) = &mut machine.gateway {
                used.bridge += of(&mut gateway.bridge)?;
                used.broker += of(&mut gateway.broker)?;
            }
        }
        Ok(used)
    }

    /// Since another moment, for each of so many.
    pub fn each(self, since: Self, count: usize) -> Self {
        let each = |now: f64, then: f64| (now - then) / count.max(1) as f64;
        Self {
            bridge: each(self.bridge, since.bridge),
            broker: each(self.broker, since.broker),
            nodes: each(self.nodes, since.nodes),
            devices: each(self.devices, since.devices),
        }
    }
}

fn of(service: &mut keyward_tests::unit::Service) -> Result<f64> {
    match service.process() {
        Some(process) => processor_time(process.id()),
        None => Ok(0.0),
    }
}

/// User and system time of a process, of all its threads.
fn processor_time(id: u32) -> Result<f64> {
    let stat = read_to_string(format!("/proc/{id}/stat"))?;
    // The program's name may hold spaces and brackets; what follows does not.
    let (_, rest) = stat.rsplit_once(')').context("no process statistics")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    let (user, system) = (ticks(11), ticks(12));
    Ok((user.unwrap_or(0.0) + system.unwrap_or(0.0)) / TICKS)
}

/// Lets this process and its children open as many files as may be: a connection is one at both ends.
pub fn open_many(files: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= files) {
        return Ok(());
    }
    let most = limit.maximum.unwrap_or(files);
    ensure!(
        most >= files,
        "{files} files must be open at once, and the system allows {most}; raise it (ulimit -Hn)"
    );
    let raised = Rlimit {
        current: Some(files),
        maximum: limit.maximum,
    };
    Ok(setrlimit(Resource::Nofile, raised)?)
}

/// The machine, in one sentence.
pub fn machine() -> String {
    let cpu = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = read_to_string("/proc/meminfo").unwrap_or_default();
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kib = value_of(&memory, "MemTotal")
        .split(' ')
        .next()
        .and_then(|it| it.parse().ok());
    format!(
        "{}, {} cores, {:.0} GiB of memory, Linux {}",
        value_of(&cpu, "model name"),
        std::thread::available_parallelism().map_or(1, usize::from),
        kib.unwrap_or(0.0) / f64::from(1 << 20),
        kernel.trim()
    )
}

fn value_of<'a>(text: &'a str, name: &str) -> &'a str {
    let named = |line: &'a str| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    };
    text.lines().find_map(named).unwrap_or("unknown")
}
