//! `keyward gateway replace-keys`.
//!
//! The new keys are durable before the chain is asked to take them, and the former ones are left as they are: interrupted at any
//! moment it is run again, finds what is done already, and goes on from there.

use std::path::{Path, PathBuf};

use clap::Args;
use keyward_chain_client::{account_to_ss58, Call};
use keyward_crypto::{AgreementSecret, SigningKey};
use keyward_protocol::{
    beacon::{AnchorCertificate, BlockRef},
    provisioning::AnchorFile,
    view::{GatewayStatus, GatewayView},
    AccountId, Genesis, VerifyingKey,
};
use rand_core::OsRng;
use serde::Serialize;

use super::{GatewayFailed, PublicFile, CUSTODY, PUBLIC, STATEMENT};
use crate::{
    anchor,
    ca::read_text,
    chain::{ChainFailed, Context, Done},
    key_file,
    output::{fields, name, UsageInvalid},
    staging::Staging,
};

pub const HELP: &str = "\
Makes statement.key and custody.key in a new directory, has the chain take them, and writes anchor.json
beside them: signed by the former statement key, it tells the devices to follow the new one. Interrupted,
run it again with the same words.

  keyward gateway replace-keys --keys keys --out keys-2 --account-file keys/account.key

When the former statement key is lost, leave --keys out: the authority of the devices certifies the new one.

  keyward gateway replace-keys --out keys-2 --account-file keys/account.key
  keyward gateway owner-file gw1 --out gw1.json
  keyward ca certify-gateway --ca ca --owner-file gw1.json --out anchor.json

From the block in which the chain takes them until the bridge is restarted with the new keys, devices are
told nothing, and the groups that the gateway keeps await an epoch. The files belong to whoever runs this:
the bridge must be able to read them.";

/// The certificate, in the directory of the keys that it tells.
const ANCHOR: &str = "anchor.json";

/// Where the keys are.
#[derive(Debug, Args)]
pub struct ReplaceKeys {
    /// Directory of the present statement.key, which certifies the new one; leave it out when that key is lost
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// Directory for the new keys: a new one, or that of a run that was interrupted
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Replaced {
    gateway: String,
    #[serde(flatten)]
    keys: PublicFile,
    directory: PathBuf,
    /// None: the certificate is up to the authority.
    certificate: Option<Certificate>,
    /// None: the chain had them already.
    #[serde(flatten)]
    done: Option<Done>,
}

#[derive(Serialize)]
struct Certificate {
    file: PathBuf,
    serial: u64,
}

/// What is left to do on chain.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Submit,
    Done,
}

/// Runs the command.
pub async fn run(arguments: &ReplaceKeys, context: &Context) -> Result<(), GatewayFailed> {
    let signer = context.signer()?;
    let account = signer.account();
    let former = arguments.keys.as_deref().map(statement_key).transpose()?;
    let known = former.as_ref().map(SigningKey::verifying_key);
    let made = keys_of_before(&arguments.out, account, known)?;
    let client = context.connect().await?;
    let seen = client.finalized().await.map_err(ChainFailed::from)?;
    let gateway = client.at(seen.hash).gateway(account).await;
    let gateway = active(gateway.map_err(ChainFailed::from)?, account)?;
    let step = step(&gateway, made.as_ref(), known, arguments)?;
    let keys = match made {
        Some(keys) => keys,
        None => make_keys(&arguments.out, account)?,
    };
    let done = match step {
        Step::Done => None,
        Step::Submit => {
            let (statement, custody) = (keys.statement_key, keys.custody_key);
            let call = Call::replace_gateway_keys(keys.account, statement, custody);
            let line = format!("the new keys are in {}", arguments.out.display());
            context.output.progress(&line);
            Some(context.submit(&client, &signer, call).await?)
        }
    };
    let at = done.as_ref().map_or(seen, |done| done.block);
    let certificate = former
        .map(|key| certify(&arguments.out, &keys, client.genesis(), at, &key))
        .transpose()?;
    let replaced = Replaced {
        gateway: gateway.name.to_string(),
        keys,
        directory: absolute(&arguments.out),
        certificate,
        done,
    };
    context.output.show(&replaced, text);
    Ok(())
}

