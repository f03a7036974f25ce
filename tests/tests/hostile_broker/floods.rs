//! Floods, and packets that are too long.

use anyhow::{ensure, Context, Result};
use keyward_chain_client::Call;
use keyward_protocol::limits;
use keyward_tests::{
    hostile::{resident, Flood},
    network::GATEWAY,
    wait::eventually,
};

use super::{
    gateway::{Scene, HONEST, PUBLISHER, READER, REMOVED, TOPIC},
    scene::{GATEWAYS, PATIENCE},
};

/// What a bridge and an agent may grow by under a flood, in bytes: less than what is thrown at each, and coarse, for a connection that
/// is made anew may take 16 MiB.
const GROWTH: u64 = 56 << 20;
/// As long as a payload may be on its way to a bridge, with a topic.
const LONG: usize = limits::CONTROL_PACKET - 256;
/// Packets of a flood each second, and how many must have come.
const RATE: usize = 400;
const ENOUGH: usize = 6_000;

/// LIM-1, MSG-13, BRG-5: a removal takes effect, devices hear of it, and memory stays bounded.
pub async fn floods_do_not_stop_a_removal(scene: &mut Scene) -> Result<()> {
    let bridge = scene.network.bridge.process().context("no bridge")?.id();
    let reader = scene.reader.process().id();
    let before = (resident(bridge)?, resident(reader)?);
    let held = scene.network.observer.everything();
    let ours: Vec<String> = held
        .into_keys()
        .filter(|topic| topic.starts_with(GATEWAYS))
        .collect();
    let floods = [
        scene
            .double
            .flood(GATEWAY, RATE, at_the_gateway(ours.clone())),
        scene.double.flood(READER, RATE, at_the_reader(ours)),
    ];
    wait_for(&floods, ENOUGH / 4).await?;
    let removed = Call::remove_members(scene.group(HONEST)?, &[REMOVED.parse()?]);
    scene.network.submit(removed).await?;
    let epoch = scene.network.settled(scene.group(HONEST)?).await?;
    let publisher = scene.network.agent(PUBLISHER)?;
    let sealed_in = publisher.publish(TOPIC, "in spite of it").await?.epoch;
    ensure!(sealed_in == epoch, "sealed in epoch {sealed_in}");
    let read = scene.reader.reads("in spite of it", PATIENCE).await?;
    ensure!(read.epoch == Some(epoch), "read in epoch {:?}", read.epoch);
    wait_for(&floods, ENOUGH).await?;
    scene.is_ready().await?;
    let thrown = floods.each_ref().map(Flood::bytes);
    ensure!(
        thrown.iter().all(|thrown| *thrown > GROWTH),
        "{thrown:?} bytes were thrown"
    );
    let after = (resident(bridge)?, resident(reader)?);
    for (who, before, after) in [("bridge", before.0, after.0), ("agent", before.1, after.1)] {
        ensure!(
            after < before + GROWTH,
            "the {who} grew from {before} to {after} bytes"
        );
    }
    drop(floods);
    scene.has_healed().await
}

async fn wait_for(floods: &[Flood], packets: usize) -> Result<()> {
    eventually(PATIENCE, "the flood", || async {
        let sent: Vec<_> = floods.iter().map(Flood::sent).collect();
        let enough = sent.iter().all(|sent| *sent >= packets);
        enough.then_some(()).ok_or(format!("{sent:?} came"))
    })
    .await
}

/// Below its branch, known and not; from devices, known and not; where it never subscribed; as long as a packet may be.
fn at_the_gateway(held: Vec<String>) -> impl Fn(usize) -> (String, Vec<u8>) {
    move |n| {
        let (topic, length) = match n % 6 {
            0 => (format!("{GATEWAYS}{GATEWAY}/flood/{n}"), LONG),
            1 => (held[n % held.len()].clone(), LONG),
            2 => (
                format!("keyward/v1/device/d{n}/{GATEWAY}/request"),
                limits::REQUEST,
            ),
            3 => (
                format!("keyward/v1/device/{READER}/{GATEWAY}/ack"),
                limits::SMALL,
            ),
            4 => (format!("app/{n}"), LONG),
            _ => (format!("{GATEWAYS}{GATEWAY}/grant/d{n}/{HONEST}"), LONG),
        };
        (topic, garbage(n, length))
    }
}

/// What gateways say, to it and to others; plaintext; messages of an epoch that will never be, forged and as long as a message
/// may be.
fn at_the_reader(held: Vec<String>) -> impl Fn(usize) -> (String, Vec<u8>) {
    move |n| match n % 6 {
        0 => (held[n % held.len()].clone(), garbage(n, limits::SMALL)),
        1 => (TOPIC.into(), garbage(n, 100)),
        2 => (TOPIC.into(), of_no_epoch(n, SIGNED, 180)),
        3 => (
            format!("{GATEWAYS}{GATEWAY}/grant/{READER}/{HONEST}"),
            garbage(n, limits::GRANT),
        ),
        4 => (format!("plain/{n}"), garbage(n, 1024)),
        _ => (TOPIC.into(), of_no_epoch(n, UNSIGNED, limits::PAYLOAD)),
    }
}

fn garbage(n: usize, length: usize) -> Vec<u8> {
    let bytes = (0..length).map(|at| (n.wrapping_mul(31) ^ at.wrapping_mul(7)) as u8);
    bytes.collect()
}

/// First bytes of a message (MSG-1). What carries a signature that is not its sender's is refused at once; what carries none may
/// become readable, by another policy of the statement that tells its epoch: it is kept for as long as there is room (MSG-13).
const SIGNED: u8 = 0x11;
const UNSIGNED: u8 = 0x10;

/// Of epoch 60, of the first member, of boot 1, of counter `n`.
fn of_no_epoch(n: usize, first: u8, length: usize) -> Vec<u8> {
    let header = [first, 60 << 2, 0, 1 << 2];
    let counter = match n {
        0..64 => vec![(n << 2) as u8],
        _ => ((n << 2 | 1) as u16).to_le_bytes().to_vec(),
    };
    [&header[..], &counter, &garbage(n, length)].concat()
}

/// LIM-1: more than a client said that it takes.
pub async fn packets_beyond_all_limits_cost_a_connection_and_no_more(scene: &Scene) -> Result<()> {
    for (client, length) in [
        (GATEWAY, limits::CONTROL_PACKET + 1),
        (READER, limits::MESSAGE_PACKET + 1),
    ] {
        let connections = scene.double.connections(client);
        let topic = format!("{GATEWAYS}{GATEWAY}/state");
        let payload = garbage(0, length);
        scene
            .double
            .deliver(client, &topic, &payload, false)
            .await?;
        let what = format!("{client} to connect again");
        eventually(PATIENCE, &what, || async {
            let now = scene.double.connections(client);
            (now > connections).then_some(()).ok_or("it has not")
        })
        .await?;
    }
    scene.is_ready().await
}
