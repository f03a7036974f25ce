//! A validator that loses its power again and again: its database is sound each time, and it never signs twice.

use anyhow::{ensure, Result};
use keyward_tests::{
    consortium::{Consortium, Plan},
    height::{hash, height},
    wait::seconds,
};
use rand_core::RngCore;

/// How often it is killed.
const KILLS: u32 = 50;
/// Longest pause between its first answer and the next kill: a slot, so that every point of making, importing, voting on and
/// finalizing a block is hit.
const LONGEST: u32 = 2_000;
/// Blocks that a kill may cost: what the database had not yet written.
const LOST: u32 = 30;
/// Seconds for a few blocks, on a machine that runs other suites beside.
const PATIENCE: u64 = 120;

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_leave_a_sound_database_and_no_offence() -> Result<()> {
    let mut network = Consortium::started("sigkill", Plan::default()).await?;
    let port = network.machines[0].rpc();
    let mut before = height(port).await?;
    for kill in 0..KILLS {
        let pause = rand_core::OsRng.next_u32() % LONGEST;
        tokio::time::sleep(std::time::Duration::from_millis(pause.into())).await;
        if let Ok(now) = height(port).await {
            before = before.max(now);
        }
        network.machines[0].node.kill();
        network.machines[0].start_node().await?;
        let after = height(port).await?;
        ensure!(
            after.finalized.saturating_add(LOST) >= before.finalized,
            "kill {kill}: it had finalized block {}, and is back at {after:?}",
            before.finalized
        );
    }
    let height = network.goes_on(5, PATIENCE).await?;
    let mut hashes = Vec::new();
    for port in network.ports() {
        hashes.push(hash(port, height.finalized).await?);
    }
    hashes.dedup();
    ensure!(hashes.len() == 1 && hashes[0].is_some(), "{hashes:?}");
    no_offence(&network).await?;
    // It still votes: without it, one more missing would stop finality.
    network.machines[3].node.kill();
    network.goes_on(5, PATIENCE).await.map(drop)
}

async fn no_offence(network: &Consortium) -> Result<()> {
    let chain = network.machines[1].connect().await?;
    let now = chain.validators(chain.finalized().await?).await?;
    let offences: Vec<_> = now.operators.iter().flat_map(|it| &it.offences).collect();
    ensure!(offences.is_empty(), "it signed twice: {offences:?}");
    keyward_tests::height::goes_on(network.machines[0].rpc(), 1, seconds(PATIENCE)).await?;
    Ok(())
}