fn statement_key(directory: &Path) -> Result<SigningKey, GatewayFailed> {
    let seed = key_file::read_secret(&directory.join(STATEMENT))?;
    Ok(SigningKey::from_seed(&seed))
}

/// The gateway that signs: what the chain would refuse is refused before keys are made.
fn active(gateway: Option<GatewayView>, account: AccountId) -> Result<GatewayView, GatewayFailed> {
    let gateway = gateway.ok_or_else(|| GatewayFailed::NoGateway {
        address: account_to_ss58(&account),
    })?;
    match gateway.status {
        GatewayStatus::Active => Ok(gateway),
        status => Err(GatewayFailed::NotActive {
            gateway: gateway.name.to_string(),
            status: name(&status),
        }),
    }
}

/// The keys that a run before has made, if there was one. `former`: the statement key that they are to follow.
fn keys_of_before(
    directory: &Path,
    account: AccountId,
    former: Option<VerifyingKey>,
) -> Result<Option<PublicFile>, GatewayFailed> {
    if directory.symlink_metadata().is_err() {
        return Ok(None);
    }
    let statement = statement_key(directory)?;
    let custody = AgreementSecret::from_bytes(&*key_file::read_secret(&directory.join(CUSTODY))?);
    if former == Some(statement.verifying_key()) {
        let problem = "the new keys would be the former ones: name another directory with --out than with --keys";
        return Err(UsageInvalid {
            problem: problem.into(),
        }
        .into());
    }
    Ok(Some(PublicFile::new(account, &statement, &custody)))
}

fn make_keys(directory: &Path, account: AccountId) -> Result<PublicFile, GatewayFailed> {
    let statement = SigningKey::generate(&mut OsRng);
    let custody = AgreementSecret::generate(&mut OsRng);
    let public = PublicFile::new(account, &statement, &custody);
    let staging = Staging::new(directory)?;
    key_file::write_secret(&staging.path().join(STATEMENT), &statement.expose_seed())?;
    key_file::write_secret(&staging.path().join(CUSTODY), custody.expose())?;
    key_file::write_public(&staging.path().join(PUBLIC), &public)?;
    staging.finish()?;
    Ok(public)
}

/// What is left to do on chain. `made`: the new keys, if there are some yet; `former`: the statement key from before, if it is not lost.
fn step(
    gateway: &GatewayView,
    made: Option<&PublicFile>,
    former: Option<VerifyingKey>,
    arguments: &ReplaceKeys,
) -> Result<Step, GatewayFailed> {
    let on_chain = gateway.statement_key;
    let theirs = (on_chain, gateway.custody_key);
    if made.is_some_and(|keys| (keys.statement_key, keys.custody_key) == theirs) {
        return Ok(Step::Done);
    }
    match former.is_none_or(|former| former == on_chain) {
        true => Ok(Step::Submit),
        false => Err(GatewayFailed::OtherKey {
            on_chain,
            keys: arguments.keys.clone().unwrap_or_default(),
            out: arguments.out.clone(),
        }),
    }
}

/// Certifies the new key by the former one, unless a run before did. `at`: a finalized block at which the chain has the new key.
fn certify(
    directory: &Path,
    keys: &PublicFile,
    genesis: Genesis,
    at: BlockRef,
    former: &SigningKey,
) -> Result<Certificate, GatewayFailed> {
    let path = directory.join(ANCHOR);
    let mut certificate = AnchorCertificate {
        gateway: keys.account,
        statement_key: keys.statement_key,
        serial: at.number.into(),
    };
    if path.symlink_metadata().is_ok() {
        let found = found(&path, &genesis, former.verifying_key());
        let found = found.filter(|it| {
            (it.gateway, it.statement_key) == (certificate.gateway, certificate.statement_key)
        });
        certificate =
            found.ok_or_else(|| GatewayFailed::OtherCertificate { path: path.clone() })?;
    } else {
        let file = anchor::certify(genesis, certificate.clone(), former)?;
        key_file::write_public_whole(&path, &file)?;
    }
    Ok(Certificate {
        file: absolute(&path),
        serial: certificate.serial,
    })
}

