//! The node's parts and how they are joined.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use keyward_runtime::{Block, RuntimeApi};
use sc_client_api::{Backend, BlockBackend};
use sc_consensus_aura::{ImportQueueParams, SlotProportion, StartAuraParams};
use sc_consensus_grandpa::{SharedVoterState, VotingRulesBuilder};
use sc_network::service::traits::NetworkService;
use sc_service::{
    error::Error as ServiceError, Configuration, PartialComponents, TaskManager, WarpSyncConfig,
};
use sc_telemetry::{Telemetry, TelemetryHandle, TelemetryWorker};
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_consensus_aura::sr25519::AuthorityPair as AuraPair;

use crate::rpc;

type FullClient = sc_service::TFullClient<
    Block,
    RuntimeApi,
    sc_executor::WasmExecutor<sp_io::SubstrateHostFunctions>,
>;
type FullBackend = sc_service::TFullBackend<Block>;
type FullSelectChain = sc_consensus::LongestChain<FullBackend, Block>;
type FullPool = sc_transaction_pool::TransactionPoolHandle<Block, FullClient>;
type GrandpaBlockImport =
    sc_consensus_grandpa::GrandpaBlockImport<FullBackend, Block, FullClient, FullSelectChain>;
type GrandpaLink = sc_consensus_grandpa::LinkHalf<Block, FullClient, FullSelectChain>;

/// How often a justification is kept for nodes that sync, in blocks.
const JUSTIFICATION_PERIOD: u32 = 512;
/// How long GRANDPA gossips before it goes on. With two-second slots a short time keeps finality close.
const GOSSIP: Duration = Duration::from_millis(333);

/// What every command needs of the node.
pub type Service = PartialComponents<
    FullClient,
    FullBackend,
    FullSelectChain,
    sc_consensus::DefaultImportQueue<Block>,
    FullPool,
    (GrandpaBlockImport, GrandpaLink, Option<Telemetry>),
>;

/// Client, database, pool and import queue, without a network.
pub fn new_partial(config: &Configuration) -> Result<Service, ServiceError> {
    let telemetry = telemetry(config)?;
    let handle = telemetry.as_ref().map(|(_, telemetry)| telemetry.handle());
    let executor = sc_service::new_wasm_executor(&config.executor);
    let (client, backend, keystore_container, task_manager) =
        sc_service::new_full_parts::<Block, RuntimeApi, _>(config, handle, executor, Vec::new())?;
    let client = Arc::new(client);
    let telemetry = telemetry.map(|(worker, telemetry)| {
        task_manager.spawn_handle().spawn("telemetry", None, worker.run());
        telemetry
    });
    let select_chain = sc_consensus::LongestChain::new(backend.clone());
    let transaction_pool = Arc::from(
        sc_transaction_pool::Builder::new(
            task_manager.spawn_essential_handle(),
            client.clone(),
            config.role.is_authority().into(),
        )
        .with_options(config.transaction_pool.clone())
        .with_prometheus(config.prometheus_registry())
        .build(),
    );
    let (grandpa_block_import, grandpa_link) = sc_consensus_grandpa::block_import(
        client.clone(),
        JUSTIFICATION_PERIOD,
        &client,
        select_chain.clone(),
        telemetry.as_ref().map(Telemetry::handle),
    )?;
    let import_queue = import_queue(
        config,
        &client,
        &grandpa_block_import,
        &task_manager,
        telemetry.as_ref().map(Telemetry::handle),
    )?;
    Ok(PartialComponents {
        client,
        backend,
        task_manager,
        import_queue,
        keystore_container,
        select_chain,
        transaction_pool,
        other: (grandpa_block_import, grandpa_link, telemetry),
    })
}

fn telemetry(config: &Configuration) -> Result<Option<(TelemetryWorker, Telemetry)>, ServiceError> {
    config
        .telemetry_endpoints
        .clone()
        .filter(|endpoints| !endpoints.is_empty())
        .map(|endpoints| -> Result<_, sc_telemetry::Error> {
            let worker = TelemetryWorker::new(16)?;
            let telemetry = worker.handle().new_telemetry(endpoints);
            Ok((worker, telemetry))
        })
        .transpose()
        .map_err(Into::into)
}

