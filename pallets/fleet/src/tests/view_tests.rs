//! What the runtime API and view functions answer.

use frame_support::assert_ok;
use keyward_protocol::{
    statement::GroupState,
    view::{AuthorityStatus, CustodyView, DeviceStatus, GatewayStatus, InvitationView},
    DeviceId, Role,
};

use super::{builders::*, *};

#[test]
fn gateways_and_authorities_are_listed_by_rising_key_the_former_ones_included() {
    run(|| {
        assert_ok!(Fleet::expel_gateway(council(), BERT));
        assert_ok!(Fleet::revoke_authority(
            council(),
            authority_id("globex.ca")
        ));
        let gateways = Fleet::gateways();
        let accounts: Vec<_> = gateways.iter().map(|gateway| gateway.account).collect();
        assert_eq!(accounts, [ANNE, BERT, CORA].map(|who| raw(&who)));
        assert_eq!(gateways[1].status, GatewayStatus::Expelled);
        let authorities = Fleet::authorities();
        let ids: Vec<_> = authorities
            .iter()
            .map(|a| (a.authority.as_str(), a.status))
            .collect();
        let expected = [
            ("acme.ca", AuthorityStatus::Active),
            ("globex.ca", AuthorityStatus::Revoked),
        ];
        assert_eq!(ids, expected);
        assert_eq!(
            Fleet::gateway(raw(&CORA)).unwrap().name.as_str(),
            "globex.cora"
        );
        assert_eq!(Fleet::gateway(raw(&NOBODY)), None);
    });
}

#[test]
fn a_device_is_shown_with_its_groups_and_their_active_custodians() {
    run(|| {
        let device = register("acme.d", &ANNE);
        let groups = ["acme.h", "acme.g"].map(create_group);
        groups
            .iter()
            .for_each(|group| add(group, &device, Role::Publish));
        assert_ok!(Fleet::suspend_gateway(council(), BERT));
        let view = Fleet::device(device.clone()).unwrap();
        assert_eq!((view.owner, view.key_version), (raw(&ANNE), 1));
        assert_eq!(view.status, DeviceStatus::Active);
        let shown: Vec<_> = view.groups.iter().map(|m| m.group.as_str()).collect();
        assert_eq!(shown, ["acme.g", "acme.h"]);
        assert_eq!(view.groups[0].role, Role::Publish);
        assert_eq!(view.groups[0].custodians, [raw(&ANNE)]);
        assert_eq!(Fleet::device(device_id("acme.unknown")), None);
    });
}

#[test]
fn a_revoked_device_is_shown_without_groups() {
    run(|| {
        let device = register("acme.d", &ANNE);
        add(&create_group("acme.g"), &device, Role::Both);
        assert_ok!(Fleet::revoke_device(by(&ANNE), device.clone()));
        let view = Fleet::device(device).unwrap();
        assert_eq!((view.status, view.groups.len()), (DeviceStatus::Revoked, 0));
    });
}

#[test]
fn a_group_is_shown_with_its_epochs_and_what_is_staged() {
    run(|| {
        let group = active_group("acme.g", 2);
        assert_ok!(Fleet::rotate(by(&ANNE), group.clone()));
        let view = Fleet::group(group.clone()).unwrap();
        assert_eq!((view.epoch, view.state), (2, GroupState::Active));
        assert_eq!(view.staged.iter().map(|s| s.epoch).collect::<Vec<_>>(), [3]);
        assert_eq!(view.custodians, [raw(&ANNE), raw(&BERT)]);
        let exchanges: Vec<_> = view.exchanges.iter().map(|(epoch, _)| *epoch).collect();
        assert_eq!(exchanges, [1, 2]);
        let current = &view.exchanges[1].1;
        assert_eq!(current.committed, Some((commitment(2), raw(&ANNE))));
        assert_eq!(Fleet::group(group_id("acme.unknown")), None);
    });
}

