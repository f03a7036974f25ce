//! What a device knows, from its durable state alone.

use alloc::vec::Vec;

use keyward_protocol::{statement::GroupState, topic::TopicFilter, GroupId, Role};

use super::durable::Durable;

/// What is known of one group of the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupStatus {
    /// The group.
    pub group: GroupId,
    /// What the device may do in it.
    pub role: Role,
    /// Its topic filters, as the owner accepted them.
    pub filters: Vec<TopicFilter>,
    /// What it is doing; none if its statement has not come yet.
    pub state: Option<GroupState>,
    /// Revision of its statement.
    pub revision: Option<u64>,
    /// Its epoch.
    pub epoch: Option<u32>,
    /// Epochs whose secrets are held, rising.
    pub held: Vec<u32>,
    /// The newest epoch whose receipt is on chain.
    pub acknowledged: Option<u32>,
    /// Publishers on the pages that are there.
    pub publishers: usize,
    /// Age of the view of the chain in milliseconds, if the time is known and a beacon came.
    pub age_ms: Option<u64>,
    /// Whether a publisher would refuse to seal for that age (STM-10).
    pub is_stale: bool,
}

/// What a device knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The newest boot that was used.
    pub boot: u32,
    /// Revision of the owner's statement; none if there was none.
    pub revision: Option<u64>,
    /// Its groups, by rising id.
    pub groups: Vec<GroupStatus>,
    /// Topic filters that are protected.
    pub protected: Vec<TopicFilter>,
    /// The version of the device's keys that nothing may be sealed with any more, if there is one.
    pub copied: Option<u32>,
}

impl Status {
    /// From the durable state, with the time in milliseconds since 1970.
    pub fn of(durable: &Durable, wall_ms: Option<u64>) -> Self {
        let device = durable.device.as_ref().map(|held| &held.body);
        let groups = device.into_iter().flat_map(|device| device.groups.iter());
        let protected = durable.protected.iter().filter(|(_, is)| **is);
        Self {
            boot: durable.boot,
            revision: device.map(|device| device.revision),
            groups: groups
                .map(|stated| group(durable, stated, wall_ms))
                .collect(),
            protected: protected.map(|(filter, _)| filter.clone()).collect(),
            copied: durable.copied,
        }
    }
}

fn group(
    durable: &Durable,
    stated: &keyward_protocol::statement::DeviceGroup,
    wall_ms: Option<u64>,
) -> GroupStatus {
    let id = &stated.group;
    let statement = durable.statements.get(id).map(|held| &held.body);
    let facts = durable.facts.get(id);
    let heard = facts.and_then(|facts| facts.heard);
    let age_ms = wall_ms
        .zip(heard)
        .map(|(now, heard)| now.saturating_sub(heard.chain_time));
    let silence = statement.map_or(0, |statement| u64::from(statement.policy.max_silence));
    let pages = durable
        .pages
        .range((id.clone(), 0)..=(id.clone(), u32::MAX));
    GroupStatus {
        group: id.clone(),
        role: stated.role,
        filters: stated.filters.iter().cloned().collect(),
        state: statement.map(|statement| statement.state),
        revision: statement.map(|statement| statement.revision),
        epoch: statement.map(|statement| statement.epoch),
        held: durable.epochs(id).collect(),
        acknowledged: facts.and_then(|facts| facts.acknowledged),
        publishers: pages.map(|(_, page)| page.publishers.len()).sum(),
        age_ms,
        is_stale: age_ms.is_none_or(|age| age > silence.saturating_mul(1000)),
    }
}
