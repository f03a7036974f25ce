//! The runtime API: how a node reports what it saw.

use alloc::boxed::Box;

use codec::{Codec, Decode, Encode};
use frame_system::{
    offchain::{CreateBare, SubmitTransaction},
    pallet_prelude::HeaderFor,
};
use scale_info::TypeInfo;
use sp_core::crypto::key_types::AURA;
use sp_runtime::RuntimeAppPublic;

use crate::{
    equivocation::{self, AuraEquivocation},
    pallet::{Call, Config, Error, Pallet},
    session,
};

/// Why a report was not submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum Refusal {
    /// No session on record has the slot, or the key was not in force then.
    UnknownOwner,
    /// The offence is on record already, or the record of the account is full.
    Known,
    /// The headers do not prove that the key signed two different blocks of the slot.
    Invalid,
    /// The node's pool did not take the transaction.
    Pool,
}

sp_api::decl_runtime_apis! {
    /// Reports of two blocks that one validator signed for one slot.
    pub trait ValidatorSetApi<AuthorityId: Codec> {
        /// Verifies a report, says whose key it was, and puts it into the node's pool as an unsigned transaction.
        ///
        /// For nodes, with their transaction pool registered as an extension of the call (as for GRANDPA's reports). Ask at
        /// the best block: the session of the slot is found on record there, and no older state is needed. The transaction
        /// is not propagated, so it goes into the next block that this node authors.
        fn report_aura_equivocation(
            equivocation: AuraEquivocation<Block::Header, AuthorityId>,
        ) -> Result<(), Refusal>;
    }
}

impl<T: Config + CreateBare<Call<T>>> Pallet<T> {
    /// Answers the runtime API.
    pub fn submit_aura_equivocation(
        equivocation: AuraEquivocation<HeaderFor<T>, T::AuthorityId>,
    ) -> Result<(), Refusal> {
        let session = session::session_of::<T>(equivocation.slot).ok_or(Refusal::UnknownOwner)?;
        let key = equivocation.offender.to_raw_vec();
        let owner = Self::key_owner_proof(session, AURA, &key).ok_or(Refusal::UnknownOwner)?;
        equivocation::verify::<T>(&equivocation, owner).map_err(|refused| match refused {
            Error::KnownOffence => Refusal::Known,
            Error::InvalidKeyOwner => Refusal::UnknownOwner,
            _ => Refusal::Invalid,
        })?;
        let call = Call::report_aura_equivocation {
            equivocation: Box::new(equivocation),
            owner,
        };
        SubmitTransaction::<T, Call<T>>::submit_transaction(T::create_bare(call.into()))
            .map_err(|()| Refusal::Pool)
    }
}
