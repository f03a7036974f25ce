//! Reads the evidence, line after line, into a [`Record`].

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use anyhow::{Context, Result};
use keyward_crypto::AgreementSecret;
use keyward_protocol::{
    message::Message,
    receipt::Receipt,
    request::{Ask, Request},
    signing::Unverified,
    topic::{ControlTopic, TopicFilter, PREFIX},
    DeviceId, GroupId,
};

use super::{
    evidence::{Content, Line, Packet, State, What},
    opening,
    record::{
        Asked, Delivery, Final, Got, Knew, Receipted, Record, Run, Said, Sealed, Spot, Stated,
        BRIDGE,
    },
};

/// Reads line after line.
pub struct Reader {
    record: Record,
    state: Rc<State>,
    filters: Vec<(GroupId, TopicFilter)>,
    parties: BTreeMap<u64, String>,
    /// The run that opened a connection.
    opened_by: BTreeMap<u64, u32>,
    newest_run: BTreeMap<DeviceId, u32>,
    ours: BTreeMap<DeviceId, AgreementSecret>,
    /// Bytes and topic of a message that appeared.
    appeared: BTreeMap<(String, Vec<u8>), usize>,
    /// What a PUBACK would acknowledge, by connection, direction of the PUBLISH and identifier.
    open: BTreeMap<(u64, bool, u16), Open>,
}

#[derive(Clone, Copy)]
enum Open {
    Sealed(usize),
    Delivery(usize),
    Receipt(usize),
    Request(usize),
}

impl Reader {
    /// For these lines.
    ///
    /// # Errors
    /// When there is no beginning.
    pub fn new(lines: &[Line]) -> Result<Self> {
        let began = lines.iter().find_map(|line| match &line.what {
            What::Began(began) => Some(began.clone()),
            _ => None,
        });
        let filters = filters(lines);
        Ok(Self {
            record: Record {
                began: began.context("the evidence does not say what the run began with")?,
                blocks: Vec::new(),
                runs: BTreeMap::new(),
                sealed: Vec::new(),
                deliveries: Vec::new(),
                passed_on: Vec::new(),
                statements: Vec::new(),
                got: Vec::new(),
                receipts: Vec::new(),
                asked: Vec::new(),
                responses: Vec::new(),
                said: Vec::new(),
                knew: Vec::new(),
                faults: Vec::new(),
                skipped: Vec::new(),
                healed: None,
                quiet: None,
                over: None,
                held: BTreeMap::new(),
            },
            state: Rc::default(),
            filters,
            parties: BTreeMap::new(),
            opened_by: BTreeMap::new(),
            newest_run: BTreeMap::new(),
            ours: BTreeMap::new(),
            appeared: BTreeMap::new(),
            open: BTreeMap::new(),
        })
    }

    /// Takes the next line.
    ///
    /// # Errors
    /// When it does not say what it must.
    pub fn take(&mut self, spot: Spot, what: &What) -> Result<()> {
        let record = &mut self.record;
        match what {
            What::Began(_) | What::Call { .. } => {}
            What::Ours { device, agreement } => {
                let bytes = agreement.as_slice().try_into();
                let secret = bytes.with_context(|| format!("{device} has no key of 32 bytes"))?;
                self.ours
                    .insert(device.clone(), AgreementSecret::from_bytes(secret));
            }
            What::Block(block) => {
                if let Some(state) = &block.state {
                    self.state = Rc::new(state.clone());
                }
                record.blocks.push(Final {
                    spot,
                    number: block.number,
                    time_ms: block.time_ms,
                    state: self.state.clone(),
                });
            }
            What::Connection { connection, party } => {
                let device = party.parse::<DeviceId>().ok();
                let run = device.and_then(|device| self.newest_run.get(&device));
                self.opened_by
                    .extend(run.copied().map(|run| (*connection, run)));
                self.parties.insert(*connection, party.clone());
            }
            What::Packet(packet) => self.packet(spot, packet),
            What::Started {
                device,
                run,
                publishes,
            } => {
                self.newest_run.insert(device.clone(), *run);
                let begun = Run {
                    started: spot,
                    ended: None,
                    publishes: *publishes,
                };
                record.runs.insert((device.clone(), *run), begun);
            }
            What::Ended { device, run, .. } => {
                if let Some(run) = record.runs.get_mut(&(device.clone(), *run)) {
                    run.ended = Some(spot);
                }
            }
            What::Printed { device, run, event } => record.said.push(Said {
                spot,
                device: device.clone(),
                run: *run,
                event: event.clone(),
            }),
            What::Status { device, groups, .. } => record.knew.push(Knew {
                spot,
                device: device.clone(),
                groups: groups.clone(),
            }),
            What::Fault { part, happened } => record.faults.push((spot, part.clone(), *happened)),
            What::Skipped { step, why } => record.skipped.push((spot, step.clone(), why.clone())),
            What::Healed => record.healed = Some(spot),
            What::Quiet => record.quiet = Some(spot),
            What::Held { topic, payload } => {
                drop(record.held.insert(topic.clone(), payload.clone()));
            }
            What::Over => record.over = Some(spot),
        }
        Ok(())
    }

    fn packet(&mut self, spot: Spot, packet: &Packet) {
        let Some(party) = self.parties.get(&packet.connection).cloned() else {
            return;
        };
        match &packet.content {
            Content::Puback { id } => self.acknowledged(spot, packet, *id),
            Content::Publish { id, topic, payload } => {
                if !packet.up {
                    self.record.passed_on.push((spot, party.clone()));
                }
                let open = self.published(spot, packet, &party, topic, payload);
                if let (Some(id), Some(open)) = (id, open) {
                    self.open.insert((packet.connection, packet.up, *id), open);
                }
            }
        }
    }

