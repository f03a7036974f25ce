//! Who is there from the first block: the founders' organisations, gateways and authorities.

use alloc::{format, string::String, vec::Vec};
use core::fmt::Debug;

use keyward_protocol::{
    id::IdBytes, AgreementKey, AuthorityId, GatewayName, OrganisationId, VerifyingKey,
};
use serde::{Deserialize, Serialize};

use crate::{
    gateway, organisation,
    pallet::Config,
    types::{Label, Organisation, Quotas},
};

/// An organisation of the first block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenesisOrganisation {
    /// Its name.
    pub name: OrganisationId,
    /// What it calls itself, at most 64 bytes.
    pub label: String,
    /// How much each of its gateways may have.
    pub quotas: Quotas,
    /// Whether ids without a '.' are its own.
    pub bare_names: bool,
}

/// A gateway of the first block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenesisGateway<AccountId> {
    /// Its account.
    pub account: AccountId,
    /// Whose it is.
    pub organisation: OrganisationId,
    /// Its short name.
    pub name: GatewayName,
    /// The key that it signs statements with.
    pub statement_key: VerifyingKey,
    /// The key that other custodians seal secrets to.
    pub custody_key: AgreementKey,
}

/// A certificate authority of the first block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenesisAuthority {
    /// Its id.
    pub id: AuthorityId,
    /// Whose it is.
    pub organisation: OrganisationId,
    /// Its key.
    pub key: VerifyingKey,
}

/// Admits the founders by the rules of the calls. A genesis that breaks one cannot be built.
pub(crate) fn build<T: Config>(
    organisations: &[GenesisOrganisation],
    gateways: &[GenesisGateway<T::AccountId>],
    authorities: &[GenesisAuthority],
) {
    for it in organisations {
        admit("organisation", &it.name, admit_organisation::<T>(it));
    }
    for it in gateways {
        let admitted = gateway::admit::<T>(
            it.account.clone(),
            it.organisation.clone(),
            bytes(it.name.as_bytes()),
            it.statement_key,
            it.custody_key,
        );
        admit("gateway", &it.name, admitted.map_err(text));
    }
    for it in authorities {
        let admitted = organisation::admit_authority::<T>(
            bytes(it.id.as_bytes()),
            it.organisation.clone(),
            it.key,
        );
        admit("authority", &it.id, admitted.map_err(text));
    }
}

#[expect(
    clippy::panic,
    reason = "there is no other way to refuse a genesis, and no chain yet that could be harmed"
)]
fn admit(what: &str, id: &impl Debug, result: Result<(), String>) {
    if let Err(refused) = result {
        panic!("{what} {id:?} of the genesis is refused: {refused}");
    }
}

fn admit_organisation<T: Config>(it: &GenesisOrganisation) -> Result<(), String> {
    let label = Label::try_from(Vec::from(it.label.as_bytes()));
    let organisation = Organisation {
        label: label.map_err(|_| String::from("its label is longer than 64 bytes"))?,
        quotas: it.quotas,
    };
    organisation::admit::<T>(bytes(it.name.as_bytes()), organisation, it.bare_names).map_err(text)
}

/// The bytes of an id that is one already: the same bound holds for both.
fn bytes(id: &[u8]) -> IdBytes {
    IdBytes::truncate_from(Vec::from(id))
}

fn text(refused: impl Debug) -> String {
    format!("{refused:?}")
}
