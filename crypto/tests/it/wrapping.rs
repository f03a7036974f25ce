//! Secrets at rest.

use keyward_crypto::{
    wrap::{NotUnwrapped, Wrapped, OVERHEAD, WRAPPED},
    WrappingKey,
};
use rand_core::OsRng;

use crate::fixed::Constant;

fn key() -> WrappingKey {
    WrappingKey::from_bytes(&[7; 32])
}

/// KEY-9.
#[test]
fn a_wrapped_secret_comes_back_in_its_place() {
    let wrapped = key()
        .wrap(b"epoch hsu0001 4", &[9; 32], &mut OsRng)
        .unwrap();
    let stored = Wrapped::try_from(&wrapped.as_bytes()[..]).unwrap();
    assert_eq!(*key().unwrap(b"epoch hsu0001 4", &stored).unwrap(), [9; 32]);
}

#[test]
fn in_another_place_or_under_another_key_it_does_not() {
    let wrapped = key()
        .wrap(b"epoch hsu0001 4", &[9; 32], &mut OsRng)
        .unwrap();
    let refused = Err(NotUnwrapped::Authenticity);
    assert_eq!(key().unwrap(b"epoch hsu0001 5", &wrapped), refused);
    assert_eq!(key().unwrap(b"", &wrapped), refused);
    let other = WrappingKey::generate(&mut OsRng);
    assert_eq!(other.unwrap(b"epoch hsu0001 4", &wrapped), refused);
}

#[test]
fn every_changed_bit_is_noticed() {
    let wrapped = key().wrap(b"place", &[9; 32], &mut OsRng).unwrap();
    for at in 0..WRAPPED * 8 {
        let mut bytes = *wrapped.as_bytes();
        bytes[at / 8] ^= 1 << (at % 8);
        let refused = key().unwrap(b"place", &Wrapped::from_bytes(bytes));
        assert_eq!(refused, Err(NotUnwrapped::Authenticity), "bit {at}");
    }
}

#[test]
fn another_length_is_a_damaged_store() {
    for actual in [0, 59, 61] {
        let refused = Wrapped::try_from(&vec![0; actual][..]);
        assert_eq!(refused, Err(NotUnwrapped::Length { actual }));
    }
}

#[test]
fn two_wrappings_of_one_secret_differ() {
    let wrap = || key().wrap(b"place", &[9; 32], &mut OsRng).unwrap();
    assert_ne!(wrap(), wrap());
}

/// Overwriting a slot erases the secret: without the slot's key the wrapped secret stays closed.
#[test]
fn a_key_in_a_slot_wraps_a_secret_and_dies_with_the_slot() {
    let slot_key = WrappingKey::generate(&mut OsRng);
    let slot = key()
        .wrap(b"slot 3", slot_key.expose(), &mut OsRng)
        .unwrap();
    let secret = slot_key
        .wrap(b"epoch hsu0001 4", &[9; 32], &mut OsRng)
        .unwrap();
    let read = WrappingKey::from_bytes(&key().unwrap(b"slot 3", &slot).unwrap());
    assert_eq!(*read.unwrap(b"epoch hsu0001 4", &secret).unwrap(), [9; 32]);
    assert!(key().unwrap(b"epoch hsu0001 4", &secret).is_err());
}

/// Secrets of any length: what an application retains is wrapped like a key (KEY-9).
#[test]
fn a_secret_of_any_length_comes_back_in_its_place_only() {
    for length in [0, 1, 31, 32, 4096] {
        let secret = vec![9; length];
        let wrapped = key().wrap_bytes(b"place", &secret, &mut OsRng).unwrap();
        assert_eq!(wrapped.len(), length + OVERHEAD);
        assert_eq!(*key().unwrap_bytes(b"place", &wrapped).unwrap(), secret);
        let refused = Err(NotUnwrapped::Authenticity);
        assert_eq!(key().unwrap_bytes(b"other", &wrapped), refused);
        for at in [0, wrapped.len() / 2, wrapped.len() - 1] {
            let mut changed = wrapped.clone();
            changed[at] ^= 1;
            assert_eq!(key().unwrap_bytes(b"place", &changed), refused);
        }
    }
    let short = key().unwrap_bytes(b"place", &[0; OVERHEAD - 1]);
    let actual = OVERHEAD - 1;
    assert_eq!(short, Err(NotUnwrapped::Length { actual }));
}

#[test]
fn for_32_bytes_both_ways_of_wrapping_are_one() {
    let whole = key()
        .wrap_bytes(b"place", &[9; 32], &mut Constant(1))
        .unwrap();
    assert_eq!(hex::encode(&whole), FROZEN);
    let wrapped = key().wrap(b"place", &[9; 32], &mut OsRng).unwrap();
    let read = key().unwrap_bytes(b"place", wrapped.as_bytes()).unwrap();
    assert_eq!(*read, [9; 32]);
}

/// The form in which stores keep secrets: a change would make them unreadable.
#[test]
fn the_form_at_rest_is_frozen() {
    let wrapped = key().wrap(b"place", &[9; 32], &mut Constant(1)).unwrap();
    assert_eq!(hex::encode(wrapped.as_bytes()), FROZEN);
}

const FROZEN: &str = "01010101010101010101010113ec32048d13a547c81fdfb0451ffae22408981ae8ded6a04a12a71df8e9aa7a40873966fd14965f2eee5794eaaa7ab2";
