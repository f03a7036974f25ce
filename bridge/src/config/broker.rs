//! The broker's address. What says `mqtts://` is encrypted, and what would not be encrypted says `mqtt://`.

use std::path::PathBuf;

/// How the connection is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all: `mqtt://`.
    Plain,
    /// With TLS: `mqtts://`.
    Tls {
        /// PEM with the authorities that may vouch for the broker; none: the system's.
        ca_file: Option<PathBuf>,
        /// PEM with the client's certificate and file with its key.
        client: Option<(PathBuf, PathBuf)>,
    },
}

/// Where the broker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerAddress {
    /// Host name or IPv4 address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the connection is protected.
    pub encryption: Encryption,
}

/// A key of the configuration, and what is wrong with it.
type Problem = (&'static str, String);

impl BrokerAddress {
    /// From the address and the files of the configuration.
    ///
    /// # Errors
    /// With the key and what is wrong with it.
    pub(super) fn new(
        url: &str,
        ca_file: Option<PathBuf>,
        cert_file: Option<PathBuf>,
        key_file: Option<PathBuf>,
    ) -> Result<Self, Problem> {
        let (tls, rest) = scheme(url)?;
        let (host, port) = host_and_port(rest, if tls { 8883 } else { 1883 })?;
        let encryption = match tls {
            true => tls_with(ca_file, client(cert_file, key_file)?)?,
            false => plain(&[
                ("mqtt.ca_file", ca_file),
                ("mqtt.cert_file", cert_file),
                ("mqtt.key_file", key_file),
            ])?,
        };
        Ok(Self {
            host,
            port,
            encryption,
        })
    }
}

fn scheme(url: &str) -> Result<(bool, &str), Problem> {
    let problem =
        "not a broker's address; write mqtt://HOST[:PORT], or mqtts://HOST[:PORT] for TLS";
    match url.split_once("://") {
        Some(("mqtt", rest)) => Ok((false, rest)),
        Some(("mqtts", rest)) => Ok((true, rest)),
        _ => Err(("mqtt.url", problem.into())),
    }
}

fn host_and_port(rest: &str, default: u16) -> Result<(String, u16), Problem> {
    let wrong = |problem: &str| ("mqtt.url", problem.to_owned());
    if rest.contains('@') {
        // Not repeated: there may be a password in it.
        return Err(wrong(
            "names a user; use mqtt.username and mqtt.password_file",
        ));
    }
    if rest.contains(['/', '?', '#', '[']) {
        return Err(wrong(
            "has more than a host name or IPv4 address, and a port",
        ));
    }
    let (host, port) = match rest.split_once(':') {
        None => (rest, default),
        Some((host, port)) => {
            let port = port.parse().ok().filter(|port| *port != 0);
            (
                host,
                port.ok_or_else(|| wrong("the port is no number from 1 to 65535"))?,
            )
        }
    };
    match host.is_empty() {
        true => Err(wrong("names no host")),
        false => Ok((host.to_owned(), port)),
    }
}

fn client(
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<(PathBuf, PathBuf)>, Problem> {
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(Some((cert, key))),
        (None, None) => Ok(None),
        (Some(_), None) => Err((
            "mqtt.key_file",
            "missing: mqtt.cert_file needs its key".into(),
        )),
        (None, Some(_)) => Err((
            "mqtt.cert_file",
            "missing: mqtt.key_file is the key of a certificate".into(),
        )),
    }
}

fn tls_with(
    ca_file: Option<PathBuf>,
    client: Option<(PathBuf, PathBuf)>,
) -> Result<Encryption, Problem> {
    if client.is_some() && ca_file.is_none() {
        let problem = "missing: beside a client certificate, name the authorities that may vouch for the broker";
        return Err(("mqtt.ca_file", problem.into()));
    }
    Ok(Encryption::Tls { ca_file, client })
}

/// Whoever names certificates wants TLS.
fn plain(files: &[(&'static str, Option<PathBuf>)]) -> Result<Encryption, Problem> {
    match files.iter().find(|(_, file)| file.is_some()) {
        None => Ok(Encryption::Plain),
        Some((key, _)) => Err((
            key,
            "mqtt.url begins with mqtt://, so the connection would not be encrypted; write mqtts://".into(),
        )),
    }
}
