//! The operator's command on a real chain: what it changes, what it shows to people and to programs, and how it fails.

use anyhow::{ensure, Context, Result};
use keyward_protocol::{view::Cause, GroupId};
use keyward_tests::{
    network::{Network, Plan},
    process::Ran,
};
use serde_json::Value;

const TOPIC: &str = "app/valve";

struct Scene {
    network: Network,
    group: GroupId,
}

impl Scene {
    async fn set() -> Result<Self> {
        let network = Network::start(Plan::new("operator", &["1111", "1112"], &["app/#"])?).await?;
        let group = "valves".parse()?;
        Ok(Self { network, group })
    }

    /// Runs a command that must succeed; gives what it prints for people.
    async fn says(&self, line: &str) -> Result<String> {
        let args: Vec<&str> = line.split(' ').collect();
        self.network.operator.must(&args).await
    }

    async fn json(&self, line: &str) -> Result<Value> {
        let args: Vec<&str> = line.split(' ').collect();
        self.network.operator.json(&args).await
    }

    /// Runs a command that changes the group, and waits until the broker follows; gives the new epoch.
    async fn changes(&self, line: &str, words: &[&str]) -> Result<u32> {
        let said = self.says(line).await?;
        for word in words {
            ensure!(
                said.contains(word),
                "'{line}' does not say '{word}': {said}"
            );
        }
        self.network.settled(&self.group).await
    }

    async fn last_cause(&self) -> Result<Option<Cause>> {
        let group = self.network.group(&self.group).await?;
        Ok(group.exchanges.last().map(|(_, exchange)| exchange.cause))
    }
}

fn fails(ran: &Ran, code: i32, words: &[&str]) -> Result<()> {
    ensure!(ran.code == Some(code), "it ends with {:?}", ran.code);
    for word in words {
        ensure!(ran.stderr.contains(word), "no '{word}' in: {}", ran.stderr);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_and_changes_who_may_read() -> Result<()> {
    let scene = Scene::set().await?;
    gateways_and_devices_are_shown(&scene).await?;
    a_group_is_made_shown_and_rotated(&scene).await?;
    a_device_is_suspended_reinstated_removed_and_revoked(&scene).await?;
    the_audit_tells_it_all(&scene).await?;
    mistakes_are_refused_with_their_reason(&scene).await
}

async fn gateways_and_devices_are_shown(scene: &Scene) -> Result<()> {
    let gateways = scene.says("gateway list").await?;
    ensure!(
        gateways.contains("gw1") && gateways.contains("active"),
        "{gateways}"
    );
    let devices = scene.json("device list --owner gw1").await?;
    let ids: Vec<_> = devices
        .as_array()
        .context("no list")?
        .iter()
        .filter_map(|device| device["device"].as_str())
        .collect();
    ensure!(
        ids.contains(&"1111") && ids.contains(&"1112") && ids.len() == 2,
        "{ids:?}"
    );
    let device = scene.says("device show 1111").await?;
    ensure!(
        device.contains("demo-ca") && device.contains("gw1"),
        "{device}"
    );
    Ok(())
}

/// KEX-2, KEX-11.
async fn a_group_is_made_shown_and_rotated(scene: &Scene) -> Result<()> {
    scene
        .says(&format!("group create valves --topic {TOPIC}"))
        .await?;
    let add = "group add valves --member 1111:publish --member 1112:subscribe";
    let epoch = scene.changes(add, &["members added", "2 members"]).await?;
    let rotated = scene.changes("group rotate valves", &["rotated"]).await?;
    ensure!(
        rotated == epoch + 1,
        "epoch {rotated} follows epoch {epoch}"
    );
    ensure!(scene.last_cause().await? == Some(Cause::Rotated));
    let list = scene.says("group list").await?;
    ensure!(list.contains("valves") && list.contains(TOPIC), "{list}");
    let shown = scene.json("group show valves").await?;
    ensure!(
        shown["epoch"] == rotated && shown["member_list"].as_array().map(Vec::len) == Some(2),
        "{shown}"
    );
    let shown = scene.says("group show valves").await?;
    ensure!(
        shown.contains("1112") && shown.contains("subscribe"),
        "{shown}"
    );
    Ok(())
}

/// KEX-1, MEM-4.
async fn a_device_is_suspended_reinstated_removed_and_revoked(scene: &Scene) -> Result<()> {
    scene
        .changes("device suspend 1112", &["1112 is suspended"])
        .await?;
    ensure!(scene.last_cause().await? == Some(Cause::Suspended));
    scene
        .changes("device reinstate 1112", &["1112 is active"])
        .await?;
    ensure!(scene.last_cause().await? == Some(Cause::Reinstated));
    scene
        .changes(
            "group remove valves 1112",
            &["members removed", "1 members"],
        )
        .await?;
    ensure!(scene.last_cause().await? == Some(Cause::Removed));
    let said = scene.says("device revoke 1112").await?;
    ensure!(said.contains("1112 is revoked"), "{said}");
    Ok(())
}

/// KEX-10.
async fn the_audit_tells_it_all(scene: &Scene) -> Result<()> {
    scene.network.delivered(&scene.group).await?;
    let audit = scene.json("audit valves").await?;
    let epochs = audit["epochs"].as_array().context("no epochs")?;
    let causes: Vec<_> = epochs
        .iter()
        .filter_map(|epoch| epoch["cause"].as_str())
        .collect();
    for cause in ["created", "rotated", "suspended", "reinstated", "removed"] {
        ensure!(causes.contains(&cause), "no {cause} in {causes:?}");
    }
    let numbers: Vec<_> = epochs
        .iter()
        .filter_map(|epoch| epoch["epoch"].as_u64())
        .collect();
    ensure!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{numbers:?}"
    );
    ensure!(
        audit["conflicts"].as_array().is_some_and(Vec::is_empty),
        "{audit}"
    );
    let said = scene.says("audit valves").await?;
    let (conflicts, epochs) = (said.find("Conflicts: none"), said.find("Epochs"));
    ensure!(conflicts.is_some() && conflicts < epochs, "{said}");
    Ok(())
}

async fn mistakes_are_refused_with_their_reason(scene: &Scene) -> Result<()> {
    let operator = &scene.network.operator;
    let ran = operator.run(&["device", "show", "nobody"]).await?;
    fails(&ran, 1, &["no device nobody", "keyward device list"])?;
    let ran = operator.run(&["audit", "nowhere"]).await?;
    fails(&ran, 1, &["no group nowhere", "keyward group list"])?;
    let ran = operator.run(&["group", "rotate", "nowhere"]).await?;
    fails(&ran, 1, &["Fleet.rotate", "UnknownGroup"])?;
    let ran = operator.run(&["device", "reinstate", "1112"]).await?;
    fails(&ran, 1, &["Fleet.reinstate_device", "DeviceRevoked"])?;
    // An account that nobody admitted.
    let keys = scene.network.place.path("stranger");
    let out = keys.display().to_string();
    operator.must(&["gateway", "init", "--out", &out]).await?;
    let stranger = operator.signing_with(&keys.join("account.key"));
    let ran = stranger.run(&["group", "rotate", "valves"]).await?;
    fails(&ran, 1, &["not admitted"])
}
