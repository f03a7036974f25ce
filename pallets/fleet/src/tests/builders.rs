//! What tests start from: two organisations, their gateways and authorities, and devices with real keys.

use ed25519_dalek::{Signer as _, SigningKey};
use frame_support::{assert_ok, BoundedVec};
use keyward_protocol::{
    policy::Policy,
    receipt::Receipt,
    registration::{KeyReplacement, Registration, Voucher},
    signing::{payload, Purpose},
    statement::GroupState,
    topic::{Filters, TopicFilter},
    AccountId, AgreementKey, AuthorityId, Commitment, DeviceId, Digest, Genesis, GroupId,
    OrganisationId, Role, Signature, VerifyingKey,
};
use sp_io::hashing::blake2_256;
use sp_runtime::{AccountId32, DispatchResult};

use super::*;
use crate::{GroupOf, Groups, KeyAuthorisation, Member, Members, Quotas, ReceiptItem};

/// The first gateway of `acme`: owner, administrator and custodian unless a test says otherwise.
pub const ANNE: AccountId32 = AccountId32::new([1; 32]);
/// The second gateway of `acme`: the second custodian.
pub const BERT: AccountId32 = AccountId32::new([2; 32]);
/// The gateway of `globex`.
pub const CORA: AccountId32 = AccountId32::new([3; 32]);
/// An account that is nobody.
pub const NOBODY: AccountId32 = AccountId32::new([9; 32]);

/// What gateways of `acme` and `globex` may have.
pub const QUOTAS: Quotas = Quotas {
    devices: 40,
    groups: 12,
    members: 30,
};

pub fn by(who: &AccountId32) -> RuntimeOrigin {
    RuntimeOrigin::signed(who.clone())
}

pub fn council() -> RuntimeOrigin {
    by(&Council::get())
}

pub fn committee() -> RuntimeOrigin {
    by(&Committee::get())
}

pub fn raw(who: &AccountId32) -> AccountId {
    AccountId(who.clone().into())
}

pub fn organisation(name: &str) -> OrganisationId {
    OrganisationId::new(name).unwrap()
}

