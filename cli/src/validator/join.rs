//! `keyward validator join`.

use std::time::Duration;

use keyward_chain_client::{
    account_to_ss58, Call, Client, NodeState, OperatorStatus, SessionKeys, Validators,
};
use keyward_protocol::AccountId;
use serde::Serialize;
use tokio::time::Instant;

use super::{approved, newest, wait_until, ValidatorFailed, LOOK_EVERY};
use crate::{
    chain::{Context, Done},
    council::about,
};

#[derive(Serialize)]
struct Joined {
    account: String,
    session_keys: String,
    session: u32,
    in_force_from_session: u32,
    in_force_from_block: u32,
    #[serde(flatten)]
    done: Done,
    #[serde(skip)]
    keys_only: bool,
    #[serde(skip)]
    waited: bool,
}

/// Makes keys, sets them and joins, in one transaction.
pub async fn run(keys_only: bool, wait: bool, context: &Context) -> Result<(), ValidatorFailed> {
    let signer = context.signer()?;
    let account = signer.account();
    let client = context.connect().await?;
    follow_the_others(&client, context).await?;
    let before = newest(&client).await?;
    may_join(&before, &account, keys_only)?;
    let keys = client.rotate_keys(account).await?;
    let done = context
        .submit(&client, &signer, call(&keys, keys_only))
        .await?;
    if !client.has_session_keys(&keys.public).await? {
        let url = context.url().to_owned();
        return Err(ValidatorFailed::KeysElsewhere { url });
    }
    let after = client.validators(done.block).await?;
    let from = after.in_force_from();
    if wait {
        wait_for(&client, &account, from, context).await?;
    }
    let joined = Joined {
        account: account_to_ss58(&account),
        session_keys: format!("0x{}", hex::encode(keys.public)),
        session: after.session,
        in_force_from_session: from,
        in_force_from_block: after.begins_at(from),
        done,
        keys_only,
        waited: wait,
    };
    context.output.show(&joined, |joined| text(joined, &after));
    Ok(())
}

fn call(keys: &SessionKeys, keys_only: bool) -> Call {
    match keys_only {
        true => Call::set_keys(keys),
        false => Call::batch_all(vec![Call::set_keys(keys), Call::join_validators()]),
    }
}

/// Refuses what the chain would refuse, before the node makes keys.
fn may_join(
    validators: &Validators,
    account: &AccountId,
    keys_only: bool,
) -> Result<(), ValidatorFailed> {
    let operator = approved(validators, account)?;
    let account = account_to_ss58(account);
    let now = validators.block.number;
    match operator.status {
        _ if keys_only => Ok(()),
        OperatorStatus::Validating | OperatorStatus::Joining { .. } => {
            Err(ValidatorFailed::Already { account })
        }
        OperatorStatus::Left { again } if again > now => Err(ValidatorFailed::Cooldown {
            account,
            again,
            now,
        }),
        // Whether the cooldown of one that is still leaving is over, the chain says.
        OperatorStatus::Approved | OperatorStatus::Left { .. } | OperatorStatus::Leaving { .. } => {
            Ok(())
        }
    }
}

