//! `keyward ca`: the certificate authority. Issuing and certifying work offline.

mod certify;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use keyward_crypto::{sign::sign_message, SigningKey};
use keyward_protocol::{
    provisioning::{EnrolmentRequest, Provisioning},
    registration::Voucher,
    topic::TopicFilter,
    wire::WireInvalid,
    AuthorityId, VerifyingKey,
};
use rand_core::OsRng;
use serde::{de::DeserializeOwned, Deserialize, Serialize};

use crate::{
    chain::{ChainFailed, Context},
    key_file::{self, SecretInvalid, WriteFailed},
    output::{fields, Failure},
    owner_file::OwnerFile,
};

/// The authority's secret, in its directory.
const KEY: &str = "authority.key";
/// What others may know of it.
const PUBLIC: &str = "authority.json";
/// Largest file that is read, in bytes.
const LONGEST: u64 = 64 * 1024;
/// Seconds of a day.
const DAY: u64 = 24 * 3600;

/// Vouches for devices.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the keys of a new authority
    #[command(after_help = "\
Writes authority.key (mode 0400; keep it offline) and authority.json (public: the council needs it).

  keyward ca init --id demo-ca --out ca
  keyward council admit-authority --organisation demo --authority ca/authority.json")]
    Init(Init),
    /// Vouch for a device, and write what it is provisioned with
    #[command(after_help = "\
The request comes from the device ('keyward-agent init'); the result goes back to it ('keyward-agent enrol').
Neither file is secret. The voucher works once, for this gateway, and until it expires.

  keyward ca issue --ca ca --request request.json --gateway gw1 --topic hsu0001 --out provisioning.json

Offline, the gateway comes from a file instead of the chain ('keyward gateway owner-file gw1 --out gw1.json'):

  keyward ca issue --ca ca --request request.json --owner-file gw1.json --days 7 --out provisioning.json")]
    Issue(Issue),
    /// Certify a gateway's new statement key, for devices that cannot follow it by the former one
    #[command(after_help = certify::HELP)]
    CertifyGateway(certify::CertifyGateway),
}

#[derive(Debug, Args)]
pub struct Init {
    /// Id of the authority, e.g. demo-ca
    #[arg(long)]
    id: AuthorityId,
    /// Directory for its files
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Debug, Args)]
pub struct Issue {
    /// Directory of the authority ('keyward ca init')
    #[arg(long, value_name = "DIR")]
    ca: PathBuf,
    /// The device's request
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// Gateway that is to own the device.
    #[command(flatten)]
    owner: Owner,
    /// Topic filter on which the device refuses plaintext from the first day; may be repeated
    #[arg(long = "topic", value_name = "FILTER")]
    topics: Vec<TopicFilter>,
    /// Days for which the voucher may be used
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=3650))]
    days: u64,
    /// Where to write what the device is provisioned with
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Which gateway.
#[derive(Debug, Args)]
pub struct Owner {
    /// The gateway: short name or account, looked up on chain
    #[arg(
        long,
        value_name = "NAME|ACCOUNT",
        required_unless_present = "owner_file"
    )]
    gateway: Option<String>,
    /// The gateway, from a file ('keyward gateway owner-file'): no node is asked
    #[arg(long, value_name = "FILE", conflicts_with = "gateway")]
    owner_file: Option<PathBuf>,
}

/// Why the authority did not do it.
#[derive(Debug, thiserror::Error)]
pub enum CaFailed {
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] WriteFailed),
    /// The authority's key cannot be used.
    #[error(transparent)]
    Key(#[from] SecretInvalid),
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{} is no {what}: {source}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// Why it is not.
        source: serde_json::Error,
    },
    /// Key and public file of the authority do not belong together.
    #[error("authority.key and authority.json in {} do not belong together; restore them from one backup", path.display())]
    Mixed {
        /// The directory.
        path: PathBuf,
    },
    /// The device's keys are of no use.
    #[error("the request of {device} has a key that is of small order or not canonical; run 'keyward-agent init' again")]
    WeakKey {
        /// The device.
        device: String,
    },
    /// The system's clock is before 1970.
    #[error("the system's clock is wrong; set it, or the voucher would expire at once")]
    Clock,
    /// What is to be signed breaks a rule of its format.
    #[error("the {what} cannot be written: {source}")]
    Format {
        /// Voucher or certificate.
        what: &'static str,
        /// Which rule.
        source: WireInvalid,
    },
    /// The owner file is of a former version.
    #[error("{} does not say when the gateway had its statement key, so that devices could be taken back to an older one; write it again with 'keyward gateway owner-file'", path.display())]
    NoSerial {
        /// Which.
        path: PathBuf,
    },
    /// The gateway could not be looked up.
    #[error(transparent)]
    Chain(#[from] ChainFailed),
}

