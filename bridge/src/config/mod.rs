//! The configuration file: TOML, every key known, every error with file, key and what to do.
//!
//! ```toml
//! [chain]
//! url = "ws://127.0.0.1:9944"               # the gateway's own node
//! account_key_file = "keys/account.key"     # as `keyward gateway init` writes them
//!
//! [gateway]
//! statement_key_file = "keys/statement.key"
//! custody_key_file = "keys/custody.key"
//! anchor_file = "keys-2/anchor.json"        # optional: when the keys were replaced, as `keyward gateway replace-keys` says
//!
//! [mqtt]
//! url = "mqtt://127.0.0.1:1883"             # or mqtts://, which is always encrypted
//! client_id = "gw1"
//! username = "gw1"                          # optional, with password_file
//! password_file = "mqtt.password"
//! ca_file = "ca.pem"                        # optional, mqtts only: instead of the system's authorities
//! cert_file = "gw1.pem"                     # optional, mqtts only: client certificate …
//! key_file = "gw1.key"                      # … and its key
//! prefix = "keyward/v1"                     # optional
//!
//! [store]
//! path = "/var/lib/keyward/journal.sqlite"
//! key_file = "keys/store.key"               # or credential = "store", from systemd's LoadCredential=
//!
//! [admin]
//! listen = "127.0.0.1:9616"                 # loopback only
//! ```
//!
//! Relative paths are relative to the directory of the file.

mod broker;
mod keys;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use keyward_chain_client::{KeyFileInvalid, SignerInvalid};
use keyward_protocol::topic;
use serde::Deserialize;

pub use broker::{BrokerAddress, Encryption};
pub use keys::{ClientPem, Keys};

