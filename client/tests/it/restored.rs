//! A store that was restored from a backup: a boot that others know must not be used again. The device finds out by its own
//! messages, seals nothing more, and goes on with new keys (DESIGN 5.1; MSG-9, MSG-10).

use keyward_client::session::{Identity, Notice, Refusal, SealRefused, Settings};
use keyward_crypto::{AgreementSecret, SigningKey};

use crate::world::{identity, Device, Forged, World};

/// The same device with new keys, as the chain has them now.
fn renewed(world: &mut World, device: Device) -> Device {
    let identity = Identity {
        key_version: 2,
        signing: SigningKey::from_seed(&[0x31; 32]),
        agreement: AgreementSecret::from_bytes(&[0x32; 32]),
        ..device.identity
    };
    let group = world.group();
    let mut members = group.members.iter_mut();
    let member = members
        .find(|member| member.identity.device == identity.device)
        .unwrap();
    (member.identity, member.index) = (identity.clone(), 10);
    group.members.sort_by_key(|member| member.index);
    group.rotate();
    world.block += 1;
    Device::start(
        world,
        identity,
        device.values,
        device.secrets,
        Settings::default(),
    )
}

/// A device that is brought back to its second start, and what it sealed in its third.
fn brought_back(world: &mut World, name: &str) -> (Device, Vec<u8>) {
    let device = world.ready(name).restart(world);
    let backup = (device.values.clone(), device.secrets.clone());
    let mut device = device.restart(world);
    let sealed = device.seal(world, b"of the third start").unwrap().bytes;
    let mut device = Device::start(
        world,
        identity(name),
        backup.0,
        backup.1,
        Settings::default(),
    );
    world.settle(&mut device);
    (device, sealed)
}

#[test]
fn receivers_refuse_a_boot_that_is_used_again_and_raise_the_alarm() {
    let mut world = World::new();
    let mut reader = world.ready("1112");
    let (mut device, sealed) = brought_back(&mut world, "1111");
    reader.reads(&world, sealed);
    let again = device.seal(&world, b"of its restored self").unwrap().bytes;
    assert_eq!(reader.refuses(&world, again), Refusal::Cloned);
    let alarm = |notice: &Notice| matches!(notice, Notice::Clone { .. }) && notice.is_alarm();
    assert!(reader.notices().iter().any(alarm));
}

#[test]
fn its_own_message_of_a_boot_or_counter_that_it_knows_nothing_of_stops_it() {
    let mut world = World::new();
    let (mut device, sealed) = brought_back(&mut world, "1114");
    assert!(device.seal(&world, b"x").is_ok());
    world.mono_ms += 1;
    // The message that it sealed in the same boot and counter is not told from this one; the next one is.
    let mut other = Forged {
        boot: 3,
        counter: 1,
        ..Forged::default()
    };
    let own = identity("1114").signing;
    let next = world.group().forge(3, &own, other.clone());
    assert_eq!(device.refuses(&world, sealed), Refusal::Own);
    assert!(device.seal(&world, b"x").is_ok());
    other.counter = 2;
    let later = world.group().forge(3, &own, other);
    assert_eq!(device.refuses(&world, next), Refusal::Own);
    assert!(device.seal(&world, b"x").is_ok());
    device.actions.clear();
    // Counter 3 is its next: one that it did not seal.
    let beyond = world.group().forge(
        3,
        &own,
        Forged {
            boot: 3,
            counter: 3,
            ..Forged::default()
        },
    );
    assert_eq!(device.refuses(&world, later), Refusal::Own);
    assert_eq!(device.refuses(&world, beyond), Refusal::Own);
    let group = world.group().id.clone();
    let notices = device.notices();
    assert!(notices.contains(&Notice::Copied(group)), "{notices:?}");
    assert!(notices.iter().all(Notice::is_alarm));
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::Copied));
    assert!(!SealRefused::Copied.is_retryable());
}

/// Also a device that only publishes looks at what comes in its own name; and it does not forget.
#[test]
fn it_stays_stopped_until_its_keys_are_replaced() {
    let mut world = World::new();
    let mut device = world.ready("1111");
    let own = identity("1111").signing;
    let later = world.group().forge(
        0,
        &own,
        Forged {
            boot: 9,
            ..Forged::default()
        },
    );
    assert_eq!(device.refuses(&world, later), Refusal::Own);
    let mut device = device.restart(&world);
    world.settle(&mut device);
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::Copied));
    assert_eq!(device.session.status().copied, Some(1));
    let mut device = renewed(&mut world, device);
    world.settle(&mut device);
    let sealed = device.seal(&world, b"with new keys").unwrap().bytes;
    let mut reader = world.ready("1112");
    assert_eq!(reader.reads(&world, sealed).payload, b"with new keys");
}

/// In an unsigned group every member could have forged it: it is told, and stops nobody.
#[test]
fn members_of_an_unsigned_group_cannot_stop_a_device() {
    let mut world = World::new();
    world.group().policy.signed = false;
    let mut device = world.ready("1114");
    let forged = world.group().forge(
        3,
        &identity("1112").signing,
        Forged {
            boot: 9,
            ..Forged::default()
        },
    );
    assert_eq!(device.refuses(&world, forged), Refusal::Own);
    let notices = device.notices();
    assert!(matches!(notices[..], [Notice::Clone { .. }]), "{notices:?}");
    assert!(device.seal(&world, b"x").is_ok());
}

/// A device with new keys believes nothing that was said of the old ones, until its gateway speaks of the new ones (STM-2), and
/// keeps no secret of a group that it is not in any more.
#[test]
fn what_was_said_of_the_old_keys_does_not_count_for_the_new_ones() {
    let mut world = World::new();
    let device = world.ready("1114");
    assert!(!device.secrets.is_empty());
    let mut device = renewed(&mut world, device);
    assert_eq!(device.seal(&world, b"x"), Err(SealRefused::NotMember));
    assert!(!device.session.is_told());
    let old = {
        let mut statement = world.device_statement(&identity("1114"));
        statement.revision += 1;
        world.gateway.sign(statement)
    };
    let topic = world.device_topic(&"1114".parse().unwrap());
    device.receive(&world, &topic, old, true);
    assert_eq!(device.control_refusals(), ["KeyVersion"]);
    let members = std::mem::take(&mut world.group().members);
    world.tell(&mut device);
    assert!(device.secrets.is_empty(), "a secret is left");
    world.group().members = members;
    world.block += 1;
    world.settle(&mut device);
    assert!(device.seal(&world, b"x").is_ok());
}
