//! Opening protected messages (MSG-4 to MSG-17). A message's group is found by its topic, its key by its header, and nothing
//! is tried (TOP-3). What is remembered of a message changes only after its tag and signature verified (MSG-11).

use alloc::string::String;

use keyward_crypto::{
    message::{self, Expected, MessageRefused, Opened as Content},
    GroupKey,
};
use keyward_protocol::{
    message::{Header, Message, MessageInvalid, Stream},
    policy::Policy,
    statement::{GroupState, GroupStatement},
    DeviceId, Genesis, GroupId,
};

use super::{
    durable::{ValueKey, ValueSeen, WindowKey},
    effects::{Delivery, Effects, Mark, Now, Opened},
    live::{KeyOf, Live},
    notice::Notice,
    parking::Wait,
    refusal::Refusal,
    routes::Route,
    window::{Boots, Look, TagPrefix},
    Change, Durable, Session,
};

/// Topics with retained values that are remembered per group.
const VALUES: usize = 4096;

/// What is to be done with a message.
pub(super) enum Verdict {
    Message(Delivery),
    Open,
    /// It waits, for something to become known of a group, or for its group.
    Park(Option<GroupId>, Wait),
    Refused(Refusal),
}

/// Whether a message came before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Novelty {
    New,
    Repeat,
    /// Another message has its counter: evidence, if it verifies.
    Other,
}

/// A message and where it came.
struct Incoming<'a> {
    /// Its group, sender and stream: they say also whose window it belongs to, so that no other copy of them is made.
    window: WindowKey,
    topic: &'a str,
    message: Message<'a>,
    retain: bool,
    /// Whether it is known already to carry its sender's signature.
    is_signed: bool,
}

impl Incoming<'_> {
    fn header(&self) -> &Header {
        &self.message.header
    }

    fn group(&self) -> &GroupId {
        &self.window.group
    }

    fn tag(&self) -> TagPrefix {
        self.message.tag().into()
    }

    fn value_key(&self) -> ValueKey {
        ValueKey {
            group: self.group().clone(),
            sender: self.header().sender,
            topic: self.topic.into(),
        }
    }
}

/// Why a message cannot be handed up now.
enum Stop {
    Park(Wait),
    Refuse(Refusal),
}

impl Wait {
    /// Of a message that nothing is known of yet.
    fn unverified(header: &Header, otherwise: Refusal) -> Self {
        Self {
            sender: header.sender,
            is_signed: false,
            otherwise,
        }
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refuse(refusal)
    }
}

impl Session {
    /// Opens a message that came on a topic, `retain`: with RETAIN set. The changes must be durable before it is handed up
    /// (MSG-11); the actions are notices.
    pub fn open(&mut self, now: Now, topic: &str, bytes: &[u8], retain: bool) -> (Opened, Effects) {
        self.clock.advance(now);
        let opened = self.open_message(topic, bytes, retain);
        (opened, self.take())
    }

    pub(super) fn open_message(&mut self, topic: &str, bytes: &[u8], retain: bool) -> Opened {
        match self.examine(topic, bytes, retain, false) {
            Verdict::Message(delivery) => Opened::Message(delivery),
            Verdict::Open => Opened::NotProtected,
            Verdict::Refused(reason) => Opened::Refused(reason),
            Verdict::Park(home, wait) => {
                self.park(home, topic, bytes, retain, wait);
                Opened::Parked
            }
        }
    }

    /// `is_signed`: it is known already to carry its sender's signature.
    pub(super) fn examine(
        &mut self,
        topic: &str,
        bytes: &[u8],
        retain: bool,
        is_signed: bool,
    ) -> Verdict {
        let route = self.route(topic);
        if route == Route::Open {
            return Verdict::Open;
        }
        let message = match Message::from_wire(bytes) {
            Ok(message) => message,
            Err(MessageInvalid::NotProtected) => return Verdict::Refused(Refusal::Plaintext),
            Err(invalid) => return Verdict::Refused(Refusal::Malformed(invalid)),
        };
        let group = match route {
            Route::Group(group) => group,
            Route::Conflict => return Verdict::Refused(Refusal::TopicConflict),
            Route::Protected | Route::Open => return self.unplaced(&message),
        };
        let Header { sender, stream, .. } = message.header;
        let incoming = Incoming {
            window: WindowKey {
                group,
                sender,
                stream,
            },
            topic,
            message,
            retain,
            is_signed,
        };
        match self.receive(&incoming) {
            Ok(delivery) => Verdict::Message(delivery),
            Err(Stop::Refuse(reason)) => Verdict::Refused(reason),
            Err(Stop::Park(wait)) => Verdict::Park(Some(incoming.window.group), wait),
        }
    }

