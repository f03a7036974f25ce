//! Identifiers: 1 to 32 bytes of `[A-Za-z0-9._-]`, so that they stand in a topic as they are (ID-1).
//!
//! The part before the first `.` names the organisation; governance may give one organisation the bare names (ID-2).

use alloc::{string::String, vec::Vec};
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, Input, MaxEncodedLen};
use core::fmt;
use scale_info::{Type, TypeInfo};

use crate::limits;

/// The bytes of an identifier before they were checked: what a call takes, so that a bad one gets a named error.
pub type IdBytes = BoundedVec<u8, ConstU32<{ limits::ID }>>;

/// Why bytes are not an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdInvalid {
    /// No byte at all.
    Empty,
    /// More than 32 bytes.
    TooLong,
    /// A byte outside `[A-Za-z0-9._-]`.
    Byte(u8),
}

impl fmt::Display for IdInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("an identifier has at least one character"),
            Self::TooLong => f.write_str("an identifier has at most 32 characters"),
            Self::Byte(byte) => write!(
                f,
                "an identifier has only letters, digits, '.', '_' and '-', not byte {byte:#04x}"
            ),
        }
    }
}

impl core::error::Error for IdInvalid {}

fn check(bytes: &[u8]) -> Result<(), IdInvalid> {
    if bytes.is_empty() {
        return Err(IdInvalid::Empty);
    }
    if bytes.len() > limits::ID as usize {
        return Err(IdInvalid::TooLong);
    }
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    match bytes.iter().find(|byte| !allowed(byte)) {
        Some(byte) => Err(IdInvalid::Byte(*byte)),
        None => Ok(()),
    }
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Encode, MaxEncodedLen)]
        pub struct $name(IdBytes);

        impl $name {
            /// Reads an identifier from text.
            pub fn new(text: &str) -> Result<Self, IdInvalid> {
                Self::try_from(text.as_bytes())
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                // Always ASCII: `check` saw every byte.
                core::str::from_utf8(&self.0).unwrap_or_default()
            }

            /// The identifier as bytes.
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }

            /// The part before the first `.`, if there is one: the organisation that the name belongs to (ID-2).
            pub fn organisation(&self) -> Option<&str> {
                self.as_str().split_once('.').map(|(organisation, _)| organisation)
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = IdInvalid;
            fn try_from(bytes: &[u8]) -> Result<Self, IdInvalid> {
                check(bytes)?;
                Vec::from(bytes).try_into().map(Self).map_err(|_| IdInvalid::TooLong)
            }
        }

        impl TryFrom<IdBytes> for $name {
            type Error = IdInvalid;
            fn try_from(bytes: IdBytes) -> Result<Self, IdInvalid> {
                check(&bytes)?;
                Ok(Self(bytes))
            }
        }

        impl core::str::FromStr for $name {
            type Err = IdInvalid;
            fn from_str(text: &str) -> Result<Self, IdInvalid> {
                Self::new(text)
            }
        }

        impl Decode for $name {
            fn decode<I: Input>(input: &mut I) -> Result<Self, codec::Error> {
                let bytes = IdBytes::decode(input)?;
                Self::try_from(bytes).map_err(|_| "not an identifier".into())
            }
        }

        impl DecodeWithMemTracking for $name {}

        impl TypeInfo for $name {
            type Identity = Self;
            fn type_info() -> Type {
                Type::builder()
                    .path(scale_info::Path::new(stringify!($name), module_path!()))
                    .composite(scale_info::build::Fields::unnamed().field(|f| f.ty::<IdBytes>()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl core::hash::Hash for $name {
            fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
                self.as_bytes().hash(state);
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.as_str().into()
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

identifier!(
    /// Name of an organisation.
    OrganisationId
);
identifier!(
    /// Id of a certificate authority.
    AuthorityId
);
identifier!(
    /// Id of a device.
    DeviceId
);
identifier!(
    /// Id of a group.
    GroupId
);
identifier!(
    /// Short name of a gateway, as it stands in topics.
    GatewayName
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_paper_s_names_are_identifiers() {
        for name in ["1111", "hsu0001", "acme.valve_7-b"] {
            assert_eq!(DeviceId::new(name).unwrap().as_str(), name);
        }
    }

    /// ID-1.
    #[test]
    fn each_kind_of_bad_name_has_its_reason() {
        assert_eq!(GroupId::new(""), Err(IdInvalid::Empty));
        assert_eq!(GroupId::new(&"a".repeat(33)), Err(IdInvalid::TooLong));
        for bad in ["a/b", "a+", "#", "a b", "é", "a\0"] {
            assert!(
                matches!(GroupId::new(bad), Err(IdInvalid::Byte(_))),
                "{bad}"
            );
        }
    }

    /// ID-2.
    #[test]
    fn the_organisation_is_the_part_before_the_first_dot() {
        assert_eq!(
            DeviceId::new("acme.a.b").unwrap().organisation(),
            Some("acme")
        );
        assert_eq!(DeviceId::new("1111").unwrap().organisation(), None);
    }

    proptest! {
        #[test]
        fn only_checked_bytes_decode(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let decoded = DeviceId::decode(&mut &bytes.encode()[..]);
            prop_assert_eq!(decoded.is_ok(), check(&bytes).is_ok());
        }
    }
}
