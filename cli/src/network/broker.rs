//! Mosquitto of a gateway: the shipped settings with a TLS listener, the rules of who may write where, and the bridge's password.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use keyward_consortium::{Gateway, Machine};
use rand_core::{OsRng, RngCore};
use zeroize::Zeroizing;

use super::{
    paths::{find_program, Place},
    NetworkFailed,
};
use crate::key_file::{replace_mode, write_new};

/// What Keyward needs of a broker, as it is shipped.
const SETTINGS: &str = include_str!("../../../bridge/mosquitto/keyward.conf");
/// Who may write where, as it is shipped.
const ACCESS: &str = include_str!("../../../bridge/mosquitto/keyward.acl");

/// The configuration, complete.
pub fn configuration(gateway: &Gateway, machine: &Machine, place: &Place) -> String {
    let Place { install, data, .. } = place;
    let address = match machine.host.is_loopback() {
        true => " 127.0.0.1",
        false => "",
    };
    format!(
        "\
# Mosquitto of gateway {name}. Written by 'keyward network new'.

# The only way in is encrypted. Devices are named by their client id and need no password: what they may do is in keyward.acl, and
# nothing that Keyward promises rests on it.
listener {port}{address}
certfile {install}/tls/broker.pem
keyfile {install}/tls/broker.key
tls_version tlsv1.2
allow_anonymous true
password_file {install}/mosquitto/passwords
acl_file {install}/mosquitto/keyward.acl
persistence_location {data}/mosquitto/

# The unit says as whom Mosquitto runs. This keeps it from becoming somebody else when root starts it by hand.
user root

log_dest stderr
log_type error
log_type warning
log_type notice

{SETTINGS}",
        name = gateway.name,
        port = gateway.ports.mqtt,
    )
}

/// The rules: applications' topics are for everybody, Keyward's own as they are shipped.
pub fn access(gateway: &Gateway) -> String {
    let topic = |topic: &_| format!("topic readwrite {topic}\n");
    let filters = gateway.topics.iter().map(|it| it.as_str());
    let topics: String = filters.map(|it| topic(&it)).collect();
    let name = &gateway.name;
    format!(
        "{ACCESS}\n# Applications of gateway {name}.\n{topics}\nuser {name}\ntopic read keyward/v1/gateway/{name}/#\n"
    )
}

/// 32 random digits.
pub fn new_password() -> Zeroizing<String> {
    Zeroizing::new(digits::<16>())
}

/// 16 random digits.
pub fn new_client_id() -> String {
    digits::<8>()
}

fn digits<const N: usize>() -> String {
    let mut bytes = Zeroizing::new([0; N]);
    OsRng.fill_bytes(&mut *bytes);
    hex::encode(*bytes)
}

/// Writes Mosquitto's password file with one user. The password stands in no argument list.
pub fn write_passwords(path: &Path, user: &str, password: &str) -> Result<(), NetworkFailed> {
    let line = Zeroizing::new(format!("{user}:{password}\n"));
    write_new(path, line.as_bytes(), 0o600)?;
    let program = find_program("mosquitto_passwd").ok_or(NetworkFailed::NoProgram {
        program: "mosquitto_passwd",
        remedy: "install Mosquitto: apt-get install mosquitto",
    })?;
    let failed = |said: String| NetworkFailed::Program {
        program: program.clone(),
        said,
    };
    let ran = Command::new(&program)
        .arg("-U")
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    let hashed = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    if !ran.status.success() || hashed.contains(password) || !hashed.contains(":$7$") {
        return Err(failed(
            String::from_utf8_lossy(&ran.stderr).trim().to_owned(),
        ));
    }
    Ok(replace_mode(path, 0o400)?)
}
