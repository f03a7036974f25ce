//! New keys for a device: by its current key, or by a new voucher for one that lost its keys (REG-6, REG-7).

use frame_support::{assert_noop, assert_ok};
use keyward_protocol::{signing::Purpose, statement::GroupState, Genesis, Role};

use super::{builders::*, *};
use crate::{Devices, Error, Event, KeyAuthorisation};

type E = Error<Test>;

/// A new voucher for a device that lost its keys.
fn lost(device: &str, new: &str) -> Enrolment {
    let mut enrolment = Enrolment::of(device).with_keys(&Keys::of(new));
    enrolment.voucher.key_version = 2;
    enrolment
}

fn replace(enrolment: &Enrolment) -> sp_runtime::DispatchResult {
    Fleet::replace_device_keys(by(&enrolment.caller), enrolment.authorisation())
}

#[test]
fn the_current_key_hands_over_to_new_ones() {
    run(|| {
        let device = register("acme.d", &ANNE);
        assert_ok!(Replacement::of("acme.d", "new").submit());
        let new = Keys::of("new");
        let stored = Devices::<Test>::get(&device).unwrap();
        assert_eq!(stored.key_version, 2);
        assert_eq!(
            (stored.signing_key, stored.agreement_key),
            (new.verifying(), new.agreement)
        );
        let event = Event::DeviceKeysReplaced {
            device,
            key_version: 2,
            by_voucher: false,
        };
        System::assert_has_event(event.into());
    });
}

#[test]
fn a_replacement_works_once() {
    run(|| {
        register("acme.d", &ANNE);
        let replacement = Replacement::of("acme.d", "new");
        assert_ok!(replacement.submit());
        assert_noop!(replacement.submit(), E::WrongKeyVersion);
    });
}

#[test]
fn key_versions_rise_by_one() {
    run(|| {
        register("acme.d", &ANNE);
        for wrong in [0, 1, 3, u32::MAX] {
            let mut replacement = Replacement::of("acme.d", "new");
            replacement.body.key_version = wrong;
            assert_noop!(replacement.submit(), E::WrongKeyVersion);
            let mut enrolment = lost("acme.d", "new");
            enrolment.voucher.key_version = wrong;
            assert_noop!(replace(&enrolment), E::WrongKeyVersion);
        }
    });
}

#[test]
fn a_replacement_is_accepted_up_to_its_last_second() {
    run(|| {
        register("acme.d", &ANNE);
        let mut replacement = Replacement::of("acme.d", "new");
        replacement.body.not_after = START - 1;
        assert_noop!(replacement.submit(), E::Expired);
        replacement.body.not_after = START;
        assert_ok!(replacement.submit());
    });
}

#[test]
fn a_replacement_for_another_chain_is_refused() {
    run(|| {
        register("acme.d", &ANNE);
        let mut replacement = Replacement::of("acme.d", "new");
        replacement.genesis = Genesis([0xee; 32]);
        assert!(replacement.submit().is_err());
        assert_eq!(
            Devices::<Test>::get(device_id("acme.d"))
                .unwrap()
                .key_version,
            1
        );
    });
}

#[test]
fn both_the_current_and_the_new_key_sign() {
    run(|| {
        register("acme.d", &ANNE);
        let mut replacement = Replacement::of("acme.d", "new");
        replacement.current_key = Keys::of("new").signing;
        assert_noop!(replacement.submit(), E::BadCurrentSignature);
        let mut replacement = Replacement::of("acme.d", "new");
        replacement.new_key = Keys::of("acme.d").signing;
        assert_noop!(replacement.submit(), E::BadProof);
    });
}

#[test]
fn a_former_key_hands_over_to_nothing() {
    run(|| {
        register("acme.d", &ANNE);
        assert_ok!(Replacement::of("acme.d", "new").submit());
        let mut replacement = Replacement::of("acme.d", "newer");
        replacement.body.key_version = 3;
        assert_noop!(replacement.submit(), E::BadCurrentSignature);
        replacement.current_key = Keys::of("new").signing;
        assert_ok!(replacement.submit());
    });
}

#[test]
fn a_signature_for_another_device_replaces_nothing() {
    run(|| {
        register("acme.d", &ANNE);
        register("acme.e", &ANNE);
        let signed = Replacement::of("acme.d", "new").authorisation();
        let KeyAuthorisation::Current {
            mut replacement,
            new_signature,
            current_signature,
        } = signed
        else {
            unreachable!()
        };
        replacement.device = device_id("acme.e");
        let moved = KeyAuthorisation::Current {
            replacement,
            new_signature,
            current_signature,
        };
        assert!(Fleet::replace_device_keys(by(&ANNE), moved).is_err());
        assert_eq!(
            Devices::<Test>::get(device_id("acme.e"))
                .unwrap()
                .key_version,
            1
        );
    });
}

