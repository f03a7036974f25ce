//! Who the device is, and what it trusts.

use alloc::{string::String, vec::Vec};

use keyward_crypto::{AgreementSecret, SigningKey};
use keyward_protocol::{
    topic::TopicFilter, AccountId, DeviceId, GatewayName, Genesis, VerifyingKey,
};

/// A device with its keys. Secrets never show in `Debug`.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its id.
    pub device: DeviceId,
    /// Version of its keys.
    pub key_version: u32,
    /// Its Ed25519 key.
    pub signing: SigningKey,
    /// Its X25519 key.
    pub agreement: AgreementSecret,
}

/// New keys for the device (REG-6).
#[derive(Clone, Debug)]
pub struct NewKeys {
    /// The new Ed25519 key.
    pub signing: SigningKey,
    /// The new X25519 key.
    pub agreement: AgreementSecret,
    /// Last moment at which the chain accepts them, in seconds since 1970.
    pub not_after: u64,
}

/// The gateway that a device belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its account on chain.
    pub account: AccountId,
    /// Its short name, as it stands in topics.
    pub name: GatewayName,
    /// The key that it signed statements with on the day of provisioning.
    pub statement_key: VerifyingKey,
    /// Serial that an anchor certificate must exceed from the first day (STM-11): the number of a finalized block at which the
    /// chain had that key. None: it was not said.
    pub anchor_serial: Option<u64>,
}

/// What a device was provisioned with (PRV-1): all that it trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioned {
    /// The chain.
    pub genesis: Genesis,
    /// The authority's key.
    pub authority_key: VerifyingKey,
    /// The owner gateway.
    pub owner: Owner,
    /// Topics on which plaintext is refused from the first day.
    pub protected_topics: Vec<TopicFilter>,
}

#[cfg(feature = "agent")]
impl From<&keyward_protocol::provisioning::Provisioning> for Provisioned {
    fn from(provisioning: &keyward_protocol::provisioning::Provisioning) -> Self {
        Self {
            genesis: provisioning.genesis,
            authority_key: provisioning.authority_key,
            owner: Owner {
                account: provisioning.gateway.account,
                name: provisioning.gateway.name.clone(),
                statement_key: provisioning.gateway.statement_key,
                anchor_serial: provisioning.gateway.anchor_serial,
            },
            protected_topics: provisioning.protected_topics.clone(),
        }
    }
}

/// How a session behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Prefix of the control topics.
    pub prefix: String,
    /// Whether the session subscribes by itself to the filters of the groups that the device reads.
    pub follow: bool,
    /// Counters remembered behind the newest one (MSG-10): 2,048; 128 on microcontrollers.
    pub window: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            prefix: keyward_protocol::topic::PREFIX.into(),
            follow: false,
            window: keyward_protocol::limits::WINDOW,
        }
    }
}
