//! Governance admits organisations, gateways and authorities; nobody else does.

use frame_support::{assert_noop, assert_ok};
use keyward_protocol::view::{AuthorityStatus, GatewayStatus};
use sp_runtime::DispatchError::BadOrigin;

use super::{builders::*, *};
use crate::{Authorities, BareNames, Error, Gateways, Organisations};

type E = Error<Test>;

fn label() -> crate::Label {
    list(*b"Initech")
}

fn admit(name: &str, bare_names: bool) -> sp_runtime::DispatchResult {
    Fleet::admit_organisation(council(), bytes(name), label(), QUOTAS, bare_names)
}

fn gateway(account: [u8; 32], name: &str, keys: &Keys) -> sp_runtime::DispatchResult {
    let organisation = organisation("acme");
    let (statement, custody) = (keys.verifying(), keys.agreement);
    Fleet::admit_gateway(
        council(),
        account.into(),
        organisation,
        bytes(name),
        statement,
        custody,
    )
}

#[test]
fn root_is_governance_too() {
    run(|| {
        let root = RuntimeOrigin::root();
        assert_ok!(Fleet::admit_organisation(
            root,
            bytes("initech"),
            label(),
            QUOTAS,
            false
        ));
        assert!(Organisations::<Test>::contains_key(organisation("initech")));
    });
}

#[test]
fn an_organisation_is_admitted_once() {
    run(|| {
        assert_noop!(admit("acme", false), E::OrganisationExists);
    });
}

#[test]
fn the_name_of_an_organisation_is_an_identifier_without_a_dot() {
    run(|| {
        assert_noop!(admit("", false), E::BadId);
        assert_noop!(admit("ini tech", false), E::BadId);
        assert_noop!(admit("ini.tech", false), E::OrganisationHasDot);
    });
}

#[test]
fn one_organisation_at_most_has_the_bare_names() {
    run(|| {
        assert_ok!(admit("initech", true));
        assert_eq!(BareNames::<Test>::get(), Some(organisation("initech")));
        assert_noop!(admit("hooli", true), E::BareNamesTaken);
    });
}

#[test]
fn there_are_at_most_256_organisations() {
    run(|| {
        for number in Organisations::<Test>::count()..256 {
            assert_ok!(admit(&format!("o{number}"), false));
        }
        assert_noop!(admit("one-more", false), E::TooManyOrganisations);
    });
}

#[test]
fn an_admitted_gateway_may_submit_transactions() {
    run(|| {
        let account = AccountId32::new([7; 32]);
        assert!(!Admission::is_admitted(&account));
        admit_gateway(&account, "acme", "seven");
        assert!(Admission::is_admitted(&account));
        let gateway = Gateways::<Test>::get(&account).unwrap();
        assert_eq!(gateway.status, GatewayStatus::Active);
        assert_eq!(gateway.name.as_str(), "acme.seven");
    });
}

#[test]
fn a_refused_gateway_is_not_admitted_to_submit_transactions() {
    run(|| {
        assert_noop!(
            gateway([7; 32], "acme.anne", &Keys::of("new")),
            E::GatewayNameUsed
        );
        assert!(!Admission::is_admitted(&[7; 32].into()));
    });
}

#[test]
fn an_account_and_a_short_name_are_a_gateway_s_once_and_for_ever() {
    run(|| {
        let new = Keys::of("new");
        assert_noop!(gateway([1; 32], "acme.new", &new), E::GatewayExists);
        assert_noop!(gateway([7; 32], "acme.anne", &new), E::GatewayNameUsed);
        assert_ok!(Fleet::expel_gateway(council(), ANNE));
        assert_noop!(gateway([1; 32], "acme.new", &new), E::GatewayExists);
        assert_noop!(gateway([7; 32], "acme.anne", &new), E::GatewayNameUsed);
    });
}

#[test]
fn a_gateway_has_an_organisation_and_a_short_name_of_it() {
    run(|| {
        let new = Keys::of("new");
        let (statement, custody) = (new.verifying(), new.agreement);
        let nowhere = organisation("nowhere");
        let account = AccountId32::new([7; 32]);
        let name = bytes("nowhere.gw");
        assert_noop!(
            Fleet::admit_gateway(council(), account, nowhere, name, statement, custody),
            E::UnknownOrganisation
        );
        assert_noop!(gateway([7; 32], "a/b", &new), E::BadId);
        assert_noop!(gateway([7; 32], "globex.gw", &new), E::ForeignId);
        assert_noop!(gateway([7; 32], "bare", &new), E::ForeignId);
    });
}

