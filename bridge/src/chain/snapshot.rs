//! Reads everything of a block's state that this gateway needs.

use std::collections::BTreeMap;

use futures::{stream, StreamExt, TryStreamExt};
use keyward_chain_client::{Client, ReadFailed, RpcFailed, View};
use keyward_protocol::{beacon::BlockRef, view::GroupView, AccountId, BlockHash, GroupId};

use crate::relay::fleet::{Fleet, Group};

/// Groups that are read at the same time.
const AT_ONCE: usize = 8;

/// Reads state; remembers the hashes of the blocks of revisions, which never change.
pub(super) struct Reader {
    client: Client,
    account: AccountId,
    revisions: BTreeMap<u32, BlockHash>,
}

impl Reader {
    pub(super) fn new(client: Client, account: AccountId) -> Self {
        Self {
            client,
            account,
            revisions: BTreeMap::new(),
        }
    }

    /// The state at a block, all of it at that one.
    pub(super) async fn read(&mut self, block: BlockRef) -> Result<Fleet, ReadFailed> {
        let view = self.client.at(block.hash);
        let (gateways, authorities, devices, custody) = futures::try_join!(
            view.gateways(),
            view.authorities(),
            view.devices_of(self.account),
            view.custody(self.account),
        )?;
        let groups = custody.into_iter().map(|custody| custody.group);
        let groups = self.groups(&view, groups.collect()).await?;
        self.revisions = groups
            .values()
            .map(|group| (group.view.revised_at, group.revised_hash))
            .collect();
        Ok(Fleet {
            gateways: gateways
                .into_iter()
                .map(|view| (view.account, view))
                .collect(),
            authorities: authorities
                .into_iter()
                .map(|view| (view.authority.clone(), view))
                .collect(),
            devices: devices
                .into_iter()
                .map(|view| (view.device.clone(), view))
                .collect(),
            groups,
        })
    }

    async fn groups(
        &self,
        view: &View,
        groups: Vec<GroupId>,
    ) -> Result<BTreeMap<GroupId, Group>, ReadFailed> {
        let reading = groups.into_iter().map(|id| async move {
            let group = self.group(view, &id).await?;
            Ok::<_, ReadFailed>(group.map(|group| (id, group)))
        });
        let groups: Vec<_> = stream::iter(reading)
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(groups.into_iter().flatten().collect())
    }

    async fn group(&self, view: &View, id: &GroupId) -> Result<Option<Group>, ReadFailed> {
        let Some(group) = view.group(id).await? else {
            return Ok(None);
        };
        let (members, revised_hash) =
            futures::try_join!(view.members(id), self.revised_hash(&group))?;
        let members = members.into_iter().map(|view| (view.device.clone(), view));
        Ok(Some(Group {
            revised_hash,
            members: members.collect(),
            view: group,
        }))
    }

    async fn revised_hash(&self, group: &GroupView) -> Result<BlockHash, ReadFailed> {
        let number = group.revised_at;
        if let Some(hash) = self.revisions.get(&number) {
            return Ok(*hash);
        }
        let hash = self.client.block_hash(number).await?;
        let absent = || RpcFailed::Unavailable {
            reason: format!("it does not have block {number}"),
        };
        Ok(hash.ok_or_else(absent)?)
    }
}
