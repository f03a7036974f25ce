//! A group's hash chain, as an archive keeps it for ever (KEX-10): its entries, and how each leads from head to head.

mod receipts;
mod walk;

use codec::Encode;
pub use keyward_protocol::history::{Entry, NO_HEAD};
use keyward_protocol::{history::link, BlockHash, Digest, Genesis, GroupId};
use serde::{Deserialize, Serialize};
use sp_crypto_hashing::blake2_256;

pub use walk::Archive;

use crate::{call::ReceiptItem, view::ReadFailed};

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

/// The head after an entry.
pub fn head_after(
    genesis: &Genesis,
    group: &GroupId,
    head: &Digest,
    block: u32,
    entry: &Entry,
) -> Digest {
    Digest(link(genesis, group, head, block, entry).using_encoded(blake2_256))
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
