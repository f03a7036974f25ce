//! Keys are acceptable points of their curve, and nobody's key was ever anybody's before (REG-5).

use curve25519_dalek::edwards::EdwardsPoint;
use ed25519_dalek::{Signer as _, SigningKey};
use frame_support::{assert_noop, assert_ok};
use keyward_protocol::{AgreementKey, VerifyingKey};
use sp_runtime::DispatchResult;

use super::{builders::*, *};
use crate::{Error, SigningKeys};

type E = Error<Test>;

/// 2^255 - 19, little endian.
fn field() -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xed;
    bytes[31] = 0x7f;
    bytes
}

/// The eight points of small order, as the curve library knows them: both signs, compressed.
fn small_order_signing_keys() -> Vec<VerifyingKey> {
    let torsion = curve25519_dalek::constants::EIGHT_TORSION;
    let mut keys: Vec<[u8; 32]> = torsion.iter().map(|point| point.compress().0).collect();
    // 0 and 1 written as p and p + 1, and the identity with a sign.
    let mut one_more = field();
    one_more[0] += 1;
    let mut signed_identity = [0; 32];
    signed_identity[0] = 1;
    signed_identity[31] = 0x80;
    keys.extend([field(), one_more, signed_identity]);
    keys.into_iter().map(VerifyingKey).collect()
}

fn small_order_agreement_keys() -> Vec<AgreementKey> {
    let torsion = curve25519_dalek::constants::EIGHT_TORSION;
    let u = |point: &EdwardsPoint| point.to_montgomery().0;
    let mut keys: Vec<[u8; 32]> = torsion.iter().map(u).collect();
    let mut high_bit = Keys::of("high bit").agreement.0;
    high_bit[31] |= 0x80;
    keys.extend([field(), [0xff; 32], high_bit]);
    keys.into_iter().map(AgreementKey).collect()
}

fn non_canonical_signing_keys() -> Vec<VerifyingKey> {
    // y = p + 3 and y = p + 18, with both signs: points with ordinary order, written in a second way.
    let over = |by: u8, sign: u8| {
        let mut bytes = field();
        bytes[0] += by;
        bytes[31] |= sign;
        VerifyingKey(bytes)
    };
    vec![over(3, 0), over(3, 0x80), over(18, 0), over(18, 0x80)]
}

fn admit(statement: VerifyingKey, custody: AgreementKey) -> DispatchResult {
    let account = AccountId32::new([7; 32]);
    let acme = organisation("acme");
    Fleet::admit_gateway(
        council(),
        account,
        acme,
        bytes("acme.seven"),
        statement,
        custody,
    )
}

#[test]
fn signing_keys_of_small_order_or_not_canonical_are_refused() {
    run(|| {
        let fresh = Keys::of("fresh");
        let bad = [small_order_signing_keys(), non_canonical_signing_keys()].concat();
        for key in bad {
            let mut enrolment = Enrolment::of("acme.d");
            enrolment.voucher.signing_key = key;
            assert_noop!(enrolment.submit(), E::UnacceptableKey);
            assert_noop!(admit(key, fresh.agreement), E::UnacceptableKey);
            let acme = organisation("acme");
            assert_noop!(
                Fleet::admit_authority(council(), bytes("acme.ca2"), acme, key),
                E::UnacceptableKey
            );
            assert_noop!(
                Fleet::replace_gateway_keys(by(&ANNE), ANNE, key, fresh.agreement),
                E::UnacceptableKey
            );
        }
    });
}

#[test]
fn agreement_keys_of_small_order_or_not_canonical_are_refused() {
    run(|| {
        let fresh = Keys::of("fresh");
        for key in small_order_agreement_keys() {
            let mut enrolment = Enrolment::of("acme.d");
            enrolment.voucher.agreement_key = key;
            assert_noop!(enrolment.submit(), E::UnacceptableKey);
            assert_noop!(admit(fresh.verifying(), key), E::UnacceptableKey);
            assert_noop!(
                Fleet::replace_gateway_keys(by(&ANNE), ANNE, fresh.verifying(), key),
                E::UnacceptableKey
            );
        }
    });
}

#[test]
fn new_keys_of_a_device_of_small_order_or_not_canonical_are_refused() {
    run(|| {
        register("acme.d", &ANNE);
        for key in [small_order_signing_keys(), non_canonical_signing_keys()].concat() {
            let mut replacement = Replacement::of("acme.d", "new");
            replacement.body.signing_key = key;
            assert_noop!(replacement.submit(), E::UnacceptableKey);
        }
        for key in small_order_agreement_keys() {
            let mut replacement = Replacement::of("acme.d", "new");
            replacement.body.agreement_key = key;
            assert_noop!(replacement.submit(), E::UnacceptableKey);
        }
    });
}

