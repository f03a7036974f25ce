//! How a device comes on chain: voucher, proof of possession, and everything that is wrong with them (REG-1 to REG-5).

use frame_support::{assert_noop, assert_ok};
use keyward_protocol::{registration::Registration, view::DeviceStatus, Digest, Genesis};

use super::{builders::*, *};
use crate::{Devices, Error, Event, Holder, OwnedDevices, SigningKeys, Usages};

type E = Error<Test>;

const OTHER_CHAIN: Genesis = Genesis([0xee; 32]);

#[test]
fn a_device_with_voucher_and_proof_is_registered() {
    run(|| {
        let enrolment = Enrolment::of("acme.d");
        assert_ok!(enrolment.submit());
        let device = device_id("acme.d");
        let stored = Devices::<Test>::get(&device).unwrap();
        assert_eq!(stored.owner, ANNE);
        assert_eq!(stored.authority, authority_id("acme.ca"));
        assert_eq!(stored.signing_key, enrolment.voucher.signing_key);
        assert_eq!(stored.agreement_key, enrolment.voucher.agreement_key);
        assert_eq!((stored.key_version, stored.enrolled_at), (1, 1));
        assert_eq!(stored.status, DeviceStatus::Active);
        assert!(OwnedDevices::<Test>::contains_key(ANNE, &device));
        assert_eq!(Usages::<Test>::get(ANNE).devices, 1);
        let holder = SigningKeys::<Test>::get(stored.signing_key);
        assert_eq!(holder, Some(Holder::Device(device.clone())));
        let (owner, authority) = (ANNE, authority_id("acme.ca"));
        System::assert_last_event(
            Event::DeviceRegistered {
                device,
                owner,
                authority,
            }
            .into(),
        );
    });
}

#[test]
fn a_voucher_works_once() {
    run(|| {
        let enrolment = Enrolment::of("acme.d");
        assert_ok!(enrolment.submit());
        assert_noop!(enrolment.submit(), E::DeviceExists);
        // Not after the device is gone, either.
        assert_ok!(Fleet::revoke_device(by(&ANNE), device_id("acme.d")));
        assert_noop!(enrolment.submit(), E::DeviceExists);
    });
}

/// ID-3.
#[test]
fn the_id_of_a_revoked_device_is_never_used_again() {
    run(|| {
        let device = register("acme.d", &ANNE);
        assert_ok!(Fleet::revoke_device(by(&ANNE), device));
        let again = Enrolment::of("acme.d").with_keys(&Keys::of("others"));
        assert_noop!(again.submit(), E::DeviceExists);
    });
}

#[test]
fn a_voucher_is_accepted_up_to_its_last_second() {
    run(|| {
        let mut enrolment = Enrolment::of("acme.d");
        enrolment.voucher.not_after = START - 1;
        assert_noop!(enrolment.submit(), E::Expired);
        enrolment.voucher.not_after = START;
        assert_ok!(enrolment.submit());
    });
}

#[test]
fn a_voucher_for_another_chain_is_refused() {
    run(|| {
        let mut enrolment = Enrolment::of("acme.d");
        enrolment.voucher_genesis = OTHER_CHAIN;
        assert_noop!(enrolment.submit(), E::BadVoucherSignature);
    });
}

#[test]
fn a_proof_for_another_chain_is_refused() {
    run(|| {
        let mut enrolment = Enrolment::of("acme.d");
        enrolment.proof_genesis = OTHER_CHAIN;
        assert_noop!(enrolment.submit(), E::BadProof);
    });
}

#[test]
fn a_voucher_for_another_gateway_is_refused() {
    run(|| {
        let mut enrolment = Enrolment::of("acme.d");
        enrolment.caller = BERT;
        assert_noop!(enrolment.submit(), E::VoucherForAnotherGateway);
        enrolment.caller = NOBODY;
        assert_noop!(enrolment.submit(), E::NotGateway);
    });
}

#[test]
fn a_voucher_by_another_key_is_refused() {
    run(|| {
        let mut enrolment = Enrolment::of("acme.d");
        // Another authority's key, a gateway's statement key, the device's own.
        for signer in ["globex.ca", "acme.anne", "acme.d"] {
            enrolment.authority_key = Keys::of(signer).signing;
            assert_noop!(enrolment.submit(), E::BadVoucherSignature);
        }
    });
}

