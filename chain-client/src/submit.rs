//! Sending transactions, and following them until they are finalized or can never be.

use std::time::Duration;

use futures::{stream, stream::BoxStream, StreamExt};
use keyward_protocol::beacon::BlockRef;
use tokio::time::Instant;

use crate::{
    call::{Call, CallInvalid},
    client::Client,
    outcome::{Finalized, Outcome, Search},
    progress::{Progress, Stall},
    refusal::Refusal,
    rpc::{PoolHint, RpcFailed},
    runtime::Incompatible,
    signer::Signer,
    transaction::{self, Prepared},
};

/// Longest pause between two looks at finalized blocks while a transaction is followed.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Pause before a transaction that left the pool is sent again.
const RESEND_AFTER: Duration = Duration::from_secs(10);
/// Looks that may fail one after the other before following is given up.
const LOST_AFTER: u32 = 6;
/// How often a call is signed anew when somebody else used the nonce.
const ATTEMPTS: u32 = 3;

/// Why a call did not take effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitFailed {
    /// The call cannot be made.
    #[error(transparent)]
    Invalid(#[from] CallInvalid),
    /// The chain's runtime and this program do not understand each other.
    #[error(transparent)]
    Incompatible(#[from] Incompatible),
    /// The node did not take the transaction; it is in no pool and will be in no block.
    #[error("the node did not take the transaction: {reason}")]
    Rejected {
        /// Why.
        reason: String,
    },
    /// The chain's rules keep the transaction out; it is in no pool and will be in no block.
    #[error("the node did not take the transaction: {0}")]
    Refused(Refusal),
    /// The transaction is finalized, and its call failed.
    #[error("the chain refused the call: {pallet}.{error}{}", if docs.is_empty() { String::new() } else { format!(": {docs}") })]
    Dispatch {
        /// The pallet, or `Runtime`.
        pallet: String,
        /// The error's name.
        error: String,
        /// What the runtime says about it.
        docs: String,
        /// The block that holds the transaction.
        block: BlockRef,
    },
    /// The transaction can never land: too many blocks have passed.
    #[error("the transaction was in no block up to {at} and has expired; try again")]
    Expired {
        /// The block that ended its life.
        at: u32,
    },
    /// The transaction can never land: another one of the account took its nonce.
    #[error("another transaction of the same account took nonce {nonce}; try again")]
    Superseded {
        /// The nonce.
        nonce: u32,
    },
    /// The transaction is in a block, but the node no longer knows how it went.
    #[error("the transaction is in block {}, but the node no longer keeps how it went; look at the state", block.number)]
    Unknown {
        /// The block that holds it.
        block: BlockRef,
    },
    /// The node does not answer. A transaction that was sent may still land: ask for its outcome.
    #[error(transparent)]
    Unavailable(#[from] RpcFailed),
}

impl SubmitFailed {
    /// Whether the same call may succeed later, without anybody's doing.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Expired { .. } | Self::Superseded { .. } => true,
            Self::Refused(refusal) => refusal.is_retryable(),
            Self::Unavailable(error) => error.is_retryable(),
            _ => false,
        }
    }

    /// Whether it is certain that the transaction did not and will not take effect.
    pub fn never_lands(&self) -> bool {
        !matches!(self, Self::Unknown { .. } | Self::Unavailable(_))
    }
}

/// The hints of the pool; pending for ever once they ended.
type Hints = BoxStream<'static, PoolHint>;

fn no_hints() -> Hints {
    stream::pending().boxed()
}

impl Client {
    /// Signs a call, sends it and waits until it is finalized.
    pub async fn submit(&self, signer: &Signer, call: Call) -> Result<Finalized, SubmitFailed> {
        self.submit_reporting(signer, call, |_| {}).await
    }

    /// As [`Client::submit`], telling on the way how the transaction is doing.
    pub async fn submit_reporting(
        &self,
        signer: &Signer,
        call: Call,
        mut report: impl FnMut(Progress) + Send,
    ) -> Result<Finalized, SubmitFailed> {
        let mut attempt = 1;
        loop {
            let prepared = self.prepare(signer, &call).await?;
            match self.send(&prepared, &mut report).await {
                Err(SubmitFailed::Superseded { .. }) if attempt < ATTEMPTS => attempt += 1,
                other => return other,
            }
        }
    }

