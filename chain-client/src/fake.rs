//! A node for tests: a list of finalized blocks that a test lets grow, break and come back.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use codec::{Compact, Encode};
use futures::{
    stream::{self, BoxStream},
    StreamExt,
};
use keyward_protocol::{AccountId, BlockHash, Genesis};
use serde_json::Value;

use crate::{
    rpc::{Entry, Header, PoolHint, Rpc, RpcFailed, Versions, ENTRIES},
    view::storage_key,
};

#[derive(Default)]
struct State {
    /// Finalized blocks by number, with their transactions.
    blocks: Vec<(BlockHash, BlockHash, Vec<Vec<u8>>)>,
    /// Requests that fail from now on.
    failing: u32,
    nonces: HashMap<AccountId, u32>,
    submitted: Vec<Vec<u8>>,
    refuse: Option<RpcFailed>,
    subscriptions: u32,
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    /// From a block on, these values are stored; none of a block before.
    history: BTreeMap<Vec<u8>, BTreeMap<u32, Vec<u8>>>,
    /// Storage reads so far.
    reads: u32,
    /// The state of blocks before this one is gone.
    pruned_before: usize,
    /// Blocks from this number on are not finalized.
    unfinalized_from: Option<usize>,
    /// What it answers to other methods and runtime APIs.
    answers: HashMap<String, Value>,
    apis: HashMap<String, Vec<u8>>,
}

/// The node.
#[derive(Clone, Default)]
pub(crate) struct FakeNode(Arc<Mutex<State>>);

/// A block's hash: its number, and the fork it is on.
pub(crate) fn hash(number: u32, fork: u8) -> BlockHash {
    let mut hash = [fork; 32];
    hash[..4].copy_from_slice(&number.to_le_bytes());
    BlockHash(hash)
}

pub(crate) const GENESIS: Genesis = Genesis([0; 32]);

impl FakeNode {
    /// A node with blocks 0 to `head` on fork 0.
    pub(crate) fn with_blocks(head: u32) -> Self {
        let node = Self::default();
        (0..=head).for_each(|_| node.finalize(0, Vec::new()));
        node
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Finalizes one more block.
    pub(crate) fn finalize(&self, fork: u8, transactions: Vec<Vec<u8>>) {
        let mut state = self.state();
        let number = state.blocks.len() as u32;
        let parent = state
            .blocks
            .last()
            .map_or(BlockHash([0; 32]), |block| block.0);
        let own = if number == 0 {
            BlockHash([fork; 32])
        } else {
            hash(number, fork)
        };
        state.blocks.push((own, parent, transactions));
    }

    /// Takes blocks back, so that only those up to `head` are left.
    pub(crate) fn forget_after(&self, head: u32) {
        self.state().blocks.truncate(head as usize + 1);
    }

    /// Lets so many requests fail as if the connection were lost.
    pub(crate) fn disconnect_for(&self, requests: u32) {
        self.state().failing = requests;
    }

    pub(crate) fn set_nonce(&self, account: AccountId, nonce: u32) {
        self.state().nonces.insert(account, nonce);
    }

    pub(crate) fn refuse_transactions(&self, with: Option<RpcFailed>) {
        self.state().refuse = with;
    }

    pub(crate) fn store(&self, key: Vec<u8>, value: Vec<u8>) {
        self.state().entries.insert(key, value);
    }

    /// Stores a value in a block and those after it.
    pub(crate) fn store_from(&self, number: u32, key: Vec<u8>, value: Vec<u8>) {
        let mut state = self.state();
        state.history.entry(key).or_default().insert(number, value);
    }

    /// Forgets the state of the blocks before this one.
    pub(crate) fn prune_before(&self, number: u32) {
        self.state().pruned_before = number as usize;
    }

    /// Storage reads so far.
    pub(crate) fn reads(&self) -> u32 {
        self.state().reads
    }

    /// Finalizes nothing more.
    pub(crate) fn stall(&self) {
        let mut state = self.state();
        state.unfinalized_from = Some(state.blocks.len());
    }

    /// What it answers to another method.
    pub(crate) fn answer(&self, method: &str, with: Value) {
        self.state().answers.insert(method.to_owned(), with);
    }

    /// What a runtime API answers.
    pub(crate) fn answer_call(&self, function: &str, with: Vec<u8>) {
        self.state().apis.insert(function.to_owned(), with);
    }

    pub(crate) fn submitted(&self) -> Vec<Vec<u8>> {
        self.state().submitted.clone()
    }

    pub(crate) fn subscriptions(&self) -> u32 {
        self.state().subscriptions
    }

    fn connected(&self) -> Result<MutexGuard<'_, State>, RpcFailed> {
        let mut state = self.state();
        if state.failing == 0 {
            return Ok(state);
        }
        state.failing -= 1;
        Err(RpcFailed::Unavailable {
            reason: "connection lost".into(),
        })
    }
}

