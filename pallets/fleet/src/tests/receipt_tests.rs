//! Receipts are verified on chain, conflicts are recorded with their evidence, deliveries once (KEX-8).

use frame_support::{assert_noop, assert_ok};
use keyward_protocol::{view::Delivery, Commitment, DeviceId, Digest, GroupId, Role, Signature};
use sp_runtime::DispatchResult;

use super::{builders::*, *};
use crate::{
    Batch, Changes, Conflict, ConflictCounts, Conflicts, Error, Event, Groups, Holding, Holdings,
    KeyExchanges,
};

type E = Error<Test>;

const OTHER: Commitment = Commitment([0xab; 32]);

/// A member since epoch 2, which is the current one, with two staged.
fn joined() -> (GroupId, DeviceId) {
    let device = register("acme.d", &ANNE);
    let group = active_group("acme.g", 3);
    add(&group, &device, Role::Both);
    next_block();
    (group, device)
}

fn acknowledges(group: &GroupId, device: &DeviceId, epoch: u32) -> DispatchResult {
    acknowledge(group, receipt(group, device, epoch, commitment(epoch)))
}

fn deliver(who: &AccountId32, group: &GroupId, epoch: u32) -> DispatchResult {
    Fleet::record_delivery(by(who), group.clone(), epoch, 7, Digest([5; 32]))
}

#[test]
fn a_receipt_is_recorded() {
    run(|| {
        let (group, device) = joined();
        assert_ok!(acknowledges(&group, &device, 2));
        let holding = Holdings::<Test>::get(&group, &device);
        assert_eq!(holding, Some(Holding { epoch: 2, at: 3 }));
        System::assert_has_event(
            Event::Acknowledged {
                group,
                device,
                epoch: 2,
            }
            .into(),
        );
    });
}

#[test]
fn any_active_gateway_records_it_and_nobody_else() {
    run(|| {
        let (group, device) = joined();
        let items = || list([receipt(&group, &device, 2, commitment(2))]);
        assert_noop!(
            Fleet::acknowledge(by(&NOBODY), group.clone(), items()),
            E::NotGateway
        );
        assert_noop!(
            Fleet::acknowledge(council(), group.clone(), items()),
            E::NotGateway
        );
        assert_ok!(Fleet::acknowledge(by(&CORA), group.clone(), items()));
        assert!(Holdings::<Test>::contains_key(&group, &device));
    });
}

#[test]
fn a_receipt_that_the_device_did_not_sign_is_refused() {
    run(|| {
        let (group, device) = joined();
        let good = || receipt(&group, &device, 2, commitment(2));
        let forged = receipt_by(&Keys::of("others"), 1, &group, &device, 2, commitment(2));
        assert_noop!(acknowledge(&group, forged), E::BadReceiptSignature);
        let mut moved = good();
        moved.commitment = OTHER;
        assert_noop!(acknowledge(&group, moved), E::BadReceiptSignature);
        let mut zero = good();
        zero.signature = Signature([0; 64]);
        assert_noop!(acknowledge(&group, zero), E::BadReceiptSignature);
        let elsewhere = receipt(&group_id("acme.h"), &device, 2, commitment(2));
        assert_noop!(acknowledge(&group, elsewhere), E::BadReceiptSignature);
        assert_ok!(acknowledge(&group, good()));
    });
}

#[test]
fn a_receipt_is_signed_with_the_keys_on_chain() {
    run(|| {
        let (group, device) = joined();
        assert_ok!(Replacement::of("acme.d", "new").submit());
        assert_noop!(acknowledges(&group, &device, 3), E::BadReceiptSignature);
        // The new key over the former version is no receipt either.
        let new = Keys::of("new");
        let stale = receipt_by(&new, 1, &group, &device, 3, commitment(3));
        assert_noop!(acknowledge(&group, stale), E::BadReceiptSignature);
        let fresh = receipt_by(&new, 2, &group, &device, 3, commitment(3));
        assert_ok!(acknowledge(&group, fresh));
    });
}

