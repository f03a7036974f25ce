//! What a member may do in a group.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// What a member may do. Every member holds the group's keys, so a publish-only member could read: the role says whose
/// messages are accepted (MSG-7) and who is meant to read.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "lowercase")
)]
pub enum Role {
    /// May send.
    Publish,
    /// May receive.
    Subscribe,
    /// May send and receive.
    Both,
}

impl Role {
    /// Whether messages of this member are accepted.
    pub fn publishes(self) -> bool {
        matches!(self, Self::Publish | Self::Both)
    }

    /// Whether this member is meant to read.
    pub fn subscribes(self) -> bool {
        matches!(self, Self::Subscribe | Self::Both)
    }
}
