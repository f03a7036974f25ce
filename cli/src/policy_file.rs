//! A group's policy from a TOML file that names only what differs from the default.

use std::path::{Path, PathBuf};

use keyward_protocol::policy::{Policy, PolicyInvalid};

use crate::ca::read_text;

/// Why a policy file gives no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyFailed {
    /// It cannot be read.
    #[error("cannot read the policy {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML, or names something that does not exist.
    #[error("the policy {} cannot be used: {source}", path.display())]
    Syntax {
        /// Which.
        path: PathBuf,
        /// Why.
        source: toml::de::Error,
    },
    /// It contradicts itself or a bound.
    #[error("the policy {} cannot be used: {source}", path.display())]
    Contradiction {
        /// Which.
        path: PathBuf,
        /// Why.
        source: PolicyInvalid,
    },
}

/// Reads a policy, and refuses one that no group may have (POL-2).
pub fn read(path: &Path) -> Result<Policy, PolicyFailed> {
    let own = || path.to_owned();
    let text = read_text(path).map_err(|source| PolicyFailed::Unreadable {
        path: own(),
        source,
    })?;
    let policy: Policy = toml::from_str(&text).map_err(|source| PolicyFailed::Syntax {
        path: own(),
        source,
    })?;
    match policy.validate() {
        Ok(()) => Ok(policy),
        Err(source) => Err(PolicyFailed::Contradiction {
            path: own(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Result<Policy, PolicyFailed> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policy.toml");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    /// POL-1.
    #[test]
    fn a_policy_file_names_only_what_differs_from_the_default() {
        let expected = Policy {
            max_silence: 120,
            history: 8,
            ..Policy::default()
        };
        assert_eq!(policy("max_silence = 120\nhistory = 8").unwrap(), expected);
        assert_eq!(policy("").unwrap(), Policy::default());
    }

    /// POL-2.
    #[test]
    fn a_policy_that_cannot_be_is_refused_with_its_reason() {
        let refused = policy("max_silense = 1");
        assert!(matches!(refused, Err(PolicyFailed::Syntax { .. })));
        let refused = policy("commands = true").unwrap_err();
        assert!(refused.to_string().contains("max_age"), "{refused}");
    }
}
