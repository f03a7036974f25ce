//! The protected message: the payload of an MQTT PUBLISH on a protected topic (MSG-1, DESIGN section 5.1).
//!
//! ```text
//! byte 0: version (high 4 bits) = 1, flags (low 4 bits): 1 signed · 2 time · 4 retained · 8 will
//! compact epoch u32 · compact sender index u32 · compact boot u32 · compact counter u64      (shortest encodings only)
//! ciphertext of [time u32 LE unix seconds] payload · tag 16 · [Ed25519 signature 64]
//! ```

use alloc::vec::Vec;
use codec::{Compact, Decode, Encode};
use core::fmt;

use crate::{
    bytes::{Digest, Genesis, Signature},
    id::GroupId,
    limits,
    wire::concat,
    VERSION,
};

const SIGNED: u8 = 1;
const TIME: u8 = 2;
const RETAINED: u8 = 4;
const WILL: u8 = 8;
const LABEL: &[u8; 18] = b"keyward/v1/message";

/// Length of the AEAD tag in bytes.
pub const TAG: usize = 16;
/// Length of a signature in bytes.
pub const SIGNATURE: usize = 64;
/// Longest header in bytes: first byte, three compact `u32`, one compact `u64`.
pub const MAX_HEADER: usize = 1 + 3 * 5 + 9;

/// Which key of a boot a message is sealed with (MSG-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Stream {
    /// Ordinary messages.
    Live = 0,
    /// Retained values.
    Retained = 1,
    /// Wills.
    Will = 2,
}

/// The clear part of a protected message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// Whether a signature follows the tag.
    pub signed: bool,
    /// Whether the plaintext begins with the time.
    pub timed: bool,
    /// Live, retained or will.
    pub stream: Stream,
    /// The epoch whose secret it is sealed with.
    pub epoch: u32,
    /// The sender's index in the group.
    pub sender: u32,
    /// The sender's boot: rises at each of its starts.
    pub boot: u32,
    /// Rises with each message of that boot and stream.
    pub counter: u64,
}

/// Why bytes are not a protected message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageInvalid {
    /// The first byte does not say version 1: very likely plaintext.
    NotProtected,
    /// More than 128 KiB of payload.
    TooLong,
    /// Ends before its fixed parts do.
    Truncated,
    /// A number that could have been written shorter, or is too large.
    Number,
    /// Retained and will at once.
    Flags,
}

impl fmt::Display for MessageInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotProtected => "not a protected message",
            Self::TooLong => "longer than a protected message may be",
            Self::Truncated => "truncated",
            Self::Number => "a number of the header is not in its shortest form",
            Self::Flags => "retained and will at once",
        })
    }
}

impl core::error::Error for MessageInvalid {}

impl Header {
    /// The header's bytes.
    pub fn to_wire(&self) -> Vec<u8> {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let first = (VERSION << 4)
            | flag(self.signed, SIGNED)
            | flag(self.timed, TIME)
            | flag(self.stream == Stream::Retained, RETAINED)
            | flag(self.stream == Stream::Will, WILL);
        let mut bytes = Vec::with_capacity(MAX_HEADER);
        bytes.push(first);
        Compact(self.epoch).encode_to(&mut bytes);
        Compact(self.sender).encode_to(&mut bytes);
        Compact(self.boot).encode_to(&mut bytes);
        Compact(self.counter).encode_to(&mut bytes);
        bytes
    }

    fn read(bytes: &mut &[u8]) -> Result<Self, MessageInvalid> {
        let (first, rest) = bytes.split_first().ok_or(MessageInvalid::NotProtected)?;
        if first >> 4 != VERSION {
            return Err(MessageInvalid::NotProtected);
        }
        *bytes = rest;
        let stream = match (first & RETAINED != 0, first & WILL != 0) {
            (false, false) => Stream::Live,
            (true, false) => Stream::Retained,
            (false, true) => Stream::Will,
            (true, true) => return Err(MessageInvalid::Flags),
        };
        Ok(Self {
            signed: first & SIGNED != 0,
            timed: first & TIME != 0,
            stream,
            epoch: number::<u32>(bytes)?,
            sender: number::<u32>(bytes)?,
            boot: number::<u32>(bytes)?,
            counter: number::<u64>(bytes)?,
        })
    }

