//! What this crate asks of a node: the legacy JSON-RPC methods, behind a trait so that a test can stand in for the node.

use std::time::Duration;

use async_trait::async_trait;
use codec::Decode;
use futures::{stream::BoxStream, StreamExt};
use keyward_protocol::{AccountId, BlockHash};
use serde_json::Value;
use subxt::{
    config::{
        substrate::{DigestItem, H256},
        RpcConfigFor,
    },
    rpcs::{
        client::{reconnecting_rpc_client::ExponentialBackoff, ReconnectingRpcClient, RpcParams},
        methods::legacy::{Bytes, LegacyRpcMethods, NumberOrHex, TransactionStatus},
        RpcClient,
    },
    utils::AccountId32,
    SubstrateConfig,
};

/// Longest wait for one answer. While the connection is being restored, requests wait; after this they fail.
const DEADLINE: Duration = Duration::from_secs(20);
/// Longest pause between two attempts to reconnect.
const RECONNECT_AT_MOST: Duration = Duration::from_secs(5);

/// Why the node did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RpcFailed {
    /// No connection, or no answer in time. Worth trying again.
    #[error("the node does not answer: {reason}")]
    Unavailable {
        /// What the connection reported.
        reason: String,
    },
    /// The node answered with an error.
    #[error("the node refused the request: {message}{}", data.as_deref().map(|data| format!(" ({data})")).unwrap_or_default())]
    Refused {
        /// JSON-RPC error code.
        code: i32,
        /// Its message.
        message: String,
        /// Its data, as text.
        data: Option<String>,
    },
    /// The answer is not what the method should return.
    #[error("the node's answer makes no sense: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
}

impl RpcFailed {
    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Whether the node answers this request only where it counts as safe: on its own machine, or with `--rpc-methods unsafe`.
    pub fn is_unsafe(&self) -> bool {
        matches!(self, Self::Refused { message, .. } if message.contains("unsafe to be called"))
    }

    /// Whether the node no longer keeps the state of the block.
    pub fn is_pruned(&self) -> bool {
        let says = |text: &str| text.contains("State already discarded");
        matches!(self, Self::Refused { message, data, .. } if says(message) || data.as_deref().is_some_and(says))
    }
}

impl From<subxt::rpcs::Error> for RpcFailed {
    fn from(error: subxt::rpcs::Error) -> Self {
        use subxt::rpcs::Error;
        match error {
            Error::User(error) => Self::Refused {
                code: error.code,
                message: error.message,
                data: error.data.map(|raw| raw.get().trim_matches('"').to_owned()),
            },
            Error::Serialization(error) | Error::Deserialization(error) => Self::Malformed {
                reason: error.to_string(),
            },
            Error::Decode(error) => Self::Malformed {
                reason: error.to_string(),
            },
            other => Self::Unavailable {
                reason: other.to_string(),
            },
        }
    }
}

/// The part of a block's header that is used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Number of the block.
    pub number: u32,
    /// Hash of its parent.
    pub parent: BlockHash,
    /// The Aura slot in which it was authored, if its header says so.
    pub slot: Option<u64>,
}

/// What the transaction pool says of a transaction: a hint, never the truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolHint {
    /// In the pool, or on its way to other nodes.
    Waiting,
    /// In this block, which may still be abandoned.
    InBlock(BlockHash),
    /// In a finalized block.
    Finalized(BlockHash),
    /// Out of the pool; the text says why.
    Left(String),
}

/// Versions of the runtime at a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// Rises with every runtime upgrade.
    pub spec: u32,
    /// Rises when the encoding of transactions changes.
    pub transaction: u32,
}

/// Entries of a storage map asked for at once.
pub const ENTRIES: u32 = 256;

/// Key and value of a storage map's entry.
pub type Entry = (Vec<u8>, Vec<u8>);

