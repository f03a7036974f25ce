//! Who reads what: organisations, devices, groups and key exchange.

use pallet_fleet::AdmitAccount;

use crate::{
    configs::governance::{Emergency, RootOrCouncil},
    AccountId, Governance, Runtime, Timestamp,
};

/// The accounts of admitted gateways are admitted to the chain.
pub struct Admission;

impl AdmitAccount<AccountId> for Admission {
    fn admit(who: &AccountId) {
        Governance::admit(who);
    }

    fn is_admitted(who: &AccountId) -> bool {
        Governance::is_admitted(who)
    }
}

impl pallet_fleet::Config for Runtime {
    type GovernanceOrigin = RootOrCouncil;
    type EmergencyOrigin = Emergency;
    type Admission = Admission;
    type Time = Timestamp;
    type WeightInfo = pallet_fleet::weights::SubstrateWeight<Runtime>;
}