fn find(state: &State, hash: BlockHash) -> Option<usize> {
    state.blocks.iter().position(|block| block.0 == hash)
}

#[async_trait]
impl Rpc for FakeNode {
    async fn finalized_head(&self) -> Result<BlockHash, RpcFailed> {
        let state = self.connected()?;
        let finalized = state.unfinalized_from.unwrap_or(state.blocks.len());
        Ok(state.blocks[finalized - 1].0)
    }

    async fn best_head(&self) -> Result<BlockHash, RpcFailed> {
        Ok(self.connected()?.blocks.last().unwrap().0)
    }

    async fn block_hash(&self, number: u32) -> Result<Option<BlockHash>, RpcFailed> {
        Ok(self
            .connected()?
            .blocks
            .get(number as usize)
            .map(|block| block.0))
    }

    async fn header(&self, hash: BlockHash) -> Result<Option<Header>, RpcFailed> {
        let state = self.connected()?;
        Ok(find(&state, hash).map(|number| Header {
            number: number as u32,
            parent: state.blocks[number].1,
            slot: Some(number as u64),
        }))
    }

    async fn body(&self, hash: BlockHash) -> Result<Option<Vec<Vec<u8>>>, RpcFailed> {
        let state = self.connected()?;
        Ok(find(&state, hash).map(|number| state.blocks[number].2.clone()))
    }

    async fn storage(&self, key: &[u8], at: BlockHash) -> Result<Option<Vec<u8>>, RpcFailed> {
        let mut state = self.connected()?;
        state.reads += 1;
        let number = find(&state, at).unwrap_or_default();
        if number < state.pruned_before {
            return Err(RpcFailed::Refused {
                code: 4003,
                message: "Client error: Api called for an unknown Block: State already discarded"
                    .into(),
                data: None,
            });
        }
        if let Some(values) = state.history.get(key) {
            let mut until = values.range(..=number as u32);
            return Ok(until.next_back().map(|(_, value)| value.clone()));
        }
        if let Some(value) = state.entries.get(key) {
            return Ok(Some(value.clone()));
        }
        let time = key == storage_key("Timestamp", "Now");
        let number = find(&state, at).filter(|_| time);
        Ok(number.map(|number| (number as u64 * 2_000).encode()))
    }

    async fn entries(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        _: BlockHash,
    ) -> Result<Vec<Entry>, RpcFailed> {
        let state = self.connected()?;
        let fits =
            |key: &Vec<u8>| key.starts_with(prefix) && after.is_none_or(|after| &key[..] > after);
        let entries = state.entries.iter().filter(|(key, _)| fits(key));
        let entries = entries.map(|(key, value)| (key.clone(), value.clone()));
        Ok(entries.take(ENTRIES as usize).collect())
    }

    async fn call(&self, function: &str, args: &[u8], _: BlockHash) -> Result<Vec<u8>, RpcFailed> {
        let state = self.connected()?;
        if let Some(answer) = state.apis.get(function) {
            return Ok(answer.clone());
        }
        match function {
            "AccountNonceApi_account_nonce" => {
                let account = AccountId(args.try_into().unwrap());
                Ok(state.nonces.get(&account).copied().unwrap_or(0).encode())
            }
            "Metadata_metadata_versions" => Ok(vec![14u32, 15, 16].encode()),
            "Metadata_metadata_at_version" => {
                let metadata = include_bytes!("../metadata.scale");
                let length = Compact(metadata.len() as u32);
                Ok([&Some(length).encode()[..], metadata].concat())
            }
            // A list that never ends: the same full page again and again.
            "FleetApi_groups" => Ok(vec!["g"; 1024].encode()),
            other => panic!("{other}"),
        }
    }

    async fn versions(&self, _: BlockHash) -> Result<Versions, RpcFailed> {
        let _connected = self.connected()?;
        Ok(Versions {
            spec: 1,
            transaction: 1,
        })
    }

    async fn next_nonce(&self, account: &AccountId) -> Result<u32, RpcFailed> {
        Ok(self.connected()?.nonces.get(account).copied().unwrap_or(0))
    }

    async fn submit(&self, bytes: &[u8]) -> Result<BoxStream<'static, PoolHint>, RpcFailed> {
        let mut state = self.connected()?;
        state.submitted.push(bytes.to_vec());
        match state.refuse.clone() {
            Some(refusal) => Err(refusal),
            None => Ok(stream::empty().boxed()),
        }
    }

    async fn ask(&self, method: &str, _: Vec<Value>) -> Result<Value, RpcFailed> {
        let answer = self.connected()?.answers.get(method).cloned();
        answer.ok_or_else(|| RpcFailed::Refused {
            code: -32601,
            message: "Method not found".into(),
            data: None,
        })
    }

    async fn finalized_heads(&self) -> Result<BoxStream<'static, ()>, RpcFailed> {
        self.connected()?.subscriptions += 1;
        Ok(stream::pending().boxed())
    }
}
