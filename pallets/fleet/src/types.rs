//! What is stored, beside the types of `keyward-protocol`.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use keyward_protocol::{
    bytes::AccountId as RawAccount,
    limits,
    policy::Policy,
    registration::{KeyReplacement, Voucher},
    statement::GroupState,
    topic::Filters,
    view::{AuthorityStatus, DeviceStatus, GatewayStatus, StagedEpoch},
    AgreementKey, AuthorityId, Commitment, DeviceId, Digest, GatewayName, GroupId, OrganisationId,
    Role, Signature, VerifyingKey,
};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// How much each gateway of an organisation may have.
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
    Serialize,
    Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// Devices that a gateway owns and that are not revoked.
    pub devices: u32,
    /// Groups that a gateway administers and that are not closed.
    pub groups: u32,
    /// Members of one group.
    pub members: u32,
}

/// A human-readable name, UTF-8.
pub type Label = BoundedVec<u8, ConstU32<64>>;

/// An organisation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Organisation {
    /// What it calls itself.
    pub label: Label,
    /// How much each of its gateways may have.
    pub quotas: Quotas,
}

/// A gateway.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Gateway {
    /// Whose it is.
    pub organisation: OrganisationId,
    /// Its short name, as it stands in topics.
    pub name: GatewayName,
    /// The key that it signs statements with.
    pub statement_key: VerifyingKey,
    /// The key that other custodians seal secrets to.
    pub custody_key: AgreementKey,
    /// Whether it may act.
    pub status: GatewayStatus,
}

/// A certificate authority.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Authority {
    /// Whose it is: it vouches only for devices under gateways of this organisation.
    pub organisation: OrganisationId,
    /// The key that it signs vouchers with.
    pub key: VerifyingKey,
    /// Whether its vouchers are accepted.
    pub status: AuthorityStatus,
}

/// What a gateway has, counted against its quotas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Usage {
    /// Devices that it owns and that are not revoked.
    pub devices: u32,
    /// Groups that it administers and that are not closed.
    pub groups: u32,
}

/// Who had a key first: nobody else ever gets it.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum Holder<AccountId> {
    /// A gateway's statement or custody key.
    Gateway(AccountId),
    /// A certificate authority's key.
    Authority(AuthorityId),
    /// A device's signing or agreement key.
    Device(DeviceId),
}

/// A device. Once revoked it stays as a tombstone.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Device<AccountId> {
    /// The gateway that owns it.
    pub owner: AccountId,
    /// Who vouched for its keys.
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
}

/// A group's custodians, by rising account.
pub type Custodians<AccountId> = BoundedVec<AccountId, ConstU32<{ limits::CUSTODIANS }>>;

/// Commitments for later epochs: current + 1, current + 2, …
pub type Queue = BoundedVec<StagedEpoch, ConstU32<{ limits::STAGED }>>;

/// A group. Once closed it stays as a tombstone.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Group<AccountId> {
    /// The gateway that administers it.
    pub admin: AccountId,
    /// Gateways that keep its keys. Of these only the active ones count.
    pub custodians: Custodians<AccountId>,
    /// Its topic filters.
    pub filters: Filters,
    /// How keys and messages are handled.
    pub policy: Policy,
    /// What it is doing.
    pub state: GroupState,
    /// The current epoch, active or awaited; 1 for a new group.
    pub epoch: u32,
    /// Block at which the group advanced to it.
    pub began_at: u32,
    /// Time of that block, in seconds since 1970: rotation is due `policy.rotate_every` later.
    pub began_time: u64,
    /// The current epoch's commitment, and who made it; none while the epoch is awaited.
    pub committed: Option<(Commitment, RawAccount)>,
    /// Commitments for later epochs. Empty while the current one is awaited.
    pub staged: Queue,
    /// Rises with every change of anything that the group's statement says.
    pub revision: u64,
    /// Block of that revision.
    pub revised_at: u32,
    /// How many members it has, suspended ones included.
    pub members: u32,
    /// How many of them may publish, suspended ones included.
    pub publishers: u32,
    /// The index of the next member. An index is never used twice.
    pub next_index: u32,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Member {
    /// What it may do.
    pub role: Role,
    /// Its index, never used twice in the group. New keys come with a new index.
    pub index: u32,
    /// First epoch that it may hold.
    pub joined_epoch: u32,
    /// Topic filters that its owner accepted.
    pub filters: Filters,
}

/// A device of another owner is asked into a group.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Invitation {
    /// The group.
    pub group: GroupId,
    /// What the device is to do there.
    pub role: Role,
}

/// Invitations that one device may have at a time.
pub const INVITATIONS: u32 = 16;

/// The last epoch that a device itself acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Holding {
    /// The epoch.
    pub epoch: u32,
    /// Block of the record.
    pub at: u32,
}

/// What a device signed for that saw another commitment than the chain's.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Conflict {
    /// What it saw.
    pub commitment: Commitment,
    /// The version of the keys that it signed with.
    pub key_version: u32,
    /// Its signature over the receipt: evidence that anybody can check.
    pub signature: Signature,
    /// Block of the record.
    pub at: u32,
}

/// A batch of protected messages, anchored.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Anchor<AccountId> {
    /// Merkle root over the batch.
    pub root: Digest,
    /// How many messages.
    pub count: u32,
    /// Time of the first, in seconds since 1970.
    pub first: u64,
    /// Time of the last, in seconds since 1970.
    pub last: u64,
    /// Who anchored it.
    pub custodian: AccountId,
    /// Block of the record.
    pub at: u32,
}

/// A group's anchors: how many there were, and the head of their hash chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct AnchorChain {
    /// Sequence of the next anchor.
    pub next: u64,
    /// Head of the hash chain.
    pub head: Digest,
}

impl Default for AnchorChain {
    fn default() -> Self {
        Self {
            next: 0,
            head: Digest([0; 32]),
        }
    }
}

/// What a device's new keys are covered by.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum KeyAuthorisation {
    /// The device's current key (REG-6).
    Current {
        /// The new keys.
        replacement: KeyReplacement,
        /// Over the replacement, by the new signing key.
        new_signature: Signature,
        /// Over the replacement, by the current signing key.
        current_signature: Signature,
    },
    /// A new voucher, for a device that lost its keys (REG-7).
    Voucher {
        /// The voucher.
        voucher: Voucher,
        /// Over the voucher, by the authority.
        voucher_signature: Signature,
        /// Over the device's registration, by its new key.
        proof: Signature,
    },
}

/// One receipt in a batch (KEX-8). The signature is over a receipt with the version of the device's keys on chain.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct ReceiptItem {
    /// The device that signed it.
    pub device: DeviceId,
    /// The epoch that it acknowledges.
    pub epoch: u32,
    /// The commitment that it saw.
    pub commitment: Commitment,
    /// Its signature over the receipt.
    pub signature: Signature,
}

/// Items of a call that takes a list.
pub type Batch<Item> = BoundedVec<Item, ConstU32<{ limits::BATCH }>>;
