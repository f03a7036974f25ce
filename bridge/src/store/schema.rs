//! How the database is set up, and its tables.

use std::{path::Path, time::Duration};

use keyward_crypto::{Wrapped, WrappingKey};
use rand_core::OsRng;
use rusqlite::{Connection, OptionalExtension};

use super::{put_fact, StoreFailed};

/// Version of the tables, in SQLite's `user_version`.
pub(super) const VERSION: i64 = 1;
/// "KWBJ", in SQLite's `application_id`.
const APPLICATION: i64 = 0x4b57_424a;
/// How long a process that is just ending may keep its lock.
const PATIENCE: Duration = Duration::from_millis(500);
/// What the journal's key wraps so that another key is noticed at once.
const CHECK: [u8; 32] = [0; 32];

const TABLES: &str = "
CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE slots (slot INTEGER PRIMARY KEY, used INTEGER NOT NULL, key BLOB NOT NULL) STRICT;
CREATE TABLE secrets (
    \"group\" TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    commitment BLOB NOT NULL,
    retired_ms INTEGER,
    slot INTEGER NOT NULL UNIQUE REFERENCES slots (slot),
    wrapped BLOB NOT NULL,
    PRIMARY KEY (\"group\", epoch)
) STRICT;
CREATE TABLE retained (topic TEXT PRIMARY KEY, fingerprint BLOB NOT NULL, payload BLOB NOT NULL) STRICT;
CREATE TABLE asks (device TEXT PRIMARY KEY, record BLOB NOT NULL) STRICT;
CREATE TABLE receipts (receipt BLOB PRIMARY KEY, record BLOB NOT NULL) STRICT;
";

/// Locks the file for this process, and chooses how it is written.
pub(super) fn configure(sql: &Connection) -> Result<(), StoreFailed> {
    sql.busy_timeout(PATIENCE)?;
    // First: with an exclusive lock the write-ahead log needs no shared memory.
    sql.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    sql.pragma_update(None, "journal_mode", "WAL")?;
    sql.pragma_update(None, "synchronous", "FULL")?;
    sql.pragma_update(None, "secure_delete", "ON")?;
    sql.pragma_update(None, "temp_store", "MEMORY")?;
    sql.pragma_update(None, "foreign_keys", "ON")?;
    Ok(())
}

/// Makes the tables of an empty file; checks version and key of another.
pub(super) fn migrate(
    sql: &mut Connection,
    path: &Path,
    key: &WrappingKey,
) -> Result<(), StoreFailed> {
    let pragma = |name| sql.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = sql.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application, version, tables) {
        (0, 0, 0) => create(sql, key),
        (APPLICATION, VERSION, _) => check_key(sql, path, key),
        (_, found, _) => Err(StoreFailed::Schema {
            path: path.to_owned(),
            found,
            expected: VERSION,
        }),
    }
}

fn create(sql: &mut Connection, key: &WrappingKey) -> Result<(), StoreFailed> {
    let transaction = sql.transaction()?;
    transaction.execute_batch(TABLES)?;
    let check = key.wrap(b"check", &CHECK, &mut OsRng)?;
    put_fact(&transaction, "check", check.as_bytes())?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(transaction.commit()?)
}

fn check_key(sql: &Connection, path: &Path, key: &WrappingKey) -> Result<(), StoreFailed> {
    let found = "SELECT value FROM facts WHERE name = 'check'";
    let check: Option<Vec<u8>> = sql.query_row(found, [], |row| row.get(0)).optional()?;
    let wrapped = check.and_then(|bytes| Wrapped::try_from(&bytes[..]).ok());
    let opens = wrapped.is_some_and(|wrapped| key.unwrap(b"check", &wrapped).is_ok());
    match opens {
        true => Ok(()),
        false => Err(StoreFailed::Key {
            path: path.to_owned(),
        }),
    }
}
