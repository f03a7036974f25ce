//! What must hold of a device, whatever happens to it: written against `docs/protocol.md`, from what goes in and comes out
//! and what is durable before and after.

use std::collections::{BTreeMap, BTreeSet};

use keyward_client::session::{
    durable::{Held, WindowKey},
    Action, Change, Delivery, Durable, Effects, Mark, Notice,
};
use keyward_crypto::{epoch, hash::page_hash};
use keyward_protocol::{
    message::Stream,
    statement::{GroupState, GroupStatement},
    topic::{ControlTopic, TopicFilter, PREFIX},
    GroupId,
};

use super::{
    device::Device,
    said::Sealing,
    world::{secret_of, World, GENESIS},
};

/// A message that came.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
    /// Whether it came with RETAIN set.
    pub retain: bool,
    /// Whether a gateway or a member made it, for this topic.
    pub is_authentic: bool,
}

/// What came to the device.
#[derive(Clone, Debug)]
pub enum Event {
    /// A message.
    Arrival(Arrival),
    /// Its operator released a filter.
    Release(TopicFilter),
    /// Time passed.
    Tick,
    /// Anything else.
    Other,
}

/// Who remembers what the device did, over all its starts.
#[derive(Debug, Default)]
pub struct Judge {
    /// What it seals and publishes.
    pub sealing: Sealing,
    /// Counters remembered behind the newest one.
    window: u64,
    /// Whether a death left a part of the changes of one input behind: then nothing is asked that needs them all.
    pub is_torn: bool,
    /// Whether the device has a clock.
    pub has_clock: bool,
    delivered: BTreeSet<Vec<u8>>,
    places: BTreeSet<(WindowKey, u32, u64, String)>,
    /// Since when an epoch is current, where this start has seen it begin.
    since: BTreeMap<GroupId, u64>,
    /// When each message came last, and whether it ever came with RETAIN set since the start.
    arrived: BTreeMap<Vec<u8>, (u64, bool)>,
    waiting: i64,
    /// The newest boot that was used.
    boot: u32,
}

/// The epoch that a reader takes for the current one.
pub fn current_epoch(statement: &GroupStatement) -> u32 {
    let goes_on = statement.state == GroupState::Awaiting && statement.policy.seal_while_awaiting;
    let last = statement.commitments.last();
    last.filter(|_| goes_on)
        .map_or(statement.epoch, |last| last.epoch)
}

fn body<'a>(durable: &'a Durable, group: &GroupId) -> Option<&'a GroupStatement> {
    durable.statements.get(group).map(|held| &held.body)
}

impl Judge {
    /// Of a device with or without a clock, that remembers so many counters behind the newest one.
    pub fn new(has_clock: bool, window: u64) -> Self {
        Self {
            has_clock,
            window,
            ..Self::default()
        }
    }

    /// The device began, or began again.
    pub fn on_start(&mut self, device: &Device, effects: &Effects) {
        let boot = device.session.durable().boot;
        assert!(boot > self.boot, "a boot was used before (MSG-9)");
        let first = effects.changes.first();
        assert_eq!(first, Some(&Change::Boot(boot)), "MSG-9");
        assert_eq!(
            device.store.load(),
            *device.session.durable(),
            "what is durable is what the session goes on with"
        );
        self.since.clear();
        self.arrived.clear();
        self.waiting = 0;
        self.sealing.on_start(boot);
        self.boot = boot;
    }

    /// Something happened to the device; everything that it changed is durable.
    pub fn on_effects(
        &mut self,
        world: &World,
        device: &Device,
        before: &Durable,
        effects: &Effects,
        event: &Event,
    ) {
        let after = device.session.durable();
        self.note(world, before, after, event);
        check_order(before, after);
        self.boot = after.boot;
        self.check_state(device, after);
        check_changes(before, after, effects, event);
        self.check_time(world, device, after, event);
        for action in &effects.actions {
            self.check_action(world, device, after, action, event);
        }
        assert!((0..=512).contains(&self.waiting), "MSG-13");
        assert!(effects.actions.len() <= 1024, "LIM-1");
        self.sealing.on_effects(world, device, effects);
    }

