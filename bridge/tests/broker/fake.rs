//! A broker that says to each packet what a test has it say, and keeps nothing.

use std::sync::Arc;

use keyward_bridge::mqtt::Settings;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::settings;

/// What the bridge sends (MQTT 5, chapter 3), as far as an answer depends on it.
pub enum Packet {
    /// A PUBLISH with QoS 1.
    Publish {
        /// Its topic.
        topic: String,
        /// Its packet id.
        id: [u8; 2],
    },
    /// A SUBSCRIBE to three filters.
    Subscribe {
        /// Its packet id.
        id: [u8; 2],
        /// The subscription identifier, as it stands in a packet.
        number: Vec<u8>,
    },
    /// Anything else.
    Other,
}

/// A PUBACK.
pub fn puback(id: [u8; 2]) -> Vec<u8> {
    vec![0x40, 2, id[0], id[1]]
}

/// A SUBACK that grants all three filters.
pub fn suback(id: [u8; 2]) -> Vec<u8> {
    vec![0x90, 6, id[0], id[1], 0, 1, 1, 1]
}

/// A retained message with QoS 0, of a subscription with this identifier.
pub fn retained(topic: &str, payload: &[u8], number: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).expect("short");
    let properties = [&[0x0b], number].concat();
    let body = [
        &[0, length(topic.as_bytes())],
        topic.as_bytes(),
        &[length(&properties)],
        &properties,
        payload,
    ]
    .concat();
    [&[0x31, length(&body)], &body[..]].concat()
}

/// The broker.
pub struct Fake {
    port: u16,
}

impl Fake {
    /// Connections and pings are answered as ever.
    pub async fn start(answer: impl Fn(Packet) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answer.clone()));
            }
        });
        Self { port }
    }

    /// Where and as whom to connect.
    pub fn settings(&self) -> Settings {
        settings(self.port)
    }
}

async fn serve(mut stream: TcpStream, answer: Arc<impl Fn(Packet) -> Vec<u8>>) -> Option<()> {
    loop {
        let (first, body) = read_packet(&mut stream).await?;
        let said = match first >> 4 {
            1 => vec![0x20, 3, 0, 0, 0],
            12 => vec![0xd0, 0],
            _ => answer(packet(first, &body)),
        };
        stream.write_all(&said).await.ok()?;
    }
}

/// First byte and body.
async fn read_packet(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let first = stream.read_u8().await.ok()?;
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        let byte = stream.read_u8().await.ok()?;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((first, body))
}

fn packet(first: u8, body: &[u8]) -> Packet {
    match first >> 4 {
        3 => {
            let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
            let (topic, rest) = body[2..].split_at(length);
            Packet::Publish {
                topic: String::from_utf8(topic.to_vec()).unwrap(),
                id: [rest[0], rest[1]],
            }
        }
        8 => {
            // Its only property: how many bytes, which, and the identifier.
            let end = 3 + usize::from(body[2]);
            Packet::Subscribe {
                id: [body[0], body[1]],
                number: body[4..end].to_vec(),
            }
        }
        _ => Packet::Other,
    }
}
