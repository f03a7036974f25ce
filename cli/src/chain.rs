//! What every command needs of the chain: a connection, the signing account, names of gateways, and progress.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use keyward_chain_client::{
    account_from_text, account_to_ss58, Call, Client, ConnectFailed, Finalized, Progress,
    ReadFailed, RpcFailed, Signer, SignerInvalid, SubmitFailed, View,
};
use keyward_protocol::{beacon::BlockRef, view::GatewayView, AccountId, Digest};
use serde::Serialize;

use crate::output::{Failure, Output, UsageInvalid};

/// How long a command waits for a node to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where commands find the chain and their account.
#[derive(Clone)]
pub struct Context {
    url: String,
    account_file: Option<PathBuf>,
    /// Whether the newest blocks are taken for final.
    unfinalized: bool,
    /// Where results go.
    pub output: Output,
}

/// Why the chain could not be asked or changed.
#[derive(Debug, thiserror::Error)]
pub enum ChainFailed {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectFailed),
    /// The node does not answer.
    #[error(transparent)]
    Rpc(#[from] RpcFailed),
    /// State could not be read.
    #[error(transparent)]
    Read(#[from] ReadFailed),
    /// A call did not take effect.
    #[error("{call} did not take effect: {source}")]
    Submit {
        /// `Pallet.name`.
        call: String,
        /// Why.
        source: Box<SubmitFailed>,
    },
    /// The account's key file cannot be used.
    #[error(transparent)]
    Signer(#[from] SignerInvalid),
    /// The command line does not make sense.
    #[error(transparent)]
    Usage(#[from] UsageInvalid),
    /// No such gateway.
    #[error("no gateway is called {name}; 'keyward gateway list' shows them")]
    NoGateway {
        /// What was asked for.
        name: String,
    },
}

impl Failure for ChainFailed {
    fn is_usage(&self) -> bool {
        matches!(self, Self::Usage(_))
    }
}

impl ChainFailed {
    /// A call did not take effect.
    pub fn submit(call: String, source: SubmitFailed) -> Self {
        Self::Submit {
            call,
            source: Box::new(source),
        }
    }
}

/// A change that is finalized.
#[derive(Debug, Serialize)]
pub struct Done {
    /// The transaction.
    pub transaction: Digest,
    /// The block that holds it.
    pub block: BlockRef,
    /// Names of its events.
    pub events: Vec<String>,
}

impl From<Finalized> for Done {
    fn from(finalized: Finalized) -> Self {
        Self {
            transaction: finalized.hash,
            block: finalized.block,
            events: finalized.events,
        }
    }
}

impl Context {
    /// From the command line.
    pub fn new(url: String, account_file: Option<PathBuf>, json: bool) -> Self {
        Self {
            url,
            account_file,
            unfinalized: false,
            output: Output::new(json),
        }
    }

    /// The same, but taking the newest blocks for final: for a chain that finalizes nothing.
    pub fn unfinalized(&self) -> Self {
        Self {
            unfinalized: true,
            ..self.clone()
        }
    }

    /// Address of the node.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What is said of a block that holds a result.
    pub fn settled(&self) -> &'static str {
        match self.unfinalized {
            true => "not finalized",
            false => "finalized",
        }
    }

    /// Connects to the node.
    pub async fn connect(&self) -> Result<Client, ChainFailed> {
        Ok(match self.unfinalized {
            true => Client::connect_unfinalized(&self.url, PATIENCE).await?,
            false => Client::connect_within(&self.url, PATIENCE).await?,
        })
    }

    /// Connects, and looks at the newest finalized block.
    pub async fn view(&self) -> Result<(Client, View), ChainFailed> {
        let client = self.connect().await?;
        let view = client.at(client.finalized().await?.hash);
        Ok((client, view))
    }

    /// The account that signs.
    pub fn signer(&self) -> Result<Signer, ChainFailed> {
        let file = self.account_file.as_deref().ok_or_else(|| UsageInvalid {
            problem: "this changes the chain, so somebody must sign: name the account's key file with --account-file".into(),
        })?;
        Ok(Signer::from_file(file)?)
    }

    /// Submits a call, and waits until it is finalized.
    pub async fn submit(
        &self,
        client: &Client,
        signer: &Signer,
        call: Call,
    ) -> Result<Done, ChainFailed> {
        let path = call.path();
        let done = client
            .submit_reporting(signer, call, |progress| self.report(&progress))
            .await;
        done.map(Done::from)
            .map_err(|source| ChainFailed::submit(path, source))
    }

    /// Tells how a transaction is doing.
    pub fn report(&self, progress: &Progress) {
        let waiting = match self.unfinalized {
            true => "waiting for two blocks on top of it",
            false => "waiting for finality",
        };
        self.output.progress(&match progress {
            Progress::Sent { hash } => format!("sent transaction {hash}, waiting for a block"),
            Progress::InBlock { block } => {
                format!("submitted in block {}, {waiting}", block.number)
            }
            Progress::Left { reason } => {
                format!("the node dropped the transaction ({reason}); sending it again")
            }
            Progress::Stalled { seconds } => {
                format!("the chain has finalized no block for {seconds} s: too few validators are at work, and nothing takes effect until they are; still waiting ('keyward council propose note-stalled --help' tells the way out)")
            }
        });
    }
}

/// A gateway by its short name or account.
pub async fn find_gateway(view: &View, text: &str) -> Result<GatewayView, ChainFailed> {
    let account = account_from_text(text).ok();
    let fits =
        |gateway: &GatewayView| gateway.name.as_str() == text || Some(gateway.account) == account;
    let found = view.gateways().await?.into_iter().find(fits);
    found.ok_or_else(|| ChainFailed::NoGateway {
        name: text.to_owned(),
    })
}

/// An account by itself or by its gateway's short name.
pub async fn find_account(view: &View, text: &str) -> Result<AccountId, ChainFailed> {
    match account_from_text(text) {
        Ok(account) => Ok(account),
        Err(_) => Ok(find_gateway(view, text).await?.account),
    }
}

/// Names of accounts: a gateway's short name, else the SS58 address.
pub struct Names(HashMap<AccountId, String>);

impl Names {
    /// Of all gateways.
    pub async fn of(view: &View) -> Result<Self, ChainFailed> {
        let gateways = view.gateways().await?.into_iter();
        Ok(gateways
            .map(|gateway| (gateway.account, gateway.name.to_string()))
            .collect())
    }

    /// The name of one.
    pub fn name(&self, account: &AccountId) -> String {
        let known = self.0.get(account).cloned();
        known.unwrap_or_else(|| account_to_ss58(account))
    }
}

impl FromIterator<(AccountId, String)> for Names {
    fn from_iter<I: IntoIterator<Item = (AccountId, String)>>(names: I) -> Self {
        Self(names.into_iter().collect())
    }
}
