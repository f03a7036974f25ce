//! From sections of text to values; both forms of the file share it. Every field that is wrong is found.

use std::{collections::BTreeSet, fmt::Display, str::FromStr};

use keyward_protocol::{topic::TopicFilter, OrganisationId};
use serde::{Deserialize, Serialize};

use crate::{
    document::{Document, Entry},
    finding::{shown, Finding},
    key::account_from_text,
    network::{RawGatewayKeys, RawMachineKeys},
    plan::*,
};

/// Which of the two files it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `consortium.toml`: keys do not exist yet.
    Plan,
    /// `network.toml`: every key is there.
    Network,
}

/// What was read beside the plan.
#[derive(Default)]
pub(crate) struct Rest {
    /// Names as they were written, so that one mistake is not told twice.
    pub organisations: BTreeSet<String>,
    /// The same for machines.
    pub machines: BTreeSet<String>,
    /// Keys of machines, with their place.
    pub machine_keys: Vec<(Machine, String, RawMachineKeys)>,
    /// Keys of gateways.
    pub gateway_keys: Vec<(Gateway, String, RawGatewayKeys)>,
    /// Keys of authorities.
    pub authority_keys: Vec<(Authority, String, String)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSettings {
    pub name: String,
    pub id: String,
    #[serde(default = "an_hour")]
    pub session_blocks: i64,
    pub minimum_validators: Option<i64>,
}

fn an_hour() -> i64 {
    1_800
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawOrganisation {
    pub id: String,
    pub label: Option<String>,
    #[serde(default)]
    pub bare_names: bool,
    #[serde(default)]
    pub quotas: Quotas,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawMachinePorts {
    #[serde(default = "p2p")]
    pub p2p: i64,
    #[serde(default = "rpc")]
    pub rpc: i64,
    #[serde(default = "prometheus")]
    pub prometheus: i64,
}

fn p2p() -> i64 {
    30_333
}

fn rpc() -> i64 {
    9_944
}

fn prometheus() -> i64 {
    9_615
}

impl Default for RawMachinePorts {
    fn default() -> Self {
        Self {
            p2p: p2p(),
            rpc: rpc(),
            prometheus: prometheus(),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawMachine {
    pub name: String,
    pub organisation: String,
    pub host: String,
    #[serde(default)]
    pub archive: bool,
    #[serde(default)]
    pub ports: RawMachinePorts,
    pub keys: Option<RawMachineKeys>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawGatewayPorts {
    #[serde(default = "mqtt")]
    pub mqtt: i64,
    #[serde(default = "admin")]
    pub admin: i64,
}

fn mqtt() -> i64 {
    8_883
}

fn admin() -> i64 {
    9_616
}

impl Default for RawGatewayPorts {
    fn default() -> Self {
        Self {
            mqtt: mqtt(),
            admin: admin(),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawGateway {
    pub name: String,
    pub organisation: String,
    pub machine: String,
    #[serde(default)]
    pub topics: Vec<String>,
    #[serde(default)]
    pub ports: RawGatewayPorts,
    pub keys: Option<RawGatewayKeys>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAuthority {
    pub id: String,
    pub organisation: String,
    pub key: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawMember {
    pub name: String,
    pub organisation: String,
    pub account: Option<String>,
}

/// Reads the sections that both forms have. What is wrong is left out of the plan.
pub(crate) fn plan(
    document: &mut Document,
    findings: &mut Vec<Finding>,
    form: Form,
) -> (Plan, Rest) {
    let mut reader = Reader {
        findings,
        form,
        rest: Rest::default(),
    };
    let mut other = BTreeSet::new();
    let settings: Option<RawSettings> = document.one("network", reader.findings);
    let organisations = document.many(
        "organisations",
        &mut reader.rest.organisations,
        reader.findings,
    );
    let organisations = reader.each(organisations, Reader::organisation);
    let validators = document.many("validators", &mut reader.rest.machines, reader.findings);
    let mut machines = reader.each(validators, |it, entry| it.machine(entry, true));
    let nodes = document.many("nodes", &mut reader.rest.machines, reader.findings);
    machines.extend(reader.each(nodes, |it, entry| it.machine(entry, false)));
    let gateways = document.many("gateways", &mut other, reader.findings);
    let gateways = reader.each(gateways, Reader::gateway);
    let authorities = document.many("authorities", &mut other, reader.findings);
    let authorities = reader.each(authorities, Reader::authority);
    let council = document.many("council", &mut other, reader.findings);
    let council = reader.each(council, Reader::member);
    let committee = document.many("committee", &mut other, reader.findings);
    let committee = reader.each(committee, Reader::member);
    let validators = machines.iter().filter(|it| it.validator).count();
    let plan = Plan {
        network: reader.settings(settings, validators),
        organisations,
        machines,
        gateways,
        authorities,
        council,
        committee,
    };
    (plan, reader.rest)
}

struct Reader<'a> {
    findings: &'a mut Vec<Finding>,
    form: Form,
    rest: Rest,
}

impl Reader<'_> {
    fn each<Raw, T>(
        &mut self,
        entries: Vec<Entry<Raw>>,
        mut read: impl FnMut(&mut Self, Entry<Raw>) -> Option<T>,
    ) -> Vec<T> {
        entries
            .into_iter()
            .filter_map(|entry| read(self, entry))
            .collect()
    }

    fn wrong(&mut self, place: String, problem: impl Into<String>, remedy: impl Into<String>) {
        self.findings.push(Finding::error(place, problem, remedy));
    }

    /// A field that has a form of its own.
    fn field<T: FromStr<Err: Display>>(
        &mut self,
        place: &str,
        field: &str,
        text: &str,
        remedy: &str,
    ) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let problem = format!("{} is wrong: {error}", shown(text));
                self.wrong(format!("{place}: {field}"), problem, remedy);
                None
            }
        }
    }

    fn organisation_id(&mut self, place: &str, text: &str) -> Option<OrganisationId> {
        let remedy = "write the id of one of [[organisations]]";
        self.field(place, "organisation", text, remedy)
    }

    fn port(&mut self, place: &str, field: &str, port: i64) -> Option<u16> {
        let valid = u16::try_from(port).ok().filter(|port| *port != 0);
        if valid.is_none() {
            let problem = format!("{port} is no port");
            self.wrong(
                format!("{place}: ports.{field}"),
                problem,
                "write a number from 1 to 65535",
            );
        }
        valid
    }

    fn count(&mut self, place: &str, count: i64, remedy: &str) -> Option<u32> {
        let valid = u32::try_from(count).ok().filter(|count| *count != 0);
        if valid.is_none() {
            let problem = format!("{count} is out of range");
            self.wrong(place.to_owned(), problem, remedy);
        }
        valid
    }

    /// Falls back to what is harmless where something is wrong: the finding is an error already.
    fn settings(&mut self, raw: Option<RawSettings>, validators: usize) -> Settings {
        let count = u32::try_from(validators).unwrap_or(u32::MAX);
        // As many as GRANDPA needs: more than two thirds.
        let quorum = count.saturating_sub(count.saturating_sub(1) / 3);
        let raw = raw.unwrap_or(RawSettings {
            name: "network".into(),
            id: "network".into(),
            session_blocks: an_hour(),
            minimum_validators: None,
        });
        let session = self.count(
            "network: session_blocks",
            raw.session_blocks,
            "1800 blocks are one hour",
        );
        let minimum = raw.minimum_validators.and_then(|minimum| {
            let remedy = "write from 1 to the number of validators";
            self.count("network: minimum_validators", minimum, remedy)
        });
        Settings {
            name: raw.name,
            id: raw.id,
            session_blocks: session.unwrap_or(1_800),
            minimum_validators: minimum.unwrap_or(quorum.max(1)),
        }
    }

    fn organisation(&mut self, entry: Entry<RawOrganisation>) -> Option<Organisation> {
        let Entry {
            place,
            content: raw,
        } = entry;
        let id: OrganisationId = self.field(&place, "id", &raw.id, "write e.g. acme")?;
        Some(Organisation {
            label: raw.label.unwrap_or_else(|| id.to_string()),
            id,
            quotas: raw.quotas,
            bare_names: raw.bare_names,
        })
    }

    fn machine(&mut self, entry: Entry<RawMachine>, validator: bool) -> Option<Machine> {
        let Entry {
            place,
            content: raw,
        } = entry;
        let name = self.field(&place, "name", &raw.name, "write e.g. acme-1");
        let organisation = self.organisation_id(&place, &raw.organisation);
        let remedy = "write where the other machines reach it, e.g. acme-1.example or 192.0.2.1";
        let host = self.field(&place, "host", &raw.host, remedy);
        let p2p = self.port(&place, "p2p", raw.ports.p2p);
        let rpc = self.port(&place, "rpc", raw.ports.rpc);
        let prometheus = self.port(&place, "prometheus", raw.ports.prometheus);
        let keys = self.keys(&place, "keys", raw.keys);
        let machine = Machine {
            name: name?,
            organisation: organisation?,
            host: host?,
            ports: MachinePorts {
                p2p: p2p?,
                rpc: rpc?,
                prometheus: prometheus?,
            },
            validator,
            archive: raw.archive,
        };
        if let Some(keys) = keys {
            self.rest.machine_keys.push((machine.clone(), place, keys));
        }
        Some(machine)
    }

    fn gateway(&mut self, entry: Entry<RawGateway>) -> Option<Gateway> {
        let Entry {
            place,
            content: raw,
        } = entry;
        let name = self.field(&place, "name", &raw.name, "write e.g. acme.gw1");
        let organisation = self.organisation_id(&place, &raw.organisation);
        let remedy = "write the name of one of [[validators]] or [[nodes]]";
        let machine = self.field(&place, "machine", &raw.machine, remedy);
        let mqtt = self.port(&place, "mqtt", raw.ports.mqtt);
        let admin = self.port(&place, "admin", raw.ports.admin);
        let topics: Vec<Option<TopicFilter>> = raw
            .topics
            .iter()
            .map(|topic| self.field(&place, "topics", topic, "write e.g. plant/#"))
            .collect();
        let keys = self.keys(&place, "keys", raw.keys);
        let gateway = Gateway {
            name: name?,
            organisation: organisation?,
            machine: machine?,
            ports: GatewayPorts {
                mqtt: mqtt?,
                admin: admin?,
            },
            topics: topics.into_iter().collect::<Option<_>>()?,
        };
        if let Some(keys) = keys {
            self.rest.gateway_keys.push((gateway.clone(), place, keys));
        }
        Some(gateway)
    }

    fn authority(&mut self, entry: Entry<RawAuthority>) -> Option<Authority> {
        let Entry {
            place,
            content: raw,
        } = entry;
        let id = self.field(&place, "id", &raw.id, "write e.g. acme.ca");
        let organisation = self.organisation_id(&place, &raw.organisation);
        let key = self.keys(&place, "key", raw.key);
        let authority = Authority {
            id: id?,
            organisation: organisation?,
        };
        if let Some(key) = key {
            self.rest
                .authority_keys
                .push((authority.clone(), place, key));
        }
        Some(authority)
    }

    fn member(&mut self, entry: Entry<RawMember>) -> Option<Member> {
        let Entry {
            place,
            content: raw,
        } = entry;
        let name = self.field(&place, "name", &raw.name, "write e.g. anna");
        let organisation = self.organisation_id(&place, &raw.organisation);
        let account = raw.account.map(|text| account_from_text(&text));
        if self.form == Form::Network && account.is_none() {
            let remedy = "write this file with 'keyward network new'";
            self.wrong(format!("{place}: account"), "is missing", remedy);
        }
        let account = account.transpose().map_err(|error| {
            let remedy = "write the public address as polkadot.js shows it; nothing secret belongs into this file";
            self.wrong(format!("{place}: account"), error.to_string(), remedy);
        });
        Some(Member {
            name: name?,
            organisation: organisation?,
            account: account.ok()?,
        })
    }

    /// Keys are in the one form, and not in the other.
    fn keys<K>(&mut self, place: &str, field: &str, keys: Option<K>) -> Option<K> {
        let place = format!("{place}: {field}");
        match (self.form, &keys) {
            (Form::Plan, Some(_)) => {
                let remedy = "take it out: 'keyward network new' makes the keys";
                self.wrong(place, "does not belong into this file", remedy);
                None
            }
            (Form::Network, None) => {
                let remedy = "write this file with 'keyward network new'";
                self.wrong(place, "is missing", remedy);
                None
            }
            _ => keys,
        }
    }
}
