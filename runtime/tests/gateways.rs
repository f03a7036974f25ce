//! A gateway of another organisation, and a suspended one: past the gate or not, the fleet refuses them and changes nothing.

mod chain;

use std::collections::BTreeSet;

use chain::{
    account,
    actors::{self, keys, list, signing, FOREIGN, GATEWAY},
    calls, local, signed,
};
use frame_support::{
    storage::{with_transaction, TransactionOutcome},
    traits::GetCallName,
};
use keyward_protocol::{
    policy::Policy,
    registration::{KeyReplacement, Registration, Voucher},
    signing::{payload, Purpose},
    topic::{Filters, TopicFilter},
    AccountId as RawAccount, Commitment, DeviceId, Digest, Genesis, GroupId, Role, Signature,
};
use keyward_runtime::{Executive, Fleet, Runtime, RuntimeCall, RuntimeOrigin, System};
use pallet_fleet::{Error, KeyAuthorisation, ReceiptItem};
use sp_core::Pair;
use sp_io::hashing::blake2_256;
use sp_keyring::Sr25519Keyring;
use sp_runtime::{
    traits::Dispatchable,
    transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidity},
    DispatchError, StateVersion,
};

type Call = pallet_fleet::Call<Runtime>;
type E = Error<Runtime>;

fn group() -> GroupId {
    "acme.g".parse().unwrap()
}

fn device() -> DeviceId {
    "acme.d".parse().unwrap()
}

fn genesis() -> Genesis {
    Genesis(System::block_hash(0).0)
}

fn sign(name: &str, bytes: &[u8]) -> Signature {
    Signature(signing(name).sign(bytes).0)
}

fn raw(who: Sr25519Keyring) -> RawAccount {
    RawAccount(account(who).into())
}

fn filters() -> Filters {
    Filters::new([TopicFilter::new("acme/#").unwrap()]).unwrap()
}

/// A registration of a device, with everything that it needs, for a gateway.
fn registration(device: &str, gateway: Sr25519Keyring) -> Call {
    let (signing_key, agreement_key) = keys(device);
    let organisation = device.split('.').next().unwrap();
    let authority = format!("{organisation}.ca");
    let voucher = Voucher {
        authority: authority.parse().unwrap(),
        device: device.parse().unwrap(),
        gateway: raw(gateway),
        signing_key,
        agreement_key,
        key_version: 1,
        not_after: u64::MAX,
    };
    let bytes = payload(&genesis(), Purpose::Voucher, &voucher);
    let registration = Registration {
        voucher: Digest(blake2_256(&bytes)),
        gateway: voucher.gateway,
        signing_key,
        agreement_key,
    };
    let proof = payload(&genesis(), Purpose::Registration, &registration);
    Call::register_device {
        voucher,
        voucher_signature: sign(&authority, &bytes),
        proof: sign(device, &proof),
    }
}

/// New keys for the device of `acme`, signed by both.
fn replacement() -> KeyAuthorisation {
    let (signing_key, agreement_key) = keys("new");
    let replacement = KeyReplacement {
        device: device(),
        key_version: 2,
        signing_key,
        agreement_key,
        not_after: u64::MAX,
    };
    let bytes = payload(&genesis(), Purpose::KeyReplacement, &replacement);
    KeyAuthorisation::Current {
        new_signature: sign("new", &bytes),
        current_signature: sign("acme.d", &bytes),
        replacement,
    }
}

fn by(who: Sr25519Keyring, call: Call) {
    let name = call.get_call_name();
    let done = RuntimeCall::from(call).dispatch(RuntimeOrigin::signed(account(who)));
    assert!(done.is_ok(), "{name}: {done:?}");
}