    /// Signs a call without sending it. Send it with [`Client::send`], or give its nonce back with [`Client::abandon`]:
    /// later transactions of the account wait for it.
    pub async fn prepare(&self, signer: &Signer, call: &Call) -> Result<Prepared, SubmitFailed> {
        let born = self.finalized().await?;
        // The pool checks it against the newest block: after an upgrade, the signature must be for the new version at once.
        let runtime = self.runtimes.at(self.rpc.best_head().await?).await?;
        runtime.check()?;
        runtime.check_calls(call.encoded_here())?;
        let next = self.rpc.next_nonce(&signer.account()).await?;
        let nonce = self.nonces.reserve(signer.account(), next, born.number);
        let signed = transaction::sign(&runtime, signer, call, nonce, born);
        if signed.is_err() {
            self.nonces.release(&signer.account(), nonce);
        }
        Ok(signed?)
    }

    /// Gives back the nonce of a transaction that was not and will not be sent.
    pub fn abandon(&self, prepared: &Prepared) {
        self.nonces.release(&prepared.account, prepared.nonce);
    }

    /// Looks once what became of a transaction, e.g. of one that a journal holds from before a restart. May be asked for
    /// any transaction, sent or not.
    pub async fn outcome(&self, prepared: &Prepared) -> Result<Outcome, RpcFailed> {
        let outcome = self
            .outcomes
            .look(prepared, &mut Search::new(prepared))
            .await;
        if !matches!(outcome, Ok(Outcome::Pending) | Err(_)) {
            self.nonces.release(&prepared.account, prepared.nonce);
        }
        outcome
    }

    /// Sends a prepared transaction and follows it. May be repeated with the same one, also after a restart: it lands at
    /// most once.
    pub async fn send(
        &self,
        prepared: &Prepared,
        mut report: impl FnMut(Progress) + Send,
    ) -> Result<Finalized, SubmitFailed> {
        let hints = match self.rpc.submit(&prepared.bytes).await {
            Ok(hints) => hints,
            Err(error) if may_have_landed(&error) => no_hints(),
            Err(error) => {
                self.abandon(prepared);
                return Err(rejection(&error));
            }
        };
        report(Progress::Sent {
            hash: prepared.hash,
        });
        let followed = self.follow(prepared, hints, &mut report).await;
        let lost = matches!(followed, Err(SubmitFailed::Unavailable(_)));
        if !lost {
            self.abandon(prepared);
        }
        followed
    }

    /// Looks at finalized blocks until they tell what became of the transaction. Hints only wake; a transaction that left
    /// the pool (a node that restarted has lost its pool) is sent again.
    async fn follow(
        &self,
        prepared: &Prepared,
        mut hints: Hints,
        report: &mut (impl FnMut(Progress) + Send),
    ) -> Result<Finalized, SubmitFailed> {
        let mut search = Search::new(prepared);
        let mut failures = 0;
        let mut sent = Instant::now();
        let mut stall = Stall::new();
        loop {
            match self.outcomes.look(prepared, &mut search).await {
                Ok(outcome) => {
                    failures = 0;
                    if let Some(known) = conclusion(outcome) {
                        return known;
                    }
                    stall
                        .notice(search.head())
                        .into_iter()
                        .for_each(&mut *report);
                }
                Err(error) if failures < LOST_AFTER => {
                    failures += 1;
                    tracing::warn!(%error, transaction = %prepared.hash, "cannot follow the transaction now; trying again");
                }
                Err(error) => return Err(error.into()),
            }
            match tokio::time::timeout(LOOK_EVERY, hints.next()).await {
                Ok(Some(hint)) => self.tell(hint, report).await,
                Ok(None) => hints = no_hints(),
                Err(_) if sent.elapsed() > RESEND_AFTER => {
                    sent = Instant::now();
                    hints = self.resend(prepared, hints).await;
                }
                Err(_) => {}
            }
        }
    }

