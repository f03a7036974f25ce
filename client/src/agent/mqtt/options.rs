//! What a connection needs before it begins: limits, the session that the broker keeps, who the device is, and TLS.

use std::{
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
};

use keyward_protocol::{limits, DeviceId};
use rumqttc::{
    AckMode, Broker, MqttOptions, PersistedAckMode, PersistedSession, SessionMode, SessionStore,
    SessionStoreError, SessionStoreKey, TlsConfiguration, Transport,
};
use zeroize::Zeroizing;

use crate::agent::{
    address::{Address, Connection, ConnectionInvalid},
    store::{check_private, FileRefused},
};

/// How long the broker keeps messages for an absent device, in seconds: as long as secrets are kept (`history_age`).
const KEPT: u32 = 40 * 24 * 3600;
/// Messages that the broker sends before one is acknowledged: more than may be parked.
const UNACKNOWLEDGED: u16 = 4096;
/// Seconds between signs of life.
const KEEP_ALIVE: u16 = 30;
/// Largest password file in bytes.
const PASSWORD: u64 = 4096;

/// Why there can be no link.
#[derive(Debug, thiserror::Error)]
pub enum LinkInvalid {
    /// The options contradict each other.
    #[error(transparent)]
    Connection(#[from] ConnectionInvalid),
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file with a secret that others may read.
    #[error(transparent)]
    Loose(#[from] FileRefused),
    /// TLS cannot be set up.
    #[error("cannot encrypt the connection to {broker}: {source}")]
    Tls {
        /// The address.
        broker: Address,
        /// Why.
        source: rumqttc::TlsError,
    },
    /// No certificate authority.
    #[error("cannot encrypt the connection to {broker}: there is no certificate authority to check it with; name one with --ca-file")]
    NoAuthority {
        /// The address.
        broker: Address,
    },
}

/// The options of a device's connection.
pub fn of(connection: &Connection, device: &DeviceId) -> Result<MqttOptions, LinkInvalid> {
    connection.check()?;
    let broker = Broker::tcp(connection.broker.host.clone(), connection.broker.port);
    let mut options = MqttOptions::new(device.as_str(), broker);
    options
        .set_transport(transport(connection)?)
        .set_keep_alive(KEEP_ALIVE)
        .set_session_mode(SessionMode::Persistent)
        .set_session_expiry_interval(Some(KEPT))
        .set_session_store(Resumed {
            device: device.clone(),
        })
        .set_receive_maximum(Some(UNACKNOWLEDGED))
        .set_max_packet_size(u32::try_from(limits::MESSAGE_PACKET).ok())
        .set_ack_mode(AckMode::Manual);
    let mut network = options.network_options();
    network.set_tcp_nodelay(true);
    options.set_network_options(network);
    match (&connection.username, &connection.password_file) {
        (None, None) => {}
        (Some(user), None) => drop(options.set_username(user.as_str())),
        (user, Some(path)) => {
            let user = user.as_deref().unwrap_or(device.as_str());
            options.set_credentials(user, password(path)?.to_vec());
        }
    }
    Ok(options)
}

/// The first line of a file that is its owner's alone.
fn password(path: &Path) -> Result<Zeroizing<Vec<u8>>, LinkInvalid> {
    check_private(path)?;
    let mut password = Zeroizing::new(read(path, PASSWORD)?);
    let end = password
        .iter()
        .position(|byte| matches!(byte, b'\n' | b'\r'));
    if let Some(end) = end {
        password.truncate(end);
    }
    Ok(password)
}

fn read(path: &Path, longest: u64) -> Result<Vec<u8>, LinkInvalid> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(longest).read_to_end(&mut bytes))
        .map(|_| bytes)
        .map_err(|source| LinkInvalid::File {
            path: path.to_owned(),
            source,
        })
}

/// TCP for `mqtt://`, TLS for `mqtts://`: what the address says and nothing else.
fn transport(connection: &Connection) -> Result<Transport, LinkInvalid> {
    match connection.broker.tls {
        false => Ok(Transport::tcp()),
        true => tls(connection).map(Transport::tls_with_config),
    }
}

fn tls(connection: &Connection) -> Result<TlsConfiguration, LinkInvalid> {
    /// Largest file of certificates in bytes.
    const CERTIFICATES: u64 = 1 << 20;
    let Some(ca_file) = &connection.ca_file else {
        return TlsConfiguration::try_default_rustls().map_err(|source| LinkInvalid::Tls {
            broker: connection.broker.clone(),
            source,
        });
    };
    let client_auth = match connection.certificate() {
        None => None,
        Some((certificate, key)) => {
            check_private(key)?;
            Some((read(certificate, CERTIFICATES)?, read(key, CERTIFICATES)?))
        }
    };
    let ca = read(ca_file, CERTIFICATES)?;
    match ca.is_empty() {
        true => Err(LinkInvalid::NoAuthority {
            broker: connection.broker.clone(),
        }),
        false => Ok(TlsConfiguration::Simple {
            ca,
            alpn: None,
            client_auth,
        }),
    }
}

/// Tells rumqttc that the device knows the session that the broker kept, and has nothing under way in it: what must survive a
/// restart is repeated by our own session, not by MQTT.
#[derive(Debug)]
struct Resumed {
    device: DeviceId,
}

type Stored<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionStoreError>> + Send + 'a>>;

impl SessionStore for Resumed {
    fn load<'a>(&'a self, _: &'a SessionStoreKey) -> Stored<'a, Option<PersistedSession>> {
        let session = PersistedSession {
            format_version: 1,
            client_id: self.device.as_str().to_owned(),
            clean_start: false,
            session_expiry_interval: Some(KEPT),
            outgoing_inflight_upper_limit: None,
            ack_mode: PersistedAckMode::Manual,
            last_pkid: 0,
            last_puback: 0,
            replay: Vec::new(),
            incoming_qos2: Vec::new(),
        };
        Box::pin(std::future::ready(Ok(Some(session))))
    }

    fn save<'a>(&'a self, _: &'a SessionStoreKey, _: &'a PersistedSession) -> Stored<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn clear<'a>(&'a self, _: &'a SessionStoreKey) -> Stored<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}
