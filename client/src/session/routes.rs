//! Which group a topic belongs to (TOP-3), and which topics are protected (MSG-16).

use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::cmp::Ordering;

use keyward_protocol::{
    topic::{ControlTopic, TopicFilter},
    GatewayName, GroupId,
};

use super::{
    effects::{Action, Interest},
    notice::Notice,
    Change, Session,
};

/// Where a topic belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// To a group of the device.
    Group(GroupId),
    /// To two groups with the same filter.
    Conflict,
    /// To no group of the device, but it is protected.
    Protected,
    /// It is not protected.
    Open,
}

impl Session {
    /// The one group that a topic belongs to: that of the most specific filter (TOP-3).
    pub(super) fn route(&self, topic: &str) -> Route {
        let mut matching = self.filters().filter(|(_, filter)| filter.matches(topic));
        let Some((mut group, mut filter)) = matching.next() else {
            return match self.is_protected(topic) {
                true => Route::Protected,
                false => Route::Open,
            };
        };
        let mut is_tie = false;
        for (other, than) in matching {
            let order = than.specificity().cmp(&filter.specificity());
            is_tie = order == Ordering::Equal || is_tie && order == Ordering::Less;
            if order == Ordering::Greater {
                (group, filter) = (other, than);
            }
        }
        match is_tie {
            true => Route::Conflict,
            false => Route::Group(group.clone()),
        }
    }

    fn filters(&self) -> impl Iterator<Item = (&GroupId, &TopicFilter)> {
        self.stated_groups()
            .flat_map(|stated| stated.filters.iter().map(|filter| (&stated.group, filter)))
    }

    fn is_protected(&self, topic: &str) -> bool {
        let mut filters = self.durable.protected.iter();
        filters.any(|(filter, is)| *is && filter.matches(topic))
    }

    /// Topics that are protected from the first day, unless the operator released them.
    pub(super) fn protect_provisioned(&mut self) {
        for filter in self.provisioned.protected_topics.clone() {
            if !self.durable.protected.contains_key(&filter) {
                self.change(Change::Protect(filter, true));
            }
        }
    }

    /// The filters of the device's groups are protected from now on, also when it leaves them (MSG-16).
    pub(super) fn protect_stated(&mut self) {
        let filters: BTreeSet<TopicFilter> =
            self.filters().map(|(_, filter)| filter.clone()).collect();
        for filter in filters {
            if self.durable.protected.get(&filter) != Some(&true) {
                self.change(Change::Protect(filter, true));
            }
        }
    }

    /// The operator releases a filter.
    pub(super) fn release(&mut self, filter: &TopicFilter) {
        if self.filters().any(|(_, stated)| stated == filter) {
            return self.tell(Notice::NotReleased(filter.clone()));
        }
        if self.durable.protected.get(filter) == Some(&true) {
            self.change(Change::Protect(filter.clone(), false));
        }
        self.tell(Notice::Released(filter.clone()));
    }

    /// Filters that two groups of the device share.
    pub(super) fn tell_conflicting_filters(&mut self) {
        let mut filters: Vec<TopicFilter> =
            self.filters().map(|(_, filter)| filter.clone()).collect();
        filters.sort();
        let mut conflicts: Vec<TopicFilter> = filters
            .windows(2)
            .filter_map(|pair| match pair {
                [a, b] if a == b => Some(a.clone()),
                _ => None,
            })
            .collect();
        conflicts.dedup();
        for filter in conflicts {
            self.tell(Notice::TopicConflict(filter));
        }
    }

    /// Subscribes to what is to be heard now, and ends what is not any more.
    pub(super) fn subscribe(&mut self) {
        let wanted = self.wanted();
        let ended: Vec<_> = self.subscribed.difference(&wanted).cloned().collect();
        let new: Vec<_> = wanted.difference(&self.subscribed).cloned().collect();
        for (filter, _) in ended {
            self.act(Action::Unsubscribe { filter });
        }
        for (filter, interest) in new {
            self.act(Action::Subscribe { filter, interest });
        }
        self.subscribed = wanted;
    }

    fn wanted(&self) -> BTreeSet<(String, Interest)> {
        let owner = &self.provisioned.owner.name;
        let device = &self.identity.device;
        let mut wanted = BTreeSet::new();
        for topic in [
            ControlTopic::Anchor(owner.clone()),
            ControlTopic::DeviceState(owner.clone(), device.clone()),
            ControlTopic::Response(owner.clone(), device.clone()),
        ] {
            wanted.insert((self.topic(&topic), Interest::Control));
        }
        for stated in self.stated_groups() {
            for custodian in &stated.custodians {
                let filters = self.custodian_filters(&custodian.name, &stated.group);
                wanted.extend(
                    filters
                        .into_iter()
                        .map(|filter| (filter, Interest::Control)),
                );
            }
            if self.settings.follow && stated.role.subscribes() {
                let filters = stated.filters.iter();
                wanted.extend(filters.map(|filter| (filter.to_string(), Interest::Application)));
            }
        }
        wanted
    }

    /// What a custodian says of a group, and to this device.
    fn custodian_filters(&self, name: &GatewayName, group: &GroupId) -> [String; 3] {
        let device = &self.identity.device;
        let prefix = &self.settings.prefix;
        [
            format!("{prefix}/gateway/{name}/group/{group}/#"),
            self.topic(&ControlTopic::Grant(
                name.clone(),
                device.clone(),
                group.clone(),
            )),
            self.topic(&ControlTopic::Response(name.clone(), device.clone())),
        ]
    }

    pub(super) fn topic(&self, topic: &ControlTopic) -> String {
        topic.to_topic(&self.settings.prefix)
    }
}
