//! The calls of `pallets/fleet` (DESIGN section 4.1). Who may make which is in the pallet's README.

use codec::Encode;
use keyward_protocol::{
    policy::Policy,
    registration::{KeyReplacement, Voucher},
    topic::Filters,
    AccountId, AgreementKey, AuthorityId, Commitment, DeviceId, Digest, GatewayName, GroupId,
    OrganisationId, Role, Signature, VerifyingKey,
};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

use super::Call;

const PALLET: &str = "Fleet";

/// How much each gateway of an organisation may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, TypeInfo)]
pub struct Quotas {
    /// Devices that a gateway owns and that are not revoked.
    pub devices: u32,
    /// Groups that a gateway administers and that are not closed.
    pub groups: u32,
    /// Members of one group.
    pub members: u32,
}

/// What a device's new keys are covered by.
#[derive(Clone, Debug, PartialEq, Eq, Encode, TypeInfo)]
pub enum KeyAuthorisation {
    /// The device's current key (REG-6).
    Current {
        /// The new keys.
        replacement: KeyReplacement,
        /// By the new signing key.
        new_signature: Signature,
        /// By the current signing key.
        current_signature: Signature,
    },
    /// A new voucher, for a device that lost its keys (REG-7).
    Voucher {
        /// The voucher.
        voucher: Voucher,
        /// By the authority.
        voucher_signature: Signature,
        /// By the device's new key, over its registration.
        proof: Signature,
    },
}

/// One receipt in a batch (KEX-8).
#[derive(Clone, Debug, PartialEq, Eq, Encode, TypeInfo, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptItem {
    /// The device that signed it.
    pub device: DeviceId,
    /// The epoch that it acknowledges.
    pub epoch: u32,
    /// The commitment that it saw.
    pub commitment: Commitment,
    /// Its signature over the receipt.
    pub signature: Signature,
}

/// Names of the calls below, for the check at connection.
pub(super) const CALLS: &[&str] = &[
    "admit_organisation",
    "admit_gateway",
    "suspend_gateway",
    "reinstate_gateway",
    "expel_gateway",
    "replace_gateway_keys",
    "admit_authority",
    "revoke_authority",
    "freeze_group",
    "thaw_group",
    "register_device",
    "replace_device_keys",
    "suspend_device",
    "reinstate_device",
    "revoke_device",
    "transfer_device",
    "accept_membership",
    "create_group",
    "set_policy",
    "set_custodians",
    "transfer_admin",
    "add_members",
    "remove_members",
    "rotate",
    "close_group",
    "stage_epoch",
    "withdraw_staged",
    "record_delivery",
    "anchor",
    "acknowledge",
];

fn fleet(name: &'static str) -> Call {
    Call::new(PALLET, name)
}

/// Governance: root or two thirds of the council.
impl Call {
    /// Admits an organisation. `bare_names`: whether ids without a `.` are its own.
    pub fn admit_organisation(
        name: &OrganisationId,
        label: &str,
        quotas: Quotas,
        bare_names: bool,
    ) -> Self {
        fleet("admit_organisation")
            .arg(name)
            .arg(label.as_bytes())
            .arg(quotas)
            .arg(bare_names)
    }

    /// Admits a gateway of an organisation.
    pub fn admit_gateway(
        account: AccountId,
        organisation: &OrganisationId,
        name: &GatewayName,
        statement_key: VerifyingKey,
        custody_key: AgreementKey,
    ) -> Self {
        fleet("admit_gateway")
            .arg(account)
            .arg(organisation)
            .arg(name)
            .arg(statement_key)
            .arg(custody_key)
    }

    /// Suspends a gateway.
    pub fn suspend_gateway(account: AccountId) -> Self {
        fleet("suspend_gateway").arg(account)
    }

    /// Lets a suspended gateway act again.
    pub fn reinstate_gateway(account: AccountId) -> Self {
        fleet("reinstate_gateway").arg(account)
    }

    /// Expels a gateway for ever.
    pub fn expel_gateway(account: AccountId) -> Self {
        fleet("expel_gateway").arg(account)
    }

    /// Replaces a gateway's keys. The gateway itself may do it, too.
    pub fn replace_gateway_keys(
        account: AccountId,
        statement_key: VerifyingKey,
        custody_key: AgreementKey,
    ) -> Self {
        fleet("replace_gateway_keys")
            .arg(account)
            .arg(statement_key)
            .arg(custody_key)
    }

    /// Admits a certificate authority of an organisation.
    pub fn admit_authority(
        id: &AuthorityId,
        organisation: &OrganisationId,
        key: VerifyingKey,
    ) -> Self {
        fleet("admit_authority").arg(id).arg(organisation).arg(key)
    }

    /// Revokes an authority: none of its vouchers is accepted any more.
    pub fn revoke_authority(id: &AuthorityId) -> Self {
        fleet("revoke_authority").arg(id)
    }

