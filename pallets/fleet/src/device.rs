//! Devices: enrolment with voucher and proof of possession, keys, status and owner.

use frame_support::{dispatch::DispatchResult, ensure};
use frame_system::pallet_prelude::OriginFor;
use keyward_protocol::{
    registration::{KeyReplacement, Registration, Voucher},
    signing::Purpose,
    view::{AuthorityStatus, DeviceStatus},
    DeviceId, Signature,
};
use sp_runtime::DispatchError;

use crate::{
    caller::{self, Caller},
    keys, membership, organisation,
    pallet::*,
    types::{Device, Gateway, Holder, KeyAuthorisation},
    view::{now, raw, seconds, touch},
};

pub(crate) fn load<T: Config>(device: &DeviceId) -> Result<DeviceOf<T>, Error<T>> {
    Devices::<T>::get(device).ok_or(Error::<T>::UnknownDevice)
}

/// A device, for the gateway that owns it or governance.
pub(crate) fn owned<T: Config>(
    origin: OriginFor<T>,
    device: &DeviceId,
) -> Result<(DeviceOf<T>, Caller<T>), DispatchError> {
    let caller = Caller::<T>::of(origin)?;
    let known = load::<T>(device)?;
    ensure!(caller.may_act_for(&known.owner), Error::<T>::NotOwner);
    Ok((known, caller))
}

pub(crate) fn register<T: Config>(
    who: T::AccountId,
    voucher: Voucher,
    voucher_signature: Signature,
    proof: Signature,
) -> DispatchResult {
    let gateway = caller::active::<T>(&who)?;
    ensure!(voucher.key_version == 1, Error::<T>::WrongKeyVersion);
    check_voucher::<T>(&who, &gateway, &voucher, &voucher_signature)?;
    let id = &voucher.device;
    organisation::ensure_own::<T>(&gateway.organisation, id.organisation())?;
    ensure!(!Devices::<T>::contains_key(id), Error::<T>::DeviceExists);
    claim::<T>(&voucher)?;
    check_proof::<T>(&voucher, &proof)?;
    count::<T>(&who, &gateway)?;
    OwnedDevices::<T>::insert(&who, id, ());
    let device = Device {
        owner: who.clone(),
        authority: voucher.authority.clone(),
        signing_key: voucher.signing_key,
        agreement_key: voucher.agreement_key,
        key_version: voucher.key_version,
        status: DeviceStatus::Active,
        enrolled_at: now::<T>(),
    };
    Devices::<T>::insert(id, device);
    touch::<T>();
    Pallet::<T>::deposit_event(Event::DeviceRegistered {
        device: voucher.device,
        owner: who,
        authority: voucher.authority,
    });
    Ok(())
}

/// Only the owner: governance never sets a device's keys (REG-8).
pub(crate) fn replace_keys<T: Config>(
    who: T::AccountId,
    authorisation: KeyAuthorisation,
) -> DispatchResult {
    let gateway = caller::active::<T>(&who)?;
    match authorisation {
        KeyAuthorisation::Current {
            replacement,
            new_signature,
            current_signature,
        } => replace_by_current::<T>(who, replacement, new_signature, current_signature),
        KeyAuthorisation::Voucher {
            voucher,
            voucher_signature,
            proof,
        } => {
            let mut device = replaceable::<T>(&who, &voucher.device, voucher.key_version)?;
            check_voucher::<T>(&who, &gateway, &voucher, &voucher_signature)?;
            claim::<T>(&voucher)?;
            check_proof::<T>(&voucher, &proof)?;
            device.authority = voucher.authority;
            device.signing_key = voucher.signing_key;
            device.agreement_key = voucher.agreement_key;
            replaced::<T>(voucher.device, device, true)
        }
    }
}

/// The current key hands over to new ones (REG-6). A suspended device's keys may be stolen: only a voucher replaces them.
fn replace_by_current<T: Config>(
    who: T::AccountId,
    replacement: KeyReplacement,
    new_signature: Signature,
    current_signature: Signature,
) -> DispatchResult {
    let mut device = replaceable::<T>(&who, &replacement.device, replacement.key_version)?;
    ensure!(
        device.status == DeviceStatus::Active,
        Error::<T>::DeviceSuspended
    );
    ensure!(seconds::<T>() <= replacement.not_after, Error::<T>::Expired);
    let (signing, agreement) = (replacement.signing_key, replacement.agreement_key);
    let holder = Holder::Device(replacement.device.clone());
    keys::claim::<T>(&signing, &agreement, holder)?;
    let signed_by = |signature, key| {
        keys::is_signed::<T>(Purpose::KeyReplacement, &replacement, signature, key)
    };
    ensure!(signed_by(&new_signature, &signing), Error::<T>::BadProof);
    let by_current = signed_by(&current_signature, &device.signing_key);
    ensure!(by_current, Error::<T>::BadCurrentSignature);
    device.signing_key = signing;
    device.agreement_key = agreement;
    replaced::<T>(replacement.device, device, false)
}

