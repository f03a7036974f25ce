//! Where things will be on the machines.

use std::{collections::BTreeSet, path::PathBuf};

use keyward_consortium::{Machine, Plan};

use super::New;
use crate::output::UsageInvalid;

/// Stands for the machine's name.
const MACHINE: &str = "{machine}";

/// Where configurations, data and programs will be.
#[derive(Clone, Debug)]
pub struct Places {
    install: String,
    data: String,
    bin: String,
}

/// The same, for one machine.
#[derive(Clone, Debug)]
pub struct Place {
    /// Configurations and keys.
    pub install: String,
    /// What node, bridge and broker write.
    pub data: String,
    /// Programs.
    pub bin: String,
}

fn wrong(problem: String) -> UsageInvalid {
    UsageInvalid { problem }
}

/// A path as it stands in a unit, in bridge.toml and in mosquitto.conf: no form of quoting is the same in all three.
fn checked(option: &str, path: &str) -> Result<String, UsageInvalid> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,=".contains(c);
    let plain = path.replace(MACHINE, "machine");
    let climbs = plain.split('/').any(|part| part == "..");
    if !plain.starts_with('/') || !plain.chars().all(allowed) || climbs || plain.len() > 200 {
        return Err(wrong(format!(
            "--{option} {path:?} cannot stand in a unit; write an absolute path of letters, digits and /._-+@:,= ({MACHINE} stands for a machine's name)"
        )));
    }
    Ok(path.trim_end_matches('/').to_owned())
}

impl Places {
    /// From the command line, for these machines.
    ///
    /// # Errors
    /// When a path is not plain, or two machines on one host would share a directory.
    pub fn new(arguments: &New, plan: &Plan) -> Result<Self, UsageInvalid> {
        let places = Self {
            install: checked("install-dir", &arguments.install_dir)?,
            data: checked("data-dir", &arguments.data_dir)?,
            bin: checked("bin-dir", &arguments.bin_dir)?,
        };
        let mut hosts = BTreeSet::new();
        let shared = plan.machines.iter().find(|it| !hosts.insert(&it.host));
        let alone = places.install.contains(MACHINE) && places.data.contains(MACHINE);
        match shared {
            Some(machine) if !alone => Err(wrong(format!(
                "{} is the host of several machines ({} among them), whose files would overwrite each other; write {MACHINE} into --install-dir and --data-dir",
                machine.host, machine.name
            ))),
            _ => Ok(places),
        }
    }

    /// For one machine.
    pub fn on(&self, machine: &Machine) -> Place {
        let at = |path: &str| path.replace(MACHINE, machine.name.as_str());
        Place {
            install: at(&self.install),
            data: at(&self.data),
            bin: at(&self.bin),
        }
    }
}

/// Finds a program in `PATH` and the places for administrators' programs.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let fixed = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];
    std::env::split_paths(&path)
        .chain(fixed.map(PathBuf::from))
        .map(|place| place.join(name))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(install: &str, data: &str) -> New {
        New {
            file: "consortium.toml".into(),
            out: "out".into(),
            install_dir: install.into(),
            data_dir: data.into(),
            bin_dir: "/usr/local/bin/".into(),
            node: None,
        }
    }

    fn plan(text: &str) -> Plan {
        Plan::parse(text).value.unwrap()
    }

    const EXAMPLE: &str = include_str!("../../../consortium/examples/consortium.toml");
    const LOCAL: &str = include_str!("../../../consortium/examples/local.toml");

    #[test]
    fn the_name_of_the_machine_stands_where_it_is_asked_for() {
        let plan = plan(LOCAL);
        let places = Places::new(&new("/srv/{machine}/etc", "/srv/{machine}/data"), &plan);
        let place = places.unwrap().on(&plan.machines[1]);
        assert_eq!(place.install, "/srv/hydro-1/etc");
        assert_eq!(
            (place.data.as_str(), place.bin.as_str()),
            ("/srv/hydro-1/data", "/usr/local/bin")
        );
    }

    #[test]
    fn what_cannot_stand_in_a_unit_is_refused() {
        let plan = plan(EXAMPLE);
        for path in [
            "etc",
            "",
            "/a b",
            "/a\nExecStart=",
            "/a%n",
            "/a$HOME",
            "/a/../b",
            "/\"a",
            "/a;b",
            "/{other}",
        ] {
            let refused = Places::new(&new(path, "/var/lib/keyward"), &plan).unwrap_err();
            assert!(refused.problem.contains("--install-dir"), "{path}");
        }
    }

    #[test]
    fn machines_on_one_host_do_not_share_a_directory() {
        let plan = plan(LOCAL);
        for (install, data) in [
            ("/etc/keyward", "/var/{machine}"),
            ("/etc/{machine}", "/var/lib"),
        ] {
            let refused = Places::new(&new(install, data), &plan).unwrap_err();
            assert!(refused.problem.contains("{machine}"), "{refused}");
        }
    }
}
