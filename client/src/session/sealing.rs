//! Sealing (MSG-9, MSG-14, STM-5, STM-10).

use keyward_protocol::{
    message::Stream,
    statement::{GroupState, GroupStatement},
    GroupId,
};

use super::{
    effects::{Kind, Now, Sealed},
    live::KeyOf,
    opening::epoch_key,
    refusal::SealRefused,
    routes::Route,
    Session,
};

/// The next counter of each stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    live: u64,
    retained: u64,
    will: u64,
}

impl Counters {
    pub(super) fn next(&self, stream: Stream) -> u64 {
        match stream {
            Stream::Live => self.live,
            Stream::Retained => self.retained,
            Stream::Will => self.will,
        }
    }

    fn used(&mut self, stream: Stream, counter: u64) {
        let next = counter.saturating_add(1);
        match stream {
            Stream::Live => self.live = next,
            Stream::Retained => self.retained = next,
            Stream::Will => self.will = next,
        }
    }
}

/// With what a message may be sealed now.
pub(super) struct Permit {
    pub(super) group: GroupId,
    pub(super) epoch: u32,
    index: u32,
    is_signed: bool,
    time: Option<u32>,
    stale: bool,
}

impl Kind {
    fn stream(self) -> Stream {
        match self {
            Self::Live => Stream::Live,
            Self::Retained => Stream::Retained,
            Self::Will => Stream::Will,
        }
    }
}

impl Session {
    /// Seals a payload for a topic. The changes must be durable before the message is published.
    ///
    /// # Errors
    /// Says why nothing may be sealed now; [`SealRefused::is_retryable`] whether it may be later.
    pub fn seal(
        &mut self,
        now: Now,
        topic: &str,
        payload: &[u8],
        kind: Kind,
    ) -> Result<Sealed, SealRefused> {
        self.clock.advance(now);
        let permit = self.permit(topic)?;
        if kind == Kind::Retained {
            self.check_room(topic, payload)?;
        }
        let mut sealed = self.seal_with(permit, topic, payload, kind)?;
        if kind == Kind::Retained {
            self.keep_value(topic, payload, sealed.epoch);
        }
        sealed.changes = core::mem::take(&mut self.effects.changes);
        Ok(sealed)
    }

    /// The epoch in which a message for a topic would be sealed now.
    ///
    /// # Errors
    /// Says why nothing may be sealed now.
    pub fn sealable(&self, topic: &str) -> Result<u32, SealRefused> {
        Ok(self.permit(topic)?.epoch)
    }

    /// Whether and how a message may be sealed for a topic now.
    pub(super) fn permit(&self, topic: &str) -> Result<Permit, SealRefused> {
        let group = match self.route(topic) {
            Route::Group(group) => group,
            Route::Conflict => return Err(SealRefused::TopicConflict),
            Route::Protected => return Err(SealRefused::NotMember),
            Route::Open => return Err(SealRefused::NotProtected),
        };
        if self.is_copied() {
            return Err(SealRefused::Copied);
        }
        let stated = self.stated_group(&group).ok_or(SealRefused::NotMember)?;
        if !stated.role.publishes() {
            return Err(SealRefused::NotPublisher);
        }
        let statement = self.statement(&group).ok_or(SealRefused::NotReady)?;
        check_state(statement)?;
        if self.is_outdated(&group) {
            return Err(SealRefused::Outdated);
        }
        let epoch = self.current_epoch(statement);
        let index = self.check_ready(&group, epoch)?;
        let stale = self.is_stale(&group);
        if stale && !statement.policy.seal_when_stale {
            return Err(SealRefused::Stale);
        }
        let time = match statement.policy.timed() {
            true => Some(self.seconds().ok_or(SealRefused::NoTime)?),
            false => None,
        };
        Ok(Permit {
            epoch,
            index,
            is_signed: statement.policy.signed,
            time,
            stale,
            group,
        })
    }

