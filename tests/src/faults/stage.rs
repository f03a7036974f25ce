//! The network that faults are done to: every party behind a relay of its own, the bridge's journal on a small disk, and devices
//! in the test's own hands among the members.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use futures::future::try_join_all;
use keyward_chain_client::Call;
use keyward_protocol::{
    beacon::BlockRef,
    policy::Policy,
    topic::{Filters, TopicFilter},
    DeviceId, GroupId, Role,
};

use super::{
    disk::Disk,
    members::Enrolment,
    programs::{Actor, Does, Program},
    proxy::Proxy,
    relay::Relay,
};
use crate::{
    agent::Agent,
    bridge::{Bridge, Setup},
    device::Device,
    judge::evidence::{Began, Log, What},
    network::{Network, Plan, GATEWAY},
};

/// Seconds: short, so that silence and faults meet.
const MAX_SILENCE: u32 = 10;
/// Devices in the test's own hands: the first is a member all the time, the others come and go.
const OURS: &[&str] = &["9000", "9001", "9002"];
/// The device that asks to be enrolled while things break.
const NEWCOMER: &str = "9100";
/// Topics of the groups.
const VALVES: &str = "app/valve";
const PUMPS: &str = "app/pump";

/// What devices do, and on which topics.
fn cast() -> Vec<(&'static str, Does)> {
    vec![
        ("1111", Does::Publishes(vec![VALVES])),
        ("1121", Does::Publishes(vec![VALVES, PUMPS])),
        ("1112", Does::Subscribes(vec![VALVES])),
        ("1113", Does::Subscribes(vec![VALVES, PUMPS])),
        ("1114", Does::Subscribes(vec![VALVES])),
    ]
}

const MEMBERS: &[(&str, &str, Role)] = &[
    ("valves", "1111", Role::Publish),
    ("valves", "1121", Role::Publish),
    ("valves", "1112", Role::Subscribe),
    ("valves", "1113", Role::Subscribe),
    ("valves", "1114", Role::Subscribe),
    ("valves", "9000", Role::Subscribe),
    ("valves", "9001", Role::Subscribe),
    ("pumps", "1121", Role::Publish),
    ("pumps", "1113", Role::Subscribe),
    ("pumps", "9000", Role::Subscribe),
    ("pumps", "9002", Role::Subscribe),
];

/// Everything that runs.
pub struct Stage {
    /// The devices' programs run on these.
    pub actors: Vec<Actor>,
    /// Under the journal; why not, where that is not possible. None once it was taken.
    pub disk: Option<std::result::Result<Disk, String>>,
    /// Node, broker, bridge.
    pub network: Network,
    /// Between bridge and node.
    pub rpc: Proxy,
    /// The request of a new device; none once it was taken.
    pub enrolment: Option<Enrolment>,
    /// Between bridge and broker; lives as long as this.
    _relay: Relay,
    log: Log,
}

impl Stage {
    /// Starts everything and forms the groups.
    pub async fn set(seed: u64, log: &Log) -> Result<Self> {
        let name = format!("faults-{seed}");
        let mut network = Network::start(Plan::new(&name, &[], &["app/#"])?).await?;
        began(&network, seed, log);
        let relay = Relay::before(network.broker.port(), "bridge", log).await?;
        let rpc = Proxy::before(network.node.port()).await?;
        let disk = behind(&mut network, &rpc, &relay).await?;
        let ours = enrol_ours(&network, log).await?;
        let actors = enrol_actors(&network, log).await?;
        let newcomer = Device::new(NEWCOMER)?;
        let enrolment = Enrolment::prepare(&network, &newcomer)?;
        form(&network).await?;
        drop(ours);
        Ok(Self {
            actors,
            rpc,
            disk: Some(disk),
            enrolment: Some(enrolment),
            network,
            _relay: relay,
            log: log.clone(),
        })
    }

