//! The node's parts and how they are joined.

use std::sync::Arc;

use keyward_runtime::{opaque::Block, RuntimeApi};
use sc_client_api::BlockBackend;
use sc_consensus_grandpa::{FinalityProofProvider, SharedVoterState};
use sc_network::{
    config::{FullNetworkConfiguration, NetworkBackendType},
    service::{traits::NotificationService, NotificationMetrics},
    Litep2pNetworkBackend, NetworkBackend, NetworkWorker, ProtocolName,
};
use sc_service::{
    error::Error as ServiceError, Configuration, PartialComponents, TaskManager, WarpSyncConfig,
};
use sc_telemetry::{Telemetry, TelemetryWorker};

use crate::{
    consensus::{self, Authoring, Voting},
    equivocation::Detector,
    rpc,
};

type Executor = sc_executor::WasmExecutor<sp_io::SubstrateHostFunctions>;
type Hash = <Block as sp_runtime::traits::Block>::Hash;
/// The client.
pub type FullClient = sc_service::TFullClient<Block, RuntimeApi, Executor>;
/// The database.
pub type FullBackend = sc_service::TFullBackend<Block>;
/// Chooses the best chain.
pub type FullSelectChain = sc_consensus::LongestChain<FullBackend, Block>;
/// The transaction pool.
pub type FullPool = sc_transaction_pool::TransactionPoolHandle<Block, FullClient>;
/// Imports blocks and what finalizes them.
pub type GrandpaBlockImport =
    sc_consensus_grandpa::GrandpaBlockImport<FullBackend, Block, FullClient, FullSelectChain>;
/// What GRANDPA's import and its voter share.
pub type GrandpaLink = sc_consensus_grandpa::LinkHalf<Block, FullClient, FullSelectChain>;
/// Blocks that wait for their import.
pub type ImportQueue = sc_consensus::DefaultImportQueue<Block>;

/// What every command needs of the node.
pub type Service = PartialComponents<
    FullClient,
    FullBackend,
    FullSelectChain,
    ImportQueue,
    FullPool,
    (GrandpaBlockImport, GrandpaLink, Option<Telemetry>),
>;

/// Client, database, pool and import queue, without a network.
pub fn new_partial(config: &Configuration) -> Result<Service, ServiceError> {
    let telemetry = telemetry(config)?;
    let handle = telemetry.as_ref().map(|(_, telemetry)| telemetry.handle());
    let executor = sc_service::new_wasm_executor(&config.executor);
    // A node that prunes old blocks keeps those that prove a hand-over of the validators: others join by warp sync through it.
    let kept = vec![Arc::new(sc_consensus_grandpa::GrandpaPruningFilter) as Arc<_>];
    let (client, backend, keystore_container, task_manager) =
        sc_service::new_full_parts::<Block, RuntimeApi, _>(config, handle, executor, kept)?;
    let client = Arc::new(client);
    let telemetry = telemetry.map(|(worker, telemetry)| {
        let spawn = task_manager.spawn_handle();
        spawn.spawn("telemetry", None, worker.run());
        telemetry
    });
    let handle = telemetry.as_ref().map(Telemetry::handle);
    let select_chain = sc_consensus::LongestChain::new(backend.clone());
    let transaction_pool = pool(config, &task_manager, &client);
    let (block_import, grandpa_link) = sc_consensus_grandpa::block_import(
        client.clone(),
        consensus::JUSTIFICATION_PERIOD,
        &client,
        select_chain.clone(),
        handle.clone(),
    )?;
    let import_queue =
        consensus::import_queue(config, &client, &block_import, &task_manager, handle)?;
    Ok(PartialComponents {
        client,
        backend,
        task_manager,
        import_queue,
        keystore_container,
        select_chain,
        transaction_pool,
        other: (block_import, grandpa_link, telemetry),
    })
}

/// Nothing is reported unless the chain specification or the operator names endpoints.
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

fn pool(
    config: &Configuration,
    task_manager: &TaskManager,
    client: &Arc<FullClient>,
) -> Arc<FullPool> {
    let pool = sc_transaction_pool::Builder::new(
        task_manager.spawn_essential_handle(),
        client.clone(),
        config.role.is_authority().into(),
    );
    Arc::from(
        pool.with_options(config.transaction_pool.clone())
            .with_prometheus(config.prometheus_registry())
            .build(),
    )
}

/// The whole node, on the network back end that the operator chose.
pub fn new_full(config: Configuration) -> Result<TaskManager, ServiceError> {
    match config.network.network_backend {
        NetworkBackendType::Libp2p => new_full_on::<NetworkWorker<Block, Hash>>(config),
        NetworkBackendType::Litep2p => new_full_on::<Litep2pNetworkBackend>(config),
    }
}

