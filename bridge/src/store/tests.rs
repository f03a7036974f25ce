use super::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use keyward_protocol::{
    beacon::BlockRef, bytes::Nonce, grant::EpochSecret, request::Ask, request::Refusal, AccountId,
    BlockHash, Commitment, DeviceId, Digest, Genesis, GroupId, Signature, VerifyingKey,
};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::relay::journal::{AskRecord, AskState, HeldSecret, ReceiptKey, ReceiptRecord, Retained};

fn key() -> WrappingKey {
    WrappingKey::from_bytes(&[9; 32])
}

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn open(directory: &TempDir) -> (Store, Journal) {
    Store::open(&directory.path().join("journal.sqlite"), key()).unwrap()
}

fn home(byte: u8) -> Home {
    Home {
        genesis: Genesis([byte; 32]),
        account: AccountId([byte; 32]),
        name: "gw1".parse().unwrap(),
    }
}

fn group(name: u8) -> GroupId {
    GroupId::new(&format!("g{name}")).unwrap()
}

fn device(name: u8) -> DeviceId {
    DeviceId::new(&format!("d{name}")).unwrap()
}

fn held(secret: [u8; 32], retired_ms: Option<u64>) -> HeldSecret {
    HeldSecret {
        secret: EpochSecret::of(&secret),
        commitment: Commitment([secret[0]; 32]),
        retired_ms,
    }
}

fn arb_ask() -> impl Strategy<Value = AskRecord> {
    let state = prop_oneof![
        Just(AskState::Pending(Ask::Resync)),
        Just(AskState::Done),
        "[a-zé]{0,20}".prop_map(|text| AskState::Refused(Refusal::Chain, text)),
    ];
    (any::<u8>(), any::<u64>(), state).prop_map(|(byte, counter, state)| AskRecord {
        key: VerifyingKey([byte; 32]),
        counter,
        nonce: Nonce([byte; 16]),
        state,
    })
}

fn arb_receipt() -> impl Strategy<Value = ReceiptKey> {
    (0u8..3, 0u8..3, 0u32..3, 0u8..2).prop_map(|(g, d, epoch, c)| ReceiptKey {
        group: group(g),
        device: device(d),
        epoch,
        commitment: Commitment([c; 32]),
    })
}

/// Changes over few names, so that they meet each other.
fn arb_change() -> impl Strategy<Value = Change> {
    let epoch = (0u8..3)
        .prop_map(group)
        .prop_flat_map(|group| (Just(group), 0u32..4));
    let bytes = prop::collection::vec(any::<u8>(), 0..200);
    prop_oneof![
        1 => (any::<u32>(), any::<u8>()).prop_map(|(number, byte)| Change::Cursor(BlockRef {
            number,
            hash: BlockHash([byte; 32]),
        })),
        4 => (epoch.clone(), any::<[u8; 32]>(), any::<Option<u64>>())
            .prop_map(|((group, epoch), secret, ms)| Change::Secret(group, epoch, held(secret, ms))),
        2 => (epoch.clone(), any::<u64>()).prop_map(|((group, epoch), ms)| Change::Retire(group, epoch, ms)),
        2 => epoch.prop_map(|(group, epoch)| Change::Erase(group, epoch)),
        2 => ("[ab]/[ab]", any::<[u8; 32]>(), bytes).prop_map(|(topic, fingerprint, payload)| {
            Change::Retain(topic, Retained { fingerprint: Digest(fingerprint), payload: Arc::from(payload) })
        }),
        1 => "[ab]/[ab]".prop_map(Change::Release),
        1 => (0u8..3, arb_ask()).prop_map(|(name, record)| Change::Ask(device(name), record)),
        2 => (arb_receipt(), any::<u8>()).prop_map(|(receipt, byte)| Change::Receipt(receipt, ReceiptRecord {
            key_version: byte.into(),
            signature: Signature([byte; 64]),
            nonce: Nonce([byte; 16]),
        })),
        1 => arb_receipt().prop_map(Change::ReceiptSettled),
    ]
}

