//! The library's memory of a session, which is empty: it resumes one at the broker only if it believes to remember it.
//!
//! Nothing needs remembering. The bridge publishes with QoS 0 and 1 only, so that a broker keeps nothing of its unfinished
//! publishes; what it had not acknowledged itself the broker delivers again; and what it had published without an
//! acknowledgement the relay compares with what the broker holds.

use std::{future::Future, pin::Pin};

use rumqttc::{
    PersistedAckMode, PersistedSession, SessionStore, SessionStoreError, SessionStoreKey,
};

type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionStoreError>> + Send + 'a>>;

/// Remembers nothing.
#[derive(Debug)]
pub(super) struct Empty {
    pub(super) expiry: u32,
}

impl SessionStore for Empty {
    fn load<'a>(&'a self, key: &'a SessionStoreKey) -> Later<'a, Option<PersistedSession>> {
        let session = PersistedSession {
            format_version: 1,
            client_id: key.client_id().to_owned(),
            clean_start: false,
            session_expiry_interval: Some(self.expiry),
            outgoing_inflight_upper_limit: None,
            ack_mode: PersistedAckMode::Manual,
            last_pkid: 0,
            last_puback: 0,
            replay: Vec::new(),
            incoming_qos2: Vec::new(),
        };
        Box::pin(async { Ok(Some(session)) })
    }

    fn save<'a>(&'a self, _: &'a SessionStoreKey, _: &'a PersistedSession) -> Later<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn clear<'a>(&'a self, _: &'a SessionStoreKey) -> Later<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}
