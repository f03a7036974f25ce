//! Gateways: admission, suspension, expulsion and their keys.

use frame_support::{dispatch::DispatchResult, ensure, traits::EnsureOrigin};
use frame_system::{ensure_signed, pallet_prelude::OriginFor};
use keyward_protocol::{
    id::IdBytes, view::GatewayStatus, AgreementKey, GatewayName, OrganisationId, VerifyingKey,
};
use sp_runtime::DispatchError;

use crate::{
    caller, epoch, group, keys, organisation,
    pallet::*,
    sorted,
    types::{Gateway, Holder},
    view::touch,
    AdmitAccount,
};

/// Gateways that there may be, expelled ones included.
const GATEWAYS: u32 = 1_024;

pub(crate) fn admit<T: Config>(
    account: T::AccountId,
    organisation: OrganisationId,
    name: IdBytes,
    statement_key: VerifyingKey,
    custody_key: AgreementKey,
) -> DispatchResult {
    let name = GatewayName::try_from(name).map_err(|_| Error::<T>::BadId)?;
    ensure!(
        Organisations::<T>::contains_key(&organisation),
        Error::<T>::UnknownOrganisation
    );
    organisation::ensure_own::<T>(&organisation, name.organisation())?;
    ensure!(
        !Gateways::<T>::contains_key(&account),
        Error::<T>::GatewayExists
    );
    ensure!(
        !GatewayNames::<T>::contains_key(&name),
        Error::<T>::GatewayNameUsed
    );
    ensure!(
        Gateways::<T>::count() < GATEWAYS,
        Error::<T>::TooManyGateways
    );
    keys::claim::<T>(
        &statement_key,
        &custody_key,
        Holder::Gateway(account.clone()),
    )?;
    GatewayNames::<T>::insert(&name, &account);
    let gateway = Gateway {
        organisation: organisation.clone(),
        name: name.clone(),
        statement_key,
        custody_key,
        status: GatewayStatus::Active,
    };
    Gateways::<T>::insert(&account, gateway);
    T::Admission::admit(&account);
    touch::<T>();
    Pallet::<T>::deposit_event(Event::GatewayAdmitted {
        gateway: account,
        organisation,
        name,
    });
    Ok(())
}

/// Returns in how many groups it was custodian.
pub(crate) fn suspend<T: Config>(account: T::AccountId) -> Result<u32, DispatchError> {
    let mut gateway = known::<T>(&account)?;
    match gateway.status {
        GatewayStatus::Active => gateway.status = GatewayStatus::Suspended,
        GatewayStatus::Suspended => return Err(Error::<T>::AlreadySuspended.into()),
        GatewayStatus::Expelled => return Err(Error::<T>::GatewayExpelled.into()),
    }
    Gateways::<T>::insert(&account, gateway);
    touch::<T>();
    Pallet::<T>::deposit_event(Event::GatewaySuspended {
        gateway: account.clone(),
    });
    each_custody::<T>(&account, |_| true)
}

pub(crate) fn reinstate<T: Config>(account: T::AccountId) -> DispatchResult {
    let mut gateway = known::<T>(&account)?;
    match gateway.status {
        GatewayStatus::Active => return Err(Error::<T>::AlreadyActive.into()),
        GatewayStatus::Suspended => gateway.status = GatewayStatus::Active,
        GatewayStatus::Expelled => return Err(Error::<T>::GatewayExpelled.into()),
    }
    Gateways::<T>::insert(&account, gateway);
    touch::<T>();
    Pallet::<T>::deposit_event(Event::GatewayReinstated { gateway: account });
    Ok(())
}

/// Returns in how many groups it was custodian.
pub(crate) fn expel<T: Config>(account: T::AccountId) -> Result<u32, DispatchError> {
    let mut gateway = known::<T>(&account)?;
    let was_active = gateway.status == GatewayStatus::Active;
    ensure!(
        gateway.status != GatewayStatus::Expelled,
        Error::<T>::GatewayExpelled
    );
    gateway.status = GatewayStatus::Expelled;
    Gateways::<T>::insert(&account, gateway);
    touch::<T>();
    Pallet::<T>::deposit_event(Event::GatewayExpelled {
        gateway: account.clone(),
    });
    let groups = each_custody::<T>(&account, |group| {
        sorted::remove(&mut group.custodians, &account);
        was_active
    })?;
    CustodianGroups::<T>::remove(&account);
    Ok(groups)
}

/// Returns in how many groups it is custodian.
pub(crate) fn replace_keys<T: Config>(
    origin: OriginFor<T>,
    account: T::AccountId,
    statement_key: VerifyingKey,
    custody_key: AgreementKey,
) -> Result<u32, DispatchError> {
    let by_governance = governs_or_is::<T>(origin, &account)?;
    let mut gateway = known::<T>(&account)?;
    ensure!(
        gateway.status != GatewayStatus::Expelled,
        Error::<T>::GatewayExpelled
    );
    let is_active = gateway.status == GatewayStatus::Active;
    keys::claim::<T>(
        &statement_key,
        &custody_key,
        Holder::Gateway(account.clone()),
    )?;
    gateway.statement_key = statement_key;
    gateway.custody_key = custody_key;
    Gateways::<T>::insert(&account, gateway);
    touch::<T>();
    Pallet::<T>::deposit_event(Event::GatewayKeysReplaced {
        gateway: account.clone(),
        statement_key,
        custody_key,
        by_governance,
    });
    each_custody::<T>(&account, |_| is_active)
}

/// Whether governance calls; otherwise it must be the gateway itself.
fn governs_or_is<T: Config>(
    origin: OriginFor<T>,
    account: &T::AccountId,
) -> Result<bool, DispatchError> {
    let Err(origin) = T::GovernanceOrigin::try_origin(origin) else {
        return Ok(true);
    };
    let who = ensure_signed(origin)?;
    caller::active::<T>(&who)?;
    ensure!(who == *account, DispatchError::BadOrigin);
    Ok(false)
}

fn known<T: Config>(account: &T::AccountId) -> Result<Gateway, Error<T>> {
    Gateways::<T>::get(account).ok_or(Error::<T>::UnknownGateway)
}

/// Goes through the groups that a gateway is custodian of. Where `change` says that it ceases to be an active one, its
/// departure takes the queue along.
fn each_custody<T: Config>(
    account: &T::AccountId,
    mut change: impl FnMut(&mut GroupOf<T>) -> bool,
) -> Result<u32, DispatchError> {
    let groups = CustodianGroups::<T>::get(account);
    for id in &groups {
        let mut group = group::load::<T>(id)?;
        if change(&mut group) {
            epoch::custodian_left::<T>(id, &mut group)?;
        }
        group::save_revised::<T>(id, group);
    }
    Ok(groups.len().try_into().unwrap_or(u32::MAX))
}
