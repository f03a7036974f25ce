//! Protected messages: AES-256-GCM-SIV (RFC 8452) under a key of their own per sender, boot and stream, and, where the
//! group's policy demands it, the sender's Ed25519 signature (MSG-1 to MSG-6, DESIGN section 5.1).

use aes_gcm_siv::{
    aead::{AeadInPlace, KeyInit},
    Aes256GcmSiv, Key, Nonce, Tag,
};
use alloc::{boxed::Box, vec::Vec};
use core::fmt;
use hkdf::Hkdf;
use keyward_protocol::{
    grant::EpochSecret,
    limits,
    message::{
        associated_data, signature_context, signature_payload, Header, Message, Stream, SIGNATURE,
        TAG,
    },
    topic::is_topic_name,
    Digest, Genesis, GroupId,
};
use sha2::Sha256;
use thiserror::Error;
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

use crate::{
    hash::blake2b_256,
    sign::{SigningKey, Verifier},
};

const TIME: usize = 4;

/// Why a message was not sealed. No retry helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MessageNotSealed {
    /// No name of a topic that a message may go to.
    #[error("not a topic name of 1 to {max} bytes without wildcards", max = limits::TOPIC)]
    Topic,
    /// More payload than a message may have.
    #[error("a payload of {actual} bytes; at most {max}: send it in parts", max = limits::PAYLOAD)]
    TooLong {
        /// Its size in bytes.
        actual: usize,
    },
}

/// Why a message was refused. No retry helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MessageRefused {
    /// No name of a topic that a message may come from.
    #[error("not a topic name of 1 to {max} bytes without wildcards", max = limits::TOPIC)]
    Topic,
    /// Its header names another epoch, sender, boot or stream than the key is for.
    #[error("the message is for another key than the one tried")]
    AnotherKey,
    /// The policy demands a signature and there is none.
    #[error("the message carries no signature, which the group's policy demands")]
    Unsigned,
    /// There is a signature where the policy has none.
    #[error("the message carries a signature, which the group's policy does not have")]
    Signed,
    /// The policy demands the time and it is not there.
    #[error("the message does not say when it was sealed, which the group's policy demands")]
    Untimed,
    /// There is a time where the policy has none.
    #[error("the message says when it was sealed, which the group's policy does not have")]
    Timed,
    /// The tag is wrong: changed on its way, moved from another topic or group, or sealed with another secret.
    #[error("the message was changed, or was not sealed with this key for this topic")]
    Tampered,
    /// The signature is not the sender's.
    #[error("the signature is not the sender's")]
    Signature,
}

/// What a message must carry: decided by the group's policy in its statement, never by the message (MSG-4).
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The sender's key, if messages of the group are signed.
    pub signed_by: Option<&'a Verifier>,
    /// Whether messages carry the time at which they were sealed.
    pub timed: bool,
}

/// A message that was sealed with the key and signed as expected. Whether it is fresh is for the caller to decide.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// When it was sealed, in seconds since 1970, if the policy has it.
    pub time: Option<u32>,
    /// What the application sealed.
    pub payload: Vec<u8>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.payload.len();
        write!(f, "Opened({length} bytes, time {:?})", self.time)
    }
}

/// A group's key of one epoch: the pseudorandom key that HKDF extracts from the epoch secret, with what every message of
/// the epoch is bound to. Erased on drop, never in `Debug`. The key stays where it is while the value moves, so that no copy is
/// left behind.
#[derive(Clone)]
pub struct GroupKey {
    prk: Box<Zeroizing<[u8; 32]>>,
    genesis: Genesis,
    group: GroupId,
    epoch: u32,
}

impl GroupKey {
    /// Extracts the key from an epoch secret (MSG-2): HKDF-Extract(salt = genesis, ikm = secret), RFC 5869.
    pub fn new(genesis: &Genesis, group: &GroupId, epoch: u32, secret: &EpochSecret) -> Self {
        let (mut extracted, _) = Hkdf::<Sha256>::extract(Some(&genesis.0), secret.expose());
        let mut prk = Box::new(Zeroizing::new([0; 32]));
        prk.copy_from_slice(&extracted);
        extracted.as_mut_slice().zeroize();
        Self {
            prk,
            genesis: *genesis,
            group: group.clone(),
            epoch,
        }
    }

