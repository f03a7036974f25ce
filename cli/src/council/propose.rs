//! `keyward council propose`: puts a call to who decides, with the threshold that gives it effect.

use keyward_chain_client::{Collective, Motion};
use keyward_protocol::Digest;
use serde::Serialize;
use serde_json::Value;

use super::{
    committee_flag,
    proposal::{Decision, Proposal},
    words::{arguments, words},
    CouncilFailed,
};
use crate::chain::{ChainFailed, Context, Done, Names};

#[derive(Serialize)]
struct Shown {
    call: String,
    arguments: Value,
    does: String,
    #[serde(flatten)]
    motion: Made,
    #[serde(skip_serializing_if = "Option::is_none")]
    then: Option<String>,
    #[serde(skip)]
    by: Collective,
    #[serde(skip)]
    settled: &'static str,
}

#[derive(Serialize)]
#[serde(tag = "motion", rename_all = "lowercase")]
enum Made {
    Executed {
        #[serde(flatten)]
        done: Done,
    },
    Proposed {
        hash: Digest,
        index: u32,
        threshold: u32,
        members: usize,
        voted: bool,
        #[serde(flatten)]
        done: Done,
    },
}

/// Proposes, and votes for it if `vote`.
pub async fn run(proposal: Proposal, vote: bool, context: &Context) -> Result<(), CouncilFailed> {
    proposal.check()?;
    let signer = context.signer()?;
    let (client, view) = context.view().await?;
    let Decision { call, by, then } = proposal.decision(&client, &view, context).await?;
    let path = call.path();
    let failed = |source| ChainFailed::submit(path.clone(), source);
    let decoded = view.describe(&call).await.map_err(failed)?;
    let does = words(&decoded, &Names::of(&view).await?);
    context
        .output
        .progress(&format!("proposing to the {by}: {does}  [{path}]"));
    let open = view.motions_of(by).await.map_err(ChainFailed::from)?;
    let same = |motion: &&keyward_chain_client::OpenMotion| motion.decoded.as_ref() == Ok(&decoded);
    if let Some(motion) = open.iter().find(same) {
        return Err(CouncilFailed::Open {
            index: motion.index,
            collective: by,
        });
    }
    let report = |progress| context.report(&progress);
    let motion = client.motion_of(by, &signer, call, report).await;
    let motion = match motion.map_err(failed)? {
        Motion::Executed(finalized) => Made::Executed {
            done: finalized.into(),
        },
        Motion::Proposed {
            finalized,
            hash,
            index,
            threshold,
            members,
        } => {
            if vote {
                let call = by.vote(hash, index, true);
                context.submit(&client, &signer, call).await?;
            }
            Made::Proposed {
                hash,
                index,
                threshold,
                members,
                voted: vote,
                done: finalized.into(),
            }
        }
    };
    let shown = Shown {
        call: decoded.path(),
        arguments: arguments(&decoded),
        does,
        motion,
        then,
        by,
        settled: context.settled(),
    };
    context.output.show(&shown, text);
    Ok(())
}

fn text(shown: &Shown) -> String {
    let (does, settled) = (&shown.does, shown.settled);
    let then = shown.then.as_deref();
    match &shown.motion {
        Made::Executed { done } => {
            let then = then.map(|then| format!("\nNow {then}")).unwrap_or_default();
            format!(
                "done in block {} ({settled}): {does}{then}",
                done.block.number
            )
        }
        Made::Proposed {
            hash,
            index,
            threshold,
            members,
            voted,
            done,
        } => {
            let (by, flag) = (shown.by, committee_flag(shown.by));
            let own = match voted {
                true => "You voted for it. The other members",
                false => "Proposing is no vote. The members",
            };
            let then = then
                .map(|then| format!("\nOnce it is executed, {then}"))
                .unwrap_or_default();
            format!(
                "motion {index} of the {by} is proposed in block {} ({settled}), and not executed yet: {does}\n\
                 It needs {threshold} of {members} votes. Its hash is {hash}.\n\
                 {own} vote in polkadot.js or with\n  keyward council vote {index}{flag}\n\
                 and when it has its votes, a member closes it with\n  keyward council close {index}{flag}{then}",
                done.block.number
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_protocol::{beacon::BlockRef, BlockHash};

    fn shown(by: Collective, voted: bool) -> Shown {
        let done = Done {
            transaction: Digest([0; 32]),
            block: BlockRef {
                number: 1,
                hash: BlockHash([0; 32]),
            },
            events: Vec::new(),
        };
        Shown {
            call: "Fleet.suspend_gateway".into(),
            arguments: Value::Null,
            does: "suspend gateway gw1".into(),
            motion: Made::Proposed {
                hash: Digest([0; 32]),
                index: 3,
                threshold: 3,
                members: 4,
                voted,
                done,
            },
            then: None,
            by,
            settled: "finalized",
        }
    }

    #[test]
    fn a_motion_that_waits_does_not_claim_to_be_done() {
        let text = text(&shown(Collective::Council, false));
        assert!(
            text.contains("not executed yet: suspend gateway gw1"),
            "{text}"
        );
        assert!(
            text.contains("3 of 4") && text.contains("Proposing is no vote"),
            "{text}"
        );
        assert!(text.contains("keyward council vote 3\n"), "{text}");
    }

    #[test]
    fn a_motion_of_the_committee_says_how_to_vote_on_it() {
        let text = text(&shown(Collective::TechnicalCommittee, true));
        assert!(
            text.contains("keyward council vote 3 --committee"),
            "{text}"
        );
        assert!(text.contains("You voted for it"), "{text}");
    }
}
