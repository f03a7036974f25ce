//! Evidence made by hand, line by line, with real cryptography: a group of a publisher `p`, a subscriber `s`, and of `w` and `d`,
//! whose keys the test holds.

use keyward_crypto::{
    epoch, grant, message::GroupKey, sign::sign_message, AgreementSecret, SigningKey,
};
use keyward_protocol::{
    beacon::BlockRef,
    bytes::Nonce,
    grant::{EpochSecret, Grant, GrantedEpoch},
    message::Stream,
    policy::Policy,
    receipt::Receipt,
    registration::Voucher,
    request::{Ask, Request, Response, Status},
    statement::{DeviceGroup, DeviceStatement, EpochCommitment, GroupState, GroupStatement},
    topic::{ControlTopic, Filters, PREFIX},
    AccountId, BlockHash, Commitment, DeviceId, Genesis, GroupId, Role, Signature,
};
use rand_core::OsRng;

use crate::judge::evidence::{
    Began, Block, Content, Exchange, Group, Happened, Known, Line, Member, Packet, Printed,
    Registered, State, What,
};

pub const TOPIC: &str = "app/valve";
/// The time at which the story begins: block `n` has the time `BEGAN + 2,000 n`.
pub const BEGAN: u64 = 1_700_000_000_000;
/// Connections.
pub const BRIDGE: u64 = 1;
pub const SUBSCRIBER: u64 = 2;
/// Milliseconds.
pub const MAX_SILENCE: u64 = 10_000;

/// Who is in the story.
pub struct Story {
    pub lines: Vec<Line>,
    genesis: Genesis,
    account: AccountId,
    gateway: SigningKey,
    pub witness: AgreementSecret,
    pub removed: AgreementSecret,
    publisher: SigningKey,
    runs: u32,
    connections: u64,
    packets: u16,
}

pub fn id(name: &str) -> DeviceId {
    name.parse().unwrap()
}

pub fn group() -> GroupId {
    "g".parse().unwrap()
}

pub fn secret(epoch: u32) -> EpochSecret {
    EpochSecret::new([u8::try_from(epoch).unwrap(); 32])
}

/// The time of a block.
pub fn time(block: u32) -> u64 {
    BEGAN + 2_000 * u64::from(block)
}

fn policy() -> Policy {
    Policy {
        max_silence: 10,
        ..Policy::default()
    }
}

impl Story {
    pub fn new() -> Self {
        let mut story = Self {
            lines: Vec::new(),
            genesis: Genesis([7; 32]),
            account: AccountId([9; 32]),
            gateway: SigningKey::from_seed(&[1; 32]),
            witness: AgreementSecret::from_bytes(&[2; 32]),
            removed: AgreementSecret::from_bytes(&[3; 32]),
            publisher: SigningKey::from_seed(&[4; 32]),
            runs: 0,
            connections: 10,
            packets: 0,
        };
        story.begin();
        story
    }

    fn begin(&mut self) {
        self.note(
            BEGAN,
            What::Began(Began {
                seed: 1,
                genesis: self.genesis,
                gateway: "gw1".parse().unwrap(),
                account: self.account,
                statement_key: self.gateway.verifying_key(),
                subscribers: vec![id("s")],
                publishers: vec![id("p")],
            }),
        );
        for (device, key) in [("w", &self.witness), ("d", &self.removed)] {
            let what = What::Ours {
                device: id(device),
                agreement: key.expose().to_vec(),
            };
            self.lines.push(Line { at: BEGAN, what });
        }
        for (connection, party) in [(BRIDGE, "bridge"), (SUBSCRIBER, "s")] {
            if party == "s" {
                self.note(
                    BEGAN,
                    What::Started {
                        device: id("s"),
                        run: 1,
                        publishes: false,
                    },
                );
            }
            let party = party.to_owned();
            self.note(BEGAN, What::Connection { connection, party });
        }
    }

    pub fn note(&mut self, at: u64, what: What) {
        self.lines.push(Line { at, what });
    }

