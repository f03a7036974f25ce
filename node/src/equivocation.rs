//! Finds validators that authored two blocks in one slot, and reports them to the runtime (DESIGN section 4).
//!
//! Aura itself only logs such blocks. This task sees every imported block, on the best chain or not, and remembers the first of
//! each author and recent slot. A second one is the proof. What follows is the council's matter. Votes that contradict each
//! other are reported by GRANDPA's own voter.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    sync::Arc,
};

use futures::StreamExt;
use keyward_runtime::{opaque::Block, Header, Refusal, ValidatorSetApi};
use sc_client_api::BlockchainEvents;
use sc_consensus_aura::standalone::{
    fetch_authorities, find_pre_digest, slot_author, slot_duration,
};
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_api::{ApiExt, ProvideRuntimeApi};
use sp_blockchain::HeaderBackend;
use sp_consensus_aura::{
    sr25519::{AuthorityId, AuthorityPair, AuthoritySignature},
    Slot, SlotDuration,
};
use sp_consensus_slots::EquivocationProof;
use sp_runtime::traits::Header as _;
use sp_timestamp::Timestamp;

use crate::service::{FullClient, FullPool};

const LOG: &str = "keyward";

type Hash = <Header as sp_runtime::traits::Header>::Hash;

/// How far back two blocks of one slot are found, in slots: half an hour. More than any fork lives, and little memory.
const WINDOW: u64 = 900;

/// The proof that a validator authored two blocks in one slot.
pub type Proof = EquivocationProof<Header, AuthorityId>;

/// Blocks after which a report that the runtime cannot place yet is given up: it cannot where a session has just begun.
const PATIENCE: u8 = 30;
/// Most reports that wait.
const MAX_WAITING: usize = 64;

/// What is known of an author in a slot.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// One block.
    Once(Box<Header>),
    /// More, of which two were handed out as proof.
    Proven,
}

/// The authors of recent slots. Holds at most one header per author and slot of the window; only blocks whose seal was verified
/// get here, so nobody but validators can fill it.
#[derive(Debug, Default)]
pub struct Watch {
    seen: BTreeMap<(Slot, AuthorityId), Seen>,
}

impl Watch {
    /// Takes note of an author's block, and gives the proof when it is the second of its slot. `now` is the current slot.
    pub fn note(
        &mut self,
        now: Slot,
        slot: Slot,
        author: AuthorityId,
        header: Header,
    ) -> Option<Proof> {
        let oldest = oldest(now);
        self.seen.retain(|(slot, _), _| *slot >= oldest);
        if slot < oldest {
            return None;
        }
        let entry = self.seen.entry((slot, author.clone()));
        let seen = entry.or_insert_with(|| Seen::Once(Box::new(header.clone())));
        if matches!(seen, Seen::Once(first) if signed(first) == signed(&header)) {
            return None;
        }
        match mem::replace(seen, Seen::Proven) {
            Seen::Proven => None,
            Seen::Once(first) => Some(EquivocationProof {
                offender: author,
                slot,
                first_header: *first,
                second_header: header,
            }),
        }
    }
}

/// What an author signs: the hash of the header without its seal. One header with two seals is no offence.
fn signed(header: &Header) -> Hash {
    let mut header = header.clone();
    header.digest_mut().pop();
    header.hash()
}

fn oldest(now: Slot) -> Slot {
    now.saturating_sub(WINDOW)
}

/// Watches the blocks that a node imports.
pub struct Detector {
    client: Arc<FullClient>,
    pool: OffchainTransactionPoolFactory<Block>,
    slots: SlotDuration,
    watch: Watch,
    /// Reports that the runtime could not place, and for how many blocks they are tried again.
    waiting: VecDeque<(Proof, u8)>,
}

impl Detector {
    /// Reports go into this pool, and from there into the next block that this node authors.
    pub fn new(client: Arc<FullClient>, pool: Arc<FullPool>) -> sp_blockchain::Result<Self> {
        Ok(Self {
            slots: slot_duration(&*client)?,
            pool: OffchainTransactionPoolFactory::new(pool),
            watch: Watch::default(),
            waiting: VecDeque::new(),
            client,
        })
    }

    /// Runs for as long as the node imports blocks.
    pub async fn run(mut self) {
        let mut imported = self.client.every_import_notification_stream();
        while let Some(block) = imported.next().await {
            self.see(block.header);
        }
    }

    fn see(&mut self, header: Header) {
        let now = Slot::from_timestamp(Timestamp::current(), self.slots);
        let Ok(slot) = find_pre_digest::<Block, AuthoritySignature>(&header) else {
            return;
        };
        // Old blocks, which a node imports by the thousand while it syncs, cost nothing.
        if slot < oldest(now) {
            return;
        }
        let Some(author) = self.author(*header.parent_hash(), slot) else {
            return;
        };
        for (proof, patience) in mem::take(&mut self.waiting) {
            self.report(proof, patience);
        }
        if let Some(proof) = self.watch.note(now, slot, author, header) {
            announce(&proof);
            self.report(proof, PATIENCE);
        }
    }

