//! How long it takes until the last member has acknowledged an epoch, counted from the block that began it (of a removal, the
//! block that it takes effect in): the number that DESIGN section 10 promises. An epoch that is overtaken by the next one before
//! that is not measured; how long members have been behind is another number, in [`crate::relay::GroupStatus`].

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

/// Time between two blocks, in milliseconds.
const SLOT_MS: u64 = 2_000;

/// Watches what goes in and out of the relay.
#[derive(Debug, Default)]
pub struct Rekeys {
    /// Epochs seen, by group.
    seen: BTreeMap<GroupId, u32>,
    open: BTreeMap<GroupId, Open>,
}

impl Rekeys {
    /// A block was finalized. Epochs that had begun before the first look are not measured. Gives the seconds of those whose
    /// last receipt came to the chain through another gateway.
    pub fn block(&mut self, block: &fleet::Block, now_ms: u64) -> Vec<f64> {
        let Some(fleet) = &block.fleet else {
            return Vec::new();
        };
        self.seen
            .retain(|group, _| fleet.groups.contains_key(group));
        self.open
            .retain(|group, _| fleet.groups.contains_key(group));
        let groups = fleet.groups.values();
        groups
            .filter_map(|group| self.group(group, block, now_ms))
            .collect()
    }

    fn group(&mut self, group: &fleet::Group, block: &fleet::Block, now_ms: u64) -> Option<f64> {
        let (id, epoch) = (&group.view.group, group.view.epoch);
        let before = self.seen.insert(id.clone(), epoch);
        if before.is_some_and(|before| before < epoch) {
            let entitled = |member: &&MemberView| member.joined_epoch <= epoch;
            let missing = group.active_members().filter(entitled);
            let open = Open {
                epoch,
                began_ms: began_ms(group, block),
                missing: missing.map(|member| member.device.clone()).collect(),
            };
            self.open.insert(id.clone(), open);
        }
        let open = self.open.get_mut(id)?;
        let acknowledged = |member: &MemberView| {
            let newest = member.acknowledged;
            newest.is_some_and(|(newest, _)| newest >= epoch)
        };
        let missing = group
            .active_members()
            .filter(|member| !acknowledged(member));
        let missing: BTreeSet<&DeviceId> = missing.map(|member| &member.device).collect();
        let were_missing = !open.missing.is_empty();
        open.missing.retain(|device| missing.contains(device));
        match were_missing && open.missing.is_empty() {
            true => self.close(id, now_ms),
            false => None,
        }
    }

    fn close(&mut self, group: &GroupId, now_ms: u64) -> Option<f64> {
        let open = self.open.remove(group)?;
        Some(now_ms.saturating_sub(open.began_ms) as f64 / 1000.0)
    }

    /// A receipt was accepted at this time. Gives the seconds since the block if it was the last one that was missing.
    pub fn receipt(&mut self, receipt: &ReceiptKey, now_ms: u64) -> Option<f64> {
        let open = self.open.get_mut(&receipt.group)?;
        let expected = receipt.epoch == open.epoch && open.missing.remove(&receipt.device);
        if !expected || !open.missing.is_empty() {
            return None;
        }
        self.close(&receipt.group, now_ms)
    }
}

/// Time of the block that began the current epoch. Blocks between that one and this may have been passed over.
fn began_ms(group: &fleet::Group, block: &fleet::Block) -> u64 {
    let exchange = group.exchange(group.view.epoch);
    let began = exchange.map_or(block.block.number, |exchange| exchange.began);
    let since = u64::from(block.block.number.saturating_sub(began));
    block.time_ms.saturating_sub(since.saturating_mul(SLOT_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_protocol::{
        beacon::BlockRef,
        policy::Policy,
        statement::GroupState,
        topic::Filters,
        view::{Cause, GroupView, KeyExchange},
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

    /// The state at a block, in which members have acknowledged epochs.
    fn told(number: u32, began: u32, epoch: u32, members: &[(&str, u32)]) -> fleet::Block {
        let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
        let mut block = block(epoch, u64::from(number) * 2_000, &names);
        block.block.number = number;
        let fleet = block.fleet.as_mut().unwrap();
        let group = fleet.groups.values_mut().next().unwrap();
        let exchange = KeyExchange {
            cause: Cause::Removed,
            began,
            committed: None,
            activated: None,
            delivery: None,
        };
        group.view.exchanges = vec![(epoch, exchange)];
        for (name, acknowledged) in members {
            let member = group
                .members
                .get_mut(&DeviceId::new(name).unwrap())
                .unwrap();
            member.acknowledged = Some((*acknowledged, number));
        }
        block
    }

    #[test]
    fn an_epoch_is_measured_when_its_last_member_acknowledges() {
        let mut rekeys = Rekeys::default();
        rekeys.block(&block(1, 0, &["a", "b", "c"]), 0);
        rekeys.block(&block(2, 10_000, &["a", "b"]), 10_500);
        assert_eq!(rekeys.receipt(&receipt("a", 1), 11_000), None);
        assert_eq!(rekeys.receipt(&receipt("a", 2), 12_000), None);
        assert_eq!(rekeys.receipt(&receipt("a", 2), 12_000), None);
        assert_eq!(rekeys.receipt(&receipt("b", 2), 12_500), Some(2.5));
        assert_eq!(rekeys.receipt(&receipt("b", 2), 13_000), None);
    }

    #[test]
    fn an_epoch_that_had_begun_before_the_start_is_not_measured() {
        let mut rekeys = Rekeys::default();
        rekeys.block(&block(5, 10_000, &["a"]), 10_500);
        assert_eq!(rekeys.receipt(&receipt("a", 5), 11_000), None);
    }

    /// What is measured begins with the block of the removal, also where the bridge saw only a later one.
    #[test]
    fn an_epoch_is_measured_from_the_block_that_began_it() {
        let mut rekeys = Rekeys::default();
        rekeys.block(&told(7, 1, 1, &[("a", 1)]), 14_100);
        rekeys.block(&told(12, 10, 2, &[("a", 1)]), 24_100);
        assert_eq!(rekeys.receipt(&receipt("a", 2), 25_000), Some(5.0));
    }

    #[test]
    fn a_receipt_that_another_gateway_brought_to_the_chain_counts_too() {
        let mut rekeys = Rekeys::default();
        rekeys.block(&told(7, 1, 1, &[("a", 1), ("b", 1)]), 14_100);
        let begun = rekeys.block(&told(10, 10, 2, &[("a", 1), ("b", 1)]), 20_100);
        assert!(begun.is_empty());
        assert_eq!(rekeys.receipt(&receipt("a", 2), 21_000), None);
        let ended = rekeys.block(&told(12, 10, 2, &[("a", 1), ("b", 2)]), 24_500);
        assert_eq!(ended, [4.5]);
        assert_eq!(rekeys.receipt(&receipt("b", 2), 25_000), None);
    }
}
