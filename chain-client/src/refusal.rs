//! Why a node takes a transaction into no block (DESIGN section 4, permission gate).

use crate::rpc::RpcFailed;

/// A refusal that the chain has a number or a name for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Custom error 77.
    #[error(
        "this account is not admitted to the chain (77): it is no gateway, validator, council or committee account; the \
         council admits it by admitting the gateway, the validator or the member"
    )]
    NotAdmitted,
    /// Custom error 78.
    #[error(
        "this account is admitted, but none of its roles may make this call (78): sign with the account that may, or, for \
         what only the council decides, propose it ('keyward council propose')"
    )]
    NotPermitted,
    /// Custom error 79.
    #[error("64 transactions of this account wait already (79); wait until they are in blocks")]
    NonceTooFarAhead,
    /// Custom error 80.
    #[error(
        "the transaction is longer than this account may send (80): at most 64 KiB for gateways and validators; split it"
    )]
    TooLong,
    /// `ExhaustsResources`.
    #[error(
        "the account has used its share of the block, or the call does not fit into one: it goes into a later block, or \
         must be split"
    )]
    OverBudget,
    /// The call filter.
    #[error("this call is paused or not allowed now; 'keyward council propose unpause' lets a paused call go on")]
    Paused,
}

impl Refusal {
    /// Whether the same call may succeed later, without anybody's doing.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::NonceTooFarAhead | Self::OverBudget)
    }

    /// What a node's answer means; `None` if it is another refusal.
    pub(crate) fn of(error: &RpcFailed) -> Option<Self> {
        let RpcFailed::Refused { data, .. } = error else {
            return None;
        };
        let data = data.as_deref()?;
        if let Some((_, code)) = data.split_once("Custom error: ") {
            return Self::of_code(code.trim());
        }
        let says = |text: &str| data.contains(text);
        match () {
            () if says("Inability to pay") => Some(Self::NotAdmitted),
            () if says("call is not expected") => Some(Self::Paused),
            () if says("exhaust the block limits") => Some(Self::OverBudget),
            () => None,
        }
    }

    fn of_code(code: &str) -> Option<Self> {
        match code {
            "77" => Some(Self::NotAdmitted),
            "78" => Some(Self::NotPermitted),
            "79" => Some(Self::NonceTooFarAhead),
            "80" => Some(Self::TooLong),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(data: &str) -> RpcFailed {
        RpcFailed::Refused {
            code: 1010,
            message: "Invalid Transaction".into(),
            data: Some(data.into()),
        }
    }

    #[test]
    fn every_code_of_the_gate_is_told_from_the_others() {
        for (data, expected) in [
            ("Custom error: 77", Some(Refusal::NotAdmitted)),
            ("Custom error: 78", Some(Refusal::NotPermitted)),
            ("Custom error: 79", Some(Refusal::NonceTooFarAhead)),
            ("Custom error: 80", Some(Refusal::TooLong)),
            ("Custom error: 81", None),
            ("Custom error: 7", None),
            (
                "Transaction would exhaust the block limits",
                Some(Refusal::OverBudget),
            ),
            ("Transaction call is not expected", Some(Refusal::Paused)),
            (
                "Inability to pay some fees (e.g. account balance too low)",
                Some(Refusal::NotAdmitted),
            ),
            ("Transaction has a bad signature", None),
        ] {
            assert_eq!(Refusal::of(&refused(data)), expected, "{data}");
        }
        let unavailable = RpcFailed::Unavailable {
            reason: "Custom error: 77".into(),
        };
        assert_eq!(Refusal::of(&unavailable), None);
    }

    #[test]
    fn only_what_heals_by_waiting_is_tried_again() {
        assert!(Refusal::OverBudget.is_retryable() && Refusal::NonceTooFarAhead.is_retryable());
        assert!(!Refusal::NotPermitted.is_retryable() && !Refusal::TooLong.is_retryable());
    }
}
