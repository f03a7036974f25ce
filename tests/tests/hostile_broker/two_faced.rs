//! A custodian that gives two members two keys.

use keyward_crypto::{epoch, grant, sign::sign_message, SigningKey};
use keyward_protocol::{
    grant::{EpochSecret, Grant, GrantedEpoch},
    statement::GroupStatement,
    view::MemberView,
    AccountId, Commitment, Genesis, GroupId,
};
use keyward_tests::{
    hostile::{Fate, Passing},
    observer::claims,
};
use rand_core::OsRng;

/// A custodian that gives one member another key.
pub struct TwoFaced {
    /// The chain.
    pub genesis: Genesis,
    /// Its account.
    pub account: AccountId,
    /// Its statement key.
    pub key: SigningKey,
    /// The group.
    pub group: GroupId,
    /// The epoch that it gives two keys.
    pub epoch: u32,
    /// The other one.
    pub secret: EpochSecret,
    /// Who gets that.
    pub victim: MemberView,
    /// Topic of the group's statement.
    pub state: String,
    /// Topic of its beacons.
    pub beacon: String,
    /// Topic of the victim's grant.
    pub grant: String,
}

impl TwoFaced {
    /// What the victim is told that was committed to.
    pub fn commitment(&self) -> Commitment {
        let (genesis, group) = (&self.genesis, &self.group);
        epoch::commitment(genesis, group, self.epoch, &self.account, &self.secret)
    }

    /// What becomes of what the gateway tells the victim.
    pub fn tells(&self, passing: &Passing) -> Option<Fate> {
        let victim = self.victim.device.as_str();
        match passing {
            _ if passing.is_to(victim, &self.beacon) => Some(Fate::Drop),
            _ if passing.is_to(victim, &self.state) => self.states(passing),
            _ if passing.is_to(victim, &self.grant) => self.grants(passing),
            _ => None,
        }
    }

    fn states(&self, passing: &Passing) -> Option<Fate> {
        let mut statement = claims::<GroupStatement>(&passing.payload)?;
        let current = statement
            .commitments
            .iter_mut()
            .find(|one| one.epoch == self.epoch)?;
        current.commitment = self.commitment();
        let signed = sign_message(self.genesis, statement, &self.key).ok()?;
        Some(passing.with_payload(&signed.to_wire()))
    }

    fn grants(&self, passing: &Passing) -> Option<Fate> {
        let sealed = sealed_to(&self.victim, &self.group, self.epoch, &self.secret)?;
        Some(passing.with_payload(&sealed))
    }
}

/// A grant of one epoch for a member. Nobody signs grants: whoever knows the member's agreement key, which is on the chain, can
/// make one.
pub fn sealed_to(
    member: &MemberView,
    group: &GroupId,
    epoch: u32,
    secret: &EpochSecret,
) -> Option<Vec<u8>> {
    let granted = GrantedEpoch {
        epoch,
        secret: secret.clone(),
    };
    let grant = Grant {
        group: group.clone(),
        device: member.device.clone(),
        key_version: member.key_version,
        epochs: vec![granted].try_into().ok()?,
        extensions: Default::default(),
    };
    grant::seal(&grant, &member.agreement_key, &mut OsRng).ok()
}
