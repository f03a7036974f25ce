//! Control messages: who may say what, the owner's statement and its key (STM-1, STM-2, STM-11, STM-12).

use alloc::{collections::BTreeSet, string::String, vec::Vec};

use keyward_crypto::{hash::hash_of, sign::verify};
use keyward_protocol::{
    beacon::AnchorCertificate,
    extension::Extensions,
    signing::{Body, Signed, Unverified},
    statement::{Custodian, DeviceStatement},
    topic::ControlTopic,
    GatewayName, GroupId, VerifyingKey,
};

use super::{
    durable::{Held, OwnerKey},
    effects::Action,
    notice::Notice,
    refusal::ControlRefused,
    Change, Opened, Session,
};

/// Believes what is signed with this key for this chain.
pub(super) fn believe<T: Body>(
    session: &Session,
    unverified: Unverified<T>,
    key: &VerifyingKey,
) -> Result<Signed<T>, ControlRefused> {
    Ok(verify(unverified, &session.provisioned.genesis, key)?)
}

/// Refuses critical extensions: none is known yet (EXT-1).
pub(super) fn check_extensions(extensions: &Extensions) -> Result<(), ControlRefused> {
    match extensions.unknown_critical(&[]) {
        Some(id) => Err(ControlRefused::UnknownExtension { id }),
        None => Ok(()),
    }
}

/// Whether a message on a control topic is for us to read.
fn is_gateways(topic: &ControlTopic) -> bool {
    !matches!(
        topic,
        ControlTopic::Request(..) | ControlTopic::Ack(..) | ControlTopic::GatewayState(_)
    )
}

impl Session {
    /// A message came, on whatever topic.
    pub(super) fn on_message(&mut self, topic: String, payload: Vec<u8>, retain: bool) {
        match ControlTopic::parse(&self.settings.prefix, &topic) {
            // Cleared: nothing to believe, and nothing to mind.
            Some(_) if payload.is_empty() => {}
            Some(control) if is_gateways(&control) => {
                if let Err(reason) = self.on_control(control, &payload) {
                    self.refuse_control(topic, reason);
                }
            }
            Some(_) => {}
            None => self.on_application(topic, payload, retain),
        }
    }

    fn on_application(&mut self, topic: String, payload: Vec<u8>, retain: bool) {
        match self.open_message(&topic, &payload, retain) {
            Opened::Message(delivery) => self.act(Action::Deliver(delivery)),
            Opened::NotProtected => self.act(Action::Pass {
                topic,
                payload,
                retain,
            }),
            Opened::Parked => {}
            Opened::Refused(reason) => self.act(Action::Refuse { topic, reason }),
        }
    }

    fn refuse_control(&mut self, topic: String, reason: ControlRefused) {
        self.tell(match reason {
            ControlRefused::Conflict { revision } => Notice::Conflict { topic, revision },
            reason => Notice::ControlRefused { topic, reason },
        });
    }

    fn on_control(&mut self, control: ControlTopic, payload: &[u8]) -> Result<(), ControlRefused> {
        match control {
            ControlTopic::Anchor(gateway) => self.on_anchor(&gateway, payload),
            ControlTopic::DeviceState(gateway, device) if device == self.identity.device => {
                self.on_device_statement(&gateway, payload)
            }
            ControlTopic::Response(gateway, device) if device == self.identity.device => {
                self.on_response(&gateway, payload)
            }
            ControlTopic::GroupState(gateway, group) => {
                let custodian = self.custodian(&gateway, &group)?;
                self.on_group_statement(&custodian, &group, payload)
            }
            ControlTopic::Beacon(gateway, group) => {
                let custodian = self.custodian(&gateway, &group)?;
                self.on_beacon(&custodian, &group, payload)
            }
            ControlTopic::Publishers(gateway, group, number) => {
                self.custodian(&gateway, &group)?;
                self.on_page(&group, number, payload)
            }
            ControlTopic::Grant(gateway, device, group) if device == self.identity.device => {
                let custodian = self.custodian(&gateway, &group)?;
                self.on_grant(&custodian, &group, payload)
            }
            // Of another device.
            _ => Err(ControlRefused::Misplaced),
        }
    }

    /// A custodian that the owner's statement lists for a group, by the name in a topic.
    fn custodian(
        &self,
        gateway: &GatewayName,
        group: &GroupId,
    ) -> Result<Custodian, ControlRefused> {
        let stated = self.stated_group(group);
        let mut custodians = stated
            .into_iter()
            .flat_map(|stated| stated.custodians.iter());
        let custodian = custodians.find(|custodian| custodian.name == *gateway);
        custodian.cloned().ok_or(ControlRefused::NotCustodian)
    }

    /// The owner's statement key: of the newest certificate, else of the provisioning.
    pub(super) fn owner_key(&self) -> VerifyingKey {
        let told = self.anchor().map(|anchor| anchor.key);
        told.unwrap_or(self.provisioned.owner.statement_key)
    }