    fn note(&mut self, world: &World, before: &Durable, after: &Durable, event: &Event) {
        if let Event::Arrival(arrival) = event {
            let entry = self.arrived.entry(arrival.payload.clone()).or_default();
            *entry = (world.mono_ms, entry.1 || arrival.retain);
            let is_control = ControlTopic::parse(PREFIX, &arrival.topic).is_some();
            self.waiting += i64::from(!is_control);
        }
        for (group, held) in &after.statements {
            let current = current_epoch(&held.body);
            if body(before, group).map(current_epoch) != Some(current) {
                self.since.insert(group.clone(), world.mono_ms);
            }
        }
        self.sealing.note(world, before, after);
    }

    /// What holds of every state.
    fn check_state(&self, device: &Device, after: &Durable) {
        if let Some(held) = &after.device {
            assert_eq!(held.body.device, device.identity.device, "STM-2");
        }
        for ((group, number), page) in &after.pages {
            let named = body(after, group).and_then(|said| said.pages.get(*number as usize));
            assert_eq!(named, Some(&page_hash(&GENESIS, page)), "STM-7");
        }
        for ((group, epoch), secret) in &after.secrets {
            assert!(*secret == secret_of(group, *epoch), "KEY-5");
            if !self.is_torn {
                assert!(
                    is_stated(after, group),
                    "STM-1: a secret of {group} is left"
                );
                let state = body(after, group).map(|said| said.state);
                assert_ne!(state, Some(GroupState::Closed), "STM-5");
            }
        }
        for boots in after.windows.values() {
            assert!(boots.0.len() <= 4, "MSG-10");
            for window in boots.0.values() {
                let most = self.window / 64 + 2;
                assert!(window.0.len() as u64 <= most, "MSG-10");
            }
        }
    }

    /// Secrets that are too old in both ways are gone (KEY-8).
    fn check_time(&self, world: &World, device: &Device, after: &Durable, event: &Event) {
        let held = after.device.as_ref().map(|held| held.body.key_version);
        // A statement for other keys is as none (STM-2): until the next one nothing is known of any group.
        let is_told = held == Some(device.identity.key_version);
        let is_tick = matches!(event, Event::Tick);
        if !(self.has_clock && is_tick && is_told) || self.is_torn {
            return;
        }
        for (group, epoch) in after.secrets.keys() {
            let (Some(said), Some(facts)) = (body(after, group), after.facts.get(group)) else {
                continue;
            };
            let age = u64::from(said.policy.history_age) * 1000;
            let oldest = said.epoch.saturating_sub(said.policy.history);
            let retired = facts.retired.get(epoch);
            let is_old = retired.is_some_and(|since| world.time_ms() - since > age);
            assert!(*epoch >= oldest || !is_old, "KEY-8");
        }
    }

    fn check_action(
        &mut self,
        world: &World,
        device: &Device,
        after: &Durable,
        action: &Action,
        event: &Event,
    ) {
        match action {
            Action::Deliver(delivery) => {
                self.waiting -= 1;
                self.check_delivery(world, device, after, delivery);
            }
            Action::Refuse { .. } => self.waiting -= 1,
            Action::Pass { topic, .. } => {
                self.waiting -= 1;
                assert!(!is_protected(after, topic), "MSG-16: plaintext on {topic}");
            }
            Action::Notice(Notice::Answered { .. } | Notice::Acknowledged { .. }) => {
                let told = matches!(event, Event::Arrival(arrival) if arrival.is_authentic);
                // A request that cannot be made is answered at once.
                assert!(told || matches!(event, Event::Other), "REQ-2");
            }
            _ => {}
        }
    }

