//! The paper's experiment, from its scenario file.

use anyhow::{ensure, Result};
use keyward_protocol::view::Cause;
use keyward_tests::{
    network::{silently, Network, Plan},
    play::{Outcome, Play},
    scenario::{Scenario, Step, PAPER},
};

/// Most bytes that protection may add to a signed message (DESIGN section 5.1).
const BUDGET: usize = 89;

#[tokio::test(flavor = "multi_thread")]
async fn in_the_paper_s_experiment_every_device_reads_what_it_must_and_nothing_else() -> Result<()>
{
    let scenario = Scenario::parse(PAPER)?;
    let plan = Plan {
        name: "paper",
        devices: scenario.devices.clone(),
        topics: scenario.topics(),
    };
    let network = Network::start(plan).await?;
    let mut play = Play::new(&network, &scenario);
    for step in &scenario.steps {
        let outcome = play.step(step, &silently).await?;
        check(step, &outcome)?;
    }
    the_chain_tells_why_each_epoch_began(&network, &scenario).await
}

fn check(step: &Step, outcome: &Outcome) -> Result<()> {
    ensure!(
        outcome.readings.len() == step.reads.len() + step.cannot_read.len(),
        "step '{}': not every subscriber was judged: {:?}",
        step.name,
        outcome.readings
    );
    for reading in &outcome.readings {
        ensure!(
            reading.is_as_expected(),
            "step '{}': {reading:?}",
            step.name
        );
    }
    ensure!(
        (1..=BUDGET).contains(&outcome.bytes_added),
        "step '{}': {} bytes added",
        step.name,
        outcome.bytes_added
    );
    nothing_readable_was_sent(step, outcome)
}

/// No eight bytes of the message stand anywhere in the packet that was really sent.
fn nothing_readable_was_sent(step: &Step, outcome: &Outcome) -> Result<()> {
    let packet = &outcome.sent.packet;
    for piece in step.send.payload.as_bytes().windows(8) {
        ensure!(
            !packet.windows(8).any(|window| window == piece),
            "step '{}': '{}' stands in the packet",
            step.name,
            String::from_utf8_lossy(piece)
        );
    }
    Ok(())
}

/// Figure 11 (KEX-1, KEX-8, BRG-6): the key exchanges are on the chain, with their cause, their delivery and the devices' own receipts.
async fn the_chain_tells_why_each_epoch_began(
    network: &Network,
    scenario: &Scenario,
) -> Result<()> {
    let group = "hsu0001".parse()?;
    network.delivered(&group).await?;
    let reader = &scenario.devices[2];
    network.acknowledged(&group, &[reader]).await?;
    let view = network.group(&group).await?;
    let last = view.exchanges.last().map(|(_, exchange)| exchange.cause);
    ensure!(
        last == Some(Cause::Removed),
        "the last epoch began because of {last:?}"
    );
    let joined = view
        .exchanges
        .iter()
        .any(|(_, exchange)| exchange.cause == Cause::Joined);
    ensure!(joined, "no epoch began because a member joined");
    let audit = network.operator.must(&["audit", "hsu0001"]).await?;
    ensure!(
        audit.contains(reader.as_str()),
        "the audit does not name {reader}:\n{audit}"
    );
    Ok(())
}
