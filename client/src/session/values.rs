//! Values that the device retains on topics: kept, and sealed anew when the epoch changes (MSG-12).

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use super::{
    durable::Retained,
    effects::{Action, Kind},
    refusal::SealRefused,
    Change, Session,
};

/// Topics on which a device retains a value.
const VALUES: usize = 256;
/// Bytes of all of them.
const BYTES: usize = 1024 * 1024;
/// How long it takes at most until the broker has what was published.
const PUBLISHED_MS: u64 = 1_000;

/// A value that was sealed anew, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resealed {
    epoch: u32,
    at: u64,
}

impl Session {
    /// Whether a value may be kept, besides the others.
    pub(super) fn check_room(&self, topic: &str, payload: &[u8]) -> Result<(), SealRefused> {
        let others = self
            .durable
            .retained
            .iter()
            .filter(|(other, _)| *other != topic);
        let bytes = others.clone().map(|(_, value)| value.payload.len());
        let bytes = bytes.fold(payload.len(), usize::saturating_add);
        match others.count() < VALUES && bytes <= BYTES {
            true => Ok(()),
            false => Err(SealRefused::TooManyValues { max: VALUES }),
        }
    }

    /// Remembers a value that was sealed; an empty one is the end of it.
    pub(super) fn keep_value(&mut self, topic: &str, payload: &[u8], epoch: u32) {
        self.resealed.remove(topic);
        let value = Retained {
            epoch,
            payload: payload.to_vec(),
        };
        let value = Some(value).filter(|value| !value.payload.is_empty());
        if value.is_some() || self.durable.retained.contains_key(topic) {
            self.change(Change::Retain(topic.into(), value));
        }
    }

    /// Seals values of an older epoch anew, as soon as the new one may be used. That it was done is noted only when it has
    /// been published: whoever crashes before does it again, with another boot.
    pub(super) fn reseal(&mut self) {
        if self.connected.is_none() || self.durable.retained.is_empty() {
            return;
        }
        let retained: Vec<(String, Retained)> = self
            .durable
            .retained
            .iter()
            .map(|(topic, value)| (topic.clone(), value.clone()))
            .collect();
        for (topic, value) in retained {
            let Ok(permit) = self.permit(&topic) else {
                continue;
            };
            let resealed = self.resealed.get(&topic).map(|resealed| resealed.epoch);
            if permit.epoch == resealed.unwrap_or(value.epoch) {
                continue;
            }
            if let Ok(sealed) = self.seal_with(permit, &topic, &value.payload, Kind::Retained) {
                let resealed = Resealed {
                    epoch: sealed.epoch,
                    at: self.clock.mono(),
                };
                self.resealed.insert(topic.clone(), resealed);
                self.act(Action::Publish {
                    topic,
                    payload: sealed.bytes,
                    retain: true,
                });
            }
        }
    }

    /// Notes the values that were published a moment ago.
    pub(super) fn note_resealed(&mut self) {
        let now = self.clock.mono();
        let is_over = |resealed: &Resealed| now.saturating_sub(resealed.at) >= PUBLISHED_MS;
        let resealed = core::mem::take(&mut self.resealed);
        let (over, waiting) = resealed.into_iter().partition(|(_, one)| is_over(one));
        self.resealed = waiting;
        for (topic, Resealed { epoch, .. }) in BTreeMap::into_iter(over) {
            if let Some(value) = self.durable.retained.get(&topic).cloned() {
                let value = Retained { epoch, ..value };
                self.change(Change::Retain(topic, Some(value)));
            }
        }
    }
}
