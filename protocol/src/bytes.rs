//! Fixed-size byte strings, one newtype each, so that a commitment is never taken for a key.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

macro_rules! byte_string {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, DecodeWithMemTracking,
            MaxEncodedLen, TypeInfo,
        )]
        pub struct $name(pub [u8; $len]);

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl From<[u8; $len]> for $name {
            fn from(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = alloc::string::String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        #[cfg(feature = "serde")]
        impl core::str::FromStr for $name {
            type Err = HexInvalid;
            /// Reads lower- or upper-case hexadecimal, with or without `0x`.
            fn from_str(text: &str) -> Result<Self, HexInvalid> {
                let mut bytes = [0u8; $len];
                hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut bytes)
                    .map_err(|_| HexInvalid { expected: $len })?;
                Ok(Self(bytes))
            }
        }
    };
}

byte_string!(
    /// An Ed25519 public key: of a device, of an authority, or a gateway's statement key.
    VerifyingKey, 32
);
byte_string!(
    /// An X25519 public key: a device's agreement key or a gateway's custody key.
    AgreementKey, 32
);
byte_string!(
    /// A chain account (sr25519 public key).
    AccountId, 32
);
byte_string!(
    /// Hash of the chain's first block: every signature and key is bound to it.
    Genesis, 32
);
byte_string!(
    /// BLAKE2b-256 commitment to an epoch secret (KEY-2).
    Commitment, 32
);
byte_string!(
    /// BLAKE2b-256 hash of a statement, a page, a voucher or a Merkle root.
    Digest, 32
);
byte_string!(
    /// Hash of a block.
    BlockHash, 32
);
byte_string!(
    /// An Ed25519 signature (RFC 8032).
    Signature, 64
);
byte_string!(
    /// Chosen by the device for one request, echoed in its response.
    Nonce, 16
);

/// Text that is not the hexadecimal form of so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HexInvalid {
    /// Bytes that were expected.
    pub expected: usize,
}

impl core::fmt::Display for HexInvalid {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "not the hexadecimal form of {} bytes ({} digits)",
            self.expected,
            self.expected.saturating_mul(2)
        )
    }
}

impl core::error::Error for HexInvalid {}

/// 2^255 - 19, little endian: the field of both curves.
const FIELD: [u8; 32] = [
    0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
];

/// u-coordinates of the canonical points of small order on Curve25519: 0, 1, p - 1 and the two of order 8 (RFC 7748, section 6).
const SMALL_ORDER_U: [[u8; 32]; 5] = [
    [0; 32],
    one(),
    minus_one(),
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
];

/// y-coordinates of the points of small order on Ed25519: 0 (order 4), 1, p - 1 (order 2) and the two of order 8.
const SMALL_ORDER_Y: [[u8; 32]; 5] = [
    [0; 32],
    one(),
    minus_one(),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

const fn one() -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
}

const fn minus_one() -> [u8; 32] {
    let mut bytes = FIELD;
    bytes[0] = 0xec;
    bytes
}

/// Whether a little-endian number is below 2^255 - 19.
fn is_canonical(bytes: &[u8; 32]) -> bool {
    bytes.iter().rev().lt(FIELD.iter().rev())
}

impl VerifyingKey {
    /// Whether the key is canonical and not of small order (REG-5). Says nothing about whether it is on the curve: a
    /// signature under it does.
    pub fn is_acceptable(&self) -> bool {
        let mut y = self.0;
        if let Some(last) = y.last_mut() {
            *last &= 0x7f;
        }
        is_canonical(&y) && !SMALL_ORDER_Y.contains(&y)
    }
}

impl AgreementKey {
    /// Whether the key is canonical and not of small order (REG-5). A box sealed to it has a shared secret that the
    /// sealer does not control only then.
    pub fn is_acceptable(&self) -> bool {
        is_canonical(&self.0) && !SMALL_ORDER_U.contains(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_from_the_field_size_up_are_not_canonical() {
        assert!(!is_canonical(&FIELD));
        assert!(!is_canonical(&[0xff; 32]));
        assert!(is_canonical(&minus_one()));
        let mut high_bit = [1; 32];
        high_bit[31] = 0x80;
        assert!(!is_canonical(&high_bit));
    }

    #[test]
    fn keys_of_small_order_are_refused_with_either_sign() {
        for mut y in SMALL_ORDER_Y {
            assert!(!VerifyingKey(y).is_acceptable());
            y[31] |= 0x80;
            assert!(!VerifyingKey(y).is_acceptable());
        }
        for u in SMALL_ORDER_U {
            assert!(!AgreementKey(u).is_acceptable());
        }
    }

    #[test]
    fn ordinary_keys_are_accepted() {
        assert!(VerifyingKey([7; 32]).is_acceptable());
        assert!(AgreementKey([9; 32]).is_acceptable());
    }
}
