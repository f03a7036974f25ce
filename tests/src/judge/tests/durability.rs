//! `durable` and `running`.

use keyward_protocol::{
    request::{Refusal, Status},
    statement::GroupState,
};

use super::forge::{grant_topic, id, state_topic, time, Story};
use crate::judge::evidence::{Happened, Registered, State, What};

/// REQ-6.
#[test]
fn a_request_that_the_bridge_acknowledged_must_be_answered() {
    let story = |answer: Option<Status>| {
        Story::with(|story| {
            story.asks(time(5), "p");
            if let Some(status) = answer {
                story.answers(time(6), "p", status);
            }
        })
    };
    story(Some(Status::Done)).is_acquitted();
    story(Some(Status::Refused(Refusal::Busy))).is_acquitted();
    story(None).is_convicted_of("durable", "a request of p and never gave its last word");
    story(Some(Status::Accepted)).is_convicted_of("durable", "never gave its last word");
}

/// It is said once, to whoever is there; what it says is on chain for all that.
#[test]
fn the_last_word_may_be_lost_with_the_broker_and_the_registration_may_not() {
    let story = |device: &str, killed: u64, bridge_killed: Option<u64>| {
        Story::with(|story| {
            story.asks(time(5), device);
            if let Some(at) = bridge_killed {
                story.fault(at, "bridge", Happened::Killed);
            }
            story.fault(killed, "broker", Happened::Killed);
        })
    };
    story("p", time(6), None).is_acquitted();
    story("p", time(6), Some(time(4))).is_acquitted();
    let never = "never gave its last word";
    story("p", time(4), None).is_convicted_of("durable", never);
    story("n", time(6), None).is_convicted_of("durable", never);
    // Whoever was killed may have forgotten it, whenever that was.
    story("p", time(6), Some(time(6))).is_convicted_of("durable", never);
    story("p", time(6), Some(time(7))).is_convicted_of("durable", never);
}

/// A journal from before the request has lost it.
#[test]
fn a_request_may_be_lost_with_the_journal() {
    let story = |restored: u64| {
        Story::with(|story| {
            story.asks(time(5), "p");
            story.fault(restored, "bridge", Happened::Restored);
        })
    };
    story(time(6)).is_acquitted();
    story(time(4)).is_convicted_of("durable", "never gave its last word");
}

/// REQ-3.
#[test]
fn what_is_done_must_be_on_chain() {
    Story::with(|story| {
        story.asks(time(5), "n");
        story.answers(time(6), "n", Status::Done);
    })
    .is_convicted_of("durable", "n is not on chain");
    let mut whole = Story::new();
    whole.until_the_removal();
    whole.asks(time(5), "n");
    whole.answers(time(6), "n", Status::Done);
    whole.note(time(40), What::Healed);
    whole.note(time(42), What::Quiet);
    let bytes = whole.sends(time(43), time(43) + 100, 2, "p last");
    whole.reads(time(43) + 110, &bytes, "p last");
    let mut state = whole.state(2, false);
    let device = Registered {
        device: id("n"),
        ..state.devices[0].clone()
    };
    state.devices.push(device);
    whole.block(90, state);
    whole.holds(time(91), "n", false);
    whole.over();
    whole.is_acquitted();
}

/// The end of the story, with another last state.
fn ends_with(change: impl FnOnce(&mut State)) -> Story {
    let mut story = Story::new();
    story.until_the_removal();
    story.note(time(40), What::Healed);
    story.note(time(42), What::Quiet);
    let bytes = story.sends(time(43), time(43) + 100, 2, "p last");
    story.reads(time(43) + 110, &bytes, "p last");
    let mut state = story.state(2, false);
    change(&mut state);
    story.block(90, state);
    story.over();
    story
}

/// BRG-6, and receipts that are repeated until they are on chain.
#[test]
fn receipts_must_reach_the_chain() {
    ends_with(|_| {}).is_acquitted();
    let story = ends_with(|state| state.groups[0].members[1].acknowledged = Some(1));
    let said = story.judged();
    let wanted = [
        "the bridge acknowledged s's receipt of epoch 2 of g, which is not on chain",
        "at the end the chain has a receipt of s of Some(1), and g is at epoch 2",
    ];
    for wanted in wanted {
        assert!(
            said.iter().any(|c| c.what.contains(wanted)),
            "{wanted}: {said:?}"
        );
    }
    story.is_convicted_of("durable", "receipt");
}

/// BRG-3, KEX-6.
#[test]
fn an_epoch_must_be_delivered() {
    ends_with(|state| {
        if let Some(last) = state.groups[0].exchanges.last_mut() {
            last.delivered = false;
        }
    })
    .is_convicted_of("durable", "the delivery of epoch 2 of g is not on chain");
    ends_with(|state| state.groups[0].state = GroupState::Awaiting)
        .is_convicted_of("durable", "g is Awaiting");
}

/// BRG-5.
#[test]
fn the_broker_must_hold_what_the_chain_demands() {
    let without = |topic: String| {
        let mut story = Story::with(|_| {});
        story
            .lines
            .retain(|line| !matches!(&line.what, What::Held { topic: held, .. } if *held == topic));
        story
    };
    without(grant_topic("s")).is_convicted_of("durable", "the broker holds a grant for it: false");
    without(state_topic()).is_convicted_of("durable", "statement of g has revision and epoch None");
    let mut story = Story::with(|_| {});
    let over = story.lines.pop();
    story.held(time(91), grant_topic("d"), vec![1]);
    story.lines.extend(over);
    story.is_convicted_of(
        "durable",
        "d is a member of g: false; the broker holds a grant for it: true",
    );
}

#[test]
fn no_part_may_panic() {
    Story::with(|story| story.fault(time(5), "bridge", Happened::Died)).is_acquitted();
    Story::with(|story| story.fault(time(5), "bridge", Happened::Panicked))
        .is_convicted_of("running", "bridge panicked");
}
