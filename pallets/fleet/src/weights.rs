//! Weights of the calls of `pallet_fleet`, generated from its benchmarks (10 steps, 20 repetitions): see
//! docs/releasing.md, "Weights". Do not edit.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unnecessary_cast,
    unused_parens
)]

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::ParityDbWeight, Weight},
};

/// Weights of the calls.
pub trait WeightInfo {
    /// Of `admit_organisation`.
    fn admit_organisation() -> Weight;
    /// Of `admit_gateway`.
    fn admit_gateway() -> Weight;
    /// Of `suspend_gateway`. `g`: 0 to 256.
    fn suspend_gateway(g: u32) -> Weight;
    /// Of `reinstate_gateway`.
    fn reinstate_gateway() -> Weight;
    /// Of `expel_gateway`. `g`: 0 to 256.
    fn expel_gateway(g: u32) -> Weight;
    /// Of `replace_gateway_keys`. `g`: 0 to 256.
    fn replace_gateway_keys(g: u32) -> Weight;
    /// Of `admit_authority`.
    fn admit_authority() -> Weight;
    /// Of `revoke_authority`.
    fn revoke_authority() -> Weight;
    /// Of `freeze_group`.
    fn freeze_group() -> Weight;
    /// Of `thaw_group`.
    fn thaw_group() -> Weight;
    /// Of `register_device`.
    fn register_device() -> Weight;
    /// Of `replace_device_keys`.
    fn replace_device_keys() -> Weight;
    /// Of `suspend_device`.
    fn suspend_device() -> Weight;
    /// Of `reinstate_device`.
    fn reinstate_device() -> Weight;
    /// Of `revoke_device`.
    fn revoke_device() -> Weight;
    /// Of `transfer_device`.
    fn transfer_device() -> Weight;
    /// Of `accept_membership`.
    fn accept_membership() -> Weight;
    /// Of `create_group`.
    fn create_group() -> Weight;
    /// Of `set_policy`.
    fn set_policy() -> Weight;
    /// Of `set_custodians`.
    fn set_custodians() -> Weight;
    /// Of `transfer_admin`.
    fn transfer_admin() -> Weight;
    /// Of `add_members`. `n`: 1 to 256.
    fn add_members(n: u32) -> Weight;
    /// Of `remove_members`. `n`: 1 to 256.
    fn remove_members(n: u32) -> Weight;
    /// Of `rotate`.
    fn rotate() -> Weight;
    /// Of `close_group`.
    fn close_group() -> Weight;
    /// Of `stage_epoch`.
    fn stage_epoch() -> Weight;
    /// Of `withdraw_staged`.
    fn withdraw_staged() -> Weight;
    /// Of `record_delivery`.
    fn record_delivery() -> Weight;
    /// Of `anchor`.
    fn anchor() -> Weight;
    /// Of `acknowledge`. `n`: 1 to 256.
    fn acknowledge(n: u32) -> Weight;
}

