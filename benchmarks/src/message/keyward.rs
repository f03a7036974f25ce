//! Keyward's protected messages: the cryptography alone, and through the sessions of two devices.

use anyhow::{bail, Context, Result};
use keyward_client::session::{Kind, Opened, Session};
use keyward_crypto::{
    epoch::generate_secret, message::Expected, GroupKey, MessageKey, SigningKey, Verifier,
};
use keyward_protocol::{
    message::{Message, Stream},
    policy::Policy,
    Role,
};
use rand_core::OsRng;

use super::Ends;
use crate::world::{new_identity, now, World, GENESIS, GROUP, TOPIC};

/// What a message carries.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// The sender's signature.
    pub signed: bool,
    /// When it was sealed.
    pub timed: bool,
}

/// Both ends hold the key and count; nobody remembers what came.
pub struct Keys {
    key: MessageKey,
    signer: SigningKey,
    verifier: Verifier,
    counter: u64,
    form: Form,
}

impl Keys {
    /// New ones.
    pub fn new(form: Form) -> Result<Self> {
        let signer = SigningKey::generate(&mut OsRng);
        let secret = generate_secret(&mut OsRng);
        let group = GroupKey::new(&GENESIS, &GROUP.parse()?, 1000, &secret);
        Ok(Self {
            key: group.message_key(1000, 1000, Stream::Live),
            verifier: Verifier::new(&signer.verifying_key())?,
            signer,
            counter: 64,
            form,
        })
    }
}

impl Ends for Keys {
    fn seal(&mut self, payload: &[u8]) -> Result<Vec<u8>> {
        let signer = self.form.signed.then_some(&self.signer);
        let time = self.form.timed.then_some(1_800_000_000);
        let sealed = self.key.seal(self.counter, TOPIC, time, payload, signer)?;
        self.counter += 1;
        Ok(sealed)
    }

    fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>> {
        let message = Message::from_wire(sealed).ok().context("not a message")?;
        let expected = Expected {
            signed_by: self.form.signed.then_some(&self.verifier),
            timed: self.form.timed,
        };
        Ok(self.key.open(&message, TOPIC, expected)?.payload)
    }
}

/// The sessions of a publisher and of a subscriber: routes, rules, windows and all; without the store on disk.
pub struct Sessions {
    sealing: Session,
    opening: Session,
}

impl Sessions {
    /// Of a new group.
    pub fn new(signed: bool) -> Result<Self> {
        let policy = Policy {
            signed,
            ..Policy::default()
        };
        let mut world = World::new(policy, 1000)?;
        let publisher = world.publisher()?;
        let subscriber = new_identity("acme.reader".parse()?);
        Ok(Self {
            sealing: world.session(&publisher, Role::Publish)?,
            opening: world.session(&subscriber, Role::Subscribe)?,
        })
    }
}

impl Ends for Sessions {
    fn seal(&mut self, payload: &[u8]) -> Result<Vec<u8>> {
        Ok(self
            .sealing
            .seal(now(1_000), TOPIC, payload, Kind::Live)?
            .bytes)
    }

    fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>> {
        match self.opening.open(now(1_000), TOPIC, sealed, false) {
            (Opened::Message(delivery), _) => Ok(delivery.payload),
            (refused, _) => bail!("{refused:?}"),
        }
    }
}