    /// A message of no group that the device is known to be in: it may have joined one while it was away (MSG-13).
    fn unplaced(&self, message: &Message<'_>) -> Verdict {
        let otherwise = Refusal::NotMember;
        match self.is_told() {
            true => Verdict::Refused(otherwise),
            false => Verdict::Park(None, Wait::unverified(&message.header, otherwise)),
        }
    }

    fn receive(&mut self, incoming: &Incoming<'_>) -> Result<Delivery, Stop> {
        let policy = self.admit(incoming)?;
        let is_late = self.is_late(incoming)?;
        let novelty = self.novelty(incoming)?;
        let (sender, content) = self.verify(incoming, &policy)?;
        self.check_own(incoming, &sender)?;
        if novelty == Novelty::Other {
            self.tell(Notice::Clone {
                group: incoming.group().clone(),
                device: sender,
            });
            return Err(Refusal::Cloned.into());
        }
        self.check_age(&policy, content.time)?;
        if novelty == Novelty::New {
            self.remember(incoming);
        }
        if let Some(live) = self.live.get_mut(incoming.group()) {
            live.note_topic(incoming.topic);
        }
        let stream = incoming.header().stream;
        let marks = [
            (is_late, Mark::Late),
            (novelty == Novelty::Repeat, Mark::Repeat),
            (stream == Stream::Retained, Mark::Retained),
            (stream == Stream::Will, Mark::Will),
        ];
        Ok(Delivery {
            topic: incoming.topic.into(),
            group: incoming.group().clone(),
            epoch: incoming.header().epoch,
            sender,
            time: content.time,
            payload: content.payload,
            marks: marks
                .into_iter()
                .filter(|(is, _)| *is)
                .map(|(_, mark)| mark)
                .collect(),
        })
    }

    /// Whether the device reads the group, the sender is a publisher now, whatever the epoch (MSG-7), and the epoch's secret
    /// is held. What may yet come is waited for (MSG-13).
    fn admit(&mut self, incoming: &Incoming<'_>) -> Result<Policy, Stop> {
        let group = incoming.group();
        let stated = self.stated_group(group).ok_or(Refusal::NotMember)?;
        // What is sealed in its own name a device looks at also where it reads nothing: it may be evidence.
        let live = self.live.get(group).ok_or(Refusal::NotMember)?;
        let is_own = live.own_index == Some(incoming.header().sender);
        if !stated.role.subscribes() && !is_own {
            return Err(Refusal::NotSubscriber.into());
        }
        let wait = |otherwise| Stop::Park(Wait::unverified(incoming.header(), otherwise));
        let statement = self.statement(group).ok_or(wait(Refusal::UnknownEpoch))?;
        if statement.state == GroupState::Closed {
            return Err(Refusal::Closed.into());
        }
        let Header { sender, epoch, .. } = *incoming.header();
        match live.senders.contains_key(&sender) {
            true => {}
            false if live.is_complete => return Err(Refusal::NotPublisher.into()),
            false => return Err(wait(Refusal::NotPublisher)),
        }
        if self.holds(live, group, epoch) {
            return Ok(statement.policy.clone());
        }
        let newest = self.durable.epochs(group).next_back();
        match newest {
            Some(newest) if epoch < newest => Err(Refusal::UnknownEpoch.into()),
            _ => Err(Stop::Park(self.wait_for_secret(incoming)?)),
        }
    }

    /// Whether an epoch's secret is held.
    pub(super) fn holds(&self, live: &Live, group: &GroupId, epoch: u32) -> bool {
        live.keys.has(epoch) || self.durable.secrets.contains_key(&(group.clone(), epoch))
    }

