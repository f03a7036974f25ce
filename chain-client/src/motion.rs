//! The council's motions: put a call to it, list what is open, close what is decided (DESIGN section 4).

use codec::{Decode, Encode};
use keyward_protocol::{AccountId, BlockHash, Digest};
use subxt::Metadata;

use crate::{
    call::{two_thirds, Call, Weight},
    client::Client,
    outcome::Finalized,
    progress::Progress,
    rpc::{decode, Rpc, RpcFailed},
    signer::Signer,
    submit::SubmitFailed,
    view::{council, storage_key, ReadFailed, View},
};

/// What became of a call that was put to the council.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Motion {
    /// The proposer alone is two thirds of the council: it was executed at once.
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
        /// Members of the council.
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
    /// Votes that it needs.
    pub threshold: u32,
    /// Who voted for it.
    pub ayes: Vec<AccountId>,
    /// Who voted against it.
    pub nays: Vec<AccountId>,
    /// Block after which it can be closed whatever the votes are.
    pub end: u32,
    /// Its call, as `Pallet.name`.
    pub path: String,
    /// Its call, encoded.
    pub call: Vec<u8>,
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

/// Why a motion cannot be closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseFailed {
    /// There is no such open motion.
    #[error("the council has no open motion {hash}; it may be closed already")]
    NotOpen {
        /// Hash of its call.
        hash: Digest,
    },
    /// State could not be read.
    #[error(transparent)]
    Read(#[from] ReadFailed),
    /// The closing did not take effect, or the motion's call failed.
    #[error(transparent)]
    Submit(#[from] SubmitFailed),
}

impl View {
    /// The council's open motions, oldest first.
    pub async fn motions(&self) -> Result<Vec<OpenMotion>, ReadFailed> {
        let metadata = self.runtime().await?.metadata();
        let motions = open_motions(&*self.rpc, &metadata, self.block()).await;
        motions.map_err(|error| self.failed(error))
    }

    /// One open motion.
    pub async fn motion(&self, hash: Digest) -> Result<Option<OpenMotion>, ReadFailed> {
        let motions = self.motions().await?;
        Ok(motions.into_iter().find(|motion| motion.hash == hash))
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
        let at = self.rpc.finalized_head().await?;
        let members = council(&*self.rpc, at).await?;
        if !members.contains(&signer.account()) {
            return Err(SubmitFailed::Rejected {
                reason: format!("{} is not a member of the council", signer.account()),
            });
        }
        let threshold = two_thirds(members.len());
        let proposal = call.encode_for(&self.runtimes.at(at).await?.metadata())?;
        let hash = Digest(sp_crypto_hashing::blake2_256(&proposal));
        let motion = Call::propose(threshold, call);
        let finalized = self.submit_reporting(signer, motion, report).await?;
        if threshold <= 1 {
            return Ok(Motion::Executed(finalized));
        }
        let votes = votes(&*self.rpc, hash, finalized.block.hash).await?;
        Ok(Motion::Proposed {
            index: votes.index,
            finalized,
            hash,
            threshold,
            members: members.len(),
        })
    }

    /// Closes a motion that has its votes, and so executes its call. Weight and length are asked of the node.
    pub async fn close_motion(
        &self,
        signer: &Signer,
        hash: Digest,
        report: impl FnMut(Progress) + Send,
    ) -> Result<Finalized, CloseFailed> {
        let at = self.rpc.finalized_head().await.map_err(ReadFailed::from)?;
        let motion = self.at(at).motion(hash).await?;
        let motion = motion.ok_or(CloseFailed::NotOpen { hash })?;
        let weight = weight(&*self.rpc, &motion.call, at)
            .await
            .map_err(ReadFailed::from)?;
        let length = u32::try_from(motion.call.len()).unwrap_or(u32::MAX);
        let close = Call::close(hash, motion.index, weight, length);
        Ok(self.submit_reporting(signer, close, report).await?)
    }
}

/// The weight of a call, as the runtime computes it.
async fn weight(rpc: &dyn Rpc, call: &[u8], at: BlockHash) -> Result<Weight, RpcFailed> {
    let length = u32::try_from(call.len()).unwrap_or(u32::MAX);
    let args = [call, &length.encode()[..]].concat();
    let function = "TransactionPaymentCallApi_query_call_info";
    let answer = rpc.call(function, &args, at).await?;
    // RuntimeDispatchInfo: weight, class, fee.
    let (weight, _class, _fee): (Weight, u8, u128) = decode(function, &answer)?;
    Ok(weight)
}

async fn open_motions(
    rpc: &dyn Rpc,
    metadata: &Metadata,
    at: BlockHash,
) -> Result<Vec<OpenMotion>, RpcFailed> {
    let hashes = rpc
        .storage(&storage_key("Council", "Proposals"), at)
        .await?;
    let hashes: Vec<Digest> = hashes.map_or(Ok(Vec::new()), |bytes| decode("motions", &bytes))?;
    let mut motions = Vec::new();
    for hash in hashes {
        let call = rpc.storage(&motion_key("ProposalOf", hash), at).await?;
        let call = call.ok_or_else(|| absent(hash))?;
        let votes = votes(rpc, hash, at).await?;
        motions.push(OpenMotion {
            hash,
            index: votes.index,
            threshold: votes.threshold,
            ayes: votes.ayes,
            nays: votes.nays,
            end: votes.end,
            path: path(metadata, &call),
            call,
        });
    }
    motions.sort_by_key(|motion| motion.index);
    Ok(motions)
}

async fn votes(rpc: &dyn Rpc, hash: Digest, at: BlockHash) -> Result<Votes, RpcFailed> {
    let votes = rpc.storage(&motion_key("Voting", hash), at).await?;
    decode("votes of a motion", &votes.ok_or_else(|| absent(hash))?)
}

/// Motions are stored under the hash itself (`Identity`).
pub(crate) fn motion_key(item: &str, hash: Digest) -> Vec<u8> {
    [&storage_key("Council", item)[..], &hash.0].concat()
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
