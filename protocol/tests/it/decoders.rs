//! Every reader of hostile bytes: it never panics, it reads back what was written, and whatever it reads is written in the
//! same bytes again, so that there is one encoding of every value (ENV-2).

use core::fmt::Debug;
use keyward_protocol::{
    grant::Grant,
    message::{Header, Message, Stream},
    signing::{Body, Signed, Unverified},
    statement::PublisherPage,
    topic::{ControlTopic, TopicFilter, PREFIX},
    wire::WireInvalid,
    DeviceId, Genesis, Signature,
};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::samples;

const GENESIS: Genesis = Genesis([7; 32]);

/// What can be done to bytes on their way.
#[derive(Clone, Debug)]
enum Harm {
    Flip(Index, u8),
    Cut(Index),
    Extend(Vec<u8>),
    Remove(Index),
    Insert(Index, u8),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        (any::<Index>(), 0..8u8).prop_map(|(at, bit)| Harm::Flip(at, bit)),
        any::<Index>().prop_map(Harm::Cut),
        vec(any::<u8>(), 1..80).prop_map(Harm::Extend),
        any::<Index>().prop_map(Harm::Remove),
        any::<(Index, u8)>().prop_map(|(at, byte)| Harm::Insert(at, byte)),
    ]
}

fn harmed(mut bytes: Vec<u8>, harm: &Harm) -> Vec<u8> {
    let length = bytes.len();
    match harm {
        Harm::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
        Harm::Cut(at) => bytes.truncate(at.index(length)),
        Harm::Extend(more) => bytes.extend(more),
        Harm::Remove(at) => drop(bytes.remove(at.index(length))),
        Harm::Insert(at, byte) => bytes.insert(at.index(length), *byte),
    }
    bytes
}

fn signed<T: Body>(body: T) -> Signed<T> {
    Signed::new(GENESIS, body, |payload| {
        let mut signature = [0; 64];
        signature[..8].copy_from_slice(&(payload.len() as u64).to_le_bytes());
        Signature(signature)
    })
    .unwrap()
}

/// Reads, and writes again what was read.
fn again<T: Body>(bytes: &[u8]) -> Option<Vec<u8>> {
    let read = Unverified::<T>::from_wire(bytes).ok()?;
    let genesis = Genesis(bytes[1..33].try_into().unwrap());
    let believed = read.verify_with(&genesis, |_, _| true).ok()?;
    Some(believed.to_wire())
}

fn survives<T: Body + Clone + PartialEq + Debug>(
    body: T,
    harm: &Harm,
) -> Result<(), TestCaseError> {
    let message = signed(body);
    let wire = message.to_wire();
    let read = Unverified::<T>::from_wire(&wire).unwrap();
    prop_assert_eq!(read.claims(), message.body());
    let believed = read.verify_with(&GENESIS, |payload, signature| {
        payload == message.payload() && signature == message.signature()
    });
    prop_assert_eq!(believed, Ok(message));
    let changed = harmed(wire, harm);
    if let Some(written) = again::<T>(&changed) {
        prop_assert_eq!(written, changed);
    }
    Ok(())
}

/// One property per signed message: it survives the wire, and whatever harm is done to it leaves something that is refused
/// or written in the same bytes again.
macro_rules! survive_the_wire {
    ($($name:ident: $strategy:expr;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(200))]
            $(#[test]
            fn $name(body in $strategy, harm in harm()) {
                survives(body, &harm)?;
            })*
        }
    };
}

survive_the_wire! {
    a_voucher_survives_the_wire: samples::voucher();
    a_device_statement_survives_the_wire: samples::device_statement();
    a_group_statement_survives_the_wire: samples::group_statement();
    a_beacon_survives_the_wire: samples::beacon();
    an_anchor_certificate_survives_the_wire: samples::anchor();
    a_request_survives_the_wire: samples::request();
    a_response_survives_the_wire: samples::response();
    a_receipt_survives_the_wire: samples::receipt();
}