    /// A message of an epoch whose secret is not held waits for it. A signature tells a forgery without the secret.
    fn wait_for_secret(&mut self, incoming: &Incoming<'_>) -> Result<Wait, Refusal> {
        let unverified = Wait::unverified(incoming.header(), Refusal::UnknownEpoch);
        let signed = Wait {
            is_signed: true,
            ..unverified
        };
        match (incoming.is_signed, incoming.header().signed) {
            (true, _) => return Ok(signed),
            (false, false) => return Ok(unverified),
            (false, true) => {}
        }
        let genesis = &self.provisioned.genesis;
        let live = self.live.get_mut(incoming.group());
        let sender = live.and_then(|live| live.senders.get_mut(&signed.sender));
        let sender = sender.ok_or(Refusal::NotPublisher)?;
        let verifier = sender.verifier().map_err(|_| Refusal::Signature)?;
        let Incoming { topic, message, .. } = incoming;
        message::check_signature(message, genesis, incoming.group(), topic, verifier)?;
        Ok(signed)
    }

    /// Whether a message of an older epoch is late (MSG-8). In an unsigned group there is no grace: a statement does not tell
    /// whether a member left.
    fn is_late(&self, incoming: &Incoming<'_>) -> Result<bool, Refusal> {
        let statement = self
            .statement(incoming.group())
            .ok_or(Refusal::UnknownEpoch)?;
        if incoming.header().epoch >= self.current_epoch(statement) {
            return Ok(false);
        }
        match statement.policy.signed {
            true => Ok(!self.is_in_grace(incoming.group(), statement)),
            false => Err(Refusal::OldEpoch),
        }
    }

    fn is_in_grace(&self, group: &GroupId, statement: &GroupStatement) -> bool {
        let since = self.live.get(group).and_then(|live| live.epoch_since);
        let grace = u64::from(statement.policy.grace);
        since.is_some_and(|since| self.clock.mono().saturating_sub(since) <= grace)
    }

    /// Whether it came before (MSG-10, MSG-12, MSG-17).
    fn novelty(&self, incoming: &Incoming<'_>) -> Result<Novelty, Refusal> {
        let Header {
            boot,
            counter,
            stream,
            ..
        } = *incoming.header();
        let tag = incoming.tag();
        let boots = self.durable.windows.get(&incoming.window);
        let size = self.settings.window;
        let look = match stream {
            Stream::Retained => return self.novelty_of_value(incoming),
            Stream::Live => boots.map(|boots| boots.look(boot, counter, tag, size)),
            Stream::Will => boots.map(|boots| boots.look_at_will(boot, counter, tag)),
        };
        match look.unwrap_or(Look::New) {
            Look::New => Ok(Novelty::New),
            Look::Other => Ok(Novelty::Other),
            Look::Same => Err(Refusal::Replayed),
            Look::Behind => Err(Refusal::BehindWindow),
            Look::OldBoot => Err(Refusal::OldBoot),
        }
    }

    fn novelty_of_value(&self, incoming: &Incoming<'_>) -> Result<Novelty, Refusal> {
        let Header { boot, counter, .. } = *incoming.header();
        let Some(known) = self.durable.values.get(&incoming.value_key()) else {
            let is_of_group = |key: &&ValueKey| key.group == *incoming.group();
            return match self.durable.values.keys().filter(is_of_group).count() < VALUES {
                true => Ok(Novelty::New),
                false => Err(Refusal::TooManyValues),
            };
        };
        match (boot, counter).cmp(&(known.boot, known.counter)) {
            core::cmp::Ordering::Greater => Ok(Novelty::New),
            core::cmp::Ordering::Less => Err(Refusal::OldValue),
            _ if known.tag != incoming.tag() => Ok(Novelty::Other),
            _ if incoming.retain => Ok(Novelty::Repeat),
            _ => Err(Refusal::Replayed),
        }
    }

