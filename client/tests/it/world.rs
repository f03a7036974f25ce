//! A chain, a gateway and devices, simulated: well-formed statements and grants, and the means to make ill-formed ones.

mod device;
mod group;

use std::collections::BTreeMap;

use keyward_client::session::{Identity, Now, Owner, Provisioned, Settings};
use keyward_crypto::{hash::blake2b_256, SigningKey};
use keyward_protocol::{
    extension::Extensions,
    policy::Policy,
    statement::{DeviceGroup, DeviceStatement, GroupState},
    topic::{ControlTopic, TopicFilter},
    DeviceId, Genesis, Role,
};
use rand_core::{CryptoRng, RngCore};

pub use device::{store, Device};
pub use group::{
    block, filters, identity, secret_of, topic, Forged, Gateway, Group, Member, Packet,
};

pub const GENESIS: Genesis = Genesis([7; 32]);
pub const TOPIC: &str = "app/valve";
/// Milliseconds since 1970 at which worlds begin.
pub const EPOCH_MS: u64 = 1_800_000_000_000;

/// A generator that gives the same bytes to every run.
pub struct Seeded(pub u64);

impl RngCore for Seeded {
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }
    fn next_u64(&mut self) -> u64 {
        self.0 += 1;
        let digest = blake2b_256(&self.0.to_le_bytes());
        u64::from_le_bytes(digest.0[..8].try_into().unwrap())
    }
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
        }
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}
impl CryptoRng for Seeded {}

/// Everything around the devices.
pub struct World {
    pub gateway: Gateway,
    pub authority: SigningKey,
    pub groups: Vec<Group>,
    pub block: u32,
    pub mono_ms: u64,
    pub has_clock: bool,
    /// Serial of the certificate of the gateway's key, as devices are provisioned.
    pub anchor_serial: Option<u64>,
}

impl World {
    /// A group `valves` on `app/#`: 1111 publishes, 1112 and 1113 read, 1114 does both.
    pub fn new() -> Self {
        let gateway = Gateway::new("gw1", 0x11);
        let roles = [
            ("1111", Role::Publish),
            ("1112", Role::Subscribe),
            ("1113", Role::Subscribe),
            ("1114", Role::Both),
        ];
        let member = |(index, (device, role)): (u32, &(&str, Role))| Member {
            role: *role,
            index,
            identity: identity(device),
        };
        let mut group = Group {
            id: "valves".parse().unwrap(),
            revision: 1,
            epoch: 0,
            state: GroupState::Active,
            policy: Policy::default(),
            filters: filters(&["app/#"]),
            secrets: BTreeMap::new(),
            members: (0..).zip(&roles).map(member).collect(),
            custodian: gateway.clone(),
        };
        group.rotate();
        Self {
            gateway,
            authority: SigningKey::from_seed(&[0x22; 32]),
            groups: vec![group],
            block: 10,
            mono_ms: 0,
            has_clock: true,
            anchor_serial: None,
        }
    }

    pub fn group(&mut self) -> &mut Group {
        &mut self.groups[0]
    }

    /// Chain and wall clock.
    pub fn time_ms(&self) -> u64 {
        EPOCH_MS + self.mono_ms
    }

    pub fn now(&self) -> Now {
        Now {
            mono_ms: self.mono_ms,
            wall_ms: self.has_clock.then_some(self.time_ms()),
        }
    }

    pub fn provisioned(&self) -> Provisioned {
        Provisioned {
            genesis: GENESIS,
            authority_key: self.authority.verifying_key(),
            owner: Owner {
                account: self.gateway.account,
                name: self.gateway.name.parse().unwrap(),
                statement_key: self.gateway.key.verifying_key(),
                anchor_serial: self.anchor_serial,
            },
            protected_topics: vec![TopicFilter::new("app/#").unwrap()],
        }
    }

    pub fn device_statement(&self, identity: &Identity) -> DeviceStatement {
        let is_ours = |member: &&Member| member.identity.device == identity.device;
        let groups: Vec<DeviceGroup> = self
            .groups
            .iter()
            .filter_map(|group| Some((group, group.members.iter().find(is_ours)?)))
            .map(|(group, member)| DeviceGroup {
                group: group.id.clone(),
                role: member.role,
                filters: group.filters.clone(),
                custodians: vec![group.custodian.custodian()].try_into().unwrap(),
            })
            .collect();
        DeviceStatement {
            gateway: self.gateway.account,
            device: identity.device.clone(),
            key_version: identity.key_version,
            revision: self.block.into(),
            groups: groups.try_into().unwrap(),
            block: block(self.block),
            chain_time: self.time_ms(),
            extensions: Extensions::default(),
        }
    }

    pub fn device_topic(&self, device: &DeviceId) -> String {
        topic(ControlTopic::DeviceState(
            self.gateway.name.parse().unwrap(),
            device.clone(),
        ))
    }

    pub fn device_state(&self, identity: &Identity) -> Packet {
        let statement = self.device_statement(identity);
        (
            self.device_topic(&identity.device),
            self.gateway.sign(statement),
        )
    }

    /// Everything that the gateway retains for a device.
    pub fn retained(&self, identity: &Identity) -> Vec<Packet> {
        let mut packets = vec![self.device_state(identity)];
        for group in &self.groups {
            if group
                .members
                .iter()
                .any(|member| member.identity.device == identity.device)
            {
                packets.extend(group.page_packets());
                packets.push(group.state());
                packets.push(group.grant(identity));
                packets.push(group.beacon_at(self.time_ms()));
            }
        }
        packets
    }

    /// A device that was told nothing yet.
    pub fn device(&self, name: &str) -> Device {
        Device::start(
            self,
            identity(name),
            BTreeMap::new(),
            BTreeMap::new(),
            Settings::default(),
        )
    }

    /// A device that knows everything, and may seal.
    pub fn ready(&mut self, name: &str) -> Device {
        let mut device = self.device(name);
        self.settle(&mut device);
        device
    }

    /// Tells a device everything, and waits until it has settled.
    pub fn settle(&mut self, device: &mut Device) {
        self.tell(device);
        self.mono_ms += 600;
        device.tick(self);
        device.actions.clear();
    }

    /// Tells a device everything.
    pub fn tell(&self, device: &mut Device) {
        for packet in self.retained(&device.identity) {
            device.hear(self, packet);
        }
    }
}
