//! What became of a transaction: found by its hash in finalized blocks, whoever sent it and whenever.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use codec::Encode;
use keyward_protocol::{beacon::BlockRef, AccountId, BlockHash, Digest};

use crate::{
    dispatch::{applied, DispatchFailure},
    rpc::{decode, Header, Rpc, RpcFailed},
    runtime::Runtimes,
    transaction::Prepared,
    view::storage_key,
};

/// Blocks whose transactions are remembered.
const REMEMBERED: usize = 256;

/// A transaction that is finalized, and whose call succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finalized {
    /// The block that holds it.
    pub block: BlockRef,
    /// Its index there.
    pub index: u32,
    /// Its hash.
    pub hash: Digest,
    /// Names of its events, `Pallet.Event`, in order.
    pub events: Vec<String>,
}

/// What became of a transaction, as far as finalized blocks tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet: it may still land.
    Pending,
    /// It succeeded.
    Finalized(Finalized),
    /// It is in a block, and its call failed: nothing changed but the nonce.
    Failed {
        /// The block that holds it.
        block: BlockRef,
        /// Why.
        failure: DispatchFailure,
    },
    /// It can never land: too many blocks have passed.
    Expired {
        /// The block that ended its life.
        at: u32,
    },
    /// It can never land: another transaction of the account took its nonce.
    Superseded {
        /// The nonce.
        nonce: u32,
    },
    /// It is in a block whose events the node no longer keeps: state decides.
    Unknown {
        /// The block that holds it.
        block: BlockRef,
    },
}

/// Where the search for a transaction stands.
pub(crate) struct Search {
    next: u32,
    head: Option<BlockHash>,
}

impl Search {
    pub(crate) fn new(prepared: &Prepared) -> Self {
        Self {
            next: prepared.born.saturating_add(1),
            head: None,
        }
    }

    /// The newest finalized block that was looked at.
    pub(crate) fn head(&self) -> Option<BlockHash> {
        self.head
    }
}

/// Hash of a block, and of its transactions.
type Body = (BlockHash, Arc<Vec<Digest>>);

/// Looks for transactions in finalized blocks.
pub(crate) struct Outcomes {
    rpc: Arc<dyn Rpc>,
    runtimes: Arc<Runtimes>,
    bodies: Mutex<BTreeMap<u32, Body>>,
}

impl Outcomes {
    pub(crate) fn new(rpc: Arc<dyn Rpc>, runtimes: Arc<Runtimes>) -> Self {
        Self {
            rpc,
            runtimes,
            bodies: Mutex::default(),
        }
    }

    /// Looks at the blocks that were finalized since the last call with this `search`.
    pub(crate) async fn look(
        &self,
        prepared: &Prepared,
        search: &mut Search,
    ) -> Result<Outcome, RpcFailed> {
        let head = self.rpc.finalized_head().await?;
        if search.head == Some(head) {
            return Ok(Outcome::Pending);
        }
        let number = self.header(head).await?.number;
        let last = number.min(prepared.expires_at);
        while search.next <= last {
            let (hash, transactions) = self.body(search.next).await?;
            let index = transactions.iter().position(|hash| *hash == prepared.hash);
            if let Some(index) = index.and_then(|index| u32::try_from(index).ok()) {
                let block = BlockRef {
                    number: search.next,
                    hash,
                };
                return self.applied(prepared, block, index).await;
            }
            search.next = search.next.saturating_add(1);
        }
        if number >= prepared.expires_at {
            return Ok(Outcome::Expired {
                at: prepared.expires_at,
            });
        }
        let outcome = self.superseded(prepared, head).await?;
        search.head = Some(head);
        Ok(outcome)
    }

    /// Every block up to `head` was looked at: if the nonce is used, another transaction used it.
    async fn superseded(&self, prepared: &Prepared, head: BlockHash) -> Result<Outcome, RpcFailed> {
        let nonce = prepared.nonce;
        Ok(match self.nonce(&prepared.account, head).await? > nonce {
            true => Outcome::Superseded { nonce },
            false => Outcome::Pending,
        })
    }

    async fn nonce(&self, account: &AccountId, at: BlockHash) -> Result<u32, RpcFailed> {
        let function = "AccountNonceApi_account_nonce";
        let answer = self.rpc.call(function, &account.encode(), at).await?;
        decode("nonce", &answer)
    }

    async fn applied(
        &self,
        prepared: &Prepared,
        block: BlockRef,
        index: u32,
    ) -> Result<Outcome, RpcFailed> {
        let events = self
            .rpc
            .storage(&storage_key("System", "Events"), block.hash)
            .await;
        // The events are those of the runtime that executed the block; an upgrade in it takes the state to the next one.
        let parent = self.header(block.hash).await?.parent;
        let runtime = self.runtimes.at(parent).await;
        let (events, runtime) = match (events, runtime) {
            (Ok(events), Ok(runtime)) => (events.unwrap_or_default(), runtime),
            (Err(error), _) | (_, Err(error)) if error.is_pruned() => {
                return Ok(Outcome::Unknown { block })
            }
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        Ok(match applied(&runtime, events, index) {
            None => Outcome::Unknown { block },
            Some(applied) => match applied.error {
                Some(failure) => Outcome::Failed { block, failure },
                None => Outcome::Finalized(Finalized {
                    block,
                    index,
                    hash: prepared.hash,
                    events: applied.events,
                }),
            },
        })
    }

    async fn header(&self, hash: BlockHash) -> Result<Header, RpcFailed> {
        let header = self.rpc.header(hash).await?;
        header.ok_or_else(|| absent(&format!("header of {hash}")))
    }

    /// The transactions of a finalized block.
    async fn body(&self, number: u32) -> Result<Body, RpcFailed> {
        if let Some(body) = self.remembered().get(&number) {
            return Ok(body.clone());
        }
        let hash = self.rpc.block_hash(number).await?;
        let hash = hash.ok_or_else(|| absent(&format!("block {number}")))?;
        let body = self.rpc.body(hash).await?;
        let body = body.ok_or_else(|| absent(&format!("the body of block {number}")))?;
        let name = |bytes: &Vec<u8>| Digest(sp_crypto_hashing::blake2_256(bytes));
        let body = (hash, Arc::new(body.iter().map(name).collect()));
        let mut remembered = self.remembered();
        remembered.insert(number, body.clone());
        while remembered.len() > REMEMBERED {
            remembered.pop_first();
        }
        Ok(body)
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, Body>> {
        self.bodies
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn absent(what: &str) -> RpcFailed {
    RpcFailed::Unavailable {
        reason: format!("it does not have {what}"),
    }
}
