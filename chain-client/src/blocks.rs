//! Finalized blocks, one after the other: by number, each one's parent checked. Subscriptions only wake the walker.

use std::{sync::Arc, time::Duration};

use futures::{stream::BoxStream, StreamExt};
use keyward_protocol::{beacon::BlockRef, BlockHash, Genesis};

use crate::{
    rpc::{Rpc, RpcFailed},
    view,
};

/// Blocks that are walked one by one; a longer gap is jumped over. Below the 256 blocks whose state a node keeps.
pub const WINDOW: u32 = 128;
/// Longest pause between two looks at the node, should no subscription wake the walker.
const PATIENCE: Duration = Duration::from_secs(3);

/// A finalized block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its number.
    pub number: u32,
    /// Its hash.
    pub hash: BlockHash,
    /// Hash of its parent.
    pub parent: BlockHash,
    /// Its time, in milliseconds since 1970; 0 if the node no longer keeps the block's state.
    pub time_ms: u64,
}

impl Block {
    /// Number and hash.
    pub fn block_ref(&self) -> BlockRef {
        BlockRef {
            number: self.number,
            hash: self.hash,
        }
    }
}

/// Why there is no next block. Neither heals by waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalkFailed {
    /// A finalized block is not a descendant of the one before: the node follows another chain than it did, or than this
    /// program's journal did.
    #[error("block {number} of the node does not follow {expected}, which was finalized before; the node is on another fork: connect to a node of the right chain")]
    Fork {
        /// At which number.
        number: u32,
        /// What was known as finalized.
        expected: BlockHash,
    },
    /// The node's first block is another one.
    #[error("the node is of another chain: its genesis is {actual}, not {expected}; connect to a node of the right chain")]
    OtherChain {
        /// Genesis that was known.
        expected: BlockHash,
        /// Genesis of the node.
        actual: BlockHash,
    },
}

/// Why a step did not succeed: for good, or for now.
enum Stuck {
    Failed(WalkFailed),
    Later(RpcFailed),
}

impl From<RpcFailed> for Stuck {
    fn from(error: RpcFailed) -> Self {
        Self::Later(error)
    }
}

/// Walks finalized blocks.
pub struct Blocks {
    rpc: Arc<dyn Rpc>,
    genesis: Genesis,
    last: Option<BlockRef>,
    /// Newest finalized block that the node told, as far as it lies ahead.
    head: u32,
    wakes: Option<BoxStream<'static, ()>>,
}

impl Blocks {
    pub(crate) fn new(rpc: Arc<dyn Rpc>, genesis: Genesis, last: Option<BlockRef>) -> Self {
        Self {
            rpc,
            genesis,
            last,
            head: 0,
            wakes: None,
        }
    }

    /// The next finalized block; waits for it, through reconnections. Without a starting point, the newest one comes first.
    /// When more than [`WINDOW`] blocks were missed, the next one is the newest: state decides, not the blocks between.
    /// May be cancelled at any await: nothing is lost.
    ///
    /// # Errors
    /// When the node is of another chain or fork than before. Losing the connection is no error.
    pub async fn next(&mut self) -> Result<Block, WalkFailed> {
        loop {
            match self.step().await {
                Ok(Some(block)) => {
                    self.last = Some(block.block_ref());
                    return Ok(block);
                }
                Ok(None) => self.wait().await,
                Err(Stuck::Failed(failed)) => return Err(failed),
                Err(Stuck::Later(error)) => {
                    tracing::warn!(%error, "cannot read finalized blocks now; trying again");
                    self.wakes = None;
                    tokio::time::sleep(PATIENCE).await;
                }
            }
        }
    }