    /// Stops a group: its publishers seal nothing until it is thawed.
    pub fn freeze_group(group: &GroupId) -> Self {
        fleet("freeze_group").arg(group)
    }

    /// Lets a frozen group go on.
    pub fn thaw_group(group: &GroupId) -> Self {
        fleet("thaw_group").arg(group)
    }
}

/// The gateway that owns the device.
impl Call {
    /// Registers a device (REG-3).
    pub fn register_device(
        voucher: &Voucher,
        voucher_signature: Signature,
        proof: Signature,
    ) -> Self {
        fleet("register_device")
            .arg(voucher)
            .arg(voucher_signature)
            .arg(proof)
    }

    /// Replaces a device's keys (REG-6, REG-7).
    pub fn replace_device_keys(authorisation: &KeyAuthorisation) -> Self {
        fleet("replace_device_keys").arg(authorisation)
    }

    /// Suspends a device in all its groups.
    pub fn suspend_device(device: &DeviceId) -> Self {
        fleet("suspend_device").arg(device)
    }

    /// Lets a suspended device take part again.
    pub fn reinstate_device(device: &DeviceId) -> Self {
        fleet("reinstate_device").arg(device)
    }

    /// Revokes a device for ever; its id is never used again.
    pub fn revoke_device(device: &DeviceId) -> Self {
        fleet("revoke_device").arg(device)
    }

    /// Gives a device to another gateway.
    pub fn transfer_device(device: &DeviceId, to: AccountId) -> Self {
        fleet("transfer_device").arg(device).arg(to)
    }

    /// Accepts an invitation of a device to a group, for these of the group's filters.
    pub fn accept_membership(group: &GroupId, device: &DeviceId, filters: &Filters) -> Self {
        fleet("accept_membership")
            .arg(group)
            .arg(device)
            .arg(filters)
    }
}

/// The gateway that administers the group.
impl Call {
    /// Creates a group; the caller administers it.
    pub fn create_group(
        id: &GroupId,
        filters: &Filters,
        policy: &Policy,
        custodians: &[AccountId],
    ) -> Self {
        fleet("create_group")
            .arg(id)
            .arg(filters)
            .arg(policy)
            .list(custodians)
    }

    /// Changes a group's policy.
    pub fn set_policy(group: &GroupId, policy: &Policy) -> Self {
        fleet("set_policy").arg(group).arg(policy)
    }

    /// Changes who keeps a group's keys.
    pub fn set_custodians(group: &GroupId, custodians: &[AccountId]) -> Self {
        fleet("set_custodians").arg(group).list(custodians)
    }

    /// Gives a group to another administrator.
    pub fn transfer_admin(group: &GroupId, to: AccountId) -> Self {
        fleet("transfer_admin").arg(group).arg(to)
    }

    /// Adds devices, at most 256 at once; those of other owners are invited.
    pub fn add_members(group: &GroupId, members: &[(DeviceId, Role)]) -> Self {
        fleet("add_members").arg(group).list(members)
    }

    /// Removes devices, at most 256 at once, and starts a new epoch in the same block.
    pub fn remove_members(group: &GroupId, devices: &[DeviceId]) -> Self {
        fleet("remove_members").arg(group).list(devices)
    }

    /// Starts a new epoch. A custodian may do it when the rotation is due.
    pub fn rotate(group: &GroupId) -> Self {
        fleet("rotate").arg(group)
    }

    /// Closes a group for ever; its id is never used again.
    pub fn close_group(group: &GroupId) -> Self {
        fleet("close_group").arg(group)
    }
}

/// A custodian of the group; `acknowledge`: any active gateway.
impl Call {
    /// Commits to the secret of the next free epoch (KEY-3).
    pub fn stage_epoch(group: &GroupId, epoch: u32, commitment: Commitment) -> Self {
        fleet("stage_epoch").arg(group).arg(epoch).arg(commitment)
    }

    /// Takes back a staged epoch, and the caller's later ones.
    pub fn withdraw_staged(group: &GroupId, epoch: u32) -> Self {
        fleet("withdraw_staged").arg(group).arg(epoch)
    }

    /// Records that an epoch's grants were published and read back.
    pub fn record_delivery(
        group: &GroupId,
        epoch: u32,
        recipients: u32,
        grants_root: Digest,
    ) -> Self {
        fleet("record_delivery")
            .arg(group)
            .arg(epoch)
            .arg(recipients)
            .arg(grants_root)
    }

    /// Anchors a batch of protected messages: Merkle root, count, and the seconds of the first and the last.
    pub fn anchor(group: &GroupId, root: Digest, count: u32, first: u64, last: u64) -> Self {
        fleet("anchor")
            .arg(group)
            .arg(root)
            .arg(count)
            .arg(first)
            .arg(last)
    }

    /// Records devices' receipts, at most 256 at once.
    pub fn acknowledge(group: &GroupId, receipts: &[ReceiptItem]) -> Self {
        fleet("acknowledge").arg(group).list(receipts)
    }
}
