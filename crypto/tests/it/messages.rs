//! Protected messages: what opens, what does not and why, and what it costs on the wire.

use keyward_crypto::{
    message::{Expected, MessageNotSealed, MessageRefused, Opened},
    GroupKey, MessageKey, Verifier,
};
use keyward_protocol::{
    grant::EpochSecret,
    limits,
    message::{Message, Stream, MAX_HEADER, SIGNATURE, TAG},
    Genesis,
};
use proptest::prelude::*;

use crate::fixed::{genesis, group, signing};

const TOPIC: &str = "hsu0001";
const TIME: u32 = 1_721_260_800;

fn group_key() -> GroupKey {
    let secret = EpochSecret::new([0x11; 32]);
    GroupKey::new(&genesis(), &group("hsu0001"), 4, &secret)
}

fn key() -> MessageKey {
    group_key().message_key(2, 3, Stream::Live)
}

fn verifier() -> Verifier {
    Verifier::new(&signing(3).verifying_key()).unwrap()
}

/// Sealed with everything: signed, timed.
fn sealed() -> Vec<u8> {
    key()
        .seal(7, TOPIC, Some(TIME), b"payload", Some(&signing(3)))
        .unwrap()
}

/// Opened as everything is expected.
fn open_with(key: &MessageKey, wire: &[u8], topic: &str) -> Result<Opened, MessageRefused> {
    let message = Message::from_wire(wire).unwrap();
    let expected = Expected {
        signed_by: Some(&verifier()),
        timed: true,
    };
    key.open(&message, topic, expected)
}

#[test]
fn what_was_sealed_opens() {
    let opened = open_with(&key(), &sealed(), TOPIC).unwrap();
    assert_eq!(opened.payload, b"payload");
    assert_eq!(opened.time, Some(TIME));
}

/// MSG-4.
#[test]
fn what_must_be_present_is_expected_and_not_believed() {
    let (signer, verifier) = (signing(3), verifier());
    for (signed, timed) in [(false, false), (false, true), (true, false), (true, true)] {
        let time = timed.then_some(TIME);
        let wire = key()
            .seal(7, TOPIC, time, b"x", signed.then_some(&signer))
            .unwrap();
        let message = Message::from_wire(&wire).unwrap();
        for (must_sign, must_time) in [(false, false), (false, true), (true, false), (true, true)] {
            let expected = Expected {
                signed_by: must_sign.then_some(&verifier),
                timed: must_time,
            };
            let reason = match (signed, must_sign, timed, must_time) {
                (false, true, _, _) => Some(MessageRefused::Unsigned),
                (true, false, _, _) => Some(MessageRefused::Signed),
                (_, _, false, true) => Some(MessageRefused::Untimed),
                (_, _, true, false) => Some(MessageRefused::Timed),
                _ => None,
            };
            assert_eq!(key().open(&message, TOPIC, expected).err(), reason);
        }
    }
}

/// The flags are in the associated data: stripping the signature or the flag is no way around it.
#[test]
fn a_stripped_signature_does_not_open_as_unsigned() {
    let mut wire = sealed();
    wire.truncate(wire.len() - SIGNATURE);
    wire[0] &= !1;
    let message = Message::from_wire(&wire).unwrap();
    let expected = Expected {
        signed_by: None,
        timed: true,
    };
    let refused = key().open(&message, TOPIC, expected);
    assert_eq!(refused, Err(MessageRefused::Tampered));
}

/// MSG-5.
#[test]
fn a_message_opens_in_its_place_only() {
    let wire = sealed();
    let tampered = Err(MessageRefused::Tampered);
    assert_eq!(open_with(&key(), &wire, "hsu0002"), tampered);
    let secret = EpochSecret::new([0x11; 32]);
    let (chain, other) = (Genesis([9; 32]), EpochSecret::new([0x12; 32]));
    let elsewhere = [
        GroupKey::new(&genesis(), &group("hsu0002"), 4, &secret),
        GroupKey::new(&chain, &group("hsu0001"), 4, &secret),
        GroupKey::new(&genesis(), &group("hsu0001"), 4, &other),
    ];
    for key in elsewhere.map(|key| key.message_key(2, 3, Stream::Live)) {
        assert_eq!(open_with(&key, &wire, TOPIC), tampered);
    }
}

