#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(
    not(any(test, feature = "runtime-benchmarks")),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

extern crate alloc;

pub use genesis::{GenesisAuthority, GenesisGateway, GenesisOrganisation};
pub use pallet::*;
pub use types::{
    Anchor, AnchorChain, Authority, Batch, Conflict, Custodians, Device, Gateway, Group, Holder,
    Holding, Invitation, KeyAuthorisation, Label, Member, Organisation, Queue, Quotas, ReceiptItem,
    Usage, INVITATIONS,
};
pub use weights::WeightInfo;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod caller;
mod chain;
mod device;
mod epoch;
mod errors;
mod events;
mod fits;
mod gateway;
mod genesis;
mod group;
mod keys;
mod membership;
mod organisation;
mod receipt;
pub mod runtime_api;
mod sorted;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "try-runtime"))]
mod try_state;
mod types;
mod view;
pub mod weights;

/// Lets an account submit transactions: the runtime's admission.
pub trait AdmitAccount<AccountId> {
    /// Admits an account, once and for ever.
    fn admit(who: &AccountId);
    /// Whether an account was admitted.
    fn is_admitted(who: &AccountId) -> bool;
}

use frame_support::pallet_macros::import_section;

#[import_section(errors::errors)]
#[import_section(events::events)]
#[frame_support::pallet]
#[expect(
    clippy::expect_used,
    reason = "FRAME's macros expect the pallet to be in the runtime"
)]
pub mod pallet {
    use alloc::vec::Vec;
    use frame_support::{
        pallet_prelude::*,
        traits::{EnsureOrigin, StorageVersion, UnixTime},
    };
    use frame_system::pallet_prelude::*;
    use keyward_protocol::{
        bytes::AccountId as RawAccount,
        history::Entry,
        id::IdBytes,
        limits,
        policy::Policy,
        registration::Voucher,
        topic::Filters,
        view::{
            AuthorityView, Cause, ConflictView, CustodyView, DeviceView, GatewayView, GroupView,
            InvitationView, KeyExchange, MemberView, PermissionsView,
        },
        AgreementKey, AuthorityId, Commitment, DeviceId, Digest, GatewayName, GroupId,
        OrganisationId, Role, Signature, VerifyingKey,
    };

    use crate::{
        device, epoch, gateway, genesis, group, membership, organisation, receipt,
        types::{Member, *},
        view,
        weights::WeightInfo,
        AdmitAccount, GenesisAuthority, GenesisGateway, GenesisOrganisation,
    };