impl Failure for CaFailed {}

/// What others may know of an authority: `authority.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityFile {
    /// Its id.
    pub authority: AuthorityId,
    /// The key that it signs vouchers with.
    pub key: VerifyingKey,
}

#[derive(Serialize)]
struct Issued {
    device: String,
    key_version: u32,
    gateway: String,
    authority: String,
    not_after: u64,
    provisioning: PathBuf,
}

/// Runs the command.
pub async fn run(command: Command, context: &Context) -> Result<(), CaFailed> {
    match command {
        Command::Init(init) => {
            let public = initialise(&init.id, &init.out)?;
            context
                .output
                .show(&public, |public| initialised(public, &init.out));
        }
        Command::Issue(arguments) => {
            let owner = arguments.owner.find(context).await?;
            let issued = issue(&arguments, owner)?;
            context.output.show(&issued, issued_text);
        }
        Command::CertifyGateway(arguments) => certify::run(&arguments, context).await?,
    }
    Ok(())
}

/// Makes the keys of a new authority, and writes them.
pub fn initialise(id: &AuthorityId, directory: &Path) -> Result<AuthorityFile, CaFailed> {
    let key = SigningKey::generate(&mut OsRng);
    let public = AuthorityFile {
        authority: id.clone(),
        key: key.verifying_key(),
    };
    key_file::make_directory(directory)?;
    key_file::write_secret(&directory.join(KEY), &key.expose_seed())?;
    key_file::write_public(&directory.join(PUBLIC), &public)?;
    Ok(public)
}

fn initialised(public: &AuthorityFile, directory: &Path) -> String {
    format!(
        "{}\nNext, the council admits it:\n  keyward --account-file COUNCIL.key council admit-authority --organisation ORG --authority {}\n",
        fields([
            ("authority", public.authority.to_string()),
            ("key", public.key.to_string()),
            ("files", directory.display().to_string()),
        ]),
        directory.join(PUBLIC).display()
    )
}

impl Owner {
    /// Looks it up on chain, or reads the file.
    async fn find(&self, context: &Context) -> Result<OwnerFile, CaFailed> {
        match &self.gateway {
            Some(name) => Ok(OwnerFile::look_up(name, context).await?),
            None => read_owner_file(&self.owner_file.clone().unwrap_or_default()),
        }
    }
}

/// Reads what `keyward gateway owner-file` wrote, with the block at which it was so.
fn read_owner_file(path: &Path) -> Result<OwnerFile, CaFailed> {
    let owner: OwnerFile = read(path, "owner file ('keyward gateway owner-file')")?;
    match owner.gateway.anchor_serial {
        Some(_) => Ok(owner),
        None => Err(CaFailed::NoSerial {
            path: path.to_owned(),
        }),
    }
}

fn issue(arguments: &Issue, owner: OwnerFile) -> Result<Issued, CaFailed> {
    let (authority, key) = authority(&arguments.ca)?;
    let request: EnrolmentRequest = read(&arguments.request, "enrolment request")?;
    if !request.signing_key.is_acceptable() || !request.agreement_key.is_acceptable() {
        return Err(CaFailed::WeakKey {
            device: request.device.to_string(),
        });
    }
    let not_after = now()?.saturating_add(arguments.days.saturating_mul(DAY));
    let provisioning = provision(
        &authority,
        &key,
        request.clone(),
        owner,
        not_after,
        &arguments.topics,
    )?;
    key_file::write_public(&arguments.out, &provisioning)?;
    Ok(Issued {
        device: request.device.to_string(),
        key_version: request.key_version,
        gateway: provisioning.gateway.name.to_string(),
        authority: authority.authority.to_string(),
        not_after,
        provisioning: arguments.out.clone(),
    })
}

