//! Who may: the gateway that owns the device or administers the group, its custodians, or governance in a gateway's place.

use frame_support::{ensure, traits::EnsureOrigin};
use frame_system::{ensure_signed, pallet_prelude::OriginFor};
use keyward_protocol::view::GatewayStatus;
use sp_runtime::DispatchError;

use crate::{pallet::*, types::Gateway};

/// On whose authority a call acts.
pub(crate) enum Caller<T: Config> {
    /// Governance, in the place of a gateway.
    Governance,
    /// An active gateway.
    Gateway(T::AccountId),
}

impl<T: Config> Caller<T> {
    /// Governance or an active gateway.
    pub(crate) fn of(origin: OriginFor<T>) -> Result<Self, DispatchError> {
        match T::GovernanceOrigin::try_origin(origin) {
            Ok(_) => Ok(Self::Governance),
            Err(origin) => {
                let who = ensure_signed(origin)?;
                active::<T>(&who)?;
                Ok(Self::Gateway(who))
            }
        }
    }

    /// Whether governance acts.
    pub(crate) fn by_governance(&self) -> bool {
        matches!(self, Self::Governance)
    }

    /// Whether it may act for what this gateway owns or administers.
    pub(crate) fn may_act_for(&self, gateway: &T::AccountId) -> bool {
        match self {
            Self::Governance => true,
            Self::Gateway(who) => who == gateway,
        }
    }
}

/// The caller, which must be an active gateway.
pub(crate) fn active<T: Config>(who: &T::AccountId) -> Result<Gateway, Error<T>> {
    let gateway = Gateways::<T>::get(who).ok_or(Error::<T>::NotGateway)?;
    ensure!(
        gateway.status == GatewayStatus::Active,
        Error::<T>::GatewayNotActive
    );
    Ok(gateway)
}

/// A gateway that is to be given something: it must be active, too.
pub(crate) fn recipient<T: Config>(to: &T::AccountId) -> Result<Gateway, Error<T>> {
    let gateway = Gateways::<T>::get(to).ok_or(Error::<T>::UnknownGateway)?;
    ensure!(
        gateway.status == GatewayStatus::Active,
        Error::<T>::GatewayNotActive
    );
    Ok(gateway)
}

/// Whether an account is an active gateway.
pub(crate) fn is_active<T: Config>(account: &T::AccountId) -> bool {
    active::<T>(account).is_ok()
}

/// The caller must be an active gateway and among the group's custodians.
pub(crate) fn custodian<T: Config>(who: &T::AccountId, group: &GroupOf<T>) -> Result<(), Error<T>> {
    ensure!(group.custodians.contains(who), Error::<T>::NotCustodian);
    Ok(())
}
