//! What a node tells of itself, and the session keys that it makes: for an operator, of the operator's own node.

use codec::Encode;
use keyward_protocol::{AccountId, BlockHash};
use serde_json::{json, Value};

use crate::{call::SessionKeys, client::Client, rpc::RpcFailed};

/// How a node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeState {
    /// Number of its newest block.
    pub best: u32,
    /// Number of its newest finalized block.
    pub finalized: u32,
    /// Whether it still fetches old blocks.
    pub syncing: bool,
    /// Nodes that it is connected to.
    pub peers: u32,
    /// Whether it is run with `--validator`.
    pub authority: bool,
}

impl NodeState {
    /// Blocks that are not finalized yet.
    pub fn lag(&self) -> u32 {
        self.best.saturating_sub(self.finalized)
    }
}

/// Why a node made no session keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RotateFailed {
    /// It does so only for its own machine.
    #[error(
        "the node makes keys only for who may use its unsafe RPC methods. Run this on the node's own machine (--url \
         ws://127.0.0.1:9944), and the node without --rpc-methods safe; never open unsafe methods to a network"
    )]
    Unsafe,
    /// It answered otherwise, or not.
    #[error(transparent)]
    Rpc(#[from] RpcFailed),
}

impl Client {
    /// How the node is doing.
    pub async fn node_state(&self) -> Result<NodeState, RpcFailed> {
        let health = self.rpc.ask("system_health", Vec::new()).await?;
        let roles = self.rpc.ask("system_nodeRoles", Vec::new()).await?;
        let roles = roles.as_array().ok_or_else(|| senseless("its roles"))?;
        let peers = health["peers"].as_u64().and_then(|n| n.try_into().ok());
        // Asked of the node itself: a client may take other blocks for final.
        let finalized = self.rpc.ask("chain_getFinalizedHead", Vec::new()).await?;
        let finalized = bytes(&finalized).and_then(|hash| hash.try_into().ok());
        let finalized = finalized.ok_or_else(|| senseless("its newest finalized block"))?;
        Ok(NodeState {
            best: self.number(self.rpc.best_head().await?).await?,
            finalized: self.number(BlockHash(finalized)).await?,
            syncing: health["isSyncing"]
                .as_bool()
                .ok_or_else(|| senseless("whether it syncs"))?,
            peers: peers.ok_or_else(|| senseless("its peers"))?,
            authority: roles.iter().any(|role| role == "Authority"),
        })
    }

    async fn number(&self, hash: BlockHash) -> Result<u32, RpcFailed> {
        let header = self.rpc.header(hash).await?;
        Ok(header.ok_or_else(|| senseless("its newest block"))?.number)
    }

    /// Has the node make new session keys and keep the private ones; for this operator only.
    pub async fn rotate_keys(&self, owner: AccountId) -> Result<SessionKeys, RotateFailed> {
        let owner = json!(hexadecimal(&owner.encode()));
        let made = self.rpc.ask("author_rotateKeysWithOwner", vec![owner]);
        let made = made.await.map_err(|error| match error.is_unsafe() {
            true => RotateFailed::Unsafe,
            false => RotateFailed::Rpc(error),
        })?;
        let public = bytes(&made["keys"]).and_then(|keys| keys.try_into().ok());
        Ok(SessionKeys {
            public: public.ok_or_else(|| senseless("session keys of 64 bytes"))?,
            proof: bytes(&made["proof"]).ok_or_else(|| senseless("a proof of its session keys"))?,
        })
    }

    /// Whether the node holds the private keys of these session keys.
    pub async fn has_session_keys(&self, public: &[u8; 64]) -> Result<bool, RotateFailed> {
        let keys = json!(hexadecimal(public));
        let held = self.rpc.ask("author_hasSessionKeys", vec![keys]).await;
        let held = held.map_err(|error| match error.is_unsafe() {
            true => RotateFailed::Unsafe,
            false => RotateFailed::Rpc(error),
        })?;
        Ok(held.as_bool().ok_or_else(|| senseless("yes or no"))?)
    }
}

fn senseless(what: &str) -> RpcFailed {
    RpcFailed::Malformed {
        reason: format!("it does not tell {what}"),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("0x{digits}")
}

/// The bytes of `"0x…"`.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    let digits = value.as_str()?.strip_prefix("0x")?.as_bytes();
    let (pairs, rest) = digits.as_chunks::<2>();
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok();
    match rest.is_empty() {
        true => pairs.iter().map(byte).collect(),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fake::{hash, FakeNode};

    const OWNER: AccountId = AccountId([7; 32]);

    async fn client(node: &FakeNode) -> Client {
        Client::over(Arc::new(node.clone())).await.unwrap()
    }

    #[tokio::test]
    async fn a_node_tells_how_far_it_is_and_whether_it_validates() {
        let node = FakeNode::with_blocks(5);
        node.stall();
        (0..3).for_each(|_| node.finalize(0, Vec::new()));
        node.answer("system_health", json!({ "peers": 3, "isSyncing": false }));
        node.answer("system_nodeRoles", json!(["Authority"]));
        let finalized = json!(hexadecimal(&hash(5, 0).0));
        node.answer("chain_getFinalizedHead", finalized);
        let state = client(&node).await.node_state().await.unwrap();
        let expected = NodeState {
            best: 8,
            finalized: 5,
            syncing: false,
            peers: 3,
            authority: true,
        };
        assert_eq!((state, state.lag()), (expected, 3));
    }

    #[tokio::test]
    async fn session_keys_come_with_their_proof_or_not_at_all() {
        let node = FakeNode::with_blocks(1);
        let keys = format!("0x{}", "ab".repeat(64));
        let method = "author_rotateKeysWithOwner";
        node.answer(method, json!({ "keys": keys, "proof": "0x0102" }));
        let made = client(&node).await.rotate_keys(OWNER).await.unwrap();
        assert_eq!((made.public, made.proof), ([0xab; 64], vec![1, 2]));
        for wrong in [
            json!({ "keys": keys }),
            json!({ "keys": "0xabab", "proof": "0x01" }),
            json!({ "keys": "nonsense", "proof": "0x01" }),
            json!("0x00"),
        ] {
            node.answer(method, wrong);
            let refused = client(&node).await.rotate_keys(OWNER).await;
            assert!(matches!(
                refused,
                Err(RotateFailed::Rpc(RpcFailed::Malformed { .. }))
            ));
        }
    }

    #[test]
    fn bytes_are_whole_pairs_of_digits() {
        assert_eq!(bytes(&json!("0x00ff")), Some(vec![0, 255]));
        for wrong in [
            json!("0x0"),
            json!("00"),
            json!("0xzz"),
            json!(7),
            json!("0x+1"),
        ] {
            assert_eq!(bytes(&wrong), None, "{wrong}");
        }
        assert_eq!(hexadecimal(&[0, 255]), "0x00ff");
    }
}
