//! What is done to a network, and when: everything follows from a seed. The seed fixes the steps; how the parts run between them
//! is theirs.

use std::fmt;

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

/// How long faults go on, in milliseconds.
pub const FAULTS: u64 = 40_000;

/// A part that can be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The node.
    Node,
    /// The broker.
    Broker,
    /// The bridge.
    Bridge,
    /// A device's program.
    Device(&'static str),
}

impl Part {
    /// Its name in the evidence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Broker => "broker",
            Self::Bridge => "bridge",
            Self::Device(device) => device,
        }
    }
}

/// A change of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The device leaves its group.
    Remove(&'static str),
    /// It comes (again).
    Add(&'static str),
    /// It takes no part for now.
    Suspend(&'static str),
    /// It takes part again.
    Reinstate(&'static str),
    /// The group gets a new epoch.
    Rotate(&'static str),
    /// A new device asks to be enrolled.
    Enrol,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// SIGKILL, and a start afterwards. What a device sends just before does not arrive.
    Kill(Part),
    /// SIGSTOP, and SIGCONT afterwards.
    Freeze(Part),
    /// The broker loses its database.
    EmptyBroker,
    /// The disk under the journal is full.
    FillDisk,
    /// The journal is copied.
    SaveJournal,
    /// The journal is replaced by the copy.
    RestoreJournal,
    /// Nothing passes between bridge and node.
    StallRpc,
    /// The connection between bridge and node is cut, and no other can be made.
    CutRpc,
    /// Members change; lasts as long as it takes.
    Change(Change),
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When, in milliseconds since the beginning.
    pub at: u64,
    /// For how long, in milliseconds.
    pub lasts: u64,
    /// What.
    pub act: Act,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, lasts) = (self.at as f64 / 1e3, self.lasts as f64 / 1e3);
        write!(f, "{at:5.1} s  {:?} for {lasts:.1} s", self.act)
    }
}

/// A schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Where it comes from.
    pub seed: u64,
    /// What is done to the node, in order.
    pub node: Vec<Step>,
    /// To the broker.
    pub broker: Vec<Step>,
    /// To the bridge.
    pub bridge: Vec<Step>,
    /// To the connection between them.
    pub rpc: Vec<Step>,
    /// To devices.
    pub devices: Vec<Step>,
    /// To members.
    pub members: Vec<Step>,
}

/// The seed's dice.
struct Dice(ChaCha8Rng);

impl Dice {
    fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.0.next_u64() % (to - from + 1)
    }

    fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        let at = self.between(0, from.len() as u64 - 1);
        from[at as usize]
    }

    /// One after the other until the time is over: `next` gives what is done and for how long, `pause` what lies between.
    fn fill(
        &mut self,
        pause: (u64, u64),
        mut next: impl FnMut(&mut Self) -> (Act, u64),
    ) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut at = self.between(500, pause.1);
        loop {
            let (act, lasts) = next(self);
            if at + lasts > FAULTS {
                return steps;
            }
            steps.push(Step { at, lasts, act });
            at += lasts + self.between(pause.0, pause.1);
        }
    }
}

/// Devices that come and go, and those that are suspended at times.
pub const COMERS: &[&str] = &["9001", "9002", "1114"];
/// A publisher that is suspended at times.
pub const SUSPENDED: &str = "1121";
/// Devices whose programs are killed and frozen.
pub const TROUBLED: &[&str] = &["1111", "1112", "1113", "1114", "1121"];
/// Groups.
pub const GROUPS: &[&str] = &["valves", "pumps"];

impl Schedule {
    /// The schedule of a seed.
    pub fn of(seed: u64) -> Self {
        let dice = &mut Dice(ChaCha8Rng::seed_from_u64(seed));
        Self {
            seed,
            node: dice.fill((8_000, 20_000), |dice| match dice.between(0, 1) {
                0 => (Act::Kill(Part::Node), dice.between(500, 8_000)),
                _ => (Act::Freeze(Part::Node), dice.between(1_000, 14_000)),
            }),
            broker: dice.fill((8_000, 20_000), |dice| match dice.between(0, 2) {
                0 => (Act::Kill(Part::Broker), dice.between(0, 4_000)),
                1 => (Act::Freeze(Part::Broker), dice.between(1_000, 8_000)),
                _ => (Act::EmptyBroker, dice.between(0, 3_000)),
            }),
            bridge: bridge(dice),
            rpc: dice.fill((8_000, 20_000), |dice| match dice.between(0, 1) {
                0 => (Act::StallRpc, dice.between(2_000, 16_000)),
                _ => (Act::CutRpc, dice.between(500, 8_000)),
            }),
            devices: dice.fill((1_500, 5_000), |dice| {
                let device = Part::Device(dice.choose(TROUBLED));
                match dice.between(0, 2) {
                    0 => (Act::Freeze(device), dice.between(500, 6_000)),
                    _ => (Act::Kill(device), dice.between(0, 5_000)),
                }
            }),
            members: members(dice),
        }
    }

