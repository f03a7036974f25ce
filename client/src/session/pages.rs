//! Pages of publishers: believed by their hash in the group's statement (STM-6, STM-7).

use alloc::{collections::BTreeMap, vec::Vec};

use keyward_crypto::hash::page_hash;
use keyward_protocol::{statement::PublisherPage, Digest, GroupId};

use super::{live::Sender, refusal::ControlRefused, Change, Session};

impl Session {
    pub(super) fn on_page(
        &mut self,
        group: &GroupId,
        number: u32,
        payload: &[u8],
    ) -> Result<(), ControlRefused> {
        let page = PublisherPage::from_wire(payload, &self.provisioned.genesis)?;
        if page.group != *group || page.page != number {
            return Err(ControlRefused::Misplaced);
        }
        let hash = page_hash(&self.provisioned.genesis, &page);
        if self.named_page(group, number) == Some(hash) {
            self.accept_page(group, page);
            self.refresh_senders(group);
            self.reopen(Some(group));
        } else if let Some(live) = self.live.get_mut(group) {
            // It may be of a statement that has not come yet. One for each number at most.
            live.pages.insert(number, (hash, page));
        }
        Ok(())
    }

    /// The hash that the statement names for a page.
    fn named_page(&self, group: &GroupId, number: u32) -> Option<Digest> {
        let number = usize::try_from(number).ok()?;
        self.statement(group)?.pages.get(number).copied()
    }

    fn accept_page(&mut self, group: &GroupId, page: PublisherPage) {
        if self.durable.pages.get(&(group.clone(), page.page)) != Some(&page) {
            self.change(Change::Page(group.clone(), page));
        }
    }

    /// A new statement: pages that it does not name are not believed any more, pages that it names may be here already.
    pub(super) fn drop_old_pages(&mut self, group: &GroupId) {
        let held = self
            .durable
            .pages
            .range((group.clone(), 0)..=(group.clone(), u32::MAX));
        let genesis = &self.provisioned.genesis;
        let old: Vec<u32> = held
            .filter(|((_, number), page)| {
                self.named_page(group, *number) != Some(page_hash(genesis, page))
            })
            .map(|((_, number), _)| *number)
            .collect();
        for number in old {
            self.change(Change::DropPage(group.clone(), number));
        }
        let waiting = self
            .live
            .get_mut(group)
            .map(|live| core::mem::take(&mut live.pages));
        for (number, (hash, page)) in waiting.into_iter().flatten() {
            if self.named_page(group, number) == Some(hash) {
                self.accept_page(group, page);
            }
        }
        self.refresh_senders(group);
    }

    /// Reads the publishers from the pages that are believed.
    pub(super) fn refresh_senders(&mut self, group: &GroupId) {
        let Some(statement) = self.statement(group) else {
            return;
        };
        let named = statement.pages.len();
        let held: Vec<&PublisherPage> = self
            .durable
            .pages
            .range((group.clone(), 0)..=(group.clone(), u32::MAX))
            .map(|(_, page)| page)
            .collect();
        let is_complete = held.len() == named;
        let publishers = held.into_iter().flat_map(|page| page.publishers.iter());
        let senders: BTreeMap<u32, Sender> = publishers
            .map(|publisher| (publisher.index, Sender::new(publisher)))
            .collect();
        let mut indices = senders.iter();
        let own_index = indices.find_map(|(index, sender)| self.is_ours(sender).then_some(*index));
        if let Some(live) = self.live.get_mut(group) {
            live.senders = senders;
            live.is_complete = is_complete;
            live.own_index = own_index;
        }
    }

    fn is_ours(&self, sender: &Sender) -> bool {
        sender.device == self.identity.device
            && sender.key_version == self.identity.key_version
            && sender.key == self.identity.signing.verifying_key()
    }
}
