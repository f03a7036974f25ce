//! Four validators of four organisations: how close finality is, and that it survives what happens to machines. Every verdict
//! is a number of a best or finalized block.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use futures::future::try_join_all;
use keyward_tests::{
    consortium::{Consortium, Plan},
    height::{goes_on, hash, lags},
    process::{find_library, log_tails},
    wait::seconds,
};

/// What the design promises: half of all blocks are final sooner, whatever else this machine does meanwhile.
const CLOSE: Duration = Duration::from_secs(4);
/// How long finality is measured.
const MEASURED: u64 = 60;
/// Seconds for a few blocks, on a machine that runs other suites beside.
const PATIENCE: u64 = 120;

#[tokio::test(flavor = "multi_thread")]
async fn finality_is_close_and_survives_one_machine_whatever_happens_to_it() -> Result<()> {
    let began = Instant::now();
    let told = |what: &str| println!("{what}: {} s", began.elapsed().as_secs());
    let mut network = Consortium::started("validators", Plan::default()).await?;
    told("started");
    finality_is_close(&mut network).await?;
    told("measured");
    one_is_killed_and_catches_up(&mut network).await?;
    told("killed and caught up");
    one_loses_its_database_and_syncs_again(&mut network).await?;
    told("wiped and synced");
    one_has_a_wrong_clock(&mut network).await?;
    told("wrong clocks");
    Ok(())
}

async fn finality_is_close(network: &mut Consortium) -> Result<()> {
    let lags = lags(&network.ports(), seconds(MEASURED)).await?;
    let (median, most, worst) = (lags.quantile(0.5), lags.quantile(0.95), lags.quantile(1.0));
    println!(
        "finality, {} blocks seen final: median {median:?}, 95 % {most:?}, worst {worst:?}",
        lags.count()
    );
    // Two-second slots, four nodes: 120 in a minute.
    ensure!(lags.count() >= 60, "only {} were final", lags.count());
    ensure!(
        median < CLOSE,
        "half take longer than {median:?}\n{}",
        log_tails()
    );
    Ok(())
}

async fn one_is_killed_and_catches_up(network: &mut Consortium) -> Result<()> {
    network.machines[3].node.kill();
    network.goes_on(6, PATIENCE).await?;
    network.machines[3].start_node().await?;
    let height = network.goes_on(3, PATIENCE).await?;
    same_chain(network, height.finalized).await
}

async fn one_loses_its_database_and_syncs_again(network: &mut Consortium) -> Result<()> {
    let before = network.machines[2].height().await?;
    network.machines[2].node.stop();
    network.machines[2].wipe()?;
    network.machines[2].node.start()?;
    network.machines[2].node_answers().await?;
    network.finalize(before.finalized + 3, PATIENCE).await?;
    let height = network.goes_on(3, PATIENCE).await?;
    same_chain(network, height.finalized).await
}

/// Three seconds are one and a half slots: its blocks come too early for the others.
async fn one_has_a_wrong_clock(network: &mut Consortium) -> Result<()> {
    let library = find_library("faketime/libfaketimeMT.so.1", "faketime")?;
    let library = library.to_str().context("a path that is no text")?;
    for offset in ["+3s", "-3s"] {
        let node = &mut network.machines[1].node;
        // Only what the node takes for the time of day moves; its timers do not.
        node.set_environment(&[
            ("LD_PRELOAD", library),
            ("FAKETIME", offset),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
        ]);
        node.start()?;
        network.machines[1].node_answers().await?;
        let others = [0, 2, 3].map(|index| network.machines[index].rpc());
        let go_on = others.map(|port| goes_on(port, 6, seconds(PATIENCE)));
        try_join_all(go_on).await?;
    }
    network.machines[1].node.set_environment(&[]);
    network.machines[1].start_node().await?;
    let height = network.goes_on(3, PATIENCE).await?;
    same_chain(network, height.finalized).await
}

/// Every node has the same block of this number.
async fn same_chain(network: &mut Consortium, number: u32) -> Result<()> {
    let mut hashes = Vec::new();
    for port in network.ports() {
        hashes.push(
            hash(port, number)
                .await?
                .context("a finalized block is missing")?,
        );
    }
    hashes.dedup();
    ensure!(hashes.len() == 1, "block {number} is {hashes:?}");
    Ok(())
}
