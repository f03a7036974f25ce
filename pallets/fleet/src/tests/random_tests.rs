//! Whatever anybody calls in whatever order: the state stays consistent, nothing goes backwards, and what is refused
//! changes nothing.

use std::collections::BTreeMap;

use keyward_protocol::{policy::Policy, view::DeviceStatus, Commitment, Digest, GroupId, Role};
use proptest::{collection::vec, prelude::*, sample::select};
use sp_runtime::{traits::Dispatchable, StateVersion};

use super::{builders::*, *};
use crate::{Call, Changes, Devices, Event, Groups, KeyAuthorisation};

const DEVICES: [(&str, AccountId32); 5] = [
    ("acme.a", ANNE),
    ("acme.b", ANNE),
    ("acme.c", BERT),
    ("globex.d", CORA),
    ("globex.e", CORA),
];
const GROUPS: [&str; 3] = ["acme.g", "acme.h", "globex.i"];

/// Who calls.
#[derive(Clone, Debug)]
enum Who {
    /// Whoever may, if anybody may.
    Apt,
    /// Somebody, or root.
    Any(Option<AccountId32>),
}

fn who() -> impl Strategy<Value = Who> {
    let somebody = [ANNE, BERT, CORA, NOBODY, Council::get(), Committee::get()];
    let somebody = select(somebody.to_vec()).prop_map(|who| Who::Any(Some(who)));
    prop_oneof![8 => Just(Who::Apt), 3 => somebody, 1 => Just(Who::Any(None))]
}

/// Who may do this, as things stand.
fn apt(what: &What) -> AccountId32 {
    let (device, owner) = &DEVICES[what.device];
    let group = Groups::<Test>::get(group_id(GROUPS[what.group]));
    let admin = group.as_ref().map_or(ANNE, |group| group.admin.clone());
    match what.kind {
        0..=6 | 12 | 13 => {
            let known = Devices::<Test>::get(device_id(device));
            known.map_or(owner.clone(), |known| known.owner)
        }
        16..=21 => group.map_or(ANNE, |group| group.custodians[0].clone()),
        24.. => Council::get(),
        _ => admin,
    }
}

#[derive(Clone, Debug)]
enum Step {
    NextBlock,
    Week,
    Call(Who, What),
}

/// A call with small numbers, from which the real one is made in the state that it meets.
#[derive(Clone, Debug)]
struct What {
    kind: u8,
    device: usize,
    other: usize,
    group: usize,
    role: Role,
    flag: bool,
    offset: u32,
}

fn what() -> impl Strategy<Value = What> {
    let roles = select(vec![Role::Publish, Role::Subscribe, Role::Both]);
    let who = (0..DEVICES.len(), 0..DEVICES.len(), 0..GROUPS.len());
    let offsets = prop_oneof![1 => Just(0), 4 => Just(1), 1 => Just(2)];
    (0..28u8, who, roles, any::<bool>(), offsets).prop_map(
        |(kind, (device, other, group), role, flag, offset)| What {
            kind,
            device,
            other,
            group,
            role,
            flag,
            offset,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::NextBlock),
        1 => Just(Step::Week),
        20 => (who(), what()).prop_map(|(who, what)| Step::Call(who, what)),
    ]
}

fn gateway(number: usize) -> AccountId32 {
    [ANNE, BERT, CORA][number % 3].clone()
}

/// How often the device's keys were replaced: names its current keys.
fn keys_of(name: &str, version: u32) -> Keys {
    match version {
        0 | 1 => Keys::of(name),
        _ => Keys::of(&format!("{name} {version}")),
    }
}

fn authority_of(owner: &AccountId32) -> &'static str {
    if *owner == CORA {
        "globex.ca"
    } else {
        "acme.ca"
    }
}

fn register_call(name: &str, owner: &AccountId32) -> Call<Test> {
    let enrolment = Enrolment::of(name)
        .under(owner)
        .vouched_by(authority_of(owner));
    let far = Enrolment {
        voucher: keyward_protocol::registration::Voucher {
            not_after: u64::MAX,
            ..enrolment.voucher
        },
        ..enrolment
    };
    Call::register_device {
        voucher_signature: far.voucher_signature(),
        proof: far.proof(),
        voucher: far.voucher,
    }
}

