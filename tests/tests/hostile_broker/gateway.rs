//! What a hostile broker does to a gateway's bridge.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use keyward_chain_client::Call;
use keyward_crypto::{sign::sign_message, SigningKey};
use keyward_protocol::{
    beacon::AnchorCertificate,
    policy::Policy,
    topic::{ControlTopic, PREFIX},
    GatewayName, GroupId, Role,
};
use keyward_tests::{
    agent::Subscriber,
    capture::Direction,
    hostile::{Fate, Hostile, Passing, What},
    mqtt::Client,
    network::{Network, Plan, GATEWAY},
    rpc,
    wait::{eventually, throughout},
};
use rand_core::OsRng;
use serde_json::Value;

use super::{
    floods::{
        floods_do_not_stop_a_removal, packets_beyond_all_limits_cost_a_connection_and_no_more,
    },
    scene::{form, GATEWAYS, PATIENCE},
};

/// A device that sends.
pub const PUBLISHER: &str = "1111";
/// A device that reads, through the hostile broker.
pub const READER: &str = "1112";
/// A device that is removed from a group.
pub const REMOVED: &str = "1113";
/// A topic of the group that the broker is honest about.
pub const TOPIC: &str = "app/valve";
/// Groups by what the broker does to the gateway's grants in them.
pub const HONEST: &str = "honest";
const SWALLOWED: &str = "swallowed";
const UNTOLD: &str = "untold";
const GARBLED: &str = "garbled";
const UNANSWERED: &str = "unanswered";
const GROUPS: [&str; 5] = [HONEST, SWALLOWED, UNTOLD, GARBLED, UNANSWERED];
/// Seconds that the bridge waits at least for what it published to come back, before it publishes again.
const ECHO: u64 = 10;
/// Longer than that.
const LONG_ENOUGH: Duration = Duration::from_secs(ECHO + 2);
/// Longer than it waits at first before it publishes again what the broker holds otherwise.
const A_WHILE: Duration = Duration::from_secs(3);

/// A bridge behind the hostile broker, and one of its devices.
pub struct Scene {
    /// Everything that runs.
    pub network: Network,
    /// Between bridge and Mosquitto, and between 1112 and it.
    pub double: Hostile,
    groups: Vec<GroupId>,
    /// 1112.
    pub reader: Subscriber,
}

impl Scene {
    async fn set() -> Result<Self> {
        let devices = [PUBLISHER, READER, REMOVED];
        let plan = Plan::new("hostile-gateway", &devices, &["app/#"])?;
        let mut network = Network::start(plan).await?;
        let double = Hostile::before(network.broker.port()).await?;
        let port = network.broker.port();
        double.lure_bridge(&mut network.bridge, port).await?;
        double.lure(network.agent(READER)?).await?;
        let members = [
            (PUBLISHER, Role::Publish),
            (READER, Role::Subscribe),
            (REMOVED, Role::Subscribe),
        ];
        let formed = GROUPS.map(|name| {
            // The first one has the topic that messages are sent on.
            let filter = if name == HONEST { "app/#" } else { name };
            (name, filter, Policy::default(), &members[..])
        });
        let groups = form(&network, &formed).await?;
        for group in &groups {
            network.settled(group).await?;
            network.delivered(group).await?;
        }
        let mut reader = network.agent(READER)?.subscribe(&["app/#"])?;
        reader.ready().await?;
        Ok(Self {
            network,
            double,
            groups,
            reader,
        })
    }

    /// A group, by name.
    pub fn group(&self, name: &str) -> Result<&GroupId> {
        let found = self.groups.iter().find(|group| group.as_str() == name);
        found.with_context(|| format!("no group {name}"))
    }

    async fn is_delivered(&self, group: &str) -> Result<bool> {
        let group = self.network.group(self.group(group)?).await?;
        let (epoch, exchange) = group.exchanges.last().context("no epoch")?;
        Ok(*epoch == group.epoch && exchange.delivery.is_some())
    }

