//! Receipts (BRG-6): verified, durable, and brought to the chain in batches, the newest epoch of each device (DESIGN sections 6
//! and 7). A receipt with another commitment than the chain's is evidence and goes there too.

use std::collections::BTreeMap;

use keyward_crypto::{hash::hash_of, sign::verify};
use keyward_protocol::{
    bytes::Nonce,
    limits,
    receipt::Receipt,
    request::{Refusal, Status},
    signing::{Signed, Unverified},
    Commitment, DeviceId, GroupId,
};

use super::{
    journal::{Change, ReceiptKey, ReceiptRecord},
    tally::Reason,
    transactions::{Command, Job},
    Relay,
};

/// Receipts of one device that may be on their way at once.
const PER_DEVICE: usize = 16;

impl Relay {
    pub(super) fn on_receipt(&mut self, device: &DeviceId, payload: &[u8]) {
        let unverified = match Unverified::<Receipt>::from_wire(payload) {
            Ok(unverified) if unverified.claims().device == *device => unverified,
            _ => return self.tally.refuse(Reason::Malformed),
        };
        match self.verified_receipt(unverified) {
            Ok(receipt) => self.take_receipt(receipt),
            Err(reason) => self.tally.refuse(reason),
        }
    }

    fn verified_receipt(
        &mut self,
        unverified: Unverified<Receipt>,
    ) -> Result<Signed<Receipt>, Reason> {
        let claims = unverified.claims();
        let fleet = self.fleet.as_ref().ok_or(Reason::Unknown)?;
        let (key, version) = fleet
            .device_key(&claims.device, &claims.group)
            .ok_or(Reason::Unknown)?;
        let group = fleet.groups.get(&claims.group);
        let in_group = match group {
            Some(group) => {
                group.members.contains_key(&claims.device) && claims.epoch <= group.view.epoch
            }
            None => fleet.devices.get(&claims.device).is_some_and(|device| {
                let mut groups = device.groups.iter();
                groups.any(|membership| membership.group == claims.group)
            }),
        };
        if version != claims.key_version || !in_group {
            return Err(Reason::Unknown);
        }
        let device = claims.device.clone();
        let genesis = self.home.genesis;
        let signed = verify(unverified, &genesis, &key).map_err(|_| Reason::Forged)?;
        match self.receipt_rate.allows(&device, self.now) {
            true => Ok(signed),
            false => Err(Reason::Busy),
        }
    }

    fn take_receipt(&mut self, signed: Signed<Receipt>) {
        let nonce = nonce_of(&signed);
        let signature = *signed.signature();
        let receipt = signed.into_body();
        let key = ReceiptKey {
            group: receipt.group,
            device: receipt.device,
            epoch: receipt.epoch,
            commitment: receipt.commitment,
        };
        if self.is_on_record(&key) {
            return self.respond(&key.device, nonce, Status::Done, "");
        }
        if self.journal.receipts.contains_key(&key) {
            return;
        }
        let same_device = |other: &&ReceiptKey| other.device == key.device;
        if self.journal.receipts.keys().filter(same_device).count() >= PER_DEVICE {
            return self.tally.refuse(Reason::Busy);
        }
        self.tally.receipts_accepted = self.tally.receipts_accepted.saturating_add(1);
        let record = ReceiptRecord {
            key_version: receipt.key_version,
            signature,
            nonce,
        };
        self.change(Change::Receipt(key, record));
    }

    /// The commitment on chain for an epoch, where this gateway sees it.
    fn commitment_of(&self, group: &GroupId, epoch: u32) -> Option<Commitment> {
        let group = self.fleet.as_ref()?.groups.get(group)?;
        let (commitment, _) = group.exchange(epoch)?.committed?;
        Some(commitment)
    }

    /// Whether the chain has this receipt, or a newer one of the device.
    fn is_on_record(&self, key: &ReceiptKey) -> bool {
        let group = self
            .fleet
            .as_ref()
            .and_then(|fleet| fleet.groups.get(&key.group));
        let member = group.and_then(|group| group.members.get(&key.device));
        let acknowledged = member.and_then(|member| member.acknowledged);
        let newer = acknowledged.is_some_and(|(epoch, _)| epoch >= key.epoch);
        newer && self.commitment_of(&key.group, key.epoch) == Some(key.commitment)
    }

    /// Whether a receipt names another commitment than the chain.
    fn conflicts(&self, key: &ReceiptKey) -> bool {
        let commitment = self.commitment_of(&key.group, key.epoch);
        commitment.is_some_and(|commitment| commitment != key.commitment)
    }