    /// The version of what is stored.
    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    /// The pallet.
    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    /// What the runtime decides.
    #[pallet::config]
    pub trait Config:
        frame_system::Config<
        AccountId: Into<[u8; 32]> + From<[u8; 32]>,
        RuntimeEvent: From<Event<Self>>,
    >
    {
        /// Who governs: root or two thirds of the council.
        type GovernanceOrigin: EnsureOrigin<Self::RuntimeOrigin>;
        /// Who may freeze a group or suspend a gateway in an emergency: more than half of the technical committee.
        type EmergencyOrigin: EnsureOrigin<Self::RuntimeOrigin>;
        /// Lets the accounts of admitted gateways submit transactions.
        type Admission: AdmitAccount<Self::AccountId>;
        /// The time of the block.
        type Time: UnixTime;
        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// A group, as stored.
    pub type GroupOf<T> = Group<<T as frame_system::Config>::AccountId>;
    /// A device, as stored.
    pub type DeviceOf<T> = Device<<T as frame_system::Config>::AccountId>;
    /// Custodians in a call.
    pub type CustodiansOf<T> = Custodians<<T as frame_system::Config>::AccountId>;

    /// Organisations, by name.
    #[pallet::storage]
    pub type Organisations<T> =
        CountedStorageMap<_, Blake2_128Concat, OrganisationId, Organisation>;

    /// The one organisation whose ids need no prefix (ID-2).
    #[pallet::storage]
    pub type BareNames<T> = StorageValue<_, OrganisationId>;

    /// Gateways, by account. An expelled one stays as a tombstone.
    #[pallet::storage]
    pub type Gateways<T: Config> = CountedStorageMap<_, Blake2_128Concat, T::AccountId, Gateway>;

    /// Short names of gateways, and who had them first: never used twice.
    #[pallet::storage]
    pub type GatewayNames<T: Config> = StorageMap<_, Blake2_128Concat, GatewayName, T::AccountId>;

    /// What a gateway has, counted against its organisation's quotas.
    #[pallet::storage]
    pub type Usages<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, Usage, ValueQuery>;

    /// Certificate authorities, by id. A revoked one stays as a tombstone.
    #[pallet::storage]
    pub type Authorities<T> = CountedStorageMap<_, Blake2_128Concat, AuthorityId, Authority>;

    /// Ed25519 keys of devices, authorities and gateways, and who had them first: never used twice.
    #[pallet::storage]
    pub type SigningKeys<T: Config> =
        StorageMap<_, Blake2_128Concat, VerifyingKey, Holder<T::AccountId>>;

    /// X25519 keys of devices and gateways, and who had them first: never used twice.
    #[pallet::storage]
    pub type AgreementKeys<T: Config> =
        StorageMap<_, Blake2_128Concat, AgreementKey, Holder<T::AccountId>>;

    /// Devices, by id. A revoked one stays as a tombstone.
    #[pallet::storage]
    pub type Devices<T: Config> = StorageMap<_, Blake2_128Concat, DeviceId, DeviceOf<T>>;

    /// The devices of a gateway, revoked ones excluded.
    #[pallet::storage]
    pub type OwnedDevices<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        T::AccountId,
        Blake2_128Concat,
        DeviceId,
        (),
        OptionQuery,
    >;

    /// Devices that their owner offers to another gateway.
    #[pallet::storage]
    pub type Offers<T: Config> = StorageMap<_, Blake2_128Concat, DeviceId, T::AccountId>;

    /// The groups of a device, by rising id.
    #[pallet::storage]
    pub type DeviceGroups<T> = StorageMap<
        _,
        Blake2_128Concat,
        DeviceId,
        BoundedVec<GroupId, ConstU32<{ limits::DEVICE_GROUPS }>>,
        ValueQuery,
    >;

    /// Invitations of a device, until its owner accepts or declines.
    #[pallet::storage]
    pub type Invitations<T> = StorageMap<
        _,
        Blake2_128Concat,
        DeviceId,
        BoundedVec<Invitation, ConstU32<INVITATIONS>>,
        ValueQuery,
    >;

    /// Groups, by id. A closed one stays as a tombstone.
    #[pallet::storage]
    pub type Groups<T: Config> = StorageMap<_, Blake2_128Concat, GroupId, GroupOf<T>>;

    /// The groups of which a gateway is custodian, by rising id; suspended gateways keep them.
    #[pallet::storage]
    pub type CustodianGroups<T: Config> = StorageMap<
        _,
        Blake2_128Concat,
        T::AccountId,
        BoundedVec<GroupId, ConstU32<{ limits::CUSTODIAN_GROUPS }>>,
        ValueQuery,
    >;

    /// The members of a group.
    #[pallet::storage]
    pub type Members<T> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        GroupId,
        Blake2_128Concat,
        DeviceId,
        Member,
        OptionQuery,
    >;

    /// The epochs of a group: the current one and the last 64 before it. This is the paper's key-exchange event (Fig. 11).
    #[pallet::storage]
    pub type KeyExchanges<T> =
        StorageDoubleMap<_, Blake2_128Concat, GroupId, Twox64Concat, u32, KeyExchange, OptionQuery>;

    /// The last epoch of a group that a device itself acknowledged. Kept when the device leaves.
    #[pallet::storage]
    pub type Holdings<T> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        GroupId,
        Blake2_128Concat,
        DeviceId,
        Holding,
        OptionQuery,
    >;

    /// Commitments other than the chain's that devices saw and signed for, with their signatures: a custodian gave members
    /// different keys.
    #[pallet::storage]
    pub type Conflicts<T> = StorageNMap<
        _,
        (
            NMapKey<Blake2_128Concat, GroupId>,
            NMapKey<Twox64Concat, u32>,
            NMapKey<Blake2_128Concat, DeviceId>,
        ),
        Conflict,
        OptionQuery,
    >;

    /// How many conflicts a group has.
    #[pallet::storage]
    pub type ConflictCounts<T> = StorageMap<_, Blake2_128Concat, GroupId, u32, ValueQuery>;

    /// The head of a group's hash chain over every exchange, delivery, membership change and receipt batch.
    #[pallet::storage]
    pub type ChainHeads<T> = StorageMap<_, Blake2_128Concat, GroupId, Digest>;

    /// The last 64 anchors of a group: batches of protected messages.
    #[pallet::storage]
    pub type Anchors<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        GroupId,
        Twox64Concat,
        u64,
        Anchor<T::AccountId>,
        OptionQuery,
    >;

    /// How many anchors a group had, and the head of their hash chain.
    #[pallet::storage]
    pub type AnchorChains<T> = StorageMap<_, Blake2_128Concat, GroupId, AnchorChain, ValueQuery>;

    /// Rises with every change that any statement or grant could depend on; acknowledgements, deliveries and anchors do not
    /// count.
    #[pallet::storage]
    pub type Changes<T> = StorageValue<_, u64, ValueQuery>;

    /// Who is there from the first block.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// Organisations.
        pub organisations: Vec<GenesisOrganisation>,
        /// Gateways, each of one of these organisations.
        pub gateways: Vec<GenesisGateway<T::AccountId>>,
        /// Certificate authorities, each of one of these organisations.
        pub authorities: Vec<GenesisAuthority>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            genesis::build::<T>(&self.organisations, &self.gateways, &self.authorities);
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        /// The longest lists and the busiest gateways fit into a block: otherwise these calls could never be made.
        fn integrity_test() {
            crate::fits::check::<T>();
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            crate::try_state::check::<T>()
        }
    }

