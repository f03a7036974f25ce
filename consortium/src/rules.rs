//! What must fit together in a plan, and what founders should think about.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

use keyward_protocol::{topic::TopicFilter, AccountId, OrganisationId};

use crate::{
    finding::{shown, Finding},
    host::Host,
    plan::{Machine, MachineName, Member, Plan},
    read::Rest,
};

/// Validators, and members of a council, that the chain has room for.
const MOST_MEMBERS: usize = 100;
/// Organisations that the chain has room for.
const MOST_ORGANISATIONS: usize = 256;
/// Gateways, and authorities, that the chain has room for.
const MOST_GATEWAYS: usize = 1_024;
/// Fewest blocks of a session.
const SHORTEST_SESSION: u32 = 10;
/// Sessions below five minutes are for tests.
const SHORT_SESSION: u32 = 150;
/// Two weeks: after more, a validator that leaves is in the set for a month.
const LONGEST_SESSION: u32 = 604_800;
/// Longest name and label, in bytes.
const LABEL: usize = 64;
/// Application topics of a gateway.
const MOST_TOPICS: usize = 64;

/// Finds what does not fit together.
pub(crate) fn check(plan: &Plan, rest: &Rest, findings: &mut Vec<Finding>) {
    let mut rules = Rules {
        partial: !findings.is_empty(),
        plan,
        rest,
        findings,
    };
    rules.network();
    rules.organisations();
    rules.machines();
    rules.ports();
    rules.validators();
    rules.gateways();
    rules.authorities();
    rules.council();
    rules.committee();
    rules.accounts();
}

struct Rules<'a> {
    /// Whether entries are missing that could not be read: what is missing is no reason for a warning then.
    partial: bool,
    plan: &'a Plan,
    rest: &'a Rest,
    findings: &'a mut Vec<Finding>,
}

fn place(section: &str, name: impl Display, field: &str) -> String {
    match field {
        "" => format!("{section} {name}"),
        field => format!("{section} {name}: {field}"),
    }
}

fn section(machine: &Machine) -> &'static str {
    match machine.validator {
        true => "validators",
        false => "nodes",
    }
}

/// Text for people: not empty, short, nothing that steers a terminal.
fn is_label(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= LABEL && !text.chars().any(char::is_control)
}

