//! Benchmarks of every call, in its worst case: a full set, full records, headers of the greatest length.
//!
//! Signatures are made by the host's keystore, because the wasm runtime has no signing code.

use alloc::{boxed::Box, vec, vec::Vec};

use codec::{Decode, Encode};
use frame_benchmarking::v2::*;
use frame_support::{
    traits::{EnsureOrigin, Get},
    BoundedVec,
};
use frame_system::{
    pallet_prelude::{BlockNumberFor, HeaderFor},
    RawOrigin,
};
use sp_consensus_aura::{digests::CompatibleDigestItem, Slot};
use sp_consensus_slots::EquivocationProof;
use sp_runtime::{
    traits::{Header as _, TrailingZeroInput},
    DigestItem, RuntimeAppPublic,
};

use crate::{
    pallet::*, Equivocation, KeyOwnerProof, Offence, Operator, SessionRecord, SessionValidator,
    LONGEST_HEADER, MAX_OFFENCES,
};

/// Most validators that are measured: as many as a network has.
const VALIDATORS: u32 = 100;
/// The slot of the offence.
const SLOT: u64 = 7;

fn governance<T: Config>() -> Result<T::RuntimeOrigin, BenchmarkError> {
    T::GovernanceOrigin::try_successful_origin().map_err(|()| BenchmarkError::Weightless)
}

/// Anything of a fixed length.
fn zeroes<D: Decode>() -> Result<D, BenchmarkError> {
    D::decode(&mut TrailingZeroInput::zeroes()).map_err(|_| BenchmarkError::Stop("no zeroes"))
}

/// An operator that may join: approved, and with session keys.
fn approved<T: Config>(account: &T::AccountId) -> Result<(), BenchmarkError> {
    Operators::<T>::insert(account, Operator::Approved);
    pallet_session::NextKeys::<T>::insert(account, zeroes::<T::Keys>()?);
    Ok(())
}

/// Validators, which the set then has and no others.
fn found<T: Config>(count: u32) -> Result<Vec<T::AccountId>, BenchmarkError> {
    for account in Validators::<T>::take() {
        Operators::<T>::remove(account);
    }
    let mut accounts: Vec<T::AccountId> = (0..count)
        .map(|number| account("validator", number, 0))
        .collect();
    accounts.sort();
    for account in &accounts {
        approved::<T>(account)?;
        Operators::<T>::insert(account, Operator::Active);
    }
    Validators::<T>::put(BoundedVec::truncate_from(accounts.clone()));
    Minimum::<T>::put(1);
    Ok(accounts)
}

/// A record of offences with room for so many more.
fn record<T: Config>(
    room: u32,
) -> BoundedVec<OffenceOf<T>, frame_support::traits::ConstU32<MAX_OFFENCES>> {
    let offence = |number: u32| Offence {
        equivocation: Equivocation::Votes {
            set: 1,
            round: number.into(),
        },
        session: 0,
        block: BlockNumberFor::<T>::from(1_u32),
        cleared: false,
    };
    BoundedVec::truncate_from(
        (0..MAX_OFFENCES.saturating_sub(room))
            .map(offence)
            .collect(),
    )
}

/// A sealed header of almost the greatest length.
fn header<T: Config>(key: &T::AuthorityId, number: u8) -> Result<HeaderFor<T>, BenchmarkError> {
    let padding = vec![number; LONGEST_HEADER.saturating_sub(512)];
    let slot = <DigestItem as CompatibleDigestItem<SignatureOf<T>>>::aura_pre_digest(SLOT.into());
    let mut header = HeaderFor::<T>::new(
        1_u32.into(),
        T::Hash::default(),
        T::Hash::default(),
        T::Hash::default(),
        sp_runtime::Digest {
            logs: vec![slot, DigestItem::Other(padding)],
        },
    );
    let seal = key
        .sign(&header.hash())
        .ok_or(BenchmarkError::Stop("the host's keystore does not sign"))?;
    header
        .digest_mut()
        .push(CompatibleDigestItem::<SignatureOf<T>>::aura_seal(seal));
    assert!(header.encoded_size() <= LONGEST_HEADER);
    Ok(header)
}

