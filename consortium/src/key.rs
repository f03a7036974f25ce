//! Public keys of nodes and accounts, and how people write them.

use std::{fmt, str::FromStr};

use keyward_protocol::{AccountId, VerifyingKey};
use serde::{Deserialize, Serialize};
use subxt_utils_accountid32::AccountId32;

/// The key with which a validator authors blocks (sr25519), in hexadecimal. Its role alone tells it from an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AuraKey(pub AccountId);

/// The SS58 address of an account, with the generic prefix 42: what polkadot.js shows.
pub fn to_ss58(account: &AccountId) -> String {
    AccountId32(account.0).to_string()
}

/// Text that is no account. The text is not repeated: somebody may have written a secret there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountInvalid;

impl fmt::Display for AccountInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("neither an SS58 address (5Grw…) nor 0x and 64 hexadecimal digits")
    }
}

impl std::error::Error for AccountInvalid {}

/// An account from an SS58 address of any network, or from hexadecimal.
///
/// # Errors
/// When it is neither.
pub fn account_from_text(text: &str) -> Result<AccountId, AccountInvalid> {
    // The longest address has 36 bytes, less than 50 characters. Decoding takes time with the square of the length.
    if text.len() > 66 {
        return Err(AccountInvalid);
    }
    let account = AccountId::from_str(text).ok();
    let account = account.or_else(|| Some(AccountId(AccountId32::from_str(text).ok()?.0)));
    account.ok_or(AccountInvalid)
}

/// Beginning of a libp2p identity that is an Ed25519 key: multihash "identity" over the protobuf of the key.
const IDENTITY: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// The name of a node in the peer-to-peer network (`12D3Koo…`): its Ed25519 public key, as libp2p writes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerId(pub VerifyingKey);

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&IDENTITY[..], &self.0 .0].concat();
        f.write_str(&bs58::encode(bytes).into_string())
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}

/// Text that is no libp2p identity of an Ed25519 key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerIdInvalid;

impl fmt::Display for PeerIdInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the libp2p identity of an Ed25519 key (12D3Koo…)")
    }
}

impl std::error::Error for PeerIdInvalid {}

impl FromStr for PeerId {
    type Err = PeerIdInvalid;

    fn from_str(text: &str) -> Result<Self, PeerIdInvalid> {
        let mut bytes = [0; IDENTITY.len() + 32];
        let length = bs58::decode(text).onto(&mut bytes[..]);
        if length != Ok(bytes.len()) {
            return Err(PeerIdInvalid);
        }
        let (identity, key) = bytes.split_at(IDENTITY.len());
        match identity == IDENTITY {
            true => key
                .try_into()
                .map(|key| Self(VerifyingKey(key)))
                .map_err(|_| PeerIdInvalid),
            false => Err(PeerIdInvalid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    const ALICE_HEX: &str = "0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";
    const ALICE_ON_POLKADOT: &str = "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5";

    #[test]
    fn an_account_is_read_in_every_spelling_and_written_as_polkadot_js_does() {
        let account = account_from_text(ALICE).unwrap();
        assert_eq!(account_from_text(ALICE_HEX), Ok(account));
        assert_eq!(account_from_text(ALICE_ON_POLKADOT), Ok(account));
        assert_eq!(to_ss58(&account), ALICE);
    }

    #[test]
    fn other_text_is_no_account() {
        let broken = ALICE.replacen('G', "H", 1);
        let long = "1".repeat(10_000);
        for text in ["", "Alice", "0x12", "//Alice", &broken, &long, &ALICE[1..]] {
            assert_eq!(account_from_text(text), Err(AccountInvalid), "{text}");
        }
    }

    #[test]
    fn a_peer_id_is_what_libp2p_makes_of_the_key() {
        // The well-known node key 0x00…01, as keyward-node's `key inspect-node-key` names it.
        let key: VerifyingKey = "4cb5abf6ad79fbf5abbccafcc269d85cd2651ed4b885b5869f241aedf0a5ba29"
            .parse()
            .unwrap();
        let id = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";
        assert_eq!(PeerId(key).to_string(), id);
        assert_eq!(id.parse(), Ok(PeerId(key)));
        assert_eq!("12D3Koo".parse::<PeerId>(), Err(PeerIdInvalid));
        assert_eq!(ALICE.parse::<PeerId>(), Err(PeerIdInvalid));
    }
}
