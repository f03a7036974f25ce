//! What a hostile broker does to statements, beacons, grants and anchors: delay is noticed, and nothing is invented.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
use keyward_chain_client::Call;
use keyward_crypto::{hash::hash_of, sign::sign_message, SigningKey};
use keyward_protocol::{
    beacon::{AnchorCertificate, Beacon},
    grant::EpochSecret,
    policy::Policy,
    statement::{GroupStatement, Publisher, PublisherPage},
    topic::{ControlTopic, PREFIX},
    view::MemberView,
    GroupId, Role, VerifyingKey,
};
use keyward_tests::{
    agent::Subscriber,
    capture::{Captured, Direction},
    device::{authority_key, open_with_any, Device},
    hostile::{rolled_back, to, Fate, Held, Hostile},
    mqtt::Client,
    network::{Network, Plan},
    observer::claims,
    wait::{eventually, throughout},
};
use rand_core::OsRng;

use super::{
    scene::{epochs_sent, form, noted, notes, statement_key, times_read, GATEWAYS, PATIENCE},
    two_faced::{sealed_to, TwoFaced},
};

const TOPIC: &str = "app/valve";
const PUMP: &str = "pump/1";
const PUBLISHER: &str = "1111";
const READER: &str = "1112";
const OTHER: &str = "1113";
/// Seconds.
const MAX_SILENCE: u32 = 12;
/// Of an anchor certificate: the number of a block that does not come while this runs.
const SERIAL: u64 = 1_000_000;
/// What `keyward-agent` says when a publisher is stale, and when it has no usable key (its exit codes).
const STALE: i32 = 3;
const NO_KEY: i32 = 5;
/// Longer than anything on its way takes to arrive.
const A_WHILE: Duration = Duration::from_secs(3);

struct Scene {
    network: Network,
    double: Hostile,
    group: GroupId,
    /// A member whose keys the test holds, until it is removed.
    insider: Device,
    reader: Subscriber,
    other: Subscriber,
}

impl Scene {
    async fn set() -> Result<Self> {
        let devices = [PUBLISHER, READER, OTHER];
        let plan = Plan::new("hostile-statements", &devices, &["app/#", "pump/#"])?;
        let network = Network::start(plan).await?;
        let double = Hostile::before(network.broker.port()).await?;
        for id in devices {
            double.lure(network.agent(id)?).await?;
        }
        let mut insider = Device::new("9001")?;
        insider.enrol(&network).await?;
        let members = [
            (PUBLISHER, Role::Publish),
            (READER, Role::Subscribe),
            (OTHER, Role::Subscribe),
            ("9001", Role::Subscribe),
        ];
        let policy = Policy {
            max_silence: MAX_SILENCE,
            ..Policy::default()
        };
        let groups = form(
            &network,
            &[
                ("valves", "app/#", policy, &members),
                ("pumps", "pump/#", Policy::default(), &members[..3]),
            ],
        )
        .await?;
        for group in &groups {
            network.settled(group).await?;
        }
        let subscribe = |id: &str| network.agent(id)?.subscribe(&["app/#", "pump/#"]);
        let (mut reader, mut other) = (subscribe(READER)?, subscribe(OTHER)?);
        reader.ready().await?;
        other.ready().await?;
        Ok(Self {
            group: groups[0].clone(),
            network,
            double,
            insider,
            reader,
            other,
        })
    }

    async fn publish(&self, topic: &str, text: &str) -> Result<u32> {
        let publisher = self.network.agent(PUBLISHER)?;
        Ok(publisher.publish(topic, text).await?.epoch)
    }

    async fn both_read(&self, text: &str) -> Result<()> {
        self.reader.reads(text, PATIENCE).await?;
        self.other.reads(text, PATIENCE).await.map(drop)
    }

    /// Starts a new epoch; gives it when the broker holds what the chain says.
    async fn rotate(&self) -> Result<u32> {
        self.network.submit(Call::rotate(&self.group)).await?;
        self.network.settled(&self.group).await
    }

