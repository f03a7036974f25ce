//! A group's revision rises with each change of what its statement says, and with no other.

use frame_support::assert_ok;
use keyward_protocol::{policy::Policy, Commitment, DeviceId, Digest, GroupId, Role};

use super::{builders::*, *};
use crate::Changes;

/// An active group without rekeying on join, with two devices of ANNE: one a member that publishes.
fn scene() -> (GroupId, [DeviceId; 2]) {
    let devices = ["acme.d", "acme.e"].map(|name| register(name, &ANNE));
    let policy = Policy {
        rekey_on_join: false,
        ..Policy::default()
    };
    let group = create_group_with("acme.g", policy);
    (1..=5).for_each(|epoch| stage(&group, epoch));
    add(&group, &devices[0], Role::Both);
    next_block();
    (group, devices)
}

fn seen(id: &GroupId) -> (u64, u64) {
    (group(id).revision, Changes::<Test>::get())
}

/// This change raises revision and change counter, and says at which block.
fn raises(id: &GroupId, what: &str, change: impl FnOnce()) {
    next_block();
    let before = seen(id);
    change();
    let after = seen(id);
    assert!(
        after.0 > before.0,
        "{what}: revision {} after {}",
        after.0,
        before.0
    );
    assert!(
        after.1 > before.1,
        "{what}: changes {} after {}",
        after.1,
        before.1
    );
    assert_eq!(group(id).revised_at, System::block_number(), "{what}");
}

/// This does not change what the group's statement says.
fn keeps(id: &GroupId, what: &str, change: impl FnOnce()) {
    next_block();
    let before = (group(id).revision, group(id).revised_at);
    change();
    assert_eq!((group(id).revision, group(id).revised_at), before, "{what}");
}

/// KEX-7.
#[test]
fn it_rises_with_epochs_policy_state_and_custodians() {
    run(|| {
        let (id, _) = scene();
        let g = || id.clone();
        raises(&id, "rotation", || {
            assert_ok!(Fleet::rotate(by(&ANNE), g()));
        });
        raises(&id, "policy", || {
            let policy = Policy {
                grace: 1,
                rekey_on_join: false,
                ..Policy::default()
            };
            assert_ok!(Fleet::set_policy(by(&ANNE), g(), policy));
        });
        raises(&id, "freezing", || {
            assert_ok!(Fleet::freeze_group(council(), g()));
        });
        raises(&id, "thawing", || {
            assert_ok!(Fleet::thaw_group(council(), g()));
        });
        raises(&id, "a custodian's leaving", || {
            assert_ok!(Fleet::set_custodians(by(&ANNE), g(), list([ANNE])));
        });
        let awaited = group(&id).epoch;
        raises(&id, "activation", || stage(&id, awaited));
        raises(&id, "withdrawal of the epoch", || {
            assert_ok!(Fleet::withdraw_staged(by(&ANNE), g(), awaited));
        });
        raises(&id, "closing", || {
            assert_ok!(Fleet::close_group(by(&ANNE), g()));
        });
    });
}

#[test]
fn it_rises_with_everything_that_changes_the_publishers() {
    run(|| {
        let (id, [d, e]) = scene();
        raises(&id, "a joining publisher", || add(&id, &e, Role::Publish));
        raises(&id, "suspension", || {
            assert_ok!(Fleet::suspend_device(by(&ANNE), d.clone()));
        });
        raises(&id, "reinstatement", || {
            assert_ok!(Fleet::reinstate_device(by(&ANNE), d.clone()));
        });
        raises(&id, "new keys", || {
            assert_ok!(Replacement::of("acme.d", "new").submit());
        });
        raises(&id, "removal", || remove(&id, &d));
        raises(&id, "revocation", || {
            assert_ok!(Fleet::revoke_device(by(&ANNE), e.clone()));
        });
    });
}

#[test]
fn it_rises_with_a_second_change_in_the_block_of_an_advance() {
    run(|| {
        let (id, [d, e]) = scene();
        next_block();
        add(&id, &e, Role::Publish);
        remove(&id, &d);
        let before = seen(&id).0;
        remove(&id, &e);
        assert!(seen(&id).0 > before);
    });
}

#[test]
fn it_rises_when_a_leaving_custodian_makes_the_group_await() {
    run(|| {
        let (id, _) = scene();
        raises(&id, "suspension of a custodian", || {
            assert_ok!(Fleet::suspend_gateway(council(), BERT));
        });
    });
}

#[test]
fn it_keeps_with_what_no_statement_says() {
    run(|| {
        let (id, [d, e]) = scene();
        let g = || id.clone();
        keeps(&id, "staging", || stage(&id, 6));
        keeps(&id, "withdrawal of a staged epoch", || {
            assert_ok!(Fleet::withdraw_staged(by(&ANNE), g(), 6));
        });
        keeps(&id, "delivery", || {
            assert_ok!(Fleet::record_delivery(
                by(&ANNE),
                g(),
                1,
                1,
                Digest([0; 32])
            ));
        });
        keeps(&id, "receipt", || {
            assert_ok!(acknowledge(&id, receipt(&id, &d, 1, commitment(1))));
            assert_ok!(acknowledge(&id, receipt(&id, &d, 1, Commitment([1; 32]))));
        });
        keeps(&id, "anchor", || {
            assert_ok!(Fleet::anchor(by(&ANNE), g(), Digest([0; 32]), 1, 1, 1));
        });
        keeps(&id, "invitation", || {
            let foreign = register_foreign("globex.d");
            add(&id, &foreign, Role::Both);
            remove(&id, &foreign);
        });
        keeps(&id, "a device that is no member", || {
            assert_ok!(Fleet::suspend_device(by(&ANNE), e.clone()));
        });
    });
}

#[test]
fn nothing_refused_raises_it() {
    run(|| {
        let (id, [d, _]) = scene();
        let before = seen(&id);
        let members = list([(d, Role::Both)]);
        assert!(Fleet::add_members(by(&ANNE), id.clone(), members).is_err());
        assert!(Fleet::rotate(by(&BERT), id.clone()).is_err());
        assert_eq!(seen(&id), before);
    });
}

#[test]
fn the_change_counter_rises_with_what_device_statements_say() {
    run(|| {
        let (id, [d, _]) = scene();
        let raises = |what: &str, change: &dyn Fn()| {
            let before = Changes::<Test>::get();
            change();
            assert!(Changes::<Test>::get() > before, "{what}");
        };
        raises("another owner", &|| {
            assert_ok!(Fleet::transfer_device(council(), d.clone(), BERT));
        });
        raises("a custodian that joins", &|| {
            assert_ok!(Fleet::set_custodians(
                by(&ANNE),
                id.clone(),
                list([ANNE, BERT, CORA])
            ));
        });
        raises("a gateway's keys", &|| {
            let keys = Keys::of("replaced");
            let (statement, custody) = (keys.verifying(), keys.agreement);
            assert_ok!(Fleet::replace_gateway_keys(
                by(&CORA),
                CORA,
                statement,
                custody
            ));
        });
        raises("a subscriber", &|| {
            let device = register("acme.subscriber", &ANNE);
            add(&id, &device, Role::Subscribe);
        });
        raises("a registration", &|| {
            register("acme.f", &ANNE);
        });
    });
}