fn found(path: &Path, genesis: &Genesis, signer: VerifyingKey) -> Option<AnchorCertificate> {
    let text = read_text(path).ok()?;
    let file: AnchorFile = serde_json::from_str(&text).ok()?;
    (file.signer == signer).then(|| anchor::read(&file, genesis))?
}

/// As the bridge's configuration may name it, wherever that is.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn text(replaced: &Replaced) -> String {
    let gateway = &replaced.gateway;
    let first = match &replaced.done {
        Some(done) => format!(
            "the keys of gateway {gateway} are replaced in block {} (finalized)",
            done.block.number
        ),
        None => format!("the chain has these keys of gateway {gateway} already"),
    };
    let directory = replaced.directory.display();
    let certified = match &replaced.certificate {
        Some(certificate) => format!("serial {}", certificate.serial),
        None => "up to the authority of the devices".to_owned(),
    };
    let by_authority = match &replaced.certificate {
        Some(_) => String::new(),
        None => by_authority(gateway, &replaced.directory),
    };
    format!(
        "{first}\n{}\n{by_authority}Next, in the bridge's configuration; then restart the bridge, until which devices are told nothing:\n  [gateway]\n  statement_key_file = \"{directory}/{STATEMENT}\"\n  custody_key_file = \"{directory}/{CUSTODY}\"\n  anchor_file = \"{directory}/{ANCHOR}\"\n",
        fields([
            ("statement key", replaced.keys.statement_key.to_string()),
            ("custody key", replaced.keys.custody_key.to_string()),
            ("certificate", certified),
            ("files", directory.to_string()),
        ]),
    )
}

