//! Each target on a few thousand mutations of its corpus: the same in every run, so that a failure can be repeated, and
//! quick, so that it runs with every test. For hours of it there is `make fuzz`.

use std::time::{Duration, Instant};

use keyward_fuzz::{choices::Choices, numbers::Numbers, Target, TARGETS};
use rand_core::RngCore;

use crate::corpus::{inputs, run};

/// Mutations of a target's corpus.
const MUTATIONS: u32 = 3_000;
/// A target that is slow ends here, and not before the fewest: a state machine takes milliseconds for each, and much more
/// without optimization.
const LONGEST: Duration = Duration::from_secs(5);
const FEWEST: u32 = if cfg!(debug_assertions) { 10 } else { 200 };

fn below(numbers: &mut Numbers, count: usize) -> usize {
    numbers.next_u32() as usize % count.max(1)
}

/// Two inputs spliced, and then harmed once or a few times.
fn mutation(corpus: &[(String, Vec<u8>)], numbers: &mut Numbers) -> Vec<u8> {
    let first = &corpus[below(numbers, corpus.len())].1;
    let mut input = first.clone();
    if numbers.next_u32().is_multiple_of(3) {
        let second = &corpus[below(numbers, corpus.len())].1;
        let (cut, from) = (below(numbers, first.len()), below(numbers, second.len()));
        input.truncate(cut);
        input.extend_from_slice(&second[from..]);
    }
    for _ in 0..=numbers.next_u32() % 4 {
        let mut harm = [0; 8];
        numbers.fill_bytes(&mut harm);
        input = Choices::new(&harm).harm(input);
    }
    input
}

fn mutate(name: &str, target: Target) {
    let corpus = inputs(name);
    let began = Instant::now();
    for seed in 0..MUTATIONS {
        if seed >= FEWEST && began.elapsed() > LONGEST {
            break;
        }
        let input = mutation(&corpus, &mut Numbers::new(seed.into()));
        run(name, target, &input, &format!("mutation {seed}"));
    }
}

/// In as many tests as there are kinds, so that they run beside each other.
fn those(which: impl Fn(&str) -> bool) {
    let targets = TARGETS.iter().filter(|(name, _)| which(name));
    targets.for_each(|(name, target)| mutate(name, *target));
}

#[test]
fn mutations_of_a_session_s_courses_keep_the_rules() {
    those(|name| name == "session");
}

#[test]
fn mutations_of_a_relay_s_courses_keep_the_rules() {
    those(|name| name == "relay");
}

#[test]
fn mutations_of_messages_keep_the_rules() {
    those(|name| !["session", "relay"].contains(&name));
}
