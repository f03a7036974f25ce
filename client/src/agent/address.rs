//! Where the broker is, and how to get there: remembered from `enrol`, so that other commands need not be told again.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

/// A broker's address: `mqtt://HOST[:PORT]` or `mqtts://HOST[:PORT]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    /// Whether the connection is encrypted. There is no way back to plain TCP when it cannot be.
    pub tls: bool,
    /// Name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// Why text is not a broker's address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressInvalid {
    /// Another scheme.
    #[error("a broker's address begins with mqtt:// or mqtts://")]
    Scheme,
    /// A user or password.
    #[error("a broker's address has no user and no password, which everybody could see in 'ps'; use --username and --password-file")]
    Credentials,
    /// No host, or something after the port.
    #[error("a broker's address is mqtt://HOST[:PORT] or mqtts://HOST[:PORT]; an IPv6 address stands in brackets")]
    Form,
    /// Not a port.
    #[error("'{0}' is no TCP port")]
    Port(String),
}

impl FromStr for Address {
    type Err = AddressInvalid;
    fn from_str(text: &str) -> Result<Self, AddressInvalid> {
        let (tls, rest) = match text.split_once("://") {
            Some(("mqtt", rest)) => (false, rest),
            Some(("mqtts", rest)) => (true, rest),
            _ => return Err(AddressInvalid::Scheme),
        };
        if rest.contains('@') {
            return Err(AddressInvalid::Credentials);
        }
        let (host, port) = split(rest.strip_suffix('/').unwrap_or(rest))?;
        let port = match port {
            None if tls => 8883,
            None => 1883,
            Some(port) => number(port)?,
        };
        Ok(Self {
            tls,
            host: host.to_owned(),
            port,
        })
    }
}

fn number(port: &str) -> Result<u16, AddressInvalid> {
    let parsed = port.parse().ok().filter(|port| *port != 0);
    parsed.ok_or_else(|| AddressInvalid::Port(port.to_owned()))
}

/// Host and port; an IPv6 address stands in brackets.
fn split(rest: &str) -> Result<(&str, Option<&str>), AddressInvalid> {
    let (host, port) = match rest.strip_prefix('[').map(|inner| inner.split_once(']')) {
        Some(Some((host, ""))) => (host, None),
        Some(Some((host, after))) => (
            host,
            Some(after.strip_prefix(':').ok_or(AddressInvalid::Form)?),
        ),
        Some(None) => return Err(AddressInvalid::Form),
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let bad = |c: char| matches!(c, '/' | '?' | '#' | '[' | ']') || c.is_whitespace();
    match host.is_empty() || host.contains(bad) || port.is_some_and(|port| port.contains(':')) {
        true => Err(AddressInvalid::Form),
        false => Ok((host, port)),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

impl TryFrom<String> for Address {
    type Error = AddressInvalid;
    fn try_from(text: String) -> Result<Self, AddressInvalid> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

/// How to get to the broker. Holds names of files, never what is in them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// Where it is.
    pub broker: Address,
    /// Certificate authorities that its certificate is checked with; none: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The device's own certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<PathBuf>,
    /// Its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_key_file: Option<PathBuf>,
    /// User name; with a password file the device's id unless another is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// File with the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Prefix of the control topics.
    pub prefix: String,
}

/// Why a connection does not make sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionInvalid {
    /// Certificates for a connection that is not encrypted.
    #[error("{option} is for an encrypted connection, and {broker} is not one; write mqtts://")]
    NotEncrypted {
        /// Which option.
        option: &'static str,
        /// The address.
        broker: Address,
    },
    /// Half of a certificate.
    #[error("--cert-file and --cert-key-file go together")]
    HalfCertificate,
    /// A certificate for whoever is at the other end.
    #[error(
        "--cert-file needs --ca-file: the authority that the broker's certificate is checked with"
    )]
    NoAuthority,
}

