//! A gateway and a group without chain and broker: the statements, pages, beacons and grants that a device's session is told, and
//! sessions that were told them.

use anyhow::{ensure, Context, Result};
use keyward_client::session::{
    Durable, Effects, Identity, Input, Now, Owner, Provisioned, Session, Settings,
};
use keyward_crypto::{
    epoch::{commitment, generate_secret},
    grant,
    hash::{hash_of, page_hash},
    sign::sign_message,
    AgreementSecret, SigningKey,
};
use keyward_protocol::{
    beacon::{Beacon, BlockRef},
    extension::Extensions,
    grant::{EpochSecret, Grant, GrantedEpoch},
    policy::Policy,
    signing::{Body, Signed},
    statement::{
        Custodian, DeviceGroup, DeviceStatement, EpochCommitment, GroupState, GroupStatement,
        Publisher, PublisherPage,
    },
    topic::{ControlTopic, Filters, TopicFilter, PREFIX},
    AccountId, BlockHash, DeviceId, GatewayName, Genesis, GroupId, Role,
};
use rand_core::OsRng;

/// The chain.
pub const GENESIS: Genesis = Genesis([7; 32]);
/// A topic of the group.
pub const TOPIC: &str = "acme/meter/17/power";
/// The group; as long as the group ids of the contenders.
pub const GROUP: &str = "acme.meters";
/// When everything happens, in milliseconds since 1970.
const NOW_MS: u64 = 1_800_000_000_000;
/// Publishers: a page of them.
const PUBLISHERS: u32 = 64;

/// A message on its way to a device.
pub type Packet = (String, Vec<u8>);

/// The gateway and its group.
pub struct World {
    account: AccountId,
    name: GatewayName,
    key: SigningKey,
    group: GroupId,
    policy: Policy,
    secrets: Vec<(u32, EpochSecret)>,
    publishers: Vec<Publisher>,
    revision: u64,
}

impl World {
    /// A group that has reached an epoch and kept the history that its policy keeps.
    pub fn new(policy: Policy, epoch: u32) -> Result<Self> {
        let mut world = Self {
            account: AccountId([3; 32]),
            name: "acme.gw1".parse()?,
            key: SigningKey::generate(&mut OsRng),
            group: GROUP.parse()?,
            policy,
            secrets: Vec::new(),
            publishers: Vec::new(),
            revision: 1000,
        };
        let history = world.policy.history;
        for epoch in epoch.saturating_sub(history)..=epoch {
            world.secrets.push((epoch, generate_secret(&mut OsRng)));
        }
        for index in 0..PUBLISHERS {
            let device = format!("acme.meter-{index:05}").parse()?;
            world.publishers.push(Publisher {
                index: 1000 + index,
                device,
                key_version: 1,
                signing_key: SigningKey::generate(&mut OsRng).verifying_key(),
            });
        }
        Ok(world)
    }

    /// The group.
    pub fn group(&self) -> &GroupId {
        &self.group
    }

    /// The custodian.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The current epoch with its secret.
    pub fn current(&self) -> Result<&(u32, EpochSecret)> {
        self.secrets.last().context("there is no epoch")
    }

    /// Begins the next epoch; the oldest secret goes.
    pub fn rotate(&mut self) -> Result<()> {
        let epoch = self.current()?.0 + 1;
        self.secrets.remove(0);
        self.secrets.push((epoch, generate_secret(&mut OsRng)));
        self.revision += 1;
        Ok(())
    }

    /// A device with keys of its own, in the place of the first publisher.
    pub fn publisher(&mut self) -> Result<Identity> {
        let first = self.publishers.first_mut().context("no publishers")?;
        let identity = new_identity(first.device.clone());
        first.signing_key = identity.signing.verifying_key();
        Ok(identity)
    }

    fn page(&self) -> Result<PublisherPage> {
        let publishers = self.publishers.clone().try_into();
        Ok(PublisherPage {
            group: self.group.clone(),
            page: 0,
            publishers: publishers.ok().context("more than a page")?,
        })
    }

    fn sign<T: Body>(&self, body: T) -> Result<Signed<T>> {
        Ok(sign_message(GENESIS, body, &self.key)?)
    }

    /// The group's statement.
    pub fn statement(&self) -> Result<Signed<GroupStatement>> {
        let commitment = |(epoch, secret): &(u32, EpochSecret)| EpochCommitment {
            epoch: *epoch,
            commitment: commitment(&GENESIS, &self.group, *epoch, &self.account, secret),
            custodian: 0,
        };
        let commitments: Vec<_> = self.secrets.iter().map(commitment).collect();
        let statement = GroupStatement {
            gateway: self.account,
            group: self.group.clone(),
            revision: self.revision,
            epoch: self.current()?.0,
            state: GroupState::Active,
            custodians: vec![self.account].try_into().ok().context("custodians")?,
            commitments: commitments.try_into().ok().context("commitments")?,
            policy: self.policy.clone(),
            filters: filters()?,
            pages: vec![page_hash(&GENESIS, &self.page()?)]
                .try_into()
                .ok()
                .context("pages")?,
            block: block(self.revision as u32),
            extensions: Extensions::default(),
        };
        self.sign(statement)
    }

