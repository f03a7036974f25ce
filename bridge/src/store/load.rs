//! The journal from its tables.

use std::sync::Arc;

use codec::{Decode, DecodeAll};
use keyward_crypto::WrappingKey;
use keyward_protocol::{DeviceId, Digest};
use rusqlite::{Connection, OptionalExtension, Row};

use super::{secrets, StoreFailed};
use crate::relay::journal::{Journal, Retained};

pub(super) fn journal(sql: &Connection, key: &WrappingKey) -> Result<Journal, StoreFailed> {
    Ok(Journal {
        home: fact(sql, "home")?,
        cursor: fact(sql, "cursor")?,
        secrets: all(sql, secrets::COLUMNS, |row| secrets::load(row, key))?,
        retained: all(
            sql,
            "SELECT topic, fingerprint, payload FROM retained",
            retained,
        )?,
        asks: all(sql, "SELECT device, record FROM asks", |row| {
            let device: String = row.get(0)?;
            let id = DeviceId::new(&device).map_err(|_| damaged("the request of a device"))?;
            Ok((id, decoded(row, 1, "the request of a device")?))
        })?,
        receipts: all(sql, "SELECT receipt, record FROM receipts", |row| {
            Ok((decoded(row, 0, "a receipt")?, decoded(row, 1, "a receipt")?))
        })?,
    })
}

/// All rows of a query.
fn all<T, C: FromIterator<T>>(
    sql: &Connection,
    query: &str,
    read: impl Fn(&Row<'_>) -> Result<T, StoreFailed>,
) -> Result<C, StoreFailed> {
    let mut statement = sql.prepare(query)?;
    let mut rows = statement.query([])?;
    std::iter::from_fn(|| match rows.next() {
        Ok(row) => row.map(&read),
        Err(error) => Some(Err(error.into())),
    })
    .collect()
}

fn fact<T: Decode>(sql: &Connection, name: &str) -> Result<Option<T>, StoreFailed> {
    let query = "SELECT value FROM facts WHERE name = ?1";
    let value = sql
        .query_row(query, [name], |row| row.get::<_, Vec<u8>>(0))
        .optional()?;
    let decode = |bytes: Vec<u8>| T::decode_all(&mut &bytes[..]).map_err(|_| damaged(name));
    value.map(decode).transpose()
}

fn retained(row: &Row<'_>) -> Result<(String, Retained), StoreFailed> {
    let payload: Vec<u8> = row.get(2)?;
    let retained = Retained {
        fingerprint: Digest(row.get(1)?),
        payload: Arc::from(payload),
    };
    Ok((row.get(0)?, retained))
}

fn decoded<T: Decode>(row: &Row<'_>, column: usize, what: &str) -> Result<T, StoreFailed> {
    let bytes: Vec<u8> = row.get(column)?;
    T::decode_all(&mut &bytes[..]).map_err(|_| damaged(what))
}

fn damaged(what: &str) -> StoreFailed {
    StoreFailed::Damaged {
        what: what.to_owned(),
    }
}
