//! Chain state at one block, through the runtime API `FleetApi`.

use std::{cmp::Ordering, sync::Arc};

use codec::{Decode, Encode};
use keyward_protocol::{
    view::{
        AuthorityView, ConflictView, CustodyView, DeviceView, GatewayView, GroupView,
        InvitationView, MemberView, PermissionsView,
    },
    AccountId, BlockHash, DeviceId, GroupId,
};
use tokio::sync::OnceCell;

use crate::{
    call::Collective,
    rpc::{decode, Rpc, RpcFailed},
    runtime::{Incompatible, Runtime, Runtimes},
};

/// Methods of `FleetApi` that are used, for the check at connection.
pub(crate) const FLEET_API: &[&str] = &[
    "changes",
    "gateway",
    "gateways",
    "authorities",
    "device",
    "devices_of",
    "devices",
    "group",
    "groups",
    "members",
    "custody",
    "conflicts",
    "invitations",
    "permissions",
];

/// Items asked for at once; the runtime caps it at the same number.
const PAGE: u32 = 1024;
/// Most items of one list that are read: a node that never comes to an end is no honest one.
pub(crate) const LONGEST: usize = 1 << 20;

/// Why state could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadFailed {
    /// The node does not answer; worth trying again.
    #[error(transparent)]
    Rpc(#[from] RpcFailed),
    /// The node no longer keeps the state of that block: read a newer one.
    #[error("the node no longer keeps the state of block {block}; read a newer block, or keep more with --state-pruning")]
    Pruned {
        /// Which.
        block: BlockHash,
    },
    /// The runtime at that block speaks otherwise than this program.
    #[error(transparent)]
    Incompatible(#[from] Incompatible),
}

impl ReadFailed {
    /// Whether the same read may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Rpc(error) if error.is_retryable())
    }
}

/// State at one block.
pub struct View {
    pub(crate) rpc: Arc<dyn Rpc>,
    runtimes: Arc<Runtimes>,
    at: BlockHash,
    compatible: OnceCell<()>,
}

impl View {
    pub(crate) fn new(rpc: Arc<dyn Rpc>, runtimes: Arc<Runtimes>, at: BlockHash) -> Self {
        Self {
            rpc,
            runtimes,
            at,
            compatible: OnceCell::new(),
        }
    }

    /// The block.
    pub fn block(&self) -> BlockHash {
        self.at
    }

    /// Rises with every change that a statement or a grant could depend on.
    pub async fn changes(&self) -> Result<u64, ReadFailed> {
        self.fleet("changes", &()).await
    }

    /// A gateway.
    pub async fn gateway(&self, account: AccountId) -> Result<Option<GatewayView>, ReadFailed> {
        self.fleet("gateway", &account).await
    }

    /// All gateways.
    pub async fn gateways(&self) -> Result<Vec<GatewayView>, ReadFailed> {
        self.fleet("gateways", &()).await
    }

    /// All certificate authorities.
    pub async fn authorities(&self) -> Result<Vec<AuthorityView>, ReadFailed> {
        self.fleet("authorities", &()).await
    }

    /// A device.
    pub async fn device(&self, device: &DeviceId) -> Result<Option<DeviceView>, ReadFailed> {
        self.fleet("device", device).await
    }

    /// All devices of a gateway.
    pub async fn devices_of(&self, owner: AccountId) -> Result<Vec<DeviceView>, ReadFailed> {
        let page = |after: Option<DeviceId>| (owner, after, PAGE);
        self.pages("devices_of", page, |device: &DeviceView| {
            device.device.clone()
        })
        .await
    }

    /// All devices.
    pub async fn devices(&self) -> Result<Vec<DeviceView>, ReadFailed> {
        let page = |after: Option<DeviceId>| (after, PAGE);
        self.pages("devices", page, |device: &DeviceView| device.device.clone())
            .await
    }

    /// A group.
    pub async fn group(&self, group: &GroupId) -> Result<Option<GroupView>, ReadFailed> {
        self.fleet("group", group).await
    }

    /// The ids of all groups.
    pub async fn groups(&self) -> Result<Vec<GroupId>, ReadFailed> {
        let page = |after: Option<GroupId>| (after, PAGE);
        self.pages("groups", page, GroupId::clone).await
    }

    /// All members of a group, in the order of storage.
    pub async fn members(&self, group: &GroupId) -> Result<Vec<MemberView>, ReadFailed> {
        let page = |after: Option<DeviceId>| (group.clone(), after, PAGE);
        self.pages("members", page, |member: &MemberView| member.device.clone())
            .await
    }

    /// The groups that a gateway is custodian of.
    pub async fn custody(&self, custodian: AccountId) -> Result<Vec<CustodyView>, ReadFailed> {
        self.fleet("custody", &custodian).await
    }

