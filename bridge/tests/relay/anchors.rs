//! Anchor certificates (STM-11, TOP-5): who may leave one in the gateway's branch or give it to the bridge, and for how long it
//! stands.

use keyward_bridge::relay::{GivenAnchor, Input, Relay};
use keyward_bridge_testing::{custody::OTHER, devices, numbers::Numbers, state::ACCOUNT, World};
use keyward_crypto::SigningKey;
use keyward_protocol::{
    beacon::AnchorCertificate,
    signing::Unverified,
    topic::{ControlTopic, PREFIX},
    AccountId,
};

use crate::settled;

fn topic() -> ControlTopic {
    ControlTopic::Anchor(devices::gateway())
}

fn new_key() -> SigningKey {
    SigningKey::from_seed(&[0x4e; 32])
}

/// For another statement key than the bridge has.
fn certificate(gateway: AccountId, serial: u64, signer: &SigningKey) -> Vec<u8> {
    certificate_of(&new_key(), gateway, serial, signer)
}

fn certificate_of(
    key: &SigningKey,
    gateway: AccountId,
    serial: u64,
    signer: &SigningKey,
) -> Vec<u8> {
    let certificate = AnchorCertificate {
        gateway,
        statement_key: key.verifying_key(),
        serial,
    };
    devices::sign(certificate, signer)
}

/// The statement key that the bridge's was before, which nobody but devices knows any more.
fn former_key() -> SigningKey {
    SigningKey::from_seed(&[0x4f; 32])
}

/// For the statement key that the bridge has.
fn own_certificate(serial: u64, signer: &SigningKey) -> Vec<u8> {
    certificate_of(&devices::statement_key(), ACCOUNT, serial, signer)
}

fn given(certificate: &[u8], signer: &SigningKey) -> Input {
    Input::Anchor(GivenAnchor {
        signer: signer.verifying_key(),
        certificate: Unverified::from_wire(certificate).unwrap(),
    })
}

/// What stands when somebody has left this and everything has calmed down.
fn stands(world: &mut World, left: &[u8]) -> Option<Vec<u8>> {
    world.broker.publish(&topic().to_topic(PREFIX), left);
    world.calm_down();
    world.told(&topic()).cloned()
}

#[test]
fn a_certificate_that_nobody_signed_who_may_is_cleared() {
    let mut world = settled();
    let stranger = SigningKey::from_seed(&[0x57; 32]);
    let authority = devices::authority_key();
    for left in [
        certificate(ACCOUNT, u64::MAX, &stranger),
        certificate(OTHER, 1, &authority),
        b"no certificate".to_vec(),
    ] {
        assert_eq!(stands(&mut world, &left), None);
    }
}

#[test]
fn a_certificate_of_the_statement_key_or_the_devices_authority_stays_whatever_follows() {
    for signer in [devices::statement_key(), devices::authority_key()] {
        let mut world = settled();
        let left = certificate(ACCOUNT, 2, &signer);
        world.published.clear();
        assert_eq!(stands(&mut world, &left).as_ref(), Some(&left));
        let again = topic().to_topic(PREFIX);
        assert!(!world.published.contains(&again), "it was not missing");
        for other in [
            certificate(ACCOUNT, 1, &signer),
            certificate(ACCOUNT, 3, &new_key()),
            Vec::new(),
        ] {
            assert_eq!(stands(&mut world, &other).as_ref(), Some(&left));
        }
        world.restart();
        world.broker.lose_everything();
        world.calm_down();
        assert_eq!(world.told(&topic()), Some(&left));
        let newer = certificate(ACCOUNT, 3, &signer);
        assert_eq!(stands(&mut world, &newer), Some(newer));
    }
}

#[test]
fn a_certificate_that_is_told_before_the_chain_is_known_waits_for_it() {
    let mut world = settled();
    let left = certificate(ACCOUNT, 1, &devices::authority_key());
    stands(&mut world, &left);
    world.lose_journal();
    world.broker.connect();
    while world.broker.receive() || world.hear() {}
    world.calm_down();
    assert_eq!(world.told(&topic()), Some(&left));
}

/// Devices that were away learn of the new key by what the old one signed.
#[test]
fn a_certificate_of_a_key_that_was_replaced_since_stays() {
    let mut world = settled();
    let left = certificate(ACCOUNT, 1, &devices::statement_key());
    stands(&mut world, &left);
    let mut block = world.chain.look(true);
    let gateways = &mut block.fleet.as_mut().unwrap().gateways;
    gateways.get_mut(&ACCOUNT).unwrap().statement_key = new_key().verifying_key();
    let (journal, rng) = (world.journal.clone(), Box::new(Numbers::new(99)));
    let mut relay = Relay::new(devices::home(), PREFIX, new_key(), journal, rng);
    relay.handle(0, Input::Finalized(block));
    let wanted = relay.wanted();
    assert_eq!(wanted.get(&topic().to_topic(PREFIX)), Some(&left));
}

#[test]
fn what_the_configuration_gives_stands_also_when_only_devices_know_who_signed_it() {
    let mut world = settled();
    let certificate = own_certificate(41, &former_key());
    assert_eq!(stands(&mut world, &certificate), None, "from anybody");
    world.input(given(&certificate, &former_key()));
    world.calm_down();
    assert_eq!(world.told(&topic()), Some(&certificate));
    // Whatever is lost; it is given at every start.
    world.restart();
    world.broker.lose_everything();
    world.calm_down();
    assert_eq!(world.told(&topic()), Some(&certificate));
    world.lose_journal();
    world.input(given(&certificate, &former_key()));
    world.published.clear();
    world.calm_down();
    assert_eq!(world.told(&topic()), Some(&certificate));
    let again = topic().to_topic(PREFIX);
    assert!(!world.published.contains(&again), "it was not missing");
    assert_eq!(stands(&mut world, b"another"), Some(certificate));
}

/// The authority may have certified the same key since.
#[test]
fn what_the_configuration_gives_does_not_replace_what_is_newer() {
    let mut world = settled();
    let newer = own_certificate(50, &devices::authority_key());
    assert_eq!(stands(&mut world, &newer).as_ref(), Some(&newer));
    let older = own_certificate(41, &former_key());
    world.input(given(&older, &former_key()));
    world.calm_down();
    assert_eq!(world.told(&topic()), Some(&newer));
    let newest = own_certificate(51, &devices::authority_key());
    world.input(given(&newest, &devices::authority_key()));
    world.calm_down();
    assert_eq!(world.told(&topic()), Some(&newest));
}

/// Who had stolen the former key has left the highest serial while the bridge had that key, too.
#[test]
fn what_the_configuration_gives_replaces_what_tells_another_key() {
    let mut world = settled();
    let stolen = devices::statement_key();
    let theirs = certificate(ACCOUNT, u64::MAX, &stolen);
    assert_eq!(stands(&mut world, &theirs).as_ref(), Some(&theirs));
    let ours = own_certificate(41, &devices::authority_key());
    world.input(given(&ours, &devices::authority_key()));
    world.calm_down();
    assert_eq!(world.told(&topic()), Some(&ours));
}

#[test]
fn what_the_configuration_gives_wrongly_is_not_told() {
    let mut world = settled();
    let key = former_key();
    for (certificate, signer) in [
        // Not by who is said to have signed it.
        (own_certificate(41, &key), new_key()),
        (certificate(ACCOUNT, 41, &key), former_key()),
        (
            certificate_of(&devices::statement_key(), OTHER, 41, &key),
            former_key(),
        ),
    ] {
        world.input(given(&certificate, &signer));
        world.calm_down();
        assert_eq!(world.told(&topic()), None);
    }
}
