//! The house stands as DESIGN section 3 draws it: dependencies point one way, and files stay small and well named.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{ensure, Context, Result};
use serde::Deserialize;

/// For each crate of the workspace, the others that it may build on, directly.
const EDGES: &[(&str, &[&str])] = &[
    ("keyward-protocol", &[]),
    ("keyward-crypto", &["keyward-protocol"]),
    ("keyward-consortium", &["keyward-protocol"]),
    ("pallet-fleet", &["keyward-protocol"]),
    ("pallet-governance", &["keyward-protocol"]),
    ("pallet-validator-set", &[]),
    (
        "keyward-runtime",
        &[
            "keyward-protocol",
            "pallet-fleet",
            "pallet-governance",
            "pallet-validator-set",
        ],
    ),
    (
        "keyward-chain-spec",
        &["keyward-protocol", "keyward-consortium", "keyward-runtime"],
    ),
    (
        "keyward-node",
        &["keyward-protocol", "keyward-runtime", "keyward-chain-spec"],
    ),
    ("keyward-chain-client", &["keyward-protocol"]),
    (
        "keyward-bridge",
        &["keyward-protocol", "keyward-crypto", "keyward-chain-client"],
    ),
    (
        "keyward-bridge-testing",
        &["keyward-protocol", "keyward-crypto", "keyward-bridge"],
    ),
    (
        "keyward-cli",
        &[
            "keyward-protocol",
            "keyward-crypto",
            "keyward-consortium",
            "keyward-chain-client",
        ],
    ),
    ("keyward-client", &["keyward-protocol", "keyward-crypto"]),
    (
        "keyward-fuzz",
        &[
            "keyward-protocol",
            "keyward-crypto",
            "keyward-client",
            "keyward-bridge",
            "keyward-bridge-testing",
        ],
    ),
    (
        "keyward-tests",
        &[
            "keyward-protocol",
            "keyward-crypto",
            "keyward-consortium",
            "keyward-chain-client",
            "keyward-client",
            "keyward-next-runtime",
            "keyward-test-ports",
        ],
    ),
    ("keyward-next-runtime", &[]),
    ("keyward-test-ports", &[]),
];

/// What a crate must never see, however far down. A trailing `*` stands for any ending.
const NEVER: &[(&[&str], &[&str])] = &[
    (
        &["keyward-protocol", "keyward-crypto", "keyward-client"],
        &[
            "subxt*",
            "sp-*",
            "sc-*",
            "frame-*",
            "pallet-*",
            "polkadot-sdk",
        ],
    ),
    // Of subxt's family only the crate of SS58 addresses, which depends on none of the others.
    (
        &["keyward-consortium"],
        &[
            "subxt",
            "subxt-core",
            "subxt-metadata",
            "subxt-rpcs",
            "subxt-signer",
            "sp-*",
            "sc-*",
            "frame-*",
            "pallet-*",
            "polkadot-sdk",
        ],
    ),
    (
        &["keyward-chain-client", "keyward-bridge", "keyward-cli"],
        &[
            "keyward-runtime",
            "pallet-*",
            "frame-support",
            "frame-system",
            "sp-runtime",
            "sc-*",
        ],
    ),
    (
        &["pallet-fleet", "pallet-governance", "pallet-validator-set"],
        &["keyward-crypto", "polkadot-sdk"],
    ),
];

/// Built by nobody: ParityDB is the only database.
const NOWHERE: &[&str] = &["librocksdb-sys", "polkadot-sdk"];

/// Lines of the longest file (STYLE).
const LONGEST_FILE: usize = 800;
/// Names that say nothing of what is in a file.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "misc"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    workspace_root: PathBuf,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// None for a normal dependency.
    kind: Option<String>,
}

/// What is linked into what: names of packages, normal dependencies only.
struct House {
    root: PathBuf,
    members: BTreeSet<String>,
    packages: BTreeSet<String>,
    below: BTreeMap<String, BTreeSet<String>>,
}

impl House {
    /// As Cargo resolves it for this machine.
    fn survey() -> Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--locked"])
            .args(["--filter-platform", &platform, "--manifest-path"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
            .output()
            .context("cannot run cargo")?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "cargo metadata: {errors}");
        Ok(Self::from(serde_json::from_slice::<Metadata>(
            &output.stdout,
        )?))
    }

