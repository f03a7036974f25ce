//! The broker is hostile: what it replays, changes, moves or invents is refused, each with its own reason.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
use keyward_crypto::{message::GroupKey, sign::sign_message, SigningKey};
use keyward_protocol::{
    grant::{EpochSecret, Grant, GrantedEpoch},
    message::Stream,
    policy::Policy,
    statement::GroupState,
    topic::{ControlTopic, PREFIX},
    GroupId, Role,
};
use keyward_tests::{
    agent::Subscriber,
    capture::Direction,
    device::Device,
    mqtt::Client,
    network::{Network, Plan},
    wait::eventually,
};
use rand_core::OsRng;

const TOPIC: &str = "app/valve";
const OTHER: &str = "app/other";
const PATIENCE: Duration = Duration::from_secs(90);

/// A group of 1111, who sends, of 1112, who reads, and of 9001, a reader whose keys the test holds; its filter is `app/#`.
struct Scene {
    network: Network,
    group: GroupId,
    insider: Device,
    broker: Client,
    reader: Subscriber,
}

impl Scene {
    async fn set() -> Result<Self> {
        let plan = Plan::new("hostile", &["1111", "1112"], &["app/#"])?;
        let network = Network::start(plan).await?;
        let mut insider = Device::new("9001")?;
        insider.enrol(&network).await?;
        let group: GroupId = "valves".parse()?;
        let members = [
            ("1111".parse()?, Role::Publish),
            ("1112".parse()?, Role::Subscribe),
            (insider.id.clone(), Role::Subscribe),
        ];
        network
            .form(&group, "app/#", &Policy::default(), &members)
            .await?;
        network.settled(&group).await?;
        let address = network.broker.omnipotent("hostile");
        let (broker, _incoming) = Client::connect(&address).await?;
        let mut reader = network.agent("1112")?.subscribe(&["app/#"])?;
        reader.ready().await?;
        Ok(Self {
            network,
            group,
            insider,
            broker,
            reader,
        })
    }

    /// 1111 sends; gives the payload that went over the wire.
    async fn send(&self, message: &str) -> Result<Vec<u8>> {
        let sender = self.network.agent("1111")?;
        sender.publish(TOPIC, message).await?;
        let sent = sender.capture.on(TOPIC, Direction::Up).pop();
        Ok(sent.context("nothing was sent")?.payload)
    }

    /// The broker delivers something; the reader must refuse it for this reason.
    async fn refuses(&self, topic: &str, payload: &[u8], reason: &str) -> Result<()> {
        let before = self.reader.events().len();
        self.broker.publish(topic, payload, false).await?;
        let refused = self.reader.refuses(before, reason, PATIENCE).await?;
        ensure!(refused.topic == topic, "refused {refused:?}");
        Ok(())
    }

    /// A genuine message of 1111 that the broker did not deliver to the reader.
    async fn withheld(&self, message: &str) -> Result<Vec<u8>> {
        let capture = &self.network.agent("1112")?.capture;
        capture.withhold(true);
        capture.clear();
        let sealed = self.send(message).await?;
        eventually(PATIENCE, "the message to be withheld", || async {
            let kept = capture.on(TOPIC, Direction::Down);
            let here = kept.iter().any(|packet| packet.payload == sealed);
            here.then_some(()).ok_or("it has not come")
        })
        .await?;
        capture.withhold(false);
        Ok(sealed)
    }

    /// A message that the insider sealed, signed and numbered as it liked.
    async fn sealed_by_insider(&self, index: u32) -> Result<Vec<u8>> {
        let (epoch, secret) = self.members_secret().await?;
        let key = GroupKey::new(&self.network.genesis(), &self.group, epoch, &secret);
        let key = key.message_key(index, 1_000, Stream::Live);
        Ok(key.seal(7, TOPIC, None, b"forged", Some(&self.insider.signing))?)
    }

    /// The current epoch and its secret, as every member holds it.
    async fn members_secret(&self) -> Result<(u32, EpochSecret)> {
        let gateway = &self.network.gateway.name;
        let sealed = self
            .network
            .observer
            .grant(gateway, &self.insider.id, &self.group);
        let secrets = self
            .insider
            .secrets(&self.group, &sealed.context("no grant")?)?;
        secrets.into_iter().next_back().context("an empty grant")
    }

