//! What is opened, verified or unwrapped: nothing but what was made with the key is accepted, whatever bytes come, and what
//! was made with it always is. Keys are those of `protocol/vectors`, so that the vectors are seeds.

use keyward_crypto::{
    grant::{self, GrantRefused, Recipient},
    message::{Expected, MessageNotSealed, MessageRefused},
    sealed_box, AgreementSecret, GroupKey, MessageKey, SigningKey, Verifier, Wrapped, WrappingKey,
};
use keyward_protocol::{
    grant::{EpochSecret, Grant},
    limits,
    message::{Message, Stream},
    topic::is_topic_name,
    DeviceId, Genesis, GroupId, Signature, VerifyingKey,
};

use crate::{choices::Choices, numbers::Numbers};

/// Genesis of the vectors: 00 01 02 and so on.
fn genesis() -> Genesis {
    Genesis(core::array::from_fn(|at| at as u8))
}

fn group() -> GroupId {
    GroupId::new("hsu0001").expect("a group")
}

/// A sealed grant (KEY-4): 0 and a box as it came, or 1 and what somebody seals to the device.
pub fn sealed_grant(data: &[u8]) {
    let Some((how, data)) = data.split_first() else {
        return;
    };
    let secret = AgreementSecret::from_bytes(&[5; 32]);
    let (group, device) = (group(), DeviceId::new("1112").expect("a device"));
    let recipient = Recipient {
        group: &group,
        device: &device,
        key_version: 1,
    };
    let is_ours =
        |grant: &Grant| grant.group == group && grant.device == device && grant.key_version == 1;
    if how & 1 == 0 {
        let opened = grant::open(&secret, data, recipient);
        assert!(
            opened.as_ref().is_ok_and(is_ours) || opened.is_err(),
            "KEY-4"
        );
        assert!(data.len() <= limits::GRANT || opened.is_err(), "LIM-1");
        return;
    }
    let sealed = sealed_box::seal(&secret.public(), data, &mut Numbers::new(1));
    let sealed = sealed.expect("the key is acceptable");
    let opened = grant::open(&secret, &sealed, recipient);
    match (Grant::from_wire(data), opened) {
        (_, Err(GrantRefused::TooLong { .. })) => assert!(sealed.len() > limits::GRANT, "LIM-1"),
        (Err(source), opened) => {
            assert_eq!(opened.err(), Some(GrantRefused::Format { source }), "ENV-2");
        }
        (Ok(inside), Ok(opened)) => {
            assert!(is_ours(&opened) && opened == inside, "KEY-4");
            assert_eq!(opened.extensions.unknown_critical(&[]), None, "EXT-1");
        }
        (Ok(inside), Err(_)) => {
            let critical = inside.extensions.unknown_critical(&[]).is_some();
            assert!(!is_ours(&inside) || critical, "KEY-4");
        }
    }
}

/// Topics on which protected messages come here; the first is that of the vectors.
const TOPICS: &[&str] = &["hsu0001", "hsu0001/a", "", "a+b", "$SYS"];

/// A protected message (MSG-1 to MSG-6). The first byte: bit 0 whether the policy demands signatures, bit 1 the time, bit 2
/// whether the rest is a message that came or what is to be sealed and harmed; then the topic.
pub fn protected_message(data: &[u8]) {
    let mut choices = Choices::new(data);
    let policy = choices.byte();
    let topic = TOPICS[choices.below(TOPICS.len())];
    let secret = EpochSecret::new([0x11; 32]);
    let key = GroupKey::new(&genesis(), &group(), 1, &secret);
    let signer = SigningKey::from_seed(&[3; 32]);
    let verifier = Verifier::new(&signer.verifying_key()).expect("a key");
    let expected = Expected {
        signed_by: (policy & 1 == 1).then_some(&verifier),
        timed: policy & 2 == 2,
    };
    match policy & 4 {
        0 => open(&key, &signer, topic, expected, choices.rest()),
        _ => seal(&key, &signer, topic, expected, choices),
    }
}

/// What opens is what the key's holder seals, byte for byte: there is one message for a counter and a content.
fn open(key: &GroupKey, signer: &SigningKey, topic: &str, expected: Expected<'_>, bytes: &[u8]) {
    let Ok(message) = Message::from_wire(bytes) else {
        return;
    };
    let header = message.header;
    let key = key.message_key(header.sender, header.boot, header.stream);
    let opened = key.open(&message, topic, expected);
    let Ok(opened) = opened else {
        return;
    };
    assert!(is_topic_name(topic), "MSG-5");
    assert_eq!(header.epoch, 1, "MSG-2");
    let signer = expected.signed_by.map(|_| signer);
    let again = key.seal(header.counter, topic, opened.time, &opened.payload, signer);
    assert_eq!(again.as_deref(), Ok(bytes), "MSG-1 to MSG-6");
}

