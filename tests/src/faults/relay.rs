//! A relay between one party and the broker that passes every packet on as it came, and notes each PUBLISH and PUBACK before that.
//! It can keep what a party sends until the party is killed: it has sent it, and the broker never hears of it.

use std::sync::{
    atomic::{AtomicU64, AtomicU8, Ordering},
    Arc,
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        tcp::{OwnedReadHalf, OwnedWriteHalf},
        TcpListener, TcpStream,
    },
    sync::watch,
    task::JoinHandle,
};

use crate::{
    judge::evidence::{self, Content, Log, What},
    mqtt::Packet,
};

/// Packet types (MQTT 5, section 2.1.2).
const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
/// Reason codes from here on say that a packet was not taken (section 2.4).
const FAILURE: u8 = 0x80;

/// Numbers of connections, for all relays of this process.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// What becomes of what a party sends.
#[derive(Clone, Copy, Default)]
struct Sending {
    /// Whether it is kept here.
    kept: bool,
    /// Connections from before this number rose are cut.
    cuts: u64,
}

/// The relay of one party.
pub struct Relay {
    port: u16,
    sending: watch::Sender<Sending>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Listens on a free port and passes everything to the broker's.
    pub async fn before(broker: u16, party: &str, log: &Log) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("no free port for a relay")?;
        let port = listener.local_addr()?.port();
        let (sending, changes) = watch::channel(Sending::default());
        let task = tokio::spawn(listen(
            listener,
            broker,
            party.to_owned(),
            changes,
            log.clone(),
        ));
        Ok(Self {
            port,
            sending,
            task,
        })
    }

    /// Where the party connects instead of to the broker.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Keeps what the party sends from now on, and passes on what it is sent.
    pub fn keep(&self) {
        self.sending.send_modify(|sending| sending.kept = true);
    }

    /// Cuts the party's connections, and with them what was kept. Later ones pass everything.
    pub fn cut(&self) {
        self.sending.send_modify(|sending| {
            sending.kept = false;
            sending.cuts += 1;
        });
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(
    listener: TcpListener,
    broker: u16,
    party: String,
    changes: watch::Receiver<Sending>,
    log: Log,
) {
    // Connections end with one of their sides, or with the runtime.
    while let Ok((near, _)) = listener.accept().await {
        let connection = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
        log.note(What::Connection {
            connection,
            party: party.clone(),
        });
        let (log, changes) = (log.clone(), changes.clone());
        tokio::spawn(async move {
            if let Ok(far) = TcpStream::connect(("127.0.0.1", broker)).await {
                pass(near, far, connection, changes, log).await;
            }
        });
    }
}

async fn pass(
    near: TcpStream,
    far: TcpStream,
    connection: u64,
    mut changes: watch::Receiver<Sending>,
    log: Log,
) {
    // Small packets would wait for more; an error changes nothing but the speed.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let level = Arc::new(AtomicU8::new(4));
    let (from_near, to_near) = near.into_split();
    let (from_far, to_far) = far.into_split();
    let side = |up| Side {
        connection,
        up,
        level: level.clone(),
        changes: changes.clone(),
        log: log.clone(),
    };
    let (up, down) = (side(true), side(false));
    let cuts = changes.borrow().cuts;
    tokio::select! {
        biased;
        _ = changes.wait_for(|sending| sending.cuts != cuts) => {}
        () = up.copy(from_near, to_far) => {}
        () = down.copy(from_far, to_near) => {}
    }
}

/// One direction of a connection.
struct Side {
    connection: u64,
    up: bool,
    level: Arc<AtomicU8>,
    changes: watch::Receiver<Sending>,
    log: Log,
}

impl Side {
    async fn copy(mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut stream = Vec::new();
        while let Ok(1..) = from.read_buf(&mut stream).await {
            while let Ok(Some(packet)) = Packet::cut(&mut stream) {
                self.note(&packet);
                if self.up {
                    self.wait_while_kept().await;
                }
                if to.write_all(packet.bytes()).await.is_err() {
                    return;
                }
            }
        }
    }

    /// A connection whose packets are kept ends with its party, or is cut.
    async fn wait_while_kept(&mut self) {
        // An error means that the relay is gone: then everything passes.
        let _ = self.changes.wait_for(|sending| !sending.kept).await;
    }

    fn note(&self, packet: &Packet) {
        if let Some(level) = packet.connect_level() {
            self.level.store(level, Ordering::Relaxed);
        }
        if let Some(content) = content(packet, self.level.load(Ordering::Relaxed)) {
            self.log.note(What::Packet(evidence::Packet {
                connection: self.connection,
                up: self.up,
                content,
            }));
        }
    }
}

/// What is kept of a packet.
fn content(packet: &Packet, level: u8) -> Option<Content> {
    let bytes = packet.bytes();
    let first = *bytes.first()?;
    let body = body(bytes)?;
    match first >> 4 {
        PUBLISH => {
            let publish = packet.publish(level)?;
            let id = match first >> 1 & 3 {
                0 => None,
                _ => Some(number(body.get(2 + publish.topic.len()..)?)?),
            };
            Some(Content::Publish {
                id,
                topic: publish.topic,
                payload: publish.payload,
            })
        }
        PUBACK if body.get(2).is_none_or(|reason| *reason < FAILURE) => {
            Some(Content::Puback { id: number(body)? })
        }
        _ => None,
    }
}

fn number(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

/// What follows the remaining length (section 2.1.4).
fn body(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.get(1..)?.iter().position(|byte| byte & 0x80 == 0)?;
    bytes.get(end + 2..)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::echo::echo;

    fn cut(bytes: &[u8]) -> Packet {
        Packet::cut(&mut bytes.to_vec()).unwrap().unwrap()
    }

    #[test]
    fn a_publish_is_kept_with_its_identifier() {
        let packet = cut(&[0x32, 8, 0, 1, b't', 0, 9, 0, b'x', b'y']);
        let Some(Content::Publish { id, topic, payload }) = content(&packet, 5) else {
            panic!("it is not kept");
        };
        assert_eq!(
            (id, topic.as_str(), &payload[..]),
            (Some(9), "t", &b"xy"[..])
        );
    }

    #[test]
    fn a_publish_that_nobody_acknowledges_has_none() {
        let packet = cut(&[0x30, 5, 0, 1, b't', 0, b'x']);
        let kept = content(&packet, 5);
        assert!(matches!(kept, Some(Content::Publish { id: None, .. })));
    }

    #[test]
    fn only_a_puback_that_says_success_is_one() {
        let kept = content(&cut(&[0x40, 2, 0, 9]), 5);
        assert!(matches!(kept, Some(Content::Puback { id: 9 })));
        let kept = content(&cut(&[0x40, 3, 0, 9, 0x10]), 5);
        assert!(matches!(kept, Some(Content::Puback { id: 9 })));
        assert!(content(&cut(&[0x40, 3, 0, 9, 0x87]), 5).is_none());
    }

    /// What comes back of a PUBACK within half a second.
    async fn comes_back(stream: &mut TcpStream) -> Vec<u8> {
        stream.write_all(&[0x40, 2, 0, 9]).await.unwrap();
        let mut bytes = [0; 4];
        let half = std::time::Duration::from_millis(500);
        match tokio::time::timeout(half, stream.read(&mut bytes)).await {
            Ok(read) => bytes[..read.unwrap()].to_vec(),
            Err(_) => vec![0xff],
        }
    }

    #[tokio::test]
    async fn what_is_kept_never_arrives_and_later_connections_pass_everything() {
        let place = tempfile::tempdir().unwrap();
        let log = Log::new(&place.path().join("evidence")).unwrap();
        let relay = Relay::before(echo().await, "d", &log).await.unwrap();
        let connect = || TcpStream::connect(("127.0.0.1", relay.port()));
        let mut stream = connect().await.unwrap();
        assert_eq!(comes_back(&mut stream).await, [0x40, 2, 0, 9]);
        relay.keep();
        assert_eq!(
            comes_back(&mut stream).await,
            [0xff],
            "nothing, and it stands"
        );
        relay.cut();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        let mut stream = connect().await.unwrap();
        assert_eq!(comes_back(&mut stream).await, [0x40, 2, 0, 9]);
    }
}