    pub fn fault(&mut self, at: u64, part: &str, happened: Happened) {
        let part = part.to_owned();
        self.note(at, What::Fault { part, happened });
    }

    pub fn commitment(&self, epoch: u32) -> Commitment {
        epoch::commitment(
            &self.genesis,
            &group(),
            epoch,
            &self.account,
            &secret(epoch),
        )
    }

    /// The group at an epoch, delivered and acknowledged, with `d` in it or not.
    pub fn state(&self, epoch: u32, with_removed: bool) -> State {
        let member = |device: &str, index, role| Member {
            device: id(device),
            role,
            index,
            joined_epoch: 1,
            active: true,
            acknowledged: ["p", "s"].contains(&device).then_some(epoch),
        };
        let mut members = vec![
            member("p", 0, Role::Publish),
            member("s", 1, Role::Subscribe),
            member("w", 2, Role::Subscribe),
        ];
        members.extend(with_removed.then(|| member("d", 3, Role::Subscribe)));
        let exchange = |epoch| Exchange {
            epoch,
            committed: Some((self.commitment(epoch), self.account)),
            delivered: true,
        };
        let registered = |device: &str| Registered {
            device: id(device),
            key_version: 1,
            signing_key: self.publisher.verifying_key(),
        };
        State {
            groups: vec![Group {
                group: group(),
                state: GroupState::Active,
                epoch,
                revision: u64::from(epoch),
                filters: vec![TOPIC.into()],
                policy: policy(),
                exchanges: (1..=epoch).map(exchange).collect(),
                members,
            }],
            devices: ["p", "s", "w", "d"].map(registered).to_vec(),
        }
    }

    pub fn block(&mut self, number: u32, state: State) {
        self.note(
            time(number) + 500,
            What::Block(Block {
                number,
                time_ms: time(number),
                state: Some(state),
            }),
        );
    }

    fn publish(&mut self, at: u64, connection: u64, up: bool, topic: &str, payload: &[u8]) -> u16 {
        self.packets += 1;
        let content = Content::Publish {
            id: Some(self.packets),
            topic: topic.into(),
            payload: payload.into(),
        };
        self.packet(at, connection, up, content);
        self.packets
    }

    pub fn puback(&mut self, at: u64, connection: u64, up: bool, id: u16) {
        self.packet(at, connection, up, Content::Puback { id });
    }

    fn packet(&mut self, at: u64, connection: u64, up: bool, content: Content) {
        let packet = Packet {
            connection,
            up,
            content,
        };
        self.note(at, What::Packet(packet));
    }

    /// A run of `p` that seals one message and sends it; gives its bytes.
    pub fn sends(&mut self, started: u64, sealed: u64, epoch: u32, text: &str) -> Vec<u8> {
        self.runs += 1;
        let boot = self.runs;
        self.sends_with(started, sealed, (epoch, boot, 0), text)
    }

    /// The same, with epoch, boot and counter.
    pub fn sends_with(
        &mut self,
        started: u64,
        sealed: u64,
        (epoch, boot, counter): (u32, u32, u64),
        text: &str,
    ) -> Vec<u8> {
        self.connections += 1;
        let (run, connection) = (u32::try_from(self.connections).unwrap(), self.connections);
        self.note(
            started,
            What::Started {
                device: id("p"),
                run,
                publishes: true,
            },
        );
        let party = "p".to_owned();
        self.note(started, What::Connection { connection, party });
        let key = GroupKey::new(&self.genesis, &group(), epoch, &secret(epoch));
        let key = key.message_key(0, boot, Stream::Live);
        let signer = Some(&self.publisher);
        let bytes = key
            .seal(counter, TOPIC, None, text.as_bytes(), signer)
            .unwrap();
        let packet = self.publish(sealed, connection, true, TOPIC, &bytes);
        self.puback(sealed + 5, connection, false, packet);
        self.note(
            sealed + 10,
            What::Ended {
                device: id("p"),
                run,
                code: Some(0),
            },
        );
        bytes
    }

