//! Whatever anybody calls in whatever order: the set never falls under the minimum, changes by the calls only, and is in force two
//! sessions later.

use std::collections::BTreeSet;

use pallet_grandpa::{EquivocationOffence, TimeSlot};
use proptest::{collection::vec, prelude::*};
use sp_runtime::{traits::Dispatchable, StateVersion};
use sp_staking::offence::ReportOffence;

use super::*;
use crate::Call;

#[derive(Clone, Debug)]
enum Step {
    Blocks(u32),
    Keys(u8),
    Offence(u8, u64),
    Join(u8),
    Leave(u8),
    Approve(u8),
    Remove(u8),
    Minimum(u32),
    Clear(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..25_u32).prop_map(Step::Blocks),
        2 => (1..10_u8).prop_map(Step::Keys),
        2 => (1..10_u8, 0..3_u64).prop_map(|(who, round)| Step::Offence(who, round)),
        4 => (1..10_u8).prop_map(Step::Join),
        4 => (1..10_u8).prop_map(Step::Leave),
        4 => (1..10_u8).prop_map(Step::Approve),
        2 => (1..10_u8).prop_map(Step::Remove),
        2 => (0..6_u32).prop_map(Step::Minimum),
        1 => (1..10_u8).prop_map(Step::Clear),
    ]
}

/// What the set should be, by the rules that the README tells.
#[derive(Clone, Debug)]
struct Model {
    set: BTreeSet<u8>,
    minimum: usize,
    /// The sets of the running session and the next.
    planned: [BTreeSet<u8>; 2],
}

impl Model {
    fn new() -> Self {
        let set = BTreeSet::from([1, 2, 3, 4]);
        Self {
            minimum: 2,
            planned: [set.clone(), set.clone()],
            set,
        }
    }

    fn succeeded(&mut self, step: &Step) {
        match step {
            Step::Join(who) => assert!(self.set.insert(*who)),
            Step::Leave(who) => assert!(self.set.remove(who)),
            Step::Remove(who) => drop(self.set.remove(who)),
            Step::Minimum(minimum) => self.minimum = *minimum as usize,
            _ => {}
        }
        assert!(self.set.len() >= self.minimum && self.minimum >= 1);
    }

    fn next_session(&mut self) {
        let [_, next] = self.planned.clone();
        self.planned = [next, self.set.clone()];
    }
}

fn dispatch(call: Call<Test>, origin: RuntimeOrigin) -> bool {
    let call = RuntimeCall::ValidatorSet(call);
    let before = sp_io::storage::root(StateVersion::V1);
    let done = call.clone().dispatch(origin).is_ok();
    if !done {
        let after = sp_io::storage::root(StateVersion::V1);
        assert_eq!(before, after, "{call:?} failed and changed something");
    }
    done
}

fn take(step: &Step, model: &mut Model) -> bool {
    match *step {
        Step::Blocks(count) => {
            for _ in 0..count {
                let session = Session::current_index();
                go_to(System::block_number() + 1);
                if Session::current_index() > session {
                    model.next_session();
                }
            }
            true
        }
        Step::Keys(who) => set_keys(who).is_ok(),
        Step::Offence(who, round) => {
            let offence = EquivocationOffence {
                time_slot: TimeSlot { set_id: 0, round },
                session_index: Session::current_index(),
                validator_set_count: 4,
                offender: account(who),
            };
            ValidatorSet::report_offence(vec![], offence).is_ok()
        }
        Step::Join(who) => dispatch(Call::join {}, signed(who)),
        Step::Leave(who) => dispatch(Call::leave {}, signed(who)),
        Step::Approve(who) => {
            let account = account(who);
            dispatch(Call::approve { account }, council())
        }
        Step::Remove(who) => {
            let account = account(who);
            dispatch(Call::remove { account }, council())
        }
        Step::Minimum(minimum) => dispatch(Call::set_minimum { minimum }, council()),
        Step::Clear(who) => {
            let account = account(who);
            dispatch(Call::clear_offences { account }, council())
        }
    }
}

fn agrees(model: &Model) {
    let expected = |set: &BTreeSet<u8>| set.iter().copied().collect::<Vec<_>>();
    assert_eq!(set(), expected(&model.set));
    assert_eq!(in_force(), expected(&model.planned[0]));
    assert_eq!(Minimum::<Test>::get() as usize, model.minimum);
    check_state();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_set_changes_by_the_calls_only_and_never_falls_under_the_minimum(steps in vec(step(), 1..60)) {
        ext(&[1, 2, 3, 4], 2).execute_with(|| {
            let mut model = Model::new();
            for step in &steps {
                if take(step, &mut model) {
                    model.succeeded(step);
                }
                agrees(&model);
            }
        });
    }
}
