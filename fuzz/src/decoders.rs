//! The formats of `protocol`: whatever bytes come, a decoder refuses them or reads a value that is written in the same
//! bytes again (ENV-2), and it never panics.

use core::fmt::Debug;
use std::collections::BTreeMap;

use codec::{Decode, DecodeAll, Encode};
use keyward_client::session::{Change, Durable, Record};
use keyward_protocol::{
    beacon::{AnchorCertificate, Beacon},
    grant::Grant,
    limits,
    message::{Message, MAX_HEADER, SIGNATURE, TAG},
    policy::Policy,
    provisioning::{EnrolmentRequest, Provisioning},
    receipt::Receipt,
    registration::Voucher,
    request::{Request, Response},
    signing::{Body, Signed, Unverifiable, Unverified, LABEL},
    statement::{DeviceStatement, GroupStatement, PublisherPage},
    view::{
        AuthorityView, ConflictView, CustodyView, DeviceView, GatewayView, GroupView,
        InvitationView, KeyExchange, MemberView, PermissionsView,
    },
    wire::Canonical as _,
    Genesis, VERSION,
};
use zeroize::Zeroizing;

use crate::choices::Choices;

/// Version and genesis: what stands before a body on the wire (SIG-2).
const FRAME: usize = 33;

fn genesis_of(bytes: &[u8]) -> Option<Genesis> {
    let genesis = bytes.get(1..FRAME)?;
    Some(Genesis(genesis.try_into().ok()?))
}

/// A signed message: ENV-1, ENV-2, SIG-1, SIG-2 and LIM-1.
fn signed<T: Body + Clone + PartialEq + Debug>(data: &[u8]) {
    let Ok(read) = Unverified::<T>::from_wire(data) else {
        return;
    };
    let genesis = genesis_of(data).expect("a message that was read has a genesis");
    assert_eq!(data.first(), Some(&VERSION), "ENV-1");
    assert!(data.len() <= T::MAX, "LIM-1");
    let body = &data[FRAME..data.len() - SIGNATURE];
    let payload = [LABEL.as_slice(), &data[..FRAME], &[T::PURPOSE as u8], body].concat();
    assert_eq!(read.claims().encode(), body, "ENV-2");

    let refused = read.clone().verify_with(&genesis, |_, _| false);
    assert_eq!(refused.err(), Some(Unverifiable::Signature), "SIG-4");
    let mut elsewhere = genesis;
    elsewhere.0[0] ^= 1;
    let refused = read.clone().verify_with(&elsewhere, |_, _| true);
    assert_eq!(refused.err(), Some(Unverifiable::Genesis), "SIG-1");

    let believed = read.verify_with(&genesis, |checked, signature| {
        assert_eq!(checked, payload, "SIG-1");
        signature.0 == data[data.len() - SIGNATURE..]
    });
    let believed = believed.expect("its own signature is on it");
    assert_eq!(believed.to_wire(), data, "ENV-2");
    // A writer refuses what a reader would, and nothing else.
    let signature = *believed.signature();
    let written = Signed::new(genesis, believed.body().clone(), |_| signature);
    assert_eq!(written, Ok(believed), "ENV-2");
}

/// A voucher (REG-1).
pub fn voucher(data: &[u8]) {
    signed::<Voucher>(data);
}

/// A device statement (STM-1): groups and custodians rise.
pub fn device_statement(data: &[u8]) {
    signed::<DeviceStatement>(data);
    let Ok(read) = Unverified::<DeviceStatement>::from_wire(data) else {
        return;
    };
    let groups = &read.claims().groups;
    assert!(groups.len() <= limits::DEVICE_GROUPS as usize, "LIM-1");
    assert!(
        groups.windows(2).all(|two| two[0].group < two[1].group),
        "STM-1"
    );
    for group in groups {
        let custodians = &group.custodians;
        assert!(custodians.len() <= limits::CUSTODIANS as usize, "LIM-1");
        let rise = custodians
            .windows(2)
            .all(|two| two[0].account < two[1].account);
        assert!(rise, "STM-1");
        assert!(
            group.filters.iter().count() <= limits::FILTERS as usize,
            "TOP-1"
        );
    }
}

