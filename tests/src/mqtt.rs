//! MQTT 3.1.1, as much as the harness needs: packets cut out of a byte stream, and a plain client that can say anything.
//!
//! The client shares no code with bridge and agent, so that what it shows of the broker does not depend on what is tested.

use std::{
    collections::HashMap,
    sync::{
        atomic::{AtomicU16, Ordering},
        Arc, Mutex, PoisonError,
    },
    time::Duration,
};

use anyhow::{bail, ensure, Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        tcp::{OwnedReadHalf, OwnedWriteHalf},
        TcpStream,
    },
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// How long the broker has to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest packet that is read, in bytes.
const LARGEST: usize = 1 << 20;

/// Packet types (MQTT 3.1.1, section 2.2.1).
mod kind {
    pub const CONNECT: u8 = 1;
    pub const CONNACK: u8 = 2;
    pub const PUBLISH: u8 = 3;
    pub const PUBACK: u8 = 4;
    pub const SUBSCRIBE: u8 = 8;
    pub const SUBACK: u8 = 9;
}

/// A whole packet, as it stood in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    bytes: Vec<u8>,
    body: usize,
}

impl Packet {
    /// Cuts the first packet off a stream's bytes; `None` while it is not whole.
    pub fn cut(stream: &mut Vec<u8>) -> Result<Option<Self>> {
        let Some((length, used)) = remaining_length(stream.get(1..).unwrap_or_default())? else {
            return Ok(None);
        };
        let body = 1 + used;
        let end = body + length;
        ensure!(end <= LARGEST, "an MQTT packet of {end} bytes");
        if stream.len() < end {
            return Ok(None);
        }
        let bytes = stream.drain(..end).collect();
        Ok(Some(Self { bytes, body }))
    }

    /// All of its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn kind(&self) -> u8 {
        self.bytes[0] >> 4
    }

    fn body(&self) -> &[u8] {
        &self.bytes[self.body..]
    }

    /// Protocol level of a CONNECT: 4 for MQTT 3.1.1, 5 for MQTT 5.
    pub fn connect_level(&self) -> Option<u8> {
        (self.kind() == kind::CONNECT).then(|| self.body().get(6).copied())?
    }

    /// Client id of a CONNECT.
    pub fn client_id(&self) -> Option<String> {
        let level = self.connect_level()?;
        let mut rest = self.body().get(10..)?;
        if level == 5 {
            skip_properties(&mut rest)?;
        }
        String::from_utf8(take_string(&mut rest)?.to_vec()).ok()
    }

    /// What a PUBLISH says, for a connection of this protocol level.
    pub fn publish(&self, level: u8) -> Option<Publish> {
        if self.kind() != kind::PUBLISH {
            return None;
        }
        let qos = self.bytes[0] >> 1 & 3;
        let mut rest = self.body();
        let topic = String::from_utf8(take_string(&mut rest)?.to_vec()).ok()?;
        let id = match qos {
            0 => None,
            _ => {
                let (id, after) = rest.split_first_chunk::<2>()?;
                rest = after;
                Some(u16::from_be_bytes(*id))
            }
        };
        if level == 5 {
            skip_properties(&mut rest)?;
        }
        Some(Publish {
            topic,
            payload: rest.to_vec(),
            retain: self.bytes[0] & 1 != 0,
            id,
        })
    }
}

/// A PUBLISH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// The topic.
    pub topic: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// The RETAIN flag.
    pub retain: bool,
    id: Option<u16>,
}

/// Remaining length and how many bytes it took (section 2.2.3).
fn remaining_length(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let mut length = 0usize;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((length, at + 1)));
        }
    }
    match bytes.len() < 4 {
        true => Ok(None),
        false => bail!("not MQTT: no end of the remaining length"),
    }
}

fn skip_properties(rest: &mut &[u8]) -> Option<()> {
    let (length, used) = remaining_length(rest).ok()??;
    *rest = rest.get(used + length..)?;
    Some(())
}

