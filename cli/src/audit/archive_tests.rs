//! Archives of generated chains: right ones are found right, and whatever is done to one entry is found and named (KEX-10).

use std::{
    io::Cursor,
    path::{Path, PathBuf},
};

use keyward_chain_client::{
    archive::{digest_of, head_after, Entry, Record, NO_HEAD},
    ReceiptItem,
};
use keyward_protocol::{
    beacon::BlockRef, view::Cause, AccountId, BlockHash, Commitment, DeviceId, Digest, Genesis,
    GroupId, Role, Signature,
};

use super::{
    archive::{FileFailed, Header, Reader, Writer},
    check::{Checked, Checker},
    verify::{first_difference, read},
};

const GENESIS: Genesis = Genesis([9; 32]);
const LAST: u32 = 10_000;

fn group() -> GroupId {
    "hsu0001".parse().unwrap()
}

fn device(number: u32) -> DeviceId {
    format!("d{}", number % 5).parse().unwrap()
}

fn receipt(number: u32, epoch: u32, commitment: u8) -> ReceiptItem {
    ReceiptItem {
        device: device(number),
        epoch,
        commitment: Commitment([commitment; 32]),
        signature: Signature([number as u8; 64]),
    }
}

/// An entry of each kind in turn; receipts of what the epochs before committed to.
fn entry(number: u32) -> (Entry, Option<Vec<ReceiptItem>>) {
    let epoch = number / 8 + 1;
    let commitment = Commitment([epoch as u8; 32]);
    let custodian = AccountId([7; 32]);
    let device = device(number);
    let entry = match number % 8 {
        0 => Entry::Advanced {
            epoch,
            cause: Cause::Removed,
            committed: Some((commitment, custodian)),
        },
        1 => Entry::Awaited { epoch },
        2 => Entry::Activated {
            epoch,
            commitment,
            custodian,
        },
        3 => Entry::Joined {
            device,
            key_version: number,
            role: Role::Both,
            index: number,
            joined_epoch: epoch,
        },
        4 => Entry::Delivered {
            epoch,
            recipients: number,
            grants_root: Digest([number as u8; 32]),
        },
        5 => Entry::Suspended { device },
        6 => Entry::Left { device },
        _ => {
            let receipts = vec![
                receipt(number, epoch, epoch as u8),
                receipt(number + 1, epoch, epoch as u8),
            ];
            let digest = digest_of(&receipts);
            return (Entry::Receipts { digest, count: 2 }, Some(receipts));
        }
    };
    (entry, None)
}

/// Chains entries on; three of them in each block.
fn chained(entries: impl IntoIterator<Item = (Entry, Option<Vec<ReceiptItem>>)>) -> Vec<Record> {
    let mut head = NO_HEAD;
    let entries = entries.into_iter().zip(0u32..);
    let chain = entries.map(|((entry, receipts), number)| {
        let block = 100 + number / 3 * 10;
        head = head_after(&GENESIS, &group(), &head, block, &entry);
        Record {
            block,
            entry,
            head,
            receipts,
        }
    });
    chain.collect()
}

fn chain(count: u32) -> Vec<Record> {
    chained((0..count).map(entry))
}

fn header(records: &[Record]) -> Header {
    let block = BlockRef {
        number: LAST,
        hash: BlockHash([4; 32]),
    };
    let head = records.last().map_or(NO_HEAD, |last| last.head);
    Header::new(group(), GENESIS, block, head)
}

fn check(header: &Header, records: &[Record]) -> Checked {
    let mut checker = Checker::new(header);
    records.iter().for_each(|record| checker.take(record));
    checker.finish()
}

/// The problems of an archive that should be this chain.
fn problems(of: &[Record], records: &[Record]) -> Vec<String> {
    check(&header(of), records).problems
}

#[test]
fn an_archive_that_is_right_leads_to_its_head() {
    for count in [0, 1, 2, 40] {
        let records = chain(count);
        let checked = check(&header(&records), &records);
        assert_eq!(checked.problems, [""; 0], "{count} entries");
        assert_eq!(checked.entries, u64::from(count));
        assert_eq!(checked.head(), records.last().map_or(NO_HEAD, |r| r.head));
        assert!(checked.conflicts.is_empty());
    }
}

