//! The key store of a device: one directory that only its owner may enter (KEY-9).
//!
//! | file | what |
//! |---|---|
//! | `store.key` | 0400: wraps the keys of `slots`; elsewhere with `--key-file` or as a systemd credential |
//! | `state.sqlite` | what the session must remember, and the secrets (keys, retained payloads), each wrapped under a key of its own |
//! | `slots` | those keys, wrapped under the key file, overwritten in place when a secret is erased |
//! | `lock` | keeps a second process out |
//!
//! Every change is durable before [`Store::commit`] returns: SQLite in WAL mode with synchronous FULL, after the slots.

mod files;
mod slots;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use keyward_crypto::{
    wrap::{NotUnwrapped, NotWrapped},
    WrappingKey,
};
use rand_core::OsRng;
use rusqlite::{params, Connection, OptionalExtension as _, Transaction};
use zeroize::Zeroizing;

use files::Lock;
pub use files::{check as check_private, FileRefused};
use slots::Slots;

/// One change to a store.
pub use crate::session::Record as Write;

/// Version of the tables.
const VERSION: i64 = 1;
/// How long a process that is just ending keeps the next one waiting.
const PATIENCE: Duration = Duration::from_secs(10);
/// Name of the credential that systemd may hand over (`LoadCredential=keyward-store.key:…`).
const CREDENTIAL: &str = "keyward-store.key";

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreFailed {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileRefused),
    /// There is no store.
    #[error("{} is no key store; run 'keyward-agent init' first", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The database refused.
    #[error("key store: {source}")]
    Database {
        /// Why.
        #[from]
        source: rusqlite::Error,
    },
    /// Written by a later version.
    #[error("the key store has version {actual}, this program knows {VERSION}; update it")]
    Version {
        /// What it has.
        actual: i64,
    },
    /// A secret does not unwrap.
    #[error("key store: {source}")]
    Secret {
        /// Why.
        #[from]
        source: NotUnwrapped,
    },
    /// A secret was not wrapped.
    #[error("key store: {source}")]
    Wrap {
        /// Why.
        #[from]
        source: NotWrapped,
    },
    /// A value is not what it should be.
    #[error("key store: {name} is damaged; restore the store from a backup, or make a new one")]
    Damaged {
        /// Which.
        name: String,
    },
}

/// Where the key that opens the store is.
#[derive(Clone, Debug)]
pub struct KeySource {
    path: PathBuf,
    is_credential: bool,
}

impl KeySource {
    /// A file that was named, else a systemd credential, else the file in the store.
    pub fn find(store: &Path, named: Option<&Path>) -> Self {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        Self::find_in(store, named, credentials)
    }

    fn find_in(store: &Path, named: Option<&Path>, credentials: Option<PathBuf>) -> Self {
        let credential = credentials.map(|directory| directory.join(CREDENTIAL));
        match (named, credential.filter(|path| path.is_file())) {
            (Some(path), _) => Self {
                path: path.to_owned(),
                is_credential: false,
            },
            (None, Some(path)) => Self {
                path,
                is_credential: true,
            },
            (None, None) => Self {
                path: store.join("store.key"),
                is_credential: false,
            },
        }
    }
}

/// An open store.
#[derive(Debug)]
pub struct Store {
    database: Connection,
    slots: Slots,
    master: WrappingKey,
    _lock: Option<Lock>,
}

impl Store {
    /// Makes a store, or opens the one that is there.
    pub fn create(path: &Path, key: &KeySource) -> Result<Self, StoreFailed> {
        files::make_directory(path)?;
        if !key.is_credential {
            files::make_key(&key.path, &mut OsRng)?;
        }
        let lock = files::lock(path, PATIENCE)?;
        let database = path.join("state.sqlite");
        drop(files::open_private(&database)?);
        let store = Self::load(path, key, Some(lock))?;
        files::sync_directory(path)?;
        Ok(store)
    }

