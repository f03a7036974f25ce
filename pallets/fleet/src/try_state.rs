//! What must hold at the end of every block (DESIGN section 4.1). The tests check it after every one of them.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use frame_support::ensure;
use keyward_protocol::{
    limits,
    statement::GroupState,
    view::{DeviceStatus, GatewayStatus, KeyExchange},
    DeviceId, GroupId,
};
use sp_runtime::TryRuntimeError;

use crate::{
    caller::is_active,
    group::ensure_filters,
    pallet::*,
    receipt::{ANCHORS, CONFLICTS},
    sorted::rises,
    types::{Gateway, Holder, Member, Usage},
    view::{now, raw},
};

type Checked = Result<(), TryRuntimeError>;

/// Checks everything.
pub(crate) fn check<T: Config>() -> Checked {
    organisations::<T>()?;
    Gateways::<T>::iter().try_for_each(|(account, known)| gateway::<T>(&account, &known))?;
    authorities::<T>()?;
    Devices::<T>::iter().try_for_each(|(id, known)| device::<T>(&id, &known))?;
    owners::<T>()?;
    usages::<T>()?;
    Groups::<T>::iter().try_for_each(|(id, known)| group::<T>(&id, &known))?;
    memberships::<T>()?;
    custodies::<T>()?;
    keys::<T>()?;
    records::<T>()?;
    Anchors::<T>::iter_keys().try_for_each(|(id, sequence)| anchor::<T>(&id, sequence))
}

fn organisations<T: Config>() -> Checked {
    for name in Organisations::<T>::iter_keys() {
        ensure!(
            name.organisation().is_none(),
            "an organisation's name has no '.'"
        );
    }
    let bare = BareNames::<T>::get();
    let known = bare.is_none_or(Organisations::<T>::contains_key);
    ensure!(known, "who has the bare names is an organisation");
    Ok(())
}

fn gateway<T: Config>(account: &T::AccountId, gateway: &Gateway) -> Checked {
    let known = Organisations::<T>::contains_key(&gateway.organisation);
    ensure!(known, "a gateway is an organisation's");
    let named = GatewayNames::<T>::get(&gateway.name);
    ensure!(
        named.as_ref() == Some(account),
        "a gateway's short name is its own"
    );
    let holder = Some(Holder::Gateway(account.clone()));
    ensure!(
        SigningKeys::<T>::get(gateway.statement_key) == holder,
        "statement keys are registered"
    );
    ensure!(
        AgreementKeys::<T>::get(gateway.custody_key) == holder,
        "custody keys are registered"
    );
    let expelled = gateway.status == GatewayStatus::Expelled;
    let custodian = CustodianGroups::<T>::contains_key(account);
    ensure!(
        !(expelled && custodian),
        "an expelled gateway is custodian nowhere"
    );
    Ok(())
}

fn authorities<T: Config>() -> Checked {
    for (id, authority) in Authorities::<T>::iter() {
        let known = Organisations::<T>::contains_key(&authority.organisation);
        ensure!(known, "an authority is an organisation's");
        let holder = SigningKeys::<T>::get(authority.key);
        ensure!(
            holder == Some(Holder::Authority(id)),
            "authorities' keys are registered"
        );
    }
    let named = GatewayNames::<T>::iter_keys().count();
    ensure!(
        named == Gateways::<T>::iter_keys().count(),
        "each gateway has one short name"
    );
    Ok(())
}

fn device<T: Config>(id: &DeviceId, device: &DeviceOf<T>) -> Checked {
    ensure!(
        Gateways::<T>::contains_key(&device.owner),
        "a device's owner is a gateway"
    );
    ensure!(
        Authorities::<T>::contains_key(&device.authority),
        "a known authority vouched"
    );
    let holder = Some(Holder::Device(id.clone()));
    ensure!(
        SigningKeys::<T>::get(device.signing_key) == holder,
        "signing keys are registered"
    );
    ensure!(
        AgreementKeys::<T>::get(device.agreement_key) == holder,
        "agreement keys are registered"
    );
    ensure!(device.key_version > 0, "key versions begin at 1");
    let living = device.status != DeviceStatus::Revoked;
    let owned = OwnedDevices::<T>::contains_key(&device.owner, id);
    ensure!(owned == living, "a device is owned until it is revoked");
    let groups = DeviceGroups::<T>::get(id);
    ensure!(
        living || groups.is_empty(),
        "a revoked device is in no group"
    );
    ensure!(
        living || Invitations::<T>::get(id).is_empty(),
        "a revoked device is invited nowhere"
    );
    ensure!(rises(&groups), "a device's groups rise");
    let listed = groups
        .iter()
        .all(|group| Members::<T>::contains_key(group, id));
    ensure!(listed, "a device is a member of its groups");
    invitations::<T>(id)
}

fn invitations<T: Config>(device: &DeviceId) -> Checked {
    let mut groups = BTreeSet::new();
    for invitation in Invitations::<T>::get(device) {
        let group = invitation.group;
        ensure!(
            Groups::<T>::contains_key(&group),
            "an invitation is to a group"
        );
        ensure!(
            !Members::<T>::contains_key(&group, device),
            "a member is not invited"
        );
        ensure!(groups.insert(group), "a device is invited to a group once");
    }
    Ok(())
}

