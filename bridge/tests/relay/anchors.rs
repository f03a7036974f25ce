//! Anchor certificates in the gateway's branch (STM-11, TOP-5): who may leave one there, and for how long it stands.

use keyward_bridge::relay::{Input, Relay};
use keyward_bridge_testing::{custody::OTHER, devices, numbers::Numbers, state::ACCOUNT, World};
use keyward_crypto::SigningKey;
use keyward_protocol::{
    beacon::AnchorCertificate,
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

fn certificate(gateway: AccountId, serial: u64, signer: &SigningKey) -> Vec<u8> {
    let certificate = AnchorCertificate {
        gateway,
        statement_key: new_key().verifying_key(),
        serial,
    };
    devices::sign(certificate, signer)
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
