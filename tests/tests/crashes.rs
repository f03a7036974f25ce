//! The bridge is killed at the worst moments, and everything is right after its restart: no epoch lost, none repeated, no
//! member without a key that it should have.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
use keyward_chain_client::Call;
use keyward_crypto::epoch;
use keyward_protocol::{policy::Policy, GroupId, Role};
use keyward_tests::{
    device::Device,
    network::{Network, Plan},
    wait::{eventually, seconds},
};

const TOPIC: &str = "app/valve";
const PATIENCE: Duration = Duration::from_secs(90);
/// How often each moment is tried.
const ROUNDS: usize = 2;

/// A group of 1111, who sends, of 1112, and of 9001, whose keys the test holds.
struct Scene {
    network: Network,
    group: GroupId,
    witness: Device,
}

impl Scene {
    async fn set() -> Result<Self> {
        let plan = Plan::new("crashes", &["1111", "1112"], &["app/#"])?;
        let network = Network::start(plan).await?;
        let mut witness = Device::new("9001")?;
        witness.enrol(&network).await?;
        let group: GroupId = "valves".parse()?;
        let members = [
            ("1111".parse()?, Role::Publish),
            ("1112".parse()?, Role::Subscribe),
            (witness.id.clone(), Role::Subscribe),
        ];
        network
            .form(&group, TOPIC, &Policy::default(), &members)
            .await?;
        network.settled(&group).await?;
        Ok(Self {
            network,
            group,
            witness,
        })
    }

    /// Starts a new epoch; the chain has finalized it.
    async fn rotate(&self) -> Result<u32> {
        self.network.submit(Call::rotate(&self.group)).await?;
        Ok(self.network.group(&self.group).await?.epoch)
    }

    /// The epoch that the broker's statement of the group says.
    fn stated(&self) -> Option<u32> {
        let stated = self
            .network
            .observer
            .group(&self.network.gateway.name, &self.group);
        stated.map(|statement| statement.epoch)
    }

    /// Everything is right: published, recorded once, and the secret that members got is the one committed to.
    async fn is_right(&self) -> Result<()> {
        self.network.settled(&self.group).await?;
        self.network.delivered(&self.group).await?;
        eventually(PATIENCE, "9001's grant to open the commitment", || async {
            self.witness_holds_the_epoch().await
        })
        .await?;
        let exchanges = self.network.group(&self.group).await?.exchanges;
        let epochs: Vec<u32> = exchanges.iter().map(|(epoch, _)| *epoch).collect();
        let consecutive = epochs.windows(2).all(|pair| pair[1] == pair[0] + 1);
        ensure!(consecutive, "epochs were lost or repeated: {epochs:?}");
        Ok(())
    }

    async fn witness_holds_the_epoch(&self) -> Result<()> {
        let group = self.network.group(&self.group).await?;
        let (_, exchange) = group.exchanges.last().context("no key exchange")?;
        let (commitment, custodian) = exchange.committed.context("no commitment")?;
        let gateway = &self.network.gateway.name;
        let sealed = self
            .network
            .observer
            .grant(gateway, &self.witness.id, &self.group)
            .context("no grant")?;
        let secrets = self.witness.secrets(&self.group, &sealed)?;
        let secret = secrets.iter().find(|(epoch, _)| *epoch == group.epoch);
        let (_, secret) = secret.context("the grant lacks the current epoch")?;
        let opens = epoch::opens(
            &commitment,
            &self.network.genesis(),
            &self.group,
            group.epoch,
            &custodian,
            secret,
        );
        ensure!(
            opens,
            "the secret of epoch {} is not the one committed to",
            group.epoch
        );
        Ok(())
    }

    /// Members still understand each other.
    async fn members_read(&self, message: &str) -> Result<()> {
        let mut reader = self.network.agent("1112")?.subscribe(&[TOPIC])?;
        reader.ready().await?;
        self.network.agent("1111")?.publish(TOPIC, message).await?;
        reader.reads(message, PATIENCE).await?;
        Ok(())
    }
}

/// BRG-1, KEY-3, KEX-2: what was committed to can be opened, and no epoch is lost or repeated.
#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_killed_around_an_epoch_change_loses_and_repeats_nothing() -> Result<()> {
    let mut scene = Scene::set().await?;
    for round in 0..ROUNDS {
        killed_between_committing_and_publishing(&mut scene).await?;
        killed_while_publishing(&mut scene).await?;
        killed_between_publishing_and_recording(&mut scene).await?;
        scene.members_read(&format!("after round {round}")).await?;
    }
    killed_while_staging(&mut scene).await?;
    scene.members_read("after all").await
}

/// The chain has the new epoch finalized, the bridge has published nothing of it (BRG-2).
async fn killed_between_committing_and_publishing(scene: &mut Scene) -> Result<()> {
    let bridge = scene.network.bridge.process().context("no bridge")?;
    bridge.freeze();
    let epoch = scene.rotate().await?;
    ensure!(
        scene.stated() < Some(epoch),
        "the frozen bridge published epoch {epoch}"
    );
    scene.network.bridge.kill();
    scene.network.bridge.launch()?;
    scene.is_right().await
}

/// The first packet of the new epoch has reached the broker.
async fn killed_while_publishing(scene: &mut Scene) -> Result<()> {
    let seen = scene.network.observer.history().len();
    let gateway = format!("keyward/v1/gateway/{}/gr", scene.network.gateway.name);
    scene.network.submit(Call::rotate(&scene.group)).await?;
    eventually(PATIENCE, "the first packet of the new epoch", || async {
        let history = scene.network.observer.history();
        let news = &history[seen..];
        let first = news.iter().find(|publish| {
            publish.topic.starts_with(&gateway) && !publish.topic.ends_with("/beacon")
        });
        first.map(drop).context("nothing is published")
    })
    .await?;
    scene.network.bridge.kill();
    scene.network.bridge.launch()?;
    scene.is_right().await
}

/// The broker holds the new epoch, the chain does not know it yet (BRG-3, KEX-6).
async fn killed_between_publishing_and_recording(scene: &mut Scene) -> Result<()> {
    let epoch = scene.rotate().await?;
    eventually(PATIENCE, "the statement of the new epoch", || async {
        let stated = scene.stated();
        (stated == Some(epoch))
            .then_some(())
            .with_context(|| format!("the broker holds epoch {stated:?}, not {epoch}"))
    })
    .await?;
    scene.network.bridge.kill();
    let exchanges = scene.network.group(&scene.group).await?.exchanges;
    let recorded = exchanges
        .last()
        .is_some_and(|(_, exchange)| exchange.delivery.is_some());
    ensure!(!recorded, "the delivery was recorded before the kill");
    scene.network.bridge.launch()?;
    scene.is_right().await
}

/// The bridge is on its way to commit to later epochs (KEX-3): what it staged it must be able to open, or take back (BRG-4).
async fn killed_while_staging(scene: &mut Scene) -> Result<()> {
    for _ in 0..3 {
        scene.network.submit(Call::rotate(&scene.group)).await?;
        scene.network.bridge.kill();
        scene.network.bridge.launch()?;
    }
    scene.is_right().await?;
    // Later epochs are those that were staged: use up some of them.
    for _ in 0..3 {
        scene.rotate().await?;
        eventually(seconds(90), "the epoch to be right", || async {
            scene.network.settled(&scene.group).await
        })
        .await?;
        scene.witness_holds_the_epoch().await?;
    }
    scene.is_right().await
}
