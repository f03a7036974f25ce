//! The runtime API: what programs ask the chain, at any block (DESIGN section 4.1).

use alloc::vec::Vec;
use keyward_protocol::{
    view::{
        AuthorityView, ConflictView, CustodyView, DeviceView, GatewayView, GroupView,
        InvitationView, MemberView, PermissionsView,
    },
    AccountId, DeviceId, GroupId,
};

sp_api::decl_runtime_apis! {
    /// Organisations, devices, groups and key exchange. `chain-client` asks these methods, with these arguments in this
    /// order; the pallet's view functions answer the same.
    pub trait FleetApi {
        /// Rises with every change that any statement or grant could depend on.
        fn changes() -> u64;
        /// A gateway.
        fn gateway(account: AccountId) -> Option<GatewayView>;
        /// All gateways, expelled ones included, by rising account.
        fn gateways() -> Vec<GatewayView>;
        /// All certificate authorities, revoked ones included, by rising id.
        fn authorities() -> Vec<AuthorityView>;
        /// A device, with its groups.
        fn device(device: DeviceId) -> Option<DeviceView>;
        /// A page of the devices of a gateway, revoked ones excluded, in storage order; at most 1,024.
        fn devices_of(owner: AccountId, after: Option<DeviceId>, limit: u32) -> Vec<DeviceView>;
        /// A page of all devices, revoked ones included, in storage order; at most 1,024.
        fn devices(after: Option<DeviceId>, limit: u32) -> Vec<DeviceView>;
        /// A group, with its epochs.
        fn group(group: GroupId) -> Option<GroupView>;
        /// A page of all groups, closed ones included, in storage order; at most 1,024.
        fn groups(after: Option<GroupId>, limit: u32) -> Vec<GroupId>;
        /// A page of the members of a group, in storage order; at most 1,024.
        fn members(group: GroupId, after: Option<DeviceId>, limit: u32) -> Vec<MemberView>;
        /// The groups that a gateway is active custodian of, by rising id.
        fn custody(account: AccountId) -> Vec<CustodyView>;
        /// The conflicts of a group, by rising epoch and device.
        fn conflicts(group: GroupId) -> Vec<ConflictView>;
        /// Invitations that wait for a gateway's consent.
        fn invitations(owner: AccountId) -> Vec<InvitationView>;
        /// What an account may do.
        fn permissions(account: AccountId) -> PermissionsView;
    }
}