    fn check_delivery(
        &mut self,
        world: &World,
        device: &Device,
        after: &Durable,
        delivery: &Delivery,
    ) {
        let said = world.said.get(&delivery.payload);
        let said = said.expect("nobody sealed what was delivered (MSG-6)");
        let has = |mark: Mark| delivery.marks.contains(&mark);
        assert_eq!(delivery.topic, said.topic, "MSG-5");
        assert_eq!(delivery.group, said.group, "MSG-5");
        assert_eq!(delivery.sender, said.sender, "MSG-6");
        assert_eq!(
            (delivery.epoch, delivery.time),
            (said.epoch, said.time),
            "MSG-1"
        );
        assert_eq!(
            has(Mark::Retained),
            said.stream == Stream::Retained,
            "MSG-12"
        );
        assert_eq!(has(Mark::Will), said.stream == Stream::Will, "MSG-17");
        assert_ne!(delivery.sender, device.identity.device, "its own message");

        let (at, with_retain) = self.arrived.get(&said.sealed).copied().expect("it came");
        assert!(world.mono_ms - at <= 60_000, "MSG-13: it waited too long");
        let (index, boot, counter) = said.place;
        match has(Mark::Repeat) {
            true => assert!(with_retain && said.stream == Stream::Retained, "MSG-12"),
            false => {
                let once = self.delivered.insert(said.sealed.clone());
                assert!(once, "a message was delivered twice (MSG-10, MSG-11)");
                let key = WindowKey {
                    group: said.group.clone(),
                    sender: index,
                    stream: said.stream,
                };
                let topic = Some(&said.topic).filter(|_| said.stream == Stream::Retained);
                let counter = match said.stream {
                    Stream::Will => 0,
                    _ => counter,
                };
                let place = (key, boot, counter, topic.cloned().unwrap_or_default());
                let once = self.places.insert(place);
                assert!(
                    once,
                    "two messages of one counter were delivered (MSG-10, MSG-17)"
                );
            }
        }
        let version = device.identity.key_version;
        self.check_policy(world, after, delivery, (index, version), said.signed);
    }

    fn check_policy(
        &self,
        world: &World,
        after: &Durable,
        delivery: &Delivery,
        (index, version): (u32, u32),
        is_signed: bool,
    ) {
        let (group, sender) = (&delivery.group, &delivery.sender);
        let statement = body(after, group).expect("a statement (MSG-4)");
        assert!(is_stated(after, group), "STM-1");
        let held = after.device.as_ref().map(|held| held.body.key_version);
        assert_eq!(held, Some(version), "STM-2");
        assert_ne!(statement.state, GroupState::Closed, "STM-5");
        let pages = after.pages.iter().filter(|((of, _), _)| of == group);
        let mut publishers = pages.flat_map(|(_, page)| page.publishers.iter());
        let is_listed = publishers.any(|one| one.index == index && one.device == *sender);
        assert!(is_listed, "{sender} is no publisher (MSG-7)");
        assert_eq!(is_signed, statement.policy.signed, "MSG-4");
        assert_eq!(delivery.time.is_some(), statement.policy.timed(), "MSG-4");
        let is_late = delivery.marks.contains(&Mark::Late);
        if delivery.epoch >= current_epoch(statement) {
            assert!(!is_late, "MSG-8");
        } else {
            assert!(is_signed, "an older epoch in an unsigned group (MSG-8)");
            let grace = u64::from(statement.policy.grace);
            let since = self.since.get(group);
            let in_grace = since.is_some_and(|since| world.mono_ms - since <= grace);
            assert!(is_late || in_grace, "MSG-8");
        }
        if let (Some(time), true) = (delivery.time, self.has_clock) {
            let away = (world.time_ms() / 1_000).abs_diff(time.into());
            assert!(away <= statement.policy.max_age.into(), "MSG-15");
        }
    }
}

/// Whether the owner's statement lists a group, for whichever keys.
fn is_stated(durable: &Durable, group: &GroupId) -> bool {
    let stated = durable.device.as_ref().map(|held| &held.body.groups);
    let mut groups = stated.into_iter().flat_map(|groups| groups.iter());
    groups.any(|stated| stated.group == *group)
}

