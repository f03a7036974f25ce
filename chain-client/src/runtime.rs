//! The runtime that a node runs, and whether this program may talk to it.
//!
//! What is used of it (calls, runtime APIs, storage) is compared with the committed metadata, item by item, by the shape
//! of its types. Other changes of the runtime do not matter here.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, LazyLock},
};

use codec::{Compact, Decode, Encode};
use keyward_protocol::{BlockHash, Genesis};
use subxt::{
    client::{OfflineClient, OfflineClientAtBlock},
    config::substrate::{SpecVersionForRange, SubstrateConfig, H256},
    metadata::ArcMetadata,
    Metadata,
};
use tokio::sync::Mutex;

use crate::{
    call::FLEET_CALLS,
    rpc::{Rpc, RpcFailed, Versions},
    shape::{Shape, Shapes},
};

/// Metadata of the runtime that this program was built for.
pub(crate) static COMMITTED: LazyLock<Option<Metadata>> =
    LazyLock::new(|| Metadata::decode_from(include_bytes!("../metadata.scale")).ok());

/// Runtime APIs whose answers are decoded here.
const APIS: &[(&str, &[&str])] = &[
    ("FleetApi", crate::view::FLEET_API),
    ("AccountNonceApi", &["account_nonce"]),
];
/// Storage that is read directly. What a motion calls is not here: it changes with every call of the runtime.
const STORAGE: &[(&str, &str)] = &[
    ("Timestamp", "Now"),
    ("Council", "Members"),
    ("Council", "Proposals"),
    ("Council", "Voting"),
    ("Fleet", "Holdings"),
];
/// Runtimes that are remembered: enough for a walk over upgrades.
const REMEMBERED: usize = 8;

/// Something of the runtime that this program uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `Pallet.call`.
    Call(String),
    /// `Api.method`.
    Api(String),
    /// `Pallet.Item`.
    Storage(String),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(path) => write!(f, "call {path}"),
            Self::Api(path) => write!(f, "runtime API {path}"),
            Self::Storage(path) => write!(f, "storage {path}"),
        }
    }
}

/// An item that the node's runtime has otherwise than this program expects, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub item: Item,
    /// Whether the node does not have it at all.
    pub missing: bool,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.missing {
            "is missing"
        } else {
            "has another form"
        };
        write!(f, "{} {how}", self.item)
    }
}

/// The node's runtime and this program do not understand each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the chain runs runtime version {actual}, this program was built for {expected}, and they differ in what it uses: {}. \
     Nothing is submitted. Install the version of Keyward that the chain runs",
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
)]
pub struct Incompatible {
    /// `spec_version` of the node's runtime.
    pub actual: u32,
    /// `spec_version` of the committed metadata.
    pub expected: u32,
    /// What differs.
    pub differences: Vec<Difference>,
}

/// A runtime: its metadata, and what is needed to make transactions for it.
pub(crate) struct Runtime {
    versions: Versions,
    differences: Vec<Difference>,
    offline: OfflineClientAtBlock<SubstrateConfig>,
}

impl Runtime {
    pub(crate) fn new(genesis: Genesis, versions: Versions, metadata: Metadata) -> Option<Self> {
        let differences = differences(COMMITTED.as_ref(), &metadata, used());
        let config = SubstrateConfig::builder()
            .set_genesis_hash(H256(genesis.0))
            .set_metadata_for_spec_versions([(versions.spec, Arc::new(metadata))])
            .set_spec_version_for_block_ranges([SpecVersionForRange {
                block_range: 0..u64::MAX,
                spec_version: versions.spec,
                transaction_version: versions.transaction,
            }])
            .build();
        let offline = OfflineClient::new_with_config(config).at_block(0u64).ok()?;
        Some(Self {
            versions,
            differences,
            offline,
        })
    }

    pub(crate) fn metadata(&self) -> ArcMetadata {
        self.offline.metadata()
    }

    /// A constant of a pallet; none if it does not have it, or in another form.
    pub(crate) fn constant<T: Decode>(&self, pallet: &str, name: &str) -> Option<T> {
        let metadata = self.metadata();
        let constant = metadata.pallet_by_name(pallet)?.constant_by_name(name)?;
        T::decode(&mut constant.value()).ok()
    }

    pub(crate) fn offline(&self) -> &OfflineClientAtBlock<SubstrateConfig> {
        &self.offline
    }

    /// Refuses if anything that every program uses differs: what is used of `Fleet`, nonces, and motions.
    pub(crate) fn check(&self) -> Result<(), Incompatible> {
        self.refuse(self.differences.clone())
    }

    /// Refuses if a call differs. What only some commands use is checked when it is used, so that a bridge goes on when
    /// something changed that it never touches.
    pub(crate) fn check_calls(&self, paths: Vec<String>) -> Result<(), Incompatible> {
        self.check_items(paths.into_iter().map(Item::Call))
    }

    /// Refuses if a storage item differs, given as pallet and name.
    pub(crate) fn check_storage(&self, items: &[(&str, &str)]) -> Result<(), Incompatible> {
        let item = |(pallet, item): &(&str, &str)| Item::Storage(format!("{pallet}.{item}"));
        self.check_items(items.iter().map(item))
    }

    fn check_items(&self, items: impl Iterator<Item = Item>) -> Result<(), Incompatible> {
        self.refuse(differences(COMMITTED.as_ref(), &self.metadata(), items))
    }