/// `acme` has a group with a member and a staged epoch, and asks a device of `globex` in.
fn set_the_scene() {
    actors::assemble();
    by(GATEWAY, registration("acme.d", GATEWAY));
    by(FOREIGN, registration("globex.d", FOREIGN));
    let custodians = list([account(GATEWAY)]);
    let (id, policy) = (list(*b"acme.g"), Policy::default());
    by(
        GATEWAY,
        Call::create_group {
            id,
            filters: filters(),
            policy,
            custodians,
        },
    );
    for epoch in 1..4 {
        let commitment = Commitment([epoch as u8; 32]);
        by(
            GATEWAY,
            Call::stage_epoch {
                group: group(),
                epoch,
                commitment,
            },
        );
    }
    let globex = "globex.d".parse().unwrap();
    let members = list([(device(), Role::Both), (globex, Role::Subscribe)]);
    by(
        GATEWAY,
        Call::add_members {
            group: group(),
            members,
        },
    );
}

/// Every call that a gateway may sign, about what `acme` has, with arguments that its own gateway could use; and what a gateway of
/// `globex` is told.
fn foreign() -> Vec<(Call, DispatchError)> {
    [about_devices(), about_groups(), about_epochs()].concat()
}

fn about_devices() -> Vec<(Call, DispatchError)> {
    let (statement_key, custody_key) = keys("other");
    let replace_gateway_keys = Call::replace_gateway_keys {
        account: account(GATEWAY),
        statement_key,
        custody_key,
    };
    let replace_device_keys = Call::replace_device_keys {
        authorisation: replacement(),
    };
    let accept = Call::accept_membership {
        group: group(),
        device: device(),
        filters: filters(),
    };
    let transfer = Call::transfer_device {
        device: device(),
        to: account(FOREIGN),
    };
    let owner = [
        replace_device_keys,
        accept,
        Call::suspend_device { device: device() },
        Call::reinstate_device { device: device() },
        Call::revoke_device { device: device() },
    ];
    let others = [
        (replace_gateway_keys, DispatchError::BadOrigin),
        (
            registration("acme.e", GATEWAY),
            E::VoucherForAnotherGateway.into(),
        ),
        (transfer, E::NotOffered.into()),
    ];
    all(owner, E::NotOwner).chain(others).collect()
}

/// These calls, all refused for the same reason.
fn all<const N: usize>(calls: [Call; N], error: E) -> impl Iterator<Item = (Call, DispatchError)> {
    let error = DispatchError::from(error);
    calls.into_iter().map(move |call| (call, error))
}

fn about_groups() -> Vec<(Call, DispatchError)> {
    let custodians = list([account(FOREIGN)]);
    let create = Call::create_group {
        id: list(*b"acme.h"),
        filters: filters(),
        policy: Policy::default(),
        custodians: list([account(FOREIGN)]),
    };
    let policy = Policy {
        grace: 1,
        ..Policy::default()
    };
    let (group, to) = (group(), account(FOREIGN));
    let g = || group.clone();
    let administrator = [
        Call::set_policy { group: g(), policy },
        Call::set_custodians {
            group: g(),
            custodians,
        },
        Call::transfer_admin { group: g(), to },
        Call::add_members {
            group: g(),
            members: list([(device(), Role::Both)]),
        },
        Call::remove_members {
            group: g(),
            devices: list([device()]),
        },
        Call::rotate { group: g() },
        Call::close_group { group: g() },
    ];
    all(administrator, E::NotAdmin)
        .chain([(create, E::ForeignId.into())])
        .collect()
}

fn about_epochs() -> Vec<(Call, DispatchError)> {
    let group = group();
    let g = || group.clone();
    let receipt = ReceiptItem {
        device: device(),
        epoch: 1,
        commitment: Commitment([1; 32]),
        signature: Signature([7; 64]),
    };
    let acknowledge = Call::acknowledge {
        group: g(),
        receipts: list([receipt]),
    };
    let custodian = [
        Call::stage_epoch {
            group: g(),
            epoch: 4,
            commitment: Commitment([9; 32]),
        },
        Call::withdraw_staged {
            group: g(),
            epoch: 3,
        },
        Call::record_delivery {
            group: g(),
            epoch: 1,
            recipients: 1,
            grants_root: Digest([2; 32]),
        },
        Call::anchor {
            group: g(),
            root: Digest([1; 32]),
            count: 1,
            first: 1,
            last: 2,
        },
    ];
    all(custodian, E::NotCustodian)
        .chain([(acknowledge, E::BadReceiptSignature.into())])
        .collect()
}

