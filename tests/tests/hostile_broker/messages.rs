//! What a hostile broker does to protected messages: each is read once or not at all.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
use keyward_protocol::{
    policy::Policy,
    topic::{ControlTopic, PREFIX},
    Role,
};
use keyward_tests::{
    agent::Subscriber,
    capture::Direction,
    device::Device,
    hostile::{to, Fate, Hostile, Lie, What},
    mqtt::Client,
    network::{Network, Plan},
    process,
    wait::{eventually, seconds},
};

use super::scene::{
    each_is_read_once, form, has_passed, noted, notes, since, times_read, Sender, GATEWAYS,
    PATIENCE,
};

const TOPIC: &str = "app/valve";
const LEVEL: &str = "app/level";
/// In a group that limits the age of messages.
const CLOCK: &str = "clock/valve";
/// Seconds.
const MAX_AGE: u32 = 6;
/// What `keyward-agent` says when the broker did not take a message in time (its exit code).
const UNREACHABLE: i32 = 8;
const PUBLISHER: &str = "1111";
const READER: &str = "1112";

struct Scene {
    network: Network,
    double: Hostile,
    sender: Sender,
    reader: Subscriber,
}

impl Scene {
    async fn set() -> Result<Self> {
        let plan = Plan::new(
            "hostile-messages",
            &[PUBLISHER, READER],
            &["app/#", "clock/#"],
        )?;
        let network = Network::start(plan).await?;
        let double = Hostile::before(network.broker.port()).await?;
        for id in [PUBLISHER, READER] {
            double.lure(network.agent(id)?).await?;
        }
        let mut device = Device::new("9001")?;
        device.enrol(&network).await?;
        let publisher = (PUBLISHER, Role::Publish);
        let reader = (READER, Role::Subscribe);
        let young = Policy {
            max_age: MAX_AGE,
            ..Policy::default()
        };
        let members = [publisher, reader, ("9001", Role::Publish)];
        let groups = form(
            &network,
            &[
                ("valves", "app/#", Policy::default(), &members),
                ("clocks", "clock/#", young, &members[..2]),
            ],
        )
        .await?;
        for group in &groups {
            network.settled(group).await?;
        }
        let sender = Sender::of(&network, device, &groups[0], TOPIC).await?;
        let mut reader = network.agent(READER)?.subscribe(&["app/#", "clock/#"])?;
        reader.ready().await?;
        Ok(Self {
            network,
            double,
            sender,
            reader,
        })
    }

    /// 1111 sends, with its own program and through the hostile broker.
    async fn publish(&self, topic: &str, text: &str) -> Result<Vec<u8>> {
        let publisher = self.network.agent(PUBLISHER)?;
        publisher.publish(topic, text).await?;
        let sent = self.double.seen(PUBLISHER, Direction::Up, topic).pop();
        Ok(sent.context("nothing was sent")?.payload)
    }

    /// Leaves a value on a topic.
    async fn retain(&self, text: &str) -> Result<Vec<u8>> {
        let publisher = self.network.agent(PUBLISHER)?;
        let mut publish = publisher.command(&["pub", "--retain", "--topic", LEVEL]);
        publish.args(["--message", text, "--timeout", "60"]);
        let ran = process::run(publish, seconds(65), publisher.log()).await?;
        ran.success()?;
        let sent = self.double.seen(PUBLISHER, Direction::Up, LEVEL).pop();
        Ok(sent.context("nothing was sent")?.payload)
    }

    /// Everything that was published so far has been judged by the reader when it has read this.
    async fn reads_on(&self, text: &str) -> Result<()> {
        self.sender.send(text).await?;
        self.reader.reads(text, PATIENCE).await.map(drop)
    }

    /// Whatever is published to the reader meets this fate.
    fn lie(&self, fate: Fate) -> Lie {
        self.double.lie(to(READER, "app/", fate))
    }