    async fn rotate(&self, groups: &[&str]) -> Result<()> {
        let mut calls = Vec::new();
        for group in groups {
            calls.push(Call::rotate(self.group(group)?));
        }
        self.network.submit(Call::batch_all(calls)).await.map(drop)
    }

    /// What the bridge says of itself.
    async fn report(&self) -> Result<Value> {
        let (_, body) = rpc::get(self.network.bridge.admin(), "/status").await?;
        Ok(serde_json::from_str(&body)?)
    }

    /// Waits until the bridge does its work.
    pub async fn is_ready(&self) -> Result<()> {
        eventually(PATIENCE, "the bridge to be ready", || async {
            let (status, body) = rpc::get(self.network.bridge.admin(), "/readyz").await?;
            ensure!(status == 200, "{body}");
            Ok::<_, anyhow::Error>(())
        })
        .await
    }

    /// The broker holds and tells everything, and the bridge knows it.
    pub async fn has_healed(&self) -> Result<()> {
        self.is_ready().await?;
        for group in &self.groups {
            self.network.settled(group).await?;
            self.network.delivered(group).await?;
        }
        eventually(PATIENCE, "the bridge to have nothing to do", || async {
            let report = self.report().await?;
            let outbox = report["relay"]["outbox"].as_u64();
            ensure!(outbox == Some(0), "{outbox:?} topics are not as demanded");
            Ok::<_, anyhow::Error>(())
        })
        .await
    }

    /// Requests and receipts that the bridge has refused: malformed ones, and forged ones.
    async fn refused(&self) -> Result<(u64, u64)> {
        let report = self.report().await?;
        let count = |reason: &str| report["relay"]["refused"][reason].as_u64().unwrap_or(0);
        Ok((count("malformed"), count("forged")))
    }

    /// Waits until it has refused so many.
    async fn has_refused(&self, (malformed, forged): (u64, u64)) -> Result<()> {
        eventually(PATIENCE, "the bridge to count what it refused", || async {
            let now = self.refused().await?;
            ensure!(
                now.0 >= malformed && now.1 >= forged,
                "{} are malformed, of {malformed}, and {} forged, of {forged}",
                now.0,
                now.1
            );
            Ok::<_, anyhow::Error>(())
        })
        .await
    }

    /// What the broker tells whoever subscribes now, which only what is retained is.
    async fn retained(&self, topic: &ControlTopic) -> Result<Vec<u8>> {
        let address = self.network.broker.omnipotent("visitor");
        let (visitor, mut incoming) = Client::connect(&address).await?;
        visitor.subscribe(&topic.to_topic(PREFIX)).await?;
        let told = tokio::time::timeout(A_WHILE, incoming.recv()).await;
        let told = told.ok().flatten().filter(|publish| publish.retain);
        Ok(told.context("it tells nothing")?.payload)
    }

    /// What the chain knows of the groups, their members' keys, and conflicts.
    async fn on_chain(&self) -> Result<String> {
        let view = self
            .network
            .chain
            .at(self.network.chain.finalized().await?.hash);
        let mut known = String::new();
        for group in &self.groups {
            let members = view.members(group).await?;
            let keys = members
                .iter()
                .map(|member| (&member.device, member.key_version));
            let keys: Vec<_> = keys.collect();
            let revision = view.group(group).await?.context("no group")?.revision;
            let conflicts = view.conflicts(group).await?;
            known += &format!("{group}: {revision} {keys:?} {conflicts:?}\n");
        }
        Ok(known)
    }

