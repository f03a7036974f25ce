//! Blocks as an author makes them: from a pool, by priority, leaving for later what a block has no room for.

use std::collections::BTreeSet;

use codec::Encode;
use frame_support::storage::{with_transaction, TransactionOutcome};
use keyward_runtime::{BlockNumber, Executive, Header, Runtime, UncheckedExtrinsic, SLOT_MS};
use sp_consensus_aura::AURA_ENGINE_ID;
use sp_core::H256;
use sp_runtime::{
    traits::Header as _,
    transaction_validity::{
        InvalidTransaction, TransactionSource, TransactionValidity, TransactionValidityError,
    },
    ApplyExtrinsicResult, Digest, DigestItem, DispatchError,
};

/// Begins a block: its slot has its number.
pub fn begin(number: BlockNumber) {
    let slot = u64::from(number);
    let digest = Digest {
        logs: vec![DigestItem::PreRuntime(AURA_ENGINE_ID, slot.encode())],
    };
    let nothing = H256::default();
    let header = Header::new(number, nothing, nothing, nothing, digest);
    Executive::initialize_block(&header);
    let set = pallet_timestamp::Call::<Runtime>::set {
        now: slot * SLOT_MS,
    };
    let inherent = UncheckedExtrinsic::new_bare(set.into());
    Executive::apply_extrinsic(inherent).unwrap().unwrap();
}

/// Ends it.
pub fn end() {
    Executive::finalize_block();
}

/// What a transaction pool keeps, in the order in which it came.
#[derive(Default)]
pub struct Pool(Vec<UncheckedExtrinsic>);

/// A transaction that waits for its turn.
struct Ready {
    transaction: UncheckedExtrinsic,
    priority: u64,
    requires: Vec<Vec<u8>>,
    provides: Vec<Vec<u8>>,
}

impl Pool {
    /// Takes a transaction, if the pool accepts it on top of this state.
    pub fn submit(&mut self, transaction: UncheckedExtrinsic) -> TransactionValidity {
        let valid = validate(&transaction)?;
        self.0.push(transaction);
        Ok(valid)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Fills the block that has begun as `sc-basic-authorship` does, and answers what went in. `before` runs before each
    /// transaction is tried.
    ///
    /// The best transaction is the one of the highest priority that came first, of those that have what they require. One that
    /// exhausts resources stays in the pool and takes those that require it along; any other failure removes it.
    pub fn fill(&mut self, before: impl Fn()) -> Vec<UncheckedExtrinsic> {
        let mut waiting = self.ready();
        let (mut included, mut provided) = (Vec::new(), BTreeSet::new());
        while let Some(next) = best(&waiting, &provided) {
            let next = waiting.remove(next);
            before();
            match push(next.transaction.clone()) {
                Ok(_) => {
                    provided.extend(next.provides);
                    included.push(next.transaction);
                }
                Err(TransactionValidityError::Invalid(InvalidTransaction::ExhaustsResources)) => {}
                Err(invalid) => panic!("the pool held what is not valid: {invalid:?}"),
            }
        }
        self.0.retain(|transaction| !included.contains(transaction));
        included
    }

    /// What is valid on top of the last block; taken before the block began, it would be the same.
    fn ready(&self) -> Vec<Ready> {
        let ready = |transaction: &UncheckedExtrinsic| {
            let valid = validate(transaction).ok()?;
            Some(Ready {
                transaction: transaction.clone(),
                priority: valid.priority,
                requires: valid.requires,
                provides: valid.provides,
            })
        };
        self.0.iter().filter_map(ready).collect()
    }
}

/// The place of the best of those that have what they require.
fn best(waiting: &[Ready], provided: &BTreeSet<Vec<u8>>) -> Option<usize> {
    let able = waiting
        .iter()
        .enumerate()
        .filter(|(_, ready)| ready.requires.iter().all(|tag| provided.contains(tag)));
    able.min_by_key(|(place, ready)| (u64::MAX - ready.priority, *place))
        .map(|(place, _)| place)
}

fn validate(transaction: &UncheckedExtrinsic) -> TransactionValidity {
    let source = TransactionSource::External;
    let checked = with_transaction(|| {
        let valid =
            Executive::validate_transaction(source, transaction.clone(), Default::default());
        TransactionOutcome::Rollback(Ok::<_, DispatchError>(valid))
    });
    checked.unwrap()
}

/// Tries a transaction; one that is not valid leaves nothing behind.
fn push(transaction: UncheckedExtrinsic) -> ApplyExtrinsicResult {
    let pushed = with_transaction(|| {
        let result = Ok::<_, DispatchError>(Executive::apply_extrinsic(transaction));
        match result {
            Ok(Ok(_)) => TransactionOutcome::Commit(result),
            _ => TransactionOutcome::Rollback(result),
        }
    });
    pushed.unwrap()
}