impl Rules<'_> {
    fn error(
        &mut self,
        place: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.findings.push(Finding::error(place, problem, remedy));
    }

    fn warning(
        &mut self,
        place: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        if !self.partial {
            self.findings.push(Finding::warning(place, problem, remedy));
        }
    }

    /// Each name once; how names are called in `section`.
    fn once<'n>(&mut self, section: &str, names: impl Iterator<Item = &'n str>) {
        let mut seen = BTreeSet::new();
        let mut told = BTreeSet::new();
        for name in names {
            if !seen.insert(name) && told.insert(name) {
                let place = place(section, name, "");
                self.error(
                    place,
                    "stands there more than once",
                    "give each its own name",
                );
            }
        }
    }

    fn most(&mut self, section: &str, count: usize, most: usize) {
        if count > most {
            let problem = format!("are {count}; the chain has room for {most}");
            self.error(section, problem, "take some out, and admit them later");
        }
    }

    /// Whether an organisation is in the file; one whose entry is wrong was told already.
    fn known(&mut self, place: String, organisation: &OrganisationId) {
        if !self.rest.organisations.contains(organisation.as_str()) {
            let problem = format!("no organisation is called {organisation}");
            self.error(
                place,
                problem,
                "add it to [[organisations]], or correct the id",
            );
        }
    }

    fn network(&mut self) {
        let settings = &self.plan.network;
        if !is_label(&settings.name) {
            let problem = format!("{} is no name", shown(&settings.name));
            self.error("network: name", problem, "write 1 to 64 bytes of text");
        }
        if settings.id.parse::<MachineName>().is_err() {
            let problem = format!("{} is no id", shown(&settings.id));
            let remedy = "write 1 to 32 lower-case letters, digits and inner hyphens";
            self.error("network: id", problem, remedy);
        }
        self.session(settings.session_blocks);
        let validators = self.plan.validators().count();
        let minimum = usize::try_from(settings.minimum_validators).unwrap_or(usize::MAX);
        if minimum > validators.max(1) && !self.partial {
            let problem = format!("{minimum}, and there are {validators} validators");
            let remedy = "write from 1 to the number of validators";
            self.error("network: minimum_validators", problem, remedy);
        } else if minimum == validators && validators > 1 {
            let problem = format!("{minimum} is all validators: none can leave or be removed");
            let remedy = "write fewer, or add a validator";
            self.warning("network: minimum_validators", problem, remedy);
        }
    }

    fn session(&mut self, blocks: u32) {
        let place = "network: session_blocks";
        if !(SHORTEST_SESSION..=LONGEST_SESSION).contains(&blocks) {
            let problem = format!("{blocks} is out of range");
            let remedy = format!(
                "write from {SHORTEST_SESSION} to {LONGEST_SESSION}; 1800 blocks are one hour"
            );
            self.error(place, problem, remedy);
        } else if blocks < SHORT_SESSION {
            let problem = format!("{blocks} blocks are a session for tests");
            self.warning(
                place,
                problem,
                "write 1800, one hour, unless this is a test",
            );
        }
    }

    fn organisations(&mut self) {
        let organisations = &self.plan.organisations;
        if organisations.is_empty() && self.rest.organisations.is_empty() {
            let remedy = "add [[organisations]], once for each";
            self.error("organisations", "nobody takes part", remedy);
        }
        self.once(
            "organisations",
            organisations.iter().map(|it| it.id.as_str()),
        );
        self.most("organisations", organisations.len(), MOST_ORGANISATIONS);
        for it in organisations {
            let at = |field| place("organisations", &it.id, field);
            if it.id.organisation().is_some() {
                let problem = "has a '.', which stands between an organisation and its names";
                self.error(at("id"), problem, "write e.g. acme");
            }
            if !is_label(&it.label) {
                let problem = format!("{} is no label", shown(&it.label));
                self.error(at("label"), problem, "write 1 to 64 bytes of text");
            }
            let quotas = [it.quotas.devices, it.quotas.groups, it.quotas.members];
            if quotas.contains(&0) {
                let problem = "one is 0, so that its gateways can do nothing";
                self.error(at("quotas"), problem, "write at least 1 for each");
            }
        }
        let bare: Vec<_> = organisations.iter().filter(|it| it.bare_names).collect();
        for it in bare.iter().skip(1) {
            let problem = "only one organisation may have the names without a '.'";
            self.error(
                place("organisations", &it.id, "bare_names"),
                problem,
                "take it out of all but one",
            );
        }
    }

    fn machines(&mut self) {
        let machines = &self.plan.machines;
        self.once("machines", machines.iter().map(|it| it.name.as_str()));
        let alone = machines.iter().filter(|it| it.host.is_loopback()).count();
        let mixed = alone != 0 && alone != machines.len();
        for machine in machines {
            let at = |field| place(section(machine), &machine.name, field);
            self.known(at("organisation"), &machine.organisation);
            if mixed && machine.host.is_loopback() {
                let problem = format!("{} is reached by this machine only", machine.host);
                let remedy = "write where the other machines reach it";
                self.error(at("host"), problem, remedy);
            }
        }
        if !machines.is_empty() && !machines.iter().any(|it| it.archive) {
            let problem = "no node is an archive: nobody can say what was so a day ago";
            let remedy = "write archive = true at one of [[validators]] or [[nodes]]";
            self.warning("nodes", problem, remedy);
        }
    }

    /// What listens on one host listens on ports of its own.
    fn ports(&mut self) {
        let mut taken: BTreeMap<(&Host, u16), String> = BTreeMap::new();
        let mut clashes = Vec::new();
        for machine in &self.plan.machines {
            let at = |field: &str| place(section(machine), &machine.name, field);
            let mut ports = vec![
                (machine.ports.p2p, at("ports.p2p")),
                (machine.ports.rpc, at("ports.rpc")),
                (machine.ports.prometheus, at("ports.prometheus")),
            ];
            for gateway in &self.plan.gateways {
                if gateway.machine == machine.name {
                    let at = |field: &str| place("gateways", &gateway.name, field);
                    ports.push((gateway.ports.mqtt, at("ports.mqtt")));
                    ports.push((gateway.ports.admin, at("ports.admin")));
                }
            }
            for (port, at) in ports {
                match taken.get(&(&machine.host, port)) {
                    Some(other) => clashes.push((at, port, &machine.host, other.clone())),
                    None => drop(taken.insert((&machine.host, port), at)),
                }
            }
        }
        for (at, port, host, other) in clashes {
            let problem = format!("{port} on {host} is taken by {other}");
            self.error(at, problem, "write another port");
        }
    }

    fn validators(&mut self) {
        let count = self.plan.validators().count();
        self.most("validators", count, MOST_MEMBERS);
        let tolerated = count.saturating_sub(1) / 3;
        match count {
            0 if !self.partial => {
                self.error(
                    "validators",
                    "nobody makes blocks",
                    "add [[validators]]; four or more",
                );
            }
            1..=3 => {
                let problem = format!("{count} tolerate no fault: when one fails, nothing is final any more and no removal takes effect");
                self.warning(
                    "validators",
                    problem,
                    "add [[validators]]; four tolerate one",
                );
            }
            _ => {}
        }
        if count < 4 {
            return;
        }
        for (organisation, its) in tally(self.plan.validators().map(|it| &it.organisation)) {
            if its > tolerated {
                let problem =
                    format!("{organisation} runs {its} of {count}: it alone can stop finality");
                let remedy = format!("let no organisation run more than {tolerated}");
                self.warning("validators", problem, remedy);
            }
        }
    }

    fn gateways(&mut self) {
        let gateways = &self.plan.gateways;
        self.once("gateways", gateways.iter().map(|it| it.name.as_str()));
        self.most("gateways", gateways.len(), MOST_GATEWAYS);
        let mut machines = BTreeMap::new();
        for it in gateways {
            let at = |field| place("gateways", &it.name, field);
            self.known(at("organisation"), &it.organisation);
            self.own(at("name"), &it.organisation, it.name.organisation());
            self.gateway_machine(at("machine"), &it.machine, &it.organisation);
            if let Some(other) = machines.insert(&it.machine, &it.name) {
                let problem = format!("{} is the machine of gateway {other}, too", it.machine);
                let remedy = "give it a machine of its own, with [[nodes]]";
                self.error(at("machine"), problem, remedy);
            }
            self.topics(at("topics"), &it.topics);
        }
        if gateways.is_empty() {
            let problem = "there is none: no device can take part";
            self.warning("gateways", problem, "add [[gateways]], or admit some later");
        }
    }

    fn gateway_machine(&mut self, at: String, name: &MachineName, organisation: &OrganisationId) {
        match self.plan.machine(name) {
            Some(machine) if machine.organisation != *organisation => {
                let problem = format!(
                    "{name} is run by {}, who can read this gateway's keys",
                    machine.organisation
                );
                let remedy = "give it a machine of its own organisation, with [[nodes]]";
                self.warning(at, problem, remedy);
            }
            Some(_) => {}
            None if self.rest.machines.contains(name.as_str()) => {}
            None => {
                let problem = format!("no node is on {name}: no machine is called so");
                let remedy = "write the name of one of [[validators]], or add it to [[nodes]]";
                self.error(at, problem, remedy);
            }
        }
    }

    /// What devices may write must not be what Keyward says.
    fn topics(&mut self, at: String, topics: &[TopicFilter]) {
        if topics.len() > MOST_TOPICS {
            let problem = format!("are {}; at most {MOST_TOPICS}", topics.len());
            self.error(
                at.clone(),
                problem,
                "write filters that cover more, e.g. plant/#",
            );
        }
        for topic in topics {
            let first = topic.as_str().split('/').next().unwrap_or_default();
            if matches!(first, "#" | "+" | "keyward") {
                let problem = format!("{} covers Keyward's own topics", shown(topic.as_str()));
                self.error(
                    at.clone(),
                    problem,
                    "begin with a level of your own, e.g. plant/#",
                );
            }
        }
    }

    fn authorities(&mut self) {
        let authorities = &self.plan.authorities;
        self.once("authorities", authorities.iter().map(|it| it.id.as_str()));
        self.most("authorities", authorities.len(), MOST_GATEWAYS);
        for it in authorities {
            let at = |field| place("authorities", &it.id, field);
            self.known(at("organisation"), &it.organisation);
            self.own(at("id"), &it.organisation, it.id.organisation());
        }
        let have: BTreeSet<_> = authorities.iter().map(|it| &it.organisation).collect();
        let need: BTreeSet<_> = self
            .plan
            .gateways
            .iter()
            .map(|it| &it.organisation)
            .collect();
        for organisation in need.difference(&have) {
            let place = place("organisations", organisation, "");
            let problem = "has a gateway and no authority: it cannot enrol a device";
            self.warning(
                place,
                problem,
                "add [[authorities]] for it, or admit one later",
            );
        }
    }

    /// An id of an organisation begins with its name and a '.'; the one with the bare names has those without (ID-2).
    fn own(&mut self, at: String, organisation: &OrganisationId, prefix: Option<&str>) {
        let bare = |id: &OrganisationId| {
            let organisations = &self.plan.organisations;
            organisations.iter().any(|it| it.id == *id && it.bare_names)
        };
        let own = match prefix {
            Some(prefix) => prefix == organisation.as_str(),
            None => bare(organisation),
        };
        let mut known = self.plan.organisations.iter();
        let known = known.any(|it| it.id == *organisation && it.id.organisation().is_none());
        if own || !known {
            return;
        }
        let problem = format!("is no name of {organisation}");
        let remedy = match bare(organisation) {
            true => "write it without a '.'".to_owned(),
            false => format!("let it begin with '{organisation}.'"),
        };
        self.error(at, problem, remedy);
    }

    fn council(&mut self) {
        let council = &self.plan.council;
        if council.is_empty() && self.partial {
            return;
        }
        if council.is_empty() {
            let problem = "is empty: nobody could ever change anything";
            self.error(
                "council",
                problem,
                "add [[council]], for each organisation one or more",
            );
            return;
        }
        self.members("council", council);
        let have = tally(council.iter().map(|it| &it.organisation));
        for organisation in &self.plan.organisations {
            if !have.contains_key(&organisation.id) {
                let place = place("organisations", &organisation.id, "");
                let remedy = "add a member of it to [[council]]";
                self.warning(place, "has no say: nobody in the council is of it", remedy);
            }
        }
        let deciding = council.len().saturating_mul(2).div_ceil(3);
        for (organisation, its) in have {
            if its >= deciding && self.plan.organisations.len() > 1 {
                let problem = format!(
                    "{organisation} has {its} of {}: it alone decides everything",
                    council.len()
                );
                self.warning("council", problem, "let no organisation have two thirds");
            }
        }
    }

    fn committee(&mut self) {
        let committee = &self.plan.committee;
        if committee.is_empty() {
            let problem = "is empty: nobody can freeze a group or suspend a gateway at once";
            self.warning(
                "committee",
                problem,
                "add [[committee]]; its members may be those of the council",
            );
        }
        self.members("committee", committee);
    }

    fn members(&mut self, section: &str, members: &[Member]) {
        self.most(section, members.len(), MOST_MEMBERS);
        let mut seen = BTreeSet::new();
        let mut accounts: BTreeMap<AccountId, &MachineName> = BTreeMap::new();
        for it in members {
            let at = |field| place(section, &it.name, field);
            self.known(at("organisation"), &it.organisation);
            if !seen.insert((&it.organisation, &it.name)) {
                let problem = format!("stands there more than once for {}", it.organisation);
                self.error(at(""), problem, "give each member its own name");
            } else if let Some(account) = it.account {
                if let Some(other) = accounts.insert(account, &it.name) {
                    let problem = format!("is the account of {other}, too");
                    self.error(at("account"), problem, "give each member its own account");
                }
            }
        }
    }

    /// One person has one account, and it is nobody else's.
    fn accounts(&mut self) {
        for it in &self.plan.committee {
            let at = |field| place("committee", &it.name, field);
            let same =
                |other: &&Member| other.name == it.name && other.organisation == it.organisation;
            let person = self.plan.council.iter().find(same);
            if person.is_some_and(|person| person.account != it.account) {
                let problem = format!(
                    "{} of {} is in the council with another account",
                    it.name, it.organisation
                );
                self.error(
                    at("account"),
                    problem,
                    "write the same in both, or give them different names",
                );
            }
        }
        let members = self.plan.council.iter().map(|it| ("council", it));
        let members = members.chain(self.plan.committee.iter().map(|it| ("committee", it)));
        for (section, it) in members {
            if it.account.is_some_and(|account| is_development(&account)) {
                let at = place(section, &it.name, "account");
                let problem = "is a development account: everybody knows its secret";
                self.warning(at, problem, "write another, unless this is a test");
            }
        }
    }
}

