//! A device's session as a state machine (`keyward_client::session`): bytes decide what the chain does, what gateways and
//! members say, what is replayed, moved and changed on its way, when time passes, and when the device dies. Whatever
//! happens, the [`judge`] finds every rule of `docs/protocol.md` kept that a device alone can keep.

pub mod device;
pub mod judge;
pub mod said;
pub mod world;

use keyward_client::session::{Effects, Input, Kind, NewKeys, Settings};
use keyward_protocol::{
    message::Stream,
    registration::Voucher,
    request::{Refusal, Status},
    signing::Signed,
    statement::GroupState,
    topic::{ControlTopic, TopicFilter, PREFIX},
    Role,
};

use self::{
    device::{published, Device, Time},
    judge::{Arrival, Event, Judge},
    world::{device, identity, Manner, Packet, World, DEVICE, PEERS, TOPICS},
};
use crate::choices::Choices;

/// Events of one course: longer inputs end here.
const EVENTS: usize = 120;

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Op {
    /// Gateways say everything as it is.
    TellAll,
    /// A gateway says one thing as it is: which, and of which group.
    Tell,
    /// A member seals a message, which arrives or is held back.
    Say,
    /// The device's application seals.
    Seal,
    /// Time passes.
    Tick,
    /// The chain changes.
    Chain,
    /// Something that was said comes again.
    Replay,
    /// Something that was said comes changed.
    Harm,
    /// Something that was said comes on another topic.
    Move,
    /// Bytes come on a topic.
    Raw,
    /// A custodian says something else than the chain.
    Lie,
    /// The connection comes or goes.
    Connection,
    /// The device asks its gateway.
    Ask,
    /// The gateway answers what the device published last.
    Answer,
    /// The device is restarted.
    Restart,
    /// The device dies in the middle of what comes next.
    Die,
    /// The operator releases a filter.
    Release,
    /// One message comes many times.
    Flood,
}

impl Op {
    /// All of them, in the order of their bytes.
    pub const ALL: [Self; 18] = [
        Self::TellAll,
        Self::Tell,
        Self::Say,
        Self::Seal,
        Self::Tick,
        Self::Chain,
        Self::Replay,
        Self::Harm,
        Self::Move,
        Self::Raw,
        Self::Lie,
        Self::Connection,
        Self::Ask,
        Self::Answer,
        Self::Restart,
        Self::Die,
        Self::Release,
        Self::Flood,
    ];
}

/// A device's session (DESIGN sections 5 and 5.1): the first byte says whether it has a clock, how long its window is and
/// whether it subscribes by itself; then come events.
pub fn session(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut course = Course::new(choices.byte());
    for _ in 0..EVENTS {
        if choices.is_over() {
            break;
        }
        let op = Op::ALL[choices.below(Op::ALL.len())];
        course.happen(op, &mut choices);
    }
    // It can always go on from what is durable.
    course.restart(false);
}

struct Course {
    world: World,
    device: Device,
    judge: Judge,
    /// How many changes become durable of what comes next.
    death: Option<usize>,
    asked: Vec<Vec<u8>>,
}

impl Course {
    fn new(settings: u8) -> Self {
        let world = World::new();
        let has_clock = settings & 1 == 0;
        let window = [128, 2048][usize::from(settings >> 1 & 1)];
        let settings = Settings {
            window,
            follow: settings & 4 == 4,
            ..Settings::default()
        };
        let judge = Judge::new(has_clock, window);
        let time = time(&world, has_clock);
        let provisioned = world.provisioned();
        let (device, effects) = Device::new(identity(DEVICE, 1), settings, provisioned, time);
        let mut course = Self {
            world,
            device,
            judge,
            death: None,
            asked: Vec::new(),
        };
        course.judge.on_start(&course.device, &effects);
        course
    }

    fn time(&self) -> Time {
        time(&self.world, self.judge.has_clock)
    }

    fn input(&mut self, input: Input, event: &Event) {
        let before = self.device.session.durable().clone();
        let effects = self.device.handle(self.time(), input);
        if let Some(durable) = self.death.take() {
            return self.die(&effects, durable);
        }
        self.device.keep(&effects.changes);
        for (topic, payload) in published(&effects) {
            if ControlTopic::parse(PREFIX, topic).is_some() {
                self.asked.push(payload.to_vec());
            }
        }
        self.judge
            .on_effects(&self.world, &self.device, &before, &effects, event);
    }

