//! For each target there is a program for the fuzzer, and for each program a target.

use std::{collections::BTreeSet, path::Path};

use keyward_fuzz::TARGETS;

fn targets() -> BTreeSet<String> {
    TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect()
}

#[test]
fn every_target_has_its_program() {
    let crate_directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(crate_directory.join("Cargo.toml")).unwrap();
    let path = |line: &str| {
        let path = line.strip_prefix("path = \"fuzz_targets/")?;
        Some(path.strip_suffix(".rs\"")?.to_owned())
    };
    let programs: BTreeSet<String> = manifest.lines().filter_map(path).collect();
    assert_eq!(programs, targets());
    for name in programs {
        let path = crate_directory.join(format!("fuzz_targets/{name}.rs"));
        let program = std::fs::read_to_string(path).unwrap();
        assert!(
            program.contains(&format!("keyward_fuzz::{name}(data)")),
            "{name}"
        );
    }
}

#[test]
fn targets_are_listed_in_order_and_once() {
    let rise = TARGETS.windows(2).all(|two| two[0].0 < two[1].0);
    assert!(rise, "TARGETS rise by name");
}
