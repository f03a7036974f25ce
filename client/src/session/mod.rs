//! A device without the world: a state machine that is told what happened and says what to do (DESIGN sections 5, 5.1, 6).
//!
//! It has no clock, does no I/O and awaits nothing. Each [`Input`] gives [`Effects`]: changes for the store, and actions that
//! may be carried out only after those changes are durable. Restarted from any prefix of its changes it uses no counter
//! twice and delivers no message twice.
//!
//! | module | what |
//! |---|---|
//! | [`effects`], [`notice`], [`refusal`], [`keys`] | what goes in and comes out |
//! | [`durable`], [`record`] | what survives a crash, and how a store keeps it |
//! | `control`, `statements`, `pages`, `beacons`, `grants` | what gateways say, and what is believed of it |
//! | `requests`, `receipts` | what the device says to gateways |
//! | `routes`, `opening`, `parking`, [`window`] | messages that come |
//! | `sealing`, `values` | messages that go |
//! | [`status`], `clock` | what is known, and what time it is |
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod beacons;
mod clock;
mod control;
pub mod durable;
pub mod effects;
mod grants;
pub mod keys;
mod live;
pub mod notice;
mod opening;
mod pages;
mod parking;
mod receipts;
pub mod record;
pub mod refusal;
mod requests;
mod routes;
mod sealing;
mod statements;
pub mod status;
mod values;
pub mod window;

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    string::String,
};
use core::fmt;

use keyward_protocol::{
    statement::{DeviceGroup, DeviceStatement, GroupStatement},
    GroupId,
};
use rand_core::CryptoRngCore;

use self::{
    clock::Clock, durable::Facts, live::Live, parking::Parking, receipts::Receipting,
    requests::Pending, sealing::Counters, values::Resealed,
};
pub use self::{
    durable::{Change, Durable},
    effects::{Action, Delivery, Effects, Input, Interest, Kind, Mark, Now, Opened, Sealed},
    keys::{Identity, NewKeys, Owner, Provisioned, Settings},
    notice::{Answer, Asked, Notice},
    record::{Damaged, Record},
    refusal::{ControlRefused, Refusal, SealRefused},
    status::{GroupStatus, Status},
};

/// The state machine.
pub struct Session {
    settings: Settings,
    provisioned: Provisioned,
    identity: Identity,
    rng: Box<dyn CryptoRngCore + Send>,
    durable: Durable,
    /// Groups that the device is in.
    live: BTreeMap<GroupId, Live>,
    /// Messages that came before the owner's statement, on topics of no group that is known.
    unplaced: Parking,
    /// Next counters of this boot. They stay when a group is left: its key could come again (MSG-9).
    counters: BTreeMap<GroupId, Counters>,
    /// The boot of this start (MSG-9); none: boots are used up.
    boot: Option<u32>,
    /// The boot of the newest will: each connection's will has one of its own, so that each is accepted once (MSG-17).
    will_boot: u32,
    pending: BTreeMap<Asked, Pending>,
    receipting: BTreeMap<GroupId, Receipting>,
    answered: requests::Answered,
    subscribed: BTreeSet<(String, Interest)>,
    /// Since when it is connected.
    connected: Option<u64>,
    /// Whether the owner's statement was believed since then.
    told: bool,
    /// Since when something is missing that the gateway could send again, and when it is asked next.
    missing: Option<requests::Missing>,
    /// Values that were sealed anew, to be noted once they are published.
    resealed: BTreeMap<String, Resealed>,
    clock: Clock,
    effects: Effects,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Identity {
            device,
            key_version,
            ..
        } = &self.identity;
        write!(
            f,
            "Session({device}, key version {key_version}, boot {})",
            self.durable.boot
        )
    }
}

impl Session {
    /// A session that goes on where the durable state ended. `rng`: the operating system's generator.
    ///
    /// The first change is this start's boot, which must be durable before anything else happens (MSG-9).
    pub fn start(
        settings: Settings,
        provisioned: Provisioned,
        identity: Identity,
        durable: Durable,
        rng: Box<dyn CryptoRngCore + Send>,
        now: Now,
    ) -> (Self, Effects) {
        let mut session = Self {
            settings,
            provisioned,
            identity,
            rng,
            durable,
            live: BTreeMap::new(),
            unplaced: Parking::default(),
            counters: BTreeMap::new(),
            boot: None,
            will_boot: 0,
            pending: BTreeMap::new(),
            receipting: BTreeMap::new(),
            answered: requests::Answered::default(),
            subscribed: BTreeSet::new(),
            connected: None,
            told: false,
            missing: None,
            resealed: BTreeMap::new(),
            clock: Clock::new(now),
            effects: Effects::default(),
        };
        session.take_boot();
        session.protect_provisioned();
        session.recall();
        let effects = session.take();
        (session, effects)
    }