/// What a node is asked.
#[async_trait]
pub trait Rpc: Send + Sync + 'static {
    /// Hash of the newest finalized block.
    async fn finalized_head(&self) -> Result<BlockHash, RpcFailed>;
    /// Hash of the newest block, which may still be abandoned.
    async fn best_head(&self) -> Result<BlockHash, RpcFailed>;
    /// Hash of the block of a number on the best chain.
    async fn block_hash(&self, number: u32) -> Result<Option<BlockHash>, RpcFailed>;
    /// A block's header.
    async fn header(&self, hash: BlockHash) -> Result<Option<Header>, RpcFailed>;
    /// A block's extrinsics.
    async fn body(&self, hash: BlockHash) -> Result<Option<Vec<Vec<u8>>>, RpcFailed>;
    /// A storage value at a block.
    async fn storage(&self, key: &[u8], at: BlockHash) -> Result<Option<Vec<u8>>, RpcFailed>;
    /// Up to [`ENTRIES`] keys with their values, from those that begin with `prefix` and come after `after`.
    async fn entries(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        at: BlockHash,
    ) -> Result<Vec<Entry>, RpcFailed>;
    /// The answer of a runtime API at a block.
    async fn call(&self, function: &str, args: &[u8], at: BlockHash) -> Result<Vec<u8>, RpcFailed>;
    /// Versions of the runtime at a block.
    async fn versions(&self, at: BlockHash) -> Result<Versions, RpcFailed>;
    /// The next nonce of an account, transactions in the pool counted.
    async fn next_nonce(&self, account: &AccountId) -> Result<u32, RpcFailed>;
    /// Gives a transaction to the pool, and follows it there.
    async fn submit(&self, bytes: &[u8]) -> Result<BoxStream<'static, PoolHint>, RpcFailed>;
    /// Any other method: what a node tells of itself.
    async fn ask(&self, method: &str, params: Vec<Value>) -> Result<Value, RpcFailed>;
    /// Wakes whenever a block is finalized; ends when the connection is lost.
    async fn finalized_heads(&self) -> Result<BoxStream<'static, ()>, RpcFailed>;
}

/// A node, over a WebSocket connection that restores itself.
pub struct Node {
    client: RpcClient,
    methods: LegacyRpcMethods<RpcConfigFor<SubstrateConfig>>,
}

impl Node {
    /// Connects, within `patience`.
    pub async fn connect(url: &str, patience: Duration) -> Result<Self, RpcFailed> {
        let retry = ExponentialBackoff::from_millis(50).max_delay(RECONNECT_AT_MOST);
        let building = ReconnectingRpcClient::builder()
            .retry_policy(retry)
            .request_timeout(DEADLINE)
            .build(url);
        let unavailable = |reason: String| RpcFailed::Unavailable { reason };
        let client = tokio::time::timeout(patience, building)
            .await
            .map_err(|_| unavailable(format!("no connection within {} s", patience.as_secs())))?
            .map_err(|error| unavailable(error.to_string()))?;
        let client = RpcClient::new(client);
        Ok(Self {
            methods: LegacyRpcMethods::new(client.clone()),
            client,
        })
    }
}

