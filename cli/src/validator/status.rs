//! `keyward validator status`.

use keyward_chain_client::{
    account_to_ss58, Authored, Equivocation, NodeState, Offence, Operator, OperatorStatus,
    Validators,
};
use serde::Serialize;
use serde_json::{json, Value};

use super::{newest, ValidatorFailed};
use crate::{
    chain::{Context, Names},
    council::about,
    output::{fields, list, table},
};

#[derive(Serialize)]
struct Status {
    block: u32,
    finalized: u32,
    lag: u32,
    session: u32,
    session_blocks: u32,
    blocks_to_end: u32,
    minimum: u32,
    planned: usize,
    looked_at_blocks: u32,
    validators: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    account: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(flatten)]
    state: State,
    approved: bool,
    session_keys: Option<String>,
    authored: u32,
    offences: Vec<Value>,
}

#[derive(Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
enum State {
    Approved,
    Joining { from_session: u32 },
    Validating,
    Leaving { out_from_session: u32 },
    Left { may_join_from_block: u32 },
}

impl From<OperatorStatus> for State {
    fn from(status: OperatorStatus) -> Self {
        match status {
            OperatorStatus::Approved => Self::Approved,
            OperatorStatus::Joining { from } => Self::Joining { from_session: from },
            OperatorStatus::Validating => Self::Validating,
            OperatorStatus::Leaving { until } => Self::Leaving {
                out_from_session: until,
            },
            OperatorStatus::Left { again } => Self::Left {
                may_join_from_block: again,
            },
        }
    }
}

fn offence(offence: &Offence) -> Value {
    let mut value = match offence.equivocation {
        Equivocation::Blocks { slot } => json!({ "kind": "blocks", "slot": slot }),
        Equivocation::Votes { set, round } => {
            json!({ "kind": "votes", "set": set, "round": round })
        }
    };
    value["session"] = json!(offence.session);
    value["block"] = json!(offence.block);
    value["cleared"] = json!(offence.cleared);
    value
}

/// Shows who validates, joins and leaves, and how the chain is doing.
pub async fn run(blocks: u32, context: &Context) -> Result<(), ValidatorFailed> {
    let client = context.connect().await?;
    let validators = newest(&client).await?;
    let node = client.node_state().await?;
    let authored = client.authored(validators.block, blocks).await?;
    let names = Names::of(&client.at(validators.block.hash)).await?;
    let status = status(&validators, &node, &authored, &names);
    context.output.show(&status, text);
    Ok(())
}

fn status(validators: &Validators, node: &NodeState, authored: &Authored, names: &Names) -> Status {
    let line = |operator: &Operator| {
        let address = account_to_ss58(&operator.account);
        let name = names.name(&operator.account);
        Line {
            name: (name != address).then_some(name),
            account: address,
            state: operator.status.into(),
            approved: operator.approved,
            session_keys: operator
                .session_keys
                .map(|keys| format!("0x{}", hex::encode(keys))),
            authored: authored.by.get(&operator.account).copied().unwrap_or(0),
            offences: operator.offences.iter().map(offence).collect(),
        }
    };
    Status {
        block: node.best,
        finalized: node.finalized,
        lag: node.lag(),
        session: validators.session,
        session_blocks: validators.session_blocks,
        blocks_to_end: validators.blocks_to_end(),
        minimum: validators.minimum,
        planned: validators.planned,
        looked_at_blocks: authored.blocks,
        validators: validators.operators.iter().map(line).collect(),
    }
}