    /// Deals with an input.
    pub fn handle(&mut self, now: Now, input: Input) -> Effects {
        self.clock.advance(now);
        match input {
            Input::Connected => self.on_connected(),
            Input::Disconnected => self.connected = None,
            Input::Message {
                topic,
                payload,
                retain,
            } => self.on_message(topic, payload, retain),
            Input::Tick => self.on_tick(),
            Input::Enrol(voucher) => self.ask_to_enrol(&voucher),
            Input::Resync => self.ask_to_resync(),
            Input::ReplaceKeys(keys) => self.ask_to_replace_keys(&keys),
            Input::Release(filter) => self.release(&filter),
        }
        self.pump();
        self.take()
    }

    /// What is durable, once the changes are.
    pub fn durable(&self) -> &Durable {
        &self.durable
    }

    /// Whether the owner's statement was received and believed, or confirmed, since the session is connected.
    pub fn is_told(&self) -> bool {
        self.told && self.connected.is_some()
    }

    /// Whether everything about a topic was confirmed since the session is connected: that the device is in no group with
    /// it, or that the group's statement is this one, its pages are there, and its current secret, if it has one.
    pub fn is_current(&self, topic: &str) -> bool {
        let group = match self.route(topic) {
            routes::Route::Group(group) => group,
            _ => return self.is_told(),
        };
        let live = self.live.get(&group);
        let confirmed = live.is_some_and(|live| live.confirmed && live.is_complete);
        self.is_told() && confirmed && !self.lacks_secret(&group) && !self.is_outdated(&group)
    }

    /// What is known now.
    pub fn status(&self) -> Status {
        Status::of(&self.durable, self.clock.now_ms())
    }

    /// A boot that was not used before (MSG-9).
    fn take_boot(&mut self) {
        self.boot = self.next_boot();
        self.will_boot = self.durable.boot;
    }

    fn next_boot(&mut self) -> Option<u32> {
        let boot = self.durable.boot.checked_add(1)?;
        self.change(Change::Boot(boot));
        Some(boot)
    }

    /// What was known before this start.
    fn recall(&mut self) {
        let groups: alloc::vec::Vec<GroupId> =
            self.stated_groups().map(|g| g.group.clone()).collect();
        for group in groups {
            self.enter(&group);
        }
        self.subscribe();
    }

    fn on_connected(&mut self) {
        self.connected = Some(self.clock.mono());
        self.told = false;
        self.missing = None;
        for live in self.live.values_mut() {
            live.confirmed = false;
        }
        self.try_again_now();
    }

    fn on_tick(&mut self) {
        self.expire_parked();
        self.expire_grants();
        self.age_secrets();
        self.watch_freshness();
    }

    /// What is due after every input.
    fn pump(&mut self) {
        self.note_resealed();
        self.reseal();
        self.ask_for_what_is_missing();
        self.repeat_requests();
        self.repeat_receipts();
    }

    /// The owner's statement for the present keys, if one was believed (STM-2).
    fn stated(&self) -> Option<&DeviceStatement> {
        let held = self.durable.device.as_ref().map(|held| &held.body);
        held.filter(|device| device.key_version == self.identity.key_version)
    }

    /// The groups that the owner's statement lists (STM-1).
    fn stated_groups(&self) -> impl Iterator<Item = &DeviceGroup> {
        self.stated()
            .into_iter()
            .flat_map(|device| device.groups.iter())
    }

    fn stated_group(&self, group: &GroupId) -> Option<&DeviceGroup> {
        self.stated_groups().find(|stated| stated.group == *group)
    }

    fn statement(&self, group: &GroupId) -> Option<&GroupStatement> {
        self.durable.statements.get(group).map(|held| &held.body)
    }

    fn facts(&self, group: &GroupId) -> Facts {
        self.durable.facts.get(group).cloned().unwrap_or_default()
    }

    /// Changes what is known of a group, if it is a change.
    fn amend(&mut self, group: &GroupId, amend: impl FnOnce(&mut Facts)) {
        let mut facts = self.facts(group);
        amend(&mut facts);
        if self.durable.facts.get(group) != Some(&facts) {
            self.change(Change::Facts(group.clone(), facts));
        }
    }

    fn change(&mut self, change: Change) {
        self.durable.copy(&change);
        self.effects.changes.push(change);
    }

    fn act(&mut self, action: Action) {
        self.effects.actions.push(action);
    }

    fn tell(&mut self, notice: Notice) {
        self.act(Action::Notice(notice));
    }

    fn take(&mut self) -> Effects {
        core::mem::take(&mut self.effects)
    }
}
