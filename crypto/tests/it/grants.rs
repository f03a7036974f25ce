//! Grants, sealed one by one and in a pass.

use std::collections::BTreeSet;

use keyward_crypto::{
    grant::{open, seal, seal_all, GrantNotSealed, GrantRefused, Recipient},
    sealed_box::{self, NotOpened, NotSealed},
    AgreementSecret, SealingPass,
};
use keyward_protocol::{
    extension::{Extension, Extensions},
    grant::{EpochSecret, Grant, GrantedEpoch},
    limits,
    wire::WireInvalid,
    AgreementKey, DeviceId, GroupId,
};
use rand_core::OsRng;

use crate::fixed::{agreement, device, group, Constant};

fn grant() -> Grant {
    let granted = |epoch| GrantedEpoch {
        epoch,
        secret: EpochSecret::new([epoch as u8; 32]),
    };
    Grant {
        group: group("hsu0001"),
        device: device("1112"),
        key_version: 3,
        epochs: vec![granted(5), granted(6)].try_into().unwrap(),
        extensions: Extensions::default(),
    }
}

fn opened(
    sealed: &[u8],
    group: &GroupId,
    device: &DeviceId,
    version: u32,
) -> Result<Grant, GrantRefused> {
    let expected = Recipient {
        group,
        device,
        key_version: version,
    };
    open(&agreement(5), sealed, expected)
}

#[test]
fn the_recipient_opens_its_grant() {
    let sealed = seal(&grant(), &agreement(5).public(), &mut OsRng).unwrap();
    let read = opened(&sealed, &group("hsu0001"), &device("1112"), 3);
    assert_eq!(read, Ok(grant()));
}

#[test]
fn nobody_else_opens_it() {
    let sealed = seal(&grant(), &agreement(6).public(), &mut OsRng).unwrap();
    let read = opened(&sealed, &group("hsu0001"), &device("1112"), 3);
    assert_eq!(read, Err(GrantRefused::Box(NotOpened::NotOurs)));
}

/// KEY-4.
#[test]
fn a_grant_for_another_group_device_or_key_version_is_refused_by_name() {
    let sealed = seal(&grant(), &agreement(5).public(), &mut OsRng).unwrap();
    let (ours, other) = (group("hsu0001"), group("hsu0002"));
    let (we, they) = (device("1112"), device("1113"));
    let actual = ours.clone();
    assert_eq!(
        opened(&sealed, &other, &we, 3),
        Err(GrantRefused::Group { actual })
    );
    let actual = we.clone();
    assert_eq!(
        opened(&sealed, &ours, &they, 3),
        Err(GrantRefused::Device { actual })
    );
    let actual = 3;
    assert_eq!(
        opened(&sealed, &ours, &we, 4),
        Err(GrantRefused::KeyVersion { actual })
    );
}

#[test]
fn every_changed_byte_is_noticed() {
    let sealed = seal(&grant(), &agreement(5).public(), &mut Constant(8)).unwrap();
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed[at] ^= 1 << bit;
            let read = agreement(5).open(&changed);
            assert_eq!(read, Err(NotOpened::NotOurs), "byte {at}, bit {bit}");
        }
    }
    for length in 0..sealed.len() {
        assert!(
            agreement(5).open(&sealed[..length]).is_err(),
            "{length} bytes"
        );
    }
}

#[test]
fn the_shortest_box_is_48_bytes() {
    let secret = agreement(5);
    let empty = sealed_box::seal(&secret.public(), b"", &mut OsRng).unwrap();
    assert_eq!(empty.len(), sealed_box::OVERHEAD);
    assert!(secret.open(&empty).unwrap().is_empty());
    let actual = 47;
    assert_eq!(
        secret.open(&empty[..47]),
        Err(NotOpened::TooShort { actual })
    );
}

/// EXT-1.
#[test]
fn an_unknown_critical_extension_is_refused_by_name_and_another_one_is_not() {
    for critical in [true, false] {
        let extension = Extension {
            id: 9,
            critical,
            bytes: Default::default(),
        };
        let mut grant = grant();
        grant.extensions = Extensions(vec![extension].try_into().unwrap());
        let sealed = seal(&grant, &agreement(5).public(), &mut OsRng).unwrap();
        let read = opened(&sealed, &group("hsu0001"), &device("1112"), 3);
        match critical {
            true => assert_eq!(read, Err(GrantRefused::UnknownExtension { id: 9 })),
            false => assert_eq!(read, Ok(grant)),
        }
    }
}

#[test]
fn a_grant_that_breaks_its_format_is_neither_sealed_nor_opened() {
    let mut grant = grant();
    grant.epochs = grant
        .epochs
        .iter()
        .rev()
        .cloned()
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    let source = WireInvalid::NotCanonical("epochs rise");
    let recipient = agreement(5).public();
    let refused = seal(&grant, &recipient, &mut OsRng);
    assert_eq!(refused, Err(GrantNotSealed::Format { source }));
    let sealed = sealed_box::seal(&recipient, &grant.to_wire(), &mut OsRng).unwrap();
    let read = opened(&sealed, &group("hsu0001"), &device("1112"), 3);
    assert_eq!(read, Err(GrantRefused::Format { source }));
}

