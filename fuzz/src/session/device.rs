//! The device that is tried: its session, its store, and its deaths.

use std::collections::BTreeMap;

use keyward_client::session::{
    Action, Change, Durable, Effects, Identity, Input, Kind, Now, Provisioned, Record, SealRefused,
    Sealed, Session, Settings,
};
use zeroize::Zeroizing;

use crate::numbers::Numbers;

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Store {
    values: BTreeMap<String, Vec<u8>>,
    secrets: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

impl Store {
    /// Makes a change durable, as a store does that does not know what a change is.
    pub fn keep(&mut self, change: &Change) {
        match Record::from(change) {
            Record::Put(name, value) => _ = self.values.insert(name, value),
            Record::Delete(name) => _ = self.values.remove(&name),
            Record::Keep(name, secret) => _ = self.secrets.insert(name, secret),
            Record::Erase(name) => _ = self.secrets.remove(&name),
        }
    }

    /// What a start finds.
    pub fn load(&self) -> Durable {
        let loaded = Durable::load(self.values.clone(), self.secrets.clone());
        loaded.expect("what a session wrote can be read")
    }
}

/// The device.
#[derive(Debug)]
pub struct Device {
    /// Its keys.
    pub identity: Identity,
    /// Its session.
    pub session: Session,
    /// Its store.
    pub store: Store,
    settings: Settings,
    provisioned: Provisioned,
    starts: u64,
    began_ms: u64,
}

/// What time it is in the world, and whether the device has a clock that tells it.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// Milliseconds since the world began.
    pub mono_ms: u64,
    /// Milliseconds since 1970, for a device with a clock.
    pub wall_ms: Option<u64>,
}

impl Time {
    fn since(self, began_ms: u64) -> Now {
        Now {
            mono_ms: self.mono_ms.saturating_sub(began_ms),
            wall_ms: self.wall_ms,
        }
    }
}

impl Device {
    /// A new device; and the effects of its first start, which are durable.
    pub fn new(
        identity: Identity,
        settings: Settings,
        provisioned: Provisioned,
        time: Time,
    ) -> (Self, Effects) {
        let rng = Box::new(Numbers::new(1));
        let (session, effects) = Session::start(
            settings.clone(),
            provisioned.clone(),
            identity.clone(),
            Durable::default(),
            rng,
            time.since(time.mono_ms),
        );
        let mut device = Self {
            identity,
            session,
            store: Store::default(),
            settings,
            provisioned,
            starts: 1,
            began_ms: time.mono_ms,
        };
        device.keep(&effects.changes);
        (device, effects)
    }

    /// The process ends and begins again from what is durable, with these keys.
    pub fn restart(&mut self, identity: Identity, time: Time) -> Effects {
        self.starts += 1;
        self.began_ms = time.mono_ms;
        self.identity = identity;
        let (session, effects) = Session::start(
            self.settings.clone(),
            self.provisioned.clone(),
            self.identity.clone(),
            self.store.load(),
            Box::new(Numbers::new(self.starts)),
            time.since(time.mono_ms),
        );
        self.session = session;
        self.keep(&effects.changes);
        effects
    }

    /// Makes changes durable.
    pub fn keep(&mut self, changes: &[Change]) {
        changes.iter().for_each(|change| self.store.keep(change));
    }

    /// Something happens to it. Nothing of it is durable yet.
    pub fn handle(&mut self, time: Time, input: Input) -> Effects {
        self.session.handle(time.since(self.began_ms), input)
    }

    /// Its application seals something; durable at once.
    pub fn seal(
        &mut self,
        time: Time,
        topic: &str,
        payload: &[u8],
        kind: Kind,
    ) -> Result<Sealed, SealRefused> {
        let now = time.since(self.began_ms);
        let sealed = self.session.seal(now, topic, payload, kind)?;
        self.keep(&sealed.changes);
        Ok(sealed)
    }
}

/// What a device publishes to gateways: requests and receipts.
pub fn published(effects: &Effects) -> impl Iterator<Item = (&str, &[u8])> {
    effects.actions.iter().filter_map(|action| match action {
        Action::Publish { topic, payload, .. } => Some((topic.as_str(), payload.as_slice())),
        _ => None,
    })
}
