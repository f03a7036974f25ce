//! Upgrades of the runtime: the council authorizes the code by its hash, a member then submits the code.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use keyward_chain_client::{
    Call, Client, CodeInvalid, ReadFailed, RpcFailed, RuntimeCode, RuntimeVersion,
};
use keyward_protocol::Digest;
use serde::Serialize;

use super::proposal::Decision;
use crate::{
    chain::{ChainFailed, Context, Done},
    output::Failure,
};

/// Longest file that is read: a block takes no longer one.
const LONGEST: u64 = 5 * 1024 * 1024;
/// Pause between two looks at the chain.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why an upgrade was not proposed or applied.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeFailed {
    /// The chain could not be asked or changed.
    #[error(transparent)]
    Chain(#[from] ChainFailed),
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is longer than a block.
    #[error("{} has {length} bytes, and a block takes at most {LONGEST}; use the compressed runtime", path.display())]
    TooLong {
        /// Which.
        path: PathBuf,
        /// Its length.
        length: u64,
    },
    /// The file is no runtime.
    #[error("{} cannot be used: {source}", path.display())]
    Code {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: CodeInvalid,
    },
    /// The chain would refuse the version.
    #[error("{} is {new}, and the chain runs {old}: {reason}", path.display())]
    Version {
        /// Which file.
        path: PathBuf,
        /// What the chain runs.
        old: RuntimeVersion,
        /// What the file is.
        new: RuntimeVersion,
        /// What is wrong.
        reason: &'static str,
    },
    /// The council authorized nothing.
    #[error("the council has authorized no upgrade, or it is applied already; propose it with 'keyward council propose upgrade {}'", path.display())]
    NothingAuthorized {
        /// The file that was to be applied.
        path: PathBuf,
    },
    /// The council authorized something else.
    #[error("the council authorized the code with hash {authorized}, and {} has {actual}: use the file that was proposed, byte by byte", path.display())]
    OtherCode {
        /// Which file.
        path: PathBuf,
        /// The file's hash.
        actual: Digest,
        /// What was authorized.
        authorized: Digest,
    },
    /// The chain looked at the code and refused it.
    #[error("the chain refused the code in block {block}, and the authorization is gone: its name or version does not follow {old}")]
    Rejected {
        /// The block.
        block: u32,
        /// What the chain runs.
        old: RuntimeVersion,
    },
}

impl Failure for UpgradeFailed {
    fn is_usage(&self) -> bool {
        matches!(self, Self::Chain(error) if error.is_usage())
    }
}

impl From<RpcFailed> for UpgradeFailed {
    fn from(error: RpcFailed) -> Self {
        Self::Chain(error.into())
    }
}

impl From<ReadFailed> for UpgradeFailed {
    fn from(error: ReadFailed) -> Self {
        Self::Chain(error.into())
    }
}

fn read(path: &Path) -> Result<RuntimeCode, UpgradeFailed> {
    let unreadable = |source| UpgradeFailed::Unreadable {
        path: path.to_owned(),
        source,
    };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > LONGEST {
        return Err(UpgradeFailed::TooLong {
            path: path.to_owned(),
            length,
        });
    }
    let code = std::fs::read(path).map_err(unreadable)?;
    RuntimeCode::read(code).map_err(|source| UpgradeFailed::Code {
        path: path.to_owned(),
        source,
    })
}

/// Refuses what the chain would refuse when the code is submitted.
fn check_version(
    path: &Path,
    old: &RuntimeVersion,
    new: &RuntimeVersion,
) -> Result<(), UpgradeFailed> {
    let reason = match () {
        () if new.spec_name != old.spec_name => "it is a runtime of another chain",
        () if new.spec_version <= old.spec_version => {
            "spec_version must rise with every upgrade; build the runtime with a higher one"
        }
        () => return Ok(()),
    };
    Err(UpgradeFailed::Version {
        path: path.to_owned(),
        old: old.clone(),
        new: new.clone(),
        reason,
    })
}

