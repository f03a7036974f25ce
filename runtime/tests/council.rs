//! The council governs, from the first block.

mod chain;

use chain::{
    account, actors, apply, happened, local,
    motions::{decide, decide_in_committee},
};
use frame_support::{assert_ok, storage::unhashed};
use keyward_protocol::{policy::Policy, statement::GroupState, view::GatewayStatus, GroupId};
use keyward_runtime::{Governance, Grandpa, Runtime, RuntimeCall, System};
use pallet_fleet::Quotas;
use pallet_tx_pause::RuntimeCallNameOf;
use sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie, Eve, Ferdie};
use sp_runtime::{
    traits::{BlakeTwo256, Hash as _},
    transaction_validity::InvalidTransaction,
    DispatchError,
};

type Motions = pallet_collective::Call<Runtime, pallet_collective::Instance1>;
type Membership = pallet_membership::Call<Runtime, pallet_membership::Instance1>;
type TechnicalMembership = pallet_membership::Call<Runtime, pallet_membership::Instance2>;
type FleetCall = pallet_fleet::Call<Runtime>;

fn as_root(call: impl Into<RuntimeCall>) -> RuntimeCall {
    let call = Box::new(call.into());
    pallet_governance::Call::as_root { call }.into()
}

fn add_member(who: Sr25519Keyring) -> RuntimeCall {
    let who = account(who).into();
    Membership::add_member { who }.into()
}

/// A motion that waits for votes.
fn propose_nothing() -> Motions {
    Motions::propose {
        threshold: 2,
        proposal: Box::new(set_storage()),
        length_bound: 1_000,
    }
}

fn set_storage() -> RuntimeCall {
    let items = vec![(b"key".to_vec(), b"value".to_vec())];
    frame_system::Call::set_storage { items }.into()
}

#[test]
fn two_of_three_dispatch_a_call_with_root() {
    local().execute_with(|| {
        assert_ok!(decide(&[Bob, Charlie], as_root(set_storage())));
        assert_eq!(unhashed::get_raw(b"key"), Some(b"value".to_vec()));
        assert!(happened(pallet_governance::Event::DispatchedAsRoot));
    });
}

#[test]
fn the_motion_tells_when_the_inner_call_failed() {
    local().execute_with(|| {
        let nobody = frame_system::Call::remark_with_event { remark: vec![] };
        assert_eq!(
            decide(&[Alice, Bob], as_root(nobody)),
            Err(DispatchError::BadOrigin)
        );
        assert!(!happened(pallet_governance::Event::DispatchedAsRoot));
    });
}

#[test]
fn two_of_four_are_not_two_thirds() {
    local().execute_with(|| {
        assert_ok!(decide(&[Alice, Bob], add_member(Eve)));
        let refused = decide(&[Alice, Bob], as_root(set_storage()));
        assert_eq!(refused, Err(DispatchError::BadOrigin));
        assert_ok!(decide(&[Alice, Bob, Eve], as_root(set_storage())));
    });
}

#[test]
fn a_new_member_of_the_council_can_vote_at_once() {
    local().execute_with(|| {
        assert!(!Governance::is_admitted(&account(Eve)));
        assert_ok!(decide(&[Alice, Bob], add_member(Eve)));
        assert!(Governance::is_admitted(&account(Eve)));
        assert_ok!(decide(&[Alice, Bob, Eve], add_member(Ferdie)));
        assert_eq!(System::providers(&account(Ferdie)), 1);
    });
}

#[test]
fn a_member_that_left_stays_admitted_and_keeps_its_nonce() {
    local().execute_with(|| {
        assert_ok!(decide(&[Alice, Bob], add_member(Eve)));
        assert_ok!(apply(Eve, propose_nothing()).unwrap());
        let remove = Membership::remove_member {
            who: account(Eve).into(),
        };
        assert_ok!(decide(&[Alice, Bob, Charlie], remove));
        assert_eq!(System::account_nonce(account(Eve)), 1);
        assert!(Governance::is_admitted(&account(Eve)));
        let refused = InvalidTransaction::Custom(78).into();
        assert_eq!(apply(Eve, propose_nothing()), Err(refused));
    });
}

