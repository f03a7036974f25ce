//! Follows finalized blocks, and reads the state of those at which it changed (BRG-2).

use std::sync::{
    atomic::{AtomicBool, Ordering},
    Arc,
};

use async_trait::async_trait;
use keyward_chain_client::{Blocks, Client, ReadFailed, WalkFailed};
use keyward_protocol::{beacon::BlockRef, AccountId};
use tokio::sync::mpsc;

use super::{snapshot::Reader, ChainFailed};
use crate::{
    health::Health,
    owner::Event,
    relay::{
        fleet::{Block, Fleet},
        Input,
    },
};

/// What is asked of a node.
#[async_trait]
pub(super) trait Source: Send {
    /// The next finalized block.
    async fn next(&mut self) -> Result<BlockRef, WalkFailed>;
    /// The newest finalized block, if the node answers.
    async fn head(&mut self) -> Option<BlockRef>;
    /// Time of a block in milliseconds since 1970, and `FleetApi.changes` there.
    async fn summary(&mut self, block: BlockRef) -> Result<(u64, u64), ReadFailed>;
    /// The whole state at a block.
    async fn state(&mut self, block: BlockRef) -> Result<Fleet, ReadFailed>;
}

/// A node that is connected.
pub(super) struct Node {
    client: Client,
    blocks: Blocks,
    reader: Reader,
}

impl Node {
    /// Gives the blocks after `cursor`.
    pub(super) fn new(client: Client, account: AccountId, cursor: Option<BlockRef>) -> Self {
        Self {
            blocks: client.finalized_after(cursor),
            reader: Reader::new(client.clone(), account),
            client,
        }
    }
}

#[async_trait]
impl Source for Node {
    async fn next(&mut self) -> Result<BlockRef, WalkFailed> {
        Ok(self.blocks.next().await?.block_ref())
    }

    async fn head(&mut self) -> Option<BlockRef> {
        self.client.finalized().await.ok()
    }

    async fn summary(&mut self, block: BlockRef) -> Result<(u64, u64), ReadFailed> {
        let view = self.client.at(block.hash);
        futures::try_join!(view.time_ms(), view.changes())
    }

    async fn state(&mut self, block: BlockRef) -> Result<Fleet, ReadFailed> {
        self.reader.read(block).await
    }
}

pub(super) struct Follower<S> {
    pub(super) source: S,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) health: Arc<Health>,
    /// Whether the state is to be read, changed or not.
    pub(super) refresh: Arc<AtomicBool>,
    /// `FleetApi.changes` when the state was read last.
    pub(super) changes: Option<u64>,
}

impl<S: Source> Follower<S> {
    /// Follows blocks after `cursor`, for ever.
    pub(super) async fn run(mut self, cursor: Option<BlockRef>) -> ChainFailed {
        // After a restart while no block is finalized, the last one is all there is to go by.
        if let Some(cursor) = cursor {
            if self.source.head().await == Some(cursor) {
                self.look(cursor).await;
            }
        }
        loop {
            match self.source.next().await {
                Ok(block) if self.is_overtaken(block).await => {}
                Ok(block) => self.look(block).await,
                Err(failed) => return failed.into(),
            }
        }
    }

    /// Whether newer blocks are finalized already: the newest one decides.
    async fn is_overtaken(&mut self, block: BlockRef) -> bool {
        let head = self.source.head().await;
        head.is_some_and(|head| head.number > block.number)
    }

    /// Tells of a block. One whose state cannot be read is not told of: what is said at it would claim to know the state.
    async fn look(&mut self, block: BlockRef) {
        match self.read(block).await {
            Ok(told) => {
                self.health.saw_block(block.number);
                // Nobody listens any more when the bridge stops.
                let _ = self.events.send(Event::Input(Input::Finalized(told))).await;
            }
            Err(ReadFailed::Incompatible(why)) => {
                tracing::error!(%why, block = block.number, "the chain is not understood; nothing is submitted");
                self.health.chain_is_incompatible(why.to_string());
            }
            Err(error) => {
                tracing::warn!(%error, block = block.number, "cannot read the state; trying at the next block");
                self.health.chain_failed(error.to_string());
            }
        }
    }

    async fn read(&mut self, block: BlockRef) -> Result<Block, ReadFailed> {
        let (time_ms, changes) = self.source.summary(block).await?;
        let asked = self.refresh.swap(false, Ordering::Relaxed);
        let fleet = match asked || self.changes != Some(changes) {
            false => None,
            true => Some(Box::new(self.state(block, asked).await?)),
        };
        self.changes = Some(changes);
        Ok(Block {
            block,
            time_ms,
            fleet,
        })
    }

