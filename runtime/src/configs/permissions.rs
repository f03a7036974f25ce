//! Who may sign which call: the table of docs/permissions.md, as the gate asks for it.
//!
//! Every match names every call, so that a new one does not compile until somebody has decided who may sign it. What an origin
//! other than a signature decides (root, a motion) nobody may sign.

use frame_support::{parameter_types, traits::ConstU32};
use keyward_protocol::view::GatewayStatus;
use pallet_governance::{Permissions, Roles, Signers};
use sp_runtime::Perbill;

use crate::{AccountId, Council, Runtime, RuntimeCall, TechnicalCommittee, ValidatorSet};

/// Longest transaction of gateways and operators: 64 KiB. The longest list of a gateway, 256 receipts, has 34 KiB.
pub type MaxLength = ConstU32<{ 64 * 1024 }>;

parameter_types! {
    /// Share of a block that the transactions of one account may fill.
    pub const BudgetShare: Perbill = Perbill::from_percent(25);
}

const NOBODY: Roles = Roles::NONE;
const COUNCIL: Roles = Roles::COUNCIL;
const COMMITTEE: Roles = Roles::COMMITTEE;
const GATEWAY: Roles = Roles::GATEWAY;
const OPERATOR: Roles = Roles::OPERATOR;

/// The table.
pub struct Table;

impl Permissions<AccountId, RuntimeCall> for Table {
    fn roles(who: &AccountId) -> Roles {
        COUNCIL.given(Council::is_member(who))
            | COMMITTEE.given(TechnicalCommittee::is_member(who))
            | GATEWAY.given(is_gateway(who))
            | OPERATOR.given(ValidatorSet::is_operator(who))
    }

    fn signers(call: &RuntimeCall) -> Signers<'_, RuntimeCall> {
        let roles = match call {
            RuntimeCall::Utility(call) => return utility(call),
            RuntimeCall::System(call) => system(call),
            RuntimeCall::Timestamp(call) => timestamp(call),
            RuntimeCall::Governance(call) => governance(call),
            RuntimeCall::ValidatorSet(call) => validator_set(call),
            RuntimeCall::Session(call) => session(call),
            RuntimeCall::Grandpa(call) => grandpa(call),
            RuntimeCall::Membership(call) => membership(call),
            RuntimeCall::Council(call) => collective(call, COUNCIL),
            RuntimeCall::TechnicalMembership(call) => membership(call),
            RuntimeCall::TechnicalCommittee(call) => collective(call, COMMITTEE),
            RuntimeCall::Preimage(call) => preimage(call),
            RuntimeCall::Scheduler(call) => scheduler(call),
            RuntimeCall::TxPause(call) => tx_pause(call),
            RuntimeCall::Fleet(call) => fleet(call),
            #[cfg(feature = "next")]
            RuntimeCall::Rehearsal(_) => NOBODY,
        };
        Signers::Roles(roles)
    }
}

fn is_gateway(who: &AccountId) -> bool {
    let gateway = pallet_fleet::Gateways::<Runtime>::get(who);
    gateway.is_some_and(|gateway| gateway.status == GatewayStatus::Active)
}

fn utility(call: &pallet_utility::Call<Runtime>) -> Signers<'_, RuntimeCall> {
    use pallet_utility::Call;
    match call {
        Call::batch { calls } | Call::batch_all { calls } | Call::force_batch { calls } => {
            Signers::Each(calls)
        }
        Call::as_derivative { .. }
        | Call::dispatch_as { .. }
        | Call::with_weight { .. }
        | Call::if_else { .. }
        | Call::dispatch_as_fallible { .. }
        | Call::__Ignore(..) => Signers::Roles(NOBODY),
    }
}

