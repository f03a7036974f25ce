//! Who validates, who will, and who authored the last blocks (DESIGN section 4, validators).

use std::collections::{BTreeMap, BTreeSet};

use codec::{Decode, Encode};
use keyward_protocol::{beacon::BlockRef, AccountId, BlockHash};
use sp_crypto_hashing::{blake2_128, twox_64};

use crate::{
    client::Client,
    entries::entries,
    rpc::{decode, Rpc, RpcFailed},
    view::{storage_key, ReadFailed},
};

const PALLET: &str = "ValidatorSet";
/// Storage that is read here.
pub(crate) const STORAGE: &[(&str, &str)] = &[
    (PALLET, "Operators"),
    (PALLET, "Validators"),
    (PALLET, "Minimum"),
    (PALLET, "SessionBlocks"),
    (PALLET, "Offences"),
    ("Session", "Validators"),
    ("Session", "CurrentIndex"),
    ("Session", "QueuedKeys"),
    ("Session", "NextKeys"),
];
/// Sessions from a change of the set until it is in force.
const SESSIONS_UNTIL_IN_FORCE: u32 = 2;

/// What an operator's node does, in sessions of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorStatus {
    /// The council approved it; it may join.
    Approved,
    /// It joined, and validates from a session on.
    Joining {
        /// The session.
        from: u32,
    },
    /// It validates.
    Validating,
    /// It left or was removed, and validates until a session begins.
    Leaving {
        /// The first session without it.
        until: u32,
    },
    /// It left.
    Left {
        /// The block from which it may join again.
        again: u32,
    },
}

/// What a validator signed twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Decode, scale_info::TypeInfo)]
pub enum Equivocation {
    /// Two blocks of one slot (Aura).
    Blocks {
        /// The slot.
        slot: u64,
    },
    /// Two prevotes or two precommits of one round (GRANDPA).
    Votes {
        /// The set of voters.
        set: u64,
        /// The round in this set.
        round: u64,
    },
}

/// An offence on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Decode, scale_info::TypeInfo)]
pub struct Offence {
    /// What was signed twice.
    pub equivocation: Equivocation,
    /// The session in which the key was in force.
    pub session: u32,
    /// The block with the report.
    pub block: u32,
    /// Whether the council has dealt with it.
    pub cleared: bool,
}

/// An operator of a validator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Its account.
    pub account: AccountId,
    /// Whether the council approves it. Not so: it was removed, and is still on its way out.
    pub approved: bool,
    /// What its node does.
    pub status: OperatorStatus,
    /// Its session keys, if set: of the Aura key, then of the GRANDPA key.
    pub session_keys: Option<[u8; 64]>,
    /// What is on record against it.
    pub offences: Vec<Offence>,
}

/// The validators at a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validators {
    /// The block.
    pub block: BlockRef,
    /// The session that the block is in.
    pub session: u32,
    /// Blocks in a session.
    pub session_blocks: u32,
    /// The chain never has fewer validators than these.
    pub minimum: u32,
    /// Validators that the next sessions are planned with: what must not become fewer than the minimum.
    pub planned: usize,
    /// All operators, by account.
    pub operators: Vec<Operator>,
}

impl Validators {
    /// Blocks from this block until the session ends.
    pub fn blocks_to_end(&self) -> u32 {
        let length = self.session_blocks.max(1);
        length.saturating_sub(self.block.number % length)
    }

    /// The session from which a change that is made now is in force.
    pub fn in_force_from(&self) -> u32 {
        self.session.saturating_add(SESSIONS_UNTIL_IN_FORCE)
    }

    /// The first block of a later session, as long as sessions have the length that they have.
    pub fn begins_at(&self, session: u32) -> u32 {
        let sessions = session.saturating_sub(self.session).saturating_sub(1);
        let first = self.block.number.saturating_add(self.blocks_to_end());
        first.saturating_add(sessions.saturating_mul(self.session_blocks))
    }

    /// One operator.
    pub fn operator(&self, account: &AccountId) -> Option<&Operator> {
        self.operators
            .iter()
            .find(|operator| operator.account == *account)
    }
}

