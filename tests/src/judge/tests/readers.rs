//! `reading` and `once`.

use super::forge::{id, message, refused, secret, time, Story, SUBSCRIBER};
use crate::judge::evidence::{Happened, Printed, What};

#[test]
fn a_member_must_read_what_was_published_and_acknowledged() {
    let story = |reads: bool| {
        Story::with(|story| {
            let bytes = story.sends(time(5), time(5) + 100, 2, "p 2");
            let packet = story.gets(time(5) + 110, &bytes);
            let said = if reads {
                message("p 2")
            } else {
                refused("UnknownEpoch")
            };
            story.prints(time(5) + 112, "s", said);
            story.puback(time(5) + 113, SUBSCRIBER, true, packet);
        })
    };
    story(true).is_acquitted();
    story(false).is_convicted_of("reading", "s never read 'p 2' of p (epoch 2 of g)");
}

#[test]
fn what_the_broker_never_passed_on_is_lost_only_when_it_was_killed() {
    let story = |kill: bool| {
        Story::with(|story| {
            story.sends(time(5), time(5) + 100, 2, "p 2");
            if kill {
                story.fault(time(5) + 200, "broker", Happened::Killed);
            }
        })
    };
    story(true).is_acquitted();
    story(false).is_convicted_of("reading", "s never read 'p 2'");
}

/// A broker that was killed has a message for nobody who did not subscribe again.
#[test]
fn what_was_published_before_a_forgotten_receiver_subscribed_again_is_lost() {
    let story = |forgot: Option<Happened>, subscribes_before: bool| {
        Story::with(|story| {
            if let Some(forgot) = forgot {
                story.fault(time(5), "broker", forgot);
            }
            let statement = story.statement(2);
            if subscribes_before {
                story.states(time(5) + 50, &statement);
            }
            story.sends(time(5), time(5) + 100, 2, "p 2");
            story.states(time(5) + 200, &statement);
        })
    };
    story(Some(Happened::Emptied), false).is_acquitted();
    story(Some(Happened::Killed), false).is_acquitted();
    let convicted = [
        story(None, false),
        story(Some(Happened::Emptied), true),
        story(Some(Happened::Killed), true),
    ];
    for story in convicted {
        story.is_convicted_of("reading", "s never read 'p 2'");
    }
}

#[test]
fn a_message_is_lost_only_with_a_receiver_that_was_killed_while_it_had_it() {
    let story = |killed: u64| {
        Story::with(|story| {
            let bytes = story.sends(time(5), time(5) + 100, 2, "p 2");
            story.gets(time(5) + 110, &bytes);
            story.fault(killed, "s", Happened::Killed);
            // It comes again, and the window has it already.
            let packet = story.gets(time(6), &bytes);
            story.prints(time(6) + 2, "s", refused("Replayed"));
            story.puback(time(6) + 3, SUBSCRIBER, true, packet);
        })
    };
    story(time(5) + 120).is_acquitted();
    story(time(5) + 50).is_convicted_of("reading", "s never read 'p 2'");
}

/// MSG-13: whoever did not hear of the epoch for a minute may refuse what was sealed with it.
#[test]
fn a_message_may_be_refused_when_its_epoch_came_later_than_it_is_parked() {
    let story = |told: u64| {
        let mut story = Story::new();
        story.block(1, story.state(1, true));
        story.block(3, story.state(2, false));
        story.grants(time(3) + 10, "w", &[(2, secret(2))]);
        let bytes = story.sends(time(4), time(4) + 100, 2, "p 2");
        let packet = story.gets(time(4) + 110, &bytes);
        story.prints(time(4) + 60_200, "s", refused("UnknownEpoch"));
        story.puback(time(4) + 60_201, SUBSCRIBER, true, packet);
        story.states(told, &story.statement(2));
        story.until_the_end();
        story
    };
    story(time(4) + 61_000).is_acquitted();
    story(time(4) + 5_000).is_convicted_of("reading", "s never read 'p 2'");
}

#[test]
fn a_publisher_that_is_a_member_must_publish_when_everything_is_well() {
    let mut story = Story::new();
    story.until_the_removal();
    story.note(time(40), What::Healed);
    story.note(time(42), What::Quiet);
    story.block(90, story.state(2, false));
    story.over();
    story.is_convicted_of("reading", "p, a publisher of g, published nothing any more");
}

/// MSG-10.
#[test]
fn a_message_must_not_be_delivered_twice() {
    let story = |second: Printed| {
        Story::with(|story| {
            let bytes = story.sends(time(5), time(5) + 100, 2, "p 2");
            story.reads(time(5) + 110, &bytes, "p 2");
            let packet = story.gets(time(6), &bytes);
            story.prints(time(6) + 2, "s", second);
            story.puback(time(6) + 3, SUBSCRIBER, true, packet);
        })
    };
    story(refused("Replayed")).is_acquitted();
    story(message("p 2")).is_convicted_of("once", "'p 2' was delivered twice to s");
    let mut repeat = message("p 2");
    repeat.marks = vec!["repeat".into()];
    story(repeat).is_acquitted();
}

/// MSG-11: told first, acknowledged then.
#[test]
fn what_a_device_acknowledges_it_must_have_told() {
    let story = |tells: bool| {
        Story::with(|story| {
            let bytes = story.sends(time(5), time(5) + 100, 2, "p 2");
            story.reads(time(5) + 110, &bytes, "p 2");
            let packet = story.gets(time(6), &bytes);
            if tells {
                story.prints(time(6) + 2, "s", refused("Replayed"));
            }
            story.puback(time(6) + 3, SUBSCRIBER, true, packet);
        })
    };
    story(true).is_acquitted();
    story(false).is_convicted_of("once", "run 1 of s acknowledged 4 messages and told of 3");
}

#[test]
fn a_message_must_not_stay_in_a_device_for_ever() {
    let mut story = Story::new();
    story.until_the_removal();
    let bytes = story.sends(time(5), time(5) + 100, 2, "p 2");
    story.reads(time(5) + 110, &bytes, "p 2");
    story.gets(time(6), &bytes);
    story.until_the_end();
    story.is_acquitted();
    let mut story = Story::new();
    story.until_the_removal();
    let bytes = story.sends(time(5), time(5) + 100, 2, "p 2");
    story.gets(time(5) + 110, &bytes);
    story.prints(time(5) + 120, "s", message("p 2"));
    story.until_the_end();
    story.is_convicted_of(
        "once",
        "neither told of a message nor refused it within 120 s",
    );
}

#[test]
fn what_nobody_sealed_must_not_be_delivered() {
    Story::with(|story| story.prints(time(5), "s", message("p 7")))
        .is_convicted_of("once", "s was told 'p 7' of p, but it was sealed by nobody");
    let story = |sender: &str| {
        Story::with(|story| {
            let bytes = story.sends(time(5), time(5) + 100, 2, "p 2");
            let packet = story.gets(time(5) + 110, &bytes);
            let mut said = message("p 2");
            said.sender = Some(id(sender));
            story.prints(time(5) + 112, "s", said);
            story.puback(time(5) + 113, SUBSCRIBER, true, packet);
        })
    };
    story("p").is_acquitted();
    story("w").is_convicted_of("once", "of w, but it was sealed by p");
}
