//! Requests of devices: enrol, resync, replace keys (DESIGN section 6). Size, form, signature and rate are checked before the
//! journal (REQ-6); what fails is acknowledged, counted and, where its sender is authentic, answered.

use keyward_crypto::{
    hash::registration,
    sign::{verify, Verifier},
};
use keyward_protocol::{
    registration::{KeyReplacement, Voucher},
    request::{Ask, Refusal, Request, Status},
    signing::{payload, Body, Unverified},
    topic::ControlTopic,
    view::{DeviceStatus, DeviceView},
    AgreementKey, DeviceId, Signature, VerifyingKey,
};

use super::{
    journal::{AskRecord, AskState, Change},
    tally::Reason,
    transactions::{Command, Job},
    Relay,
};

/// Why a request is refused; some can be told to its sender.
struct Refused {
    reason: Reason,
    tell: Option<(Refusal, String)>,
}

impl Refused {
    fn silently(reason: Reason) -> Self {
        Self { reason, tell: None }
    }

    fn telling(reason: Reason, refusal: Refusal, text: impl Into<String>) -> Self {
        Self {
            reason,
            tell: Some((refusal, text.into())),
        }
    }
}

impl Relay {
    pub(super) fn on_request(&mut self, device: &DeviceId, payload: &[u8]) {
        let unverified = match Unverified::<Request>::from_wire(payload) {
            Ok(unverified) if unverified.claims().device == *device => unverified,
            _ => return self.tally.refuse(Reason::Malformed),
        };
        let nonce = unverified.claims().nonce;
        let verified = self
            .signer_of(unverified.claims())
            .and_then(|key| self.verified(unverified, key));
        let accepted = match verified {
            Ok((request, key)) => self.accept(request, key),
            Err(refused) => Err(refused),
        };
        if let Err(refused) = accepted {
            self.tally.refuse(refused.reason);
            if let Some((refusal, text)) = refused.tell {
                self.respond(device, nonce, Status::Refused(refusal), &text);
            }
        }
    }

    /// The key that must have signed a request: of an enrolment the voucher's, else the one on chain.
    fn signer_of(&self, request: &Request) -> Result<VerifyingKey, Refused> {
        if let Ask::Enrol { voucher, .. } = &request.ask {
            return Ok(voucher.signing_key);
        }
        let devices = self.fleet.as_ref().map(|fleet| &fleet.devices);
        let device = devices.and_then(|devices| devices.get(&request.device));
        let known = device.filter(|device| device.key_version == request.key_version);
        let unknown = Refused::silently(Reason::Unknown);
        known.map(|device| device.signing_key).ok_or(unknown)
    }

    fn verified(
        &self,
        unverified: Unverified<Request>,
        key: VerifyingKey,
    ) -> Result<(Request, VerifyingKey), Refused> {
        if unverified.claims().gateway != self.home.account {
            return Err(Refused::silently(Reason::Unknown));
        }
        let signed = verify(unverified, &self.home.genesis, &key);
        let forged = |_| Refused::silently(Reason::Forged);
        Ok((signed.map_err(forged)?.into_body(), key))
    }

    /// A request whose sender is authentic: as far as its voucher, which the chain decides on, if it has one.
    fn accept(&mut self, request: Request, key: VerifyingKey) -> Result<(), Refused> {
        if !self.request_rate.allows(&request.device, self.now) {
            let text = "too many requests; try again later";
            return Err(Refused::telling(Reason::Busy, Refusal::Busy, text));
        }
        if self.answer_repeated(&request, key)? {
            return Ok(());
        }
        self.check(&request)?;
        self.refuse_beside_another(&request)?;
        self.tally.requests_accepted = self.tally.requests_accepted.saturating_add(1);
        if request.ask == Ask::Resync {
            self.resync(&request.device);
        }
        let (state, status) = match self.is_done(&request.device, &request.ask) {
            true => (AskState::Done, Status::Done),
            false => (AskState::Pending(request.ask.clone()), Status::Accepted),
        };
        let record = AskRecord {
            key,
            counter: request.counter,
            nonce: request.nonce,
            state,
        };
        // What was accepted is not given up for a resync, which is done at once and need not be remembered.
        if request.ask != Ask::Resync || self.pending(&request.device).is_none() {
            self.change(Change::Ask(request.device.clone(), record));
        }
        self.respond(&request.device, request.nonce, status, "");
        self.plan();
        Ok(())
    }

    /// One request of a device is on its way at a time: how its transaction ends is the answer to no other (REQ-6).
    fn refuse_beside_another(&self, request: &Request) -> Result<(), Refused> {
        let pending = self.pending(&request.device);
        let other = pending.is_some_and(|pending| *pending != request.ask);
        if other && request.ask != Ask::Resync {
            let text = "another request is on its way; try again later";
            return Err(Refused::telling(Reason::Busy, Refusal::Busy, text));
        }
        Ok(())
    }

