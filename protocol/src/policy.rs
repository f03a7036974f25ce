//! A group's policy (POL-1): on chain, in its statement, and so the same for every member.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;

use crate::{
    extension::Extensions,
    limits,
    wire::{Canonical, WireInvalid},
};

/// Suite 0: X25519 sealed box, HKDF-SHA256, AES-256-GCM-SIV (RFC 8452), Ed25519.
pub const SUITE_0: u8 = 0;

/// How a group handles its keys and messages (DESIGN sections 4.1, 5 and 5.1).
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct Policy {
    /// Cryptographic suite; see [`SUITE_0`].
    pub suite: u8,
    /// Whether every message carries its sender's signature. Without, members can forge as each other.
    pub signed: bool,
    /// Whether a joining member starts a new epoch, so that it cannot read what was sent before.
    pub rekey_on_join: bool,
    /// Whether messages are commands: `max_age` must be set.
    pub commands: bool,
    /// Whether publishers go on sealing with the last key while the group awaits a new epoch.
    pub seal_while_awaiting: bool,
    /// Whether publishers go on sealing, and report it, when their view of the chain is older than `max_silence`.
    pub seal_when_stale: bool,
    /// Oldest message that is accepted, in seconds since it was sealed; 0: no limit and no time in messages.
    pub max_age: u32,
    /// Oldest beacon with which a publisher seals, in seconds.
    pub max_silence: u32,
    /// How long messages of an older epoch are accepted as usual, in milliseconds.
    pub grace: u32,
    /// How long a publisher waits before it uses a new epoch, in milliseconds.
    pub settle: u32,
    /// Longest life of an epoch, in seconds; 0: no scheduled rotation.
    pub rotate_every: u32,
    /// Past epochs whose secrets are kept.
    pub history: u32,
    /// How long past secrets are kept, in seconds. They are erased when both are exceeded.
    pub history_age: u32,
    /// Blocks after which another custodian takes over an undelivered epoch.
    pub takeover: u32,
    /// What later versions add.
    pub extensions: Extensions,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            suite: SUITE_0,
            signed: true,
            rekey_on_join: true,
            commands: false,
            seal_while_awaiting: false,
            seal_when_stale: false,
            max_age: 0,
            max_silence: 600,
            grace: 30_000,
            settle: 500,
            rotate_every: 7 * 24 * 3600,
            history: 32,
            history_age: 40 * 24 * 3600,
            takeover: 30,
            extensions: Extensions::default(),
        }
    }
}

/// Why a policy cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyInvalid {
    /// A suite that does not exist.
    Suite(u8),
    /// More history than 64 epochs.
    History(u32),
    /// Commands without `max_age`.
    CommandsWithoutAge,
    /// `max_silence` below three blocks: publishers would always be stale.
    Silence(u32),
    /// `grace` or `settle` above one hour.
    TooSlow(u32),
    /// Extensions out of order.
    Extensions,
    /// A critical extension that this version does not know.
    UnknownExtension(u16),
}

impl fmt::Display for PolicyInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suite(suite) => write!(f, "suite {suite} does not exist; use 0"),
            Self::History(epochs) => {
                write!(f, "history of {epochs} epochs; at most {}", limits::HISTORY)
            }
            Self::CommandsWithoutAge => f.write_str("a group of commands needs max_age"),
            Self::Silence(seconds) => {
                write!(
                    f,
                    "max_silence of {seconds} s; at least {} s",
                    limits::MIN_SILENCE
                )
            }
            Self::TooSlow(ms) => write!(f, "grace or settle of {ms} ms; at most an hour"),
            Self::Extensions => f.write_str("extensions are not in rising order"),
            Self::UnknownExtension(id) => write!(f, "critical extension {id} is not known"),
        }
    }
}

impl core::error::Error for PolicyInvalid {}

const HOUR_MS: u32 = 3_600_000;

impl Policy {
    /// Whether a group may have this policy (POL-2).
    pub fn validate(&self) -> Result<(), PolicyInvalid> {
        if self.suite != SUITE_0 {
            return Err(PolicyInvalid::Suite(self.suite));
        }
        if self.history > limits::HISTORY {
            return Err(PolicyInvalid::History(self.history));
        }
        if self.commands && self.max_age == 0 {
            return Err(PolicyInvalid::CommandsWithoutAge);
        }
        if self.max_silence < limits::MIN_SILENCE {
            return Err(PolicyInvalid::Silence(self.max_silence));
        }
        let slowest = self.grace.max(self.settle);
        if slowest > HOUR_MS {
            return Err(PolicyInvalid::TooSlow(slowest));
        }
        self.extensions
            .check()
            .map_err(|_| PolicyInvalid::Extensions)?;
        match self.extensions.unknown_critical(&[]) {
            Some(id) => Err(PolicyInvalid::UnknownExtension(id)),
            None => Ok(()),
        }
    }

    /// Longest time between two beacons, in seconds (STM-9): three fit into `max_silence`.
    pub fn beacon_seconds(&self) -> u32 {
        (self.max_silence / 3).clamp(1, limits::BEACON_SECONDS)
    }

    /// Whether messages carry the time at which they were sealed (MSG-4).
    pub fn timed(&self) -> bool {
        self.max_age != 0
    }
}

impl Canonical for Policy {
    fn check(&self) -> Result<(), WireInvalid> {
        self.extensions.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_policy_is_valid() {
        assert_eq!(Policy::default().validate(), Ok(()));
    }

    /// POL-2.
    #[test]
    fn each_bad_policy_has_its_reason() {
        let with = |change: fn(&mut Policy)| {
            let mut policy = Policy::default();
            change(&mut policy);
            policy.validate()
        };
        assert_eq!(with(|p| p.suite = 1), Err(PolicyInvalid::Suite(1)));
        assert_eq!(with(|p| p.history = 65), Err(PolicyInvalid::History(65)));
        assert_eq!(
            with(|p| p.commands = true),
            Err(PolicyInvalid::CommandsWithoutAge)
        );
        assert_eq!(with(|p| p.max_silence = 5), Err(PolicyInvalid::Silence(5)));
        assert_eq!(
            with(|p| p.settle = HOUR_MS + 1),
            Err(PolicyInvalid::TooSlow(HOUR_MS + 1))
        );
    }
}