#[test]
fn a_voucher_with_one_field_changed_after_it_was_signed_is_refused() {
    run(|| {
        let good = Enrolment::of("acme.d");
        let (signature, proof) = (good.voucher_signature(), good.proof());
        let mut later = good.voucher.clone();
        later.not_after += 1;
        let mut renamed = good.voucher.clone();
        renamed.device = device_id("acme.e");
        let mut rekeyed = good.voucher;
        rekeyed.agreement_key = Keys::of("others").agreement;
        for voucher in [later, renamed, rekeyed] {
            assert_noop!(
                Fleet::register_device(by(&ANNE), voucher, signature, proof),
                E::BadVoucherSignature
            );
        }
    });
}

#[test]
fn an_unknown_authority_vouches_for_nobody() {
    run(|| {
        let enrolment = Enrolment::of("acme.d").vouched_by("acme.unknown");
        assert_noop!(enrolment.submit(), E::UnknownAuthority);
    });
}

#[test]
fn a_foreign_organisation_s_authority_is_refused() {
    run(|| {
        let enrolment = Enrolment::of("acme.d").vouched_by("globex.ca");
        assert_noop!(enrolment.submit(), E::ForeignAuthority);
        // Nor does an authority of ANNE's vouch for devices under CORA.
        assert_noop!(
            Enrolment::of("globex.d").under(&CORA).submit(),
            E::ForeignAuthority
        );
    });
}

#[test]
fn a_revoked_authority_vouches_for_nobody_and_its_devices_stay() {
    run(|| {
        let device = register("acme.d", &ANNE);
        assert_ok!(Fleet::revoke_authority(council(), authority_id("acme.ca")));
        assert_noop!(Enrolment::of("acme.e").submit(), E::AuthorityRevoked);
        let status = Devices::<Test>::get(device).unwrap().status;
        assert_eq!(status, DeviceStatus::Active);
    });
}

#[test]
fn a_device_s_id_is_its_gateway_s_organisation_s() {
    run(|| {
        assert_noop!(Enrolment::of("globex.d").submit(), E::ForeignId);
        assert_noop!(Enrolment::of("bare").submit(), E::ForeignId);
    });
}

#[test]
fn a_new_device_has_key_version_1() {
    run(|| {
        let mut enrolment = Enrolment::of("acme.d");
        for wrong in [0, 2, u32::MAX] {
            enrolment.voucher.key_version = wrong;
            assert_noop!(enrolment.submit(), E::WrongKeyVersion);
        }
    });
}

#[test]
fn a_device_that_does_not_hold_the_signing_key_is_refused() {
    run(|| {
        let mut enrolment = Enrolment::of("acme.d");
        for signer in ["others", "acme.ca", "acme.anne"] {
            enrolment.device_key = Keys::of(signer).signing;
            assert_noop!(enrolment.submit(), E::BadProof);
        }
    });
}

#[test]
fn a_proof_over_anything_else_than_this_registration_is_refused() {
    run(|| {
        let mut enrolment = Enrolment::of("acme.d");
        let voucher = keyward_protocol::signing::payload(
            &genesis(),
            keyward_protocol::signing::Purpose::Voucher,
            &enrolment.voucher,
        );
        let others = Keys::of("others");
        let right = Registration {
            voucher: Digest(sp_io::hashing::blake2_256(&voucher)),
            gateway: raw(&ANNE),
            signing_key: enrolment.voucher.signing_key,
            agreement_key: enrolment.voucher.agreement_key,
        };
        let change = |change: fn(&mut Registration, &Keys)| {
            let mut wrong = right.clone();
            change(&mut wrong, &others);
            wrong
        };
        for wrong in [
            change(|r, _| r.voucher = Digest([0; 32])),
            change(|r, _| r.gateway = raw(&BERT)),
            change(|r, others| r.signing_key = others.verifying()),
            change(|r, others| r.agreement_key = others.agreement),
        ] {
            enrolment.registration = Some(wrong);
            assert_noop!(enrolment.submit(), E::BadProof);
        }
        enrolment.registration = Some(right);
        assert_ok!(enrolment.submit());
    });
}

#[test]
fn a_signature_made_for_another_purpose_is_no_proof() {
    run(|| {
        let enrolment = Enrolment::of("acme.d");
        let bytes = keyward_protocol::signing::payload(
            &genesis(),
            keyward_protocol::signing::Purpose::Voucher,
            &enrolment.voucher,
        );
        let proof = sign(&enrolment.device_key, &bytes);
        let signature = enrolment.voucher_signature();
        assert_noop!(
            Fleet::register_device(by(&ANNE), enrolment.voucher, signature, proof),
            E::BadProof
        );
    });
}