    /// The group.
    pub fn group(&self) -> &GroupId {
        &self.group
    }

    /// The epoch.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The key of one sender, boot and stream (MSG-2). Keep it: it holds the expanded cipher.
    pub fn message_key(&self, sender: u32, boot: u32, stream: Stream) -> MessageKey {
        let key = self.derive(sender, boot, stream);
        MessageKey {
            cipher: Aes256GcmSiv::new(Key::<Aes256GcmSiv>::from_slice(&*key)),
            genesis: self.genesis,
            group: self.group.clone(),
            epoch: self.epoch,
            sender,
            boot,
            stream,
        }
    }

    /// HKDF-Expand(prk, info, 32).
    #[cfg_attr(
        not(test),
        expect(
            clippy::expect_used,
            reason = "lengths that RFC 5869 allows always; going on without a key would be worse than stopping"
        )
    )]
    fn derive(&self, sender: u32, boot: u32, stream: Stream) -> Zeroizing<[u8; 32]> {
        let header = Header {
            signed: false,
            timed: false,
            stream,
            epoch: self.epoch,
            sender,
            boot,
            counter: 0,
        };
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::from_prk(&**self.prk)
            .expect("32 bytes are a pseudorandom key of SHA-256")
            .expand(&header.key_info(&self.group), &mut *key)
            .expect("32 bytes are one block of SHA-256");
        key
    }
}

impl ZeroizeOnDrop for GroupKey {}

impl fmt::Debug for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupKey({}, epoch {})", self.group, self.epoch)
    }
}

/// The key of one sender, boot and stream in one epoch of a group. Erased on drop, never in `Debug`.
#[derive(Clone)]
pub struct MessageKey {
    cipher: Aes256GcmSiv,
    genesis: Genesis,
    group: GroupId,
    epoch: u32,
    sender: u32,
    boot: u32,
    stream: Stream,
}

impl MessageKey {
    /// Seals a payload for a topic (MSG-1). With a signer the message is signed, with a time (seconds since 1970) it
    /// carries the time: both as the group's policy says. The counter must not have been used with this key.
    ///
    /// # Errors
    /// When topic or payload are not what a message may have.
    pub fn seal(
        &self,
        counter: u64,
        topic: &str,
        time: Option<u32>,
        payload: &[u8],
        signer: Option<&SigningKey>,
    ) -> Result<Vec<u8>, MessageNotSealed> {
        if !is_topic_name(topic) {
            return Err(MessageNotSealed::Topic);
        }
        if payload.len() > limits::PAYLOAD {
            return Err(MessageNotSealed::TooLong {
                actual: payload.len(),
            });
        }
        let header = self.header(counter, time.is_some(), signer.is_some());
        let mut sealed = self.encrypt(&header, topic, time, payload)?;
        if let Some(signer) = signer {
            let context = context(&self.genesis, &self.group, topic);
            let signature = signer.sign(&signature_payload(&context, &sealed));
            sealed.extend_from_slice(&signature.0);
        }
        Ok(sealed)
    }

    fn header(&self, counter: u64, timed: bool, signed: bool) -> Header {
        Header {
            signed,
            timed,
            stream: self.stream,
            epoch: self.epoch,
            sender: self.sender,
            boot: self.boot,
            counter,
        }
    }

