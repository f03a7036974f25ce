//! How a network's directory is laid out.

use std::path::{Path, PathBuf};

use keyward_consortium::{Authority, MachineName, Member};

/// The public form.
pub const NETWORK: &str = "network.toml";
/// What the founders wrote.
pub const CONSORTIUM: &str = "consortium.toml";
/// The chain specification, for people.
pub const CHAIN: &str = "chain.json";
/// The chain specification, for nodes.
pub const CHAIN_RAW: &str = "chain-raw.json";

/// Directory of a machine.
pub fn machine_directory(name: &MachineName) -> PathBuf {
    Path::new("machines").join(name.as_str())
}

/// Directory of an authority.
pub fn authority_directory(authority: &Authority) -> PathBuf {
    organisation_directory(authority.organisation.as_str())
        .join("authorities")
        .join(authority.id.as_str())
}

/// Directory of an organisation.
pub fn organisation_directory(id: &str) -> PathBuf {
    Path::new("organisations").join(id)
}

/// Key file of a member of the council or of the committee.
pub fn member_key(member: &Member, body: &str) -> PathBuf {
    organisation_directory(member.organisation.as_str())
        .join(body)
        .join(format!("{}.key", member.name))
}
