//! Quotas: devices and groups of each gateway, members of each group.

use frame_support::{assert_noop, assert_ok};
use keyward_protocol::{DeviceId, GroupId, Role};
use sp_runtime::DispatchResult;

use super::{builders::*, *};
use crate::{Error, Groups, Quotas};

type E = Error<Test>;

/// A gateway of an organisation that may have two devices, two groups and one member in each.
const TINY: AccountId32 = AccountId32::new([7; 32]);

fn tiny() {
    let quotas = Quotas {
        devices: 2,
        groups: 2,
        members: 1,
    };
    admit_organisation("tiny", quotas);
    admit_gateway(&TINY, "tiny", "gw");
    admit_authority("tiny.ca", "tiny");
}

fn register_tiny(name: &str) -> DispatchResult {
    Enrolment::of(name)
        .under(&TINY)
        .vouched_by("tiny.ca")
        .submit()
}

fn create(name: &str) -> DispatchResult {
    let custodians = list([TINY]);
    Fleet::create_group(
        by(&TINY),
        bytes(name),
        filters(["t"]),
        Default::default(),
        custodians,
    )
}

fn add_tiny(device: &DeviceId) -> DispatchResult {
    Fleet::add_members(
        by(&TINY),
        group_id("tiny.g"),
        list([(device.clone(), Role::Both)]),
    )
}

#[test]
fn a_gateway_has_no_more_devices_than_its_quota_and_revoked_ones_do_not_count() {
    run(|| {
        tiny();
        assert_ok!(register_tiny("tiny.a"));
        assert_ok!(register_tiny("tiny.b"));
        assert_noop!(register_tiny("tiny.c"), E::DeviceQuota);
        assert_ok!(Fleet::suspend_device(by(&TINY), device_id("tiny.a")));
        assert_noop!(register_tiny("tiny.c"), E::DeviceQuota);
        assert_ok!(Fleet::revoke_device(by(&TINY), device_id("tiny.a")));
        assert_ok!(register_tiny("tiny.c"));
    });
}

#[test]
fn devices_that_are_transferred_count_too() {
    run(|| {
        tiny();
        assert_ok!(register_tiny("tiny.a"));
        assert_ok!(register_tiny("tiny.b"));
        let device = register("acme.d", &ANNE);
        assert_ok!(Fleet::transfer_device(by(&ANNE), device.clone(), TINY));
        assert_noop!(
            Fleet::transfer_device(by(&TINY), device.clone(), TINY),
            E::DeviceQuota
        );
        assert_ok!(Fleet::revoke_device(by(&TINY), device_id("tiny.a")));
        assert_ok!(Fleet::transfer_device(by(&TINY), device, TINY));
    });
}

#[test]
fn a_gateway_has_no_more_groups_than_its_quota_and_closed_ones_do_not_count() {
    run(|| {
        tiny();
        assert_ok!(create("tiny.g"));
        assert_ok!(create("tiny.h"));
        assert_noop!(create("tiny.i"), E::GroupQuota);
        let group = create_group("acme.g");
        assert_noop!(Fleet::transfer_admin(council(), group, TINY), E::GroupQuota);
        assert_ok!(Fleet::close_group(by(&TINY), group_id("tiny.g")));
        assert_ok!(create("tiny.i"));
    });
}

#[test]
fn a_group_has_no_more_members_than_its_quota_suspended_ones_included() {
    run(|| {
        tiny();
        assert_ok!(create("tiny.g"));
        for name in ["tiny.a", "tiny.b"] {
            assert_ok!(register_tiny(name));
        }
        let [a, b] = ["tiny.a", "tiny.b"].map(device_id);
        assert_ok!(add_tiny(&a));
        assert_noop!(add_tiny(&b), E::MemberQuota);
        assert_ok!(Fleet::suspend_device(by(&TINY), a.clone()));
        assert_noop!(add_tiny(&b), E::MemberQuota);
        assert_ok!(Fleet::remove_members(
            by(&TINY),
            group_id("tiny.g"),
            list([a])
        ));
        assert_ok!(add_tiny(&b));
    });
}

#[test]
fn members_by_consent_count_too() {
    run(|| {
        tiny();
        assert_ok!(create("tiny.g"));
        assert_ok!(register_tiny("tiny.a"));
        let foreign = register_foreign("globex.d");
        assert_ok!(add_tiny(&foreign));
        assert_ok!(add_tiny(&device_id("tiny.a")));
        let group = group_id("tiny.g");
        let accept =
            || Fleet::accept_membership(by(&CORA), group.clone(), foreign.clone(), filters(["t"]));
        assert_noop!(accept(), E::MemberQuota);
        let leaving = list([device_id("tiny.a")]);
        assert_ok!(Fleet::remove_members(by(&TINY), group.clone(), leaving));
        assert_ok!(accept());
    });
}

fn claim_publishers(group: &GroupId, publishers: u32) {
    Groups::<Test>::mutate(group, |group| {
        group.as_mut().unwrap().publishers = publishers;
    });
}

#[test]
fn a_group_has_at_most_4096_publishers() {
    run(|| {
        let group = create_group("acme.g");
        let device = register("acme.d", &ANNE);
        claim_publishers(&group, 4096);
        let add = |role| {
            let members = list([(device.clone(), role)]);
            Fleet::add_members(by(&ANNE), group.clone(), members)
        };
        assert_noop!(add(Role::Publish), E::TooManyPublishers);
        assert_noop!(add(Role::Both), E::TooManyPublishers);
        assert_ok!(add(Role::Subscribe));
        claim_publishers(&group, 0);
    });
}