    fn encrypt(
        &self,
        header: &Header,
        topic: &str,
        time: Option<u32>,
        payload: &[u8],
    ) -> Result<Vec<u8>, MessageNotSealed> {
        let head = header.to_wire();
        let parts = [head.len(), TIME, payload.len(), TAG, SIGNATURE];
        let mut sealed = Vec::with_capacity(parts.iter().sum());
        sealed.extend_from_slice(&head);
        if let Some(time) = time {
            sealed.extend_from_slice(&time.to_le_bytes());
        }
        sealed.extend_from_slice(payload);
        let too_long = MessageNotSealed::TooLong {
            actual: payload.len(),
        };
        let (_, body) = sealed.split_at_mut_checked(head.len()).ok_or(too_long)?;
        let data = associated_data(&self.genesis, &self.group, topic, &head);
        let tag = self
            .cipher
            .encrypt_in_place_detached(&Nonce::from(header.nonce()), &data, body)
            .map_err(|_| too_long)?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Opens a message that came on a topic: first the tag, then the signature.
    ///
    /// # Errors
    /// Says what is wrong. Nothing of the message is to be believed then.
    pub fn open(
        &self,
        message: &Message<'_>,
        topic: &str,
        expected: Expected<'_>,
    ) -> Result<Opened, MessageRefused> {
        if !is_topic_name(topic) {
            return Err(MessageRefused::Topic);
        }
        self.check_header(&message.header, expected)?;
        let mut content = self.decrypt(message, topic)?;
        if let Some(verifier) = expected.signed_by {
            check_signature(message, &self.genesis, &self.group, topic, verifier)?;
        }
        let time = match expected.timed {
            true => Some(take_time(&mut content)?),
            false => None,
        };
        Ok(Opened {
            time,
            payload: content,
        })
    }

    fn check_header(&self, header: &Header, expected: Expected<'_>) -> Result<(), MessageRefused> {
        let ours = self.header(header.counter, header.timed, header.signed);
        match (
            header.signed,
            expected.signed_by.is_some(),
            header.timed,
            expected.timed,
        ) {
            _ if *header != ours => Err(MessageRefused::AnotherKey),
            (false, true, _, _) => Err(MessageRefused::Unsigned),
            (true, false, _, _) => Err(MessageRefused::Signed),
            (_, _, false, true) => Err(MessageRefused::Untimed),
            (_, _, true, false) => Err(MessageRefused::Timed),
            _ => Ok(()),
        }
    }

    fn decrypt(&self, message: &Message<'_>, topic: &str) -> Result<Vec<u8>, MessageRefused> {
        let (body, tag) = message
            .ciphertext_and_tag
            .split_last_chunk::<TAG>()
            .ok_or(MessageRefused::Tampered)?;
        let data = associated_data(&self.genesis, &self.group, topic, message.header_bytes);
        let nonce = Nonce::from(message.header.nonce());
        let mut content = body.to_vec();
        self.cipher
            .decrypt_in_place_detached(&nonce, &data, &mut content, Tag::from_slice(tag))
            .map_err(|_| MessageRefused::Tampered)?;
        Ok(content)
    }
}

/// Whether a message carries the signature of this sender for this group and topic (MSG-6). It can be told without the epoch's
/// secret; what the message says, and that it is no copy, is known only when it was opened.
///
/// # Errors
/// Says what is wrong. No retry helps.
pub fn check_signature(
    message: &Message<'_>,
    genesis: &Genesis,
    group: &GroupId,
    topic: &str,
    verifier: &Verifier,
) -> Result<(), MessageRefused> {
    if !is_topic_name(topic) {
        return Err(MessageRefused::Topic);
    }
    let signature = message.signature.ok_or(MessageRefused::Unsigned)?;
    let payload = signature_payload(&context(genesis, group, topic), message.sealed);
    let verifies = verifier.verifies(&payload, &signature);
    verifies.then_some(()).ok_or(MessageRefused::Signature)
}

fn context(genesis: &Genesis, group: &GroupId, topic: &str) -> Digest {
    blake2b_256(&signature_context(genesis, group, topic))
}

impl ZeroizeOnDrop for MessageKey {}

impl fmt::Debug for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageKey")
            .field("group", &self.group)
            .field("epoch", &self.epoch)
            .field("sender", &self.sender)
            .field("boot", &self.boot)
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

/// Takes the time off the beginning of the plaintext.
fn take_time(content: &mut Vec<u8>) -> Result<u32, MessageRefused> {
    let time = content
        .first_chunk::<TIME>()
        .map(|bytes| u32::from_le_bytes(*bytes))
        .ok_or(MessageRefused::Untimed)?;
    content.drain(..TIME);
    Ok(time)
}
