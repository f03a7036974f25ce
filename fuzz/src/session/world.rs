//! What is around the device: a chain with two groups, two gateways that state it, and members that publish.

use std::collections::{BTreeMap, BTreeSet};

use codec::Encode;
use keyward_client::session::{Identity, Owner, Provisioned};
use keyward_crypto::{
    epoch::commitment,
    grant,
    hash::{blake2b_256, page_hash},
    sign::sign_message,
    GroupKey, SigningKey,
};
use keyward_protocol::{
    beacon::{AnchorCertificate, Beacon, BlockRef},
    extension::Extensions,
    grant::{EpochSecret, Grant, GrantedEpoch},
    message::Stream,
    policy::Policy,
    request::{Request, Response, Status},
    signing::{payload, Body, Unverified},
    statement::{
        Custodian, DeviceGroup, DeviceStatement, EpochCommitment, GroupState, GroupStatement,
        Publisher, PublisherPage,
    },
    topic::{ControlTopic, Filters, TopicFilter, PREFIX},
    AccountId, BlockHash, Commitment, DeviceId, GatewayName, Genesis, GroupId, Role,
};

use crate::numbers::{keys_of, seed_of, Numbers};

/// The chain.
pub const GENESIS: Genesis = Genesis([7; 32]);
/// Milliseconds since 1970 at which every world begins.
pub const BEGIN_MS: u64 = 1_800_000_000_000;
/// The device that is tried.
pub const DEVICE: &str = "1114";
/// Members besides it; the last one is no member in the beginning.
pub const PEERS: [&str; 3] = ["1111", "1112", "1113"];
/// Topics: two of each group, one that both could have, one that is protected from the first day and one that is not.
pub const TOPICS: [&str; 7] = [
    "app/a",
    "app/b",
    "meter/a",
    "meter/b",
    "app/meter",
    "vault/x",
    "open/x",
];

/// A message on its way to the device.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// Whether the broker had kept it.
    pub retain: bool,
}

/// A gateway.
#[derive(Clone)]
pub struct Gateway {
    /// Its account.
    pub account: AccountId,
    /// Its name.
    pub name: GatewayName,
    /// Its statement key.
    pub key: SigningKey,
}

impl Gateway {
    fn new(name: &str) -> Self {
        Self {
            account: AccountId(seed_of(name)),
            name: name.parse().expect("a name"),
            key: keys_of(&format!("statements of {name}")).0,
        }
    }

    /// Signs whatever it is.
    pub fn sign<T: Body>(&self, body: T) -> Vec<u8> {
        let signed = sign_message(GENESIS, body, &self.key);
        signed.expect("a body that keeps its rules").to_wire()
    }

    fn custodian(&self) -> Custodian {
        Custodian {
            account: self.account,
            name: self.name.clone(),
            statement_key: self.key.verifying_key(),
        }
    }
}

/// A member of a group.
#[derive(Clone)]
pub struct Member {
    /// What it may do.
    pub role: Role,
    /// Its index.
    pub index: u32,
    /// Its first epoch.
    pub joined: u32,
}

/// A group on the chain.
#[derive(Clone)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its revision.
    pub revision: u64,
    /// Its epoch.
    pub epoch: u32,
    /// What it is doing.
    pub state: GroupState,
    /// Its policy.
    pub policy: Policy,
    /// Its filters.
    pub filters: Filters,
    /// Its members.
    pub members: BTreeMap<DeviceId, Member>,
    /// Its custodians, by their place among the gateways.
    pub custodians: Vec<usize>,
    /// The newest index of whoever was a member.
    indexes: BTreeMap<DeviceId, u32>,
}

impl Group {
    fn new(id: &str, filters: &[&str], custodians: Vec<usize>, policy: Policy) -> Self {
        let filters = filters
            .iter()
            .filter_map(|text| TopicFilter::new(text).ok());
        let mut group = Self {
            id: id.parse().expect("an id"),
            revision: 1,
            epoch: 1,
            state: GroupState::Active,
            policy,
            filters: Filters::new(filters).expect("a few filters"),
            members: BTreeMap::new(),
            custodians,
            indexes: BTreeMap::new(),
        };
        for name in [PEERS[0], PEERS[1], DEVICE] {
            group.join(&device(name), Role::Both);
        }
        group
    }