impl Connection {
    /// Refuses what cannot be meant: whoever names certificates means encryption.
    pub fn check(&self) -> Result<(), ConnectionInvalid> {
        let options: [(&'static str, &Option<PathBuf>); 3] = [
            ("--ca-file", &self.ca_file),
            ("--cert-file", &self.cert_file),
            ("--cert-key-file", &self.cert_key_file),
        ];
        let named = options.iter().find(|(_, file)| file.is_some());
        match named {
            Some((option, _)) if !self.broker.tls => Err(ConnectionInvalid::NotEncrypted {
                option,
                broker: self.broker.clone(),
            }),
            _ if self.cert_file.is_some() != self.cert_key_file.is_some() => {
                Err(ConnectionInvalid::HalfCertificate)
            }
            _ if self.cert_file.is_some() && self.ca_file.is_none() => {
                Err(ConnectionInvalid::NoAuthority)
            }
            _ => Ok(()),
        }
    }

    /// Certificate and key of the device.
    pub fn certificate(&self) -> Option<(&Path, &Path)> {
        Some((self.cert_file.as_deref()?, self.cert_key_file.as_deref()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (bool, String, u16) {
        let address: Address = text.parse().unwrap();
        (address.tls, address.host, address.port)
    }

    #[test]
    fn ports_have_the_usual_defaults() {
        assert_eq!(parsed("mqtt://h"), (false, "h".into(), 1883));
        assert_eq!(parsed("mqtts://h/"), (true, "h".into(), 8883));
        assert_eq!(parsed("mqtt://127.0.0.1:7"), (false, "127.0.0.1".into(), 7));
        assert_eq!(parsed("mqtts://[::1]:7"), (true, "::1".into(), 7));
        assert_eq!(parsed("mqtt://[fe80::1]"), (false, "fe80::1".into(), 1883));
    }

    #[test]
    fn an_address_is_written_as_it_is_read() {
        for text in ["mqtt://h:1883", "mqtts://[::1]:8883"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn each_bad_address_has_its_reason() {
        let refused = |text: &str| text.parse::<Address>().unwrap_err();
        for text in ["h:1883", "http://h", "ssl://h", "MQTT://h", ""] {
            assert_eq!(refused(text), AddressInvalid::Scheme, "{text}");
        }
        assert_eq!(refused("mqtt://u:secret@h"), AddressInvalid::Credentials);
        for text in [
            "mqtt://",
            "mqtt://:1",
            "mqtt://h:1:2",
            "mqtt://a/b",
            "mqtt://[::1",
            "mqtt://[::1]x",
            "mqtt://h ?",
        ] {
            assert_eq!(refused(text), AddressInvalid::Form, "{text}");
        }
        for port in ["x", "0", "65536", ""] {
            assert_eq!(
                refused(&format!("mqtt://h:{port}")),
                AddressInvalid::Port(port.into())
            );
        }
    }

    #[test]
    fn a_password_in_an_address_is_not_repeated_in_the_error() {
        let refused = "mqtt://u:secret@h".parse::<Address>().unwrap_err();
        assert!(!refused.to_string().contains("secret"));
    }

    fn connection(broker: &str) -> Connection {
        Connection {
            broker: broker.parse().unwrap(),
            ca_file: None,
            cert_file: None,
            cert_key_file: None,
            username: None,
            password_file: None,
            prefix: "keyward/v1".into(),
        }
    }

    #[test]
    fn certificates_without_encryption_are_refused() {
        let with_ca = Connection {
            ca_file: Some("ca.pem".into()),
            ..connection("mqtt://h")
        };
        assert!(matches!(
            with_ca.check(),
            Err(ConnectionInvalid::NotEncrypted {
                option: "--ca-file",
                ..
            })
        ));
        let half = Connection {
            cert_file: Some("c.pem".into()),
            ..connection("mqtts://h")
        };
        assert_eq!(half.check(), Err(ConnectionInvalid::HalfCertificate));
        let without_authority = Connection {
            cert_key_file: Some("c.key".into()),
            ..half
        };
        assert_eq!(
            without_authority.check(),
            Err(ConnectionInvalid::NoAuthority)
        );
        assert_eq!(connection("mqtt://h").check(), Ok(()));
        assert_eq!(connection("mqtts://h").check(), Ok(()));
    }

    #[test]
    fn a_connection_is_remembered() {
        let connection = connection("mqtts://[::1]");
        let text = serde_json::to_string(&connection).unwrap();
        assert_eq!(
            serde_json::from_str::<Connection>(&text).unwrap(),
            connection
        );
    }
}
