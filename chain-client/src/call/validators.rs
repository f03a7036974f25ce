//! The calls of `pallets/validator-set`, and the session keys of a validator (DESIGN section 4).

use keyward_protocol::AccountId;

use super::Call;

const PALLET: &str = "ValidatorSet";

/// Governance: root or two thirds of the council.
impl Call {
    /// Approves an operator: it is admitted to the chain, and its node may join the validators.
    pub fn approve_validator(operator: AccountId) -> Self {
        Call::new(PALLET, "approve").arg(operator)
    }

    /// Takes an operator out of the validators and takes its approval back.
    pub fn remove_validator(operator: AccountId) -> Self {
        Call::new(PALLET, "remove").arg(operator)
    }

    /// Sets the fewest validators that the chain may have.
    pub fn set_minimum_validators(minimum: u32) -> Self {
        Call::new(PALLET, "set_minimum").arg(minimum)
    }

    /// Forgets the offences of an operator.
    pub fn clear_offences(operator: AccountId) -> Self {
        Call::new(PALLET, "clear_offences").arg(operator)
    }
}

/// The operator itself.
impl Call {
    /// Registers the node's session keys. Both come from the node (`author_rotateKeysWithOwner`).
    pub fn set_keys(keys: &SessionKeys) -> Self {
        Call::new("Session", "set_keys")
            .arg(keys.public)
            .arg(keys.proof.as_slice())
    }

    /// Joins the validators, from the session after the next.
    pub fn join_validators() -> Self {
        Call::new(PALLET, "join")
    }

    /// Leaves the validators, from the session after the next.
    pub fn leave_validators() -> Self {
        Call::new(PALLET, "leave")
    }
}

/// Public session keys that a node holds the private keys of, and its proof that they are for one operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionKeys {
    /// The Aura key, then the GRANDPA key.
    pub public: [u8; 64],
    /// Signatures of both keys over the operator's account.
    pub proof: Vec<u8>,
}
