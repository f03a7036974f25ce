//! Application messages of OpenMLS. It writes its ratchets to its store with every message; the store is its own in memory.

use anyhow::{bail, Result};
use openmls::prelude::{
    tls_codec::DeserializeBytes, MlsGroup, MlsMessageIn, OpenMlsProvider, ProcessedMessageContent,
    ProtocolMessage,
};

use super::Ends;
use crate::mls::{done, Party};

/// Two members of a group of two.
pub struct Two<P> {
    sealing: (Party<P>, MlsGroup),
    opening: (Party<P>, MlsGroup),
}

impl<P: OpenMlsProvider + Default> Two<P> {
    /// A new group.
    pub fn new() -> Result<Self> {
        let (first, second) = (Party::<P>::new(0)?, Party::<P>::new(1)?);
        let mut group = first.found()?;
        let welcome = first.add(&mut group, &[second.package()?])?;
        let joined = second.join(welcome, &group)?;
        Ok(Self {
            sealing: (first, group),
            opening: (second, joined),
        })
    }
}

impl<P: OpenMlsProvider + Default> Ends for Two<P> {
    fn seal(&mut self, payload: &[u8]) -> Result<Vec<u8>> {
        let (party, group) = &mut self.sealing;
        let message = done(group.create_message(&party.provider, &party.signer, payload))?;
        done(message.to_bytes())
    }

    fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>> {
        let (party, group) = &mut self.opening;
        let message = done(MlsMessageIn::tls_deserialize_exact_bytes(sealed))?;
        let message: ProtocolMessage = done(message.try_into_protocol_message())?;
        let processed = done(group.process_message(&party.provider, message))?;
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(message) => Ok(message.into_bytes()),
            _ => bail!("not an application message"),
        }
    }
}
