//! What a transaction carries, costs, and how fast it goes; and what can never be paused.

mod chain;

use chain::{account, actors, apply, call_names, happened, local, signed};
use frame_support::{
    assert_noop, assert_ok,
    dispatch::{DispatchClass, GetDispatchInfo},
    traits::GetCallName,
};
use keyward_protocol::{Commitment, DeviceId, Digest, GroupId};
use keyward_runtime::{
    AccountId, Balance, Block, Executive, Runtime, RuntimeCall, RuntimeOrigin, TxExtension, TxPause,
};
use pallet_transaction_payment_rpc_runtime_api::{
    runtime_decl_for_transaction_payment_api::TransactionPaymentApi,
    runtime_decl_for_transaction_payment_call_api::TransactionPaymentCallApi, FeeDetails,
    RuntimeDispatchInfo,
};
use pallet_tx_pause::RuntimeCallNameOf;
use sp_keyring::Sr25519Keyring::{self, Alice, Ferdie};
use sp_runtime::{
    traits::TransactionExtension,
    transaction_validity::{InvalidTransaction, TransactionSource},
};

type Fleet = pallet_fleet::Call<Runtime>;

type Committee = pallet_collective::RawOrigin<AccountId, pallet_collective::Instance2>;

fn group() -> GroupId {
    "hsu0001".parse().unwrap()
}

fn device() -> DeviceId {
    "1111".parse().unwrap()
}

/// Every call that takes access away, or prepares to.
fn removals() -> Vec<Fleet> {
    let (group, device) = (group(), device());
    let devices = vec![device.clone()].try_into().unwrap();
    vec![
        Fleet::suspend_gateway {
            account: account(Ferdie),
        },
        Fleet::expel_gateway {
            account: account(Ferdie),
        },
        Fleet::suspend_device {
            device: device.clone(),
        },
        Fleet::revoke_device { device },
        Fleet::remove_members {
            group: group.clone(),
            devices,
        },
        Fleet::rotate {
            group: group.clone(),
        },
        Fleet::freeze_group {
            group: group.clone(),
        },
        Fleet::stage_epoch {
            group: group.clone(),
            epoch: 1,
            commitment: Commitment([1; 32]),
        },
        Fleet::withdraw_staged { group, epoch: 1 },
    ]
}

#[test]
fn every_removal_is_operational_and_what_can_wait_is_not() {
    for call in removals() {
        assert_eq!(
            call.get_dispatch_info().class,
            DispatchClass::Operational,
            "{call:?}"
        );
    }
    let anchor = Fleet::anchor {
        group: group(),
        root: Digest([1; 32]),
        count: 1,
        first: 1,
        last: 2,
    };
    let acknowledge = Fleet::acknowledge {
        group: group(),
        receipts: Default::default(),
    };
    for call in [anchor, acknowledge] {
        assert_eq!(
            call.get_dispatch_info().class,
            DispatchClass::Normal,
            "{call:?}"
        );
    }
}

#[test]
fn every_call_fits_into_its_share_of_a_block() {
    let weights = <Runtime as frame_system::Config>::BlockWeights::get();
    let full = |size: usize| vec![device(); size].try_into().unwrap();
    let remove = Fleet::remove_members {
        group: group(),
        devices: full(256),
    };
    let limit = weights
        .get(DispatchClass::Operational)
        .max_extrinsic
        .unwrap();
    for call in removals().into_iter().chain([remove]) {
        let weight = call.get_dispatch_info().call_weight;
        assert!(
            weight.all_lte(limit),
            "{call:?} weighs {weight}, more than {limit}"
        );
    }
}

fn motion(proposal: RuntimeCall) -> pallet_collective::Call<Runtime, pallet_collective::Instance1> {
    pallet_collective::Call::propose {
        threshold: 2,
        proposal: Box::new(proposal),
        length_bound: 1_000,
    }
}

fn priority(who: Sr25519Keyring, call: impl Into<RuntimeCall>) -> u64 {
    let transaction = signed(who, 0, call.into());
    let valid = Executive::validate_transaction(
        TransactionSource::External,
        transaction,
        Default::default(),
    );
    valid.unwrap().priority
}

#[test]
fn a_removal_goes_before_everything_else() {
    const GOVERNANCE: [&str; 3] = ["suspend_gateway", "expel_gateway", "freeze_group"];
    local().execute_with(|| {
        actors::assemble();
        let close = Fleet::close_group { group: group() };
        let normal = priority(actors::GATEWAY, close);
        for call in removals() {
            // What only a motion does goes with the motion.
            let alone = !GOVERNANCE.contains(&call.get_call_name());
            let first = match alone {
                true => priority(actors::GATEWAY, call.clone()),
                false => priority(Alice, motion(call.clone().into())),
            };
            assert!(first > normal, "{call:?}");
        }
    });
}