/// Waits for an answer, and asks again when the connection was lost meanwhile: every request here may be repeated.
async fn answer<T, F>(ask: impl Fn() -> F) -> Result<T, RpcFailed>
where
    F: std::future::Future<Output = Result<T, subxt::rpcs::Error>>,
{
    let asking = async {
        loop {
            match ask().await {
                Err(error) if error.is_disconnected_will_reconnect() => {
                    tracing::debug!(%error, "connection lost, asking again");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                other => return other.map_err(RpcFailed::from),
            }
        }
    };
    tokio::time::timeout(DEADLINE, asking)
        .await
        .map_err(|_| RpcFailed::Unavailable {
            reason: format!("no answer within {} s", DEADLINE.as_secs()),
        })?
}

fn hash(hash: H256) -> BlockHash {
    BlockHash(hash.0)
}

/// Aura's name in digests.
const AURA: [u8; 4] = *b"aura";

fn slot(logs: &[DigestItem]) -> Option<u64> {
    logs.iter().find_map(|log| match log {
        DigestItem::PreRuntime(AURA, slot) => Some(u64::from_le_bytes(slot[..].try_into().ok()?)),
        _ => None,
    })
}

fn pool_hint(status: TransactionStatus<H256>) -> PoolHint {
    match status {
        TransactionStatus::Future
        | TransactionStatus::Ready
        | TransactionStatus::Broadcast(_)
        | TransactionStatus::Retracted(_) => PoolHint::Waiting,
        TransactionStatus::InBlock(block) => PoolHint::InBlock(hash(block)),
        TransactionStatus::Finalized(block) => PoolHint::Finalized(hash(block)),
        TransactionStatus::FinalityTimeout(_) => PoolHint::Left("finality took too long".into()),
        TransactionStatus::Usurped(_) => {
            PoolHint::Left("another transaction took its nonce".into())
        }
        TransactionStatus::Dropped => PoolHint::Left("the pool is full".into()),
        TransactionStatus::Invalid => PoolHint::Left("it became invalid".into()),
    }
}

#[async_trait]
impl Rpc for Node {
    async fn finalized_head(&self) -> Result<BlockHash, RpcFailed> {
        answer(|| self.methods.chain_get_finalized_head())
            .await
            .map(hash)
    }

    async fn best_head(&self) -> Result<BlockHash, RpcFailed> {
        let found = answer(|| self.methods.chain_get_block_hash(None)).await?;
        found.map(hash).ok_or_else(|| RpcFailed::Malformed {
            reason: "no newest block".into(),
        })
    }

    async fn block_hash(&self, number: u32) -> Result<Option<BlockHash>, RpcFailed> {
        let number = || Some(NumberOrHex::Number(number.into()));
        let found = answer(|| self.methods.chain_get_block_hash(number())).await?;
        Ok(found.map(hash))
    }

    async fn header(&self, at: BlockHash) -> Result<Option<Header>, RpcFailed> {
        let found = answer(|| self.methods.chain_get_header(Some(H256(at.0)))).await?;
        let convert = |header: subxt::config::substrate::SubstrateHeader<H256>| {
            let number = u32::try_from(header.number).map_err(|_| RpcFailed::Malformed {
                reason: format!("block number {}", header.number),
            })?;
            Ok(Header {
                number,
                parent: hash(header.parent_hash),
                slot: slot(&header.digest.logs),
            })
        };
        found.map(convert).transpose()
    }

    async fn body(&self, at: BlockHash) -> Result<Option<Vec<Vec<u8>>>, RpcFailed> {
        let found = answer(|| self.methods.chain_get_block(Some(H256(at.0)))).await?;
        Ok(found.map(|details| {
            let extrinsics = details.block.extrinsics.into_iter();
            extrinsics.map(|extrinsic| extrinsic.0).collect()
        }))
    }

    async fn storage(&self, key: &[u8], at: BlockHash) -> Result<Option<Vec<u8>>, RpcFailed> {
        answer(|| self.methods.state_get_storage(key, Some(H256(at.0)))).await
    }

    async fn entries(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        at: BlockHash,
    ) -> Result<Vec<Entry>, RpcFailed> {
        let at = Some(H256(at.0));
        let keys = answer(|| {
            self.methods
                .state_get_keys_paged(prefix, ENTRIES, after, at)
        })
        .await?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let keys = || keys.iter().map(|key| &key[..]);
        let changes = answer(|| self.methods.state_query_storage_at(keys(), at)).await?;
        let values = changes.into_iter().flat_map(|set| set.changes);
        let entry = |(key, value): (Bytes, Option<Bytes>)| Some((key.0, value?.0));
        Ok(values.filter_map(entry).collect())
    }

    async fn call(&self, function: &str, args: &[u8], at: BlockHash) -> Result<Vec<u8>, RpcFailed> {
        answer(|| {
            self.methods
                .state_call(function, Some(args), Some(H256(at.0)))
        })
        .await
    }

    async fn versions(&self, at: BlockHash) -> Result<Versions, RpcFailed> {
        let version = answer(|| self.methods.state_get_runtime_version(Some(H256(at.0)))).await?;
        Ok(Versions {
            spec: version.spec_version,
            transaction: version.transaction_version,
        })
    }

    async fn next_nonce(&self, account: &AccountId) -> Result<u32, RpcFailed> {
        let account = AccountId32(account.0);
        let nonce = answer(|| self.methods.system_account_next_index(&account)).await?;
        u32::try_from(nonce).map_err(|_| RpcFailed::Malformed {
            reason: format!("nonce {nonce}"),
        })
    }

    async fn submit(&self, bytes: &[u8]) -> Result<BoxStream<'static, PoolHint>, RpcFailed> {
        let watching = answer(|| self.methods.author_submit_and_watch_extrinsic(bytes)).await?;
        let hints = watching.map(|status| match status {
            Ok(status) => Some(pool_hint(status)),
            Err(_) => None,
        });
        let until_lost = hints.take_while(|hint| std::future::ready(hint.is_some()));
        Ok(until_lost.filter_map(std::future::ready).boxed())
    }

    async fn ask(&self, method: &str, params: Vec<Value>) -> Result<Value, RpcFailed> {
        let asking = || async {
            let mut encoded = RpcParams::new();
            for param in &params {
                encoded.push(param)?;
            }
            self.client.request(method, encoded).await
        };
        answer(asking).await
    }

    async fn finalized_heads(&self) -> Result<BoxStream<'static, ()>, RpcFailed> {
        let heads = answer(|| self.methods.chain_subscribe_finalized_heads()).await?;
        let until_lost = heads.take_while(|head| std::future::ready(head.is_ok()));
        Ok(until_lost.map(|_| ()).boxed())
    }
}