#[test]
fn a_key_opens_messages_of_its_own_epoch_sender_boot_and_stream_only() {
    let wire = sealed();
    let secret = EpochSecret::new([0x11; 32]);
    let later = GroupKey::new(&genesis(), &group("hsu0001"), 5, &secret);
    let others = [
        later.message_key(2, 3, Stream::Live),
        group_key().message_key(1, 3, Stream::Live),
        group_key().message_key(2, 4, Stream::Live),
        group_key().message_key(2, 3, Stream::Retained),
        group_key().message_key(2, 3, Stream::Will),
    ];
    for other in others {
        assert_eq!(
            open_with(&other, &wire, TOPIC),
            Err(MessageRefused::AnotherKey)
        );
    }
}

/// MSG-2: every header field is in the key, the nonce or the associated data: a sender cannot be given another's message.
#[test]
fn keys_differ_in_every_field() {
    let secret = EpochSecret::new([0x11; 32]);
    let keys = [
        (genesis(), "hsu0001", 4, 2, 3, Stream::Live),
        (Genesis([9; 32]), "hsu0001", 4, 2, 3, Stream::Live),
        (genesis(), "hsu0002", 4, 2, 3, Stream::Live),
        (genesis(), "hsu0001", 5, 2, 3, Stream::Live),
        (genesis(), "hsu0001", 4, 3, 3, Stream::Live),
        (genesis(), "hsu0001", 4, 2, 2, Stream::Live),
        (genesis(), "hsu0001", 4, 2, 3, Stream::Retained),
        (genesis(), "hsu0001", 4, 2, 3, Stream::Will),
    ];
    let mut tags: Vec<_> = keys
        .iter()
        .map(|(chain, name, epoch, sender, boot, stream)| {
            let key = GroupKey::new(chain, &group(name), *epoch, &secret);
            let key = key.message_key(*sender, *boot, *stream);
            let wire = key.seal(7, TOPIC, None, b"", None).unwrap();
            Message::from_wire(&wire).unwrap().tag()
        })
        .collect();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), keys.len());
}

#[test]
fn every_changed_bit_is_noticed() {
    let wire = sealed();
    for at in 0..wire.len() * 8 {
        let mut changed = wire.clone();
        changed[at / 8] ^= 1 << (at % 8);
        let Ok(message) = Message::from_wire(&changed) else {
            continue;
        };
        let expected = Expected {
            signed_by: Some(&verifier()),
            timed: true,
        };
        // The key that the changed header names, as a receiver would find it.
        let header = message.header;
        let secret = EpochSecret::new([0x11; 32]);
        let key = GroupKey::new(&genesis(), &group("hsu0001"), header.epoch, &secret);
        let key = key.message_key(header.sender, header.boot, header.stream);
        assert!(key.open(&message, TOPIC, expected).is_err(), "bit {at}");
    }
}

/// MSG-6: a member has the group's key, so it can make tags; what it cannot make is another member's signature.
#[test]
fn a_member_cannot_speak_for_another() {
    let forged = key()
        .seal(7, TOPIC, Some(TIME), b"payload", Some(&signing(4)))
        .unwrap();
    let refused = open_with(&key(), &forged, TOPIC);
    assert_eq!(refused, Err(MessageRefused::Signature));
}

/// A signature holds for its topic and group: with the key a member could seal the same header and payload again.
#[test]
fn a_signature_cannot_be_moved_to_another_topic() {
    let honest = sealed();
    let mut forged = key()
        .seal(7, "other", Some(TIME), b"payload", Some(&signing(4)))
        .unwrap();
    let at = forged.len() - SIGNATURE;
    forged[at..].copy_from_slice(&honest[honest.len() - SIGNATURE..]);
    let refused = open_with(&key(), &forged, "other");
    assert_eq!(refused, Err(MessageRefused::Signature));
}

/// The tag is checked first: whoever has no key cannot make a receiver spend a signature check.
#[test]
fn a_wrong_tag_is_found_before_a_wrong_signature() {
    let mut wire = sealed();
    let end = wire.len() - 1;
    wire[end] ^= 1;
    assert_eq!(
        open_with(&key(), &wire, TOPIC),
        Err(MessageRefused::Signature)
    );
    wire[end - SIGNATURE] ^= 1;
    assert_eq!(
        open_with(&key(), &wire, TOPIC),
        Err(MessageRefused::Tampered)
    );
}

#[test]
fn the_largest_payload_goes_through_and_one_byte_more_does_not() {
    let largest = vec![0x5a; limits::PAYLOAD];
    let wire = key()
        .seal(u64::MAX, TOPIC, Some(TIME), &largest, Some(&signing(3)))
        .unwrap();
    assert!(wire.len() <= limits::MESSAGE_PACKET);
    assert_eq!(open_with(&key(), &wire, TOPIC).unwrap().payload, largest);
    let more = vec![0; limits::PAYLOAD + 1];
    let actual = limits::PAYLOAD + 1;
    let refused = key().seal(7, TOPIC, None, &more, None);
    assert_eq!(refused, Err(MessageNotSealed::TooLong { actual }));
}

