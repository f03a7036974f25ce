//! The keys that are refused: the lists of `protocol` against the curves themselves (REG-5).

use curve25519_dalek::{
    constants::EIGHT_TORSION,
    edwards::{CompressedEdwardsY, EdwardsPoint},
    montgomery::MontgomeryPoint,
    traits::IsIdentity,
    Scalar,
};
use keyward_crypto::{
    sign::{KeyInvalid, Verifier},
    AgreementSecret, SigningKey,
};
use keyward_protocol::{AgreementKey, VerifyingKey};
use proptest::prelude::*;

/// 2^255 - 19, little endian.
const FIELD: [u8; 32] = {
    let mut field = [0xff; 32];
    field[0] = 0xed;
    field[31] = 0x7f;
    field
};

/// Little-endian addition of a small number.
fn plus(number: [u8; 32], mut more: u8) -> [u8; 32] {
    let mut sum = number;
    for byte in &mut sum {
        let (added, carries) = byte.overflowing_add(more);
        (*byte, more) = (added, carries.into());
    }
    sum
}

fn with_sign(mut encoding: [u8; 32], sign: u8) -> [u8; 32] {
    encoding[31] |= sign << 7;
    encoding
}

#[test]
fn every_point_of_small_order_is_refused_as_a_verifying_key() {
    for point in EIGHT_TORSION {
        let key = VerifyingKey(point.compress().to_bytes());
        assert!(!key.is_acceptable(), "{key}");
        assert_eq!(Verifier::new(&key), Err(KeyInvalid::NotAcceptable { key }));
    }
}

#[test]
fn every_point_of_small_order_is_refused_as_an_agreement_key() {
    for point in EIGHT_TORSION {
        let key = AgreementKey(point.to_montgomery().to_bytes());
        assert!(!key.is_acceptable(), "{key}");
    }
}

/// REG-5: only 19 numbers of 255 bits are not canonical: all of them, with either sign, are refused.
#[test]
fn every_encoding_that_is_not_canonical_is_refused() {
    for more in 0..19 {
        for sign in [0, 1] {
            let encoding = with_sign(plus(FIELD, more), sign);
            assert!(!VerifyingKey(encoding).is_acceptable(), "p + {more}");
            assert!(!AgreementKey(encoding).is_acceptable(), "p + {more}");
        }
    }
}

/// Whatever X25519 turns into zero for every secret is on the list, on the curve and on its twist, in every encoding.
#[test]
fn whatever_gives_no_shared_secret_is_refused() {
    let small = (0..=1).map(|u| plus([0; 32], u));
    let around = (0..=1).map(|u| plus(FIELD, u));
    let minus_one = {
        let mut u = FIELD;
        u[0] = 0xec;
        u
    };
    let torsion = EIGHT_TORSION.map(|point| point.to_montgomery().to_bytes());
    let all = small.chain(around).chain([minus_one]).chain(torsion);
    for u in all.flat_map(|u| [u, with_sign(u, 1)]) {
        let shared = MontgomeryPoint(u).mul_clamped([0x77; 32]);
        assert_eq!(shared.to_bytes(), [0; 32], "{}", AgreementKey(u));
        assert!(!AgreementKey(u).is_acceptable(), "{}", AgreementKey(u));
    }
}

#[test]
fn a_point_that_is_not_on_the_curve_is_named_as_such() {
    let off = (2u8..).map(|y| plus([0; 32], y));
    let mut off = off.filter(|y| CompressedEdwardsY(*y).decompress().is_none());
    let key = VerifyingKey(off.next().unwrap());
    assert!(key.is_acceptable());
    assert_eq!(Verifier::new(&key), Err(KeyInvalid::NotOnCurve { key }));
}

proptest! {
    #[test]
    fn keys_that_are_generated_are_accepted(seed: [u8; 32]) {
        prop_assert!(SigningKey::from_seed(&seed).verifying_key().is_acceptable());
        prop_assert!(AgreementSecret::from_bytes(&seed).public().is_acceptable());
        prop_assert!(Verifier::new(&SigningKey::from_seed(&seed).verifying_key()).is_ok());
    }

    /// The lists say nothing about points of large order: no honest key is refused.
    #[test]
    fn acceptable_is_canonical_and_not_of_small_order(bytes: [u8; 32]) {
        let key = VerifyingKey(bytes);
        if let Some(point) = CompressedEdwardsY(bytes).decompress() {
            let canonical = point.compress().to_bytes() == bytes;
            prop_assert_eq!(key.is_acceptable(), canonical && !point.is_small_order());
        }
    }

    /// A key with a part of small order in it is not of small order: signatures under it are the chain's to judge.
    #[test]
    fn keys_of_mixed_order_are_not_mistaken_for_small_ones(seed in 1u64.., torsion in 0usize..8) {
        let point = EdwardsPoint::mul_base(&Scalar::from(seed)) + EIGHT_TORSION[torsion];
        prop_assert!(!point.is_identity());
        prop_assert!(VerifyingKey(point.compress().to_bytes()).is_acceptable());
    }
}