/// Decodes an answer, all of it.
pub fn decode<T: Decode>(what: &str, bytes: &[u8]) -> Result<T, RpcFailed> {
    let mut input = bytes;
    let value = T::decode(&mut input).map_err(|error| RpcFailed::Malformed {
        reason: format!("{what}: {error}"),
    })?;
    match input.len() {
        0 => Ok(value),
        left => Err(RpcFailed::Malformed {
            reason: format!("{what}: {left} bytes too many"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(message: &str, data: Option<&str>) -> RpcFailed {
        RpcFailed::Refused {
            code: 4003,
            message: message.into(),
            data: data.map(Into::into),
        }
    }

    #[test]
    fn a_discarded_state_is_told_from_other_refusals_and_is_not_asked_for_again() {
        let pruned = refused(
            "Client error: UnknownBlock",
            Some("State already discarded for 0x12"),
        );
        assert!(pruned.is_pruned() && !pruned.is_retryable());
        assert!(!refused("Client error: Execution failed", None).is_pruned());
    }

    #[test]
    fn a_request_that_the_node_answers_only_at_home_is_told_from_other_refusals() {
        let refusal = refused("RPC call is unsafe to be called externally", None);
        assert!(refusal.is_unsafe() && !refusal.is_retryable());
        assert!(!refused("Method not found", None).is_unsafe());
    }

    #[test]
    fn the_slot_of_a_block_is_in_its_digest() {
        let aura = DigestItem::PreRuntime(AURA, 77u64.to_le_bytes().to_vec());
        let other = DigestItem::PreRuntime(*b"BABE", vec![1; 8]);
        assert_eq!(slot(&[other.clone(), aura]), Some(77));
        assert_eq!(slot(&[other]), None);
        assert_eq!(slot(&[DigestItem::PreRuntime(AURA, vec![1; 7])]), None);
    }

    #[test]
    fn a_lost_connection_is_worth_trying_again() {
        let lost = RpcFailed::from(subxt::rpcs::Error::DisconnectedWillReconnect("lost".into()));
        assert!(lost.is_retryable() && !lost.is_pruned());
    }

    #[test]
    fn an_answer_with_bytes_left_over_or_missing_makes_no_sense() {
        assert_eq!(decode::<u16>("number", &[1, 0]), Ok(1));
        for bytes in [&[1, 0, 0][..], &[1]] {
            let refused = decode::<u16>("number", bytes).unwrap_err();
            assert!(matches!(refused, RpcFailed::Malformed { .. }));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_never_answers_is_not_waited_for_for_ever() {
        let asked = answer(std::future::pending::<Result<(), subxt::rpcs::Error>>).await;
        assert!(asked.unwrap_err().is_retryable());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_asked_when_the_connection_was_lost_is_asked_again() {
        let asked = std::sync::atomic::AtomicU32::new(0);
        let ask = || async {
            match asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                0 | 1 => Err(subxt::rpcs::Error::DisconnectedWillReconnect("lost".into())),
                n => Ok(n),
            }
        };
        assert_eq!(answer(ask).await, Ok(2));
    }
}