/// `Operator` as the pallet stores it.
#[derive(Clone, Copy, Decode, scale_info::TypeInfo)]
pub(crate) enum Stored {
    Approved,
    Active,
    Left { at: u32 },
}

/// What is stored of the set.
struct Sets {
    session: u32,
    stored: BTreeMap<AccountId, Stored>,
    planned: BTreeSet<AccountId>,
    queued: BTreeSet<AccountId>,
    active: BTreeSet<AccountId>,
    cooldown: u32,
}

impl Sets {
    fn accounts(&self) -> BTreeSet<AccountId> {
        let known = self.stored.keys().copied();
        let sets = [&self.planned, &self.queued, &self.active];
        known.chain(sets.into_iter().flatten().copied()).collect()
    }

    fn status(&self, account: &AccountId) -> OperatorStatus {
        let next = self.session.saturating_add(1);
        let after = self.session.saturating_add(SESSIONS_UNTIL_IN_FORCE);
        let queued = self.queued.contains(account);
        match (
            self.active.contains(account),
            self.planned.contains(account),
        ) {
            (true, true) => OperatorStatus::Validating,
            (false, true) => OperatorStatus::Joining {
                from: if queued { next } else { after },
            },
            (true, false) => OperatorStatus::Leaving {
                until: if queued { after } else { next },
            },
            (false, false) if queued => OperatorStatus::Leaving { until: after },
            (false, false) => match self.stored.get(account) {
                Some(Stored::Left { at }) => OperatorStatus::Left {
                    again: at.saturating_add(self.cooldown),
                },
                _ => OperatorStatus::Approved,
            },
        }
    }
}

/// Who authored the last blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authored {
    /// Blocks that were looked at.
    pub blocks: u32,
    /// How many of them each validator authored.
    pub by: BTreeMap<AccountId, u32>,
}

impl Client {
    /// The validators at a block.
    pub async fn validators(&self, at: BlockRef) -> Result<Validators, ReadFailed> {
        let runtime = self.runtimes.at(at.hash).await?;
        runtime.check_storage(STORAGE)?;
        let cooldown = runtime.constant(PALLET, "Cooldown").unwrap_or(0);
        let validators = read(&*self.rpc, at, cooldown).await;
        validators.map_err(|error| self.at(at.hash).failed(error))
    }

    /// Who authored a block and those before it, as many as this, or as the node still has the state of.
    pub async fn authored(&self, last: BlockRef, blocks: u32) -> Result<Authored, ReadFailed> {
        let session_blocks = session_blocks(&*self.rpc, last.hash).await?;
        let mut authored = Authored::default();
        let mut sets: BTreeMap<u32, Vec<AccountId>> = BTreeMap::new();
        let mut hash = last.hash;
        while authored.blocks < blocks {
            let Some(header) = self.rpc.header(hash).await? else {
                break;
            };
            let (Some(slot), Some(before)) = (header.slot, header.number.checked_sub(1)) else {
                break;
            };
            let session = before / session_blocks.max(1);
            // The set in the state before the block: that of its session, and of its parent for the first one.
            if let std::collections::btree_map::Entry::Vacant(unknown) = sets.entry(session) {
                match validators(&*self.rpc, header.parent).await {
                    Ok(set) => unknown.insert(set),
                    Err(error) if error.is_pruned() => break,
                    Err(error) => return Err(error.into()),
                };
            }
            let set = sets.get(&session).map_or(&[][..], Vec::as_slice);
            if let Some(author) = author(set, slot) {
                let count = authored.by.entry(author).or_default();
                *count = count.saturating_add(1);
            }
            authored.blocks = authored.blocks.saturating_add(1);
            hash = header.parent;
        }
        Ok(authored)
    }
}

/// Aura: validators take turns, slot by slot.
fn author(validators: &[AccountId], slot: u64) -> Option<AccountId> {
    let count = u64::try_from(validators.len()).ok()?;
    let turn = slot.checked_rem(count)?;
    validators.get(usize::try_from(turn).ok()?).copied()
}