/// Everything in the directory's files.
fn on_disk(directory: &TempDir) -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(directory.path()).unwrap();
    files
        .map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .collect()
}

fn is_on_disk(directory: &TempDir, bytes: &[u8]) -> bool {
    let found = |file: &Vec<u8>| file.windows(bytes.len()).any(|window| window == bytes);
    on_disk(directory).iter().any(found)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_was_applied_is_loaded_after_a_crash_and_no_secret_lies_open(
        batches in prop::collection::vec(prop::collection::vec(arb_change(), 0..8), 1..8),
    ) {
        let directory = directory();
        let mut expected = Journal::default();
        let mut secrets = BTreeSet::new();
        for batch in &batches {
            // A process that is killed neither closes the database nor checkpoints it; dropping closes it, so that it is
            // copied beforehand, as it stands on the disk.
            let (mut store, loaded) = open(&directory);
            prop_assert_eq!(&loaded, &expected);
            store.apply(batch).unwrap();
            for change in batch.clone() {
                if let Change::Secret(_, _, held) = &change {
                    secrets.insert(*held.secret.expose());
                }
                expected.apply(change);
            }
            let copy = copy(&directory);
            prop_assert_eq!(&open(&copy).1, &expected);
            for secret in &secrets {
                prop_assert!(!is_on_disk(&directory, secret), "a secret lies open");
            }
        }
    }
}

fn copy(directory: &TempDir) -> TempDir {
    let copy = self::directory();
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}

/// What wraps the secret of an epoch now: the slot, and the secret itself.
fn wrapped(store: &Store) -> (Vec<u8>, Vec<u8>) {
    let columns = "SELECT key, wrapped FROM secrets JOIN slots USING (slot)";
    let both = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    store.connection.query_row(columns, [], both).unwrap()
}

#[test]
fn an_erased_secret_cannot_be_opened_with_the_key_and_every_byte_on_disk() {
    let directory = directory();
    let (mut store, _) = open(&directory);
    store
        .apply(&[Change::Secret(group(1), 1, held([7; 32], None))])
        .unwrap();
    let (slot, secret) = wrapped(&store);
    // The control: while it is kept, both are found.
    assert!(is_on_disk(&directory, &slot) && is_on_disk(&directory, &secret));
    store.apply(&[Change::Erase(group(1), 1)]).unwrap();
    assert!(!is_on_disk(&directory, &slot), "its key is still on disk");
    assert!(!is_on_disk(&directory, &secret), "it is still on disk");
    assert!(!is_on_disk(&directory, &[7; 32]));
}

/// What wraps each secret now, by epoch of group 1.
fn all_wrapped(store: &Store) -> BTreeMap<u32, (Vec<u8>, Vec<u8>)> {
    let columns = "SELECT epoch, key, wrapped FROM secrets JOIN slots USING (slot)";
    let mut statement = store.connection.prepare(columns).unwrap();
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)));
    let rows = statement.query_map([], row).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Over many pages of the file, in no order, with others drawn meanwhile: no page keeps a copy of what moved or was