#[test]
fn one_bad_receipt_refuses_the_batch() {
    run(|| {
        let (group, device) = joined();
        let good = receipt(&group, &device, 2, commitment(2));
        let forged = receipt_by(&Keys::of("others"), 1, &group, &device, 2, OTHER);
        let batch: Batch<_> = list([good, forged]);
        assert_noop!(
            Fleet::acknowledge(by(&ANNE), group.clone(), batch),
            E::BadReceiptSignature
        );
        assert_noop!(Fleet::acknowledge(by(&ANNE), group, list([])), E::EmptyList);
    });
}

#[test]
fn an_older_or_equal_receipt_changes_nothing() {
    run(|| {
        let (group, device) = joined();
        assert_ok!(Fleet::rotate(by(&ANNE), group.clone()));
        assert_ok!(acknowledges(&group, &device, 3));
        let head = crate::ChainHeads::<Test>::get(&group);
        next_block();
        assert_ok!(acknowledges(&group, &device, 2));
        assert_ok!(acknowledges(&group, &device, 3));
        let holding = Holdings::<Test>::get(&group, &device);
        assert_eq!(holding, Some(Holding { epoch: 3, at: 3 }));
        assert_eq!(crate::ChainHeads::<Test>::get(&group), head);
    });
}

#[test]
fn receipts_of_epochs_that_are_not_active_or_not_on_record_are_refused() {
    run(|| {
        let (group, device) = joined();
        assert_noop!(acknowledges(&group, &device, 3), E::UnknownEpoch);
        assert_noop!(acknowledges(&group, &device, u32::MAX), E::UnknownEpoch);
        assert!(acknowledges(&group, &device, 0).is_err());
        assert_ok!(Fleet::withdraw_staged(by(&ANNE), group.clone(), 2));
        // Epoch 3 is awaited now.
        assert_noop!(acknowledges(&group, &device, 3), E::UnknownEpoch);
    });
}

#[test]
fn a_device_acknowledges_nothing_from_before_it_joined() {
    run(|| {
        let (group, device) = joined();
        assert_noop!(acknowledges(&group, &device, 1), E::EpochBeforeJoin);
    });
}

#[test]
fn only_members_acknowledge() {
    run(|| {
        let (group, device) = joined();
        let stranger = register("acme.e", &ANNE);
        assert_noop!(acknowledges(&group, &stranger, 2), E::NotMember);
        let unknown = device_id("acme.unknown");
        assert!(acknowledges(&group, &unknown, 2).is_err());
        assert_ok!(acknowledges(&group, &device, 2));
        remove(&group, &device);
        assert_noop!(acknowledges(&group, &device, 3), E::NotMember);
        // What it held stays on record.
        assert!(Holdings::<Test>::contains_key(&group, &device));
    });
}

/// KEX-9.
#[test]
fn another_commitment_is_recorded_with_its_signature_and_not_refused() {
    run(|| {
        let (group, device) = joined();
        let item = receipt(&group, &device, 2, OTHER);
        assert_ok!(acknowledge(&group, item.clone()));
        let conflict = Conflict {
            commitment: OTHER,
            key_version: 1,
            signature: item.signature,
            at: 3,
        };
        let key = (group.clone(), 2, device.clone());
        assert_eq!(Conflicts::<Test>::get(key), Some(conflict));
        assert_eq!(ConflictCounts::<Test>::get(&group), 1);
        // It does not hold the chain's secret.
        assert!(!Holdings::<Test>::contains_key(&group, &device));
        let event = Event::ConflictRecorded {
            group,
            device,
            epoch: 2,
            commitment: OTHER,
        };
        System::assert_has_event(event.into());
    });
}

#[test]
fn the_first_evidence_stays_and_counts_once() {
    run(|| {
        let (group, device) = joined();
        assert_ok!(acknowledge(&group, receipt(&group, &device, 2, OTHER)));
        let key = (group.clone(), 2, device.clone());
        let first = Conflicts::<Test>::get(key.clone());
        next_block();
        let another = Commitment([0xcd; 32]);
        assert_ok!(acknowledge(&group, receipt(&group, &device, 2, OTHER)));
        assert_ok!(acknowledge(&group, receipt(&group, &device, 2, another)));
        assert_ok!(acknowledges(&group, &device, 2));
        assert_eq!(Conflicts::<Test>::get(key), first);
        assert_eq!(ConflictCounts::<Test>::get(&group), 1);
    });
}