    /// Tag and signature, as the policy of the statement demands (MSG-4 to MSG-6).
    fn verify(
        &mut self,
        incoming: &Incoming<'_>,
        policy: &Policy,
    ) -> Result<(DeviceId, Content), Refusal> {
        let Header {
            sender,
            boot,
            stream,
            epoch,
            ..
        } = *incoming.header();
        let of = KeyOf {
            epoch,
            sender,
            boot,
            stream,
        };
        let group = incoming.group();
        let Live {
            keys,
            senders,
            read_on,
            ..
        } = self.live.get_mut(group).ok_or(Refusal::NotMember)?;
        let secrets = (&self.durable, &self.provisioned.genesis, group);
        let key = keys.message_key(of, || epoch_key(secrets, epoch));
        let key = key.ok_or(Refusal::UnknownEpoch)?;
        let sender = senders.get_mut(&sender).ok_or(Refusal::NotPublisher)?;
        let device = sender.device.clone();
        let signed_by = match policy.signed {
            true => Some(sender.verifier().map_err(|_| Refusal::Signature)?),
            false => None,
        };
        let expected = Expected {
            signed_by,
            timed: policy.timed(),
        };
        // Whether it is refused only because of its topic: it would open on another one of the group (MSG-5). It stays refused;
        // this only says why.
        let opens_on = |topic: &String| key.open(&incoming.message, topic, expected).is_ok();
        match key.open(&incoming.message, incoming.topic, expected) {
            Ok(content) => Ok((device, content)),
            Err(MessageRefused::Tampered) if read_on.iter().any(opens_on) => Err(Refusal::Moved),
            Err(refused) => Err(refused.into()),
        }
    }

    /// What is sealed in this device's own name is not for it to read; of a boot or counter that it has not used it is
    /// evidence of a clone (MSG-10).
    fn check_own(&mut self, incoming: &Incoming<'_>, sender: &DeviceId) -> Result<(), Refusal> {
        if *sender != self.identity.device {
            return Ok(());
        }
        let Header {
            boot,
            counter,
            stream,
            ..
        } = *incoming.header();
        let used = self
            .counters
            .get(incoming.group())
            .map_or(0, |counters| counters.next(stream));
        let ours = match stream {
            Stream::Will => self.will_boot,
            Stream::Live | Stream::Retained => self.boot.unwrap_or(self.durable.boot),
        };
        if (boot, counter) >= (ours, used) {
            self.tell(Notice::Clone {
                group: incoming.group().clone(),
                device: sender.clone(),
            });
            self.stop_sealing(incoming);
        }
        Err(Refusal::Own)
    }

    /// Somebody has sealed with this device's keys what this store knows nothing of. Where messages are signed nobody else could
    /// have forged it, and the device must not go on with these keys.
    fn stop_sealing(&mut self, incoming: &Incoming<'_>) {
        if incoming.header().signed && !self.is_copied() {
            self.change(Change::Copied(self.identity.key_version));
            self.tell(Notice::Copied(incoming.group().clone()));
        }
    }

    /// Whether a message is too old, or of the future (MSG-15).
    fn check_age(&self, policy: &Policy, time: Option<u32>) -> Result<(), Refusal> {
        let Some(time) = time.filter(|_| policy.timed()) else {
            return Ok(());
        };
        let now = self.clock.now_ms().ok_or(Refusal::NoTime)? / 1000;
        match now.abs_diff(time.into()) <= policy.max_age.into() {
            true => Ok(()),
            false => Err(Refusal::Expired),
        }
    }

    /// From now on it came before.
    fn remember(&mut self, incoming: &Incoming<'_>) {
        let Header {
            boot,
            counter,
            stream,
            ..
        } = *incoming.header();
        let tag = incoming.tag();
        if stream == Stream::Retained {
            let seen = ValueSeen { boot, counter, tag };
            return self.change(Change::Value(incoming.value_key(), seen));
        }
        let size = self.settings.window;
        let unknown = Boots::default();
        let boots = self.durable.windows.get(&incoming.window);
        let steps = boots.unwrap_or(&unknown).mark(boot, counter, tag, size);
        for step in steps {
            self.change(Change::Received(incoming.window.clone(), step));
        }
    }
}

/// The key of an epoch, from its secret, if that is held.
pub(super) fn epoch_key(
    (durable, genesis, group): (&Durable, &Genesis, &GroupId),
    epoch: u32,
) -> Option<GroupKey> {
    let secret = durable.secrets.get(&(group.clone(), epoch))?;
    Some(GroupKey::new(genesis, group, epoch, secret))
}
