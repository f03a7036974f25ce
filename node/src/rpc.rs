//! What the node answers over RPC, beside Substrate's own: nonces, dispatch information, GRANDPA's rounds.

use std::sync::Arc;

use jsonrpsee::RpcModule;
use keyward_runtime::{AccountId, Balance, Block, Hash, Nonce};
use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
use sc_consensus_grandpa_rpc::{Grandpa, GrandpaApiServer};
use sc_rpc::SubscriptionTaskExecutor;
use sc_transaction_pool_api::TransactionPool;
use sp_api::ProvideRuntimeApi;
use sp_block_builder::BlockBuilder;
use sp_blockchain::{Error as BlockChainError, HeaderBackend, HeaderMetadata};
use substrate_frame_rpc_system::{System, SystemApiServer};

/// What GRANDPA's RPC needs.
pub struct GrandpaDeps<B> {
    /// Votes of this node.
    pub shared_voter_state: sc_consensus_grandpa::SharedVoterState,
    /// Who votes.
    pub shared_authority_set: sc_consensus_grandpa::SharedAuthoritySet<Hash, u32>,
    /// Justifications as they come.
    pub justification_stream: sc_consensus_grandpa::GrandpaJustificationStream<Block>,
    /// Runs subscriptions.
    pub subscription_executor: SubscriptionTaskExecutor,
    /// Proves that a block is final.
    pub finality_provider: Arc<sc_consensus_grandpa::FinalityProofProvider<B, Block>>,
}

/// What the RPC needs.
pub struct FullDeps<C, P, B> {
    /// The client.
    pub client: Arc<C>,
    /// The transaction pool.
    pub pool: Arc<P>,
    /// GRANDPA's part.
    pub grandpa: GrandpaDeps<B>,
}

/// All of it.
pub fn create_full<C, P, B>(
    deps: FullDeps<C, P, B>,
) -> Result<RpcModule<()>, Box<dyn std::error::Error + Send + Sync>>
where
    C: ProvideRuntimeApi<Block>
        + HeaderBackend<Block>
        + HeaderMetadata<Block, Error = BlockChainError>
        + Send
        + Sync
        + 'static,
    C::Api: substrate_frame_rpc_system::AccountNonceApi<Block, AccountId, Nonce>
        + pallet_transaction_payment_rpc::TransactionPaymentRuntimeApi<Block, Balance>
        + BlockBuilder<Block>,
    P: TransactionPool + 'static,
    B: sc_client_api::Backend<Block> + Send + Sync + 'static,
    B::State: sc_client_api::StateBackend<sp_runtime::traits::HashingFor<Block>>,
{
    let mut module = RpcModule::new(());
    let FullDeps { client, pool, grandpa } = deps;
    module.merge(System::new(client.clone(), pool).into_rpc())?;
    module.merge(TransactionPayment::new(client).into_rpc())?;
    module.merge(
        Grandpa::new(
            grandpa.subscription_executor,
            grandpa.shared_authority_set,
            grandpa.shared_voter_state,
            grandpa.justification_stream,
            grandpa.finality_provider,
        )
        .into_rpc(),
    )?;
    Ok(module)
}
