//! New keys take over from the old ones as soon as the gateway says that the chain has them, whoever runs then: the command
//! that asked for it, or, when that was killed, the next one (REQ-5, REG-6).

use keyward_protocol::provisioning::Provisioning;
use rand_core::OsRng;

use super::{Driver, Told};
use crate::{
    agent::{
        exit::Failed,
        identity::{self, Identity},
        link::Link,
        start,
    },
    session::{Action, Answer, Asked, Notice, Provisioned, Session, Settings},
};

/// Keys that wait for the chain.
pub struct Heir {
    /// The device with them.
    pub identity: Identity,
    /// What it was provisioned with.
    pub provisioning: Provisioning,
}

impl<L: Link> Driver<L> {
    /// From now on these keys wait for the chain. They are durable already.
    pub fn expect(&mut self, heir: Option<Heir>) {
        self.heir = heir;
    }

    /// Lets the new keys take over if something told says that the chain has them.
    ///
    /// # Errors
    /// When the store fails. Either the old keys are in the store then, or the new ones.
    pub(super) fn succeed(&mut self, told: &mut Vec<Told>) -> Result<(), Failed> {
        let Some(heir) = &self.heir else {
            return Ok(());
        };
        let version = heir.identity.key_version;
        if !told.iter().any(|event| says_replaced(event, version)) {
            return Ok(());
        }
        let Some(heir) = self.heir.take() else {
            return Ok(());
        };
        self.store.commit(&identity::promotion(&heir.identity)?)?;
        tracing::info!(key_version = version, "new keys took over");
        self.begin_anew(heir)?;
        told.push(Told::KeysReplaced(version));
        Ok(())
    }

    /// Another session, on a connection of its own: what the broker had sent and the old session had not finished comes again.
    fn begin_anew(&mut self, heir: Heir) -> Result<(), Failed> {
        let settings = Settings {
            prefix: self.prefix.clone(),
            ..Settings::default()
        };
        let (session, first) = Session::start(
            settings,
            Provisioned::from(&heir.provisioning),
            heir.identity,
            start::durable(&self.store)?,
            Box::new(OsRng),
            self.clock.now(),
        );
        self.session = session;
        let mut batch = super::Batch::default();
        batch.add(first);
        self.carry_out(batch)?;
        self.link.renew();
        Ok(())
    }
}

/// Whether the gateway says that the chain has the keys of this version.
fn says_replaced(event: &Told, version: u32) -> bool {
    match event {
        Told::Session(Action::Notice(Notice::KeysReplaced { key_version })) => {
            *key_version == version
        }
        Told::Session(Action::Notice(Notice::Answered { asked, answer })) => {
            (*asked, answer) == (Asked::ReplaceKeys, &Answer::Done)
        }
        _ => false,
    }
}
