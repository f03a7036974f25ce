//! Signed messages: what is believed, what is not, and that the chain believes it too.

use curve25519_dalek::{constants::EIGHT_TORSION, edwards::EdwardsPoint, Scalar};
use keyward_crypto::{
    hash::{blake2b_256, hash_of, registration, voucher_hash},
    sign::{sign_message, verify},
    Verifier,
};
use keyward_protocol::{
    beacon::AnchorCertificate,
    receipt::Receipt,
    registration::{KeyReplacement, Voucher},
    signing::{Body, Signed, Unverifiable, Unverified},
    AuthorityId, Commitment, Genesis, Signature, VerifyingKey,
};
use proptest::prelude::*;
use sha2::{Digest as _, Sha512};

use crate::fixed::{account, agreement, device, genesis, group, signing};

fn receipt() -> Signed<Receipt> {
    let receipt = Receipt {
        group: group("hsu0001"),
        epoch: 8,
        commitment: Commitment([0xc8; 32]),
        device: device("1111"),
        key_version: 1,
    };
    sign_message(genesis(), receipt, &signing(3)).unwrap()
}

/// The chain's verification: `sp_io::crypto::ed25519_verify` is ed25519-zebra (ZIP 215).
fn chain_accepts(key: &VerifyingKey, payload: &[u8], signature: &Signature) -> bool {
    let signature = ed25519_zebra::Signature::from(signature.0);
    ed25519_zebra::VerificationKey::try_from(key.0)
        .is_ok_and(|key| key.verify(&signature, payload).is_ok())
}

/// SIG-2.
#[test]
fn a_message_is_believed_under_its_key_for_its_chain() {
    let read = Unverified::from_wire(&receipt().to_wire()).unwrap();
    assert_eq!(
        verify(read, &genesis(), &signing(3).verifying_key()),
        Ok(receipt())
    );
}

#[test]
fn another_key_another_chain_and_an_unusable_key_have_their_reasons() {
    let read = || Unverified::<Receipt>::from_wire(&receipt().to_wire()).unwrap();
    let other = signing(4).verifying_key();
    assert_eq!(
        verify(read(), &genesis(), &other),
        Err(Unverifiable::Signature)
    );
    let chain = Genesis([9; 32]);
    let key = signing(3).verifying_key();
    assert_eq!(verify(read(), &chain, &key), Err(Unverifiable::Genesis));
    let small = VerifyingKey([0; 32]);
    assert_eq!(
        verify(read(), &genesis(), &small),
        Err(Unverifiable::Signature)
    );
    assert_eq!(verify(read(), &chain, &small), Err(Unverifiable::Genesis));
}

#[test]
fn every_changed_bit_on_the_wire_is_noticed() {
    let wire = receipt().to_wire();
    let verifier = Verifier::new(&signing(3).verifying_key()).unwrap();
    for at in 0..wire.len() * 8 {
        let mut changed = wire.clone();
        changed[at / 8] ^= 1 << (at % 8);
        let believed = Unverified::<Receipt>::from_wire(&changed)
            .is_ok_and(|read| verifier.verify(read, &genesis()).is_ok());
        assert!(!believed, "bit {at}");
    }
}

/// A body of another kind with the same bytes.
#[derive(Clone, Debug, PartialEq, codec::Encode, codec::Decode)]
struct Impostor(Receipt);
impl keyward_protocol::wire::Canonical for Impostor {}
impl Body for Impostor {
    const PURPOSE: keyward_protocol::signing::Purpose = keyward_protocol::signing::Purpose::Beacon;
    const MAX: usize = 512;
}

/// SIG-1.
#[test]
fn a_signature_for_one_purpose_is_none_for_another() {
    let read = Unverified::<Impostor>::from_wire(&receipt().to_wire()).unwrap();
    let believed = verify(read, &genesis(), &signing(3).verifying_key());
    assert_eq!(believed.err(), Some(Unverifiable::Signature));
}

/// SIG-3.
#[test]
fn the_hash_of_a_message_does_not_depend_on_its_signature() {
    let (ours, body) = (receipt(), receipt().into_body());
    let other = sign_message(genesis(), body.clone(), &signing(4)).unwrap();
    assert_ne!(ours, other);
    assert_eq!(hash_of(&ours), hash_of(&other));
    let elsewhere = sign_message(Genesis([9; 32]), body, &signing(3)).unwrap();
    assert_ne!(hash_of(&ours), hash_of(&elsewhere));
    assert_eq!(hash_of(&ours), blake2b_256(&ours.payload()));
}

fn voucher() -> Voucher {
    Voucher {
        authority: AuthorityId::new("ca1").unwrap(),
        device: device("1111"),
        gateway: account(0xa1),
        signing_key: signing(3).verifying_key(),
        agreement_key: agreement(5).public(),
        key_version: 1,
        not_after: 9,
    }
}

/// REG-2.
#[test]
fn a_registration_follows_from_its_voucher_and_is_signed_by_its_key() {
    let signed = sign_message(genesis(), voucher(), &signing(1)).unwrap();
    assert_eq!(voucher_hash(&genesis(), &voucher()), hash_of(&signed));
    let registration = registration(&genesis(), &voucher());
    let proof = signing(3).sign_registration(&genesis(), &registration);
    let verifier = Verifier::new(&voucher().signing_key).unwrap();
    assert!(verifier.verifies_registration(&genesis(), &registration, &proof));
    assert!(!verifier.verifies_registration(&Genesis([9; 32]), &registration, &proof));
    let mut other = registration;
    other.gateway = account(0xa2);
    assert!(!verifier.verifies_registration(&genesis(), &other, &proof));
}