fn replacement(name: &str) -> KeyAuthorisation {
    let version = Devices::<Test>::get(device_id(name)).map_or(1, |device| device.key_version);
    let new = keys_of(name, version + 1);
    let mut replacement = Replacement::of(name, name);
    replacement.body.key_version = version + 1;
    replacement.body.signing_key = new.verifying();
    replacement.body.agreement_key = new.agreement;
    replacement.body.not_after = u64::MAX;
    replacement.new_key = new.signing;
    replacement.current_key = keys_of(name, version).signing;
    replacement.authorisation()
}

/// The next epoch that can be staged, give or take.
fn next_epoch(group: &GroupId, offset: u32) -> u32 {
    let next = Groups::<Test>::get(group).map_or(1, |group| match group.committed {
        None => group.epoch,
        Some(_) => group.epoch + group.staged.len() as u32 + 1,
    });
    next + offset.saturating_sub(1)
}

/// The current epoch, give or take.
fn near(group: &GroupId, offset: u32) -> u32 {
    let current = Groups::<Test>::get(group).map_or(1, |group| group.epoch);
    (current + offset).saturating_sub(1)
}

fn device_call(what: &What) -> Call<Test> {
    let (name, owner) = &DEVICES[what.device];
    let device = device_id(name);
    match what.kind {
        0 | 1 => register_call(name, owner),
        2 => Call::suspend_device { device },
        3 | 4 => Call::reinstate_device { device },
        5 if what.offset == 0 => Call::revoke_device { device },
        5 => Call::transfer_device {
            device,
            to: gateway(what.other),
        },
        _ => Call::replace_device_keys {
            authorisation: replacement(name),
        },
    }
}

fn create_call(what: &What, id: &GroupId) -> Call<Test> {
    let policy = Policy {
        rekey_on_join: what.flag,
        ..Policy::default()
    };
    Call::create_group {
        id: bytes(id.as_str()),
        filters: filters([id.as_str(), "t/#"]),
        policy,
        custodians: list([gateway(what.other), gateway(what.device)]),
    }
}

fn member_call(what: &What, group: GroupId) -> Call<Test> {
    let [device, other] = [what.device, what.other].map(|at| device_id(DEVICES[at].0));
    match what.kind {
        9..=11 if what.flag => Call::add_members {
            group,
            members: list([(device, what.role)]),
        },
        9..=11 => Call::add_members {
            group,
            members: list([(device, what.role), (other, Role::Both)]),
        },
        12 | 13 => Call::accept_membership {
            filters: filters(["t/#"]),
            group,
            device,
        },
        _ if what.flag => Call::remove_members {
            group,
            devices: list([device]),
        },
        _ => Call::remove_members {
            group,
            devices: list([device, other]),
        },
    }
}

fn acknowledge_call(what: &What, group: GroupId) -> Call<Test> {
    let name = DEVICES[what.device].0;
    let device = device_id(name);
    let version = Devices::<Test>::get(&device).map_or(1, |device| device.key_version);
    let epoch = near(&group, what.offset);
    let seen = match what.flag || what.other > 0 {
        true => commitment(epoch),
        false => Commitment([what.offset as u8; 32]),
    };
    let item = receipt_by(
        &keys_of(name, version),
        version,
        &group,
        &device,
        epoch,
        seen,
    );
    Call::acknowledge {
        receipts: list([item]),
        group,
    }
}

fn epoch_call(what: &What, group: GroupId) -> Call<Test> {
    let epoch = next_epoch(&group, what.offset);
    match what.kind {
        16..=19 => Call::stage_epoch {
            commitment: commitment(epoch),
            epoch,
            group,
        },
        20 => Call::withdraw_staged {
            epoch: near(&group, what.offset),
            group,
        },
        21 => Call::record_delivery {
            epoch: near(&group, what.offset),
            recipients: 1,
            grants_root: Digest([1; 32]),
            group,
        },
        22 => acknowledge_call(what, group),
        _ => Call::rotate { group },
    }
}

