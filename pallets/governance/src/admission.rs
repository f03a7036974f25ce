//! Who may submit transactions at all: whoever becomes a member of a collective may.

use core::marker::PhantomData;

use frame_support::traits::{ChangeMembers, InitializeMembers};

use crate::{Config, Pallet};

/// Admits whoever becomes a member, then tells the collective: a council member that may not vote would be a trap.
pub struct AdmitMembers<T, Collective>(PhantomData<(T, Collective)>);

impl<T: Config, Collective: ChangeMembers<T::AccountId>> ChangeMembers<T::AccountId>
    for AdmitMembers<T, Collective>
{
    fn change_members_sorted(
        incoming: &[T::AccountId],
        outgoing: &[T::AccountId],
        sorted_new: &[T::AccountId],
    ) {
        incoming.iter().for_each(Pallet::<T>::admit);
        Collective::change_members_sorted(incoming, outgoing, sorted_new);
    }

    fn set_prime(prime: Option<T::AccountId>) {
        Collective::set_prime(prime);
    }

    fn get_prime() -> Option<T::AccountId> {
        Collective::get_prime()
    }
}

impl<T: Config, Collective: InitializeMembers<T::AccountId>> InitializeMembers<T::AccountId>
    for AdmitMembers<T, Collective>
{
    fn initialize_members(members: &[T::AccountId]) {
        members.iter().for_each(Pallet::<T>::admit);
        Collective::initialize_members(members);
    }
}
