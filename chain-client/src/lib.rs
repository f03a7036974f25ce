//! The chain, from outside: a typed façade over subxt (DESIGN sections 3 and 7).
//!
//! - [`Client`] connects to a node and refuses one whose runtime it would misunderstand.
//! - [`Blocks`] walks finalized blocks by number and checks each one's parent.
//! - [`View`] reads the state at a block through the runtime API `FleetApi`.
//! - [`Client::submit`] signs a [`Call`] and waits until it is finalized; [`Client::prepare`], [`Client::send`] and
//!   [`Client::outcome`] are its parts, for a journal.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use keyward_chain_client::{Call, Client, Signer};
//!
//! let client = Client::connect("ws://127.0.0.1:9944").await?;
//! let signer = Signer::from_file("account.key".as_ref())?;
//! client.submit(&signer, Call::rotate(&"hsu0001".parse()?)).await?;
//! let group = client.at(client.finalized().await?.hash).group(&"hsu0001".parse()?).await?;
//! # Ok(())
//! # }
//! ```
//!
//! `metadata.scale` is the metadata of the runtime in this repository; a test of the runtime fails when it is out of date.

mod account;
#[cfg(test)]
mod agreement;
pub mod archive;
mod blocks;
mod call;
mod client;
mod decoded;
mod dispatch;
mod entries;
#[cfg(test)]
mod fake;
mod holdings;
mod motion;
mod node;
mod outcome;
mod progress;
mod refusal;
mod rpc;
mod runtime;
mod shape;
mod signer;
mod submit;
mod transaction;
mod unfinalized;
mod upgrade;
mod validators;
mod view;

pub use account::{account_from_text, account_to_ss58, AccountInvalid};
pub use blocks::{Block, Blocks, WalkFailed, WINDOW};
pub use call::{
    two_thirds, Call, CallInvalid, Collective, KeyAuthorisation, Quotas, ReceiptItem, SessionKeys,
    Weight,
};
pub use client::{Client, ConnectFailed};
pub use decoded::{CallUnreadable, Datum, DecodedCall};
pub use dispatch::DispatchFailure;
pub use holdings::Holding;
pub use motion::{CloseFailed, Closed, Motion, OpenMotion};
pub use node::{NodeState, RotateFailed};
pub use outcome::{Finalized, Outcome};
pub use progress::Progress;
pub use refusal::Refusal;
pub use rpc::RpcFailed;
pub use runtime::{Difference, Incompatible, Item};
pub use signer::{read_key_file, KeyFileInvalid, Signer, SignerInvalid};
pub use submit::SubmitFailed;
pub use transaction::{Prepared, MORTALITY};
pub use upgrade::{AuthorizedUpgrade, CodeInvalid, RuntimeCode, RuntimeVersion};
pub use validators::{Authored, Equivocation, Offence, Operator, OperatorStatus, Validators};
pub use view::{ReadFailed, View};
