//! The secrets that a configuration names, and what goes with them: read once. No secret is ever shown.

use std::{
    fmt,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use keyward_chain_client::{account_to_ss58, read_key_file, KeyFileInvalid, Signer, SignerInvalid};
use keyward_crypto::{AgreementSecret, SigningKey, WrappingKey};
use keyward_protocol::{provisioning::AnchorFile, signing::Unverified};
use zeroize::Zeroizing;

use super::{Config, ConfigInvalid, Encryption, StoreKey};
use crate::relay::GivenAnchor;

/// Where systemd puts a service's credentials.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// Longest PEM file, in bytes.
const LONGEST_PEM: u64 = 256 * 1024;
/// Longest file with an anchor certificate, in bytes.
const LONGEST_ANCHOR: u64 = 8 * 1024;

/// PEM texts of a client's certificate and of its key.
pub type ClientPem = (Vec<u8>, Zeroizing<Vec<u8>>);

/// All secrets, and the certificates that go with them.
pub struct Keys {
    /// Signs transactions.
    pub account: Signer,
    /// Signs statements.
    pub statement: SigningKey,
    /// Receives epoch secrets of co-custodians.
    pub custody: AgreementSecret,
    /// Certifies the statement key for devices that know a former one.
    pub anchor: Option<GivenAnchor>,
    /// Wraps secrets in the journal.
    pub store: WrappingKey,
    /// The password at the broker.
    pub password: Option<Zeroizing<String>>,
    /// PEM of the authorities that may vouch for the broker.
    pub ca: Option<Vec<u8>>,
    /// The client's certificate at the broker.
    pub client: Option<ClientPem>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys(of {})", self.account.account())
    }
}

impl Keys {
    /// Reads everything that a configuration names.
    ///
    /// # Errors
    /// When a file cannot be read, may be used by others, or does not hold what it should.
    pub fn load(config: &Config) -> Result<Self, ConfigInvalid> {
        let reader = Reader { config };
        let (ca, client) = reader.certificates()?;
        let account = reader.account()?;
        let statement = SigningKey::from_seed(
            &*reader.seed("gateway.statement_key_file", &config.statement_key_file)?,
        );
        Ok(Self {
            anchor: reader.anchor(&account, &statement)?,
            account,
            statement,
            custody: AgreementSecret::from_bytes(
                &*reader.seed("gateway.custody_key_file", &config.custody_key_file)?,
            ),
            store: reader.store()?,
            password: reader.password()?,
            ca,
            client,
        })
    }

    /// The account as people write it.
    pub fn address(&self) -> String {
        account_to_ss58(&self.account.account())
    }
}

struct Reader<'a> {
    config: &'a Config,
}

