//! What the node answers over RPC, beside Substrate's own: nonces, dispatch information, GRANDPA's rounds.

use std::sync::Arc;

use jsonrpsee::{core::RegisterMethodError, RpcModule};
use keyward_runtime::{opaque::Block, Hash};
use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
use sc_consensus_grandpa::{
    FinalityProofProvider, GrandpaJustificationStream, SharedAuthoritySet, SharedVoterState,
};
use sc_consensus_grandpa_rpc::{Grandpa, GrandpaApiServer};
use sc_rpc::SubscriptionTaskExecutor;
use substrate_frame_rpc_system::{System, SystemApiServer};

use crate::service::{FullBackend, FullClient, FullPool};

/// What GRANDPA's RPC needs.
#[derive(Clone)]
pub struct GrandpaDeps {
    /// Votes of this node.
    pub voter_state: SharedVoterState,
    /// Who votes.
    pub authority_set: SharedAuthoritySet<Hash, u32>,
    /// Justifications as they come.
    pub justifications: GrandpaJustificationStream<Block>,
    /// Proves that a block is final.
    pub finality: Arc<FinalityProofProvider<FullBackend, Block>>,
}

/// What the RPC needs. Its types are those of this node: with generic ones the compiler cannot tell which bounds hold.
#[derive(Clone)]
pub struct FullDeps {
    /// The client.
    pub client: Arc<FullClient>,
    /// The transaction pool.
    pub pool: Arc<FullPool>,
    /// GRANDPA's part.
    pub grandpa: GrandpaDeps,
}

/// All of it. `executor` runs subscriptions.
pub fn create_full(
    deps: FullDeps,
    executor: SubscriptionTaskExecutor,
) -> Result<RpcModule<()>, RegisterMethodError> {
    let FullDeps {
        client,
        pool,
        grandpa,
    } = deps;
    let mut module = RpcModule::new(());
    module.merge(System::new(client.clone(), pool).into_rpc())?;
    module.merge(TransactionPayment::new(client).into_rpc())?;
    module.merge(
        Grandpa::new(
            executor,
            grandpa.authority_set,
            grandpa.voter_state,
            grandpa.justifications,
            grandpa.finality,
        )
        .into_rpc(),
    )?;
    Ok(module)
}