#[test]
fn admission_is_asked_for_before_the_nonce() {
    let names: Vec<_> = TxExtension::metadata()
        .into_iter()
        .map(|extension| extension.identifier)
        .collect();
    let place = |name| names.iter().position(|other| *other == name).unwrap();
    assert!(place("CheckAdmitted") < place("CheckNonce"));
    local().execute_with(|| {
        let transaction = signed(
            Ferdie,
            7,
            frame_system::Call::remark { remark: vec![] }.into(),
        );
        let source = TransactionSource::External;
        let refused = Executive::validate_transaction(source, transaction, Default::default());
        assert_eq!(refused, Err(InvalidTransaction::Custom(77).into()));
    });
}

#[test]
fn nothing_costs_anything() {
    local().execute_with(|| {
        let call: RuntimeCall = frame_system::Call::remark { remark: vec![1] }.into();
        let transaction = signed(Alice, 0, call.clone());
        let info: RuntimeDispatchInfo<Balance> = <Runtime as TransactionPaymentApi<
            Block,
            Balance,
        >>::query_info(transaction.clone(), 100);
        assert_eq!((info.partial_fee, info.class), (0, DispatchClass::Normal));
        assert!(info.weight.all_gte(call.get_dispatch_info().call_weight));
        let free = FeeDetails {
            inclusion_fee: None,
            tip: 0,
        };
        assert_eq!(
            <Runtime as TransactionPaymentApi<Block, Balance>>::query_fee_details(transaction, 100),
            free
        );
        let info =
            <Runtime as TransactionPaymentCallApi<Block, Balance, RuntimeCall>>::query_call_info(
                call, 100,
            );
        assert_eq!(info.partial_fee, 0);
    });
}

fn name(pallet: &str, call: &str) -> RuntimeCallNameOf<Runtime> {
    let bounded = |text: &str| text.as_bytes().to_vec().try_into().unwrap();
    (bounded(pallet), bounded(call))
}

fn lifelines() -> Vec<(&'static str, &'static [&'static str])> {
    use pallet_collective::{Instance1 as Council, Instance2 as Committee};
    vec![
        ("System", call_names::<frame_system::Call<Runtime>>()),
        (
            "ValidatorSet",
            call_names::<pallet_validator_set::Call<Runtime>>(),
        ),
        ("Timestamp", call_names::<pallet_timestamp::Call<Runtime>>()),
        ("Session", call_names::<pallet_session::Call<Runtime>>()),
        ("Grandpa", call_names::<pallet_grandpa::Call<Runtime>>()),
        (
            "Governance",
            call_names::<pallet_governance::Call<Runtime>>(),
        ),
        (
            "Membership",
            call_names::<pallet_membership::Call<Runtime, pallet_membership::Instance1>>(),
        ),
        (
            "Council",
            call_names::<pallet_collective::Call<Runtime, Council>>(),
        ),
        (
            "TechnicalMembership",
            call_names::<pallet_membership::Call<Runtime, pallet_membership::Instance2>>(),
        ),
        (
            "TechnicalCommittee",
            call_names::<pallet_collective::Call<Runtime, Committee>>(),
        ),
        ("TxPause", call_names::<pallet_tx_pause::Call<Runtime>>()),
    ]
}

#[test]
fn what_keeps_the_chain_alive_or_takes_access_away_is_never_paused() {
    let removals = removals();
    let fleet = removals.iter().map(|call| ("Fleet", call.get_call_name()));
    let alive = lifelines().into_iter();
    let alive = alive.flat_map(|(pallet, calls)| calls.iter().map(move |call| (pallet, *call)));
    let never: Vec<_> = alive
        .chain(fleet)
        .chain([("Fleet", "revoke_authority")])
        .collect();
    assert!(call_names::<Fleet>().contains(&"revoke_authority"));
    local().execute_with(|| {
        for (pallet, call) in never {
            assert_noop!(
                TxPause::pause(RuntimeOrigin::root(), name(pallet, call)),
                pallet_tx_pause::Error::<Runtime>::Unpausable
            );
        }
    });
}

#[test]
fn anything_else_can_be_paused_by_the_technical_committee() {
    local().execute_with(|| {
        let committee: RuntimeOrigin = Committee::Members(2, 3).into();
        let call_name = name("Utility", "batch");
        assert_ok!(TxPause::pause(committee.clone(), call_name.clone()));
        assert!(happened(pallet_tx_pause::Event::CallPaused {
            full_name: call_name
        }));
        let batch = pallet_utility::Call::batch { calls: vec![] };
        let paused = frame_system::Error::<Runtime>::CallFiltered.into();
        assert_eq!(apply(Alice, batch), Ok(Err(paused)));
        assert_ok!(TxPause::pause(committee, name("Fleet", "register_device")));
    });
}
