//! `keyward validator`: an operator's node joins and leaves the validators; who validates.

mod join;
mod leave;
mod status;

use std::time::Duration;

use clap::Subcommand;
use keyward_chain_client::{
    account_to_ss58, Client, Operator, OperatorStatus, ReadFailed, RotateFailed, RpcFailed,
    Validators,
};
use keyward_protocol::AccountId;

use crate::{
    chain::{ChainFailed, Context},
    output::Failure,
};

const JOIN: &str = "\
Run it on the node's own machine: the node makes new session keys, keeps the private ones, and proves that they are for
your account (its unsafe RPC methods, which it answers only there). The council has approved the account before. The
node is run with --validator; one that still syncs is waited for. It validates from the session after the next on.

  export KEYWARD_ACCOUNT_FILE=operator.key
  keyward validator join
  keyward validator join --wait           (until it validates)
  keyward validator join --keys-only      (new keys for a validator, the old ones stay in force for two sessions)";

const LEAVE: &str = "\
Refused where there would be fewer validators than the minimum. The node must go on running until it is out, which takes
up to two sessions: if it stops before, its turns are empty and its votes are missing. The account stays approved, and may
join again after the cooldown.

  keyward validator leave --account-file operator.key
  keyward validator leave --account-file operator.key --wait && systemctl stop keyward-node";

const STATUS: &str = "\
One line for each operator that the council approved or that is on its way out. 'authored' counts the last blocks: one that
authors nothing is not running. Offences are two blocks of one slot, or two votes of one round; they take nobody out of the
set, the council decides.

  keyward validator status
  keyward validator status --unfinalized       (in a stall: what the newest blocks say)
  keyward validator status --json --url ws://gw2:9944";

/// Validators: join and leave with your node, see all of them.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Have your node join the validators, or give it new session keys
    #[command(after_help = JOIN)]
    Join {
        /// Only make and set new session keys
        #[arg(long)]
        keys_only: bool,
        /// Wait until it is in force
        #[arg(long)]
        wait: bool,
    },
    /// Have your node leave the validators
    #[command(after_help = LEAVE)]
    Leave {
        /// Wait until it is out
        #[arg(long)]
        wait: bool,
    },
    /// Who validates, joins and leaves; who authored the last blocks; how far finality is
    #[command(after_help = STATUS)]
    Status {
        /// How many of the last blocks to look at
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=1000))]
        blocks: u32,
        /// Take the newest blocks for final: for a chain that finalizes nothing
        #[arg(long)]
        unfinalized: bool,
    },
}

/// Why a validator did not join or leave, or was not shown.
#[derive(Debug, thiserror::Error)]
pub enum ValidatorFailed {
    /// The chain could not be asked or changed.
    #[error(transparent)]
    Chain(#[from] ChainFailed),
    /// The node made no session keys.
    #[error("no session keys: {0}")]
    Keys(#[from] RotateFailed),
    /// The council has not approved the account.
    #[error(
        "{account} is no approved operator; the council approves it with 'keyward council propose approve-validator {account}'"
    )]
    NotApproved {
        /// The account.
        account: String,
    },
    /// The node is not run as a validator.
    #[error("the node at {url} is not run with --validator, so it would author and vote nothing; start it with --validator, then join")]
    NoAuthority {
        /// Where it is.
        url: String,
    },
    /// The node gets no blocks.
    #[error(
        "the node at {url} has got no new block for a minute (block {best}, {peers} peers); look at its peers, its clock and \
         'keyward validator status' at another node"
    )]
    StandsStill {
        /// Where it is.
        url: String,
        /// Its newest block.
        best: u32,
        /// Nodes that it is connected to.
        peers: u32,
    },
    /// It is in the set already.
    #[error("{account} is in the set of validators already; new session keys are made with 'keyward validator join --keys-only'")]
    Already {
        /// The account.
        account: String,
    },
    /// It left a short time ago.
    #[error("{account} left a short time ago and may join again from block {again} on ({} blocks from now)", again.saturating_sub(*now))]
    Cooldown {
        /// The account.
        account: String,
        /// The block from which it may join again.
        again: u32,
        /// The newest finalized block.
        now: u32,
    },
    /// It is not in the set.
    #[error("{account} is not in the set of validators; 'keyward validator status' shows who is")]
    NoValidator {
        /// The account.
        account: String,
    },
    /// The set would become too small.
    #[error(
        "the chain has {planned} validators and must not have fewer than {minimum}: another joins first, or the council lowers \
         the minimum ('keyward council propose set-minimum-validators')"
    )]
    TooFew {
        /// Validators.
        planned: usize,
        /// The minimum.
        minimum: u32,
    },
    /// The node that made the keys does not have them.
    #[error("the keys are set, but the node at {url} does not hold them: --url must be the validator's own node, not a proxy for several")]
    KeysElsewhere {
        /// Where it is.
        url: String,
    },
}

impl Failure for ValidatorFailed {
    fn is_usage(&self) -> bool {
        matches!(self, Self::Chain(error) if error.is_usage())
    }
}

impl From<RpcFailed> for ValidatorFailed {
    fn from(error: RpcFailed) -> Self {
        Self::Chain(error.into())
    }
}

impl From<ReadFailed> for ValidatorFailed {
    fn from(error: ReadFailed) -> Self {
        Self::Chain(error.into())
    }
}

/// Runs the command.
pub async fn run(command: Command, context: &Context) -> Result<(), ValidatorFailed> {
    match command {
        Command::Join { keys_only, wait } => join::run(keys_only, wait, context).await,
        Command::Leave { wait } => leave::run(wait, context).await,
        Command::Status {
            blocks,
            unfinalized,
        } => {
            let newest = unfinalized.then(|| context.unfinalized());
            status::run(blocks, newest.as_ref().unwrap_or(context)).await
        }
    }
}

/// The validators at the newest finalized block.
async fn newest(client: &Client) -> Result<Validators, ValidatorFailed> {
    let at = client.finalized().await?;
    Ok(client.validators(at).await?)
}

/// An operator, which the council must have approved.
fn approved<'a>(
    validators: &'a Validators,
    account: &AccountId,
) -> Result<&'a Operator, ValidatorFailed> {
    let operator = validators.operator(account);
    let operator = operator.filter(|operator| operator.approved);
    operator.ok_or_else(|| ValidatorFailed::NotApproved {
        account: account_to_ss58(account),
    })
}

/// Pause between two looks at the chain.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Waits until an operator is where it should be, and tells each session that begins meanwhile.
async fn wait_until(
    client: &Client,
    account: &AccountId,
    context: &Context,
    reached: impl Fn(&Validators, Option<OperatorStatus>) -> bool,
) -> Result<Validators, ValidatorFailed> {
    let mut session = None;
    loop {
        let validators = newest(client).await?;
        let status = validators.operator(account).map(|operator| operator.status);
        if reached(&validators, status) {
            return Ok(validators);
        }
        if session != Some(validators.session) {
            session = Some(validators.session);
            let (now, left) = (validators.session, validators.blocks_to_end());
            context
                .output
                .progress(&format!("session {now}, {left} blocks to its end; waiting"));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
