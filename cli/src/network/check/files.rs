//! That every file of a network's directory is there, that secrets are nobody else's, and are the ones that network.toml names.

use std::{os::unix::fs::PermissionsExt, path::Path};

use keyward_consortium::{Finding, Machine, Network, Plan};
use keyward_crypto::{AgreementSecret, SigningKey};
use zeroize::Zeroizing;

use super::{
    super::{
        directory::{
            authority_directory, machine_directory, member_key, organisation_directory, CHAIN_RAW,
        },
        keys::{account, has_key, session_key_name, AURA, GRANDPA},
    },
    certificates,
};
use crate::key_file;

/// What the public key of a secret is.
type Derive = fn(&[u8; 32]) -> Option<[u8; 32]>;

fn of_account(seed: &[u8; 32]) -> Option<[u8; 32]> {
    account(seed).ok().map(|account| account.0)
}

fn of_signing(seed: &[u8; 32]) -> Option<[u8; 32]> {
    Some(SigningKey::from_seed(seed).verifying_key().0)
}

fn of_agreement(seed: &[u8; 32]) -> Option<[u8; 32]> {
    Some(AgreementSecret::from_bytes(seed).public().0)
}

/// Finds what is missing, loose or another's.
pub fn check(root: &Path, network: &Network, written: Option<&Plan>, findings: &mut Vec<Finding>) {
    let mut files = Files { root, findings };
    files.directory(Path::new(""));
    files.public(Path::new("README.md"));
    files.certificate(Path::new("tls/ca.pem"));
    files.secret(Path::new("tls/ca.key"));
    for machine in &network.plan.machines {
        files.machine(network, machine);
    }
    files.authorities(network);
    files.members(&network.plan, written);
}

struct Files<'a> {
    root: &'a Path,
    findings: &'a mut Vec<Finding>,
}

