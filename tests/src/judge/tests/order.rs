//! `rising` and `commitment`.

use keyward_protocol::Commitment;

use super::forge::{secret, time, Story};
use crate::judge::evidence::What;

/// STM-4.
#[test]
fn what_a_device_accepts_must_not_fall() {
    let story = |second: u64| {
        Story::with(|story| {
            story.knows(time(5), "p", 2);
            story.knows(time(6), "p", second);
        })
    };
    story(2).is_acquitted();
    story(1).is_convicted_of(
        "rising",
        "p: the revision that it accepted for g fell from 2 to 1",
    );
}

/// STM-4, KEX-8: receipts that were sent at once may cross.
#[test]
fn a_device_must_not_acknowledge_an_older_epoch_after_a_newer_one() {
    let story = |later: u64| {
        let mut story = Story::new();
        story.block(1, story.state(1, true));
        story.block(3, story.state(2, true));
        story.grants(time(3) + 10, "w", &[(1, secret(1)), (2, secret(2))]);
        story.states(time(3) + 20, &story.statement(2));
        for (at, epoch) in [(time(5), 2), (time(5) + later, 1)] {
            story.acknowledges(at, "s", epoch, story.commitment(epoch));
        }
        story.until_the_end();
        story
    };
    story(999).is_acquitted();
    story(1_000).is_convicted_of(
        "rising",
        "s: the epoch of its receipts for g fell from 2 to 1",
    );
}

/// MSG-14.
#[test]
fn what_a_publisher_seals_with_must_not_fall() {
    let story = |epoch: u32| {
        let mut story = Story::new();
        story.block(1, story.state(1, true));
        story.block(3, story.state(2, true));
        story.grants(time(3) + 10, "w", &[(1, secret(1)), (2, secret(2))]);
        story.states(time(3) + 20, &story.statement(2));
        for (at, epoch, text) in [(4, 2, "p 1"), (5, epoch, "p 2")] {
            let bytes = story.sends(time(at), time(at) + 100, epoch, text);
            story.reads(time(at) + 110, &bytes, text);
        }
        story.until_the_end();
        story
    };
    story(2).is_acquitted();
    story(1).is_convicted_of(
        "rising",
        "p: the epoch that it seals with in g fell from 2 to 1",
    );
}

/// MSG-9.
#[test]
fn a_boot_must_rise_from_run_to_run() {
    let rises = |first: u32, second: u32| {
        let mut story = Story::new();
        story.until_the_removal();
        for (at, boot) in [(5, first), (6, second)] {
            let (counter, text) = (u64::from(at), format!("p {at}"));
            let bytes = story.sends_with(time(at), time(at) + 100, (2, boot, counter), &text);
            story.reads(time(at) + 110, &bytes, &text);
        }
        story.note(time(40), What::Healed);
        story.note(time(42), What::Quiet);
        let bytes = story.sends_with(time(43), time(43) + 100, (2, 90, 0), "p last");
        story.reads(time(43) + 110, &bytes, "p last");
        story.block(90, story.state(2, false));
        story.over();
        story
    };
    rises(2, 3).is_acquitted();
    rises(3, 3).is_convicted_of("rising", "p sealed with boot 3 in two runs of its program");
    rises(4, 3).is_convicted_of(
        "rising",
        "p: the boot that it seals with in g fell from 4 to 3",
    );
}

/// MSG-3.
#[test]
fn a_key_and_a_nonce_must_serve_one_message() {
    let story = Story::with(|story| {
        let with = (2, 1, 0);
        for (at, text) in [(5, "p 2"), (6, "p 3")] {
            let bytes = story.sends_with(time(at), time(at) + 100, with, text);
            story.reads(time(at) + 110, &bytes, text);
        }
    });
    story.is_convicted_of(
        "rising",
        "p sealed two messages with epoch 2, boot 1 and counter 0",
    );
}

/// STM-3.
#[test]
fn a_revision_must_have_one_statement() {
    let story = |max_silence: u32| {
        Story::with(|story| {
            let mut statement = story.statement(2);
            statement.policy.max_silence = max_silence;
            story.states(time(6), &statement);
        })
    };
    story(10).is_acquitted();
    story(11).is_convicted_of("rising", "two statements of g with revision 2");
}

/// KEX-5.
#[test]
fn the_chain_must_not_change_a_commitment() {
    let story = |commitment: Option<Commitment>| {
        Story::with(|story| {
            let mut state = story.state(2, false);
            let exchange = &mut state.groups[0].exchanges[0];
            exchange.committed = exchange
                .committed
                .zip(commitment)
                .map(|((_, account), commitment)| (commitment, account));
            story.block(5, state);
        })
    };
    let right = Story::new().commitment(1);
    story(Some(right)).is_acquitted();
    let wrong = Commitment([1; 32]);
    story(Some(wrong)).is_convicted_of("commitment", "the commitment of epoch 1 of g in block 5");
    story(None).is_convicted_of("commitment", "the commitment of epoch 1 of g in block 5");
}

/// KEX-2.
#[test]
fn epochs_must_rise_by_one() {
    let story = |epoch: u32| {
        let mut story = Story::new();
        story.block(1, story.state(1, true));
        story.block(2, story.state(epoch, true));
        story.until_the_end();
        story
    };
    story(2).is_acquitted();
    let story = story(3).judged();
    assert!(story.iter().any(|c| c
        .what
        .contains("g went from epoch 1 (revision 1) to 3 (revision 3) in block 2")));
}

/// KEX-9.
#[test]
fn a_receipt_must_name_the_commitment_of_the_chain() {
    let story = |commitment: Commitment| {
        Story::with(|story| story.acknowledges(time(6), "s", 2, commitment))
    };
    story(Story::new().commitment(2)).is_acquitted();
    story(Commitment([1; 32])).is_convicted_of("commitment", "a receipt of s names another");
}

/// STM-3.
#[test]
fn a_statement_must_name_the_commitments_of_the_chain() {
    let story = Story::with(|story| {
        let mut statement = story.statement(2);
        let last = statement.commitments.iter_mut().last().unwrap();
        last.commitment = Commitment([1; 32]);
        statement.revision = 3;
        story.states(time(6), &statement);
    });
    story.is_convicted_of(
        "commitment",
        "a statement names another commitment for epoch 2 of g",
    );
}

/// KEY-3, KEY-5.
#[test]
fn a_grant_must_hold_what_was_committed_to() {
    let story =
        |granted: u32| Story::with(|story| story.grants(time(6), "w", &[(2, secret(granted))]));
    story(2).is_acquitted();
    story(5).is_convicted_of("commitment", "the secret of epoch 2 of g that w got");
}
