//! `keyward council`: motions. With a council of one a motion is executed at once; else the others vote.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use keyward_chain_client::{account_from_text, Call, Motion, Quotas};
use keyward_protocol::{
    AccountId, AgreementKey, AuthorityId, Digest, GatewayName, OrganisationId, VerifyingKey,
};
use serde::Serialize;

use crate::{
    ca::{read_authority_file, read_text, CaFailed},
    chain::{ChainFailed, Context, Done},
    gateway::PublicFile,
    motions::{self, MotionFailed},
    output::{Failure, UsageInvalid},
};

/// Motions of the council, each with the threshold of two thirds of its members. Sign with a member's account (--account-file).
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Admit an organisation
    #[command(
        name = "admit-organisation",
        after_help = "Examples:\n  keyward council admit-organisation acme --label 'Acme Valves' --devices 5000"
    )]
    Organisation(AdmitOrganisation),
    /// Admit a gateway of an organisation
    #[command(
        name = "admit-gateway",
        after_help = "Examples:\n  keyward council admit-gateway gw1 --organisation acme --public gw1/public.json"
    )]
    Gateway(AdmitGateway),
    /// Admit a certificate authority of an organisation
    #[command(
        name = "admit-authority",
        after_help = "Examples:\n  keyward council admit-authority --organisation acme --authority ca/authority.json"
    )]
    Authority(AdmitAuthority),
    /// List the open motions
    #[command(after_help = "Examples:\n  keyward council list")]
    List,
    /// Vote on an open motion
    #[command(
        after_help = "Examples:\n  keyward council vote 3f1c…  (the hash from 'keyward council list')\n  keyward council vote 3f1c… --against"
    )]
    Vote {
        /// Hash of the motion
        hash: Digest,
        /// Vote against it
        #[arg(long)]
        against: bool,
    },
    /// Close a motion that has its votes: its call is executed
    #[command(
        after_help = "Examples:\n  keyward council close 3f1c…  (the hash from 'keyward council list')"
    )]
    Close {
        /// Hash of the motion
        hash: Digest,
    },
}

#[derive(Debug, Args)]
pub struct AdmitOrganisation {
    /// Its name: ids of its devices and groups begin with it and a dot
    organisation: OrganisationId,
    /// What people call it (default: its name)
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// How many devices each of its gateways may own
    #[arg(long, default_value_t = 10_000)]
    devices: u32,
    /// How many groups each of its gateways may administer
    #[arg(long, default_value_t = 256)]
    groups: u32,
    /// How many members one group may have
    #[arg(long, default_value_t = 10_000)]
    members: u32,
    /// Give it the names without a dot; only one organisation may have them
    #[arg(long)]
    bare_names: bool,
}

#[derive(Debug, Args)]
pub struct AdmitGateway {
    /// Its short name, as it stands in topics
    name: GatewayName,
    /// Whose it is
    #[arg(long)]
    organisation: OrganisationId,
    /// Its public.json ('keyward gateway init')
    #[arg(long, value_name = "FILE", required_unless_present_all = ["account", "statement_key", "custody_key"])]
    public: Option<PathBuf>,
    /// Its account, instead of the one in public.json
    #[arg(long, value_name = "ACCOUNT", value_parser = account_from_text)]
    account: Option<AccountId>,
    /// Its statement key, instead of the one in public.json
    #[arg(long, value_name = "HEX")]
    statement_key: Option<VerifyingKey>,
    /// Its custody key, instead of the one in public.json
    #[arg(long, value_name = "HEX")]
    custody_key: Option<AgreementKey>,
}

#[derive(Debug, Args)]
pub struct AdmitAuthority {
    /// Whose it is
    #[arg(long)]
    organisation: OrganisationId,
    /// Its authority.json ('keyward ca init')
    #[arg(long, value_name = "FILE", required_unless_present_all = ["id", "key"])]
    authority: Option<PathBuf>,
    /// Its id, instead of the one in authority.json
    #[arg(long)]
    id: Option<AuthorityId>,
    /// Its key, instead of the one in authority.json
    #[arg(long, value_name = "HEX")]
    key: Option<VerifyingKey>,
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
    /// The command line does not make sense.
    #[error(transparent)]
    Usage(#[from] UsageInvalid),
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
            _ => false,
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "motion", rename_all = "lowercase")]
enum Shown {
    Executed {
        #[serde(flatten)]
        done: Done,
    },
    Proposed {
        hash: Digest,
        index: u32,
        threshold: u32,
        members: usize,
        #[serde(flatten)]
        done: Done,
    },
}

impl From<Motion> for Shown {
    fn from(motion: Motion) -> Self {
        match motion {
            Motion::Executed(finalized) => Self::Executed {
                done: finalized.into(),
            },
            Motion::Proposed {
                finalized,
                hash,
                index,
                threshold,
                members,
            } => Self::Proposed {
                hash,
                index,
                threshold,
                members,
                done: finalized.into(),
            },
        }
    }
}

/// Runs the command.
pub async fn run(command: Command, context: &Context) -> Result<(), CouncilFailed> {
    match command {
        Command::Organisation(admit) => {
            let what = format!("organisation {} admitted", admit.organisation);
            motion(organisation(&admit)?, &what, context).await
        }
        Command::Gateway(admit) => {
            let what = format!("gateway {} admitted", admit.name);
            motion(gateway(&admit)?, &what, context).await
        }
        Command::Authority(admit) => {
            let (id, key) = authority(&admit)?;
            let what = format!("authority {id} admitted");
            motion(
                Call::admit_authority(&id, &admit.organisation, key),
                &what,
                context,
            )
            .await
        }
        Command::List => Ok(motions::list_open(context).await?),
        Command::Vote { hash, against } => Ok(motions::vote(hash, !against, context).await?),
        Command::Close { hash } => Ok(motions::close(hash, context).await?),
    }
}

