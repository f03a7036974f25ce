//! Everything that runs: a chain, a broker, a gateway's bridge, its certificate authority, and devices.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{ensure, Context, Result};
use futures::future::try_join_all;
use keyward_chain_client::{Call, Client, Finalized, Quotas, Signer};
use keyward_protocol::{
    policy::Policy,
    topic::{Filters, TopicFilter},
    view::{GroupView, MemberView},
    AccountId, AgreementKey, AuthorityId, DeviceId, GatewayName, Genesis, GroupId, OrganisationId,
    Role, VerifyingKey,
};
use serde::Deserialize;

use crate::{
    agent::Agent,
    bridge::{Bridge, Setup},
    broker::Broker,
    council,
    node::Node,
    observer::Observer,
    operator::Operator,
    place::Place,
    wait::{eventually, seconds},
};

/// The organisation that has the bare names.
pub const ORGANISATION: &str = "demo";
/// Its gateway.
pub const GATEWAY: &str = "gw1";
/// Its certificate authority.
pub const AUTHORITY: &str = "demo-ca";
/// How long bridge and broker have to follow the chain.
const FOLLOW: u64 = 90;

/// What to start.
pub struct Plan<'a> {
    /// Part of the directory's name.
    pub name: &'a str,
    /// Devices to enrol.
    pub devices: Vec<DeviceId>,
    /// Topics that are protected from the first day.
    pub topics: Vec<String>,
}

impl<'a> Plan<'a> {
    /// A plan from names.
    pub fn new(name: &'a str, devices: &[&str], topics: &[&str]) -> Result<Self> {
        let devices = devices.iter().map(|id| id.parse().context("device"));
        Ok(Self {
            name,
            devices: devices.collect::<Result<_>>()?,
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
        })
    }
}

/// Told about each part as soon as it runs: its name, and where it is or what happened.
pub type Tell<'a> = &'a (dyn Fn(&str, &str) + Sync);

/// Tells nobody.
pub fn silently(_: &str, _: &str) {}

/// What `keyward gateway init` writes for the council.
#[derive(Deserialize)]
struct GatewayFile {
    statement_key: VerifyingKey,
    custody_key: AgreementKey,
}

/// What `keyward ca init` writes for the council.
#[derive(Deserialize)]
struct AuthorityFile {
    key: VerifyingKey,
}

/// The gateway's identity.
pub struct Gateway {
    /// Its short name.
    pub name: GatewayName,
    /// Its account.
    pub account: AccountId,
    /// The key that devices verify its statements with.
    pub statement_key: VerifyingKey,
    /// Signs its transactions.
    pub signer: Signer,
    /// Directory of its secret keys.
    pub keys: PathBuf,
}

/// A whole network. What is dropped first is stopped first.
pub struct Network {
    /// The devices.
    pub agents: BTreeMap<DeviceId, Agent>,
    /// Sees what the broker holds.
    pub observer: Observer,
    /// The gateway's bridge.
    pub bridge: Bridge,
    /// The chain, for reading and for transactions.
    pub chain: Client,
    /// The broker.
    pub broker: Broker,
    /// The node.
    pub node: Node,
    /// The operator's command, signing as the gateway.
    pub operator: Operator,
    /// The gateway.
    pub gateway: Gateway,
    /// Directory of the certificate authority.
    pub authority: PathBuf,
    topics: Vec<String>,
    /// Where all of it is.
    pub place: Place,
}

impl Network {
    /// Starts everything, has the council admit the gateway, and enrols the devices.
    pub async fn start(plan: Plan<'_>) -> Result<Self> {
        Self::start_telling(plan, &silently).await
    }

    /// As [`Network::start`], telling how it goes.
    pub async fn start_telling(plan: Plan<'_>, tell: Tell<'_>) -> Result<Self> {
        let place = Place::new(plan.name)?;
        let node = Node::start(&place).await?;
        tell(
            "node",
            &format!("{}   in a browser: {}", node.url(), node.explorer()),
        );
        let broker = Broker::start(&place, GATEWAY, &plan.topics).await?;
        tell(
            "broker",
            &format!("mqtt://127.0.0.1:{}   Mosquitto", broker.port()),
        );
        let observer = Observer::start(broker.omnipotent("observer")).await?;
        let operator = Operator::new(&place, node.url())?;
        let authority = place.path("ca");
        let gateway = make_keys(&place, &operator, &authority).await?;
        let chain = node.connect().await?;
        let block = admit(&chain, &gateway, &authority).await?;
        tell(
            "council",
            &format!("admits organisation {ORGANISATION}, gateway {GATEWAY} and authority {AUTHORITY} in block {block}"),
        );
        let setup = Setup {
            chain: node.url(),
            keys: &gateway.keys,
            broker: broker.port(),
            gateway: GATEWAY,
            password: broker.password(),
        };
        let bridge = Bridge::start(&place, setup).await?;
        tell(
            "bridge",
            &format!("http://127.0.0.1:{}/metrics", bridge.admin()),
        );
        let operator = operator.signing_with(&gateway.keys.join("account.key"));
        let mut network = Self {
            agents: BTreeMap::new(),
            observer,
            bridge,
            chain,
            broker,
            node,
            operator,
            gateway,
            authority,
            topics: plan.topics,
            place,
        };
        network.enrol(&plan.devices).await?;
        tell(
            "devices",
            &format!("{} enrolled over MQTT", list(&plan.devices)),
        );
        Ok(network)
    }

