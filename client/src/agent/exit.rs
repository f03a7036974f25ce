//! How the program ends (the table is in `keyward-agent --help`).

/// Done.
pub const DONE: u8 = 0;
/// Not done.
pub const FAILED: u8 = 1;
/// The command line is not right.
pub const USAGE: u8 = 2;
/// Not sealed: stale.
pub const STALE: u8 = 3;
/// Not sealed: the device may not.
pub const FORBIDDEN: u8 = 4;
/// Not sealed: no usable key.
pub const NO_KEY: u8 = 5;
/// Refused by the gateway.
pub const REFUSED: u8 = 6;
/// The key store cannot be used.
pub const STORE: u8 = 7;
/// The broker was not reached.
pub const UNREACHABLE: u8 = 8;
/// Not sealed: the store was restored or copied.
pub const COPIED: u8 = 9;

/// All of them.
pub const ALL: [u8; 10] = [
    DONE,
    FAILED,
    USAGE,
    STALE,
    FORBIDDEN,
    NO_KEY,
    REFUSED,
    STORE,
    UNREACHABLE,
    COPIED,
];

/// Why a command did not do it: what is told, and the exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failed {
    /// The exit code.
    pub code: u8,
    /// What is told on standard error.
    pub message: String,
}

impl Failed {
    /// With any message.
    pub fn new(code: u8, message: impl ToString) -> Self {
        Self {
            code,
            message: message.to_string(),
        }
    }
}

impl From<super::store::StoreFailed> for Failed {
    fn from(error: super::store::StoreFailed) -> Self {
        Self::new(STORE, error)
    }
}

impl From<super::mqtt::LinkInvalid> for Failed {
    fn from(error: super::mqtt::LinkInvalid) -> Self {
        Self::new(USAGE, error)
    }
}

impl From<super::args::BrokerInvalid> for Failed {
    fn from(error: super::args::BrokerInvalid) -> Self {
        Self::new(USAGE, error)
    }
}
