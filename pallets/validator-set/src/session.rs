//! Sessions: whom they take, and the record of whose keys were in force when.

use alloc::vec::Vec;
use core::marker::PhantomData;

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
    traits::{Get, KeyOwnerProofSystem},
    BoundedVec, CloneNoBound, DebugNoBound, EqNoBound, PartialEqNoBound,
};
use frame_system::pallet_prelude::BlockNumberFor;
use pallet_session::{QueuedKeys, SessionManager};
use scale_info::TypeInfo;
use sp_consensus_aura::Slot;
use sp_consensus_grandpa::AuthorityId as GrandpaId;
use sp_core::crypto::key_types::{AURA, GRANDPA};
use sp_runtime::{
    traits::{One, OpaqueKeys},
    KeyTypeId, RuntimeAppPublic,
};
use sp_session::{GetSessionNumber, GetValidatorCount, ValidatorCount};
use sp_staking::SessionIndex;

use crate::pallet::{Config, Pallet, SessionBlocks, Sessions, Validators};

/// Blocks in a session when genesis says nothing else: one hour of two-second slots.
pub const SESSION_BLOCKS: u32 = 1_800;

/// Blocks in a session, as genesis says; for `pallet_session::PeriodicSessions`.
pub struct SessionLength<T>(PhantomData<T>);

impl<T: Config> Get<BlockNumberFor<T>> for SessionLength<T> {
    fn get() -> BlockNumberFor<T> {
        // Genesis refuses zero. Whoever writes one with `system.setStorage` divides no block number by it.
        SessionBlocks::<T>::get().max(One::one())
    }
}

/// A validator of a session, and its keys.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct SessionValidator<AccountId, AuraId> {
    /// The operator.
    pub account: AccountId,
    /// The key that it authored blocks with.
    pub aura: AuraId,
    /// The key that it voted with.
    pub grandpa: GrandpaId,
}

/// A session: when it began, and whose keys were in force.
#[derive(
    CloneNoBound,
    DebugNoBound,
    PartialEqNoBound,
    EqNoBound,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[scale_info(skip_type_params(Most))]
pub struct SessionRecord<
    AccountId: Clone + core::fmt::Debug + Eq,
    AuraId: Clone + core::fmt::Debug + Eq,
    Most: Get<u32>,
> {
    /// The slot of the block that began it. That block itself was authored by a validator of the session before.
    pub start: Slot,
    /// Its validators.
    pub validators: BoundedVec<SessionValidator<AccountId, AuraId>, Most>,
}

/// Says in which session a key was in force. The pallet's own record proves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct KeyOwnerProof {
    /// The session.
    pub session: SessionIndex,
    /// How many validators it had.
    pub validators: ValidatorCount,
}

impl GetSessionNumber for KeyOwnerProof {
    fn session(&self) -> SessionIndex {
        self.session
    }
}

impl GetValidatorCount for KeyOwnerProof {
    fn validator_count(&self) -> ValidatorCount {
        self.validators
    }
}

/// A new set is planned only when a validator joined, left or changed its keys: GRANDPA's set stays as it is otherwise.
impl<T: Config> SessionManager<T::AccountId> for Pallet<T> {
    fn new_session(_: SessionIndex) -> Option<Vec<T::AccountId>> {
        let validators = Validators::<T>::get().into_inner();
        let keys = |account: &T::AccountId| {
            let keys = pallet_session::Pallet::<T>::load_keys(account)?;
            Some((account.clone(), keys))
        };
        let wanted: Vec<_> = validators.iter().filter_map(keys).collect();
        let changed = wanted != QueuedKeys::<T>::get();
        (changed && !wanted.is_empty()).then_some(validators)
    }