fn import_queue(
    config: &Configuration,
    client: &Arc<FullClient>,
    block_import: &GrandpaBlockImport,
    task_manager: &TaskManager,
    telemetry: Option<TelemetryHandle>,
) -> Result<sc_consensus::DefaultImportQueue<Block>, ServiceError> {
    let slot_duration = sc_consensus_aura::slot_duration(&**client)?;
    let queue = sc_consensus_aura::import_queue::<AuraPair, _, _, _, _, _>(ImportQueueParams {
        block_import: block_import.clone(),
        justification_import: Some(Box::new(block_import.clone())),
        client: client.clone(),
        create_inherent_data_providers: move |_, ()| async move {
            let timestamp = sp_timestamp::InherentDataProvider::from_system_time();
            let slot = sp_consensus_aura::inherents::InherentDataProvider::from_timestamp_and_slot_duration(
                *timestamp,
                slot_duration,
            );
            Ok((slot, timestamp))
        },
        spawner: &task_manager.spawn_essential_handle(),
        registry: config.prometheus_registry(),
        check_for_equivocation: Default::default(),
        telemetry,
        compatibility_mode: Default::default(),
    })?;
    Ok(queue)
}

/// The whole node, on the network back end that the operator chose.
pub fn new_full(config: Configuration) -> Result<TaskManager, ServiceError> {
    use sc_network::config::NetworkBackendType::{Libp2p, Litep2p};
    match config.network.network_backend {
        Libp2p => new_full_on::<sc_network::NetworkWorker<_, _>>(config),
        Litep2p => new_full_on::<sc_network::Litep2pNetworkBackend>(config),
    }
}

