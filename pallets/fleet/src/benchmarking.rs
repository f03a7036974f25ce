//! Benchmarks of every call, in its worst case: groups with four custodians, full queues, records and policies.

use frame_benchmarking::v2::*;
use frame_system::RawOrigin;
use keyward_protocol::{
    limits,
    policy::Policy,
    statement::GroupState,
    view::{AuthorityStatus, DeviceStatus, GatewayStatus},
    Commitment, Digest, Role,
};
use scene::*;

use crate::{pallet::*, Holder};

mod scene;

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn admit_organisation() -> Result<(), BenchmarkError> {
        let origin = governance::<T>()?;
        #[extrinsic_call]
        _(
            origin as T::RuntimeOrigin,
            list(*b"bench"),
            label(),
            QUOTAS,
            true,
        );
        assert!(Organisations::<T>::contains_key(organisation()));
        Ok(())
    }

    #[benchmark]
    fn admit_gateway() -> Result<(), BenchmarkError> {
        found::<T>()?;
        let origin = governance::<T>()?;
        let (account, name) = (gateway::<T>(9), name_bytes("gw", 9));
        let (statement, custody) = (signer("new"), agreement_key("new"));
        #[extrinsic_call]
        _(
            origin as T::RuntimeOrigin,
            account,
            organisation(),
            name,
            statement,
            custody,
        );
        assert!(Gateways::<T>::contains_key(gateway::<T>(9)));
        Ok(())
    }

    #[benchmark]
    fn suspend_gateway(g: Linear<0, { limits::CUSTODIAN_GROUPS }>) -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        for number in 0..g {
            create::<T>(&gateways[0], &gateways, number)?;
        }
        let origin = governance::<T>()?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, gateways[1].clone());
        let status = Gateways::<T>::get(&gateways[1]).map(|gateway| gateway.status);
        assert_eq!(status, Some(GatewayStatus::Suspended));
        Ok(())
    }

    #[benchmark]
    fn reinstate_gateway() -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        Pallet::<T>::suspend_gateway(governance::<T>()?, gateways[0].clone())
            .map_err(|failed| failed.error)?;
        let origin = governance::<T>()?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, gateways[0].clone());
        let status = Gateways::<T>::get(&gateways[0]).map(|gateway| gateway.status);
        assert_eq!(status, Some(GatewayStatus::Active));
        Ok(())
    }

    #[benchmark]
    fn expel_gateway(g: Linear<0, { limits::CUSTODIAN_GROUPS }>) -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        for number in 0..g {
            create::<T>(&gateways[0], &gateways, number)?;
        }
        let origin = governance::<T>()?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, gateways[1].clone());
        assert!(CustodianGroups::<T>::get(&gateways[1]).is_empty());
        Ok(())
    }

    #[benchmark]
    fn replace_gateway_keys(
        g: Linear<0, { limits::CUSTODIAN_GROUPS }>,
    ) -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        for number in 0..g {
            create::<T>(&gateways[0], &gateways, number)?;
        }
        let who = gateways[1].clone();
        let (statement, custody) = (signer("new"), agreement_key("new"));
        #[extrinsic_call]
        _(
            RawOrigin::Signed(who.clone()),
            who.clone(),
            statement,
            custody,
        );
        let key = Gateways::<T>::get(&who).map(|gateway| gateway.statement_key);
        assert_eq!(key, Some(statement));
        Ok(())
    }

    #[benchmark]
    fn admit_authority() -> Result<(), BenchmarkError> {
        found::<T>()?;
        let origin = governance::<T>()?;
        let key = signer("new");
        #[extrinsic_call]
        _(
            origin as T::RuntimeOrigin,
            name_bytes("ca", 1),
            organisation(),
            key,
        );
        assert!(matches!(
            SigningKeys::<T>::get(key),
            Some(Holder::Authority(_))
        ));
        Ok(())
    }

    #[benchmark]
    fn revoke_authority() -> Result<(), BenchmarkError> {
        found::<T>()?;
        let origin = governance::<T>()?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, authority());
        let status = Authorities::<T>::get(authority()).map(|authority| authority.status);
        assert_eq!(status, Some(AuthorityStatus::Revoked));
        Ok(())
    }

    #[benchmark]
    fn freeze_group() -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let group = create::<T>(&gateways[0], &gateways, 0)?;
        let origin = governance::<T>()?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, group.clone());
        assert_eq!(
            Groups::<T>::get(group).map(|g| g.state),
            Some(GroupState::Frozen)
        );
        Ok(())
    }

    #[benchmark]
    fn thaw_group() -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let group = create::<T>(&gateways[0], &gateways, 0)?;
        Pallet::<T>::freeze_group(governance::<T>()?, group.clone())?;
        let origin = governance::<T>()?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, group.clone());
        assert_eq!(
            Groups::<T>::get(group).map(|g| g.state),
            Some(GroupState::Active)
        );
        Ok(())
    }

    #[benchmark]
    fn register_device() -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let new = enrolment::<T>(&gateways[0], 0, 1);
        let owner = RawOrigin::Signed(gateways[0].clone());
        #[extrinsic_call]
        _(owner, new.voucher, new.signature, new.proof);
        assert!(Devices::<T>::contains_key(device_id(0)));
        Ok(())
    }

    #[benchmark]
    fn replace_device_keys() -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let device = busy_device::<T>(&gateways)?;
        let authorisation = replacement::<T>(0);
        #[extrinsic_call]
        _(RawOrigin::Signed(gateways[0].clone()), authorisation);
        assert_eq!(
            Devices::<T>::get(device).map(|device| device.key_version),
            Some(2)
        );
        Ok(())
    }

    #[benchmark]
    fn suspend_device() -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let device = busy_device::<T>(&gateways)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(gateways[0].clone()), device.clone());
        let status = Devices::<T>::get(device).map(|device| device.status);
        assert_eq!(status, Some(DeviceStatus::Suspended));
        Ok(())
    }

    #[benchmark]
    fn reinstate_device() -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let device = busy_device::<T>(&gateways)?;
        Pallet::<T>::suspend_device(by::<T>(&gateways[0]), device.clone())?;
        next_block::<T>();
        #[extrinsic_call]
        _(RawOrigin::Signed(gateways[0].clone()), device.clone());
        let status = Devices::<T>::get(device).map(|device| device.status);
        assert_eq!(status, Some(DeviceStatus::Active));
        Ok(())
    }

    #[benchmark]
    fn revoke_device() -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let device = busy_device::<T>(&gateways)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(gateways[0].clone()), device.clone());
        assert!(DeviceGroups::<T>::get(device).is_empty());
        Ok(())
    }

    #[benchmark]
    fn transfer_device() -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let device = busy_device::<T>(&gateways)?;
        let to = gateways[1].clone();
        Pallet::<T>::transfer_device(by::<T>(&gateways[0]), device.clone(), to.clone())?;
        #[extrinsic_call]
        _(RawOrigin::Signed(to.clone()), device.clone(), to.clone());
        assert_eq!(
            Devices::<T>::get(device).map(|device| device.owner),
            Some(to)
        );
        Ok(())
    }

    #[benchmark]
    fn accept_membership() -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let group = create::<T>(&gateways[1], &gateways, 0)?;
        let device = register::<T>(&gateways[0], 0)?;
        join::<T>(&gateways[1], &group, &device)?;
        let owner = RawOrigin::Signed(gateways[0].clone());
        #[extrinsic_call]
        _(owner, group.clone(), device.clone(), filters());
        assert!(Members::<T>::contains_key(group, device));
        Ok(())
    }

    #[benchmark]
    fn create_group() -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let all = list(gateways.iter().cloned());
        let admin = RawOrigin::Signed(gateways[0].clone());
        #[extrinsic_call]
        _(admin, name_bytes("g", 0), filters(), policy(), all);
        assert!(Groups::<T>::contains_key(group_id(0)));
        Ok(())
    }

    #[benchmark]
    fn set_policy() -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let group = create::<T>(&gateways[0], &gateways, 0)?;
        let other = Policy {
            grace: 1,
            ..policy()
        };
        #[extrinsic_call]
        _(
            RawOrigin::Signed(gateways[0].clone()),
            group.clone(),
            other.clone(),
        );
        assert_eq!(
            Groups::<T>::get(group).map(|group| group.policy),
            Some(other)
        );
        Ok(())
    }

    #[benchmark]
    fn set_custodians() -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let group = create::<T>(&gateways[0], &gateways, 0)?;
        let others = (10..10 + limits::CUSTODIANS).map(scene::admit_gateway::<T>);
        let others = others.collect::<Result<alloc::vec::Vec<_>, _>>()?;
        let admin = RawOrigin::Signed(gateways[0].clone());
        #[extrinsic_call]
        _(admin, group.clone(), list(others));
        assert!(CustodianGroups::<T>::get(&gateways[0]).is_empty());
        Ok(())
    }

    #[benchmark]
    fn transfer_admin() -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let group = create::<T>(&gateways[0], &gateways, 0)?;
        let to = gateways[1].clone();
        #[extrinsic_call]
        _(
            RawOrigin::Signed(gateways[0].clone()),
            group.clone(),
            to.clone(),
        );
        assert_eq!(Groups::<T>::get(group).map(|group| group.admin), Some(to));
        Ok(())
    }

    #[benchmark]
    fn add_members(n: Linear<1, { limits::BATCH }>) -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let (group, devices) = crowd::<T>(&gateways, n, false)?;
        let members = list(devices.into_iter().map(|device| (device, Role::Both)));
        let admin = RawOrigin::Signed(gateways[0].clone());
        #[extrinsic_call]
        _(admin, group.clone(), members);
        assert_eq!(Groups::<T>::get(group).map(|group| group.members), Some(n));
        Ok(())
    }

    #[benchmark]
    fn remove_members(n: Linear<1, { limits::BATCH }>) -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let (group, devices) = crowd::<T>(&gateways, n, true)?;
        let admin = RawOrigin::Signed(gateways[0].clone());
        #[extrinsic_call]
        _(admin, group.clone(), list(devices));
        assert_eq!(Groups::<T>::get(group).map(|group| group.members), Some(0));
        Ok(())
    }

    #[benchmark]
    fn rotate() -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let group = create::<T>(&gateways[0], &gateways, 0)?;
        let before = Groups::<T>::get(&group).map(|group| group.epoch);
        #[extrinsic_call]
        _(RawOrigin::Signed(gateways[0].clone()), group.clone());
        assert!(Groups::<T>::get(group).map(|group| group.epoch) > before);
        Ok(())
    }

    #[benchmark]
    fn close_group() -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let group = create::<T>(&gateways[0], &gateways, 0)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(gateways[0].clone()), group.clone());
        assert_eq!(
            Groups::<T>::get(group).map(|g| g.state),
            Some(GroupState::Closed)
        );
        Ok(())
    }

    /// The queue is full but for the last place.
    #[benchmark]
    fn stage_epoch() -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let group = create::<T>(&gateways[0], &gateways, 0)?;
        let last = Groups::<T>::get(&group).map_or(0, |group| group.epoch + limits::STAGED);
        Pallet::<T>::withdraw_staged(by::<T>(&gateways[0]), group.clone(), last)?;
        let custodian = RawOrigin::Signed(gateways[3].clone());
        #[extrinsic_call]
        _(custodian, group.clone(), last, commitment(last));
        let staged = Groups::<T>::get(group).map(|group| group.staged.len() as u32);
        assert_eq!(staged, Some(limits::STAGED));
        Ok(())
    }

    /// The current epoch is taken back, and with it the whole queue.
    #[benchmark]
    fn withdraw_staged() -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let group = create::<T>(&gateways[0], &gateways, 0)?;
        let epoch = Groups::<T>::get(&group).map_or(0, |group| group.epoch);
        #[extrinsic_call]
        _(RawOrigin::Signed(gateways[0].clone()), group.clone(), epoch);
        assert_eq!(
            Groups::<T>::get(group).map(|g| g.state),
            Some(GroupState::Awaiting)
        );
        Ok(())
    }

    #[benchmark]
    fn record_delivery() -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let group = create::<T>(&gateways[0], &gateways, 0)?;
        let epoch = Groups::<T>::get(&group).map_or(0, |group| group.epoch);
        let root = Digest([1; 32]);
        let custodian = RawOrigin::Signed(gateways[0].clone());
        #[extrinsic_call]
        _(custodian, group.clone(), epoch, u32::MAX, root);
        let exchange = KeyExchanges::<T>::get(group, epoch);
        assert!(exchange.is_some_and(|exchange| exchange.delivery.is_some()));
        Ok(())
    }

    /// The record is full: the oldest anchor is dropped.
    #[benchmark]
    fn anchor() -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let group = create::<T>(&gateways[0], &gateways, 0)?;
        let root = Digest([1; 32]);
        for _ in 0..limits::HISTORY {
            Pallet::<T>::anchor(by::<T>(&gateways[0]), group.clone(), root, 1, 1, 2)?;
        }
        let custodian = RawOrigin::Signed(gateways[0].clone());
        #[extrinsic_call]
        _(custodian, group.clone(), root, 1, 1, 2);
        let next = AnchorChains::<T>::get(group).next;
        assert_eq!(next, u64::from(limits::HISTORY) + 1);
        Ok(())
    }

    /// Every receipt is a conflict: more is stored then than for one that agrees with the chain.
    #[benchmark]
    fn acknowledge(n: Linear<1, { limits::BATCH }>) -> Result<(), BenchmarkError> {
        let gateways = found::<T>()?;
        let (group, devices) = crowd::<T>(&gateways, n, true)?;
        let seen = Some(Commitment([0xab; 32]));
        let receipts = list(receipts::<T>(&group, &devices, seen)?);
        let caller = RawOrigin::Signed(gateways[0].clone());
        #[extrinsic_call]
        _(caller, group.clone(), receipts);
        assert_eq!(ConflictCounts::<T>::get(group), n);
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, crate::tests::ext(), crate::tests::Test);
}