    async fn step(&mut self) -> Result<Option<Block>, Stuck> {
        let Some(last) = self.last else {
            let head = self.rpc.finalized_head().await?;
            return Ok(Some(self.block(head).await?));
        };
        if self.head <= last.number {
            let head = self.rpc.finalized_head().await?;
            self.head = self.header(head).await?.number;
            self.same_chain(last).await?;
        }
        match self.head.saturating_sub(last.number) {
            0 => Ok(None),
            1..=WINDOW => self.following(last).await.map(Some),
            missed => {
                tracing::info!(missed, "jumping to the newest finalized block");
                self.number(self.head).await.map(Some)
            }
        }
    }

    /// The block after `last`, if it is its child.
    async fn following(&mut self, last: BlockRef) -> Result<Block, Stuck> {
        let number = last.number.saturating_add(1);
        let block = self.number(number).await?;
        match block.parent == last.hash {
            true => Ok(block),
            false => Err(Stuck::Failed(WalkFailed::Fork {
                number,
                expected: last.hash,
            })),
        }
    }

    /// Checks that the node still has what was finalized before. A node that is behind cannot tell yet.
    async fn same_chain(&mut self, last: BlockRef) -> Result<(), Stuck> {
        let expected = BlockHash(self.genesis.0);
        match self.rpc.block_hash(0).await? {
            Some(actual) if actual != expected => {
                return Err(Stuck::Failed(WalkFailed::OtherChain { expected, actual }))
            }
            _ => {}
        }
        if self.head < last.number {
            tracing::warn!(node = self.head, known = last.number, "the node is behind");
            return Ok(());
        }
        match self.rpc.block_hash(last.number).await? {
            Some(hash) if hash != last.hash => Err(Stuck::Failed(WalkFailed::Fork {
                number: last.number,
                expected: last.hash,
            })),
            _ => Ok(()),
        }
    }

    async fn number(&mut self, number: u32) -> Result<Block, Stuck> {
        let hash = self.rpc.block_hash(number).await?;
        let hash = hash.ok_or_else(|| absent(&format!("block {number}")))?;
        self.block(hash).await
    }

    async fn header(&mut self, hash: BlockHash) -> Result<crate::rpc::Header, Stuck> {
        let header = self.rpc.header(hash).await?;
        Ok(header.ok_or_else(|| absent(&format!("header of {hash}")))?)
    }

    async fn block(&mut self, hash: BlockHash) -> Result<Block, Stuck> {
        let header = self.header(hash).await?;
        Ok(Block {
            number: header.number,
            hash,
            parent: header.parent,
            time_ms: self.time_ms(hash).await?,
        })
    }

    async fn time_ms(&mut self, hash: BlockHash) -> Result<u64, RpcFailed> {
        match view::time_ms(&*self.rpc, hash).await {
            Err(error) if error.is_pruned() => Ok(0),
            time => time,
        }
    }

    /// Until the node may know more.
    async fn wait(&mut self) {
        if self.wakes.is_none() {
            self.wakes = self.rpc.finalized_heads().await.ok();
        }
        let Some(wakes) = &mut self.wakes else {
            return tokio::time::sleep(PATIENCE).await;
        };
        if let Ok(None) = tokio::time::timeout(PATIENCE, wakes.next()).await {
            self.wakes = None;
        }
    }
}