    /// Sends again; the pool refuses what it still has, which is as good.
    async fn resend(&self, prepared: &Prepared, hints: Hints) -> Hints {
        self.rpc.submit(&prepared.bytes).await.unwrap_or(hints)
    }

    async fn tell(&self, hint: PoolHint, report: &mut (impl FnMut(Progress) + Send)) {
        match hint {
            PoolHint::Waiting | PoolHint::Finalized(_) => {}
            PoolHint::Left(reason) => report(Progress::Left { reason }),
            PoolHint::InBlock(hash) => {
                if let Ok(Some(header)) = self.rpc.header(hash).await {
                    let number = header.number;
                    report(Progress::InBlock {
                        block: BlockRef { number, hash },
                    });
                }
            }
        }
    }
}

/// What an outcome means for who submitted; `None` while it is pending.
fn conclusion(outcome: Outcome) -> Option<Result<Finalized, SubmitFailed>> {
    Some(match outcome {
        Outcome::Pending => return None,
        Outcome::Finalized(finalized) => Ok(finalized),
        Outcome::Failed { block, failure } => Err(SubmitFailed::Dispatch {
            pallet: failure.pallet,
            error: failure.error,
            docs: failure.docs,
            block,
        }),
        Outcome::Expired { at } => Err(SubmitFailed::Expired { at }),
        Outcome::Superseded { nonce } => Err(SubmitFailed::Superseded { nonce }),
        Outcome::Unknown { block } => Err(SubmitFailed::Unknown { block }),
    })
}

/// The pool already has it.
const ALREADY_IMPORTED: i32 = 1013;
/// The pool has another one with the same nonce.
const PRIORITY_TOO_LOW: i32 = 1014;

/// Whether a transaction may be in a block or pool although the node refused it now: finalized blocks will tell.
fn may_have_landed(error: &RpcFailed) -> bool {
    match error {
        RpcFailed::Unavailable { .. } => true,
        RpcFailed::Malformed { .. } => true,
        RpcFailed::Refused { code, data, .. } => {
            let outdated = data
                .as_deref()
                .is_some_and(|data| data.contains("outdated"));
            outdated || matches!(*code, ALREADY_IMPORTED | PRIORITY_TOO_LOW)
        }
    }
}

