//! The public form: who takes part, where, and every public key. `network.toml`, checked.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    str::FromStr,
};

use keyward_protocol::{AccountId, AgreementKey, AuthorityId, GatewayName, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::{
    document::Document,
    finding::{Checked, Finding},
    key::{account_from_text, to_ss58, AuraKey, PeerId},
    plan::{Gateway, Machine, MachineName, Member, Plan},
    read::{self, *},
    rules,
};

/// Version of the form, the first line of a `network.toml`.
pub const VERSION: i64 = 1;

const HEAD: &str = "\
# Written by 'keyward network new': the public form of a network. Nothing in it is secret.
# 'keyward-node export-chain-spec --chain network.toml' makes the chain specification of it.
";

/// The keys with which a validator takes part in consensus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionKeys {
    /// The operator's account, which may change the others.
    pub account: AccountId,
    /// Authors blocks.
    pub aura: AuraKey,
    /// Finalizes them (Ed25519).
    pub grandpa: VerifyingKey,
}

/// Public keys of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineKeys {
    /// Its name in the peer-to-peer network.
    pub peer_id: PeerId,
    /// A validator has these, too.
    pub session: Option<SessionKeys>,
}

/// Public keys of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayKeys {
    /// Its account.
    pub account: AccountId,
    /// The key that it signs statements with.
    pub statement: VerifyingKey,
    /// The key that other custodians seal secrets to.
    pub custody: AgreementKey,
}

/// A network whose keys are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Who takes part, and where. Every member has an account.
    pub plan: Plan,
    /// For each machine.
    pub machines: BTreeMap<MachineName, MachineKeys>,
    /// For each gateway.
    pub gateways: BTreeMap<GatewayName, GatewayKeys>,
    /// For each certificate authority.
    pub authorities: BTreeMap<AuthorityId, VerifyingKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawMachineKeys {
    peer_id: String,
    account: Option<String>,
    aura: Option<String>,
    grandpa: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawGatewayKeys {
    account: String,
    statement: String,
    custody: String,
}

#[derive(Serialize)]
struct RawNetwork {
    version: i64,
    network: RawSettings,
    organisations: Vec<RawOrganisation>,
    validators: Vec<RawMachine>,
    nodes: Vec<RawMachine>,
    gateways: Vec<RawGateway>,
    authorities: Vec<RawAuthority>,
    council: Vec<RawMember>,
    committee: Vec<RawMember>,
}

/// Whether text is meant as a `network.toml`; else it is meant as a `consortium.toml`. Says nothing about whether it is right.
pub fn is_network(text: &str) -> bool {
    let first = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| line.split('=').next().map(str::trim) == Some("version"))
}

impl Network {
    /// Reads a `network.toml`.
    pub fn parse(text: &str) -> Checked<Self> {
        let mut findings = Vec::new();
        let Some(mut document) = Document::parse(text, &mut findings) else {
            return Checked::new(None, findings);
        };
        check_version(&mut document, &mut findings);
        let (plan, rest) = read::plan(&mut document, &mut findings, Form::Network);
        document.finish(&mut findings);
        rules::check(&plan, &rest, &mut findings);
        let mut keys = KeyReader {
            findings: &mut findings,
            seen: BTreeSet::new(),
        };
        let network = Self {
            machines: keys.machines(rest.machine_keys),
            gateways: keys.gateways(rest.gateway_keys),
            authorities: keys.authorities(rest.authority_keys),
            plan,
        };
        Checked::new(Some(network), findings)
    }

    /// The file's text; [`Network::parse`] gives the same network again.
    pub fn to_toml(&self) -> String {
        let raw = RawNetwork::from(self);
        // A value made of strings, numbers and lists of such has a text.
        let text = toml::to_string(&raw).unwrap_or_default();
        format!("{HEAD}{text}")
    }

    /// Every account that has a role: operators, gateways, council and committee, each once, in rising order.
    pub fn accounts(&self) -> BTreeSet<AccountId> {
        let operators = self.machines.values().filter_map(|it| it.session);
        let members = self.plan.council.iter().chain(&self.plan.committee);
        operators
            .map(|session| session.account)
            .chain(self.gateways.values().map(|gateway| gateway.account))
            .chain(members.filter_map(|member| member.account))
            .collect()
    }

    /// The multiaddress under which the others reach a machine's node.
    pub fn address(&self, machine: &Machine) -> Option<String> {
        let keys = self.machines.get(&machine.name)?;
        let host = machine.host.multiaddress();
        Some(format!(
            "{host}/tcp/{}/p2p/{}",
            machine.ports.p2p, keys.peer_id
        ))
    }

