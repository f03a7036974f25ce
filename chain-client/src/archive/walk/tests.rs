use std::collections::BTreeSet;

use codec::{Compact, Encode};
use keyward_protocol::{view::Cause, AccountId, Signature};

use super::*;
use crate::{
    archive::digest_of,
    call::{Call, ReceiptItem},
    fake::{FakeNode, GENESIS},
    runtime::COMMITTED,
};

fn group() -> GroupId {
    "hsu0001".parse().unwrap()
}

fn other() -> GroupId {
    "hsu0002".parse().unwrap()
}

fn device(number: u32) -> DeviceId {
    format!("d{number}").parse().unwrap()
}

fn left(number: u32) -> Entry {
    Entry::Left {
        device: device(number),
    }
}

fn head_key(group: &GroupId) -> Vec<u8> {
    let group = group.encode();
    let key = storage_key("Fleet", "ChainHeads");
    [&key[..], &blake2_128(&group), &group].concat()
}

/// An event of the pallet, of transaction 0.
fn event(name: &str, fields: impl Encode) -> Vec<u8> {
    let pallet = COMMITTED.as_ref().unwrap().pallet_by_name("Fleet").unwrap();
    let variants = pallet.event_variants().unwrap();
    let variant = variants.iter().find(|it| it.name == name).unwrap();
    let phase = (0u8, 0u32).encode();
    let event = [pallet.event_index(), variant.index];
    [&phase[..], &event, &fields.encode(), &[0]].concat()
}

/// A chain on which groups live.
struct Life {
    node: FakeNode,
    head: Digest,
    expected: Vec<Record>,
}

impl Life {
    fn with_blocks(count: u32) -> Self {
        Self {
            node: FakeNode::with_blocks(count),
            head: NO_HEAD,
            expected: Vec::new(),
        }
    }

    /// Lets a block add entries to the group's chain, after other events.
    fn add(&mut self, block: u32, before: &[Vec<u8>], entries: &[Entry]) {
        let mut events = before.to_vec();
        for entry in entries {
            self.head = head_after(&GENESIS, &group(), &self.head, block, entry);
            events.push(event("ChainExtended", (group(), entry, self.head)));
            self.expected.push(Record {
                block,
                entry: entry.clone(),
                head: self.head,
                receipts: None,
            });
        }
        self.node
            .store_from(block, head_key(&group()), self.head.encode());
        self.set_events(block, &events);
    }

    fn set_events(&self, block: u32, events: &[Vec<u8>]) {
        let count = Compact(u32::try_from(events.len()).unwrap()).encode();
        let bytes = [count, events.concat()].concat();
        let key = storage_key("System", "Events");
        self.node.store_from(block, key, bytes);
    }

    async fn archive(&self) -> Result<Vec<Record>, ArchiveFailed> {
        let client = Client::over(Arc::new(self.node.clone())).await.unwrap();
        let last = client.finalized().await.unwrap();
        let mut archive = client.archive(&group(), 0, NO_HEAD, last).await?;
        let mut records = Vec::new();
        while let Some(record) = archive.next().await? {
            records.push(record);
        }
        assert_eq!(archive.reached(), last.number);
        Ok(records)
    }
}

#[tokio::test]
async fn every_entry_is_found_in_order_and_few_blocks_are_looked_at() {
    let mut life = Life::with_blocks(4_000);
    let created = Entry::Advanced {
        epoch: 1,
        cause: Cause::Created,
        committed: None,
    };
    let strange = event("ChainExtended", (other(), left(9), Digest([5; 32])));
    life.add(17, &[strange], &[created, left(1), left(2)]);
    life.add(18, &[], &[left(3)]);
    life.add(2_901, &[], &[left(4), left(5)]);
    life.add(4_000, &[], &[left(6)]);
    assert_eq!(life.archive().await.unwrap(), life.expected);
    assert!(life.node.reads() < 100, "{} reads", life.node.reads());
}

#[tokio::test]
async fn a_group_without_entries_has_an_empty_archive() {
    let life = Life::with_blocks(40);
    assert_eq!(life.archive().await, Ok(Vec::new()));
}

#[tokio::test]
async fn events_that_do_not_lead_to_the_head_in_the_state_are_refused() {
    let mut life = Life::with_blocks(40);
    life.add(7, &[], &[left(1), left(2)]);
    let one = event("ChainExtended", (group(), left(1), life.expected[0].head));
    let changed = event("ChainExtended", (group(), left(3), life.head));
    let unreadable = event("ChainExtended", (group(), 0x77u8, life.head));
    for events in [
        vec![one.clone()],
        vec![one, changed],
        vec![unreadable],
        vec![],
    ] {
        life.set_events(7, &events);
        let failed = life.archive().await.unwrap_err();
        let at = matches!(failed, ArchiveFailed::Contradiction { number: 7, .. });
        assert!(at, "{failed}");
    }
}

