//! Proposals that admit: organisations, gateways, authorities.

use std::path::PathBuf;

use clap::Args;
use keyward_chain_client::{account_from_text, Call, Quotas};
use keyward_protocol::{
    AccountId, AgreementKey, AuthorityId, GatewayName, OrganisationId, VerifyingKey,
};

use super::CouncilFailed;
use crate::{
    ca::{read_authority_file, read_text},
    gateway::PublicFile,
    output::UsageInvalid,
};

/// An organisation to admit.
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

/// A gateway to admit.
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

/// A certificate authority to admit.
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

/// Longest label of an organisation, in bytes.
const LABEL: usize = 64;

/// The call that admits an organisation.
pub fn organisation(admit: &AdmitOrganisation) -> Result<Call, UsageInvalid> {
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

/// The call that admits a gateway.
pub fn gateway(admit: &AdmitGateway) -> Result<Call, CouncilFailed> {
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

/// The call that admits an authority.
pub fn authority(admit: &AdmitAuthority) -> Result<Call, CouncilFailed> {
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
    let (id, key) = id.zip(key).ok_or_else(|| UsageInvalid {
        problem: "name the authority's authority.json with --authority".into(),
    })?;
    Ok(Call::admit_authority(&id, &admit.organisation, key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        args::{Args as Line, Command as Subject},
        council::Command,
    };
    use clap::{error::ErrorKind, Parser};

    fn gateway_of(line: &str) -> AdmitGateway {
        match Line::try_parse_from(line.split(' ')).unwrap().command {
            Subject::Council(council) => match council.command {
                Command::Gateway(admit) => admit,
                other => panic!("{other:?}"),
            },
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
}