    fn refuse(&self, differences: Vec<Difference>) -> Result<(), Incompatible> {
        match differences.is_empty() {
            true => Ok(()),
            false => Err(Incompatible {
                actual: self.versions.spec,
                expected: COMMITTED.as_ref().and_then(spec_version).unwrap_or(0),
                differences,
            }),
        }
    }
}

/// `spec_version` from the constant that every runtime carries.
fn spec_version(metadata: &Metadata) -> Option<u32> {
    #[derive(Decode)]
    struct Version {
        _spec_name: String,
        _impl_name: String,
        _authoring_version: u32,
        spec_version: u32,
    }
    let constant = metadata
        .pallet_by_name("System")?
        .constant_by_name("Version")?;
    let version = Version::decode(&mut constant.value()).ok()?;
    Some(version.spec_version)
}

/// What every program uses.
fn used() -> impl Iterator<Item = Item> {
    let calls = FLEET_CALLS
        .iter()
        .map(|call| Item::Call(format!("Fleet.{call}")));
    let apis = APIS.iter().flat_map(|(api, methods)| {
        methods
            .iter()
            .map(move |method| Item::Api(format!("{api}.{method}")))
    });
    let storage = STORAGE
        .iter()
        .map(|(pallet, item)| Item::Storage(format!("{pallet}.{item}")));
    calls.chain(apis).chain(storage)
}

fn differences(
    committed: Option<&Metadata>,
    actual: &Metadata,
    items: impl Iterator<Item = Item>,
) -> Vec<Difference> {
    let differs = |item: Item| {
        let found = shape_of(&item, actual);
        let expected = committed.and_then(|committed| shape_of(&item, committed));
        (found.is_none() || found != expected).then_some(Difference {
            item,
            missing: found.is_none(),
        })
    };
    items.filter_map(differs).collect()
}

/// Fingerprint of an item; `None` if the metadata does not have it.
fn shape_of(item: &Item, metadata: &Metadata) -> Option<Shape> {
    let mut shapes = Shapes::of(metadata.types());
    match item {
        Item::Call(path) => {
            let (pallet, name) = path.split_once('.')?;
            let variant = metadata
                .pallet_by_name(pallet)?
                .call_variant_by_name(name)?;
            Some(shapes.fields(&variant.fields))
        }
        Item::Api(path) => {
            let (api, method) = path.split_once('.')?;
            let method = metadata
                .runtime_api_trait_by_name(api)?
                .method_by_name(method)?;
            let inputs: Vec<Shape> = method
                .inputs()
                .map(|input| shapes.shape(input.id))
                .collect();
            let output = shapes.shape(method.output_ty());
            Some(sp_crypto_hashing::blake2_256(&(inputs, output).encode()))
        }
        Item::Storage(path) => {
            let (pallet, name) = path.split_once('.')?;
            let entry = metadata
                .pallet_by_name(pallet)?
                .storage()?
                .entry_by_name(name)?;
            let hashers: Vec<String> = entry
                .keys()
                .map(|key| format!("{:?}", key.hasher))
                .collect();
            let value = shapes.shape(entry.value_ty());
            Some(sp_crypto_hashing::blake2_256(&(hashers, value).encode()))
        }
    }
}

/// The runtimes seen so far, by `spec_version`.
pub(crate) struct Runtimes {
    rpc: Arc<dyn Rpc>,
    genesis: Genesis,
    seen: Mutex<HashMap<u32, Arc<Runtime>>>,
}

impl Runtimes {
    pub(crate) fn new(rpc: Arc<dyn Rpc>, genesis: Genesis) -> Self {
        Self {
            rpc,
            genesis,
            seen: Mutex::new(HashMap::new()),
        }
    }

    /// The runtime at a block; its metadata is fetched once per `spec_version`.
    pub(crate) async fn at(&self, block: BlockHash) -> Result<Arc<Runtime>, RpcFailed> {
        let versions = self.rpc.versions(block).await?;
        let mut seen = self.seen.lock().await;
        if let Some(runtime) = seen.get(&versions.spec) {
            return Ok(runtime.clone());
        }
        let metadata = fetch_metadata(&*self.rpc, block).await?;
        let runtime =
            Runtime::new(self.genesis, versions, metadata).ok_or(RpcFailed::Malformed {
                reason: "metadata of the runtime".into(),
            })?;
        let runtime = Arc::new(runtime);
        if let Err(incompatible) = runtime.check() {
            tracing::error!(%incompatible, "the runtime has changed");
        }
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        seen.insert(versions.spec, runtime.clone());
        Ok(runtime)
    }
}

/// The newest stable metadata that both sides know: version 16, else 15 (older ones do not describe runtime APIs).
async fn fetch_metadata(rpc: &dyn Rpc, at: BlockHash) -> Result<Metadata, RpcFailed> {
    let versions = rpc.call("Metadata_metadata_versions", &[], at).await?;
    let versions: Vec<u32> = crate::rpc::decode("metadata versions", &versions)?;
    let malformed = |reason: &str| RpcFailed::Malformed {
        reason: reason.to_owned(),
    };
    let version = versions
        .into_iter()
        .filter(|version| (15..=16).contains(version))
        .max();
    let version = version.ok_or(malformed("no metadata of version 15 or 16"))?;
    let answer = rpc
        .call("Metadata_metadata_at_version", &version.encode(), at)
        .await?;
    let mut input = &answer[..];
    <Option<Compact<u32>>>::decode(&mut input)
        .ok()
        .flatten()
        .ok_or(malformed("no metadata"))?;
    Metadata::decode_from(input).map_err(|error| malformed(&format!("metadata: {error}")))
}