    async fn state(&mut self, block: BlockRef, asked: bool) -> Result<Fleet, ReadFailed> {
        let fleet = self.source.state(block).await;
        if fleet.is_err() {
            // Whoever asked still wants to know.
            self.refresh.fetch_or(asked, Ordering::Relaxed);
        }
        fleet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    use keyward_chain_client::{Incompatible, RpcFailed};
    use keyward_protocol::BlockHash;

    /// What a block is like.
    #[derive(Clone, Copy)]
    struct Scripted {
        number: u32,
        changes: u64,
        /// Newest block when this one is given.
        head: u32,
        fails: Option<fn() -> ReadFailed>,
    }

    const PLAIN: Scripted = Scripted {
        number: 0,
        changes: 1,
        head: 0,
        fails: None,
    };

    struct Script {
        blocks: VecDeque<Scripted>,
        at: Scripted,
    }

    fn block(number: u32) -> BlockRef {
        BlockRef {
            number,
            hash: BlockHash([0; 32]),
        }
    }

    #[async_trait]
    impl Source for Script {
        async fn next(&mut self) -> Result<BlockRef, WalkFailed> {
            let end = WalkFailed::Fork {
                number: 0,
                expected: BlockHash([0; 32]),
            };
            self.at = self.blocks.pop_front().ok_or(end)?;
            Ok(block(self.at.number))
        }

        async fn head(&mut self) -> Option<BlockRef> {
            Some(block(self.at.head))
        }

        async fn summary(&mut self, block: BlockRef) -> Result<(u64, u64), ReadFailed> {
            Ok((u64::from(block.number) * 2_000, self.at.changes))
        }

        async fn state(&mut self, _: BlockRef) -> Result<Fleet, ReadFailed> {
            self.at
                .fails
                .map_or(Ok(Fleet::default()), |fails| Err(fails()))
        }
    }

    fn unavailable() -> ReadFailed {
        ReadFailed::Rpc(RpcFailed::Unavailable {
            reason: "gone".into(),
        })
    }

    fn incompatible() -> ReadFailed {
        ReadFailed::Incompatible(Incompatible {
            actual: 2,
            expected: 1,
            differences: Vec::new(),
        })
    }

    /// Follows a script; gives the blocks that were told, and whether each came with its state.
    async fn told(
        cursor: Option<u32>,
        refresh: bool,
        blocks: impl IntoIterator<Item = Scripted>,
    ) -> (Vec<(u32, bool)>, Arc<Health>) {
        let (events, mut waiting) = mpsc::channel(64);
        let health = Arc::new(Health::default());
        let at = Scripted {
            head: cursor.unwrap_or(0),
            ..PLAIN
        };
        let follower = Follower {
            source: Script {
                blocks: blocks.into_iter().collect(),
                at,
            },
            events,
            health: health.clone(),
            refresh: Arc::new(AtomicBool::new(refresh)),
            changes: None,
        };
        follower.run(cursor.map(block)).await;
        let mut told = Vec::new();
        while let Some(Event::Input(Input::Finalized(block))) = waiting.recv().await {
            told.push((block.block.number, block.fleet.is_some()));
        }
        (told, health)
    }

    #[tokio::test]
    async fn state_is_read_at_first_and_when_it_changed() {
        let numbered = |number, changes| Scripted {
            number,
            changes,
            head: number,
            ..PLAIN
        };
        let blocks = [
            numbered(1, 5),
            numbered(2, 5),
            numbered(3, 6),
            numbered(4, 6),
        ];
        let (told, _) = told(None, false, blocks).await;
        assert_eq!(told, [(1, true), (2, false), (3, true), (4, false)]);
    }

    #[tokio::test]
    async fn the_newest_block_decides_and_those_before_it_are_passed_over() {
        let behind = |number| Scripted {
            number,
            head: 3,
            ..PLAIN
        };
        let (told, _) = told(None, false, [behind(1), behind(2), behind(3)]).await;
        assert_eq!(told, [(3, true)]);
    }

    #[tokio::test]
    async fn without_a_newer_block_the_last_one_is_looked_at_again() {
        let (told, _) = told(Some(7), false, []).await;
        assert_eq!(told, [(7, true)]);
    }

    #[tokio::test]
    async fn a_block_whose_state_cannot_be_read_is_not_told_and_the_next_one_makes_up_for_it() {
        let failing = Scripted {
            number: 1,
            head: 1,
            fails: Some(unavailable),
            ..PLAIN
        };
        let fine = Scripted {
            number: 2,
            head: 2,
            ..PLAIN
        };
        let (told, health) = told(None, true, [failing, fine]).await;
        assert_eq!(told, [(2, true)]);
        assert!(health.since_block().is_some());
    }

    #[tokio::test]
    async fn a_chain_that_is_not_understood_is_named_and_nothing_is_told() {
        let strange = Scripted {
            number: 1,
            head: 1,
            fails: Some(incompatible),
            ..PLAIN
        };
        let (told, health) = told(None, false, [strange]).await;
        assert!(told.is_empty());
        let why = health.not_ready(None).unwrap();
        assert!(why.contains("runtime version 2"), "{why}");
    }
}
