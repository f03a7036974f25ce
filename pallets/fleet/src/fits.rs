//! Whether every call fits into a block: one that does not could never be made.

use frame_support::{dispatch::DispatchClass, traits::Get, weights::Weight};
use keyward_protocol::limits;

use crate::{pallet::Config, weights::WeightInfo};

/// Panics unless the longest lists and the busiest gateways fit.
pub(crate) fn check<T: Config>() {
    let blocks = <T as frame_system::Config>::BlockWeights::get();
    let fits = |class, weight: Weight| {
        let limits = blocks.get(class);
        let largest = limits.max_extrinsic.or(limits.max_total);
        weight.all_lte(largest.unwrap_or(blocks.max_block))
    };
    let custodies = limits::CUSTODIAN_GROUPS;
    for weight in [
        T::WeightInfo::suspend_gateway(custodies),
        T::WeightInfo::expel_gateway(custodies),
        T::WeightInfo::remove_members(limits::BATCH),
    ] {
        assert!(
            fits(DispatchClass::Operational, weight),
            "{weight} for taking access away"
        );
    }
    for weight in [
        T::WeightInfo::replace_gateway_keys(custodies),
        T::WeightInfo::add_members(limits::BATCH),
        T::WeightInfo::acknowledge(limits::BATCH),
    ] {
        assert!(
            fits(DispatchClass::Normal, weight),
            "{weight} for a normal call"
        );
    }
}
