//! The MQTT packets that a broker lies with, 3.1.1 and 5: CONNECT, CONNACK, PUBLISH and PUBACK, read and written.

use crate::mqtt::Packet;

/// Bits of the first byte of a PUBLISH (MQTT 5, section 3.3.1).
const DUP: u8 = 0x08;
const RETAIN: u8 = 0x01;
/// First bytes of the packets that are written here.
const PUBLISH: u8 = 0x30;
const PUBACK: u8 = 0x40;
/// Clean Start, among the flags of a CONNECT (section 3.1.2.4).
const CLEAN: u8 = 0x02;
/// Where those flags stand in the body: after the protocol's name and its level.
const FLAGS: usize = 7;

/// A packet, as far as a broker that lies looks into it.
pub(super) enum Kind {
    /// CONNECT.
    Connect,
    /// CONNACK, with Session Present.
    Connack(bool),
    /// PUBLISH.
    Publish(Publish),
    /// PUBACK, with its packet id.
    Puback(u16),
    /// Anything else.
    Other,
}

impl Kind {
    /// Reads a packet of a connection of this protocol level.
    pub(super) fn of(packet: &Packet, level: u8) -> Self {
        let Some((first, body)) = split(packet.bytes()) else {
            return Self::Other;
        };
        match first >> 4 {
            1 => Self::Connect,
            2 => Self::Connack(body.first().is_some_and(|flags| flags & 1 != 0)),
            3 => Publish::read(first, body, level).map_or(Self::Other, Self::Publish),
            4 => match body.first_chunk() {
                Some(id) => Self::Puback(u16::from_be_bytes(*id)),
                None => Self::Other,
            },
            _ => Self::Other,
        }
    }
}

/// A PUBLISH, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Publish {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) retain: bool,
    /// None: QoS 0.
    pub(super) id: Option<u16>,
    pub(super) dup: bool,
    pub(super) qos: u8,
    /// With their length; none in MQTT 3.1.1.
    pub(super) properties: Vec<u8>,
}

impl Publish {
    /// With QoS 0.
    pub(super) fn new(topic: &str, payload: &[u8], retain: bool, level: u8) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            retain,
            id: None,
            dup: false,
            qos: 0,
            properties: if level == 5 { vec![0] } else { Vec::new() },
        }
    }

    fn read(first: u8, body: &[u8], level: u8) -> Option<Self> {
        let (length, rest) = body.split_first_chunk::<2>()?;
        let (topic, mut rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let qos = first >> 1 & 3;
        let mut id = None;
        if qos > 0 {
            let (bytes, after) = rest.split_first_chunk::<2>()?;
            (id, rest) = (Some(u16::from_be_bytes(*bytes)), after);
        }
        let properties = match level {
            5 => {
                let (length, used) = variable(rest)?;
                length + used
            }
            _ => 0,
        };
        let (properties, payload) = rest.split_at_checked(properties)?;
        Some(Self {
            topic: String::from_utf8(topic.to_vec()).ok()?,
            payload: payload.to_vec(),
            retain: first & RETAIN != 0,
            id,
            dup: first & DUP != 0,
            qos,
            properties: properties.to_vec(),
        })
    }

    /// The same packet, marked as sent before if it may be.
    pub(super) fn again(&self) -> Self {
        Self {
            dup: self.qos > 0,
            ..self.clone()
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        let first = PUBLISH | flag(self.dup, DUP) | self.qos << 1 | flag(self.retain, RETAIN);
        let length = u16::try_from(self.topic.len()).expect("topics are short");
        let mut body = [&length.to_be_bytes(), self.topic.as_bytes()].concat();
        body.extend(self.id.into_iter().flat_map(u16::to_be_bytes));
        body.extend_from_slice(&self.properties);
        body.extend_from_slice(&self.payload);
        joined(first, &body)
    }
}

/// A PUBACK that says that all is well; the same in both versions.
pub(super) fn puback(id: u16) -> Vec<u8> {
    joined(PUBACK, &id.to_be_bytes())
}

/// A CONNACK that says something else about the session.
pub(super) fn with_session(connack: &Packet, present: bool) -> Vec<u8> {
    rewritten(connack, 0, |flags| flags & !1 | u8::from(present))
}

/// A CONNECT after which the broker forgets the session that it had.
pub(super) fn with_clean_start(connect: &Packet) -> Vec<u8> {
    rewritten(connect, FLAGS, |flags| flags | CLEAN)
}

/// A packet with one byte of its body changed.
fn rewritten(packet: &Packet, at: usize, change: impl Fn(u8) -> u8) -> Vec<u8> {
    let mut bytes = packet.bytes().to_vec();
    let body = split(&bytes).map_or(0, |(_, body)| bytes.len() - body.len());
    if let Some(byte) = bytes.get_mut(body + at) {
        *byte = change(*byte);
    }
    bytes
}

/// First byte and body.
fn split(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (_, used) = variable(rest)?;
    Some((*first, rest.get(used..)?))
}

/// A variable byte integer, and how many bytes it took (MQTT 5, section 1.5.5).
fn variable(bytes: &[u8]) -> Option<(usize, usize)> {
    let used = bytes.iter().take(4).position(|byte| byte & 0x80 == 0)? + 1;
    let low = |byte: &u8| usize::from(byte & 0x7f);
    let value = bytes.iter().take(used).rev().map(low);
    Some((value.fold(0, |value, low| value << 7 | low), used))
}

fn joined(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    while length > 0x7f {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(bytes: &[u8]) -> Packet {
        Packet::cut(&mut bytes.to_vec()).unwrap().unwrap()
    }

    #[test]
    fn a_publish_is_written_as_it_was_read() {
        for (level, payload) in [(4, 0), (5, 3), (5, 200), (5, 20_000)] {
            let properties: &[u8] = if level == 5 { &[2, 0x01, 0x01] } else { &[] };
            let body = [&[0, 1, b't', 0, 9][..], properties, &vec![7; payload]].concat();
            let bytes = joined(0x33, &body);
            let Kind::Publish(publish) = Kind::of(&cut(&bytes), level) else {
                panic!("not a PUBLISH");
            };
            assert_eq!(
                (publish.topic.as_str(), publish.retain, publish.id),
                ("t", true, Some(9))
            );
            assert_eq!(publish.payload.len(), payload);
            assert_eq!(publish.bytes(), bytes);
            assert_eq!(publish.again().bytes()[0], 0x3b);
        }
    }

    #[test]
    fn what_is_said_of_a_session_is_all_that_changes() {
        let connack = cut(&[0x20, 3, 0, 0, 0]);
        assert_eq!(with_session(&connack, true), [0x20, 3, 1, 0, 0]);
        assert_eq!(with_session(&connack, false), [0x20, 3, 0, 0, 0]);
        let connect = cut(b"\x10\x0f\0\x04MQTT\x05\xc0\0\x1e\0\0\x02gw");
        let clean = with_clean_start(&connect);
        assert_eq!(clean, b"\x10\x0f\0\x04MQTT\x05\xc2\0\x1e\0\0\x02gw");
        assert!(matches!(Kind::of(&cut(&puback(258)), 5), Kind::Puback(258)));
    }
}
