//! What commands begin with: the store, the device, and the session that was left off.

use std::path::Path;

use keyward_protocol::provisioning::Provisioning;
use rand_core::OsRng;

use super::{
    address::Connection,
    args,
    clock::Clock,
    driver::{Driver, Heir, Messages, Wanted},
    exit::{self, Failed},
    identity::{self, Identity},
    mqtt::Mqtt,
    store::{KeySource, Store, Write},
};
use crate::session::{record, Durable, Effects, Provisioned, Session, Settings};

/// A device that was provisioned.
#[derive(Debug)]
pub struct Device {
    /// Its store.
    pub store: Store,
    /// Who it is.
    pub identity: Identity,
    /// What its authority gave it.
    pub provisioning: Provisioning,
    /// How to get to the broker.
    pub remembered: Connection,
}

impl Device {
    /// Opens the store for this process alone.
    ///
    /// # Errors
    /// When the store cannot be used, or the device was not provisioned yet.
    pub fn open(directory: &Path, key: &KeySource) -> Result<Self, Failed> {
        Self::of(Store::open(directory, key)?)
    }

    /// The device of an open store.
    ///
    /// # Errors
    /// When it was not provisioned yet.
    pub fn of(store: Store) -> Result<Self, Failed> {
        let missing = || {
            Failed::new(
                exit::STORE,
                "this device was not enrolled yet; run 'keyward-agent enrol'",
            )
        };
        let identity = identity::load(&store)?;
        let provisioning = identity::provisioning(&store)?.ok_or_else(missing)?;
        let remembered = identity::connection(&store)?.ok_or_else(missing)?;
        Ok(Self {
            store,
            identity,
            provisioning,
            remembered,
        })
    }

    /// Restores the session. Its first change, the boot, must be durable before anything is sealed (MSG-9).
    ///
    /// # Errors
    /// When the store is damaged.
    pub fn session(&self, prefix: &str, clock: &Clock) -> Result<(Session, Effects), Failed> {
        let settings = Settings {
            prefix: prefix.to_owned(),
            ..Settings::default()
        };
        Ok(Session::start(
            settings,
            Provisioned::from(&self.provisioning),
            self.identity.clone(),
            durable(&self.store)?,
            Box::new(OsRng),
            clock.now(),
        ))
    }

    /// Restores the session, and begins to connect.
    ///
    /// # Errors
    /// When the store is damaged or the broker's options make no sense.
    pub fn connect(
        self,
        broker: &args::Broker,
        messages: Messages,
    ) -> Result<Driver<Mqtt>, Failed> {
        let connection = broker.connection(Some(&self.remembered))?;
        let link = Mqtt::begin(&connection, &self.identity.device)?;
        self.drive(connection, link, messages)
    }

    /// The same with a will.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub fn connect_with_will(
        self,
        broker: &args::Broker,
        messages: Messages,
        will: Wanted,
    ) -> Result<Driver<Mqtt>, Failed> {
        let connection = broker.connection(Some(&self.remembered))?;
        let link = Mqtt::begin_with_will(&connection, &self.identity.device)?;
        self.drive(connection, link, messages)?.with_will(will)
    }

    fn drive(
        self,
        connection: Connection,
        link: Mqtt,
        messages: Messages,
    ) -> Result<Driver<Mqtt>, Failed> {
        let clock = Clock::start();
        let session = self.session(&connection.prefix, &clock)?;
        let heir = identity::next(&self.store)?.map(|identity| Heir {
            identity,
            provisioning: self.provisioning,
        });
        let mut driver = Driver::begin(
            session,
            self.store,
            link,
            clock,
            connection.prefix,
            messages,
        )?;
        driver.expect(heir);
        Ok(driver)
    }

    /// Restores the session for something that needs no broker, and makes durable what it comes to.
    ///
    /// # Errors
    /// When the store is damaged.
    pub fn offline(
        mut self,
        act: impl FnOnce(&mut Session, &Clock) -> Effects,
    ) -> Result<Effects, Failed> {
        let clock = Clock::start();
        let (mut session, first) = self.session(&self.remembered.prefix, &clock)?;
        let effects = act(&mut session, &clock);
        let changes = first.changes.iter().chain(&effects.changes);
        let writes: Vec<Write> = changes.map(Write::from).collect();
        self.store.commit(&writes)?;
        Ok(effects)
    }
}

/// What the session must remember, as the store has it.
///
/// # Errors
/// When the store is damaged.
pub fn durable(store: &Store) -> Result<Durable, Failed> {
    let mut secrets = Vec::new();
    for name in store.secrets(record::PREFIX)? {
        if let Some(secret) = store.secret(&name)? {
            secrets.push((name, secret));
        }
    }
    let values = store.values(record::PREFIX)?;
    Durable::load(values, secrets).map_err(|damaged| Failed::new(exit::STORE, damaged))
}
