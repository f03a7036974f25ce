//! What happened: a section of the pallet.

use frame_support::pallet_macros::pallet_section;

/// The events.
#[pallet_section]
mod events {
    /// What happened. `by_governance` tells that governance did it in the place of a gateway.
    #[pallet::event]
    #[pallet::generate_deposit(pub(crate) fn deposit_event)]
    pub enum Event<T: Config> {
        /// An organisation may have gateways, authorities and groups now.
        OrganisationAdmitted {
            /// Its name.
            organisation: OrganisationId,
            /// Whether ids without a '.' are its own.
            bare_names: bool,
        },
        /// A gateway may act now.
        GatewayAdmitted {
            /// Its account.
            gateway: T::AccountId,
            /// Whose it is.
            organisation: OrganisationId,
            /// Its short name.
            name: GatewayName,
        },
        /// A gateway may do nothing until it is reinstated. It is an active custodian nowhere.
        GatewaySuspended {
            /// Its account.
            gateway: T::AccountId,
        },
        /// A suspended gateway may act again.
        GatewayReinstated {
            /// Its account.
            gateway: T::AccountId,
        },
        /// A gateway may never act again.
        GatewayExpelled {
            /// Its account.
            gateway: T::AccountId,
        },
        /// A gateway has new keys.
        GatewayKeysReplaced {
            /// Its account.
            gateway: T::AccountId,
            /// Its new statement key.
            statement_key: VerifyingKey,
            /// Its new custody key.
            custody_key: AgreementKey,
            /// Whether governance did it.
            by_governance: bool,
        },
        /// A certificate authority's vouchers are accepted now.
        AuthorityAdmitted {
            /// Its id.
            authority: AuthorityId,
            /// Whose it is.
            organisation: OrganisationId,
        },
        /// No voucher of this authority is accepted any more. Devices that it vouched for stay.
        AuthorityRevoked {
            /// Its id.
            authority: AuthorityId,
        },
        /// A device is on chain.
        DeviceRegistered {
            /// Its id.
            device: DeviceId,
            /// The gateway that owns it.
            owner: T::AccountId,
            /// Who vouched for it.
            authority: AuthorityId,
        },
        /// A device has new keys, and a new index in each of its groups.
        DeviceKeysReplaced {
            /// Its id.
            device: DeviceId,
            /// The version of the new keys.
            key_version: u32,
            /// Whether a voucher covered them, and not the former key.
            by_voucher: bool,
        },
        /// A device stays in its groups and gets no key.
        DeviceSuspended {
            /// Its id.
            device: DeviceId,
            /// Whether governance did it.
            by_governance: bool,
        },
        /// A suspended device takes part again, as if it joined its groups now.
        DeviceReinstated {
            /// Its id.
            device: DeviceId,
            /// Whether governance did it.
            by_governance: bool,
        },
        /// A device left all its groups, for ever.
        DeviceRevoked {
            /// Its id.
            device: DeviceId,
            /// Whether governance did it.
            by_governance: bool,
        },
        /// An owner offers a device to another gateway, which accepts by the same call.
        DeviceOffered {
            /// Its id.
            device: DeviceId,
            /// To whom.
            to: T::AccountId,
        },
        /// An offer was taken back.
        DeviceOfferWithdrawn {
            /// The device's id.
            device: DeviceId,
        },
        /// A device has another owner. Its memberships stay.
        DeviceTransferred {
            /// Its id.
            device: DeviceId,
            /// The former owner.
            from: T::AccountId,
            /// The new owner.
            to: T::AccountId,
            /// Whether governance did it.
            by_governance: bool,
        },
        /// There is a new group. It awaits its first epoch.
        GroupCreated {
            /// Its id.
            group: GroupId,
            /// The gateway that administers it.
            admin: T::AccountId,
        },
        /// A group has another policy.
        PolicyChanged {
            /// The group.
            group: GroupId,
            /// Whether governance did it.
            by_governance: bool,
        },
        /// A group has other custodians.
        CustodiansChanged {
            /// The group.
            group: GroupId,
            /// All of them now.
            custodians: Custodians<T::AccountId>,
            /// Whether governance did it.
            by_governance: bool,
        },
        /// A group has another administrator.
        AdminTransferred {
            /// The group.
            group: GroupId,
            /// The new administrator.
            to: T::AccountId,
            /// Whether governance did it.
            by_governance: bool,
        },
        /// A group's publishers seal nothing until it is thawed.
        GroupFrozen {
            /// The group.
            group: GroupId,
        },
        /// A frozen group goes on.
        GroupThawed {
            /// The group.
            group: GroupId,
        },
        /// A group is over: devices erase its secrets.
        GroupClosed {
            /// The group.
            group: GroupId,
            /// Whether governance did it.
            by_governance: bool,
        },
        /// A device of another owner is asked into a group.
        MemberInvited {
            /// The group.
            group: GroupId,
            /// The device.
            device: DeviceId,
            /// What it is to do there.
            role: Role,
            /// Whether governance did it.
            by_governance: bool,
        },
        /// An invitation was declined or taken back.
        InvitationWithdrawn {
            /// The group.
            group: GroupId,
            /// The device.
            device: DeviceId,
            /// Whether governance did it.
            by_governance: bool,
        },
        /// A device is a member of a group.
        MemberAdded {
            /// The group.
            group: GroupId,
            /// The device.
            device: DeviceId,
            /// What it may do.
            role: Role,
            /// Its index, never used again in the group.
            index: u32,
            /// First epoch that it may hold.
            joined_epoch: u32,
            /// Whether governance did it.
            by_governance: bool,
        },
        /// A device is no longer a member of a group.
        MemberRemoved {
            /// The group.
            group: GroupId,
            /// The device.
            device: DeviceId,
            /// Whether governance did it.
            by_governance: bool,
        },
        /// A group is at another epoch.
        EpochAdvanced {
            /// The group.
            group: GroupId,
            /// The epoch now.
            epoch: u32,
            /// Why.
            cause: Cause,
            /// Its commitment; none if it is awaited.
            commitment: Option<Commitment>,
        },
        /// The epoch that a group awaited is committed to.
        EpochActivated {
            /// The group.
            group: GroupId,
            /// The epoch.
            epoch: u32,
            /// Its commitment.
            commitment: Commitment,
            /// Who committed.
            custodian: T::AccountId,
        },
        /// A custodian left in the block of the advance: the epoch is awaited again.
        EpochAwaited {
            /// The group.
            group: GroupId,
            /// The epoch.
            epoch: u32,
        },
        /// A commitment waits for a later epoch.
        EpochStaged {
            /// The group.
            group: GroupId,
            /// The epoch.
            epoch: u32,
            /// Its commitment.
            commitment: Commitment,
            /// Who committed.
            custodian: T::AccountId,
        },
        /// Staged commitments are void.
        StagedWithdrawn {
            /// The group.
            group: GroupId,
            /// The first epoch that is free again.
            epoch: u32,
        },
        /// A custodian published grants of an epoch and read them back.
        Delivered {
            /// The group.
            group: GroupId,
            /// The epoch.
            epoch: u32,
            /// To how many members.
            recipients: u32,
            /// Root over the grants.
            grants_root: Digest,
        },
        /// A device acknowledged an epoch: it holds the secret of the chain's commitment.
        Acknowledged {
            /// The group.
            group: GroupId,
            /// The device.
            device: DeviceId,
            /// The epoch.
            epoch: u32,
        },
        /// A device saw another commitment than the chain's: its custodian gave members different keys.
        ConflictRecorded {
            /// The group.
            group: GroupId,
            /// The device.
            device: DeviceId,
            /// The epoch.
            epoch: u32,
            /// What it saw and signed.
            commitment: Commitment,
        },
        /// A batch of protected messages is anchored.
        Anchored {
            /// The group.
            group: GroupId,
            /// Its sequence in the group.
            sequence: u64,
            /// Merkle root over the batch.
            root: Digest,
        },
        /// A group's hash chain is longer by this entry: the new head is the BLAKE2b-256 of SCALE(genesis, group, former
        /// head, block, entry).
        ChainExtended {
            /// The group.
            group: GroupId,
            /// What was added.
            entry: Entry,
            /// The new head.
            head: Digest,
        },
    }
}