/// Longest label of an organisation, in bytes.
const LABEL: usize = 64;

fn organisation(admit: &AdmitOrganisation) -> Result<Call, UsageInvalid> {
    let label = admit
        .label
        .as_deref()
        .unwrap_or(admit.organisation.as_str());
    if label.len() > LABEL {
        return Err(UsageInvalid {
            problem: format!("the label has {} bytes; at most {LABEL}", label.len()),
        });
    }
    let quotas = Quotas {
        devices: admit.devices,
        groups: admit.groups,
        members: admit.members,
    };
    Ok(Call::admit_organisation(
        &admit.organisation,
        label,
        quotas,
        admit.bare_names,
    ))
}

fn gateway(admit: &AdmitGateway) -> Result<Call, CouncilFailed> {
    let public = admit.public.clone().map(read_public).transpose()?;
    let public = public.as_ref();
    let account = admit.account.or(public.map(|public| public.account));
    let statement_key = admit
        .statement_key
        .or(public.map(|public| public.statement_key));
    let custody_key = admit
        .custody_key
        .or(public.map(|public| public.custody_key));
    match (account, statement_key, custody_key) {
        (Some(account), Some(statement_key), Some(custody_key)) => Ok(Call::admit_gateway(
            account,
            &admit.organisation,
            &admit.name,
            statement_key,
            custody_key,
        )),
        _ => Err(UsageInvalid {
            problem: "name the gateway's public.json with --public".into(),
        }
        .into()),
    }
}

fn read_public(path: PathBuf) -> Result<PublicFile, CouncilFailed> {
    match read_text(&path) {
        Ok(text) => {
            serde_json::from_str(&text).map_err(|source| CouncilFailed::Content { path, source })
        }
        Err(source) => Err(CouncilFailed::Unreadable { path, source }),
    }
}

fn authority(admit: &AdmitAuthority) -> Result<(AuthorityId, VerifyingKey), CouncilFailed> {
    let file = admit
        .authority
        .as_deref()
        .map(read_authority_file)
        .transpose();
    let file = file.map_err(CouncilFailed::from)?;
    let id = admit
        .id
        .clone()
        .or(file.as_ref().map(|file| file.authority.clone()));
    let key = admit.key.or(file.as_ref().map(|file| file.key));
    id.zip(key).ok_or_else(|| {
        UsageInvalid {
            problem: "name the authority's authority.json with --authority".into(),
        }
        .into()
    })
}

async fn motion(call: Call, what: &str, context: &Context) -> Result<(), CouncilFailed> {
    let signer = context.signer()?;
    let client = context.connect().await?;
    let path = call.path();
    let motion = client
        .motion(&signer, call, |progress| context.report(&progress))
        .await;
    let motion = motion.map_err(|source| ChainFailed::submit(path, source))?;
    context
        .output
        .show(&Shown::from(motion), |shown| text(shown, what));
    Ok(())
}

fn text(shown: &Shown, what: &str) -> String {
    match shown {
        Shown::Executed { done } => format!("{what} in block {} (finalized)", done.block.number),
        Shown::Proposed {
            hash,
            index,
            threshold,
            members,
            ..
        } => format!(
            "motion {index} is proposed: not yet {what}. It needs {threshold} of {members} votes.\n\
             The other members vote in polkadot.js (Governance, Council, Motions) or with\n  \
             keyward council vote {hash}\nand when it has its votes, anybody admitted closes it with\n  \
             keyward council close {hash}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Args as Line, Command as Subject};
    use clap::{error::ErrorKind, Parser};

    fn gateway_of(line: &str) -> AdmitGateway {
        match Line::try_parse_from(line.split(' ')).unwrap().command {
            Subject::Council(Command::Gateway(admit)) => admit,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_gateways_keys_come_from_its_file_or_the_command_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("public.json");
        let public = PublicFile {
            account: AccountId([1; 32]),
            address: String::new(),
            statement_key: VerifyingKey([2; 32]),
            custody_key: AgreementKey([3; 32]),
        };
        std::fs::write(&path, serde_json::to_string(&public).unwrap()).unwrap();
        let line = "keyward council admit-gateway gw1 --organisation demo";
        let from_file = gateway_of(&format!("{line} --public {}", path.display()));
        let keys = format!(
            "{line} --account 0x{} --statement-key {} --custody-key {}",
            public.account, public.statement_key, public.custody_key
        );
        assert_eq!(
            gateway(&from_file).unwrap(),
            gateway(&gateway_of(&keys)).unwrap()
        );
    }

    #[test]
    fn a_gateway_without_keys_is_a_mistake_of_the_command_line() {
        let line = "keyward council admit-gateway gw1 --organisation demo --account //Alice";
        let error = Line::try_parse_from(line.split(' ')).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ValueValidation);
        let line = "keyward council admit-gateway gw1 --organisation demo";
        let error = Line::try_parse_from(line.split(' ')).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingRequiredArgument);
    }

    #[test]
    fn a_motion_that_waits_does_not_claim_to_be_done() {
        let shown = Shown::Proposed {
            hash: Digest([0; 32]),
            index: 3,
            threshold: 3,
            members: 4,
            done: Done {
                transaction: Digest([0; 32]),
                block: keyward_protocol::beacon::BlockRef {
                    number: 1,
                    hash: keyward_protocol::BlockHash([0; 32]),
                },
                events: Vec::new(),
            },
        };
        let text = text(&shown, "gateway gw1 admitted");
        assert!(text.contains("not yet gateway gw1 admitted") && text.contains("3 of 4"));
    }
}