/// overwritten.
#[test]
fn of_many_erased_secrets_nothing_is_left_on_disk() {
    let directory = directory();
    let (mut store, _) = open(&directory);
    let draw = |store: &mut Store, epochs: std::ops::Range<u32>| {
        for epoch in epochs {
            let mut secret = [7; 32];
            secret[..4].copy_from_slice(&epoch.to_le_bytes());
            let drawn = Change::Secret(group(1), epoch, held(secret, None));
            store.apply(&[drawn]).unwrap();
        }
    };
    draw(&mut store, 0..300);
    let before = all_wrapped(&store);
    for epoch in (0..300).filter(|epoch| epoch % 3 != 0) {
        let erase = Change::Erase(group(1), epoch * 7 % 300);
        store.apply(&[erase]).unwrap();
        draw(&mut store, 1000 + epoch..1001 + epoch);
    }
    let kept = all_wrapped(&store);
    let files = on_disk(&directory).concat();
    let mut windows = BTreeSet::new();
    windows.extend(files.windows(keyward_crypto::wrap::WRAPPED));
    let mut erased = 0;
    for (epoch, (slot, secret)) in &before {
        match kept.contains_key(epoch) {
            true => assert!(windows.contains(&slot[..]), "{epoch} is kept"),
            false => {
                assert!(
                    !windows.contains(&slot[..]),
                    "the key of {epoch} is on disk"
                );
                assert!(!windows.contains(&secret[..]), "{epoch} is on disk");
                erased += 1;
            }
        }
    }
    assert_eq!(erased, 200);
}

/// A process may be killed between the erasing transaction and the emptying of the log.
#[test]
fn what_a_killed_process_left_in_the_log_is_gone_when_the_next_one_has_opened_it() {
    let directory = directory();
    let (mut store, _) = open(&directory);
    store
        .apply(&[Change::Secret(group(1), 1, held([7; 32], None))])
        .unwrap();
    let (slot, _) = wrapped(&store);
    let transaction = store.connection.transaction().unwrap();
    secrets::erase(&transaction, &group(1), 1).unwrap();
    transaction.commit().unwrap();
    let killed = copy(&directory);
    assert!(is_on_disk(&killed, &slot), "the control");
    let _next = open(&killed);
    assert!(!is_on_disk(&killed, &slot), "its key is still on disk");
}

/// The log could not be emptied, e.g. because the disk was full: the next change makes up for it.
#[test]
fn a_log_that_could_not_be_emptied_is_emptied_later() {
    let directory = directory();
    let (mut store, _) = open(&directory);
    store
        .apply(&[Change::Secret(group(1), 1, held([7; 32], None))])
        .unwrap();
    let (slot, _) = wrapped(&store);
    let transaction = store.connection.transaction().unwrap();
    secrets::erase(&transaction, &group(1), 1).unwrap();
    transaction.commit().unwrap();
    store.stale_log = true;
    assert!(is_on_disk(&directory, &slot), "the control");
    store.apply(&[Change::Release("t".into())]).unwrap();
    assert!(!is_on_disk(&directory, &slot), "its key is still on disk");
}

/// A full disk takes nothing and loses nothing: the same changes are durable when there is space again.
#[test]
fn a_full_disk_is_worth_waiting_for() {
    use std::sync::atomic::Ordering;
    let directory = directory();
    let (mut store, _) = open(&directory);
    let retained = Retained {
        fingerprint: Digest([1; 32]),
        payload: Arc::from(vec![7; 100_000]),
    };
    let changes = [
        Change::Secret(group(1), 1, held([7; 32], None)),
        Change::Retain("t".into(), retained),
    ];
    store.disk_is_full.store(true, Ordering::Relaxed);
    let failed = store.apply(&changes).unwrap_err();
    assert!(failed.is_retryable(), "{failed}");
    assert!(all_wrapped(&store).is_empty());
    store.disk_is_full.store(false, Ordering::Relaxed);
    store.apply(&changes).unwrap();
    store.apply(&changes).unwrap();
    drop(store);
    let mut expected = Journal::default();
    changes
        .into_iter()
        .for_each(|change| expected.apply(change));
    assert_eq!(open(&directory).1, expected);
    let damaged = StoreFailed::Damaged { what: "a".into() };
    assert!(!damaged.is_retryable());
}

#[test]
fn a_secret_that_is_replaced_is_erased() {
    let directory = directory();
    let (mut store, _) = open(&directory);
    store
        .apply(&[Change::Secret(group(1), 1, held([7; 32], None))])
        .unwrap();
    let (slot, _) = wrapped(&store);
    store
        .apply(&[Change::Secret(group(1), 1, held([8; 32], None))])
        .unwrap();
    assert!(!is_on_disk(&directory, &slot));
    drop(store);
    assert_eq!(
        open(&directory).1.secrets[&(group(1), 1)],
        held([8; 32], None)
    );
}

