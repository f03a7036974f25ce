//! Why calls are refused: a section of the pallet.

use frame_support::pallet_macros::pallet_section;

/// The errors.
#[pallet_section]
mod errors {
    /// Why a call was refused. Nothing was changed then.
    #[pallet::error]
    pub enum Error<T> {
        // Who may.
        /// The caller is not a gateway. Governance admits gateways.
        NotGateway,
        /// The caller is a gateway that is suspended or expelled, and may do nothing.
        GatewayNotActive,
        /// Only the gateway that owns the device may do this.
        NotOwner,
        /// Only the gateway that administers the group may do this.
        NotAdmin,
        /// Only an active custodian of the group may do this.
        NotCustodian,
        /// Only the custodian that committed to this epoch may do this.
        NotCommitter,

        // Organisations, gateways, authorities.
        /// An identifier has 1 to 32 letters, digits, '.', '_' or '-' (ID-1).
        BadId,
        /// The part of the id before the first '.' is not the organisation, or the id has no '.' and the organisation may not
        /// use bare names (ID-2).
        ForeignId,
        /// An organisation's name has no '.': it is what stands before the '.' of its ids.
        OrganisationHasDot,
        /// There is an organisation of this name already.
        OrganisationExists,
        /// There is no organisation of this name.
        UnknownOrganisation,
        /// Another organisation has the bare names already.
        BareNamesTaken,
        /// Another 256 organisations exist already.
        TooManyOrganisations,
        /// This account is or was a gateway. An expelled gateway comes back with a new account, name and keys.
        GatewayExists,
        /// There is no gateway with this account.
        UnknownGateway,
        /// Another gateway has or had this short name.
        GatewayNameUsed,
        /// 1,024 gateways exist already.
        TooManyGateways,
        /// The gateway is suspended already.
        AlreadySuspended,
        /// The gateway is active already.
        AlreadyActive,
        /// The gateway was expelled, for ever.
        GatewayExpelled,
        /// There is or was an authority with this id.
        AuthorityExists,
        /// There is no authority with this id.
        UnknownAuthority,
        /// The authority was revoked: none of its vouchers is accepted.
        AuthorityRevoked,
        /// The authority vouches for devices of another organisation.
        ForeignAuthority,
        /// 1,024 authorities exist already.
        TooManyAuthorities,

        // Keys and signatures.
        /// The key is of small order or not canonical (REG-5).
        UnacceptableKey,
        /// The key is or was in use. Make new keys.
        KeyUsed,
        /// The voucher names another gateway than the caller (REG-3).
        VoucherForAnotherGateway,
        /// The voucher's or the key replacement's last moment is over (REG-3, REG-6).
        Expired,
        /// The key version is not 1 for a new device, or not the current one plus one for new keys: used already, or out of
        /// order.
        WrongKeyVersion,
        /// The authority did not sign this voucher for this chain (REG-3).
        BadVoucherSignature,
        /// The device's signature does not verify: other keys, another voucher, another gateway or another chain (REG-2).
        BadProof,
        /// The device's current key did not sign this replacement for this chain (REG-6).
        BadCurrentSignature,

        // Devices.
        /// There is or was a device with this id.
        DeviceExists,
        /// There is no device with this id.
        UnknownDevice,
        /// The device was revoked, for ever.
        DeviceRevoked,
        /// The device is suspended.
        DeviceSuspended,
        /// The device is not suspended.
        DeviceActive,
        /// The gateway has as many devices as its organisation's quota allows.
        DeviceQuota,
        /// Nobody offered this device to the caller, or its owner offers it to itself.
        NotOffered,
        /// The device is in 10 groups already.
        TooManyGroups,
        /// The device has 16 invitations already. Its owner accepts or declines them.
        TooManyInvitations,

        // Groups.
        /// There is or was a group with this id.
        GroupExists,
        /// There is no group with this id.
        UnknownGroup,
        /// The group is closed, for ever.
        GroupClosed,
        /// The group is frozen: only what takes access away or moves its epochs on is allowed.
        GroupFrozen,
        /// The group is not frozen.
        NotFrozen,
        /// The gateway administers as many groups as its organisation's quota allows.
        GroupQuota,
        /// Topic filters stand in rising order, without doubles, and there is at least one (TOP-1).
        BadFilters,
        /// These filters are not among the group's (TOP-2).
        FiltersNotOffered,
        /// The policy breaks a rule (POL-2): suite, history, age of commands, silence, grace, settle or extensions.
        BadPolicy,
        /// A group has 1 to 4 custodians, each an active gateway.
        BadCustodians,
        /// A gateway is custodian of 256 groups already.
        TooManyCustodies,
        /// The new administrator is the present one.
        AlreadyAdmin,

        // Members.
        /// The device is a member or invited already.
        AlreadyMember,
        /// The device is not a member, nor invited.
        NotMember,
        /// There is no invitation of this device to this group.
        NotInvited,
        /// The group has as many members as its administrator's quota allows.
        MemberQuota,
        /// The group has 4,096 publishers already.
        TooManyPublishers,
        /// The group has given out 4,294,967,295 indexes. Create another one.
        IndexesExhausted,
        /// The list names nothing.
        EmptyList,

        // Epochs.
        /// The epoch is not the next free one: the current one plus the staged ones plus one, or the one that is awaited.
        NotNextEpoch,
        /// Eight epochs are staged already.
        QueueFull,
        /// The epoch is neither staged nor the current one.
        NotStaged,
        /// The rotation is not due yet; the administrator may rotate at any time.
        NotDue,
        /// The group has used 4,294,967,295 epochs. Create another one.
        EpochsExhausted,
        /// The epoch is not on record, or is still awaited.
        UnknownEpoch,
        /// The delivery of this epoch is on record already.
        AlreadyDelivered,
        /// The epoch is older than the device's membership.
        EpochBeforeJoin,
        /// The device's current key did not sign this receipt for this chain (KEX-8).
        BadReceiptSignature,
        /// 1,024 conflicts of this group are on record already: remove its custodian.
        TooManyConflicts,
        /// An anchor covers at least one message, and its span does not end before it begins.
        BadAnchor,
    }
}