    /// The first changes become durable, nothing is done, and the device begins again.
    fn die(&mut self, effects: &Effects, durable: usize) {
        let kept = effects.changes.iter().take(durable);
        kept.for_each(|change| self.device.store.keep(change));
        let is_part = durable > 0 && durable < effects.changes.len();
        self.judge.is_torn |= is_part;
        self.restart(false);
    }

    fn restart(&mut self, renew: bool) {
        let version = match renew {
            true => self.world.key_version,
            false => self.device.identity.key_version,
        };
        let effects = self.device.restart(identity(DEVICE, version), self.time());
        self.judge.on_start(&self.device, &effects);
    }

    fn deliver(&mut self, packet: Packet) {
        let Packet {
            topic,
            payload,
            retain,
        } = packet;
        let is_authentic = self.world.is_authentic(&topic, &payload);
        let event = Event::Arrival(Arrival {
            topic: topic.clone(),
            payload: payload.clone(),
            retain,
            is_authentic,
        });
        let input = Input::Message {
            topic,
            payload,
            retain,
        };
        self.input(input, &event);
    }

    fn happen(&mut self, op: Op, choices: &mut Choices<'_>) {
        match op {
            Op::TellAll => self.tell_all(),
            Op::Tell => self.tell(choices),
            Op::Say => self.say(choices),
            Op::Seal => self.seal(choices),
            Op::Tick => self.tick(choices),
            Op::Chain => self.change_chain(choices),
            Op::Replay | Op::Harm | Op::Move | Op::Raw => self.hostile(op, choices),
            Op::Lie => self.lie(choices),
            Op::Connection => {
                let input = match choices.flag() {
                    true => Input::Disconnected,
                    false => Input::Connected,
                };
                self.input(input, &Event::Other);
            }
            Op::Ask => self.ask(choices),
            Op::Answer => self.answer(choices),
            Op::Restart => {
                self.death = None;
                let renew = choices.flag();
                self.restart(renew);
            }
            Op::Die => self.death = Some(choices.below(8)),
            Op::Release => {
                let filters = ["app/#", "app/meter", "meter/+", "vault/#", "open/#"];
                let text = filters[choices.below(filters.len())];
                let filter = TopicFilter::new(text).expect("a filter");
                self.input(Input::Release(filter.clone()), &Event::Release(filter));
            }
            Op::Flood => self.flood(choices),
        }
    }

    fn tell_all(&mut self) {
        let packet = self.world.say_device();
        self.deliver(packet);
        for at in 0..self.world.groups.len() {
            for by in self.world.groups[at].custodians.clone() {
                for what in [1, 2, 3, 4] {
                    self.tell_one(what, at, by, 0);
                }
            }
        }
    }

    fn tell(&mut self, choices: &mut Choices<'_>) {
        let what = choices.byte();
        let (at, by) = (usize::from(what >> 4 & 1), usize::from(what >> 5 & 1));
        let ago = [0, 1_000, 59_000, 61_000][usize::from(what >> 6)];
        self.tell_one(what & 0xf, at, by, ago);
    }

    /// What a gateway says, and to the point.
    fn tell_one(&mut self, what: u8, at: usize, by: usize, ago_ms: u64) {
        let group = &self.world.groups[at];
        let member = group.members.get(&device(DEVICE)).cloned();
        let newest = group.epoch - u32::from(group.state == GroupState::Awaiting);
        let oldest = newest.saturating_sub(group.policy.history).max(1);
        let joined = member.map_or(oldest, |member| member.joined.max(oldest));
        let epochs: Vec<u32> = (joined.min(newest)..=newest).collect();
        let world = &mut self.world;
        let packet = match what {
            0 => world.say_device(),
            1 => world.say_page(at, by),
            2 => {
                let statement = world.statement(&world.groups[at], by);
                world.say_statement(by, statement)
            }
            3 => world.say_grant(at, by, &epochs, false),
            4 => world.say_beacon(at, by, ago_ms),
            5 => world.say_grant(at, by, &[newest], false),
            6 => world.say_grant(at, by, &[newest, newest + 1], false),
            7 => world.say_grant(at, by, &[newest], true),
            8 => world.say_grant(at, by, &[newest, newest + 1], true),
            9 => world.say_anchor(false, false),
            10 => world.say_anchor(true, false),
            11 => world.say_anchor(true, true),
            12 => world.say_anchor(false, true),
            _ => world.say_beacon(at, by, 0),
        };
        self.deliver(packet);
    }