impl Reader<'_> {
    fn invalid(&self, key: &'static str, problem: String) -> ConfigInvalid {
        ConfigInvalid::Value {
            path: self.config.path.clone(),
            key,
            problem,
        }
    }

    fn unusable(&self, key: &'static str) -> impl Fn(KeyFileInvalid) -> ConfigInvalid + '_ {
        move |source| ConfigInvalid::KeyFile {
            path: self.config.path.clone(),
            key,
            source,
        }
    }

    fn account(&self) -> Result<Signer, ConfigInvalid> {
        match Signer::from_file(&self.config.account_key_file) {
            Ok(signer) => Ok(signer),
            Err(SignerInvalid::File(source)) => {
                Err(self.unusable("chain.account_key_file")(source))
            }
            Err(source) => Err(ConfigInvalid::Account {
                path: self.config.path.clone(),
                source,
            }),
        }
    }

    fn seed(&self, key: &'static str, path: &Path) -> Result<Zeroizing<[u8; 32]>, ConfigInvalid> {
        let line = read_key_file(path).map_err(self.unusable(key))?;
        self.decode(key, path, &line)
    }

    fn decode(
        &self,
        key: &'static str,
        path: &Path,
        line: &str,
    ) -> Result<Zeroizing<[u8; 32]>, ConfigInvalid> {
        let mut seed = Zeroizing::new([0; 32]);
        let digits = line.strip_prefix("0x").unwrap_or(line);
        match hex::decode_to_slice(digits, &mut *seed) {
            Ok(()) => Ok(seed),
            Err(_) => Err(self.invalid(
                key,
                format!(
                    "{} does not hold 0x and 64 hexadecimal digits; 'keyward gateway init' makes one",
                    path.display()
                ),
            )),
        }
    }

    /// What tells the statement key to devices (STM-11). For which chain it is, and who signed it, the relay looks at.
    fn anchor(
        &self,
        account: &Signer,
        statement: &SigningKey,
    ) -> Result<Option<GivenAnchor>, ConfigInvalid> {
        let Some(path) = &self.config.anchor_file else {
            return Ok(None);
        };
        let invalid = |problem: String| self.invalid("gateway.anchor_file", problem);
        let shown = path.display();
        let given = read_anchor(path).map_err(|problem| {
            invalid(format!(
                "{shown} is no anchor certificate: {problem}; 'keyward gateway replace-keys' writes one"
            ))
        })?;
        let (told, ours) = (given.certificate.claims(), statement.verifying_key());
        if told.gateway != account.account() {
            let problem = format!(
                "{shown} is for another gateway, with account {}",
                told.gateway
            );
            return Err(invalid(problem));
        }
        if told.statement_key != ours {
            return Err(invalid(format!(
                "{shown} tells statement key {}, and that of gateway.statement_key_file is {ours}; name the file that was written for this key, or none",
                told.statement_key
            )));
        }
        Ok(Some(given))
    }

    fn store(&self) -> Result<WrappingKey, ConfigInvalid> {
        let seed = match &self.config.store_key {
            StoreKey::File(path) => self.seed("store.key_file", path)?,
            StoreKey::Credential(name) => {
                let directory = std::env::var_os(CREDENTIALS).map(PathBuf::from);
                self.credential(name, directory)?
            }
        };
        Ok(WrappingKey::from_bytes(&seed))
    }

    /// systemd guards the directory, with access lists that show as permissions of a group: they are not checked.
    fn credential(
        &self,
        name: &str,
        directory: Option<PathBuf>,
    ) -> Result<Zeroizing<[u8; 32]>, ConfigInvalid> {
        let key = "store.credential";
        let directory = directory.ok_or_else(|| {
            let problem = format!("{CREDENTIALS} is not set; start with systemd and LoadCredential={name}:FILE, or use store.key_file");
            self.invalid(key, problem)
        })?;
        let path = directory.join(name);
        let text = std::fs::read_to_string(&path).map(Zeroizing::new);
        let text = text.map_err(|error| {
            let problem = format!(
                "cannot read {}: {error}; is LoadCredential={name}:FILE in the unit?",
                path.display()
            );
            self.invalid(key, problem)
        })?;
        self.decode(key, &path, text.trim())
    }

    fn password(&self) -> Result<Option<Zeroizing<String>>, ConfigInvalid> {
        let path = self.config.password_file.as_deref();
        path.map(|path| read_key_file(path).map_err(self.unusable("mqtt.password_file")))
            .transpose()
    }

    fn certificates(&self) -> Result<(Option<Vec<u8>>, Option<ClientPem>), ConfigInvalid> {
        let Encryption::Tls { ca_file, client } = &self.config.broker.encryption else {
            return Ok((None, None));
        };
        let certificate = |key, path: &PathBuf| self.pem(key, path, "-----BEGIN CERTIFICATE-----");
        let ca = ca_file
            .as_ref()
            .map(|path| certificate("mqtt.ca_file", path))
            .transpose()?;
        let client = client.as_ref().map(|(cert, key)| {
            refuse_loose(key).map_err(self.unusable("mqtt.key_file"))?;
            let cert = certificate("mqtt.cert_file", cert)?;
            let key = self.pem("mqtt.key_file", key, "PRIVATE KEY-----")?;
            Ok((cert, Zeroizing::new(key)))
        });
        Ok((ca, client.transpose()?))
    }

    fn pem(&self, key: &'static str, path: &Path, mark: &str) -> Result<Vec<u8>, ConfigInvalid> {
        let unreadable = |source| {
            let path = path.to_owned();
            self.unusable(key)(KeyFileInvalid::Unreadable { path, source })
        };
        let length = std::fs::metadata(path).map_err(unreadable)?.len();
        let text = match length > LONGEST_PEM {
            true => String::new(),
            false => std::fs::read_to_string(path).map_err(unreadable)?,
        };
        match text.contains(mark) {
            true => Ok(text.into_bytes()),
            false => Err(self.invalid(
                key,
                format!("{} holds no PEM with '{mark}'", path.display()),
            )),
        }
    }
}

fn read_anchor(path: &Path) -> Result<GivenAnchor, String> {
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let read = file.take(LONGEST_ANCHOR).read_to_string(&mut text);
    read.map_err(|error| error.to_string())?;
    let file: AnchorFile = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let wire = hex::decode(&file.certificate).map_err(|error| error.to_string())?;
    let certificate = Unverified::from_wire(&wire).map_err(|error| error.to_string())?;
    Ok(GivenAnchor {
        signer: file.signer,
        certificate,
    })
}

fn refuse_loose(path: &Path) -> Result<(), KeyFileInvalid> {
    let unreadable = |source| KeyFileInvalid::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mode = std::fs::metadata(path)
        .map_err(unreadable)?
        .permissions()
        .mode()
        & 0o7777;
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(KeyFileInvalid::Loose {
            path: path.to_owned(),
            mode,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_read_from_where_systemd_puts_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bridge.toml");
        let text = crate::args::example()
            .replace("key_file = \"keys/store.key\"", "credential = \"store\"");
        std::fs::write(&path, text).unwrap();
        let config = Config::load(&path).unwrap();
        assert_eq!(config.store_key, StoreKey::Credential("store".into()));
        let reader = Reader { config: &config };
        std::fs::write(
            directory.path().join("store"),
            format!("0x{}\n", "2a".repeat(32)),
        )
        .unwrap();
        let seed = reader.credential("store", Some(directory.path().to_owned()));
        assert_eq!(*seed.unwrap(), [0x2a; 32]);
        let missing = reader.credential("other", Some(directory.path().to_owned()));
        let said = missing.unwrap_err().to_string();
        assert!(said.contains("LoadCredential=other:FILE"), "{said}");
    }
}
