//! What gateways tell devices: in which groups they are, a group's state, and its publishers (DESIGN section 5).

use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

use crate::{
    beacon::BlockRef,
    bytes::{AccountId, Commitment, Digest, VerifyingKey},
    extension::Extensions,
    id::{DeviceId, GatewayName, GroupId},
    limits,
    policy::Policy,
    role::Role,
    signing::{self, Body, Purpose},
    topic::Filters,
    wire::{self, rises, Canonical, WireInvalid},
    Genesis, VERSION,
};

/// What a group is doing.
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
pub enum GroupState {
    /// Its epoch may be used.
    Active,
    /// Its epoch has advanced, and no commitment is staged for it: publishers wait, unless the policy says otherwise.
    Awaiting,
    /// Publishers do not seal until governance lifts it.
    Frozen,
    /// Over: devices erase its secrets.
    Closed,
}

/// A gateway that may state a group's state.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Custodian {
    /// Its account.
    pub account: AccountId,
    /// Its short name, as it stands in topics.
    pub name: GatewayName,
    /// The key that it signs statements with.
    pub statement_key: VerifyingKey,
}

/// One group of a device.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DeviceGroup {
    /// The group.
    pub group: GroupId,
    /// What the device may do in it.
    pub role: Role,
    /// Topic filters that its owner accepted.
    pub filters: Filters,
    /// Who may state the group's state, by rising account.
    pub custodians: BoundedVec<Custodian, ConstU32<{ limits::CUSTODIANS }>>,
}

/// The owner gateway tells a device what it is in (STM-1). A device is in no group that this does not list.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DeviceStatement {
    /// Who tells.
    pub gateway: AccountId,
    /// To whom.
    pub device: DeviceId,
    /// The version of the device's keys on chain.
    pub key_version: u32,
    /// Number of the finalized block at which this was first so. A lower one is refused.
    pub revision: u64,
    /// Its groups, by rising id.
    pub groups: BoundedVec<DeviceGroup, ConstU32<{ limits::DEVICE_GROUPS }>>,
    /// The finalized block.
    pub block: BlockRef,
    /// That block's time, in milliseconds since 1970.
    pub chain_time: u64,
    /// What later versions add.
    pub extensions: Extensions,
}

impl Canonical for DeviceStatement {
    fn check(&self) -> Result<(), WireInvalid> {
        self.extensions.check()?;
        let custodians = |group: &DeviceGroup| rises(group.custodians.iter().map(|c| c.account));
        if !rises(self.groups.iter().map(|group| &group.group))
            || !self.groups.iter().all(custodians)
        {
            return Err(WireInvalid::NotCanonical("groups and custodians rise"));
        }
        self.groups
            .iter()
            .try_for_each(|group| group.filters.check())
    }
}
impl Body for DeviceStatement {
    const PURPOSE: Purpose = Purpose::DeviceStatement;
    const MAX: usize = limits::STATEMENT;
}

/// The commitment of one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct EpochCommitment {
    /// The epoch.
    pub epoch: u32,
    /// Its commitment (KEY-2).
    pub commitment: Commitment,
    /// Whose commitment: an index into the statement's `custodians`.
    pub custodian: u8,
}

/// A custodian tells a group's state (STM-3): a pure function of finalized state at a revision.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct GroupStatement {
    /// Who tells.
    pub gateway: AccountId,
    /// Of which group.
    pub group: GroupId,
    /// Rises with every change of anything said here.
    pub revision: u64,
    /// The current epoch.
    pub epoch: u32,
    /// What the group is doing.
    pub state: GroupState,
    /// Accounts that committed to the epochs below, by rising account.
    pub custodians: BoundedVec<AccountId, ConstU32<{ limits::STATEMENT_CUSTODIANS }>>,
    /// Commitments of this epoch (unless awaited) and of the last `policy.history` epochs, by rising epoch.
    pub commitments: BoundedVec<EpochCommitment, ConstU32<{ limits::EPOCHS }>>,
    /// How keys and messages are handled.
    pub policy: Policy,
    /// The group's topic filters.
    pub filters: Filters,
    /// Hashes of the pages of publishers, page 0 first (SIG-3).
    pub pages: BoundedVec<Digest, ConstU32<{ limits::PAGES }>>,
    /// The block of the revision.
    pub block: BlockRef,
    /// What later versions add.
    pub extensions: Extensions,
}

