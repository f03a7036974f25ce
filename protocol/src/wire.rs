//! Reading and writing control messages: bounded, one valid encoding per value, nothing after it (ENV-2).

use alloc::vec::Vec;
use codec::{Decode, Encode, Output};
use core::fmt;

/// Why bytes from outside are not the message they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireInvalid {
    /// More bytes than this message may have.
    TooLong {
        /// Largest size in bytes.
        max: usize,
        /// Size that came.
        actual: usize,
    },
    /// Fewer bytes than the fixed parts need.
    TooShort,
    /// A version that this implementation does not know.
    Version(u8),
    /// The fields do not decode.
    Malformed,
    /// Bytes after the end.
    Trailing(usize),
    /// A value that could have been written in another way, or breaks a rule of its format.
    NotCanonical(&'static str),
}

impl fmt::Display for WireInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { max, actual } => {
                write!(f, "{actual} bytes where at most {max} are allowed")
            }
            Self::TooShort => f.write_str("too short"),
            Self::Version(version) => write!(f, "unknown version {version}"),
            Self::Malformed => f.write_str("fields do not decode"),
            Self::Trailing(bytes) => write!(f, "{bytes} bytes after the end"),
            Self::NotCanonical(what) => write!(f, "not the canonical form: {what}"),
        }
    }
}

impl core::error::Error for WireInvalid {}

/// A value with rules beyond its types, checked whenever it is read and before it is written.
pub trait Canonical {
    /// Which rule is broken, if any.
    fn check(&self) -> Result<(), WireInvalid> {
        Ok(())
    }
}

/// Refuses more than `max` bytes.
pub(crate) fn bounded(bytes: &[u8], max: usize) -> Result<&[u8], WireInvalid> {
    match bytes.len() {
        actual if actual > max => Err(WireInvalid::TooLong { max, actual }),
        _ => Ok(bytes),
    }
}

/// Takes the version byte off.
pub(crate) fn versioned(bytes: &[u8]) -> Result<&[u8], WireInvalid> {
    match bytes.split_first() {
        Some((&crate::VERSION, rest)) => Ok(rest),
        Some((version, _)) => Err(WireInvalid::Version(*version)),
        None => Err(WireInvalid::TooShort),
    }
}

/// Decodes a whole slice, and refuses what would not encode to the same bytes.
pub(crate) fn decode_exactly<T: Decode + Encode + Canonical>(
    mut bytes: &[u8],
) -> Result<T, WireInvalid> {
    let whole = bytes;
    let value = T::decode(&mut bytes).map_err(|_| WireInvalid::Malformed)?;
    if !bytes.is_empty() {
        return Err(WireInvalid::Trailing(bytes.len()));
    }
    value.check()?;
    match encodes_to(&value, whole) {
        true => Ok(value),
        false => Err(WireInvalid::NotCanonical("encoding")),
    }
}

/// Whether a value encodes to exactly these bytes. Compares while encoding: a grant leaves no second copy of its secrets
/// in memory.
fn encodes_to(value: &impl Encode, bytes: &[u8]) -> bool {
    let mut compare = Compare(Some(bytes));
    value.encode_to(&mut compare);
    compare.0 == Some(&[])
}

/// Takes what is written off the front of what is expected; `None` once they differ.
struct Compare<'a>(Option<&'a [u8]>);

impl Output for Compare<'_> {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = self.0.and_then(|rest| rest.strip_prefix(bytes));
    }
}

/// Whether keys rise strictly, the one order that lists have on the wire.
pub(crate) fn rises<K: Ord>(keys: impl IntoIterator<Item = K>) -> bool {
    let mut last = None;
    keys.into_iter().all(|key| {
        let rises = last.as_ref().is_none_or(|last| *last < key);
        last = Some(key);
        rises
    })
}

/// Concatenates parts.
pub(crate) fn concat(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strictly_rising_keys_are_the_only_order() {
        assert!(rises([1, 2, 9]));
        assert!(rises::<u8>([]));
        assert!(!rises([1, 1]));
        assert!(!rises([2, 1]));
    }

    #[test]
    fn a_value_encodes_to_its_bytes_and_no_others() {
        let value = (7u32, alloc::vec![1u8, 2]);
        let bytes = value.encode();
        assert!(encodes_to(&value, &bytes));
        assert!(!encodes_to(&value, &bytes[1..]));
        assert!(!encodes_to(&value, &[&bytes[..], &[0]].concat()));
        assert!(!encodes_to(&value, &bytes[..bytes.len() - 1]));
    }
}
