//! `keyward validator leave`.

use keyward_chain_client::{account_to_ss58, Call, OperatorStatus, Validators};
use keyward_protocol::AccountId;
use serde::Serialize;

use super::{approved, newest, wait_until, ValidatorFailed};
use crate::{
    chain::{Context, Done},
    council::about,
};

#[derive(Serialize)]
struct LeftSet {
    account: String,
    session: u32,
    out_from_session: u32,
    out_from_block: u32,
    #[serde(flatten)]
    done: Done,
    #[serde(skip)]
    waited: bool,
}

/// Leaves, and waits until the node is out if `wait`.
pub async fn run(wait: bool, context: &Context) -> Result<(), ValidatorFailed> {
    let signer = context.signer()?;
    let account = signer.account();
    let client = context.connect().await?;
    may_leave(&newest(&client).await?, &account)?;
    let leave = Call::leave_validators();
    let done = context.submit(&client, &signer, leave).await?;
    let after = client.validators(done.block).await?;
    if wait {
        wait_until(&client, &account, context, |_, status| is_out(status)).await?;
    }
    let out = after.in_force_from();
    let left = LeftSet {
        account: account_to_ss58(&account),
        session: after.session,
        out_from_session: out,
        out_from_block: after.begins_at(out),
        done,
        waited: wait,
    };
    context.output.show(&left, |left| text(left, &after));
    Ok(())
}

/// Refuses what the chain would refuse.
fn may_leave(validators: &Validators, account: &AccountId) -> Result<(), ValidatorFailed> {
    let operator = approved(validators, account)?;
    match operator.status {
        OperatorStatus::Validating | OperatorStatus::Joining { .. } => {}
        _ => {
            let account = account_to_ss58(account);
            return Err(ValidatorFailed::NoValidator { account });
        }
    }
    let (planned, minimum) = (validators.planned, validators.minimum.max(1));
    match u32::try_from(planned).is_ok_and(|planned| planned <= minimum) {
        true => Err(ValidatorFailed::TooFew { planned, minimum }),
        false => Ok(()),
    }
}

/// Whether the node is no longer needed.
fn is_out(status: Option<OperatorStatus>) -> bool {
    match status {
        None | Some(OperatorStatus::Left { .. } | OperatorStatus::Approved) => true,
        Some(
            OperatorStatus::Leaving { .. }
            | OperatorStatus::Validating
            | OperatorStatus::Joining { .. },
        ) => false,
    }
}

fn text(left: &LeftSet, at: &Validators) -> String {
    let (block, out) = (left.done.block.number, left.out_from_session);
    let what = format!("the node leaves the validators, by block {block} (finalized)");
    if left.waited {
        return format!("{what}, and is out: it may be stopped now");
    }
    let first = left.out_from_block;
    let wait = about(first.saturating_sub(at.block.number));
    format!(
        "{what}\nIt is session {} now, and the node is out from session {out}, which begins with block {first}, in {wait}.\n\
         Keep the node running until then: it is still counted on to author and to vote",
        left.session
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_chain_client::Operator;
    use keyward_protocol::{beacon::BlockRef, BlockHash};

    const ACCOUNT: AccountId = AccountId([1; 32]);

    fn validators(status: OperatorStatus, planned: usize, minimum: u32) -> Validators {
        Validators {
            block: BlockRef {
                number: 25,
                hash: BlockHash([0; 32]),
            },
            session: 2,
            session_blocks: 10,
            minimum,
            planned,
            operators: vec![Operator {
                account: ACCOUNT,
                approved: true,
                status,
                session_keys: None,
                offences: Vec::new(),
            }],
        }
    }

    #[test]
    fn below_the_minimum_nobody_leaves() {
        let validating = OperatorStatus::Validating;
        let refused = may_leave(&validators(validating, 4, 4), &ACCOUNT).unwrap_err();
        let text = refused.to_string();
        assert!(
            text.contains("has 4 validators") && text.contains("fewer than 4"),
            "{text}"
        );
        // The last one stays, whatever the minimum says.
        assert!(may_leave(&validators(validating, 1, 0), &ACCOUNT).is_err());
        assert!(may_leave(&validators(validating, 5, 4), &ACCOUNT).is_ok());
    }

    #[test]
    fn who_is_not_in_the_set_cannot_leave_it() {
        let leaving = OperatorStatus::Leaving { until: 4 };
        for status in [leaving, OperatorStatus::Approved] {
            let refused = may_leave(&validators(status, 5, 1), &ACCOUNT).unwrap_err();
            assert!(matches!(refused, ValidatorFailed::NoValidator { .. }));
        }
    }

    #[test]
    fn a_node_that_is_still_counted_on_is_not_out() {
        assert!(!is_out(Some(OperatorStatus::Leaving { until: 4 })));
        assert!(is_out(Some(OperatorStatus::Left { again: 9 })) && is_out(None));
    }
}
