//! Epoch secrets at rest: each is wrapped with a random key of its own; that key lies, wrapped under the key file, in a slot
//! that is overwritten in place when the secret is erased (KEY-9). Whoever has an older copy of the table of secrets has
//! nothing without the slot. A secret is durable before anybody commits to it (BRG-1). What a disk keeps below the file system is out of reach: keep the key file elsewhere.

use codec::Encode;
use keyward_crypto::{wrap::WRAPPED, Wrapped, WrappingKey};
use keyward_protocol::{grant::EpochSecret, Commitment, GroupId};
use rand_core::{OsRng, RngCore};
use rusqlite::{params, Connection, OptionalExtension, Row};

use super::StoreFailed;
use crate::relay::journal::HeldSecret;

/// Wraps a secret and stores it.
pub(super) fn keep(
    sql: &Connection,
    key: &WrappingKey,
    group: &GroupId,
    epoch: u32,
    held: &HeldSecret,
) -> Result<(), StoreFailed> {
    let own = WrappingKey::generate(&mut OsRng);
    let slot_key = key.wrap(&place("slot", group, epoch), own.expose(), &mut OsRng)?;
    let wrapped = own.wrap(
        &place("secret", group, epoch),
        held.secret.expose(),
        &mut OsRng,
    )?;
    let slot = fill_slot(sql, &slot_key)?;
    let put = "INSERT INTO secrets (\"group\", epoch, commitment, retired_ms, slot, wrapped) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    sql.prepare_cached(put)?.execute(params![
        group.as_str(),
        epoch,
        held.commitment.0,
        held.retired_ms.map(u64::cast_signed),
        slot,
        wrapped.as_bytes()
    ])?;
    Ok(())
}

fn fill_slot(sql: &Connection, key: &Wrapped) -> Result<i64, StoreFailed> {
    let free = "SELECT slot FROM slots WHERE used = 0 LIMIT 1";
    let free: Option<i64> = sql
        .prepare_cached(free)?
        .query_row([], |row| row.get(0))
        .optional()?;
    match free {
        Some(slot) => {
            sql.prepare_cached("UPDATE slots SET used = 1, key = ?2 WHERE slot = ?1")?
                .execute(params![slot, key.as_bytes()])?;
            Ok(slot)
        }
        None => {
            sql.prepare_cached("INSERT INTO slots (used, key) VALUES (1, ?1)")?
                .execute([key.as_bytes()])?;
            Ok(sql.last_insert_rowid())
        }
    }
}

/// Overwrites the slot of a secret and deletes the rest of it; tells whether there was one.
pub(super) fn erase(sql: &Connection, group: &GroupId, epoch: u32) -> Result<bool, StoreFailed> {
    let take = "DELETE FROM secrets WHERE \"group\" = ?1 AND epoch = ?2 RETURNING slot";
    let slot: Option<i64> = sql
        .prepare_cached(take)?
        .query_row(params![group.as_str(), epoch], |row| row.get(0))
        .optional()?;
    let Some(slot) = slot else {
        return Ok(false);
    };
    // Of the same length, so that it comes to lie where the key lay.
    let mut noise = [0; WRAPPED];
    OsRng.fill_bytes(&mut noise);
    sql.prepare_cached("UPDATE slots SET used = 0, key = ?2 WHERE slot = ?1")?
        .execute(params![slot, noise])?;
    Ok(true)
}

/// Notes when a later epoch had begun.
pub(super) fn retire(
    sql: &Connection,
    group: &GroupId,
    epoch: u32,
    ms: u64,
) -> Result<(), StoreFailed> {
    sql.prepare_cached("UPDATE secrets SET retired_ms = ?3 WHERE \"group\" = ?1 AND epoch = ?2")?
        .execute(params![group.as_str(), epoch, ms.cast_signed()])?;
    Ok(())
}

/// The columns that [`load`] reads.
pub(super) const COLUMNS: &str = "SELECT \"group\", epoch, commitment, retired_ms, key, wrapped FROM secrets JOIN slots USING (slot)";

/// A secret from its row.
pub(super) fn load(
    row: &Row<'_>,
    key: &WrappingKey,
) -> Result<((GroupId, u32), HeldSecret), StoreFailed> {
    let name: String = row.get(0)?;
    let epoch: u32 = row.get(1)?;
    let damaged = || StoreFailed::Damaged {
        what: format!("the secret of group {name}, epoch {epoch}"),
    };
    let group = GroupId::new(&name).map_err(|_| damaged())?;
    let wrapped = |column: usize| {
        let bytes: Vec<u8> = row.get(column)?;
        Wrapped::try_from(&bytes[..]).map_err(|_| damaged())
    };
    let own = key.unwrap(&place("slot", &group, epoch), &wrapped(4)?);
    let own = WrappingKey::from_bytes(&*own.map_err(|_| damaged())?);
    let secret = own.unwrap(&place("secret", &group, epoch), &wrapped(5)?);
    let held = HeldSecret {
        secret: EpochSecret::of(&*secret.map_err(|_| damaged())?),
        commitment: Commitment(row.get(2)?),
        retired_ms: row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned),
    };
    Ok(((group, epoch), held))
}

/// What is wrapped, and where it stands.
fn place(kind: &str, group: &GroupId, epoch: u32) -> Vec<u8> {
    (kind, group, epoch).encode()
}
