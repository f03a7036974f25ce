//! Who drives the calls: one account per role, and those that have none.

use frame_support::assert_ok;
use keyward_protocol::{AgreementKey, VerifyingKey};
use keyward_runtime::{Fleet, Membership, RuntimeOrigin, TechnicalMembership};
use pallet_fleet::Quotas;
use sp_core::{ed25519, Pair};
use sp_io::hashing::blake2_256;
use sp_keyring::Sr25519Keyring::{
    self, AliceStash, BobStash, CharlieStash, Dave, Eve, Ferdie, One, Two,
};

use super::account;

/// Never admitted.
pub const STRANGER: Sr25519Keyring = AliceStash;
/// An active gateway of `acme`.
pub const GATEWAY: Sr25519Keyring = One;
/// An active gateway of `globex`.
pub const FOREIGN: Sr25519Keyring = Two;
/// A suspended gateway of `acme`.
pub const SUSPENDED: Sr25519Keyring = BobStash;
/// A gateway of `acme` that was expelled.
pub const EXPELLED: Sr25519Keyring = CharlieStash;
/// Operates a validator, and nothing else.
pub const OPERATOR: Sr25519Keyring = Dave;
/// A member of the council, and nothing else.
pub const COUNCIL: Sr25519Keyring = Eve;
/// A member of the technical committee, and nothing else.
pub const COMMITTEE: Sr25519Keyring = Ferdie;

/// Everybody, with the role in the words of docs/permissions.md.
pub const ALL: [(Sr25519Keyring, Option<&str>); 7] = [
    (STRANGER, None),
    (SUSPENDED, None),
    (EXPELLED, None),
    (GATEWAY, Some("gateway")),
    (OPERATOR, Some("operator")),
    (COMMITTEE, Some("committee")),
    (COUNCIL, Some("council")),
];

/// A bounded list.
pub fn list<T, S: frame_support::traits::Get<u32>>(
    items: impl IntoIterator<Item = T>,
) -> frame_support::BoundedVec<T, S> {
    let items: Vec<T> = items.into_iter().collect();
    items
        .try_into()
        .unwrap_or_else(|_| panic!("too many items"))
}

/// An Ed25519 key of this name.
pub fn signing(name: &str) -> ed25519::Pair {
    ed25519::Pair::from_seed(&blake2_256(name.as_bytes()))
}

/// Both public keys of this name.
pub fn keys(name: &str) -> (VerifyingKey, AgreementKey) {
    let mut agreement = blake2_256(format!("agreement {name}").as_bytes());
    agreement[31] &= 0x3f;
    (
        VerifyingKey(signing(name).public().0),
        AgreementKey(agreement),
    )
}

/// Admits a gateway of an organisation, of the form `organisation.name`.
pub fn admit_gateway(who: Sr25519Keyring, name: &str) {
    let organisation = name.split('.').next().unwrap().parse().unwrap();
    let (statement, custody) = keys(name);
    assert_ok!(Fleet::admit_gateway(
        RuntimeOrigin::root(),
        account(who),
        organisation,
        list(name.bytes()),
        statement,
        custody
    ));
}

/// Two organisations, with an authority each.
pub fn found() {
    let quotas = Quotas {
        devices: 100,
        groups: 100,
        members: 1_000,
    };
    for name in ["acme", "globex"] {
        let root = RuntimeOrigin::root;
        let label = list(name.bytes());
        assert_ok!(Fleet::admit_organisation(
            root(),
            list(name.bytes()),
            label,
            quotas,
            false
        ));
        let (id, organisation) = (format!("{name}.ca"), name.parse().unwrap());
        let (key, _) = keys(&id);
        assert_ok!(Fleet::admit_authority(
            root(),
            list(id.bytes()),
            organisation,
            key
        ));
    }
}

/// Everybody takes their places, on the chain of four validators.
pub fn assemble() {
    let root = RuntimeOrigin::root;
    found();
    admit_gateway(GATEWAY, "acme.gw1");
    admit_gateway(SUSPENDED, "acme.gw2");
    admit_gateway(EXPELLED, "acme.gw3");
    admit_gateway(FOREIGN, "globex.gw1");
    assert_ok!(Fleet::suspend_gateway(root(), account(SUSPENDED)));
    assert_ok!(Fleet::expel_gateway(root(), account(EXPELLED)));
    assert_ok!(Membership::add_member(root(), account(COUNCIL).into()));
    assert_ok!(TechnicalMembership::add_member(
        root(),
        account(COMMITTEE).into()
    ));
}
