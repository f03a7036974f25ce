//! The connection to a node.

use std::{sync::Arc, time::Duration};

use keyward_protocol::{beacon::BlockRef, BlockHash, Genesis};

use crate::{
    blocks::Blocks,
    outcome::Outcomes,
    rpc::{Node, Rpc, RpcFailed},
    runtime::{Incompatible, Runtimes},
    transaction::Nonces,
    unfinalized::Unfinalized,
    view::View,
};

/// How long [`Client::connect`] tries.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectFailed {
    /// No node answers there.
    #[error("cannot use the node at {url}: {source}; start keyward-node, or name another address")]
    Unreachable {
        /// Where.
        url: String,
        /// What happened.
        source: RpcFailed,
    },
    /// The node's runtime is not one that this program can talk to.
    #[error(transparent)]
    Incompatible(#[from] Incompatible),
}

impl ConnectFailed {
    /// Whether the same connection may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

/// A node. Cheap to clone; the connection restores itself.
#[derive(Clone)]
pub struct Client {
    pub(crate) rpc: Arc<dyn Rpc>,
    pub(crate) runtimes: Arc<Runtimes>,
    pub(crate) outcomes: Arc<Outcomes>,
    pub(crate) nonces: Arc<Nonces>,
    genesis: Genesis,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client(of {})", self.genesis)
    }
}

impl Client {
    /// Connects to a node, e.g. `ws://127.0.0.1:9944`, and checks that everything used of its runtime is as expected.
    pub async fn connect(url: &str) -> Result<Self, ConnectFailed> {
        Self::connect_within(url, PATIENCE).await
    }

    /// As [`Client::connect`], but tries for as long as this.
    pub async fn connect_within(url: &str, patience: Duration) -> Result<Self, ConnectFailed> {
        Self::connect_over(url, patience, |node| node).await
    }

    /// As [`Client::connect_within`], but takes a block for final when two others are on top of it. For a chain that
    /// finalizes nothing: what this client says happened may still be undone.
    pub async fn connect_unfinalized(url: &str, patience: Duration) -> Result<Self, ConnectFailed> {
        Self::connect_over(url, patience, |node| Arc::new(Unfinalized(node))).await
    }

    async fn connect_over(
        url: &str,
        patience: Duration,
        trust: impl FnOnce(Arc<dyn Rpc>) -> Arc<dyn Rpc>,
    ) -> Result<Self, ConnectFailed> {
        let unreachable = |source| ConnectFailed::Unreachable {
            url: url.to_owned(),
            source,
        };
        let node = Node::connect(url, patience).await.map_err(unreachable)?;
        let client = Self::over(trust(Arc::new(node)))
            .await
            .map_err(unreachable)?;
        let head = client.rpc.finalized_head().await.map_err(unreachable)?;
        client
            .runtimes
            .at(head)
            .await
            .map_err(unreachable)?
            .check()?;
        Ok(client)
    }

    pub(crate) async fn over(rpc: Arc<dyn Rpc>) -> Result<Self, RpcFailed> {
        let first = rpc.block_hash(0).await?.ok_or(RpcFailed::Malformed {
            reason: "no genesis block".into(),
        })?;
        let genesis = Genesis(first.0);
        let runtimes = Arc::new(Runtimes::new(rpc.clone(), genesis));
        Ok(Self {
            outcomes: Arc::new(Outcomes::new(rpc.clone(), runtimes.clone())),
            nonces: Arc::default(),
            runtimes,
            genesis,
            rpc,
        })
    }

    /// Hash of the chain's first block.
    pub fn genesis(&self) -> Genesis {
        self.genesis
    }

    /// The newest finalized block.
    pub async fn finalized(&self) -> Result<BlockRef, RpcFailed> {
        let hash = self.rpc.finalized_head().await?;
        let header = self.rpc.header(hash).await?.ok_or(RpcFailed::Unavailable {
            reason: format!("it does not have the header of {hash}"),
        })?;
        Ok(BlockRef {
            number: header.number,
            hash,
        })
    }

    /// Hash of the block of a number on the node's best chain; none if the node does not have it.
    pub async fn block_hash(&self, number: u32) -> Result<Option<BlockHash>, RpcFailed> {
        self.rpc.block_hash(number).await
    }

    /// Walks finalized blocks: those after `last`, or from the newest one on.
    pub fn finalized_after(&self, last: Option<BlockRef>) -> Blocks {
        Blocks::new(self.rpc.clone(), self.genesis, last)
    }

    /// State at a block.
    pub fn at(&self, block: BlockHash) -> View {
        View::new(self.rpc.clone(), self.runtimes.clone(), block)
    }

    /// Checks the node's runtime as it is now: for a caller that wants to know before it submits.
    pub async fn check(&self) -> Result<Result<(), Incompatible>, RpcFailed> {
        let head = self.rpc.finalized_head().await?;
        Ok(self.runtimes.at(head).await?.check())
    }

    /// `spec_version` of the runtime at a block.
    pub async fn spec_version(&self, at: BlockHash) -> Result<u32, RpcFailed> {
        Ok(self.rpc.versions(at).await?.spec)
    }
}
