//! The journal on disk: SQLite with WAL, `synchronous = FULL` and `secure_delete`; a batch of changes is one transaction
//! (DESIGN section 7).
//!
//! The file is locked exclusively while it is open, so that a second process cannot use it, and belongs to one
//! [`Home`]. Epoch secrets lie wrapped, see [`secrets`]. A store that is dropped at any instruction loads, when it is
//! opened again, what it had applied.

mod load;
mod schema;
pub mod secrets;
#[cfg(test)]
mod tests;

use std::{
    fs::{OpenOptions, Permissions},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use codec::Encode;
use keyward_crypto::{wrap::NotWrapped, WrappingKey};
use rusqlite::{params, Connection, ErrorCode, Transaction};

use crate::relay::journal::{Change, Home, Journal};

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreFailed {
    /// The file cannot be made or opened.
    #[error("cannot open the journal {}: {source}; store.path names a file in a directory that this user may write", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process has it.
    #[error("the journal {} is used by another process; one bridge runs per journal: stop the other one", path.display())]
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// It is another program's database, or of another version.
    #[error("{} is not a journal of this version ({found}, not {expected}); install the version of Keyward that wrote it, or name another store.path", path.display())]
    Schema {
        /// Which.
        path: PathBuf,
        /// Version of the file.
        found: i64,
        /// Version of this program.
        expected: i64,
    },
    /// The key is not the journal's.
    #[error("the key does not open the journal {}; name the key that it was made with as store.key_file", path.display())]
    Key {
        /// Which.
        path: PathBuf,
    },
    /// It is the journal of another gateway, or of another chain.
    #[error("the journal belongs to gateway {} ({}) on chain {}, not to {} ({}) on chain {}; correct the configuration, or name another store.path", found.name, found.account, found.genesis, expected.name, expected.account, expected.genesis)]
    OtherHome {
        /// Whose it is.
        found: Box<Home>,
        /// Who wants to use it.
        expected: Box<Home>,
    },
    /// A row makes no sense.
    #[error("the journal is damaged: {what}; restore a copy, or name another store.path: then secrets are drawn anew and groups rotated")]
    Damaged {
        /// Which row.
        what: String,
    },
    /// A secret could not be wrapped.
    #[error(transparent)]
    NotWrapped(#[from] NotWrapped),
    /// The database reports a failure, e.g. a full disk.
    #[error("the journal failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl StoreFailed {
    /// Whether the same changes may become durable later: the disk is full, or does not answer.
    pub fn is_retryable(&self) -> bool {
        let Self::Sqlite(error) = self else {
            return false;
        };
        matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::CannotOpen)
        )
    }
}

/// The open journal.
pub struct Store {
    connection: Connection,
    key: WrappingKey,
    /// Whether older copies of slots that were overwritten may lie in the write-ahead log.
    stale_log: bool,
    /// Whether the database may not grow any more, as if the disk were full.
    #[cfg(test)]
    pub(crate) disk_is_full: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store(..)")
    }
}

impl Store {
    /// Opens or makes a journal, and loads it.
    ///
    /// # Errors
    /// When another process has it open, it is of another version, or the key is not its own.
    pub fn open(path: &Path, key: WrappingKey) -> Result<(Self, Journal), StoreFailed> {
        guard(path).map_err(|source| StoreFailed::Io {
            path: path.to_owned(),
            source,
        })?;
        let named = |failed| name(failed, path);
        let mut connection = Connection::open(path).map_err(StoreFailed::from)?;
        schema::configure(&connection).map_err(named)?;
        schema::migrate(&mut connection, path, &key).map_err(named)?;
        let journal = load::journal(&connection, &key).map_err(named)?;
        let mut store = Self {
            connection,
            key,
            // The process before may have died between erasing and emptying it.
            stale_log: true,
            #[cfg(test)]
            disk_is_full: Default::default(),
        };
        store.forget_log().map_err(named)?;
        Ok((store, journal))
    }

    /// Makes changes durable, in order, all or none.
    ///
    /// # Errors
    /// When the database fails. Nothing of it was applied then, or all of it; it may be applied again.
    pub fn apply(&mut self, changes: &[Change]) -> Result<(), StoreFailed> {
        if changes.is_empty() {
            return Ok(());
        }
        #[cfg(test)]
        self.fill_disk();
        let transaction = self.connection.transaction()?;
        let mut erased = false;
        for change in changes {
            erased |= apply(&transaction, &self.key, change)?;
        }
        transaction.commit()?;
        self.stale_log |= erased;
        self.forget_log()
    }

