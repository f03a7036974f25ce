//! The anchor certificate (STM-11): the bridge's configuration gives it, or somebody leaves it in the gateway's branch. One that
//! verifies is owed to the broker from then on, also when the key that signed it is replaced; anything else there goes (TOP-5).

use std::collections::BTreeSet;

use keyward_crypto::{hash::blake2b_256, sign::verify};
use keyward_protocol::{
    beacon::AnchorCertificate, signing::Unverified, topic::ControlTopic, VerifyingKey,
};

use super::{
    broker::Rank,
    fleet::Fleet,
    journal::{Change, Retained},
    Relay, Severity,
};

/// A certificate that the bridge's configuration gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenAnchor {
    /// Who signed it: a former statement key, which nobody here knows any more, or the authority of the devices.
    pub signer: VerifyingKey,
    /// What was signed.
    pub certificate: Unverified<AnchorCertificate>,
}

impl Relay {
    /// The operator's word counts as much as the statement key beside it, whoever signed: devices judge that themselves.
    pub(super) fn on_given_anchor(&mut self, given: GivenAnchor) {
        let GivenAnchor {
            signer,
            certificate,
        } = given;
        let signed = match verify(certificate, &self.home.genesis, &signer) {
            Ok(signed) => signed,
            Err(problem) => {
                let text = format!("gateway.anchor_file is not told to devices: {problem}");
                return self.tell(Severity::Warn, text);
            }
        };
        let told = signed.body();
        let ours = (self.home.account, self.key.verifying_key());
        if (told.gateway, told.statement_key) != ours {
            let text = "gateway.anchor_file is not told to devices: it is for another key";
            return self.tell(Severity::Warn, text.into());
        }
        let topic = self.topic(ControlTopic::Anchor(self.home.name.clone()));
        let standing = self.journal.retained.get(&topic).and_then(read);
        // One that tells another key than ours was somebody else's, or is over.
        let stands = standing
            .is_some_and(|it| it.statement_key == told.statement_key && it.serial >= told.serial);
        if !stands {
            let (key, serial) = (told.statement_key, told.serial);
            let text = format!("devices are told statement key {key} (serial {serial})");
            self.tell(Severity::Info, text);
            self.owe_anchor(topic, signed.to_wire());
        }
    }

    /// The broker holds this as the gateway's certificate. It is judged when the chain is known.
    pub(super) fn on_anchor(&mut self, payload: &[u8]) {
        self.told_anchor = Some(payload.to_vec());
        if let Some(fleet) = self.fleet.take() {
            self.demand_anchor(&fleet);
            self.fleet = Some(fleet);
        }
    }

    /// Demands the newest certificate that verified; gives its topic, if there is one.
    pub(super) fn demand_anchor(&mut self, fleet: &Fleet) -> Option<String> {
        let topic = self.topic(ControlTopic::Anchor(self.home.name.clone()));
        let standing = self.journal.retained.get(&topic);
        let told = self.told_anchor.take();
        match told.filter(|told| self.succeeds(fleet, standing, told)) {
            Some(told) => self.owe_anchor(topic.clone(), told),
            None => self.recall_one(&topic, Rank::Gateway),
        }
        self.journal.retained.contains_key(&topic).then_some(topic)
    }

    fn owe_anchor(&mut self, topic: String, payload: Vec<u8>) {
        let retained = Retained {
            fingerprint: blake2b_256(&payload),
            payload: payload.into(),
        };
        self.change(Change::Retain(topic.clone(), retained));
        self.recall_one(&topic, Rank::Gateway);
    }

    /// Whether a certificate verifies, and its serial rises.
    fn succeeds(&self, fleet: &Fleet, standing: Option<&Retained>, told: &[u8]) -> bool {
        let Ok(told) = Unverified::<AnchorCertificate>::from_wire(told) else {
            return false;
        };
        let standing = standing.and_then(read);
        let rises = standing.is_none_or(|it| told.claims().serial > it.serial);
        let genesis = &self.home.genesis;
        let verifies = |key: &VerifyingKey| verify(told.clone(), genesis, key).is_ok();
        rises
            && told.claims().gateway == self.home.account
            && self.anchor_signers(fleet).iter().any(verifies)
    }

    /// Who may certify a statement key: the present one, here or on chain while it is being replaced, and our devices' authorities.
    fn anchor_signers(&self, fleet: &Fleet) -> BTreeSet<VerifyingKey> {
        let gateway = fleet.gateways.get(&self.home.account);
        let on_chain = gateway.map(|gateway| gateway.statement_key);
        let devices = fleet.devices.values();
        let authorities = devices.filter_map(|device| fleet.authority_key(&device.authority));
        let own = [self.key.verifying_key()].into_iter().chain(on_chain);
        own.chain(authorities).collect()
    }
}

/// What a certificate says that was judged before.
fn read(standing: &Retained) -> Option<AnchorCertificate> {
    let read = Unverified::<AnchorCertificate>::from_wire(&standing.payload).ok()?;
    Some(read.claims().clone())
}