    /// 1111 sends, and 1112 reads.
    async fn messages_pass(&self, text: &str) -> Result<()> {
        let publisher = self.network.agent(PUBLISHER)?;
        publisher.publish(TOPIC, text).await?;
        self.reader.reads(text, PATIENCE).await.map(drop)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_broker_tells_a_gateway_it_believes_devices_and_the_chain_and_goes_on(
) -> Result<()> {
    let mut scene = Scene::set().await?;
    scene.messages_pass("at first").await?;
    no_delivery_is_recorded_before_it_was_read_back(&scene).await?;
    acknowledgements_that_never_come_stop_nothing_for_ever(&scene).await?;
    flags_and_sessions_that_lie_change_nothing(&scene).await?;
    what_is_not_retained_says_nothing_of_what_is_held(&scene).await?;
    what_devices_did_not_say_is_refused(&scene).await?;
    impostors_of_the_gateway_leave_nothing_behind(&scene).await?;
    a_forged_anchor_is_cleared(&scene).await?;
    floods_do_not_stop_a_removal(&mut scene).await?;
    packets_beyond_all_limits_cost_a_connection_and_no_more(&scene).await?;
    scene.has_healed().await?;
    scene.messages_pass("at last").await
}

/// The topics of all grants of a group.
fn grants(group: &str) -> impl Fn(&Passing) -> bool {
    let group = group.to_owned();
    move |passing| match ControlTopic::parse(PREFIX, &passing.topic) {
        Some(ControlTopic::Grant(_, _, of)) => of.as_str() == group,
        _ => false,
    }
}

/// BRG-3: acknowledged and not held, held and not told, held and told otherwise, held and not acknowledged; and BRG-5: not
/// published without end.
async fn no_delivery_is_recorded_before_it_was_read_back(scene: &Scene) -> Result<()> {
    let (swallowed, untold, garbled) = (grants(SWALLOWED), grants(UNTOLD), grants(GARBLED));
    let unanswered = grants(UNANSWERED);
    let lies = [
        scene.double.lie(move |passing| {
            let is_one = passing.is_from(GATEWAY, "") && swallowed(passing);
            is_one.then_some(Fate::Swallow)
        }),
        scene.double.lie(move |passing| {
            let is_one = passing.is_to(GATEWAY, "") && untold(passing);
            is_one.then_some(Fate::Drop)
        }),
        scene.double.lie(move |passing| {
            let is_one = passing.is_to(GATEWAY, "") && garbled(passing);
            is_one.then(|| passing.with_payload(b"something else"))
        }),
        scene.double.lie(move |passing| {
            let is_one = passing.what == What::Acknowledgement
                && passing.direction == Direction::Down
                && passing.client == GATEWAY
                && unanswered(passing);
            is_one.then_some(Fate::Drop)
        }),
    ];
    let (before, began) = (published(scene, GARBLED), Instant::now());
    scene.rotate(&GROUPS).await?;
    scene.network.delivered(scene.group(HONEST)?).await?;
    throughout(
        LONG_ENOUGH,
        "only the honest delivery is recorded",
        || async {
            for group in [SWALLOWED, UNTOLD, GARBLED, UNANSWERED] {
                ensure!(!scene.is_delivered(group).await?, "{group} is recorded");
            }
            Ok::<_, anyhow::Error>(())
        },
    )
    .await?;
    // To each of three members, and once more on each connection: another one may have been begun.
    let allowed = 3 * (3 + began.elapsed().as_secs() / ECHO);
    let again = published(scene, GARBLED) - before;
    ensure!(
        again as u64 <= allowed,
        "{again} grants were published, more than {allowed}"
    );
    drop(lies);
    scene.has_healed().await
}

/// BRG-3, BRG-5: a broker that acknowledges nothing any more, and later no longer minds.
async fn acknowledgements_that_never_come_stop_nothing_for_ever(scene: &Scene) -> Result<()> {
    /// More than a client may leave open at Mosquitto.
    const MANY: usize = 20;
    let lie = scene.double.lie(|passing| {
        let is_one = passing.what == What::Acknowledgement
            && passing.direction == Direction::Down
            && passing.client == GATEWAY;
        is_one.then_some(Fate::Drop)
    });
    let before = scene.double.seen(GATEWAY, Direction::Up, GATEWAYS).len();
    scene.rotate(&GROUPS).await?;
    eventually(PATIENCE, "the gateway to have said much", || async {
        let now = scene.double.seen(GATEWAY, Direction::Up, GATEWAYS).len();
        ensure!(now >= before + MANY, "it has said {}", now - before);
        Ok::<_, anyhow::Error>(())
    })
    .await?;
    drop(lie);
    scene.has_healed().await
}

/// How many grants of a group the bridge has published.
fn published(scene: &Scene, group: &str) -> usize {
    let is_one = grants(group);
    let published = scene.double.seen(GATEWAY, Direction::Up, GATEWAYS);
    published.iter().filter(|passing| is_one(passing)).count()
}

/// BRG-2, BRG-5: RETAIN flags turned round, sessions that are denied and invented. What the bridge cannot be sure of it may do
/// again; devices get what the chain says.
async fn flags_and_sessions_that_lie_change_nothing(scene: &Scene) -> Result<()> {
    let lies = [
        scene.double.lie(|passing| {
            let is_told = passing.is_to(GATEWAY, "");
            is_told.then(|| passing.with_retain(!passing.retain))
        }),
        scene.double.lie(|passing| match passing.what {
            What::Session(present) if passing.client == GATEWAY => Some(Fate::Session(!present)),
            What::Connect if passing.client == GATEWAY => Some(Fate::Forget),
            _ => None,
        }),
    ];
    scene.double.cut(GATEWAY).await?;
    scene.is_ready().await?;
    scene.rotate(&[HONEST]).await?;
    scene.network.settled(scene.group(HONEST)?).await?;
    scene.messages_pass("whatever the flags say").await?;
    drop(lies);
    scene.double.cut(GATEWAY).await?;
    scene.has_healed().await
}

/// BRG-5: below the gateway's branch, whoever wrote it there.
async fn what_is_not_retained_says_nothing_of_what_is_held(scene: &Scene) -> Result<()> {
    let gateway = scene.network.gateway.name.clone();
    let grant = ControlTopic::Grant(gateway, READER.parse()?, scene.group(HONEST)?.clone());
    let before = published(scene, HONEST);
    let other = b"something else";
    scene
        .double
        .deliver(GATEWAY, &grant.to_topic(PREFIX), other, false)
        .await?;
    throughout(A_WHILE, "the grant not to be published again", || async {
        let again = published(scene, HONEST) - before;
        ensure!(again == 0, "{again} grants were published");
        Ok::<_, anyhow::Error>(())
    })
    .await
}

/// REQ-6, BRG-6, REG-4: replayed, changed, invented, and for others.
async fn what_devices_did_not_say_is_refused(scene: &Scene) -> Result<()> {
    let name = &scene.network.gateway.name;
    let (receipts, requests) = (said(name, READER)?, said(name, PUBLISHER)?);
    let genuine = scene.double.seen(READER, Direction::Up, &receipts.0);
    let receipt = genuine.first().context("no receipt")?.payload.clone();
    let enrolled = &scene.network.agent(PUBLISHER)?.capture;
    let enrolment = enrolled.on(&requests.1, Direction::Up);
    let enrolment = &enrolment.first().context("no request")?.payload;
    let before = scene.on_chain().await?;
    let counts = scene.refused().await?;

    let double = &scene.double;
    // Word for word what was said once: answered, and nothing else.
    double.deliver(GATEWAY, &receipts.0, &receipt, true).await?;
    double
        .deliver(GATEWAY, &requests.1, enrolment, true)
        .await?;
    for (topic, genuine) in [(&receipts.0, &receipt), (&requests.1, enrolment)] {
        let mut changed = genuine.clone();
        *changed.last_mut().context("empty")? ^= 1;
        double.deliver(GATEWAY, topic, &changed, false).await?;
        let truncated = &genuine[..genuine.len() - 1];
        double.deliver(GATEWAY, topic, truncated, false).await?;
        double.deliver(GATEWAY, topic, b"let me in", false).await?;
    }
    // As if another device had said it, and on topics that nobody subscribed to.
    double
        .deliver(GATEWAY, &requests.0, &receipt, false)
        .await?;
    double
        .deliver(GATEWAY, &receipts.1, enrolment, false)
        .await?;
    for topic in ["keyward/v1/device/1112/gw2/request", "plain/valve", "$SYS"] {
        double.deliver(GATEWAY, topic, enrolment, false).await?;
    }
    // Truncated and not a message, twice each; another device's, twice. Changed: twice.
    scene.has_refused((counts.0 + 6, counts.1 + 2)).await?;
    impostors_of_a_device_are_refused(scene, &receipts).await?;
    scene.has_refused((counts.0 + 7, counts.1 + 2)).await?;
    let after = scene.on_chain().await?;
    ensure!(after == before, "before:\n{before}after:\n{after}");
    scene.has_healed().await
}

/// Where a device sends its receipts, and its requests.
fn said(gateway: &GatewayName, device: &str) -> Result<(String, String)> {
    let ack = ControlTopic::Ack(device.parse()?, gateway.clone());
    let request = ControlTopic::Request(device.parse()?, gateway.clone());
    Ok((ack.to_topic(PREFIX), request.to_topic(PREFIX)))
}

/// The broker's access list lets them write there: they have the device's client id.
async fn impostors_of_a_device_are_refused(
    scene: &Scene,
    (receipts, requests): &(String, String),
) -> Result<()> {
    let address = scene.network.broker.device(READER);
    let (impostor, _incoming) = Client::connect(&address).await?;
    for topic in [receipts, requests] {
        // The genuine device may take its id back before this is acknowledged.
        let _ = impostor.publish(topic, b"let me in", false).await;
    }
    eventually(PATIENCE, "the device to come back", || async {
        let gone = !impostor.is_connected();
        gone.then_some(()).ok_or("the impostor is still there")
    })
    .await
}

/// TOP-5, BRG-5: each takes the bridge's session with it, and has the broker say that the gateway is offline.
async fn impostors_of_the_gateway_leave_nothing_behind(scene: &Scene) -> Result<()> {
    for _ in 0..3 {
        let address = scene.network.broker.device(GATEWAY);
        let (impostor, _incoming) = Client::connect(&address).await?;
        eventually(PATIENCE, "the bridge to come back", || async {
            let gone = !impostor.is_connected();
            gone.then_some(()).ok_or("the impostor is still there")
        })
        .await?;
    }
    let state = ControlTopic::GatewayState(scene.network.gateway.name.clone());
    eventually(PATIENCE, "the gateway to be online", || async {
        let told = scene.retained(&state).await?;
        let told = String::from_utf8_lossy(&told);
        ensure!(told.contains("online"), "it is {told}");
        Ok::<_, anyhow::Error>(())
    })
    .await?;
    scene.has_healed().await
}

/// TOP-5, STM-11: a certificate in the gateway's name that neither it nor an authority signed.
async fn a_forged_anchor_is_cleared(scene: &Scene) -> Result<()> {
    let gateway = &scene.network.gateway;
    let certificate = AnchorCertificate {
        gateway: gateway.account,
        statement_key: gateway.statement_key,
        serial: u64::MAX,
    };
    let stranger = SigningKey::generate(&mut OsRng);
    let forged = sign_message(scene.network.genesis(), certificate, &stranger)?.to_wire();
    let topic = ControlTopic::Anchor(gateway.name.clone());
    let address = scene.network.broker.omnipotent("vandal");
    let (vandal, _incoming) = Client::connect(&address).await?;
    vandal
        .publish(&topic.to_topic(PREFIX), &forged, true)
        .await?;
    eventually(PATIENCE, "the forged anchor to be cleared", || async {
        let history = scene.network.observer.history();
        let seen = history.iter().any(|publish| publish.payload == forged);
        let held = scene.network.observer.held(&topic).is_some();
        match (seen, held) {
            (true, false) => Ok(()),
            (true, true) => Err("it stands"),
            (false, _) => Err("it has not come"),
        }
    })
    .await
}
