//! `keyward council list | vote | close`: motions that one member alone cannot decide.

use keyward_chain_client::{Call, CloseFailed, OpenMotion, ReadFailed};
use keyward_protocol::{AccountId, Digest};
use serde::Serialize;

use crate::{
    chain::{ChainFailed, Context, Done, Names},
    output::{list, table, Failure},
};

/// Why a motion was not shown, voted on or closed.
#[derive(Debug, thiserror::Error)]
pub enum MotionFailed {
    /// The chain could not be asked or changed.
    #[error(transparent)]
    Chain(#[from] ChainFailed),
    /// There is no such motion.
    #[error(
        "the council has no open motion {hash}; 'keyward council list' shows those that are open"
    )]
    NotOpen {
        /// Hash of its call.
        hash: Digest,
    },
    /// It was not closed.
    #[error("motion {hash} was not closed: {source}")]
    NotClosed {
        /// Hash of its call.
        hash: Digest,
        /// Why.
        source: Box<CloseFailed>,
    },
}

impl From<ReadFailed> for MotionFailed {
    fn from(error: ReadFailed) -> Self {
        Self::Chain(error.into())
    }
}

impl Failure for MotionFailed {
    fn is_usage(&self) -> bool {
        matches!(self, Self::Chain(error) if error.is_usage())
    }
}

#[derive(Serialize)]
struct Shown {
    index: u32,
    hash: Digest,
    call: String,
    threshold: u32,
    ayes: Vec<AccountId>,
    nays: Vec<AccountId>,
    end: u32,
}

impl From<OpenMotion> for Shown {
    fn from(motion: OpenMotion) -> Self {
        Self {
            index: motion.index,
            hash: motion.hash,
            call: motion.path,
            threshold: motion.threshold,
            ayes: motion.ayes,
            nays: motion.nays,
            end: motion.end,
        }
    }
}

/// Lists the open motions.
pub async fn list_open(context: &Context) -> Result<(), MotionFailed> {
    let (_, view) = context.view().await?;
    let names = Names::of(&view).await?;
    let motions: Vec<Shown> = view.motions().await?.into_iter().map(Shown::from).collect();
    context.output.show(&motions, |motions| {
        let voters = |voters: &[AccountId]| list(voters.iter().map(|voter| names.name(voter)));
        let row = |motion: &Shown| {
            [
                motion.index.to_string(),
                motion.call.clone(),
                format!("{} of {}", motion.ayes.len(), motion.threshold),
                voters(&motion.ayes),
                voters(&motion.nays),
                motion.end.to_string(),
                motion.hash.to_string(),
            ]
        };
        let header = [
            "motion", "call", "votes", "for", "against", "ends at", "hash",
        ];
        table(header, motions.iter().map(row))
    });
    Ok(())
}

/// Votes on a motion.
pub async fn vote(hash: Digest, approve: bool, context: &Context) -> Result<(), MotionFailed> {
    let signer = context.signer()?;
    let (client, view) = context.view().await?;
    let motion = view.motion(hash).await.map_err(MotionFailed::from)?;
    let motion = motion.ok_or(MotionFailed::NotOpen { hash })?;
    let call = Call::vote(hash, motion.index, approve);
    let done = context.submit(&client, &signer, call).await?;
    context.output.show(&done, |done: &Done| {
        let how = if approve { "for" } else { "against" };
        let (index, block) = (motion.index, done.block.number);
        format!("voted {how} motion {index} in block {block} (finalized)")
    });
    Ok(())
}

/// Closes a motion, which executes its call if it was approved.
pub async fn close(hash: Digest, context: &Context) -> Result<(), MotionFailed> {
    let signer = context.signer()?;
    let client = context.connect().await?;
    let report = |progress| context.report(&progress);
    let closed = client.close_motion(&signer, hash, report).await;
    let closed = closed.map_err(|source| MotionFailed::NotClosed {
        hash,
        source: Box::new(source),
    })?;
    context.output.show(&Done::from(closed), |done| {
        let approved = done.events.iter().any(|event| event == "Council.Approved");
        let how = if approved {
            "approved and executed"
        } else {
            "not approved"
        };
        format!(
            "motion closed in block {} (finalized): {how}",
            done.block.number
        )
    });
    Ok(())
}
