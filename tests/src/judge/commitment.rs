//! An epoch has one commitment (KEY-2, KEX-2, KEX-5, KEX-9, STM-3): the chain's, at every block; the same in every statement and
//! receipt; and what grants hold opens it, the same secret for everybody.

use std::collections::BTreeMap;

use keyward_crypto::epoch;
use keyward_protocol::{AccountId, Commitment, GroupId};

use super::{
    record::{Record, Spot},
    Conviction,
};

const RULE: &str = "commitment";

/// The commitments of the chain, by group and epoch, and where each was seen first.
type Chain = BTreeMap<(GroupId, u32), (Commitment, AccountId, Spot)>;

/// Judges.
pub fn judge(record: &Record) -> Vec<Conviction> {
    let mut convictions = Vec::new();
    let chain = chain(record, &mut convictions);
    steps(record, &mut convictions);
    for stated in &record.statements {
        let statement = &stated.statement;
        for named in &statement.commitments {
            let said = statement.commitment(named.epoch);
            let key = (statement.group.clone(), named.epoch);
            convictions.extend(differs(
                &chain,
                key,
                said.map(|(commitment, _)| commitment),
                stated.spot,
                "a statement",
            ));
        }
    }
    for receipted in &record.receipts {
        let receipt = &receipted.receipt;
        let key = (receipt.group.clone(), receipt.epoch);
        let who = format!("a receipt of {}", receipt.device);
        convictions.extend(differs(
            &chain,
            key,
            Some(receipt.commitment),
            receipted.spot,
            &who,
        ));
    }
    convictions.extend(grants(record, &chain));
    convictions
}

/// KEX-5: what stood at the end of a block stands for ever.
fn chain(record: &Record, convictions: &mut Vec<Conviction>) -> Chain {
    let mut chain = Chain::new();
    for block in &record.blocks {
        for group in &block.state.groups {
            for exchange in &group.exchanges {
                let key = (group.group.clone(), exchange.epoch);
                let before = chain.get(&key).copied();
                match (before, exchange.committed) {
                    (None, Some((commitment, custodian))) => {
                        chain.insert(key, (commitment, custodian, block.spot));
                    }
                    (Some((commitment, custodian, spot)), now)
                        if now != Some((commitment, custodian)) =>
                    {
                        convictions.push(Conviction {
                            rule: RULE,
                            what: format!(
                                "the chain changed the commitment of epoch {} of {} in block {}",
                                exchange.epoch, group.group, block.number
                            ),
                            evidence: vec![spot, block.spot],
                        });
                    }
                    _ => {}
                }
            }
        }
    }
    chain
}

/// KEX-2: from block to block a group goes on by one epoch at most, and never back.
fn steps(record: &Record, convictions: &mut Vec<Conviction>) {
    for pair in record.blocks.windows(2) {
        let [before, after] = pair else { continue };
        for group in &after.state.groups {
            let Some(earlier) = before.group(&group.group) else {
                continue;
            };
            let next = earlier.epoch.saturating_add(1);
            let is_next_block = after.number == before.number.saturating_add(1);
            let back = group.epoch < earlier.epoch || group.revision < earlier.revision;
            if back || (is_next_block && group.epoch > next) {
                convictions.push(Conviction {
                    rule: RULE,
                    what: format!(
                        "{} went from epoch {} (revision {}) to {} (revision {}) in block {}",
                        group.group,
                        earlier.epoch,
                        earlier.revision,
                        group.epoch,
                        group.revision,
                        after.number
                    ),
                    evidence: vec![before.spot, after.spot],
                });
            }
        }
    }
}

fn differs(
    chain: &Chain,
    key: (GroupId, u32),
    said: Option<Commitment>,
    spot: Spot,
    who: &str,
) -> Option<Conviction> {
    let (commitment, _, first) = chain.get(&key)?;
    (said != Some(*commitment)).then(|| Conviction {
        rule: RULE,
        what: format!(
            "{who} names another commitment for epoch {} of {} than the chain",
            key.1, key.0
        ),
        evidence: vec![*first, spot],
    })
}

/// KEY-3: a secret is committed to before it is granted, and it is the one committed to.
fn grants(record: &Record, chain: &Chain) -> Vec<Conviction> {
    let mut convictions = Vec::new();
    for got in &record.got {
        let key = (got.group.clone(), got.epoch);
        let (opens, first) = match chain.get(&key) {
            None => (false, None),
            Some((commitment, custodian, first)) => (
                epoch::opens(
                    commitment,
                    &record.began.genesis,
                    &got.group,
                    got.epoch,
                    custodian,
                    &got.secret,
                ),
                Some(*first),
            ),
        };
        if !opens {
            convictions.push(Conviction {
                rule: RULE,
                what: format!(
                    "the secret of epoch {} of {} that {} got is not the one that the chain has a commitment of",
                    got.epoch, got.group, got.device
                ),
                evidence: first.into_iter().chain([got.spot]).collect(),
            });
        }
    }
    convictions
}
