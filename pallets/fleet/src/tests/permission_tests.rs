//! Who may do what: every call, by everybody who may not.

use frame_support::{assert_noop, assert_ok};
use keyward_protocol::{policy::Policy, Commitment, Digest, Role};
use sp_runtime::{traits::Dispatchable, DispatchError};

use super::{builders::*, *};
use crate::{Call, Error};

type E = Error<Test>;

fn governance_calls() -> Vec<Call<Test>> {
    let keys = Keys::of("fresh");
    let (statement_key, custody_key) = (keys.verifying(), keys.agreement);
    vec![
        Call::admit_organisation {
            name: bytes("initech"),
            label: list([]),
            quotas: QUOTAS,
            bare_names: false,
        },
        Call::admit_gateway {
            account: NOBODY,
            organisation: organisation("acme"),
            name: bytes("acme.new"),
            statement_key,
            custody_key,
        },
        Call::suspend_gateway { account: BERT },
        Call::reinstate_gateway { account: BERT },
        Call::expel_gateway { account: BERT },
        Call::admit_authority {
            id: bytes("acme.ca2"),
            organisation: organisation("acme"),
            key: statement_key,
        },
        Call::revoke_authority {
            id: authority_id("acme.ca"),
        },
        Call::freeze_group {
            group: group_id("acme.g"),
        },
        Call::thaw_group {
            group: group_id("acme.g"),
        },
    ]
}

/// Calls about `acme.d` of ANNE and `acme.g`, which she administers.
fn owner_calls() -> Vec<Call<Test>> {
    let (group, device) = (group_id("acme.g"), device_id("acme.d"));
    vec![
        Call::suspend_device {
            device: device.clone(),
        },
        Call::reinstate_device {
            device: device.clone(),
        },
        Call::revoke_device {
            device: device.clone(),
        },
        Call::accept_membership {
            group: group.clone(),
            device: device.clone(),
            filters: filters(["acme.g"]),
        },
        Call::replace_device_keys {
            authorisation: Replacement::of("acme.d", "new").authorisation(),
        },
    ]
}

fn admin_calls() -> Vec<Call<Test>> {
    let (group, device) = (group_id("acme.g"), device_id("acme.d"));
    vec![
        Call::set_policy {
            group: group.clone(),
            policy: Policy::default(),
        },
        Call::set_custodians {
            group: group.clone(),
            custodians: list([BERT]),
        },
        Call::transfer_admin {
            group: group.clone(),
            to: BERT,
        },
        Call::add_members {
            group: group.clone(),
            members: list([(device_id("acme.e"), Role::Both)]),
        },
        Call::remove_members {
            group: group.clone(),
            devices: list([device]),
        },
        Call::close_group { group },
    ]
}

fn custodian_calls() -> Vec<Call<Test>> {
    let group = group_id("acme.g");
    vec![
        Call::stage_epoch {
            group: group.clone(),
            epoch: 2,
            commitment: Commitment([2; 32]),
        },
        Call::anchor {
            group,
            root: Digest([1; 32]),
            count: 1,
            first: 1,
            last: 2,
        },
    ]
}

fn set_the_scene() {
    let device = register("acme.d", &ANNE);
    register("acme.e", &ANNE);
    let group = active_group("acme.g", 0);
    add(&group, &device, Role::Both);
}

/// Refused with this error, and nothing changed.
fn refused(call: Call<Test>, who: RuntimeOrigin, error: impl Into<DispatchError>) {
    let name = format!("{call:?}");
    let before = sp_io::storage::root(sp_runtime::StateVersion::V1);
    let outcome = RuntimeCall::Fleet(call).dispatch(who);
    assert_eq!(
        outcome.map(drop).map_err(|e| e.error),
        Err(error.into()),
        "{name}"
    );
    assert_eq!(
        before,
        sp_io::storage::root(sp_runtime::StateVersion::V1),
        "{name}"
    );
}

#[test]
fn what_governance_does_no_gateway_does() {
    run(|| {
        set_the_scene();
        for call in governance_calls() {
            refused(call.clone(), by(&ANNE), DispatchError::BadOrigin);
            refused(call.clone(), by(&NOBODY), DispatchError::BadOrigin);
            refused(call, RuntimeOrigin::none(), DispatchError::BadOrigin);
        }
    });
}

