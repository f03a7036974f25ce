//! Statements, publisher pages and beacons: built from finalized state and signed (DESIGN section 5).

use std::collections::BTreeMap;

use codec::Encode;
use keyward_crypto::{
    hash::{blake2b_256, hash_of, page_hash},
    sign::sign_message,
    SigningKey,
};
use keyward_protocol::{
    beacon::{Beacon, BlockRef},
    extension::Extensions,
    limits,
    signing::{Body, Unverified},
    statement::{
        Custodian, DeviceGroup, DeviceStatement, EpochCommitment, GroupStatement, Publisher,
        PublisherPage,
    },
    view::{DeviceView, GatewayView, MembershipView},
    wire::WireInvalid,
    AccountId, Digest, Genesis, GroupId,
};

use super::fleet::{Fleet, Group};

/// Who states.
#[derive(Clone, Copy)]
pub struct Author<'a> {
    /// The chain.
    pub genesis: Genesis,
    /// The gateway's account.
    pub account: AccountId,
    /// Its statement key.
    pub key: &'a SigningKey,
}

impl Author<'_> {
    /// Signs a message.
    ///
    /// # Errors
    /// When the body breaks a rule of its format or is too long for the wire.
    pub fn sign<T: Body>(&self, body: T) -> Result<Vec<u8>, WireInvalid> {
        Ok(sign_message(self.genesis, body, self.key)?.to_wire())
    }

    /// Names what an author would say of something: it is said anew when this differs.
    pub fn fingerprint(&self, of: &impl Encode) -> Digest {
        blake2b_256(&(self.account, self.key.verifying_key(), of).encode())
    }
}

/// The groups of a device, as its statement names them.
pub fn device_groups(fleet: &Fleet, device: &DeviceView) -> Vec<DeviceGroup> {
    let mut groups: Vec<DeviceGroup> = device
        .groups
        .iter()
        .filter_map(|membership| device_group(fleet, membership))
        .collect();
    groups.sort_by(|a, b| a.group.cmp(&b.group));
    groups
}

fn device_group(fleet: &Fleet, membership: &MembershipView) -> Option<DeviceGroup> {
    let mut custodians: Vec<Custodian> = membership
        .custodians
        .iter()
        .filter_map(|account| fleet.active_gateway(account))
        .map(custodian)
        .collect();
    custodians.sort_by_key(|custodian| custodian.account);
    Some(DeviceGroup {
        group: membership.group.clone(),
        role: membership.role,
        filters: membership.filters.clone(),
        custodians: custodians.try_into().ok()?,
    })
}

fn custodian(gateway: &GatewayView) -> Custodian {
    Custodian {
        account: gateway.account,
        name: gateway.name.clone(),
        statement_key: gateway.statement_key,
    }
}

/// A device's statement (STM-1), first so at this block.
pub fn device_statement(
    author: Author<'_>,
    device: &DeviceView,
    groups: Vec<DeviceGroup>,
    block: BlockRef,
    time_ms: u64,
) -> Result<Vec<u8>, WireInvalid> {
    let too_many = WireInvalid::TooLong {
        max: limits::DEVICE_GROUPS as usize,
        actual: groups.len(),
    };
    author.sign(DeviceStatement {
        gateway: author.account,
        device: device.device.clone(),
        key_version: device.key_version,
        revision: block.number.into(),
        groups: groups.try_into().map_err(|_| too_many)?,
        block,
        chain_time: time_ms,
        extensions: Extensions::default(),
    })
}

/// The pages of a group's publishers (STM-6): those that take part, 64 to a page, by rising index.
pub fn pages(group: &Group) -> Vec<PublisherPage> {
    let publishers: BTreeMap<u32, Publisher> = group
        .active_members()
        .filter(|member| member.role.publishes())
        .map(|member| {
            let publisher = Publisher {
                index: member.index,
                device: member.device.clone(),
                key_version: member.key_version,
                signing_key: member.signing_key,
            };
            (member.index, publisher)
        })
        .collect();
    let publishers: Vec<Publisher> = publishers.into_values().collect();
    let chunks = publishers.chunks(limits::PAGE as usize);
    let page = |(page, chunk): (u32, &[Publisher])| {
        Some(PublisherPage {
            group: group.view.group.clone(),
            page,
            publishers: chunk.to_vec().try_into().ok()?,
        })
    };
    (0..limits::PAGES).zip(chunks).filter_map(page).collect()
}

/// A group's statement (STM-3): a pure function of finalized state at its revision.
pub fn group_statement(
    author: Author<'_>,
    group: &Group,
    pages: &[PublisherPage],
) -> Result<Vec<u8>, WireInvalid> {
    let (custodians, commitments) = commitments(group);
    let hashes = pages.iter().map(|page| page_hash(&author.genesis, page));
    let too_long = |_| WireInvalid::TooLong {
        max: limits::PAGES as usize,
        actual: pages.len(),
    };
    author.sign(GroupStatement {
        gateway: author.account,
        group: group.view.group.clone(),
        revision: group.view.revision,
        epoch: group.view.epoch,
        state: group.view.state,
        custodians: custodians.try_into().unwrap_or_default(),
        commitments: commitments.try_into().unwrap_or_default(),
        policy: group.view.policy.clone(),
        filters: group.view.filters.clone(),
        pages: hashes.collect::<Vec<_>>().try_into().map_err(too_long)?,
        block: BlockRef {
            number: group.view.revised_at,
            hash: group.revised_hash,
        },
        extensions: Extensions::default(),
    })
}

/// Commitments of the current epoch and of the last `history` ones, and the accounts that made them. Of more accounts than
/// a statement can name, the oldest epochs are left out.
fn commitments(group: &Group) -> (Vec<AccountId>, Vec<EpochCommitment>) {
    let oldest = group.view.epoch.saturating_sub(group.view.policy.history);
    let mut accounts: Vec<AccountId> = Vec::new();
    let mut made = Vec::new();
    for (epoch, exchange) in group.view.exchanges.iter().rev() {
        let Some((commitment, account)) = exchange.committed else {
            continue;
        };
        let known = accounts.contains(&account);
        let full = accounts.len() >= limits::STATEMENT_CUSTODIANS as usize;
        if *epoch < oldest || made.len() >= limits::EPOCHS as usize || (full && !known) {
            break;
        }
        if !known {
            accounts.push(account);
        }
        made.push((*epoch, commitment, account));
    }
    accounts.sort();
    made.reverse();
    let index = |account| accounts.iter().position(|known| *known == account);
    let commitments = made
        .into_iter()
        .filter_map(|(epoch, commitment, account)| {
            let custodian = index(account)?.try_into().ok()?;
            Some(EpochCommitment {
                epoch,
                commitment,
                custodian,
            })
        })
        .collect();
    (accounts, commitments)
}

/// Hash of a group statement of our own, from its bytes.
pub fn statement_hash(bytes: &[u8], genesis: &Genesis) -> Option<Digest> {
    let statement = Unverified::<GroupStatement>::from_wire(bytes).ok()?;
    // Our own journal's bytes: the signature was made here.
    let statement = statement.verify_with(genesis, |_, _| true).ok()?;
    Some(hash_of(&statement))
}

/// A beacon (STM-8).
pub fn beacon(
    author: Author<'_>,
    group: &GroupId,
    revision: u64,
    statement: Digest,
    block: BlockRef,
    time_ms: u64,
) -> Result<Vec<u8>, WireInvalid> {
    author.sign(Beacon {
        gateway: author.account,
        group: group.clone(),
        revision,
        statement,
        block,
        chain_time: time_ms,
    })
}