/// A device whose keys this gateway may replace by those of this version.
fn replaceable<T: Config>(
    who: &T::AccountId,
    device: &DeviceId,
    key_version: u32,
) -> Result<DeviceOf<T>, Error<T>> {
    let known = load::<T>(device)?;
    ensure!(known.owner == *who, Error::<T>::NotOwner);
    ensure!(
        known.status != DeviceStatus::Revoked,
        Error::<T>::DeviceRevoked
    );
    let next = known.key_version.checked_add(1);
    ensure!(next == Some(key_version), Error::<T>::WrongKeyVersion);
    Ok(known)
}

/// Stores a device's new keys, which are of the next version.
fn replaced<T: Config>(id: DeviceId, mut device: DeviceOf<T>, by_voucher: bool) -> DispatchResult {
    device.key_version = device.key_version.saturating_add(1);
    let key_version = device.key_version;
    Devices::<T>::insert(&id, device);
    touch::<T>();
    membership::rekey_in_all::<T>(&id, key_version)?;
    Pallet::<T>::deposit_event(Event::DeviceKeysReplaced {
        device: id,
        key_version,
        by_voucher,
    });
    Ok(())
}

/// An active authority of the gateway's organisation signed the voucher, for this gateway and this time (REG-3).
fn check_voucher<T: Config>(
    who: &T::AccountId,
    gateway: &Gateway,
    voucher: &Voucher,
    signature: &Signature,
) -> DispatchResult {
    ensure!(
        voucher.gateway == raw::<T>(who),
        Error::<T>::VoucherForAnotherGateway
    );
    ensure!(seconds::<T>() <= voucher.not_after, Error::<T>::Expired);
    let authority = Authorities::<T>::get(&voucher.authority);
    let authority = authority.ok_or(Error::<T>::UnknownAuthority)?;
    ensure!(
        authority.status == AuthorityStatus::Active,
        Error::<T>::AuthorityRevoked
    );
    ensure!(
        authority.organisation == gateway.organisation,
        Error::<T>::ForeignAuthority
    );
    let signed = keys::is_signed::<T>(Purpose::Voucher, voucher, signature, &authority.key);
    ensure!(signed, Error::<T>::BadVoucherSignature);
    Ok(())
}

/// The device holds the signing key of its voucher (REG-2).
fn check_proof<T: Config>(voucher: &Voucher, proof: &Signature) -> Result<(), Error<T>> {
    let registration = Registration {
        voucher: keys::hash_of::<T>(Purpose::Voucher, voucher),
        gateway: voucher.gateway,
        signing_key: voucher.signing_key,
        agreement_key: voucher.agreement_key,
    };
    let key = &voucher.signing_key;
    let signed = keys::is_signed::<T>(Purpose::Registration, &registration, proof, key);
    ensure!(signed, Error::<T>::BadProof);
    Ok(())
}

/// Registers the keys of a voucher.
fn claim<T: Config>(voucher: &Voucher) -> Result<(), Error<T>> {
    let holder = Holder::Device(voucher.device.clone());
    keys::claim::<T>(&voucher.signing_key, &voucher.agreement_key, holder)
}

pub(crate) fn suspend<T: Config>(origin: OriginFor<T>, id: DeviceId) -> DispatchResult {
    let (mut device, caller) = owned::<T>(origin, &id)?;
    match device.status {
        DeviceStatus::Active => device.status = DeviceStatus::Suspended,
        DeviceStatus::Suspended => return Err(Error::<T>::DeviceSuspended.into()),
        DeviceStatus::Revoked => return Err(Error::<T>::DeviceRevoked.into()),
    }
    Devices::<T>::insert(&id, device);
    touch::<T>();
    membership::suspend_in_all::<T>(&id)?;
    Pallet::<T>::deposit_event(Event::DeviceSuspended {
        device: id,
        by_governance: caller.by_governance(),
    });
    Ok(())
}