    fn start_session(session: SessionIndex) {
        let record = SessionRecord {
            start: pallet_aura::CurrentSlot::<T>::get(),
            validators: BoundedVec::truncate_from(in_force::<T>()),
        };
        Sessions::<T>::insert(session, record);
        if let Some(old) = session.checked_sub(T::KeptSessions::get().max(1)) {
            Sessions::<T>::remove(old);
        }
    }

    fn end_session(_: SessionIndex) {}
}

/// The keys of the session that begins: Session still has them queued when it says so.
fn in_force<T: Config>() -> Vec<SessionValidator<T::AccountId, T::AuthorityId>> {
    let validator = |(account, keys): (T::AccountId, T::Keys)| {
        Some(SessionValidator {
            account,
            aura: keys.get(AURA)?,
            grandpa: keys.get(GRANDPA)?,
        })
    };
    QueuedKeys::<T>::get()
        .into_iter()
        .filter_map(validator)
        .collect()
}

/// The oldest session whose offences can be reported.
pub(crate) fn oldest_kept<T: Config>() -> SessionIndex {
    let later = T::KeptSessions::get().saturating_sub(1);
    pallet_session::Pallet::<T>::current_index().saturating_sub(later)
}

/// The session in which a slot was, if it is on record.
pub(crate) fn session_of<T: Config>(slot: Slot) -> Option<SessionIndex> {
    let current = pallet_session::Pallet::<T>::current_index();
    (oldest_kept::<T>()..=current)
        .rev()
        .find(|session| contains::<T>(*session, slot))
}

/// Whether a slot is in a session: after the block that began it, up to the block that began the next, and not to come.
pub(crate) fn contains<T: Config>(session: SessionIndex, slot: Slot) -> bool {
    let Some(record) = Sessions::<T>::get(session) else {
        return false;
    };
    let next = session.checked_add(1).and_then(Sessions::<T>::get);
    let end = next.map_or_else(pallet_aura::CurrentSlot::<T>::get, |next| next.start);
    record.start < slot && slot <= end
}

impl<T: Config> Pallet<T> {
    /// Says in which session a key was in force, if it was in this one.
    pub fn key_owner_proof(
        session: SessionIndex,
        kind: KeyTypeId,
        key: &[u8],
    ) -> Option<KeyOwnerProof> {
        let record = Sessions::<T>::get(session)?;
        owner::<T>(&record.validators, kind, key)?;
        let validators = ValidatorCount::try_from(record.validators.len()).ok()?;
        Some(KeyOwnerProof {
            session,
            validators,
        })
    }
}

type ValidatorOf<T> = SessionValidator<
    <T as frame_system::Config>::AccountId,
    <T as pallet_aura::Config>::AuthorityId,
>;

fn owner<T: Config>(
    validators: &[ValidatorOf<T>],
    kind: KeyTypeId,
    key: &[u8],
) -> Option<T::AccountId> {
    let has = |validator: &&ValidatorOf<T>| match kind {
        AURA => validator.aura.to_raw_vec() == key,
        GRANDPA => validator.grandpa.to_raw_vec() == key,
        _ => false,
    };
    validators
        .iter()
        .find(has)
        .map(|validator| validator.account.clone())
}

impl<T: Config, Key: AsRef<[u8]>> KeyOwnerProofSystem<(KeyTypeId, Key)> for Pallet<T> {
    type Proof = KeyOwnerProof;
    type IdentificationTuple = T::AccountId;

    fn prove((kind, key): (KeyTypeId, Key)) -> Option<KeyOwnerProof> {
        let session = pallet_session::Pallet::<T>::current_index();
        Self::key_owner_proof(session, kind, key.as_ref())
    }

    fn check_proof((kind, key): (KeyTypeId, Key), proof: KeyOwnerProof) -> Option<T::AccountId> {
        let record = Sessions::<T>::get(proof.session)?;
        let count = ValidatorCount::try_from(record.validators.len()).ok()?;
        (count == proof.validators)
            .then(|| owner::<T>(&record.validators, kind, key.as_ref()))
            .flatten()
    }
}
