//! The broker forgets, and what it holds is overwritten: state decides, so everything comes back.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{ensure, Result};
use keyward_chain_client::Call;
use keyward_protocol::{
    policy::Policy,
    topic::{ControlTopic, PREFIX},
    GroupId, Role,
};
use keyward_tests::{
    mqtt::{Client, Publish},
    network::{Network, Plan},
    rpc,
    wait::eventually,
};

const TOPIC: &str = "app/valve";
const PATIENCE: Duration = Duration::from_secs(90);

/// BRG-5, TOP-5, STM-3: what the broker holds is what finalized state demands.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_loses_or_is_given_instead_comes_back() -> Result<()> {
    let plan = Plan::new("broker-loss", &["1111", "1112", "1113"], &["app/#"])?;
    let mut network = Network::start(plan).await?;
    let group: GroupId = "valves".parse()?;
    let members = [
        ("1111".parse()?, Role::Publish),
        ("1112".parse()?, Role::Subscribe),
        ("1113".parse()?, Role::Subscribe),
    ];
    network
        .form(&group, TOPIC, &Policy::default(), &members)
        .await?;
    network.settled(&group).await?;
    let mut reader = network.agent("1112")?.subscribe(&[TOPIC])?;
    reader.ready().await?;
    network.agent("1111")?.publish(TOPIC, "at first").await?;
    reader.reads("at first", PATIENCE).await?;

    everything_is_lost(&mut network, &group).await?;
    network
        .agent("1111")?
        .publish(TOPIC, "after the loss")
        .await?;
    // The same process, which has lost its connection and its session with the broker's database.
    reader.reads("after the loss", PATIENCE).await?;

    what_is_deleted_comes_back(&network, &group).await?;
    what_is_overwritten_comes_back(&network, &group).await?;
    changes_during_an_outage_are_caught_up(&mut network, &group).await?;
    network.agent("1111")?.publish(TOPIC, "at last").await?;
    reader.reads("at last", PATIENCE).await?;
    operators_are_told(&network).await
}

/// What the bridge says of itself after all that.
async fn operators_are_told(network: &Network) -> Result<()> {
    for page in ["/healthz", "/readyz", "/metrics"] {
        let (status, body) = rpc::get(network.bridge.admin(), page).await?;
        ensure!(status == 200, "{page} answers {status}: {body}");
    }
    let (_, metrics) = rpc::get(network.bridge.admin(), "/metrics").await?;
    ensure!(metrics.contains("keyward_"), "no metrics: {metrics}");
    for command in ["status", "reconcile"] {
        network.bridge.command(command).await?.success()?;
    }
    Ok(())
}

async fn everything_is_lost(network: &mut Network, group: &GroupId) -> Result<()> {
    let connections = network.observer.connections();
    network.broker.lose_everything().await?;
    eventually(PATIENCE, "the observer to be back", || async {
        let now = network.observer.connections();
        (now > connections).then_some(()).ok_or("it is not")
    })
    .await?;
    network.settled(group).await.map(drop)
}

/// What the gateway publishes once and for all: all but beacons.
fn lasting(network: &Network) -> BTreeMap<String, Vec<u8>> {
    let mut held = network.observer.everything();
    held.retain(|topic, _| {
        topic.starts_with("keyward/v1/gateway/")
            && !topic.ends_with("/beacon")
            && !topic.ends_with("/response")
    });
    held
}

async fn replace_all(network: &Network, with: &[u8]) -> Result<BTreeMap<String, Vec<u8>>> {
    let before = lasting(network);
    ensure!(before.len() >= 8, "the broker holds only {before:?}");
    let address = network.broker.omnipotent("vandal");
    let (vandal, _incoming) = Client::connect(&address).await?;
    let seen = network.observer.history().len();
    for topic in before.keys() {
        vandal.publish(topic, with, true).await?;
    }
    eventually(PATIENCE, "the observer to see the damage", || async {
        let history = network.observer.history();
        let damaged = history[seen..]
            .iter()
            .filter(|publish| publish.payload == with);
        match damaged.count() >= before.len() {
            true => Ok(()),
            false => Err("it does not"),
        }
    })
    .await?;
    Ok(before)
}

/// Every topic holds something again; grants are sealed anew, so their bytes may differ.
async fn all_back(network: &Network, before: &BTreeMap<String, Vec<u8>>, not: &[u8]) -> Result<()> {
    eventually(PATIENCE, "everything to be back", || async {
        let now = lasting(network);
        let missing: Vec<_> = before
            .keys()
            .filter(|topic| now.get(*topic).is_none_or(|payload| payload == not))
            .collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(format!("these are not: {missing:?}")),
        }
    })
    .await
}

async fn what_is_deleted_comes_back(network: &Network, group: &GroupId) -> Result<()> {
    let before = replace_all(network, b"").await?;
    all_back(network, &before, b"").await?;
    network.settled(group).await.map(drop)
}

async fn what_is_overwritten_comes_back(network: &Network, group: &GroupId) -> Result<()> {
    let garbage = b"not what the gateway said";
    let before = replace_all(network, garbage).await?;
    all_back(network, &before, garbage).await?;
    what_nobody_demands_is_cleared(network, group).await?;
    network.settled(group).await.map(drop)
}

/// A grant for a device that there is not.
async fn what_nobody_demands_is_cleared(network: &Network, group: &GroupId) -> Result<()> {
    let gateway = network.gateway.name.clone();
    let topic = ControlTopic::Grant(gateway, "nobody".parse()?, group.clone());
    let address = network.broker.omnipotent("vandal");
    let (vandal, _incoming) = Client::connect(&address).await?;
    vandal
        .publish(&topic.to_topic(PREFIX), b"for nobody", true)
        .await?;
    eventually(PATIENCE, "the grant for nobody to be cleared", || async {
        let put = |publish: &Publish| publish.topic == topic.to_topic(PREFIX);
        let seen = network.observer.history().iter().filter(|p| put(p)).count();
        match (seen, network.observer.held(&topic)) {
            (1.., None) => Ok(()),
            (0, _) => Err("the observer has not seen it"),
            _ => Err("it is not"),
        }
    })
    .await
}

async fn changes_during_an_outage_are_caught_up(
    network: &mut Network,
    group: &GroupId,
) -> Result<()> {
    network.bridge.kill();
    network
        .submit(Call::remove_members(group, &["1113".parse()?]))
        .await?;
    network.bridge.restart().await?;
    network.settled(group).await.map(drop)
}