    /// Opens a store for this process alone.
    pub fn open(path: &Path, key: &KeySource) -> Result<Self, StoreFailed> {
        Self::exists(path)?;
        let lock = files::lock(path, PATIENCE)?;
        Self::load(path, key, Some(lock))
    }

    /// Opens a store to look into it, also while another process uses it. Nothing may be committed.
    pub fn look(path: &Path, key: &KeySource) -> Result<Self, StoreFailed> {
        Self::exists(path)?;
        Self::load(path, key, None)
    }

    fn exists(path: &Path) -> Result<(), StoreFailed> {
        match path.join("state.sqlite").is_file() {
            true => Ok(files::check(path)?),
            false => Err(StoreFailed::Missing {
                path: path.to_owned(),
            }),
        }
    }

    fn load(path: &Path, key: &KeySource, lock: Option<Lock>) -> Result<Self, StoreFailed> {
        let master = files::read_key(&key.path, key.is_credential)?;
        let database = path.join("state.sqlite");
        files::check(&database)?;
        let database = Connection::open(database)?;
        prepare(&database, lock.is_some())?;
        let store = Self {
            database,
            slots: Slots::open(path)?,
            master,
            _lock: lock,
        };
        if store._lock.is_some() {
            store.scrub()?;
        }
        store.check_key()?;
        Ok(store)
    }

    /// Erases slots of secrets that are gone: a process may have ended between the two.
    fn scrub(&self) -> Result<(), StoreFailed> {
        let used = self.used()?;
        for slot in (0..self.slots.len()?).filter(|slot| !used.contains(slot)) {
            self.slots.erase(slot)?;
        }
        Ok(self.slots.sync()?)
    }

    /// One secret is enough to see whether the key is the right one.
    fn check_key(&self) -> Result<(), StoreFailed> {
        let first = "SELECT slot FROM secrets ORDER BY slot LIMIT 1";
        let slot = self.database.query_row(first, [], |row| row.get(0));
        match slot.optional()? {
            Some(slot) => self.slots.key(slot, &self.master).map(drop),
            None => Ok(()),
        }
    }

    fn used(&self) -> Result<BTreeSet<u32>, StoreFailed> {
        let mut query = self.database.prepare("SELECT slot FROM secrets")?;
        let slots = query.query_map([], |row| row.get(0))?;
        Ok(slots.collect::<Result<_, _>>()?)
    }