    /// Programs of the devices; nothing runs yet.
    pub fn programs<'a>(actors: &'a [Actor], log: &Log) -> Vec<Program<'a>> {
        let actors = actors.iter();
        actors.map(|actor| Program::new(actor, log)).collect()
    }

    /// The first block that is noted comes after this one.
    pub async fn first_block(&self) -> Result<BlockRef> {
        let genesis = self.network.chain.block_hash(0).await?;
        Ok(BlockRef {
            number: 0,
            hash: genesis.context("the node has no first block")?,
        })
    }

    /// Notes what the broker holds.
    pub fn note_held(&self) {
        for (topic, payload) in self.network.observer.everything() {
            self.log.note(What::Held { topic, payload });
        }
    }

    /// Where logs are.
    pub fn logs(&self) -> PathBuf {
        self.network.place.path("logs")
    }
}

/// The beginning of the evidence.
fn began(network: &Network, seed: u64, log: &Log) {
    let named = |publishes: bool| {
        let cast = cast().into_iter();
        let chosen = cast.filter(|(_, does)| matches!(does, Does::Publishes(_)) == publishes);
        chosen.filter_map(|(id, _)| id.parse().ok()).collect()
    };
    log.note(What::Began(Began {
        seed,
        genesis: network.genesis(),
        gateway: network.gateway.name.clone(),
        account: network.gateway.account,
        statement_key: network.gateway.statement_key,
        subscribers: named(false),
        publishers: named(true),
    }));
}

/// Starts the bridge again, with its journal on a small disk, behind proxy and relay.
async fn behind(
    network: &mut Network,
    rpc: &Proxy,
    relay: &Relay,
) -> Result<std::result::Result<Disk, String>> {
    network.bridge.kill();
    let directory: &Path = network.bridge.directory();
    let disk = Disk::under(directory, &network.place.path("bridge-aside"));
    let disk = disk.map_err(|error| format!("{error:#}"));
    let setup = Setup {
        chain: rpc.url(),
        keys: &network.gateway.keys,
        broker: relay.port(),
        gateway: GATEWAY,
        password: network.broker.password(),
    };
    network.bridge = Bridge::start(&network.place, setup).await?;
    Ok(disk)
}

async fn enrol_ours(network: &Network, log: &Log) -> Result<Vec<Device>> {
    let enrolled = OURS.iter().map(|id| async move {
        let mut device = Device::new(id)?;
        log.note(What::Ours {
            device: device.id.clone(),
            agreement: device.agreement.expose().to_vec(),
        });
        device.enrol(network).await?;
        Ok::<_, anyhow::Error>(device)
    });
    try_join_all(enrolled).await
}

async fn enrol_actors(network: &Network, log: &Log) -> Result<Vec<Actor>> {
    let enrolled = cast().into_iter().map(|(id, does)| async move {
        let relay = Relay::before(network.broker.port(), id, log).await?;
        let agent = Agent::init(&network.place, &id.parse()?, relay.port()).await?;
        network.issue(&agent).await?;
        agent.enrol().await?;
        Ok::<_, anyhow::Error>(Actor { agent, does, relay })
    });
    try_join_all(enrolled).await
}

async fn form(network: &Network) -> Result<()> {
    let policy = Policy {
        max_silence: MAX_SILENCE,
        ..Policy::default()
    };
    for (id, topic) in [("valves", VALVES), ("pumps", PUMPS)] {
        let group: GroupId = id.parse()?;
        let filters = Filters::new([TopicFilter::new(topic)?]).context("one filter")?;
        let members = MEMBERS.iter().filter(|(of, _, _)| *of == id);
        let members: Vec<(DeviceId, Role)> = members
            .map(|(_, device, role)| Ok((device.parse()?, *role)))
            .collect::<Result<_>>()?;
        let create = Call::create_group(&group, &filters, &policy, &[network.gateway.account]);
        let add = Call::add_members(&group, &members);
        network.submit(Call::batch_all(vec![create, add])).await?;
        network.settled(&group).await?;
    }
    Ok(())
}
