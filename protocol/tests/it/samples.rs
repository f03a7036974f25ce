//! Any value of every format that keeps the rules of its format.

use bounded_collections::{BoundedVec, Get};
use keyward_protocol::{
    beacon::{AnchorCertificate, Beacon, BlockRef},
    bytes::Nonce,
    extension::{Extension, Extensions},
    grant::{EpochSecret, Grant, GrantedEpoch},
    limits,
    policy::Policy,
    receipt::Receipt,
    registration::{KeyReplacement, Voucher},
    request::{Ask, Refusal, Request, Response, Status},
    statement::{
        Custodian, DeviceGroup, DeviceStatement, EpochCommitment, GroupState, GroupStatement,
        Publisher, PublisherPage,
    },
    topic::{Filters, TopicFilter},
    AccountId, AgreementKey, AuthorityId, BlockHash, Commitment, DeviceId, Digest, GatewayName,
    GroupId, Role, Signature, VerifyingKey,
};
use proptest::{collection::vec, prelude::*, sample::select};

/// Turns a list into a bounded one; what is over the bound is dropped.
pub fn bounded<T, S: Get<u32>>(items: impl IntoIterator<Item = T>) -> BoundedVec<T, S> {
    BoundedVec::truncate_from(items.into_iter().collect())
}

/// Sorts by key and keeps one item of each.
fn rising<T, K: Ord>(mut items: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    items.sort_by_key(&key);
    items.dedup_by_key(|item| key(item));
    items
}

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z0-9._-]{1,32}"
}

pub fn device() -> impl Strategy<Value = DeviceId> {
    name().prop_map(|text| DeviceId::new(&text).unwrap())
}

pub fn group() -> impl Strategy<Value = GroupId> {
    name().prop_map(|text| GroupId::new(&text).unwrap())
}

fn gateway_name() -> impl Strategy<Value = GatewayName> {
    name().prop_map(|text| GatewayName::new(&text).unwrap())
}

fn account() -> impl Strategy<Value = AccountId> {
    any::<[u8; 32]>().prop_map(AccountId)
}

fn verifying_key() -> impl Strategy<Value = VerifyingKey> {
    any::<[u8; 32]>().prop_map(VerifyingKey)
}

fn agreement_key() -> impl Strategy<Value = AgreementKey> {
    any::<[u8; 32]>().prop_map(AgreementKey)
}

fn signature() -> impl Strategy<Value = Signature> {
    vec(any::<u8>(), 64).prop_map(|bytes| Signature(bytes.try_into().unwrap()))
}

fn block() -> impl Strategy<Value = BlockRef> {
    any::<(u32, [u8; 32])>().prop_map(|(number, hash)| BlockRef {
        number,
        hash: BlockHash(hash),
    })
}

pub fn filters() -> impl Strategy<Value = Filters> {
    let filter = "[a-zé+]|[a-zé]{1,9}(/[a-zé]{0,9}){0,2}(/[+#])?";
    let filter = filter.prop_map(|text| TopicFilter::new(&text).unwrap());
    vec(filter, 0..=4).prop_map(|filters| Filters::new(filters).unwrap())
}

pub fn extensions() -> impl Strategy<Value = Extensions> {
    let extension = (any::<(u16, bool)>(), vec(any::<u8>(), 0..=128));
    let extension = extension.prop_map(|((id, critical), bytes)| Extension {
        id,
        critical,
        bytes: bounded(bytes),
    });
    vec(extension, 0..=4).prop_map(|all| Extensions(bounded(rising(all, |one| one.id))))
}

pub fn policy() -> impl Strategy<Value = Policy> {
    (
        any::<[bool; 5]>(),
        any::<[u32; 8]>(),
        any::<u8>(),
        extensions(),
    )
        .prop_map(|(flags, numbers, suite, extensions)| Policy {
            suite,
            signed: flags[0],
            rekey_on_join: flags[1],
            commands: flags[2],
            seal_while_awaiting: flags[3],
            seal_when_stale: flags[4],
            max_age: numbers[0],
            max_silence: numbers[1],
            grace: numbers[2],
            settle: numbers[3],
            rotate_every: numbers[4],
            history: numbers[5],
            history_age: numbers[6],
            takeover: numbers[7],
            extensions,
        })
}

