//! `keyward-node` makes the chain specification: this program never links the runtime.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{paths::find_program, NetworkFailed};

const NODE: &str = "keyward-node";

/// The program: the named one, one beside this program, or one in `PATH`.
pub fn find(named: Option<&Path>) -> Option<PathBuf> {
    if let Some(path) = named {
        return path.is_file().then(|| path.to_owned());
    }
    let this = std::env::current_exe().ok()?;
    let beside = this.with_file_name(NODE);
    match beside.is_file() {
        true => Some(beside),
        false => find_program(NODE),
    }
}

/// As [`find`].
///
/// # Errors
/// When there is none.
pub fn require(named: Option<&Path>) -> Result<PathBuf, NetworkFailed> {
    find(named).ok_or(NetworkFailed::NoProgram {
        program: NODE,
        remedy: "build or install it, or name it with --node PROGRAM",
    })
}

/// The chain specification of a `network.toml`; raw, with the storage of its first block, or for people.
pub fn chain_specification(
    program: &Path,
    network: &Path,
    raw: bool,
) -> Result<Vec<u8>, NetworkFailed> {
    let failed = |said: String| NetworkFailed::Program {
        program: program.to_owned(),
        said,
    };
    let mut command = Command::new(program);
    command
        .args(["export-chain-spec", "--chain"])
        .arg(network)
        .stdin(Stdio::null());
    if raw {
        command.arg("--raw");
    }
    let ran = command
        .output()
        .map_err(|error| failed(error.to_string()))?;
    let json = serde_json::from_slice::<serde::de::IgnoredAny>(&ran.stdout);
    match ran.status.success() && json.is_ok() {
        true => Ok(ran.stdout),
        false => Err(failed(
            String::from_utf8_lossy(&ran.stderr).trim().to_owned(),
        )),
    }
}
