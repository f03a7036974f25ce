//! Genesis presets: `dev` and `local`. Networks of real consortia are made by `keyward-chain-spec`.

use alloc::{vec, vec::Vec};
use frame_support::build_struct_json_patch;
use serde_json::Value;
use sp_genesis_builder::PresetId;
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

use crate::{
    AccountId, GovernanceConfig, MembershipConfig, RuntimeGenesisConfig, SessionConfig,
    SessionKeys, TechnicalMembershipConfig, ValidatorSetConfig, SESSION_BLOCKS,
};

/// One validator, which cannot leave, and a council of one, whose motions execute at once.
pub const DEV: &str = sp_genesis_builder::DEV_RUNTIME_PRESET;
/// Four validators, of which two may leave, and a council of three.
pub const LOCAL: &str = sp_genesis_builder::LOCAL_TESTNET_RUNTIME_PRESET;

fn keys(name: Sr25519Keyring, finality: Ed25519Keyring) -> (AccountId, AccountId, SessionKeys) {
    let keys = SessionKeys {
        aura: name.public().into(),
        grandpa: finality.public().into(),
    };
    (name.to_account_id(), name.to_account_id(), keys)
}

fn members<N: frame_support::traits::Get<u32>>(
    accounts: &[AccountId],
) -> frame_support::BoundedVec<AccountId, N> {
    frame_support::BoundedVec::truncate_from(accounts.to_vec())
}

fn preset(
    keys: Vec<(AccountId, AccountId, SessionKeys)>,
    minimum: u32,
    council: &[Sr25519Keyring],
) -> Value {
    let council: Vec<AccountId> = council.iter().map(|name| name.to_account_id()).collect();
    let validators: Vec<AccountId> = keys.iter().map(|(account, ..)| account.clone()).collect();
    build_struct_json_patch!(RuntimeGenesisConfig {
        governance: GovernanceConfig {
            admitted: validators.clone()
        },
        validator_set: ValidatorSetConfig {
            validators,
            minimum,
            session_blocks: SESSION_BLOCKS,
        },
        session: SessionConfig { keys },
        membership: MembershipConfig {
            members: members(&council)
        },
        technical_membership: TechnicalMembershipConfig {
            members: members(&council)
        },
    })
}

/// A preset as a JSON patch of the default genesis.
pub fn get_preset(id: &PresetId) -> Option<Vec<u8>> {
    use Sr25519Keyring::{Alice, Bob, Charlie, Dave};
    let patch = match id.as_ref() {
        DEV => preset(vec![keys(Alice, Ed25519Keyring::Alice)], 1, &[Alice]),
        LOCAL => preset(
            vec![
                keys(Alice, Ed25519Keyring::Alice),
                keys(Bob, Ed25519Keyring::Bob),
                keys(Charlie, Ed25519Keyring::Charlie),
                keys(Dave, Ed25519Keyring::Dave),
            ],
            2,
            &[Alice, Bob, Charlie],
        ),
        _ => return None,
    };
    serde_json::to_vec(&patch).ok()
}

/// The presets.
pub fn preset_names() -> Vec<PresetId> {
    vec![PresetId::from(DEV), PresetId::from(LOCAL)]
}