/// Keys that somebody has or had: a device, a revoked device, a device before its replacement, gateways, authorities.
fn used_signing_keys() -> Vec<Keys> {
    register("acme.present", &ANNE);
    let revoked = register("acme.revoked", &BERT);
    assert_ok!(Fleet::revoke_device(by(&BERT), revoked));
    register("acme.former", &ANNE);
    assert_ok!(Replacement::of("acme.former", "latter").submit());
    let present = Keys::of("acme.anne");
    let renewed = Keys::of("renewed");
    let (statement, custody) = (renewed.verifying(), renewed.agreement);
    assert_ok!(Fleet::replace_gateway_keys(
        by(&ANNE),
        ANNE,
        statement,
        custody
    ));
    assert_ok!(Fleet::expel_gateway(council(), CORA));
    assert_ok!(Fleet::revoke_authority(
        council(),
        authority_id("globex.ca")
    ));
    let names = [
        "acme.present",
        "acme.revoked",
        "acme.former",
        "latter",
        "acme.bert",
    ];
    let others = ["globex.cora", "acme.ca", "globex.ca"];
    let keys = names.into_iter().chain(others).map(Keys::of);
    keys.chain([present, renewed]).collect()
}

#[test]
fn a_key_that_anybody_has_or_had_is_nobody_else_s() {
    run(|| {
        register("acme.d", &ANNE);
        for (number, keys) in used_signing_keys().into_iter().enumerate() {
            let name = format!("acme.new{number}");
            let key = keys.verifying();
            let mut enrolment = Enrolment::of(&name);
            enrolment.voucher.signing_key = key;
            enrolment.device_key = keys.signing.clone();
            assert_noop!(enrolment.submit(), E::KeyUsed);
            let mut replacement = Replacement::of("acme.d", &name);
            replacement.body.signing_key = key;
            replacement.new_key = keys.signing;
            assert_noop!(replacement.submit(), E::KeyUsed);
            let fresh = Keys::of(&name);
            assert_noop!(admit(key, fresh.agreement), E::KeyUsed);
            let acme = organisation("acme");
            assert_noop!(
                Fleet::admit_authority(council(), bytes("acme.ca2"), acme, key),
                E::KeyUsed
            );
            assert_noop!(
                Fleet::replace_gateway_keys(by(&ANNE), ANNE, key, fresh.agreement),
                E::KeyUsed
            );
        }
    });
}

#[test]
fn an_agreement_key_that_anybody_has_or_had_is_nobody_else_s() {
    run(|| {
        register("acme.d", &ANNE);
        // Authorities have none.
        let with_agreement = |keys: &Keys| {
            !["acme.ca", "globex.ca"]
                .map(|ca| Keys::of(ca).verifying())
                .contains(&keys.verifying())
        };
        let used = used_signing_keys();
        for (number, keys) in used.into_iter().filter(with_agreement).enumerate() {
            let name = format!("acme.new{number}");
            let mut enrolment = Enrolment::of(&name);
            enrolment.voucher.agreement_key = keys.agreement;
            assert_noop!(enrolment.submit(), E::KeyUsed);
            let mut replacement = Replacement::of("acme.d", &name);
            replacement.body.agreement_key = keys.agreement;
            assert_noop!(replacement.submit(), E::KeyUsed);
            let fresh = Keys::of(&name).verifying();
            assert_noop!(admit(fresh, keys.agreement), E::KeyUsed);
            assert_noop!(
                Fleet::replace_gateway_keys(by(&ANNE), ANNE, fresh, keys.agreement),
                E::KeyUsed
            );
        }
    });
}

#[test]
fn a_refused_registration_uses_no_key_up() {
    run(|| {
        let good = Enrolment::of("acme.d");
        let mut bad = good.clone();
        bad.device_key = Keys::of("others").signing;
        assert_noop!(bad.submit(), E::BadProof);
        assert!(!SigningKeys::<Test>::contains_key(good.voucher.signing_key));
        assert_ok!(good.submit());
    });
}

/// What a device or bridge accepts, which checks strictly, the chain accepts too (SIG-4).
#[test]
fn what_is_accepted_strictly_the_chain_accepts() {
    let accepted_by_chain = |key: &SigningKey, message: &[u8], signature: [u8; 64]| {
        let public = sp_core::ed25519::Public::from_raw(key.verifying_key().to_bytes());
        let signature = sp_core::ed25519::Signature::from_raw(signature);
        sp_io::crypto::ed25519_verify(&signature, message, &public)
    };
    for seed in 0..64u8 {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let message = vec![seed; usize::from(seed) * 7];
        let good = key.sign(&message).to_bytes();
        for flipped in [None, Some(0), Some(31), Some(32), Some(63)] {
            let mut bytes = good;
            if let Some(at) = flipped {
                let at: usize = at;
                bytes[at] ^= 0x20;
            }
            let signature = ed25519_dalek::Signature::from_bytes(&bytes);
            let strict = key.verifying_key().verify_strict(&message, &signature);
            assert_eq!(strict.is_ok(), flipped.is_none());
            if strict.is_ok() {
                assert!(accepted_by_chain(&key, &message, bytes));
            }
        }
    }
}

/// The two laws differ: with a key of small order one signature fits every message. That is why such keys are refused.
#[test]
fn a_key_of_small_order_would_sign_anything_on_chain() {
    let identity = {
        let mut y = [0; 32];
        y[0] = 1;
        y
    };
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&identity);
    let public = sp_core::ed25519::Public::from_raw(identity);
    let forged = sp_core::ed25519::Signature::from_raw(signature);
    for message in [&b"one"[..], b"another"] {
        assert!(sp_io::crypto::ed25519_verify(&forged, message, &public));
    }
    let dalek = ed25519_dalek::VerifyingKey::from_bytes(&identity).unwrap();
    let signature = ed25519_dalek::Signature::from_bytes(&signature);
    assert!(dalek.verify_strict(b"one", &signature).is_err());
}
