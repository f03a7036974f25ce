//! What devices acknowledged, read from storage: the chain keeps it of those that left, too (DESIGN section 4.1, `Holdings`).

use codec::Encode;
use keyward_protocol::{BlockHash, DeviceId, GroupId};
use sp_crypto_hashing::blake2_128;

use crate::{
    entries::entries,
    rpc::{decode, Rpc, RpcFailed},
    view::{storage_key, ReadFailed, View},
};

/// The last epoch of a group that a device itself acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The device, which may have left the group.
    pub device: DeviceId,
    /// The epoch.
    pub epoch: u32,
    /// Block of the record.
    pub at: u32,
}

impl View {
    /// What each device that ever acknowledged an epoch of a group acknowledged last.
    pub async fn holdings(&self, group: &GroupId) -> Result<Vec<Holding>, ReadFailed> {
        self.compatible().await?;
        let holdings = holdings(&*self.rpc, group, self.block()).await;
        holdings.map_err(|error| self.failed(error))
    }
}

async fn holdings(
    rpc: &dyn Rpc,
    group: &GroupId,
    at: BlockHash,
) -> Result<Vec<Holding>, RpcFailed> {
    let entries = entries(rpc, "holdings", &prefix(group), at).await?;
    let holding = |(key, value): &(Vec<u8>, Vec<u8>)| holding(key, value);
    entries.iter().map(holding).collect()
}

/// Both keys are stored in clear behind their hash (`Blake2_128Concat`).
fn prefix(group: &GroupId) -> Vec<u8> {
    [storage_key("Fleet", "Holdings"), concat(&group.encode())].concat()
}

fn concat(key: &[u8]) -> Vec<u8> {
    [&blake2_128(key), key].concat()
}

fn holding(key: &[u8], value: &[u8]) -> Result<Holding, RpcFailed> {
    let device = key
        .get(16..)
        .ok_or_else(|| malformed("the key of a holding"))?;
    let (epoch, at) = decode("holding", value)?;
    Ok(Holding {
        device: decode("device of a holding", device)?,
        epoch,
        at,
    })
}

fn malformed(reason: &str) -> RpcFailed {
    RpcFailed::Malformed {
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fake::FakeNode, rpc::ENTRIES};

    fn device(number: u32) -> DeviceId {
        format!("d{number}").parse().unwrap()
    }

    fn node_with(group: &GroupId, devices: u32) -> FakeNode {
        let node = FakeNode::with_blocks(1);
        for number in 0..devices {
            let key = [prefix(group), concat(&device(number).encode())].concat();
            node.store(key, (number, 7u32).encode());
        }
        node
    }

    #[tokio::test]
    async fn the_holdings_of_a_group_are_read_page_by_page() {
        let group: GroupId = "hsu0001".parse().unwrap();
        let node = node_with(&group, ENTRIES * 2 + 1);
        let mut read = holdings(&node, &group, BlockHash([0; 32])).await.unwrap();
        read.sort_by_key(|holding| holding.epoch);
        let expected = (0..=ENTRIES * 2).map(|number| Holding {
            device: device(number),
            epoch: number,
            at: 7,
        });
        assert_eq!(read, expected.collect::<Vec<_>>());
        let other = holdings(&node, &"hsu0002".parse().unwrap(), BlockHash([0; 32])).await;
        assert_eq!(other, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn what_is_no_holding_is_refused() {
        let group: GroupId = "hsu0001".parse().unwrap();
        for (key, value) in [
            (concat(&device(1).encode()), vec![1, 0, 0, 0]),
            (concat(b"\x10a/bc"), vec![0; 8]),
            (vec![0; 3], vec![0; 8]),
        ] {
            let node = FakeNode::with_blocks(1);
            node.store([prefix(&group), key].concat(), value);
            let read = holdings(&node, &group, BlockHash([0; 32])).await;
            assert!(matches!(read, Err(RpcFailed::Malformed { .. })), "{read:?}");
        }
    }
}
