//! What the relay counts, and how it stands: for metrics, `status` and `/readyz`.

use std::collections::BTreeMap;

use bounded::Text;
use keyward_protocol::{
    limits, statement::GroupState, view::MemberView, AccountId, DeviceId, GatewayName,
};
use serde::{Deserialize, Serialize};

use super::{
    fleet::Group,
    journal::{AskState, ReceiptKey},
    Relay, SLOT_MS,
};

/// Why requests and receipts are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Too long, or not a message.
    Malformed,
    /// The signature does not verify.
    Forged,
    /// Its device, key version, group, epoch or gateway is not known here.
    Unknown,
    /// Its counter does not rise.
    Replayed,
    /// Too many.
    Busy,
    /// The voucher is not good.
    Voucher,
    /// The chain refused it.
    Chain,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Malformed,
        Self::Forged,
        Self::Unknown,
        Self::Replayed,
        Self::Busy,
        Self::Voucher,
        Self::Chain,
    ];

    /// The label in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Forged => "forged",
            Self::Unknown => "unknown",
            Self::Replayed => "replayed",
            Self::Busy => "busy",
            Self::Voucher => "voucher",
            Self::Chain => "chain",
        }
    }
}

/// Counters, from the start of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests accepted.
    pub requests_accepted: u64,
    /// Receipts accepted.
    pub receipts_accepted: u64,
    /// Requests and receipts refused, by reason.
    pub refused: BTreeMap<Reason, u64>,
    /// Grants sealed.
    pub grants_sealed: u64,
}

impl Tally {
    /// Requests and receipts refused for a reason.
    fn refused(&self, reason: Reason) -> u64 {
        self.refused.get(&reason).copied().unwrap_or(0)
    }

    /// Counts a refusal.
    pub(super) fn refuse(&mut self, reason: Reason) {
        let count = self.refused.entry(reason).or_default();
        *count = count.saturating_add(1);
    }
}

/// A group, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupStatus {
    /// Its state.
    pub state: GroupState,
    /// Its epoch.
    pub epoch: u32,
    /// Its revision.
    pub revision: u64,
    /// Epochs staged by this gateway.
    pub staged: usize,
    /// Members that take part.
    pub members: usize,
    /// Whether the delivery of the epoch is on record.
    pub delivered: bool,
    /// Members that may hold the epoch and have not acknowledged it.
    pub stale: usize,
    /// How long they have had, in seconds since the block that began the epoch; 0 if there are none.
    pub stale_seconds: u64,
}

/// How the bridge stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The gateway's name.
    pub gateway: GatewayName,
    /// Its account.
    pub account: AccountId,
    /// Newest finalized block that was dealt with.
    pub block: Option<u32>,
    /// Its time, in milliseconds since 1970.
    pub block_time_ms: Option<u64>,
    /// Whether the broker has told what it holds.
    pub broker: bool,
    /// Messages that the broker should hold and does not yet.
    pub outbox: usize,
    /// Messages that the broker should hold.
    pub retained: usize,
    /// Devices of this gateway.
    pub devices: usize,
    /// Groups of this gateway.
    pub groups: BTreeMap<String, GroupStatus>,
    /// Requests on their way to the chain.
    pub requests_pending: usize,
    /// Receipts on their way to the chain.
    pub receipts_pending: usize,
    /// Transactions on their way.
    pub transactions: usize,
    /// Messages published again because the broker lost or changed them, or never acknowledged them.
    pub republished: u64,
    /// Grants sealed.
    pub grants_sealed: u64,
    /// Requests accepted.
    pub requests_accepted: u64,
    /// Receipts accepted.
    pub receipts_accepted: u64,
    /// Requests and receipts refused, by reason: each from the start, so that a monitor sees the first one.
    pub refused: BTreeMap<String, u64>,
    /// Why nothing may be submitted, if so.
    pub blocked: Option<String>,
}