    /// Something that the statement says is another.
    pub fn revise(&mut self) {
        self.revision += 1;
    }

    /// Moves on to the next epoch, which is committed to or awaited.
    pub fn advance(&mut self, committed: bool) {
        self.epoch += 1;
        if self.state != GroupState::Frozen {
            self.state = match committed {
                true => GroupState::Active,
                false => GroupState::Awaiting,
            };
        }
        self.revise();
    }

    /// A device joins, or again, with an index of its own.
    pub fn join(&mut self, device: &DeviceId, role: Role) {
        let index = self.indexes.values().max().map_or(0, |newest| newest + 1);
        self.indexes.insert(device.clone(), index);
        let member = Member {
            role,
            index,
            joined: self.epoch,
        };
        self.members.insert(device.clone(), member);
    }
}

/// What a member sealed.
#[derive(Clone, Debug)]
pub struct Said {
    /// In which group.
    pub group: GroupId,
    /// By whom.
    pub sender: DeviceId,
    /// On which topic.
    pub topic: String,
    /// Sender's index, boot and counter.
    pub place: (u32, u32, u64),
    /// In which stream.
    pub stream: Stream,
    /// In which epoch.
    pub epoch: u32,
    /// Whether it is signed.
    pub signed: bool,
    /// When, if it says so.
    pub time: Option<u32>,
    /// What went over the wire.
    pub sealed: Vec<u8>,
}

/// How a member seals.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Epochs before the current one; counted beyond it when negative.
    pub epochs_back: i8,
    /// Its boot.
    pub boot: u32,
    /// Its counter; none: the next one.
    pub counter: Option<u64>,
    /// Its stream.
    pub stream: Stream,
    /// Seconds that its clock is wrong by.
    pub wrong_by: i16,
}

/// Everything around the device.
pub struct World {
    /// The owner of the device, and another custodian of the second group.
    pub gateways: [Gateway; 2],
    /// The owner's key before it was replaced, and how often it was.
    pub serial: u64,
    /// The device's authority.
    pub authority: SigningKey,
    /// Both groups.
    pub groups: [Group; 2],
    /// The newest block.
    pub block: u32,
    /// The version of the device's keys on chain.
    pub key_version: u32,
    /// Milliseconds since the world began.
    pub mono_ms: u64,
    /// Everything that was ever said, in order.
    pub wire: Vec<Packet>,
    /// What members sealed, by its payload.
    pub said: BTreeMap<Vec<u8>, Said>,
    /// What gateways and members made: topic and payload.
    authentic: BTreeSet<(String, Vec<u8>)>,
    /// Payloads that are believed wherever they come from: pages by their hash, grants by their secrets.
    anonymous: BTreeSet<Vec<u8>>,
    counters: BTreeMap<(DeviceId, GroupId, u32, u8), u64>,
}

/// A device's id.
pub fn device(name: &str) -> DeviceId {
    name.parse().expect("an id")
}

/// A device's keys of a version.
pub fn identity(name: &str, key_version: u32) -> Identity {
    let (signing, agreement) = keys_of(&format!("{name} {key_version}"));
    Identity {
        device: device(name),
        key_version,
        signing,
        agreement,
    }
}

/// The secret of an epoch: one for each, so that nothing else may ever be believed.
pub fn secret_of(group: &GroupId, epoch: u32) -> EpochSecret {
    EpochSecret::new(seed_of(&format!("{group} {epoch}")))
}

