//! Fuzz targets: hostile bytes for every decoder, for what opens sealed things, and for the two state machines.
//!
//! Each target is a function of bytes that panics when a rule of `docs/protocol.md` is broken. libFuzzer drives them
//! (`make fuzz`, programs in `fuzz_targets`), and the tests of this crate replay the corpora and mutations of them.
//!
//! | module | what |
//! |---|---|
//! | [`decoders`] | the formats of `protocol` |
//! | [`names`] | identifiers, filters and topics |
//! | [`sealed`] | what is opened, verified or unwrapped |
//! | [`session`] | a device's session among gateways, members and forgers |
//! | [`relay`] | a bridge's relay among a chain, a broker, devices and forgers: the world of its own tests |
//! | [`choices`], [`numbers`] | decisions from bytes, and randomness that is the same in every run |

pub mod choices;
pub mod decoders;
pub mod names;
pub mod relay;
pub mod sealed;
pub mod session;

pub use keyward_bridge_testing::numbers;

pub use decoders::{
    anchor_certificate, beacon, chain_view, device_statement, grant, group_statement,
    message_header, policy, provisioning, publisher_page, receipt, request, response, stored_state,
    voucher,
};
pub use names::{control_topic, identifier, topic_filter};
pub use relay::relay;
pub use sealed::{protected_message, sealed_grant, signature, wrapped_secret};
pub use session::session;

/// A fuzz target: panics when a rule is broken.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also that of its program and of its directory in `corpus`.
pub const TARGETS: &[(&str, Target)] = &[
    ("anchor_certificate", anchor_certificate),
    ("beacon", beacon),
    ("chain_view", chain_view),
    ("control_topic", control_topic),
    ("device_statement", device_statement),
    ("grant", grant),
    ("group_statement", group_statement),
    ("identifier", identifier),
    ("message_header", message_header),
    ("policy", policy),
    ("protected_message", protected_message),
    ("provisioning", provisioning),
    ("publisher_page", publisher_page),
    ("receipt", receipt),
    ("relay", relay),
    ("request", request),
    ("response", response),
    ("sealed_grant", sealed_grant),
    ("session", session),
    ("signature", signature),
    ("stored_state", stored_state),
    ("topic_filter", topic_filter),
    ("voucher", voucher),
    ("wrapped_secret", wrapped_secret),
];