    fn grant_topic(&self, device: &str, group: &str) -> Result<String> {
        let gateway = self.network.gateway.name.clone();
        let topic = ControlTopic::Grant(gateway, device.parse()?, group.parse()?);
        Ok(topic.to_topic(PREFIX))
    }

    fn group_topic(
        &self,
        of: fn(keyward_protocol::GatewayName, GroupId) -> ControlTopic,
    ) -> String {
        of(self.network.gateway.name.clone(), self.group.clone()).to_topic(PREFIX)
    }

    /// A grant that the broker made up: sealed to the device, with a secret that nobody committed to.
    async fn invented_grant(&self, device: &str, epoch: u32) -> Result<Vec<u8>> {
        let member = self.member(device).await?;
        let secret = EpochSecret::new([0x77; 32]);
        sealed_to(&member, &self.group, epoch, &secret).context("it cannot be sealed")
    }

    async fn member(&self, device: &str) -> Result<MemberView> {
        let members = self.network.members(&self.group).await?;
        let mut members = members.into_iter();
        let member = members.find(|member| member.device.as_str() == device);
        member.with_context(|| format!("no member {device}"))
    }

    fn held(&self) -> Held {
        self.network.observer.everything()
    }

    /// Tries to publish until the publisher refuses with this exit code and says this.
    async fn refuses_to_seal(&self, code: i32, said: &str) -> Result<()> {
        let what = format!("{PUBLISHER} to refuse: {said}");
        eventually(PATIENCE, &what, || async {
            let publisher = self.network.agent(PUBLISHER)?;
            let ran = publisher.try_to_publish(TOPIC, "not now", 3).await?;
            let text = format!("{}{}", ran.stdout, ran.stderr);
            ensure!(
                ran.code == Some(code) && text.contains(said),
                "it ended with {:?} and said {text}",
                ran.code
            );
            Ok::<_, anyhow::Error>(())
        })
        .await
    }

