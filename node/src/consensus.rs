//! Authoring by Aura and finality by GRANDPA.

use std::{error::Error, sync::Arc, time::Duration};

use keyward_runtime::opaque::Block;
use sc_consensus_aura::{ImportQueueParams, SlotProportion, StartAuraParams};
use sc_consensus_grandpa::{SharedVoterState, VotingRulesBuilder};
use sc_network::{
    config::Role,
    service::traits::{NetworkService, NotificationService},
    ProtocolName,
};
use sc_network_sync::SyncingService;
use sc_service::{error::Error as ServiceError, Configuration, TaskManager};
use sc_telemetry::TelemetryHandle;
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_consensus_aura::{
    inherents::InherentDataProvider as SlotProvider, sr25519::AuthorityPair as AuraPair,
    SlotDuration,
};
use sp_keystore::KeystorePtr;
use sp_timestamp::InherentDataProvider as TimeProvider;
use substrate_prometheus_endpoint::Registry;

use crate::service::{
    FullClient, FullPool, FullSelectChain, GrandpaBlockImport, GrandpaLink, ImportQueue,
};

/// How often a justification is kept for nodes that sync, in blocks.
pub const JUSTIFICATION_PERIOD: u32 = 512;
/// How long GRANDPA gives its gossip: a voter prevotes twice this time after a round began, and precommits after four times, unless
/// everybody has voted before. Short, because a removal waits for it. On a slower network votes come later and count all the same; a
/// block that some had not seen yet is final a round later.
const GOSSIP: Duration = Duration::from_millis(150);
/// Share of a slot for building a block; the rest is for its way to the others.
const BUILDING: f32 = 1. / 3.;

/// What a block says of time: its slot and the author's clock.
async fn inherents(
    slots: SlotDuration,
) -> Result<(SlotProvider, TimeProvider), Box<dyn Error + Send + Sync>> {
    let time = TimeProvider::from_system_time();
    let slot = SlotProvider::from_timestamp_and_slot_duration(*time, slots);
    Ok((slot, time))
}

/// Checks blocks of others before they are imported.
pub fn import_queue(
    config: &Configuration,
    client: &Arc<FullClient>,
    block_import: &GrandpaBlockImport,
    task_manager: &TaskManager,
    telemetry: Option<TelemetryHandle>,
) -> Result<ImportQueue, ServiceError> {
    let slots = sc_consensus_aura::slot_duration(&**client)?;
    let params = ImportQueueParams {
        block_import: block_import.clone(),
        justification_import: Some(Box::new(block_import.clone())),
        client: client.clone(),
        create_inherent_data_providers: move |_, ()| inherents(slots),
        spawner: &task_manager.spawn_essential_handle(),
        registry: config.prometheus_registry(),
        check_for_equivocation: Default::default(),
        telemetry,
        compatibility_mode: Default::default(),
    };
    Ok(sc_consensus_aura::import_queue::<AuraPair, _, _, _, _, _>(
        params,
    )?)
}

/// Makes blocks.
pub struct Authoring {
    /// The client.
    pub client: Arc<FullClient>,
    /// On which chain to build.
    pub select_chain: FullSelectChain,
    /// Imports the own blocks.
    pub block_import: GrandpaBlockImport,
    /// What goes into them.
    pub pool: Arc<FullPool>,
    /// The keys.
    pub keystore: KeystorePtr,
    /// Whether this node is behind.
    pub sync: Arc<SyncingService<Block>>,
    /// Build although nobody is connected.
    pub force: bool,
    /// Where metrics go.
    pub prometheus: Option<Registry>,
}

impl Authoring {
    /// Starts.
    pub fn start(
        self,
        task_manager: &TaskManager,
        telemetry: Option<TelemetryHandle>,
    ) -> Result<(), ServiceError> {
        let slot_duration = sc_consensus_aura::slot_duration(&*self.client)?;
        let proposer_factory = sc_basic_authorship::ProposerFactory::new(
            task_manager.spawn_handle(),
            self.client.clone(),
            self.pool,
            self.prometheus.as_ref(),
            telemetry.clone(),
        );
        let params = StartAuraParams {
            slot_duration,
            client: self.client,
            select_chain: self.select_chain,
            block_import: self.block_import,
            proposer_factory,
            create_inherent_data_providers: move |_, ()| inherents(slot_duration),
            force_authoring: self.force,
            backoff_authoring_blocks: None::<()>,
            keystore: self.keystore,
            sync_oracle: self.sync.clone(),
            justification_sync_link: self.sync,
            block_proposal_slot_portion: SlotProportion::new(BUILDING),
            max_block_proposal_slot_portion: None,
            telemetry,
            compatibility_mode: Default::default(),
        };
        let aura = sc_consensus_aura::start_aura::<AuraPair, _, _, _, _, _, _, _, _, _, _>(params)?;
        let spawn = task_manager.spawn_essential_handle();
        spawn.spawn_blocking("aura", Some("block-authoring"), aura);
        Ok(())
    }
}

/// Votes on what is final, or watches the vote.
pub struct Voting {
    /// The node's name.
    pub name: String,
    /// Whether it votes.
    pub role: Role,
    /// The keys.
    pub keystore: KeystorePtr,
    /// What the import of blocks shares.
    pub link: GrandpaLink,
    /// To the other voters.
    pub network: Arc<dyn NetworkService>,
    /// Whether this node is behind.
    pub sync: Arc<SyncingService<Block>>,
    /// How GRANDPA's protocol is called on this chain.
    pub protocol_name: ProtocolName,
    /// Its messages.
    pub notifications: Box<dyn NotificationService>,
    /// What the RPC tells of the rounds.
    pub voter_state: SharedVoterState,
    /// For reports.
    pub pool: Arc<FullPool>,
    /// Where metrics go.
    pub prometheus: Option<Registry>,
}

impl Voting {
    /// Starts.
    pub fn start(
        self,
        task_manager: &TaskManager,
        telemetry: Option<TelemetryHandle>,
    ) -> Result<(), ServiceError> {
        let config = sc_consensus_grandpa::Config {
            gossip_duration: GOSSIP,
            justification_generation_period: JUSTIFICATION_PERIOD,
            name: Some(self.name),
            observer_enabled: false,
            keystore: self.role.is_authority().then_some(self.keystore),
            local_role: self.role,
            telemetry: telemetry.clone(),
            protocol_name: self.protocol_name,
        };
        let params = sc_consensus_grandpa::GrandpaParams {
            config,
            link: self.link,
            network: self.network,
            sync: self.sync,
            notification_service: self.notifications,
            // For the best block, without waiting behind it: a removal is final as soon as it can be.
            voting_rule: VotingRulesBuilder::new().build(),
            prometheus_registry: self.prometheus,
            shared_voter_state: self.voter_state,
            telemetry,
            offchain_tx_pool_factory: OffchainTransactionPoolFactory::new(self.pool),
        };
        let voter = sc_consensus_grandpa::run_grandpa_voter(params)?;
        let spawn = task_manager.spawn_essential_handle();
        spawn.spawn_blocking("grandpa-voter", None, voter);
        Ok(())
    }
}
