//! Who the device is: its id, its keys, and what its authority gave it.

use keyward_crypto::{sign, AgreementSecret, SigningKey};
use keyward_protocol::{
    provisioning::{EnrolmentRequest, Provisioning},
    registration::Voucher,
    signing::{Signed, Unverifiable, Unverified},
    wire::WireInvalid,
    DeviceId,
};
use rand_core::OsRng;
use serde::{de::DeserializeOwned, Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    address::Connection,
    store::{Store, StoreFailed, Write},
};

const IDENTITY: &str = "device/identity";
const PROVISIONING: &str = "device/provisioning";
const CONNECTION: &str = "device/connection";
const SIGNING: &str = "device/signing";
const AGREEMENT: &str = "device/agreement";
/// Keys that wait for the chain.
const NEXT: &str = "device/next";
const NEXT_SIGNING: &str = "device/next/signing";
const NEXT_AGREEMENT: &str = "device/next/agreement";

/// What the store says of the device itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Named {
    device: DeviceId,
    key_version: u32,
}

pub use crate::session::Identity;

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityFailed {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
    /// Not made yet.
    #[error("the key store has no keys yet; run 'keyward-agent init'")]
    Missing,
    /// The store is another device's.
    #[error("the key store is that of device {actual} with key version {key_version}; name another directory")]
    Another {
        /// Whose it is.
        actual: DeviceId,
        /// The version of its keys.
        key_version: u32,
    },
}

/// The device of a store.
pub fn load(store: &Store) -> Result<Identity, IdentityFailed> {
    let named: Named = value(store, IDENTITY)?.ok_or(IdentityFailed::Missing)?;
    Ok(Identity {
        device: named.device,
        key_version: named.key_version,
        signing: SigningKey::from_seed(&*key(store, SIGNING)?),
        agreement: AgreementSecret::from_bytes(&*key(store, AGREEMENT)?),
    })
}

/// The device with the keys that wait for the chain, if there are some.
pub fn next(store: &Store) -> Result<Option<Identity>, StoreFailed> {
    let Some(named) = value::<Named>(store, NEXT)? else {
        return Ok(None);
    };
    Ok(Some(Identity {
        device: named.device,
        key_version: named.key_version,
        signing: SigningKey::from_seed(&*key(store, NEXT_SIGNING)?),
        agreement: AgreementSecret::from_bytes(&*key(store, NEXT_AGREEMENT)?),
    }))
}

/// Makes the keys that the chain is to have next, durably; those of an earlier try are taken again, since the chain may have them
/// already. Whether they are new is the second part.
pub fn make_next(store: &mut Store, now: &Identity) -> Result<(Identity, bool), StoreFailed> {
    let key_version = now.key_version.saturating_add(1);
    if let Some(next) = next(store)?.filter(|next| next.key_version == key_version) {
        return Ok((next, false));
    }
    let next = Identity {
        device: now.device.clone(),
        key_version,
        signing: SigningKey::generate(&mut OsRng),
        agreement: AgreementSecret::generate(&mut OsRng),
    };
    store.commit(&keep(&next, [NEXT, NEXT_SIGNING, NEXT_AGREEMENT])?)?;
    Ok((next, true))
}

/// What makes the next keys the device's, all in one commit; the old ones are erased by it.
pub fn promotion(next: &Identity) -> Result<Vec<Write>, StoreFailed> {
    let mut writes = keep(next, [IDENTITY, SIGNING, AGREEMENT])?;
    writes.push(Write::Delete(NEXT.into()));
    writes.extend([NEXT_SIGNING, NEXT_AGREEMENT].map(|name| Write::Erase(name.into())));
    Ok(writes)
}

fn key(store: &Store, name: &str) -> Result<Zeroizing<[u8; 32]>, StoreFailed> {
    let secret = store.secret(name)?.ok_or_else(|| damaged(name))?;
    let mut key = Zeroizing::new([0; 32]);
    match secret.len() == key.len() {
        true => key.copy_from_slice(&secret),
        false => return Err(damaged(name)),
    }
    Ok(key)
}

/// Makes a device's keys, unless the store has them already: keys that were vouched for are not thrown away.
pub fn make(
    store: &mut Store,
    device: &DeviceId,
    key_version: u32,
) -> Result<(Identity, bool), IdentityFailed> {
    match load(store) {
        Ok(made) if made.device == *device && made.key_version == key_version => {
            return Ok((made, false))
        }
        Ok(other) => {
            return Err(IdentityFailed::Another {
                actual: other.device,
                key_version: other.key_version,
            })
        }
        Err(IdentityFailed::Missing) => {}
        Err(error) => return Err(error),
    }
    let made = Identity {
        device: device.clone(),
        key_version,
        signing: SigningKey::generate(&mut OsRng),
        agreement: AgreementSecret::generate(&mut OsRng),
    };
    store.commit(&keep(&made, [IDENTITY, SIGNING, AGREEMENT])?)?;
    Ok((made, true))
}

