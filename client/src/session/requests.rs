//! Requests to the owner gateway, and its answers (REQ-1 to REQ-5).

use alloc::{collections::VecDeque, string::String, vec::Vec};

use keyward_crypto::{hash::registration, sign::sign_message};
use keyward_protocol::{
    bytes::Nonce,
    registration::{KeyReplacement, Voucher},
    request::{Ask, Refusal, Request, Response, Status},
    signing::{Signed, Unverified},
    topic::ControlTopic,
    wire::WireInvalid,
    AccountId, GatewayName, GroupId, VerifyingKey,
};

use super::{
    control::believe,
    effects::Action,
    keys::NewKeys,
    notice::{Answer, Asked, Notice},
    refusal::ControlRefused,
    Change, Session,
};

/// First pause before a request is repeated, and the longest.
const PAUSE_MS: u64 = 3_000;
const LONGEST_PAUSE_MS: u64 = 60_000;
/// How long something is missing before the gateway is asked; pauses until it is asked again.
const PATIENCE_MS: u64 = 3_000;
const MISSING_PAUSE_MS: u64 = 30_000;
const LONGEST_MISSING_PAUSE_MS: u64 = 600_000;
/// Answers that may come once more and are known.
const KNOWN_ANSWERS: usize = 64;
/// How far the counter jumps when the gateway knows a higher one: the store was restored.
const JUMP: u64 = 1 << 20;

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct Pending {
    ask: Ask,
    /// None: it is made when it is sent, so that no newer one with a higher counter goes before it (REQ-1).
    made: Option<Made>,
    next_at: u64,
    pause: u64,
}

/// A request with its counter, signed.
#[derive(Debug)]
struct Made {
    nonce: Nonce,
    wire: Vec<u8>,
    at: u64,
}

/// Nonces that nothing waits for any more. What was repeated is answered more than once, and a receipt by each gateway that it went
/// to: an answer to one of these is no news, and no sign of a forgery.
#[derive(Debug, Default)]
pub(super) struct Answered(VecDeque<Nonce>);

impl Answered {
    /// Nothing waits for answers with this nonce any more; the oldest are forgotten.
    pub(super) fn note(&mut self, nonce: Nonce) {
        if self.0.len() == KNOWN_ANSWERS {
            self.0.pop_front();
        }
        self.0.push_back(nonce);
    }
}

/// Something is missing that the gateway could send again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Missing {
    next_at: u64,
    pause: u64,
}

/// A pause that is twice as long, up to a limit.
pub(super) fn longer(pause: u64, longest: u64) -> u64 {
    pause.saturating_mul(2).min(longest)
}

impl Session {
    /// Enrols with a voucher (REQ-3).
    pub(super) fn ask_to_enrol(&mut self, voucher: &Signed<Voucher>) {
        let genesis = &self.provisioned.genesis;
        let registration = registration(genesis, voucher.body());
        let ask = Ask::Enrol {
            voucher: voucher.body().clone(),
            voucher_signature: *voucher.signature(),
            proof: self
                .identity
                .signing
                .sign_registration(genesis, &registration),
        };
        self.ask(Asked::Enrol, ask);
    }

    /// Asks for everything again, and for the time (REQ-4).
    pub(super) fn ask_to_resync(&mut self) {
        self.ask(Asked::Resync, Ask::Resync);
    }

    /// Replaces the device's keys, signed by both (REQ-5, REG-6).
    pub(super) fn ask_to_replace_keys(&mut self, keys: &NewKeys) {
        let genesis = &self.provisioned.genesis;
        let replacement = KeyReplacement {
            device: self.identity.device.clone(),
            key_version: self.identity.key_version.saturating_add(1),
            signing_key: keys.signing.verifying_key(),
            agreement_key: keys.agreement.public(),
            not_after: keys.not_after,
        };
        let ask = Ask::ReplaceKeys {
            new_signature: keys.signing.sign_replacement(genesis, &replacement),
            current_signature: self
                .identity
                .signing
                .sign_replacement(genesis, &replacement),
            replacement,
        };
        self.ask(Asked::ReplaceKeys, ask);
    }