    /// Makes this journal the one of a gateway on a chain, or checks that it is.
    ///
    /// # Errors
    /// When it is another's.
    pub fn claim(&mut self, journal: &mut Journal, home: &Home) -> Result<(), StoreFailed> {
        match &journal.home {
            Some(found) if found == home => Ok(()),
            Some(found) => Err(StoreFailed::OtherHome {
                found: Box::new(found.clone()),
                expected: Box::new(home.clone()),
            }),
            None => {
                let change = Change::Home(home.clone());
                self.apply(std::slice::from_ref(&change))?;
                journal.apply(change);
                Ok(())
            }
        }
    }

    /// Lets everything fail from now on, for good.
    #[cfg(test)]
    pub(crate) fn break_down(&self) {
        let gone = self.connection.execute_batch("DROP TABLE retained");
        assert!(gone.is_ok());
    }

    /// SQLite reports its own full disk: the file may not have more pages.
    #[cfg(test)]
    fn fill_disk(&self) {
        let full = self.disk_is_full.load(std::sync::atomic::Ordering::Relaxed);
        let pages = if full { 1 } else { i32::MAX };
        let limit = format!("PRAGMA max_page_count = {pages}");
        let set = self.connection.query_row(&limit, [], |_| Ok(()));
        assert!(set.is_ok());
    }

    /// Older copies of an overwritten slot lie in the write-ahead log: it is emptied.
    fn forget_log(&mut self) -> Result<(), StoreFailed> {
        if self.stale_log {
            let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
            let busy: bool = self
                .connection
                .query_row(checkpoint, [], |row| row.get(0))?;
            // Nobody else has it open; if something still reads it, the next change empties it.
            self.stale_log = busy;
        }
        Ok(())
    }
}

/// Makes the file its owner's alone, whatever the umask; SQLite gives its other files the same permissions.
fn guard(path: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))
}

/// Names the file in errors that do not.
fn name(failed: StoreFailed, path: &Path) -> StoreFailed {
    let StoreFailed::Sqlite(error) = &failed else {
        return failed;
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreFailed::InUse {
            path: path.to_owned(),
        },
        Some(ErrorCode::NotADatabase) => StoreFailed::Schema {
            path: path.to_owned(),
            found: 0,
            expected: schema::VERSION,
        },
        _ => failed,
    }
}

/// Applies one change; tells whether a secret was erased.
fn apply(sql: &Transaction<'_>, key: &WrappingKey, change: &Change) -> Result<bool, StoreFailed> {
    match change {
        Change::Secret(group, epoch, held) => {
            let erased = secrets::erase(sql, group, *epoch)?;
            secrets::keep(sql, key, group, *epoch, held)?;
            return Ok(erased);
        }
        Change::Erase(group, epoch) => return secrets::erase(sql, group, *epoch),
        Change::Retire(group, epoch, ms) => secrets::retire(sql, group, *epoch, *ms)?,
        Change::Home(home) => put_fact(sql, "home", &home.encode())?,
        Change::Cursor(block) => put_fact(sql, "cursor", &block.encode())?,
        Change::Retain(topic, retained) => {
            let put =
                "INSERT OR REPLACE INTO retained (topic, fingerprint, payload) VALUES (?1, ?2, ?3)";
            sql.prepare_cached(put)?.execute(params![
                topic,
                retained.fingerprint.0,
                &*retained.payload
            ])?;
        }
        Change::Release(topic) => {
            sql.prepare_cached("DELETE FROM retained WHERE topic = ?1")?
                .execute([topic])?;
        }
        Change::Ask(device, record) => {
            sql.prepare_cached("INSERT OR REPLACE INTO asks (device, record) VALUES (?1, ?2)")?
                .execute(params![device.as_str(), record.encode()])?;
        }
        Change::Receipt(receipt, record) => {
            sql.prepare_cached(
                "INSERT OR REPLACE INTO receipts (receipt, record) VALUES (?1, ?2)",
            )?
            .execute(params![receipt.encode(), record.encode()])?;
        }
        Change::ReceiptSettled(receipt) => {
            sql.prepare_cached("DELETE FROM receipts WHERE receipt = ?1")?
                .execute([receipt.encode()])?;
        }
    }
    Ok(false)
}

fn put_fact(sql: &Connection, name: &str, value: &[u8]) -> Result<(), StoreFailed> {
    sql.prepare_cached("INSERT OR REPLACE INTO facts (name, value) VALUES (?1, ?2)")?
        .execute(params![name, value])?;
    Ok(())
}
