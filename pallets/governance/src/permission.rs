//! Who may sign what: the runtime fills in the table, the gate holds to it.

use core::ops::BitOr;

use sp_runtime::transaction_validity::TransactionPriority;

/// `InvalidTransaction::Custom` code: the account was never admitted. polkadot.js shows "Custom error: 77".
pub const NOT_ADMITTED: u8 = 77;

/// `InvalidTransaction::Custom` code: the account was admitted, but none of its roles may sign this call, or one of the calls in a
/// batch, or a batch in a batch.
pub const NOT_PERMITTED: u8 = 78;

/// `InvalidTransaction::Custom` code: the nonce is more than [`NONCES_AHEAD`] ahead of the account's.
pub const NONCE_TOO_FAR: u8 = 79;

/// `InvalidTransaction::Custom` code: the transaction is longer than the account's roles allow ([`crate::Config::MaxLength`]).
pub const TOO_LONG: u8 = 80;

/// How far a nonce may be ahead of the account's: so many transactions of one account wait in a pool, and one more.
pub const NONCES_AHEAD: u32 = 64;

/// Priority of `Operational` calls: removal goes before everything else.
pub const OPERATIONAL: TransactionPriority = 1 << 32;

/// A set of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles(u8);

impl Roles {
    /// No role.
    pub const NONE: Self = Self(0);
    /// Member of the council.
    pub const COUNCIL: Self = Self(1);
    /// Member of the technical committee.
    pub const COMMITTEE: Self = Self(1 << 1);
    /// Active gateway.
    pub const GATEWAY: Self = Self(1 << 2);
    /// Operator of a validator.
    pub const OPERATOR: Self = Self(1 << 3);

    /// Both sets together.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These roles if `holds`, else none.
    pub const fn given(self, holds: bool) -> Self {
        if holds {
            self
        } else {
            Self::NONE
        }
    }

    /// Whether the sets have a role in common.
    pub const fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is no role.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether there is a role that governs: only these note preimages, and close motions that weigh more than a share of a block.
    pub const fn governs(self) -> bool {
        self.overlaps(Self::COUNCIL.or(Self::COMMITTEE))
    }
}

impl BitOr for Roles {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.or(other)
    }
}

/// Who may sign a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signers<'a, Call> {
    /// Accounts with one of these roles.
    Roles(Roles),
    /// The call does nothing but dispatch these as if each was signed by itself: who may sign each of them. No account without a
    /// role, even if there is none.
    Each(&'a [Call]),
}

/// What the gate asks of the runtime.
pub trait Permissions<AccountId, Call> {
    /// The roles that an account has in this block.
    fn roles(who: &AccountId) -> Roles;

    /// Who may sign a call. It must not depend on state.
    fn signers(call: &Call) -> Signers<'_, Call>;

    /// Whether an account with these roles may sign this call. A batch in a batch is refused: nobody needs one.
    fn may_sign(roles: Roles, call: &Call) -> bool {
        if roles.is_empty() {
            return false;
        }
        let alone =
            |call| matches!(Self::signers(call), Signers::Roles(few) if few.overlaps(roles));
        match Self::signers(call) {
            Signers::Roles(_) => alone(call),
            Signers::Each(calls) => calls.iter().all(alone),
        }
    }

    /// How many calls the gate looks at.
    fn size(call: &Call) -> u32 {
        match Self::signers(call) {
            Signers::Roles(_) => 1,
            Signers::Each(calls) => calls.len().try_into().unwrap_or(u32::MAX),
        }
    }
}