#[test]
fn members_are_set_by_membership_only() {
    local().execute_with(|| {
        let set = Motions::set_members {
            new_members: vec![account(Ferdie)],
            prime: None,
            old_count: 3,
        };
        assert_eq!(
            decide(&[Alice, Bob], as_root(set)),
            Err(DispatchError::BadOrigin)
        );
    });
}

#[test]
fn the_council_admits_an_organisation_without_root() {
    local().execute_with(|| {
        let admit = pallet_fleet::Call::admit_organisation {
            name: b"demo".to_vec().try_into().unwrap(),
            label: Default::default(),
            quotas: Quotas {
                devices: 1,
                groups: 1,
                members: 1,
            },
            bare_names: true,
        };
        assert_ok!(decide(&[Alice, Bob], admit.clone()));
        let again = decide(&[Alice, Bob], as_root(admit));
        assert!(matches!(again, Err(DispatchError::Module(_))), "{again:?}");
    });
}

#[test]
fn who_was_never_admitted_is_refused_by_that_name() {
    local().execute_with(|| {
        assert_eq!(
            apply(Ferdie, propose_nothing()),
            Err(InvalidTransaction::Custom(77).into())
        );
    });
}

#[test]
fn an_upgrade_is_authorised_with_root_and_applied_by_a_member() {
    const CODE: &[u8] = b":code";
    local().execute_with(|| {
        let code = b"the next runtime".to_vec();
        let code_hash = BlakeTwo256::hash(&code);
        // Without checks: the state here has no runtime to compare with.
        let authorize = frame_system::Call::authorize_upgrade_without_checks { code_hash };
        assert_ok!(decide(&[Alice, Bob], as_root(authorize)));
        let apply_code = |code: &[u8]| frame_system::Call::apply_authorized_upgrade {
            code: code.to_vec(),
        };
        // Another code is refused, and nobody but the council signs it.
        let unauthorized: DispatchError = frame_system::Error::<Runtime>::Unauthorized.into();
        let other = apply(Alice, apply_code(b"another runtime"));
        assert_eq!(other, Ok(Err(unauthorized)));
        let dave = apply(Sr25519Keyring::Dave, apply_code(&code));
        assert_eq!(dave, Err(InvalidTransaction::Custom(78).into()));
        assert_ne!(unhashed::get_raw(CODE), Some(code.clone()));
        chain::blocks::begin(2);
        assert_ok!(apply(Alice, apply_code(&code)).unwrap());
        assert_eq!(unhashed::get_raw(CODE), Some(code));
    });
}

#[test]
fn code_is_set_with_root() {
    local().execute_with(|| {
        let code = b"the next runtime".to_vec();
        let set = frame_system::Call::set_code_without_checks { code: code.clone() };
        assert_ok!(decide(&[Bob, Charlie], as_root(set.clone())));
        assert_eq!(unhashed::get_raw(b":code"), Some(code));
        // Two thirds of the council without root are not enough.
        chain::blocks::begin(2);
        assert_eq!(decide(&[Bob, Charlie], set), Err(DispatchError::BadOrigin));
    });
}

#[test]
fn a_stall_of_finality_is_noted_with_root() {
    local().execute_with(|| {
        let noted = pallet_grandpa::Call::note_stalled {
            delay: 10,
            best_finalized_block_number: 0,
        };
        let refused = decide(&[Alice, Bob], noted.clone());
        assert_eq!(refused, Err(DispatchError::BadOrigin));
        assert_eq!(Grandpa::stalled(), None);
        assert_ok!(decide(&[Alice, Bob], as_root(noted)));
        assert_eq!(Grandpa::stalled(), Some((10, 0)));
    });
}