impl Relay {
    /// How things stand.
    pub fn status(&self) -> Status {
        let pending = |state: &AskState| matches!(state, AskState::Pending(_));
        let asks = self.journal.asks.values();
        let fleet = self.fleet.as_ref();
        let refused = |reason: Reason| (reason.as_str().to_owned(), self.tally.refused(reason));
        Status {
            gateway: self.home.name.clone(),
            account: self.home.account,
            block: self.head.map(|head| head.block.number),
            block_time_ms: self.head.map(|head| head.time_ms),
            broker: self.broker.is_listening(),
            outbox: self.broker.depth(),
            retained: self.broker.wanted().count(),
            devices: fleet.map_or(0, |fleet| fleet.devices.len()),
            groups: self.group_statuses(),
            requests_pending: asks.filter(|record| pending(&record.state)).count(),
            receipts_pending: self.journal.receipts.len(),
            transactions: self.transactions.open(),
            republished: self.broker.republished(),
            grants_sealed: self.tally.grants_sealed,
            requests_accepted: self.tally.requests_accepted,
            receipts_accepted: self.tally.receipts_accepted,
            refused: Reason::ALL.map(refused).into(),
            blocked: self.blocked(),
        }
    }

    fn group_statuses(&self) -> BTreeMap<String, GroupStatus> {
        let groups = self.fleet.iter().flat_map(|fleet| fleet.groups.values());
        let status = |group: &Group| {
            let view = &group.view;
            let ours = view.staged.iter();
            let ours = ours.filter(|staged| staged.custodian == self.home.account);
            let exchange = group.exchange(view.epoch);
            let stale = self.stale(group);
            let status = GroupStatus {
                state: view.state,
                epoch: view.epoch,
                revision: view.revision,
                staged: ours.count(),
                members: group.active_members().count(),
                delivered: exchange.is_some_and(|exchange| exchange.delivery.is_some()),
                stale,
                stale_seconds: match stale {
                    0 => 0,
                    _ => self.seconds_since(exchange.map_or(0, |exchange| exchange.began)),
                },
            };
            (view.group.to_string(), status)
        };
        groups.map(status).collect()
    }

    /// Members that may hold the current epoch, and whose receipt for it neither the chain has nor the journal.
    fn stale(&self, group: &Group) -> usize {
        let view = &group.view;
        if view.state == GroupState::Closed {
            return 0;
        }
        let entitled = |member: &&MemberView| member.joined_epoch <= view.epoch;
        let recorded = |member: &MemberView| {
            let newest = member.acknowledged;
            newest.is_some_and(|(epoch, _)| epoch >= view.epoch)
        };
        let accepted = |member: &MemberView| self.has_receipt(group, &member.device);
        let members = group.active_members().filter(entitled);
        members
            .filter(|member| !recorded(member) && !accepted(member))
            .count()
    }

    /// Whether a device's receipt for the current epoch is on its way.
    fn has_receipt(&self, group: &Group, device: &DeviceId) -> bool {
        let epoch = group.view.epoch;
        let exchange = group.exchange(epoch);
        let Some((commitment, _)) = exchange.and_then(|exchange| exchange.committed) else {
            return false;
        };
        self.journal.receipts.contains_key(&ReceiptKey {
            group: group.view.group.clone(),
            device: device.clone(),
            epoch,
            commitment,
        })
    }

    /// Seconds from a block to the newest one, at least.
    fn seconds_since(&self, block: u32) -> u64 {
        let newest = self.head.map_or(block, |head| head.block.number);
        let blocks = u64::from(newest.saturating_sub(block));
        blocks.saturating_mul(SLOT_MS) / 1000
    }

    /// What the broker should hold, by topic: for tests and `reconcile`.
    pub fn wanted(&self) -> BTreeMap<String, Vec<u8>> {
        let wanted = self.broker.wanted();
        wanted
            .map(|(topic, payload)| (topic.to_owned(), payload.to_vec()))
            .collect()
    }
}

/// Cuts a text to what a response may carry.
pub(super) fn clip(text: &str) -> Text {
    let mut end = text.len().min(limits::REASON as usize);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    let clipped = text.get(..end).unwrap_or_default();
    clipped.as_bytes().to_vec().try_into().unwrap_or_default()
}

mod bounded {
    use bounded_collections::{BoundedVec, ConstU32};
    use keyward_protocol::limits;

    /// Text of a response.
    pub type Text = BoundedVec<u8, ConstU32<{ limits::REASON }>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let long = "é".repeat(200);
        let cut = clip(&long);
        assert!(cut.len() <= limits::REASON as usize);
        assert!(core::str::from_utf8(&cut).is_ok());
        assert_eq!(clip("short").as_slice(), b"short");
    }
}