    /// Bytes that protection adds to a payload with this header.
    pub fn overhead(&self) -> usize {
        let time = if self.timed { 4 } else { 0 };
        let signature = if self.signed { SIGNATURE } else { 0 };
        [self.to_wire().len(), time, TAG, signature].iter().sum()
    }

    /// The AEAD nonce (MSG-3): `boot BE32 ‖ counter BE64`.
    pub fn nonce(&self) -> [u8; 12] {
        let mut nonce = [0; 12];
        let (boot, counter) = nonce.split_at_mut(4);
        boot.copy_from_slice(&self.boot.to_be_bytes());
        counter.copy_from_slice(&self.counter.to_be_bytes());
        nonce
    }

    /// The HKDF info of the message key (MSG-2):
    /// `label ‖ len8 group ‖ group ‖ epoch LE32 ‖ index LE32 ‖ boot LE32 ‖ stream u8`.
    pub fn key_info(&self, group: &GroupId) -> Vec<u8> {
        concat(&[
            LABEL,
            &len8(group),
            group.as_bytes(),
            &self.epoch.to_le_bytes(),
            &self.sender.to_le_bytes(),
            &self.boot.to_le_bytes(),
            &[self.stream as u8],
        ])
    }
}

/// Reads a compact number; SCALE refuses what could be shorter.
fn number<T>(bytes: &mut &[u8]) -> Result<T, MessageInvalid>
where
    Compact<T>: Decode,
{
    let complete = bytes.len() >= compact_length(bytes);
    match Compact::<T>::decode(bytes) {
        Ok(Compact(number)) => Ok(number),
        Err(_) if complete => Err(MessageInvalid::Number),
        Err(_) => Err(MessageInvalid::Truncated),
    }
}

/// Length of the compact number that begins here, from the mode in its first byte.
fn compact_length(bytes: &[u8]) -> usize {
    match bytes.first() {
        None => 1,
        Some(first) => match first & 0b11 {
            0 => 1,
            1 => 2,
            2 => 4,
            _ => usize::from(first >> 2).saturating_add(5),
        },
    }
}

fn len8(group: &GroupId) -> [u8; 1] {
    [u8::try_from(group.as_bytes().len()).unwrap_or(u8::MAX)]
}

fn context(genesis: &Genesis, group: &GroupId, topic: &str) -> Vec<u8> {
    let length = u16::try_from(topic.len()).unwrap_or(u16::MAX);
    concat(&[
        &genesis.0,
        &len8(group),
        group.as_bytes(),
        &length.to_le_bytes(),
        topic.as_bytes(),
    ])
}

/// The associated data (MSG-5): `label ‖ genesis ‖ len8 group ‖ group ‖ len16 topic ‖ topic ‖ header`; lengths are little endian.
pub fn associated_data(genesis: &Genesis, group: &GroupId, topic: &str, header: &[u8]) -> Vec<u8> {
    concat(&[LABEL, &context(genesis, group, topic), header])
}

/// What is hashed into the signature's context (MSG-6): `genesis ‖ len8 group ‖ group ‖ len16 topic ‖ topic`. It is the same
/// for every message of a group on a topic.
pub fn signature_context(genesis: &Genesis, group: &GroupId, topic: &str) -> Vec<u8> {
    context(genesis, group, topic)
}

/// What the sender signs (MSG-6): `label ‖ BLAKE2b-256(context) ‖ header ‖ ciphertext ‖ tag`.
pub fn signature_payload(context: &Digest, sealed: &[u8]) -> Vec<u8> {
    concat(&[LABEL, &context.0, sealed])
}

/// A well-formed protected message, borrowed from its packet. Nothing of it is to be believed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The clear header.
    pub header: Header,
    /// The header's bytes.
    pub header_bytes: &'a [u8],
    /// Header, ciphertext and tag: what is signed.
    pub sealed: &'a [u8],
    /// Ciphertext and tag.
    pub ciphertext_and_tag: &'a [u8],
    /// The signature, if the flag says that there is one.
    pub signature: Option<Signature>,
}

