//! The gateway and its groups: well-formed statements, pages, beacons, grants and messages, and what they are made of.

use std::collections::BTreeMap;

use keyward_client::session::Identity;
use keyward_crypto::{
    epoch::commitment,
    grant,
    hash::{blake2b_256, page_hash},
    sign::sign_message,
    AgreementSecret, GroupKey, SigningKey,
};
use keyward_protocol::{
    beacon::{Beacon, BlockRef},
    extension::Extensions,
    grant::{EpochSecret, Grant, GrantedEpoch},
    message::Stream,
    policy::Policy,
    signing::{payload, Body},
    statement::{Custodian, EpochCommitment, GroupState, GroupStatement, Publisher, PublisherPage},
    topic::{ControlTopic, Filters, TopicFilter, PREFIX},
    AccountId, BlockHash, Digest, GroupId, Role,
};

use super::{Seeded, GENESIS, TOPIC};

/// A message on its way to a device.
pub type Packet = (String, Vec<u8>);

/// A gateway.
#[derive(Clone)]
pub struct Gateway {
    pub account: AccountId,
    pub name: &'static str,
    pub key: SigningKey,
}

impl Gateway {
    pub fn new(name: &'static str, seed: u8) -> Self {
        Self {
            account: AccountId([seed; 32]),
            name,
            key: SigningKey::from_seed(&[seed; 32]),
        }
    }

    pub fn custodian(&self) -> Custodian {
        Custodian {
            account: self.account,
            name: self.name.parse().unwrap(),
            statement_key: self.key.verifying_key(),
        }
    }

    /// Signs whatever it is.
    pub fn sign<T: Body>(&self, body: T) -> Vec<u8> {
        sign_message(GENESIS, body, &self.key).unwrap().to_wire()
    }
}

/// A member of a group.
#[derive(Clone)]
pub struct Member {
    pub role: Role,
    pub index: u32,
    pub identity: Identity,
}

/// A group on the simulated chain.
#[derive(Clone)]
pub struct Group {
    pub id: GroupId,
    pub revision: u64,
    pub epoch: u32,
    pub state: GroupState,
    pub policy: Policy,
    pub filters: Filters,
    pub secrets: BTreeMap<u32, EpochSecret>,
    pub members: Vec<Member>,
    pub custodian: Gateway,
}

impl Group {
    /// Advances the epoch to a committed secret.
    pub fn rotate(&mut self) {
        self.revision += 1;
        self.epoch += 1;
        self.secrets
            .insert(self.epoch, secret_of(&self.id, self.epoch));
    }

    /// Removes a member, which advances the epoch.
    pub fn remove(&mut self, device: &str) {
        self.members
            .retain(|member| member.identity.device.as_str() != device);
        self.rotate();
    }

    pub fn pages(&self) -> Vec<PublisherPage> {
        let publishers: Vec<Publisher> = self
            .members
            .iter()
            .filter(|member| member.role.publishes())
            .map(|member| Publisher {
                index: member.index,
                device: member.identity.device.clone(),
                key_version: member.identity.key_version,
                signing_key: member.identity.signing.verifying_key(),
            })
            .collect();
        let page = |(page, chunk): (usize, &[Publisher])| PublisherPage {
            group: self.id.clone(),
            page: page as u32,
            publishers: chunk.to_vec().try_into().unwrap(),
        };
        publishers.chunks(64).enumerate().map(page).collect()
    }

    pub fn statement(&self) -> GroupStatement {
        let hashes: Vec<Digest> = self
            .pages()
            .iter()
            .map(|page| page_hash(&GENESIS, page))
            .collect();
        let account = self.custodian.account;
        let oldest = self.epoch.saturating_sub(self.policy.history);
        let commitments: Vec<EpochCommitment> = self
            .secrets
            .iter()
            .filter(|(epoch, _)| (oldest..=self.epoch).contains(*epoch))
            .map(|(epoch, secret)| EpochCommitment {
                epoch: *epoch,
                commitment: commitment(&GENESIS, &self.id, *epoch, &account, secret),
                custodian: 0,
            })
            .collect();
        GroupStatement {
            gateway: account,
            group: self.id.clone(),
            revision: self.revision,
            epoch: self.epoch,
            state: self.state,
            custodians: vec![account].try_into().unwrap(),
            commitments: commitments.try_into().unwrap(),
            policy: self.policy.clone(),
            filters: self.filters.clone(),
            pages: hashes.try_into().unwrap(),
            block: block(self.revision as u32),
            extensions: Extensions::default(),
        }
    }

    pub fn state_topic(&self) -> String {
        topic(ControlTopic::GroupState(
            self.custodian.name.parse().unwrap(),
            self.id.clone(),
        ))
    }

    pub fn state(&self) -> Packet {
        (self.state_topic(), self.custodian.sign(self.statement()))
    }

