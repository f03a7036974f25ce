//! What is sealed in the device's own name: not for it to read, and evidence when it did not seal it (MSG-10).

use keyward_client::session::{Notice, Refusal};

use crate::world::{identity, Forged, World};

fn is_alarmed(device: &mut crate::world::Device) -> bool {
    device
        .notices()
        .iter()
        .any(|notice| matches!(notice, Notice::Clone { .. }))
}

#[test]
fn an_echo_is_refused_and_no_alarm() {
    let mut world = World::new();
    let mut device = world.ready("1114");
    let sealed = device.seal(&world, b"x").unwrap().bytes;
    assert_eq!(device.refuses(&world, sealed), Refusal::Own);
    assert!(!is_alarmed(&mut device));
}

#[test]
fn a_message_of_ours_that_we_did_not_seal_is_evidence_of_a_clone() {
    let mut world = World::new();
    let mut device = world.ready("1114");
    device.seal(&world, b"x").unwrap();
    let own = identity("1114").signing;
    for (boot, counter) in [(2, 0), (1, 1)] {
        let sealed = world.group().forge(
            3,
            &own,
            Forged {
                boot,
                counter,
                ..Forged::default()
            },
        );
        assert_eq!(device.refuses(&world, sealed), Refusal::Own);
        assert!(is_alarmed(&mut device), "boot {boot}, counter {counter}");
    }
}

/// Who has not the keys cannot raise the alarm.
#[test]
fn a_forgery_in_our_name_is_no_evidence() {
    let mut world = World::new();
    let mut device = world.ready("1114");
    let sealed = world.group().forge(
        3,
        &identity("1113").signing,
        Forged {
            boot: 9,
            ..Forged::default()
        },
    );
    assert_eq!(device.refuses(&world, sealed), Refusal::Signature);
    assert!(!is_alarmed(&mut device));
}