#[tokio::test]
async fn a_node_that_has_forgotten_old_state_is_told_from_others() {
    let mut life = Life::with_blocks(40);
    life.add(7, &[], &[left(1)]);
    life.node.prune_before(30);
    let failed = life.archive().await.unwrap_err();
    assert!(matches!(failed, ArchiveFailed::Pruned { .. }), "{failed}");
    assert!(failed.to_string().contains("--state-pruning archive"));
}

fn receipt(number: u32, epoch: u32, commitment: u8) -> ReceiptItem {
    ReceiptItem {
        device: device(number),
        epoch,
        commitment: Commitment([commitment; 32]),
        signature: Signature([number as u8; 64]),
    }
}

/// The bytes of a transaction that nobody signed.
fn transaction(call: &Call) -> Vec<u8> {
    let call = call.encode_for(COMMITTED.as_ref().unwrap()).unwrap();
    let bytes = [&[4][..], &call].concat();
    let length = Compact(u32::try_from(bytes.len()).unwrap()).encode();
    [length, bytes].concat()
}

/// Of the receipts of a call those that changed nothing are not bound by the entry.
#[tokio::test]
async fn the_receipts_of_an_entry_are_those_that_its_transaction_recorded() {
    let recorded = [receipt(1, 4, 1), receipt(2, 3, 9), receipt(2, 4, 1)];
    let digest = digest_of(&recorded);
    let mut all = recorded.to_vec();
    all.insert(1, receipt(3, 1, 1));
    let before = [
        event("Acknowledged", (other(), device(1), 4u32)),
        event("Acknowledged", (group(), device(1), 4u32)),
        event(
            "ConflictRecorded",
            (group(), device(2), 3u32, Commitment([9; 32])),
        ),
        event("Acknowledged", (group(), device(2), 4u32)),
    ];
    let entry = Entry::Receipts { digest, count: 3 };
    let calls = [
        Call::acknowledge(&group(), &all),
        Call::batch_all(vec![Call::acknowledge(&group(), &all)]),
    ];
    for call in calls {
        let node = FakeNode::with_blocks(5);
        node.finalize(0, vec![transaction(&call)]);
        let mut life = Life {
            node,
            head: NO_HEAD,
            expected: Vec::new(),
        };
        life.add(6, &before, &[entry.clone()]);
        let records = life.archive().await.unwrap();
        assert_eq!(records[0].receipts.as_deref(), Some(&recorded[..]));
        assert!(records[0].binds_its_receipts());
    }
    // Without the transaction the entry stands alone.
    let mut life = Life::with_blocks(10);
    life.add(6, &before, &[entry]);
    assert_eq!(life.archive().await.unwrap(), life.expected);
}

/// The entries that the runtime of this repository writes are those that are read here.
#[test]
fn entries_have_the_form_that_the_chain_gives_them() {
    let metadata = COMMITTED.as_ref().unwrap();
    let pallet = metadata.pallet_by_name("Fleet").unwrap();
    let variants = pallet.event_variants().unwrap();
    let extended = variants.iter().find(|it| it.name == "ChainExtended");
    let id = extended.unwrap().fields[1].ty.id;
    let ours = scale_info::MetaType::new::<Entry>();
    let mut registry = scale_info::Registry::new();
    let our_id = registry.register_type(&ours).id;
    let registry: scale_info::PortableRegistry = registry.into();
    assert_eq!(
        crate::shape::Shapes::of(&registry).shape(our_id),
        crate::shape::Shapes::of(metadata.types()).shape(id)
    );
    // Every kind goes through JSON as it is.
    let all = [
        left(1),
        Entry::Activated {
            epoch: 1,
            commitment: Commitment([1; 32]),
            custodian: AccountId([2; 32]),
        },
        Entry::Advanced {
            epoch: 2,
            cause: Cause::KeysReplaced,
            committed: Some((Commitment([1; 32]), AccountId([2; 32]))),
        },
    ];
    let texts: BTreeSet<String> = all
        .iter()
        .map(|entry| serde_json::to_string(entry).unwrap())
        .collect();
    assert_eq!(texts.len(), all.len());
    for entry in all {
        let text = serde_json::to_string(&entry).unwrap();
        assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
    }
}
