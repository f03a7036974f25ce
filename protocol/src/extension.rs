//! What later versions add to policies, grants and statements (EXT-1): an unknown critical extension is refused by name,
//! an unknown other one is kept and ignored.

use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

use crate::{
    limits,
    wire::{rises, Canonical, WireInvalid},
};

/// One extension.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Extension {
    /// Which one; the numbers are given in `docs/protocol.md`.
    pub id: u16,
    /// Whether who does not know it must refuse the whole.
    pub critical: bool,
    /// Its content.
    pub bytes: BoundedVec<u8, ConstU32<{ limits::EXTENSION }>>,
}

/// Extensions by rising id.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Extensions(pub BoundedVec<Extension, ConstU32<{ limits::EXTENSIONS }>>);

impl Extensions {
    /// The first critical extension that `known` does not name (EXT-1).
    pub fn unknown_critical(&self, known: &[u16]) -> Option<u16> {
        let unknown = |extension: &&Extension| extension.critical && !known.contains(&extension.id);
        self.0.iter().find(unknown).map(|extension| extension.id)
    }
}

impl Canonical for Extensions {
    fn check(&self) -> Result<(), WireInvalid> {
        let rising = rises(self.0.iter().map(|extension| extension.id));
        rising
            .then_some(())
            .ok_or(WireInvalid::NotCanonical("extensions rise by id"))
    }
}
