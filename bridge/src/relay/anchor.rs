//! The anchor certificate (STM-11): an operator leaves it in the gateway's branch. One that verifies is owed to the broker from
//! then on, also when the key that signed it is replaced; anything else there goes (TOP-5).

use std::collections::BTreeSet;

use keyward_crypto::{hash::blake2b_256, sign::verify};
use keyward_protocol::{
    beacon::AnchorCertificate, signing::Unverified, topic::ControlTopic, VerifyingKey,
};

use super::{
    broker::Rank,
    fleet::Fleet,
    journal::{Change, Retained},
    Relay,
};

impl Relay {
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
        if let Some(told) = told.filter(|told| self.succeeds(fleet, standing, told)) {
            let retained = Retained {
                fingerprint: blake2b_256(&told),
                payload: told.into(),
            };
            self.change(Change::Retain(topic.clone(), retained));
        }
        self.recall_one(&topic, Rank::Gateway);
        self.journal.retained.contains_key(&topic).then_some(topic)
    }

    /// Whether a certificate verifies, and its serial rises.
    fn succeeds(&self, fleet: &Fleet, standing: Option<&Retained>, told: &[u8]) -> bool {
        let read = |bytes: &[u8]| Unverified::<AnchorCertificate>::from_wire(bytes).ok();
        let Some(told) = read(told) else {
            return false;
        };
        let standing = standing.and_then(|standing| read(&standing.payload));
        let rises = standing.is_none_or(|it| told.claims().serial > it.claims().serial);
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
