//! A chain that finalizes nothing, and must be governed all the same: the way out of a stall is itself a motion.
//!
//! Every transaction here is signed for a finalized block and waited for until it is finalized, so in a stall none would
//! come to an end. [`Unfinalized`] takes the newest blocks for final. They may still be abandoned: only for a stall.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use keyward_protocol::{AccountId, BlockHash};
use serde_json::Value;

use crate::rpc::{Entry, Header, PoolHint, Rpc, RpcFailed, Versions};

/// Blocks on top of one that is taken for final.
const DEPTH: u32 = 2;

/// A node, whose blocks count as final when two others are on top of them.
pub(crate) struct Unfinalized(pub Arc<dyn Rpc>);

impl Unfinalized {
    async fn number(&self, hash: BlockHash) -> Result<u32, RpcFailed> {
        let header = self.0.header(hash).await?;
        Ok(header.ok_or_else(|| absent(&hash.to_string()))?.number)
    }
}

fn absent(what: &str) -> RpcFailed {
    RpcFailed::Unavailable {
        reason: format!("it does not have block {what}"),
    }
}

#[async_trait]
impl Rpc for Unfinalized {
    async fn finalized_head(&self) -> Result<BlockHash, RpcFailed> {
        let finalized = self.0.finalized_head().await?;
        let best = self.number(self.0.best_head().await?).await?;
        let number = best.saturating_sub(DEPTH);
        if number <= self.number(finalized).await? {
            return Ok(finalized);
        }
        let hash = self.0.block_hash(number).await?;
        hash.ok_or_else(|| absent(&number.to_string()))
    }

    async fn best_head(&self) -> Result<BlockHash, RpcFailed> {
        self.0.best_head().await
    }

    async fn block_hash(&self, number: u32) -> Result<Option<BlockHash>, RpcFailed> {
        self.0.block_hash(number).await
    }

    async fn header(&self, hash: BlockHash) -> Result<Option<Header>, RpcFailed> {
        self.0.header(hash).await
    }

    async fn body(&self, hash: BlockHash) -> Result<Option<Vec<Vec<u8>>>, RpcFailed> {
        self.0.body(hash).await
    }

    async fn storage(&self, key: &[u8], at: BlockHash) -> Result<Option<Vec<u8>>, RpcFailed> {
        self.0.storage(key, at).await
    }

    async fn entries(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        at: BlockHash,
    ) -> Result<Vec<Entry>, RpcFailed> {
        self.0.entries(prefix, after, at).await
    }

    async fn call(&self, function: &str, args: &[u8], at: BlockHash) -> Result<Vec<u8>, RpcFailed> {
        self.0.call(function, args, at).await
    }

    async fn versions(&self, at: BlockHash) -> Result<Versions, RpcFailed> {
        self.0.versions(at).await
    }

    async fn next_nonce(&self, account: &AccountId) -> Result<u32, RpcFailed> {
        self.0.next_nonce(account).await
    }

    async fn submit(&self, bytes: &[u8]) -> Result<BoxStream<'static, PoolHint>, RpcFailed> {
        self.0.submit(bytes).await
    }

    async fn ask(&self, method: &str, params: Vec<Value>) -> Result<Value, RpcFailed> {
        self.0.ask(method, params).await
    }

    async fn finalized_heads(&self) -> Result<BoxStream<'static, ()>, RpcFailed> {
        self.0.finalized_heads().await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keyward_protocol::Digest;

    use super::*;
    use crate::{
        fake::{hash, FakeNode},
        transaction::{Prepared, MORTALITY},
        Client, SubmitFailed,
    };

    const ALICE: AccountId = AccountId([1; 32]);

    #[tokio::test]
    async fn blocks_with_two_on_top_count_as_final_and_finalized_ones_always() {
        let node = FakeNode::with_blocks(3);
        let rpc = Unfinalized(Arc::new(node.clone()));
        assert_eq!(rpc.finalized_head().await, Ok(hash(3, 0)));
        node.stall();
        (0..2).for_each(|_| node.finalize(0, Vec::new()));
        assert_eq!(rpc.finalized_head().await, Ok(hash(3, 0)));
        (0..2).for_each(|_| node.finalize(0, Vec::new()));
        assert_eq!(rpc.finalized_head().await, Ok(hash(5, 0)));
    }

    #[tokio::test(start_paused = true)]
    async fn during_a_stall_a_transaction_comes_to_an_end() {
        let node = FakeNode::with_blocks(3);
        node.stall();
        node.set_nonce(ALICE, 7);
        let bytes = vec![1, 2, 3];
        let transaction = Prepared {
            hash: Digest(sp_crypto_hashing::blake2_256(&bytes)),
            bytes,
            account: ALICE,
            nonce: 7,
            born: 3,
            expires_at: 3 + MORTALITY,
        };
        let waits = Client::over(Arc::new(node.clone())).await.unwrap();
        let patience = Duration::from_secs(600);
        let grows = async {
            for _ in 0..=MORTALITY + DEPTH {
                tokio::time::sleep(Duration::from_secs(2)).await;
                node.finalize(0, Vec::new());
            }
        };
        let waiting = tokio::time::timeout(patience, waits.send(&transaction, |_| {}));
        let (waited, ()) = futures::join!(waiting, grows);
        assert!(waited.is_err());
        let rpc = Unfinalized(Arc::new(node));
        let goes_on = Client::over(Arc::new(rpc)).await.unwrap();
        let at = 3 + MORTALITY;
        let ended = goes_on.send(&transaction, |_| {}).await;
        assert_eq!(ended, Err(SubmitFailed::Expired { at }));
    }
}