    /// Sends the groups' batches.
    pub(super) fn plan_receipts(&mut self) {
        self.drop_outdated();
        let mut groups: Vec<GroupId> = Vec::new();
        for key in self.journal.receipts.keys() {
            if groups.last() != Some(&key.group) {
                groups.push(key.group.clone());
            }
        }
        for group in groups {
            self.start(Job::Acknowledge(group.clone()), |relay| {
                let batch = relay.batch(&group);
                let receipts = batch
                    .iter()
                    .filter_map(|key| {
                        let record = relay.journal.receipts.get(key)?;
                        Some((key.clone(), record.signature))
                    })
                    .collect();
                relay.batches.insert(group.clone(), batch);
                Some(Command::Acknowledge { group, receipts })
            });
        }
    }

    /// Drops receipts whose device has other keys by now: the chain would refuse the whole batch.
    fn drop_outdated(&mut self) {
        let Some(fleet) = self.fleet.as_ref() else {
            return;
        };
        let outdated = |(key, record): &(&ReceiptKey, &ReceiptRecord)| {
            let known = fleet.device_key(&key.device, &key.group);
            known.is_none_or(|(_, version)| version != record.key_version)
        };
        let outdated: Vec<ReceiptKey> = self
            .journal
            .receipts
            .iter()
            .filter(outdated)
            .map(|(key, _)| key.clone())
            .collect();
        for key in outdated {
            self.tally.refuse(Reason::Unknown);
            self.change(Change::ReceiptSettled(key));
        }
    }

    /// The newest receipt of each device, and every one that conflicts.
    fn batch(&self, group: &GroupId) -> Vec<ReceiptKey> {
        let limit = self.batch_limit.get(group).copied();
        let limit = limit.unwrap_or(limits::BATCH as usize);
        let mut newest: BTreeMap<&DeviceId, &ReceiptKey> = BTreeMap::new();
        let mut batch = Vec::new();
        for key in self
            .journal
            .receipts
            .keys()
            .filter(|key| key.group == *group)
        {
            if self.conflicts(key) {
                batch.push(key.clone());
            } else {
                // Keys rise by device and epoch.
                newest.insert(&key.device, key);
            }
        }
        batch.extend(newest.into_values().cloned());
        batch.truncate(limit);
        batch
    }

    pub(super) fn on_acknowledged(&mut self, group: &GroupId, result: Result<(), String>) {
        let batch = self.batches.remove(group).unwrap_or_default();
        let limit = batch.len();
        match result {
            Ok(()) => {
                self.batch_limit.remove(group);
                batch.iter().for_each(|key| self.on_recorded(key));
            }
            // One bad receipt spoils the batch: halves find it.
            Err(_) if limit > 1 => {
                self.batch_limit.insert(group.clone(), limit / 2);
                self.transactions.forget(&Job::Acknowledge(group.clone()));
            }
            Err(error) => {
                self.batch_limit.remove(group);
                self.transactions.forget(&Job::Acknowledge(group.clone()));
                batch
                    .iter()
                    .for_each(|key| self.on_not_recorded(key, &error));
            }
        }
    }

    /// A receipt is finalized, and with it the device's older ones.
    fn on_recorded(&mut self, recorded: &ReceiptKey) {
        let at = self.head.map_or(0, |head| head.block.number);
        let conflicts = self.conflicts(recorded);
        let fleet = self.fleet.as_mut();
        let group = fleet.and_then(|fleet| fleet.groups.get_mut(&recorded.group));
        let member = group.and_then(|group| group.members.get_mut(&recorded.device));
        if let (Some(member), false) = (member, conflicts) {
            let before = member.acknowledged.map_or(0, |(epoch, _)| epoch);
            if recorded.epoch > before {
                member.acknowledged = Some((recorded.epoch, at));
            }
        }
        let older = |key: &&ReceiptKey| {
            let of_device = key.group == recorded.group && key.device == recorded.device;
            of_device && key.epoch < recorded.epoch && !conflicts && !self.conflicts(key)
        };
        let mut done: Vec<ReceiptKey> = self
            .journal
            .receipts
            .keys()
            .filter(older)
            .cloned()
            .collect();
        done.push(recorded.clone());
        for key in done {
            if let Some(record) = self.journal.receipts.get(&key) {
                let nonce = record.nonce;
                self.change(Change::ReceiptSettled(key.clone()));
                self.respond(&key.device, nonce, Status::Done, "");
            }
        }
    }

    fn on_not_recorded(&mut self, key: &ReceiptKey, error: &str) {
        self.tally.refuse(Reason::Chain);
        if let Some(record) = self.journal.receipts.get(key) {
            let nonce = record.nonce;
            self.change(Change::ReceiptSettled(key.clone()));
            self.respond(&key.device, nonce, Status::Refused(Refusal::Chain), error);
        }
    }
}

/// The first 16 bytes of the receipt's hash.
fn nonce_of(signed: &Signed<Receipt>) -> Nonce {
    let mut nonce = [0; 16];
    let hash = hash_of(signed);
    nonce
        .iter_mut()
        .zip(hash.0)
        .for_each(|(to, from)| *to = from);
    Nonce(nonce)
}