/// Weights on the reference machine, over the runtime's database.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    // Storage: `Fleet::Organisations` (r:1 w:1)
    // Storage: `Fleet::CounterForOrganisations` (r:1 w:1)
    // Storage: `Fleet::BareNames` (r:1 w:1)
    // Storage: `Fleet::Changes` (r:1 w:1)
    fn admit_organisation() -> Weight {
        // Proof: measured 6 bytes. Fastest: 23_189 ns.
        Weight::from_parts(25_672_000, 3592)
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().writes(4))
    }
    // Storage: `Fleet::Organisations` (r:1 w:0)
    // Storage: `Fleet::Gateways` (r:1 w:1)
    // Storage: `Fleet::GatewayNames` (r:1 w:1)
    // Storage: `Fleet::CounterForGateways` (r:1 w:1)
    // Storage: `Fleet::SigningKeys` (r:1 w:1)
    // Storage: `Fleet::AgreementKeys` (r:1 w:1)
    // Storage: `System::Account` (r:1 w:1)
    // Storage: `Fleet::Changes` (r:1 w:1)
    fn admit_gateway() -> Weight {
        // Proof: measured 810 bytes. Fastest: 75_430 ns.
        Weight::from_parts(88_697_000, 3644)
            .saturating_add(T::DbWeight::get().reads(8))
            .saturating_add(T::DbWeight::get().writes(7))
    }
    // Storage: `Fleet::Gateways` (r:1 w:1)
    // Storage: `Fleet::Changes` (r:1 w:1)
    // Storage: `Fleet::CustodianGroups` (r:1 w:0)
    // Storage: `Fleet::Groups` (r:256 w:256)
    // Storage: `Timestamp::Now` (r:1 w:0)
    // Storage: `Fleet::ChainHeads` (r:256 w:256)
    // Storage: `System::BlockHash` (r:1 w:0)
    // Storage: `Fleet::KeyExchanges` (r:0 w:512)
    fn suspend_gateway(g: u32) -> Weight {
        // Proof: measured 780 + g * 1826 bytes. Fastest: 39_758 ns.
        Weight::from_parts(64_377_000, 11963)
            .saturating_add(Weight::from_parts(59_709_799, 0).saturating_mul(g.into()))
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(g.into())))
            .saturating_add(T::DbWeight::get().writes(2))
            .saturating_add(T::DbWeight::get().writes((4_u64).saturating_mul(g.into())))
            .saturating_add(Weight::from_parts(0, 4172).saturating_mul(g.into()))
    }
    // Storage: `Fleet::Gateways` (r:1 w:1)
    // Storage: `Fleet::Changes` (r:1 w:1)
    fn reinstate_gateway() -> Weight {
        // Proof: measured 532 bytes. Fastest: 35_970 ns.
        Weight::from_parts(39_456_000, 3644)
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    // Storage: `Fleet::Gateways` (r:1 w:1)
    // Storage: `Fleet::Changes` (r:1 w:1)
    // Storage: `Fleet::CustodianGroups` (r:1 w:1)
    // Storage: `Fleet::Groups` (r:256 w:256)
    // Storage: `Timestamp::Now` (r:1 w:0)
    // Storage: `Fleet::ChainHeads` (r:256 w:256)
    // Storage: `System::BlockHash` (r:1 w:0)
    // Storage: `Fleet::KeyExchanges` (r:0 w:512)
    fn expel_gateway(g: u32) -> Weight {
        // Proof: measured 780 + g * 1826 bytes. Fastest: 43_683 ns.
        Weight::from_parts(45_147_000, 11963)
            .saturating_add(Weight::from_parts(67_969_700, 0).saturating_mul(g.into()))
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(g.into())))
            .saturating_add(T::DbWeight::get().writes(3))
            .saturating_add(T::DbWeight::get().writes((4_u64).saturating_mul(g.into())))
            .saturating_add(Weight::from_parts(0, 4172).saturating_mul(g.into()))
    }
    // Storage: `Fleet::Gateways` (r:1 w:1)
    // Storage: `Fleet::SigningKeys` (r:1 w:1)
    // Storage: `Fleet::AgreementKeys` (r:1 w:1)
    // Storage: `Fleet::Changes` (r:1 w:1)
    // Storage: `Fleet::CustodianGroups` (r:1 w:0)
    // Storage: `Fleet::Groups` (r:256 w:256)
    // Storage: `Timestamp::Now` (r:1 w:0)
    // Storage: `Fleet::ChainHeads` (r:256 w:256)
    // Storage: `System::BlockHash` (r:1 w:0)
    // Storage: `Fleet::KeyExchanges` (r:0 w:512)
    fn replace_gateway_keys(g: u32) -> Weight {
        // Proof: measured 1055 + g * 1826 bytes. Fastest: 59_262 ns.
        Weight::from_parts(66_346_000, 11963)
            .saturating_add(Weight::from_parts(62_501_173, 0).saturating_mul(g.into()))
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(g.into())))
            .saturating_add(T::DbWeight::get().writes(4))
            .saturating_add(T::DbWeight::get().writes((4_u64).saturating_mul(g.into())))
            .saturating_add(Weight::from_parts(0, 4172).saturating_mul(g.into()))
    }
    // Storage: `Fleet::Organisations` (r:1 w:0)
    // Storage: `Fleet::Authorities` (r:1 w:1)
    // Storage: `Fleet::CounterForAuthorities` (r:1 w:1)
    // Storage: `Fleet::SigningKeys` (r:1 w:1)
    // Storage: `Fleet::Changes` (r:1 w:1)
    fn admit_authority() -> Weight {
        // Proof: measured 575 bytes. Fastest: 66_004 ns.
        Weight::from_parts(104_378_000, 3592)
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().writes(4))
    }
    // Storage: `Fleet::Authorities` (r:1 w:1)
    // Storage: `Fleet::Changes` (r:1 w:1)
    fn revoke_authority() -> Weight {
        // Proof: measured 389 bytes. Fastest: 35_503 ns.
        Weight::from_parts(53_831_000, 3580)
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    // Storage: `Fleet::Groups` (r:1 w:1)
    // Storage: `Fleet::Changes` (r:1 w:1)
    fn freeze_group() -> Weight {
        // Proof: measured 2072 bytes. Fastest: 50_431 ns.
        Weight::from_parts(89_229_000, 5162)
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    // Storage: `Fleet::Groups` (r:1 w:1)
    // Storage: `Fleet::Changes` (r:1 w:1)
    fn thaw_group() -> Weight {
        // Proof: measured 2072 bytes. Fastest: 44_803 ns.
        Weight::from_parts(89_553_000, 5162)
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    // Storage: `Fleet::Gateways` (r:1 w:0)
    // Storage: `Timestamp::Now` (r:1 w:0)
    // Storage: `Fleet::Authorities` (r:1 w:0)
    // Storage: `System::BlockHash` (r:1 w:0)
    // Storage: `Fleet::Devices` (r:1 w:1)
    // Storage: `Fleet::SigningKeys` (r:1 w:1)
    // Storage: `Fleet::AgreementKeys` (r:1 w:1)
    // Storage: `Fleet::Organisations` (r:1 w:0)
    // Storage: `Fleet::Usages` (r:1 w:1)
    // Storage: `Fleet::Changes` (r:1 w:1)
    // Storage: `Fleet::OwnedDevices` (r:0 w:1)
    fn register_device() -> Weight {
        // Proof: measured 1167 bytes. Fastest: 226_531 ns.
        Weight::from_parts(282_504_000, 3652)
            .saturating_add(T::DbWeight::get().reads(10))
            .saturating_add(T::DbWeight::get().writes(6))
    }
    // Storage: `Fleet::Gateways` (r:1 w:0)
    // Storage: `Fleet::Devices` (r:1 w:1)
    // Storage: `Timestamp::Now` (r:1 w:0)
    // Storage: `Fleet::SigningKeys` (r:1 w:1)
    // Storage: `Fleet::AgreementKeys` (r:1 w:1)
    // Storage: `System::BlockHash` (r:1 w:0)
    // Storage: `Fleet::Changes` (r:1 w:1)
    // Storage: `Fleet::DeviceGroups` (r:1 w:0)
    // Storage: `Fleet::Groups` (r:10 w:10)
    // Storage: `Fleet::ChainHeads` (r:10 w:10)
    // Storage: `Fleet::Members` (r:10 w:10)
    // Storage: `Fleet::KeyExchanges` (r:0 w:20)
    fn replace_device_keys() -> Weight {
        // Proof: measured 22027 bytes. Fastest: 1_072_422 ns.
        Weight::from_parts(1_459_969_000, 42710)
            .saturating_add(T::DbWeight::get().reads(38))
            .saturating_add(T::DbWeight::get().writes(54))
    }
    // Storage: `Fleet::Gateways` (r:1 w:0)
    // Storage: `Fleet::Devices` (r:1 w:1)
    // Storage: `Fleet::Changes` (r:1 w:1)
    // Storage: `Fleet::DeviceGroups` (r:1 w:0)
    // Storage: `Fleet::Groups` (r:10 w:10)
    // Storage: `Fleet::ChainHeads` (r:10 w:10)
    // Storage: `System::BlockHash` (r:1 w:0)
    // Storage: `Timestamp::Now` (r:1 w:0)
    // Storage: `Fleet::KeyExchanges` (r:0 w:20)
    fn suspend_device() -> Weight {
        // Proof: measured 20088 bytes. Fastest: 669_942 ns.
        Weight::from_parts(744_971_000, 42710)
            .saturating_add(T::DbWeight::get().reads(26))
            .saturating_add(T::DbWeight::get().writes(42))
    }
    // Storage: `Fleet::Gateways` (r:1 w:0)
    // Storage: `Fleet::Devices` (r:1 w:1)
    // Storage: `Fleet::Changes` (r:1 w:1)
    // Storage: `Fleet::DeviceGroups` (r:1 w:0)
    // Storage: `Fleet::Groups` (r:10 w:10)
    // Storage: `Timestamp::Now` (r:1 w:0)
    // Storage: `Fleet::ChainHeads` (r:10 w:10)
    // Storage: `System::BlockHash` (r:1 w:0)
    // Storage: `Fleet::Members` (r:10 w:10)
    // Storage: `Fleet::KeyExchanges` (r:0 w:20)
    fn reinstate_device() -> Weight {
        // Proof: measured 7061 bytes. Fastest: 817_204 ns.
        Weight::from_parts(852_336_000, 42710)
            .saturating_add(T::DbWeight::get().reads(36))
            .saturating_add(T::DbWeight::get().writes(52))
    }
    // Storage: `Fleet::Gateways` (r:1 w:0)
    // Storage: `Fleet::Devices` (r:1 w:1)
    // Storage: `Fleet::DeviceGroups` (r:1 w:1)
    // Storage: `Fleet::Groups` (r:10 w:10)
    // Storage: `Fleet::Members` (r:10 w:10)
    // Storage: `Fleet::ChainHeads` (r:10 w:10)
    // Storage: `System::BlockHash` (r:1 w:0)
    // Storage: `Timestamp::Now` (r:1 w:0)
    // Storage: `Fleet::Changes` (r:1 w:1)
    // Storage: `Fleet::Invitations` (r:1 w:1)
    // Storage: `Fleet::Usages` (r:1 w:1)
    // Storage: `Fleet::KeyExchanges` (r:0 w:20)
    // Storage: `Fleet::Offers` (r:0 w:1)
    // Storage: `Fleet::OwnedDevices` (r:0 w:1)
    fn revoke_device() -> Weight {
        // Proof: measured 22498 bytes. Fastest: 947_716 ns.
        Weight::from_parts(1_007_626_000, 42710)
            .saturating_add(T::DbWeight::get().reads(38))
            .saturating_add(T::DbWeight::get().writes(57))
    }
    // Storage: `Fleet::Gateways` (r:2 w:0)
    // Storage: `Fleet::Devices` (r:1 w:1)
    // Storage: `Fleet::Offers` (r:1 w:1)
    // Storage: `Fleet::Usages` (r:2 w:2)
    // Storage: `Fleet::Organisations` (r:1 w:0)
    // Storage: `Fleet::Changes` (r:1 w:1)
    // Storage: `Fleet::OwnedDevices` (r:0 w:2)
    fn transfer_device() -> Weight {
        // Proof: measured 1450 bytes. Fastest: 128_590 ns.
        Weight::from_parts(137_495_000, 6298)
            .saturating_add(T::DbWeight::get().reads(8))
            .saturating_add(T::DbWeight::get().writes(7))
    }
    // Storage: `Fleet::Gateways` (r:2 w:0)
    // Storage: `Fleet::Devices` (r:1 w:0)
    // Storage: `Fleet::Groups` (r:1 w:1)
    // Storage: `Fleet::Invitations` (r:1 w:1)
    // Storage: `Fleet::Organisations` (r:1 w:0)
    // Storage: `Fleet::DeviceGroups` (r:1 w:1)
    // Storage: `Timestamp::Now` (r:1 w:0)
    // Storage: `Fleet::ChainHeads` (r:1 w:1)
    // Storage: `System::BlockHash` (r:1 w:0)
    // Storage: `Fleet::Changes` (r:1 w:1)
    // Storage: `Fleet::KeyExchanges` (r:0 w:2)
    // Storage: `Fleet::Members` (r:0 w:1)
    fn accept_membership() -> Weight {
        // Proof: measured 3062 bytes. Fastest: 153_637 ns.
        Weight::from_parts(183_754_000, 6298)
            .saturating_add(T::DbWeight::get().reads(11))
            .saturating_add(T::DbWeight::get().writes(8))
    }
    // Storage: `Fleet::Gateways` (r:4 w:0)
    // Storage: `Fleet::Groups` (r:1 w:1)
    // Storage: `Fleet::Organisations` (r:1 w:0)
    // Storage: `Fleet::Usages` (r:1 w:1)
    // Storage: `Fleet::CustodianGroups` (r:4 w:4)
    // Storage: `Timestamp::Now` (r:1 w:0)
    // Storage: `Fleet::ChainHeads` (r:1 w:1)
    // Storage: `System::BlockHash` (r:1 w:0)
    // Storage: `Fleet::Changes` (r:1 w:1)
    // Storage: `Fleet::KeyExchanges` (r:0 w:1)
    fn create_group() -> Weight {
        // Proof: measured 1090 bytes. Fastest: 123_805 ns.
        Weight::from_parts(132_266_000, 44882)
            .saturating_add(T::DbWeight::get().reads(15))
            .saturating_add(T::DbWeight::get().writes(9))
    }
    // Storage: `Fleet::Gateways` (r:1 w:0)
    // Storage: `Fleet::Groups` (r:1 w:1)
    // Storage: `Fleet::Changes` (r:1 w:1)
    fn set_policy() -> Weight {
        // Proof: measured 2320 bytes. Fastest: 56_178 ns.
        Weight::from_parts(60_289_000, 5162)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    // Storage: `Fleet::Gateways` (r:6 w:0)
    // Storage: `Fleet::Groups` (r:1 w:1)
    // Storage: `Fleet::CustodianGroups` (r:8 w:8)
    // Storage: `Timestamp::Now` (r:1 w:0)
    // Storage: `Fleet::ChainHeads` (r:1 w:1)
    // Storage: `System::BlockHash` (r:1 w:0)
    // Storage: `Fleet::Changes` (r:1 w:1)
    // Storage: `Fleet::KeyExchanges` (r:0 w:2)
    fn set_custodians() -> Weight {
        // Proof: measured 3589 bytes. Fastest: 175_046 ns.
        Weight::from_parts(194_375_000, 88774)
            .saturating_add(T::DbWeight::get().reads(19))
            .saturating_add(T::DbWeight::get().writes(13))
    }
    // Storage: `Fleet::Gateways` (r:2 w:0)
    // Storage: `Fleet::Groups` (r:1 w:1)
    // Storage: `Fleet::Usages` (r:2 w:2)
    // Storage: `Fleet::Organisations` (r:1 w:0)
    // Storage: `Fleet::Changes` (r:1 w:1)
    fn transfer_admin() -> Weight {
        // Proof: measured 2679 bytes. Fastest: 80_716 ns.
        Weight::from_parts(90_323_000, 6298)
            .saturating_add(T::DbWeight::get().reads(7))
            .saturating_add(T::DbWeight::get().writes(4))
    }
    // Storage: `Fleet::Gateways` (r:1 w:0)
    // Storage: `Fleet::Groups` (r:1 w:1)
    // Storage: `Fleet::Devices` (r:256 w:0)
    // Storage: `Fleet::Members` (r:256 w:256)
    // Storage: `Fleet::Invitations` (r:256 w:0)
    // Storage: `Fleet::Organisations` (r:1 w:0)
    // Storage: `Fleet::DeviceGroups` (r:256 w:256)
    // Storage: `Timestamp::Now` (r:1 w:0)
    // Storage: `Fleet::ChainHeads` (r:1 w:1)
    // Storage: `System::BlockHash` (r:1 w:0)
    // Storage: `Fleet::Changes` (r:1 w:1)
    // Storage: `Fleet::KeyExchanges` (r:0 w:2)
    fn add_members(n: u32) -> Weight {
        // Proof: measured 2646 + n * 195 bytes. Fastest: 157_898 ns.
        Weight::from_parts(165_983_000, 5162)
            .saturating_add(Weight::from_parts(52_706_721, 0).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(7))
            .saturating_add(T::DbWeight::get().reads((4_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes(5))
            .saturating_add(T::DbWeight::get().writes((2_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 3069).saturating_mul(n.into()))
    }
    // Storage: `Fleet::Gateways` (r:1 w:0)
    // Storage: `Fleet::Groups` (r:1 w:1)
    // Storage: `Fleet::Devices` (r:256 w:0)
    // Storage: `Fleet::Members` (r:256 w:256)
    // Storage: `Fleet::DeviceGroups` (r:256 w:256)
    // Storage: `Fleet::ChainHeads` (r:1 w:1)
    // Storage: `System::BlockHash` (r:1 w:0)
    // Storage: `Timestamp::Now` (r:1 w:0)
    // Storage: `Fleet::Changes` (r:1 w:1)
    // Storage: `Fleet::KeyExchanges` (r:0 w:2)
    fn remove_members(n: u32) -> Weight {
        // Proof: measured 2638 + n * 613 bytes. Fastest: 140_537 ns.
        Weight::from_parts(152_551_000, 5162)
            .saturating_add(Weight::from_parts(46_567_859, 0).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().reads((3_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes(5))
            .saturating_add(T::DbWeight::get().writes((2_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 2855).saturating_mul(n.into()))
    }
    // Storage: `Fleet::Gateways` (r:1 w:0)
    // Storage: `Fleet::Groups` (r:1 w:1)
    // Storage: `Timestamp::Now` (r:1 w:0)
    // Storage: `Fleet::ChainHeads` (r:1 w:1)
    // Storage: `System::BlockHash` (r:1 w:0)
    // Storage: `Fleet::Changes` (r:1 w:1)
    // Storage: `Fleet::KeyExchanges` (r:0 w:2)
    fn rotate() -> Weight {
        // Proof: measured 2450 bytes. Fastest: 81_150 ns.
        Weight::from_parts(90_888_000, 5162)
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    // Storage: `Fleet::Gateways` (r:1 w:0)
    // Storage: `Fleet::Groups` (r:1 w:1)
    // Storage: `Fleet::Usages` (r:1 w:1)
    // Storage: `Fleet::Changes` (r:1 w:1)
    fn close_group() -> Weight {
        // Proof: measured 2424 bytes. Fastest: 65_764 ns.
        Weight::from_parts(72_245_000, 5162)
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    // Storage: `Fleet::Gateways` (r:1 w:0)
    // Storage: `Fleet::Groups` (r:1 w:1)
    // Storage: `Fleet::Changes` (r:1 w:1)
    fn stage_epoch() -> Weight {
        // Proof: measured 2252 bytes. Fastest: 54_638 ns.
        Weight::from_parts(66_120_000, 5162)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    // Storage: `Fleet::Gateways` (r:1 w:0)
    // Storage: `Fleet::Groups` (r:1 w:1)
    // Storage: `Timestamp::Now` (r:1 w:0)
    // Storage: `Fleet::ChainHeads` (r:1 w:1)
    // Storage: `System::BlockHash` (r:1 w:0)
    // Storage: `Fleet::Changes` (r:1 w:1)
    // Storage: `Fleet::KeyExchanges` (r:0 w:2)
    fn withdraw_staged() -> Weight {
        // Proof: measured 2450 bytes. Fastest: 93_884 ns.
        Weight::from_parts(123_723_000, 5162)
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    // Storage: `Fleet::Gateways` (r:1 w:0)
    // Storage: `Fleet::Groups` (r:1 w:0)
    // Storage: `Fleet::KeyExchanges` (r:1 w:1)
    // Storage: `Fleet::ChainHeads` (r:1 w:1)
    // Storage: `System::BlockHash` (r:1 w:0)
    fn record_delivery() -> Weight {
        // Proof: measured 3171 bytes. Fastest: 80_468 ns.
        Weight::from_parts(104_866_000, 5162)
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    // Storage: `Fleet::Gateways` (r:1 w:0)
    // Storage: `Fleet::Groups` (r:1 w:0)
    // Storage: `Fleet::AnchorChains` (r:1 w:1)
    // Storage: `System::BlockHash` (r:1 w:0)
    // Storage: `Fleet::Anchors` (r:0 w:2)
    fn anchor() -> Weight {
        // Proof: measured 2510 bytes. Fastest: 71_425 ns.
        Weight::from_parts(82_288_000, 5162)
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    // Storage: `Fleet::Gateways` (r:1 w:0)
    // Storage: `Fleet::Groups` (r:1 w:0)
    // Storage: `Fleet::Devices` (r:256 w:0)
    // Storage: `Fleet::Members` (r:256 w:0)
    // Storage: `Fleet::KeyExchanges` (r:1 w:0)
    // Storage: `System::BlockHash` (r:1 w:0)
    // Storage: `Fleet::Conflicts` (r:256 w:256)
    // Storage: `Fleet::ConflictCounts` (r:1 w:1)
    // Storage: `Fleet::ChainHeads` (r:1 w:1)
    fn acknowledge(n: u32) -> Weight {
        // Proof: measured 3759 + n * 527 bytes. Fastest: 190_021 ns.
        Weight::from_parts(641_646_111, 5162)
            .saturating_add(Weight::from_parts(103_495_029, 0).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().reads((3_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes(2))
            .saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 2847).saturating_mul(n.into()))
    }
}

/// The same over a fixed database, for tests.
impl WeightInfo for () {
    fn admit_organisation() -> Weight {
        Weight::from_parts(25_672_000, 3592)
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().writes(4))
    }
    fn admit_gateway() -> Weight {
        Weight::from_parts(88_697_000, 3644)
            .saturating_add(ParityDbWeight::get().reads(8))
            .saturating_add(ParityDbWeight::get().writes(7))
    }
    fn suspend_gateway(g: u32) -> Weight {
        Weight::from_parts(64_377_000, 11963)
            .saturating_add(Weight::from_parts(59_709_799, 0).saturating_mul(g.into()))
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().reads((2_u64).saturating_mul(g.into())))
            .saturating_add(ParityDbWeight::get().writes(2))
            .saturating_add(ParityDbWeight::get().writes((4_u64).saturating_mul(g.into())))
            .saturating_add(Weight::from_parts(0, 4172).saturating_mul(g.into()))
    }
    fn reinstate_gateway() -> Weight {
        Weight::from_parts(39_456_000, 3644)
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn expel_gateway(g: u32) -> Weight {
        Weight::from_parts(45_147_000, 11963)
            .saturating_add(Weight::from_parts(67_969_700, 0).saturating_mul(g.into()))
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().reads((2_u64).saturating_mul(g.into())))
            .saturating_add(ParityDbWeight::get().writes(3))
            .saturating_add(ParityDbWeight::get().writes((4_u64).saturating_mul(g.into())))
            .saturating_add(Weight::from_parts(0, 4172).saturating_mul(g.into()))
    }
    fn replace_gateway_keys(g: u32) -> Weight {
        Weight::from_parts(66_346_000, 11963)
            .saturating_add(Weight::from_parts(62_501_173, 0).saturating_mul(g.into()))
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().reads((2_u64).saturating_mul(g.into())))
            .saturating_add(ParityDbWeight::get().writes(4))
            .saturating_add(ParityDbWeight::get().writes((4_u64).saturating_mul(g.into())))
            .saturating_add(Weight::from_parts(0, 4172).saturating_mul(g.into()))
    }
    fn admit_authority() -> Weight {
        Weight::from_parts(104_378_000, 3592)
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().writes(4))
    }
    fn revoke_authority() -> Weight {
        Weight::from_parts(53_831_000, 3580)
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn freeze_group() -> Weight {
        Weight::from_parts(89_229_000, 5162)
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn thaw_group() -> Weight {
        Weight::from_parts(89_553_000, 5162)
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn register_device() -> Weight {
        Weight::from_parts(282_504_000, 3652)
            .saturating_add(ParityDbWeight::get().reads(10))
            .saturating_add(ParityDbWeight::get().writes(6))
    }
    fn replace_device_keys() -> Weight {
        Weight::from_parts(1_459_969_000, 42710)
            .saturating_add(ParityDbWeight::get().reads(38))
            .saturating_add(ParityDbWeight::get().writes(54))
    }
    fn suspend_device() -> Weight {
        Weight::from_parts(744_971_000, 42710)
            .saturating_add(ParityDbWeight::get().reads(26))
            .saturating_add(ParityDbWeight::get().writes(42))
    }
    fn reinstate_device() -> Weight {
        Weight::from_parts(852_336_000, 42710)
            .saturating_add(ParityDbWeight::get().reads(36))
            .saturating_add(ParityDbWeight::get().writes(52))
    }
    fn revoke_device() -> Weight {
        Weight::from_parts(1_007_626_000, 42710)
            .saturating_add(ParityDbWeight::get().reads(38))
            .saturating_add(ParityDbWeight::get().writes(57))
    }
    fn transfer_device() -> Weight {
        Weight::from_parts(137_495_000, 6298)
            .saturating_add(ParityDbWeight::get().reads(8))
            .saturating_add(ParityDbWeight::get().writes(7))
    }
    fn accept_membership() -> Weight {
        Weight::from_parts(183_754_000, 6298)
            .saturating_add(ParityDbWeight::get().reads(11))
            .saturating_add(ParityDbWeight::get().writes(8))
    }
    fn create_group() -> Weight {
        Weight::from_parts(132_266_000, 44882)
            .saturating_add(ParityDbWeight::get().reads(15))
            .saturating_add(ParityDbWeight::get().writes(9))
    }
    fn set_policy() -> Weight {
        Weight::from_parts(60_289_000, 5162)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn set_custodians() -> Weight {
        Weight::from_parts(194_375_000, 88774)
            .saturating_add(ParityDbWeight::get().reads(19))
            .saturating_add(ParityDbWeight::get().writes(13))
    }
    fn transfer_admin() -> Weight {
        Weight::from_parts(90_323_000, 6298)
            .saturating_add(ParityDbWeight::get().reads(7))
            .saturating_add(ParityDbWeight::get().writes(4))
    }
    fn add_members(n: u32) -> Weight {
        Weight::from_parts(165_983_000, 5162)
            .saturating_add(Weight::from_parts(52_706_721, 0).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(7))
            .saturating_add(ParityDbWeight::get().reads((4_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(5))
            .saturating_add(ParityDbWeight::get().writes((2_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 3069).saturating_mul(n.into()))
    }
    fn remove_members(n: u32) -> Weight {
        Weight::from_parts(152_551_000, 5162)
            .saturating_add(Weight::from_parts(46_567_859, 0).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().reads((3_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(5))
            .saturating_add(ParityDbWeight::get().writes((2_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 2855).saturating_mul(n.into()))
    }
    fn rotate() -> Weight {
        Weight::from_parts(90_888_000, 5162)
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    fn close_group() -> Weight {
        Weight::from_parts(72_245_000, 5162)
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn stage_epoch() -> Weight {
        Weight::from_parts(66_120_000, 5162)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn withdraw_staged() -> Weight {
        Weight::from_parts(123_723_000, 5162)
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    fn record_delivery() -> Weight {
        Weight::from_parts(104_866_000, 5162)
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn anchor() -> Weight {
        Weight::from_parts(82_288_000, 5162)
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn acknowledge(n: u32) -> Weight {
        Weight::from_parts(641_646_111, 5162)
            .saturating_add(Weight::from_parts(103_495_029, 0).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().reads((3_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(2))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 2847).saturating_mul(n.into()))
    }
}
