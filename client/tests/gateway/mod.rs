//! A gateway without a chain: vouches for devices, answers their requests, and says and grants what a test wants.

mod answers;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use keyward_client::agent::{
    address::Connection,
    link::{Interest, Link, LinkEvent},
    mqtt::Mqtt,
};
use keyward_crypto::{epoch, grant, hash, sign::sign_message, SigningKey};
use keyward_protocol::{
    beacon::{AnchorCertificate, Beacon, BlockRef},
    grant::{EpochSecret, Grant, GrantedEpoch},
    policy::Policy,
    provisioning::{EnrolmentRequest, OwnerGateway, Provisioning},
    registration::{KeyReplacement, Voucher},
    signing::Body,
    statement::{
        Custodian, DeviceGroup, DeviceStatement, EpochCommitment, GroupState, GroupStatement,
        Publisher, PublisherPage,
    },
    topic::{ControlTopic, Filters, TopicFilter, PREFIX},
    AccountId, BlockHash, DeviceId, Genesis, GroupId, Role, VerifyingKey,
};
use rand_core::OsRng;
use tokio::sync::{mpsc, oneshot};

pub const GENESIS: Genesis = Genesis([7; 32]);
const ACCOUNT: AccountId = AccountId([9; 32]);
/// What devices are provisioned with: no anchor certificate up to this serial is to be believed.
pub const SERIAL: u64 = 5;
const FIRST: BlockRef = BlockRef {
    number: 1,
    hash: BlockHash([1; 32]),
};

/// How the gateway answers to enrolments and key replacements.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Accepts, and does it.
    Enrols,
    /// Does it, and says nothing.
    Silent,
    /// Says and does nothing.
    Deaf,
    /// Refuses.
    Refuses(keyward_protocol::request::Refusal),
}

/// What the gateway was asked, and how it answers.
pub struct Desk {
    pub answer: Answer,
    /// Replacements that it was asked for, each time.
    pub asked: Vec<KeyReplacement>,
    /// The keys of each device on chain, and their version.
    pub keys: BTreeMap<DeviceId, (VerifyingKey, u32)>,
    /// Revision of the newest device statement.
    revision: u64,
}

type Outgoing = (String, Vec<u8>, oneshot::Sender<()>);

/// The gateway.
pub struct Gateway {
    key: SigningKey,
    authority: SigningKey,
    group: GroupId,
    filter: TopicFilter,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    revision: u64,
    /// What the group is doing.
    pub state: GroupState,
    secrets: BTreeMap<u32, EpochSecret>,
    joined: BTreeMap<DeviceId, u32>,
    desk: Arc<Mutex<Desk>>,
}

/// A member of the group, as a statement says it.
pub struct Member<'a> {
    /// The device.
    pub request: &'a EnrolmentRequest,
    /// What it may do.
    pub role: Role,
}

impl Gateway {
    /// Begins to serve at a broker, for one group with one topic filter.
    pub async fn serve(connection: &Connection, topic: &str, answer: Answer) -> Self {
        let key = SigningKey::generate(&mut OsRng);
        let mut link = Mqtt::begin(connection, &"gw1".parse().unwrap()).unwrap();
        link.subscribe(&[format!("{PREFIX}/device/+/gw1/#")], Interest::Application);
        while !matches!(link.next().await, LinkEvent::Subscribed { .. }) {}
        let (outgoing, queue) = mpsc::unbounded_channel();
        let desk = Arc::new(Mutex::new(Desk {
            answer,
            asked: Vec::new(),
            keys: BTreeMap::new(),
            revision: 0,
        }));
        tokio::spawn(answers::run(link, key.clone(), desk.clone(), queue));
        Self {
            key,
            authority: SigningKey::generate(&mut OsRng),
            group: "valves".parse().unwrap(),
            filter: topic.parse().unwrap(),
            outgoing,
            revision: 0,
            state: GroupState::Active,
            secrets: BTreeMap::new(),
            joined: BTreeMap::new(),
            desk,
        }
    }

