//! A running network is upgraded to the runtime that could come next: nobody has to restart anything, and removal goes on.

use anyhow::{ensure, Context, Result};
use keyward_protocol::{policy::Policy, GroupId, Role};
use keyward_tests::{
    network::{Network, Plan},
    operator::Operator,
    place::write_secret,
    wait::{eventually, seconds},
};

const TOPIC: &str = "app/valve";
/// `governance.asRoot(rehearsal.rehearse)`: a call that the runtime before the upgrade does not know.
const REHEARSE: &str = "0300ff00";
/// Longest that anything may take after the upgrade.
const PATIENCE: u64 = 60;

struct Scene {
    network: Network,
    group: GroupId,
    council: Operator,
}

impl Scene {
    async fn set() -> Result<Self> {
        let network =
            Network::start(Plan::new("upgrade", &["1111", "1112", "1113"], &["app/#"])?).await?;
        let group = "valves".parse()?;
        let members = [
            ("1111".parse()?, Role::Publish),
            ("1112".parse()?, Role::Subscribe),
            ("1113".parse()?, Role::Subscribe),
        ];
        network
            .form(&group, TOPIC, &Policy::default(), &members)
            .await?;
        network.settled(&group).await?;
        let key = network.place.path("alice.key");
        write_secret(&key, "//Alice")?;
        let council = Operator::new(&network.place, network.node.url())?.signing_with(&key);
        Ok(Self {
            network,
            group,
            council,
        })
    }

    /// 1111 sends, and this device reads it.
    async fn is_read_by(&self, reader: &str, message: &str) -> Result<()> {
        let mut subscriber = self.network.agent(reader)?.subscribe(&[TOPIC])?;
        subscriber.ready().await?;
        self.network.agent("1111")?.publish(TOPIC, message).await?;
        subscriber.reads(message, seconds(PATIENCE)).await?;
        Ok(())
    }

    async fn spec_version(&self) -> Result<u32> {
        let at = self.network.chain.finalized().await?.hash;
        Ok(self.network.chain.spec_version(at).await?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn network_and_bridge_survive_an_upgrade_that_adds_a_call() -> Result<()> {
    let scene = Scene::set().await?;
    let wasm = scene.network.place.path("next.wasm");
    let code = keyward_next_runtime::WASM
        .context("the next runtime was built without wasm (SKIP_WASM_BUILD)")?;
    std::fs::write(&wasm, code)?;
    let wasm = wasm.display().to_string();

    scene.is_read_by("1112", "before").await?;
    let before = scene.spec_version().await?;
    let unknown = scene
        .council
        .run(&["council", "propose", "call", REHEARSE])
        .await?;
    ensure!(
        unknown.code == Some(1),
        "a call that does not exist is proposed: {unknown:?}"
    );

    scene
        .council
        .must(&["council", "propose", "upgrade", &wasm])
        .await?;
    let said = scene
        .council
        .must(&["council", "apply-upgrade", &wasm])
        .await?;
    ensure!(said.contains(&format!("version {}", before + 1)), "{said}");
    ensure!(
        scene.spec_version().await? == before + 1,
        "the old runtime goes on"
    );

    scene
        .council
        .must(&["council", "propose", "call", REHEARSE])
        .await?;
    removal_goes_on(&scene).await?;
    scene.is_read_by("1112", "after").await
}

/// The bridge follows the upgraded chain without a restart: it publishes the new epoch and submits its delivery.
async fn removal_goes_on(scene: &Scene) -> Result<()> {
    let epoch = scene.network.group(&scene.group).await?.epoch;
    let gateway = &scene.network.operator;
    let group = scene.group.to_string();
    gateway.must(&["group", "remove", &group, "1113"]).await?;
    let settled = scene.network.settled(&scene.group).await?;
    ensure!(settled > epoch, "epoch {settled} after {epoch}");
    let delivered = scene.network.delivered(&scene.group).await?;
    ensure!(
        delivered == settled,
        "epoch {delivered} was delivered, not {settled}"
    );
    eventually(seconds(PATIENCE), "the bridge to be ready", || async {
        let status = scene.network.bridge.command("status").await?;
        ensure!(status.code == Some(0), "{status:?}");
        Ok::<_, anyhow::Error>(())
    })
    .await
}