fn system(call: &frame_system::Call<Runtime>) -> Roles {
    use frame_system::Call;
    match call {
        Call::apply_authorized_upgrade { .. } => COUNCIL,
        Call::remark { .. }
        | Call::remark_with_event { .. }
        | Call::set_heap_pages { .. }
        | Call::set_code { .. }
        | Call::set_code_without_checks { .. }
        | Call::set_storage { .. }
        | Call::kill_storage { .. }
        | Call::kill_prefix { .. }
        | Call::authorize_upgrade { .. }
        | Call::authorize_upgrade_without_checks { .. }
        | Call::__Ignore(..) => NOBODY,
    }
}

fn timestamp(call: &pallet_timestamp::Call<Runtime>) -> Roles {
    use pallet_timestamp::Call;
    match call {
        Call::set { .. } | Call::__Ignore(..) => NOBODY,
    }
}

fn governance(call: &pallet_governance::Call<Runtime>) -> Roles {
    use pallet_governance::Call;
    match call {
        Call::as_root { .. } | Call::__Ignore(..) => NOBODY,
    }
}

fn validator_set(call: &pallet_validator_set::Call<Runtime>) -> Roles {
    use pallet_validator_set::Call;
    match call {
        Call::join {} | Call::leave {} => OPERATOR,
        Call::approve { .. }
        | Call::remove { .. }
        | Call::set_minimum { .. }
        | Call::clear_offences { .. }
        | Call::report_aura_equivocation { .. }
        | Call::__Ignore(..) => NOBODY,
    }
}

fn session(call: &pallet_session::Call<Runtime>) -> Roles {
    use pallet_session::Call;
    match call {
        Call::set_keys { .. } => OPERATOR,
        // A validator without keys would sit in the set and neither author nor finalize.
        Call::purge_keys {} | Call::__Ignore(..) => NOBODY,
    }
}

fn grandpa(call: &pallet_grandpa::Call<Runtime>) -> Roles {
    use pallet_grandpa::Call;
    match call {
        Call::report_equivocation { .. }
        | Call::report_equivocation_unsigned { .. }
        | Call::note_stalled { .. }
        | Call::__Ignore(..) => NOBODY,
    }
}

/// Of both. `change_key` would pass a seat on without the council.
fn membership<I: 'static>(call: &pallet_membership::Call<Runtime, I>) -> Roles
where
    Runtime: pallet_membership::Config<I>,
{
    use pallet_membership::Call;
    match call {
        Call::add_member { .. }
        | Call::remove_member { .. }
        | Call::swap_member { .. }
        | Call::reset_members { .. }
        | Call::change_key { .. }
        | Call::set_prime { .. }
        | Call::clear_prime {}
        | Call::__Ignore(..) => NOBODY,
    }
}

/// Of both: their members. What a motion does is decided by the origin that it has, not here.
fn collective<I: 'static>(call: &pallet_collective::Call<Runtime, I>, members: Roles) -> Roles
where
    Runtime: pallet_collective::Config<I>,
{
    use pallet_collective::Call;
    match call {
        Call::execute { .. } | Call::propose { .. } | Call::vote { .. } | Call::close { .. } => {
            members
        }
        Call::set_members { .. }
        | Call::disapprove_proposal { .. }
        | Call::kill { .. }
        | Call::release_proposal_cost { .. }
        | Call::__Ignore(..) => NOBODY,
    }
}

fn preimage(call: &pallet_preimage::Call<Runtime>) -> Roles {
    use pallet_preimage::Call;
    match call {
        Call::note_preimage { .. } | Call::unnote_preimage { .. } => COUNCIL.or(COMMITTEE),
        Call::request_preimage { .. }
        | Call::unrequest_preimage { .. }
        | Call::ensure_updated { .. }
        | Call::__Ignore(..) => NOBODY,
    }
}