#[test]
fn a_grant_that_is_too_long_is_refused_before_it_is_opened() {
    let sealed = vec![0; limits::GRANT + 1];
    let read = opened(&sealed, &group("hsu0001"), &device("1112"), 3);
    let actual = limits::GRANT + 1;
    assert_eq!(read, Err(GrantRefused::TooLong { actual }));
}

#[test]
fn nothing_is_sealed_to_a_key_of_small_order() {
    let minus_one = {
        let mut u = [0xff; 32];
        (u[0], u[31]) = (0xec, 0x7f);
        u
    };
    for recipient in [[0; 32], minus_one, [0xff; 32]] {
        let recipient = AgreementKey(recipient);
        let refused = Err(GrantNotSealed::Key(NotSealed::Recipient { recipient }));
        assert_eq!(seal(&grant(), &recipient, &mut OsRng), refused);
        let mut pass = SealingPass::begin(&mut OsRng);
        assert_eq!(pass.seal(&grant(), &recipient), refused);
    }
}

#[test]
fn a_box_from_an_ephemeral_key_of_small_order_is_refused() {
    // What anybody can make who knows only the public key: the shared secret is zero. libsodium refuses it too.
    let mut forged = sealed_box::seal(&agreement(5).public(), b"x", &mut OsRng).unwrap();
    forged[..32].fill(0);
    assert_eq!(agreement(5).open(&forged), Err(NotOpened::NotOurs));
}

#[test]
fn boxes_of_a_pass_share_one_ephemeral_key_and_open_like_any_other() {
    let mut pass = SealingPass::begin(&mut OsRng);
    let members: Vec<AgreementSecret> = (1..20).map(agreement).collect();
    let sealed: Vec<Vec<u8>> = members
        .iter()
        .map(|member| pass.seal(&grant(), &member.public()).unwrap())
        .collect();
    for (member, sealed) in members.iter().zip(&sealed) {
        let own = crypto_box::SecretKey::from(*member.expose());
        assert_eq!(own.unseal(sealed).unwrap(), **grant().to_wire());
    }
    assert!(sealed.windows(2).all(|two| two[0][..32] == two[1][..32]));
    assert!(sealed.windows(2).all(|two| two[0][32..] != two[1][32..]));
}

/// KEY-6.
#[test]
fn a_pass_seals_to_a_key_once() {
    let mut pass = SealingPass::begin(&mut OsRng);
    let recipient = agreement(5).public();
    assert!(pass.seal(&grant(), &recipient).is_ok());
    assert_eq!(
        pass.seal(&grant(), &recipient),
        Err(GrantNotSealed::Repeated { recipient })
    );
    let mut other = SealingPass::begin(&mut OsRng);
    assert!(other.seal(&grant(), &recipient).is_ok());
}

/// KEY-6: each thread's share is a pass of its own.
#[test]
fn many_are_sealed_on_several_threads_in_their_order() {
    let keys: Vec<AgreementSecret> = (1..=250).map(agreement).collect();
    let mut grants: Vec<_> = keys.iter().map(|key| (grant(), key.public())).collect();
    for threads in [0, 1, 3, 250] {
        let sealed = seal_all(&grants, threads, &mut OsRng);
        assert_eq!(sealed.len(), keys.len());
        let mut ephemeral = BTreeSet::new();
        for (key, sealed) in keys.iter().zip(sealed) {
            let sealed = sealed.unwrap();
            ephemeral.insert(sealed[..32].to_vec());
            assert_eq!(*key.open(&sealed).unwrap(), **grant().to_wire());
        }
        assert_eq!(ephemeral.len(), threads.clamp(1, 4));
    }
    assert!(seal_all(&[], 2, &mut OsRng).is_empty());
    let (_, recipient) = grants[0];
    grants[1].1 = recipient;
    let sealed = seal_all(&grants, 2, &mut OsRng);
    assert_eq!(sealed[1], Err(GrantNotSealed::Repeated { recipient }));
    assert!(sealed[0].is_ok() && sealed[2].is_ok());
}

/// KEY-6.
#[test]
fn two_passes_have_different_ephemeral_keys() {
    let recipient = agreement(5).public();
    let seal = || {
        SealingPass::begin(&mut OsRng)
            .seal(&grant(), &recipient)
            .unwrap()
    };
    assert_ne!(seal()[..32], seal()[..32]);
}

#[test]
fn our_boxes_are_those_of_crypto_box() {
    let (secret, theirs) = (agreement(5), crypto_box::SecretKey::from([5; 32]));
    assert_eq!(secret.public().0, *theirs.public_key().as_bytes());
    for length in [
        0,
        1,
        31,
        32,
        33,
        64,
        1000,
        limits::GRANT - sealed_box::OVERHEAD,
    ] {
        let content = vec![0x5a; length];
        let ours = sealed_box::seal(&secret.public(), &content, &mut Constant(8)).unwrap();
        let reference = theirs
            .public_key()
            .seal(&mut Constant(8), &content)
            .unwrap();
        assert_eq!(ours, reference);
        assert_eq!(**secret.open(&reference).unwrap(), content);
    }
}