/// The decision that authorizes an upgrade.
pub async fn decision(
    path: &Path,
    client: &Client,
    context: &Context,
) -> Result<Decision, UpgradeFailed> {
    let code = read(path)?;
    let old = client
        .runtime_version(client.finalized().await?.hash)
        .await?;
    check_version(path, &old, &code.version)?;
    context.output.progress(&format!(
        "from {old} to {}: {} bytes, hash {}",
        code.version,
        code.code.len(),
        code.hash
    ));
    Ok(Decision {
        call: Call::as_root(Call::authorize_upgrade(code.hash)),
        by: keyward_chain_client::Collective::Council,
        then: Some(format!(
            "a member applies it with\n  keyward council apply-upgrade {}",
            path.display()
        )),
    })
}

#[derive(Serialize)]
struct Applied {
    from: u32,
    to: u32,
    spec_name: String,
    #[serde(flatten)]
    done: Done,
}

/// Submits the code, and waits until the chain runs it.
pub async fn apply(path: &Path, context: &Context) -> Result<(), UpgradeFailed> {
    let code = read(path)?;
    let signer = context.signer()?;
    let (client, view) = context.view().await?;
    let old = client.runtime_version(view.block()).await?;
    let authorized = view.authorized_upgrade().await?;
    let authorized = authorized.ok_or_else(|| UpgradeFailed::NothingAuthorized {
        path: path.to_owned(),
    })?;
    if authorized.code_hash != code.hash {
        return Err(UpgradeFailed::OtherCode {
            path: path.to_owned(),
            actual: code.hash,
            authorized: authorized.code_hash,
        });
    }
    if authorized.check_version {
        check_version(path, &old, &code.version)?;
    }
    context
        .output
        .progress(&format!("upgrading from {old} to {}", code.version));
    let call = Call::apply_authorized_upgrade(&code.code);
    let done = context.submit(&client, &signer, call).await?;
    if !done
        .events
        .iter()
        .any(|event| event == "System.CodeUpdated")
    {
        let block = done.block.number;
        return Err(UpgradeFailed::Rejected { block, old });
    }
    let first = runs(&client, &code.version, done.block.number).await?;
    let applied = Applied {
        from: old.spec_version,
        to: code.version.spec_version,
        spec_name: code.version.spec_name,
        done,
    };
    context.output.show(&applied, |applied| {
        let (block, settled) = (applied.done.block.number, context.settled());
        let (name, from, to) = (&applied.spec_name, applied.from, applied.to);
        format!(
            "the chain was upgraded in block {block} and runs {name} version {to} since block {first} ({settled}); before, version {from}.\n\
             Programs that say that they do not understand the chain need the version of Keyward that goes with it"
        )
    });
    Ok(())
}

/// Waits for a block that the new runtime executed: one after the upgrade.
async fn runs(
    client: &Client,
    version: &RuntimeVersion,
    upgraded: u32,
) -> Result<u32, UpgradeFailed> {
    loop {
        let newest = client.finalized().await?;
        if newest.number > upgraded && client.runtime_version(newest.hash).await? == *version {
            return Ok(upgraded.saturating_add(1));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(spec_name: &str, spec_version: u32) -> RuntimeVersion {
        RuntimeVersion {
            spec_name: spec_name.into(),
            spec_version,
        }
    }

    #[test]
    fn only_a_higher_version_of_the_same_chain_is_an_upgrade() {
        let old = version("keyward", 3);
        let check = |new: &RuntimeVersion| check_version(Path::new("r.wasm"), &old, new);
        assert!(check(&version("keyward", 4)).is_ok());
        let refused = check(&version("keyward", 3)).unwrap_err().to_string();
        assert!(
            refused.contains("r.wasm") && refused.contains("must rise"),
            "{refused}"
        );
        let refused = check(&version("polkadot", 9)).unwrap_err().to_string();
        assert!(refused.contains("another chain"), "{refused}");
    }

    #[test]
    fn a_file_that_is_no_runtime_or_too_long_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.wasm");
        let text = |error: UpgradeFailed| error.to_string();
        assert!(text(read(&path).unwrap_err()).contains("cannot read"));
        std::fs::write(&path, "#!/bin/sh").unwrap();
        assert!(text(read(&path).unwrap_err()).contains("no WebAssembly"));
        let long = std::fs::File::create(&path).unwrap();
        long.set_len(LONGEST + 1).unwrap();
        assert!(text(read(&path).unwrap_err()).contains("compressed"));
    }
}
