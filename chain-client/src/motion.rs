//! Motions of the council and of the technical committee: put a call to them, list what is open, close what is decided
//! (DESIGN section 4).

use codec::{Decode, Encode};
use keyward_protocol::{beacon::BlockRef, AccountId, BlockHash, Digest};
use subxt::Metadata;

use crate::{
    call::{Call, Collective, Weight},
    client::Client,
    decoded::{self, CallUnreadable, DecodedCall},
    outcome::Finalized,
    progress::Progress,
    rpc::{decode, Rpc, RpcFailed},
    signer::Signer,
    submit::SubmitFailed,
    view::{members, storage_key, ReadFailed, View},
};

/// What became of a call that was put to the council or the committee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Motion {
    /// The proposer alone is enough: it was executed at once.
    Executed(Finalized),
    /// It waits for votes.
    Proposed {
        /// The proposal.
        finalized: Finalized,
        /// Hash of the call: names the motion in votes.
        hash: Digest,
        /// Its index, also needed for votes.
        index: u32,
        /// Votes that it needs.
        threshold: u32,
        /// Members of the collective.
        members: usize,
    },
}

/// A motion that is not closed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenMotion {
    /// Hash of its call.
    pub hash: Digest,
    /// Its index.
    pub index: u32,
    /// Votes with which it can be closed. Fewer than two thirds of the council, if somebody proposed it so: then its call
    /// fails with `BadOrigin` unless more members vote for it. See [`OpenMotion::needed`].
    pub threshold: u32,
    /// Members that may vote.
    pub members: usize,
    /// Who voted for it.
    pub ayes: Vec<AccountId>,
    /// Who voted against it.
    pub nays: Vec<AccountId>,
    /// Block from which it can be closed whatever the votes are.
    pub end: u32,
    /// Its call, as `Pallet.name`.
    pub path: String,
    /// Its call, encoded.
    pub call: Vec<u8>,
    /// Its call, read.
    pub decoded: Result<DecodedCall, CallUnreadable>,
}

impl OpenMotion {
    /// Votes with which it can be closed and its call is executed with effect.
    pub fn needed(&self, collective: Collective) -> u32 {
        self.threshold.max(collective.needed(self.members))
    }

    /// Whether so many voted against it that it cannot be approved any more.
    pub fn is_rejected(&self) -> bool {
        let left = self.members.saturating_sub(self.nays.len());
        count(left) < self.threshold
    }