fn new_full_on<N: NetworkBackend<Block, Hash>>(
    config: Configuration,
) -> Result<TaskManager, ServiceError> {
    let node = new_partial(&config)?;
    let (client, backend, pool) = (node.client, node.backend, node.transaction_pool);
    let (block_import, grandpa_link, mut telemetry) = node.other;
    let mut task_manager = node.task_manager;
    let keystore = node.keystore_container.keystore();
    let genesis = client
        .block_hash(0)?
        .ok_or("the database has no first block")?;
    let metrics = N::register_notification_metrics(config.prometheus_registry());
    let (net_config, protocol_name, notifications) =
        grandpa_network::<N>(&config, genesis, &metrics);
    let (network, system_rpc_tx, tx_handler_controller, sync_service, _bitswap) =
        sc_service::build_network(sc_service::BuildNetworkParams {
            config: &config,
            net_config,
            client: client.clone(),
            transaction_pool: pool.clone(),
            spawn_handle: task_manager.spawn_handle(),
            spawn_essential_handle: task_manager.spawn_essential_handle(),
            import_queue: node.import_queue,
            block_announce_validator_builder: None,
            warp_sync_config: Some(warp_sync(&backend, &grandpa_link)),
            block_relay: None,
            metrics,
            gap_sync_body_policy: None,
        })?;

    // From here on, so that it sees all that is imported.
    let detector = Detector::new(client.clone(), pool.clone())?;
    let spawn = task_manager.spawn_essential_handle();
    spawn.spawn_blocking("aura-equivocations", None, detector.run());

    let voter_state = SharedVoterState::empty();
    let rpc_builder = rpc_builder(&client, &backend, &pool, &grandpa_link, &voter_state);
    let authoring = config.role.is_authority().then(|| Authoring {
        client: client.clone(),
        select_chain: node.select_chain,
        block_import,
        pool: pool.clone(),
        keystore: keystore.clone(),
        sync: sync_service.clone(),
        force: config.force_authoring,
        prometheus: config.prometheus_registry().cloned(),
    });
    let voting = (!config.disable_grandpa).then(|| Voting {
        name: config.network.node_name.clone(),
        role: config.role,
        keystore: keystore.clone(),
        link: grandpa_link,
        network: network.clone(),
        sync: sync_service.clone(),
        protocol_name,
        notifications,
        voter_state,
        pool: pool.clone(),
        prometheus: config.prometheus_registry().cloned(),
    });
    sc_service::spawn_tasks(sc_service::SpawnTasksParams {
        network,
        client,
        keystore,
        task_manager: &mut task_manager,
        transaction_pool: pool,
        rpc_builder,
        backend,
        system_rpc_tx,
        tx_handler_controller,
        sync_service,
        config,
        telemetry: telemetry.as_mut(),
        tracing_execute_block: None,
    })?;
    let handle = telemetry.as_ref().map(Telemetry::handle);
    authoring.map_or(Ok(()), |it| it.start(&task_manager, handle.clone()))?;
    voting.map_or(Ok(()), |it| it.start(&task_manager, handle))?;
    Ok(task_manager)
}

/// Nodes that join can skip to the finalized state, following the validators' hand-overs.
fn warp_sync(backend: &Arc<FullBackend>, link: &GrandpaLink) -> WarpSyncConfig<Block> {
    WarpSyncConfig::WithProvider(Arc::new(
        sc_consensus_grandpa::warp_proof::NetworkProvider::new(
            backend.clone(),
            link.shared_authority_set().clone(),
            Vec::default(),
        ),
    ))
}

/// The network with GRANDPA's protocol in it, how that is called, and its messages.
fn grandpa_network<N: NetworkBackend<Block, Hash>>(
    config: &Configuration,
    genesis: Hash,
    metrics: &NotificationMetrics,
) -> (
    FullNetworkConfiguration<Block, Hash, N>,
    ProtocolName,
    Box<dyn NotificationService>,
) {
    let prometheus = config.prometheus_registry().cloned();
    let mut network = FullNetworkConfiguration::new(&config.network, prometheus);
    let name = sc_consensus_grandpa::protocol_standard_name(&genesis, &config.chain_spec);
    let (protocol, notifications) = sc_consensus_grandpa::grandpa_peers_set_config::<_, N>(
        name.clone(),
        metrics.clone(),
        network.peer_store_handle(),
    );
    network.add_notification_protocol(protocol);
    (network, name, notifications)
}

/// Makes the RPC, once for each of its servers.
type RpcBuilder =
    Box<dyn Fn(sc_rpc::SubscriptionTaskExecutor) -> Result<jsonrpsee::RpcModule<()>, ServiceError>>;

fn rpc_builder(
    client: &Arc<FullClient>,
    backend: &Arc<FullBackend>,
    pool: &Arc<FullPool>,
    grandpa_link: &GrandpaLink,
    voter_state: &SharedVoterState,
) -> RpcBuilder {
    let authority_set = grandpa_link.shared_authority_set().clone();
    let finality =
        FinalityProofProvider::new_for_service(backend.clone(), Some(authority_set.clone()));
    let grandpa = rpc::GrandpaDeps {
        voter_state: voter_state.clone(),
        authority_set,
        justifications: grandpa_link.justification_stream(),
        finality,
    };
    let deps = rpc::FullDeps {
        client: client.clone(),
        pool: pool.clone(),
        grandpa,
    };
    Box::new(move |executor| {
        let module = rpc::create_full(deps.clone(), executor);
        module.map_err(|error| ServiceError::Other(error.to_string()))
    })
}
