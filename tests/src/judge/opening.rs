//! Opening what went over the wire, with the primitives and formats alone.

use keyward_crypto::{
    grant::{GrantRefused, Recipient},
    message::{Expected, GroupKey},
    sign, AgreementSecret,
};
use keyward_protocol::{
    grant::EpochSecret,
    message::{Header, Message},
    request::Response,
    signing::Unverified,
    statement::GroupStatement,
    DeviceId, Genesis, GroupId,
};

use super::{
    evidence::Began,
    record::{Got, Sealed},
};

/// A group statement that the gateway signed (STM-3).
pub fn statement(began: &Began, payload: &[u8]) -> Option<GroupStatement> {
    let message = Unverified::<GroupStatement>::from_wire(payload).ok()?;
    let signed = sign::verify(message, &began.genesis, &began.statement_key).ok()?;
    Some(signed.into_body())
}

/// An answer that the gateway signed (REQ-2).
pub fn response(began: &Began, payload: &[u8]) -> Option<Response> {
    let message = Unverified::<Response>::from_wire(payload).ok()?;
    let signed = sign::verify(message, &began.genesis, &began.statement_key).ok()?;
    Some(signed.into_body())
}

/// The secrets in a grant (KEY-4), whatever version of the keys it names: what a device can open it has.
pub fn grant(
    secret: &AgreementSecret,
    sealed: &[u8],
    device: &DeviceId,
    group: &GroupId,
) -> Vec<(u32, EpochSecret)> {
    let open = |key_version| {
        let recipient = Recipient {
            group,
            device,
            key_version,
        };
        keyward_crypto::grant::open(secret, sealed, recipient)
    };
    let opened = match open(1) {
        Err(GrantRefused::KeyVersion { actual }) => open(actual),
        opened => opened,
    };
    let epochs = opened.iter().flat_map(|grant| grant.epochs.iter());
    epochs
        .map(|granted| (granted.epoch, granted.secret.clone()))
        .collect()
}

/// Whether a secret opens a message (MSG-2, MSG-3, MSG-5). The signature is in the way of nobody who reads.
pub fn opens(genesis: &Genesis, sealed: &Sealed, secret: &EpochSecret) -> Option<Vec<u8>> {
    let message = Message::from_wire(&sealed.bytes).ok()?;
    let unsigned = Message {
        header: Header {
            signed: false,
            ..message.header
        },
        signature: None,
        ..message
    };
    let header = message.header;
    let key = GroupKey::new(genesis, &sealed.group, header.epoch, secret);
    let key = key.message_key(header.sender, header.boot, header.stream);
    let expected = Expected {
        signed_by: None,
        timed: header.timed,
    };
    let opened = key.open(&unsigned, &sealed.topic, expected).ok()?;
    Some(opened.payload)
}

/// What a message says, if it is text and any of these secrets opens it.
pub fn text(genesis: &Genesis, sealed: &Sealed, got: &[Got]) -> Option<String> {
    let of_epoch = |got: &&Got| got.group == sealed.group && got.epoch == sealed.header.epoch;
    let opened = got
        .iter()
        .filter(of_epoch)
        .find_map(|got| opens(genesis, sealed, &got.secret))?;
    String::from_utf8(opened).ok()
}