pub(crate) fn reinstate<T: Config>(origin: OriginFor<T>, id: DeviceId) -> DispatchResult {
    let (mut device, caller) = owned::<T>(origin, &id)?;
    match device.status {
        DeviceStatus::Active => return Err(Error::<T>::DeviceActive.into()),
        DeviceStatus::Suspended => device.status = DeviceStatus::Active,
        DeviceStatus::Revoked => return Err(Error::<T>::DeviceRevoked.into()),
    }
    let key_version = device.key_version;
    Devices::<T>::insert(&id, device);
    touch::<T>();
    membership::reinstate_in_all::<T>(&id, key_version)?;
    Pallet::<T>::deposit_event(Event::DeviceReinstated {
        device: id,
        by_governance: caller.by_governance(),
    });
    Ok(())
}

pub(crate) fn revoke<T: Config>(origin: OriginFor<T>, id: DeviceId) -> DispatchResult {
    let (mut device, caller) = owned::<T>(origin, &id)?;
    ensure!(
        device.status != DeviceStatus::Revoked,
        Error::<T>::DeviceRevoked
    );
    device.status = DeviceStatus::Revoked;
    membership::leave_all::<T>(&id, caller.by_governance())?;
    Offers::<T>::remove(&id);
    OwnedDevices::<T>::remove(&device.owner, &id);
    uncount::<T>(&device.owner);
    Devices::<T>::insert(&id, device);
    touch::<T>();
    Pallet::<T>::deposit_event(Event::DeviceRevoked {
        device: id,
        by_governance: caller.by_governance(),
    });
    Ok(())
}

pub(crate) fn transfer<T: Config>(
    origin: OriginFor<T>,
    id: DeviceId,
    to: T::AccountId,
) -> DispatchResult {
    let caller = Caller::<T>::of(origin)?;
    let device = load::<T>(&id)?;
    ensure!(
        device.status != DeviceStatus::Revoked,
        Error::<T>::DeviceRevoked
    );
    match &caller {
        Caller::Governance => {
            ensure!(device.owner != to, Error::<T>::NotOffered);
            hand_over::<T>(id, device, to, true)
        }
        Caller::Gateway(who) if *who == device.owner => offer::<T>(id, who, to),
        Caller::Gateway(who) => {
            ensure!(*who == to, Error::<T>::NotOwner);
            ensure!(
                Offers::<T>::get(&id).as_ref() == Some(who),
                Error::<T>::NotOffered
            );
            // What a gateway offered before it was suspended or expelled is governance's to decide on.
            ensure!(
                caller::is_active::<T>(&device.owner),
                Error::<T>::GatewayNotActive
            );
            hand_over::<T>(id, device, to, false)
        }
    }
}

/// Offers a device to another gateway, or takes the offer back.
fn offer<T: Config>(id: DeviceId, owner: &T::AccountId, to: T::AccountId) -> DispatchResult {
    if *owner == to {
        Offers::<T>::take(&id).ok_or(Error::<T>::NotOffered)?;
        Pallet::<T>::deposit_event(Event::DeviceOfferWithdrawn { device: id });
        return Ok(());
    }
    caller::recipient::<T>(&to)?;
    Offers::<T>::insert(&id, &to);
    Pallet::<T>::deposit_event(Event::DeviceOffered { device: id, to });
    Ok(())
}

fn hand_over<T: Config>(
    id: DeviceId,
    mut device: DeviceOf<T>,
    to: T::AccountId,
    by_governance: bool,
) -> DispatchResult {
    let gateway = caller::recipient::<T>(&to)?;
    let from = core::mem::replace(&mut device.owner, to.clone());
    uncount::<T>(&from);
    count::<T>(&to, &gateway)?;
    OwnedDevices::<T>::remove(&from, &id);
    OwnedDevices::<T>::insert(&to, &id, ());
    Offers::<T>::remove(&id);
    Devices::<T>::insert(&id, device);
    touch::<T>();
    Pallet::<T>::deposit_event(Event::DeviceTransferred {
        device: id,
        from,
        to,
        by_governance,
    });
    Ok(())
}

/// Counts a device against its owner's quota.
fn count<T: Config>(owner: &T::AccountId, gateway: &Gateway) -> DispatchResult {
    let quotas = organisation::quotas::<T>(gateway)?;
    Usages::<T>::try_mutate(owner, |usage| {
        ensure!(usage.devices < quotas.devices, Error::<T>::DeviceQuota);
        usage.devices = usage.devices.saturating_add(1);
        Ok(())
    })
}

fn uncount<T: Config>(owner: &T::AccountId) {
    Usages::<T>::mutate(owner, |usage| {
        usage.devices = usage.devices.saturating_sub(1)
    });
}
