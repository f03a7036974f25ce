//! One admitted account floods: it does not delay another's removal by more than a block.

mod chain;

use chain::{
    account,
    actors::{self, list, COUNCIL, FOREIGN, GATEWAY},
    blocks::{begin, end, Pool},
    local, signed,
};
use frame_support::dispatch::{DispatchClass, GetDispatchInfo};
use frame_system::limits::BlockWeights;
use keyward_runtime::{Runtime, RuntimeCall, System, UncheckedExtrinsic};
use pallet_governance::{Spendings, WeightInfo as _, NONCES_AHEAD, OPERATIONAL};
use sp_keyring::Sr25519Keyring;
use sp_runtime::transaction_validity::InvalidTransaction;

type Utility = pallet_utility::Call<Runtime>;

fn weights() -> BlockWeights {
    <Runtime as frame_system::Config>::BlockWeights::get()
}

/// Reference time that one account may fill of a block.
fn budget() -> u64 {
    weights().max_block.ref_time() / 4
}

fn rotate() -> RuntimeCall {
    let group = "acme.g".parse().unwrap();
    pallet_fleet::Call::rotate { group }.into()
}

/// As much as a flood declares in each transaction: four of them leave no room in a block.
fn nearly() -> u64 {
    budget() / 100 * 99
}

/// An operational batch that weighs nearly this much and uses all of it: each call fails, the batch goes on.
fn heavy(time: u64) -> RuntimeCall {
    let batch = |count| {
        RuntimeCall::from(Utility::force_batch {
            calls: vec![rotate(); count],
        })
    };
    let weight = |count| batch(count).get_dispatch_info().call_weight.ref_time();
    let each = (weight(101) - weight(1)) / 100;
    batch((time / each) as usize)
}

/// As many devices as a call removes.
fn removal() -> RuntimeCall {
    let group = "globex.g".parse().unwrap();
    let device = |number| format!("globex.d{number}").parse().unwrap();
    let devices = list((0..keyward_protocol::limits::BATCH).map(device));
    pallet_fleet::Call::remove_members { group, devices }.into()
}

/// As many as a pool takes of one account.
fn flood(pool: &mut Pool, who: Sr25519Keyring, call: &RuntimeCall) {
    for nonce in 0..=NONCES_AHEAD {
        let valid = pool.submit(signed(who, nonce, call.clone())).unwrap();
        assert_eq!(valid.priority, OPERATIONAL);
    }
    let one_more = pool.submit(signed(who, NONCES_AHEAD + 1, call.clone()));
    assert_eq!(one_more, Err(InvalidTransaction::Custom(79).into()));
}

/// Builds blocks until this is in one, at most `blocks`; answers how many it took.
fn blocks_until(
    pool: &mut Pool,
    wanted: &UncheckedExtrinsic,
    blocks: u32,
    before: impl Fn(),
) -> Option<u32> {
    (1..=blocks).find(|number| {
        begin(1 + number);
        let included = pool.fill(&before);
        end();
        included.contains(wanted)
    })
}

/// A pool that one gateway has flooded, and behind that the removal by another.
fn flooded(call: &RuntimeCall) -> (Pool, UncheckedExtrinsic) {
    let mut pool = Pool::default();
    flood(&mut pool, GATEWAY, call);
    let removal = signed(FOREIGN, 0, removal());
    pool.submit(removal.clone()).unwrap();
    (pool, removal)
}

#[test]
fn a_flood_of_heavy_batches_does_not_delay_another_s_removal() {
    local().execute_with(|| {
        actors::assemble();
        let (mut pool, removal) = flooded(&heavy(nearly()));
        assert_eq!(blocks_until(&mut pool, &removal, 2, || {}), Some(1));
        // One of the flood went in, too, and those that did not fit stay.
        assert_eq!(pool.len(), NONCES_AHEAD as usize);
        assert_eq!(System::account_nonce(account(GATEWAY)), 1);
    });
}

#[test]
fn without_the_budget_it_would() {
    local().execute_with(|| {
        actors::assemble();
        let (mut pool, removal) = flooded(&heavy(nearly()));
        // What the account has filled of the block is forgotten.
        let forget = || Spendings::<Runtime>::remove(account(GATEWAY));
        assert_eq!(blocks_until(&mut pool, &removal, 8, forget), None);
    });
}

#[test]
fn a_flood_of_light_removals_does_not_either() {
    local().execute_with(|| {
        actors::assemble();
        let (mut pool, removal) = flooded(&rotate());
        assert_eq!(blocks_until(&mut pool, &removal, 2, || {}), Some(1));
    });
}

#[test]
fn a_removal_that_comes_while_a_block_is_full_is_in_the_next() {
    local().execute_with(|| {
        actors::assemble();
        let mut pool = Pool::default();
        flood(&mut pool, GATEWAY, &heavy(nearly()));
        begin(2);
        assert_eq!(pool.fill(|| {}).len(), 1);
        end();
        let removal = signed(FOREIGN, 0, removal());
        pool.submit(removal.clone()).unwrap();
        begin(3);
        assert!(pool.fill(|| {}).contains(&removal));
        end();
    });
}

#[test]
fn what_alone_is_over_the_budget_is_refused_by_the_pool() {
    local().execute_with(|| {
        actors::assemble();
        let mut pool = Pool::default();
        let refused = pool.submit(signed(GATEWAY, 0, heavy(budget() * 11 / 10)));
        assert_eq!(refused, Err(InvalidTransaction::ExhaustsResources.into()));
    });
}

/// A call of the council, as heavy as closing an upgrade.
fn upgrade() -> RuntimeCall {
    let proposal = Box::new(heavy(budget() * 2));
    pallet_collective::Call::<Runtime, pallet_collective::Instance1>::execute {
        proposal,
        length_bound: 1_000_000,
    }
    .into()
}

#[test]
fn a_member_of_the_council_exceeds_it_once_in_a_block_and_after_the_removals() {
    local().execute_with(|| {
        actors::assemble();
        let mut pool = Pool::default();
        for nonce in 0..4 {
            let valid = pool.submit(signed(COUNCIL, nonce, upgrade())).unwrap();
            assert_eq!(valid.priority, 0);
        }
        let removal = signed(FOREIGN, 0, removal());
        pool.submit(removal.clone()).unwrap();
        for number in 2..6 {
            begin(number);
            let included = pool.fill(|| {});
            end();
            assert_eq!(included.len(), if number == 2 { 2 } else { 1 });
            if number == 2 {
                assert_eq!(included[0], removal);
            }
        }
    });
}

#[test]
fn whatever_a_gateway_may_sign_fits_its_budget_alone() {
    type Fleet = <Runtime as pallet_fleet::Config>::WeightInfo;
    use keyward_protocol::limits::{BATCH, CUSTODIAN_GROUPS};
    use pallet_fleet::WeightInfo;
    let base = weights().get(DispatchClass::Operational).base_extrinsic;
    let gate = <Runtime as pallet_governance::Config>::WeightInfo::check_admitted(1);
    for weight in [
        Fleet::replace_gateway_keys(CUSTODIAN_GROUPS),
        Fleet::add_members(BATCH),
        Fleet::remove_members(BATCH),
        Fleet::acknowledge(BATCH),
        Fleet::revoke_device(),
        Fleet::replace_device_keys(),
        Fleet::set_custodians(),
    ] {
        let whole = weight.saturating_add(base).saturating_add(gate * 4);
        assert!(whole.ref_time() <= budget(), "{whole}");
    }
}
