//! Grants: which epochs a member gets, and the root over what was published (DESIGN section 5).

use codec::Encode;
use keyward_crypto::hash::blake2b_256;
use keyward_protocol::{
    grant::{Grant, GrantedEpoch},
    view::MemberView,
    AccountId, Commitment, DeviceId, Digest, GroupId,
};

use super::{fleet::Group, journal::Journal};

/// The newest committed epoch of a group, if its secret is ours to grant.
pub fn grantable(
    journal: &Journal,
    account: &AccountId,
    group: &Group,
) -> Option<(u32, Commitment)> {
    let (epoch, commitment, custodian) = group.committed()?;
    let held = holds(journal, &group.view.group, epoch, commitment);
    (custodian == *account && held).then_some((epoch, commitment))
}

/// Whether the journal holds the secret of this commitment.
pub fn holds(journal: &Journal, group: &GroupId, epoch: u32, commitment: Commitment) -> bool {
    let held = journal.secrets.get(&(group.clone(), epoch));
    held.is_some_and(|held| held.commitment == commitment)
}

/// What a grant's content depends on: it is sealed anew only when this differs. An acknowledgement causes no new grant.
pub fn fingerprint(
    group: &GroupId,
    epoch: u32,
    commitment: Commitment,
    member: &MemberView,
) -> Digest {
    let content = (
        (group, epoch, commitment, &member.device),
        (member.key_version, member.agreement_key),
        (member.joined_epoch, member.index),
    );
    blake2b_256(&content.encode())
}

/// The epochs for a member: the current one and those since it joined that it has not acknowledged, as far as the history
/// keeps them and we hold their secrets (KEY-7).
pub fn grant(journal: &Journal, group: &Group, current: u32, member: &MemberView) -> Option<Grant> {
    let acknowledged = member.acknowledged.map_or(0, |(epoch, _)| epoch);
    let oldest = member
        .joined_epoch
        .max(acknowledged.saturating_add(1))
        .max(current.saturating_sub(group.view.policy.history))
        .min(current);
    let epochs: Vec<GrantedEpoch> = (oldest..=current)
        .filter_map(|epoch| granted(journal, group, epoch))
        .collect();
    Some(Grant {
        group: group.view.group.clone(),
        device: member.device.clone(),
        key_version: member.key_version,
        epochs: epochs.try_into().ok()?,
        extensions: Default::default(),
    })
}

fn granted(journal: &Journal, group: &Group, epoch: u32) -> Option<GrantedEpoch> {
    let (commitment, _) = group.exchange(epoch)?.committed?;
    let held = journal.secrets.get(&(group.view.group.clone(), epoch))?;
    (held.commitment == commitment).then(|| GrantedEpoch {
        epoch,
        secret: held.secret.clone(),
    })
}

/// Root of a Merkle tree over the published grants, by rising device: leaves `H(0 ‖ device ‖ H(grant))`, nodes
/// `H(1 ‖ left ‖ right)`; a node without a sibling goes up unchanged. Without grants: the hash of nothing.
pub fn root<'a>(grants: impl Iterator<Item = (&'a DeviceId, &'a [u8])>) -> Digest {
    let leaf = |(device, grant): (&DeviceId, &[u8])| {
        blake2b_256(&(0u8, device, blake2b_256(grant)).encode())
    };
    let mut level: Vec<Digest> = grants.map(leaf).collect();
    while level.len() > 1 {
        level = level.chunks(2).map(parent).collect();
    }
    level.first().copied().unwrap_or_else(|| blake2b_256(&[]))
}

fn parent(pair: &[Digest]) -> Digest {
    match pair {
        [left, right] => blake2b_256(&(1u8, left, right).encode()),
        [single] => *single,
        _ => blake2b_256(&[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_names_every_grant_and_its_device() {
        let device = |id: &str| DeviceId::new(id).unwrap();
        let (a, b, c) = (device("a"), device("b"), device("c"));
        let root_of = |grants: &[(&DeviceId, &[u8])]| root(grants.iter().copied());
        let all = root_of(&[(&a, b"1"), (&b, b"2"), (&c, b"3")]);
        assert_ne!(all, root_of(&[(&a, b"1"), (&b, b"2")]));
        assert_ne!(all, root_of(&[(&a, b"1"), (&b, b"2"), (&c, b"4")]));
        assert_ne!(all, root_of(&[(&a, b"2"), (&b, b"1"), (&c, b"3")]));
        assert_eq!(root_of(&[]), blake2b_256(&[]));
    }
}