fn owners<T: Config>() -> Checked {
    for (owner, device) in OwnedDevices::<T>::iter_keys() {
        let known = Devices::<T>::get(&device);
        ensure!(
            known.is_some_and(|known| known.owner == owner),
            "owners and devices agree"
        );
    }
    for (id, to) in Offers::<T>::iter() {
        let known = Devices::<T>::get(&id).ok_or("only devices are offered")?;
        ensure!(known.owner != to, "no device is offered to its owner");
        ensure!(
            known.status != DeviceStatus::Revoked,
            "no revoked device is offered"
        );
    }
    let invited = Invitations::<T>::iter_keys().chain(DeviceGroups::<T>::iter_keys());
    for id in invited {
        ensure!(
            Devices::<T>::contains_key(id),
            "only devices are in groups or invited"
        );
    }
    Ok(())
}

fn usages<T: Config>() -> Checked {
    let mut counted = BTreeMap::<Vec<u8>, Usage>::new();
    let key = |account: &T::AccountId| raw::<T>(account).0.to_vec();
    for (owner, _) in OwnedDevices::<T>::iter_keys() {
        let usage = counted.entry(key(&owner)).or_default();
        usage.devices = usage.devices.saturating_add(1);
    }
    for group in Groups::<T>::iter_values().filter(|group| group.state != GroupState::Closed) {
        let usage = counted.entry(key(&group.admin)).or_default();
        usage.groups = usage.groups.saturating_add(1);
    }
    for account in Gateways::<T>::iter_keys() {
        let counted = counted.remove(&key(&account)).unwrap_or_default();
        ensure!(
            Usages::<T>::get(&account) == counted,
            "what a gateway has is counted"
        );
    }
    ensure!(counted.is_empty(), "only gateways own and administer");
    Ok(())
}

fn group<T: Config>(id: &GroupId, group: &GroupOf<T>) -> Checked {
    ensure!(
        Gateways::<T>::contains_key(&group.admin),
        "a group's administrator is a gateway"
    );
    ensure!(
        group.policy.validate().is_ok(),
        "a group's policy keeps the rules"
    );
    ensure!(
        ensure_filters::<T>(&group.filters).is_ok(),
        "a group's filters rise"
    );
    ensure!(
        group.revision > 0 && group.revised_at <= now::<T>(),
        "a revision is of a block"
    );
    ensure!(rises(&group.custodians), "custodians rise");
    let of = |account| CustodianGroups::<T>::get(account).contains(id);
    ensure!(
        group.custodians.iter().all(of),
        "custodians know their groups"
    );
    ensure!(
        ChainHeads::<T>::contains_key(id),
        "a group has a hash chain"
    );
    members::<T>(id, group)?;
    state(group)?;
    queue::<T>(group)?;
    exchanges::<T>(id, group)
}

fn members<T: Config>(id: &GroupId, group: &GroupOf<T>) -> Checked {
    let members: Vec<Member> = Members::<T>::iter_prefix_values(id).collect();
    let publishers = members
        .iter()
        .filter(|member| member.role.publishes())
        .count();
    ensure!(
        members.len() == group.members as usize,
        "members are counted"
    );
    ensure!(
        publishers == group.publishers as usize,
        "publishers are counted"
    );
    ensure!(
        group.publishers <= limits::PUBLISHERS,
        "publishers are bounded"
    );
    let mut indexes = BTreeSet::new();
    for member in members {
        ensure!(member.index < group.next_index, "indexes were given out");
        ensure!(indexes.insert(member.index), "an index is one member's");
        let joined = member.joined_epoch;
        ensure!(
            joined > 0 && joined <= group.epoch,
            "a member joined at an epoch"
        );
        ensure!(!member.filters.is_empty(), "a member accepted something");
        ensure!(
            member.filters.is_within(&group.filters),
            "a member's filters are the group's"
        );
    }
    Ok(())
}

fn state<AccountId>(group: &crate::Group<AccountId>) -> Checked {
    let agrees = match group.state {
        GroupState::Active => group.committed.is_some(),
        GroupState::Awaiting => group.committed.is_none(),
        GroupState::Frozen | GroupState::Closed => true,
    };
    ensure!(agrees, "a group is active when its epoch is committed to");
    let closed = group.state == GroupState::Closed;
    let waits = closed || group.committed.is_none();
    ensure!(
        !waits || group.staged.is_empty(),
        "nothing is staged beyond an awaited epoch"
    );
    Ok(())
}

fn queue<T: Config>(group: &GroupOf<T>) -> Checked {
    let custodians = group
        .custodians
        .iter()
        .filter(|account| is_active::<T>(account));
    let custodians: BTreeSet<_> = custodians.map(raw::<T>).collect();
    let mut last = group.epoch;
    for staged in &group.staged {
        ensure!(
            last.checked_add(1) == Some(staged.epoch),
            "staged epochs follow one another"
        );
        ensure!(
            custodians.contains(&staged.custodian),
            "active custodians staged"
        );
        last = staged.epoch;
    }
    Ok(())
}