    fn ask(&mut self, asked: Asked, ask: Ask) {
        let pending = Pending {
            ask,
            made: None,
            next_at: self.clock.mono(),
            pause: PAUSE_MS,
        };
        let older = self.pending.insert(asked, pending);
        self.note_answered(older);
    }

    /// A request does not wait any more.
    fn note_answered(&mut self, pending: Option<Pending>) {
        if let Some(made) = pending.and_then(|pending| pending.made) {
            self.answered.note(made.nonce);
        }
    }

    /// Makes a request. Its counter is durable before it is sent, and rises also where the store was restored, if the device
    /// has a clock.
    fn make(&mut self, ask: Ask) -> Result<Made, WireInvalid> {
        let counter = self
            .durable
            .asked
            .saturating_add(1)
            .max(self.clock.now_ms().unwrap_or(0));
        let mut nonce = [0; 16];
        self.rng.fill_bytes(&mut nonce);
        let nonce = Nonce(nonce);
        let request = Request {
            device: self.identity.device.clone(),
            key_version: self.identity.key_version,
            gateway: self.provisioned.owner.account,
            ask,
            counter,
            nonce,
        };
        let genesis = self.provisioned.genesis;
        let signed = sign_message(genesis, request, &self.identity.signing)?;
        self.change(Change::Asked(counter));
        Ok(Made {
            nonce,
            wire: signed.to_wire(),
            at: self.clock.mono(),
        })
    }

    /// Connected again: what waits for an answer is sent at once.
    pub(super) fn try_again_now(&mut self) {
        let now = self.clock.mono();
        for pending in self.pending.values_mut() {
            pending.next_at = now;
        }
        self.hurry_receipts();
    }

    /// Sends requests that are due.
    pub(super) fn repeat_requests(&mut self) {
        if self.connected.is_none() {
            return;
        }
        let now = self.clock.mono();
        let is_due =
            |(asked, pending): (&Asked, &Pending)| (pending.next_at <= now).then_some(*asked);
        let due: Vec<Asked> = self.pending.iter().filter_map(is_due).collect();
        for asked in due {
            if let Some(pending) = self.pending.remove(&asked) {
                self.send(asked, pending);
            }
        }
    }

    fn send(&mut self, asked: Asked, pending: Pending) {
        let Pending {
            ask, made, pause, ..
        } = pending;
        let made = made.map_or_else(|| self.make(ask.clone()), Ok);
        let Ok(made) = made else {
            let text = "the voucher is not for this device, its gateway and its keys";
            return self.answer(asked, Status::Refused(Refusal::Voucher), text.into());
        };
        let topic = self.topic(&ControlTopic::Request(
            self.identity.device.clone(),
            self.provisioned.owner.name.clone(),
        ));
        self.act(Action::Publish {
            topic,
            payload: made.wire.clone(),
            retain: false,
        });
        let pending = Pending {
            ask,
            made: Some(made),
            next_at: self.clock.mono().saturating_add(pause),
            pause: longer(pause, LONGEST_PAUSE_MS),
        };
        self.pending.insert(asked, pending);
    }

    /// Asks by itself for what does not come (REQ-4).
    pub(super) fn ask_for_what_is_missing(&mut self) {
        if self.connected.is_none() || self.pending.contains_key(&Asked::Resync) {
            return;
        }
        // Who is not enrolled yet misses nothing.
        if self.pending.contains_key(&Asked::Enrol) || !self.misses_something() {
            self.missing = None;
            return;
        }
        let now = self.clock.mono();
        let patience = match self.clock.now_ms() {
            Some(_) => PATIENCE_MS,
            None => 0,
        };
        let missing = *self.missing.get_or_insert(Missing {
            next_at: now.saturating_add(patience),
            pause: MISSING_PAUSE_MS,
        });
        if missing.next_at <= now {
            self.missing = Some(Missing {
                next_at: now.saturating_add(missing.pause),
                pause: longer(missing.pause, LONGEST_MISSING_PAUSE_MS),
            });
            self.ask_to_resync();
        }
    }

