//! A group's hash chain, as an archive keeps it for ever (KEX-10): its entries, and how each leads from head to head.

mod receipts;
mod walk;

use codec::{Decode, Encode};
use keyward_protocol::{
    view::Cause, AccountId, BlockHash, Commitment, DeviceId, Digest, Genesis, GroupId, Role,
};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_crypto_hashing::blake2_256;

pub use walk::Archive;

use crate::{call::ReceiptItem, view::ReadFailed};

/// The head of a group that has no entry yet.
pub const NO_HEAD: Digest = Digest([0; 32]);

/// One entry of a group's hash chain, as the chain's event `ChainExtended` names it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Entry {
    /// The group advanced to an epoch.
    Advanced {
        /// The epoch.
        epoch: u32,
        /// Why.
        cause: Cause,
        /// Its commitment and custodian; none if it is awaited.
        committed: Option<(Commitment, AccountId)>,
    },
    /// The awaited epoch was committed to.
    Activated {
        /// The epoch.
        epoch: u32,
        /// Its commitment.
        commitment: Commitment,
        /// Who committed.
        custodian: AccountId,
    },
    /// The commitment of the current epoch fell away in the block of its advance.
    Awaited {
        /// The epoch.
        epoch: u32,
    },
    /// A custodian delivered an epoch.
    Delivered {
        /// The epoch.
        epoch: u32,
        /// To how many members.
        recipients: u32,
        /// Root over the grants.
        grants_root: Digest,
    },
    /// A device became a member, or got a new index with its new keys.
    Joined {
        /// The device.
        device: DeviceId,
        /// The version of its keys.
        key_version: u32,
        /// What it may do.
        role: Role,
        /// Its index.
        index: u32,
        /// First epoch that it may hold.
        joined_epoch: u32,
    },
    /// A device is no longer a member.
    Left {
        /// The device.
        device: DeviceId,
    },
    /// A member is suspended.
    Suspended {
        /// The device.
        device: DeviceId,
    },
    /// A batch of receipts was recorded.
    Receipts {
        /// BLAKE2b-256 of SCALE(the receipts that were recorded, as they stood in the call).
        digest: Digest,
        /// How many.
        count: u32,
    },
}

/// An entry, where it stands, and what it led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Number of its block.
    pub block: u32,
    /// The entry.
    pub entry: Entry,
    /// The group's head after it.
    pub head: Digest,
    /// Of a batch of receipts: the receipts; none where its block's transactions do not show them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipts: Option<Vec<ReceiptItem>>,
}

impl Record {
    /// The head that this entry leads to from another.
    pub fn head_after(&self, genesis: &Genesis, group: &GroupId, head: &Digest) -> Digest {
        head_after(genesis, group, head, self.block, &self.entry)
    }

    /// Whether the receipts are those that the entry binds, as far as there are any.
    pub fn binds_its_receipts(&self) -> bool {
        match (&self.entry, &self.receipts) {
            (_, None) => true,
            (Entry::Receipts { digest, count }, Some(receipts)) => {
                usize::try_from(*count) == Ok(receipts.len()) && digest_of(receipts) == *digest
            }
            (_, Some(_)) => false,
        }
    }
}

/// The head after an entry: BLAKE2b-256 of SCALE(genesis, group, former head, block, entry).
pub fn head_after(
    genesis: &Genesis,
    group: &GroupId,
    head: &Digest,
    block: u32,
    entry: &Entry,
) -> Digest {
    Digest((genesis, group, head, block, entry).using_encoded(blake2_256))
}

/// What binds a batch of receipts.
pub fn digest_of(receipts: &[ReceiptItem]) -> Digest {
    Digest(receipts.using_encoded(blake2_256))
}

/// Why an archive cannot be read from a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveFailed {
    /// State could not be read.
    #[error(transparent)]
    Read(#[from] ReadFailed),
    /// The node no longer keeps an old block's state.
    #[error("the node no longer keeps the state of block {number}; ask an archive node, which runs with --state-pruning archive and has done so from its first block")]
    Pruned {
        /// Which.
        number: u32,
    },
    /// Events and state of a block contradict each other.
    #[error("the events of block {number} ({block}) do not lead to the head of the group's hash chain in its state: the node is not honest, or its runtime is newer than this program")]
    Contradiction {
        /// Its number.
        number: u32,
        /// Its hash.
        block: BlockHash,
    },
}