/// Every field of every kind of entry, its block and its head.
#[test]
fn a_changed_entry_is_found_and_named() {
    let right = chain(24);
    for at in 0..right.len() {
        for other in changes(&right[at]) {
            let mut records = right.clone();
            records[at] = other;
            let found = problems(&right, &records);
            let named = format!("entry {} (block {}", at + 1, records[at].block);
            assert!(
                found.first().is_some_and(|first| first.contains(&named)),
                "{named}: {found:#?}"
            );
        }
    }
}

/// Each form of a record that differs in one number or one byte.
fn changes(record: &Record) -> Vec<Record> {
    let value = serde_json::to_value(record).unwrap();
    let mut found = Vec::new();
    change(&value, &mut |other| found.push(other));
    let others = found
        .into_iter()
        .filter_map(|other| serde_json::from_value::<Record>(other).ok());
    let others: Vec<_> = others.filter(|other| other != record).collect();
    assert!(others.len() >= 3, "{record:?} was hardly changed");
    others
}

fn change(value: &serde_json::Value, found: &mut dyn FnMut(serde_json::Value)) {
    use serde_json::Value;
    match value {
        Value::Number(number) => found(Value::from(number.as_u64().unwrap() + 1)),
        Value::String(text) => {
            let last = if text.ends_with('1') { "2" } else { "1" };
            found(Value::from(format!("{}{last}", &text[..text.len() - 1])));
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                change(item, &mut |other| {
                    let mut items = items.clone();
                    items[at] = other;
                    found(Value::Array(items));
                });
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                change(field, &mut |other| {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), other);
                    found(Value::Object(fields));
                });
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

#[test]
fn a_missing_entry_is_found_and_named() {
    let right = chain(24);
    for at in 0..right.len() {
        let mut records = right.clone();
        records.remove(at);
        let found = problems(&right, &records);
        let named = match at + 1 == right.len() {
            true => "missing at the end".to_owned(),
            // The one that comes in its place does not follow.
            false => format!("entry {} ", at + 1),
        };
        assert!(found.len() == 1 && found[0].contains(&named), "{found:#?}");
    }
}

#[test]
fn an_entry_that_was_moved_or_put_in_is_found_and_named() {
    let right = chain(24);
    for at in 1..right.len() {
        let mut moved = right.clone();
        moved.swap(at - 1, at);
        let mut doubled = right.clone();
        doubled.insert(at, right[at - 1].clone());
        for (records, number) in [(moved, at), (doubled, at + 1)] {
            let found = problems(&right, &records);
            let named = format!("entry {number} ");
            assert!(found[0].contains(&named), "{named}: {found:#?}");
        }
    }
}

#[test]
fn receipts_that_an_entry_does_not_bind_are_found() {
    let right = chain(16);
    let batch = 7;
    type Change = fn(&mut Vec<ReceiptItem>);
    let all: [Change; 4] = [
        |receipts| _ = receipts.pop(),
        |receipts| receipts.swap(0, 1),
        |receipts| receipts[0].signature.0[5] ^= 1,
        |receipts| receipts[1].epoch += 1,
    ];
    for change in all {
        let mut records = right.clone();
        change(records[batch].receipts.as_mut().unwrap());
        let found = problems(&right, &records);
        assert!(found[0].contains("the receipts of entry 8"), "{found:#?}");
    }
    let mut records = right.clone();
    records[3].receipts = Some(Vec::new());
    assert!(!problems(&right, &records).is_empty());
    // Only the digest: nothing is wrong, and it is counted.
    let mut records = right.clone();
    records[batch].receipts = None;
    let checked = check(&header(&right), &records);
    assert_eq!((checked.problems.len(), checked.bare_batches), (0, 1));
}

#[test]
fn a_receipt_for_another_commitment_is_a_conflict() {
    let mut entries: Vec<_> = (0..7).map(entry).collect();
    let lies = vec![receipt(1, 1, 1), receipt(2, 1, 0xee)];
    let digest = digest_of(&lies);
    entries.push((Entry::Receipts { digest, count: 2 }, Some(lies)));
    let records = chained(entries);
    let checked = check(&header(&records), &records);
    let conflicts: Vec<_> = checked.conflicts.iter().map(|it| &it.device).collect();
    assert_eq!(conflicts, [&device(2)]);
}

/// Whoever changes an entry and computes all heads anew ends at another head; where, the chain's heads tell.
#[test]
fn a_forgery_that_is_whole_by_itself_ends_at_another_head_and_its_first_entry_is_named() {
    let right = chain(24);
    let mut entries: Vec<_> = (0..24).map(entry).collect();
    entries[13] = (Entry::Left { device: device(3) }, None);
    let forged = chained(entries);
    let checked = check(&header(&forged), &forged);
    assert!(checked.problems.is_empty());
    assert_ne!(checked.head(), right[23].head);
    let block = right[13].block;
    assert_eq!(checked.head_at(block - 1), right[11].head);
    assert_ne!(checked.head_at(block), right[14].head);
    let of = |records: &[Record]| -> Vec<Record> {
        let here = records.iter().filter(|record| record.block == block);
        here.cloned().collect()
    };
    let before = checked.entries_before(block);
    let named = first_difference(before, block, &of(&forged), &of(&right));
    assert!(
        named.starts_with("entry 14 ") && named.contains("suspended"),
        "{named}"
    );
    let named = first_difference(before, block, &of(&right)[..1], &of(&right));
    assert!(
        named.contains("is missing") && named.contains("entry 14"),
        "{named}"
    );
    let named = first_difference(before, block, &of(&right), &of(&right)[..2]);
    assert!(named.contains("the chain has no entry 15"), "{named}");
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hsu0001.jsonl");
    (directory, path)
}

fn write(path: &Path, records: &[Record]) -> Result<(), FileFailed> {
    let mut writer = Writer::create(path, &header(records))?;
    records
        .iter()
        .try_for_each(|record| writer.record(record))?;
    writer.finish()
}

#[test]
fn what_is_written_is_read_and_nothing_is_overwritten() {
    let (_directory, path) = place();
    let records = chain(24);
    write(&path, &records).unwrap();
    let (read_header, checked) = read(&path, None).unwrap();
    assert_eq!(read_header, header(&records));
    assert_eq!(checked, check(&header(&records), &records));
    let again = write(&path, &records).unwrap_err();
    assert!(matches!(again, FileFailed::Exists { .. }), "{again}");
    assert!(path.exists());
}

#[test]
fn half_an_archive_is_not_left_behind() {
    let (_directory, path) = place();
    let records = chain(3);
    let mut writer = Writer::create(&path, &header(&records)).unwrap();
    writer.record(&records[0]).unwrap();
    drop(writer);
    assert!(!path.exists());
}

/// A file that somebody broke off, filled or wrote otherwise is refused with the line.
#[test]
fn what_is_no_archive_is_refused_with_its_line() {
    let (_directory, path) = place();
    write(&path, &chain(3)).unwrap();
    let whole = std::fs::read_to_string(&path).unwrap();
    let long = format!("{whole}{}\n", " ".repeat(1 << 20));
    let unknown = whole.replacen("\"entry\"", "\"entries\"", 1);
    let version = whole.replacen("\"keyward_archive\":1", "\"keyward_archive\":2", 1);
    for (text, line) in [
        ("", 1),
        (&whole[..whole.len() - 9], 4),
        (&long, 5),
        (&unknown, 2),
        (&version, 1),
        ("\n", 1),
    ] {
        let failed = read_text(text).unwrap_err();
        let at = matches!(&failed, FileFailed::Line { line: at, .. } if *at == line);
        assert!(at, "line {line}: {failed}");
    }
}

fn read_text(text: &str) -> Result<(), FileFailed> {
    let (mut reader, _) = Reader::new(Path::new("a.jsonl"), Cursor::new(text.as_bytes()))?;
    while reader.record()?.is_some() {}
    Ok(())
}