proptest! {
    #[test]
    fn a_page_survives_the_wire(page in samples::page(), harm in harm()) {
        let wire = page.to_wire(&GENESIS);
        prop_assert_eq!(PublisherPage::from_wire(&wire, &GENESIS), Ok(page));
        let changed = harmed(wire, &harm);
        if let Ok(read) = PublisherPage::from_wire(&changed, &GENESIS) {
            prop_assert_eq!(read.to_wire(&GENESIS), changed);
        }
    }

    #[test]
    fn a_grant_survives_the_wire(grant in samples::grant(), harm in harm()) {
        let wire = grant.to_wire();
        prop_assert_eq!(Grant::from_wire(&wire), Ok(grant));
        let changed = harmed(wire.to_vec(), &harm);
        if let Ok(read) = Grant::from_wire(&changed) {
            prop_assert_eq!(&*read.to_wire(), &changed);
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(mut bytes in vec(any::<u8>(), 0..300), versioned: bool) {
        if let (true, Some(first)) = (versioned, bytes.first_mut()) {
            *first = keyward_protocol::VERSION;
        }
        let _ = again::<keyward_protocol::registration::Voucher>(&bytes);
        let _ = again::<keyward_protocol::statement::DeviceStatement>(&bytes);
        let _ = again::<keyward_protocol::statement::GroupStatement>(&bytes);
        let _ = again::<keyward_protocol::beacon::Beacon>(&bytes);
        let _ = again::<keyward_protocol::beacon::AnchorCertificate>(&bytes);
        let _ = again::<keyward_protocol::request::Request>(&bytes);
        let _ = again::<keyward_protocol::request::Response>(&bytes);
        let _ = again::<keyward_protocol::receipt::Receipt>(&bytes);
        let _ = Grant::from_wire(&bytes);
        let _ = PublisherPage::from_wire(&bytes, &GENESIS);
        let _ = Message::from_wire(&bytes);
    }

    /// Random bytes seldom get past the genesis hash: bodies alone get further.
    #[test]
    fn no_body_makes_a_reader_panic(body in vec(0..6u8, 0..200)) {
        let wire = [&[keyward_protocol::VERSION], &GENESIS.0[..], &body, &[0; 64]].concat();
        for written in [
            again::<keyward_protocol::registration::Voucher>(&wire),
            again::<keyward_protocol::statement::DeviceStatement>(&wire),
            again::<keyward_protocol::statement::GroupStatement>(&wire),
            again::<keyward_protocol::beacon::Beacon>(&wire),
            again::<keyward_protocol::request::Request>(&wire),
            again::<keyward_protocol::request::Response>(&wire),
            again::<keyward_protocol::receipt::Receipt>(&wire),
        ].into_iter().flatten() {
            prop_assert_eq!(&written, &wire);
        }
    }

    #[test]
    fn a_protected_message_survives_the_wire(
        (signed, timed) in any::<(bool, bool)>(), stream in 0..3u8, body in vec(any::<u8>(), 20..60),
        (epoch, sender, boot, counter) in any::<(u32, u32, u32, u64)>(), harm in harm(),
    ) {
        let stream = [Stream::Live, Stream::Retained, Stream::Will][usize::from(stream)];
        let header = Header { signed, timed, stream, epoch, sender, boot, counter };
        let signature: &[u8] = if signed { &[9; 64] } else { &[] };
        let wire = [&header.to_wire(), &body, signature].concat();
        let message = Message::from_wire(&wire).unwrap();
        prop_assert_eq!(message.header, header);
        prop_assert_eq!(message.ciphertext_and_tag, &body);
        prop_assert_eq!(written(&message), wire.clone());
        let changed = harmed(wire, &harm);
        if let Ok(message) = Message::from_wire(&changed) {
            prop_assert_eq!(written(&message), changed);
        }
    }

    #[test]
    fn a_topic_is_read_in_its_one_spelling(prefix in "[a-z/]{0,9}", topic in "[a-z0-9/.]{0,60}") {
        for topic in [topic.clone(), format!("{prefix}/{topic}")] {
            if let Some(parsed) = ControlTopic::parse(&prefix, &topic) {
                prop_assert_eq!(parsed.to_topic(&prefix), topic);
            }
        }
    }

    #[test]
    fn hostile_text_is_an_identifier_or_a_filter_or_an_error(text: String, topic: String) {
        if let Ok(id) = DeviceId::new(&text) {
            prop_assert_eq!(id.as_str(), &text);
        }
        if let Ok(filter) = TopicFilter::new(&text) {
            prop_assert_eq!(filter.as_str(), &text);
            let _ = filter.matches(&topic);
        }
        let _ = ControlTopic::parse(PREFIX, &topic);
    }
}

fn written(message: &Message<'_>) -> Vec<u8> {
    let signature = message.signature.as_ref().map(|s| &s.0[..]);
    let parts = [&message.header.to_wire(), message.ciphertext_and_tag];
    [&parts.concat(), signature.unwrap_or_default()].concat()
}

#[test]
fn empty_and_short_bytes_say_that_they_are_too_short() {
    type Voucher = keyward_protocol::registration::Voucher;
    for length in [0, 1, 32, 96] {
        let mut bytes = vec![0; length];
        if let Some(first) = bytes.first_mut() {
            *first = keyward_protocol::VERSION;
        }
        let read = Unverified::<Voucher>::from_wire(&bytes);
        assert_eq!(read, Err(WireInvalid::TooShort), "{length} bytes");
    }
}

/// ENV-1.
#[test]
fn another_version_is_named() {
    let read = Unverified::<keyward_protocol::receipt::Receipt>::from_wire(&[2; 200]);
    assert_eq!(read, Err(WireInvalid::Version(2)));
    assert_eq!(Grant::from_wire(&[9; 200]), Err(WireInvalid::Version(9)));
    let page = PublisherPage::from_wire(&[3; 200], &GENESIS);
    assert_eq!(page, Err(WireInvalid::Version(3)));
}