#[test]
fn only_its_owner_acts_for_a_device() {
    run(|| {
        set_the_scene();
        for call in owner_calls() {
            refused(call.clone(), by(&BERT), E::NotOwner);
            refused(call.clone(), by(&CORA), E::NotOwner);
            refused(call.clone(), by(&NOBODY), E::NotGateway);
            refused(call.clone(), committee(), E::NotGateway);
            refused(call, RuntimeOrigin::none(), DispatchError::BadOrigin);
        }
    });
}

#[test]
fn only_its_administrator_acts_for_a_group() {
    run(|| {
        set_the_scene();
        for call in admin_calls() {
            // A custodian is no administrator, nor is a gateway of another organisation.
            refused(call.clone(), by(&BERT), E::NotAdmin);
            refused(call.clone(), by(&CORA), E::NotAdmin);
            refused(call.clone(), by(&NOBODY), E::NotGateway);
            refused(call, RuntimeOrigin::none(), DispatchError::BadOrigin);
        }
    });
}

#[test]
fn only_an_active_custodian_commits_and_anchors() {
    run(|| {
        set_the_scene();
        for call in custodian_calls() {
            refused(call.clone(), by(&CORA), E::NotCustodian);
            refused(call.clone(), by(&NOBODY), E::NotGateway);
            refused(
                call.clone(),
                RuntimeOrigin::root(),
                DispatchError::BadOrigin,
            );
        }
        assert_ok!(Fleet::set_custodians(
            by(&ANNE),
            group_id("acme.g"),
            list([BERT])
        ));
        // The administrator is not a custodian any more.
        for call in custodian_calls() {
            refused(call, by(&ANNE), E::NotCustodian);
        }
    });
}

#[test]
fn a_gateway_that_is_not_active_may_do_nothing() {
    run(|| {
        set_the_scene();
        let all = || [owner_calls(), admin_calls(), custodian_calls()].concat();
        assert_ok!(Fleet::suspend_gateway(council(), ANNE));
        for call in all() {
            refused(call, by(&ANNE), E::GatewayNotActive);
        }
        assert_ok!(Fleet::expel_gateway(council(), ANNE));
        for call in all() {
            refused(call, by(&ANNE), E::GatewayNotActive);
        }
        let none = list([]);
        assert_noop!(
            Fleet::acknowledge(by(&ANNE), group_id("acme.g"), none),
            E::GatewayNotActive
        );
    });
}

#[test]
fn governance_acts_for_a_gateway_and_the_event_says_so() {
    run(|| {
        set_the_scene();
        let (group, device) = (group_id("acme.g"), device_id("acme.d"));
        assert_ok!(Fleet::suspend_device(council(), device.clone()));
        assert_ok!(Fleet::reinstate_device(
            RuntimeOrigin::root(),
            device.clone()
        ));
        assert_ok!(Fleet::remove_members(
            council(),
            group.clone(),
            list([device.clone()])
        ));
        assert_ok!(Fleet::set_policy(
            council(),
            group.clone(),
            Policy {
                grace: 1,
                ..Policy::default()
            }
        ));
        assert_ok!(Fleet::close_group(council(), group.clone()));
        assert_ok!(Fleet::revoke_device(council(), device.clone()));
        let by_governance = true;
        let d = || device.clone();
        let g = || group.clone();
        for event in [
            crate::Event::DeviceSuspended {
                device: d(),
                by_governance,
            },
            crate::Event::DeviceReinstated {
                device: d(),
                by_governance,
            },
            crate::Event::MemberRemoved {
                group: g(),
                device: d(),
                by_governance,
            },
            crate::Event::PolicyChanged {
                group: g(),
                by_governance,
            },
            crate::Event::GroupClosed {
                group: g(),
                by_governance,
            },
            crate::Event::DeviceRevoked {
                device: d(),
                by_governance,
            },
        ] {
            System::assert_has_event(event.into());
        }
    });
}

/// REG-8.
#[test]
fn governance_never_sets_a_device_s_keys() {
    run(|| {
        set_the_scene();
        let authorisation = Replacement::of("acme.d", "new").authorisation();
        let call = || Call::replace_device_keys {
            authorisation: authorisation.clone(),
        };
        refused(call(), RuntimeOrigin::root(), DispatchError::BadOrigin);
        refused(call(), council(), E::NotGateway);
        let enrolment = Enrolment::of("acme.f");
        let registration = || Call::register_device {
            voucher: enrolment.voucher.clone(),
            voucher_signature: enrolment.voucher_signature(),
            proof: enrolment.proof(),
        };
        refused(
            registration(),
            RuntimeOrigin::root(),
            DispatchError::BadOrigin,
        );
        refused(registration(), council(), E::NotGateway);
    });
}