pub fn device_id(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

pub fn group_id(name: &str) -> GroupId {
    GroupId::new(name).unwrap()
}

pub fn authority_id(name: &str) -> AuthorityId {
    AuthorityId::new(name).unwrap()
}

/// A bounded list; panics when it does not fit.
pub fn list<T, S: frame_support::traits::Get<u32>>(
    items: impl IntoIterator<Item = T>,
) -> BoundedVec<T, S> {
    let items: Vec<T> = items.into_iter().collect();
    let length = items.len();
    items
        .try_into()
        .unwrap_or_else(|_| panic!("{length} items do not fit"))
}

/// Unchecked bytes of an identifier.
pub fn bytes(text: &str) -> keyward_protocol::id::IdBytes {
    list(text.bytes())
}

pub fn filters<const N: usize>(texts: [&str; N]) -> Filters {
    Filters::new(texts.map(|text| TopicFilter::new(text).unwrap())).unwrap()
}

/// Both keys of a device or gateway, from a name.
#[derive(Clone)]
pub struct Keys {
    pub signing: SigningKey,
    pub agreement: AgreementKey,
}

impl Keys {
    pub fn of(name: &str) -> Self {
        let mut agreement = blake2_256(format!("agreement {name}").as_bytes());
        agreement[31] &= 0x3f;
        Self {
            signing: SigningKey::from_bytes(&blake2_256(format!("signing {name}").as_bytes())),
            agreement: AgreementKey(agreement),
        }
    }

    pub fn verifying(&self) -> VerifyingKey {
        VerifyingKey(self.signing.verifying_key().to_bytes())
    }
}

pub fn sign(key: &SigningKey, payload: &[u8]) -> Signature {
    Signature(key.sign(payload).to_bytes())
}

/// The chain's genesis hash.
pub fn genesis() -> Genesis {
    Genesis(System::block_hash(0).0)
}

/// Admits an organisation.
pub fn admit_organisation(name: &str, quotas: Quotas) -> OrganisationId {
    let label = list(format!("The {name} company").bytes());
    assert_ok!(Fleet::admit_organisation(
        council(),
        bytes(name),
        label,
        quotas,
        false
    ));
    organisation(name)
}

/// Admits a gateway; its short name is the organisation's with a suffix, its keys are those of that name.
pub fn admit_gateway(account: &AccountId32, organisation_name: &str, suffix: &str) {
    let name = format!("{organisation_name}.{suffix}");
    let keys = Keys::of(&name);
    let organisation = organisation(organisation_name);
    let (statement, custody) = (keys.verifying(), keys.agreement);
    let account = account.clone();
    let name = bytes(&name);
    assert_ok!(Fleet::admit_gateway(
        council(),
        account,
        organisation,
        name,
        statement,
        custody
    ));
}

/// Admits an authority, whose key is that of its id.
pub fn admit_authority(id: &str, organisation_name: &str) {
    let key = Keys::of(id).verifying();
    let organisation = organisation(organisation_name);
    assert_ok!(Fleet::admit_authority(
        council(),
        bytes(id),
        organisation,
        key
    ));
}

/// Two organisations: `acme` with ANNE, BERT and an authority, `globex` with CORA and another.
pub fn found() {
    admit_organisation("acme", QUOTAS);
    admit_organisation("globex", QUOTAS);
    admit_gateway(&ANNE, "acme", "anne");
    admit_gateway(&BERT, "acme", "bert");
    admit_gateway(&CORA, "globex", "cora");
    admit_authority("acme.ca", "acme");
    admit_authority("globex.ca", "globex");
}

/// A device that is to be registered. Every part can be made wrong before it is submitted.
#[derive(Clone)]
pub struct Enrolment {
    pub caller: AccountId32,
    pub voucher: Voucher,
    pub authority_key: SigningKey,
    pub voucher_genesis: Genesis,
    pub device_key: SigningKey,
    pub proof_genesis: Genesis,
    pub registration: Option<Registration>,
}

impl Enrolment {
    /// Of a device with the keys of its name, under ANNE, vouched for by `acme.ca` for an hour.
    pub fn of(device: &str) -> Self {
        let keys = Keys::of(device);
        let voucher = Voucher {
            authority: authority_id("acme.ca"),
            device: device_id(device),
            gateway: raw(&ANNE),
            signing_key: keys.verifying(),
            agreement_key: keys.agreement,
            key_version: 1,
            not_after: START + 3600,
        };
        Self {
            caller: ANNE,
            voucher,
            authority_key: Keys::of("acme.ca").signing,
            voucher_genesis: genesis(),
            device_key: keys.signing,
            proof_genesis: genesis(),
            registration: None,
        }
    }

    /// Under another gateway.
    pub fn under(mut self, gateway: &AccountId32) -> Self {
        self.voucher.gateway = raw(gateway);
        self.caller = gateway.clone();
        self
    }

    /// Vouched for by another authority.
    pub fn vouched_by(mut self, authority: &str) -> Self {
        self.voucher.authority = authority_id(authority);
        self.authority_key = Keys::of(authority).signing;
        self
    }

    /// With other keys.
    pub fn with_keys(mut self, keys: &Keys) -> Self {
        self.voucher.signing_key = keys.verifying();
        self.voucher.agreement_key = keys.agreement;
        self.device_key = keys.signing.clone();
        self
    }

    pub fn voucher_signature(&self) -> Signature {
        let voucher = payload(&self.voucher_genesis, Purpose::Voucher, &self.voucher);
        sign(&self.authority_key, &voucher)
    }

    /// The device's proof, over the right registration unless another one is given.
    pub fn proof(&self) -> Signature {
        let voucher = payload(&self.voucher_genesis, Purpose::Voucher, &self.voucher);
        let right = Registration {
            voucher: Digest(blake2_256(&voucher)),
            gateway: self.voucher.gateway,
            signing_key: self.voucher.signing_key,
            agreement_key: self.voucher.agreement_key,
        };
        let registration = self.registration.clone().unwrap_or(right);
        let proof = payload(&self.proof_genesis, Purpose::Registration, &registration);
        sign(&self.device_key, &proof)
    }

    pub fn submit(&self) -> DispatchResult {
        let (signature, proof) = (self.voucher_signature(), self.proof());
        Fleet::register_device(by(&self.caller), self.voucher.clone(), signature, proof)
    }

    /// The same as an authorisation of new keys.
    pub fn authorisation(&self) -> KeyAuthorisation {
        KeyAuthorisation::Voucher {
            voucher: self.voucher.clone(),
            voucher_signature: self.voucher_signature(),
            proof: self.proof(),
        }
    }
}

/// Registers a device under ANNE or BERT.
pub fn register(device: &str, owner: &AccountId32) -> DeviceId {
    assert_ok!(Enrolment::of(device).under(owner).submit());
    device_id(device)
}

/// Registers a device of `globex` under CORA.
pub fn register_foreign(device: &str) -> DeviceId {
    let enrolment = Enrolment::of(device).under(&CORA);
    assert_ok!(enrolment.vouched_by("globex.ca").submit());
    device_id(device)
}

/// New keys for a device. Every part can be made wrong before it is submitted.
#[derive(Clone)]
pub struct Replacement {
    pub caller: AccountId32,
    pub body: KeyReplacement,
    pub new_key: SigningKey,
    pub current_key: SigningKey,
    pub genesis: Genesis,
}

impl Replacement {
    /// From the keys of the device's name to those of another name.
    pub fn of(device: &str, new: &str) -> Self {
        let keys = Keys::of(new);
        Self {
            caller: ANNE,
            body: KeyReplacement {
                device: device_id(device),
                key_version: 2,
                signing_key: keys.verifying(),
                agreement_key: keys.agreement,
                not_after: START + 3600,
            },
            new_key: keys.signing,
            current_key: Keys::of(device).signing,
            genesis: genesis(),
        }
    }

    pub fn authorisation(&self) -> KeyAuthorisation {
        let bytes = payload(&self.genesis, Purpose::KeyReplacement, &self.body);
        KeyAuthorisation::Current {
            replacement: self.body.clone(),
            new_signature: sign(&self.new_key, &bytes),
            current_signature: sign(&self.current_key, &bytes),
        }
    }

    pub fn submit(&self) -> DispatchResult {
        Fleet::replace_device_keys(by(&self.caller), self.authorisation())
    }
}

/// Creates a group of ANNE with custodians ANNE and BERT, which awaits its first epoch.
pub fn create_group(name: &str) -> GroupId {
    create_group_with(name, Policy::default())
}

pub fn create_group_with(name: &str, policy: Policy) -> GroupId {
    let custodians = list([ANNE, BERT]);
    let filters = filters([&format!("{name}/#"), name]);
    assert_ok!(Fleet::create_group(
        by(&ANNE),
        bytes(name),
        filters,
        policy,
        custodians
    ));
    group_id(name)
}

/// Creates a group, and has ANNE commit to the first epochs of it. In the next block it is ready for changes.
pub fn active_group(name: &str, staged: u32) -> GroupId {
    let group = create_group(name);
    for epoch in 1..=1 + staged {
        stage(&group, epoch);
    }
    next_block();
    group
}

/// ANNE's commitment to an epoch.
pub fn commitment(epoch: u32) -> Commitment {
    Commitment(blake2_256(&epoch.to_le_bytes()))
}

/// Has ANNE commit to an epoch.
pub fn stage(group: &GroupId, epoch: u32) {
    assert_ok!(Fleet::stage_epoch(
        by(&ANNE),
        group.clone(),
        epoch,
        commitment(epoch)
    ));
}

/// Has ANNE add a device of hers.
pub fn add(group: &GroupId, device: &DeviceId, role: Role) {
    assert_ok!(Fleet::add_members(
        by(&ANNE),
        group.clone(),
        list([(device.clone(), role)])
    ));
}

/// Has ANNE remove a device.
pub fn remove(group: &GroupId, device: &DeviceId) {
    assert_ok!(Fleet::remove_members(
        by(&ANNE),
        group.clone(),
        list([device.clone()])
    ));
}

pub fn group(group: &GroupId) -> GroupOf<Test> {
    Groups::<Test>::get(group).expect("the group exists")
}

pub fn member(group: &GroupId, device: &DeviceId) -> Option<Member> {
    Members::<Test>::get(group, device)
}

/// What most tests about epochs look at: state, epoch, and how many are staged.
pub fn epochs(id: &GroupId) -> (GroupState, u32, usize) {
    let group = group(id);
    (group.state, group.epoch, group.staged.len())
}

/// A receipt, signed with the keys of the device's name, of the first version.
pub fn receipt(group: &GroupId, device: &DeviceId, epoch: u32, seen: Commitment) -> ReceiptItem {
    receipt_by(&Keys::of(device.as_str()), 1, group, device, epoch, seen)
}

/// A receipt, signed with any keys.
pub fn receipt_by(
    keys: &Keys,
    key_version: u32,
    group: &GroupId,
    device: &DeviceId,
    epoch: u32,
    seen: Commitment,
) -> ReceiptItem {
    let receipt = Receipt {
        group: group.clone(),
        epoch,
        commitment: seen,
        device: device.clone(),
        key_version,
    };
    let bytes = payload(&genesis(), Purpose::Receipt, &receipt);
    ReceiptItem {
        device: device.clone(),
        epoch,
        commitment: seen,
        signature: sign(&keys.signing, &bytes),
    }
}

/// Has ANNE submit a receipt.
pub fn acknowledge(group: &GroupId, item: ReceiptItem) -> DispatchResult {
    Fleet::acknowledge(by(&ANNE), group.clone(), list([item]))
}

/// The fleet's events so far.
pub fn fleet_events() -> Vec<crate::Event<Test>> {
    let of_fleet = |record: frame_system::EventRecord<RuntimeEvent, _>| match record.event {
        RuntimeEvent::Fleet(event) => Some(event),
        _ => None,
    };
    System::events().into_iter().filter_map(of_fleet).collect()
}
