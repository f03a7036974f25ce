//! Who may sign which call, and on whose word it acts: docs/permissions.md against the metadata and against the code.

mod chain;

use std::collections::BTreeSet;

use chain::{
    account,
    actors::{self, COMMITTEE, COUNCIL, STRANGER},
    calls::{self, Row, Sample},
    local, signed,
};
use frame_support::{
    dispatch::{DispatchClass, GetDispatchInfo},
    storage::{with_transaction, TransactionOutcome},
};
use keyward_runtime::{
    AccountId, Executive, Runtime, RuntimeCall, RuntimeEvent, RuntimeOrigin, System,
    UncheckedExtrinsic,
};
use sp_core::traits::{Externalities, ReadRuntimeVersion, ReadRuntimeVersionExt};
use sp_keyring::Sr25519Keyring;
use sp_runtime::{
    traits::Dispatchable,
    transaction_validity::{
        InvalidTransaction, TransactionSource, TransactionValidity, TransactionValidityError,
    },
    DispatchError,
};

type Utility = pallet_utility::Call<Runtime>;

/// Does this and takes it back.
fn attempt<R>(this: impl FnOnce() -> R) -> R {
    let done = with_transaction(|| TransactionOutcome::Rollback(Ok::<R, DispatchError>(this())));
    done.unwrap()
}

fn validate(transaction: UncheckedExtrinsic) -> TransactionValidity {
    let source = TransactionSource::External;
    attempt(|| Executive::validate_transaction(source, transaction, Default::default()))
}

/// What a pool says when this account signs this call.
fn ask(who: Sr25519Keyring, call: RuntimeCall) -> TransactionValidity {
    validate(signed(who, System::account_nonce(account(who)), call))
}

fn custom(code: u8) -> TransactionValidityError {
    InvalidTransaction::Custom(code).into()
}

/// A call in each of the three batches.
fn batched(call: &RuntimeCall) -> [RuntimeCall; 3] {
    let calls = vec![call.clone()];
    [
        Utility::batch {
            calls: calls.clone(),
        }
        .into(),
        Utility::batch_all {
            calls: calls.clone(),
        }
        .into(),
        Utility::force_batch { calls }.into(),
    ]
}

fn is_batch(row: &Row) -> bool {
    row.signers.contains("each")
}

#[test]
fn the_table_has_every_call_and_no_other() {
    let table = calls::table();
    let listed: BTreeSet<&String> = table.keys().collect();
    let samples = calls::all();
    let existing: BTreeSet<&String> = samples.iter().map(|sample| &sample.name).collect();
    assert!(existing.len() > 100);
    let missing: Vec<_> = existing.difference(&listed).collect();
    assert!(
        missing.is_empty(),
        "docs/permissions.md says nothing about {missing:?}"
    );
    let invented: Vec<_> = listed.difference(&existing).collect();
    assert!(invented.is_empty(), "the runtime has no {invented:?}");
}

#[test]
fn the_table_uses_its_own_words_only() {
    let signers = [
        "nobody",
        "each",
        "council",
        "committee",
        "gateway",
        "operator",
    ];
    let words = [
        "council",
        "root",
        "committee",
        "gateway",
        "operator",
        "member",
        "signer",
        "author",
        "node",
        "each",
        "anybody",
        "nobody",
    ];
    for (call, row) in calls::table() {
        for signer in &row.signers {
            assert!(signers.contains(&signer.as_str()), "{call}: {signer}");
        }
        for word in &row.words {
            assert!(words.contains(&word.as_str()), "{call}: {word}");
        }
    }
}

/// What the pool must say when this account signs this call, by the table.
fn expected(role: Option<&str>, admitted: bool, row: &Row) -> Result<(), u8> {
    match role {
        _ if !admitted => Err(77),
        None => Err(78),
        Some(_) if is_batch(row) => Ok(()),
        Some(role) if row.signers.contains(role) => Ok(()),
        Some(_) => Err(78),
    }
}

