//! The council governs, from the first block.

mod chain;

use chain::{account, apply, happened, local};
use frame_support::{assert_ok, dispatch::GetDispatchInfo, storage::unhashed, weights::Weight};
use keyward_runtime::{Governance, Hash, Runtime, RuntimeCall, System};
use pallet_fleet::Quotas;
use sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie, Eve, Ferdie};
use sp_runtime::{
    traits::{BlakeTwo256, Hash as _},
    transaction_validity::InvalidTransaction,
    DispatchError, DispatchResult,
};

type Collective = pallet_collective::Instance1;
type Motions = pallet_collective::Call<Runtime, Collective>;

/// Proposes, lets them vote aye, closes; answers what `council.Executed` says.
fn decide(votes: &[Sr25519Keyring], call: RuntimeCall) -> DispatchResult {
    let (hash, weight) = (
        BlakeTwo256::hash_of(&call),
        call.get_dispatch_info().call_weight,
    );
    let index = pallet_collective::ProposalCount::<Runtime, Collective>::get();
    propose(votes.len() as u32, call);
    for &voter in votes {
        let approve = true;
        let vote = Motions::vote {
            proposal: hash,
            index,
            approve,
        };
        assert_ok!(apply(voter, vote).unwrap());
    }
    close(hash, index, weight);
    executed(hash)
}

fn propose(threshold: u32, call: RuntimeCall) {
    let (proposal, length_bound) = (Box::new(call), 1_000);
    let propose = Motions::propose {
        threshold,
        proposal,
        length_bound,
    };
    assert_ok!(apply(Alice, propose).unwrap());
}

fn close(proposal_hash: Hash, index: u32, proposal_weight_bound: Weight) {
    let length_bound = 1_000;
    let close = Motions::close {
        proposal_hash,
        index,
        proposal_weight_bound,
        length_bound,
    };
    assert_ok!(apply(Alice, close).unwrap());
}

fn executed(hash: Hash) -> DispatchResult {
    let mut results = System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            keyward_runtime::RuntimeEvent::Council(pallet_collective::Event::Executed {
                proposal_hash,
                result,
            }) if proposal_hash == hash => Some(result),
            _ => None,
        });
    results.next_back().expect("the motion was executed")
}

fn as_root(call: impl Into<RuntimeCall>) -> RuntimeCall {
    let call = Box::new(call.into());
    pallet_governance::Call::as_root { call }.into()
}

fn add_member(who: Sr25519Keyring) -> RuntimeCall {
    let who = account(who).into();
    pallet_membership::Call::<Runtime, pallet_membership::Instance1>::add_member { who }.into()
}

fn set_storage() -> RuntimeCall {
    let items = vec![(b"key".to_vec(), b"value".to_vec())];
    frame_system::Call::set_storage { items }.into()
}

#[test]
fn two_of_three_dispatch_a_call_with_root() {
    local().execute_with(|| {
        assert_ok!(decide(&[Bob, Charlie], as_root(set_storage())));
        assert_eq!(unhashed::get_raw(b"key"), Some(b"value".to_vec()));
        assert!(happened(pallet_governance::Event::DispatchedAsRoot));
    });
}

#[test]
fn the_motion_tells_when_the_inner_call_failed() {
    local().execute_with(|| {
        let nobody = frame_system::Call::remark_with_event { remark: vec![] };
        assert_eq!(
            decide(&[Alice, Bob], as_root(nobody)),
            Err(DispatchError::BadOrigin)
        );
        assert!(!happened(pallet_governance::Event::DispatchedAsRoot));
    });
}

#[test]
fn two_of_four_are_not_two_thirds() {
    local().execute_with(|| {
        assert_ok!(decide(&[Alice, Bob], add_member(Eve)));
        let refused = decide(&[Alice, Bob], as_root(set_storage()));
        assert_eq!(refused, Err(DispatchError::BadOrigin));
        assert_ok!(decide(&[Alice, Bob, Eve], as_root(set_storage())));
    });
}

#[test]
fn a_new_member_of_the_council_can_vote_at_once() {
    local().execute_with(|| {
        assert!(!Governance::is_admitted(&account(Eve)));
        assert_ok!(decide(&[Alice, Bob], add_member(Eve)));
        assert!(Governance::is_admitted(&account(Eve)));
        assert_ok!(decide(&[Alice, Bob, Eve], add_member(Ferdie)));
        assert_eq!(System::providers(&account(Ferdie)), 1);
    });
}

#[test]
fn a_member_that_left_stays_admitted_and_keeps_its_nonce() {
    local().execute_with(|| {
        assert_ok!(decide(&[Alice, Bob], add_member(Eve)));
        let remark = frame_system::Call::remark { remark: vec![] };
        assert_ok!(apply(Eve, remark).unwrap());
        let remove =
            pallet_membership::Call::<Runtime, pallet_membership::Instance1>::remove_member {
                who: account(Eve).into(),
            };
        assert_ok!(decide(&[Alice, Bob, Charlie], remove.into()));
        assert_eq!(System::account_nonce(account(Eve)), 1);
        assert!(Governance::is_admitted(&account(Eve)));
    });
}

#[test]
fn members_are_set_by_membership_only() {
    local().execute_with(|| {
        let set = Motions::set_members {
            new_members: vec![account(Ferdie)],
            prime: None,
            old_count: 3,
        };
        assert_eq!(
            decide(&[Alice, Bob], as_root(set)),
            Err(DispatchError::BadOrigin)
        );
    });
}

#[test]
fn the_council_admits_an_organisation_without_root() {
    local().execute_with(|| {
        let admit = pallet_fleet::Call::admit_organisation {
            name: b"demo".to_vec().try_into().unwrap(),
            label: Default::default(),
            quotas: Quotas {
                devices: 1,
                groups: 1,
                members: 1,
            },
            bare_names: true,
        };
        assert_ok!(decide(&[Alice, Bob], admit.clone().into()));
        let again = decide(&[Alice, Bob], as_root(admit));
        assert!(matches!(again, Err(DispatchError::Module(_))), "{again:?}");
    });
}

#[test]
fn who_was_never_admitted_is_refused_by_that_name() {
    local().execute_with(|| {
        let remark = frame_system::Call::remark { remark: vec![] };
        assert_eq!(
            apply(Ferdie, remark),
            Err(InvalidTransaction::Custom(77).into())
        );
    });
}