    /// Everything that a crate is built from, itself excluded.
    fn all_below(&self, name: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut open = vec![name];
        while let Some(next) = open.pop() {
            for below in self.below.get(next).into_iter().flatten() {
                if found.insert(below.as_str()) {
                    open.push(below);
                }
            }
        }
        found
    }
}

impl From<Metadata> for House {
    fn from(metadata: Metadata) -> Self {
        let names: BTreeMap<&str, &str> = metadata
            .packages
            .iter()
            .map(|package| (package.id.as_str(), package.name.as_str()))
            .collect();
        let name = |id: &str| names.get(id).copied().unwrap_or(id).to_owned();
        let mut below: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in &metadata.resolve.nodes {
            let normal = |dependency: &&Dependency| {
                dependency.dep_kinds.iter().any(|kind| kind.kind.is_none())
            };
            let dependencies = node.deps.iter().filter(normal);
            below
                .entry(name(&node.id))
                .or_default()
                .extend(dependencies.map(|dependency| name(&dependency.pkg)));
        }
        Self {
            members: metadata
                .workspace_members
                .iter()
                .map(|id| name(id))
                .collect(),
            packages: below.keys().cloned().collect(),
            root: metadata.workspace_root,
            below,
        }
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

#[test]
fn dependencies_point_one_way() -> Result<()> {
    let house = House::survey()?;
    let known: BTreeSet<String> = EDGES.iter().map(|(name, _)| (*name).to_owned()).collect();
    ensure!(
        known == house.members,
        "a crate is missing here, or gone: {:?}",
        known.symmetric_difference(&house.members)
    );
    for (name, allowed) in EDGES {
        let below = house.below.get(*name).context("no such crate")?;
        let forbidden: Vec<_> = below
            .intersection(&house.members)
            .filter(|below| !allowed.contains(&below.as_str()))
            .collect();
        ensure!(forbidden.is_empty(), "{name} depends on {forbidden:?}");
    }
    Ok(())
}

#[test]
fn nobody_sees_what_it_must_not() -> Result<()> {
    let house = House::survey()?;
    for (crates, patterns) in NEVER {
        for name in *crates {
            let below = house.all_below(name);
            ensure!(!below.is_empty(), "{name} is built from nothing");
            let seen: Vec<_> = below
                .iter()
                .filter(|below| patterns.iter().any(|pattern| matches(pattern, below)))
                .collect();
            ensure!(seen.is_empty(), "{name} sees {seen:?}");
        }
    }
    let built: Vec<_> = NOWHERE
        .iter()
        .filter(|name| house.packages.contains(**name))
        .collect();
    ensure!(built.is_empty(), "{built:?} is built");
    Ok(())
}

/// The workspace's own Rust files, and how many lines each has.
fn sources(directory: &Path) -> Result<Vec<(PathBuf, usize)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(sources(&path)?);
        } else if name.ends_with(".rs") {
            let lines = std::fs::read_to_string(&path)?.lines().count();
            found.push((path, lines));
        }
    }
    Ok(found)
}

#[test]
fn no_file_is_too_long_or_named_after_nothing() -> Result<()> {
    let house = House::survey()?;
    let sources = sources(&house.root)?;
    ensure!(
        sources.len() > 100,
        "only {} files were found",
        sources.len()
    );
    for (path, lines) in sources {
        let shown = path.display();
        ensure!(
            lines <= LONGEST_FILE,
            "{shown} has {lines} lines, more than {LONGEST_FILE}"
        );
        let inside = path.strip_prefix(&house.root)?;
        let says_nothing = inside
            .components()
            .filter_map(|part| Path::new(part.as_os_str()).file_stem()?.to_str())
            .any(|stem| EMPTY_NAMES.contains(&stem));
        ensure!(!says_nothing, "{shown} says nothing of what is in it");
    }
    Ok(())
}

#[test]
fn a_pattern_stands_for_what_begins_with_it() {
    assert!(matches("sp-*", "sp-core") && matches("sp-core", "sp-core"));
    assert!(!matches("sp-*", "spin") && !matches("sp-core", "sp-core-hashing"));
}