    /// What a device has asked and is on its way to the chain.
    fn pending(&self, device: &DeviceId) -> Option<&Ask> {
        match &self.journal.asks.get(device)?.state {
            AskState::Pending(ask) => Some(ask),
            AskState::Done | AskState::Refused(..) => None,
        }
    }

    /// Answers a request that came before; refuses one whose counter does not rise.
    fn answer_repeated(&mut self, request: &Request, key: VerifyingKey) -> Result<bool, Refused> {
        let known = self.journal.asks.get(&request.device);
        let Some(known) = known.filter(|known| known.key == key) else {
            return Ok(false);
        };
        if known.counter == request.counter && known.nonce == request.nonce {
            let (status, text) = match &known.state {
                AskState::Pending(_) => (Status::Accepted, String::new()),
                AskState::Done => (Status::Done, String::new()),
                AskState::Refused(refusal, text) => (Status::Refused(*refusal), text.clone()),
            };
            self.respond(&request.device, request.nonce, status, &text);
            return Ok(true);
        }
        match request.counter > known.counter {
            true => Ok(false),
            false => {
                let text = format!("counter {} was used before", request.counter);
                Err(Refused::telling(Reason::Replayed, Refusal::Replayed, text))
            }
        }
    }

    fn check(&self, request: &Request) -> Result<(), Refused> {
        match &request.ask {
            Ask::Resync => Ok(()),
            Ask::Enrol {
                voucher,
                voucher_signature,
                proof,
            } => self.check_voucher(voucher, voucher_signature, proof),
            Ask::ReplaceKeys {
                replacement,
                new_signature,
                current_signature,
            } => self.check_replacement(replacement, new_signature, current_signature),
        }
    }

    /// Voucher and proof, before the chain is asked (REQ-3, REG-4).
    fn check_voucher(
        &self,
        voucher: &Voucher,
        voucher_signature: &Signature,
        proof: &Signature,
    ) -> Result<(), Refused> {
        let refused = |text: String| Err(Refused::telling(Reason::Voucher, Refusal::Voucher, text));
        let genesis = &self.home.genesis;
        let fleet = self.fleet.as_ref();
        let authority = fleet.and_then(|fleet| fleet.authority_key(&voucher.authority));
        let Some(authority) = authority else {
            return refused(format!(
                "authority {} is not known on chain, or revoked",
                voucher.authority
            ));
        };
        let signed = payload(genesis, Voucher::PURPOSE, voucher);
        if !verifies(&authority, &signed, voucher_signature) {
            return refused(format!(
                "the voucher is not signed by authority {} for this chain",
                voucher.authority
            ));
        }
        let proven = Verifier::new(&voucher.signing_key).is_ok_and(|key| {
            key.verifies_registration(genesis, &registration(genesis, voucher), proof)
        });
        if !proven {
            return refused("the device does not prove that it holds the voucher's key".into());
        }
        let now = self.head.map_or(0, |head| head.time_ms) / 1000;
        if voucher.not_after < now {
            return refused(format!(
                "the voucher expired {} s ago",
                now.saturating_sub(voucher.not_after)
            ));
        }
        match self.device(&voucher.device) {
            Some(device) if voucher.key_version <= device.key_version => refused(format!(
                "the voucher is for key version {}, and the device is enrolled with version {} already: a voucher works once",
                voucher.key_version, device.key_version
            )),
            _ => Ok(()),
        }
    }

    /// Both keys signed, the one on chain now among them (REQ-5).
    fn check_replacement(
        &self,
        replacement: &KeyReplacement,
        new_signature: &Signature,
        current_signature: &Signature,
    ) -> Result<(), Refused> {
        let genesis = &self.home.genesis;
        let signed = |key: &VerifyingKey, signature: &Signature| {
            Verifier::new(key)
                .is_ok_and(|key| key.verifies_replacement(genesis, replacement, signature))
        };
        let unknown = |text: &str| Err(Refused::telling(Reason::Unknown, Refusal::Unknown, text));
        let Some(device) = self.device(&replacement.device) else {
            return unknown("the device is not registered here");
        };
        if replacement.key_version != device.key_version.saturating_add(1) {
            return unknown("the replacement is not for the next key version");
        }
        let both = signed(&replacement.signing_key, new_signature)
            && signed(&device.signing_key, current_signature);
        match both {
            true => Ok(()),
            false => Err(Refused::silently(Reason::Forged)),
        }
    }

