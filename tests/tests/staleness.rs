//! A publisher whose view of the chain does not move any more stops sealing after `max_silence`, and goes on when it moves
//! again: a finality stall is a revocation stall, and nothing is sealed that a removed member could open unnoticed.

use std::time::{Duration, Instant};

use anyhow::{ensure, Result};
use keyward_protocol::{policy::Policy, GroupId, Role};
use keyward_tests::{
    capture::Direction,
    network::{Network, Plan},
    wait::{eventually, seconds},
};

const TOPIC: &str = "app/valve";
/// Seconds.
const MAX_SILENCE: u32 = 10;
/// What `keyward-agent` says when a publisher is stale (its exit code).
const STALE: i32 = 3;
const PATIENCE: Duration = Duration::from_secs(90);

/// STM-10, and STM-9: within `max_silence` there is always a newer beacon.
#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_hears_nothing_new_of_the_chain_stops_sealing() -> Result<()> {
    let plan = Plan::new("staleness", &["1111", "1112"], &["app/#"])?;
    let mut network = Network::start(plan).await?;
    let group: GroupId = "valves".parse()?;
    let policy = Policy {
        max_silence: MAX_SILENCE,
        ..Policy::default()
    };
    let members = [
        ("1111".parse()?, Role::Publish),
        ("1112".parse()?, Role::Subscribe),
    ];
    network.form(&group, TOPIC, &policy, &members).await?;
    network.settled(&group).await?;
    let mut reader = network.agent("1112")?.subscribe(&[TOPIC])?;
    reader.ready().await?;
    network
        .agent("1111")?
        .publish(TOPIC, "while it moves")
        .await?;
    reader.reads("while it moves", PATIENCE).await?;

    network.node.process().kill();
    let stopped = Instant::now();
    refuses_as_stale(&network).await?;
    ensure!(
        stopped.elapsed() < seconds(u64::from(MAX_SILENCE) + 20),
        "it went on sealing for {} s",
        stopped.elapsed().as_secs()
    );

    nothing_more_goes_over_the_wire(&network).await?;

    network.node.restart().await?;
    eventually(PATIENCE, "the publisher to seal again", || async {
        let ran = network
            .agent("1111")?
            .try_to_publish(TOPIC, "it moves again", 20)
            .await?;
        ran.success()
    })
    .await?;
    reader.reads("it moves again", PATIENCE).await?;
    Ok(())
}

/// Once stale, neither sealed nor in plaintext.
async fn nothing_more_goes_over_the_wire(network: &Network) -> Result<()> {
    let publisher = network.agent("1111")?;
    publisher.capture.clear();
    for _ in 0..2 {
        let ran = publisher.try_to_publish(TOPIC, "too late", 2).await?;
        ensure!(ran.code == Some(STALE), "it ended with {:?}", ran.code);
    }
    let sent = publisher.capture.on(TOPIC, Direction::Up);
    ensure!(sent.is_empty(), "{} messages were sent", sent.len());
    Ok(())
}

async fn refuses_as_stale(network: &Network) -> Result<()> {
    eventually(PATIENCE, "the publisher to refuse as stale", || async {
        let ran = network
            .agent("1111")?
            .try_to_publish(TOPIC, "while it stands", 5)
            .await?;
        let said = format!("{}{}", ran.stdout, ran.stderr).to_lowercase();
        ensure!(
            ran.code == Some(STALE) && said.contains("stale"),
            "it ended with {:?} and said {said}",
            ran.code
        );
        Ok::<_, anyhow::Error>(())
    })
    .await
}