    /// Devices that saw another commitment than the chain's.
    pub async fn conflicts(&self, group: &GroupId) -> Result<Vec<ConflictView>, ReadFailed> {
        self.fleet("conflicts", group).await
    }

    /// Invitations that wait for a gateway's consent.
    pub async fn invitations(&self, owner: AccountId) -> Result<Vec<InvitationView>, ReadFailed> {
        self.fleet("invitations", &owner).await
    }

    /// What an account may do.
    pub async fn permissions(&self, account: AccountId) -> Result<PermissionsView, ReadFailed> {
        self.fleet("permissions", &account).await
    }

    /// The block's time, in milliseconds since 1970.
    pub async fn time_ms(&self) -> Result<u64, ReadFailed> {
        Ok(time_ms(&*self.rpc, self.at).await?)
    }

    /// The accounts of the council.
    pub async fn council(&self) -> Result<Vec<AccountId>, ReadFailed> {
        self.members_of(Collective::Council).await
    }

    /// The accounts of the council or of the technical committee.
    pub async fn members_of(&self, collective: Collective) -> Result<Vec<AccountId>, ReadFailed> {
        let members = members(&*self.rpc, collective, self.at).await;
        members.map_err(|error| self.failed(error))
    }

    /// Asks for page after page, until one is not full. Each page must go on where the one before ended.
    async fn pages<T, K, A>(
        &self,
        method: &str,
        args: impl Fn(Option<K>) -> A,
        key: impl Fn(&T) -> K,
    ) -> Result<Vec<T>, ReadFailed>
    where
        T: Decode,
        K: PartialEq,
        A: Encode,
    {
        let mut all: Vec<T> = Vec::new();
        loop {
            let after = all.last().map(&key);
            let page: Vec<T> = self.fleet(method, &args(all.last().map(&key))).await?;
            let (length, last) = (page.len(), page.last().map(&key));
            all.extend(page);
            match length.cmp(&(PAGE as usize)) {
                Ordering::Less => return Ok(all),
                Ordering::Equal if last != after && all.len() <= LONGEST => {}
                _ => return Err(endless(method).into()),
            }
        }
    }

    async fn fleet<T: Decode>(&self, method: &str, args: &impl Encode) -> Result<T, ReadFailed> {
        self.compatible().await?;
        let function = format!("FleetApi_{method}");
        let answer = self.rpc.call(&function, &args.encode(), self.at).await;
        let answer = answer.map_err(|error| self.failed(error))?;
        Ok(decode(&function, &answer)?)
    }

    /// Refuses, once and for all, if the runtime at this block is not the one that this program understands.
    pub(crate) async fn compatible(&self) -> Result<(), ReadFailed> {
        self.compatible
            .get_or_try_init(|| self.check())
            .await
            .copied()
    }

    async fn check(&self) -> Result<(), ReadFailed> {
        Ok(self.runtime().await?.check()?)
    }

    pub(crate) async fn runtime(&self) -> Result<Arc<Runtime>, ReadFailed> {
        let runtime = self.runtimes.at(self.at).await;
        runtime.map_err(|error| self.failed(error))
    }

    pub(crate) fn failed(&self, error: RpcFailed) -> ReadFailed {
        match error.is_pruned() {
            true => ReadFailed::Pruned { block: self.at },
            false => ReadFailed::Rpc(error),
        }
    }
}

fn endless(method: &str) -> RpcFailed {
    RpcFailed::Malformed {
        reason: format!("the list of FleetApi.{method} does not end"),
    }
}

/// The time of a block, in milliseconds since 1970.
pub(crate) async fn time_ms(rpc: &dyn Rpc, at: BlockHash) -> Result<u64, RpcFailed> {
    let bytes = rpc.storage(&storage_key("Timestamp", "Now"), at).await?;
    let time = bytes
        .map(|bytes| decode("time of the block", &bytes))
        .transpose()?;
    Ok(time.unwrap_or(0))
}

/// The accounts of the council or of the technical committee.
pub(crate) async fn members(
    rpc: &dyn Rpc,
    collective: Collective,
    at: BlockHash,
) -> Result<Vec<AccountId>, RpcFailed> {
    let key = storage_key(collective.pallet(), "Members");
    let bytes = rpc.storage(&key, at).await?;
    bytes.map_or(Ok(Vec::new()), |bytes| decode("members", &bytes))
}

/// Key of a plain storage value.
pub(crate) fn storage_key(pallet: &str, item: &str) -> Vec<u8> {
    let hash = |name: &str| sp_crypto_hashing::twox_128(name.as_bytes());
    [hash(pallet), hash(item)].concat()
}
