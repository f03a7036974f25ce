//! Finalized chain state, as far as this gateway needs it: what the relay compares the broker with.

use std::collections::BTreeMap;

use keyward_protocol::{
    beacon::BlockRef,
    view::{
        AuthorityStatus, AuthorityView, DeviceView, GatewayStatus, GatewayView, GroupView,
        KeyExchange, MemberView,
    },
    AccountId, AuthorityId, BlockHash, Commitment, DeviceId, GroupId, VerifyingKey,
};

/// A finalized block, with the state behind it when that may have changed.
#[derive(Clone, Debug)]
pub struct Block {
    /// Number and hash.
    pub block: BlockRef,
    /// Its time, in milliseconds since 1970.
    pub time_ms: u64,
    /// State at the block; none when nothing that matters here changed since the last one.
    pub fleet: Option<Box<Fleet>>,
}

/// A group that this gateway is custodian of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The group.
    pub view: GroupView,
    /// Hash of the block of its revision.
    pub revised_hash: BlockHash,
    /// Its members.
    pub members: BTreeMap<DeviceId, MemberView>,
}

impl Group {
    /// The record of an epoch.
    pub fn exchange(&self, epoch: u32) -> Option<&KeyExchange> {
        let found = self.view.exchanges.iter().find(|(at, _)| *at == epoch);
        found.map(|(_, exchange)| exchange)
    }

    /// The newest epoch with a commitment: the current one, unless that is awaited.
    pub fn committed(&self) -> Option<(u32, Commitment, AccountId)> {
        let newest = self.view.exchanges.iter().rev();
        let mut committed = newest.filter_map(|(epoch, exchange)| {
            let (commitment, account) = exchange.committed?;
            Some((*epoch, commitment, account))
        });
        committed.next()
    }

    /// Members that take part.
    pub fn active_members(&self) -> impl Iterator<Item = &MemberView> {
        self.members.values().filter(|member| member.active)
    }
}

/// The state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    /// All gateways.
    pub gateways: BTreeMap<AccountId, GatewayView>,
    /// All certificate authorities.
    pub authorities: BTreeMap<AuthorityId, AuthorityView>,
    /// This gateway's devices.
    pub devices: BTreeMap<DeviceId, DeviceView>,
    /// Groups that this gateway is custodian of.
    pub groups: BTreeMap<GroupId, Group>,
}

impl Fleet {
    /// A gateway that may act.
    pub fn active_gateway(&self, account: &AccountId) -> Option<&GatewayView> {
        let gateway = self.gateways.get(account)?;
        (gateway.status == GatewayStatus::Active).then_some(gateway)
    }

    /// The key of an authority whose vouchers are accepted.
    pub fn authority_key(&self, authority: &AuthorityId) -> Option<VerifyingKey> {
        let view = self.authorities.get(authority)?;
        (view.status == AuthorityStatus::Active).then_some(view.key)
    }

    /// Signing key and key version of a device that is ours or a member of this group.
    pub fn device_key(&self, device: &DeviceId, group: &GroupId) -> Option<(VerifyingKey, u32)> {
        let ours = self.devices.get(device);
        let ours = ours.map(|device| (device.signing_key, device.key_version));
        let member = || {
            let member = self.groups.get(group)?.members.get(device)?;
            Some((member.signing_key, member.key_version))
        };
        ours.or_else(member)
    }
}