#[test]
fn a_topic_with_wildcards_or_without_a_name_is_refused_on_both_sides() {
    for topic in ["", "a/#", "+", "a\0", &"x".repeat(limits::TOPIC + 1)] {
        let refused = key().seal(7, topic, None, b"", None);
        assert_eq!(refused, Err(MessageNotSealed::Topic));
        assert_eq!(
            open_with(&key(), &sealed(), topic),
            Err(MessageRefused::Topic)
        );
    }
}

/// DESIGN section 10: at most 89 bytes added when signed, 25 when not, 93 and 29 with time.
#[test]
fn the_budget_of_added_bytes_holds() {
    let just_below = (1 << 14) - 1;
    let secret = EpochSecret::new([0x11; 32]);
    let key = GroupKey::new(&genesis(), &group("hsu0001"), just_below, &secret);
    let key = key.message_key(just_below, just_below, Stream::Live);
    let signer = signing(3);
    let added = |time, signer| {
        let wire = key.seal(just_below.into(), TOPIC, time, b"payload", signer);
        wire.unwrap().len() - b"payload".len()
    };
    assert_eq!(added(None, None), 25);
    assert_eq!(added(Some(TIME), None), 29);
    assert_eq!(added(None, Some(&signer)), 89);
    assert_eq!(added(Some(TIME), Some(&signer)), 93);
}

/// MSG-3: AES-GCM-SIV: a device that lost its counters shows that two messages were equal, and nothing else.
#[test]
fn a_repeated_counter_shows_equality_only() {
    let seal = |payload: &[u8]| key().seal(7, TOPIC, None, payload, None).unwrap();
    assert_eq!(seal(b"open "), seal(b"open "));
    let (one, other) = (seal(b"open "), seal(b"close"));
    let header = one.len() - 5 - TAG;
    let differing =
        |at: &usize| one[*at] ^ other[*at] != b"open "[at - header] ^ b"close"[at - header];
    assert!((header..header + 5).any(|at| differing(&at)));
    assert_ne!(one[header + 5..], other[header + 5..]);
}

#[test]
fn equal_payloads_look_different_under_different_counters() {
    let seal = |counter| key().seal(counter, TOPIC, None, b"payload", None).unwrap();
    let body = |wire: &[u8]| wire[wire.len() - 7 - TAG..].to_vec();
    assert_ne!(body(&seal(1)), body(&seal(2)));
}

fn streams() -> impl Strategy<Value = Stream> {
    prop_oneof![
        Just(Stream::Live),
        Just(Stream::Retained),
        Just(Stream::Will)
    ]
}

proptest! {
    #[test]
    fn sealing_and_opening_are_inverse(
        (epoch, sender, boot, counter) in any::<(u32, u32, u32, u64)>(), stream in streams(),
        (time, signed, payload) in any::<(Option<u32>, bool, Vec<u8>)>(), topic in "[a-zé]{1,9}(/[a-z0-9]{0,9}){0,3}",
    ) {
        let key = GroupKey::new(&genesis(), &group("g"), epoch, &EpochSecret::new([1; 32]));
        let key = key.message_key(sender, boot, stream);
        let signer = signing(3);
        let wire = key.seal(counter, &topic, time, &payload, signed.then_some(&signer)).unwrap();
        prop_assert!(wire.len() <= payload.len() + MAX_HEADER + 4 + TAG + SIGNATURE);
        let message = Message::from_wire(&wire).unwrap();
        prop_assert_eq!(message.header.counter, counter);
        let verifier = verifier();
        let expected = Expected { signed_by: signed.then_some(&verifier), timed: time.is_some() };
        let opened = key.open(&message, &topic, expected).unwrap();
        prop_assert_eq!(opened, Opened { time, payload });
    }

    #[test]
    fn hostile_bytes_never_open_and_never_panic(first in 0x10u8..0x20, bytes: Vec<u8>) {
        let wire = [vec![first], bytes].concat();
        if let Ok(message) = Message::from_wire(&wire) {
            let header = message.header;
            let secret = EpochSecret::new([0x11; 32]);
            let key = GroupKey::new(&genesis(), &group("hsu0001"), header.epoch, &secret);
            let key = key.message_key(header.sender, header.boot, header.stream);
            let expected = Expected { signed_by: None, timed: header.timed };
            prop_assert!(key.open(&message, TOPIC, expected).is_err());
        }
    }
}