    fn say(&mut self, choices: &mut Choices<'_>) {
        let how = choices.byte();
        let at = usize::from(how & 1);
        let arrives = how & 2 == 0;
        let peers = [PEERS[0], PEERS[1], PEERS[2], DEVICE];
        let peer = peers[usize::from(how >> 2 & 3)];
        let stream =
            [Stream::Live, Stream::Retained, Stream::Will, Stream::Live][usize::from(how >> 4 & 3)];
        let more = choices.byte();
        let counters = [
            None,
            Some(0),
            Some(1),
            Some(130),
            Some(2_100),
            Some(u64::MAX),
            None,
            None,
        ];
        let manner = Manner {
            epochs_back: [0, 1, 2, -1][usize::from(more & 3)],
            boot: u32::from(more >> 2 & 7),
            counter: counters[usize::from(more >> 5)],
            stream,
            wrong_by: [0, 29, -31, 40][usize::from(how >> 6)],
        };
        let topic = TOPICS[choices.below(TOPICS.len())];
        let packet = self.world.say_message(at, peer, topic, manner);
        if let Some(packet) = packet.filter(|_| arrives) {
            self.deliver(packet);
        }
    }

    fn seal(&mut self, choices: &mut Choices<'_>) {
        let how = choices.byte();
        let kind = [Kind::Live, Kind::Retained, Kind::Will][usize::from(how % 3)];
        let topic = TOPICS[choices.below(TOPICS.len())];
        let payload = &[how; 3][..usize::from(how & 3)];
        if let Ok(sealed) = self.device.seal(self.time(), topic, payload, kind) {
            let reported = Some(sealed.stale);
            let (world, device) = (&self.world, &self.device);
            let sealing = &mut self.judge.sealing;
            sealing.on_sealed(world, device, topic, &sealed.bytes, reported);
        }
        // A question that changes nothing.
        let _ = (
            self.device.session.is_current(topic),
            self.device.session.status(),
        );
    }

    fn tick(&mut self, choices: &mut Choices<'_>) {
        let steps = [100, 500, 1_000, 5_000, 20_000, 31_000, 61_000, 4_000_000];
        self.world.mono_ms += steps[choices.below(steps.len())];
        self.world.block += 1;
        self.input(Input::Tick, &Event::Tick);
    }

    fn change_chain(&mut self, choices: &mut Choices<'_>) {
        let how = choices.byte();
        self.world.block += 1;
        let owned_by_device = self.world.key_version;
        let group = &mut self.world.groups[usize::from(how & 1)];
        if group.state == GroupState::Closed || group.epoch > 200 {
            return;
        }
        let peers = [PEERS[0], PEERS[1], PEERS[2], DEVICE];
        let who = device(peers[usize::from(how >> 1 & 3)]);
        let roles = [Role::Both, Role::Publish, Role::Subscribe, Role::Both];
        match how >> 3 {
            0..=3 => {
                let role = roles[usize::from(how >> 3 & 3)];
                group.advance(true);
                group.join(&who, role);
            }
            4..=6 => {
                group.members.remove(&who);
                group.advance(true);
            }
            7..=9 => group.advance(true),
            10 | 11 => group.advance(false),
            12..=14 => {
                group.state = GroupState::Active;
                group.revise();
            }
            15 | 16 => {
                group.state = GroupState::Frozen;
                group.revise();
            }
            17 => {
                group.state = GroupState::Closed;
                group.revise();
            }
            18 => self.world.key_version = owned_by_device + 1,
            _ => {
                let bits = choices.byte();
                let policy = &mut group.policy;
                policy.signed = bits & 1 == 1;
                policy.max_age = u32::from(bits >> 1 & 1) * 30;
                policy.seal_while_awaiting = bits & 4 == 4;
                policy.seal_when_stale = bits & 8 == 8;
                policy.history = [0, 2, 32, 64][usize::from(bits >> 4 & 3)];
                policy.history_age = [0, 3_600][usize::from(bits >> 6 & 1)];
                policy.settle = [500, 0][usize::from(bits >> 7)];
                group.revise();
            }
        }
    }

