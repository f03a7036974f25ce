//! Removals, one after the other, each from its submission to the last device that holds the new key.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use keyward_chain_client::{Call, Progress};
use keyward_protocol::GroupId;
use keyward_tests::screen::Screen;
use rand_core::{OsRng, RngCore};
use serde::Serialize;

use crate::{crowd::Crowd, ground::Ground};

/// Milliseconds between two blocks.
const SLOT_MS: u64 = 2_000;

/// What one removal took, in seconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Removal {
    /// From its submission until its block was seen.
    pub block: f64,
    /// Until its block was seen to be final.
    pub finality: f64,
    /// Until half of the members that are left held the new key.
    pub half: f64,
    /// Until the last of them did.
    pub last: f64,
    /// From the time of its block until the last of them did.
    pub last_from_block: f64,
}

/// Removes members, and waits after each until everything is calm.
pub async fn measure(
    ground: &Ground,
    crowd: &mut Crowd,
    group: &GroupId,
    removals: usize,
    screen: &Screen,
) -> Result<Vec<Removal>> {
    let mut all = Vec::new();
    for number in 0..removals {
        let before = ground.settled(group).await?;
        crowd.acknowledged(before.epoch).await?;
        // At any time of a slot.
        let pause = u64::from(OsRng.next_u32()) % SLOT_MS;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let removal = remove(ground, crowd, group, number).await?;
        screen.told(
            "removal",
            &format!(
                "{} of {removals}: block {:.2} s, final {:.2} s, half {:.2} s, last {:.2} s",
                number + 1,
                removal.block,
                removal.finality,
                removal.half,
                removal.last
            ),
        );
        all.push(removal);
    }
    // What the last one left to do is done before anything else is measured.
    let after = ground.settled(group).await?;
    crowd.acknowledged(after.epoch).await?;
    Ok(all)
}

async fn remove(
    ground: &Ground,
    crowd: &mut Crowd,
    group: &GroupId,
    number: usize,
) -> Result<Removal> {
    let device = crowd.lose(number)?;
    let call = Call::remove_members(group, &[device]);
    let seen = Mutex::new(None);
    let (began, clock) = (Instant::now(), SystemTime::now());
    let note = |progress| {
        if let Progress::InBlock { .. } = progress {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.get_or_insert(began.elapsed());
        }
    };
    let finalized = ground
        .chain
        .submit_reporting(&ground.signer, call, note)
        .await?;
    let finality = began.elapsed();
    let view = ground.chain.at(finalized.block.hash);
    let epoch = view.group(group).await?.context("the group is gone")?.epoch;
    let block_ms = view.time_ms().await?;
    let times = crowd.hold(epoch).await?;
    let since = |at: Option<&Instant>| {
        let at = at.context("nobody is left")?;
        Ok::<_, anyhow::Error>(at.saturating_duration_since(began).as_secs_f64())
    };
    let last = since(times.last())?;
    let began_ms = clock.duration_since(UNIX_EPOCH)?.as_secs_f64() * 1e3;
    let block = seen.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Removal {
        block: block.unwrap_or(finality).as_secs_f64(),
        finality: finality.as_secs_f64(),
        half: since(times.get(times.len() / 2))?,
        last,
        last_from_block: last + (began_ms - block_ms as f64) / 1e3,
    })
}
