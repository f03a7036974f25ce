//! Accounts as people write them.

use std::str::FromStr;

use keyward_protocol::AccountId;
use subxt::utils::AccountId32;

/// Text that is no account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no account: neither an SS58 address (5Grw…) nor 0x and 64 hexadecimal digits")]
pub struct AccountInvalid {
    /// The text.
    pub text: String,
}

/// Reads an account from an SS58 address of any network or from hexadecimal, with or without `0x`.
pub fn account_from_text(text: &str) -> Result<AccountId, AccountInvalid> {
    let invalid = || AccountInvalid {
        text: text.to_owned(),
    };
    if let Ok(account) = AccountId::from_str(text) {
        return Ok(account);
    }
    AccountId32::from_str(text)
        .map(|account| AccountId(account.0))
        .map_err(|_| invalid())
}

/// The SS58 address of an account, with the generic prefix 42.
pub fn account_to_ss58(account: &AccountId) -> String {
    AccountId32(account.0).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    const ALICE_HEX: &str = "0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";

    #[test]
    fn an_account_is_read_in_both_spellings() {
        let account = account_from_text(ALICE).unwrap();
        assert_eq!(account_from_text(ALICE_HEX), Ok(account));
        assert_eq!(account_to_ss58(&account), ALICE);
    }

    #[test]
    fn other_text_is_no_account() {
        for text in ["", "Alice", "0x12", &ALICE.replace('5', "6")] {
            assert!(account_from_text(text).is_err(), "{text}");
        }
    }
}