    /// Revision and epoch of the group, as a device knows them.
    async fn known(&self, device: &str) -> Result<(u64, u64)> {
        let status = self.network.agent(device)?.status().await?;
        let groups = status["groups"].as_array().context("no groups")?;
        let group = groups
            .iter()
            .find(|group| group["group"] == self.group.as_str());
        let group = group.context("not in the group")?;
        let number = |name: &str| group[name].as_u64().with_context(|| format!("no {name}"));
        Ok((number("revision")?, number("epoch")?))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_broker_makes_of_statements_devices_believe_the_newest_of_their_gateway(
) -> Result<()> {
    let scene = Scene::set().await?;
    scene.publish(TOPIC, "at first").await?;
    scene.publish(PUMP, "at first, a pump").await?;
    scene.both_read("at first").await?;
    scene.both_read("at first, a pump").await?;
    let yesterday = scene.held();

    swapped_grants_change_nothing_and_the_right_one_heals(&scene).await?;
    replayed_control_messages_change_nothing(&scene, &yesterday).await?;
    scene.other.reads("in the new epoch", PATIENCE).await?;
    what_is_said_of_another_group_or_invented_changes_nothing(&scene).await?;
    a_publisher_without_new_beacons_goes_stale(&scene).await?;
    an_announced_statement_that_does_not_come_stops_a_publisher(&scene).await?;
    a_grant_that_does_not_come_stops_a_publisher(&scene).await?;
    devices_that_are_rolled_back_keep_what_they_know(&scene).await?;
    two_statements_of_one_revision_are_reported(&scene).await?;
    two_keys_of_one_epoch_are_found_out(&scene).await
}

/// KEY-4, KEY-5, MSG-13; REQ-4 for the one that asks by itself.
async fn swapped_grants_change_nothing_and_the_right_one_heals(scene: &Scene) -> Result<()> {
    let lies = [READER, OTHER].map(|device| {
        let grants = format!("{GATEWAYS}{}/grant/{device}/", scene.network.gateway.name);
        scene.double.lie(to(device, &grants, Fate::Drop))
    });
    let epoch = scene.rotate().await?;
    let swapped = [(OTHER, "valves"), (READER, "pumps"), (PUBLISHER, "valves")];
    let said = noted(&scene.network, READER)?;
    let (held, target) = (scene.held(), scene.grant_topic(READER, "valves")?);
    for (device, group) in swapped {
        let grant = held.get(&scene.grant_topic(device, group)?);
        let grant = grant.with_context(|| format!("no grant of {device} for {group}"))?;
        scene.double.deliver(READER, &target, grant, true).await?;
    }
    let refused = ("control-refused", "not a grant for this device");
    notes(&scene.network, READER, said, refused, swapped.len()).await?;
    let invented = scene.invented_grant(READER, epoch).await?;
    scene
        .double
        .deliver(READER, &target, &invented, true)
        .await?;
    let refused = ("control-refused", "does not open the commitment");
    notes(&scene.network, READER, said, refused, 1).await?;

    let sealed_in = scene.publish(TOPIC, "in the new epoch").await?;
    ensure!(sealed_in == epoch, "sealed in epoch {sealed_in}");
    throughout(A_WHILE, "no key, no message", || async {
        for subscriber in [&scene.reader, &scene.other] {
            ensure!(
                times_read(subscriber, "in the new epoch") == 0,
                "it was read"
            );
        }
        Ok::<_, anyhow::Error>(())
    })
    .await?;
    drop(lies);
    // One meets an honest broker anew; the other one asks its gateway, and is looked at later.
    scene.double.cut(READER).await?;
    scene
        .reader
        .reads("in the new epoch", PATIENCE)
        .await
        .map(drop)
}

/// STM-2, STM-4, STM-7, STM-8, STM-11, REQ-2, KEY-5: what was true yesterday.
async fn replayed_control_messages_change_nothing(scene: &Scene, yesterday: &Held) -> Result<()> {
    let gateway = scene.network.gateway.name.clone();
    let anchor = ControlTopic::Anchor(gateway.clone()).to_topic(PREFIX);
    // Unlike the certificates below it comes from the operator.
    let address = scene.network.broker.omnipotent("operator");
    let (operator, _incoming) = Client::connect(&address).await?;
    let said = noted(&scene.network, READER)?;
    let authority = authority_key(&scene.network.authority)?;
    let key = scene.network.gateway.statement_key;
    let genuine = certificate(scene, key, SERIAL, &authority)?;
    operator.publish(&anchor, &genuine, true).await?;
    let serial = format!("serial {SERIAL}");
    let is_new = ("owner-key", serial.as_str());
    notes(&scene.network, READER, said, is_new, 1).await?;
    let before = scene.known(READER).await?;

    let said = noted(&scene.network, READER)?;
    let stranger = SigningKey::generate(&mut OsRng);
    // A key from before, that the authority had certified, and one that it never did.
    let other = stranger.verifying_key();
    for forged in [
        certificate(scene, other, SERIAL - 1, &authority)?,
        certificate(scene, other, SERIAL + 1, &stranger)?,
    ] {
        scene.double.deliver(READER, &anchor, &forged, true).await?;
    }
    let device = ControlTopic::DeviceState(gateway.clone(), READER.parse()?).to_topic(PREFIX);
    let history = scene.network.observer.history();
    let oldest = history.iter().find(|publish| publish.topic == device);
    let oldest = &oldest.context("no statement of the device")?.payload;
    scene.double.deliver(READER, &device, oldest, true).await?;
    let answers = ControlTopic::Response(gateway.clone(), READER.parse()?).to_topic(PREFIX);
    let answer = history.iter().find(|publish| publish.topic == answers);
    let answer = &answer.context("no answer to the device")?.payload;
    scene
        .double
        .deliver(READER, &answers, answer, false)
        .await?;
    let ours = format!("{GATEWAYS}{gateway}/group/valves/");
    let grant = scene.grant_topic(READER, "valves")?;
    let old = yesterday
        .iter()
        .filter(|(topic, _)| topic.starts_with(&ours) || **topic == grant);
    for (topic, payload) in old {
        scene.double.deliver(READER, topic, payload, true).await?;
    }
    // Serial, device statement and group statement.
    let is_old = ("control-refused", "older than what is known");
    notes(&scene.network, READER, said, is_old, 3).await?;
    let is_answered = ("control-refused", "nothing was asked");
    notes(&scene.network, READER, said, is_answered, 1).await?;
    let is_forged = ("control-refused", "anchor changed nothing");
    notes(&scene.network, READER, said, is_forged, 2).await?;
    scene.publish(TOPIC, "after the replays").await?;
    scene.reader.reads("after the replays", PATIENCE).await?;
    let after = scene.known(READER).await?;
    ensure!(after == before, "it knows {after:?}, and knew {before:?}");
    Ok(())
}

fn certificate(
    scene: &Scene,
    statement_key: VerifyingKey,
    serial: u64,
    signer: &SigningKey,
) -> Result<Vec<u8>> {
    let certificate = AnchorCertificate {
        gateway: scene.network.gateway.account,
        statement_key,
        serial,
    };
    let signed = sign_message(scene.network.genesis(), certificate, signer)?;
    Ok(signed.to_wire())
}

/// STM-12: what the custodian says of another group. STM-7: a page that no statement names, which nobody signs either.
async fn what_is_said_of_another_group_or_invented_changes_nothing(scene: &Scene) -> Result<()> {
    let (network, said) = (&scene.network, noted(&scene.network, READER)?);
    let held = scene.held();
    for of in [ControlTopic::GroupState, ControlTopic::Beacon] {
        let pumps = of(network.gateway.name.clone(), "pumps".parse()?);
        let theirs = held.get(&pumps.to_topic(PREFIX));
        let theirs = theirs.context("nothing is said of the pumps")?;
        let ours = scene.group_topic(of);
        scene.double.deliver(READER, &ours, theirs, true).await?;
    }
    let misplaced = ("control-refused", "names another gateway, device or group");
    notes(network, READER, said, misplaced, 2).await?;
    let publisher = scene.member(PUBLISHER).await?;
    let stranger = Publisher {
        index: publisher.index,
        device: publisher.device,
        key_version: publisher.key_version,
        signing_key: SigningKey::generate(&mut OsRng).verifying_key(),
    };
    let page = PublisherPage {
        group: scene.group.clone(),
        page: 0,
        publishers: vec![stranger].try_into().ok().context("one publisher")?,
    };
    let pages = scene.group_topic(|gateway, group| ControlTopic::Publishers(gateway, group, 0));
    let page = page.to_wire(&network.genesis());
    scene.double.deliver(READER, &pages, &page, true).await?;
    // Whoever believed the page would take its signature for a forgery.
    scene.publish(TOPIC, "of the genuine publisher").await?;
    scene.both_read("of the genuine publisher").await
}

/// STM-10: although statement and grant still come, and one genuine beacon over and over.
async fn a_publisher_without_new_beacons_goes_stale(scene: &Scene) -> Result<()> {
    let beacons = scene.group_topic(ControlTopic::Beacon);
    let beacon = scene.held().remove(&beacons).context("no beacon")?;
    let lie = scene.double.lie(to(PUBLISHER, &beacons, Fate::Drop));
    scene.refuses_to_seal(STALE, "stale").await?;
    let sent = epochs_sent(&scene.double, PUBLISHER, TOPIC).len();
    let again = scene.double.lie(move |passing| {
        let is_one = passing.is_to(PUBLISHER, &beacons);
        is_one.then(|| passing.with_payload(&beacon))
    });
    drop(lie);
    scene.refuses_to_seal(STALE, "stale").await?;
    let since = epochs_sent(&scene.double, PUBLISHER, TOPIC).len();
    ensure!(since == sent, "it went on sealing");
    drop(again);
    scene.publish(TOPIC, "with beacons again").await?;
    scene.both_read("with beacons again").await
}

/// STM-8 and MSG-14: it knows that there is a newer epoch, not which.
async fn an_announced_statement_that_does_not_come_stops_a_publisher(scene: &Scene) -> Result<()> {
    let statements = scene.group_topic(ControlTopic::GroupState);
    let lie = scene.double.lie(to(PUBLISHER, &statements, Fate::Drop));
    let epoch = scene.rotate().await?;
    scene.refuses_to_seal(NO_KEY, "is announced").await?;
    drop(lie);
    let sealed_in = scene.publish(TOPIC, "with the statement").await?;
    ensure!(sealed_in == epoch, "sealed in epoch {sealed_in}");
    scene.both_read("with the statement").await
}

/// MSG-14: it knows the epoch, and not its secret; the key that it has is of an older one.
async fn a_grant_that_does_not_come_stops_a_publisher(scene: &Scene) -> Result<()> {
    let grants = scene.grant_topic(PUBLISHER, "valves")?;
    let lie = scene.double.lie(to(PUBLISHER, &grants, Fate::Drop));
    let sent = epochs_sent(&scene.double, PUBLISHER, TOPIC).len();
    let epoch = scene.rotate().await?;
    scene.refuses_to_seal(NO_KEY, "has not come yet").await?;
    drop(lie);
    let sealed_in = scene.publish(TOPIC, "with the grant").await?;
    let sealed = epochs_sent(&scene.double, PUBLISHER, TOPIC).split_off(sent);
    ensure!(
        sealed_in == epoch && sealed.iter().all(|sealed| *sealed == epoch),
        "sealed in epochs {sealed:?}, not {epoch}"
    );
    scene.both_read("with the grant").await
}

/// STM-2, STM-4, MSG-14, STM-10: whoever was removed gains nothing by it.
async fn devices_that_are_rolled_back_keep_what_they_know(scene: &Scene) -> Result<()> {
    let before_removal = scene.held();
    let removed = Call::remove_members(&scene.group, std::slice::from_ref(&scene.insider.id));
    scene.network.submit(removed).await?;
    let epoch = scene.network.settled(&scene.group).await?;
    let sealed_in = scene.publish(TOPIC, "after the removal").await?;
    ensure!(sealed_in == epoch, "sealed in epoch {sealed_in}");
    scene.both_read("after the removal").await?;
    let known = scene.known(PUBLISHER).await?;
    let sent = epochs_sent(&scene.double, PUBLISHER, TOPIC).len();

    let said = noted(&scene.network, READER)?;
    let lies = [PUBLISHER, READER].map(|device| {
        let rule = rolled_back(device, before_removal.clone());
        scene.double.lie(rule)
    });
    scene.double.cut(READER).await?;
    let is_old = ("control-refused", "older than what is known");
    notes(&scene.network, READER, said, is_old, 1).await?;
    scene.refuses_to_seal(STALE, "stale").await?;
    let still = scene.known(PUBLISHER).await?;
    ensure!(still == known, "it knows {still:?}, and knew {known:?}");
    let sealed = epochs_sent(&scene.double, PUBLISHER, TOPIC).split_off(sent);
    ensure!(
        sealed.iter().all(|sealed| *sealed == epoch),
        "rolled back, it sealed in epochs {sealed:?}"
    );
    drop(lies);
    scene.double.cut(READER).await?;
    scene.publish(TOPIC, "honest again").await?;
    scene.both_read("honest again").await?;
    the_removed_open_nothing_since(scene, sent).await
}

async fn the_removed_open_nothing_since(scene: &Scene, sent: usize) -> Result<()> {
    let topic = scene.grant_topic("9001", "valves")?;
    let mut secrets = Vec::new();
    for publish in scene.network.observer.history() {
        if publish.topic == topic && !publish.payload.is_empty() {
            secrets.extend(scene.insider.secrets(&scene.group, &publish.payload)?);
        }
    }
    let key = scene.member(PUBLISHER).await?.signing_key;
    let mut opened = Vec::new();
    for passing in scene.double.seen(PUBLISHER, Direction::Up, TOPIC) {
        let sent = Captured {
            direction: passing.direction,
            packet: Vec::new(),
            topic: passing.topic,
            payload: passing.payload,
            retain: passing.retain,
        };
        let genesis = scene.network.genesis();
        let content = open_with_any(&genesis, &scene.group, &sent, &key, &secrets)?;
        opened.push(content.is_some());
    }
    // The message that waited for the removal is the last of the first `sent`.
    let (before, after) = opened.split_at(sent - 1);
    ensure!(before.contains(&true), "it opened nothing as a member");
    ensure!(!after.contains(&true), "the removed opens a message");
    Ok(())
}

/// STM-4, STM-8, with the help of a custodian that signs both, and a beacon for the second.
async fn two_statements_of_one_revision_are_reported(scene: &Scene) -> Result<()> {
    let topic = scene.group_topic(ControlTopic::GroupState);
    let held = scene.held();
    let genuine = held.get(&topic).context("no statement")?;
    let mut other = claims::<GroupStatement>(genuine).context("not a statement")?;
    other.policy.signed = false;
    let other = sign_message(
        scene.network.genesis(),
        other,
        &statement_key(&scene.network)?,
    )?;
    let beacons = scene.group_topic(ControlTopic::Beacon);
    let beacon = held.get(&beacons).context("no beacon")?;
    let mut beacon = claims::<Beacon>(beacon).context("not a beacon")?;
    beacon.statement = hash_of(&other);
    let beacon = sign_message(
        scene.network.genesis(),
        beacon,
        &statement_key(&scene.network)?,
    )?;
    for (topic, other) in [(topic, other.to_wire()), (beacons, beacon.to_wire())] {
        let said = noted(&scene.network, READER)?;
        scene.double.deliver(READER, &topic, &other, true).await?;
        notes(&scene.network, READER, said, ("conflict", "ALARM"), 1).await?;
    }
    // The first one stands, in which messages are signed.
    scene.publish(TOPIC, "signed as before").await?;
    scene.both_read("signed as before").await
}

/// KEX-9, BRG-6, STM-4: 1113 is given a statement and a key of its own; its receipt tells.
async fn two_keys_of_one_epoch_are_found_out(scene: &Scene) -> Result<()> {
    let network = &scene.network;
    let epoch = network.group(&scene.group).await?.epoch + 1;
    let custodian = TwoFaced {
        genesis: network.genesis(),
        account: network.gateway.account,
        key: statement_key(network)?,
        group: scene.group.clone(),
        epoch,
        secret: EpochSecret::new([0x66; 32]),
        victim: scene.member(OTHER).await?,
        state: scene.group_topic(ControlTopic::GroupState),
        beacon: scene.group_topic(ControlTopic::Beacon),
        grant: scene.grant_topic(OTHER, "valves")?,
    };
    let commitment = custodian.commitment();
    let said = noted(network, OTHER)?;
    let lie = scene.double.lie(move |passing| custodian.tells(passing));
    scene.rotate().await?;
    let learned = format!("secret of epoch {epoch}");
    notes(network, OTHER, said, ("secret", &learned), 1).await?;
    eventually(PATIENCE, "the conflict on the chain", || async {
        let view = network.chain.at(network.chain.finalized().await?.hash);
        let conflicts = view.conflicts(&scene.group).await?;
        let found = conflicts.iter().any(|conflict| {
            (
                conflict.epoch,
                conflict.device.as_str(),
                conflict.commitment,
            ) == (epoch, OTHER, commitment)
        });
        ensure!(found, "there are {conflicts:?}");
        Ok::<_, anyhow::Error>(())
    })
    .await?;
    // The genuine statement of that revision came second.
    drop(lie);
    let said = noted(network, OTHER)?;
    scene.double.cut(OTHER).await?;
    notes(network, OTHER, said, ("conflict", "ALARM"), 1).await?;
    scene.rotate().await?;
    scene.publish(TOPIC, "of one key again").await?;
    scene.both_read("of one key again").await
}