/// A group statement (STM-3): epochs rise, none is after the current one, each names an account that is there.
pub fn group_statement(data: &[u8]) {
    signed::<GroupStatement>(data);
    let Ok(read) = Unverified::<GroupStatement>::from_wire(data) else {
        return;
    };
    let said = read.claims();
    assert!(said.commitments.len() <= limits::EPOCHS as usize, "LIM-1");
    assert!(said.pages.len() <= limits::PAGES as usize, "LIM-1");
    let epochs: Vec<u32> = said.commitments.iter().map(|one| one.epoch).collect();
    assert!(epochs.windows(2).all(|two| two[0] < two[1]), "STM-3");
    for epoch in epochs {
        assert!(epoch <= said.epoch, "STM-3");
        assert!(said.commitment(epoch).is_some(), "STM-3");
    }
    // What a device asks of it before it follows it.
    let _ = said.policy.validate();
    let _ = said.extensions.unknown_critical(&[]);
}

/// A page of publishers (STM-6), which is not signed.
pub fn publisher_page(data: &[u8]) {
    let Some(genesis) = genesis_of(data) else {
        let short = PublisherPage::from_wire(data, &Genesis([0; 32]));
        return assert!(short.is_err(), "ENV-2");
    };
    let Ok(page) = PublisherPage::from_wire(data, &genesis) else {
        return;
    };
    assert_eq!(page.to_wire(&genesis), data, "ENV-2");
    assert!(data.len() <= limits::STATEMENT, "LIM-1");
    assert!(page.publishers.len() <= limits::PAGE as usize, "LIM-1");
    let mut neighbours = page.publishers.windows(2);
    let rise = neighbours.all(|two| two[0].index < two[1].index);
    assert!(rise, "STM-6");
    let mut elsewhere = genesis;
    elsewhere.0[31] ^= 1;
    assert!(
        PublisherPage::from_wire(data, &elsewhere).is_err(),
        "STM-12"
    );
}

/// A beacon (STM-8).
pub fn beacon(data: &[u8]) {
    signed::<Beacon>(data);
}

/// An anchor certificate (STM-11).
pub fn anchor_certificate(data: &[u8]) {
    signed::<AnchorCertificate>(data);
}

/// A request (REQ-1): request and ask name the same device, gateway and key version.
pub fn request(data: &[u8]) {
    use keyward_protocol::request::Ask;
    signed::<Request>(data);
    let Ok(read) = Unverified::<Request>::from_wire(data) else {
        return;
    };
    let said = read.claims();
    match &said.ask {
        Ask::Enrol { voucher, .. } => {
            let about = (&voucher.device, voucher.gateway, voucher.key_version);
            assert_eq!(
                about,
                (&said.device, said.gateway, said.key_version),
                "REQ-1"
            );
        }
        Ask::Resync => {}
        Ask::ReplaceKeys { replacement, .. } => {
            assert_eq!(replacement.device, said.device, "REQ-1");
        }
    }
}

/// A response (REQ-2): its text is UTF-8.
pub fn response(data: &[u8]) {
    signed::<Response>(data);
    if let Ok(read) = Unverified::<Response>::from_wire(data) {
        let text = &read.claims().reason;
        assert!(core::str::from_utf8(text).is_ok(), "REQ-2");
        assert!(text.len() <= limits::REASON as usize, "LIM-1");
    }
}

/// A receipt (KEX-8).
pub fn receipt(data: &[u8]) {
    signed::<Receipt>(data);
}

/// A grant as it was in its sealed box (KEY-4): epochs rise.
pub fn grant(data: &[u8]) {
    let Ok(grant) = Grant::from_wire(data) else {
        return;
    };
    assert_eq!(*grant.to_wire(), data, "ENV-2");
    assert!(grant.check().is_ok(), "ENV-2");
    assert!(grant.epochs.len() <= limits::EPOCHS as usize, "LIM-1");
    let mut neighbours = grant.epochs.windows(2);
    let rise = neighbours.all(|two| two[0].epoch < two[1].epoch);
    assert!(rise, "KEY-4");
    // No secret in what an operator could see.
    let shown = format!("{grant:?}");
    assert!(shown.matches("EpochSecret(..)").count() == grant.epochs.len());
}