    /// The chain's identity.
    pub fn genesis(&self) -> Genesis {
        self.chain.genesis()
    }

    /// A device of the plan.
    pub fn agent(&self, id: &str) -> Result<&Agent> {
        let found = self.agents.iter().find(|(device, _)| device.as_str() == id);
        found
            .map(|(_, agent)| agent)
            .with_context(|| format!("{id} was not enrolled"))
    }

    /// Enrols devices, all at the same time.
    pub async fn enrol(&mut self, devices: &[DeviceId]) -> Result<()> {
        // Not as tasks of their own: whoever gives up waiting takes the processes with it.
        let agents = try_join_all(devices.iter().map(|id| self.enrolled(id))).await?;
        let named = agents.into_iter().map(|agent| (agent.id.clone(), agent));
        self.agents.extend(named);
        Ok(())
    }

    async fn enrolled(&self, id: &DeviceId) -> Result<Agent> {
        let agent = Agent::init(&self.place, id, self.broker.port()).await?;
        self.issue(&agent).await?;
        agent.enrol().await?;
        Ok(agent)
    }

    /// Has the authority vouch for a device.
    pub async fn issue(&self, agent: &Agent) -> Result<()> {
        let (ca, request, out) = (
            self.authority.display().to_string(),
            agent.request().display().to_string(),
            agent.provisioning().display().to_string(),
        );
        let mut args = vec![
            "ca",
            "issue",
            "--ca",
            &ca,
            "--request",
            &request,
            "--gateway",
            GATEWAY,
            "--out",
            &out,
        ];
        for topic in &self.topics {
            args.extend(["--topic", topic]);
        }
        self.operator.must(&args).await.map(drop)
    }

    /// Makes a group with members, in one transaction.
    pub async fn form(
        &self,
        group: &GroupId,
        topic: &str,
        policy: &Policy,
        members: &[(DeviceId, Role)],
    ) -> Result<Finalized> {
        let filters = Filters::new([TopicFilter::new(topic)?]).context("one filter")?;
        let custodians = [self.gateway.account];
        let create = Call::create_group(group, &filters, policy, &custodians);
        let calls = vec![create, Call::add_members(group, members)];
        self.submit(Call::batch_all(calls)).await
    }

    /// Submits a transaction of the gateway.
    pub async fn submit(&self, call: Call) -> Result<Finalized> {
        Ok(self.chain.submit(&self.gateway.signer, call).await?)
    }

    /// A group, as the newest finalized block has it.
    pub async fn group(&self, group: &GroupId) -> Result<GroupView> {
        let view = self.chain.at(self.chain.finalized().await?.hash);
        let found = view.group(group).await?;
        found.with_context(|| format!("there is no group {group} on the chain"))
    }

    /// A group's members, as the newest finalized block has them.
    pub async fn members(&self, group: &GroupId) -> Result<Vec<MemberView>> {
        let view = self.chain.at(self.chain.finalized().await?.hash);
        Ok(view.members(group).await?)
    }

    /// Waits until the broker holds what the chain says: the group's statement at its revision, a grant for each member that
    /// takes part and for nobody else, and of each device its memberships. Gives the group's epoch.
    pub async fn settled(&self, group: &GroupId) -> Result<u32> {
        let what = format!("the broker to hold what the chain says of {group}");
        eventually(seconds(FOLLOW), &what, || self.broker_follows(group)).await
    }

    async fn broker_follows(&self, id: &GroupId) -> Result<u32> {
        use keyward_protocol::statement::GroupState;
        let group = self.group(id).await?;
        ensure!(
            group.state == GroupState::Active,
            "the chain has the group as {:?}, epoch {}",
            group.state,
            group.epoch
        );
        let stated = self.observer.group(&self.gateway.name, id);
        let stated = stated.context("the broker holds no statement of the group")?;
        ensure!(
            stated.revision == group.revision && stated.epoch == group.epoch,
            "the broker holds revision {}, epoch {}; the chain has {} and {}",
            stated.revision,
            stated.epoch,
            group.revision,
            group.epoch
        );
        let members = self.members(id).await?;
        for device in self.agents.keys() {
            let member = members
                .iter()
                .any(|member| member.device == *device && member.active);
            self.device_follows(id, device, member)?;
        }
        Ok(group.epoch)
    }

