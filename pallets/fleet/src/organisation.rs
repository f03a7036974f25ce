//! Organisations and their certificate authorities.

use frame_support::{dispatch::DispatchResult, ensure};
use keyward_protocol::{
    id::IdBytes, view::AuthorityStatus, AuthorityId, OrganisationId, VerifyingKey,
};

use crate::{
    keys,
    pallet::*,
    types::{Authority, Gateway, Holder, Organisation, Quotas},
    view::touch,
};

/// Organisations that there may be.
const ORGANISATIONS: u32 = 256;
/// Authorities that there may be, revoked ones included.
const AUTHORITIES: u32 = 1_024;

pub(crate) fn admit<T: Config>(
    name: IdBytes,
    organisation: Organisation,
    bare_names: bool,
) -> DispatchResult {
    let name = OrganisationId::try_from(name).map_err(|_| Error::<T>::BadId)?;
    ensure!(
        name.organisation().is_none(),
        Error::<T>::OrganisationHasDot
    );
    ensure!(
        !Organisations::<T>::contains_key(&name),
        Error::<T>::OrganisationExists
    );
    ensure!(
        Organisations::<T>::count() < ORGANISATIONS,
        Error::<T>::TooManyOrganisations
    );
    if bare_names {
        ensure!(!BareNames::<T>::exists(), Error::<T>::BareNamesTaken);
        BareNames::<T>::put(&name);
    }
    Organisations::<T>::insert(&name, organisation);
    touch::<T>();
    Pallet::<T>::deposit_event(Event::OrganisationAdmitted {
        organisation: name,
        bare_names,
    });
    Ok(())
}

pub(crate) fn admit_authority<T: Config>(
    id: IdBytes,
    organisation: OrganisationId,
    key: VerifyingKey,
) -> DispatchResult {
    let authority = AuthorityId::try_from(id).map_err(|_| Error::<T>::BadId)?;
    ensure!(
        Organisations::<T>::contains_key(&organisation),
        Error::<T>::UnknownOrganisation
    );
    ensure_own::<T>(&organisation, authority.organisation())?;
    ensure!(
        !Authorities::<T>::contains_key(&authority),
        Error::<T>::AuthorityExists
    );
    ensure!(
        Authorities::<T>::count() < AUTHORITIES,
        Error::<T>::TooManyAuthorities
    );
    keys::claim_signing::<T>(&key, Holder::Authority(authority.clone()))?;
    let admitted = Authority {
        organisation: organisation.clone(),
        key,
        status: AuthorityStatus::Active,
    };
    Authorities::<T>::insert(&authority, admitted);
    touch::<T>();
    Pallet::<T>::deposit_event(Event::AuthorityAdmitted {
        authority,
        organisation,
    });
    Ok(())
}

pub(crate) fn revoke_authority<T: Config>(id: AuthorityId) -> DispatchResult {
    Authorities::<T>::try_mutate(&id, |authority| {
        let authority = authority.as_mut().ok_or(Error::<T>::UnknownAuthority)?;
        ensure!(
            authority.status == AuthorityStatus::Active,
            Error::<T>::AuthorityRevoked
        );
        authority.status = AuthorityStatus::Revoked;
        Ok::<_, Error<T>>(())
    })?;
    touch::<T>();
    Pallet::<T>::deposit_event(Event::AuthorityRevoked { authority: id });
    Ok(())
}

/// An id of an organisation begins with its name and a '.'; the one with the bare names has those without a '.' (ID-2).
pub(crate) fn ensure_own<T: Config>(
    organisation: &OrganisationId,
    prefix: Option<&str>,
) -> Result<(), Error<T>> {
    let own = match prefix {
        Some(prefix) => prefix == organisation.as_str(),
        None => BareNames::<T>::get().as_ref() == Some(organisation),
    };
    ensure!(own, Error::<T>::ForeignId);
    Ok(())
}

/// How much a gateway may have.
pub(crate) fn quotas<T: Config>(gateway: &Gateway) -> Result<Quotas, Error<T>> {
    let organisation = Organisations::<T>::get(&gateway.organisation);
    let organisation = organisation.ok_or(Error::<T>::UnknownOrganisation)?;
    Ok(organisation.quotas)
}