    pub fn page_packets(&self) -> Vec<Packet> {
        let gateway = self
            .custodian
            .name
            .parse::<keyward_protocol::GatewayName>()
            .unwrap();
        let topic = |page: u32| {
            topic(ControlTopic::Publishers(
                gateway.clone(),
                self.id.clone(),
                page,
            ))
        };
        self.pages()
            .iter()
            .map(|page| (topic(page.page), page.to_wire(&GENESIS)))
            .collect()
    }

    pub fn beacon_at(&self, chain_time: u64) -> Packet {
        let statement = self.statement();
        let beacon = Beacon {
            gateway: statement.gateway,
            group: self.id.clone(),
            revision: statement.revision,
            statement: blake2b_256(&payload(&GENESIS, GroupStatement::PURPOSE, &statement)),
            block: block((chain_time / 2_000 % 1_000_000) as u32),
            chain_time,
        };
        self.beacon(beacon)
    }

    pub fn beacon(&self, beacon: Beacon) -> Packet {
        let topic = topic(ControlTopic::Beacon(
            self.custodian.name.parse().unwrap(),
            self.id.clone(),
        ));
        (topic, self.custodian.sign(beacon))
    }

    /// A grant with chosen secrets.
    pub fn grant_of(&self, to: &Identity, epochs: &[(u32, EpochSecret)]) -> Packet {
        let granted = |(epoch, secret): &(u32, EpochSecret)| GrantedEpoch {
            epoch: *epoch,
            secret: secret.clone(),
        };
        let grant = Grant {
            group: self.id.clone(),
            device: to.device.clone(),
            key_version: to.key_version,
            epochs: epochs
                .iter()
                .map(granted)
                .collect::<Vec<_>>()
                .try_into()
                .unwrap(),
            extensions: Extensions::default(),
        };
        let sealed = grant::seal(&grant, &to.agreement.public(), &mut Seeded(3)).unwrap();
        let gateway = self.custodian.name.parse().unwrap();
        (
            topic(ControlTopic::Grant(
                gateway,
                to.device.clone(),
                self.id.clone(),
            )),
            sealed,
        )
    }

    /// The grant of all epochs.
    pub fn grant(&self, to: &Identity) -> Packet {
        let epochs: Vec<_> = self.secrets.clone().into_iter().collect();
        self.grant_of(to, &epochs)
    }

    pub fn member(&self, device: &str) -> &Member {
        let mut members = self.members.iter();
        members
            .find(|member| member.identity.device.as_str() == device)
            .unwrap()
    }

    /// A message that a member, or somebody with its keys, sealed by hand.
    pub fn forge(&self, index: u32, signer: &SigningKey, forged: Forged) -> Vec<u8> {
        let epoch = forged.epoch.unwrap_or(self.epoch);
        let secret = forged
            .secret
            .clone()
            .unwrap_or_else(|| self.secrets[&epoch].clone());
        let key = GroupKey::new(&GENESIS, &self.id, epoch, &secret);
        let key = key.message_key(index, forged.boot, forged.stream);
        let signer = self.policy.signed.then_some(signer);
        key.seal(
            forged.counter,
            forged.topic,
            forged.time,
            forged.payload,
            signer,
        )
        .unwrap()
    }
}

/// What to seal by hand.
#[derive(Clone)]
pub struct Forged {
    pub epoch: Option<u32>,
    pub secret: Option<EpochSecret>,
    pub boot: u32,
    pub counter: u64,
    pub stream: Stream,
    pub topic: &'static str,
    pub time: Option<u32>,
    pub payload: &'static [u8],
}

impl Default for Forged {
    fn default() -> Self {
        Self {
            epoch: None,
            secret: None,
            boot: 1,
            counter: 0,
            stream: Stream::Live,
            topic: TOPIC,
            time: None,
            payload: b"by hand",
        }
    }
}

pub fn secret_of(group: &GroupId, epoch: u32) -> EpochSecret {
    EpochSecret::new(blake2b_256(format!("{group} {epoch}").as_bytes()).0)
}

pub fn block(number: u32) -> BlockRef {
    BlockRef {
        number,
        hash: BlockHash([number as u8; 32]),
    }
}

pub fn topic(topic: ControlTopic) -> String {
    topic.to_topic(PREFIX)
}

pub fn filters(filters: &[&str]) -> Filters {
    Filters::new(
        filters
            .iter()
            .map(|filter| TopicFilter::new(filter).unwrap()),
    )
    .unwrap()
}

pub fn identity(device: &str) -> Identity {
    let seed = blake2b_256(device.as_bytes()).0;
    Identity {
        device: device.parse().unwrap(),
        key_version: 1,
        signing: SigningKey::from_seed(&seed),
        agreement: AgreementSecret::from_bytes(&seed),
    }
}
