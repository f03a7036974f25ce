//! Contenders measured in turns, so that whatever else the machine does hits all of them alike.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::time::{clock_gettime, ClockId};

use crate::sample::Sample;

/// What one measurement took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// Seconds on the wall clock.
    pub wall: f64,
    /// Seconds of processor time, of all threads of this process together.
    pub cpu: f64,
}

impl Spent {
    /// The part of one of so many.
    pub fn divided(self, by: usize) -> Self {
        let by = by.max(1) as f64;
        Self {
            wall: self.wall / by,
            cpu: self.cpu / by,
        }
    }
}

/// Does something, and says what it took.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Spent) {
    let (wall, cpu) = (Instant::now(), processor_time());
    let done = std::hint::black_box(work());
    let spent = Spent {
        wall: wall.elapsed().as_secs_f64(),
        cpu: processor_time().saturating_sub(cpu).as_secs_f64(),
    };
    (done, spent)
}

fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = Duration::from_secs(now.tv_sec.unsigned_abs());
    seconds + Duration::from_nanos(now.tv_nsec.unsigned_abs())
}

/// Somebody who does the work; gives what only the work itself took, without what prepared it.
pub struct Contender<'a> {
    /// Who.
    pub name: String,
    work: Box<dyn FnMut() -> Result<Spent> + 'a>,
}

impl<'a> Contender<'a> {
    /// A contender.
    pub fn new(name: impl Into<String>, work: impl FnMut() -> Result<Spent> + 'a) -> Self {
        Self {
            name: name.into(),
            work: Box::new(work),
        }
    }
}

/// Everything that a contender was measured to take, round by round.
#[derive(Clone, Debug)]
pub struct Series {
    /// Who.
    pub name: String,
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

impl Series {
    /// On the wall clock.
    pub fn wall(&self) -> Result<Sample> {
        Sample::of(&self.wall).context("nothing was measured")
    }

    /// In processor time.
    pub fn cpu(&self) -> Result<Sample> {
        Sample::of(&self.cpu).context("nothing was measured")
    }

    /// How many times as much processor time as another in the same rounds.
    pub fn cpu_over(&self, other: &Self) -> Result<Sample> {
        Sample::of_ratios(&self.cpu, &other.cpu).context("nothing was measured")
    }
}

/// How long a contest lasts.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    /// Rounds at least.
    pub least: usize,
    /// Rounds at most.
    pub most: usize,
    /// Between the two it ends after this time.
    pub time: Duration,
}

/// Places on the stack that the rounds go through, a bit more than a page of memory.
const PLACES: usize = 32;

/// Works so many steps of about a 32nd of a page down the stack.
///
/// A processor takes a load for one of a recent store when the two addresses agree in their last twelve bits, and waits. Whether
/// an Ed25519 verification meets this depends on where its stack lies to its tables: one took 40 us at most places and up to
/// 45 us at a fifth of them, with the same instructions. At one place a whole run would measure that place.
#[inline(never)]
fn at_place<T>(steps: usize, work: &mut dyn FnMut() -> T) -> T {
    let room = std::hint::black_box([0_u8; 96]);
    let done = match steps.checked_sub(1) {
        Some(fewer) => at_place(fewer, work),
        None => work(),
    };
    std::hint::black_box(&room);
    done
}

/// Lets everybody work in turns. The first round warms up and does not count; who begins, and where on the stack everybody
/// works, changes from round to round.
pub fn contest(mut contenders: Vec<Contender<'_>>, length: Length) -> Result<Vec<Series>> {
    let mut series: Vec<Series> = contenders
        .iter()
        .map(|contender| Series {
            name: contender.name.clone(),
            wall: Vec::new(),
            cpu: Vec::new(),
        })
        .collect();
    let turn = |contender: &mut Contender<'_>, round: usize| {
        let name = contender.name.clone();
        // Seven and 32 have no divisor in common: few rounds are spread over the page, many come everywhere.
        at_place(round * 7 % PLACES, &mut contender.work).with_context(|| format!("{name} failed"))
    };
    contenders
        .iter_mut()
        .try_for_each(|it| turn(it, 0).map(drop))?;
    let began = Instant::now();
    for round in 0..length.most {
        if round >= length.least && began.elapsed() > length.time {
            break;
        }
        for place in 0..contenders.len() {
            let next = (place + round) % contenders.len();
            let spent = turn(&mut contenders[next], round)?;
            series[next].wall.push(spent.wall);
            series[next].cpu.push(spent.cpu);
        }
    }
    Ok(series)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn length(rounds: usize) -> Length {
        Length {
            least: rounds,
            most: rounds,
            time: Duration::ZERO,
        }
    }

    #[test]
    fn contenders_take_turns_and_the_first_round_does_not_count() {
        let order = RefCell::new(String::new());
        let contender = |name: &'static str, wall: f64| {
            let order = &order;
            Contender::new(name, move || {
                order.borrow_mut().push_str(name);
                Ok(Spent { wall, cpu: wall })
            })
        };
        let series = contest(vec![contender("a", 1.0), contender("b", 3.0)], length(3)).unwrap();
        assert_eq!(*order.borrow(), "ababbaab");
        assert_eq!(series[0].wall().unwrap().count, 3);
        assert_eq!(series[1].cpu_over(&series[0]).unwrap().median, 3.0);
    }

    #[test]
    fn the_rounds_go_over_a_page_of_the_stack() {
        let places = RefCell::new(Vec::new());
        let contender = Contender::new("a", || {
            let here = 0_u8;
            let address = std::ptr::from_ref(std::hint::black_box(&here)).addr();
            places.borrow_mut().push(address);
            Ok(Spent::default())
        });
        contest(vec![contender], length(PLACES)).unwrap();
        let mut places = places.into_inner();
        places.sort_unstable();
        places.dedup();
        assert!(places.len() >= PLACES);
        assert!(places[PLACES - 1] - places[0] > 4096 * 7 / 8);
    }

    #[test]
    fn it_ends_with_the_time_but_not_before_the_fewest_rounds() {
        let contender = Contender::new("a", || Ok(Spent::default()));
        let length = Length {
            least: 2,
            most: 1000,
            time: Duration::ZERO,
        };
        let series = contest(vec![contender], length).unwrap();
        assert_eq!(series[0].wall().unwrap().count, 2);
    }

    #[test]
    fn work_on_two_threads_counts_for_both_in_processor_time() {
        let busy = || {
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(40) {
                std::hint::spin_loop();
            }
        };
        let ((), one) = timed(busy);
        assert!(one.cpu > 0.0 && one.cpu < one.wall * 1.5);
    }
}