#[test]
fn memberships_are_reset_with_root() {
    local().execute_with(|| {
        let members = vec![account(Alice), account(Eve), account(Ferdie)];
        let council = Membership::reset_members {
            members: members.clone(),
        };
        let committee = TechnicalMembership::reset_members {
            members: members.clone(),
        };
        assert_ok!(decide(&[Alice, Bob], as_root(committee)));
        assert_ok!(decide(&[Alice, Bob], as_root(council)));
        let mut sorted = members;
        sorted.sort();
        let seats = pallet_collective::Members::<Runtime, pallet_collective::Instance1>::get();
        assert_eq!(seats, sorted);
        let seats = pallet_collective::Members::<Runtime, pallet_collective::Instance2>::get();
        assert_eq!(seats, sorted);
        // The new ones decide, the old ones do not even propose.
        assert_ok!(decide(&[Eve, Ferdie], as_root(set_storage())));
        let refused = InvalidTransaction::Custom(78).into();
        assert_eq!(apply(Bob, propose_nothing()), Err(refused));
    });
}

/// The chain with a committee of four, and a group of a gateway.
fn emergency(test: impl FnOnce(GroupId)) {
    local().execute_with(|| {
        actors::assemble();
        let create = FleetCall::create_group {
            id: actors::list(*b"acme.g"),
            filters: filters(),
            policy: Policy::default(),
            custodians: actors::list([account(actors::GATEWAY)]),
        };
        assert_ok!(apply(actors::GATEWAY, create).unwrap());
        test("acme.g".parse().unwrap());
    });
}

fn filters() -> keyward_protocol::topic::Filters {
    let filter = keyward_protocol::topic::TopicFilter::new("acme/#").unwrap();
    keyward_protocol::topic::Filters::new([filter]).unwrap()
}

/// More than half of the committee, which is the council of genesis and Ferdie.
const MAJORITY: [Sr25519Keyring; 3] = [Alice, Bob, Ferdie];

fn name(pallet: &str, call: &str) -> RuntimeCallNameOf<Runtime> {
    (actors::list(pallet.bytes()), actors::list(call.bytes()))
}

fn pause(pallet: &str, call: &str) -> RuntimeCall {
    let full_name = name(pallet, call);
    pallet_tx_pause::Call::pause { full_name }.into()
}

#[test]
fn the_technical_committee_freezes_a_group_and_suspends_a_gateway() {
    emergency(|group| {
        let freeze = FleetCall::freeze_group {
            group: group.clone(),
        };
        assert_ok!(decide_in_committee(&MAJORITY, freeze));
        let state = pallet_fleet::Groups::<Runtime>::get(&group).unwrap().state;
        assert_eq!(state, GroupState::Frozen);
        let gateway = account(actors::GATEWAY);
        let suspend = FleetCall::suspend_gateway {
            account: gateway.clone(),
        };
        assert_ok!(decide_in_committee(&MAJORITY, suspend));
        let status = pallet_fleet::Gateways::<Runtime>::get(gateway)
            .unwrap()
            .status;
        assert_eq!(status, GatewayStatus::Suspended);
    });
}

#[test]
fn the_technical_committee_pauses_a_call_and_lets_it_go_on() {
    emergency(|group| {
        let paused: DispatchError = frame_system::Error::<Runtime>::CallFiltered.into();
        let call = || FleetCall::close_group {
            group: group.clone(),
        };
        assert_ok!(decide_in_committee(
            &MAJORITY,
            pause("Fleet", "close_group")
        ));
        assert_eq!(apply(actors::GATEWAY, call()), Ok(Err(paused)));
        let ident = name("Fleet", "close_group");
        let unpause = pallet_tx_pause::Call::unpause { ident };
        assert_ok!(decide_in_committee(&MAJORITY, unpause));
        assert_ok!(apply(actors::GATEWAY, call()).unwrap());
    });
}

