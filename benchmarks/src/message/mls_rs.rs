//! Application messages of mls-rs.

use anyhow::{bail, Context, Result};
use mls_rs::{
    client_builder::{MlsConfig, PaddingMode},
    group::ReceivedMessage,
    Group, MlsMessage,
};

use super::Ends;
use crate::mls::{client_padding, found, package};

struct Two<C: MlsConfig> {
    sealing: Group<C>,
    opening: Group<C>,
}

/// Two members of a group of two.
pub fn ends(padding: PaddingMode) -> Result<Box<dyn Ends>> {
    let (first, second) = (client_padding(0, padding)?, client_padding(1, padding)?);
    let mut sealing = found(&first)?;
    let commit = sealing
        .commit_builder()
        .add_member(package(&second)?)?
        .build()?;
    sealing.apply_pending_commit()?;
    let welcome = commit.welcome_messages.first().context("no welcome")?;
    let (opening, _) = second.join_group(None, welcome, None)?;
    Ok(Box::new(Two { sealing, opening }))
}

impl<C: MlsConfig> Ends for Two<C> {
    fn seal(&mut self, payload: &[u8]) -> Result<Vec<u8>> {
        Ok(self
            .sealing
            .encrypt_application_message(payload, Vec::new())?
            .to_bytes()?)
    }

    fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>> {
        let message = MlsMessage::from_bytes(sealed)?;
        match self.opening.process_incoming_message(message)? {
            ReceivedMessage::ApplicationMessage(message) => Ok(message.data().to_vec()),
            _ => bail!("not an application message"),
        }
    }
}
