//! Who is no member reads nothing: removed, never admitted, or not yet admitted.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
use keyward_chain_client::Call;
use keyward_protocol::{
    grant::EpochSecret, policy::Policy, topic::ControlTopic, topic::PREFIX, DeviceId, GroupId, Role,
};
use keyward_tests::{
    capture::{Captured, Direction},
    device::{open_with_any, Device},
    network::{Network, Plan},
};

const TOPIC: &str = "app/valve";
const PATIENCE: Duration = Duration::from_secs(90);

/// A group of 1111, who sends, of 1112 and 1113, and of 9001, whose keys the test holds. 1114 never is a member.
struct Scene {
    network: Network,
    group: GroupId,
    removed: Device,
}

impl Scene {
    async fn set() -> Result<Self> {
        let plan = Plan::new("removal", &["1111", "1112", "1113", "1114"], &["app/#"])?;
        let network = Network::start(plan).await?;
        let mut removed = Device::new("9001")?;
        removed.enrol(&network).await?;
        let group: GroupId = "valves".parse()?;
        let members = [
            ("1111".parse()?, Role::Publish),
            ("1112".parse()?, Role::Subscribe),
            ("1113".parse()?, Role::Subscribe),
            (removed.id.clone(), Role::Subscribe),
        ];
        network
            .form(&group, TOPIC, &Policy::default(), &members)
            .await?;
        network.settled(&group).await?;
        Ok(Self {
            network,
            group,
            removed,
        })
    }

    /// 1111 sends; gives what went over the wire.
    async fn send(&self, message: &str) -> Result<Captured> {
        let sender = self.network.agent("1111")?;
        sender.publish(TOPIC, message).await?;
        let sent = sender.capture.on(TOPIC, Direction::Up).pop();
        sent.context("nothing was sent")
    }

    /// Everything that a device could ever learn from the broker: the secrets of all grants ever published to it.
    fn secrets_of(&self, device: &Device) -> Result<Vec<(u32, EpochSecret)>> {
        let gateway = self.network.gateway.name.clone();
        let topic = ControlTopic::Grant(gateway, device.id.clone(), self.group.clone());
        let topic = topic.to_topic(PREFIX);
        let mut secrets = Vec::new();
        for publish in self.network.observer.history() {
            if publish.topic == topic && !publish.payload.is_empty() {
                secrets.extend(device.secrets(&self.group, &publish.payload)?);
            }
        }
        Ok(secrets)
    }

    async fn opens(&self, sent: &Captured, device: &Device) -> Result<Option<Vec<u8>>> {
        let members = self.network.members(&self.group).await?;
        let sender = members
            .iter()
            .find(|member| member.device.as_str() == "1111")
            .context("1111 is no member")?;
        let secrets = self.secrets_of(device)?;
        open_with_any(
            &self.network.genesis(),
            &self.group,
            sent,
            &sender.signing_key,
            &secrets,
        )
    }
}

/// KEX-1, MEM-3, MEM-2: a removal advances the epoch in its block, and nobody gets an epoch of its absence.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_removed_or_never_admitted_or_joined_later_reads_nothing() -> Result<()> {
    let scene = Scene::set().await?;
    let before = a_member_reads(&scene).await?;
    let copy = scene.network.agent("1112")?.back_up("store-of-a-member")?;

    let removed: [DeviceId; 2] = ["1112".parse()?, scene.removed.id.clone()];
    scene
        .network
        .submit(Call::remove_members(&scene.group, &removed))
        .await?;
    scene.network.settled(&scene.group).await?;
    scene.network.agent("1112")?.restore(&copy)?;

    neither_removed_nor_stranger_reads(&scene).await?;
    who_joins_reads_nothing_from_before(&scene, &before).await
}

/// The control of what follows: while they are members, both read.
async fn a_member_reads(scene: &Scene) -> Result<Captured> {
    let mut subscriber = scene.network.agent("1112")?.subscribe(&[TOPIC])?;
    subscriber.ready().await?;
    let sent = scene.send("before the removal").await?;
    subscriber.reads("before the removal", PATIENCE).await?;
    let opened = scene.opens(&sent, &scene.removed).await?;
    ensure!(
        opened.as_deref() == Some(b"before the removal"),
        "9001's secrets open {opened:?}"
    );
    Ok(sent)
}

/// KEY-7: the removed member has every grant that it ever got, and its whole store.
async fn neither_removed_nor_stranger_reads(scene: &Scene) -> Result<()> {
    let mut subscribers = Vec::new();
    for id in ["1112", "1113", "1114"] {
        let agent = scene.network.agent(id)?;
        agent.capture.clear();
        subscribers.push(agent.subscribe(&[TOPIC])?);
    }
    for subscriber in &mut subscribers {
        subscriber.ready().await?;
    }
    let sent = scene.send("after the removal").await?;
    let [removed, member, stranger] = &subscribers[..] else {
        anyhow::bail!("three subscribers");
    };
    member.reads("after the removal", PATIENCE).await?;
    removed.refuses(0, "NotMember", PATIENCE).await?;
    stranger.refuses(0, "NotMember", PATIENCE).await?;
    for subscriber in [removed, stranger] {
        let id = subscriber.device.as_str();
        let delivered = scene.network.agent(id)?.capture.on(TOPIC, Direction::Down);
        ensure!(
            delivered
                .iter()
                .any(|packet| packet.payload == sent.payload),
            "{id} was not even sent the packet"
        );
        let events = subscriber.events();
        ensure!(
            !events.iter().any(|event| event.is_message()),
            "{id} read {events:?}"
        );
    }
    let opened = scene.opens(&sent, &scene.removed).await?;
    ensure!(
        opened.is_none(),
        "the removed 9001 opens '{}'",
        String::from_utf8_lossy(&opened.unwrap_or_default())
    );
    Ok(())
}

/// MEM-3.
async fn who_joins_reads_nothing_from_before(scene: &Scene, before: &Captured) -> Result<()> {
    let mut newcomer = Device::new("9002")?;
    newcomer.enrol(&scene.network).await?;
    let member = [(newcomer.id.clone(), Role::Subscribe)];
    scene
        .network
        .submit(Call::add_members(&scene.group, &member))
        .await?;
    scene.network.settled(&scene.group).await?;
    let sent = scene.send("after the join").await?;
    let opened = scene.opens(&sent, &newcomer).await?;
    ensure!(
        opened.as_deref() == Some(b"after the join"),
        "the newcomer's secrets open {opened:?}"
    );
    let earlier = scene.opens(before, &newcomer).await?;
    ensure!(
        earlier.is_none(),
        "the newcomer opens what was sent before it joined"
    );
    Ok(())
}