    fn device_follows(&self, group: &GroupId, device: &DeviceId, member: bool) -> Result<()> {
        let name = &self.gateway.name;
        let granted = self.observer.grant(name, device, group).is_some();
        ensure!(
            granted == member,
            "grant for {device}: {granted}, member: {member}"
        );
        let statement = self.observer.device(name, device);
        let statement = statement.with_context(|| format!("{device} has no statement"))?;
        let stated = statement.groups.iter().any(|listed| listed.group == *group);
        ensure!(
            stated == member,
            "the statement of {device} says it is a member: {stated}; it is: {member}"
        );
        Ok(())
    }

    /// Waits until the chain has a receipt of the group's current epoch from each of its members.
    pub async fn acknowledged(&self, group: &GroupId, by: &[&DeviceId]) -> Result<()> {
        let what = format!("receipts of {group} on the chain");
        eventually(seconds(FOLLOW), &what, || async {
            let epoch = self.group(group).await?.epoch;
            for member in self.members(group).await? {
                let holds = member.acknowledged.map(|(epoch, _)| epoch);
                ensure!(
                    !by.contains(&&member.device) || holds == Some(epoch),
                    "{} acknowledged {holds:?}, not epoch {epoch}",
                    member.device
                );
            }
            Ok::<_, anyhow::Error>(())
        })
        .await
    }

    /// Waits until the delivery of the group's current epoch is on the chain, and gives the epoch.
    pub async fn delivered(&self, group: &GroupId) -> Result<u32> {
        let what = format!("the delivery of {group} on the chain");
        eventually(seconds(FOLLOW), &what, || async {
            let group = self.group(group).await?;
            let last = group.exchanges.last();
            let delivered = last.is_some_and(|(epoch, exchange)| {
                *epoch == group.epoch && exchange.delivery.is_some()
            });
            ensure!(delivered, "epoch {} is at {last:?}", group.epoch);
            Ok::<_, anyhow::Error>(group.epoch)
        })
        .await
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // All at once, so that stopping takes as long as the slowest.
        if let Some(bridge) = self.bridge.process() {
            bridge.ask_to_stop();
        }
        self.node.process().ask_to_stop();
        self.broker.process().ask_to_stop();
    }
}

/// Names, separated by spaces.
pub fn list(devices: &[DeviceId]) -> String {
    let names: Vec<_> = devices.iter().map(DeviceId::as_str).collect();
    names.join(" ")
}

async fn make_keys(
    place: &Place,
    operator: &Operator,
    authority: &std::path::Path,
) -> Result<Gateway> {
    let keys = place.path("gateway");
    let (out, ca) = (keys.display().to_string(), authority.display().to_string());
    operator.must(&["gateway", "init", "--out", &out]).await?;
    operator
        .must(&["ca", "init", "--id", AUTHORITY, "--out", &ca])
        .await?;
    let public: GatewayFile = read_json(&keys.join("public.json"))?;
    let signer = Signer::from_file(&keys.join("account.key"))?;
    Ok(Gateway {
        name: GATEWAY.parse()?,
        account: signer.account(),
        statement_key: public.statement_key,
        signer,
        keys,
    })
}

/// Has the council admit organisation, gateway and authority; gives the block.
async fn admit(chain: &Client, gateway: &Gateway, authority: &std::path::Path) -> Result<u32> {
    let organisation: OrganisationId = ORGANISATION.parse()?;
    let id: AuthorityId = AUTHORITY.parse()?;
    let files: (GatewayFile, AuthorityFile) = (
        read_json(&gateway.keys.join("public.json"))?,
        read_json(&authority.join("authority.json"))?,
    );
    let quotas = Quotas {
        devices: 1000,
        groups: 100,
        members: 10_000,
    };
    let calls = vec![
        Call::admit_organisation(&organisation, "Demonstration", quotas, true),
        Call::admit_gateway(
            gateway.account,
            &organisation,
            &gateway.name,
            files.0.statement_key,
            files.0.custody_key,
        ),
        Call::admit_authority(&id, &organisation, files.1.key),
    ];
    let block = council::decide(chain, calls).await?;
    let view = chain.at(chain.finalized().await?.hash);
    ensure!(
        view.gateway(gateway.account).await?.is_some(),
        "the council decided, but the gateway is not admitted"
    );
    Ok(block)
}

/// Reads a JSON file; what else it holds does not matter.
pub fn read_json<T: serde::de::DeserializeOwned>(path: &std::path::Path) -> Result<T> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not as expected", path.display()))
}
