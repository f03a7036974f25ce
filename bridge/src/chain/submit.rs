//! Submits transactions: signed one after the other, so that nonces follow the relay's order; followed all at once.

use std::sync::Arc;

use keyward_chain_client::{Client, Finalized, Signer, SubmitFailed};
use tokio::{sync::mpsc, task::JoinSet};

use super::calls::call;
use crate::{
    health::Health,
    owner::Event,
    relay::{
        transactions::{Command, Outcome},
        Input,
    },
};

pub(super) struct Submitter {
    pub(super) client: Client,
    pub(super) signer: Signer,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) health: Arc<Health>,
}

impl Submitter {
    /// Serves commands until nobody is left to give one.
    pub(super) async fn run(self, mut commands: mpsc::Receiver<(u64, Command)>) {
        let mut following = JoinSet::new();
        while let Some((id, command)) = commands.recv().await {
            // Those that have ended.
            while following.try_join_next().is_some() {}
            let call = call(command);
            match self.client.prepare(&self.signer, &call).await {
                Ok(prepared) => {
                    let (client, events) = (self.client.clone(), self.events.clone());
                    following.spawn(async move {
                        let sent = client.send(&prepared, |_| {}).await;
                        tell(&events, id, sent).await;
                    });
                }
                Err(failed) => {
                    if let SubmitFailed::Incompatible(why) = &failed {
                        self.health.chain_is_incompatible(why.to_string());
                    }
                    tell(&self.events, id, Err(failed)).await;
                }
            }
        }
    }
}

async fn tell(events: &mpsc::Sender<Event>, id: u64, sent: Result<Finalized, SubmitFailed>) {
    let ended = Input::Ended(id, outcome(sent));
    // Nobody listens any more when the bridge stops.
    let _ = events.send(Event::Input(ended)).await;
}

fn outcome(sent: Result<Finalized, SubmitFailed>) -> Outcome {
    match sent {
        Ok(finalized) => Outcome::Done {
            block: finalized.block.number,
        },
        Err(SubmitFailed::Dispatch {
            pallet,
            error,
            docs,
            block,
        }) => Outcome::Refused {
            block: block.number,
            error: match docs.is_empty() {
                true => format!("{pallet}.{error}"),
                false => format!("{pallet}.{error}: {docs}"),
            },
        },
        Err(other) => Outcome::Lost {
            reason: other.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_chain_client::RpcFailed;
    use keyward_protocol::{beacon::BlockRef, BlockHash, Digest};

    const BLOCK: BlockRef = BlockRef {
        number: 7,
        hash: BlockHash([7; 32]),
    };

    #[test]
    fn the_relay_learns_what_the_chain_decided_and_where() {
        let finalized = Finalized {
            block: BLOCK,
            index: 1,
            hash: Digest([1; 32]),
            events: Vec::new(),
        };
        assert_eq!(outcome(Ok(finalized)), Outcome::Done { block: 7 });
        let refused = SubmitFailed::Dispatch {
            pallet: "Fleet".into(),
            error: "VoucherUsed".into(),
            docs: "A voucher works once.".into(),
            block: BLOCK,
        };
        let error = "Fleet.VoucherUsed: A voucher works once.".to_owned();
        assert_eq!(outcome(Err(refused)), Outcome::Refused { block: 7, error });
    }

    #[test]
    fn what_nobody_knows_is_left_to_the_state() {
        let unknown = [
            SubmitFailed::Unknown { block: BLOCK },
            SubmitFailed::Expired { at: 9 },
            SubmitFailed::Unavailable(RpcFailed::Unavailable {
                reason: "gone".into(),
            }),
        ];
        for failed in unknown {
            assert!(matches!(outcome(Err(failed)), Outcome::Lost { .. }));
        }
    }
}
