//! Anchors: the last 64 batches of protected messages, and a hash chain over all of them.

use codec::Encode;
use frame_support::{assert_noop, assert_ok};
use keyward_protocol::Digest;
use sp_io::hashing::blake2_256;
use sp_runtime::DispatchResult;

use super::{builders::*, *};
use crate::{Anchor, AnchorChains, Anchors, Error, Event};

type E = Error<Test>;

fn anchor(root: u8, count: u32, first: u64, last: u64) -> DispatchResult {
    Fleet::anchor(
        by(&ANNE),
        group_id("acme.g"),
        Digest([root; 32]),
        count,
        first,
        last,
    )
}

#[test]
fn a_custodian_anchors_batches_by_rising_sequence() {
    run(|| {
        let group = active_group("acme.g", 0);
        assert_ok!(anchor(1, 10, 100, 200));
        assert_ok!(anchor(2, 1, 150, 150));
        let stored = Anchor {
            root: Digest([2; 32]),
            count: 1,
            first: 150,
            last: 150,
            custodian: ANNE,
            at: 2,
        };
        assert_eq!(Anchors::<Test>::get(&group, 1), Some(stored));
        assert_eq!(AnchorChains::<Test>::get(&group).next, 2);
        let event = Event::Anchored {
            group,
            sequence: 1,
            root: Digest([2; 32]),
        };
        System::assert_has_event(event.into());
    });
}

#[test]
fn an_anchor_covers_a_message_and_does_not_end_before_it_begins() {
    run(|| {
        active_group("acme.g", 0);
        assert_noop!(anchor(1, 0, 1, 2), E::BadAnchor);
        assert_noop!(anchor(1, 1, 2, 1), E::BadAnchor);
        assert_ok!(anchor(1, 1, 2, 2));
    });
}

#[test]
fn the_last_64_anchors_are_kept_and_the_chain_covers_all() {
    run(|| {
        let group = active_group("acme.g", 0);
        let mut head = Digest([0; 32]);
        for number in 0..70u8 {
            assert_ok!(anchor(number, 1, u64::from(number), 200));
            let sequence = u64::from(number);
            let stored = Anchors::<Test>::get(&group, sequence).unwrap();
            let link = (genesis(), &group, head, System::block_number(), stored);
            head = Digest(link.using_encoded(blake2_256));
        }
        assert_eq!(AnchorChains::<Test>::get(&group).head, head);
        assert_eq!(AnchorChains::<Test>::get(&group).next, 70);
        let kept: Vec<u64> = (0..70)
            .filter(|at| Anchors::<Test>::contains_key(&group, at))
            .collect();
        assert_eq!(kept, (6..70).collect::<Vec<_>>());
    });
}

#[test]
fn anchors_of_a_closed_or_unknown_group_are_refused() {
    run(|| {
        assert_noop!(anchor(1, 1, 1, 2), E::UnknownGroup);
        let group = active_group("acme.g", 0);
        assert_ok!(Fleet::close_group(by(&ANNE), group));
        assert_noop!(anchor(1, 1, 1, 2), E::GroupClosed);
    });
}
