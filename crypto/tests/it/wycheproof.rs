//! Google's Wycheproof vectors for the primitives, at the versions and with the features that are built in here.

use aes_gcm_siv::{
    aead::{Aead, KeyInit, Payload},
    Aes256GcmSiv,
};
use curve25519_dalek::MontgomeryPoint;
use hkdf::Hkdf;
use keyward_crypto::Verifier;
use keyward_protocol::{Signature, VerifyingKey};
use sha2::Sha256;
use wycheproof::{aead, eddsa, hkdf as kdf, xdh, TestResult};

#[test]
fn ed25519_verifies_strictly() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut checked = 0;
    for group in &set.test_groups {
        let key: [u8; 32] = group.key.pk[..].try_into().unwrap();
        let verifier = Verifier::new(&VerifyingKey(key));
        for test in &group.tests {
            let signature = <[u8; 64]>::try_from(&test.sig[..]).map(Signature);
            let verifies = match (&verifier, signature) {
                (Ok(verifier), Ok(signature)) => verifier.verifies(&test.msg, &signature),
                _ => false,
            };
            assert_eq!(
                verifies,
                test.result == TestResult::Valid,
                "case {}",
                test.tc_id
            );
            checked += 1;
        }
    }
    assert!(checked >= 100, "{checked} cases");
}

#[test]
fn x25519_agrees_and_refuses_the_zero_secret() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let mut checked = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let public: [u8; 32] = test.public_key[..].try_into().unwrap();
        let secret: [u8; 32] = test.private_key[..].try_into().unwrap();
        let shared = MontgomeryPoint(public).mul_clamped(secret);
        assert_eq!(
            shared.as_bytes()[..],
            test.shared_secret[..],
            "case {}",
            test.tc_id
        );
        if test.flags.contains(&xdh::TestFlag::ZeroSharedSecret) {
            let acceptable = keyward_protocol::AgreementKey(public).is_acceptable();
            assert!(!acceptable, "case {}", test.tc_id);
        }
        checked += 1;
    }
    assert!(checked >= 500, "{checked} cases");
}

#[test]
fn aes_256_gcm_siv_seals_and_opens() {
    let set = aead::TestSet::load(aead::TestName::AesGcmSiv).unwrap();
    let groups = set.test_groups.iter();
    let groups = groups.filter(|group| group.key_size == 256 && group.nonce_size == 96);
    let mut checked = 0;
    for test in groups.flat_map(|group| &group.tests) {
        let cipher = Aes256GcmSiv::new_from_slice(&test.key).unwrap();
        let nonce = test.nonce[..].into();
        let sealed = [&test.ct[..], &test.tag[..]].concat();
        let (msg, aad) = (&sealed[..], &test.aad[..]);
        let opened = cipher.decrypt(nonce, Payload { msg, aad }).ok();
        let valid = test.result == TestResult::Valid;
        assert_eq!(
            opened.as_deref(),
            valid.then_some(&test.pt[..]),
            "case {}",
            test.tc_id
        );
        if valid {
            let msg = &test.pt[..];
            let ours = cipher.encrypt(nonce, Payload { msg, aad }).unwrap();
            assert_eq!(ours, sealed, "case {}", test.tc_id);
        }
        checked += 1;
    }
    assert!(checked >= 50, "{checked} cases");
}

#[test]
fn hkdf_sha256_expands() {
    let set = kdf::TestSet::load(kdf::TestName::HkdfSha256).unwrap();
    let mut checked = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let mut okm = vec![0; test.size];
        let hkdf = Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm);
        let expanded = hkdf.expand(&test.info, &mut okm).is_ok();
        assert_eq!(
            expanded,
            test.result == TestResult::Valid,
            "case {}",
            test.tc_id
        );
        assert!(!expanded || okm == test.okm[..], "case {}", test.tc_id);
        checked += 1;
    }
    assert!(checked >= 80, "{checked} cases");
}
