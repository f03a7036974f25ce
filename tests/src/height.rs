//! How far nodes are: numbers of their best and finalized blocks, by RPC. All verdicts on a network come from these.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{ensure, Context, Result};
use futures::future::join_all;
use serde_json::{json, Value};

use crate::{rpc, wait::eventually};

/// Longest that a node may take to answer: a frozen one never does.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause between two looks while something is measured.
const PAUSE: Duration = Duration::from_millis(100);

/// How far a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Height {
    /// Number of its best block.
    pub best: u32,
    /// Number of its newest finalized block.
    pub finalized: u32,
}

/// Asks the node whose RPC is on this port.
pub async fn height(port: u16) -> Result<Height> {
    let both = async {
        let best = number(port, json!([])).await?;
        let head = call(port, "chain_getFinalizedHead", json!([])).await?;
        let finalized = number(port, json!([head])).await?;
        Ok(Height { best, finalized })
    };
    both.await
}

/// The hash that a node has for the block of a number, if it has one.
pub async fn hash(port: u16, number: u32) -> Result<Option<String>> {
    let hash = call(port, "chain_getBlockHash", json!([number])).await?;
    Ok(hash.as_str().map(str::to_owned))
}

async fn number(port: u16, params: Value) -> Result<u32> {
    let header = call(port, "chain_getHeader", params).await?;
    let number = header["number"]
        .as_str()
        .context("a header without number")?;
    Ok(u32::from_str_radix(number.trim_start_matches("0x"), 16)?)
}

async fn call(port: u16, method: &str, params: Value) -> Result<Value> {
    let answer = tokio::time::timeout(PATIENCE, rpc::call(port, method, params)).await;
    answer.with_context(|| format!("{method}: the node does not answer"))?
}

/// Waits until a node has finalized the block of a number, and gives how far it is then.
pub async fn finalizes(port: u16, number: u32, patience: Duration) -> Result<Height> {
    let what = format!("the node on port {port} to finalize block {number}");
    eventually(patience, &what, || async move {
        let height = height(port).await?;
        ensure!(height.finalized >= number, "it is at {height:?}");
        Ok::<_, anyhow::Error>(height)
    })
    .await
}

/// Waits until a node has finalized `blocks` more than it has now.
pub async fn goes_on(port: u16, blocks: u32, patience: Duration) -> Result<Height> {
    let now = height(port).await?;
    finalizes(port, now.finalized.saturating_add(blocks), patience).await
}

/// Seconds from when the first node had a block until each node had it finalized.
#[derive(Clone, Debug, Default)]
pub struct Lags {
    sorted: Vec<Duration>,
}

impl Lags {
    /// How many were measured: blocks times nodes.
    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    /// The lag that this share of all lags does not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        let last = self.sorted.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        self.sorted.get(at).copied().unwrap_or(Duration::MAX)
    }
}

/// Measures the lags of finality by looking at all nodes again and again for a while. Blocks that were there when it began
/// do not count.
pub async fn lags(ports: &[u16], duration: Duration) -> Result<Lags> {
    let began = Instant::now();
    let mut first_seen: BTreeMap<u32, Instant> = BTreeMap::new();
    let first = join_all(ports.iter().map(|port| height(*port))).await;
    let first: Vec<Height> = first.into_iter().collect::<Result<_>>()?;
    let start = first.iter().map(|height| height.best).max().unwrap_or(0);
    let mut finalized: Vec<u32> = vec![start; ports.len()];
    let mut lags = Vec::new();
    while began.elapsed() < duration {
        let heights = join_all(ports.iter().map(|port| height(*port))).await;
        let now = Instant::now();
        let heights: Vec<Height> = heights.into_iter().collect::<Result<_>>()?;
        let best = heights.iter().map(|height| height.best).max().unwrap_or(0);
        for number in start.saturating_add(1)..=best {
            first_seen.entry(number).or_insert(now);
        }
        for (seen, height) in finalized.iter_mut().zip(&heights) {
            let new = seen.saturating_add(1)..=height.finalized;
            let of = |number: u32| {
                first_seen
                    .get(&number)
                    .map(|seen| now.duration_since(*seen))
            };
            lags.extend(new.filter_map(of));
            *seen = (*seen).max(height.finalized);
        }
        tokio::time::sleep(PAUSE).await;
    }
    lags.sort();
    Ok(Lags { sorted: lags })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_lags() {
        let lags = Lags {
            sorted: (1..=100).map(Duration::from_millis).collect(),
        };
        assert_eq!(lags.quantile(0.0), Duration::from_millis(1));
        assert_eq!(lags.quantile(0.5), Duration::from_millis(51));
        assert_eq!(lags.quantile(1.0), Duration::from_millis(100));
        assert_eq!(Lags::default().quantile(0.5), Duration::MAX);
    }
}