    /// Whose slot it was: the block's seal was verified with this key when it was imported.
    fn author(&self, parent: Hash, slot: Slot) -> Option<AuthorityId> {
        match fetch_authorities::<AuthorityId, Block, _>(&*self.client, parent) {
            Ok(authorities) => slot_author::<AuthorityPair>(slot, &authorities).cloned(),
            Err(error) => {
                log::debug!(target: LOG, "The author of slot {slot} cannot be told: {error}");
                None
            }
        }
    }

    fn report(&mut self, proof: Proof, patience: u8) {
        let (offender, slot) = (proof.offender.clone(), proof.slot);
        let told = format!("The report about slot {slot} of {offender}");
        match self.submit(proof.clone()) {
            Ok(Some(Ok(()) | Err(Refusal::Known))) => (),
            Ok(Some(Err(_))) if patience > 0 && self.waiting.len() < MAX_WAITING => {
                self.waiting.push_back((proof, patience - 1));
            }
            Ok(Some(Err(refusal))) => log::warn!(target: LOG, "{told} was not taken: {refusal:?}"),
            Ok(None) => log::warn!(
                target: LOG,
                "{told} cannot be taken: the chain's runtime is too old; upgrade it.",
            ),
            Err(error) => log::warn!(target: LOG, "{told} cannot be made: {error}"),
        }
    }

    /// None if the runtime is from before such reports.
    fn submit(&self, proof: Proof) -> Result<Option<Result<(), Refusal>>, sp_api::ApiError> {
        let best = self.client.info().best_hash;
        let mut api = self.client.runtime_api();
        if !api.has_api::<dyn ValidatorSetApi<Block, AuthorityId>>(best)? {
            return Ok(None);
        }
        api.register_extension(self.pool.offchain_transaction_pool(best));
        api.report_aura_equivocation(best, proof).map(Some)
    }
}

fn announce(proof: &Proof) {
    log::warn!(
        target: LOG,
        "The validator with the Aura key {} has authored two blocks in slot {}: {:?} and {:?}. Either two machines run with \
         its keys, or somebody else has them. It is reported to the chain; the council decides.",
        proof.offender,
        proof.slot,
        proof.first_header.hash(),
        proof.second_header.hash(),
    );
}

#[cfg(test)]
mod tests {
    use sp_core::crypto::UncheckedFrom;

    use super::*;

    fn header(text: &str) -> Header {
        let state = sp_core::H256(sp_io::hashing::blake2_256(text.as_bytes()));
        let seal = sp_runtime::DigestItem::Seal(*b"aura", vec![0; 64]);
        let digest = sp_runtime::Digest { logs: vec![seal] };
        Header::new(7, Hash::zero(), state, Hash::zero(), digest)
    }

    fn author(number: u8) -> AuthorityId {
        sp_core::sr25519::Public::unchecked_from([number; 32]).into()
    }

    fn note(watch: &mut Watch, slot: u64, number: u8, text: &str) -> Option<Proof> {
        watch.note(slot.into(), slot.into(), author(number), header(text))
    }

    #[test]
    fn two_blocks_of_an_author_in_one_slot_are_proven_once() {
        let mut watch = Watch::default();
        assert_eq!(note(&mut watch, 1_000, 1, "a"), None);
        assert_eq!(note(&mut watch, 1_000, 1, "a"), None, "the same block");
        let proof = note(&mut watch, 1_000, 1, "b").unwrap();
        assert_eq!((proof.slot, &proof.offender), (1_000.into(), &author(1)));
        assert_eq!(
            (proof.first_header, proof.second_header),
            (header("a"), header("b"))
        );
        assert_eq!(note(&mut watch, 1_000, 1, "c"), None, "reported already");
    }

    #[test]
    fn one_block_with_two_seals_proves_nothing() {
        let sealed = |seal: u8| {
            let mut header = header("a");
            header.digest_mut().pop();
            header
                .digest_mut()
                .push(sp_runtime::DigestItem::Seal(*b"aura", vec![seal; 64]));
            header
        };
        let mut watch = Watch::default();
        let slot = Slot::from(1_000);
        assert_eq!(watch.note(slot, slot, author(1), sealed(1)), None);
        assert_eq!(watch.note(slot, slot, author(1), sealed(2)), None);
    }

    #[test]
    fn one_block_in_each_slot_and_blocks_of_several_authors_prove_nothing() {
        let mut watch = Watch::default();
        assert_eq!(note(&mut watch, 1_000, 1, "a"), None);
        assert_eq!(note(&mut watch, 1_001, 1, "b"), None);
        assert_eq!(note(&mut watch, 1_001, 2, "c"), None);
    }

    #[test]
    fn a_fork_that_comes_late_is_found_within_the_window_and_nothing_older_is_kept() {
        let mut watch = Watch::default();
        let now = Slot::from(10_000);
        let (edge, beyond) = (Slot::from(10_000 - WINDOW), Slot::from(10_000 - WINDOW - 1));
        assert_eq!(watch.note(now, edge, author(1), header("a")), None);
        assert!(watch.note(now, edge, author(1), header("b")).is_some());
        assert_eq!(watch.note(now, beyond, author(1), header("a")), None);
        assert_eq!(watch.note(now, beyond, author(1), header("b")), None);
        for slot in 20_000..20_000 + 3 * WINDOW {
            note(&mut watch, slot, 1, "a");
        }
        assert_eq!(watch.seen.len() as u64, WINDOW + 1);
    }
}
