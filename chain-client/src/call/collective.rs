//! Motions of the council and of the technical committee, root through the council, and batches (DESIGN section 4).

use codec::{Compact, Decode, Encode};

use super::{Arg, Call};
use keyward_protocol::Digest;

/// Upper bound of the weight of a motion's call when it is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Weight {
    /// Picoseconds of computation.
    #[codec(compact)]
    pub ref_time: u64,
    /// Bytes of proof.
    #[codec(compact)]
    pub proof_size: u64,
}

/// Who decides by motions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collective {
    /// The council: it governs, by two thirds of its members.
    Council,
    /// The technical committee: it stops what cannot wait, by more than half of its members.
    TechnicalCommittee,
}

impl Collective {
    /// Its pallet, as the runtime names it.
    pub fn pallet(self) -> &'static str {
        match self {
            Self::Council => "Council",
            Self::TechnicalCommittee => "TechnicalCommittee",
        }
    }

    /// The pallet that keeps its members.
    pub fn membership(self) -> &'static str {
        match self {
            Self::Council => "Membership",
            Self::TechnicalCommittee => "TechnicalMembership",
        }
    }

    /// Votes that its motions need to have any effect, whatever threshold they were proposed with.
    pub fn needed(self, members: usize) -> u32 {
        match self {
            Self::Council => two_thirds(members),
            Self::TechnicalCommittee => more_than_half(members),
        }
    }

    /// Puts a call to it. With a threshold of one it is executed at once.
    pub fn propose(self, threshold: u32, call: Call) -> Call {
        Call::new(self.pallet(), "propose")
            .arg(Compact(threshold))
            .with(Arg::Call(Box::new(call.clone())))
            .with(Arg::LengthOf(Box::new(call)))
    }

    /// Votes on a motion, named by the hash of its call and its index.
    pub fn vote(self, proposal: Digest, index: u32, approve: bool) -> Call {
        Call::new(self.pallet(), "vote")
            .arg(proposal)
            .arg(Compact(index))
            .arg(approve)
    }

    /// Closes a motion, and executes its call if it was approved.
    pub fn close(self, proposal: Digest, index: u32, weight: Weight, length: u32) -> Call {
        Call::new(self.pallet(), "close")
            .arg(proposal)
            .arg(Compact(index))
            .arg(weight)
            .arg(Compact(length))
    }
}

impl std::fmt::Display for Collective {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Council => "council",
            Self::TechnicalCommittee => "technical committee",
        })
    }
}

impl Call {
    /// Dispatches a call as root: for what only root may do. Itself to be put to the council.
    pub fn as_root(call: Call) -> Self {
        Call::new("Governance", "as_root").with(Arg::Call(Box::new(call)))
    }

    /// Puts a call to the council. With a threshold of one it is executed at once.
    pub fn propose(threshold: u32, call: Call) -> Self {
        Collective::Council.propose(threshold, call)
    }

    /// Votes on a motion of the council.
    pub fn vote(proposal: Digest, index: u32, approve: bool) -> Self {
        Collective::Council.vote(proposal, index, approve)
    }

    /// Closes a motion of the council, and executes its call if it was approved.
    pub fn close(proposal: Digest, index: u32, weight: Weight, length: u32) -> Self {
        Collective::Council.close(proposal, index, weight, length)
    }

    /// Several calls, all or none.
    pub fn batch_all(calls: Vec<Call>) -> Self {
        Call::new("Utility", "batch_all").with(Arg::Calls(calls))
    }
}

/// Votes that two thirds of the council need, as `EnsureProportionAtLeast<2, 3>` counts them.
pub fn two_thirds(members: usize) -> u32 {
    u32::try_from(members.saturating_mul(2).div_ceil(3)).unwrap_or(u32::MAX)
}

/// Votes that more than half of a committee need, as `EnsureProportionMoreThan<1, 2>` counts them.
fn more_than_half(members: usize) -> u32 {
    u32::try_from(members / 2)
        .unwrap_or(u32::MAX)
        .saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_thirds_of_the_council_are_rounded_up() {
        assert_eq!([1, 2, 3, 4, 5, 6, 7].map(two_thirds), [1, 2, 2, 3, 4, 4, 5]);
    }

    #[test]
    fn half_of_the_committee_is_not_enough() {
        let needed = |members| Collective::TechnicalCommittee.needed(members);
        assert_eq!([1, 2, 3, 4, 5, 6].map(needed), [1, 2, 2, 3, 3, 4]);
    }

    #[test]
    fn what_holds_other_calls_is_left_out_of_what_must_have_a_known_form() {
        let vote = Call::vote(Digest([1; 32]), 1, true);
        let opaque = Call::opaque("Fleet".into(), "new_call".into(), vec![1]);
        let root = Call::as_root(Call::batch_all(vec![vote, opaque]));
        let motion = Call::propose(2, root);
        assert_eq!(motion.encoded_here(), ["Council.vote"]);
    }
}
