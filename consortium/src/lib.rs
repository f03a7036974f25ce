//! Networks in one file (DESIGN section 4).
//!
//! | form | what | written by | type |
//! |---|---|---|---|
//! | `consortium.toml` | who takes part, and where | the founders | [`Plan`] |
//! | `network.toml` | the same with every public key | `keyward network new` | [`Network`] |
//!
//! Both are read strictly: a key that nobody knows is refused, and everything that is wrong is found at once, each with its place
//! and what to do ([`Finding`]). Neither holds a secret. `keyward-chain-spec` makes a genesis of a [`Network`].
//!
//! `examples/consortium.toml` explains every field; `examples/local.toml` is a network for one machine.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects
    )
)]

mod document;
mod finding;
mod host;
mod key;
mod network;
mod plan;
mod read;
mod rules;

pub use keyward_protocol::AccountId as Account;

pub use finding::{Checked, Finding, Severity};
pub use host::{Host, HostInvalid};
pub use key::{account_from_text, to_ss58, AccountInvalid, AuraKey, PeerId, PeerIdInvalid};
pub use network::{is_network, GatewayKeys, MachineKeys, Network, SessionKeys, VERSION};
pub use plan::{
    Authority, Gateway, GatewayPorts, Machine, MachineName, MachinePorts, Member, NameInvalid,
    Organisation, Plan, Quotas, Settings,
};

/// Longest file that is read, in bytes.
pub const LONGEST: usize = 512 * 1024;