    async fn index_of(&self, device: &str) -> Result<u32> {
        let members = self.network.members(&self.group).await?;
        let member = members
            .iter()
            .find(|member| member.device.as_str() == device);
        Ok(member.context("no such member")?.index)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_broker_is_refused_with_a_reason_each_time() -> Result<()> {
    let mut scene = Scene::set().await?;
    let sent = scene.send("genuine").await?;
    scene.reader.reads("genuine", PATIENCE).await?;

    // Replayed (MSG-10).
    scene.refuses(TOPIC, &sent, "Replayed").await?;
    changed_and_moved_messages_are_refused(&scene).await?;
    // What a device that knows nothing of Keyward would send (MSG-16).
    scene
        .refuses(TOPIC, br#"{"valve":"open"}"#, "Plaintext")
        .await?;
    insiders_cannot_pretend(&scene).await?;

    scene.send("still genuine").await?;
    scene.reader.reads("still genuine", PATIENCE).await?;
    forged_statements_and_grants_change_nothing(&mut scene).await?;
    // The reader has started anew since it read this: what it read is durable (MSG-11).
    scene.refuses(TOPIC, &sent, "Replayed").await
}

/// Changed in one bit of content, tag or signature (MSG-3, MSG-6), or moved to another topic of the group (MSG-5). The unchanged message, which
/// nobody had received before, is read after all: what is refused uses nothing up (MSG-11).
async fn changed_and_moved_messages_are_refused(scene: &Scene) -> Result<()> {
    let sealed = scene.withheld("delivered late").await?;
    let signature = sealed.len() - 64;
    for (at, reason) in [
        (signature - 17, "Tampered"),
        (signature - 1, "Tampered"),
        (signature, "Signature"),
    ] {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        scene.refuses(TOPIC, &changed, reason).await?;
    }
    scene.refuses(OTHER, &sealed, "Moved").await?;
    scene.broker.publish(TOPIC, &sealed, false).await?;
    scene
        .reader
        .reads("delivered late", PATIENCE)
        .await
        .map(drop)
}

/// A member that may not send (MSG-7), and one that pretends to be another (MSG-6).
async fn insiders_cannot_pretend(scene: &Scene) -> Result<()> {
    let own = scene.index_of(scene.insider.id.as_str()).await?;
    let own = scene.sealed_by_insider(own).await?;
    scene.refuses(TOPIC, &own, "NotPublisher").await?;
    let other = scene.index_of("1111").await?;
    let other = scene.sealed_by_insider(other).await?;
    scene.refuses(TOPIC, &other, "Signature").await
}

/// Somebody who can write everywhere puts statements of its own, a grant of its own and an old statement in the place of the
/// gateway's, while the gateway is away and cannot put them right (STM-12, STM-2, TOP-5).
async fn forged_statements_and_grants_change_nothing(scene: &mut Scene) -> Result<()> {
    let bridge = scene.network.bridge.process().context("no bridge")?;
    bridge.freeze();
    forge_statements(scene).await?;
    forge_grant(scene).await?;
    // Publisher and reader start anew and find nothing but forgeries.
    scene.reader = scene.network.agent("1112")?.subscribe(&["app/#"])?;
    scene.reader.ready().await?;
    scene.send("in spite of forgeries").await?;
    scene
        .reader
        .reads("in spite of forgeries", PATIENCE)
        .await?;
    let bridge = scene.network.bridge.process().context("no bridge")?;
    bridge.thaw();
    scene.network.settled(&scene.group).await.map(drop)
}

async fn forge_statements(scene: &Scene) -> Result<()> {
    let (network, gateway) = (&scene.network, &scene.network.gateway.name);
    let key = SigningKey::generate(&mut OsRng);
    let mut group = network
        .observer
        .group(gateway, &scene.group)
        .context("no statement of the group")?;
    group.revision += 1_000;
    group.state = GroupState::Closed;
    let topic = ControlTopic::GroupState(gateway.clone(), scene.group.clone());
    let forged = sign_message(network.genesis(), group, &key)?.to_wire();
    scene
        .broker
        .publish(&topic.to_topic(PREFIX), &forged, true)
        .await?;
    for id in ["1111", "1112"] {
        let device = id.parse()?;
        let mut statement = network
            .observer
            .device(gateway, &device)
            .context("no statement of the device")?;
        statement.revision += 1_000;
        statement.groups = Default::default();
        let forged = sign_message(network.genesis(), statement, &key)?.to_wire();
        let topic = ControlTopic::DeviceState(gateway.clone(), device);
        scene
            .broker
            .publish(&topic.to_topic(PREFIX), &forged, true)
            .await?;
    }
    Ok(())
}

/// A sealed box that the device can open (KEY-4), with a secret that nobody committed to (KEY-5).
async fn forge_grant(scene: &Scene) -> Result<()> {
    let members = scene.network.members(&scene.group).await?;
    let epoch = scene.network.group(&scene.group).await?.epoch;
    for member in members
        .iter()
        .filter(|member| member.device != scene.insider.id)
    {
        let granted = GrantedEpoch {
            epoch,
            secret: EpochSecret::new([0x66; 32]),
        };
        let grant = Grant {
            group: scene.group.clone(),
            device: member.device.clone(),
            key_version: member.key_version,
            epochs: vec![granted]
                .try_into()
                .map_err(|_| anyhow::anyhow!("one epoch"))?,
            extensions: Default::default(),
        };
        let sealed = keyward_crypto::grant::seal(&grant, &member.agreement_key, &mut OsRng)?;
        let gateway = scene.network.gateway.name.clone();
        let topic = ControlTopic::Grant(gateway, member.device.clone(), scene.group.clone());
        scene
            .broker
            .publish(&topic.to_topic(PREFIX), &sealed, true)
            .await?;
    }
    Ok(())
}