    /// The multiaddresses of all validators and nodes: any of them leads a new node to the others.
    pub fn addresses(&self) -> Vec<String> {
        self.plan
            .machines
            .iter()
            .filter_map(|machine| self.address(machine))
            .collect()
    }
}

fn check_version(document: &mut Document, findings: &mut Vec<Finding>) {
    let version: Option<i64> = document.one("version", findings);
    if version.is_some_and(|version| version != VERSION) {
        let problem = format!("is not {VERSION}, the only version that this program knows");
        let remedy = "install the Keyward of the program that wrote the file";
        findings.push(Finding::error("version", problem, remedy));
    }
}

/// Reads keys; none may stand for two.
struct KeyReader<'a> {
    findings: &'a mut Vec<Finding>,
    seen: BTreeSet<[u8; 32]>,
}

const RESTORE: &str = "take network.toml from whoever wrote it with 'keyward network new'";

impl KeyReader<'_> {
    fn key<T: FromStr<Err: Display>>(&mut self, place: &str, field: &str, text: &str) -> Option<T> {
        let place = format!("{place}: keys.{field}");
        match text.parse() {
            Ok(key) => Some(key),
            Err(error) => {
                let problem = format!("is wrong: {error}");
                self.findings.push(Finding::error(place, problem, RESTORE));
                None
            }
        }
    }

    fn account(&mut self, place: &str, text: &str) -> Option<AccountId> {
        match account_from_text(text) {
            Ok(account) => self.once(place, "account", account.0).then_some(account),
            Err(error) => {
                let place = format!("{place}: keys.account");
                let problem = error.to_string();
                self.findings.push(Finding::error(place, problem, RESTORE));
                None
            }
        }
    }

    /// A key that two have is a key that one of them does not have.
    fn once(&mut self, place: &str, field: &str, key: [u8; 32]) -> bool {
        let new = self.seen.insert(key);
        if !new {
            let place = format!("{place}: keys.{field}");
            let problem = "is the key of somebody else, too";
            self.findings.push(Finding::error(place, problem, RESTORE));
        }
        new
    }

    fn acceptable(&mut self, place: &str, field: &str, acceptable: bool) -> bool {
        if !acceptable {
            let place = format!("{place}: keys.{field}");
            let problem =
                "is of small order or not canonical: nothing it signs or opens means anything";
            self.findings.push(Finding::error(place, problem, RESTORE));
        }
        acceptable
    }

    fn machines(
        &mut self,
        keys: Vec<(Machine, String, RawMachineKeys)>,
    ) -> BTreeMap<MachineName, MachineKeys> {
        let read = |(machine, place, raw): (Machine, String, RawMachineKeys)| {
            let peer_id: Option<PeerId> = self.key(&place, "peer_id", &raw.peer_id);
            let peer_id = peer_id.filter(|id| self.once(&place, "peer_id", id.0 .0))?;
            let session = match machine.validator {
                true => Some(self.session(&place, raw)?),
                false => self.no_session(&place, &raw).then_some(None)?,
            };
            Some((machine.name, MachineKeys { peer_id, session }))
        };
        keys.into_iter().filter_map(read).collect()
    }

    fn session(&mut self, place: &str, raw: RawMachineKeys) -> Option<SessionKeys> {
        let (Some(account), Some(aura), Some(grandpa)) = (raw.account, raw.aura, raw.grandpa)
        else {
            let place = format!("{place}: keys");
            let problem = "a validator has account, aura and grandpa";
            self.findings.push(Finding::error(place, problem, RESTORE));
            return None;
        };
        let account = self.account(place, &account);
        let aura: Option<AccountId> = self.key(place, "aura", &aura);
        let grandpa: Option<VerifyingKey> = self.key(place, "grandpa", &grandpa);
        let aura = aura.filter(|key| self.once(place, "aura", key.0))?;
        let grandpa = grandpa.filter(|key| {
            self.acceptable(place, "grandpa", key.is_acceptable())
                && self.once(place, "grandpa", key.0)
        })?;
        Some(SessionKeys {
            account: account?,
            aura: AuraKey(aura),
            grandpa,
        })
    }

    fn no_session(&mut self, place: &str, raw: &RawMachineKeys) -> bool {
        let none = raw.account.is_none() && raw.aura.is_none() && raw.grandpa.is_none();
        if !none {
            let place = format!("{place}: keys");
            let problem = "only a validator has account, aura and grandpa";
            self.findings.push(Finding::error(place, problem, RESTORE));
        }
        none
    }

    fn gateways(
        &mut self,
        keys: Vec<(Gateway, String, RawGatewayKeys)>,
    ) -> BTreeMap<GatewayName, GatewayKeys> {
        let read = |(gateway, place, raw): (Gateway, String, RawGatewayKeys)| {
            let account = self.account(&place, &raw.account);
            let statement: Option<VerifyingKey> = self.key(&place, "statement", &raw.statement);
            let custody: Option<AgreementKey> = self.key(&place, "custody", &raw.custody);
            let statement = statement.filter(|key| {
                self.acceptable(&place, "statement", key.is_acceptable())
                    && self.once(&place, "statement", key.0)
            });
            let custody = custody.filter(|key| {
                self.acceptable(&place, "custody", key.is_acceptable())
                    && self.once(&place, "custody", key.0)
            });
            let keys = GatewayKeys {
                account: account?,
                statement: statement?,
                custody: custody?,
            };
            Some((gateway.name, keys))
        };
        keys.into_iter().filter_map(read).collect()
    }

    fn authorities(
        &mut self,
        keys: Vec<(crate::plan::Authority, String, String)>,
    ) -> BTreeMap<AuthorityId, VerifyingKey> {
        let read = |(authority, place, raw): (crate::plan::Authority, String, String)| {
            let key: VerifyingKey = self.key(&place, "key", &raw)?;
            let good = self.acceptable(&place, "key", key.is_acceptable())
                && self.once(&place, "key", key.0);
            good.then_some((authority.id, key))
        };
        keys.into_iter().filter_map(read).collect()
    }
}

