//! One connection through the double: every packet of both directions meets the rules.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        tcp::{OwnedReadHalf, OwnedWriteHalf},
        TcpStream,
    },
    sync::{mpsc, Notify},
};

use super::{
    lock,
    packet::{self, Kind},
    rule::{Fate, Passing, What},
    Shared,
};
use crate::{capture::Direction, mqtt::Packet};

/// Packets that may wait to be written: whoever does not read slows the other side down.
const QUEUE: usize = 64;

/// The PUBLISH packets of one side that are not acknowledged, by packet id.
type Open = Arc<Mutex<HashMap<u16, Passing>>>;

/// The way to a client whose connection stands.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) to_client: mpsc::Sender<Vec<u8>>,
    pub(super) level: u8,
    pub(super) cut: Arc<Notify>,
}

impl Line {
    /// Whether both are of one connection.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.cut, &other.cut)
    }
}

/// Serves a client until one of the two sides ends, or the line is cut.
pub(super) async fn serve(client: TcpStream, broker: u16, shared: Arc<Shared>) -> Option<()> {
    let broker = TcpStream::connect(("127.0.0.1", broker)).await.ok()?;
    // Small packets would wait for more; an error changes nothing but the speed.
    let _ = (client.set_nodelay(true), broker.set_nodelay(true));
    let (mut from_client, client) = client.into_split();
    let (from_broker, broker) = broker.into_split();
    let mut stream = Vec::new();
    let connect = first(&mut from_client, &mut stream).await?;
    let (id, level) = (connect.client_id()?, connect.connect_level()?);
    let (to_client, client_queue) = mpsc::channel(QUEUE);
    let (to_broker, broker_queue) = mpsc::channel(QUEUE);
    let writers = [
        tokio::spawn(write(client, client_queue)),
        tokio::spawn(write(broker, broker_queue)),
    ];
    let line = Line {
        to_client: to_client.clone(),
        level,
        cut: Arc::default(),
    };
    shared.begun(&id, line.clone());
    let (sent, received) = (Open::default(), Open::default());
    let side = |direction, onward, back, open: &Open, answers: &Open| Side {
        direction,
        client: id.clone(),
        level,
        shared: shared.clone(),
        onward,
        back,
        open: open.clone(),
        answers: answers.clone(),
    };
    let up = side(
        Direction::Up,
        to_broker.clone(),
        to_client.clone(),
        &sent,
        &received,
    );
    let down = side(Direction::Down, to_client, to_broker, &received, &sent);
    tokio::select! {
        () = up.copy(from_client, stream, Some(connect)) => {}
        () = down.copy(from_broker, Vec::new(), None) => {}
        () = line.cut.notified() => writers.iter().for_each(|writer| writer.abort()),
    }
    shared.ended(&id, &line);
    Some(())
}

async fn first(from: &mut OwnedReadHalf, stream: &mut Vec<u8>) -> Option<Packet> {
    loop {
        if let Some(packet) = Packet::cut(stream).ok()? {
            return Some(packet);
        }
        if from.read_buf(stream).await.ok()? == 0 {
            return None;
        }
    }
}

/// Writes until nobody is left who could send more.
async fn write(mut to: OwnedWriteHalf, mut queue: mpsc::Receiver<Vec<u8>>) {
    while let Some(bytes) = queue.recv().await {
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// One direction of a connection.
struct Side {
    direction: Direction,
    client: String,
    level: u8,
    shared: Arc<Shared>,
    onward: mpsc::Sender<Vec<u8>>,
    back: mpsc::Sender<Vec<u8>>,
    /// What this side published.
    open: Open,
    /// What it acknowledges.
    answers: Open,
}

impl Side {
    async fn copy(self, mut from: OwnedReadHalf, mut stream: Vec<u8>, mut first: Option<Packet>) {
        loop {
            let next = match first.take() {
                Some(packet) => Ok(Some(packet)),
                None => Packet::cut(&mut stream),
            };
            match next {
                Ok(Some(packet)) => {
                    if self.pass(&packet).await.is_none() {
                        return;
                    }
                }
                Ok(None) => match from.read_buf(&mut stream).await {
                    Ok(1..) => {}
                    _ => return,
                },
                Err(_) => return,
            }
        }
    }

    /// Does with a packet what the rules say; nothing when the connection has ended.
    async fn pass(&self, packet: &Packet) -> Option<()> {
        let kind = Kind::of(packet, self.level);
        let fate = match self.passing(&kind) {
            Some(passing) => {
                self.note(&kind, &passing);
                self.shared.fate(&passing)
            }
            None => Fate::Pass,
        };
        self.carry_out(fate, packet, &kind).await?;
        if matches!(kind, Kind::Connack(_)) {
            self.shared.stands(&self.client);
        }
        Some(())
    }

    fn passing(&self, kind: &Kind) -> Option<Passing> {
        let bare = |what| Passing {
            client: self.client.clone(),
            direction: self.direction,
            what,
            topic: String::new(),
            payload: Vec::new(),
            retain: false,
        };
        match kind {
            Kind::Connect => Some(bare(What::Connect)),
            Kind::Connack(present) => Some(bare(What::Session(*present))),
            Kind::Publish(publish) => Some(Passing {
                topic: publish.topic.clone(),
                payload: publish.payload.clone(),
                retain: publish.retain,
                ..bare(What::Publish)
            }),
            Kind::Puback(id) => {
                let answered = lock(&self.answers).remove(id)?;
                Some(Passing {
                    direction: self.direction,
                    what: What::Acknowledgement,
                    ..answered
                })
            }
            Kind::Other => None,
        }
    }

    /// Remembers what is published, before it is passed on: who sees the effect of a packet finds it among what was seen.
    fn note(&self, kind: &Kind, passing: &Passing) {
        if let Kind::Publish(publish) = kind {
            if let Some(id) = publish.id {
                lock(&self.open).insert(id, passing.clone());
            }
            lock(&self.shared.seen).push(passing.clone());
        }
    }

    async fn carry_out(&self, fate: Fate, packet: &Packet, kind: &Kind) -> Option<()> {
        let bytes = packet.bytes().to_vec();
        match (fate, kind) {
            (Fate::Drop, _) => {}
            (Fate::Swallow, Kind::Publish(publish)) => {
                if let Some(id) = publish.id {
                    self.back.send(packet::puback(id)).await.ok()?;
                }
            }
            (Fate::Delay(time), _) => {
                let onward = self.onward.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    // The connection may have ended meanwhile: then the packet is lost with it.
                    let _ = onward.send(bytes).await;
                });
            }
            (Fate::Twice, Kind::Publish(publish)) => {
                self.onward.send(bytes).await.ok()?;
                self.onward.send(publish.again().bytes()).await.ok()?;
            }
            (Fate::Hold, _) => lock(&self.shared.held).push((self.onward.clone(), bytes)),
            (
                Fate::Instead {
                    topic,
                    payload,
                    retain,
                },
                Kind::Publish(publish),
            ) => {
                let other = packet::Publish {
                    topic,
                    payload,
                    retain,
                    ..publish.clone()
                };
                self.onward.send(other.bytes()).await.ok()?;
            }
            (Fate::Session(present), Kind::Connack(_)) => {
                let lie = packet::with_session(packet, present);
                self.onward.send(lie).await.ok()?;
            }
            (Fate::Forget, Kind::Connect) => {
                let lie = packet::with_clean_start(packet);
                self.onward.send(lie).await.ok()?;
            }
            // What does not fit the packet is no lie about it.
            _ => self.onward.send(bytes).await.ok()?,
        }
        Some(())
    }
}