fn new_full_on<N>(config: Configuration) -> Result<TaskManager, ServiceError>
where
    N: sc_network::NetworkBackend<Block, <Block as sp_runtime::traits::Block>::Hash>,
{
    let PartialComponents {
        client,
        backend,
        mut task_manager,
        import_queue,
        keystore_container,
        select_chain,
        transaction_pool,
        other: (block_import, grandpa_link, mut telemetry),
    } = new_partial(&config)?;

    let genesis = client.block_hash(0).ok().flatten().ok_or("the database has no first block")?;
    let metrics = N::register_notification_metrics(config.prometheus_registry());
    let mut net_config = sc_network::config::FullNetworkConfiguration::<_, _, N>::new(
        &config.network,
        config.prometheus_registry().cloned(),
    );
    let grandpa_protocol = sc_consensus_grandpa::protocol_standard_name(&genesis, &config.chain_spec);
    let (grandpa_protocol_config, grandpa_notifications) =
        sc_consensus_grandpa::grandpa_peers_set_config::<_, N>(
            grandpa_protocol.clone(),
            metrics.clone(),
            net_config.peer_store_handle(),
        );
    net_config.add_notification_protocol(grandpa_protocol_config);
    let warp_sync = Arc::new(sc_consensus_grandpa::warp_proof::NetworkProvider::new(
        backend.clone(),
        grandpa_link.shared_authority_set().clone(),
        Vec::default(),
    ));
    let (network, system_rpc_tx, tx_handler_controller, sync_service, _bitswap) =
        sc_service::build_network(sc_service::BuildNetworkParams {
            config: &config,
            net_config,
            client: client.clone(),
            transaction_pool: transaction_pool.clone(),
            spawn_handle: task_manager.spawn_handle(),
            spawn_essential_handle: task_manager.spawn_essential_handle(),
            import_queue,
            block_announce_validator_builder: None,
            warp_sync_config: Some(WarpSyncConfig::WithProvider(warp_sync)),
            block_relay: None,
            metrics,
            gap_sync_body_policy: None,
        })?;

    let role = config.role;
    let force_authoring = config.force_authoring;
    let name = config.network.node_name.clone();
    let enable_grandpa = !config.disable_grandpa;
    let prometheus_registry = config.prometheus_registry().cloned();
    let shared_voter_state = SharedVoterState::empty();

    sc_service::spawn_tasks(sc_service::SpawnTasksParams {
        network: network.clone(),
        client: client.clone(),
        keystore: keystore_container.keystore(),
        task_manager: &mut task_manager,
        transaction_pool: transaction_pool.clone(),
        rpc_builder: rpc_builder(&client, &backend, &transaction_pool, &grandpa_link, &shared_voter_state),
        backend,
        system_rpc_tx,
        tx_handler_controller,
        sync_service: sync_service.clone(),
        config,
        telemetry: telemetry.as_mut(),
        tracing_execute_block: None,
    })?;

    if role.is_authority() {
        let proposer_factory = sc_basic_authorship::ProposerFactory::new(
            task_manager.spawn_handle(),
            client.clone(),
            transaction_pool.clone(),
            prometheus_registry.as_ref(),
            telemetry.as_ref().map(Telemetry::handle),
        );
        let slot_duration = sc_consensus_aura::slot_duration(&*client)?;
        let aura = sc_consensus_aura::start_aura::<AuraPair, _, _, _, _, _, _, _, _, _, _>(StartAuraParams {
            slot_duration,
            client,
            select_chain,
            block_import,
            proposer_factory,
            create_inherent_data_providers: move |_, ()| async move {
                let timestamp = sp_timestamp::InherentDataProvider::from_system_time();
                let slot =
                    sp_consensus_aura::inherents::InherentDataProvider::from_timestamp_and_slot_duration(
                        *timestamp,
                        slot_duration,
                    );
                Ok((slot, timestamp))
            },
            force_authoring,
            backoff_authoring_blocks: None::<()>,
            keystore: keystore_container.keystore(),
            sync_oracle: sync_service.clone(),
            justification_sync_link: sync_service.clone(),
            block_proposal_slot_portion: SlotProportion::new(1f32 / 3f32),
            max_block_proposal_slot_portion: None,
            telemetry: telemetry.as_ref().map(Telemetry::handle),
            compatibility_mode: Default::default(),
        })?;
        task_manager
            .spawn_essential_handle()
            .spawn_blocking("aura", Some("block-authoring"), aura);
    }

    if enable_grandpa {
        let voter = sc_consensus_grandpa::GrandpaParams {
            config: sc_consensus_grandpa::Config {
                gossip_duration: GOSSIP,
                justification_generation_period: JUSTIFICATION_PERIOD,
                name: Some(name),
                observer_enabled: false,
                keystore: role.is_authority().then(|| keystore_container.keystore()),
                local_role: role,
                telemetry: telemetry.as_ref().map(Telemetry::handle),
                protocol_name: grandpa_protocol,
            },
            link: grandpa_link,
            network: network as Arc<dyn NetworkService>,
            sync: sync_service,
            notification_service: grandpa_notifications,
            // For the best block, without waiting behind it: a removal is final as soon as it can be.
            voting_rule: VotingRulesBuilder::new().build(),
            prometheus_registry,
            shared_voter_state,
            telemetry: telemetry.as_ref().map(Telemetry::handle),
            offchain_tx_pool_factory: OffchainTransactionPoolFactory::new(transaction_pool),
        };
        task_manager.spawn_essential_handle().spawn_blocking(
            "grandpa-voter",
            None,
            sc_consensus_grandpa::run_grandpa_voter(voter)?,
        );
    }
    Ok(task_manager)
}

type RpcBuilder = Box<
    dyn Fn(
        sc_rpc::SubscriptionTaskExecutor,
    ) -> Result<jsonrpsee::RpcModule<()>, ServiceError>,
>;

fn rpc_builder(
    client: &Arc<FullClient>,
    backend: &Arc<FullBackend>,
    pool: &Arc<FullPool>,
    grandpa_link: &GrandpaLink,
    shared_voter_state: &SharedVoterState,
) -> RpcBuilder {
    let (client, backend, pool) = (client.clone(), backend.clone(), pool.clone());
    let shared_authority_set = grandpa_link.shared_authority_set().clone();
    let justification_stream = grandpa_link.justification_stream();
    let shared_voter_state = shared_voter_state.clone();
    let finality_provider = sc_consensus_grandpa::FinalityProofProvider::new_for_service(
        backend,
        Some(shared_authority_set.clone()),
    );
    Box::new(move |subscription_executor| {
        let deps = rpc::FullDeps {
            client: client.clone(),
            pool: pool.clone(),
            grandpa: rpc::GrandpaDeps {
                shared_voter_state: shared_voter_state.clone(),
                shared_authority_set: shared_authority_set.clone(),
                justification_stream: justification_stream.clone(),
                subscription_executor,
                finality_provider: finality_provider.clone(),
            },
        };
        rpc::create_full(deps).map_err(Into::into)
    })
}
