//! What is put on record about epochs: deliveries, devices' receipts and conflicts, anchors of protected messages.

use alloc::vec::Vec;
use codec::Encode;
use frame_support::{dispatch::DispatchResult, ensure};
use keyward_protocol::{
    history::Entry, receipt::Receipt, signing::Purpose, view::Delivery, Digest, GroupId,
};
use sp_io::hashing::blake2_256;

use crate::{
    caller, chain, device, group, keys,
    pallet::*,
    types::{Anchor, Batch, Conflict, Holding, ReceiptItem},
    view::{now, raw},
};

/// Conflicts on record per group.
pub(crate) const CONFLICTS: u32 = 1_024;
/// Anchors on record per group.
pub(crate) const ANCHORS: u64 = 64;

/// KEX-6.
pub(crate) fn deliver<T: Config>(
    who: T::AccountId,
    id: GroupId,
    epoch: u32,
    recipients: u32,
    grants_root: Digest,
) -> DispatchResult {
    caller::active::<T>(&who)?;
    let group = group::load_living::<T>(&id)?;
    caller::custodian::<T>(&who, &group)?;
    let exchange = KeyExchanges::<T>::get(&id, epoch);
    let mut exchange = exchange.ok_or(Error::<T>::UnknownEpoch)?;
    let (_, committer) = exchange.committed.ok_or(Error::<T>::UnknownEpoch)?;
    ensure!(committer == raw::<T>(&who), Error::<T>::NotCommitter);
    ensure!(exchange.delivery.is_none(), Error::<T>::AlreadyDelivered);
    exchange.delivery = Some(Delivery {
        at: now::<T>(),
        recipients,
        grants_root,
    });
    KeyExchanges::<T>::insert(&id, epoch, exchange);
    let entry = Entry::Delivered {
        epoch,
        recipients,
        grants_root,
    };
    chain::extend::<T>(&id, entry);
    Pallet::<T>::deposit_event(Event::Delivered {
        group: id,
        epoch,
        recipients,
        grants_root,
    });
    Ok(())
}

pub(crate) fn anchor<T: Config>(
    who: T::AccountId,
    id: GroupId,
    root: Digest,
    count: u32,
    first: u64,
    last: u64,
) -> DispatchResult {
    caller::active::<T>(&who)?;
    let group = group::load::<T>(&id)?;
    caller::custodian::<T>(&who, &group)?;
    group::ensure_open::<T>(&group)?;
    ensure!(count > 0 && first <= last, Error::<T>::BadAnchor);
    let anchor = Anchor {
        root,
        count,
        first,
        last,
        custodian: who,
        at: now::<T>(),
    };
    let mut chain = AnchorChains::<T>::get(&id);
    let sequence = chain.next;
    chain.next = sequence.saturating_add(1);
    chain.head = chain::anchored::<T>(&id, &chain.head, &anchor);
    AnchorChains::<T>::insert(&id, chain);
    Anchors::<T>::insert(&id, sequence, anchor);
    if let Some(outdated) = sequence.checked_sub(ANCHORS) {
        Anchors::<T>::remove(&id, outdated);
    }
    Pallet::<T>::deposit_event(Event::Anchored {
        group: id,
        sequence,
        root,
    });
    Ok(())
}

pub(crate) fn acknowledge<T: Config>(
    who: T::AccountId,
    id: GroupId,
    receipts: Batch<ReceiptItem>,
) -> DispatchResult {
    caller::active::<T>(&who)?;
    ensure!(!receipts.is_empty(), Error::<T>::EmptyList);
    group::load::<T>(&id)?;
    let mut recorded = Vec::new();
    for item in receipts {
        if record::<T>(&id, &item)? {
            recorded.push(item);
        }
    }
    if !recorded.is_empty() {
        let entry = Entry::Receipts {
            digest: Digest(recorded.using_encoded(blake2_256)),
            count: recorded.len().try_into().unwrap_or(u32::MAX),
        };
        chain::extend::<T>(&id, entry);
    }
    Ok(())
}

/// Checks a receipt (KEX-8), and tells whether it changed anything. That of a suspended member is evidence, too.
fn record<T: Config>(id: &GroupId, item: &ReceiptItem) -> Result<bool, Error<T>> {
    let device = device::load::<T>(&item.device)?;
    let member = Members::<T>::get(id, &item.device).ok_or(Error::<T>::NotMember)?;
    ensure!(
        item.epoch >= member.joined_epoch,
        Error::<T>::EpochBeforeJoin
    );
    let exchange = KeyExchanges::<T>::get(id, item.epoch);
    let committed = exchange.and_then(|exchange| exchange.committed);
    let (commitment, _) = committed.ok_or(Error::<T>::UnknownEpoch)?;
    let receipt = Receipt {
        group: id.clone(),
        epoch: item.epoch,
        commitment: item.commitment,
        device: item.device.clone(),
        key_version: device.key_version,
    };
    let key = &device.signing_key;
    let signed = keys::is_signed::<T>(Purpose::Receipt, &receipt, &item.signature, key);
    ensure!(signed, Error::<T>::BadReceiptSignature);
    match item.commitment == commitment {
        true => Ok(record_holding::<T>(id, item)),
        false => record_conflict::<T>(id, item, device.key_version),
    }
}

/// Notes the newest epoch that a device holds.
fn record_holding<T: Config>(id: &GroupId, item: &ReceiptItem) -> bool {
    let known = Holdings::<T>::get(id, &item.device);
    if known.is_some_and(|known| known.epoch >= item.epoch) {
        return false;
    }
    let holding = Holding {
        epoch: item.epoch,
        at: now::<T>(),
    };
    Holdings::<T>::insert(id, &item.device, holding);
    Pallet::<T>::deposit_event(Event::Acknowledged {
        group: id.clone(),
        device: item.device.clone(),
        epoch: item.epoch,
    });
    true
}

/// Notes that a device saw another commitment, with its signature. The first one stands (KEX-9).
fn record_conflict<T: Config>(
    id: &GroupId,
    item: &ReceiptItem,
    key_version: u32,
) -> Result<bool, Error<T>> {
    let key = (id, item.epoch, &item.device);
    if Conflicts::<T>::contains_key(key) {
        return Ok(false);
    }
    let count = ConflictCounts::<T>::get(id);
    ensure!(count < CONFLICTS, Error::<T>::TooManyConflicts);
    ConflictCounts::<T>::insert(id, count.saturating_add(1));
    let conflict = Conflict {
        commitment: item.commitment,
        key_version,
        signature: item.signature,
        at: now::<T>(),
    };
    Conflicts::<T>::insert(key, conflict);
    Pallet::<T>::deposit_event(Event::ConflictRecorded {
        group: id.clone(),
        device: item.device.clone(),
        epoch: item.epoch,
        commitment: item.commitment,
    });
    Ok(true)
}