async fn read(rpc: &dyn Rpc, at: BlockRef, cooldown: u32) -> Result<Validators, RpcFailed> {
    let planned: Vec<AccountId> = value(rpc, PALLET, "Validators", at.hash).await?;
    let queued: Vec<(AccountId, [u8; 64])> = value(rpc, "Session", "QueuedKeys", at.hash).await?;
    let sets = Sets {
        session: value(rpc, "Session", "CurrentIndex", at.hash).await?,
        stored: by_account(rpc, PALLET, "Operators", at.hash).await?,
        planned: planned.into_iter().collect(),
        queued: queued.into_iter().map(|(account, _)| account).collect(),
        active: validators(rpc, at.hash).await?.into_iter().collect(),
        cooldown,
    };
    let mut offences = by_account::<Vec<Offence>>(rpc, PALLET, "Offences", at.hash).await?;
    let mut operators = Vec::new();
    for account in sets.accounts() {
        operators.push(Operator {
            account,
            approved: sets.stored.contains_key(&account),
            status: sets.status(&account),
            session_keys: session_keys(rpc, account, at.hash).await?,
            offences: offences.remove(&account).unwrap_or_default(),
        });
    }
    Ok(Validators {
        block: at,
        session: sets.session,
        session_blocks: session_blocks(rpc, at.hash).await?,
        minimum: value(rpc, PALLET, "Minimum", at.hash).await?,
        planned: sets.planned.len(),
        operators,
    })
}

/// Who validates in the state of a block, in the order of their slots.
async fn validators(rpc: &dyn Rpc, at: BlockHash) -> Result<Vec<AccountId>, RpcFailed> {
    value(rpc, "Session", "Validators", at).await
}

/// What the pallet takes if its genesis says nothing else.
const SESSION_BLOCKS: u32 = 1_800;

async fn session_blocks(rpc: &dyn Rpc, at: BlockHash) -> Result<u32, RpcFailed> {
    let stored = rpc
        .storage(&storage_key(PALLET, "SessionBlocks"), at)
        .await?;
    stored.map_or(Ok(SESSION_BLOCKS), |bytes| {
        decode("blocks of a session", &bytes)
    })
}

async fn session_keys(
    rpc: &dyn Rpc,
    account: AccountId,
    at: BlockHash,
) -> Result<Option<[u8; 64]>, RpcFailed> {
    let account = account.encode();
    let prefix = storage_key("Session", "NextKeys");
    let key = [&prefix[..], &twox_64(&account), &account].concat();
    let keys = rpc.storage(&key, at).await?;
    keys.map(|bytes| decode("session keys", &bytes)).transpose()
}

/// A plain value; its default if it is not stored.
async fn value<T: Decode + Default>(
    rpc: &dyn Rpc,
    pallet: &str,
    item: &str,
    at: BlockHash,
) -> Result<T, RpcFailed> {
    let stored = rpc.storage(&storage_key(pallet, item), at).await?;
    stored.map_or(Ok(T::default()), |bytes| decode(item, &bytes))
}

