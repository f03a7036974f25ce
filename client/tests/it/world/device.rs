//! A device with its store.

use std::collections::BTreeMap;

use keyward_client::session::{
    record, Action, Change, Delivery, Durable, Effects, Identity, Input, Kind, Notice, Record,
    Refusal, SealRefused, Sealed, Session, Settings,
};
use zeroize::Zeroizing;

use super::{Packet, Seeded, World, TOPIC};

/// A device: its session and its store.
pub struct Device {
    pub identity: Identity,
    pub session: Session,
    pub values: BTreeMap<String, Vec<u8>>,
    pub secrets: BTreeMap<String, Zeroizing<Vec<u8>>>,
    pub settings: Settings,
    /// What it did since somebody looked.
    pub actions: Vec<Action>,
}

impl Device {
    pub fn start(
        world: &World,
        identity: Identity,
        values: BTreeMap<String, Vec<u8>>,
        secrets: BTreeMap<String, Zeroizing<Vec<u8>>>,
        settings: Settings,
    ) -> Self {
        let durable = Durable::load(values.clone(), secrets.clone()).unwrap();
        let rng = Box::new(Seeded(0x5eed));
        let (session, effects) = Session::start(
            settings.clone(),
            world.provisioned(),
            identity.clone(),
            durable,
            rng,
            world.now(),
        );
        let mut device = Self {
            identity,
            session,
            values,
            secrets,
            settings,
            actions: Vec::new(),
        };
        device.carry_out(effects);
        device.handle(world, Input::Connected);
        device
    }

    /// Ends the process, and starts it again from what is durable.
    pub fn restart(self, world: &World) -> Self {
        Self::start(
            world,
            self.identity,
            self.values,
            self.secrets,
            self.settings,
        )
    }

    fn carry_out(&mut self, effects: Effects) {
        self.store(&effects.changes);
        self.actions.extend(effects.actions);
    }

    pub fn store(&mut self, changes: &[Change]) {
        for change in changes {
            store(&mut self.values, &mut self.secrets, change);
        }
    }

    pub fn handle(&mut self, world: &World, input: Input) {
        let effects = self.session.handle(world.now(), input);
        self.carry_out(effects);
    }

    pub fn tick(&mut self, world: &World) {
        self.handle(world, Input::Tick);
    }

    pub fn hear(&mut self, world: &World, (topic, payload): Packet) {
        self.receive(world, &topic, payload, false);
    }

    pub fn receive(&mut self, world: &World, topic: &str, payload: Vec<u8>, retain: bool) {
        let topic = topic.into();
        self.handle(
            world,
            Input::Message {
                topic,
                payload,
                retain,
            },
        );
    }

    pub fn seal(&mut self, world: &World, payload: &[u8]) -> Result<Sealed, SealRefused> {
        self.seal_as(world, TOPIC, payload, Kind::Live)
    }

    pub fn seal_as(
        &mut self,
        world: &World,
        topic: &str,
        payload: &[u8],
        kind: Kind,
    ) -> Result<Sealed, SealRefused> {
        let sealed = self.session.seal(world.now(), topic, payload, kind)?;
        self.store(&sealed.changes.clone());
        Ok(sealed)
    }

    pub fn delivered(&mut self) -> Vec<Delivery> {
        self.drain(|action| match action {
            Action::Deliver(delivery) => Some(delivery.clone()),
            _ => None,
        })
    }

    pub fn refused(&mut self) -> Vec<Refusal> {
        self.drain(|action| match action {
            Action::Refuse { reason, .. } => Some(*reason),
            _ => None,
        })
    }

    pub fn notices(&mut self) -> Vec<Notice> {
        self.drain(|action| match action {
            Action::Notice(notice) => Some(notice.clone()),
            _ => None,
        })
    }

    /// What it published, with its topic.
    pub fn published(&mut self) -> Vec<Packet> {
        self.drain(|action| match action {
            Action::Publish { topic, payload, .. } => Some((topic.clone(), payload.clone())),
            _ => None,
        })
    }

    fn drain<T>(&mut self, take: impl Fn(&Action) -> Option<T>) -> Vec<T> {
        let taken = self.actions.iter().filter_map(&take).collect();
        self.actions.retain(|action| take(action).is_none());
        taken
    }

    /// Delivers a message to it; gives what it said, if it said exactly that.
    pub fn refuses(&mut self, world: &World, payload: Vec<u8>) -> Refusal {
        self.receive(world, TOPIC, payload, false);
        assert_eq!(self.delivered(), []);
        let refused = self.refused();
        assert_eq!(refused.len(), 1, "{refused:?}");
        refused[0]
    }

    pub fn reads(&mut self, world: &World, payload: Vec<u8>) -> Delivery {
        self.receive(world, TOPIC, payload, false);
        assert_eq!(self.refused(), []);
        self.delivered().pop().expect("nothing was delivered")
    }

    /// The stable names of the control messages that it refused.
    pub fn control_refusals(&mut self) -> Vec<&'static str> {
        let notices = self.notices();
        let reason = |notice: &Notice| match notice {
            Notice::ControlRefused { reason, .. } => Some(reason.name()),
            Notice::Conflict { .. } => Some("Conflict"),
            _ => None,
        };
        notices.iter().filter_map(reason).collect()
    }
}

/// Makes a change durable as a store would.
pub fn store(
    values: &mut BTreeMap<String, Vec<u8>>,
    secrets: &mut BTreeMap<String, Zeroizing<Vec<u8>>>,
    change: &Change,
) {
    match Record::from(change) {
        Record::Put(name, value) => {
            assert!(name.starts_with(record::PREFIX));
            values.insert(name, value);
        }
        Record::Delete(name) => {
            values.remove(&name);
        }
        Record::Keep(name, secret) => {
            secrets.insert(name, secret);
        }
        Record::Erase(name) => {
            secrets.remove(&name);
        }
    }
}