fn scheduler(call: &pallet_scheduler::Call<Runtime>) -> Roles {
    use pallet_scheduler::Call;
    match call {
        Call::schedule { .. }
        | Call::cancel { .. }
        | Call::schedule_named { .. }
        | Call::cancel_named { .. }
        | Call::schedule_after { .. }
        | Call::schedule_named_after { .. }
        | Call::set_retry { .. }
        | Call::set_retry_named { .. }
        | Call::cancel_retry { .. }
        | Call::cancel_retry_named { .. }
        | Call::__Ignore(..) => NOBODY,
    }
}

fn tx_pause(call: &pallet_tx_pause::Call<Runtime>) -> Roles {
    use pallet_tx_pause::Call;
    match call {
        Call::pause { .. } | Call::unpause { .. } | Call::__Ignore(..) => NOBODY,
    }
}

/// Which gateway may, the pallet decides: the owner, the administrator, a custodian.
fn fleet(call: &pallet_fleet::Call<Runtime>) -> Roles {
    use pallet_fleet::Call;
    match call {
        Call::replace_gateway_keys { .. }
        | Call::register_device { .. }
        | Call::replace_device_keys { .. }
        | Call::suspend_device { .. }
        | Call::reinstate_device { .. }
        | Call::revoke_device { .. }
        | Call::transfer_device { .. }
        | Call::accept_membership { .. }
        | Call::create_group { .. }
        | Call::set_policy { .. }
        | Call::set_custodians { .. }
        | Call::transfer_admin { .. }
        | Call::add_members { .. }
        | Call::remove_members { .. }
        | Call::rotate { .. }
        | Call::close_group { .. }
        | Call::stage_epoch { .. }
        | Call::withdraw_staged { .. }
        | Call::record_delivery { .. }
        | Call::anchor { .. }
        | Call::acknowledge { .. } => GATEWAY,
        Call::admit_organisation { .. }
        | Call::admit_gateway { .. }
        | Call::suspend_gateway { .. }
        | Call::reinstate_gateway { .. }
        | Call::expel_gateway { .. }
        | Call::admit_authority { .. }
        | Call::revoke_authority { .. }
        | Call::freeze_group { .. }
        | Call::thaw_group { .. }
        | Call::__Ignore(..) => NOBODY,
    }
}

/// Full collectives, and an account that is in both, a gateway and an operator.
#[cfg(feature = "runtime-benchmarks")]
impl pallet_governance::benchmarking::BenchmarkHelper<AccountId, RuntimeCall> for Table {
    fn give_every_role(who: &AccountId) {
        use crate::configs::governance::{CouncilInstance, MaxMembers, TechnicalInstance};
        use frame_support::traits::Get;
        let other = |number| frame_benchmarking::account("other", number, 0);
        let others = (1..MaxMembers::get()).map(other);
        let members: alloc::vec::Vec<AccountId> = others.chain([who.clone()]).collect();
        pallet_collective::Members::<Runtime, CouncilInstance>::put(&members);
        pallet_collective::Members::<Runtime, TechnicalInstance>::put(&members);
        let gateway = pallet_fleet::Gateway {
            organisation: bench("bench"),
            name: bench("bench.gateway"),
            statement_key: keyward_protocol::VerifyingKey([1; 32]),
            custody_key: keyward_protocol::AgreementKey([1; 32]),
            status: GatewayStatus::Active,
        };
        pallet_fleet::Gateways::<Runtime>::insert(who, gateway);
        let root = frame_system::RawOrigin::Root.into();
        ValidatorSet::approve(root, who.clone()).expect("there is room for an operator");
    }

    fn batch(n: u32) -> RuntimeCall {
        let call = RuntimeCall::Fleet(pallet_fleet::Call::rotate {
            group: bench("bench.group"),
        });
        let calls = alloc::vec![call; n as usize];
        pallet_utility::Call::batch { calls }.into()
    }
}

#[cfg(feature = "runtime-benchmarks")]
fn bench<Id: core::str::FromStr<Err = keyward_protocol::id::IdInvalid>>(id: &str) -> Id {
    id.parse().expect("it is an identifier")
}
