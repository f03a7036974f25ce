//! Receipts: the device acknowledges the newest epoch whose secret it holds, to the epoch's custodian and to its owner, until
//! one of them answers that it is on chain (KEX-8, REQ-2).

use alloc::{string::String, vec::Vec};

use keyward_crypto::{hash::hash_of, sign::sign_message};
use keyward_protocol::{
    bytes::Nonce,
    receipt::Receipt,
    request::{Refusal, Response, Status},
    topic::ControlTopic,
    AccountId, GroupId,
};

use super::{durable::Committed, effects::Action, notice::Notice, requests::longer, Session};

const PAUSE_MS: u64 = 5_000;
const LONGEST_PAUSE_MS: u64 = 300_000;

/// A receipt that is not confirmed yet.
#[derive(Debug)]
pub(super) struct Receipting {
    epoch: u32,
    nonce: Nonce,
    wire: Vec<u8>,
    topics: Vec<String>,
    next_at: u64,
    pause: u64,
}

impl Session {
    /// Sends receipts that are due.
    pub(super) fn repeat_receipts(&mut self) {
        let groups: Vec<GroupId> = self.live.keys().cloned().collect();
        for group in groups {
            self.begin_receipt(&group);
        }
        if self.connected.is_none() {
            return;
        }
        let now = self.clock.mono();
        let mut due = Vec::new();
        for receipting in self
            .receipting
            .values_mut()
            .filter(|one| one.next_at <= now)
        {
            receipting.next_at = now.saturating_add(receipting.pause);
            receipting.pause = longer(receipting.pause, LONGEST_PAUSE_MS);
            let wire = &receipting.wire;
            due.extend(
                receipting
                    .topics
                    .iter()
                    .map(|topic| (topic.clone(), wire.clone())),
            );
        }
        for (topic, payload) in due {
            self.act(Action::Publish {
                topic,
                payload,
                retain: false,
            });
        }
    }

    pub(super) fn hurry_receipts(&mut self) {
        let now = self.clock.mono();
        // What a gateway refused stays refused.
        for receipting in self
            .receipting
            .values_mut()
            .filter(|one| one.next_at != u64::MAX)
        {
            receipting.next_at = now;
        }
    }

    /// The newest epoch, if its secret is held, with the commitment that the secret opened: a statement that names another one
    /// now does not change what the device has seen (KEX-8).
    fn newest_held(&self, group: &GroupId) -> Option<Committed> {
        let newest = self.durable.facts.get(group)?.opened?;
        let held = self.durable.epochs(group).next_back();
        (held == Some(newest.epoch)).then_some(newest)
    }

    fn begin_receipt(&mut self, group: &GroupId) {
        let Some(Committed {
            epoch,
            commitment,
            custodian,
        }) = self.newest_held(group)
        else {
            return;
        };
        let acknowledged = self
            .durable
            .facts
            .get(group)
            .and_then(|facts| facts.acknowledged);
        let is_begun = self
            .receipting
            .get(group)
            .is_some_and(|one| one.epoch >= epoch);
        if acknowledged >= Some(epoch) || is_begun {
            return;
        }
        let receipt = Receipt {
            group: group.clone(),
            epoch,
            commitment,
            device: self.identity.device.clone(),
            key_version: self.identity.key_version,
        };
        let genesis = self.provisioned.genesis;
        let Ok(signed) = sign_message(genesis, receipt, &self.identity.signing) else {
            return;
        };
        let nonce = hash_of(&signed)
            .0
            .first_chunk()
            .copied()
            .unwrap_or_default();
        let receipting = Receipting {
            epoch,
            nonce: Nonce(nonce),
            wire: signed.to_wire(),
            topics: self.receipt_topics(group, custodian),
            next_at: self.clock.mono(),
            pause: PAUSE_MS,
        };
        self.end_receipt(group);
        self.receipting.insert(group.clone(), receipting);
    }

    /// The receipt of a group does not wait any more.
    pub(super) fn end_receipt(&mut self, group: &GroupId) {
        if let Some(ended) = self.receipting.remove(group) {
            self.answered.note(ended.nonce);
        }
    }

    /// Of the epoch's custodian, and of the owner.
    fn receipt_topics(&self, group: &GroupId, account: AccountId) -> Vec<String> {
        let stated = self.stated_group(group);
        let custodians = stated
            .into_iter()
            .flat_map(|stated| stated.custodians.iter());
        let names = custodians
            .filter(|custodian| custodian.account == account)
            .map(|custodian| custodian.name.clone())
            .chain([self.provisioned.owner.name.clone()]);
        let device = &self.identity.device;
        let mut topics: Vec<String> = names
            .map(|name| self.topic(&ControlTopic::Ack(device.clone(), name)))
            .collect();
        topics.dedup();
        topics
    }

    /// Whether a response answers a receipt; deals with it then.
    pub(super) fn on_receipt_answer(&mut self, response: &Response) -> bool {
        let mut receipting = self.receipting.iter();
        let found = receipting.find(|(_, one)| one.nonce == response.nonce);
        let Some((group, epoch)) = found.map(|(group, one)| (group.clone(), one.epoch)) else {
            return false;
        };
        self.clock.reached(response.chain_time);
        match response.status {
            // It is repeated until it is on chain.
            Status::Accepted | Status::Refused(Refusal::Busy) => {}
            Status::Done => {
                self.amend(&group, |facts| facts.acknowledged = Some(epoch));
                self.end_receipt(&group);
                self.tell(Notice::Acknowledged { group, epoch });
            }
            Status::Refused(_) => {
                if let Some(refused) = self.receipting.get_mut(&group) {
                    refused.next_at = u64::MAX;
                }
                let text = String::from_utf8_lossy(&response.reason).into_owned();
                self.tell(Notice::ReceiptRefused { group, epoch, text });
            }
        }
        true
    }
}