    fn acknowledged(&mut self, spot: Spot, packet: &Packet, id: u16) {
        let record = &mut self.record;
        let acknowledged = match self.open.remove(&(packet.connection, !packet.up, id)) {
            None => return,
            Some(Open::Sealed(at)) => &mut record.sealed[at].acknowledged,
            Some(Open::Delivery(at)) => &mut record.deliveries[at].acknowledged,
            Some(Open::Receipt(at)) => &mut record.receipts[at].acknowledged,
            Some(Open::Request(at)) => &mut record.asked[at].acknowledged,
        };
        // A message that is sent again may be acknowledged again.
        acknowledged.get_or_insert(spot);
    }

    fn published(
        &mut self,
        spot: Spot,
        packet: &Packet,
        party: &str,
        topic: &str,
        payload: &[u8],
    ) -> Option<Open> {
        match ControlTopic::parse(PREFIX, topic) {
            Some(control) => self.control(spot, packet.up, party, control, payload),
            None => self.message(spot, packet, party, topic, payload),
        }
    }

    fn message(
        &mut self,
        spot: Spot,
        packet: &Packet,
        party: &str,
        topic: &str,
        payload: &[u8],
    ) -> Option<Open> {
        let device: DeviceId = party.parse().ok()?;
        let (group, _) = self
            .filters
            .iter()
            .find(|(_, filter)| filter.matches(topic))?;
        let key = (topic.to_owned(), payload.to_vec());
        let known = self.appeared.get(&key).copied();
        let run = self.opened_by.get(&packet.connection).copied();
        if !packet.up {
            self.record.deliveries.push(Delivery {
                spot,
                device,
                run,
                topic: topic.to_owned(),
                sealed: known,
                acknowledged: None,
            });
            return Some(Open::Delivery(self.record.deliveries.len() - 1));
        }
        if let Some(known) = known {
            return Some(Open::Sealed(known));
        }
        let header = Message::from_wire(payload).ok()?.header;
        let began = run.and_then(|run| self.record.runs.get(&(device.clone(), run)));
        self.record.sealed.push(Sealed {
            spot,
            since: began.map_or(spot, |run| run.started),
            publisher: device,
            topic: topic.to_owned(),
            group: group.clone(),
            header,
            bytes: payload.to_vec(),
            acknowledged: None,
            text: None,
        });
        let at = self.record.sealed.len() - 1;
        self.appeared.insert(key, at);
        Some(Open::Sealed(at))
    }

    fn control(
        &mut self,
        spot: Spot,
        up: bool,
        party: &str,
        control: ControlTopic,
        payload: &[u8],
    ) -> Option<Open> {
        let bridge = party == BRIDGE;
        match control {
            ControlTopic::GroupState(..) => {
                let statement = opening::statement(&self.record.began, payload)?;
                self.record.statements.push(Stated {
                    spot,
                    party: party.to_owned(),
                    up,
                    statement,
                });
                None
            }
            ControlTopic::Grant(_, device, group) if bridge && up => {
                let secret = self.ours.get(&device)?;
                let granted = opening::grant(secret, payload, &device, &group);
                self.record
                    .got
                    .extend(granted.into_iter().map(|(epoch, secret)| Got {
                        spot,
                        device: device.clone(),
                        group: group.clone(),
                        epoch,
                        secret,
                    }));
                None
            }
            // The bridge's own connection says what reached it, every other what was said.
            ControlTopic::Ack(..) if bridge != up => {
                let receipt = Unverified::<Receipt>::from_wire(payload).ok()?;
                self.record.receipts.push(Receipted {
                    spot,
                    up,
                    acknowledged: None,
                    receipt: receipt.claims().clone(),
                });
                Some(Open::Receipt(self.record.receipts.len() - 1))
            }
            ControlTopic::Request(..) if bridge && !up => {
                let request = Unverified::<Request>::from_wire(payload).ok()?;
                let request = request.claims().clone();
                matches!(request.ask, Ask::Enrol { .. }).then_some(())?;
                self.record.asked.push(Asked {
                    spot,
                    acknowledged: None,
                    request,
                });
                Some(Open::Request(self.record.asked.len() - 1))
            }
            ControlTopic::Response(..) if bridge && up => {
                let response = opening::response(&self.record.began, payload)?;
                self.record.responses.push((spot, response));
                None
            }
            _ => None,
        }
    }

    /// Opens what our devices can open.
    pub fn finish(mut self) -> Record {
        let record = &mut self.record;
        let texts: Vec<_> = record
            .sealed
            .iter()
            .map(|sealed| opening::text(&record.began.genesis, sealed, &record.got))
            .collect();
        for (sealed, text) in record.sealed.iter_mut().zip(texts) {
            sealed.text = text;
        }
        self.record
    }
}

/// The filters that groups of this run ever had.
fn filters(lines: &[Line]) -> Vec<(GroupId, TopicFilter)> {
    let states = lines.iter().filter_map(|line| match &line.what {
        What::Block(block) => block.state.as_ref(),
        _ => None,
    });
    let groups = states.flat_map(|state| &state.groups);
    let filters: BTreeSet<(GroupId, TopicFilter)> = groups
        .flat_map(|group| {
            let filters = group.filters.iter().filter_map(|text| text.parse().ok());
            filters.map(|filter| (group.group.clone(), filter))
        })
        .collect();
    filters.into_iter().collect()
}
