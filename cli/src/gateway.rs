//! `keyward gateway`.

mod replace_keys;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use keyward_chain_client::{account_to_ss58, Signer, SignerInvalid};
use keyward_crypto::{AgreementSecret, SigningKey};
use keyward_protocol::{
    view::GatewayView, wire::WireInvalid, AccountId, AgreementKey, VerifyingKey,
};
use rand_core::{OsRng, RngCore};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    chain::{ChainFailed, Context},
    key_file::{self, SecretInvalid, WriteFailed},
    output::{fields, name, table, Failure, UsageInvalid},
    owner_file::OwnerFile,
};

/// The secret that signs what devices are told, in a gateway's directory.
const STATEMENT: &str = "statement.key";
/// The secret that receives epoch secrets of co-custodians.
const CUSTODY: &str = "custody.key";
/// What others may know of them.
const PUBLIC: &str = "public.json";

/// Gateways: a node, a broker and a bridge.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the gateways on chain
    #[command(after_help = "Examples:\n  keyward gateway list\n  keyward gateway list --json")]
    List,
    /// Make the keys of a new gateway
    #[command(after_help = "\
Writes four secrets, each with mode 0400: account.key (signs transactions), statement.key (signs what devices are
told), custody.key (receives epoch secrets of co-custodians) and store.key (wraps secrets at rest); and public.json
for the council.

  keyward gateway init --out gw1
  keyward council admit-gateway gw1 --organisation demo --public gw1/public.json")]
    Init {
        /// Directory for the files
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Give your gateway another statement key and custody key: make them, and have the chain take them
    #[command(after_help = replace_keys::HELP)]
    ReplaceKeys(replace_keys::ReplaceKeys),
    /// Write what a certificate authority without a node needs of a gateway
    #[command(after_help = "\
It says at which block the gateway had its statement key: write it again when that key was replaced.

  keyward gateway owner-file gw1 --out gw1.json")]
    OwnerFile {
        /// The gateway: short name or account
        #[arg(value_name = "NAME|ACCOUNT")]
        gateway: String,
        /// Where to write it
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Why a gateway's keys were not made, replaced or shown.
#[derive(Debug, thiserror::Error)]
pub enum GatewayFailed {
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] WriteFailed),
    /// The chain could not be asked.
    #[error(transparent)]
    Chain(#[from] ChainFailed),
    /// The new account could not be derived.
    #[error(transparent)]
    Signer(#[from] SignerInvalid),
    /// A key file cannot be used.
    #[error(transparent)]
    Key(#[from] SecretInvalid),
    /// The command line does not make sense.
    #[error(transparent)]
    Usage(#[from] UsageInvalid),
    /// The account is no gateway's.
    #[error("{address} is the account of no gateway on chain; sign with the gateway's own, --account-file DIR/account.key")]
    NoGateway {
        /// The account.
        address: String,
    },
    /// The gateway may do nothing now.
    #[error("gateway {gateway} is {status}, and may not replace its keys; ask the council: 'keyward council propose reinstate-gateway {gateway}'")]
    NotActive {
        /// Its short name.
        gateway: String,
        /// Suspended or expelled.
        status: String,
    },
    /// The chain has other keys than those that were named.
    #[error("the statement key on chain is {on_chain}, which is neither in {} nor in {}; name the directory of the present keys with --keys, or leave it out when they are lost", keys.display(), out.display())]
    OtherKey {
        /// The key on chain.
        on_chain: VerifyingKey,
        /// Where the present keys should be.
        keys: PathBuf,
        /// Where the new ones are.
        out: PathBuf,
    },
    /// The certificate breaks a rule of its format.
    #[error("the certificate cannot be written: {0}")]
    Format(#[from] WireInvalid),
    /// The certificate that is there is another.
    #[error("{} does not certify the keys beside it by the key of --keys; move it away and run this again", path.display())]
    OtherCertificate {
        /// Which.
        path: PathBuf,
    },
}

impl Failure for GatewayFailed {
    fn is_usage(&self) -> bool {
        match self {
            Self::Usage(_) => true,
            Self::Chain(error) => error.is_usage(),
            _ => false,
        }
    }
}

/// What others may know of a gateway's keys: `public.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicFile {
    /// Its account.
    pub account: AccountId,
    /// The account as an SS58 address.
    pub address: String,
    /// The key that it signs statements with.
    pub statement_key: VerifyingKey,
    /// The key that other custodians seal secrets to.
    pub custody_key: AgreementKey,
}

impl PublicFile {
    fn new(account: AccountId, statement: &SigningKey, custody: &AgreementSecret) -> Self {
        Self {
            account,
            address: account_to_ss58(&account),
            statement_key: statement.verifying_key(),
            custody_key: custody.public(),
        }
    }
}

/// Runs the command.
pub async fn run(command: Command, context: &Context) -> Result<(), GatewayFailed> {
    match command {
        Command::List => {
            let (_, view) = context.view().await?;
            let gateways = view.gateways().await.map_err(ChainFailed::from)?;
            context
                .output
                .show(&gateways, |gateways| list_text(gateways));
        }
        Command::Init { out } => {
            let public = initialise(&out)?;
            context
                .output
                .show(&public, |public| initialised(public, &out));
        }
        Command::ReplaceKeys(arguments) => replace_keys::run(&arguments, context).await?,
        Command::OwnerFile { gateway, out } => {
            let owner = OwnerFile::look_up(&gateway, context).await?;
            key_file::write_public(&out, &owner)?;
            context.output.show(&owner, |owner| {
                format!("wrote {} of {}", out.display(), owner.gateway.name)
            });
        }
    }
    Ok(())
}

fn list_text(gateways: &[GatewayView]) -> String {
    let row = |gateway: &GatewayView| {
        [
            gateway.name.to_string(),
            gateway.organisation.to_string(),
            name(&gateway.status),
            account_to_ss58(&gateway.account),
            gateway.statement_key.to_string(),
        ]
    };
    table(
        [
            "gateway",
            "organisation",
            "status",
            "account",
            "statement key",
        ],
        gateways.iter().map(row),
    )
}

/// Makes the keys of a new gateway, and writes them.
pub fn initialise(directory: &Path) -> Result<PublicFile, GatewayFailed> {
    let account = seed();
    let statement = SigningKey::generate(&mut OsRng);
    let custody = AgreementSecret::generate(&mut OsRng);
    let suri = Zeroizing::new(format!("0x{}", &*Zeroizing::new(hex::encode(*account))));
    let signer = Signer::from_suri(&suri)?;
    key_file::make_directory(directory)?;
    key_file::write_secret(&directory.join("account.key"), &account)?;
    key_file::write_secret(&directory.join(STATEMENT), &statement.expose_seed())?;
    key_file::write_secret(&directory.join(CUSTODY), custody.expose())?;
    key_file::write_secret(&directory.join("store.key"), &seed())?;
    let public = PublicFile::new(signer.account(), &statement, &custody);
    key_file::write_public(&directory.join(PUBLIC), &public)?;
    Ok(public)
}

/// 32 bytes from the operating system's generator.
pub fn seed() -> Zeroizing<[u8; 32]> {
    let mut seed = Zeroizing::new([0; 32]);
    OsRng.fill_bytes(&mut *seed);
    seed
}

fn initialised(public: &PublicFile, directory: &Path) -> String {
    format!(
        "{}\nNext, the council admits it:\n  keyward --account-file COUNCIL.key council admit-gateway NAME --organisation ORG --public {}\n",
        fields([
            ("account", public.address.clone()),
            ("statement key", public.statement_key.to_string()),
            ("custody key", public.custody_key.to_string()),
            ("files", directory.display().to_string()),
        ]),
        directory.join("public.json").display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_keys_of_a_gateway_are_its_own_and_readable_by_their_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let public = initialise(dir.path()).unwrap();
        let secret = |file: &str| key_file::read_secret(&dir.path().join(file)).unwrap();
        let signer = Signer::from_file(&dir.path().join("account.key")).unwrap();
        assert_eq!(signer.account(), public.account);
        assert_eq!(
            SigningKey::from_seed(&secret("statement.key")).verifying_key(),
            public.statement_key
        );
        assert_eq!(
            AgreementSecret::from_bytes(&secret("custody.key")).public(),
            public.custody_key
        );
        let files = ["account.key", "statement.key", "custody.key", "store.key"];
        for file in files {
            let mode = std::fs::metadata(dir.path().join(file))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o400, "{file}");
        }
        let mut secrets = files.map(secret).map(|secret| *secret);
        secrets.sort();
        assert!(secrets.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn the_public_file_holds_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        initialise(dir.path()).unwrap();
        let public = std::fs::read_to_string(dir.path().join("public.json")).unwrap();
        for file in ["account.key", "statement.key", "custody.key", "store.key"] {
            let secret = key_file::read_secret(&dir.path().join(file)).unwrap();
            assert!(!public.contains(&hex::encode(*secret)), "{file}");
        }
    }
}
