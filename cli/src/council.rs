//! `keyward council`: motions. With a council of one a motion is executed at once; else the others vote.

mod admit;
mod open;
mod proposal;
mod propose;
mod upgrade;
mod words;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use keyward_chain_client::Collective;

use crate::{
    ca::CaFailed,
    chain::{ChainFailed, Context},
    output::{Failure, UsageInvalid},
};

pub use open::about;

use admit::{AdmitAuthority, AdmitGateway, AdmitOrganisation};
use open::{MotionFailed, MotionRef};
use proposal::Proposal;
use upgrade::UpgradeFailed;

const CLOSE: &str = "\
The motion's call is executed if it has its votes; weight and length are asked of the node. Exit code 1 when the call
failed, with its error. A motion whose call would fail for too few votes is not closed.

  keyward council close 3          (its index from 'keyward council list')
  keyward council close 3f1c       (the beginning of its hash)
  keyward council close 0 --committee";

/// Motions of the council and of the technical committee.
#[derive(Debug, Args)]
pub struct Council {
    /// Take the newest blocks for final: for a chain that finalizes nothing. What is said to be done may be undone
    #[arg(long, global = true)]
    unfinalized: bool,
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

/// Motions, each with the threshold that gives it effect. Sign with a member's account (--account-file).
#[derive(Debug, Subcommand)]
enum Command {
    /// Admit an organisation (the same as 'propose admit-organisation')
    #[command(
        name = "admit-organisation",
        after_help = "Examples:\n  keyward council admit-organisation acme --label 'Acme Valves' --devices 5000"
    )]
    Organisation(AdmitOrganisation),
    /// Admit a gateway of an organisation (the same as 'propose admit-gateway')
    #[command(
        name = "admit-gateway",
        after_help = "Examples:\n  keyward council admit-gateway gw1 --organisation acme --public gw1/public.json"
    )]
    Gateway(AdmitGateway),
    /// Admit a certificate authority of an organisation (the same as 'propose admit-authority')
    #[command(
        name = "admit-authority",
        after_help = "Examples:\n  keyward council admit-authority --organisation acme --authority ca/authority.json"
    )]
    Authority(AdmitAuthority),
    /// Put something to the council, or to the technical committee
    Propose(Propose),
    /// List the open motions: what each does, its votes, and what to type next
    #[command(
        after_help = "Examples:\n  keyward council list\n  keyward council list --committee --json"
    )]
    List {
        /// The technical committee's motions
        #[arg(long)]
        committee: bool,
    },
    /// Vote on an open motion
    #[command(
        after_help = "Examples:\n  keyward council vote 3                  (its index from 'keyward council list')\n  keyward council vote 3f1c --against     (the beginning of its hash)\n  keyward council vote 0 --committee"
    )]
    Vote {
        /// Index of the motion, its hash, or the beginning of its hash
        #[arg(value_name = "INDEX|HASH")]
        motion: MotionRef,
        /// Vote against it
        #[arg(long)]
        against: bool,
        /// It is a motion of the technical committee
        #[arg(long)]
        committee: bool,
    },
    /// Close a motion that has its votes, or whose time is over
    #[command(after_help = CLOSE)]
    Close {
        /// Index of the motion, its hash, or the beginning of its hash
        #[arg(value_name = "INDEX|HASH")]
        motion: MotionRef,
        /// It is a motion of the technical committee
        #[arg(long)]
        committee: bool,
    },
    /// Upgrade the chain to the runtime that the council authorized ('propose upgrade')
    #[command(
        after_help = "Waits until the new version runs. Signed by a member of the council.\n\n  keyward council apply-upgrade keyward_runtime.compact.compressed.wasm"
    )]
    ApplyUpgrade {
        /// The runtime, compressed or not: the same file that was proposed
        #[arg(value_name = "RUNTIME.wasm")]
        runtime: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Propose {
    /// Vote for it at once, too: proposing is no vote
    #[arg(long, global = true)]
    vote: bool,
    /// What to propose.
    #[command(subcommand)]
    what: Proposal,
}

/// Why a motion was not made.
#[derive(Debug, thiserror::Error)]
pub enum CouncilFailed {
    /// The chain could not be asked or changed.
    #[error(transparent)]
    Chain(#[from] ChainFailed),
    /// The authority's file cannot be used.
    #[error(transparent)]
    Authority(#[from] CaFailed),
    /// An open motion was not shown, voted on or closed.
    #[error(transparent)]
    Motion(#[from] MotionFailed),
    /// The chain was not upgraded, or the upgrade not proposed.
    #[error(transparent)]
    Upgrade(#[from] UpgradeFailed),
    /// The command line does not make sense.
    #[error(transparent)]
    Usage(#[from] UsageInvalid),
    /// What was proposed makes no sense on this chain as it is.
    #[error("not proposed: {reason}")]
    Senseless {
        /// Why not, and what to do.
        reason: String,
    },
    /// The same is open already.
    #[error("this is open already as motion {index}: vote for it with 'keyward council vote {index}{}'", committee_flag(*collective))]
    Open {
        /// Its index.
        index: u32,
        /// Whose motion it is.
        collective: Collective,
    },
    /// The gateway's file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The gateway's file is not what `keyward gateway init` writes.
    #[error("{} is no public.json of 'keyward gateway init': {source}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
}

impl Failure for CouncilFailed {
    fn is_usage(&self) -> bool {
        match self {
            Self::Usage(_) => true,
            Self::Chain(error) => error.is_usage(),
            Self::Motion(error) => error.is_usage(),
            Self::Upgrade(error) => error.is_usage(),
            _ => false,
        }
    }
}

/// What commands on a motion of the committee need.
fn committee_flag(collective: Collective) -> &'static str {
    match collective {
        Collective::Council => "",
        Collective::TechnicalCommittee => " --committee",
    }
}

fn collective(committee: bool) -> Collective {
    match committee {
        true => Collective::TechnicalCommittee,
        false => Collective::Council,
    }
}

/// Runs the command.
pub async fn run(council: Council, context: &Context) -> Result<(), CouncilFailed> {
    let unfinalized = council.unfinalized.then(|| context.unfinalized());
    let context = unfinalized.as_ref().unwrap_or(context);
    match council.command {
        Command::Organisation(admit) => {
            propose::run(Proposal::AdmitOrganisation(admit), false, context).await
        }
        Command::Gateway(admit) => {
            propose::run(Proposal::AdmitGateway(admit), false, context).await
        }
        Command::Authority(admit) => {
            propose::run(Proposal::AdmitAuthority(admit), false, context).await
        }
        Command::Propose(propose) => propose::run(propose.what, propose.vote, context).await,
        Command::List { committee } => Ok(open::list_open(collective(committee), context).await?),
        Command::Vote {
            motion,
            against,
            committee,
        } => Ok(open::vote(&motion, collective(committee), !against, context).await?),
        Command::Close { motion, committee } => {
            Ok(open::close(&motion, collective(committee), context).await?)
        }
        Command::ApplyUpgrade { runtime } => Ok(upgrade::apply(&runtime, context).await?),
    }
}