    /// `s` gets a message, prints it, and acknowledges it.
    pub fn reads(&mut self, at: u64, bytes: &[u8], text: &str) {
        let packet = self.gets(at, bytes);
        self.prints(at + 2, "s", message(text));
        self.puback(at + 3, SUBSCRIBER, true, packet);
    }

    /// `s` gets a message; gives its identifier.
    pub fn gets(&mut self, at: u64, bytes: &[u8]) -> u16 {
        self.publish(at, SUBSCRIBER, false, TOPIC, bytes)
    }

    pub fn prints(&mut self, at: u64, device: &str, event: Printed) {
        self.note(
            at,
            What::Printed {
                device: id(device),
                run: 1,
                event,
            },
        );
    }

    /// The bridge publishes a grant to `w` or `d`.
    pub fn grants(&mut self, at: u64, device: &str, epochs: &[(u32, EpochSecret)]) {
        let key = match device {
            "w" => self.witness.public(),
            _ => self.removed.public(),
        };
        let granted = epochs.iter().map(|(epoch, secret)| GrantedEpoch {
            epoch: *epoch,
            secret: secret.clone(),
        });
        let granted: Vec<_> = granted.collect();
        let content = Grant {
            group: group(),
            device: id(device),
            key_version: 1,
            epochs: granted.try_into().ok().unwrap(),
            extensions: Default::default(),
        };
        let sealed = grant::seal(&content, &key, &mut OsRng).unwrap();
        self.publish(at, BRIDGE, true, &grant_topic(device), &sealed);
    }

    pub fn statement(&self, epoch: u32) -> GroupStatement {
        let commitments = (1..=epoch).map(|epoch| EpochCommitment {
            epoch,
            commitment: self.commitment(epoch),
            custodian: 0,
        });
        let commitments: Vec<_> = commitments.collect();
        GroupStatement {
            gateway: self.account,
            group: group(),
            revision: u64::from(epoch),
            epoch,
            state: GroupState::Active,
            custodians: vec![self.account].try_into().ok().unwrap(),
            commitments: commitments.try_into().ok().unwrap(),
            policy: policy(),
            filters: Filters::new([TOPIC.parse().unwrap()]).unwrap(),
            pages: Default::default(),
            block: BlockRef {
                number: epoch,
                hash: BlockHash([5; 32]),
            },
            extensions: Default::default(),
        }
    }

    /// The bytes of a statement as the gateway signs it.
    pub fn signed(&self, statement: &GroupStatement) -> Vec<u8> {
        let signed = sign_message(self.genesis, statement.clone(), &self.gateway);
        signed.unwrap().to_wire()
    }

    /// The bridge publishes a statement, and the broker passes it on to `s`.
    pub fn states(&mut self, at: u64, statement: &GroupStatement) {
        let bytes = self.signed(statement);
        self.publish(at, BRIDGE, true, &state_topic(), &bytes);
        self.publish(at + 1, SUBSCRIBER, false, &state_topic(), &bytes);
    }

    /// A device sends a receipt; it goes on to the bridge, which acknowledges it.
    pub fn acknowledges(&mut self, at: u64, device: &str, epoch: u32, commitment: Commitment) {
        let receipt = Receipt {
            group: group(),
            epoch,
            commitment,
            device: id(device),
            key_version: 1,
        };
        let receipt = sign_message(self.genesis, receipt, &self.publisher).unwrap();
        let topic = ControlTopic::Ack(id(device), "gw1".parse().unwrap()).to_topic(PREFIX);
        self.connections += 1;
        let (connection, party) = (self.connections, device.to_owned());
        self.note(at, What::Connection { connection, party });
        self.publish(at, connection, true, &topic, &receipt.to_wire());
        let packet = self.publish(at + 1, BRIDGE, false, &topic, &receipt.to_wire());
        self.puback(at + 2, BRIDGE, true, packet);
    }