    async fn refuses(&self, before: usize, reason: &str) -> Result<()> {
        self.reader
            .refuses(before, reason, PATIENCE)
            .await
            .map(drop)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_broker_does_to_messages_each_is_read_once_or_not_at_all() -> Result<()> {
    let scene = Scene::set().await?;
    scene.reads_on("at first").await?;
    // While it waits the others go on.
    let before = scene.reader.events().len();
    let delays = too_late_for_its_group(&scene).await?;

    dropped_messages_come_once_the_broker_is_honest(&scene).await?;
    delayed_messages_are_read(&scene).await?;
    a_publisher_says_when_its_message_is_not_acknowledged(&scene).await?;
    duplicated_messages_are_delivered_once(&scene).await?;
    reordered_messages_are_all_delivered(&scene).await?;

    scene.refuses(before, "Expired").await?;
    drop(delays);
    scene.publish(CLOCK, "in time").await?;
    scene.reader.reads("in time", PATIENCE).await?;

    changed_messages_are_refused_and_use_nothing_up(&scene).await?;
    retain_flags_make_nothing_new(&scene).await?;
    what_nobody_subscribed_to_is_not_shown_nor_believed(&scene).await?;
    a_session_that_is_denied_costs_nothing(&scene).await?;
    a_session_that_is_made_up_heals(&scene).await?;
    impostors_of_devices_read_nothing_and_are_not_believed(&scene).await?;
    scene.reads_on("at last").await
}

/// LNK-1: messages wait at the broker until the device has acknowledged them.
async fn dropped_messages_come_once_the_broker_is_honest(scene: &Scene) -> Result<()> {
    let lie = scene.lie(Fate::Drop);
    let texts = scene.sender.send_all("dropped", 3).await?;
    let last = scene.sender.send("dropped at last").await?;
    has_passed(&scene.double, READER, TOPIC, &last).await?;
    for text in &texts {
        ensure!(times_read(&scene.reader, text) == 0, "'{text}' was read");
    }
    drop(lie);
    scene.double.cut(READER).await?;
    each_is_read_once(&scene.reader, &texts).await
}

async fn delayed_messages_are_read(scene: &Scene) -> Result<()> {
    let lie = scene.lie(Fate::Delay(Duration::from_secs(2)));
    scene.publish(TOPIC, "delayed").await?;
    each_is_read_once(&scene.reader, &["delayed".into()]).await?;
    drop(lie);
    Ok(())
}

/// The program does not say that the broker has a message before the broker said so; a reader gets it all the same.
async fn a_publisher_says_when_its_message_is_not_acknowledged(scene: &Scene) -> Result<()> {
    let lie = scene.double.lie(|passing| {
        let is_one = passing.what == What::Acknowledgement && passing.client == PUBLISHER;
        is_one.then_some(Fate::Drop)
    });
    let publisher = scene.network.agent(PUBLISHER)?;
    let ran = publisher
        .try_to_publish(TOPIC, "not acknowledged", 8)
        .await?;
    ensure!(
        ran.code == Some(UNREACHABLE),
        "it ended with {:?}",
        ran.code
    );
    drop(lie);
    each_is_read_once(&scene.reader, &["not acknowledged".into()]).await
}

/// MSG-15; refused when the delay is over.
async fn too_late_for_its_group(scene: &Scene) -> Result<Lie> {
    let longer = Duration::from_secs(u64::from(MAX_AGE) + 3);
    let lie = scene.double.lie(to(READER, "clock/", Fate::Delay(longer)));
    scene.publish(CLOCK, "too late").await?;
    Ok(lie)
}

/// MSG-10.
async fn duplicated_messages_are_delivered_once(scene: &Scene) -> Result<()> {
    let before = scene.reader.events().len();
    let lie = scene.lie(Fate::Twice);
    let mut texts = scene.sender.send_all("duplicated", 5).await?;
    scene.publish(TOPIC, "duplicated by its program").await?;
    texts.push("duplicated by its program".into());
    for text in &texts {
        scene.reader.reads(text, PATIENCE).await?;
    }
    eventually(PATIENCE, "each duplicate to be refused", || async {
        let events = since(&scene.reader, before);
        let refused = events
            .iter()
            .filter(|event| event.reason.as_deref() == Some("Replayed"));
        let count = refused.count();
        ensure!(count >= texts.len(), "{count} are, of {}", texts.len());
        Ok::<_, anyhow::Error>(())
    })
    .await?;
    drop(lie);
    // A client must not acknowledge a message twice: the duplicates may have cost it its connection, and may still. On the next one
    // the broker sends again what it has no acknowledgement of.
    scene.double.cut(READER).await?;
    scene.reads_on("after the duplicates").await?;
    each_is_read_once(&scene.reader, &texts).await
}

/// MSG-10: the window takes what comes late, from one start of a sender and from several.
async fn reordered_messages_are_all_delivered(scene: &Scene) -> Result<()> {
    let before = scene.reader.events().len();
    let lie = scene.lie(Fate::Hold);
    let mut texts = scene.sender.send_all("reordered", 10).await?;
    for text in ["of one start", "of the next"] {
        scene.publish(TOPIC, text).await?;
        texts.push(text.into());
    }
    eventually(PATIENCE, "all to be held", || async {
        let held = scene.double.held();
        (held == texts.len()).then_some(()).ok_or(held)
    })
    .await?;
    scene.double.release().await?;
    drop(lie);
    each_is_read_once(&scene.reader, &texts).await?;
    let mut order: Vec<_> = since(&scene.reader, before)
        .into_iter()
        .filter_map(|event| event.payload)
        .filter(|payload| texts.contains(payload))
        .collect();
    order.reverse();
    ensure!(order == texts, "they were not reordered: {order:?}");
    Ok(())
}

/// ENV-2, MSG-1, MSG-3, MSG-6; MSG-11: the genuine message is read afterwards.
async fn changed_messages_are_refused_and_use_nothing_up(scene: &Scene) -> Result<()> {
    let lie = scene.lie(Fate::Drop);
    let sealed = scene.sender.send("unchanged in the end").await?;
    has_passed(&scene.double, READER, TOPIC, &sealed).await?;
    let before = scene.reader.events().len();
    for changed in changes(&sealed) {
        scene.double.deliver(READER, TOPIC, &changed, false).await?;
    }
    // The last change is in the signature: what came before it has been judged.
    scene.refuses(before, "Signature").await?;
    let read: Vec<_> = since(&scene.reader, before)
        .into_iter()
        .filter(|event| event.is_message())
        .collect();
    ensure!(read.is_empty(), "these were read: {read:?}");
    drop(lie);
    scene.double.deliver(READER, TOPIC, &sealed, false).await?;
    each_is_read_once(&scene.reader, &["unchanged in the end".into()]).await
}

/// Every truncation, one more message and more bytes than a message has behind it, and a flipped bit in every byte.
fn changes(sealed: &[u8]) -> Vec<Vec<u8>> {
    let truncated = (0..sealed.len()).map(|length| sealed[..length].to_vec());
    let extended = [
        [sealed, sealed].concat(),
        [sealed, &vec![0; keyward_protocol::limits::PAYLOAD][..]].concat(),
    ];
    let flipped = (0..sealed.len()).map(|at| {
        let mut flipped = sealed.to_vec();
        flipped[at] ^= 1 << (at % 8);
        flipped
    });
    truncated.chain(extended).chain(flipped).collect()
}

/// MSG-10 and MSG-12.
async fn retain_flags_make_nothing_new(scene: &Scene) -> Result<()> {
    let before = scene.reader.events().len();
    let live = scene.double.lie(|passing| {
        passing
            .is_to(READER, "app/")
            .then(|| passing.with_retain(true))
    });
    let sealed = scene.sender.send("live, whatever is said").await?;
    let read = scene
        .reader
        .reads("live, whatever is said", PATIENCE)
        .await?;
    ensure!(read.marks.is_empty(), "it is marked {:?}", read.marks);
    scene.double.deliver(READER, TOPIC, &sealed, true).await?;
    scene.refuses(before, "Replayed").await?;
    drop(live);

    let first = scene.retain("level 7").await?;
    let read = scene.reader.reads("level 7", PATIENCE).await?;
    ensure!(read.marks == ["retained"], "it is marked {:?}", read.marks);
    let before = scene.reader.events().len();
    scene.double.deliver(READER, LEVEL, &first, false).await?;
    scene.refuses(before, "Replayed").await?;
    scene.double.deliver(READER, LEVEL, &first, true).await?;
    eventually(PATIENCE, "the value again, marked as such", || async {
        let events = since(&scene.reader, before);
        let repeat = |mark: &String| mark == "repeat";
        let marked = events.iter().filter(|event| event.is_message());
        let marks: Vec<_> = marked.map(|event| &event.marks).collect();
        let right = marks.len() == 1 && marks[0].iter().any(repeat);
        right.then_some(()).ok_or(format!("{marks:?}"))
    })
    .await?;
    scene.retain("level 8").await?;
    scene.reader.reads("level 8", PATIENCE).await?;
    scene.double.deliver(READER, LEVEL, &first, true).await?;
    scene.refuses(before, "OldValue").await
}

/// STM-12: neither unprotected topics, nor what gateways say to others.
async fn what_nobody_subscribed_to_is_not_shown_nor_believed(scene: &Scene) -> Result<()> {
    let (before, said) = (scene.reader.events().len(), noted(&scene.network, READER)?);
    let sealed = scene.sender.send("on another topic").await?;
    scene.reader.reads("on another topic", PATIENCE).await?;
    for topic in ["plain/valve", "$SYS/broker/version", "keyward/v1/gateway"] {
        for payload in [&sealed[..], b"open"] {
            scene.double.deliver(READER, topic, payload, false).await?;
        }
    }
    let held = scene.network.observer.everything();
    let name = &scene.network.gateway.name;
    let publisher = PUBLISHER.parse()?;
    let others = [
        ControlTopic::DeviceState(name.clone(), publisher),
        ControlTopic::Grant(name.clone(), PUBLISHER.parse()?, "valves".parse()?),
    ];
    for topic in others.map(|topic| topic.to_topic(PREFIX)) {
        let payload = held.get(&topic).with_context(|| format!("no {topic}"))?;
        scene.double.deliver(READER, &topic, payload, true).await?;
    }
    let another = "keyward/v1/gateway/gw2/group/valves/state";
    let ours = format!("{GATEWAYS}{name}/group/valves/state");
    let statement = held.get(&ours).context("no statement")?;
    scene
        .double
        .deliver(READER, another, statement, true)
        .await?;
    for (text, times) in [("names another gateway", 2), ("is no custodian", 1)] {
        let refused = ("control-refused", text);
        notes(&scene.network, READER, said, refused, times).await?;
    }
    scene.reads_on("on its own topic").await?;
    let shown = since(&scene.reader, before);
    ensure!(shown.len() == 2, "more than its messages: {shown:?}");
    Ok(())
}

/// LNK-1: it subscribes again, and what comes twice by that is delivered once.
async fn a_session_that_is_denied_costs_nothing(scene: &Scene) -> Result<()> {
    let lie = scene.double.lie(|passing| {
        let is_session = matches!(passing.what, What::Session(_)) && passing.client == READER;
        is_session.then_some(Fate::Session(false))
    });
    scene.double.cut(READER).await?;
    scene.reads_on("without a session").await?;
    drop(lie);
    scene.double.cut(READER).await?;
    scene.reads_on("with a session").await?;
    for text in ["without a session", "with a session", "at first"] {
        let times = times_read(&scene.reader, text);
        ensure!(times == 1, "'{text}' was delivered {times} times");
    }
    Ok(())
}

/// LNK-1: the broker has forgotten it and says that it has not; the device subscribes again at the latest when it comes back.
async fn a_session_that_is_made_up_heals(scene: &Scene) -> Result<()> {
    let lie = scene.double.lie(|passing| match passing.what {
        What::Connect if passing.client == READER => Some(Fate::Forget),
        What::Session(_) if passing.client == READER => Some(Fate::Session(true)),
        _ => None,
    });
    scene.double.cut(READER).await?;
    drop(lie);
    scene.double.cut(READER).await?;
    scene.reads_on("in spite of a made up session").await
}

/// Client ids are no secret: whoever takes one at the broker gets what is sent to it, and may write where it may.
async fn impostors_of_devices_read_nothing_and_are_not_believed(scene: &Scene) -> Result<()> {
    let broker = &scene.network.broker;
    let mut taken = Vec::new();
    for round in 0..3 {
        let (impostor, incoming) = Client::connect(&broker.device(READER)).await?;
        // The genuine one may have taken its id back already.
        let _ = impostor.subscribe("app/#").await;
        let _ = impostor.subscribe("keyward/v1/gateway/#").await;
        scene
            .sender
            .send(&format!("secret of round {round}"))
            .await?;
        eventually(PATIENCE, "the device to come back", || async {
            let gone = !impostor.is_connected();
            gone.then_some(()).ok_or("the impostor is still there")
        })
        .await?;
        taken.push(incoming);
    }
    scene.reads_on("after the impostors").await?;
    the_impostors_know_nothing(scene, taken)?;

    let sealed = scene.publish(TOPIC, "of the genuine publisher").await?;
    scene
        .reader
        .reads("of the genuine publisher", PATIENCE)
        .await?;
    let before = scene.reader.events().len();
    let (impostor, _incoming) = Client::connect(&broker.device(PUBLISHER)).await?;
    impostor.publish(TOPIC, b"open", false).await?;
    scene.refuses(before, "Plaintext").await?;
    impostor.publish(TOPIC, &sealed, false).await?;
    scene.refuses(before, "Replayed").await?;
    let read = since(&scene.reader, before);
    ensure!(!read.iter().any(|event| event.is_message()), "{read:?}");
    Ok(())
}

/// KEY-4, MSG-1: ciphertext, and grants for others.
fn the_impostors_know_nothing(
    scene: &Scene,
    taken: Vec<tokio::sync::mpsc::UnboundedReceiver<keyward_tests::mqtt::Publish>>,
) -> Result<()> {
    let mut got = Vec::new();
    for mut incoming in taken {
        got.extend(std::iter::from_fn(|| incoming.try_recv().ok()));
    }
    let grants = format!("{GATEWAYS}{}/grant/{READER}/", scene.network.gateway.name);
    ensure!(
        got.iter().any(|publish| publish.topic.starts_with(&grants)),
        "no impostor was ever the device: they got {} messages",
        got.len()
    );
    let secret = b"secret of round";
    let tells = |payload: &[u8]| payload.windows(secret.len()).any(|window| window == secret);
    ensure!(
        !got.iter().any(|publish| tells(&publish.payload)),
        "an impostor was told a secret"
    );
    Ok(())
}
