//! The council of the development chain, which decides what it is asked to.

use anyhow::{ensure, Context, Result};
use keyward_chain_client::{Call, Client, Motion, Signer, Weight};
use keyward_protocol::{AccountId, Digest};

/// The accounts that every development chain knows.
const DEVELOPMENT: [&str; 6] = [
    "//Alice",
    "//Bob",
    "//Charlie",
    "//Dave",
    "//Eve",
    "//Ferdie",
];
/// More weight than any motion of the harness needs.
const AMPLE: Weight = Weight {
    ref_time: 300_000_000_000,
    proof_size: 1_000_000,
};
/// More bytes than any motion of the harness has.
const LONG: u32 = 10_000;

/// The members of the council, as signers.
async fn members(chain: &Client) -> Result<Vec<Signer>> {
    let at = chain.finalized().await?.hash;
    let council = chain.at(at).council().await?;
    let known: Vec<(AccountId, Signer)> = DEVELOPMENT
        .iter()
        .map(|suri| Signer::from_suri(suri).map(|signer| (signer.account(), signer)))
        .collect::<Result<_, _>>()?;
    let member =
        |(account, signer): (AccountId, Signer)| council.contains(&account).then_some(signer);
    let members: Vec<_> = known.into_iter().filter_map(member).collect();
    ensure!(
        !members.is_empty(),
        "no development account is in the council"
    );
    Ok(members)
}

/// Has the council decide that root dispatches these calls, all or none, and gives the block.
pub async fn decide(chain: &Client, calls: Vec<Call>) -> Result<u32> {
    decide_as(chain, &members(chain).await?, calls).await
}

/// As [`decide`], by these members.
pub async fn decide_as(chain: &Client, members: &[Signer], calls: Vec<Call>) -> Result<u32> {
    let first = members.first().context("nobody is in the council")?;
    let call = Call::as_root(Call::batch_all(calls));
    match chain.motion(first, call, |_| {}).await? {
        Motion::Executed(finalized) => Ok(finalized.block.number),
        Motion::Proposed {
            hash,
            index,
            threshold,
            ..
        } => vote_and_close(chain, members, (hash, index), threshold).await,
    }
}

async fn vote_and_close(
    chain: &Client,
    members: &[Signer],
    (hash, index): (Digest, u32),
    threshold: u32,
) -> Result<u32> {
    let voters = members
        .get(..threshold as usize)
        .context("too few of the council are development accounts")?;
    // Proposing is no vote.
    for voter in voters {
        chain.submit(voter, Call::vote(hash, index, true)).await?;
    }
    let close = Call::close(hash, index, AMPLE, LONG);
    let closed = chain.submit(&members[0], close).await?;
    Ok(closed.block.number)
}