fn by_authority(gateway: &str, directory: &Path) -> String {
    format!(
        "The authority of its devices certifies the new statement key; the result goes to {}:\n  keyward gateway owner-file {gateway} --out {gateway}.json\n  keyward ca certify-gateway --ca CA --owner-file {gateway}.json --out {ANCHOR}\n\n",
        directory.join(ANCHOR).display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_protocol::{AgreementKey, BlockHash};
    use std::os::unix::fs::PermissionsExt;

    const GENESIS: Genesis = Genesis([3; 32]);
    const ACCOUNT: AccountId = AccountId([9; 32]);

    fn former() -> SigningKey {
        SigningKey::from_seed(&[1; 32])
    }

    fn gateway(statement_key: VerifyingKey, custody_key: AgreementKey) -> GatewayView {
        GatewayView {
            account: ACCOUNT,
            organisation: "demo".parse().unwrap(),
            name: "gw1".parse().unwrap(),
            statement_key,
            custody_key,
            status: GatewayStatus::Active,
        }
    }

    fn block(number: u32) -> BlockRef {
        let hash = BlockHash([0; 32]);
        BlockRef { number, hash }
    }

    fn arguments(out: &Path) -> ReplaceKeys {
        ReplaceKeys {
            keys: Some("keys".into()),
            out: out.to_owned(),
        }
    }

    fn keys_in(directory: &Path) -> PublicFile {
        let found = keys_of_before(directory, ACCOUNT, Some(former().verifying_key()));
        found.unwrap().unwrap()
    }

    #[test]
    fn new_keys_are_found_by_the_next_run_and_readable_by_their_owner_only() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("keys-2");
        let none = keys_of_before(&directory, ACCOUNT, None).unwrap();
        assert!(none.is_none());
        let made = make_keys(&directory, ACCOUNT).unwrap();
        let found = keys_in(&directory);
        assert_eq!(
            (found.statement_key, found.custody_key),
            (made.statement_key, made.custody_key)
        );
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory), 0o700);
        for file in [STATEMENT, CUSTODY] {
            assert_eq!(mode(&directory.join(file)), 0o400, "{file}");
        }
        assert!(make_keys(&directory, ACCOUNT).is_err());
    }

    #[test]
    fn the_former_keys_are_not_taken_for_new_ones() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("keys");
        let made = make_keys(&directory, ACCOUNT).unwrap();
        let refused = keys_of_before(&directory, ACCOUNT, Some(made.statement_key));
        assert!(matches!(refused, Err(GatewayFailed::Usage(_))));
    }

    #[test]
    fn what_the_chain_has_already_is_not_submitted_again() {
        let place = tempfile::tempdir().unwrap();
        let arguments = arguments(&place.path().join("keys-2"));
        let keys = make_keys(&arguments.out, ACCOUNT).unwrap();
        let key = Some(former().verifying_key());
        let of = |gateway: &GatewayView, key| step(gateway, Some(&keys), key, &arguments);
        let before = gateway(former().verifying_key(), AgreementKey([2; 32]));
        assert_eq!(of(&before, key).unwrap(), Step::Submit);
        assert_eq!(of(&before, None).unwrap(), Step::Submit);
        let after = gateway(keys.statement_key, keys.custody_key);
        assert_eq!(of(&after, key).unwrap(), Step::Done);
        assert_eq!(of(&after, None).unwrap(), Step::Done);
        let another = gateway(VerifyingKey([7; 32]), AgreementKey([2; 32]));
        let refused = of(&another, key).unwrap_err();
        let said = refused.to_string();
        assert!(matches!(refused, GatewayFailed::OtherKey { .. }), "{said}");
        assert!(said.contains("keys-2") && said.contains("--keys"), "{said}");
        // Also before any keys are made.
        assert!(step(&another, None, key, &arguments).is_err());
        assert_eq!(
            step(&another, None, None, &arguments).unwrap(),
            Step::Submit
        );
    }

    #[test]
    fn an_account_that_may_not_replace_keys_is_told_before_any_are_made() {
        let refused = active(None, ACCOUNT).unwrap_err().to_string();
        assert!(refused.contains("--account-file"), "{refused}");
        let mut suspended = gateway(VerifyingKey([7; 32]), AgreementKey([2; 32]));
        suspended.status = GatewayStatus::Suspended;
        let refused = active(Some(suspended), ACCOUNT).unwrap_err().to_string();
        assert!(refused.contains("reinstate-gateway gw1"), "{refused}");
    }

    /// STM-11.
    #[test]
    fn the_certificate_is_the_former_keys_for_the_block_of_the_new_one_and_is_made_once() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("keys-2");
        let keys = make_keys(&directory, ACCOUNT).unwrap();
        let certify = |at, key: &SigningKey| certify(&directory, &keys, GENESIS, block(at), key);
        assert_eq!(certify(41, &former()).unwrap().serial, 41);
        let said = found(&directory.join(ANCHOR), &GENESIS, former().verifying_key());
        let certificate = AnchorCertificate {
            gateway: ACCOUNT,
            statement_key: keys.statement_key,
            serial: 41,
        };
        assert_eq!(said, Some(certificate));
        // A later run keeps it.
        assert_eq!(certify(50, &former()).unwrap().serial, 41);
        let another = certify(50, &SigningKey::from_seed(&[5; 32]));
        let refused = another.err().unwrap();
        assert!(
            matches!(refused, GatewayFailed::OtherCertificate { .. }),
            "{refused}"
        );
    }

    #[test]
    fn what_to_do_next_is_said_with_whole_paths() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("keys-2");
        let keys = make_keys(&directory, ACCOUNT).unwrap();
        let mut replaced = Replaced {
            gateway: "gw1".into(),
            keys,
            directory: directory.clone(),
            certificate: None,
            done: None,
        };
        let said = text(&replaced);
        assert!(said.contains("keyward ca certify-gateway"), "{said}");
        replaced.certificate = Some(Certificate {
            file: directory.join(ANCHOR),
            serial: 41,
        });
        let said = text(&replaced);
        let line = format!("anchor_file = \"{}/anchor.json\"", directory.display());
        assert!(said.contains(&line) && said.contains("serial 41"), "{said}");
        assert!(!said.contains("certify-gateway"), "{said}");
    }
}