#[test]
fn a_secret_that_was_moved_does_not_open() {
    let directory = directory();
    let (mut store, _) = open(&directory);
    store
        .apply(&[Change::Secret(group(1), 1, held([7; 32], None))])
        .unwrap();
    store
        .connection
        .execute("UPDATE secrets SET epoch = 2", [])
        .unwrap();
    drop(store);
    let failed = Store::open(&directory.path().join("journal.sqlite"), key()).unwrap_err();
    assert!(matches!(failed, StoreFailed::Damaged { .. }), "{failed}");
}

#[test]
fn a_second_process_on_the_same_journal_is_refused() {
    let directory = directory();
    let path = directory.path().join("journal.sqlite");
    let (store, _) = open(&directory);
    let failed = Store::open(&path, key()).unwrap_err();
    assert!(matches!(failed, StoreFailed::InUse { .. }), "{failed}");
    drop(store);
    open(&directory);
}

#[test]
fn the_journal_of_another_gateway_or_chain_is_refused() {
    let directory = directory();
    let (mut store, mut journal) = open(&directory);
    store.claim(&mut journal, &home(1)).unwrap();
    drop(store);
    let (mut store, mut journal) = open(&directory);
    assert_eq!(journal.home, Some(home(1)));
    store.claim(&mut journal, &home(1)).unwrap();
    let failed = store.claim(&mut journal, &home(2)).unwrap_err();
    assert!(matches!(&failed, StoreFailed::OtherHome { .. }), "{failed}");
    assert!(failed.to_string().contains("store.path"));
}

#[test]
fn another_key_is_refused_at_once() {
    let directory = directory();
    let path = directory.path().join("journal.sqlite");
    drop(open(&directory));
    let failed = Store::open(&path, WrappingKey::from_bytes(&[8; 32])).unwrap_err();
    assert!(matches!(failed, StoreFailed::Key { .. }), "{failed}");
}

#[test]
fn another_version_and_another_program_s_file_are_refused() {
    let directory = directory();
    let path = directory.path().join("journal.sqlite");
    let (store, _) = open(&directory);
    store
        .connection
        .pragma_update(None, "user_version", 2)
        .unwrap();
    drop(store);
    let failed = Store::open(&path, key()).unwrap_err();
    assert!(
        matches!(failed, StoreFailed::Schema { found: 2, .. }),
        "{failed}"
    );
    std::fs::write(
        &path,
        "not a database, but long enough to be looked at".repeat(40),
    )
    .unwrap();
    let failed = Store::open(&path, key()).unwrap_err();
    assert!(matches!(failed, StoreFailed::Schema { .. }), "{failed}");
}

#[test]
fn nobody_else_may_read_its_files() {
    let directory = directory();
    let path = directory.path().join("journal.sqlite");
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let (mut store, _) = open(&directory);
    store.apply(&[Change::Release("t".into())]).unwrap();
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.path());
    }
}

#[test]
fn a_batch_is_applied_as_a_whole_or_not_at_all() {
    let directory = directory();
    let (mut store, _) = open(&directory);
    store
        .connection
        .execute_batch("DROP TABLE receipts")
        .unwrap();
    let receipt = ReceiptKey {
        group: group(1),
        device: device(1),
        epoch: 1,
        commitment: Commitment([1; 32]),
    };
    let secret = Change::Secret(group(1), 1, held([7; 32], None));
    assert!(store
        .apply(&[secret, Change::ReceiptSettled(receipt)])
        .is_err());
    let count = "SELECT count(*) FROM secrets";
    let secrets: i64 = store
        .connection
        .query_row(count, [], |row| row.get(0))
        .unwrap();
    assert_eq!(secrets, 0);
}