#[test]
fn a_conflict_shows_in_the_answers() {
    run(|| {
        let (group, device) = joined();
        assert_ok!(acknowledge(&group, receipt(&group, &device, 2, OTHER)));
        let conflicts = Fleet::conflicts(group);
        assert_eq!(conflicts.len(), 1);
        assert_eq!((conflicts[0].epoch, &conflicts[0].device), (2, &device));
        assert_eq!(conflicts[0].commitment, OTHER);
    });
}

#[test]
fn at_most_1024_conflicts_of_a_group_are_recorded() {
    run(|| {
        let (group, device) = joined();
        assert_ok!(acknowledge(&group, receipt(&group, &device, 2, OTHER)));
        let evidence = Conflicts::<Test>::get((group.clone(), 2, device.clone())).unwrap();
        for epoch in 10_001..=11_023 {
            Conflicts::<Test>::insert((group.clone(), epoch, device.clone()), &evidence);
        }
        ConflictCounts::<Test>::insert(&group, 1024);
        next_block();
        assert_ok!(Fleet::rotate(by(&ANNE), group.clone()));
        let one_more = receipt(&group, &device, 3, OTHER);
        assert_noop!(acknowledge(&group, one_more), E::TooManyConflicts);
        // Receipts without conflict still count.
        assert_ok!(acknowledges(&group, &device, 3));
        for epoch in 10_001..=11_023 {
            Conflicts::<Test>::remove((group.clone(), epoch, device.clone()));
        }
        ConflictCounts::<Test>::insert(&group, 1);
    });
}

#[test]
fn receipts_raise_no_revision_and_count_as_no_change() {
    run(|| {
        let (group, device) = joined();
        let before = (Groups::<Test>::get(&group), Changes::<Test>::get());
        assert_ok!(acknowledges(&group, &device, 2));
        assert_ok!(deliver(&ANNE, &group, 2));
        assert_eq!(
            (Groups::<Test>::get(&group), Changes::<Test>::get()),
            before
        );
    });
}

#[test]
fn the_custodian_of_an_epoch_records_its_delivery_once() {
    run(|| {
        let (group, _) = joined();
        assert_noop!(deliver(&BERT, &group, 2), E::NotCommitter);
        assert_noop!(deliver(&CORA, &group, 2), E::NotCustodian);
        assert_noop!(deliver(&ANNE, &group, 3), E::UnknownEpoch);
        assert_ok!(deliver(&ANNE, &group, 2));
        let delivery = Delivery {
            at: 3,
            recipients: 7,
            grants_root: Digest([5; 32]),
        };
        let exchange = KeyExchanges::<Test>::get(&group, 2).unwrap();
        assert_eq!(exchange.delivery, Some(delivery));
        assert_noop!(deliver(&ANNE, &group, 2), E::AlreadyDelivered);
        // An older epoch that is still on record can be delivered late.
        assert_ok!(deliver(&ANNE, &group, 1));
    });
}

#[test]
fn an_awaited_epoch_cannot_be_delivered() {
    run(|| {
        let group = create_group("acme.g");
        assert_noop!(deliver(&ANNE, &group, 1), E::UnknownEpoch);
    });
}

/// It may have signed before its suspension; and if it got a later key nevertheless, an auditor must hear of it.
#[test]
fn a_suspended_member_s_receipts_are_evidence_too() {
    run(|| {
        let (group, device) = joined();
        assert_ok!(Fleet::suspend_device(by(&ANNE), device.clone()));
        assert_ok!(acknowledges(&group, &device, 2));
        assert_ok!(acknowledge(&group, receipt(&group, &device, 3, OTHER)));
        assert_eq!(Holdings::<Test>::get(&group, &device).unwrap().epoch, 2);
        assert_eq!(ConflictCounts::<Test>::get(&group), 1);
    });
}

#[test]
fn receipts_are_still_taken_in_a_frozen_group() {
    run(|| {
        let (group, device) = joined();
        assert_ok!(Fleet::freeze_group(council(), group.clone()));
        assert_ok!(acknowledges(&group, &device, 2));
    });
}