impl From<&Network> for RawNetwork {
    fn from(network: &Network) -> Self {
        let plan = &network.plan;
        let machines = |validator: bool| {
            let machines = plan.machines.iter();
            let machines = machines.filter(|machine| machine.validator == validator);
            machines.map(|it| raw_machine(it, network)).collect()
        };
        Self {
            version: VERSION,
            network: RawSettings {
                name: plan.network.name.clone(),
                id: plan.network.id.clone(),
                session_blocks: plan.network.session_blocks.into(),
                minimum_validators: Some(plan.network.minimum_validators.into()),
            },
            organisations: plan.organisations.iter().map(raw_organisation).collect(),
            validators: machines(true),
            nodes: machines(false),
            gateways: plan
                .gateways
                .iter()
                .map(|it| raw_gateway(it, network))
                .collect(),
            authorities: plan
                .authorities
                .iter()
                .map(|it| RawAuthority {
                    id: it.id.to_string(),
                    organisation: it.organisation.to_string(),
                    key: network.authorities.get(&it.id).map(ToString::to_string),
                })
                .collect(),
            council: plan.council.iter().map(raw_member).collect(),
            committee: plan.committee.iter().map(raw_member).collect(),
        }
    }
}

fn raw_organisation(it: &crate::plan::Organisation) -> RawOrganisation {
    RawOrganisation {
        id: it.id.to_string(),
        label: Some(it.label.clone()),
        bare_names: it.bare_names,
        quotas: it.quotas,
    }
}

fn raw_machine(it: &Machine, network: &Network) -> RawMachine {
    let keys = network.machines.get(&it.name).map(|keys| RawMachineKeys {
        peer_id: keys.peer_id.to_string(),
        account: keys.session.map(|session| to_ss58(&session.account)),
        aura: keys.session.map(|session| session.aura.0.to_string()),
        grandpa: keys.session.map(|session| session.grandpa.to_string()),
    });
    RawMachine {
        name: it.name.to_string(),
        organisation: it.organisation.to_string(),
        host: it.host.to_string(),
        archive: it.archive,
        ports: RawMachinePorts {
            p2p: it.ports.p2p.into(),
            rpc: it.ports.rpc.into(),
            prometheus: it.ports.prometheus.into(),
        },
        keys,
    }
}

fn raw_gateway(it: &Gateway, network: &Network) -> RawGateway {
    let keys = network.gateways.get(&it.name).map(|keys| RawGatewayKeys {
        account: to_ss58(&keys.account),
        statement: keys.statement.to_string(),
        custody: keys.custody.to_string(),
    });
    RawGateway {
        name: it.name.to_string(),
        organisation: it.organisation.to_string(),
        machine: it.machine.to_string(),
        topics: it
            .topics
            .iter()
            .map(|topic| topic.as_str().to_owned())
            .collect(),
        ports: RawGatewayPorts {
            mqtt: it.ports.mqtt.into(),
            admin: it.ports.admin.into(),
        },
        keys,
    }
}

fn raw_member(it: &Member) -> RawMember {
    RawMember {
        name: it.name.to_string(),
        organisation: it.organisation.to_string(),
        account: it.account.as_ref().map(to_ss58),
    }
}