    /// The owner's statement key with the serial of its certificate: the newest that was accepted or provisioned. Who is provisioned
    /// again may be given a newer one than it has accepted.
    fn anchor(&self) -> Option<OwnerKey> {
        let owner = &self.provisioned.owner;
        let provisioned = owner.anchor_serial.map(|serial| OwnerKey {
            key: owner.statement_key,
            serial,
        });
        match (self.durable.owner, provisioned) {
            (Some(told), Some(given)) if told.serial < given.serial => Some(given),
            (Some(told), _) => Some(told),
            (None, given) => given,
        }
    }

    /// A new statement key of the owner, signed by the current one or by the authority (STM-11).
    fn on_anchor(&mut self, gateway: &GatewayName, payload: &[u8]) -> Result<(), ControlRefused> {
        let unverified = Unverified::<AnchorCertificate>::from_wire(payload)?;
        let claims = unverified.claims().clone();
        let owner = &self.provisioned.owner;
        if *gateway != owner.name || claims.gateway != owner.account {
            return Err(ControlRefused::Misplaced);
        }
        let known = self.anchor();
        let is_known =
            |known: OwnerKey| claims.statement_key == known.key && claims.serial <= known.serial;
        // What the device was provisioned with, or has believed before: who signed it, it need not know.
        if known.is_some_and(is_known) {
            return Ok(());
        }
        let by_authority = believe(self, unverified.clone(), &self.provisioned.authority_key);
        by_authority.or_else(|_| believe(self, unverified, &self.owner_key()))?;
        let (key, serial) = (claims.statement_key, claims.serial);
        match known {
            Some(known) if serial <= known.serial => {
                return Err(ControlRefused::Old {
                    known: known.serial,
                })
            }
            _ if !key.is_acceptable() => return Err(ControlRefused::Key(key)),
            _ => {}
        }
        self.change(Change::Owner(OwnerKey { key, serial }));
        self.tell(Notice::OwnerKey { key, serial });
        Ok(())
    }

    /// What the owner says that the device is in (STM-2).
    fn on_device_statement(
        &mut self,
        gateway: &GatewayName,
        payload: &[u8],
    ) -> Result<(), ControlRefused> {
        let unverified = Unverified::<DeviceStatement>::from_wire(payload)?;
        let claims = unverified.claims();
        let owner = &self.provisioned.owner;
        let ours = *gateway == owner.name && claims.gateway == owner.account;
        if !ours || claims.device != self.identity.device {
            return Err(ControlRefused::Misplaced);
        }
        let signed = believe(self, unverified, &self.owner_key())?;
        let hash = hash_of(&signed);
        let statement = signed.into_body();
        check_extensions(&statement.extensions)?;
        self.check_key_version(statement.key_version)?;
        match &self.durable.device {
            Some(known) if known.hash == hash => {
                self.told = true;
                self.reopen(None);
                return Ok(());
            }
            Some(known) => refuse_old(statement.revision, known.body.revision)?,
            None => {}
        }
        self.accept(Held {
            body: statement,
            hash,
        });
        Ok(())
    }

    fn check_key_version(&mut self, theirs: u32) -> Result<(), ControlRefused> {
        let ours = self.identity.key_version;
        if theirs > ours {
            self.tell(Notice::KeysReplaced {
                key_version: theirs,
            });
        }
        match theirs == ours {
            true => Ok(()),
            false => Err(ControlRefused::KeyVersion { theirs, ours }),
        }
    }

    fn accept(&mut self, held: Held<DeviceStatement>) {
        self.told = true;
        self.clock.reached(held.body.chain_time);
        // Also groups that were left by a start with other keys: no secret stays behind.
        let held_of = self.durable.secrets.keys().map(|(group, _)| group.clone());
        let before: BTreeSet<GroupId> = self.live.keys().cloned().chain(held_of).collect();
        let groups = held.body.groups.len();
        self.change(Change::Device(held));
        self.tell(Notice::Told { groups });
        let after: Vec<GroupId> = self
            .stated_groups()
            .map(|stated| stated.group.clone())
            .collect();
        for group in before.iter().filter(|group| !after.contains(group)) {
            self.leave(group);
        }
        self.protect_stated();
        let entered: BTreeSet<GroupId> = self.live.keys().cloned().collect();
        for group in after.iter().filter(|group| !entered.contains(group)) {
            self.enter(group);
            self.tell(Notice::Joined(group.clone()));
        }
        self.tell_conflicting_filters();
        self.subscribe();
        for group in after {
            self.reopen(Some(&group));
        }
        self.reopen(None);
    }
}

/// Refuses a revision that is lower than the known one, and other content of the same.
pub(super) fn refuse_old(revision: u64, known: u64) -> Result<(), ControlRefused> {
    match revision {
        _ if revision < known => Err(ControlRefused::Old { known }),
        _ if revision == known => Err(ControlRefused::Conflict { revision }),
        _ => Ok(()),
    }
}