    /// This device's index, when its page and the epoch's secret are there and have settled (MSG-14).
    fn check_ready(&self, group: &GroupId, epoch: u32) -> Result<u32, SealRefused> {
        let live = self.live.get(group).ok_or(SealRefused::NotReady)?;
        let index = match live.own_index {
            Some(index) => index,
            None if live.is_complete => return Err(SealRefused::NotPublisher),
            None => return Err(SealRefused::NotReady),
        };
        if !self.holds(live, group, epoch) {
            return Err(SealRefused::NotReady);
        }
        let usable_at = live.usable_at.ok_or(SealRefused::NotReady)?;
        match usable_at.saturating_sub(self.clock.mono()) {
            0 => Ok(index),
            wait_ms => Err(SealRefused::Settling { wait_ms }),
        }
    }

    /// Whether somebody else seals with these keys, or the store was restored: until the keys are replaced nothing may be
    /// sealed, since a boot and a counter could be used twice (MSG-9, MSG-10).
    pub(super) fn is_copied(&self) -> bool {
        let copied = self.durable.copied;
        copied.is_some_and(|version| version >= self.identity.key_version)
    }

    fn seconds(&self) -> Option<u32> {
        u32::try_from(self.clock.now_ms()? / 1000).ok()
    }

    /// Seals with the next counter, which is used up by it (MSG-9).
    pub(super) fn seal_with(
        &mut self,
        permit: Permit,
        topic: &str,
        payload: &[u8],
        kind: Kind,
    ) -> Result<Sealed, SealRefused> {
        let stream = kind.stream();
        let Permit {
            group,
            epoch,
            index,
            is_signed,
            time,
            stale,
        } = permit;
        let boot = self
            .boot_for(&group, stream)
            .ok_or(SealRefused::Exhausted)?;
        let counters = self.counters.get(&group).copied().unwrap_or_default();
        let counter = counters.next(stream);
        if counter == u64::MAX {
            return Err(SealRefused::Exhausted);
        }
        let of = KeyOf {
            epoch,
            sender: index,
            boot,
            stream,
        };
        let live = self.live.get_mut(&group).ok_or(SealRefused::NotReady)?;
        let secrets = (&self.durable, &self.provisioned.genesis, &group);
        let key = live.keys.message_key(of, || epoch_key(secrets, epoch));
        let key = key.ok_or(SealRefused::NotReady)?;
        let signer = is_signed.then_some(&self.identity.signing);
        let bytes = key.seal(counter, topic, time, payload, signer)?;
        match self.counters.get_mut(&group) {
            Some(counters) => counters.used(stream, counter),
            None => {
                let mut counters = Counters::default();
                counters.used(stream, counter);
                self.counters.insert(group.clone(), counters);
            }
        }
        Ok(Sealed {
            bytes_added: bytes.len().saturating_sub(payload.len()),
            bytes,
            group,
            epoch,
            stale,
            changes: alloc::vec::Vec::new(),
        })
    }

    /// The boot that a message is sealed with: this start's, and for each will one of its own, since a receiver accepts one
    /// will of a boot (MSG-17).
    fn boot_for(&mut self, group: &GroupId, stream: Stream) -> Option<u32> {
        let of_start = self.boot?;
        if stream != Stream::Will {
            return Some(of_start);
        }
        let counters = self.counters.get(group);
        if counters.is_some_and(|counters| counters.will > 0) {
            self.will_boot = self.next_boot()?;
            self.counters
                .values_mut()
                .for_each(|counters| counters.will = 0);
        }
        Some(self.will_boot)
    }
}

/// Whether the group's state lets publishers seal (STM-5).
fn check_state(statement: &GroupStatement) -> Result<(), SealRefused> {
    match statement.state {
        GroupState::Active => Ok(()),
        GroupState::Awaiting if statement.policy.seal_while_awaiting => Ok(()),
        GroupState::Awaiting => Err(SealRefused::Awaiting),
        GroupState::Frozen => Err(SealRefused::Frozen),
        GroupState::Closed => Err(SealRefused::Closed),
    }
}