    /// All steps, by time.
    pub fn steps(&self) -> Vec<Step> {
        let lanes = [
            &self.node,
            &self.broker,
            &self.bridge,
            &self.rpc,
            &self.devices,
            &self.members,
        ];
        let mut steps: Vec<Step> = lanes.into_iter().flatten().copied().collect();
        steps.sort_by_key(|step| step.at);
        steps
    }
}

/// A journal is put back only after it was copied.
fn bridge(dice: &mut Dice) -> Vec<Step> {
    let restores = dice.between(0, 2) == 0;
    let mut saved = false;
    dice.fill((3_000, 10_000), |dice| {
        if restores && !saved {
            saved = true;
            return (Act::SaveJournal, 0);
        }
        match dice.between(0, if saved { 4 } else { 2 }) {
            0 => (Act::Kill(Part::Bridge), dice.between(0, 12_000)),
            1 => (Act::Freeze(Part::Bridge), dice.between(1_000, 16_000)),
            2 => (Act::FillDisk, dice.between(3_000, 10_000)),
            _ => (Act::RestoreJournal, dice.between(0, 3_000)),
        }
    })
}

/// Where a device stands as far as the schedule knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    In,
    Out,
    Suspended,
}

fn members(dice: &mut Dice) -> Vec<Step> {
    let mut comers = [Standing::In; 3];
    let mut suspended = false;
    let mut enrolled = false;
    dice.fill((2_500, 6_000), |dice| {
        let change = match dice.between(0, 9) {
            0 => Change::Rotate(dice.choose(GROUPS)),
            1 if !enrolled => {
                enrolled = true;
                Change::Enrol
            }
            1 | 2 => {
                suspended = !suspended;
                match suspended {
                    true => Change::Suspend(SUSPENDED),
                    false => Change::Reinstate(SUSPENDED),
                }
            }
            _ => {
                let at = dice.between(0, 2) as usize;
                let (device, standing) = (COMERS[at], &mut comers[at]);
                let suspends = dice.between(0, 3) == 0;
                match (*standing, suspends) {
                    (Standing::In, false) => {
                        *standing = Standing::Out;
                        Change::Remove(device)
                    }
                    (Standing::In, true) => {
                        *standing = Standing::Suspended;
                        Change::Suspend(device)
                    }
                    (Standing::Out, _) => {
                        *standing = Standing::In;
                        Change::Add(device)
                    }
                    (Standing::Suspended, _) => {
                        *standing = Standing::In;
                        Change::Reinstate(device)
                    }
                }
            }
        };
        (Act::Change(change), 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_one_schedule() {
        assert_eq!(Schedule::of(7), Schedule::of(7));
        assert_ne!(Schedule::of(7).steps(), Schedule::of(8).steps());
    }

    #[test]
    fn faults_end_in_time_and_one_part_has_one_at_a_time() {
        for seed in 0..200 {
            let schedule = Schedule::of(seed);
            for lane in [
                &schedule.node,
                &schedule.broker,
                &schedule.bridge,
                &schedule.rpc,
            ] {
                for pair in lane.windows(2) {
                    assert!(pair[0].at + pair[0].lasts < pair[1].at, "seed {seed}");
                }
            }
            let last = |step: &Step| step.at + step.lasts;
            assert!(schedule.steps().iter().all(|step| last(step) <= FAULTS));
        }
    }

    #[test]
    fn a_journal_is_put_back_only_after_it_was_copied() {
        let mut restored = 0;
        for seed in 0..200 {
            let acts: Vec<Act> = Schedule::of(seed).bridge.iter().map(|s| s.act).collect();
            let saved = acts.iter().position(|act| *act == Act::SaveJournal);
            let restore = acts.iter().position(|act| *act == Act::RestoreJournal);
            restored += usize::from(restore.is_some());
            assert!(restore.is_none() || saved < restore, "seed {seed}");
        }
        assert!(restored > 20);
    }

    #[test]
    fn fifty_seeds_hold_every_act() {
        let all: Vec<Act> = (1..=50)
            .flat_map(|seed| Schedule::of(seed).steps())
            .map(|step| step.act)
            .collect();
        let mut wanted = vec![
            Act::EmptyBroker,
            Act::FillDisk,
            Act::SaveJournal,
            Act::RestoreJournal,
            Act::StallRpc,
            Act::CutRpc,
            Act::Change(Change::Enrol),
        ];
        for part in [Part::Node, Part::Broker, Part::Bridge] {
            wanted.extend([Act::Kill(part), Act::Freeze(part)]);
        }
        for device in TROUBLED {
            let part = Part::Device(device);
            wanted.extend([Act::Kill(part), Act::Freeze(part)]);
        }
        for device in COMERS {
            let changes = [
                Change::Remove(device),
                Change::Add(device),
                Change::Suspend(device),
                Change::Reinstate(device),
            ];
            wanted.extend(changes.map(Act::Change));
        }
        wanted.retain(|act| !all.contains(act));
        assert_eq!(wanted, []);
    }
}
