//! `keyward validator join`.

use keyward_chain_client::{
    account_to_ss58, Call, Client, NodeState, OperatorStatus, SessionKeys, Validators,
};
use keyward_protocol::AccountId;
use serde::Serialize;

use super::{approved, newest, wait_until, ValidatorFailed};
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
    let before = newest(&client).await?;
    may_join(&before, &account, keys_only)?;
    is_ready(&client.node_state().await?, context.url())?;
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

/// Refuses a node that would not validate.
fn is_ready(node: &NodeState, url: &str) -> Result<(), ValidatorFailed> {
    let url = url.to_owned();
    match (node.authority, node.syncing) {
        (false, _) => Err(ValidatorFailed::NoAuthority { url }),
        (true, true) => Err(ValidatorFailed::Syncing {
            url,
            best: node.best,
        }),
        (true, false) => Ok(()),
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

    #[test]
    fn a_node_that_would_not_validate_does_not_join() {
        let node = |authority, syncing| NodeState {
            best: 7,
            finalized: 5,
            syncing,
            peers: 1,
            authority,
        };
        let refusal = |node| is_ready(&node, "ws://h:1").unwrap_err().to_string();
        assert!(refusal(node(false, false)).contains("--validator"));
        assert!(refusal(node(true, true)).contains("still syncs (block 7)"));
        assert!(is_ready(&node(true, false), "ws://h:1").is_ok());
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
