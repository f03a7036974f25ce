//! A device may be killed at any moment: from any prefix of its durable changes it uses no counter twice and delivers no
//! message twice (MSG-9, MSG-11).

use std::collections::{BTreeMap, BTreeSet};

use keyward_client::session::{Durable, Kind, Opened, Session, Settings};
use keyward_protocol::message::Message;
use proptest::prelude::*;

use crate::world::{identity, store, Device, World, TOPIC};

/// One thing that happens to a device.
#[derive(Clone, Debug)]
enum Event {
    Seal(bool),
    /// The n-th message of the other publisher comes (again).
    Hear(usize, bool),
    Rotate,
    Tick,
    /// Killed, with this many of the last changes lost.
    Kill(usize),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => any::<bool>().prop_map(Event::Seal),
        8 => (0usize..12, any::<bool>()).prop_map(|(n, retain)| Event::Hear(n, retain)),
        1 => Just(Event::Rotate),
        1 => Just(Event::Tick),
        3 => (0usize..6).prop_map(Event::Kill),
    ];
    proptest::collection::vec(event, 1..40)
}

/// A device whose changes can be taken back as far as they were not acted upon.
struct Victim {
    world: World,
    device: Device,
    messages: Vec<Vec<u8>>,
    used: BTreeSet<(u32, u8, u32, u64)>,
    delivered: BTreeSet<usize>,
}

impl Victim {
    fn new() -> Self {
        let mut world = World::new();
        let mut other = world.ready("1111");
        let mut messages: Vec<_> = (0..9)
            .map(|n| other.seal(&world, &[n]).unwrap().bytes)
            .collect();
        let value = |other: &mut Device, n: u8| {
            other
                .seal_as(&world, TOPIC, &[n], Kind::Retained)
                .unwrap()
                .bytes
        };
        messages.extend((9..12).map(|n| value(&mut other, n)));
        let device = world.ready("1114");
        Self {
            world,
            device,
            messages,
            used: BTreeSet::new(),
            delivered: BTreeSet::new(),
        }
    }

    fn note_sealed(&mut self, bytes: &[u8]) {
        let header = Message::from_wire(bytes).unwrap().header;
        let key = (
            header.epoch,
            header.stream as u8,
            header.boot,
            header.counter,
        );
        assert!(self.used.insert(key), "{key:?} was used twice");
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Seal(retained) => {
                let kind = if retained { Kind::Retained } else { Kind::Live };
                if let Ok(sealed) = self.device.seal_as(&self.world, TOPIC, b"own", kind) {
                    self.note_sealed(&sealed.bytes);
                }
            }
            Event::Hear(n, retain) => self.hear(n, retain),
            Event::Rotate => {
                self.world.group().rotate();
                self.world.tell(&mut self.device);
                self.world.mono_ms += 600;
            }
            Event::Tick => self.device.tick(&self.world),
            Event::Kill(lost) => self.kill(lost),
        }
        for (topic, payload) in self.device.published() {
            if topic == TOPIC {
                self.note_sealed(&payload);
            }
        }
    }

    fn hear(&mut self, n: usize, retain: bool) {
        let bytes = self.messages[n].clone();
        self.device.receive(&self.world, TOPIC, bytes, retain);
        for delivery in self.device.delivered() {
            let is_repeat = delivery.marks.iter().any(|mark| mark.name() == "repeat");
            let is_new = self.delivered.insert(n);
            assert_eq!(is_new, !is_repeat, "message {n}");
        }
    }

    /// The next input is dealt with, but only a prefix of its changes becomes durable, and nothing is done.
    fn kill(&mut self, prefix: usize) {
        let undelivered = (0..self.messages.len()).find(|n| !self.delivered.contains(n));
        let bytes = self.messages[undelivered.unwrap_or(0)].clone();
        let (_, effects) = self
            .device
            .session
            .open(self.world.now(), TOPIC, &bytes, false);
        let mut changes = effects.changes;
        changes.truncate(prefix);
        self.device.store(&changes);
        let before = (self.device.values.clone(), self.device.secrets.clone());
        let restarted = Device::start(
            &self.world,
            identity("1114"),
            before.0,
            before.1,
            Settings::default(),
        );
        self.device = restarted;
        if let (Some(n), false) = (undelivered, changes.is_empty()) {
            // In flight when it was killed: lost, which is allowed, and never delivered.
            self.delivered.insert(n);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_counter_is_used_twice_and_no_message_delivered_twice(events in events()) {
        let mut victim = Victim::new();
        for event in events {
            victim.happen(event);
        }
    }

    /// Every prefix of the changes of a whole life is a state that a session starts from.
    #[test]
    fn every_prefix_of_the_changes_loads_and_starts(cut in 0usize..40) {
        let mut world = World::new();
        let sealed = world.ready("1111").seal(&world, b"x").unwrap().bytes;
        let mut changes = Vec::new();
        let mut device = world.device("1114");
        for (topic, payload) in world.retained(&identity("1114")) {
            let input = keyward_client::session::Input::Message { topic, payload, retain: true };
            changes.extend(device.session.handle(world.now(), input).changes);
        }
        let (opened, effects) = device.session.open(world.now(), TOPIC, &sealed, false);
        prop_assert!(matches!(opened, Opened::Message(_)));
        changes.extend(effects.changes);
        changes.truncate(cut);

        let (mut values, mut secrets) = (BTreeMap::new(), BTreeMap::new());
        let mut model = Durable::default();
        for change in changes {
            store(&mut values, &mut secrets, &change);
            model.apply(change);
        }
        let loaded = Durable::load(values, secrets).unwrap();
        prop_assert_eq!(&loaded, &model);
        let rng = Box::new(crate::world::Seeded(1));
        let (mut session, first) = Session::start(
            Settings::default(), world.provisioned(), identity("1114"), loaded, rng, world.now(),
        );
        prop_assert!(!first.changes.is_empty(), "the boot comes first");
        world.mono_ms += 1;
        session.handle(world.now(), keyward_client::session::Input::Tick);
    }
}