    fn device(&self, device: &DeviceId) -> Option<&DeviceView> {
        self.fleet.as_ref()?.devices.get(device)
    }

    /// Whether the chain has what was asked for already.
    fn is_done(&self, device: &DeviceId, ask: &Ask) -> bool {
        let wanted = match ask {
            Ask::Enrol { voucher, .. } => (
                voucher.signing_key,
                voucher.agreement_key,
                voucher.key_version,
            ),
            Ask::ReplaceKeys { replacement, .. } => (
                replacement.signing_key,
                replacement.agreement_key,
                replacement.key_version,
            ),
            Ask::Resync => return true,
        };
        let device = self.device(device);
        device.is_some_and(|device| device.status == DeviceStatus::Active && keys(device) == wanted)
    }

    /// Publishes again what a device reads (REQ-4).
    fn resync(&mut self, device: &DeviceId) {
        let name = self.home.name.clone();
        let state = ControlTopic::DeviceState(name.clone(), device.clone());
        let mut topics = vec![self.topic(state)];
        let fleet = self.fleet.as_ref();
        let view = fleet.and_then(|fleet| fleet.devices.get(device));
        let groups = view.into_iter().flat_map(|view| &view.groups);
        for membership in groups {
            let group = &membership.group;
            let branch = self.topic(ControlTopic::GroupState(name.clone(), group.clone()));
            let branch = branch.trim_end_matches("state").to_owned();
            let below = self.broker.wanted().map(|(topic, _)| topic);
            topics.extend(
                below
                    .filter(|topic| topic.starts_with(&branch))
                    .map(str::to_owned),
            );
            let grant = ControlTopic::Grant(name.clone(), device.clone(), group.clone());
            topics.push(self.topic(grant));
        }
        for topic in topics {
            self.broker.force(&topic, self.now);
        }
    }

    /// Sends what accepted requests need.
    pub(super) fn plan_requests(&mut self) {
        let pending = |record: &AskRecord| match &record.state {
            AskState::Pending(ask) => Some(ask.clone()),
            _ => None,
        };
        let asks: Vec<(DeviceId, Ask)> = self
            .journal
            .asks
            .iter()
            .filter_map(|(device, record)| Some((device.clone(), pending(record)?)))
            .collect();
        for (device, ask) in asks {
            let job = Job::Device(device.clone());
            if self.transactions.is_open(&job) {
                continue;
            }
            if self.is_done(&device, &ask) {
                self.transactions.forget(&job);
                self.conclude(&device, AskState::Done);
            } else {
                self.start(job, |relay| relay.command(ask));
            }
        }
    }

    fn command(&self, ask: Ask) -> Option<Command> {
        match ask {
            Ask::Resync => None,
            Ask::ReplaceKeys {
                replacement,
                new_signature,
                current_signature,
            } => Some(Command::Replace {
                replacement,
                new_signature,
                current_signature,
            }),
            Ask::Enrol {
                voucher,
                voucher_signature,
                proof,
            } => Some(match self.device(&voucher.device).is_some() {
                true => Command::ReplaceByVoucher {
                    voucher,
                    voucher_signature,
                    proof,
                },
                false => Command::Register {
                    voucher,
                    voucher_signature,
                    proof,
                },
            }),
        }
    }

    /// A device's transaction shows in the state.
    pub(super) fn on_device_settled(&mut self, device: &DeviceId, result: Result<(), String>) {
        let Some(record) = self.journal.asks.get(device) else {
            return;
        };
        let AskState::Pending(ask) = &record.state else {
            return;
        };
        // A second transaction for the same request fails, and the state shows that the first succeeded.
        let done = result.is_ok() || self.is_done(device, ask);
        let state = match (done, result) {
            (false, Err(error)) => AskState::Refused(Refusal::Chain, error),
            _ => AskState::Done,
        };
        self.conclude(device, state);
    }

    fn conclude(&mut self, device: &DeviceId, state: AskState) {
        let Some(mut record) = self.journal.asks.get(device).cloned() else {
            return;
        };
        let (status, text) = match &state {
            AskState::Refused(refusal, text) => {
                self.tally.refuse(Reason::Chain);
                (Status::Refused(*refusal), text.clone())
            }
            _ => (Status::Done, String::new()),
        };
        record.state = state;
        let nonce = record.nonce;
        self.change(Change::Ask(device.clone(), record));
        self.respond(device, nonce, status, &text);
    }
}

fn keys(device: &DeviceView) -> (VerifyingKey, AgreementKey, u32) {
    (device.signing_key, device.agreement_key, device.key_version)
}

fn verifies(key: &VerifyingKey, payload: &[u8], signature: &Signature) -> bool {
    Verifier::new(key).is_ok_and(|key| key.verifies(payload, signature))
}
