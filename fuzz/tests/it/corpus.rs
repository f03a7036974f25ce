//! Every input that was ever worth keeping, against its target.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use keyward_fuzz::{Target, TARGETS};

/// What all corpora may take together, in bytes: they are for finding faults again, not for finding them.
const WHOLE: usize = 1 << 20;
/// What one input may take.
const ONE: usize = 16 << 10;

/// Where the corpora are.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The inputs of a target by their names, in order.
pub fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let directory = root().join(target);
    let entries = std::fs::read_dir(&directory);
    let entries = entries.unwrap_or_else(|error| panic!("no corpus for {target}: {error}"));
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = paths.collect();
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read(&path).unwrap())
    };
    paths.into_iter().map(read).collect()
}

/// Runs a target, and says with which input it failed.
pub fn run(name: &str, target: Target, input: &[u8], what: &str) {
    let outcome = std::panic::catch_unwind(|| target(input));
    if outcome.is_err() {
        let hex = hex::encode(input);
        panic!("{name} fails with {what}; the input in hexadecimal: {hex}");
    }
}

#[test]
fn every_input_of_every_corpus_keeps_the_rules() {
    for (name, target) in TARGETS {
        let inputs = inputs(name);
        assert!(!inputs.is_empty(), "the corpus of {name} is empty");
        for (file, input) in inputs {
            run(name, *target, &input, &format!("corpus/{name}/{file}"));
        }
    }
}

#[test]
fn every_corpus_has_a_target() {
    let entries = std::fs::read_dir(root()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let names: BTreeSet<String> = names.collect();
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names, targets);
}

#[test]
fn corpora_stay_small() {
    let mut whole = 0;
    for (name, _) in TARGETS {
        for (file, input) in inputs(name) {
            assert!(
                input.len() <= ONE,
                "{name}/{file} has {} bytes",
                input.len()
            );
            whole += input.len();
        }
    }
    assert!(whole <= WHOLE, "the corpora have {whole} bytes");
}

#[test]
fn nothing_and_a_lot_of_anything_keep_the_rules() {
    for (name, target) in TARGETS {
        run(name, *target, &[], "nothing");
        for byte in [0, 1, 0x7f, 0xff] {
            run(name, *target, &[byte; 200], &format!("200 times {byte}"));
        }
    }
}
