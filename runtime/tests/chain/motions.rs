//! Motions: proposed, voted on and closed with signed transactions, as members do it in polkadot.js.

use codec::Encode;
use frame_support::{assert_ok, dispatch::GetDispatchInfo};
use keyward_runtime::{Hash, Runtime, RuntimeCall, RuntimeEvent, System};
use pallet_collective::{Call, Config, Event, Instance1, Instance2};
use sp_keyring::Sr25519Keyring;
use sp_runtime::{
    traits::{BlakeTwo256, Hash as _},
    DispatchResult,
};

use super::apply;

/// Has these members of the council propose, vote aye and close; answers what `council.Executed` says.
pub fn decide(votes: &[Sr25519Keyring], call: impl Into<RuntimeCall>) -> DispatchResult {
    carry::<Instance1>(votes, call.into(), |event| match event {
        RuntimeEvent::Council(event) => Some(event),
        _ => None,
    })
}

/// The same of the technical committee.
pub fn decide_in_committee(
    votes: &[Sr25519Keyring],
    call: impl Into<RuntimeCall>,
) -> DispatchResult {
    carry::<Instance2>(votes, call.into(), |event| match event {
        RuntimeEvent::TechnicalCommittee(event) => Some(event),
        _ => None,
    })
}

fn carry<I: 'static>(
    votes: &[Sr25519Keyring],
    call: RuntimeCall,
    own: fn(RuntimeEvent) -> Option<Event<Runtime, I>>,
) -> DispatchResult
where
    Runtime: Config<I, Proposal = RuntimeCall>,
    Call<Runtime, I>: Into<RuntimeCall>,
{
    let proposal_hash = BlakeTwo256::hash_of(&call);
    let proposal_weight_bound = call.get_dispatch_info().call_weight;
    let length_bound = call.encoded_size() as u32;
    let index = pallet_collective::ProposalCount::<Runtime, I>::get();
    let propose = Call::<Runtime, I>::propose {
        threshold: votes.len() as u32,
        proposal: Box::new(call),
        length_bound,
    };
    assert_ok!(apply(votes[0], propose).unwrap());
    for &voter in votes {
        let vote = Call::<Runtime, I>::vote {
            proposal: proposal_hash,
            index,
            approve: true,
        };
        assert_ok!(apply(voter, vote).unwrap());
    }
    let close = Call::<Runtime, I>::close {
        proposal_hash,
        index,
        proposal_weight_bound,
        length_bound,
    };
    assert_ok!(apply(votes[0], close).unwrap());
    executed(proposal_hash, own)
}

fn executed<I: 'static>(
    hash: Hash,
    own: fn(RuntimeEvent) -> Option<Event<Runtime, I>>,
) -> DispatchResult
where
    Runtime: Config<I>,
{
    let events = System::events().into_iter();
    let mut results = events.filter_map(|record| match own(record.event) {
        Some(Event::Executed {
            proposal_hash,
            result,
        }) if proposal_hash == hash => Some(result),
        _ => None,
    });
    results.next_back().expect("the motion was executed")
}
