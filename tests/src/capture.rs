//! A wire capture: a relay between one device and the broker that passes every byte on as it came and keeps the PUBLISH
//! packets that it saw. It needs no privileges, unlike a sniffer, and sees the same bytes. A test may have it withhold
//! messages, as a hostile network can.

use std::sync::{
    atomic::{AtomicBool, Ordering},
    Arc, Mutex, PoisonError,
};

use anyhow::{Context, Result};
use keyward_protocol::topic::PREFIX;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        tcp::{OwnedReadHalf, OwnedWriteHalf},
        TcpListener, TcpStream,
    },
    task::JoinHandle,
};

use crate::mqtt::Packet;

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the device to the broker.
    Up,
    /// From the broker to the device.
    Down,
}

/// A PUBLISH packet that was really sent.
#[derive(Clone, Debug)]
pub struct Captured {
    /// Which way.
    pub direction: Direction,
    /// The whole packet.
    pub packet: Vec<u8>,
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
    /// Its RETAIN flag.
    pub retain: bool,
}

#[derive(Clone, Default)]
struct Shared {
    packets: Arc<Mutex<Vec<Captured>>>,
    withholds: Arc<AtomicBool>,
}

impl Shared {
    fn packets(&self) -> std::sync::MutexGuard<'_, Vec<Captured>> {
        self.packets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The relay of one device.
pub struct Capture {
    port: u16,
    shared: Shared,
    task: JoinHandle<()>,
}

impl Capture {
    /// Listens on a free port and passes everything to the broker's.
    pub async fn before(broker: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("no free port for the capture")?;
        let port = listener.local_addr()?.port();
        let shared = Shared::default();
        let task = tokio::spawn(listen(listener, broker, shared.clone()));
        Ok(Self { port, shared, task })
    }

    /// Where the device connects instead of to the broker.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The packets so far.
    pub fn packets(&self) -> Vec<Captured> {
        self.shared.packets().clone()
    }

    /// The packets of one topic and direction.
    pub fn on(&self, topic: &str, direction: Direction) -> Vec<Captured> {
        let mut packets = self.packets();
        packets.retain(|packet| packet.topic == topic && packet.direction == direction);
        packets
    }

    /// Forgets the packets so far.
    pub fn clear(&self) {
        self.shared.packets().clear();
    }

    /// From now on, or no longer, keeps application messages to the device without delivering them.
    pub fn withhold(&self, withhold: bool) {
        self.shared.withholds.store(withhold, Ordering::SeqCst);
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(listener: TcpListener, broker: u16, shared: Shared) {
    // Relays end with their connections, or with the runtime.
    while let Ok((device, _)) = listener.accept().await {
        let shared = shared.clone();
        tokio::spawn(async move {
            if let Ok(broker) = TcpStream::connect(("127.0.0.1", broker)).await {
                relay(device, broker, shared).await;
            }
        });
    }
}

async fn relay(device: TcpStream, broker: TcpStream, shared: Shared) {
    // Small packets would wait for more; an error changes nothing but the speed.
    let _ = (device.set_nodelay(true), broker.set_nodelay(true));
    let level = Arc::new(Mutex::new(4));
    let (from_device, to_device) = device.into_split();
    let (from_broker, to_broker) = broker.into_split();
    let side = |direction| Side {
        direction,
        level: level.clone(),
        shared: shared.clone(),
    };
    tokio::select! {
        () = side(Direction::Up).copy(from_device, to_broker) => {}
        () = side(Direction::Down).copy(from_broker, to_device) => {}
    }
}

/// One direction of a connection.
struct Side {
    direction: Direction,
    level: Arc<Mutex<u8>>,
    shared: Shared,
}

impl Side {
    async fn copy(self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut stream = Vec::new();
        while let Ok(1..) = from.read_buf(&mut stream).await {
            while let Ok(Some(packet)) = Packet::cut(&mut stream) {
                // Kept before it is passed on: who sees the effect of a packet finds it in the capture.
                let passes = self.keep(&packet);
                if passes && to.write_all(packet.bytes()).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Keeps a PUBLISH; gives whether the packet is to be passed on.
    fn keep(&self, packet: &Packet) -> bool {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connected) = packet.connect_level() {
            *level = connected;
        }
        let Some(publish) = packet.publish(*level) else {
            return true;
        };
        let control = publish.topic.starts_with(PREFIX);
        self.shared.packets().push(Captured {
            direction: self.direction,
            packet: packet.bytes().to_vec(),
            topic: publish.topic,
            payload: publish.payload,
            retain: publish.retain,
        });
        let withholds = self.shared.withholds.load(Ordering::SeqCst);
        control || self.direction == Direction::Up || !withholds
    }
}