fn text(status: &Status) -> String {
    let lag = match status.lag {
        lag @ 0..=9 => format!(
            "{} ({lag} behind the newest, {})",
            status.finalized, status.block
        ),
        lag => format!(
            "{} ({lag} BEHIND the newest, {}: too few validators are at work)",
            status.finalized, status.block
        ),
    };
    let session = format!(
        "{}, {} of {} blocks to its end, {}",
        status.session,
        status.blocks_to_end,
        status.session_blocks,
        about(status.blocks_to_end)
    );
    let set = format!(
        "{} in the next sessions, never fewer than {}",
        status.planned, status.minimum
    );
    let head = fields([
        ("finalized", lag),
        ("session", session),
        ("validators", set),
    ]);
    let looked = status.looked_at_blocks;
    let row = |line: &Line| {
        [
            line.name.clone().unwrap_or_else(|| "-".into()),
            line.account.clone(),
            state(line),
            if line.session_keys.is_some() {
                "set"
            } else {
                "none"
            }
            .into(),
            format!("{} of {looked}", line.authored),
            offences(line),
        ]
    };
    let header = [
        "gateway", "account", "state", "keys", "authored", "offences",
    ];
    format!(
        "{head}\n{}",
        table(header, status.validators.iter().map(row))
    )
}

fn state(line: &Line) -> String {
    let removed = if line.approved { "" } else { ", removed" };
    match &line.state {
        State::Approved => "approved".to_owned(),
        State::Joining { from_session } => format!("joining, from session {from_session}"),
        State::Validating => format!("validating{removed}"),
        State::Leaving { out_from_session } => {
            format!("leaving, until session {out_from_session}{removed}")
        }
        State::Left {
            may_join_from_block,
        } => format!("left, may join from block {may_join_from_block}"),
    }
}

fn offences(line: &Line) -> String {
    list(line.offences.iter().map(|offence| {
        let what = match offence["kind"].as_str() {
            Some("blocks") => format!("two blocks in slot {}", offence["slot"]),
            _ => format!(
                "two votes in round {} of set {}",
                offence["round"], offence["set"]
            ),
        };
        match offence["cleared"].as_bool() {
            Some(true) => format!("{what} (cleared)"),
            _ => what,
        }
    }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use keyward_protocol::{beacon::BlockRef, AccountId, BlockHash};

    const A: AccountId = AccountId([1; 32]);
    const B: AccountId = AccountId([2; 32]);

    fn shown(lag: u32) -> Status {
        let operator = |account, status, offences| Operator {
            account,
            approved: true,
            status,
            session_keys: Some([1; 64]),
            offences,
        };
        let twice = Offence {
            equivocation: Equivocation::Blocks { slot: 77 },
            session: 1,
            block: 19,
            cleared: false,
        };
        let validators = Validators {
            block: BlockRef {
                number: 25,
                hash: BlockHash([0; 32]),
            },
            session: 2,
            session_blocks: 10,
            minimum: 1,
            planned: 2,
            operators: vec![
                operator(A, OperatorStatus::Validating, vec![twice]),
                operator(B, OperatorStatus::Joining { from: 4 }, Vec::new()),
            ],
        };
        let node = NodeState {
            best: 25 + lag,
            finalized: 25,
            syncing: false,
            peers: 3,
            authority: true,
        };
        let authored = Authored {
            blocks: 20,
            by: BTreeMap::from([(A, 20)]),
        };
        let names = Names::from_iter([(A, "gw1".to_owned())]);
        status(&validators, &node, &authored, &names)
    }

    #[test]
    fn one_line_tells_what_each_validator_does_and_did() {
        let text = text(&shown(2));
        for words in [
            "25 (2 behind the newest, 27)",
            "2, 5 of 10 blocks to its end, about 10 seconds",
            "2 in the next sessions, never fewer than 1",
            "two blocks in slot 77",
            "joining, from session 4",
            "20 of 20",
            "0 of 20",
            "gw1",
        ] {
            assert!(text.contains(words), "no '{words}' in:\n{text}");
        }
    }

    #[test]
    fn a_stall_is_shouted() {
        assert!(text(&shown(40)).contains("40 BEHIND"));
    }

    #[test]
    fn programs_get_the_state_and_what_belongs_to_it() {
        let value = serde_json::to_value(shown(2)).unwrap();
        assert_eq!(value["validators"][0]["state"], "validating");
        assert_eq!(value["validators"][1]["state"], "joining");
        assert_eq!(value["validators"][1]["from_session"], 4);
        assert_eq!(value["validators"][0]["offences"][0]["slot"], 77);
        assert_eq!(value["lag"], 2);
    }
}