fn ask(who: Sr25519Keyring, call: Call) -> TransactionValidity {
    let transaction = signed(who, System::account_nonce(account(who)), call.into());
    let asked = with_transaction(|| {
        let source = TransactionSource::External;
        let valid = Executive::validate_transaction(source, transaction, Default::default());
        TransactionOutcome::Rollback(Ok::<_, DispatchError>(valid))
    });
    asked.unwrap()
}

/// Dispatched by a signer past the gate: refused with this, and not a bit of storage is another.
fn refused(who: Sr25519Keyring, call: Call, error: DispatchError) {
    let name = call.get_call_name();
    let root = || sp_io::storage::root(StateVersion::V1);
    let before = root();
    let outcome = RuntimeCall::from(call).dispatch(RuntimeOrigin::signed(account(who)));
    assert_eq!(
        outcome.map(drop).map_err(|failed| failed.error),
        Err(error),
        "{name}"
    );
    assert_eq!(before, root(), "{name}");
}

#[test]
fn every_call_that_a_gateway_may_sign_is_driven_here() {
    local().execute_with(|| {
        set_the_scene();
        let driven: BTreeSet<_> = foreign()
            .iter()
            .map(|(call, _)| format!("Fleet.{}", call.get_call_name()))
            .collect();
        let signed: BTreeSet<_> = calls::table()
            .into_iter()
            .filter(|(_, row)| row.signers.contains("gateway"))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(driven, signed);
    });
}

#[test]
fn a_gateway_of_another_organisation_passes_the_gate_and_is_refused_by_the_fleet() {
    local().execute_with(|| {
        set_the_scene();
        for (call, error) in foreign() {
            let name = call.get_call_name();
            let valid = ask(FOREIGN, call.clone());
            assert!(valid.is_ok(), "{name}: {valid:?}");
            refused(FOREIGN, call, error);
        }
    });
}

#[test]
fn in_a_block_it_uses_up_a_nonce_and_nothing_else() {
    local().execute_with(|| {
        set_the_scene();
        let changes = Fleet::changes();
        for (nonce, (call, error)) in (0u32..).zip(foreign()) {
            System::set_block_number(2 + nonce);
            let outcome = Executive::apply_extrinsic(signed(FOREIGN, nonce, call.into()));
            assert_eq!(outcome, Ok(Err(error)));
        }
        assert_eq!(Fleet::changes(), changes);
    });
}

#[test]
fn a_gateway_that_is_not_active_is_refused_by_the_gate_and_by_the_fleet() {
    local().execute_with(|| {
        set_the_scene();
        for who in [actors::SUSPENDED, actors::EXPELLED] {
            for (call, _) in foreign() {
                let gate = InvalidTransaction::Custom(78).into();
                assert_eq!(ask(who, call.clone()), Err(gate));
                refused(who, call, E::GatewayNotActive.into());
            }
        }
    });
}

#[test]
fn what_its_own_gateway_may_do_works() {
    local().execute_with(|| {
        set_the_scene();
        // The calls are right: it is only the wrong gateway that is refused.
        for (call, _) in foreign() {
            let name = call.get_call_name();
            let done = with_transaction(|| {
                let outcome = RuntimeCall::from(call)
                    .dispatch(RuntimeOrigin::signed(account(GATEWAY)))
                    .map(drop)
                    .map_err(|failed| failed.error);
                TransactionOutcome::Rollback(Ok::<_, DispatchError>(outcome))
            });
            let outcome = done.unwrap();
            let fits = match name {
                "reinstate_device" => outcome == Err(E::DeviceActive.into()),
                "transfer_device" | "add_members" | "accept_membership" | "transfer_admin"
                | "acknowledge" => true,
                _ => outcome.is_ok(),
            };
            assert!(fits, "{name}: {outcome:?}");
        }
    });
}
