//! A gateway as its devices' authority needs it (PRV-1, STM-11).

use keyward_protocol::{beacon::BlockRef, provisioning::OwnerGateway, view::GatewayView, Genesis};
use serde::{Deserialize, Serialize};

use crate::chain::{find_gateway, ChainFailed, Context};

/// A gateway as an authority without a node needs it: `keyward gateway owner-file`.
#[derive(Debug, Serialize, Deserialize)]
pub struct OwnerFile {
    /// The chain.
    pub genesis: Genesis,
    /// The gateway.
    pub gateway: OwnerGateway,
}

impl OwnerFile {
    /// As the newest finalized block has it. `gateway`: short name or account.
    pub async fn look_up(gateway: &str, context: &Context) -> Result<Self, ChainFailed> {
        let client = context.connect().await?;
        let at = client.finalized().await?;
        let found = find_gateway(&client.at(at.hash), gateway).await?;
        Ok(Self::of(client.genesis(), found, at))
    }

    /// As a finalized block has it. The chain counts no replacements of a key, but its blocks: what was told of a key before it is
    /// older (STM-11).
    pub fn of(genesis: Genesis, gateway: GatewayView, at: BlockRef) -> Self {
        let gateway = OwnerGateway {
            account: gateway.account,
            name: gateway.name,
            statement_key: gateway.statement_key,
            anchor_serial: Some(at.number.into()),
        };
        Self { genesis, gateway }
    }
}
