//! Members of MLS groups in both libraries. Everything that makes their messages longer than need be is off: padding, long ids.
//! The suite is the one that RFC 9420 makes mandatory (X25519, AES-128-GCM, SHA-256, Ed25519).

use std::fmt::Debug;

use anyhow::{anyhow, Context, Result};
use mls_rs::{
    client_builder::{MlsConfig, PaddingMode},
    identity::{
        basic::{BasicCredential, BasicIdentityProvider},
        SigningIdentity,
    },
    mls_rules::{DefaultMlsRules, EncryptionOptions},
    CipherSuite, CipherSuiteProvider, Client, CryptoProvider, Group, MlsMessage,
};
use mls_rs_crypto_awslc::AwsLcCryptoProvider;
use openmls::prelude::{
    BasicCredential as OpenMlsCredential, Ciphersuite, CredentialWithKey, GroupId, KeyPackage,
    MlsGroup, MlsGroupCreateConfig, MlsMessageBodyIn, MlsMessageIn, MlsMessageOut, OpenMlsProvider,
    StagedWelcome, PURE_PLAINTEXT_WIRE_FORMAT_POLICY,
};
use openmls_basic_credential::SignatureKeyPair;

use crate::world::GROUP;

const SUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;

fn name(number: usize) -> Vec<u8> {
    format!("acme.meter-{number:05}").into_bytes()
}

/// A client of mls-rs, with a new key.
pub fn client(number: usize) -> Result<Client<impl MlsConfig>> {
    client_padding(number, PaddingMode::None)
}

/// As [`client`], with messages padded in this way.
pub fn client_padding(number: usize, padding: PaddingMode) -> Result<Client<impl MlsConfig>> {
    let crypto = AwsLcCryptoProvider::default();
    let suite = CipherSuite::CURVE25519_AES128;
    let provider = crypto
        .cipher_suite_provider(suite)
        .context("mls-rs lacks the suite")?;
    let (secret, public) = provider.signature_key_generate()?;
    let credential = BasicCredential::new(name(number)).into_credential();
    let options = EncryptionOptions::new(false, padding);
    Ok(Client::builder()
        .identity_provider(BasicIdentityProvider)
        .crypto_provider(crypto)
        .mls_rules(DefaultMlsRules::new().with_encryption_options(options))
        .signing_identity(SigningIdentity::new(credential, public), secret, suite)
        .build())
}

/// A group of a client alone.
pub fn found<C: MlsConfig>(client: &Client<C>) -> Result<Group<C>> {
    let id = GROUP.as_bytes().to_vec();
    Ok(client.create_group_with_id(id, Default::default(), Default::default(), None)?)
}

/// What a client is added with.
pub fn package<C: MlsConfig>(client: &Client<C>) -> Result<MlsMessage> {
    Ok(client.generate_key_package_message(Default::default(), Default::default(), None)?)
}

/// OpenMLS has an error type for each operation and provider.
pub fn done<T, E: Debug>(result: Result<T, E>) -> Result<T> {
    result.map_err(|error| anyhow!("OpenMLS: {error:?}"))
}

/// A client of OpenMLS, with a new key and a store of its own.
pub struct Party<P> {
    /// Cryptography and store.
    pub provider: P,
    /// Its key.
    pub signer: SignatureKeyPair,
    credential: CredentialWithKey,
}

impl<P: OpenMlsProvider + Default> Party<P> {
    /// A new one.
    pub fn new(number: usize) -> Result<Self> {
        let signer = done(SignatureKeyPair::new(SUITE.signature_algorithm()))?;
        let credential = CredentialWithKey {
            credential: OpenMlsCredential::new(name(number)).into(),
            signature_key: signer.to_public_vec().into(),
        };
        Ok(Self {
            provider: P::default(),
            signer,
            credential,
        })
    }

    /// A group of it alone. Commits are public messages, as those of mls-rs are; application messages never are.
    pub fn found(&self) -> Result<MlsGroup> {
        let id = GroupId::from_slice(GROUP.as_bytes());
        let credential = self.credential.clone();
        done(MlsGroup::new_with_group_id(
            &self.provider,
            &self.signer,
            &config(),
            id,
            credential,
        ))
    }

    /// What it is added with.
    pub fn package(&self) -> Result<KeyPackage> {
        let credential = self.credential.clone();
        let made = KeyPackage::builder().build(SUITE, &self.provider, &self.signer, credential);
        Ok(done(made)?.key_package().clone())
    }

    /// Adds clients, with one commit.
    pub fn add(&self, group: &mut MlsGroup, packages: &[KeyPackage]) -> Result<MlsMessageOut> {
        let added = group.add_members_without_update(&self.provider, &self.signer, packages);
        let (_, welcome, _) = done(added)?;
        done(group.merge_pending_commit(&self.provider))?;
        Ok(welcome)
    }

    /// Joins a group that it was added to.
    pub fn join(&self, welcome: MlsMessageOut, group: &MlsGroup) -> Result<MlsGroup> {
        let MlsMessageBodyIn::Welcome(welcome) = MlsMessageIn::from(welcome).extract() else {
            return Err(anyhow!("no welcome"));
        };
        let tree = Some(group.export_ratchet_tree().into());
        let config = config();
        let config = config.join_config();
        let staged = StagedWelcome::new_from_welcome(&self.provider, config, welcome, tree);
        done(done(staged)?.into_group(&self.provider))
    }
}

fn config() -> MlsGroupCreateConfig {
    MlsGroupCreateConfig::builder()
        .ciphersuite(SUITE)
        .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
        .build()
}
