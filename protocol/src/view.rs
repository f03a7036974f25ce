//! What the runtime API `FleetApi` answers, and the states that storage and answers share (DESIGN section 4.1).

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

use crate::{
    bytes::{AccountId, AgreementKey, Commitment, Digest, VerifyingKey},
    id::{AuthorityId, DeviceId, GatewayName, GroupId, OrganisationId},
    policy::Policy,
    role::Role,
    statement::GroupState,
    topic::Filters,
};

macro_rules! plain_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
        )]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
        pub enum $name { $($(#[$variant_doc])* $variant),* }
    };
}

plain_enum!(
    /// Whether a gateway may act.
    GatewayStatus {
        /// It may.
        Active,
        /// Not for now.
        Suspended,
        /// Never again.
        Expelled,
    }
);
plain_enum!(
    /// Whether an authority's vouchers are accepted.
    AuthorityStatus {
        /// They are.
        Active,
        /// Never again.
        Revoked,
    }
);
plain_enum!(
    /// Whether a device takes part in its groups.
    DeviceStatus {
        /// It does.
        Active,
        /// Not for now: it is in its groups' member lists and gets no key.
        Suspended,
        /// Never again; its id is a tombstone.
        Revoked,
    }
);
plain_enum!(
    /// Why a group's epoch advanced.
    Cause {
        /// The group was created.
        Created,
        /// A member joined.
        Joined,
        /// A member was removed.
        Removed,
        /// A member was suspended.
        Suspended,
        /// A member was revoked.
        Revoked,
        /// A suspended member came back.
        Reinstated,
        /// A member's keys were replaced.
        KeysReplaced,
        /// The admin rotated, or the rotation was due.
        Rotated,
        /// A custodian left, and with it the epochs that it had staged.
        CustodianLeft,
    }
);

/// A gateway.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GatewayView {
    /// Its account.
    pub account: AccountId,
    /// Whose it is.
    pub organisation: OrganisationId,
    /// Its short name.
    pub name: GatewayName,
    /// The key that it signs statements with.
    pub statement_key: VerifyingKey,
    /// The key that other custodians seal secrets to.
    pub custody_key: AgreementKey,
    /// Whether it may act.
    pub status: GatewayStatus,
}

/// A certificate authority.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AuthorityView {
    /// Its id.
    pub authority: AuthorityId,
    /// Whose it is.
    pub organisation: OrganisationId,
    /// The key that it signs vouchers with.
    pub key: VerifyingKey,
    /// Whether its vouchers are accepted.
    pub status: AuthorityStatus,
}

/// A device that waits for its owner's consent to join a group.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct InvitationView {
    /// The group.
    pub group: GroupId,
    /// The device.
    pub device: DeviceId,
    /// What it is to do there.
    pub role: Role,
}

/// A device.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DeviceView {
    /// Its id.
    pub device: DeviceId,
    /// The gateway that owns it.
    pub owner: AccountId,
    /// Who vouched for it.
    pub authority: AuthorityId,
    /// Its Ed25519 key.
    pub signing_key: VerifyingKey,
    /// Its X25519 key.
    pub agreement_key: AgreementKey,
    /// Rises with every replacement of the keys.
    pub key_version: u32,
    /// Whether it takes part.
    pub status: DeviceStatus,
    /// Block of its registration.
    pub enrolled_at: u32,
    /// Its groups, by rising id.
    pub groups: Vec<MembershipView>,
}

/// One membership of a device, as its statement needs it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MembershipView {
    /// The group.
    pub group: GroupId,
    /// What the device may do.
    pub role: Role,
    /// Topic filters that its owner accepted.
    pub filters: Filters,
    /// The group's active custodians, by rising account.
    pub custodians: Vec<AccountId>,
}

/// A commitment staged for a later epoch.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct StagedEpoch {
    /// The epoch.
    pub epoch: u32,
    /// The commitment to its secret.
    pub commitment: Commitment,
    /// Who committed, and holds the secret.
    pub custodian: AccountId,
}

/// One epoch of a group: the paper's key-exchange event (Fig. 11).
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KeyExchange {
    /// Why it began.
    pub cause: Cause,
    /// Block at which the group advanced to it.
    pub began: u32,
    /// Its commitment and custodian; none while it is awaited.
    pub committed: Option<(Commitment, AccountId)>,
    /// Block at which it became active: `began` unless it was awaited.
    pub activated: Option<u32>,
    /// What the custodian recorded of its delivery.
    pub delivery: Option<Delivery>,
}

/// What a custodian recorded: that grants of an epoch were published and read back.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Delivery {
    /// Block of the record.
    pub at: u32,
    /// To how many members.
    pub recipients: u32,
    /// Root over the published grants.
    pub grants_root: Digest,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GroupView {
    /// Its id.
    pub group: GroupId,
    /// The gateway that administers it.
    pub admin: AccountId,
    /// Its active custodians, by rising account.
    pub custodians: Vec<AccountId>,
    /// Its topic filters.
    pub filters: Filters,
    /// How keys and messages are handled.
    pub policy: Policy,
    /// What it is doing.
    pub state: GroupState,
    /// The current epoch; 0 until the first is active or awaited.
    pub epoch: u32,
    /// Commitments for later epochs, by rising epoch.
    pub staged: Vec<StagedEpoch>,
    /// Rises with every change of anything that its statement says.
    pub revision: u64,
    /// Block of that revision.
    pub revised_at: u32,
    /// How many members it has, suspended ones included.
    pub members: u32,
    /// Head of the hash chain over every exchange, delivery, membership change and receipt batch.
    pub chain_head: Digest,
    /// Epochs on record, by rising epoch; the last one is the current one.
    pub exchanges: Vec<(u32, KeyExchange)>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MemberView {
    /// The device.
    pub device: DeviceId,
    /// What it may do.
    pub role: Role,
    /// Its index, never used twice in the group.
    pub index: u32,
    /// First epoch that it may hold.
    pub joined_epoch: u32,
    /// Topic filters that its owner accepted.
    pub filters: Filters,
    /// Gateway that owns it.
    pub owner: AccountId,
    /// Whether it takes part: a suspended device gets no key and its messages are refused.
    pub active: bool,
    /// The version of its keys.
    pub key_version: u32,
    /// Its Ed25519 key.
    pub signing_key: VerifyingKey,
    /// Its X25519 key.
    pub agreement_key: AgreementKey,
    /// Last epoch that it acknowledged itself, and the block of the record.
    pub acknowledged: Option<(u32, u32)>,
}

/// A group that a custodian has to look after, in short: what changes tell it to read the rest.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct CustodyView {
    /// The group.
    pub group: GroupId,
    /// Its revision.
    pub revision: u64,
    /// Its epoch.
    pub epoch: u32,
    /// What it is doing.
    pub state: GroupState,
    /// How many epochs are staged.
    pub staged: u32,
}

/// A device that saw another commitment than the chain's.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ConflictView {
    /// The epoch.
    pub epoch: u32,
    /// The device.
    pub device: DeviceId,
    /// What it saw and signed.
    pub commitment: Commitment,
    /// Block of the record.
    pub at: u32,
}

/// What an account may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PermissionsView {
    /// It may submit transactions at all.
    pub admitted: bool,
    /// It is an active gateway of this organisation.
    pub gateway_of: Option<OrganisationId>,
    /// It is custodian of these groups.
    pub custodian_of: Vec<GroupId>,
}
