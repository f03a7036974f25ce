//! `secrecy`.

use super::forge::{message, secret, time, Story, MAX_SILENCE};

/// Sealed with the epoch before the removal, by a program that began so many milliseconds after its block.
fn sealed_with_the_old_epoch(after: u64) -> Story {
    let mut story = Story::new();
    story.block(1, story.state(1, true));
    story.states(time(1) + 600, &story.statement(1));
    for device in ["w", "d"] {
        story.grants(time(1) + 610, device, &[(1, secret(1))]);
    }
    story.block(2, story.state(1, true));
    story.block(3, story.state(2, false));
    story.states(time(3) + 600, &story.statement(2));
    story.grants(time(3) + 610, "w", &[(1, secret(1)), (2, secret(2))]);
    let bytes = story.sends(time(3) + after, time(3) + after + 100, 1, "p old");
    story.reads(time(3) + after + 110, &bytes, "p old");
    story.until_the_end();
    story
}

/// STM-10.
#[test]
fn what_is_sealed_later_than_max_silence_after_a_removal_must_not_open() {
    sealed_with_the_old_epoch(MAX_SILENCE - 1).is_acquitted();
    sealed_with_the_old_epoch(MAX_SILENCE).is_convicted_of("secrecy", "more than max_silence");
}

/// A message that was sealed in time and came late, because its program was frozen or its connection lost, is no offence.
#[test]
fn what_is_sealed_in_time_may_be_sent_late() {
    let story = |started: u64| {
        let mut story = Story::new();
        story.block(1, story.state(1, true));
        story.grants(time(1) + 610, "d", &[(1, secret(1))]);
        story.block(2, story.state(1, true));
        story.block(3, story.state(2, false));
        story.grants(time(3) + 610, "w", &[(1, secret(1)), (2, secret(2))]);
        let bytes = story.sends(started, time(3) + 3 * MAX_SILENCE, 1, "p late");
        story.reads(time(3) + 3 * MAX_SILENCE + 10, &bytes, "p late");
        story.until_the_end();
        story
    };
    story(time(3) + 5).is_acquitted();
    story(time(3) + MAX_SILENCE + 5).is_convicted_of("secrecy", "d, out of g since block 3");
}

/// MSG-14: the receipt of the epoch that the removal began shows that the publisher accepted it.
#[test]
fn what_is_sealed_with_the_old_epoch_after_a_receipt_of_the_new_one_must_not_open() {
    Story::with(|story| {
        let bytes = story.sends(time(3) + 2_000, time(3) + 2_100, 2, "p 2");
        story.reads(time(3) + 2_110, &bytes, "p 2");
    })
    .is_acquitted();
    let convictions = Story::with(|story| {
        let bytes = story.sends(time(3) + 2_000, time(3) + 2_100, 1, "p 2");
        story.reads(time(3) + 2_110, &bytes, "p 2");
    })
    .judged();
    assert!(convictions
        .iter()
        .any(|c| c.rule == "secrecy" && c.what.contains("after it had accepted revision 2")));
}

/// What the device's store says shows it too.
#[test]
fn what_is_sealed_with_the_old_epoch_after_the_store_had_the_new_revision_must_not_open() {
    let story = |knows: Option<u64>| {
        let mut story = sealed_with_the_old_epoch(4_000);
        if let Some(at) = knows {
            story.knows(at, "p", 2);
        }
        story
    };
    story(None).is_acquitted();
    story(Some(time(3) + 3_900)).is_acquitted();
    story(Some(time(3) + 1_000)).is_convicted_of("secrecy", "accepted revision 2");
}

/// MEM-3, KEY-7.
#[test]
fn an_epoch_of_its_absence_must_not_be_granted() {
    Story::with(|story| story.grants(time(5), "d", &[(1, secret(1))])).is_acquitted();
    Story::with(|story| story.grants(time(5), "d", &[(2, secret(2))])).is_convicted_of(
        "secrecy",
        "granted epoch 2 of g, of which it never was a member",
    );
}

/// What its program prints it has read, however it got there.
#[test]
fn a_removed_device_must_not_print_what_was_sealed_after_its_removal() {
    let story = |text: &str| {
        Story::with(|story| {
            let bytes = story.sends(time(3) + 2_000, time(3) + 2_100, 2, "p 2");
            story.reads(time(3) + 2_110, &bytes, "p 2");
            story.prints(time(3) + 2_200, "d", message(text));
        })
    };
    story("p 1").is_acquitted();
    story("p 2").is_convicted_of(
        "secrecy",
        "d, out of g since block 3, can open a message of p",
    );
}