/// Signs a voucher (REG-1), and puts what the device trusts around it (PRV-1).
fn provision(
    authority: &AuthorityFile,
    key: &SigningKey,
    request: EnrolmentRequest,
    owner: OwnerFile,
    not_after: u64,
    topics: &[TopicFilter],
) -> Result<Provisioning, CaFailed> {
    let voucher = Voucher {
        authority: authority.authority.clone(),
        device: request.device.clone(),
        gateway: owner.gateway.account,
        signing_key: request.signing_key,
        agreement_key: request.agreement_key,
        key_version: request.key_version,
        not_after,
    };
    let signed = sign_message(owner.genesis, voucher, key).map_err(|source| CaFailed::Format {
        what: "voucher",
        source,
    })?;
    Ok(Provisioning {
        device: request.device,
        genesis: owner.genesis,
        authority_key: authority.key,
        gateway: owner.gateway,
        voucher: hex::encode(signed.to_wire()),
        protected_topics: topics.to_vec(),
    })
}

/// Reads the authority's directory; its two files must belong together.
fn authority(directory: &Path) -> Result<(AuthorityFile, SigningKey), CaFailed> {
    let public: AuthorityFile = read(&directory.join(PUBLIC), "authority file")?;
    let key = SigningKey::from_seed(&*key_file::read_secret(&directory.join(KEY))?);
    match key.verifying_key() == public.key {
        true => Ok((public, key)),
        false => Err(CaFailed::Mixed {
            path: directory.to_owned(),
        }),
    }
}

/// Reads the file that `keyward ca init` wrote for the council.
pub fn read_authority_file(path: &Path) -> Result<AuthorityFile, CaFailed> {
    read(path, "authority file ('keyward ca init')")
}

fn read<T: DeserializeOwned>(path: &Path, what: &'static str) -> Result<T, CaFailed> {
    let text = read_text(path).map_err(|source| CaFailed::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_str(&text).map_err(|source| CaFailed::Content {
        path: path.to_owned(),
        what,
        source,
    })
}

/// Reads a file of reasonable size.
pub fn read_text(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(LONGEST)
        .read_to_string(&mut text)?;
    Ok(text)
}

fn now() -> Result<u64, CaFailed> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since
        .map(|since| since.as_secs())
        .map_err(|_| CaFailed::Clock)
}