    fn misses_something(&self) -> bool {
        let lacks = |group: &GroupId| {
            let live = self.live.get(group);
            let is_complete = live.is_some_and(|live| live.is_complete && live.confirmed);
            !is_complete || self.lacks_secret(group) || self.is_outdated(group)
        };
        !self.told || self.clock.now_ms().is_none() || self.live.keys().any(lacks)
    }

    /// The account and key of a gateway that may answer: the owner, or a custodian.
    fn respondent(&self, name: &GatewayName) -> Option<(AccountId, VerifyingKey)> {
        let owner = &self.provisioned.owner;
        if *name == owner.name {
            return Some((owner.account, self.owner_key()));
        }
        let mut custodians = self
            .stated_groups()
            .flat_map(|stated| stated.custodians.iter());
        let found = custodians.find(|custodian| custodian.name == *name)?;
        Some((found.account, found.statement_key))
    }

    /// An answer: believed only with the nonce of something that waits for it (REQ-2).
    pub(super) fn on_response(
        &mut self,
        gateway: &GatewayName,
        payload: &[u8],
    ) -> Result<(), ControlRefused> {
        let unverified = Unverified::<Response>::from_wire(payload)?;
        let (account, key) = self
            .respondent(gateway)
            .ok_or(ControlRefused::NotCustodian)?;
        let claims = unverified.claims();
        if claims.gateway != account || claims.device != self.identity.device {
            return Err(ControlRefused::Misplaced);
        }
        let response = believe(self, unverified, &key)?.into_body();
        let is_owner = account == self.provisioned.owner.account;
        let asked = self.pending.iter().find_map(|(asked, pending)| {
            let made = pending.made.as_ref()?;
            (made.nonce == response.nonce).then_some((*asked, made.at))
        });
        match asked {
            Some((asked, asked_at)) if is_owner => self.on_answer(asked, asked_at, &response),
            _ if self.on_receipt_answer(&response) => {}
            _ if self.answered.0.contains(&response.nonce) => {}
            _ => return Err(ControlRefused::NotAsked),
        }
        Ok(())
    }

    fn on_answer(&mut self, asked: Asked, asked_at: u64, response: &Response) {
        self.clock.reached(response.chain_time);
        if asked == Asked::Resync {
            self.clock.answered(response.chain_time, asked_at);
        }
        let text = String::from_utf8_lossy(&response.reason).into_owned();
        match response.status {
            Status::Accepted | Status::Done => {}
            // Its counter was used: it is made anew with a higher one.
            Status::Refused(Refusal::Replayed) => return self.ask_higher(asked),
            // It is repeated.
            Status::Refused(Refusal::Busy) => return,
            Status::Refused(_) => {}
        }
        if response.status != Status::Accepted {
            let ended = self.pending.remove(&asked);
            self.note_answered(ended);
        }
        self.answer(asked, response.status, text);
    }

    /// Not faster than it would have been repeated.
    fn ask_higher(&mut self, asked: Asked) {
        self.change(Change::Asked(self.durable.asked.saturating_add(JUMP)));
        if let Some(pending) = self.pending.get_mut(&asked) {
            let made = pending.made.take();
            made.into_iter()
                .for_each(|made| self.answered.note(made.nonce));
        }
    }

    fn answer(&mut self, asked: Asked, status: Status, text: String) {
        let answer = match status {
            Status::Accepted => Answer::Accepted,
            Status::Done => Answer::Done,
            Status::Refused(refusal) => Answer::Refused { refusal, text },
        };
        self.tell(Notice::Answered { asked, answer });
    }
}
