//! How long it takes until the last member has acknowledged an epoch, counted from the block that began it: the number that
//! DESIGN section 10 promises.

use std::collections::{BTreeMap, BTreeSet};

use keyward_protocol::{view::MemberView, DeviceId, GroupId};

use crate::relay::{fleet, journal::ReceiptKey};

/// An epoch that not every member has acknowledged yet.
#[derive(Debug)]
struct Open {
    epoch: u32,
    began_ms: u64,
    missing: BTreeSet<DeviceId>,
}

/// Watches what goes in and out of the relay.
#[derive(Debug, Default)]
pub struct Rekeys {
    /// Epochs seen, by group.
    seen: BTreeMap<GroupId, u32>,
    open: BTreeMap<GroupId, Open>,
}

impl Rekeys {
    /// A block was finalized. Epochs that had begun before the first look are not measured.
    pub fn block(&mut self, block: &fleet::Block) {
        let Some(fleet) = &block.fleet else {
            return;
        };
        self.seen
            .retain(|group, _| fleet.groups.contains_key(group));
        self.open
            .retain(|group, _| fleet.groups.contains_key(group));
        for group in fleet.groups.values() {
            self.group(group, block.time_ms);
        }
    }

    fn group(&mut self, group: &fleet::Group, time_ms: u64) {
        let (id, epoch) = (&group.view.group, group.view.epoch);
        let members = || group.active_members().map(|member| &member.device);
        if let Some(open) = self.open.get_mut(id) {
            let still: BTreeSet<&DeviceId> = members().collect();
            open.missing.retain(|device| still.contains(device));
        }
        let before = self.seen.insert(id.clone(), epoch);
        if before.is_some_and(|before| before < epoch) {
            let entitled = |member: &&MemberView| member.joined_epoch <= epoch;
            let missing = group.active_members().filter(entitled);
            let open = Open {
                epoch,
                began_ms: time_ms,
                missing: missing.map(|member| member.device.clone()).collect(),
            };
            self.open.insert(id.clone(), open);
        }
    }

    /// A receipt was accepted at this time. Gives the seconds since the block if it was the last one that was missing.
    pub fn receipt(&mut self, receipt: &ReceiptKey, now_ms: u64) -> Option<f64> {
        let open = self.open.get_mut(&receipt.group)?;
        let expected = receipt.epoch == open.epoch && open.missing.remove(&receipt.device);
        if !expected || !open.missing.is_empty() {
            return None;
        }
        let open = self.open.remove(&receipt.group)?;
        Some(now_ms.saturating_sub(open.began_ms) as f64 / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_protocol::{
        beacon::BlockRef, policy::Policy, statement::GroupState, topic::Filters, view::GroupView,
        AccountId, AgreementKey, BlockHash, Commitment, Digest, Role, VerifyingKey,
    };

    fn member(id: &str) -> (DeviceId, MemberView) {
        let device = DeviceId::new(id).unwrap();
        let view = MemberView {
            device: device.clone(),
            role: Role::Both,
            index: 0,
            joined_epoch: 1,
            filters: Filters::default(),
            owner: AccountId([1; 32]),
            active: true,
            key_version: 1,
            signing_key: VerifyingKey([1; 32]),
            agreement_key: AgreementKey([1; 32]),
            acknowledged: None,
        };
        (device, view)
    }

    fn block(epoch: u32, time_ms: u64, members: &[&str]) -> fleet::Block {
        let id = GroupId::new("g").unwrap();
        let view = GroupView {
            group: id.clone(),
            admin: AccountId([1; 32]),
            custodians: Vec::new(),
            filters: Filters::default(),
            policy: Policy::default(),
            state: GroupState::Active,
            epoch,
            staged: Vec::new(),
            revision: 1,
            revised_at: 1,
            members: 0,
            chain_head: Digest([0; 32]),
            exchanges: Vec::new(),
        };
        let group = fleet::Group {
            view,
            revised_hash: BlockHash([0; 32]),
            members: members.iter().map(|id| member(id)).collect(),
        };
        let mut fleet = fleet::Fleet::default();
        fleet.groups.insert(id, group);
        fleet::Block {
            block: BlockRef {
                number: 1,
                hash: BlockHash([0; 32]),
            },
            time_ms,
            fleet: Some(Box::new(fleet)),
        }
    }

    fn receipt(device: &str, epoch: u32) -> ReceiptKey {
        ReceiptKey {
            group: GroupId::new("g").unwrap(),
            device: DeviceId::new(device).unwrap(),
            epoch,
            commitment: Commitment([0; 32]),
        }
    }

    #[test]
    fn an_epoch_is_measured_when_its_last_member_acknowledges() {
        let mut rekeys = Rekeys::default();
        rekeys.block(&block(1, 0, &["a", "b", "c"]));
        rekeys.block(&block(2, 10_000, &["a", "b"]));
        assert_eq!(rekeys.receipt(&receipt("a", 1), 11_000), None);
        assert_eq!(rekeys.receipt(&receipt("a", 2), 12_000), None);
        assert_eq!(rekeys.receipt(&receipt("a", 2), 12_000), None);
        assert_eq!(rekeys.receipt(&receipt("b", 2), 12_500), Some(2.5));
        assert_eq!(rekeys.receipt(&receipt("b", 2), 13_000), None);
    }

    #[test]
    fn an_epoch_that_had_begun_before_the_start_is_not_measured() {
        let mut rekeys = Rekeys::default();
        rekeys.block(&block(5, 10_000, &["a"]));
        assert_eq!(rekeys.receipt(&receipt("a", 5), 11_000), None);
    }
}
