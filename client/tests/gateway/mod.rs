//! A gateway without a chain: vouches for devices, answers their requests, and says and grants what a test wants.

use std::time::{SystemTime, UNIX_EPOCH};

use keyward_client::agent::{
    address::Connection,
    link::{Interest, Link, LinkEvent, Publication, Received},
    mqtt::Mqtt,
};
use keyward_crypto::{epoch, grant, hash, sign::sign_message, SigningKey};
use keyward_protocol::{
    beacon::{Beacon, BlockRef},
    grant::{EpochSecret, Grant, GrantedEpoch},
    policy::Policy,
    provisioning::{EnrolmentRequest, OwnerGateway, Provisioning},
    registration::Voucher,
    request::{Ask, Request, Response, Status},
    signing::{Body, Unverified},
    statement::{
        Custodian, DeviceGroup, DeviceStatement, EpochCommitment, GroupState, GroupStatement,
        Publisher, PublisherPage,
    },
    topic::{ControlTopic, Filters, TopicFilter, PREFIX},
    AccountId, BlockHash, Genesis, GroupId, Role,
};
use rand_core::OsRng;
use tokio::sync::{mpsc, oneshot};

const GENESIS: Genesis = Genesis([7; 32]);
const ACCOUNT: AccountId = AccountId([9; 32]);
const FIRST: BlockRef = BlockRef {
    number: 1,
    hash: BlockHash([1; 32]),
};

/// How the gateway answers to enrolments.
#[derive(Clone, Copy)]
pub enum Answer {
    /// Accepts, and enrols.
    Enrols,
    /// Refuses.
    Refuses(keyward_protocol::request::Refusal),
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
        tokio::spawn(run(link, key.clone(), answer, queue));
        Self {
            key,
            authority: SigningKey::generate(&mut OsRng),
            group: "valves".parse().unwrap(),
            filter: topic.parse().unwrap(),
            outgoing,
            revision: 0,
        }
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
            },
            voucher: hex::encode(signed.to_wire()),
            protected_topics: vec![self.filter.clone()],
        }
    }

    /// Says that these are the group's members in this epoch, `age` seconds ago.
    pub async fn state(&mut self, epoch: u32, members: &[Member<'_>], policy: &Policy, age: u64) {
        self.revision += 1;
        let secret = epoch::generate_secret(&mut OsRng);
        let chain_time = now().saturating_sub(age * 1000);
        let page = self.page(members);
        let statement = self.statement(epoch, &secret, &page, policy);
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
            self.grant(member.request, epoch, &secret).await;
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
        self.revision += 1;
        self.device(request, None, now()).await;
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

    fn statement(
        &self,
        epoch: u32,
        secret: &EpochSecret,
        page: &PublisherPage,
        policy: &Policy,
    ) -> GroupStatement {
        let commitment = epoch::commitment(&GENESIS, &self.group, epoch, &ACCOUNT, secret);
        let commitment = EpochCommitment {
            epoch,
            commitment,
            custodian: 0,
        };
        GroupStatement {
            gateway: ACCOUNT,
            group: self.group.clone(),
            revision: self.revision,
            epoch,
            state: GroupState::Active,
            custodians: vec![ACCOUNT].try_into().unwrap(),
            commitments: vec![commitment].try_into().unwrap(),
            policy: policy.clone(),
            filters: Filters::new([self.filter.clone()]).unwrap(),
            pages: vec![hash::page_hash(&GENESIS, page)].try_into().unwrap(),
            block: self.block(),
            extensions: Default::default(),
        }
    }

    async fn grant(&self, request: &EnrolmentRequest, epoch: u32, secret: &EpochSecret) {
        let granted = GrantedEpoch {
            epoch,
            secret: secret.clone(),
        };
        let grant = Grant {
            group: self.group.clone(),
            device: request.device.clone(),
            key_version: request.key_version,
            epochs: vec![granted].try_into().unwrap(),
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

async fn run(
    mut link: Mqtt,
    key: SigningKey,
    answer: Answer,
    mut queue: mpsc::UnboundedReceiver<Outgoing>,
) {
    let mut waiting = std::collections::BTreeMap::new();
    let mut next = 1;
    loop {
        tokio::select! {
            Some((topic, payload, done)) = queue.recv() => {
                link.publish(Publication(next), &topic, payload, true);
                waiting.insert(Publication(next), done);
                next += 1;
            }
            event = link.next() => match event {
                LinkEvent::Received(received) => {
                    link.acknowledge(received.ticket);
                    respond(&mut link, &key, answer, &received);
                }
                LinkEvent::Published(publication, outcome) => {
                    outcome.unwrap();
                    waiting.remove(&publication).map(|done| done.send(()));
                }
                _ => {}
            },
        }
    }
}

fn respond(link: &mut Mqtt, key: &SigningKey, answer: Answer, received: &Received) {
    let Ok(request) = Unverified::<Request>::from_wire(&received.payload) else {
        return;
    };
    let request = request.claims();
    if !matches!(request.ask, Ask::Enrol { .. }) {
        return;
    }
    match answer {
        Answer::Enrols => {
            send_response(link, key, request, Status::Accepted);
            send_response(link, key, request, Status::Done);
            send_statement(link, key, request);
        }
        Answer::Refuses(refusal) => send_response(link, key, request, Status::Refused(refusal)),
    }
}

fn send_response(link: &mut Mqtt, key: &SigningKey, request: &Request, status: Status) {
    let response = Response {
        gateway: ACCOUNT,
        device: request.device.clone(),
        nonce: request.nonce,
        status,
        reason: Default::default(),
        block: FIRST,
        chain_time: now(),
    };
    let topic = ControlTopic::Response("gw1".parse().unwrap(), request.device.clone());
    let signed = sign_message(GENESIS, response, key).unwrap();
    link.publish(
        Publication(0),
        &topic.to_topic(PREFIX),
        signed.to_wire(),
        false,
    );
}

/// The device is on chain, and in no group.
fn send_statement(link: &mut Mqtt, key: &SigningKey, request: &Request) {
    let statement = DeviceStatement {
        gateway: ACCOUNT,
        device: request.device.clone(),
        key_version: request.key_version,
        revision: 0,
        groups: Default::default(),
        block: FIRST,
        chain_time: now(),
        extensions: Default::default(),
    };
    let topic = ControlTopic::DeviceState("gw1".parse().unwrap(), request.device.clone());
    let signed = sign_message(GENESIS, statement, key).unwrap();
    link.publish(
        Publication(0),
        &topic.to_topic(PREFIX),
        signed.to_wire(),
        true,
    );
}
