//! The judge convicts: for each rule a run that breaks it, and the same run with the least that makes it right.

mod durability;
mod forge;
mod order;
mod readers;
mod removal;
mod story;

use std::path::Path;

use forge::Story;

#[test]
fn a_run_in_which_everything_is_right_is_acquitted() {
    Story::with(|_| {}).is_acquitted();
}

#[test]
fn a_run_that_was_cut_short_is_no_acquittal() {
    let mut story = Story::with(|_| {});
    story.lines.pop();
    story.is_convicted_of("reading", "cut short");
}

/// It shares formats and primitives with what it judges, and nothing else.
#[test]
fn the_judge_asks_neither_client_nor_bridge() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/judge");
    let entries = std::fs::read_dir(&directory).unwrap();
    let mut read = 0;
    for path in entries.map(|entry| entry.unwrap().path()) {
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        for forbidden in ["keyward_client", "keyward_bridge", "keyward_chain_client"] {
            assert!(
                !text.contains(forbidden),
                "{} uses {forbidden}",
                path.display()
            );
        }
        read += 1;
    }
    assert!(read >= 9, "only {read} files were read");
}