#[test]
fn half_of_the_technical_committee_is_not_enough() {
    emergency(|group| {
        let freeze = FleetCall::freeze_group { group };
        let refused = decide_in_committee(&[Alice, Ferdie], freeze);
        assert_eq!(refused, Err(DispatchError::BadOrigin));
    });
}

#[test]
fn the_technical_committee_can_do_nothing_more() {
    emergency(|group| {
        let who = account(Eve);
        let (statement_key, custody_key) = actors::keys("acme.gw9");
        let gateway = account(actors::GATEWAY);
        let fleet = [
            FleetCall::suspend_device {
                device: "acme.d".parse().unwrap(),
            },
            FleetCall::expel_gateway {
                account: gateway.clone(),
            },
            FleetCall::reinstate_gateway {
                account: gateway.clone(),
            },
            FleetCall::thaw_group {
                group: group.clone(),
            },
            FleetCall::close_group { group },
            FleetCall::admit_gateway {
                account: who.clone(),
                organisation: "acme".parse().unwrap(),
                name: actors::list(*b"acme.gw9"),
                statement_key,
                custody_key,
            },
        ];
        let others: [RuntimeCall; 6] = [
            add_member(Eve),
            TechnicalMembership::add_member {
                who: who.clone().into(),
            }
            .into(),
            pallet_validator_set::Call::approve { account: who }.into(),
            as_root(set_storage()),
            as_root(pause("Fleet", "close_group")),
            frame_system::Call::set_code { code: vec![] }.into(),
        ];
        for call in fleet.map(RuntimeCall::from).into_iter().chain(others) {
            let name = format!("{call:?}");
            let refused = decide_in_committee(&MAJORITY, call);
            assert_eq!(refused, Err(DispatchError::BadOrigin), "{name}");
            // Motions are many: begin a new block, whose budget is fresh.
            System::set_block_number(System::block_number() + 1);
        }
    });
}

#[test]
fn the_technical_committee_cannot_pause_what_governs() {
    emergency(|_| {
        let unpausable: DispatchError = pallet_tx_pause::Error::<Runtime>::Unpausable.into();
        for (pallet, call) in [
            ("Governance", "as_root"),
            ("Council", "vote"),
            ("Fleet", "remove_members"),
            ("ValidatorSet", "remove"),
        ] {
            let refused = decide_in_committee(&MAJORITY, pause(pallet, call));
            assert_eq!(refused, Err(unpausable), "{pallet}.{call}");
            System::set_block_number(System::block_number() + 1);
        }
    });
}

#[test]
fn no_pause_stops_what_the_council_does_with_root() {
    emergency(|_| {
        let reinstate = FleetCall::reinstate_gateway {
            account: account(actors::SUSPENDED),
        };
        assert_ok!(decide_in_committee(
            &MAJORITY,
            pause("Fleet", "reinstate_gateway")
        ));
        let paused: DispatchError = frame_system::Error::<Runtime>::CallFiltered.into();
        let council = [Alice, Bob, Charlie];
        assert_eq!(decide(&council, reinstate.clone()), Err(paused));
        assert_ok!(decide(&council, as_root(reinstate)));
    });
}

#[test]
fn a_call_that_the_council_scheduled_acts_with_the_council_s_word_and_nobody_else_schedules() {
    local().execute_with(|| {
        let schedule = |call: RuntimeCall| pallet_scheduler::Call::schedule {
            when: 3,
            maybe_periodic: None,
            priority: 0,
            call: Box::new(call),
        };
        assert_ok!(decide(&[Alice, Bob], schedule(add_member(Eve))));
        let alone = Motions::execute {
            proposal: Box::new(schedule(add_member(Ferdie)).into()),
            length_bound: 1_000,
        };
        assert_ok!(apply(Alice, alone).unwrap());
        chain::blocks::begin(2);
        chain::blocks::end();
        chain::blocks::begin(3);
        assert!(Governance::is_admitted(&account(Eve)));
        assert!(!Governance::is_admitted(&account(Ferdie)));
    });
}