/// The whole topic.
pub fn topic(topic: ControlTopic) -> String {
    topic.to_topic(PREFIX)
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// A world in which nothing was said yet.
    pub fn new() -> Self {
        let valves = Policy {
            max_silence: 60,
            ..Policy::default()
        };
        let meters = Policy {
            signed: false,
            max_age: 30,
            max_silence: 60,
            ..Policy::default()
        };
        Self {
            gateways: [Gateway::new("gw1"), Gateway::new("gw2")],
            serial: 0,
            authority: keys_of("authority").0,
            groups: [
                Group::new("valves", &["app/#"], vec![0], valves),
                Group::new("meters", &["app/meter", "meter/+"], vec![0, 1], meters),
            ],
            block: 10,
            key_version: 1,
            mono_ms: 0,
            wire: Vec::new(),
            said: BTreeMap::new(),
            authentic: BTreeSet::new(),
            anonymous: BTreeSet::new(),
            counters: BTreeMap::new(),
        }
    }

    /// Chain time.
    pub fn time_ms(&self) -> u64 {
        BEGIN_MS + self.mono_ms
    }

    /// What the device was provisioned with.
    pub fn provisioned(&self) -> Provisioned {
        let owner = Gateway::new("gw1");
        Provisioned {
            genesis: GENESIS,
            authority_key: self.authority.verifying_key(),
            owner: Owner {
                account: owner.account,
                name: owner.name.clone(),
                statement_key: owner.key.verifying_key(),
                anchor_serial: None,
            },
            protected_topics: vec![TopicFilter::new("vault/#").expect("a filter")],
        }
    }

    /// Notes what was said, and gives it to whoever carries it.
    pub fn note(&mut self, packet: Packet) -> Packet {
        let known = (packet.topic.clone(), packet.payload.clone());
        self.authentic.insert(known);
        self.wire.push(packet.clone());
        packet
    }

    /// Whether a gateway or a member made this, for this topic.
    pub fn is_authentic(&self, topic: &str, payload: &[u8]) -> bool {
        let said = (topic.to_owned(), payload.to_vec());
        self.authentic.contains(&said) || self.anonymous.contains(payload)
    }

    fn say(&mut self, of: ControlTopic, payload: Vec<u8>) -> Packet {
        let packet = Packet {
            topic: topic(of),
            payload,
            retain: true,
        };
        self.note(packet)
    }

    /// The custodian that committed to an epoch.
    pub fn committed_by(&self, group: &Group, epoch: u32) -> AccountId {
        let at = epoch as usize % group.custodians.len().max(1);
        self.gateways[group.custodians[at]].account
    }

    /// The commitment to an epoch.
    pub fn commitment(&self, group: &Group, epoch: u32) -> Commitment {
        let account = self.committed_by(group, epoch);
        let secret = secret_of(&group.id, epoch);
        commitment(&GENESIS, &group.id, epoch, &account, &secret)
    }

    /// A group's statement, in the name of one of its custodians.
    pub fn statement(&self, group: &Group, by: usize) -> GroupStatement {
        let awaited = group.state == GroupState::Awaiting;
        let newest = group.epoch - u32::from(awaited);
        let oldest = group.epoch.saturating_sub(group.policy.history).max(1);
        let epochs = oldest..=newest;
        let custodians: BTreeSet<AccountId> = epochs
            .clone()
            .map(|epoch| self.committed_by(group, epoch))
            .collect();
        let index = |account| custodians.iter().position(|known| *known == account);
        let commitments = epochs.map(|epoch| EpochCommitment {
            epoch,
            commitment: self.commitment(group, epoch),
            custodian: index(self.committed_by(group, epoch)).unwrap_or_default() as u8,
        });
        GroupStatement {
            gateway: self.gateways[by].account,
            group: group.id.clone(),
            revision: group.revision,
            epoch: group.epoch,
            state: group.state,
            commitments: commitments
                .collect::<Vec<_>>()
                .try_into()
                .expect("65 at most"),
            policy: group.policy.clone(),
            filters: group.filters.clone(),
            pages: vec![page_hash(&GENESIS, &self.page(group))]
                .try_into()
                .expect("one page"),
            block: block(group.revision as u32),
            extensions: Extensions::default(),
            custodians: Vec::from_iter(custodians).try_into().expect("two at most"),
        }
    }

    /// The one page of a group's publishers.
    pub fn page(&self, group: &Group) -> PublisherPage {
        let publishers = group.members.iter().filter(|(_, one)| one.role.publishes());
        let mut publishers: Vec<Publisher> = publishers
            .map(|(id, member)| {
                let version = match id.as_str() == DEVICE {
                    true => self.key_version,
                    false => 1,
                };
                Publisher {
                    index: member.index,
                    device: id.clone(),
                    key_version: version,
                    signing_key: identity(id.as_str(), version).signing.verifying_key(),
                }
            })
            .collect();
        publishers.sort_by_key(|publisher| publisher.index);
        PublisherPage {
            group: group.id.clone(),
            page: 0,
            publishers: publishers.try_into().expect("one page"),
        }
    }

    /// The owner says what the device is in.
    pub fn say_device(&mut self) -> Packet {
        let device = device(DEVICE);
        let groups = self.groups.iter().filter_map(|group| {
            let member = group.members.get(&device)?;
            let custodians = group.custodians.iter();
            let mut custodians: Vec<_> = custodians
                .map(|at| self.gateways[*at].custodian())
                .collect();
            custodians.sort_by_key(|custodian| custodian.account);
            Some(DeviceGroup {
                group: group.id.clone(),
                role: member.role,
                filters: group.filters.clone(),
                custodians: custodians.try_into().ok()?,
            })
        });
        let mut groups: Vec<_> = groups.collect();
        groups.sort_by(|a, b| a.group.cmp(&b.group));
        let owner = &self.gateways[0];
        let statement = DeviceStatement {
            gateway: owner.account,
            device: device.clone(),
            key_version: self.key_version,
            revision: self.block.into(),
            groups: groups.try_into().expect("two at most"),
            block: block(self.block),
            chain_time: self.time_ms(),
            extensions: Extensions::default(),
        };
        let (name, payload) = (owner.name.clone(), owner.sign(statement));
        self.say(ControlTopic::DeviceState(name, device), payload)
    }

    /// A custodian says a statement, whether it is true or not.
    pub fn say_statement(&mut self, by: usize, statement: GroupStatement) -> Packet {
        let gateway = &self.gateways[by];
        let topic = ControlTopic::GroupState(gateway.name.clone(), statement.group.clone());
        let payload = gateway.sign(statement);
        self.say(topic, payload)
    }

    /// A custodian publishes the page of publishers.
    pub fn say_page(&mut self, at: usize, by: usize) -> Packet {
        let group = &self.groups[at];
        let payload = self.page(group).to_wire(&GENESIS);
        let name = self.gateways[by].name.clone();
        let topic = ControlTopic::Publishers(name, group.id.clone(), 0);
        self.anonymous.insert(payload.clone());
        self.say(topic, payload)
    }

    /// A custodian confirms its statement.
    pub fn say_beacon(&mut self, at: usize, by: usize, ago_ms: u64) -> Packet {
        let statement = self.statement(&self.groups[at], by);
        let hash = blake2b_256(&payload(&GENESIS, GroupStatement::PURPOSE, &statement));
        let chain_time = self.time_ms().saturating_sub(ago_ms);
        let beacon = Beacon {
            gateway: statement.gateway,
            group: statement.group.clone(),
            revision: statement.revision,
            statement: hash,
            block: block((chain_time / 2_000 % 1_000_000) as u32),
            chain_time,
        };
        let gateway = &self.gateways[by];
        let topic = ControlTopic::Beacon(gateway.name.clone(), statement.group);
        let payload = gateway.sign(beacon);
        self.say(topic, payload)
    }

    /// Somebody seals a grant to the device's newest key: with these epochs, and other secrets where `forged` says so.
    pub fn say_grant(&mut self, at: usize, by: usize, epochs: &[u32], forged: bool) -> Packet {
        let group = &self.groups[at].id;
        let secret = |epoch: u32| match forged {
            true => EpochSecret::new(seed_of("forged")),
            false => secret_of(group, epoch),
        };
        let granted = epochs.iter().map(|epoch| GrantedEpoch {
            epoch: *epoch,
            secret: secret(*epoch),
        });
        let grant = Grant {
            group: group.clone(),
            device: device(DEVICE),
            key_version: self.key_version,
            epochs: granted.collect::<Vec<_>>().try_into().expect("65 at most"),
            extensions: Extensions::default(),
        };
        let recipient = identity(DEVICE, self.key_version).agreement.public();
        let mut numbers = Numbers::new(self.wire.len() as u64);
        let payload = grant::seal(&grant, &recipient, &mut numbers).expect("a grant");
        let name = self.gateways[by].name.clone();
        let topic = ControlTopic::Grant(name, grant.device, grant.group);
        self.anonymous.insert(payload.clone());
        self.say(topic, payload)
    }

    /// The owner's newest key is told, signed by the one before or by the authority.
    pub fn say_anchor(&mut self, renew: bool, by_authority: bool) -> Packet {
        let before = self.gateways[0].clone();
        if renew {
            self.serial += 1;
            self.gateways[0].key = keys_of(&format!("statements of gw1, {}", self.serial)).0;
        }
        let certificate = AnchorCertificate {
            gateway: before.account,
            statement_key: self.gateways[0].key.verifying_key(),
            serial: self.serial,
        };
        let payload = match by_authority {
            true => sign_message(GENESIS, certificate, &self.authority)
                .expect("a certificate")
                .to_wire(),
            false => before.sign(certificate),
        };
        self.say(ControlTopic::Anchor(before.name), payload)
    }

    /// The owner answers a request, or a receipt, that the device published.
    pub fn answer(&mut self, asked: &[u8], status: Status) -> Option<Packet> {
        use keyward_protocol::receipt::Receipt;
        let nonce = match Unverified::<Request>::from_wire(asked) {
            Ok(request) => request.claims().nonce,
            Err(_) => {
                let receipt = Unverified::<Receipt>::from_wire(asked).ok()?;
                let hash = blake2b_256(&payload(&GENESIS, Receipt::PURPOSE, receipt.claims()));
                keyward_protocol::bytes::Nonce(*hash.0.first_chunk()?)
            }
        };
        let owner = &self.gateways[0];
        let response = Response {
            gateway: owner.account,
            device: device(DEVICE),
            nonce,
            status,
            reason: Default::default(),
            block: block(self.block),
            chain_time: self.time_ms(),
        };
        let topic = ControlTopic::Response(owner.name.clone(), device(DEVICE));
        let payload = owner.sign(response);
        let mut packet = self.say(topic, payload);
        packet.retain = false;
        Some(packet)
    }

    /// A member, or one that was a member, seals a message that nobody sealed before.
    pub fn say_message(
        &mut self,
        at: usize,
        peer: &str,
        topic: &str,
        how: Manner,
    ) -> Option<Packet> {
        let sender = device(peer);
        let group = &self.groups[at];
        let index = group.indexes.get(&sender).copied().unwrap_or(99);
        let epoch = i64::from(group.epoch) - i64::from(how.epochs_back);
        let epoch = u32::try_from(epoch.max(1)).ok()?;
        let next = (sender.clone(), group.id.clone(), how.boot, how.stream as u8);
        let next = self.counters.entry(next).or_default();
        let counter = how.counter.unwrap_or(*next);
        *next = (*next).max(counter.saturating_add(1));
        let seconds = (self.time_ms() / 1_000).saturating_add_signed(how.wrong_by.into());
        let time = group.policy.timed().then_some(seconds as u32);
        let key = GroupKey::new(&GENESIS, &group.id, epoch, &secret_of(&group.id, epoch));
        let key = key.message_key(index, how.boot, how.stream);
        let signer = identity(peer, 1).signing;
        let signer = group.policy.signed.then_some(&signer);
        let payload = (self.said.len() as u32).encode();
        let sealed = key.seal(counter, topic, time, &payload, signer).ok()?;
        let said = Said {
            group: group.id.clone(),
            sender,
            topic: topic.to_owned(),
            place: (index, how.boot, counter),
            stream: how.stream,
            epoch,
            signed: signer.is_some(),
            time,
            sealed: sealed.clone(),
        };
        self.said.insert(payload, said);
        Some(self.note(Packet {
            topic: topic.to_owned(),
            payload: sealed,
            retain: how.stream == Stream::Retained,
        }))
    }
}

fn block(number: u32) -> BlockRef {
    BlockRef {
        number,
        hash: BlockHash([number as u8; 32]),
    }
}