    /// A value.
    pub fn value(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFailed> {
        let query = "SELECT value FROM items WHERE name = ?1";
        let value = self.database.query_row(query, [name], |row| row.get(0));
        Ok(value.optional()?)
    }

    /// Names and values that begin with a prefix, by name.
    pub fn values(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreFailed> {
        let query =
            "SELECT name, value FROM items WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name";
        let mut query = self.database.prepare(query)?;
        let rows = query.query_map([prefix], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// A secret.
    pub fn secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreFailed> {
        let query = "SELECT slot, wrapped FROM secrets WHERE name = ?1";
        let row = self.database.query_row(query, [name], |row| {
            Ok((row.get::<_, u32>(0)?, row.get::<_, Vec<u8>>(1)?))
        });
        match row.optional()? {
            Some((slot, wrapped)) => self.unwrap(name, slot, &wrapped).map(Some),
            None => Ok(None),
        }
    }

    /// Names of the secrets that begin with a prefix.
    pub fn secrets(&self, prefix: &str) -> Result<Vec<String>, StoreFailed> {
        let query = "SELECT name FROM secrets WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name";
        let mut query = self.database.prepare(query)?;
        let rows = query.query_map([prefix], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn unwrap(
        &self,
        name: &str,
        slot: u32,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, StoreFailed> {
        let key = self.slots.key(slot, &self.master)?;
        Ok(key.unwrap_bytes(&place(name), wrapped)?)
    }

    /// Makes changes durable, all or none; secrets that they erase or replace cannot be had any more afterwards.
    pub fn commit(&mut self, writes: &[Write]) -> Result<(), StoreFailed> {
        if writes.is_empty() {
            return Ok(());
        }
        let mut filled = self.fill(writes)?.into_iter();
        let transaction = self.database.transaction()?;
        let mut gone = Vec::new();
        for write in writes {
            apply(&transaction, write, &mut gone)?;
            let Write::Keep(name, _) = write else {
                continue;
            };
            if let Some((slot, wrapped)) = filled.next() {
                let insert = "INSERT INTO secrets (name, slot, wrapped) VALUES (?1, ?2, ?3)";
                transaction.execute(insert, params![name, slot, wrapped])?;
            }
        }
        transaction.commit()?;
        self.erase(&gone)
    }

    /// Puts the keys of new secrets, in their order, into free slots, durably: a secret is never there without its key.
    fn fill(&self, writes: &[Write]) -> Result<Vec<(u32, Vec<u8>)>, StoreFailed> {
        let kept = writes.iter().filter_map(|write| match write {
            Write::Keep(name, secret) => Some((name, secret)),
            _ => None,
        });
        let kept: Vec<_> = kept.collect();
        if kept.is_empty() {
            return Ok(Vec::new());
        }
        let used = self.used()?;
        let free = (0..u32::MAX).filter(|slot| !used.contains(slot));
        let mut filled = Vec::new();
        for ((name, secret), slot) in kept.into_iter().zip(free) {
            let key = self.slots.fill(slot, &self.master, &mut OsRng)?;
            let wrapped = key.wrap_bytes(&place(name), secret, &mut OsRng)?;
            filled.push((slot, wrapped));
        }
        self.slots.sync()?;
        Ok(filled)
    }

    fn erase(&self, slots: &[u32]) -> Result<(), StoreFailed> {
        if slots.is_empty() {
            return Ok(());
        }
        slots.iter().try_for_each(|slot| self.slots.erase(*slot))?;
        Ok(self.slots.sync()?)
    }
}

/// What a secret is bound to, so that an entry that was moved or exchanged does not unwrap.
fn place(name: &str) -> Vec<u8> {
    [b"secret", name.as_bytes()].concat()
}

fn prepare(database: &Connection, may_write: bool) -> Result<(), StoreFailed> {
    database.busy_timeout(PATIENCE)?;
    if may_write {
        database.pragma_update(None, "journal_mode", "WAL")?;
        database.pragma_update(None, "synchronous", "FULL")?;
        database.pragma_update(None, "secure_delete", true)?;
    }
    let version = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match version {
        VERSION => Ok(()),
        0 if may_write => Ok(database.execute_batch(&format!(
            "BEGIN;
             CREATE TABLE items (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
             CREATE TABLE secrets (name TEXT PRIMARY KEY, slot INTEGER NOT NULL UNIQUE, wrapped BLOB NOT NULL);
             PRAGMA user_version = {VERSION};
             COMMIT;"
        ))?),
        actual => Err(StoreFailed::Version { actual }),
    }
}

fn apply(
    transaction: &Transaction<'_>,
    write: &Write,
    gone: &mut Vec<u32>,
) -> Result<(), StoreFailed> {
    match write {
        Write::Put(name, value) => {
            let put = "INSERT INTO items (name, value) VALUES (?1, ?2)
                       ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            transaction.execute(put, params![name, value])?;
        }
        Write::Delete(name) => {
            transaction.execute("DELETE FROM items WHERE name = ?1", [name])?;
        }
        // A secret that is kept anew replaces the old one.
        Write::Keep(name, _) | Write::Erase(name) => {
            let delete = "DELETE FROM secrets WHERE name = ?1 RETURNING slot";
            let slot = transaction.query_row(delete, [name], |row| row.get::<_, u32>(0));
            gone.extend(slot.optional()?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