/// Keeps a device and its keys under three names.
fn keep(
    identity: &Identity,
    [name, signing, agreement]: [&str; 3],
) -> Result<Vec<Write>, StoreFailed> {
    let named = Named {
        device: identity.device.clone(),
        key_version: identity.key_version,
    };
    let seed = Zeroizing::new(identity.signing.expose_seed().to_vec());
    let secret = Zeroizing::new(identity.agreement.expose().to_vec());
    Ok(vec![
        put(name, &named)?,
        Write::Keep(signing.into(), seed),
        Write::Keep(agreement.into(), secret),
    ])
}

/// What the authority is asked to vouch for.
pub fn request(identity: &Identity) -> EnrolmentRequest {
    EnrolmentRequest {
        device: identity.device.clone(),
        key_version: identity.key_version,
        signing_key: identity.signing.verifying_key(),
        agreement_key: identity.agreement.public(),
    }
}

/// Why what the authority gave is not for this device.
#[derive(Debug, thiserror::Error)]
pub enum ProvisioningInvalid {
    /// The voucher is not one.
    #[error("the voucher is not hexadecimal of a voucher: {reason}")]
    Form {
        /// Why.
        reason: String,
    },
    /// The voucher is not the authority's.
    #[error("the voucher is not what the authority signed: {source}")]
    Signature {
        /// Why.
        source: Unverifiable,
    },
    /// For another device.
    #[error("the provisioning is for device {actual}, and this is {expected}")]
    Device {
        /// Whose it is.
        actual: DeviceId,
        /// Who this is.
        expected: DeviceId,
    },
    /// For other keys.
    #[error("the voucher names other keys than this device has (key version {actual}, ours {expected}); send the request of 'keyward-agent init' to the authority again")]
    Keys {
        /// Its version.
        actual: u32,
        /// Ours.
        expected: u32,
    },
    /// Voucher and provisioning name different gateways.
    #[error("the voucher is for another gateway than the provisioning names")]
    Gateway,
}

/// Checks that a provisioning is this device's, and gives its voucher (PRV-1, REG-1).
pub fn voucher(
    provisioning: &Provisioning,
    identity: &Identity,
) -> Result<Signed<Voucher>, ProvisioningInvalid> {
    let form = |reason: &dyn std::fmt::Display| ProvisioningInvalid::Form {
        reason: reason.to_string(),
    };
    let wire = hex::decode(&provisioning.voucher).map_err(|error| form(&error))?;
    let unverified =
        Unverified::<Voucher>::from_wire(&wire).map_err(|error: WireInvalid| form(&error))?;
    let signed = sign::verify(
        unverified,
        &provisioning.genesis,
        &provisioning.authority_key,
    )
    .map_err(|source| ProvisioningInvalid::Signature { source })?;
    let (voucher, ours) = (signed.body(), request(identity));
    if provisioning.device != ours.device || voucher.device != ours.device {
        return Err(ProvisioningInvalid::Device {
            actual: voucher.device.clone(),
            expected: ours.device,
        });
    }
    if (
        voucher.signing_key,
        voucher.agreement_key,
        voucher.key_version,
    ) != (ours.signing_key, ours.agreement_key, ours.key_version)
    {
        return Err(ProvisioningInvalid::Keys {
            actual: voucher.key_version,
            expected: ours.key_version,
        });
    }
    match voucher.gateway == provisioning.gateway.account {
        true => Ok(signed),
        false => Err(ProvisioningInvalid::Gateway),
    }
}

/// What the authority gave, if the device was told already.
pub fn provisioning(store: &Store) -> Result<Option<Provisioning>, StoreFailed> {
    value(store, PROVISIONING)
}

/// Remembers what the authority gave, and how to get to the broker.
pub fn remember(
    store: &mut Store,
    provisioning: &Provisioning,
    connection: &Connection,
) -> Result<(), StoreFailed> {
    store.commit(&[
        put(PROVISIONING, provisioning)?,
        put(CONNECTION, connection)?,
    ])
}

/// How to get to the broker, if the device was told already.
pub fn connection(store: &Store) -> Result<Option<Connection>, StoreFailed> {
    value(store, CONNECTION)
}

/// Reads a value that is JSON.
pub fn value<T: DeserializeOwned>(store: &Store, name: &str) -> Result<Option<T>, StoreFailed> {
    let Some(bytes) = store.value(name)? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|_| damaged(name))
}

/// Remembers a value as JSON.
pub fn put(name: &str, value: &impl Serialize) -> Result<Write, StoreFailed> {
    let json = serde_json::to_vec(value).map_err(|_| damaged(name))?;
    Ok(Write::Put(name.to_owned(), json))
}

fn damaged(name: &str) -> StoreFailed {
    StoreFailed::Damaged {
        name: name.to_owned(),
    }
}
