//! `keyward ca certify-gateway`: who a gateway's devices are to believe when its statement key is lost or stolen.

use std::path::PathBuf;

use clap::Args;
use keyward_protocol::beacon::AnchorCertificate;
use serde::Serialize;

use super::{authority, CaFailed, Owner};
use crate::{anchor, chain::Context, key_file, output::fields, owner_file::OwnerFile};

pub const HELP: &str = "\
The gateway has other keys on chain ('keyward gateway replace-keys'), and its former statement key cannot tell its devices
so, or somebody else has it. Devices believe what their authority signs: compare the statement key with the gateway's
operator on another channel before you hand the result over. It is not secret. The gateway's bridge tells it to the devices.

  keyward ca certify-gateway --ca ca --gateway gw1 --out anchor.json

Offline, the gateway comes from a file instead of the chain; it must be written after the keys were replaced:

  keyward gateway owner-file gw1 --out gw1.json
  keyward ca certify-gateway --ca ca --owner-file gw1.json --out anchor.json";

/// Whom to certify.
#[derive(Debug, Args)]
pub struct CertifyGateway {
    /// Directory of the authority ('keyward ca init')
    #[arg(long, value_name = "DIR")]
    ca: PathBuf,
    #[command(flatten)]
    owner: Owner,
    /// Where to write the certificate
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Certified {
    gateway: String,
    statement_key: String,
    serial: u64,
    authority: String,
    certificate: PathBuf,
}

/// Runs the command.
pub async fn run(arguments: &CertifyGateway, context: &Context) -> Result<(), CaFailed> {
    let owner = arguments.owner.find(context).await?;
    let certified = certify(arguments, owner)?;
    context.output.show(&certified, text);
    Ok(())
}

fn certify(arguments: &CertifyGateway, owner: OwnerFile) -> Result<Certified, CaFailed> {
    let (authority, key) = authority(&arguments.ca)?;
    let gateway = owner.gateway;
    let certificate = AnchorCertificate {
        gateway: gateway.account,
        statement_key: gateway.statement_key,
        // There is one: `Owner::find` sees to it.
        serial: gateway.anchor_serial.unwrap_or_default(),
    };
    let serial = certificate.serial;
    let file = anchor::certify(owner.genesis, certificate, &key);
    let file = file.map_err(|source| CaFailed::Format {
        what: "certificate",
        source,
    })?;
    key_file::write_public(&arguments.out, &file)?;
    Ok(Certified {
        gateway: gateway.name.to_string(),
        statement_key: gateway.statement_key.to_string(),
        serial,
        authority: authority.authority.to_string(),
        certificate: arguments.out.clone(),
    })
}

fn text(certified: &Certified) -> String {
    format!(
        "{}\nNext, on the gateway's machine, in the bridge's configuration; then restart the bridge:\n  [gateway]\n  anchor_file = \"{}\"\n",
        fields([
            ("gateway", certified.gateway.clone()),
            ("statement key", certified.statement_key.clone()),
            ("serial", certified.serial.to_string()),
            ("authority", certified.authority.clone()),
            ("certificate", certified.certificate.display().to_string()),
        ]),
        certified.certificate.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ca::initialise;
    use keyward_protocol::{
        provisioning::{AnchorFile, OwnerGateway},
        AccountId, Genesis, VerifyingKey,
    };

    /// STM-11: the certificate counts from the block at which the chain had the key, as provisionings do.
    #[test]
    fn an_authority_certifies_what_the_owner_file_says_and_overwrites_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let ca = dir.path().join("ca");
        let public = initialise(&"demo-ca".parse().unwrap(), &ca).unwrap();
        let arguments = CertifyGateway {
            ca,
            owner: Owner {
                gateway: None,
                owner_file: None,
            },
            out: dir.path().join("anchor.json"),
        };
        let owner = || OwnerFile {
            genesis: Genesis([3; 32]),
            gateway: OwnerGateway {
                account: AccountId([9; 32]),
                name: "gw1".parse().unwrap(),
                statement_key: VerifyingKey([8; 32]),
                anchor_serial: Some(41),
            },
        };
        assert_eq!(certify(&arguments, owner()).unwrap().serial, 41);
        let file: AnchorFile = super::super::read(&arguments.out, "certificate").unwrap();
        assert_eq!(file.signer, public.key);
        let certificate = AnchorCertificate {
            gateway: AccountId([9; 32]),
            statement_key: VerifyingKey([8; 32]),
            serial: 41,
        };
        assert_eq!(anchor::read(&file, &Genesis([3; 32])), Some(certificate));
        let again = certify(&arguments, owner());
        assert!(matches!(again, Err(CaFailed::Write(_))));
    }
}
