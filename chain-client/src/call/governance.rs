//! What only governance does outside of `Fleet`: members, upgrades, pausing calls, and the way out of a stall (DESIGN section 4).

use keyward_protocol::{AccountId, Digest};

use super::{Call, Collective};

/// `MultiAddress::Id`: how calls of FRAME's pallets name an account.
const BY_ACCOUNT: u8 = 0;

impl Call {
    /// Makes an account a member. It is admitted to the chain by that.
    pub fn add_member(to: Collective, account: AccountId) -> Self {
        Call::new(to.membership(), "add_member").arg((BY_ACCOUNT, account))
    }

    /// Takes a member out.
    pub fn remove_member(from: Collective, account: AccountId) -> Self {
        Call::new(from.membership(), "remove_member").arg((BY_ACCOUNT, account))
    }

    /// Authorizes an upgrade to the code with this BLAKE2b-256 hash, if its version follows the chain's. Root only.
    pub fn authorize_upgrade(code_hash: Digest) -> Self {
        Call::new("System", "authorize_upgrade").arg(code_hash)
    }

    /// Upgrades to the code that was authorized.
    pub fn apply_authorized_upgrade(code: &[u8]) -> Self {
        Call::new("System", "apply_authorized_upgrade").arg(code)
    }

    /// Starts a new set of GRANDPA voters `delay` blocks after the next session begins, on top of this finalized block: the
    /// way out of a stall that does not heal. Root only.
    pub fn note_stalled(delay: u32, best_finalized: u32) -> Self {
        Call::new("Grandpa", "note_stalled")
            .arg(delay)
            .arg(best_finalized)
    }

    /// Pauses a call, named as the runtime names it (`Fleet`, `register_device`).
    pub fn pause(pallet: &str, call: &str) -> Self {
        Call::new("TxPause", "pause").arg((pallet.as_bytes(), call.as_bytes()))
    }

    /// Lets a paused call go on.
    pub fn unpause(pallet: &str, call: &str) -> Self {
        Call::new("TxPause", "unpause").arg((pallet.as_bytes(), call.as_bytes()))
    }
}