/// A map whose keys are accounts (`Blake2_128Concat`).
async fn by_account<T: Decode>(
    rpc: &dyn Rpc,
    pallet: &str,
    item: &str,
    at: BlockHash,
) -> Result<BTreeMap<AccountId, T>, RpcFailed> {
    let mut all = BTreeMap::new();
    for (key, value) in entries(rpc, item, &storage_key(pallet, item), at).await? {
        let account = key.get(blake2_128(&[]).len()..).unwrap_or_default();
        all.insert(decode(item, account)?, decode(item, &value)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fake::{hash, FakeNode};

    const A: AccountId = AccountId([1; 32]);
    const B: AccountId = AccountId([2; 32]);
    const C: AccountId = AccountId([3; 32]);
    const D: AccountId = AccountId([4; 32]);
    const E: AccountId = AccountId([5; 32]);

    fn store_for(node: &FakeNode, item: &str, account: AccountId, value: Vec<u8>) {
        let account = account.encode();
        let prefix = storage_key(PALLET, item);
        node.store(
            [&prefix[..], &blake2_128(&account), &account].concat(),
            value,
        );
    }

    /// Block 25 of a chain with sessions of 10: A validates, B leaves, C joins, D left, E was removed.
    fn node() -> FakeNode {
        let node = FakeNode::with_blocks(25);
        let plain = |pallet, item, value| node.store(storage_key(pallet, item), value);
        plain(PALLET, "Validators", vec![A, C].encode());
        plain(PALLET, "Minimum", 2u32.encode());
        plain(PALLET, "SessionBlocks", 10u32.encode());
        plain("Session", "CurrentIndex", 2u32.encode());
        plain("Session", "Validators", vec![A, B, E].encode());
        plain(
            "Session",
            "QueuedKeys",
            vec![(A, [1u8; 64]), (B, [2; 64])].encode(),
        );
        store_for(&node, "Operators", A, vec![1]);
        store_for(&node, "Operators", B, [&[2][..], &24u32.encode()].concat());
        store_for(&node, "Operators", C, vec![1]);
        store_for(&node, "Operators", D, [&[2][..], &7u32.encode()].concat());
        let offence = (1u8, 5u64, 6u64, 1u32, 19u32, false);
        store_for(&node, "Offences", B, vec![offence].encode());
        let account = A.encode();
        let prefix = storage_key("Session", "NextKeys");
        node.store(
            [&prefix[..], &twox_64(&account), &account].concat(),
            vec![1; 64],
        );
        node
    }

    #[tokio::test]
    async fn each_operator_is_shown_with_what_it_does_and_until_when() {
        let at = BlockRef {
            number: 25,
            hash: hash(25, 0),
        };
        let validators = read(&node(), at, 100).await.unwrap();
        let status = |account| validators.operator(&account).unwrap().status;
        assert_eq!(status(A), OperatorStatus::Validating);
        assert_eq!(status(B), OperatorStatus::Leaving { until: 4 });
        assert_eq!(status(C), OperatorStatus::Joining { from: 4 });
        assert_eq!(status(D), OperatorStatus::Left { again: 107 });
        assert_eq!(status(E), OperatorStatus::Leaving { until: 3 });
        let approved = |account| validators.operator(&account).unwrap().approved;
        assert!(approved(D) && !approved(E));
        let a = validators.operator(&A).unwrap();
        assert_eq!((a.session_keys, a.offences.len()), (Some([1; 64]), 0));
        let b = validators.operator(&B).unwrap();
        let votes = Equivocation::Votes { set: 5, round: 6 };
        assert_eq!(b.offences[0].equivocation, votes);
        assert_eq!((validators.minimum, validators.planned), (2, 2));
    }

    #[tokio::test]
    async fn sessions_are_counted_in_blocks() {
        let at = BlockRef {
            number: 25,
            hash: hash(25, 0),
        };
        let mut validators = read(&node(), at, 100).await.unwrap();
        assert_eq!(validators.blocks_to_end(), 5);
        assert_eq!((validators.begins_at(3), validators.begins_at(4)), (30, 40));
        assert_eq!(validators.in_force_from(), 4);
        // The block that begins a session is in it.
        validators.block.number = 30;
        validators.session = 3;
        assert_eq!(
            (validators.blocks_to_end(), validators.begins_at(5)),
            (10, 50)
        );
    }

    #[tokio::test]
    async fn authors_are_told_by_their_slots() {
        let client = Client::over(Arc::new(node())).await.unwrap();
        let last = client.finalized().await.unwrap();
        let authored = client.authored(last, 6).await.unwrap();
        // Slots 25 to 20 of three validators.
        let expected = BTreeMap::from([(A, 2), (B, 2), (E, 2)]);
        assert_eq!((authored.blocks, authored.by), (6, expected));
        let all = client.authored(last, 1_000).await.unwrap();
        assert_eq!(all.blocks, 25);
    }

    #[test]
    fn nobody_authors_for_an_empty_set() {
        assert_eq!(author(&[], 7), None);
        assert_eq!(author(&[A, B], 7), Some(B));
    }
}