/// Reads pages of two until one is empty.
fn pages<T: Clone, K>(read: impl Fn(Option<K>) -> Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut all: Vec<T> = Vec::new();
    loop {
        let page = read(all.last().map(&key));
        assert!(page.len() <= 2);
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

#[test]
fn pages_list_everything_once() {
    run(|| {
        let devices: Vec<DeviceId> = (0..7)
            .map(|n| register(&format!("acme.d{n}"), &ANNE))
            .collect();
        let foreign = register_foreign("globex.d");
        let group = create_group("acme.g");
        create_group("acme.h");
        create_group("acme.i");
        devices
            .iter()
            .for_each(|device| add(&group, device, Role::Both));
        assert_ok!(Fleet::revoke_device(by(&ANNE), devices[6].clone()));

        let members = pages(
            |after| Fleet::members(group.clone(), after, 2),
            |m| m.device.clone(),
        );
        let mut members: Vec<_> = members.into_iter().map(|member| member.device).collect();
        members.sort();
        assert_eq!(members, devices[..6]);

        let owned = pages(
            |after| Fleet::devices_of(raw(&ANNE), after, 2),
            |d| d.device.clone(),
        );
        assert_eq!(owned.len(), 6);

        let all = pages(|after| Fleet::devices(after, 2), |d| d.device.clone());
        assert_eq!(all.len(), 8);
        assert!(all.iter().any(|device| device.device == foreign));

        let groups = pages(|after| Fleet::groups(after, 2), Clone::clone);
        assert_eq!(groups.len(), 3);
    });
}

#[test]
fn a_page_of_nothing_is_empty() {
    run(|| {
        register("acme.d", &ANNE);
        assert!(Fleet::devices(None, 0).is_empty());
        assert!(Fleet::members(group_id("acme.unknown"), None, 10).is_empty());
        assert!(Fleet::devices_of(raw(&NOBODY), None, 10).is_empty());
    });
}

#[test]
fn a_member_is_shown_with_its_keys_and_what_it_acknowledged() {
    run(|| {
        let device = register("acme.d", &ANNE);
        let group = active_group("acme.g", 2);
        add(&group, &device, Role::Both);
        next_block();
        assert_ok!(acknowledge(
            &group,
            receipt(&group, &device, 2, commitment(2))
        ));
        let members = Fleet::members(group.clone(), None, 10);
        let [member] = &members[..] else {
            panic!("one member, not {members:?}")
        };
        let keys = Keys::of("acme.d");
        assert_eq!(
            (member.signing_key, member.agreement_key),
            (keys.verifying(), keys.agreement)
        );
        assert_eq!((member.active, member.acknowledged), (true, Some((2, 3))));
        assert_eq!((member.joined_epoch, member.owner), (2, raw(&ANNE)));
        assert_ok!(Fleet::suspend_device(by(&ANNE), device));
        assert!(!Fleet::members(group, None, 10)[0].active);
    });
}

#[test]
fn custody_lists_the_groups_of_an_active_custodian() {
    run(|| {
        let group = active_group("acme.g", 2);
        let custody = Fleet::custody(raw(&BERT));
        let [CustodyView {
            group: of,
            epoch,
            state,
            staged,
            revision,
        }] = &custody[..]
        else {
            panic!("one group, not {custody:?}")
        };
        assert_eq!(
            (of, *epoch, *state, *staged),
            (&group, 1, GroupState::Active, 2)
        );
        assert_eq!(*revision, Fleet::group(group).unwrap().revision);
        assert!(Fleet::custody(raw(&CORA)).is_empty());
        assert_ok!(Fleet::suspend_gateway(council(), BERT));
        assert!(Fleet::custody(raw(&BERT)).is_empty());
    });
}

#[test]
fn invitations_are_listed_for_the_owner() {
    run(|| {
        let device = register_foreign("globex.d");
        let group = create_group("acme.g");
        add(&group, &device, Role::Subscribe);
        let role = Role::Subscribe;
        let expected = InvitationView {
            group,
            device,
            role,
        };
        assert_eq!(Fleet::invitations(raw(&CORA)), [expected]);
        assert!(Fleet::invitations(raw(&ANNE)).is_empty());
    });
}

#[test]
fn permissions_tell_what_an_account_may_do() {
    run(|| {
        let group = create_group("acme.g");
        let anne = Fleet::permissions(raw(&ANNE));
        assert!(anne.admitted);
        assert_eq!(anne.gateway_of, Some(organisation("acme")));
        assert_eq!(anne.custodian_of, [group]);
        assert_eq!(Fleet::permissions(raw(&NOBODY)), Default::default());
        assert_ok!(Fleet::suspend_gateway(council(), ANNE));
        let anne = Fleet::permissions(raw(&ANNE));
        assert!(anne.admitted);
        assert_eq!((anne.gateway_of, anne.custodian_of), (None, vec![]));
    });
}

#[test]
fn views_answer_at_any_size_asked() {
    run(|| {
        register("acme.d", &ANNE);
        assert_eq!(Fleet::devices(None, u32::MAX).len(), 1);
        // A page after something that is not there is a page, not an error.
        let _ = Fleet::devices(Some(device_id("nowhere")), 10);
    });
}