/// Drives a call as an account: signed, in each batch, and in a batch of batches.
fn drive(who: Sr25519Keyring, role: Option<&str>, sample: &Sample, row: &Row) {
    let Sample { name, call } = sample;
    let admitted = who != STRANGER;
    let says = |call: RuntimeCall| ask(who, call).map(|_| ());
    let should = expected(role, admitted, row);
    let direct = if call.get_dispatch_info().class == DispatchClass::Mandatory {
        // Inherents do not even come to the gate.
        Err(InvalidTransaction::MandatoryValidation.into())
    } else {
        should.map_err(custom)
    };
    assert_eq!(says(call.clone()), direct, "{who}: {name}");
    let inside = if is_batch(row) {
        expected(None, admitted, row)
    } else {
        should
    };
    for batch in batched(call) {
        assert_eq!(
            says(batch),
            inside.map_err(custom),
            "{who}: {name} in a batch"
        );
    }
    let nested = expected(None, admitted, row).map_err(custom);
    let [batch, ..] = batched(call);
    let [.., outer] = batched(&batch);
    assert_eq!(says(outer), nested, "{who}: {name} in a batch in a batch");
}

fn drive_all(who: Sr25519Keyring) {
    let (_, role) = actors::ALL
        .into_iter()
        .find(|(actor, _)| *actor == who)
        .unwrap();
    let table = calls::table();
    local().execute_with(|| {
        actors::assemble();
        for sample in calls::all() {
            drive(who, role, &sample, &table[&sample.name]);
        }
    });
}

#[test]
fn a_stranger_signs_nothing() {
    drive_all(STRANGER);
}

#[test]
fn a_suspended_gateway_signs_nothing() {
    drive_all(actors::SUSPENDED);
}

#[test]
fn an_expelled_gateway_signs_nothing() {
    drive_all(actors::EXPELLED);
}

#[test]
fn a_gateway_signs_what_the_table_says() {
    drive_all(actors::GATEWAY);
}

#[test]
fn an_operator_signs_what_the_table_says() {
    drive_all(actors::OPERATOR);
}

#[test]
fn a_member_of_the_technical_committee_signs_what_the_table_says() {
    drive_all(COMMITTEE);
}

#[test]
fn a_member_of_the_council_signs_what_the_table_says() {
    drive_all(COUNCIL);
}

#[test]
fn nothing_gets_in_without_a_signature() {
    local().execute_with(|| {
        actors::assemble();
        for Sample { name, call } in calls::all() {
            let bare = validate(UncheckedExtrinsic::new_bare(call.clone()));
            assert!(bare.is_err(), "{name}: {bare:?}");
            for batch in batched(&call) {
                assert!(
                    validate(UncheckedExtrinsic::new_bare(batch)).is_err(),
                    "{name}"
                );
            }
        }
    });
}

#[test]
fn a_general_transaction_passes_no_extension_that_would_vouch_for_it() {
    local().execute_with(|| {
        actors::assemble();
        for Sample { name, call } in calls::all() {
            let mandatory = call.get_dispatch_info().class == DispatchClass::Mandatory;
            let general = UncheckedExtrinsic::new_transaction(call, chain::extensions(0));
            let refused = match mandatory {
                true => InvalidTransaction::MandatoryValidation,
                false => InvalidTransaction::UnknownOrigin,
            };
            assert_eq!(validate(general), Err(refused.into()), "{name}");
        }
    });
}

