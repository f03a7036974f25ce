//! Deliveries: an epoch is recorded as delivered when its statement, pages and every member's grant were acknowledged and
//! read back (BRG-3, DESIGN section 7).

use keyward_protocol::{
    statement::GroupState,
    topic::ControlTopic,
    view::{Delivery, MemberView},
    Digest, GroupId,
};

use super::{
    fleet::Group,
    grants, statements,
    transactions::{Command, Job},
    Relay,
};

impl Relay {
    /// Records the deliveries that are complete.
    pub(super) fn plan_deliveries(&mut self) {
        let Some(fleet) = self.fleet.take() else {
            return;
        };
        for group in fleet.groups.values() {
            if let Some(epoch) = self.undelivered(group) {
                self.plan_delivery(group, epoch);
            }
        }
        self.fleet = Some(fleet);
    }

    /// The current epoch, if it is ours and its delivery is not on record.
    fn undelivered(&self, group: &Group) -> Option<u32> {
        let (epoch, _) = grants::grantable(&self.journal, &self.home.account, group)?;
        let active = matches!(group.view.state, GroupState::Active | GroupState::Frozen);
        let recorded = group.exchange(epoch)?.delivery.is_some();
        (active && epoch == group.view.epoch && !recorded).then_some(epoch)
    }

    fn plan_delivery(&mut self, group: &Group, epoch: u32) {
        let job = Job::Deliver(group.view.group.clone(), epoch);
        if !self.transactions.is_open(&job) && self.is_stated(group) {
            self.start(job, |relay| relay.delivery(group, epoch));
        }
    }

    /// Whether the broker holds the group's statement and pages.
    fn is_stated(&self, group: &Group) -> bool {
        let (name, id) = (&self.home.name, &group.view.group);
        let state = self.topic(ControlTopic::GroupState(name.clone(), id.clone()));
        let page = |page: u32| self.topic(ControlTopic::Publishers(name.clone(), id.clone(), page));
        let pages = statements::pages(group);
        self.broker.is_settled(&state)
            && pages
                .iter()
                .all(|entry| self.broker.is_settled(&page(entry.page)))
    }

    fn delivery(&mut self, group: &Group, epoch: u32) -> Option<Command> {
        let entitled = |member: &&MemberView| member.joined_epoch <= epoch;
        let recipients: Vec<&MemberView> = group.active_members().filter(entitled).collect();
        let topic = |member: &MemberView| self.grant_topic(&group.view.group, member);
        let settled = |member: &&MemberView| self.broker.is_settled(&topic(member));
        if !recipients.iter().all(settled) {
            return None;
        }
        let grants: Vec<_> = recipients
            .iter()
            .filter_map(|member| {
                let standing = self.journal.retained.get(&topic(member))?;
                Some((&member.device, &*standing.payload))
            })
            .collect();
        Some(Command::Deliver {
            group: group.view.group.clone(),
            epoch,
            recipients: u32::try_from(grants.len()).ok()?,
            grants_root: grants::root(grants.into_iter()),
        })
    }

    pub(super) fn on_delivered(&mut self, group: &GroupId, epoch: u32, done: bool) {
        let at = self.head.map_or(0, |head| head.block.number);
        let fleet = self.fleet.as_mut();
        let group = fleet.and_then(|fleet| fleet.groups.get_mut(group));
        let exchanges = group.map(|group| group.view.exchanges.iter_mut());
        let exchange = exchanges.and_then(|mut all| all.find(|(of, _)| *of == epoch));
        if let (Some((_, exchange)), true) = (exchange, done) {
            // Deliveries do not count as a change of the state: without this note it would be recorded again.
            exchange.delivery.get_or_insert(Delivery {
                at,
                recipients: 0,
                grants_root: Digest([0; 32]),
            });
        }
    }
}
