//! What benchmarks start from: gateways, devices and groups that are as large as they can be.
//!
//! Signatures are made by the host's keystore, because the wasm runtime has no signing code.

use alloc::{format, string::String, vec::Vec};

use frame_benchmarking::{account, BenchmarkError};
use frame_support::{traits::EnsureOrigin, BoundedVec};
use frame_system::RawOrigin;
use keyward_protocol::{
    extension::{Extension, Extensions},
    limits,
    policy::Policy,
    receipt::Receipt,
    registration::{KeyReplacement, Registration, Voucher},
    signing::{payload, Purpose},
    topic::{Filters, TopicFilter},
    AccountId as RawAccount, AgreementKey, AuthorityId, Commitment, DeviceId, Digest, GroupId,
    OrganisationId, Role, Signature, VerifyingKey,
};
use sp_core::crypto::KeyTypeId;
use sp_io::hashing::blake2_256;
use sp_runtime::traits::{One, Saturating};

use crate::{chain, pallet::*, KeyAuthorisation, Label, Quotas, ReceiptItem, INVITATIONS};

const KEYS: KeyTypeId = KeyTypeId(*b"kwbm");

/// The first epoch of the groups here: late enough that each advance drops an epoch from the record.
const EPOCH: u32 = 100;

/// A bounded list; what is over the bound is dropped.
pub fn list<I, S: frame_support::traits::Get<u32>>(
    items: impl IntoIterator<Item = I>,
) -> BoundedVec<I, S> {
    BoundedVec::truncate_from(items.into_iter().collect())
}

pub fn governance<T: Config>() -> Result<T::RuntimeOrigin, BenchmarkError> {
    T::GovernanceOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)
}

pub fn by<T: Config>(who: &T::AccountId) -> T::RuntimeOrigin {
    RawOrigin::Signed(who.clone()).into()
}

pub fn raw<T: Config>(who: &T::AccountId) -> RawAccount {
    RawAccount(who.clone().into())
}

/// An identifier of the benchmark's organisation, as long as it may be.
pub fn name(kind: &str, number: u32) -> String {
    format!("bench.{kind:x<20}{number:06}")
}

pub fn name_bytes(kind: &str, number: u32) -> keyward_protocol::id::IdBytes {
    list(name(kind, number).into_bytes())
}

pub fn organisation() -> OrganisationId {
    OrganisationId::new("bench").expect("it is an identifier")
}

pub fn authority() -> AuthorityId {
    AuthorityId::new(&name("ca", 0)).expect("it is an identifier")
}

pub fn device_id(number: u32) -> DeviceId {
    DeviceId::new(&name("d", number)).expect("it is an identifier")
}

pub fn group_id(number: u32) -> GroupId {
    GroupId::new(&name("g", number)).expect("it is an identifier")
}

/// A signing key in the host's keystore.
pub fn signer(name: &str) -> VerifyingKey {
    let seed = format!("//{name}").into_bytes();
    VerifyingKey(sp_io::crypto::ed25519_generate(KEYS, Some(seed)).0)
}

pub fn sign(key: &VerifyingKey, payload: &[u8]) -> Signature {
    let public = sp_core::ed25519::Public::from_raw(key.0);
    let signature = sp_io::crypto::ed25519_sign(KEYS, &public, payload);
    Signature(signature.expect("the key is in the keystore").0)
}

/// An acceptable agreement key that nobody uses.
pub fn agreement_key(name: &str) -> AgreementKey {
    let mut bytes = blake2_256(name.as_bytes());
    bytes[31] &= 0x3f;
    AgreementKey(bytes)
}

/// Goes on to the next block.
pub fn next_block<T: Config>() {
    let next = frame_system::Pallet::<T>::block_number().saturating_add(One::one());
    frame_system::Pallet::<T>::set_block_number(next);
}

pub fn gateway<T: Config>(number: u32) -> T::AccountId {
    account("gateway", number, 0)
}

pub fn admit_gateway<T: Config>(number: u32) -> Result<T::AccountId, BenchmarkError> {
    let keys = name("gw", number);
    Pallet::<T>::admit_gateway(
        governance::<T>()?,
        gateway::<T>(number),
        organisation(),
        name_bytes("gw", number),
        signer(&keys),
        agreement_key(&keys),
    )?;
    Ok(gateway::<T>(number))
}