/// How long a node may be without a new block.
const STANDS_STILL: Duration = Duration::from_secs(60);
/// Pause between two lines about it.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Waits until the node has caught up; refuses one that would not validate or that gets no blocks.
async fn follow_the_others(client: &Client, context: &Context) -> Result<(), ValidatorFailed> {
    let mut following = Following::default();
    let mut newest = (0, Instant::now());
    let mut told: Option<Instant> = None;
    loop {
        let node = client.node_state().await?;
        may_validate(&node, context.url())?;
        if following.look(&node) {
            return Ok(());
        }
        if node.best > newest.0 {
            newest = (node.best, Instant::now());
        }
        if newest.1.elapsed() > STANDS_STILL {
            return Err(ValidatorFailed::StandsStill {
                url: context.url().to_owned(),
                best: node.best,
                peers: node.peers,
            });
        }
        if node.syncing && told.is_none_or(|told| told.elapsed() > TELL_EVERY) {
            told = Some(Instant::now());
            let line = format!(
                "the node syncs: block {}, {} peers; waiting",
                node.best, node.peers
            );
            context.output.progress(&line);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Refuses a node that would author and vote nothing.
fn may_validate(node: &NodeState, url: &str) -> Result<(), ValidatorFailed> {
    let refused = || ValidatorFailed::NoAuthority {
        url: url.to_owned(),
    };
    node.authority.then_some(()).ok_or_else(refused)
}

/// Blocks that a node gets after it stopped to sync, until its pool judges transactions by the newest one: it hears of none while the
/// node syncs, and passes over the first after so long a gap.
const FOLLOWS_AFTER: u32 = 3;

/// Whether a node follows the others. One that has just started does not say that it syncs before it has found others.
#[derive(Default)]
struct Following {
    /// Its newest block when it did not sync any more.
    caught_up: Option<u32>,
}

impl Following {
    fn look(&mut self, node: &NodeState) -> bool {
        match self.caught_up {
            Some(at) if !node.syncing => node.best >= at.saturating_add(FOLLOWS_AFTER),
            _ => {
                self.caught_up = (!node.syncing).then_some(node.best);
                false
            }
        }
    }
}

async fn wait_for(
    client: &Client,
    account: &AccountId,
    from: u32,
    context: &Context,
) -> Result<(), ValidatorFailed> {
    let reached = |validators: &Validators, status| {
        validators.session >= from && status == Some(OperatorStatus::Validating)
    };
    wait_until(client, account, context, reached)
        .await
        .map(drop)
}

fn text(joined: &Joined, at: &Validators) -> String {
    let (block, from) = (joined.done.block.number, joined.in_force_from_session);
    let what = match joined.keys_only {
        true => "new session keys are set",
        false => "the node joined the validators",
    };
    let what = format!("{what} in block {block} (finalized)");
    if joined.waited {
        return format!("{what}, and in force: session {from} has begun");
    }
    let first = joined.in_force_from_block;
    let left = about(first.saturating_sub(at.block.number));
    let keep = match joined.keys_only {
        true => "Until then the old keys are in force: keep them in the node's keystore",
        false => "Keep the node running; 'keyward validator status' shows when it validates",
    };
    format!(
        "{what}\nIt is session {} now; in force from session {from}, which begins with block {first}, in {left}.\n{keep}",
        joined.session
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_chain_client::Operator;
    use keyward_protocol::{beacon::BlockRef, BlockHash};

    const ACCOUNT: AccountId = AccountId([1; 32]);

    fn validators(status: OperatorStatus, approved: bool) -> Validators {
        Validators {
            block: BlockRef {
                number: 25,
                hash: BlockHash([0; 32]),
            },
            session: 2,
            session_blocks: 10,
            minimum: 1,
            planned: 2,
            operators: vec![Operator {
                account: ACCOUNT,
                approved,
                status,
                session_keys: None,
                offences: Vec::new(),
            }],
        }
    }

    #[test]
    fn who_may_not_join_is_told_before_the_node_makes_keys() {
        let refusal = |status, approved, keys_only| {
            let refused = may_join(&validators(status, approved), &ACCOUNT, keys_only);
            refused.err().map(|error| error.to_string())
        };
        let says = |refused: Option<String>, word: &str| refused.unwrap().contains(word);
        assert!(says(
            refusal(OperatorStatus::Approved, false, false),
            "approve-validator"
        ));
        assert!(says(
            refusal(OperatorStatus::Validating, true, false),
            "--keys-only"
        ));
        let left = OperatorStatus::Left { again: 40 };
        assert!(says(
            refusal(left, true, false),
            "from block 40 on (15 blocks"
        ));
        let stranger = may_join(&validators(left, true), &AccountId([9; 32]), false);
        assert!(matches!(stranger, Err(ValidatorFailed::NotApproved { .. })));
        assert_eq!(refusal(OperatorStatus::Approved, true, false), None);
        assert_eq!(
            refusal(OperatorStatus::Left { again: 25 }, true, false),
            None
        );
        assert_eq!(refusal(OperatorStatus::Validating, true, true), None);
    }

    fn node(best: u32, syncing: bool, authority: bool) -> NodeState {
        NodeState {
            best,
            finalized: 0,
            syncing,
            peers: 1,
            authority,
        }
    }

    #[test]
    fn a_node_that_would_not_validate_does_not_join() {
        let refused = may_validate(&node(7, false, false), "ws://h:1").unwrap_err();
        assert!(refused.to_string().contains("--validator"));
        assert!(may_validate(&node(7, false, true), "ws://h:1").is_ok());
    }

    #[test]
    fn a_node_follows_the_others_some_blocks_after_it_stopped_to_sync() {
        let mut following = Following::default();
        let mut looks = |best, syncing| following.look(&node(best, syncing, true));
        // It has just started, and has not found anybody.
        assert!(!looks(0, false));
        assert!(!looks(300, true));
        assert!(!looks(600, true));
        assert!(!looks(700, false));
        assert!(!looks(700, false));
        assert!(!looks(702, false));
        assert!(looks(703, false));
        // It fell behind.
        assert!(!looks(800, true));
        assert!(!looks(900, false));
    }

    #[test]
    fn keys_and_joining_are_one_transaction() {
        let keys = SessionKeys {
            public: [1; 64],
            proof: vec![2],
        };
        assert_eq!(call(&keys, false).path(), "Utility.batch_all");
        assert_eq!(call(&keys, true).path(), "Session.set_keys");
    }
}
