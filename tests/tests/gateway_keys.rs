//! A gateway gets other keys, as docs/operations.md says: its devices follow the new statement key by a certificate of the former
//! one, or of their authority, and by nothing else (STM-11).

use std::{path::Path, time::Duration};

use anyhow::{ensure, Context, Result};
use keyward_protocol::{policy::Policy, GroupId, Role};
use keyward_tests::{
    agent::Subscriber,
    network::{Network, Plan},
};

const TOPIC: &str = "app/valve";
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn devices_follow_the_keys_that_their_gateway_gets() -> Result<()> {
    let plan = Plan::new("gateway-keys", &["1111", "1112", "1113"], &["app/#"])?;
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
    passes(&network, &reader, "with the first keys").await?;

    certified_by_the_former_key(&mut network).await?;
    network.settled(&group).await?;
    passes(&network, &reader, "with the second keys").await?;

    certified_by_the_authority(&mut network).await?;
    network.settled(&group).await?;
    passes(&network, &reader, "with the third keys").await?;

    // Off all the time, and provisioned with the first key.
    let mut late = network.agent("1113")?.subscribe(&[TOPIC])?;
    late.ready().await?;
    passes(&network, &late, "to one that was off").await?;
    // Provisioned with the third key: the certificate tells it nothing new.
    network.enrol(&["1114".parse()?]).await
}

async fn passes(network: &Network, reader: &Subscriber, message: &str) -> Result<()> {
    network.agent("1111")?.publish(TOPIC, message).await?;
    reader.reads(message, PATIENCE).await.map(drop)
}

/// The keys were not stolen: the present statement key tells the devices the next one.
async fn certified_by_the_former_key(network: &mut Network) -> Result<()> {
    let (keys, out) = (
        network.gateway.keys.clone(),
        network.place.path("gateway-2"),
    );
    let (keys, shown) = (keys.display().to_string(), out.display().to_string());
    let replace = ["gateway", "replace-keys", "--keys", &keys, "--out", &shown];
    let said = network.operator.json(&replace).await?;
    // Run again it has nothing left to do, and says the same.
    let again = network.operator.json(&replace).await?;
    ensure!(
        said["statement_key"] == again["statement_key"]
            && said["certificate"] == again["certificate"],
        "first it said {said}, then {again}"
    );
    start_with(network, &out, &out.join("anchor.json")).await
}

/// The statement key is lost, or somebody else has it.
async fn certified_by_the_authority(network: &mut Network) -> Result<()> {
    let (out, anchor) = (
        network.place.path("gateway-3"),
        network.place.path("anchor.json"),
    );
    let (ca, keys, certificate) = (
        network.authority.display().to_string(),
        out.display().to_string(),
        anchor.display().to_string(),
    );
    let operator = &network.operator;
    operator
        .must(&["gateway", "replace-keys", "--out", &keys])
        .await?;
    let certify = ["ca", "certify-gateway", "--ca", &ca, "--gateway", "gw1"];
    let certify = [&certify[..], &["--out", &certificate]].concat();
    operator.must(&certify).await?;
    start_with(network, &out, &anchor).await
}

/// Names other keys and a certificate in the bridge's configuration, and starts it with them.
async fn start_with(network: &mut Network, keys: &Path, anchor: &Path) -> Result<()> {
    let path = network.bridge.config();
    let before = std::fs::read_to_string(path).context("the bridge's configuration")?;
    let mut config = String::new();
    for line in before.lines() {
        let key = line.split_once(" = ").map_or("", |(key, _)| key);
        match key {
            "statement_key_file" => {
                let file = keys.join("statement.key");
                config += &format!("{key} = {file:?}\nanchor_file = {anchor:?}\n");
            }
            "custody_key_file" => config += &format!("{key} = {:?}\n", keys.join("custody.key")),
            "anchor_file" => {}
            _ => config += &format!("{line}\n"),
        }
    }
    std::fs::write(path, config)?;
    network.bridge.restart().await
}