/// The origins that a call may have, with the words of the table that stand for each.
fn origins() -> Vec<(&'static str, RuntimeOrigin, &'static [&'static str])> {
    use pallet_collective::{Instance1, Instance2, RawOrigin};
    type Council = RawOrigin<AccountId, Instance1>;
    type Committee = RawOrigin<AccountId, Instance2>;
    let signer = account(STRANGER);
    vec![
        ("root", RuntimeOrigin::root(), &["root"]),
        (
            "two thirds of the council",
            Council::Members(2, 3).into(),
            &["council"],
        ),
        ("half of the council", Council::Members(2, 4).into(), &[]),
        (
            "a member of the council",
            Council::Member(signer.clone()).into(),
            &[],
        ),
        (
            "more than half of the committee",
            Committee::Members(2, 3).into(),
            &["committee"],
        ),
        (
            "half of the committee",
            Committee::Members(2, 4).into(),
            &[],
        ),
        (
            "a member of the committee",
            Committee::Member(signer.clone()).into(),
            &[],
        ),
        (
            "a signer",
            RuntimeOrigin::signed(signer),
            &["gateway", "operator", "member", "signer"],
        ),
        ("nobody", RuntimeOrigin::none(), &["author", "node"]),
    ]
}

/// Nothing that is set as code here is a runtime.
struct NoRuntime;

impl ReadRuntimeVersion for NoRuntime {
    fn read_runtime_version(&self, _: &[u8], _: &mut dyn Externalities) -> Result<Vec<u8>, String> {
        Err("not a runtime".into())
    }
}

#[test]
fn every_call_acts_on_the_word_of_whom_the_table_says_and_of_nobody_else() {
    let table = calls::table();
    let mut chain = local();
    chain.register_extension(ReadRuntimeVersionExt::new(NoRuntime));
    chain.execute_with(|| {
        for Sample { name, call } in calls::all() {
            for (who, origin, words) in origins() {
                let said = &table[&name].words;
                let accepts = words.iter().any(|word| said.contains(*word))
                    || said.contains("anybody")
                    || (said.contains("each") && who != "nobody");
                let outcome = attempt(|| call.clone().dispatch(origin));
                let outcome = outcome.map(|_| ()).map_err(|failed| failed.error);
                let accepted = outcome != Err(DispatchError::BadOrigin);
                assert_eq!(accepted, accepts, "{name} by {who}: {outcome:?}");
            }
        }
    });
}

/// Calls that any origin may make, by the table.
fn is_open(row: &Row) -> bool {
    row.words.contains("anybody") || row.words.contains("each")
}

/// What the motion or the member's call came to.
fn executed() -> Result<(), DispatchError> {
    let mut results = System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Council(
                pallet_collective::Event::MemberExecuted { result, .. }
                | pallet_collective::Event::Executed { result, .. },
            ) => Some(result),
            RuntimeEvent::TechnicalCommittee(
                pallet_collective::Event::MemberExecuted { result, .. }
                | pallet_collective::Event::Executed { result, .. },
            ) => Some(result),
            _ => None,
        });
    results.next_back().expect("it was executed")
}

/// A call, carried by one member alone: `execute`, and `propose` with a threshold of one.
fn carried(collective: &str, call: &RuntimeCall) -> [RuntimeCall; 2] {
    use pallet_collective::{Call, Instance1, Instance2};
    let (proposal, length_bound, threshold) = (Box::new(call.clone()), 10_000, 1);
    match collective {
        "council" => [
            Call::<Runtime, Instance1>::execute {
                proposal: proposal.clone(),
                length_bound,
            }
            .into(),
            Call::<Runtime, Instance1>::propose {
                threshold,
                proposal,
                length_bound,
            }
            .into(),
        ],
        _ => [
            Call::<Runtime, Instance2>::execute {
                proposal: proposal.clone(),
                length_bound,
            }
            .into(),
            Call::<Runtime, Instance2>::propose {
                threshold,
                proposal,
                length_bound,
            }
            .into(),
        ],
    }
}

#[test]
fn a_member_gets_nothing_done_alone_by_way_of_its_collective() {
    let table = calls::table();
    local().execute_with(|| {
        actors::assemble();
        for Sample { name, call } in calls::all() {
            let open = is_open(&table[&name]);
            for (who, collective) in [(COUNCIL, "council"), (COMMITTEE, "committee")] {
                // Of four members, one is neither two thirds nor more than half.
                for carrier in carried(collective, &call) {
                    let result = attempt(|| {
                        System::reset_events();
                        chain::apply(who, carrier).unwrap().unwrap();
                        executed()
                    });
                    let refused = result == Err(DispatchError::BadOrigin);
                    assert_eq!(refused, !open, "{name} by the {collective}: {result:?}");
                }
            }
        }
    });
}