    /// Something that was said before, as it was, changed, or on another topic; or bytes out of nowhere.
    fn hostile(&mut self, op: Op, choices: &mut Choices<'_>) {
        let back = usize::from(choices.byte());
        let said = self.world.wire.iter().rev().nth(back).cloned();
        let how = choices.byte();
        let Some(mut packet) = said else {
            return;
        };
        match op {
            Op::Replay => packet.retain = how & 1 == 1,
            Op::Harm => packet.payload = choices.harm(packet.payload),
            Op::Move => {
                let elsewhere = self.world.wire.iter().rev().nth(usize::from(how));
                let topic = TOPICS[usize::from(how) % TOPICS.len()];
                packet.topic = elsewhere.map_or(topic.to_owned(), |other| other.topic.clone());
            }
            _ => {
                packet.topic = match how & 1 {
                    0 => packet.topic,
                    _ => TOPICS[usize::from(how >> 1) % TOPICS.len()].to_owned(),
                };
                packet.payload = choices.bytes().to_vec();
            }
        }
        self.deliver(packet);
    }

    /// A custodian says two things of one revision, or what it likes of another one.
    fn lie(&mut self, choices: &mut Choices<'_>) {
        let how = choices.byte();
        let at = usize::from(how & 1);
        let by = usize::from(how >> 1 & 1);
        let mut statement = self.world.statement(&self.world.groups[at], by);
        let shift = [0, 1, -1, 5][usize::from(how >> 2 & 3)];
        statement.revision = statement.revision.saturating_add_signed(shift);
        match how >> 4 {
            0 => statement.state = GroupState::Active,
            1 => statement.state = GroupState::Frozen,
            2 => statement.state = GroupState::Closed,
            3 => statement.pages = Default::default(),
            4 => statement.policy.signed = !statement.policy.signed,
            5 => statement.policy.suite = 1,
            6 => statement.policy.seal_when_stale = true,
            7 => statement.commitments = Default::default(),
            8 => {
                let newest = statement.commitments.iter_mut().last();
                newest
                    .into_iter()
                    .for_each(|one| one.commitment.0 = [0; 32]);
            }
            9 => statement.block.number += 1,
            _ => statement.policy.grace = u32::from(how),
        }
        let packet = self.world.say_statement(by, statement);
        self.deliver(packet);
    }

    fn ask(&mut self, choices: &mut Choices<'_>) {
        let seed = &self.device.identity;
        let input = match choices.byte() % 4 {
            0 | 1 => Input::Resync,
            2 => {
                let new = identity(DEVICE, seed.key_version + 1);
                Input::ReplaceKeys(NewKeys {
                    signing: new.signing,
                    agreement: new.agreement,
                    not_after: u64::MAX,
                })
            }
            _ => {
                let voucher = Voucher {
                    authority: "ca".parse().expect("an id"),
                    device: seed.device.clone(),
                    gateway: self.world.gateways[0].account,
                    signing_key: seed.signing.verifying_key(),
                    agreement_key: seed.agreement.public(),
                    // Also one that is not for its keys.
                    key_version: 1,
                    not_after: u64::MAX,
                };
                let authority = &self.world.authority;
                let voucher = Signed::new(world::GENESIS, voucher, |bytes| authority.sign(bytes));
                Input::Enrol(voucher.expect("a voucher"))
            }
        };
        self.input(input, &Event::Other);
    }

    fn answer(&mut self, choices: &mut Choices<'_>) {
        let how = choices.byte();
        let status = [
            Status::Done,
            Status::Accepted,
            Status::Refused(Refusal::Replayed),
            Status::Refused(Refusal::Busy),
            Status::Refused(Refusal::Chain),
        ][usize::from(how & 7) % 5];
        let back = usize::from(how >> 3);
        let asked = self.asked.iter().rev().nth(back).cloned();
        let packet = asked.and_then(|asked| self.world.answer(&asked, status));
        if let Some(packet) = packet {
            self.deliver(packet);
        }
    }

    fn flood(&mut self, choices: &mut Choices<'_>) {
        let back = usize::from(choices.byte());
        let times = choices.byte();
        let said = self.world.wire.iter().rev().nth(back).cloned();
        for _ in 0..times {
            if let Some(packet) = said.clone() {
                self.deliver(packet);
            }
        }
    }
}

fn time(world: &World, has_clock: bool) -> Time {
    Time {
        mono_ms: world.mono_ms,
        wall_ms: has_clock.then_some(world.time_ms()),
    }
}
