//! What the suites share: a network with the hostile broker in it, and a publisher in the test's own hands.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::{ensure, Context, Result};
use keyward_chain_client::Call;
use keyward_crypto::{
    message::{GroupKey, MessageKey},
    SigningKey,
};
use keyward_protocol::{
    grant::EpochSecret,
    message::{Message, Stream},
    policy::Policy,
    topic::{Filters, TopicFilter},
    DeviceId, GroupId, Role,
};
use keyward_tests::{
    agent::{Event, Subscriber},
    capture::Direction,
    device::{read_seed, Device},
    hostile::{notices, Hostile},
    mqtt::Client,
    network::Network,
    wait::eventually,
};

/// How long anything may take to heal.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// Begins every topic of a gateway.
pub const GATEWAYS: &str = "keyward/v1/gateway/";

/// A group that is to be made: its name, its one filter, its policy, its members.
pub type Formed<'a> = (&'a str, &'a str, Policy, &'a [(&'a str, Role)]);

/// Makes groups in one transaction, and waits until the broker holds what the chain says of them.
pub async fn form(network: &Network, groups: &[Formed<'_>]) -> Result<Vec<GroupId>> {
    let mut calls = Vec::new();
    let mut ids = Vec::new();
    for (name, filter, policy, members) in groups {
        let id: GroupId = name.parse()?;
        let filters = Filters::new([TopicFilter::new(filter)?]).context("one filter")?;
        calls.push(Call::create_group(
            &id,
            &filters,
            policy,
            &[network.gateway.account],
        ));
        let members = members
            .iter()
            .map(|(device, role)| Ok((device.parse::<DeviceId>()?, *role)));
        let members: Vec<_> = members.collect::<Result<_>>()?;
        calls.push(Call::add_members(&id, &members));
        ids.push(id);
    }
    network.submit(Call::batch_all(calls)).await?;
    for id in &ids {
        eventually(PATIENCE, "the group's first epoch", || async {
            let state = network.group(id).await?.state;
            ensure!(
                state == keyward_protocol::statement::GroupState::Active,
                "{id} is {state:?}"
            );
            Ok::<_, anyhow::Error>(())
        })
        .await?;
    }
    Ok(ids)
}

/// The gateway's statement key: with it a test plays a custodian that helps the broker.
pub fn statement_key(network: &Network) -> Result<SigningKey> {
    let seed = read_seed(&network.gateway.keys.join("statement.key"))?;
    Ok(SigningKey::from_seed(&seed))
}

/// What a subscriber said of messages since a moment.
pub fn since(reader: &Subscriber, before: usize) -> Vec<Event> {
    reader.events().split_off(before)
}

/// How often a subscriber delivered a message with this payload.
pub fn times_read(reader: &Subscriber, payload: &str) -> usize {
    let events = reader.events();
    let read = |event: &&Event| event.payload.as_deref() == Some(payload);
    events.iter().filter(read).count()
}

/// Waits until a subscriber has read all of these, and says whether each was delivered once.
pub async fn each_is_read_once(reader: &Subscriber, payloads: &[String]) -> Result<()> {
    for payload in payloads {
        reader.reads(payload, PATIENCE).await?;
    }
    for payload in payloads {
        let times = times_read(reader, payload);
        ensure!(times == 1, "'{payload}' was delivered {times} times");
    }
    Ok(())
}

/// Waits until a device's newest subscriber has said something of this kind with this text in it, after the first `skip`
/// notices, so many times.
pub async fn notes(
    network: &Network,
    device: &str,
    skip: usize,
    (kind, text): (&str, &str),
    times: usize,
) -> Result<()> {
    let what = format!("{device} to say {kind}, '{text}', {times} times");
    eventually(PATIENCE, &what, || async {
        let said = notices(network.agent(device)?)?;
        let said = said.get(skip..).unwrap_or_default();
        let fits = said
            .iter()
            .filter(|notice| notice.kind == kind && notice.text.contains(text));
        let found = fits.count();
        ensure!(found >= times, "it said so {found} times of {said:?}");
        Ok::<_, anyhow::Error>(())
    })
    .await
}

/// How many notices a device's newest subscriber has given.
pub fn noted(network: &Network, device: &str) -> Result<usize> {
    Ok(notices(network.agent(device)?)?.len())
}

/// Waits until the double has seen this payload on its way to a device.
pub async fn has_passed(double: &Hostile, client: &str, topic: &str, payload: &[u8]) -> Result<()> {
    eventually(PATIENCE, "the message on its way", || async {
        let seen = double.seen(client, Direction::Down, topic);
        let here = seen.iter().any(|passing| passing.payload == payload);
        here.then_some(()).ok_or("it has not come")
    })
    .await
}

/// The epochs of the messages that a device has sent on a topic.
pub fn epochs_sent(double: &Hostile, client: &str, topic: &str) -> Vec<u32> {
    let sent = double.seen(client, Direction::Up, topic);
    let sealed = sent
        .iter()
        .filter_map(|passing| Some(Message::from_wire(&passing.payload).ok()?.header.epoch));
    sealed.collect()
}

/// A publisher in the test's own hands: any number of messages of one boot, without a process for each.
pub struct Sender {
    /// Its keys.
    pub device: Device,
    key: MessageKey,
    topic: String,
    next: AtomicU64,
    client: Client,
}

impl Sender {
    /// A member of a group, with the group's current epoch.
    pub async fn of(
        network: &Network,
        device: Device,
        group: &GroupId,
        topic: &str,
    ) -> Result<Self> {
        const BOOT: u32 = 1;
        let (epoch, secret) = newest_secret(network, &device, group)?;
        let members = network.members(group).await?;
        let own = members.iter().find(|member| member.device == device.id);
        let index = own.context("no member")?.index;
        let key = GroupKey::new(&network.genesis(), group, epoch, &secret);
        let address = network.broker.device(device.id.as_str());
        let (client, _incoming) = Client::connect(&address).await?;
        Ok(Self {
            key: key.message_key(index, BOOT, Stream::Live),
            device,
            topic: topic.into(),
            next: AtomicU64::new(0),
            client,
        })
    }

    /// Seals a message, and publishes it past the hostile broker. Gives what goes over the wire.
    pub async fn send(&self, text: &str) -> Result<Vec<u8>> {
        let counter = self.next.fetch_add(1, Ordering::Relaxed);
        let signer = Some(&self.device.signing);
        let sealed = self
            .key
            .seal(counter, &self.topic, None, text.as_bytes(), signer)?;
        self.client.publish(&self.topic, &sealed, false).await?;
        Ok(sealed)
    }

    /// Sends messages that are named and numbered.
    pub async fn send_all(&self, name: &str, count: usize) -> Result<Vec<String>> {
        let texts: Vec<_> = (0..count).map(|n| format!("{name} {n}")).collect();
        for text in &texts {
            self.send(text).await?;
        }
        Ok(texts)
    }
}

/// The newest epoch that a device in the test's hands was granted, with its secret.
pub fn newest_secret(
    network: &Network,
    device: &Device,
    group: &GroupId,
) -> Result<(u32, EpochSecret)> {
    let name = &network.gateway.name;
    let sealed = network.observer.grant(name, &device.id, group);
    let secrets = device.secrets(group, &sealed.context("no grant")?)?;
    secrets.into_iter().next_back().context("an empty grant")
}