/// The two files of provisioning (PRV-1): unknown keys are refused, and what was read is written and read again.
pub fn provisioning(data: &[u8]) {
    json::<EnrolmentRequest>(data);
    json::<Provisioning>(data);
}

fn json<T>(data: &[u8])
where
    T: serde::de::DeserializeOwned + serde::Serialize + PartialEq + Debug,
{
    let Ok(read) = serde_json::from_slice::<T>(data) else {
        return;
    };
    let mut written = serde_json::to_value(&read).expect("what was read can be written");
    let again = serde_json::from_value::<T>(written.clone());
    assert_eq!(again.ok().as_ref(), Some(&read), "PRV-1");
    let text = serde_json::to_vec(&read).expect("what was read can be written");
    let again = serde_json::from_slice::<T>(&text);
    assert_eq!(again.ok().as_ref(), Some(&read), "PRV-1");
    if let Some(object) = written.as_object_mut() {
        object.insert("unheard_of".into(), serde_json::Value::Bool(true));
    }
    assert!(serde_json::from_value::<T>(written).is_err(), "PRV-1");
}

/// The form of a protected message (MSG-1), before any key is tried.
pub fn message_header(data: &[u8]) {
    let Ok(message) = Message::from_wire(data) else {
        return;
    };
    let header = message.header;
    assert_eq!(message.header_bytes, header.to_wire(), "MSG-1");
    assert!(message.header_bytes.len() <= MAX_HEADER, "MSG-1");
    assert_eq!(message.signature.is_some(), header.signed, "MSG-1");
    let signature = message.signature.as_ref().map(|signature| &signature.0[..]);
    let written = [
        message.header_bytes,
        message.ciphertext_and_tag,
        signature.unwrap_or_default(),
    ];
    assert_eq!(written.concat(), data, "ENV-2");
    assert_eq!(message.sealed, written[..2].concat(), "MSG-6");
    let payload = data.len().checked_sub(header.overhead());
    let payload = payload.expect("a message is no shorter than what protection adds");
    assert!(payload <= limits::PAYLOAD, "MSG-1");
    assert_eq!(
        message.tag(),
        data_tag(message.ciphertext_and_tag),
        "MSG-10"
    );
    let nonce = [
        &header.boot.to_be_bytes()[..],
        &header.counter.to_be_bytes(),
    ]
    .concat();
    assert_eq!(header.nonce()[..], nonce, "MSG-3");
}

fn data_tag(ciphertext_and_tag: &[u8]) -> [u8; TAG] {
    let at = ciphertext_and_tag.len() - TAG;
    ciphertext_and_tag[at..].try_into().expect("a tag")
}

/// A group's policy (POL-1, POL-2).
pub fn policy(data: &[u8]) {
    let Ok(policy) = Policy::decode_all(&mut { data }) else {
        return;
    };
    assert_eq!(policy.encode(), data, "ENV-2");
    let beacon = policy.beacon_seconds();
    assert!((1..=limits::BEACON_SECONDS).contains(&beacon), "STM-9");
    assert_eq!(policy.timed(), policy.max_age != 0, "MSG-4");
    let critical = policy.extensions.unknown_critical(&[]);
    let mut neighbours = policy.extensions.0.windows(2);
    let rise = neighbours.all(|two| two[0].id < two[1].id);
    let follows = policy.suite == 0
        && policy.history <= limits::HISTORY
        && (policy.max_age > 0 || !policy.commands)
        && policy.max_silence >= limits::MIN_SILENCE
        && policy.grace.max(policy.settle) <= 3_600_000
        && rise
        && critical.is_none();
    assert_eq!(policy.validate().is_ok(), follows, "POL-2");
    assert!(!follows || beacon * 3 <= policy.max_silence, "STM-9");
    json_of(&policy);
}

/// What a value looks like in JSON, for operators, is read as the same value.
fn json_of<T>(value: &T)
where
    T: serde::de::DeserializeOwned + serde::Serialize + PartialEq + Debug,
{
    let text = serde_json::to_vec(value).expect("a value can be shown");
    let read = serde_json::from_slice::<T>(&text);
    assert_eq!(read.ok().as_ref(), Some(value));
}

