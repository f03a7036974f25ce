//! Floods at a bounded rate, and what they cost.

use std::{
    sync::{
        atomic::{AtomicU64, AtomicUsize, Ordering},
        Arc,
    },
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{
    task::JoinHandle,
    time::{interval, MissedTickBehavior},
};

use super::{packet::Publish, Hostile};

/// Packets are sent in bursts, this often.
const BURST: Duration = Duration::from_millis(10);
/// Packets after which the RETAIN flag changes.
const RETAINED: usize = 50;

/// A flood, until it is stopped or dropped.
pub struct Flood {
    sent: Arc<AtomicUsize>,
    bytes: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Flood {
    /// Packets sent so far.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes of the payloads sent so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Hostile {
    /// Delivers what `make` gives for each number, topic and payload, with QoS 0, at most so many in a second; now and then
    /// with RETAIN set, now and then without.
    pub fn flood(
        &self,
        client: &str,
        per_second: usize,
        make: impl Fn(usize) -> (String, Vec<u8>) + Send + 'static,
    ) -> Flood {
        let (shared, client) = (self.shared.clone(), client.to_owned());
        let sent = Arc::<AtomicUsize>::default();
        let bytes = Arc::<AtomicU64>::default();
        let (count, thrown) = (sent.clone(), bytes.clone());
        let burst = (per_second / 100).max(1);
        let task = tokio::spawn(async move {
            let mut ticks = interval(BURST);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                // A client that was driven away is flooded again when it is back.
                let Some(line) = shared.line(&client) else {
                    continue;
                };
                for _ in 0..burst {
                    let number = count.load(Ordering::Relaxed);
                    let (topic, payload) = make(number);
                    let retain = (number / RETAINED).is_multiple_of(2);
                    let publish = Publish::new(&topic, &payload, retain, line.level);
                    if line.to_client.send(publish.bytes()).await.is_err() {
                        break;
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                    thrown.fetch_add(payload.len() as u64, Ordering::Relaxed);
                }
            }
        });
        Flood { sent, bytes, task }
    }
}

/// Memory of a process that is resident, in bytes.
pub fn resident(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))
        .with_context(|| format!("process {process} is gone"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB"));
    let kibibytes: u64 = kibibytes.context("no VmRSS")?.trim().parse()?;
    Ok(kibibytes * 1024)
}