impl GroupStatement {
    /// An epoch's commitment and the account that made it.
    pub fn commitment(&self, epoch: u32) -> Option<(Commitment, AccountId)> {
        let found = self.commitments.iter().find(|c| c.epoch == epoch)?;
        let custodian = self.custodians.get(usize::from(found.custodian))?;
        Some((found.commitment, *custodian))
    }
}

impl Canonical for GroupStatement {
    fn check(&self) -> Result<(), WireInvalid> {
        self.extensions.check()?;
        self.policy.check()?;
        self.filters.check()?;
        if !rises(self.commitments.iter().map(|c| c.epoch)) || !rises(self.custodians.iter()) {
            return Err(WireInvalid::NotCanonical("epochs and custodians rise"));
        }
        if self.commitments.iter().any(|c| c.epoch > self.epoch) {
            return Err(WireInvalid::NotCanonical(
                "no commitment after the current epoch",
            ));
        }
        let known = |c: &EpochCommitment| self.custodians.get(usize::from(c.custodian)).is_some();
        let known = self.commitments.iter().all(known);
        known
            .then_some(())
            .ok_or(WireInvalid::NotCanonical("custodian index in range"))
    }
}
impl Body for GroupStatement {
    const PURPOSE: Purpose = Purpose::GroupStatement;
    const MAX: usize = limits::STATEMENT;
}

/// One publisher.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Publisher {
    /// Its index in the group, never used twice there.
    pub index: u32,
    /// The device.
    pub device: DeviceId,
    /// The version of its keys.
    pub key_version: u32,
    /// The key that it signs messages with.
    pub signing_key: VerifyingKey,
}

/// Up to 64 publishers (STM-6). Not signed: the group statement names its hash. Page `n` holds the publishers `64 n` to
/// `64 n + 63` of all, counted by rising index.
///
/// ```text
/// version u8 · genesis [32] · group · page u32 · compact n · n × publisher
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PublisherPage {
    /// The group.
    pub group: GroupId,
    /// Which page, from 0.
    pub page: u32,
    /// Publishers by rising index.
    pub publishers: BoundedVec<Publisher, ConstU32<{ limits::PAGE }>>,
}

impl Canonical for PublisherPage {
    fn check(&self) -> Result<(), WireInvalid> {
        let rising = rises(self.publishers.iter().map(|publisher| publisher.index));
        rising
            .then_some(())
            .ok_or(WireInvalid::NotCanonical("publishers rise by index"))
    }
}

impl PublisherPage {
    /// The bytes for the wire.
    pub fn to_wire(&self, genesis: &Genesis) -> alloc::vec::Vec<u8> {
        let mut bytes = wire::concat(&[&[VERSION], &genesis.0]);
        self.encode_to(&mut bytes);
        bytes
    }

    /// The bytes to hash.
    pub fn payload(&self, genesis: &Genesis) -> alloc::vec::Vec<u8> {
        signing::payload(genesis, Purpose::PublisherPage, self)
    }

    /// Reads hostile bytes. Believed only if the hash of its payload stands in the group statement.
    pub fn from_wire(bytes: &[u8], genesis: &Genesis) -> Result<Self, WireInvalid> {
        let rest = wire::versioned(wire::bounded(bytes, limits::STATEMENT)?)?;
        let (theirs, body) = rest
            .split_first_chunk::<32>()
            .ok_or(WireInvalid::TooShort)?;
        match theirs == &genesis.0 {
            true => wire::decode_exactly(body),
            false => Err(WireInvalid::NotCanonical("genesis of this chain")),
        }
    }
}
