//! Notes what the chain finalized: every block, with the state at its end as `FleetApi` tells it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Result;
use keyward_chain_client::{Client, View};
use keyward_protocol::{
    beacon::BlockRef,
    view::{DeviceView, GroupView, MemberView},
    AccountId,
};

use crate::judge::evidence::{Block, Exchange, Group, Log, Member, Registered, State, What};

/// Pause before state that could not be read is read again.
const AGAIN: Duration = Duration::from_millis(500);

/// The newest block that was noted, and its state.
pub type Newest = Arc<Mutex<(u32, State)>>;

/// Reads and notes.
pub struct Follower {
    chain: Client,
    account: AccountId,
    log: Log,
    newest: Newest,
}

impl Follower {
    /// Of the groups and devices of a gateway.
    pub fn new(chain: Client, account: AccountId, log: &Log) -> Self {
        Self {
            chain,
            account,
            log: log.clone(),
            newest: Newest::default(),
        }
    }

    /// What it noted last.
    pub fn newest(&self) -> Newest {
        self.newest.clone()
    }

    /// Follows for ever, through outages of the node.
    ///
    /// # Errors
    /// When the node is on another chain than before.
    pub async fn run(self, after: BlockRef) -> Result<()> {
        let mut blocks = self.chain.finalized_after(Some(after));
        let mut noted = None;
        loop {
            let block = blocks.next().await?;
            let state = loop {
                match self.state(&self.chain.at(block.hash)).await {
                    Ok(state) => break state,
                    Err(_) => tokio::time::sleep(AGAIN).await,
                }
            };
            let is_new = noted.as_ref() != Some(&state);
            self.log.note(What::Block(Block {
                number: block.number,
                time_ms: block.time_ms,
                state: is_new.then(|| state.clone()),
            }));
            noted = Some(state.clone());
            *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = (block.number, state);
        }
    }

    async fn state(&self, view: &View) -> Result<State> {
        let mut groups = Vec::new();
        for id in view.groups().await? {
            if let Some(found) = view.group(&id).await? {
                groups.push(group(found, view.members(&id).await?));
            }
        }
        let devices = view.devices_of(self.account).await?;
        Ok(State {
            groups,
            devices: devices.into_iter().map(registered).collect(),
        })
    }
}

fn registered(device: DeviceView) -> Registered {
    Registered {
        device: device.device,
        key_version: device.key_version,
        signing_key: device.signing_key,
    }
}

fn group(group: GroupView, members: Vec<MemberView>) -> Group {
    let exchanges = group
        .exchanges
        .into_iter()
        .map(|(epoch, exchange)| Exchange {
            epoch,
            committed: exchange.committed,
            delivered: exchange.delivery.is_some(),
        });
    Group {
        exchanges: exchanges.collect(),
        group: group.group,
        state: group.state,
        epoch: group.epoch,
        revision: group.revision,
        filters: group.filters.iter().map(ToString::to_string).collect(),
        policy: group.policy,
        members: members.into_iter().map(member).collect(),
    }
}

fn member(member: MemberView) -> Member {
    Member {
        device: member.device,
        role: member.role,
        index: member.index,
        joined_epoch: member.joined_epoch,
        active: member.active,
        acknowledged: member.acknowledged.map(|(epoch, _)| epoch),
    }
}