fn take_string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<2>()?;
    let (text, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    *rest = after;
    Some(text)
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let low = (length & 0x7f) as u8;
        length >>= 7;
        bytes.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

fn string(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("text of a packet is short");
    [&length.to_be_bytes(), text].concat()
}

/// User name and password.
#[derive(Clone)]
pub struct Login {
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
}

/// Where a broker listens, and as whom to connect.
#[derive(Clone)]
pub struct Address {
    /// Port on the loopback address.
    pub port: u16,
    /// Client id.
    pub client_id: String,
    /// None: anonymous.
    pub login: Option<Login>,
}

fn connect_packet(address: &Address) -> Vec<u8> {
    const CLEAN: u8 = 0x02;
    const USER: u8 = 0x80;
    const PASSWORD: u8 = 0x40;
    let login = address
        .login
        .as_ref()
        .map(|login| (login.user.as_bytes(), login.password.as_bytes()));
    let flags = CLEAN | login.map_or(0, |_| USER | PASSWORD);
    let mut body = string(b"MQTT");
    body.extend_from_slice(&[4, flags, 0, 0]);
    body.extend(string(address.client_id.as_bytes()));
    if let Some((user, password)) = login {
        body.extend(string(user));
        body.extend(string(password));
    }
    packet(kind::CONNECT << 4, &body)
}

type Waiting = Arc<Mutex<HashMap<u16, oneshot::Sender<Vec<u8>>>>>;

/// A connected client. Everything is QoS 1; the connection ends when it is dropped.
pub struct Client {
    write: Arc<tokio::sync::Mutex<OwnedWriteHalf>>,
    waiting: Waiting,
    next: AtomicU16,
    reader: JoinHandle<()>,
}

impl Client {
    /// Connects. What comes in is sent to the receiver, which ends with the connection.
    pub async fn connect(address: &Address) -> Result<(Self, mpsc::UnboundedReceiver<Publish>)> {
        let stream = TcpStream::connect(("127.0.0.1", address.port))
            .await
            .with_context(|| format!("no broker at port {}", address.port))?;
        stream.set_nodelay(true)?;
        let (mut read, mut write) = stream.into_split();
        write.write_all(&connect_packet(address)).await?;
        let mut buffer = Vec::new();
        let answer = tokio::time::timeout(PATIENCE, next_packet(&mut read, &mut buffer))
            .await
            .context("the broker did not answer CONNECT")??;
        ensure!(
            answer.kind() == kind::CONNACK && answer.body().get(1) == Some(&0),
            "the broker refused the connection of {}",
            address.client_id
        );
        let write = Arc::new(tokio::sync::Mutex::new(write));
        let waiting = Waiting::default();
        let (sender, receiver) = mpsc::unbounded_channel();
        let reader = tokio::spawn(read_all(
            read,
            buffer,
            write.clone(),
            waiting.clone(),
            sender,
        ));
        let client = Self {
            write,
            waiting,
            next: AtomicU16::new(1),
            reader,
        };
        Ok((client, receiver))
    }

    /// Subscribes with QoS 1.
    pub async fn subscribe(&self, filter: &str) -> Result<()> {
        let rest = [&string(filter.as_bytes())[..], &[1]].concat();
        let body = |id: [u8; 2]| [&id[..], &rest].concat();
        let granted = self.request(kind::SUBSCRIBE << 4 | 2, body).await?;
        ensure!(
            granted.last() == Some(&1),
            "the broker refused the subscription to {filter}"
        );
        Ok(())
    }

    /// Publishes with QoS 1 and waits for the PUBACK.
    pub async fn publish(&self, topic: &str, payload: &[u8], retain: bool) -> Result<()> {
        const QOS_1: u8 = 2;
        let topic = string(topic.as_bytes());
        let body = |id: [u8; 2]| [&topic[..], &id, payload].concat();
        self.request(kind::PUBLISH << 4 | QOS_1 | u8::from(retain), body)
            .await?;
        Ok(())
    }

    async fn request(&self, first: u8, body: impl Fn([u8; 2]) -> Vec<u8>) -> Result<Vec<u8>> {
        let id = self.next.fetch_add(1, Ordering::Relaxed).max(1);
        let (sender, answer) = oneshot::channel();
        lock(&self.waiting).insert(id, sender);
        let bytes = packet(first, &body(id.to_be_bytes()));
        self.write.lock().await.write_all(&bytes).await?;
        let answered = tokio::time::timeout(PATIENCE, answer)
            .await
            .context("the broker did not acknowledge")?;
        answered.context("the broker closed the connection")
    }

    /// Whether the connection still stands.
    pub fn is_connected(&self) -> bool {
        !self.reader.is_finished()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn next_packet(read: &mut OwnedReadHalf, buffer: &mut Vec<u8>) -> Result<Packet> {
    loop {
        if let Some(packet) = Packet::cut(buffer)? {
            return Ok(packet);
        }
        let read = read.read_buf(buffer).await?;
        ensure!(read > 0, "the broker closed the connection");
    }
}

async fn read_all(
    mut read: OwnedReadHalf,
    mut buffer: Vec<u8>,
    write: Arc<tokio::sync::Mutex<OwnedWriteHalf>>,
    waiting: Waiting,
    incoming: mpsc::UnboundedSender<Publish>,
) {
    while let Ok(packet) = next_packet(&mut read, &mut buffer).await {
        if let Some(publish) = packet.publish(4) {
            if let Some(id) = publish.id {
                let ack = self::packet(kind::PUBACK << 4, &id.to_be_bytes());
                if write.lock().await.write_all(&ack).await.is_err() {
                    break;
                }
            }
            // Nobody listens any more: the client only publishes.
            let _ = incoming.send(publish);
            continue;
        }
        if matches!(packet.kind(), kind::PUBACK | kind::SUBACK) {
            answer(&waiting, packet.body());
        }
    }
    // Whoever still waits learns that the connection is gone.
    lock(&waiting).clear();
}

fn answer(waiting: &Waiting, body: &[u8]) {
    let Some((id, rest)) = body.split_first_chunk::<2>() else {
        return;
    };
    if let Some(sender) = lock(waiting).remove(&u16::from_be_bytes(*id)) {
        // The one who asked may have given up.
        let _ = sender.send(rest.to_vec());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publish_is_cut_out_of_a_stream_that_comes_in_pieces() {
        let body = [&string(b"hsu0001")[..], &[0, 9], b"25.0"].concat();
        let whole = packet(0x33, &body);
        let mut stream = Vec::new();
        for byte in &whole[..whole.len() - 1] {
            stream.push(*byte);
            assert_eq!(Packet::cut(&mut stream).unwrap(), None);
        }
        stream.extend_from_slice(&whole[whole.len() - 1..]);
        stream.push(0xd0);
        let cut = Packet::cut(&mut stream).unwrap().unwrap();
        assert_eq!(stream, [0xd0]);
        assert_eq!(cut.bytes(), whole);
        let publish = cut.publish(4).unwrap();
        assert_eq!(
            (
                publish.topic.as_str(),
                &publish.payload[..],
                publish.retain,
                publish.id
            ),
            ("hsu0001", &b"25.0"[..], true, Some(9))
        );
    }

    #[test]
    fn the_properties_of_an_mqtt_5_publish_are_no_payload() {
        let body = [&string(b"t")[..], &[3, 0x01, 0x01, 0x00], b"x"].concat();
        let mut stream = packet(0x30, &body);
        let cut = Packet::cut(&mut stream).unwrap().unwrap();
        assert_eq!(cut.publish(5).unwrap().payload, b"x");
    }

    #[test]
    fn a_connect_tells_its_level_and_client() {
        let address = Address {
            port: 1,
            client_id: "1111".into(),
            login: None,
        };
        let mut stream = connect_packet(&address);
        let cut = Packet::cut(&mut stream).unwrap().unwrap();
        assert_eq!(cut.connect_level(), Some(4));
        assert_eq!(cut.client_id().as_deref(), Some("1111"));
    }

    #[test]
    fn lengths_of_more_than_a_byte_survive() {
        for length in [0, 127, 128, 16_383, 16_384] {
            let mut stream = packet(0x30, &vec![7; length]);
            let cut = Packet::cut(&mut stream).unwrap().unwrap();
            assert_eq!(cut.body().len(), length);
        }
    }
}