/// How many calls of the batch that this carries had no right to act.
fn items_refused(carrier: RuntimeCall) -> usize {
    let refused = pallet_utility::Event::ItemFailed {
        error: DispatchError::BadOrigin,
    };
    let refused = RuntimeEvent::from(refused);
    attempt(|| {
        System::reset_events();
        chain::apply(COUNCIL, carrier).unwrap().unwrap();
        let events = System::events().into_iter();
        events.filter(|record| record.event == refused).count()
    })
}

#[test]
fn nor_by_a_batch_that_its_collective_carries() {
    let table = calls::table();
    local().execute_with(|| {
        actors::assemble();
        let samples = calls::all().into_iter();
        let closed = samples.filter(|sample| !is_open(&table[&sample.name]));
        for Sample { name, call } in closed {
            let [.., batch] = batched(&call);
            for carrier in carried("council", &batch) {
                assert_eq!(items_refused(carrier), 1, "{name}");
            }
        }
    });
}

#[test]
fn who_loses_the_role_loses_its_calls_in_that_block() {
    local().execute_with(|| {
        actors::assemble();
        let rotate = || calls::named("Fleet.rotate");
        assert!(ask(actors::GATEWAY, rotate()).is_ok());
        let gateway = account(actors::GATEWAY);
        keyward_runtime::Fleet::suspend_gateway(RuntimeOrigin::root(), gateway.clone()).unwrap();
        assert_eq!(ask(actors::GATEWAY, rotate()), Err(custom(78)));
        keyward_runtime::Fleet::reinstate_gateway(RuntimeOrigin::root(), gateway).unwrap();
        assert!(ask(actors::GATEWAY, rotate()).is_ok());
        let vote = || calls::named("Council.vote");
        assert!(ask(COUNCIL, vote()).is_ok());
        let member = account(COUNCIL).into();
        keyward_runtime::Membership::remove_member(RuntimeOrigin::root(), member).unwrap();
        assert_eq!(ask(COUNCIL, vote()), Err(custom(78)));
    });
}

#[test]
fn an_account_with_two_roles_mixes_their_calls_in_a_batch() {
    local().execute_with(|| {
        actors::assemble();
        // Alice is in the council and operates a validator.
        let calls = vec![
            calls::named("Council.vote"),
            calls::named("ValidatorSet.leave"),
        ];
        assert!(ask(
            Sr25519Keyring::Alice,
            Utility::batch_all {
                calls: calls.clone()
            }
            .into()
        )
        .is_ok());
        assert_eq!(
            ask(COUNCIL, Utility::batch_all { calls }.into()),
            Err(custom(78))
        );
    });
}

fn note(length: usize) -> RuntimeCall {
    pallet_preimage::Call::note_preimage {
        bytes: vec![0; length],
    }
    .into()
}

#[test]
fn gateways_send_at_most_64_kib_and_who_governs_as_much_as_a_block_takes() {
    const LIMIT: usize = 64 * 1024;
    local().execute_with(|| {
        actors::assemble();
        let sized = |length: usize| {
            let call = |count: usize| -> RuntimeCall {
                let id = actors::list(*b"x");
                let create = pallet_fleet::Call::<Runtime>::create_group {
                    id,
                    filters: Default::default(),
                    policy: Default::default(),
                    custodians: Default::default(),
                };
                Utility::batch {
                    calls: vec![create.into(); count],
                }
                .into()
            };
            let one = call(2).encoded_size() - call(1).encoded_size();
            call(length / one)
        };
        use codec::Encode as _;
        let long = ask(actors::GATEWAY, sized(LIMIT));
        assert_eq!(long, Err(custom(80)));
        assert!(ask(COUNCIL, note(LIMIT)).is_ok());
        assert!(ask(COMMITTEE, note(3 * 1024 * 1024)).is_ok());
        let over = InvalidTransaction::ExhaustsResources.into();
        assert_eq!(ask(COUNCIL, note(6 * 1024 * 1024)), Err(over));
    });
}

#[test]
fn a_nonce_is_at_most_64_ahead() {
    local().execute_with(|| {
        actors::assemble();
        let ahead = |nonce| validate(signed(actors::GATEWAY, nonce, calls::named("Fleet.rotate")));
        assert!(ahead(64).is_ok());
        assert_eq!(ahead(65), Err(custom(79)));
    });
}