fn tally<'a>(
    organisations: impl Iterator<Item = &'a OrganisationId>,
) -> BTreeMap<&'a OrganisationId, usize> {
    let mut tally = BTreeMap::new();
    for organisation in organisations {
        let count: &mut usize = tally.entry(organisation).or_default();
        *count = count.saturating_add(1);
    }
    tally
}

/// Alice, Bob, Charlie, Dave, Eve and Ferdie: accounts of Substrate's development chains.
fn is_development(account: &AccountId) -> bool {
    const BEGINNINGS: [[u8; 8]; 6] = [
        [0xd4, 0x35, 0x93, 0xc7, 0x15, 0xfd, 0xd3, 0x1c],
        [0x8e, 0xaf, 0x04, 0x15, 0x16, 0x87, 0x73, 0x63],
        [0x90, 0xb5, 0xab, 0x20, 0x5c, 0x69, 0x74, 0xc9],
        [0x30, 0x67, 0x21, 0x21, 0x1d, 0x54, 0x04, 0xbd],
        [0xe6, 0x59, 0xa7, 0xa1, 0x62, 0x8c, 0xdd, 0x93],
        [0x1c, 0xbd, 0x2d, 0x43, 0x53, 0x0a, 0x44, 0x70],
    ];
    BEGINNINGS.iter().any(|it| account.0.starts_with(it))
}