    /// Votes for it.
    pub fn votes(&self) -> u32 {
        count(self.ayes.len())
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// `Votes` of pallet-collective.
#[derive(Decode)]
struct Votes {
    index: u32,
    threshold: u32,
    ayes: Vec<AccountId>,
    nays: Vec<AccountId>,
    end: u32,
}

/// A motion that was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The closing.
    pub finalized: Finalized,
    /// Whether it was approved; its call was executed then, and succeeded.
    pub approved: bool,
}

/// Why a motion is not closed, or its call had no effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseFailed {
    /// There is no such open motion.
    #[error("there is no open motion {hash}; it may be closed already")]
    NotOpen {
        /// Hash of its call.
        hash: Digest,
    },
    /// It has not its votes yet, and voting goes on.
    #[error("it has {votes} of {needed} votes, and voting goes on until block {end}; when it has its votes, or after that block, close it")]
    Early {
        /// Votes for it.
        votes: u32,
        /// Votes that it needs.
        needed: u32,
        /// Block from which it can be closed in any case.
        end: u32,
    },
    /// It was proposed with too low a threshold, and closing it now would execute its call without effect.
    #[error(
        "it was proposed with a threshold of {threshold}, but its call needs {needed} of {members} votes and has {votes}: closed \
         now, the call fails with BadOrigin and the motion is gone. Let {} more vote for it ('keyward council vote') and close it then",
        needed.saturating_sub(*votes)
    )]
    TooFew {
        /// Votes for it.
        votes: u32,
        /// The threshold that it was proposed with.
        threshold: u32,
        /// Votes that its call needs.
        needed: u32,
        /// Members that may vote.
        members: usize,
    },
    /// It was approved and is closed, but its call failed: nothing else changed.
    #[error("it was approved and is closed, but its call failed in block {}: {pallet}.{error}{}", block.number, explain(error, docs))]
    CallFailed {
        /// The pallet, or `Runtime`.
        pallet: String,
        /// The error's name.
        error: String,
        /// What the runtime says about it.
        docs: String,
        /// The block in which it was closed.
        block: BlockRef,
    },
    /// State could not be read.
    #[error(transparent)]
    Read(#[from] ReadFailed),
    /// The closing did not take effect.
    #[error(transparent)]
    Submit(#[from] SubmitFailed),
}

/// Root and two thirds of the council are the only origins that governance calls know.
fn explain(error: &str, docs: &str) -> String {
    match (error, docs) {
        ("BadOrigin", _) => ": those who voted for it may not make this call. Either fewer than two thirds of the council voted for it \
             (polkadot.js proposes half): propose it again with 'keyward council propose', which sets the threshold right. Or \
             the call wants to be made as root, or by an account itself"
            .to_owned(),
        (_, "") => String::new(),
        (_, docs) => format!(": {docs}"),
    }
}

impl View {
    /// The council's open motions, oldest first.
    pub async fn motions(&self) -> Result<Vec<OpenMotion>, ReadFailed> {
        self.motions_of(Collective::Council).await
    }

    /// Open motions, oldest first.
    pub async fn motions_of(&self, collective: Collective) -> Result<Vec<OpenMotion>, ReadFailed> {
        let runtime = self.runtime().await?;
        let pallet = collective.pallet();
        runtime.check_storage(&[
            (pallet, "Members"),
            (pallet, "Proposals"),
            (pallet, "Voting"),
        ])?;
        let metadata = runtime.metadata();
        let motions = open_motions(&*self.rpc, collective, &metadata, self.block()).await;
        motions.map_err(|error| self.failed(error))
    }

    /// One open motion of the council.
    pub async fn motion(&self, hash: Digest) -> Result<Option<OpenMotion>, ReadFailed> {
        let motions = self.motions().await?;
        Ok(motions.into_iter().find(|motion| motion.hash == hash))
    }

    /// Reads a call, as the chain has it at this block: to be submitted as it is, and what it says.
    pub async fn read_call(
        &self,
        bytes: &[u8],
    ) -> Result<Result<(Call, DecodedCall), CallUnreadable>, ReadFailed> {
        Ok(decoded::adopt(bytes, &self.runtime().await?.metadata()))
    }

    /// What a call says to the chain at this block.
    pub async fn describe(&self, call: &Call) -> Result<DecodedCall, SubmitFailed> {
        let runtime = self.runtime().await.map_err(unread)?;
        let bytes = call.encode_for(&runtime.metadata())?;
        let read = decoded::read(&bytes, &runtime.metadata());
        read.map_err(|unreadable| SubmitFailed::Rejected {
            reason: unreadable.to_string(),
        })
    }

    /// Whether the chain has a call of this name, spelled exactly so.
    pub async fn has_call(&self, pallet: &str, call: &str) -> Result<bool, ReadFailed> {
        let metadata = self.runtime().await?.metadata();
        let found = metadata.pallet_by_name(pallet);
        Ok(found.is_some_and(|pallet| pallet.call_variant_by_name(call).is_some()))
    }
}

fn unread(error: ReadFailed) -> SubmitFailed {
    match error {
        ReadFailed::Rpc(error) => SubmitFailed::Unavailable(error),
        ReadFailed::Incompatible(error) => SubmitFailed::Incompatible(error),
        ReadFailed::Pruned { .. } => SubmitFailed::Rejected {
            reason: error.to_string(),
        },
    }
}

impl Client {
    /// Puts a call to the council, with the threshold of two thirds of its members.
    pub async fn motion(
        &self,
        signer: &Signer,
        call: Call,
        report: impl FnMut(Progress) + Send,
    ) -> Result<Motion, SubmitFailed> {
        self.motion_of(Collective::Council, signer, call, report)
            .await
    }

    /// Puts a call to the council or the committee, with the threshold that gives it effect.
    pub async fn motion_of(
        &self,
        collective: Collective,
        signer: &Signer,
        call: Call,
        report: impl FnMut(Progress) + Send,
    ) -> Result<Motion, SubmitFailed> {
        let at = self.rpc.finalized_head().await?;
        let members = members(&*self.rpc, collective, at).await?;
        if !members.contains(&signer.account()) {
            let account = crate::account_to_ss58(&signer.account());
            return Err(SubmitFailed::Rejected {
                reason: format!("{account} is not a member of the {collective}"),
            });
        }
        let threshold = collective.needed(members.len());
        let runtime = self.runtimes.at(at).await?;
        let proposal = call.encode_for(&runtime.metadata())?;
        let hash = Digest(sp_crypto_hashing::blake2_256(&proposal));
        let motion = collective.propose(threshold, call);
        let finalized = self.submit_reporting(signer, motion, report).await?;
        if threshold <= 1 {
            return Ok(Motion::Executed(finalized));
        }
        let votes = votes(&*self.rpc, collective, hash, finalized.block.hash).await?;
        let votes = votes.ok_or_else(|| absent(hash))?;
        Ok(Motion::Proposed {
            index: votes.index,
            finalized,
            hash,
            threshold,
            members: members.len(),
        })
    }

    /// Closes a motion of the council that has its votes, and so executes its call.
    pub async fn close_motion(
        &self,
        signer: &Signer,
        hash: Digest,
        report: impl FnMut(Progress) + Send,
    ) -> Result<Closed, CloseFailed> {
        self.close_motion_of(Collective::Council, signer, hash, report)
            .await
    }

    /// Closes a motion, and executes its call if it has its votes. Weight and length are asked of the node. One that closing
    /// would waste is refused.
    pub async fn close_motion_of(
        &self,
        collective: Collective,
        signer: &Signer,
        hash: Digest,
        report: impl FnMut(Progress) + Send,
    ) -> Result<Closed, CloseFailed> {
        let at = self.finalized().await.map_err(ReadFailed::from)?;
        let motions = self.at(at.hash).motions_of(collective).await?;
        let motion = motions.into_iter().find(|motion| motion.hash == hash);
        let motion = motion.ok_or(CloseFailed::NotOpen { hash })?;
        refuse_waste(&motion, collective, at.number)?;
        let weight = weight(&*self.rpc, &motion.call, at.hash)
            .await
            .map_err(ReadFailed::from)?;
        let close = collective.close(hash, motion.index, weight, count(motion.call.len()));
        match self.submit_reporting(signer, close, report).await {
            Ok(finalized) => {
                let approved = format!("{}.Approved", collective.pallet());
                Ok(Closed {
                    approved: finalized.events.contains(&approved),
                    finalized,
                })
            }
            Err(failed) => Err(self.close_failed(collective, hash, failed).await),
        }
    }

    /// A closing that failed leaves the motion open; one whose call failed does not.
    async fn close_failed(
        &self,
        collective: Collective,
        hash: Digest,
        failed: SubmitFailed,
    ) -> CloseFailed {
        let SubmitFailed::Dispatch {
            pallet,
            error,
            docs,
            block,
        } = &failed
        else {
            return failed.into();
        };
        match votes(&*self.rpc, collective, hash, block.hash).await {
            Ok(None) => CloseFailed::CallFailed {
                pallet: pallet.clone(),
                error: error.clone(),
                docs: docs.clone(),
                block: *block,
            },
            _ => failed.into(),
        }
    }
}

/// Refuses to close a motion that cannot be closed yet, or whose call would have no effect although it might get one.
fn refuse_waste(motion: &OpenMotion, collective: Collective, now: u32) -> Result<(), CloseFailed> {
    let (votes, needed) = (motion.votes(), motion.needed(collective));
    let over = now.saturating_add(1) >= motion.end;
    if motion.is_rejected() || votes >= needed {
        return Ok(());
    }
    match votes >= motion.threshold {
        // After the end nobody can vote any more: closing takes it off the list.
        true if !over => Err(CloseFailed::TooFew {
            votes,
            threshold: motion.threshold,
            needed,
            members: motion.members,
        }),
        false if !over => Err(CloseFailed::Early {
            votes,
            needed,
            end: motion.end,
        }),
        _ => Ok(()),
    }
}

/// The weight of a call, as the runtime computes it.
async fn weight(rpc: &dyn Rpc, call: &[u8], at: BlockHash) -> Result<Weight, RpcFailed> {
    let args = [call, &count(call.len()).encode()[..]].concat();
    let function = "TransactionPaymentCallApi_query_call_info";
    let answer = rpc.call(function, &args, at).await?;
    // RuntimeDispatchInfo: weight, class, fee.
    let (weight, _class, _fee): (Weight, u8, u128) = decode(function, &answer)?;
    Ok(weight)
}

async fn open_motions(
    rpc: &dyn Rpc,
    collective: Collective,
    metadata: &Metadata,
    at: BlockHash,
) -> Result<Vec<OpenMotion>, RpcFailed> {
    let key = storage_key(collective.pallet(), "Proposals");
    let hashes = rpc.storage(&key, at).await?;
    let hashes: Vec<Digest> = hashes.map_or(Ok(Vec::new()), |bytes| decode("motions", &bytes))?;
    let members = members(rpc, collective, at).await?.len();
    let mut motions = Vec::new();
    for hash in hashes {
        let key = motion_key(collective, "ProposalOf", hash);
        let call = rpc.storage(&key, at).await?;
        let call = call.ok_or_else(|| absent(hash))?;
        let votes = votes(rpc, collective, hash, at).await?;
        let votes = votes.ok_or_else(|| absent(hash))?;
        let decoded = decoded::read(&call, metadata);
        motions.push(OpenMotion {
            hash,
            index: votes.index,
            threshold: votes.threshold,
            members,
            ayes: votes.ayes,
            nays: votes.nays,
            end: votes.end,
            path: path(metadata, &call),
            call,
            decoded,
        });
    }
    motions.sort_by_key(|motion| motion.index);
    Ok(motions)
}

/// Votes on a motion; none if it is not open.
async fn votes(
    rpc: &dyn Rpc,
    collective: Collective,
    hash: Digest,
    at: BlockHash,
) -> Result<Option<Votes>, RpcFailed> {
    let key = motion_key(collective, "Voting", hash);
    let votes = rpc.storage(&key, at).await?;
    votes
        .map(|votes| decode("votes of a motion", &votes))
        .transpose()
}

/// Motions are stored under the hash itself (`Identity`).
pub(crate) fn motion_key(collective: Collective, item: &str, hash: Digest) -> Vec<u8> {
    [&storage_key(collective.pallet(), item)[..], &hash.0].concat()
}

fn absent(hash: Digest) -> RpcFailed {
    RpcFailed::Malformed {
        reason: format!("motion {hash} is not stored"),
    }
}

/// `Pallet.name` of an encoded call.
fn path(metadata: &Metadata, call: &[u8]) -> String {
    let found = call.first_chunk::<2>().and_then(|[pallet, index]| {
        let pallet = metadata.pallet_by_call_index(*pallet)?;
        let variant = pallet.call_variant_by_index(*index)?;
        Some(format!("{}.{}", pallet.name(), variant.name))
    });
    found.unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn motion(threshold: u32, members: usize, ayes: u8, nays: u8) -> OpenMotion {
        let accounts = |count: u8| (0..count).map(|n| AccountId([n; 32])).collect();
        OpenMotion {
            hash: Digest([1; 32]),
            index: 0,
            threshold,
            members,
            ayes: accounts(ayes),
            nays: accounts(nays),
            end: 100,
            path: String::new(),
            call: Vec::new(),
            decoded: Err(CallUnreadable {
                reason: String::new(),
            }),
        }
    }

    #[test]
    fn a_motion_proposed_at_half_is_not_wasted_by_closing_it_at_half() {
        let council = Collective::Council;
        let half = motion(2, 4, 2, 0);
        assert_eq!(half.needed(council), 3);
        let refused = refuse_waste(&half, council, 50).unwrap_err();
        assert!(refused.to_string().contains("BadOrigin"), "{refused}");
        assert!(refused.to_string().contains("Let 1 more"), "{refused}");
        assert_eq!(refuse_waste(&motion(2, 4, 3, 0), council, 50), Ok(()));
        // Nobody can vote any more: closing takes it off the list.
        assert_eq!(refuse_waste(&half, council, 100), Ok(()));
    }

    #[test]
    fn a_motion_without_its_votes_waits_for_its_end_and_a_rejected_one_does_not() {
        let council = Collective::Council;
        let refused = refuse_waste(&motion(3, 4, 1, 1), council, 50).unwrap_err();
        assert!(matches!(refused, CloseFailed::Early { needed: 3, .. }));
        assert_eq!(refuse_waste(&motion(3, 4, 1, 1), council, 99), Ok(()));
        assert_eq!(refuse_waste(&motion(3, 4, 1, 2), council, 50), Ok(()));
    }

    #[test]
    fn a_call_that_failed_for_its_origin_says_what_to_do() {
        let failed = CloseFailed::CallFailed {
            pallet: "Runtime".into(),
            error: "BadOrigin".into(),
            docs: "This account may not make this call.".into(),
            block: BlockRef {
                number: 9,
                hash: BlockHash([0; 32]),
            },
        };
        let text = failed.to_string();
        assert!(text.contains("two thirds") && text.contains("keyward council propose"));
    }
}