fn view<T: Decode + Encode + PartialEq + Debug>(mut data: &[u8]) -> Option<T> {
    let whole = data;
    let read = T::decode_all(&mut data).ok()?;
    assert_eq!(read.encode(), whole, "ENV-2");
    Some(read)
}

/// What a node answers to `FleetApi`: the first byte says to which question. A bridge believes its node, but does not fall
/// over it.
pub fn chain_view(data: &[u8]) {
    let Some((which, data)) = data.split_first() else {
        return;
    };
    match which % 10 {
        0 => drop(view::<GroupView>(data).inspect(json_of)),
        1 => drop(view::<DeviceView>(data).inspect(json_of)),
        2 => drop(view::<MemberView>(data).inspect(json_of)),
        3 => drop(view::<GatewayView>(data).inspect(json_of)),
        4 => drop(view::<AuthorityView>(data).inspect(json_of)),
        5 => drop(view::<InvitationView>(data).inspect(json_of)),
        6 => drop(view::<KeyExchange>(data).inspect(json_of)),
        7 => drop(view::<ConflictView>(data).inspect(json_of)),
        8 => drop(view::<CustodyView>(data)),
        _ => drop(view::<PermissionsView>(data)),
    }
}

/// What a device finds in its store at a start: pairs of a name and a value, each a line of the first and so many bytes of
/// the second. A damaged store is refused; what was read is written in the same records again.
pub fn stored_state(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut values = BTreeMap::new();
    let mut secrets = BTreeMap::new();
    while !choices.is_over() && values.len() + secrets.len() < 64 {
        let is_secret = choices.flag();
        let name = String::from_utf8_lossy(choices.bytes()).into_owned();
        match is_secret {
            true => _ = secrets.insert(name, Zeroizing::new(choices.bytes().to_vec())),
            false => _ = values.insert(name, choices.bytes().to_vec()),
        }
    }
    let Ok(durable) = Durable::load(values.clone(), secrets.clone()) else {
        return;
    };
    let (mut values, mut secrets) = (BTreeMap::new(), BTreeMap::new());
    for change in changes_of(&durable) {
        match Record::from(&change) {
            Record::Put(name, value) => _ = values.insert(name, value),
            Record::Keep(name, secret) => _ = secrets.insert(name, secret),
            Record::Delete(_) | Record::Erase(_) => panic!("nothing is taken away"),
        }
    }
    assert_eq!(Durable::load(values, secrets).ok(), Some(durable));
}

/// The changes that make a durable state out of nothing.
fn changes_of(durable: &Durable) -> Vec<Change> {
    use keyward_client::session::window::Step;
    let mut changes = vec![Change::Boot(durable.boot), Change::Asked(durable.asked)];
    changes.extend(durable.owner.map(Change::Owner));
    changes.extend(durable.device.clone().map(Change::Device));
    let protected = durable.protected.iter();
    changes.extend(protected.map(|(filter, is)| Change::Protect(filter.clone(), *is)));
    let statements = durable.statements.iter();
    changes.extend(statements.map(|(group, held)| Change::Statement(group.clone(), held.clone())));
    let facts = durable.facts.iter();
    changes.extend(facts.map(|(group, facts)| Change::Facts(group.clone(), facts.clone())));
    let pages = durable.pages.iter();
    changes.extend(pages.map(|((group, _), page)| Change::Page(group.clone(), page.clone())));
    let secrets = durable.secrets.iter();
    changes.extend(
        secrets
            .map(|((group, epoch), secret)| Change::Secret(group.clone(), *epoch, secret.clone())),
    );
    for (key, boots) in &durable.windows {
        for (boot, window) in &boots.0 {
            let blocks = window.0.iter();
            let steps = blocks.map(|(at, block)| Step::Put(*boot, *at, block.clone()));
            changes.extend(steps.map(|step| Change::Received(key.clone(), step)));
        }
    }
    let seen = durable.values.iter();
    changes.extend(seen.map(|(key, seen)| Change::Value(key.clone(), *seen)));
    let retained = durable.retained.iter();
    changes
        .extend(retained.map(|(topic, value)| Change::Retain(topic.clone(), Some(value.clone()))));
    changes.extend(durable.copied.map(Change::Copied));
    changes
}