pub fn label() -> Label {
    list([b'x'; 64])
}

pub const QUOTAS: Quotas = Quotas {
    devices: u32::MAX,
    groups: u32::MAX,
    members: u32::MAX,
};

/// An organisation without narrow quotas, its authority, and as many gateways as a group may have custodians.
pub fn found<T: Config>() -> Result<Vec<T::AccountId>, BenchmarkError> {
    let name = list(*b"bench");
    Pallet::<T>::admit_organisation(governance::<T>()?, name, label(), QUOTAS, false)?;
    let id = name_bytes("ca", 0);
    let key = signer("authority");
    Pallet::<T>::admit_authority(governance::<T>()?, id, organisation(), key)?;
    (0..limits::CUSTODIANS).map(admit_gateway::<T>).collect()
}

pub fn filters() -> Filters {
    let filter = |last: u32| TopicFilter::new(&format!("{:x<63}{last}", "")).ok();
    Filters::new((0..limits::FILTERS).filter_map(filter)).unwrap_or_default()
}

pub fn policy() -> Policy {
    let extension = |id: u32| Extension {
        id: id as u16,
        critical: false,
        bytes: list([0; limits::EXTENSION as usize]),
    };
    Policy {
        extensions: Extensions(list((0..limits::EXTENSIONS).map(extension))),
        ..Policy::default()
    }
}

/// What a device needs to come on chain, or to get new keys.
pub struct Enrolment {
    pub voucher: Voucher,
    pub signature: Signature,
    pub proof: Signature,
}

pub fn enrolment<T: Config>(owner: &T::AccountId, number: u32, key_version: u32) -> Enrolment {
    let keys = format!("{}{key_version}", name("d", number));
    let voucher = Voucher {
        authority: authority(),
        device: device_id(number),
        gateway: raw::<T>(owner),
        signing_key: signer(&keys),
        agreement_key: agreement_key(&keys),
        key_version,
        not_after: u64::MAX,
    };
    let genesis = chain::genesis::<T>();
    let bytes = payload(&genesis, Purpose::Voucher, &voucher);
    let registration = Registration {
        voucher: Digest(blake2_256(&bytes)),
        gateway: voucher.gateway,
        signing_key: voucher.signing_key,
        agreement_key: voucher.agreement_key,
    };
    let proof = payload(&genesis, Purpose::Registration, &registration);
    Enrolment {
        signature: sign(&signer("authority"), &bytes),
        proof: sign(&voucher.signing_key, &proof),
        voucher,
    }
}

pub fn replacement<T: Config>(number: u32) -> KeyAuthorisation {
    let keys = |version| format!("{}{version}", name("d", number));
    let replacement = KeyReplacement {
        device: device_id(number),
        key_version: 2,
        signing_key: signer(&keys(2)),
        agreement_key: agreement_key(&keys(2)),
        not_after: u64::MAX,
    };
    let bytes = payload(
        &chain::genesis::<T>(),
        Purpose::KeyReplacement,
        &replacement,
    );
    KeyAuthorisation::Current {
        new_signature: sign(&replacement.signing_key, &bytes),
        current_signature: sign(&signer(&keys(1)), &bytes),
        replacement,
    }
}

pub fn register<T: Config>(owner: &T::AccountId, number: u32) -> Result<DeviceId, BenchmarkError> {
    let new = enrolment::<T>(owner, number, 1);
    Pallet::<T>::register_device(by::<T>(owner), new.voucher, new.signature, new.proof)?;
    Ok(device_id(number))
}

pub fn commitment(epoch: u32) -> Commitment {
    Commitment(blake2_256(&epoch.to_le_bytes()))
}

/// Commits to as many epochs as fit, in the name of `custodian`.
pub fn fill_queue<T: Config>(
    custodian: &T::AccountId,
    group: &GroupId,
) -> Result<(), BenchmarkError> {
    loop {
        let stored = Groups::<T>::get(group).ok_or("the group exists")?;
        let ahead = stored.staged.len() as u32 + u32::from(stored.committed.is_some());
        if ahead > limits::STAGED {
            return Ok(());
        }
        let epoch = stored.epoch + ahead;
        Pallet::<T>::stage_epoch(by::<T>(custodian), group.clone(), epoch, commitment(epoch))?;
    }
}