    /// Calls that change lists fail as a whole: nothing is changed when one item is refused.
    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Admit an organisation. Governance.
        ///
        /// `name` stands before the first '.' of all its ids and has no '.' itself. `bare_names`: ids without a '.' are its
        /// own; at most one organisation has that. `quotas` hold for each of its gateways.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::admit_organisation())]
        pub fn admit_organisation(
            origin: OriginFor<T>,
            name: IdBytes,
            label: Label,
            quotas: Quotas,
            bare_names: bool,
        ) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            organisation::admit::<T>(name, Organisation { label, quotas }, bare_names)
        }

        /// Admit a gateway of an organisation, and its account to submit transactions. Governance.
        ///
        /// The account, the short name and both keys are new: none is ever used twice.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::admit_gateway())]
        pub fn admit_gateway(
            origin: OriginFor<T>,
            account: T::AccountId,
            organisation: OrganisationId,
            name: IdBytes,
            statement_key: VerifyingKey,
            custody_key: AgreementKey,
        ) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            gateway::admit::<T>(account, organisation, name, statement_key, custody_key)
        }

        /// Suspend a gateway: it may do nothing until it is reinstated. Governance, or the technical committee in an
        /// emergency.
        ///
        /// Where it is custodian, the staged epochs are void and the group awaits another custodian. Its devices stay.
        #[pallet::call_index(2)]
        #[pallet::weight((T::WeightInfo::suspend_gateway(limits::CUSTODIAN_GROUPS), DispatchClass::Operational))]
        pub fn suspend_gateway(
            origin: OriginFor<T>,
            account: T::AccountId,
        ) -> DispatchResultWithPostInfo {
            if let Err(origin) = T::GovernanceOrigin::try_origin(origin) {
                T::EmergencyOrigin::ensure_origin(origin)?;
            }
            let groups = gateway::suspend::<T>(account)?;
            Ok(Some(T::WeightInfo::suspend_gateway(groups)).into())
        }

        /// Let a suspended gateway act again, with its keys, devices and groups. Governance.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::reinstate_gateway())]
        pub fn reinstate_gateway(origin: OriginFor<T>, account: T::AccountId) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            gateway::reinstate::<T>(account)
        }

        /// Expel a gateway for ever. Governance.
        ///
        /// It ceases to be custodian at once. Its devices stay in their groups until governance revokes or transfers them, and
        /// its groups until governance transfers or closes them.
        #[pallet::call_index(4)]
        #[pallet::weight((T::WeightInfo::expel_gateway(limits::CUSTODIAN_GROUPS), DispatchClass::Operational))]
        pub fn expel_gateway(
            origin: OriginFor<T>,
            account: T::AccountId,
        ) -> DispatchResultWithPostInfo {
            T::GovernanceOrigin::ensure_origin(origin)?;
            let groups = gateway::expel::<T>(account)?;
            Ok(Some(T::WeightInfo::expel_gateway(groups)).into())
        }

        /// Replace both keys of a gateway. The gateway itself, or governance.
        ///
        /// Where it is custodian, the staged epochs are void and the group awaits an epoch of an active custodian, which may
        /// be the same gateway.
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::replace_gateway_keys(limits::CUSTODIAN_GROUPS))]
        pub fn replace_gateway_keys(
            origin: OriginFor<T>,
            account: T::AccountId,
            statement_key: VerifyingKey,
            custody_key: AgreementKey,
        ) -> DispatchResultWithPostInfo {
            let groups = gateway::replace_keys::<T>(origin, account, statement_key, custody_key)?;
            Ok(Some(T::WeightInfo::replace_gateway_keys(groups)).into())
        }

        /// Admit a certificate authority of an organisation. Governance.
        #[pallet::call_index(6)]
        #[pallet::weight(T::WeightInfo::admit_authority())]
        pub fn admit_authority(
            origin: OriginFor<T>,
            id: IdBytes,
            organisation: OrganisationId,
            key: VerifyingKey,
        ) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            organisation::admit_authority::<T>(id, organisation, key)
        }

        /// Revoke a certificate authority for ever: none of its vouchers is accepted any more. Governance.
        ///
        /// Devices that it vouched for stay.
        #[pallet::call_index(7)]
        #[pallet::weight(T::WeightInfo::revoke_authority())]
        pub fn revoke_authority(origin: OriginFor<T>, id: AuthorityId) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            organisation::revoke_authority::<T>(id)
        }

        /// Freeze a group: its publishers seal nothing until it is thawed. Governance, or the technical committee in an
        /// emergency.
        ///
        /// Members can still be removed, and epochs staged, rotated and acknowledged.
        #[pallet::call_index(8)]
        #[pallet::weight((T::WeightInfo::freeze_group(), DispatchClass::Operational))]
        pub fn freeze_group(origin: OriginFor<T>, group: GroupId) -> DispatchResult {
            if let Err(origin) = T::GovernanceOrigin::try_origin(origin) {
                T::EmergencyOrigin::ensure_origin(origin)?;
            }
            group::freeze::<T>(group)
        }

        /// Let a frozen group go on. Governance.
        #[pallet::call_index(9)]
        #[pallet::weight(T::WeightInfo::thaw_group())]
        pub fn thaw_group(origin: OriginFor<T>, group: GroupId) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            group::thaw::<T>(group)
        }

        /// Register a device. The gateway that the voucher names (REG-3).
        ///
        /// `voucher_signature`: by an active authority of the gateway's organisation. `proof`: by the device, over its
        /// registration.
        #[pallet::call_index(10)]
        #[pallet::weight(T::WeightInfo::register_device())]
        pub fn register_device(
            origin: OriginFor<T>,
            voucher: Voucher,
            voucher_signature: Signature,
            proof: Signature,
        ) -> DispatchResult {
            device::register::<T>(ensure_signed(origin)?, voucher, voucher_signature, proof)
        }

        /// Replace a device's keys. The gateway that owns it; governance cannot (REG-6, REG-7).
        ///
        /// The device gets a new index in each of its groups, and these advance.
        #[pallet::call_index(11)]
        #[pallet::weight(T::WeightInfo::replace_device_keys())]
        pub fn replace_device_keys(
            origin: OriginFor<T>,
            authorisation: KeyAuthorisation,
        ) -> DispatchResult {
            device::replace_keys::<T>(ensure_signed(origin)?, authorisation)
        }

        /// Suspend a device: it stays in its groups and gets no key; its groups advance. The gateway that owns it, or
        /// governance.
        #[pallet::call_index(12)]
        #[pallet::weight((T::WeightInfo::suspend_device(), DispatchClass::Operational))]
        pub fn suspend_device(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
            device::suspend::<T>(origin, device)
        }

        /// Let a suspended device take part again, as if it joined its groups now. The gateway that owns it, or governance.
        #[pallet::call_index(13)]
        #[pallet::weight(T::WeightInfo::reinstate_device())]
        pub fn reinstate_device(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
            device::reinstate::<T>(origin, device)
        }

        /// Revoke a device for ever: it leaves its groups, and these advance. Its id is never used again. The gateway that
        /// owns it, or governance.
        #[pallet::call_index(14)]
        #[pallet::weight((T::WeightInfo::revoke_device(), DispatchClass::Operational))]
        pub fn revoke_device(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
            device::revoke::<T>(origin, device)
        }

        /// Give a device to another active gateway, of any organisation. Both sides call it, with the same arguments.
        ///
        /// - The owner offers the device to `to`; naming itself takes the offer back, another one replaces it.
        /// - The gateway that it is offered to accepts by naming itself as `to`.
        /// - Governance moves the device at once.
        ///
        /// All memberships stay; pending invitations pass to the new owner. Until the offer is accepted nothing changes.
        #[pallet::call_index(15)]
        #[pallet::weight(T::WeightInfo::transfer_device())]
        pub fn transfer_device(
            origin: OriginFor<T>,
            device: DeviceId,
            to: T::AccountId,
        ) -> DispatchResult {
            device::transfer::<T>(origin, device, to)
        }

        /// Accept the invitation of a device to a group, for these of the group's topic filters. The gateway that owns it, or
        /// governance.
        #[pallet::call_index(16)]
        #[pallet::weight(T::WeightInfo::accept_membership())]
        pub fn accept_membership(
            origin: OriginFor<T>,
            group: GroupId,
            device: DeviceId,
            filters: Filters,
        ) -> DispatchResult {
            membership::accept::<T>(origin, group, device, filters)
        }

        /// Create a group, which awaits its first epoch. Any active gateway; it administers the group.
        ///
        /// `filters` rise. `custodians`: 1 to 4 active gateways, in any order.
        #[pallet::call_index(20)]
        #[pallet::weight(T::WeightInfo::create_group())]
        pub fn create_group(
            origin: OriginFor<T>,
            id: IdBytes,
            filters: Filters,
            policy: Policy,
            custodians: CustodiansOf<T>,
        ) -> DispatchResult {
            group::create::<T>(ensure_signed(origin)?, id, filters, policy, custodians)
        }

        /// Change a group's policy. Its administrator, or governance.
        #[pallet::call_index(21)]
        #[pallet::weight(T::WeightInfo::set_policy())]
        pub fn set_policy(origin: OriginFor<T>, group: GroupId, policy: Policy) -> DispatchResult {
            group::set_policy::<T>(origin, group, policy)
        }

        /// Change who keeps a group's keys. Its administrator, or governance.
        ///
        /// If an active custodian leaves, the staged epochs are void and the group awaits an epoch of a remaining one. In a
        /// closed group custodians can only leave.
        #[pallet::call_index(22)]
        #[pallet::weight(T::WeightInfo::set_custodians())]
        pub fn set_custodians(
            origin: OriginFor<T>,
            group: GroupId,
            custodians: CustodiansOf<T>,
        ) -> DispatchResult {
            group::set_custodians::<T>(origin, group, custodians)
        }

        /// Give a group to another active gateway: of the same organisation by its administrator, of any by governance.
        #[pallet::call_index(23)]
        #[pallet::weight(T::WeightInfo::transfer_admin())]
        pub fn transfer_admin(
            origin: OriginFor<T>,
            group: GroupId,
            to: T::AccountId,
        ) -> DispatchResult {
            group::transfer_admin::<T>(origin, group, to)
        }

        /// Add devices to a group, at most 256 at once. Its administrator, or governance.
        ///
        /// The administrator's own devices join at once, for all the group's filters; devices of other gateways are invited.
        #[pallet::call_index(24)]
        #[pallet::weight(T::WeightInfo::add_members(members.len() as u32))]
        pub fn add_members(
            origin: OriginFor<T>,
            group: GroupId,
            members: Batch<(DeviceId, Role)>,
        ) -> DispatchResult {
            membership::add::<T>(origin, group, members)
        }

        /// Remove devices from a group, at most 256 at once, and advance its epoch in this block. Its administrator, or
        /// governance; a gateway may remove devices of its own from any group.
        ///
        /// A device that is only invited loses the invitation.
        #[pallet::call_index(25)]
        #[pallet::weight((T::WeightInfo::remove_members(devices.len() as u32), DispatchClass::Operational))]
        pub fn remove_members(
            origin: OriginFor<T>,
            group: GroupId,
            devices: Batch<DeviceId>,
        ) -> DispatchResult {
            membership::remove::<T>(origin, group, devices)
        }

        /// Advance a group's epoch. Its administrator or governance at any time, an active custodian when the policy's
        /// `rotate_every` has passed since the epoch began.
        ///
        /// Nothing happens if the epoch advanced in this block already, or is still awaited.
        #[pallet::call_index(26)]
        #[pallet::weight((T::WeightInfo::rotate(), DispatchClass::Operational))]
        pub fn rotate(origin: OriginFor<T>, group: GroupId) -> DispatchResult {
            epoch::rotate::<T>(origin, group)
        }

        /// Close a group for ever: devices erase its secrets. Its id is never used again. Its administrator, or governance.
        ///
        /// Its members stay listed until they are removed, so that they hear of it.
        #[pallet::call_index(27)]
        #[pallet::weight(T::WeightInfo::close_group())]
        pub fn close_group(origin: OriginFor<T>, group: GroupId) -> DispatchResult {
            group::close::<T>(origin, group)
        }

        /// Commit to the secret of the next free epoch of a group, or activate the epoch that it awaits. An active custodian.
        ///
        /// `epoch`: the awaited one, else current + staged + 1.
        #[pallet::call_index(30)]
        #[pallet::weight((T::WeightInfo::stage_epoch(), DispatchClass::Operational))]
        pub fn stage_epoch(
            origin: OriginFor<T>,
            group: GroupId,
            epoch: u32,
            commitment: Commitment,
        ) -> DispatchResult {
            epoch::stage::<T>(ensure_signed(origin)?, group, epoch, commitment)
        }

        /// Take back the commitment for an epoch, and all that are staged after it. The active custodian that committed to
        /// `epoch`.
        ///
        /// The current epoch can be taken back, too, by a custodian that lost its secret: the group awaits the next one.
        #[pallet::call_index(31)]
        #[pallet::weight((T::WeightInfo::withdraw_staged(), DispatchClass::Operational))]
        pub fn withdraw_staged(origin: OriginFor<T>, group: GroupId, epoch: u32) -> DispatchResult {
            epoch::withdraw::<T>(ensure_signed(origin)?, group, epoch)
        }

        /// Record that the grants of an epoch were published and read back. The active custodian that committed to it, once.
        #[pallet::call_index(32)]
        #[pallet::weight(T::WeightInfo::record_delivery())]
        pub fn record_delivery(
            origin: OriginFor<T>,
            group: GroupId,
            epoch: u32,
            recipients: u32,
            grants_root: Digest,
        ) -> DispatchResult {
            receipt::deliver::<T>(
                ensure_signed(origin)?,
                group,
                epoch,
                recipients,
                grants_root,
            )
        }

        /// Anchor a batch of protected messages: Merkle root, count, and the seconds of the first and the last. An active
        /// custodian.
        #[pallet::call_index(33)]
        #[pallet::weight(T::WeightInfo::anchor())]
        pub fn anchor(
            origin: OriginFor<T>,
            group: GroupId,
            root: Digest,
            count: u32,
            first: u64,
            last: u64,
        ) -> DispatchResult {
            receipt::anchor::<T>(ensure_signed(origin)?, group, root, count, first, last)
        }

        /// Record devices' receipts, at most 256 at once. Any active gateway (KEX-8).
        ///
        /// A receipt for another commitment than the chain's is recorded as a conflict. One that is on record already, or
        /// older than what is on record, changes nothing.
        #[pallet::call_index(40)]
        #[pallet::weight(T::WeightInfo::acknowledge(receipts.len() as u32))]
        pub fn acknowledge(
            origin: OriginFor<T>,
            group: GroupId,
            receipts: Batch<ReceiptItem>,
        ) -> DispatchResult {
            receipt::acknowledge::<T>(ensure_signed(origin)?, group, receipts)
        }
    }

    /// What the runtime API `FleetApi` answers, too.
    #[pallet::view_functions]
    impl<T: Config> Pallet<T> {
        /// Rises with every change that any statement or grant could depend on.
        pub fn changes() -> u64 {
            Changes::<T>::get()
        }

        /// A gateway.
        pub fn gateway(account: RawAccount) -> Option<GatewayView> {
            view::gateway::<T>(account)
        }

        /// All gateways, expelled ones included.
        pub fn gateways() -> Vec<GatewayView> {
            view::gateways::<T>()
        }

        /// All certificate authorities, revoked ones included.
        pub fn authorities() -> Vec<AuthorityView> {
            view::authorities::<T>()
        }

        /// A device, with its groups.
        pub fn device(device: DeviceId) -> Option<DeviceView> {
            view::device::<T>(device)
        }

        /// A page of the devices of a gateway, in storage order; at most 1,024.
        pub fn devices_of(
            owner: RawAccount,
            after: Option<DeviceId>,
            limit: u32,
        ) -> Vec<DeviceView> {
            view::devices_of::<T>(owner, after, limit)
        }

        /// A page of all devices, revoked ones included, in storage order; at most 1,024.
        pub fn devices(after: Option<DeviceId>, limit: u32) -> Vec<DeviceView> {
            view::devices::<T>(after, limit)
        }

        /// A group, with its epochs.
        pub fn group(group: GroupId) -> Option<GroupView> {
            view::group::<T>(group)
        }

        /// A page of all groups, closed ones included, in storage order; at most 1,024.
        pub fn groups(after: Option<GroupId>, limit: u32) -> Vec<GroupId> {
            view::groups::<T>(after, limit)
        }

        /// A page of the members of a group, in storage order; at most 1,024.
        pub fn members(group: GroupId, after: Option<DeviceId>, limit: u32) -> Vec<MemberView> {
            view::members::<T>(group, after, limit)
        }

        /// The groups that a gateway is active custodian of.
        pub fn custody(account: RawAccount) -> Vec<CustodyView> {
            view::custody::<T>(account)
        }

        /// The conflicts of a group.
        pub fn conflicts(group: GroupId) -> Vec<ConflictView> {
            view::conflicts::<T>(group)
        }

        /// Invitations that wait for a gateway's consent.
        pub fn invitations(owner: RawAccount) -> Vec<InvitationView> {
            view::invitations::<T>(owner)
        }

        /// What an account may do.
        pub fn permissions(account: RawAccount) -> PermissionsView {
            view::permissions::<T>(account)
        }
    }
}
