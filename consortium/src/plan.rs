//! What founders decide: who takes part, and where. `consortium.toml`, checked.

use std::{fmt, str::FromStr};

use keyward_protocol::{topic::TopicFilter, AccountId, AuthorityId, GatewayName, OrganisationId};
use serde::{Deserialize, Serialize};

use crate::{document::Document, finding::Checked, host::Host, read, rules};

/// Name of a machine or of a person: 1 to 32 of `[a-z0-9-]`, beginning and ending with a letter or digit. It stands in file names
/// and is the node's name in the peer-to-peer network.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineName(String);

/// Text that is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameInvalid;

impl fmt::Display for NameInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name has 1 to 32 lower-case letters, digits and inner hyphens")
    }
}

impl std::error::Error for NameInvalid {}

impl FromStr for MachineName {
    type Err = NameInvalid;

    fn from_str(text: &str) -> Result<Self, NameInvalid> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let valid = (1..=32).contains(&text.len())
            && text.chars().all(allowed)
            && !text.starts_with('-')
            && !text.ends_with('-');
        valid.then(|| Self(text.to_owned())).ok_or(NameInvalid)
    }
}

impl fmt::Display for MachineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for MachineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MachineName({self})")
    }
}

impl MachineName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A network before its keys are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What holds for the whole network.
    pub network: Settings,
    /// Who takes part, in the order of the file.
    pub organisations: Vec<Organisation>,
    /// Machines with a node: validators first, then the others.
    pub machines: Vec<Machine>,
    /// Gateways, each on one of the machines.
    pub gateways: Vec<Gateway>,
    /// Certificate authorities.
    pub authorities: Vec<Authority>,
    /// Members of the council.
    pub council: Vec<Member>,
    /// Members of the technical committee.
    pub committee: Vec<Member>,
}

/// What holds for the whole network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What people call it.
    pub name: String,
    /// What programs call it: chain id and name of its protocols.
    pub id: String,
    /// Blocks of a session: a change of the validators takes effect two sessions later.
    pub session_blocks: u32,
    /// No validator may leave once there are only so many.
    pub minimum_validators: u32,
}

/// How much each gateway of an organisation may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// Devices that a gateway owns.
    #[serde(default = "Quotas::many")]
    pub devices: u32,
    /// Groups that a gateway administers.
    #[serde(default = "Quotas::groups")]
    pub groups: u32,
    /// Members of one group.
    #[serde(default = "Quotas::many")]
    pub members: u32,
}

impl Quotas {
    fn many() -> u32 {
        10_000
    }

    fn groups() -> u32 {
        256
    }
}

impl Default for Quotas {
    /// The same as of `keyward council admit-organisation`.
    fn default() -> Self {
        Self {
            devices: Self::many(),
            groups: Self::groups(),
            members: Self::many(),
        }
    }
}

/// Who takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// Its id.
    pub id: OrganisationId,
    /// What people call it, at most 64 bytes.
    pub label: String,
    /// How much each of its gateways may have.
    pub quotas: Quotas,
    /// Whether ids without a '.' are its own.
    pub bare_names: bool,
}

/// Ports of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachinePorts {
    /// Peers, from everywhere.
    pub p2p: u16,
    /// WebSocket RPC, on the loopback address only.
    pub rpc: u16,
    /// Prometheus metrics, on the loopback address only.
    pub prometheus: u16,
}

/// A machine with a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its name.
    pub name: MachineName,
    /// Who runs it.
    pub organisation: OrganisationId,
    /// Where others reach it.
    pub host: Host,
    /// The node's ports.
    pub ports: MachinePorts,
    /// Whether the node validates.
    pub validator: bool,
    /// Whether the node keeps the state of every block for ever.
    pub archive: bool,
}

/// Ports of a gateway, beside those of its machine's node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayPorts {
    /// MQTT with TLS, from everywhere.
    pub mqtt: u16,
    /// The bridge's admin pages, on the loopback address only.
    pub admin: u16,
}

/// A broker and a bridge, beside a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Its short name, as it stands in topics.
    pub name: GatewayName,
    /// Whose it is.
    pub organisation: OrganisationId,
    /// The machine that it shares with a node.
    pub machine: MachineName,
    /// Its ports.
    pub ports: GatewayPorts,
    /// Topics of applications that devices may use, beside Keyward's own.
    pub topics: Vec<TopicFilter>,
}

/// A certificate authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Its id.
    pub id: AuthorityId,
    /// Whose it is.
    pub organisation: OrganisationId,
}

/// A member of the council or of the technical committee. The same name of the same organisation in both is one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What the person is called.
    pub name: MachineName,
    /// Whom the person speaks for.
    pub organisation: OrganisationId,
    /// The account, if it exists already; else one is made.
    pub account: Option<AccountId>,
}

impl Plan {
    /// Reads a `consortium.toml`.
    pub fn parse(text: &str) -> Checked<Self> {
        let mut findings = Vec::new();
        let Some(mut document) = Document::parse(text, &mut findings) else {
            return Checked::new(None, findings);
        };
        let (plan, rest) = read::plan(&mut document, &mut findings, read::Form::Plan);
        document.finish(&mut findings);
        rules::check(&plan, &rest, &mut findings);
        Checked::new(Some(plan), findings)
    }

    /// The machine of that name.
    pub fn machine(&self, name: &MachineName) -> Option<&Machine> {
        self.machines.iter().find(|machine| machine.name == *name)
    }

    /// The gateway on that machine.
    pub fn gateway_on(&self, machine: &MachineName) -> Option<&Gateway> {
        self.gateways
            .iter()
            .find(|gateway| gateway.machine == *machine)
    }

    /// The validators, in the order of the file.
    pub fn validators(&self) -> impl Iterator<Item = &Machine> {
        self.machines.iter().filter(|machine| machine.validator)
    }
}
