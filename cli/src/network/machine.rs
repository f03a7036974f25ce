//! The directory of one machine, beside its keys.

use std::path::Path;

use keyward_consortium::{Gateway, Machine, Network};

use super::{
    broker,
    certificate::{Authority, Certified},
    directory::{machine_directory, CHAIN_RAW},
    instructions,
    paths::{Place, Places},
    units, NetworkFailed,
};
use crate::key_file::{make_directory, write_new};

/// Writes everything that is the same for nobody else.
pub struct Writer<'a> {
    /// The network.
    pub network: &'a Network,
    /// Where things will be.
    pub places: &'a Places,
    /// Vouches for brokers.
    pub authority: &'a Authority,
    /// The chain specification for nodes.
    pub chain: &'a [u8],
    /// The network's directory.
    pub root: &'a Path,
}

impl Writer<'_> {
    /// Writes the directories of all machines.
    pub fn write(&self) -> Result<(), NetworkFailed> {
        let machines = &self.network.plan.machines;
        machines
            .iter()
            .try_for_each(|machine| self.machine(machine))
    }

    fn machine(&self, machine: &Machine) -> Result<(), NetworkFailed> {
        let directory = self.root.join(machine_directory(&machine.name));
        let place = self.places.on(machine);
        let gateway = self.network.plan.gateway_on(&machine.name);
        let systemd = directory.join("systemd");
        make_directory(&systemd)?;
        public(&directory.join("node").join(CHAIN_RAW), self.chain)?;
        let unit = units::node(self.network, machine, &place);
        public(&systemd.join("keyward-node.service"), unit.as_bytes())?;
        if let Some(gateway) = gateway {
            self.gateway(gateway, machine, &place, &directory)?;
        }
        let text = instructions::of_machine(self.network, machine, gateway, &place);
        public(&directory.join("README.md"), text.as_bytes())
    }

    fn gateway(
        &self,
        gateway: &Gateway,
        machine: &Machine,
        place: &Place,
        directory: &Path,
    ) -> Result<(), NetworkFailed> {
        let systemd = directory.join("systemd");
        let unit = units::mosquitto(gateway, place);
        public(&systemd.join("keyward-mosquitto.service"), unit.as_bytes())?;
        let unit = units::bridge(gateway, place);
        public(&systemd.join("keyward-bridge.service"), unit.as_bytes())?;
        let certified = self
            .authority
            .certify(&machine.host, gateway.name.as_str())?;
        self.tls(&directory.join("tls"), &certified)?;
        self.broker(gateway, machine, place, directory)?;
        self.bridge(gateway, machine, place, &directory.join("bridge"))
    }

    fn tls(&self, directory: &Path, certified: &Certified) -> Result<(), NetworkFailed> {
        make_directory(directory)?;
        let authority = self.authority.pem.certificate.as_bytes();
        public(&directory.join("ca.pem"), authority)?;
        let chain = certified.certificate.as_bytes();
        public(&directory.join("broker.pem"), chain)?;
        secret(&directory.join("broker.key"), certified.key.as_bytes())
    }

    fn broker(
        &self,
        gateway: &Gateway,
        machine: &Machine,
        place: &Place,
        directory: &Path,
    ) -> Result<(), NetworkFailed> {
        let (mosquitto, bridge) = (directory.join("mosquitto"), directory.join("bridge"));
        make_directory(&mosquitto)?;
        let text = broker::configuration(gateway, machine, place);
        public(&mosquitto.join("mosquitto.conf"), text.as_bytes())?;
        let text = broker::access(gateway);
        public(&mosquitto.join("keyward.acl"), text.as_bytes())?;
        let password = broker::new_password();
        let user = gateway.name.as_str();
        broker::write_passwords(&mosquitto.join("passwords"), user, &password)?;
        secret(&bridge.join("mqtt.password"), password.as_bytes())
    }

    fn bridge(
        &self,
        gateway: &Gateway,
        machine: &Machine,
        place: &Place,
        directory: &Path,
    ) -> Result<(), NetworkFailed> {
        let authority = self.authority.pem.certificate.as_bytes();
        public(&directory.join("ca.pem"), authority)?;
        let text = bridge_toml(gateway, machine, place);
        secret(&directory.join("bridge.toml"), text.as_bytes())
    }
}

/// Paths are relative to the file, so that it is right wherever the directory is. Whoever connects with a client's id takes its
/// place: nobody else knows the bridge's.
fn bridge_toml(gateway: &Gateway, machine: &Machine, place: &Place) -> String {
    format!(
        "\
# Bridge of gateway {name}. Written by 'keyward network new'; 'keyward-bridge check-config' says whether it is right.

[chain]
url = \"ws://127.0.0.1:{rpc}\"
account_key_file = \"keys/account.key\"

[gateway]
statement_key_file = \"keys/statement.key\"
custody_key_file = \"keys/custody.key\"

[mqtt]
url = \"mqtts://127.0.0.1:{mqtt}\"
# Not to be guessed: whoever connects with this id takes the bridge's place at the broker.
client_id = \"{name}-{id}\"
username = \"{name}\"
password_file = \"mqtt.password\"
ca_file = \"ca.pem\"

[store]
path = \"{data}/bridge/journal.sqlite\"
key_file = \"keys/store.key\"

[admin]
listen = \"127.0.0.1:{admin}\"
",
        name = gateway.name,
        id = broker::new_client_id(),
        rpc = machine.ports.rpc,
        mqtt = gateway.ports.mqtt,
        admin = gateway.ports.admin,
        data = place.data,
    )
}

/// Writes a file that anybody may read.
pub fn public(path: &Path, content: &[u8]) -> Result<(), NetworkFailed> {
    Ok(write_new(path, content, 0o644)?)
}

/// Writes a file that its owner alone may read.
pub fn secret(path: &Path, content: &[u8]) -> Result<(), NetworkFailed> {
    Ok(write_new(path, content, 0o400)?)
}