    /// A device asks to be enrolled, and the bridge acknowledges the request.
    pub fn asks(&mut self, at: u64, device: &str) {
        let voucher = Voucher {
            authority: "ca".parse().unwrap(),
            device: id(device),
            gateway: self.account,
            signing_key: self.publisher.verifying_key(),
            agreement_key: self.witness.public(),
            key_version: 1,
            not_after: BEGAN,
        };
        let request = Request {
            device: id(device),
            key_version: 1,
            gateway: self.account,
            ask: Ask::Enrol {
                voucher,
                voucher_signature: Signature([0; 64]),
                proof: Signature([0; 64]),
            },
            counter: 1,
            nonce: Nonce([6; 16]),
        };
        let request = sign_message(self.genesis, request, &self.publisher).unwrap();
        let topic = ControlTopic::Request(id(device), "gw1".parse().unwrap()).to_topic(PREFIX);
        let packet = self.publish(at, BRIDGE, false, &topic, &request.to_wire());
        self.puback(at + 2, BRIDGE, true, packet);
    }

    /// The bridge answers that request.
    pub fn answers(&mut self, at: u64, device: &str, status: Status) {
        let response = Response {
            gateway: self.account,
            device: id(device),
            nonce: Nonce([6; 16]),
            status,
            reason: Default::default(),
            block: BlockRef {
                number: 1,
                hash: BlockHash([5; 32]),
            },
            chain_time: BEGAN,
        };
        let response = sign_message(self.genesis, response, &self.gateway).unwrap();
        let topic = ControlTopic::Response("gw1".parse().unwrap(), id(device)).to_topic(PREFIX);
        self.publish(at, BRIDGE, true, &topic, &response.to_wire());
    }

    pub fn knows(&mut self, at: u64, device: &str, revision: u64) {
        let epoch = u32::try_from(revision).unwrap();
        self.note(
            at,
            What::Status {
                device: id(device),
                asked: at - 50,
                groups: vec![Known {
                    group: group(),
                    revision,
                    epoch,
                }],
            },
        );
    }

    /// What the broker holds of a device: a grant, and a statement that lists the group.
    pub fn holds(&mut self, at: u64, device: &str, is_member: bool) {
        let groups = is_member.then(|| DeviceGroup {
            group: group(),
            role: Role::Subscribe,
            filters: Filters::new([TOPIC.parse().unwrap()]).unwrap(),
            custodians: Default::default(),
        });
        let groups: Vec<_> = groups.into_iter().collect();
        let statement = DeviceStatement {
            gateway: self.account,
            device: id(device),
            key_version: 1,
            revision: 3,
            groups: groups.try_into().ok().unwrap(),
            block: BlockRef {
                number: 3,
                hash: BlockHash([5; 32]),
            },
            chain_time: BEGAN,
            extensions: Default::default(),
        };
        let signed = sign_message(self.genesis, statement, &self.gateway).unwrap();
        let topic = ControlTopic::DeviceState("gw1".parse().unwrap(), id(device));
        self.held(at, topic.to_topic(PREFIX), signed.to_wire());
        if is_member {
            self.held(at, grant_topic(device), vec![1]);
        }
    }

    pub fn held(&mut self, at: u64, topic: String, payload: Vec<u8>) {
        self.note(at, What::Held { topic, payload });
    }
}

pub fn message(text: &str) -> Printed {
    Printed {
        event: "message".into(),
        topic: TOPIC.into(),
        sender: Some(id("p")),
        payload: Some(text.into()),
        ..Printed::default()
    }
}

pub fn refused(reason: &str) -> Printed {
    Printed {
        event: "refused".into(),
        topic: TOPIC.into(),
        reason: Some(reason.into()),
        ..Printed::default()
    }
}

pub fn grant_topic(device: &str) -> String {
    ControlTopic::Grant("gw1".parse().unwrap(), id(device), group()).to_topic(PREFIX)
}

pub fn state_topic() -> String {
    ControlTopic::GroupState("gw1".parse().unwrap(), group()).to_topic(PREFIX)
}