/// Why a configuration is not used. No retry helps.
#[derive(Debug, thiserror::Error)]
pub enum ConfigInvalid {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}; name it with --config", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML, or a key is unknown, missing or of another type. The line itself is not repeated: somebody may
    /// have written a secret there.
    #[error("{}{}: {problem}", path.display(), line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// The line, from 1 on.
        line: Option<usize>,
        /// What is wrong.
        problem: String,
    },
    /// A value makes no sense.
    #[error("{}: {key}: {problem}", path.display())]
    Value {
        /// Which file.
        path: PathBuf,
        /// Which key, e.g. `mqtt.url`.
        key: &'static str,
        /// What is wrong, and what to write instead.
        problem: String,
    },
    /// A key file cannot be used.
    #[error("{}: {key}: {source}", path.display())]
    KeyFile {
        /// Which configuration.
        path: PathBuf,
        /// Which key of it.
        key: &'static str,
        /// Why.
        source: KeyFileInvalid,
    },
    /// The account's key cannot be used.
    #[error("{}: chain.account_key_file: {source}; 'keyward gateway init' makes one", path.display())]
    Account {
        /// Which configuration.
        path: PathBuf,
        /// Why.
        source: SignerInvalid,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    chain: ChainSection,
    gateway: GatewaySection,
    mqtt: MqttSection,
    store: StoreSection,
    admin: AdminSection,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChainSection {
    url: String,
    account_key_file: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GatewaySection {
    statement_key_file: PathBuf,
    custody_key_file: PathBuf,
    anchor_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MqttSection {
    url: String,
    client_id: String,
    username: Option<String>,
    password_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    #[serde(default = "default_prefix")]
    prefix: String,
}

fn default_prefix() -> String {
    topic::PREFIX.to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoreSection {
    path: PathBuf,
    key_file: Option<PathBuf>,
    credential: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdminSection {
    listen: SocketAddr,
}

/// Where the key of the journal is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKey {
    /// In a key file.
    File(PathBuf),
    /// In the directory that systemd gives the service for its `LoadCredential=`.
    Credential(String),
}

/// A configuration that makes sense. It holds no secret, only where secrets are.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file that it was read from.
    pub path: PathBuf,
    /// WebSocket address of the node.
    pub chain_url: String,
    /// Signs transactions.
    pub account_key_file: PathBuf,
    /// Signs statements.
    pub statement_key_file: PathBuf,
    /// Receives epoch secrets of co-custodians.
    pub custody_key_file: PathBuf,
    /// Tells devices the statement key that they do not know yet.
    pub anchor_file: Option<PathBuf>,
    /// Where the broker is.
    pub broker: BrokerAddress,
    /// MQTT client id.
    pub client_id: String,
    /// MQTT user name.
    pub username: Option<String>,
    /// File with its password.
    pub password_file: Option<PathBuf>,
    /// Prefix of all control topics.
    pub prefix: String,
    /// The journal.
    pub store_path: PathBuf,
    /// Its key.
    pub store_key: StoreKey,
    /// Where the admin pages are.
    pub listen: SocketAddr,
}

impl Config {
    /// Reads a configuration and checks it; reads no key.
    ///
    /// # Errors
    /// When the file cannot be read, or something in it makes no sense.
    pub fn load(path: &Path) -> Result<Self, ConfigInvalid> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigInvalid::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let file: File = toml::from_str(&text).map_err(|error| ConfigInvalid::Syntax {
            path: path.to_owned(),
            line: error.span().map(|span| line_of(&text, span.start)),
            problem: error.message().to_owned(),
        })?;
        Checker { path }.check(file)
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    before.filter(|byte| **byte == b'\n').count() + 1
}

/// Turns a file's content into a configuration.
struct Checker<'a> {
    path: &'a Path,
}

impl Checker<'_> {
    fn invalid(&self, key: &'static str, problem: impl Into<String>) -> ConfigInvalid {
        ConfigInvalid::Value {
            path: self.path.to_owned(),
            key,
            problem: problem.into(),
        }
    }

    fn check(&self, file: File) -> Result<Config, ConfigInvalid> {
        self.check_chain_url(&file.chain.url)?;
        self.check_mqtt(&file.mqtt)?;
        self.check_listen(file.admin.listen)?;
        Ok(Config {
            path: self.path.to_owned(),
            chain_url: file.chain.url,
            account_key_file: self.resolve(file.chain.account_key_file),
            statement_key_file: self.resolve(file.gateway.statement_key_file),
            custody_key_file: self.resolve(file.gateway.custody_key_file),
            anchor_file: file.gateway.anchor_file.map(|path| self.resolve(path)),
            broker: self.broker(&file.mqtt)?,
            client_id: file.mqtt.client_id,
            username: file.mqtt.username,
            password_file: file.mqtt.password_file.map(|path| self.resolve(path)),
            prefix: file.mqtt.prefix,
            store_path: self.resolve(file.store.path),
            store_key: self.store_key(file.store.key_file, file.store.credential)?,
            listen: file.admin.listen,
        })
    }

    fn resolve(&self, path: PathBuf) -> PathBuf {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        directory.join(path)
    }

    fn check_chain_url(&self, url: &str) -> Result<(), ConfigInvalid> {
        match url.starts_with("ws://") || url.starts_with("wss://") {
            true => Ok(()),
            false => Err(self.invalid(
                "chain.url",
                "not a WebSocket address; write e.g. ws://127.0.0.1:9944",
            )),
        }
    }

    fn check_mqtt(&self, mqtt: &MqttSection) -> Result<(), ConfigInvalid> {
        if mqtt.client_id.is_empty() || mqtt.client_id.len() > 64 {
            let problem = "a client id has 1 to 64 characters; use the gateway's short name";
            return Err(self.invalid("mqtt.client_id", problem));
        }
        if mqtt.password_file.is_some() && mqtt.username.is_none() {
            let problem = "a password needs a user name; add mqtt.username";
            return Err(self.invalid("mqtt.password_file", problem));
        }
        let prefix = &mqtt.prefix;
        let odd = prefix.starts_with(['/', '$']) || prefix.ends_with('/') || prefix.len() > 128;
        if odd || !topic::is_topic_name(prefix) {
            let problem = "the first levels of topics, without wildcards and without '/' at the ends; write e.g. keyward/v1";
            return Err(self.invalid("mqtt.prefix", problem));
        }
        Ok(())
    }

    fn broker(&self, mqtt: &MqttSection) -> Result<BrokerAddress, ConfigInvalid> {
        let files = [&mqtt.ca_file, &mqtt.cert_file, &mqtt.key_file];
        let [ca, cert, key] = files.map(|file| file.clone().map(|path| self.resolve(path)));
        let invalid = |(key, problem): (&'static str, String)| self.invalid(key, problem);
        BrokerAddress::new(&mqtt.url, ca, cert, key).map_err(invalid)
    }

    /// Whoever reaches the admin pages may read them and reconcile: that is for this machine only.
    fn check_listen(&self, listen: SocketAddr) -> Result<(), ConfigInvalid> {
        match listen.ip().is_loopback() {
            true => Ok(()),
            false => Err(self.invalid(
                "admin.listen",
                format!("{listen} is reachable from outside; use 127.0.0.1 and a proxy"),
            )),
        }
    }

    fn store_key(
        &self,
        file: Option<PathBuf>,
        credential: Option<String>,
    ) -> Result<StoreKey, ConfigInvalid> {
        match (file, credential) {
            (Some(file), None) => Ok(StoreKey::File(self.resolve(file))),
            (None, Some(name)) if is_file_name(&name) => Ok(StoreKey::Credential(name)),
            (None, Some(_)) => Err(self.invalid(
                "store.credential",
                "not a name; write the one of LoadCredential=",
            )),
            _ => Err(self.invalid(
                "store.key_file",
                "name the journal's key once: as store.key_file or as store.credential",
            )),
        }
    }
}

fn is_file_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('/') && !name.starts_with('.')
}

#[cfg(test)]
mod tests;