    /// What it was asked.
    pub fn desk(&self) -> std::sync::MutexGuard<'_, Desk> {
        self.desk.lock().unwrap()
    }

    /// The secret of an epoch.
    pub fn secret(&self, epoch: u32) -> EpochSecret {
        self.secrets[&epoch].clone()
    }

    /// What the authority gives a device.
    pub fn provisioning(&self, request: &EnrolmentRequest) -> Provisioning {
        let voucher = Voucher {
            authority: "ca".parse().unwrap(),
            device: request.device.clone(),
            gateway: ACCOUNT,
            signing_key: request.signing_key,
            agreement_key: request.agreement_key,
            key_version: request.key_version,
            not_after: u64::MAX / 2,
        };
        let signed = sign_message(GENESIS, voucher, &self.authority).unwrap();
        Provisioning {
            device: request.device.clone(),
            genesis: GENESIS,
            authority_key: self.authority.verifying_key(),
            gateway: OwnerGateway {
                account: ACCOUNT,
                name: "gw1".parse().unwrap(),
                statement_key: self.key.verifying_key(),
                anchor_serial: Some(SERIAL),
            },
            voucher: hex::encode(signed.to_wire()),
            protected_topics: vec![self.filter.clone()],
        }
    }

    /// The next revision, which is above that of every device statement.
    fn revise(&mut self) {
        let mut desk = self.desk.lock().unwrap();
        self.revision = self.revision.max(desk.revision) + 1;
        desk.revision = self.revision;
    }

    /// Says that these are the group's members in this epoch, `age` seconds ago. Each is granted what it may have since it is a
    /// member.
    pub async fn state(&mut self, epoch: u32, members: &[Member<'_>], policy: &Policy, age: u64) {
        self.revise();
        let awaited = self.state == GroupState::Awaiting;
        if !awaited {
            let new = || epoch::generate_secret(&mut OsRng);
            self.secrets.entry(epoch).or_insert_with(new);
        }
        let is_member = |device: &DeviceId| members.iter().any(|one| one.request.device == *device);
        self.joined.retain(|device, _| is_member(device));
        let chain_time = now().saturating_sub(age * 1000);
        let page = self.page(members);
        let statement = self.statement(epoch, &page, policy);
        let signed = sign_message(GENESIS, statement, &self.key).unwrap();
        let beacon = Beacon {
            gateway: ACCOUNT,
            group: self.group.clone(),
            revision: self.revision,
            statement: hash::hash_of(&signed),
            block: self.block(),
            chain_time,
        };
        for member in members {
            self.device(member.request, Some(member.role), chain_time)
                .await;
            let device = member.request.device.clone();
            let joined = *self.joined.entry(device).or_insert(epoch);
            self.grant(member.request, joined).await;
        }
        let (name, group) = ("gw1".parse().unwrap(), self.group.clone());
        self.publish(
            ControlTopic::Publishers(name, group, 0),
            page.to_wire(&GENESIS),
        )
        .await;
        let (name, group) = ("gw1".parse().unwrap(), self.group.clone());
        self.publish(ControlTopic::GroupState(name, group), signed.to_wire())
            .await;
        let (name, group) = ("gw1".parse().unwrap(), self.group.clone());
        self.say(ControlTopic::Beacon(name, group), beacon).await;
    }

    /// Says what a device is in.
    pub async fn device(&self, request: &EnrolmentRequest, role: Option<Role>, chain_time: u64) {
        let filters = Filters::new([self.filter.clone()]).unwrap();
        let custodian = Custodian {
            account: ACCOUNT,
            name: "gw1".parse().unwrap(),
            statement_key: self.key.verifying_key(),
        };
        let group = role.map(|role| DeviceGroup {
            group: self.group.clone(),
            role,
            filters,
            custodians: vec![custodian].try_into().unwrap(),
        });
        let statement = DeviceStatement {
            gateway: ACCOUNT,
            device: request.device.clone(),
            key_version: request.key_version,
            revision: self.revision,
            groups: Vec::from_iter(group).try_into().unwrap(),
            block: self.block(),
            chain_time,
            extensions: Default::default(),
        };
        let topic = ControlTopic::DeviceState("gw1".parse().unwrap(), request.device.clone());
        self.say(topic, statement).await;
    }

    /// Says that a device is in nothing any more.
    pub async fn remove(&mut self, request: &EnrolmentRequest) {
        self.revise();
        self.joined.remove(&request.device);
        self.device(request, None, now()).await;
    }

    /// Its authority says that the gateway has another statement key.
    pub async fn certify(&self, statement_key: VerifyingKey, serial: u64) {
        let certificate = AnchorCertificate {
            gateway: ACCOUNT,
            statement_key,
            serial,
        };
        let signed = sign_message(GENESIS, certificate, &self.authority).unwrap();
        let topic = ControlTopic::Anchor("gw1".parse().unwrap());
        self.publish(topic, signed.to_wire()).await;
    }

    fn block(&self) -> BlockRef {
        BlockRef {
            number: u32::try_from(self.revision).unwrap(),
            hash: BlockHash([1; 32]),
        }
    }

    fn page(&self, members: &[Member<'_>]) -> PublisherPage {
        let publishers = members
            .iter()
            .zip(0..)
            .filter(|(member, _)| member.role != Role::Subscribe);
        let publishers: Vec<_> = publishers
            .map(|(member, index)| Publisher {
                index,
                device: member.request.device.clone(),
                key_version: member.request.key_version,
                signing_key: member.request.signing_key,
            })
            .collect();
        PublisherPage {
            group: self.group.clone(),
            page: 0,
            publishers: publishers.try_into().unwrap(),
        }
    }

    fn statement(&self, epoch: u32, page: &PublisherPage, policy: &Policy) -> GroupStatement {
        let oldest = epoch.saturating_sub(policy.history);
        let held = self.secrets.range(oldest..=epoch);
        let commitments: Vec<_> = held
            .map(|(epoch, secret)| EpochCommitment {
                epoch: *epoch,
                commitment: epoch::commitment(&GENESIS, &self.group, *epoch, &ACCOUNT, secret),
                custodian: 0,
            })
            .collect();
        GroupStatement {
            gateway: ACCOUNT,
            group: self.group.clone(),
            revision: self.revision,
            epoch,
            state: self.state,
            custodians: vec![ACCOUNT].try_into().unwrap(),
            commitments: commitments.try_into().unwrap(),
            policy: policy.clone(),
            filters: Filters::new([self.filter.clone()]).unwrap(),
            pages: vec![hash::page_hash(&GENESIS, page)].try_into().unwrap(),
            block: self.block(),
            extensions: Default::default(),
        }
    }

    /// The newest 33 epochs since a member joined (KEY-7).
    async fn grant(&self, request: &EnrolmentRequest, joined: u32) {
        let since = self.secrets.range(joined..).rev().take(33);
        let mut epochs: Vec<_> = since
            .map(|(epoch, secret)| GrantedEpoch {
                epoch: *epoch,
                secret: secret.clone(),
            })
            .collect();
        epochs.reverse();
        let grant = Grant {
            group: self.group.clone(),
            device: request.device.clone(),
            key_version: request.key_version,
            epochs: epochs.try_into().unwrap(),
            extensions: Default::default(),
        };
        let sealed = grant::seal(&grant, &request.agreement_key, &mut OsRng).unwrap();
        let topic = ControlTopic::Grant(
            "gw1".parse().unwrap(),
            request.device.clone(),
            self.group.clone(),
        );
        self.publish(topic, sealed).await;
    }

    async fn say<T: Body>(&self, topic: ControlTopic, body: T) {
        let signed = sign_message(GENESIS, body, &self.key).unwrap();
        self.publish(topic, signed.to_wire()).await;
    }

    async fn publish(&self, topic: ControlTopic, payload: Vec<u8>) {
        let (done, acknowledged) = oneshot::channel();
        self.outgoing
            .send((topic.to_topic(PREFIX), payload, done))
            .unwrap();
        acknowledged.await.unwrap();
    }
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}