fn governance_call(what: &What, group: GroupId) -> Call<Test> {
    let account = gateway(what.other);
    match (what.kind, what.offset) {
        (24, 0) => Call::suspend_gateway { account },
        (24, _) => Call::reinstate_gateway { account },
        (25, 0) => Call::freeze_group { group },
        (25, _) => Call::thaw_group { group },
        (26, 0) if what.flag => Call::close_group { group },
        (26, 1) => Call::transfer_admin { group, to: account },
        (26, _) => Call::set_policy {
            group,
            policy: Policy {
                rekey_on_join: what.flag,
                ..Policy::default()
            },
        },
        (_, 0) if what.device == 0 && what.flag => Call::expel_gateway { account },
        (_, 1) => {
            let keys = Keys::of(&format!(
                "gateway {} {}",
                what.other,
                System::block_number()
            ));
            Call::replace_gateway_keys {
                account,
                statement_key: keys.verifying(),
                custody_key: keys.agreement,
            }
        }
        _ => Call::set_custodians {
            group,
            custodians: list([account, gateway(what.device)]),
        },
    }
}

fn call(what: &What) -> Call<Test> {
    let group = group_id(GROUPS[what.group]);
    match what.kind {
        0..=6 => device_call(what),
        7 | 8 => create_call(what, &group),
        9..=15 => member_call(what, group),
        16..=23 => epoch_call(what, group),
        _ => governance_call(what, group),
    }
}

/// What only ever rises, and what was given out.
#[derive(Default)]
struct Seen {
    groups: BTreeMap<GroupId, (u32, u64, u32)>,
    blocks: BTreeMap<(GroupId, u32), u32>,
    changes: u64,
    revoked: Vec<keyward_protocol::DeviceId>,
    given: BTreeMap<(GroupId, u32), ()>,
}

impl Seen {
    fn look(&mut self) {
        for (id, group) in Groups::<Test>::iter() {
            let now = (group.epoch, group.revision, group.next_index);
            let block = System::block_number();
            let before = self.groups.insert(id.clone(), now).unwrap_or(now);
            assert!(now.0 >= before.0, "epochs rise");
            assert!(now.1 >= before.1, "revisions rise");
            assert!(now.2 >= before.2, "indexes rise");
            let began = *self.blocks.entry((id, block)).or_insert(before.0);
            assert!(now.0 <= began + 1, "one advance per group and block");
        }
        let changes = Changes::<Test>::get();
        assert!(changes >= self.changes, "changes rise");
        self.changes = changes;
        for (id, device) in Devices::<Test>::iter() {
            if device.status == DeviceStatus::Revoked && !self.revoked.contains(&id) {
                self.revoked.push(id);
            }
        }
        for id in &self.revoked {
            assert_eq!(
                Devices::<Test>::get(id).map(|d| d.status),
                Some(DeviceStatus::Revoked)
            );
        }
        self.take_events();
    }

    fn take_events(&mut self) {
        for event in fleet_events() {
            if let Event::MemberAdded { group, index, .. } = event {
                let first = self.given.insert((group, index), ()).is_none();
                assert!(first, "an index was given out twice");
            }
        }
        System::reset_events();
    }
}

fn dispatch(who: Option<AccountId32>, call: Call<Test>) {
    let origin = who.map_or(RuntimeOrigin::root(), RuntimeOrigin::signed);
    let before = sp_io::storage::root(StateVersion::V1);
    let outcome = RuntimeCall::Fleet(call.clone()).dispatch(origin);
    if outcome.is_err() {
        let after = sp_io::storage::root(StateVersion::V1);
        assert_eq!(before, after, "{call:?} was refused and changed something");
    }
}

fn start() {
    found();
    for (name, owner) in &DEVICES[..4] {
        dispatch(Some(owner.clone()), register_call(name, owner));
    }
    for (name, devices) in [("acme.g", 0..2), ("acme.h", 1..3)] {
        let group = active_group(name, 3);
        devices.for_each(|at| add(&group, &device_id(DEVICES[at].0), Role::Both));
    }
}

fn play(steps: Vec<Step>) {
    ext().execute_with(|| {
        start();
        let mut seen = Seen::default();
        for step in steps {
            match step {
                Step::NextBlock => next_block(),
                Step::Week => wait(7 * 24 * 3600),
                Step::Call(Who::Apt, what) => dispatch(Some(apt(&what)), call(&what)),
                Step::Call(Who::Any(who), what) => dispatch(who, call(&what)),
            }
            check_state();
            seen.look();
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_calls_breaks_what_must_hold(steps in vec(step(), 1..150)) {
        play(steps);
    }
}