/// Moves a new group to an epoch at which its record is full.
fn age<T: Config>(group: &GroupId) {
    Groups::<T>::mutate_extant(group, |stored| stored.epoch = EPOCH);
    if let Some(first) = KeyExchanges::<T>::take(group, 1) {
        let kept = EPOCH.saturating_sub(limits::HISTORY)..=EPOCH;
        kept.for_each(|epoch| KeyExchanges::<T>::insert(group, epoch, first.clone()));
    }
}

/// A group with everything in it that fits, at a late epoch, of `admin`; the first of `custodians` staged all. It may
/// advance in this block.
pub fn create<T: Config>(
    admin: &T::AccountId,
    custodians: &[T::AccountId],
    number: u32,
) -> Result<GroupId, BenchmarkError> {
    let id = name_bytes("g", number);
    let all = list(custodians.iter().cloned());
    Pallet::<T>::create_group(by::<T>(admin), id, filters(), policy(), all)?;
    let group = group_id(number);
    age::<T>(&group);
    let first = custodians.first().ok_or("a group has a custodian")?;
    fill_queue::<T>(first, &group)?;
    next_block::<T>();
    Ok(group)
}

/// Has the device's owner add it, who administers the group.
pub fn join<T: Config>(
    owner: &T::AccountId,
    group: &GroupId,
    device: &DeviceId,
) -> Result<(), BenchmarkError> {
    let members = list([(device.clone(), Role::Both)]);
    Pallet::<T>::add_members(by::<T>(owner), group.clone(), members)?;
    Ok(())
}

/// A device of the first gateway in as many groups as it may be in, with as many invitations as it may have. All its
/// groups have full queues and may advance.
pub fn busy_device<T: Config>(gateways: &[T::AccountId]) -> Result<DeviceId, BenchmarkError> {
    let [owner, other, ..] = gateways else {
        return Err("there are two gateways".into());
    };
    let device = register::<T>(owner, 0)?;
    for number in 0..limits::DEVICE_GROUPS {
        let group = create::<T>(owner, gateways, number)?;
        join::<T>(owner, &group, &device)?;
        fill_queue::<T>(owner, &group)?;
    }
    for number in 0..INVITATIONS {
        let group = create::<T>(other, gateways, 1_000 + number)?;
        join::<T>(other, &group, &device)?;
    }
    next_block::<T>();
    Ok(device)
}

/// A group of the first gateway, and `count` devices of it; members, if they are to be.
pub fn crowd<T: Config>(
    gateways: &[T::AccountId],
    count: u32,
    members: bool,
) -> Result<(GroupId, Vec<DeviceId>), BenchmarkError> {
    let owner = gateways.first().ok_or("there is a gateway")?;
    let group = create::<T>(owner, gateways, 0)?;
    let devices = (0..count).map(|number| register::<T>(owner, number));
    let devices: Vec<DeviceId> = devices.collect::<Result<_, _>>()?;
    if members {
        let members = list(devices.iter().map(|device| (device.clone(), Role::Both)));
        Pallet::<T>::add_members(by::<T>(owner), group.clone(), members)?;
        fill_queue::<T>(owner, &group)?;
        next_block::<T>();
    }
    Ok((group, devices))
}

/// Receipts of the group's current epoch, of the first devices.
pub fn receipts<T: Config>(
    group: &GroupId,
    devices: &[DeviceId],
    seen: Option<Commitment>,
) -> Result<Vec<ReceiptItem>, BenchmarkError> {
    let epoch = Groups::<T>::get(group).ok_or("the group exists")?.epoch;
    let genesis = chain::genesis::<T>();
    let receipt = |(number, device): (usize, &DeviceId)| {
        let commitment = seen.unwrap_or(commitment(epoch));
        let receipt = Receipt {
            group: group.clone(),
            epoch,
            commitment,
            device: device.clone(),
            key_version: 1,
        };
        let key = signer(&format!("{}1", name("d", number as u32)));
        let signature = sign(&key, &payload(&genesis, Purpose::Receipt, &receipt));
        ReceiptItem {
            device: device.clone(),
            epoch,
            commitment,
            signature,
        }
    };
    Ok(devices.iter().enumerate().map(receipt).collect())
}