fn is_protected(durable: &Durable, topic: &str) -> bool {
    let mut protected = durable.protected.iter();
    let stated = durable.device.as_ref().map(|held| &held.body.groups);
    let groups = stated.into_iter().flat_map(|groups| groups.iter());
    let mut filters = groups.flat_map(|group| group.filters.iter());
    protected.any(|(filter, is)| *is && filter.matches(topic))
        || filters.any(|filter| filter.matches(topic))
}

/// What never falls.
fn check_order(before: &Durable, after: &Durable) {
    assert!(before.boot <= after.boot, "MSG-9");
    assert!(before.copied <= after.copied, "MSG-10");
    assert!(after.asked >= before.asked, "REQ-1");
    let serial = |durable: &Durable| durable.owner.map(|owner| owner.serial);
    if before.owner != after.owner {
        assert!(serial(before) < serial(after), "STM-11");
    }
    if let Some(known) = &before.device {
        let held = after.device.as_ref().expect("a statement stays");
        let (old, new) = (known.body.revision, held.body.revision);
        assert!(new > old || held == known, "STM-2: {old} and then {new}");
    }
    for (group, known) in &before.statements {
        let held = after.statements.get(group).expect("a statement stays");
        check_statement(known, held);
    }
    for (group, known) in &before.facts {
        let held = after.facts.get(group).expect("facts stay");
        for (account, (revision, hash)) in &known.said {
            let said = held.said.get(account).expect("what was said stays");
            let same = said == &(*revision, *hash);
            assert!(said.0 > *revision || same, "STM-4");
        }
        let chain_time = |heard: Option<keyward_client::session::durable::Heard>| {
            heard.map(|heard| heard.chain_time)
        };
        assert!(chain_time(held.heard) >= chain_time(known.heard), "STM-8");
        assert!(held.acknowledged >= known.acknowledged, "KEX-8");
    }
}

/// A lower revision is refused, and of the same one the first is kept, whoever says it (STM-4).
fn check_statement(known: &Held<GroupStatement>, held: &Held<GroupStatement>) {
    let (old, new) = (known.body.revision, held.body.revision);
    assert!(new > old || held == known, "STM-4: {old} and then {new}");
}

/// What may change, and by what.
fn check_changes(before: &Durable, after: &Durable, effects: &Effects, event: &Event) {
    let delivers = effects
        .actions
        .iter()
        .filter(|action| matches!(action, Action::Deliver(_)));
    let delivers = delivers.count();
    let mut received = BTreeSet::new();
    for change in &effects.changes {
        match change {
            Change::Received(key, _) => _ = received.insert(format!("{key:?}")),
            Change::Value(key, _) => _ = received.insert(format!("{key:?}")),
            Change::Secret(group, number, secret) => {
                let commitment = body(after, group).and_then(|said| said.commitment(*number));
                let (commitment, account) = commitment.expect("a commitment (KEY-5)");
                let opens = epoch::opens(&commitment, &GENESIS, group, *number, &account, secret);
                assert!(opens, "KEY-5");
            }
            _ => {}
        }
        if let Event::Arrival(arrival) = event {
            // What the device does by itself, whatever comes.
            let by_itself = matches!(change, Change::Asked(_) | Change::Retain(..));
            assert!(
                arrival.is_authentic || by_itself,
                "STM-12, MSG-11: {change:?} by what nobody made, on {}",
                arrival.topic
            );
        }
    }
    assert!(
        received.len() <= delivers,
        "MSG-11: a window moved, and nothing was delivered"
    );
    for (filter, was) in &before.protected {
        let is = after.protected.get(filter);
        let released = matches!(event, Event::Release(released) if released == filter);
        assert!(
            is >= Some(was) || released,
            "MSG-16: {filter} is not protected any more"
        );
    }
}