fn seal(
    key: &GroupKey,
    signer: &SigningKey,
    topic: &str,
    expected: Expected<'_>,
    mut choices: Choices<'_>,
) {
    let stream = [Stream::Live, Stream::Retained, Stream::Will][choices.below(3)];
    let key: MessageKey = key.message_key(choices.byte().into(), choices.word().into(), stream);
    let counter = u64::from_le_bytes(choices.array());
    let time = expected.timed.then(|| u32::from_le_bytes(choices.array()));
    let signer = expected.signed_by.map(|_| signer);
    let harms = choices.flag();
    let mut harm = Choices::new(choices.bytes());
    let payload = choices.rest();
    let sealed = match key.seal(counter, topic, time, payload, signer) {
        Ok(sealed) => sealed,
        Err(MessageNotSealed::Topic) => return assert!(!is_topic_name(topic), "MSG-5"),
        Err(MessageNotSealed::TooLong { .. }) => {
            return assert!(payload.len() > limits::PAYLOAD, "MSG-1");
        }
    };
    let arrived = match harms {
        true => harm.harm(sealed.clone()),
        false => sealed.clone(),
    };
    let opened = Message::from_wire(&arrived).map(|message| key.open(&message, topic, expected));
    if arrived != sealed {
        let refused = opened.map_or(true, |opened| opened.is_err());
        return assert!(
            refused,
            "a message that was changed is refused (MSG-5, MSG-6)"
        );
    }
    let opened = opened.expect("it is well-formed").expect("it is ours");
    assert_eq!((opened.payload.as_slice(), opened.time), (payload, time));
    let message = Message::from_wire(&sealed).expect("it is well-formed");
    assert_eq!(message.header.overhead(), sealed.len() - payload.len());
    let moved = key.open(&message, "elsewhere", expected);
    assert_eq!(moved, Err(MessageRefused::Tampered), "MSG-5");
}

/// The order of the group of points of Ed25519, little endian: `S` plus this is another `S` for the same equation.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// A signature (SIG-4, REG-5): a key, a signature and a payload as they came; or a seed, a payload that is signed with it,
/// and what is done to the signature. What is accepted here, ZIP 215 accepts, which is what the chain verifies with.
pub fn signature(data: &[u8]) {
    let mut choices = Choices::new(data);
    let how = choices.byte();
    let seed: [u8; 32] = choices.array();
    if how & 1 == 0 {
        let signature = Signature(choices.array());
        check_signature(&VerifyingKey(seed), choices.rest(), &signature);
        return;
    }
    let signer = SigningKey::from_seed(&seed);
    let mut harm: Choices<'_> = Choices::new(choices.bytes());
    let payload = choices.rest();
    let good = signer.sign(payload);
    let harmed = match how & 2 {
        0 => harm.harm(good.0.to_vec()),
        _ => plus_order(&good).0.to_vec(),
    };
    let key = signer.verifying_key();
    assert!(check_signature(&key, payload, &good), "SIG-4");
    if let Ok(harmed) = harmed.try_into().map(Signature) {
        let accepted = check_signature(&key, payload, &harmed);
        assert_eq!(accepted, harmed == good, "no second signature (SIG-4)");
    }
}

fn plus_order(signature: &Signature) -> Signature {
    let mut changed = *signature;
    let (_, s) = changed.0.split_at_mut(32);
    let mut carry = 0u16;
    for (digit, order) in s.iter_mut().zip(ORDER) {
        carry += u16::from(*digit) + u16::from(order);
        *digit = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    changed
}

fn check_signature(key: &VerifyingKey, payload: &[u8], signature: &Signature) -> bool {
    let Ok(verifier) = Verifier::new(key) else {
        return false;
    };
    assert!(key.is_acceptable(), "REG-5");
    assert_eq!(verifier.key(), *key, "REG-5");
    let strictly = verifier.verifies(payload, signature);
    if strictly {
        let zebra = ed25519_zebra::VerificationKey::try_from(key.0).expect("the chain reads it");
        let signature = ed25519_zebra::Signature::from(signature.0);
        assert!(zebra.verify(&signature, payload).is_ok(), "SIG-4");
    }
    strictly
}

/// A secret at rest (KEY-9): 0 and what stands in the store; or 1, a place, what is done to the entry, and a secret.
pub fn wrapped_secret(data: &[u8]) {
    let mut choices = Choices::new(data);
    let key = WrappingKey::from_bytes(&[9; 32]);
    if !choices.flag() {
        let place = choices.bytes();
        let stored = choices.rest();
        // Nobody wrapped it with this key.
        assert!(key.unwrap_bytes(place, stored).is_err(), "KEY-9");
        if let Ok(wrapped) = Wrapped::try_from(stored) {
            assert!(key.unwrap(place, &wrapped).is_err(), "KEY-9");
        }
        return;
    }
    let place = choices.bytes();
    let mut harm = Choices::new(choices.bytes());
    let secret = choices.rest();
    let wrapped = key.wrap_bytes(place, secret, &mut Numbers::new(2));
    let wrapped = wrapped.expect("it is short enough");
    let stored = harm.harm(wrapped.clone());
    let read = key.unwrap_bytes(place, &stored);
    match stored == wrapped {
        true => assert_eq!(*read.expect("it is whole"), secret, "KEY-9"),
        false => assert!(read.is_err(), "KEY-9"),
    }
    let elsewhere = [place, b"x"].concat();
    assert!(key.unwrap_bytes(&elsewhere, &wrapped).is_err(), "KEY-9");
}