fn issued_text(issued: &Issued) -> String {
    format!(
        "{}\nNext, on the device:\n  keyward-agent --store DIR enrol --provisioning {} --broker mqtt://HOST:1883\n",
        fields([
            ("device", format!("{} (key version {})", issued.device, issued.key_version)),
            ("gateway", issued.gateway.clone()),
            ("authority", issued.authority.clone()),
            ("provisioning", issued.provisioning.display().to_string()),
        ]),
        issued.provisioning.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_crypto::{sign::verify, AgreementSecret};
    use keyward_protocol::{provisioning::OwnerGateway, signing::Unverified, AccountId, Genesis};

    const GENESIS: Genesis = Genesis([3; 32]);

    /// The voucher of a provisioning, if it is what the authority signed.
    fn voucher_of(provisioning: &Provisioning) -> Option<Voucher> {
        let wire = hex::decode(&provisioning.voucher).ok()?;
        let unverified = Unverified::<Voucher>::from_wire(&wire).ok()?;
        let key = &provisioning.authority_key;
        let signed = verify(unverified, &provisioning.genesis, key).ok()?;
        Some(signed.into_body())
    }

    fn request(directory: &Path) -> PathBuf {
        let request = EnrolmentRequest {
            device: "1111".parse().unwrap(),
            key_version: 1,
            signing_key: SigningKey::from_seed(&[5; 32]).verifying_key(),
            agreement_key: AgreementSecret::from_bytes(&[6; 32]).public(),
        };
        let path = directory.join("request.json");
        std::fs::write(&path, serde_json::to_string(&request).unwrap()).unwrap();
        path
    }

    fn owner_file() -> OwnerFile {
        OwnerFile {
            genesis: GENESIS,
            gateway: OwnerGateway {
                account: AccountId([9; 32]),
                name: "gw1".parse().unwrap(),
                statement_key: VerifyingKey([8; 32]),
                anchor_serial: Some(7),
            },
        }
    }

    fn arguments(directory: &Path) -> Issue {
        Issue {
            ca: directory.join("ca"),
            request: request(directory),
            owner: Owner {
                gateway: None,
                owner_file: None,
            },
            topics: vec!["hsu0001".parse().unwrap()],
            days: 7,
            out: directory.join("provisioning.json"),
        }
    }

    #[test]
    fn a_voucher_is_verified_with_the_authoritys_key_and_names_device_and_gateway() {
        let dir = tempfile::tempdir().unwrap();
        let public = initialise(&"demo-ca".parse().unwrap(), &dir.path().join("ca")).unwrap();
        let arguments = arguments(dir.path());
        issue(&arguments, owner_file()).unwrap();
        let provisioning: Provisioning = read(&arguments.out, "provisioning").unwrap();
        assert_eq!(
            (provisioning.authority_key, provisioning.genesis),
            (public.key, GENESIS)
        );
        assert_eq!(provisioning.gateway.anchor_serial, Some(7));
        let voucher = voucher_of(&provisioning).unwrap();
        assert_eq!(voucher.authority.as_str(), "demo-ca");
        assert_eq!(
            (voucher.device.as_str(), voucher.gateway),
            ("1111", AccountId([9; 32]))
        );
        let week = now().unwrap() + 7 * DAY;
        assert!((week - 60..=week).contains(&voucher.not_after));
    }

    #[test]
    fn a_voucher_does_not_verify_for_another_chain_or_with_another_key() {
        let dir = tempfile::tempdir().unwrap();
        initialise(&"demo-ca".parse().unwrap(), &dir.path().join("ca")).unwrap();
        let arguments = arguments(dir.path());
        issue(&arguments, owner_file()).unwrap();
        let mut provisioning: Provisioning = read(&arguments.out, "provisioning").unwrap();
        provisioning.genesis = Genesis([4; 32]);
        assert!(voucher_of(&provisioning).is_none());
        provisioning.genesis = GENESIS;
        provisioning.authority_key = SigningKey::from_seed(&[1; 32]).verifying_key();
        assert!(voucher_of(&provisioning).is_none());
    }

    /// STM-11.
    #[test]
    fn an_owner_file_that_does_not_say_when_it_was_so_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gw1.json");
        let mut owner = owner_file();
        std::fs::write(&path, serde_json::to_string(&owner).unwrap()).unwrap();
        assert_eq!(
            read_owner_file(&path).unwrap().gateway.anchor_serial,
            Some(7)
        );
        owner.gateway.anchor_serial = None;
        std::fs::write(&path, serde_json::to_string(&owner).unwrap()).unwrap();
        let refused = read_owner_file(&path).unwrap_err();
        assert!(matches!(refused, CaFailed::NoSerial { .. }), "{refused}");
    }

    #[test]
    fn an_authority_is_not_initialised_twice() {
        let dir = tempfile::tempdir().unwrap();
        let id: AuthorityId = "demo-ca".parse().unwrap();
        let first = initialise(&id, dir.path()).unwrap();
        assert!(matches!(
            initialise(&id, dir.path()),
            Err(CaFailed::Write(WriteFailed::Exists { .. }))
        ));
        assert_eq!(authority(dir.path()).unwrap().0.key, first.key);
    }

    #[test]
    fn the_files_of_two_authorities_are_not_mixed() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        initialise(&"ca".parse().unwrap(), &a).unwrap();
        initialise(&"ca".parse().unwrap(), &b).unwrap();
        std::fs::copy(b.join(PUBLIC), a.join(PUBLIC)).unwrap();
        assert!(matches!(authority(&a), Err(CaFailed::Mixed { .. })));
    }

    /// REG-5, PRV-1.
    #[test]
    fn a_request_with_a_weak_key_or_unknown_fields_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        initialise(&"demo-ca".parse().unwrap(), &dir.path().join("ca")).unwrap();
        let arguments = arguments(dir.path());
        let good = std::fs::read_to_string(&arguments.request).unwrap();
        let mut weak: serde_json::Value = serde_json::from_str(&good).unwrap();
        weak["agreement_key"] = "00".repeat(32).into();
        std::fs::write(&arguments.request, weak.to_string()).unwrap();
        assert!(matches!(
            issue(&arguments, owner_file()),
            Err(CaFailed::WeakKey { .. })
        ));
        std::fs::write(
            &arguments.request,
            good.replacen('{', "{\"admin\": true,", 1),
        )
        .unwrap();
        assert!(matches!(
            issue(&arguments, owner_file()),
            Err(CaFailed::Content { .. })
        ));
        assert!(!arguments.out.exists());
    }
}
