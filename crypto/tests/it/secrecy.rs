//! No secret shows in `Debug`, wherever it is nested (the texts are pinned), and each is erased when it is dropped.

use keyward_crypto::{
    agreement::AgreementSecret, epoch::generate_secret, message::Opened, GroupKey, SealingPass,
    WrappingKey,
};
use keyward_protocol::{
    extension::Extensions,
    grant::{EpochSecret, Grant, GrantedEpoch},
    message::Stream,
};

use aes_gcm_siv::aead::generic_array::GenericArray;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::fixed::{agreement, device, genesis, group, signing, Constant};

/// The secrets below are this byte, 32 times.
const SECRET: u8 = 0xdb;

fn shown(value: impl core::fmt::Debug) -> String {
    let text = format!("{value:?}");
    for leak in ["dbdb", "DBDB", "219, 219", "0xdb"] {
        assert!(!text.contains(leak), "a secret shows: {text}");
    }
    text
}

#[test]
fn an_epoch_secret_does_not_show() {
    assert_eq!(
        shown(generate_secret(&mut Constant(SECRET))),
        "EpochSecret(..)"
    );
}

#[test]
fn a_grant_shows_its_epochs_and_no_secret() {
    let granted = GrantedEpoch {
        epoch: 4,
        secret: EpochSecret::new([SECRET; 32]),
    };
    let grant = Grant {
        group: group("hsu0001"),
        device: device("1112"),
        key_version: 1,
        epochs: vec![granted].try_into().unwrap(),
        extensions: Extensions::default(),
    };
    let text = shown(grant);
    assert!(text.contains("epoch: 4, secret: EpochSecret(..)"), "{text}");
}

#[test]
fn a_signing_key_shows_its_public_key() {
    let key = signing(SECRET);
    let public = key.verifying_key();
    assert_eq!(shown(key), format!("SigningKey(of {public})"));
}

#[test]
fn an_agreement_secret_shows_its_public_key() {
    let secret = agreement(SECRET);
    let public = secret.public();
    assert_eq!(shown(secret), format!("AgreementSecret(of {public})"));
}

#[test]
fn a_sealing_pass_shows_how_many_it_sealed_to() {
    assert_eq!(
        shown(SealingPass::begin(&mut Constant(SECRET))),
        "SealingPass(0 recipients)"
    );
}

#[test]
fn keys_of_messages_show_what_they_are_for() {
    let secret = EpochSecret::new([SECRET; 32]);
    let key = GroupKey::new(&genesis(), &group("hsu0001"), 4, &secret);
    assert_eq!(shown(&key), "GroupKey(hsu0001, epoch 4)");
    assert_eq!(
        shown(key.message_key(2, 3, Stream::Will)),
        "MessageKey { group: GroupId(hsu0001), epoch: 4, sender: 2, boot: 3, stream: Will, .. }"
    );
}

#[test]
fn an_opened_message_shows_its_size() {
    let opened = Opened {
        time: Some(7),
        payload: vec![SECRET; 40],
    };
    assert_eq!(shown(opened), "Opened(40 bytes, time Some(7))");
}

#[test]
fn a_wrapping_key_and_what_it_wrapped_do_not_show() {
    let key = WrappingKey::from_bytes(&[SECRET; 32]);
    let wrapped = key.wrap(b"", &[SECRET; 32], &mut Constant(SECRET)).unwrap();
    assert_eq!(shown(key), "WrappingKey(..)");
    assert_eq!(shown(wrapped), "Wrapped(..)");
}

#[test]
fn errors_show_no_secret() {
    let secret = AgreementSecret::from_bytes(&[SECRET; 32]);
    shown(secret.open(&[0; 100]).unwrap_err());
    shown(secret.open(&[]).unwrap_err());
}

/// Holds when it compiles: the types say of themselves that they erase their secrets.
fn erased<T: ZeroizeOnDrop>(_: &T) {}

#[test]
fn every_secret_is_erased_when_it_is_dropped() {
    let secret = EpochSecret::new([SECRET; 32]);
    let key = GroupKey::new(&genesis(), &group("hsu0001"), 4, &secret);
    erased(&secret);
    erased(&key);
    erased(&key.message_key(2, 3, Stream::Live));
    erased(&signing(SECRET));
    erased(&agreement(SECRET));
    erased(&WrappingKey::from_bytes(&[SECRET; 32]));
    erased(&SealingPass::begin(&mut Constant(SECRET)));
    erased(&Zeroizing::new([SECRET; 32]));
}

/// The features of the crates below that the erasure and the speed of ours depend on: without one of them this does not
/// compile. AES and POLYVAL choose the processor's instructions at run time, unless `aes_force_soft` is set.
#[test]
fn the_crates_below_are_built_as_they_must_be() {
    use aes::cipher::KeyInit as _;
    use curve25519_dalek::traits::BasepointTable as _;
    use salsa20::cipher::KeyIvInit as _;
    let zero = GenericArray::default();
    erased(&aes::Aes256::new(&zero));
    erased(&salsa20::Salsa20::new(&zero, &GenericArray::default()));
    erased(&ed25519_dalek::SigningKey::from_bytes(&[SECRET; 32]));
    // Ed25519 signs at half the speed without its table (feature `fast`).
    let table = curve25519_dalek::constants::ED25519_BASEPOINT_TABLE;
    let point = curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
    assert_eq!(table.basepoint(), point);
    #[expect(
        unexpected_cfgs,
        reason = "flags of the crates below, set by no build of ours"
    )]
    let without_instructions = cfg!(aes_force_soft) || cfg!(polyval_force_soft);
    assert!(!without_instructions);
}
