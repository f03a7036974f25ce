//! The record of a group: the last 64 epochs on chain, and a hash chain by which an archive of events can be audited.

use codec::Encode;
use frame_support::assert_ok;
use keyward_protocol::{history::Entry, view::Cause, Commitment, Digest, GroupId, Role};
use sp_io::hashing::blake2_256;

use super::{builders::*, *};
use crate::{ChainHeads, Event, KeyExchanges};

/// Every entry of a group in the archive, with the block it stood in.
fn archive(group: &GroupId) -> Vec<(u32, Entry, Digest)> {
    fleet_events_by_block()
        .into_iter()
        .filter_map(|(block, event)| match event {
            Event::ChainExtended {
                group: of,
                entry,
                head,
            } if of == *group => Some((block, entry, head)),
            _ => None,
        })
        .collect()
}

/// The head that an auditor computes from the archive alone.
fn recomputed(group: &GroupId) -> Digest {
    let mut head = Digest([0; 32]);
    for (block, entry, claimed) in archive(group) {
        head = Digest((genesis(), group, head, block, entry).using_encoded(blake2_256));
        assert_eq!(head, claimed);
    }
    head
}

thread_local! {
    static ARCHIVE: std::cell::RefCell<Vec<(u32, Event<Test>)>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Moves the block's events to the archive, and goes on to the next one.
fn archive_block() {
    let block = System::block_number();
    let events = fleet_events().into_iter().map(|event| (block, event));
    ARCHIVE.with_borrow_mut(|archive| archive.extend(events));
    System::reset_events();
    next_block();
}

fn fleet_events_by_block() -> Vec<(u32, Event<Test>)> {
    ARCHIVE.with_borrow(|archive| archive.clone())
}

/// A life with everything in it that a chain records.
fn lead_a_life(group: &GroupId) {
    let device = register("acme.d", &ANNE);
    let foreign = register_foreign("globex.d");
    stage(group, 1);
    archive_block();
    (2..=5).for_each(|epoch| stage(group, epoch));
    add(group, &device, Role::Both);
    add(group, &foreign, Role::Publish);
    archive_block();
    assert_ok!(Fleet::accept_membership(
        by(&CORA),
        group.clone(),
        foreign.clone(),
        filters(["acme.g"])
    ));
    assert_ok!(Fleet::record_delivery(
        by(&ANNE),
        group.clone(),
        2,
        1,
        Digest([1; 32])
    ));
    archive_block();
    let items = list([
        receipt(group, &device, 2, commitment(2)),
        receipt(group, &foreign, 3, Commitment([0xab; 32])),
    ]);
    assert_ok!(Fleet::acknowledge(by(&BERT), group.clone(), items));
    assert_ok!(Replacement::of("acme.d", "new").submit());
    archive_block();
    assert_ok!(Fleet::suspend_device(by(&CORA), foreign.clone()));
    archive_block();
    assert_ok!(Fleet::reinstate_device(by(&CORA), foreign.clone()));
    archive_block();
    stage(group, 6);
    archive_block();
    assert_ok!(Fleet::suspend_gateway(council(), BERT));
    archive_block();
    assert_ok!(Fleet::revoke_device(by(&CORA), foreign));
    remove(group, &device);
    archive_block();
}

#[test]
fn an_archive_of_the_events_reproduces_the_head() {
    run(|| {
        let group = create_group("acme.g");
        lead_a_life(&group);
        assert_eq!(ChainHeads::<Test>::get(&group), Some(recomputed(&group)));
        assert_eq!(
            Fleet::group(group.clone()).unwrap().chain_head,
            recomputed(&group)
        );
    });
}

#[test]
fn every_kind_of_change_is_on_the_chain() {
    run(|| {
        let group = create_group("acme.g");
        lead_a_life(&group);
        let entries: Vec<Entry> = archive(&group)
            .into_iter()
            .map(|(_, entry, _)| entry)
            .collect();
        let has = |what: &str, found: fn(&Entry) -> bool| {
            assert!(
                entries.iter().any(found),
                "{what} is missing in {entries:#?}"
            );
        };
        has("creation", |e| {
            matches!(
                e,
                Entry::Advanced {
                    epoch: 1,
                    cause: Cause::Created,
                    committed: None
                }
            )
        });
        has("activation", |e| {
            matches!(e, Entry::Activated { epoch: 1, .. })
        });
        has("advance", |e| {
            matches!(
                e,
                Entry::Advanced {
                    cause: Cause::Joined,
                    committed: Some(_),
                    ..
                }
            )
        });
        has("delivery", |e| {
            matches!(
                e,
                Entry::Delivered {
                    epoch: 2,
                    recipients: 1,
                    ..
                }
            )
        });
        has("join", |e| {
            matches!(
                e,
                Entry::Joined {
                    key_version: 1,
                    role: Role::Publish,
                    ..
                }
            )
        });
        has("new keys", |e| {
            matches!(e, Entry::Joined { key_version: 2, .. })
        });
        has("suspension", |e| matches!(e, Entry::Suspended { .. }));
        has("removal", |e| matches!(e, Entry::Left { .. }));
        has("receipts", |e| {
            matches!(e, Entry::Receipts { count: 2, .. })
        });
        has("custodian", |e| {
            matches!(
                e,
                Entry::Advanced {
                    cause: Cause::CustodianLeft,
                    ..
                }
            )
        });
    });
}

#[test]
fn a_batch_of_receipts_is_bound_by_its_digest() {
    run(|| {
        let device = register("acme.d", &ANNE);
        let group = active_group("acme.g", 2);
        add(&group, &device, Role::Both);
        next_block();
        let items = vec![receipt(&group, &device, 2, commitment(2))];
        assert_ok!(Fleet::acknowledge(
            by(&ANNE),
            group.clone(),
            list(items.clone())
        ));
        let digest = Digest(items.using_encoded(blake2_256));
        let recorded = fleet_events().into_iter().any(|event| {
            matches!(event, Event::ChainExtended { entry: Entry::Receipts { digest: d, count: 1 }, .. } if d == digest)
        });
        assert!(recorded);
    });
}

#[test]
fn the_current_epoch_and_the_last_64_before_it_are_on_record() {
    run(|| {
        let group = active_group("acme.g", 0);
        for epoch in 2..=70 {
            stage(&group, epoch);
            assert_ok!(Fleet::rotate(by(&ANNE), group.clone()));
            next_block();
        }
        let mut kept: Vec<u32> = KeyExchanges::<Test>::iter_key_prefix(&group).collect();
        kept.sort();
        assert_eq!(kept, (6..=70).collect::<Vec<_>>());
        let exchanges = Fleet::group(group).unwrap().exchanges;
        let shown: Vec<u32> = exchanges.iter().map(|(epoch, _)| *epoch).collect();
        assert_eq!(shown, kept);
    });
}

#[test]
fn what_is_refused_leaves_no_trace_on_the_chain() {
    run(|| {
        let group = active_group("acme.g", 0);
        let head = ChainHeads::<Test>::get(&group);
        assert!(Fleet::stage_epoch(by(&ANNE), group.clone(), 7, commitment(7)).is_err());
        assert!(Fleet::rotate(by(&CORA), group.clone()).is_err());
        assert_eq!(ChainHeads::<Test>::get(&group), head);
    });
}