    /// The beacon that confirms a statement.
    pub fn beacon(&self, statement: &Signed<GroupStatement>) -> Result<Vec<u8>> {
        let beacon = Beacon {
            gateway: self.account,
            group: self.group.clone(),
            revision: self.revision,
            statement: hash_of(statement),
            block: block(self.revision as u32),
            chain_time: NOW_MS,
        };
        Ok(self.sign(beacon)?.to_wire())
    }

    /// The grant of the current epoch.
    pub fn grant(&self, device: DeviceId) -> Result<Grant> {
        let (epoch, secret) = self.current()?.clone();
        let epochs = vec![GrantedEpoch { epoch, secret }];
        Ok(Grant {
            group: self.group.clone(),
            device,
            key_version: 1,
            epochs: epochs.try_into().ok().context("epochs")?,
            extensions: Extensions::default(),
        })
    }

    /// What a member is told of a new epoch: statement, grant, beacon.
    pub fn rekeyed(&self, member: &Identity) -> Result<Vec<Packet>> {
        let (gateway, group) = (self.name.clone(), self.group.clone());
        let statement = self.statement()?;
        let grant = self.grant(member.device.clone())?;
        let sealed = grant::seal(&grant, &member.agreement.public(), &mut OsRng)?;
        let at = |topic: ControlTopic| topic.to_topic(PREFIX);
        Ok(vec![
            (
                at(ControlTopic::GroupState(gateway.clone(), group.clone())),
                statement.to_wire(),
            ),
            (
                at(ControlTopic::Grant(
                    gateway.clone(),
                    member.device.clone(),
                    group.clone(),
                )),
                sealed,
            ),
            (
                at(ControlTopic::Beacon(gateway, group)),
                self.beacon(&statement)?,
            ),
        ])
    }

    /// What a member is told when it connects for the first time.
    fn everything(&self, member: &Identity, role: Role) -> Result<Vec<Packet>> {
        let custodian = Custodian {
            account: self.account,
            name: self.name.clone(),
            statement_key: self.key.verifying_key(),
        };
        let group = DeviceGroup {
            group: self.group.clone(),
            role,
            filters: filters()?,
            custodians: vec![custodian].try_into().ok().context("custodians")?,
        };
        let statement = DeviceStatement {
            gateway: self.account,
            device: member.device.clone(),
            key_version: member.key_version,
            revision: 1000,
            groups: vec![group].try_into().ok().context("groups")?,
            block: block(1000),
            chain_time: NOW_MS,
            extensions: Extensions::default(),
        };
        let device = ControlTopic::DeviceState(self.name.clone(), member.device.clone());
        let page = ControlTopic::Publishers(self.name.clone(), self.group.clone(), 0);
        let mut packets = vec![
            (device.to_topic(PREFIX), self.sign(statement)?.to_wire()),
            (page.to_topic(PREFIX), self.page()?.to_wire(&GENESIS)),
        ];
        packets.extend(self.rekeyed(member)?);
        Ok(packets)
    }

    /// A session of a member that knows everything and may seal.
    pub fn session(&self, member: &Identity, role: Role) -> Result<Session> {
        let provisioned = Provisioned {
            genesis: GENESIS,
            authority_key: self.key.verifying_key(),
            owner: Owner {
                account: self.account,
                name: self.name.clone(),
                statement_key: self.key.verifying_key(),
                anchor_serial: None,
            },
            protected_topics: Vec::new(),
        };
        // So that boots take two bytes, as after some years.
        let durable = Durable {
            boot: 1000,
            ..Durable::default()
        };
        let rng = Box::new(OsRng);
        let settings = Settings::default();
        let (mut session, _) =
            Session::start(settings, provisioned, member.clone(), durable, rng, now(0));
        session.handle(now(0), Input::Connected);
        for packet in self.everything(member, role)? {
            hear(&mut session, packet);
        }
        // Until the epoch has settled.
        session.handle(now(1_000), Input::Tick);
        ensure!(
            session.is_current(TOPIC),
            "the session lacks something: {:?}",
            session.status()
        );
        Ok(session)
    }
}

/// Tells a session a message.
pub fn hear(session: &mut Session, (topic, payload): Packet) -> Effects {
    let retain = false;
    session.handle(
        now(0),
        Input::Message {
            topic,
            payload,
            retain,
        },
    )
}

/// The time: milliseconds after the beginning.
pub fn now(mono_ms: u64) -> Now {
    Now {
        mono_ms,
        wall_ms: Some(NOW_MS + mono_ms),
    }
}

/// A device with new keys.
pub fn new_identity(device: DeviceId) -> Identity {
    Identity {
        device,
        key_version: 1,
        signing: SigningKey::generate(&mut OsRng),
        agreement: AgreementSecret::generate(&mut OsRng),
    }
}

fn filters() -> Result<Filters> {
    Filters::new([TopicFilter::new("acme/meter/#")?]).context("one filter")
}

fn block(number: u32) -> BlockRef {
    BlockRef {
        number,
        hash: BlockHash([number as u8; 32]),
    }
}