fn absent(what: &str) -> RpcFailed {
    RpcFailed::Unavailable {
        reason: format!("it does not have {what} yet"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{hash, FakeNode, GENESIS};

    fn walker(node: &FakeNode, last: Option<u32>) -> Blocks {
        let last = last.map(|number| BlockRef {
            number,
            hash: if number == 0 {
                BlockHash(GENESIS.0)
            } else {
                hash(number, 0)
            },
        });
        Blocks::new(Arc::new(node.clone()), GENESIS, last)
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_starting_point_the_newest_finalized_block_comes_first() {
        let node = FakeNode::with_blocks(7);
        let block = walker(&node, None).next().await.unwrap();
        assert_eq!((block.number, block.time_ms), (7, 14_000));
    }

    #[tokio::test(start_paused = true)]
    async fn every_block_after_the_starting_point_comes_once_and_in_order() {
        let node = FakeNode::with_blocks(9);
        let mut blocks = walker(&node, Some(4));
        for number in 5..=9 {
            let block = blocks.next().await.unwrap();
            assert_eq!((block.number, block.parent), (number, hash(number - 1, 0)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_waits_for_the_next_block() {
        let node = FakeNode::with_blocks(3);
        let mut blocks = walker(&node, Some(3));
        let (block, ()) = futures::join!(blocks.next(), async {
            tokio::time::sleep(PATIENCE * 3).await;
            node.finalize(0, Vec::new());
        });
        assert_eq!(block.unwrap().number, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_connection_is_no_error_and_loses_no_block() {
        let node = FakeNode::with_blocks(5);
        let mut blocks = walker(&node, Some(3));
        assert_eq!(blocks.next().await.unwrap().number, 4);
        node.disconnect_for(5);
        assert_eq!(blocks.next().await.unwrap().number, 5);
        node.disconnect_for(3);
        node.finalize(0, Vec::new());
        assert_eq!(blocks.next().await.unwrap().number, 6);
    }

    #[tokio::test(start_paused = true)]
    async fn it_subscribes_anew_after_the_connection_was_lost() {
        let node = FakeNode::with_blocks(3);
        let mut blocks = walker(&node, Some(3));
        let waiting = tokio::time::timeout(PATIENCE * 2, blocks.next()).await;
        assert!(waiting.is_err());
        assert_eq!(node.subscriptions(), 1);
        node.disconnect_for(1);
        let waiting = tokio::time::timeout(PATIENCE * 4, blocks.next()).await;
        assert!(waiting.is_err());
        assert_eq!(node.subscriptions(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_block_whose_parent_is_another_one_is_a_fork() {
        let node = FakeNode::with_blocks(3);
        node.finalize(1, Vec::new());
        node.finalize(1, Vec::new());
        let fork = WalkFailed::Fork {
            number: 4,
            expected: hash(4, 0),
        };
        assert_eq!(walker(&node, Some(4)).next().await, Err(fork));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fork_while_walking_is_seen_at_the_next_block() {
        let node = FakeNode::with_blocks(4);
        let mut blocks = walker(&node, Some(2));
        assert_eq!(blocks.next().await.unwrap().number, 3);
        node.forget_after(2);
        (0..3).for_each(|_| node.finalize(1, Vec::new()));
        let fork = WalkFailed::Fork {
            number: 4,
            expected: hash(3, 0),
        };
        assert_eq!(blocks.next().await, Err(fork));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_gap_is_jumped_over_to_the_newest_block() {
        let node = FakeNode::with_blocks(WINDOW + 3);
        assert_eq!(walker(&node, Some(3)).next().await.unwrap().number, 4);
        assert_eq!(
            walker(&node, Some(2)).next().await.unwrap().number,
            WINDOW + 3
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_gap_over_a_fork_is_not_jumped() {
        let node = FakeNode::with_blocks(1);
        (0..WINDOW * 2).for_each(|_| node.finalize(1, Vec::new()));
        let fork = WalkFailed::Fork {
            number: 2,
            expected: hash(2, 0),
        };
        assert_eq!(walker(&node, Some(2)).next().await, Err(fork));
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_is_behind_is_waited_for() {
        let node = FakeNode::with_blocks(2);
        let mut blocks = walker(&node, Some(5));
        let (block, ()) = futures::join!(blocks.next(), async {
            for _ in 3..=6 {
                tokio::time::sleep(PATIENCE).await;
                node.finalize(0, Vec::new());
            }
        });
        assert_eq!(block.unwrap().number, 6);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_of_another_chain_is_refused_even_if_it_is_behind() {
        let node = FakeNode::default();
        node.finalize(9, Vec::new());
        let other = WalkFailed::OtherChain {
            expected: BlockHash(GENESIS.0),
            actual: BlockHash([9; 32]),
        };
        assert_eq!(walker(&node, Some(5)).next().await, Err(other));
    }
}