/// REG-6.
#[test]
fn a_replacement_is_signed_by_both_keys_over_the_same_bytes() {
    let replacement = KeyReplacement {
        device: device("1111"),
        key_version: 2,
        signing_key: signing(4).verifying_key(),
        agreement_key: agreement(6).public(),
        not_after: 9,
    };
    for key in [signing(3), signing(4)] {
        let signature = key.sign_replacement(&genesis(), &replacement);
        let verifier = Verifier::new(&key.verifying_key()).unwrap();
        assert!(verifier.verifies_replacement(&genesis(), &replacement, &signature));
        let mut other = replacement.clone();
        other.key_version = 3;
        assert!(!verifier.verifies_replacement(&genesis(), &other, &signature));
    }
}

/// A signature over `message` under `scalar · B` plus a point of small order, with `R = nonce · B` plus another one.
fn crafted(
    (scalar, nonce): (u64, u64),
    (key, r): (usize, usize),
    message: &[u8],
) -> (VerifyingKey, Signature) {
    let (a, nonce) = (Scalar::from(scalar), Scalar::from(nonce));
    let public = (EdwardsPoint::mul_base(&a) + EIGHT_TORSION[key]).compress();
    let commitment = (EdwardsPoint::mul_base(&nonce) + EIGHT_TORSION[r]).compress();
    let hash = Sha512::new()
        .chain_update(commitment.as_bytes())
        .chain_update(public.as_bytes())
        .chain_update(message);
    let s = nonce + Scalar::from_hash(hash) * a;
    let bytes = [commitment.to_bytes(), s.to_bytes()].concat();
    (
        VerifyingKey(public.to_bytes()),
        Signature(bytes.try_into().unwrap()),
    )
}

/// Zero, which makes a point of small order of what is built on it, as often as not.
fn scalar() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), any::<u64>()]
}

/// What the library itself says of a signature when it checks strictly.
fn strictly(key: &VerifyingKey, message: &[u8], signature: &Signature) -> bool {
    let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
    ed25519_dalek::VerifyingKey::from_bytes(&key.0)
        .is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
}

fn accepted(key: &VerifyingKey, message: &[u8], signature: &Signature) -> bool {
    Verifier::new(key).is_ok_and(|key| key.verifies(message, signature))
}

proptest! {
    #[test]
    fn what_is_signed_is_accepted_here_and_by_the_chain(seed: [u8; 32], payload: Vec<u8>) {
        let key = keyward_crypto::SigningKey::from_seed(&seed);
        let signature = key.sign(&payload);
        let verifier = Verifier::new(&key.verifying_key()).unwrap();
        prop_assert!(verifier.verifies(&payload, &signature));
        prop_assert!(chain_accepts(&key.verifying_key(), &payload, &signature));
    }

    /// SIG-4, also for keys and signatures that were made to be judged differently.
    #[test]
    fn what_is_accepted_here_the_chain_accepts(
        numbers in (scalar(), scalar()), torsion in (0usize..8, 0usize..8), message: [u8; 8],
    ) {
        let (key, signature) = crafted(numbers, torsion, &message);
        let strict = strictly(&key, &message, &signature);
        prop_assert_eq!(accepted(&key, &message, &signature), strict);
        prop_assert!(!strict || chain_accepts(&key, &message, &signature));
    }

    #[test]
    fn a_signature_with_another_s_of_the_same_value_is_refused(seed: [u8; 32]) {
        let key = keyward_crypto::SigningKey::from_seed(&seed);
        let mut signature = key.sign(b"x");
        add_group_order(&mut signature.0[32..]);
        let verifier = Verifier::new(&key.verifying_key()).unwrap();
        prop_assert!(!verifier.verifies(b"x", &signature));
    }

    #[test]
    fn hostile_signatures_and_keys_never_panic(key: [u8; 32], low: [u8; 32], high: [u8; 32]) {
        let signature = Signature([low, high].concat().try_into().unwrap());
        let strict = Verifier::new(&VerifyingKey(key)).is_ok_and(|v| v.verifies(b"x", &signature));
        prop_assert!(!strict);
    }
}

/// The property above would say nothing if the verifications never differed, or if nothing were accepted.
#[test]
fn strict_verification_refuses_some_of_what_the_chain_accepts() {
    let (mut accepted_here, mut refused_here) = (0, 0);
    for torsion in 0..64 {
        let (key, signature) = crafted((7, 9), (torsion / 8, torsion % 8), b"x");
        assert!(chain_accepts(&key, b"x", &signature));
        match accepted(&key, b"x", &signature) {
            true => accepted_here += 1,
            false => refused_here += 1,
        }
    }
    assert!(
        accepted_here >= 8 && refused_here >= 8,
        "{accepted_here}, {refused_here}"
    );
}

#[test]
fn a_signature_whose_r_is_of_small_order_is_refused() {
    for r in 0..8 {
        let (key, signature) = crafted((7, 0), (0, r), b"x");
        assert!(chain_accepts(&key, b"x", &signature));
        assert!(!accepted(&key, b"x", &signature));
    }
}

fn add_group_order(s: &mut [u8]) {
    // 2^252 + 27742317777372353535851937790883648493, little endian.
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, order) in s.iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
}

#[test]
fn a_body_that_is_too_long_is_not_signed() {
    let anchor = AnchorCertificate {
        gateway: account(1),
        statement_key: signing(9).verifying_key(),
        serial: u64::MAX,
    };
    let signed = sign_message(genesis(), anchor, &signing(2)).unwrap();
    assert!(signed.to_wire().len() <= AnchorCertificate::MAX);
}