fn exchanges<T: Config>(id: &GroupId, group: &GroupOf<T>) -> Checked {
    let known: BTreeMap<u32, KeyExchange> = KeyExchanges::<T>::iter_prefix(id).collect();
    let oldest = group.epoch.saturating_sub(limits::HISTORY).max(1);
    ensure!(
        known.keys().copied().eq(oldest..=group.epoch),
        "the last 64 and the current epoch"
    );
    let current = known
        .get(&group.epoch)
        .ok_or("the current epoch is on record")?;
    ensure!(
        current.committed == group.committed,
        "record and group agree on the commitment"
    );
    ensure!(
        current.began == group.began_at,
        "record and group agree on the block"
    );
    for (epoch, exchange) in &known {
        let activated = exchange.activated;
        ensure!(
            activated.is_some() == exchange.committed.is_some(),
            "active is committed"
        );
        ensure!(
            activated.is_none_or(|at| at >= exchange.began),
            "active after it began"
        );
        let delivered = exchange.delivery.is_some();
        ensure!(
            !delivered || activated.is_some(),
            "only active epochs are delivered"
        );
        ensure!(
            *epoch == group.epoch || activated.is_some(),
            "no awaited epoch was passed over"
        );
    }
    Ok(())
}

fn memberships<T: Config>() -> Checked {
    for (group, device) in Members::<T>::iter_keys() {
        ensure!(Groups::<T>::contains_key(&group), "members are of groups");
        ensure!(
            DeviceGroups::<T>::get(device).contains(&group),
            "members know their groups"
        );
    }
    let exchanges = KeyExchanges::<T>::iter_keys().map(|(id, _)| id);
    for id in exchanges.chain(ChainHeads::<T>::iter_keys()) {
        ensure!(Groups::<T>::contains_key(id), "records are of groups");
    }
    Ok(())
}

fn custodies<T: Config>() -> Checked {
    for (account, groups) in CustodianGroups::<T>::iter() {
        ensure!(rises(&groups), "a custodian's groups rise");
        for id in groups {
            let group = Groups::<T>::get(id).ok_or("custodians are of groups")?;
            ensure!(
                group.custodians.contains(&account),
                "groups know their custodians"
            );
        }
    }
    Ok(())
}

fn keys<T: Config>() -> Checked {
    let known = |holder: Holder<T::AccountId>| match holder {
        Holder::Gateway(account) => Gateways::<T>::contains_key(account),
        Holder::Authority(id) => Authorities::<T>::contains_key(id),
        Holder::Device(id) => Devices::<T>::contains_key(id),
    };
    for (key, holder) in SigningKeys::<T>::iter() {
        ensure!(
            key.is_acceptable() && known(holder),
            "signing keys are acceptable and somebody's"
        );
    }
    for (key, holder) in AgreementKeys::<T>::iter() {
        ensure!(
            key.is_acceptable() && known(holder),
            "agreement keys are acceptable and somebody's"
        );
    }
    Ok(())
}

fn records<T: Config>() -> Checked {
    for (id, device, holding) in Holdings::<T>::iter() {
        let group = Groups::<T>::get(id).ok_or("receipts are of groups")?;
        ensure!(
            Devices::<T>::contains_key(device),
            "receipts are of devices"
        );
        let begun = holding.epoch > 0 && holding.epoch <= group.epoch;
        ensure!(begun, "receipts are of epochs that have begun");
    }
    let mut conflicts = BTreeMap::<GroupId, u32>::new();
    for ((id, epoch, device), conflict) in Conflicts::<T>::iter() {
        let exchange = KeyExchanges::<T>::get(&id, epoch);
        let committed = exchange.and_then(|exchange| exchange.committed);
        let differs = committed.is_none_or(|(commitment, _)| commitment != conflict.commitment);
        ensure!(differs, "a conflict is with another commitment");
        ensure!(
            Devices::<T>::contains_key(device),
            "conflicts are of devices"
        );
        let count = conflicts.entry(id).or_default();
        *count = count.saturating_add(1);
    }
    let counted: BTreeMap<GroupId, u32> = ConflictCounts::<T>::iter().collect();
    ensure!(counted == conflicts, "conflicts are counted");
    ensure!(
        counted.values().all(|count| *count <= CONFLICTS),
        "conflicts are bounded"
    );
    for (id, chain) in AnchorChains::<T>::iter() {
        let kept = Anchors::<T>::iter_key_prefix(&id).count();
        ensure!(
            kept as u64 == chain.next.min(ANCHORS),
            "the last 64 anchors are kept"
        );
    }
    Ok(())
}

fn anchor<T: Config>(id: &GroupId, sequence: u64) -> Checked {
    ensure!(Groups::<T>::contains_key(id), "anchors are of groups");
    let next = AnchorChains::<T>::get(id).next;
    let kept = sequence < next && sequence >= next.saturating_sub(ANCHORS);
    ensure!(kept, "anchors are among the last 64");
    Ok(())
}