#[test]
fn a_lost_device_gets_new_keys_by_a_new_voucher() {
    run(|| {
        let device = register("acme.d", &ANNE);
        let enrolment = lost("acme.d", "new");
        assert_ok!(replace(&enrolment));
        let stored = Devices::<Test>::get(&device).unwrap();
        assert_eq!(stored.signing_key, Keys::of("new").verifying());
        let event = Event::DeviceKeysReplaced {
            device,
            key_version: 2,
            by_voucher: true,
        };
        System::assert_has_event(event.into());
        assert_noop!(replace(&enrolment), E::WrongKeyVersion);
    });
}

#[test]
fn the_voucher_of_a_lost_device_has_all_the_rules_of_a_first_one() {
    run(|| {
        register("acme.d", &ANNE);
        let with = |change: fn(&mut Enrolment)| {
            let mut enrolment = lost("acme.d", "new");
            change(&mut enrolment);
            replace(&enrolment)
        };
        assert_noop!(with(|e| e.voucher.not_after = START - 1), E::Expired);
        assert_noop!(
            with(|e| e.voucher.gateway = raw(&BERT)),
            E::VoucherForAnotherGateway
        );
        assert_noop!(
            with(|e| e.authority_key = Keys::of("globex.ca").signing),
            E::BadVoucherSignature
        );
        assert_noop!(
            with(|e| e.voucher_genesis = Genesis([0; 32])),
            E::BadVoucherSignature
        );
        assert_noop!(with(|e| e.proof_genesis = Genesis([0; 32])), E::BadProof);
        assert_noop!(
            with(|e| e.device_key = Keys::of("acme.d").signing),
            E::BadProof
        );
        assert_noop!(
            with(|e| *e = e.clone().vouched_by("globex.ca")),
            E::ForeignAuthority
        );
        assert_ok!(Fleet::revoke_authority(council(), authority_id("acme.ca")));
        assert_noop!(with(|_| ()), E::AuthorityRevoked);
    });
}

#[test]
fn a_voucher_for_new_keys_registers_no_device() {
    run(|| {
        assert_noop!(lost("acme.d", "new").submit(), E::WrongKeyVersion);
        assert_noop!(replace(&lost("acme.d", "new")), E::UnknownDevice);
    });
}

#[test]
fn a_revoked_device_gets_no_keys() {
    run(|| {
        let device = register("acme.d", &ANNE);
        assert_ok!(Fleet::revoke_device(by(&ANNE), device));
        assert_noop!(Replacement::of("acme.d", "new").submit(), E::DeviceRevoked);
        assert_noop!(replace(&lost("acme.d", "new")), E::DeviceRevoked);
    });
}

/// It may be suspended because its keys are stolen: the thief must not hand over to its own.
#[test]
fn a_suspended_device_gets_new_keys_by_a_voucher_only_and_stays_suspended() {
    run(|| {
        let device = register("acme.d", &ANNE);
        assert_ok!(Fleet::suspend_device(by(&ANNE), device.clone()));
        assert_noop!(
            Replacement::of("acme.d", "new").submit(),
            E::DeviceSuspended
        );
        assert_ok!(replace(&lost("acme.d", "new")));
        let stored = Devices::<Test>::get(&device).unwrap();
        assert_eq!(
            stored.status,
            keyward_protocol::view::DeviceStatus::Suspended
        );
        assert_eq!(stored.key_version, 2);
    });
}

#[test]
fn who_does_not_own_a_device_replaces_its_keys_with_no_voucher() {
    run(|| {
        register("acme.d", &ANNE);
        let enrolment = lost("acme.d", "new").under(&BERT);
        assert_noop!(replace(&enrolment), E::NotOwner);
    });
}

#[test]
fn with_new_keys_a_device_has_a_new_index_in_each_of_its_groups_and_these_advance() {
    run(|| {
        let device = register("acme.d", &ANNE);
        let groups = ["acme.g", "acme.h"].map(|name| active_group(name, 3));
        groups
            .iter()
            .for_each(|group| add(group, &device, Role::Both));
        next_block();
        let before = groups.clone().map(|group| member(&group, &device).unwrap());
        assert_ok!(Replacement::of("acme.d", "new").submit());
        for (id, before) in groups.iter().zip(before) {
            let after = member(id, &device).unwrap();
            assert!(after.index > before.index);
            assert_eq!(after.role, before.role);
            assert_eq!(after.filters, before.filters);
            assert_eq!(epochs(id), (GroupState::Active, 3, 1));
            assert_eq!(after.joined_epoch, 3);
            assert_eq!(group(id).members, 1);
        }
    });
}

#[test]
fn a_receipt_is_no_replacement() {
    run(|| {
        register("acme.d", &ANNE);
        let replacement = Replacement::of("acme.d", "new");
        let bytes =
            keyward_protocol::signing::payload(&genesis(), Purpose::Receipt, &replacement.body);
        let authorisation = KeyAuthorisation::Current {
            current_signature: sign(&replacement.current_key, &bytes),
            new_signature: sign(&replacement.new_key, &bytes),
            replacement: replacement.body,
        };
        assert!(Fleet::replace_device_keys(by(&ANNE), authorisation).is_err());
        assert_eq!(
            Devices::<Test>::get(device_id("acme.d"))
                .unwrap()
                .key_version,
            1
        );
    });
}