type SignatureOf<T> = <<T as pallet_aura::Config>::AuthorityId as RuntimeAppPublic>::Signature;

/// The running session, with this key as the last of its validators.
fn session<T: Config>(
    accounts: &[T::AccountId],
    key: &T::AuthorityId,
) -> Result<KeyOwnerProof, BenchmarkError> {
    let mut validators = Vec::new();
    for account in accounts {
        validators.push(SessionValidator {
            account: account.clone(),
            aura: zeroes()?,
            grandpa: zeroes()?,
        });
    }
    if let Some(last) = validators.last_mut() {
        last.aura = key.clone();
    }
    let session = pallet_session::Pallet::<T>::current_index();
    let record = SessionRecord {
        start: Slot::from(0),
        validators: BoundedVec::truncate_from(validators),
    };
    Sessions::<T>::insert(session, record);
    pallet_aura::CurrentSlot::<T>::put(Slot::from(SLOT));
    Ok(KeyOwnerProof {
        session,
        validators: accounts.len() as u32,
    })
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn approve() -> Result<(), BenchmarkError> {
        let origin = governance::<T>()?;
        let operator: T::AccountId = account("operator", 0, 0);
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, operator.clone());
        assert!(Operators::<T>::contains_key(operator));
        Ok(())
    }

    #[benchmark]
    fn join(v: Linear<1, { VALIDATORS - 1 }>) -> Result<(), BenchmarkError> {
        // The mock has room for fewer than the runtime.
        found::<T>(v.min(T::MaxValidators::get().saturating_sub(1)))?;
        let operator: T::AccountId = whitelisted_caller();
        approved::<T>(&operator)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(operator.clone()));
        assert!(Validators::<T>::get().contains(&operator));
        Ok(())
    }

    #[benchmark]
    fn leave(v: Linear<2, { VALIDATORS }>) -> Result<(), BenchmarkError> {
        let first = found::<T>(v.min(T::MaxValidators::get()))?[0].clone();
        #[extrinsic_call]
        _(RawOrigin::Signed(first.clone()));
        assert!(!Validators::<T>::get().contains(&first));
        Ok(())
    }

    #[benchmark]
    fn remove(v: Linear<2, { VALIDATORS }>) -> Result<(), BenchmarkError> {
        let origin = governance::<T>()?;
        let first = found::<T>(v.min(T::MaxValidators::get()))?[0].clone();
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, first.clone());
        assert!(!Validators::<T>::get().contains(&first));
        Ok(())
    }

    #[benchmark]
    fn set_minimum() -> Result<(), BenchmarkError> {
        let origin = governance::<T>()?;
        found::<T>(VALIDATORS)?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, 2);
        assert_eq!(Minimum::<T>::get(), 2);
        Ok(())
    }

    #[benchmark]
    fn clear_offences() -> Result<(), BenchmarkError> {
        let origin = governance::<T>()?;
        let operator: T::AccountId = account("operator", 0, 0);
        Offences::<T>::insert(&operator, record::<T>(0));
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, operator.clone());
        assert!(Offences::<T>::get(operator)
            .iter()
            .all(|offence| offence.cleared));
        Ok(())
    }

    #[benchmark]
    fn report_aura_equivocation() -> Result<(), BenchmarkError> {
        let accounts = found::<T>(VALIDATORS.min(T::MaxValidators::get()))?;
        let offender = accounts[accounts.len() - 1].clone();
        Offences::<T>::insert(&offender, record::<T>(1));
        let key = T::AuthorityId::generate_pair(None);
        let owner = session::<T>(&accounts, &key)?;
        let equivocation = Box::new(EquivocationProof {
            first_header: header::<T>(&key, 1)?,
            second_header: header::<T>(&key, 2)?,
            slot: SLOT.into(),
            offender: key,
        });
        #[extrinsic_call]
        _(RawOrigin::None, equivocation, owner);
        assert_eq!(Offences::<T>::get(offender).len() as u32, MAX_OFFENCES);
        Ok(())
    }

    impl_benchmark_test_suite!(
        Pallet,
        crate::tests::ext(&[1, 2, 3, 4], 2),
        crate::tests::Test
    );
}