pub fn voucher() -> impl Strategy<Value = Voucher> {
    let who = (name(), device(), account());
    let keys = (verifying_key(), agreement_key(), any::<(u32, u64)>());
    (who, keys).prop_map(
        |((authority, device, gateway), (signing, agreement, numbers))| Voucher {
            authority: AuthorityId::new(&authority).unwrap(),
            device,
            gateway,
            signing_key: signing,
            agreement_key: agreement,
            key_version: numbers.0,
            not_after: numbers.1,
        },
    )
}

pub fn replacement() -> impl Strategy<Value = KeyReplacement> {
    (
        device(),
        verifying_key(),
        agreement_key(),
        any::<(u32, u64)>(),
    )
        .prop_map(
            |(device, signing_key, agreement_key, (key_version, not_after))| KeyReplacement {
                device,
                key_version,
                signing_key,
                agreement_key,
                not_after,
            },
        )
}

fn custodian() -> impl Strategy<Value = Custodian> {
    (account(), gateway_name(), verifying_key()).prop_map(|(account, name, statement_key)| {
        Custodian {
            account,
            name,
            statement_key,
        }
    })
}

fn device_group() -> impl Strategy<Value = DeviceGroup> {
    let role = select(vec![Role::Publish, Role::Subscribe, Role::Both]);
    (group(), role, filters(), vec(custodian(), 0..=4)).prop_map(
        |(group, role, filters, custodians)| DeviceGroup {
            group,
            role,
            filters,
            custodians: bounded(rising(custodians, |one| one.account)),
        },
    )
}

pub fn device_statement() -> impl Strategy<Value = DeviceStatement> {
    let who = (account(), device(), any::<(u32, u64, u64)>());
    let groups = vec(device_group(), 0..=10);
    (who, groups, block(), extensions()).prop_map(
        |((gateway, device, numbers), groups, block, extensions)| DeviceStatement {
            gateway,
            device,
            key_version: numbers.0,
            revision: numbers.1,
            groups: bounded(rising(groups, |one| one.group.clone())),
            block,
            chain_time: numbers.2,
            extensions,
        },
    )
}

fn commitments(epoch: u32, custodians: usize) -> impl Strategy<Value = Vec<EpochCommitment>> {
    let most = if custodians == 0 { 0 } else { 65 };
    let one = (0..=epoch, any::<[u8; 32]>(), 0..custodians.max(1)).prop_map(
        |(epoch, commitment, custodian)| EpochCommitment {
            epoch,
            commitment: Commitment(commitment),
            custodian: custodian as u8,
        },
    );
    vec(one, 0..=most).prop_map(|all| rising(all, |one| one.epoch))
}

pub fn group_statement() -> impl Strategy<Value = GroupStatement> {
    let states = [
        GroupState::Active,
        GroupState::Awaiting,
        GroupState::Frozen,
        GroupState::Closed,
    ];
    let who = (
        account(),
        group(),
        any::<(u64, u32)>(),
        select(states.to_vec()),
    );
    let custodians = vec(account(), 0..=16).prop_map(|all| rising(all, |one| *one));
    let about = (
        policy(),
        filters(),
        vec(any::<[u8; 32]>(), 0..=64),
        block(),
        extensions(),
    );
    (who, custodians, about).prop_flat_map(
        |((gateway, group, numbers, state), custodians, about)| {
            let (policy, filters, pages, block, extensions) = about;
            commitments(numbers.1, custodians.len()).prop_map(move |commitments| GroupStatement {
                gateway,
                group: group.clone(),
                revision: numbers.0,
                epoch: numbers.1,
                state,
                custodians: bounded(custodians.clone()),
                commitments: bounded(commitments),
                policy: policy.clone(),
                filters: filters.clone(),
                pages: bounded(pages.iter().copied().map(Digest)),
                block,
                extensions: extensions.clone(),
            })
        },
    )
}

