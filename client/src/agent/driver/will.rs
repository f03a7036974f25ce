//! The device's will: sealed anew for each connection, since the broker is told it in CONNECT (MSG-17).
//!
//! A will that was sealed in an older epoch would be late, or refused, when it comes: when the epoch changes the device connects
//! again, and so it does when it could not seal before it was connected. The broker waits a few seconds with a will, so that a
//! device that is back at once is not missed.

use std::time::Duration;

use rand_core::{OsRng, RngCore as _};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::Driver;
use crate::{
    agent::{
        exit::Failed,
        link::{Link, Will},
    },
    session::{Kind, SealRefused},
};

/// How long connecting again is put off at most, by chance: the devices of a group do not come all at once.
const SPREAD_MS: u32 = 2_000;

/// What the broker is to publish when the device is gone.
#[derive(Clone)]
pub struct Wanted {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Zeroizing<Vec<u8>>,
    /// Seconds that the broker waits.
    pub delay: u32,
}

/// The will of a driver.
pub(super) struct Wills {
    wanted: Wanted,
    /// The one that was sealed last.
    held: Option<Held>,
    /// Why there is none.
    refused: Option<SealRefused>,
    renew_at: Option<Instant>,
}

struct Held {
    epoch: u32,
    will: Will,
    /// Whether a broker was told it.
    used: bool,
}

impl Wills {
    pub(super) fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            held: None,
            refused: None,
            renew_at: None,
        }
    }

    /// Connected: the broker has the will. Its epoch, or why there is none.
    pub(super) fn connected(&mut self) -> Result<u32, SealRefused> {
        self.renew_at = None;
        self.told();
        let refused = self.refused.unwrap_or(SealRefused::NotReady);
        self.held.as_ref().map(|held| held.epoch).ok_or(refused)
    }

    /// The broker has been told the will, or may have been: it may come, and is not sealed for another connection.
    pub(super) fn told(&mut self) {
        if let Some(held) = &mut self.held {
            held.used = true;
        }
    }

    /// The will that was not used yet, if it is of this epoch.
    fn unused(&self, epoch: u32) -> Option<Will> {
        let held = self.held.as_ref();
        let unused = held.filter(|held| !held.used && held.epoch == epoch);
        unused.map(|held| held.will.clone())
    }

    /// Whether it is time to connect again for a will of this epoch.
    fn is_due(&mut self, epoch: u32) -> bool {
        if self.held.as_ref().is_some_and(|held| held.epoch == epoch) {
            self.renew_at = None;
            return false;
        }
        let spread = || Duration::from_millis((OsRng.next_u32() % SPREAD_MS).into());
        let due = *self
            .renew_at
            .get_or_insert_with(|| Instant::now() + spread());
        let is_due = due <= Instant::now();
        if is_due {
            self.renew_at = None;
        }
        is_due
    }
}

impl<L: Link> Driver<L> {
    /// Tells the link the will of the next connection. Does nothing where no will is wanted.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) fn tell_will(&mut self) -> Result<(), Failed> {
        let Some(wills) = &self.wills else {
            return Ok(());
        };
        let Wanted { topic, payload, .. } = wills.wanted.clone();
        let sealable = self.session.sealable(&topic);
        if let Some(will) = sealable.ok().and_then(|epoch| wills.unused(epoch)) {
            self.link.will(Some(will));
            return Ok(());
        }
        let sealed = self.seal(&topic, &payload, Kind::Will)?;
        let Some(wills) = &mut self.wills else {
            return Ok(());
        };
        (wills.held, wills.refused) = match sealed {
            Ok(sealed) => {
                let will = Will {
                    topic,
                    payload: sealed.bytes,
                    delay: wills.wanted.delay,
                };
                let epoch = sealed.epoch;
                let used = false;
                (Some(Held { epoch, will, used }), None)
            }
            Err(refused) => {
                tracing::info!(%refused, "the broker is told no will");
                (None, Some(refused))
            }
        };
        let will = wills.held.as_ref().map(|held| held.will.clone());
        self.link.will(will);
        Ok(())
    }

    /// Connects again where the broker's will is of an older epoch, or where it has none and could have one.
    pub(super) fn renew_will(&mut self) {
        let Some(wills) = &mut self.wills else {
            return;
        };
        // What can never be sealed is not tried again and again.
        let never = wills.refused.is_some_and(|refused| !refused.is_retryable());
        let Ok(epoch) = self.session.sealable(&wills.wanted.topic) else {
            return;
        };
        if self.is_connected && !never && wills.is_due(epoch) {
            self.link.renew();
        }
    }
}
