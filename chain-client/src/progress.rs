//! What is told of a transaction on its way.

use std::time::Duration;

use keyward_protocol::{beacon::BlockRef, BlockHash, Digest};
use tokio::time::Instant;

/// After so long without a newly finalized block, whoever waits is told.
pub(crate) const STALLED_AFTER: Duration = Duration::from_secs(30);

/// How a transaction is doing on its way: for a human to watch, not to build on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The node took it.
    Sent {
        /// Its hash.
        hash: Digest,
    },
    /// It is in a block that is not finalized yet.
    InBlock {
        /// Which.
        block: BlockRef,
    },
    /// It left the node's pool; it is sent again while it may still land.
    Left {
        /// Why.
        reason: String,
    },
    /// The chain finalizes no blocks at present, so nothing takes effect (DESIGN section 4).
    Stalled {
        /// Seconds since the last block was finalized.
        seconds: u64,
    },
}

/// Watches whether finalized blocks go on coming.
pub(crate) struct Stall {
    head: Option<BlockHash>,
    since: Instant,
    told: bool,
}

impl Stall {
    pub(crate) fn new() -> Self {
        Self {
            head: None,
            since: Instant::now(),
            told: false,
        }
    }

    /// What to tell, once for each stall, when `head` is the newest finalized block.
    pub(crate) fn notice(&mut self, head: Option<BlockHash>) -> Option<Progress> {
        if self.head != head {
            *self = Self {
                head,
                ..Self::new()
            };
        }
        let elapsed = self.since.elapsed();
        if self.told || elapsed < STALLED_AFTER {
            return None;
        }
        self.told = true;
        let seconds = elapsed.as_secs();
        Some(Progress::Stalled { seconds })
    }
}
