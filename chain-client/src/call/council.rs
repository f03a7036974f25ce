//! Motions of the council, root through it, and batches (DESIGN section 4).

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

impl Call {
    /// Dispatches a call as root: for what only root may do. Itself to be put to the council.
    pub fn as_root(call: Call) -> Self {
        Call::new("Governance", "as_root").with(Arg::Call(Box::new(call)))
    }

    /// Puts a call to the council. With a threshold of one it is executed at once.
    pub fn propose(threshold: u32, call: Call) -> Self {
        Call::new("Council", "propose")
            .arg(Compact(threshold))
            .with(Arg::Call(Box::new(call.clone())))
            .with(Arg::LengthOf(Box::new(call)))
    }

    /// Votes on a motion, named by the hash of its call and its index.
    pub fn vote(proposal: Digest, index: u32, approve: bool) -> Self {
        Call::new("Council", "vote")
            .arg(proposal)
            .arg(Compact(index))
            .arg(approve)
    }

    /// Closes a motion, and executes its call if it was approved.
    pub fn close(proposal: Digest, index: u32, weight: Weight, length: u32) -> Self {
        Call::new("Council", "close")
            .arg(proposal)
            .arg(Compact(index))
            .arg(weight)
            .arg(Compact(length))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_thirds_of_the_council_are_rounded_up() {
        assert_eq!([1, 2, 3, 4, 5, 6, 7].map(two_thirds), [1, 2, 2, 3, 4, 4, 5]);
    }
}