#[test]
fn bare_names_are_for_the_organisation_that_has_them() {
    run(|| {
        assert_ok!(admit("initech", true));
        let keys = Keys::of("bare");
        let admit_authority = |id: &str, of: &str| {
            Fleet::admit_authority(council(), bytes(id), organisation(of), keys.verifying())
        };
        assert_noop!(admit_authority("ca", "acme"), E::ForeignId);
        assert_noop!(admit_authority("acme.other", "initech"), E::ForeignId);
        assert_ok!(admit_authority("ca", "initech"));
    });
}

#[test]
fn a_suspended_gateway_may_do_nothing_until_it_is_reinstated() {
    run(|| {
        assert_ok!(Fleet::suspend_gateway(council(), ANNE));
        assert_noop!(Fleet::suspend_gateway(council(), ANNE), E::AlreadySuspended);
        assert_noop!(Enrolment::of("acme.d").submit(), E::GatewayNotActive);
        assert_ok!(Fleet::reinstate_gateway(council(), ANNE));
        assert_noop!(Fleet::reinstate_gateway(council(), ANNE), E::AlreadyActive);
        assert_ok!(Enrolment::of("acme.d").submit());
    });
}

#[test]
fn the_committee_may_suspend_a_gateway_and_freeze_a_group_and_nothing_else() {
    run(|| {
        let group = create_group("acme.g");
        assert_ok!(Fleet::suspend_gateway(committee(), BERT));
        assert_ok!(Fleet::freeze_group(committee(), group.clone()));
        assert_noop!(Fleet::reinstate_gateway(committee(), BERT), BadOrigin);
        assert_noop!(Fleet::expel_gateway(committee(), BERT), BadOrigin);
        assert_noop!(Fleet::thaw_group(committee(), group), BadOrigin);
        let ca = authority_id("acme.ca");
        assert_noop!(Fleet::revoke_authority(committee(), ca), BadOrigin);
    });
}

#[test]
fn an_expelled_gateway_never_comes_back() {
    run(|| {
        assert_ok!(Fleet::expel_gateway(council(), ANNE));
        assert_noop!(Fleet::expel_gateway(council(), ANNE), E::GatewayExpelled);
        assert_noop!(Fleet::suspend_gateway(council(), ANNE), E::GatewayExpelled);
        assert_noop!(
            Fleet::reinstate_gateway(council(), ANNE),
            E::GatewayExpelled
        );
        assert_noop!(Enrolment::of("acme.d").submit(), E::GatewayNotActive);
    });
}

#[test]
fn an_unknown_gateway_cannot_be_suspended_reinstated_or_expelled() {
    run(|| {
        assert_noop!(Fleet::suspend_gateway(council(), NOBODY), E::UnknownGateway);
        assert_noop!(
            Fleet::reinstate_gateway(council(), NOBODY),
            E::UnknownGateway
        );
        assert_noop!(Fleet::expel_gateway(council(), NOBODY), E::UnknownGateway);
    });
}

#[test]
fn a_suspended_gateway_can_be_expelled() {
    run(|| {
        assert_ok!(Fleet::suspend_gateway(council(), ANNE));
        assert_ok!(Fleet::expel_gateway(council(), ANNE));
        let status = Gateways::<Test>::get(ANNE).unwrap().status;
        assert_eq!(status, GatewayStatus::Expelled);
    });
}

#[test]
fn an_authority_s_id_is_used_once_and_for_ever() {
    run(|| {
        let again = || {
            let key = Keys::of("another").verifying();
            Fleet::admit_authority(council(), bytes("acme.ca"), organisation("acme"), key)
        };
        assert_noop!(again(), E::AuthorityExists);
        assert_ok!(Fleet::revoke_authority(council(), authority_id("acme.ca")));
        assert_noop!(again(), E::AuthorityExists);
        let status = Authorities::<Test>::get(authority_id("acme.ca"))
            .unwrap()
            .status;
        assert_eq!(status, AuthorityStatus::Revoked);
    });
}

#[test]
fn an_authority_is_of_an_organisation_and_is_revoked_once() {
    run(|| {
        let key = Keys::of("another").verifying();
        assert_noop!(
            Fleet::admit_authority(council(), bytes("no.ca"), organisation("no"), key),
            E::UnknownOrganisation
        );
        let unknown = authority_id("acme.unknown");
        assert_noop!(
            Fleet::revoke_authority(council(), unknown),
            E::UnknownAuthority
        );
        assert_ok!(Fleet::revoke_authority(council(), authority_id("acme.ca")));
        assert_noop!(
            Fleet::revoke_authority(council(), authority_id("acme.ca")),
            E::AuthorityRevoked
        );
    });
}