pub fn page() -> impl Strategy<Value = PublisherPage> {
    let publisher = (any::<(u32, u32)>(), device(), verifying_key()).prop_map(
        |((index, key_version), device, signing_key)| Publisher {
            index,
            device,
            key_version,
            signing_key,
        },
    );
    (group(), any::<u32>(), vec(publisher, 0..=64)).prop_map(|(group, page, publishers)| {
        PublisherPage {
            group,
            page,
            publishers: bounded(rising(publishers, |one| one.index)),
        }
    })
}

pub fn beacon() -> impl Strategy<Value = Beacon> {
    (account(), group(), any::<(u64, [u8; 32], u64)>(), block()).prop_map(
        |(gateway, group, (revision, statement, chain_time), block)| Beacon {
            gateway,
            group,
            revision,
            statement: Digest(statement),
            block,
            chain_time,
        },
    )
}

pub fn anchor() -> impl Strategy<Value = AnchorCertificate> {
    (account(), verifying_key(), any::<u64>()).prop_map(|(gateway, statement_key, serial)| {
        AnchorCertificate {
            gateway,
            statement_key,
            serial,
        }
    })
}

fn nonce() -> impl Strategy<Value = Nonce> {
    any::<[u8; 16]>().prop_map(Nonce)
}

/// The body agrees with the request around it, as the format demands.
pub fn request() -> impl Strategy<Value = Request> {
    let asked = (0..3, voucher(), replacement(), [signature(), signature()]);
    (asked, any::<u64>(), nonce()).prop_map(
        |((kind, voucher, replacement, [one, other]), counter, nonce)| {
            let (device, key_version, gateway) =
                (voucher.device.clone(), voucher.key_version, voucher.gateway);
            let ask = match kind {
                0 => Ask::Resync,
                1 => Ask::Enrol {
                    voucher,
                    voucher_signature: one,
                    proof: other,
                },
                _ => Ask::ReplaceKeys {
                    replacement: KeyReplacement {
                        device: device.clone(),
                        ..replacement
                    },
                    new_signature: one,
                    current_signature: other,
                },
            };
            Request {
                device,
                key_version,
                gateway,
                ask,
                counter,
                nonce,
            }
        },
    )
}

pub fn response() -> impl Strategy<Value = Response> {
    let refusals = [
        Refusal::Replayed,
        Refusal::Busy,
        Refusal::Unknown,
        Refusal::Voucher,
        Refusal::Chain,
    ];
    let mut statuses = vec![Status::Accepted, Status::Done];
    statuses.extend(refusals.map(Status::Refused));
    let said = (select(statuses), "[a-zé ]{0,128}");
    (account(), device(), nonce(), said, block(), any::<u64>()).prop_map(
        |(gateway, device, nonce, (status, reason), block, chain_time)| Response {
            gateway,
            device,
            nonce,
            status,
            reason: reason.into_bytes().try_into().unwrap(),
            block,
            chain_time,
        },
    )
}

pub fn receipt() -> impl Strategy<Value = Receipt> {
    (group(), device(), any::<(u32, [u8; 32], u32)>()).prop_map(
        |(group, device, (epoch, commitment, key_version))| Receipt {
            group,
            epoch,
            commitment: Commitment(commitment),
            device,
            key_version,
        },
    )
}

pub fn grant() -> impl Strategy<Value = Grant> {
    let granted = any::<(u32, [u8; 32])>().prop_map(|(epoch, secret)| GrantedEpoch {
        epoch,
        secret: EpochSecret::new(secret),
    });
    let epochs = vec(granted, 0..=limits::EPOCHS as usize);
    (group(), device(), any::<u32>(), epochs, extensions()).prop_map(
        |(group, device, key_version, epochs, extensions)| Grant {
            group,
            device,
            key_version,
            epochs: bounded(rising(epochs, |one| one.epoch)),
            extensions,
        },
    )
}