/// What the node's refusal means.
fn rejection(error: &RpcFailed) -> SubmitFailed {
    if let Some(refusal) = Refusal::of(error) {
        return SubmitFailed::Refused(refusal);
    }
    let reason = match error {
        RpcFailed::Refused { message, data, .. } => match data.as_deref() {
            None | Some("") => message.clone(),
            Some(data) => format!("{message}: {data}"),
        },
        other => other.to_string(),
    };
    SubmitFailed::Rejected { reason }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use keyward_protocol::{AccountId, Digest};

    use super::*;
    use crate::{fake::FakeNode, progress::STALLED_AFTER, transaction::MORTALITY};

    const ALICE: AccountId = AccountId([1; 32]);

    fn refused(code: i32, data: &str) -> RpcFailed {
        RpcFailed::Refused {
            code,
            message: "Invalid Transaction".into(),
            data: Some(data.into()),
        }
    }

    fn prepared(born: u32) -> Prepared {
        let bytes = vec![1, 2, 3];
        Prepared {
            hash: Digest(sp_crypto_hashing::blake2_256(&bytes)),
            bytes,
            account: ALICE,
            nonce: 7,
            born,
            expires_at: born + MORTALITY,
        }
    }

    async fn client(node: &FakeNode) -> Client {
        node.set_nonce(ALICE, 7);
        Client::over(Arc::new(node.clone())).await.unwrap()
    }

    #[test]
    fn an_outdated_transaction_may_have_landed_and_an_unadmitted_one_not() {
        assert!(may_have_landed(&refused(1010, "Transaction is outdated")));
        assert!(may_have_landed(&refused(1013, "")));
        assert!(!may_have_landed(&refused(1010, "Custom error: 77")));
        assert!(!may_have_landed(&refused(
            1010,
            "Transaction has a bad signature"
        )));
    }

    #[test]
    fn a_rejection_says_what_to_do() {
        let unknown = rejection(&refused(1010, "Something new"));
        assert!(unknown.to_string().contains("Something new"));
        let unadmitted = rejection(&refused(1010, "Custom error: 77"));
        assert_eq!(unadmitted, SubmitFailed::Refused(Refusal::NotAdmitted));
        assert!(unadmitted.to_string().contains("not admitted"));
        assert!(unadmitted.never_lands() && !unadmitted.is_retryable());
        let later = rejection(&refused(1010, "Custom error: 79"));
        assert!(later.never_lands() && later.is_retryable());
    }

    #[tokio::test(start_paused = true)]
    async fn a_transaction_that_no_block_holds_in_time_expires() {
        let node = FakeNode::with_blocks(3);
        let client = client(&node).await;
        let transaction = prepared(3);
        let (result, ()) = futures::join!(client.send(&transaction, |_| {}), async {
            for _ in 0..MORTALITY {
                tokio::time::sleep(Duration::from_secs(2)).await;
                node.finalize(0, Vec::new());
            }
        });
        let at = 3 + MORTALITY;
        assert_eq!(result, Err(SubmitFailed::Expired { at }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_transaction_whose_nonce_another_one_took_can_never_land() {
        let node = FakeNode::with_blocks(3);
        let client = client(&node).await;
        let transaction = prepared(3);
        let (result, ()) = futures::join!(client.send(&transaction, |_| {}), async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            node.set_nonce(ALICE, 8);
            node.finalize(0, vec![vec![9]]);
        });
        assert_eq!(result, Err(SubmitFailed::Superseded { nonce: 7 }));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_told_once_that_no_block_is_finalized() {
        let node = FakeNode::with_blocks(3);
        let client = client(&node).await;
        let transaction = prepared(3);
        let mut told = Vec::new();
        let sending = client.send(&transaction, |progress| told.push(progress));
        let waited = tokio::time::timeout(STALLED_AFTER * 3, sending).await;
        assert!(waited.is_err());
        let stalls = told.iter();
        let stalls = stalls.filter(|progress| matches!(progress, Progress::Stalled { .. }));
        assert_eq!(stalls.count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_lost_its_pool_gets_the_transaction_again() {
        let node = FakeNode::with_blocks(3);
        let client = client(&node).await;
        let transaction = prepared(3);
        let sending = client.send(&transaction, |_| {});
        let waited = tokio::time::timeout(RESEND_AFTER * 3, sending).await;
        assert!(waited.is_err());
        assert!(node.submitted().len() >= 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_transaction_is_rejected_and_its_nonce_given_back() {
        let node = FakeNode::with_blocks(3);
        let client = client(&node).await;
        let nonce = client.nonces.reserve(ALICE, 7, 3);
        node.refuse_transactions(Some(refused(1010, "Custom error: 77")));
        let result = client.send(&prepared(3), |_| {}).await;
        assert_eq!(result, Err(SubmitFailed::Refused(Refusal::NotAdmitted)));
        assert_eq!(client.nonces.reserve(ALICE, 7, 3), nonce);
    }

    #[tokio::test(start_paused = true)]
    async fn a_transaction_that_was_never_sent_is_pending_until_it_expires() {
        let node = FakeNode::with_blocks(3);
        let client = client(&node).await;
        assert_eq!(client.outcome(&prepared(3)).await, Ok(Outcome::Pending));
        (0..MORTALITY).for_each(|_| node.finalize(0, Vec::new()));
        let at = 3 + MORTALITY;
        assert_eq!(
            client.outcome(&prepared(3)).await,
            Ok(Outcome::Expired { at })
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_connection_does_not_lose_the_transaction() {
        let node = FakeNode::with_blocks(3);
        let client = client(&node).await;
        let transaction = prepared(3);
        let (result, ()) = futures::join!(client.send(&transaction, |_| {}), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            node.disconnect_for(3);
            tokio::time::sleep(Duration::from_secs(30)).await;
            node.set_nonce(ALICE, 8);
            node.finalize(0, Vec::new());
        });
        assert_eq!(result, Err(SubmitFailed::Superseded { nonce: 7 }));
    }
}