impl Files<'_> {
    fn wrong(&mut self, path: &Path, problem: impl Into<String>, remedy: impl Into<String>) {
        let place = match path.as_os_str().is_empty() {
            true => ".".to_owned(),
            false => path.display().to_string(),
        };
        self.findings.push(Finding::error(place, problem, remedy));
    }

    /// The permission bits, if it is there and of that kind.
    fn mode(&mut self, path: &Path, directory: bool) -> Option<u32> {
        match std::fs::symlink_metadata(self.root.join(path)) {
            Ok(it) if it.is_dir() == directory && !it.is_symlink() => {
                Some(it.permissions().mode() & 0o7777)
            }
            Ok(_) => {
                let what = if directory { "directory" } else { "file" };
                self.wrong(path, format!("is no {what}"), "restore it from a backup");
                None
            }
            Err(error) => {
                let remedy =
                    "restore it from a backup; what was lost for good is replaced by the council";
                self.wrong(path, format!("is missing ({error})"), remedy);
                None
            }
        }
    }

    fn private(&mut self, path: &Path, mode: u32, right: u32) {
        if mode & 0o077 != 0 {
            let problem = format!("has mode {mode:04o}, so that others than its owner may use it");
            let remedy = format!("run: chmod {right:04o} {}", self.root.join(path).display());
            self.wrong(path, problem, remedy);
        }
    }

    fn directory(&mut self, path: &Path) {
        if let Some(mode) = self.mode(path, true) {
            self.private(path, mode, 0o700);
        }
    }

    fn public(&mut self, path: &Path) {
        self.mode(path, false);
    }

    fn certificate(&mut self, path: &Path) {
        if self.mode(path, false).is_some() {
            let pem = std::fs::read(self.root.join(path)).unwrap_or_default();
            let place = path.display().to_string();
            let found = certificates::findings(&place, &pem, certificates::now());
            self.findings.extend(found);
        }
    }

    fn secret(&mut self, path: &Path) -> bool {
        let mode = self.mode(path, false);
        if let Some(mode) = mode {
            self.private(path, mode, 0o400);
        }
        mode.is_some_and(|mode| mode & 0o077 == 0)
    }

    /// A key file whose public key is known.
    fn key(&mut self, path: &Path, derive: Derive, public: &[u8; 32]) {
        if !self.secret(path) {
            return;
        }
        match key_file::read_secret(&self.root.join(path)) {
            Ok(seed) => self.matches(path, derive(&seed), public),
            Err(error) => {
                let remedy = "restore it from a backup";
                self.wrong(path, error.to_string(), remedy);
            }
        }
    }

    fn matches(&mut self, path: &Path, found: Option<[u8; 32]>, public: &[u8; 32]) {
        if found.as_ref() != Some(public) {
            let problem = "is not the key that network.toml names";
            self.wrong(path, problem, "restore both from one backup");
        }
    }

    fn machine(&mut self, network: &Network, machine: &Machine) {
        let directory = machine_directory(&machine.name);
        let node = directory.join("node");
        for path in [&directory, &node, &directory.join("systemd")] {
            self.directory(path);
        }
        self.public(&directory.join("README.md"));
        self.public(&directory.join("systemd/keyward-node.service"));
        self.same_specification(&node.join(CHAIN_RAW));
        if let Some(keys) = network.machines.get(&machine.name) {
            self.key(&node.join("node.key"), of_signing, &keys.peer_id.0 .0);
            if let Some(session) = keys.session {
                self.key(&node.join("operator.key"), of_account, &session.account.0);
                let keystore = node.join("keystore");
                self.directory(&keystore);
                self.session_key(&keystore, AURA, of_account, &session.aura.0 .0);
                self.session_key(&keystore, GRANDPA, of_signing, &session.grandpa.0);
            }
        }
        self.gateway(network, machine, &directory);
    }

    /// As Substrate's key store has it: a JSON string.
    fn session_key(&mut self, keystore: &Path, kind: &str, derive: Derive, public: &[u8; 32]) {
        let path = keystore.join(session_key_name(kind, public));
        if !self.secret(&path) {
            return;
        }
        let json = std::fs::read_to_string(self.root.join(&path)).map(Zeroizing::new);
        let json = json.unwrap_or_default();
        let digits = json.trim().trim_matches('"').trim_start_matches("0x");
        let mut seed = Zeroizing::new([0; 32]);
        let read = hex::decode_to_slice(digits, &mut *seed);
        let found = read.ok().and_then(|()| derive(&seed));
        self.matches(&path, found, public);
    }

    fn gateway(&mut self, network: &Network, machine: &Machine, directory: &Path) {
        let Some(gateway) = network.plan.gateway_on(&machine.name) else {
            return;
        };
        for name in ["bridge", "bridge/keys", "mosquitto", "tls"] {
            self.directory(&directory.join(name));
        }
        for name in ["bridge/ca.pem", "tls/ca.pem", "tls/broker.pem"] {
            self.certificate(&directory.join(name));
        }
        for name in [
            "bridge/keys/public.json",
            "mosquitto/mosquitto.conf",
            "mosquitto/keyward.acl",
            "systemd/keyward-bridge.service",
            "systemd/keyward-mosquitto.service",
        ] {
            self.public(&directory.join(name));
        }
        for name in [
            "bridge/bridge.toml",
            "bridge/mqtt.password",
            "bridge/keys/store.key",
            "mosquitto/passwords",
            "tls/broker.key",
        ] {
            self.secret(&directory.join(name));
        }
        let Some(public) = network.gateways.get(&gateway.name) else {
            return;
        };
        let keys = directory.join("bridge/keys");
        self.key(&keys.join("account.key"), of_account, &public.account.0);
        self.key(&keys.join("statement.key"), of_signing, &public.statement.0);
        self.key(&keys.join("custody.key"), of_agreement, &public.custody.0);
    }

    fn authorities(&mut self, network: &Network) {
        for it in &network.plan.authorities {
            let directory = authority_directory(it);
            self.directory(&directory);
            self.public(&directory.join("authority.json"));
            if let Some(key) = network.authorities.get(&it.id) {
                self.key(&directory.join("authority.key"), of_signing, &key.0);
            }
        }
    }

    /// Who had an account before has no key file here: the file of the founders says who.
    fn members(&mut self, plan: &Plan, written: Option<&Plan>) {
        let bodies = [
            ("council", &plan.council, written.map(|it| &it.council)),
            (
                "committee",
                &plan.committee,
                written.map(|it| &it.committee),
            ),
        ];
        for (body, members, written) in bodies {
            for (at, member) in members.iter().enumerate() {
                let path = member_key(member, body);
                let made = match written.and_then(|members| members.get(at)) {
                    Some(member) => member.account.is_none(),
                    None => self.root.join(&path).exists(),
                };
                let made = made && has_key(member, body, plan);
                if let Some(account) = member.account.filter(|_| made) {
                    let organisation = organisation_directory(member.organisation.as_str());
                    self.directory(&organisation.join(body));
                    self.key(&path, of_account, &account.0);
                }
            }
        }
    }

    fn same_specification(&mut self, path: &Path) {
        if self.mode(path, false).is_none() {
            return;
        }
        let read = |path: &Path| std::fs::read(self.root.join(path)).ok();
        if read(path) != read(Path::new(CHAIN_RAW)) {
            let problem =
                "is not the network's chain-raw.json: this node would be on another chain";
            self.wrong(path, problem, "copy chain-raw.json there");
        }
    }
}