impl<'a> Message<'a> {
    /// Reads hostile bytes.
    pub fn from_wire(bytes: &'a [u8]) -> Result<Self, MessageInvalid> {
        if bytes.len() > limits::PAYLOAD.saturating_add(MAX_HEADER + 4 + TAG + SIGNATURE) {
            return Err(MessageInvalid::TooLong);
        }
        let mut rest = bytes;
        let header = Header::read(&mut rest)?;
        let (sealed, signature) = split_signature(bytes, header.signed)?;
        let header_length = bytes.len().saturating_sub(rest.len());
        let (header_bytes, ciphertext_and_tag) = sealed
            .split_at_checked(header_length)
            .ok_or(MessageInvalid::Truncated)?;
        let least = if header.timed { TAG + 4 } else { TAG };
        let payload = ciphertext_and_tag
            .len()
            .checked_sub(least)
            .ok_or(MessageInvalid::Truncated)?;
        if payload > limits::PAYLOAD {
            return Err(MessageInvalid::TooLong);
        }
        Ok(Self {
            header,
            header_bytes,
            sealed,
            ciphertext_and_tag,
            signature,
        })
    }

    /// The AEAD tag: two messages with one counter and different tags are evidence of a clone (MSG-10).
    pub fn tag(&self) -> [u8; TAG] {
        self.ciphertext_and_tag
            .last_chunk::<TAG>()
            .copied()
            .unwrap_or_default()
    }
}

fn split_signature(
    bytes: &[u8],
    signed: bool,
) -> Result<(&[u8], Option<Signature>), MessageInvalid> {
    match signed {
        false => Ok((bytes, None)),
        true => bytes
            .split_last_chunk::<SIGNATURE>()
            .map(|(sealed, signature)| (sealed, Some(Signature(*signature))))
            .ok_or(MessageInvalid::Truncated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> Header {
        Header {
            signed: true,
            timed: false,
            stream: Stream::Live,
            epoch: (1 << 14) - 1,
            sender: (1 << 14) - 1,
            boot: (1 << 14) - 1,
            counter: (1 << 14) - 1,
        }
    }

    #[test]
    fn the_budget_of_added_bytes_holds() {
        assert_eq!(header().overhead(), 89);
        assert_eq!(
            Header {
                timed: true,
                ..header()
            }
            .overhead(),
            93
        );
        assert_eq!(
            Header {
                signed: false,
                ..header()
            }
            .overhead(),
            25
        );
        assert_eq!(
            Header {
                signed: false,
                timed: true,
                ..header()
            }
            .overhead(),
            29
        );
    }

    #[test]
    fn json_is_not_a_protected_message() {
        assert_eq!(
            Message::from_wire(b"{\"valve\":\"open\"}"),
            Err(MessageInvalid::NotProtected)
        );
        assert_eq!(Message::from_wire(b""), Err(MessageInvalid::NotProtected));
    }

    /// MSG-1, ENV-2.
    #[test]
    fn a_number_in_a_longer_form_is_refused() {
        // Epoch 1 in two-byte mode.
        let mut bytes = alloc::vec![0x10, 0x05, 0x00, 0, 0, 0];
        bytes.extend_from_slice(&[0; 32]);
        assert_eq!(Message::from_wire(&bytes), Err(MessageInvalid::Number));
    }

    fn arb_header() -> impl Strategy<Value = Header> {
        let streams = prop_oneof![
            Just(Stream::Live),
            Just(Stream::Retained),
            Just(Stream::Will)
        ];
        (any::<(bool, bool, u32, u32, u32, u64)>(), streams).prop_map(|(f, stream)| Header {
            signed: f.0,
            timed: f.1,
            stream,
            epoch: f.2,
            sender: f.3,
            boot: f.4,
            counter: f.5,
        })
    }

    proptest! {
        #[test]
        fn headers_survive_the_wire(header in arb_header(), body in proptest::collection::vec(any::<u8>(), 20..60)) {
            let mut bytes = header.to_wire();
            bytes.extend_from_slice(&body);
            bytes.extend_from_slice(&[9; SIGNATURE]);
            let message = Message::from_wire(&bytes).unwrap();
            prop_assert_eq!(message.header, header);
            prop_assert_eq!(message.header_bytes, &header.to_wire()[..]);
            prop_assert_eq!(message.signature.is_some(), header.signed);
        }

        #[test]
        fn what_parses_has_one_header(bytes in proptest::collection::vec(any::<u8>(), 0..120), first in 0x10u8..0x20) {
            let mut bytes = bytes;
            bytes.insert(0, first);
            if let Ok(message) = Message::from_wire(&bytes) {
                let header = message.header.to_wire();
                prop_assert_eq!(message.header_bytes, &header[..]);
            }
        }
    }
}
