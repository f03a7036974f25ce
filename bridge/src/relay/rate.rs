//! How often a device may ask: token buckets, in bounded memory.

use std::collections::BTreeMap;

use keyward_protocol::DeviceId;

/// Devices that are remembered; a full bucket that makes room is no loss.
const DEVICES: usize = 16_384;

/// A bucket per device.
#[derive(Debug)]
pub struct Rate {
    capacity: u64,
    /// Milliseconds for one token.
    every: u64,
    /// Per device: when its bucket will be full again.
    full_at: BTreeMap<DeviceId, u64>,
}

impl Rate {
    /// Buckets of `capacity` tokens, one new token each `every` milliseconds.
    pub fn new(capacity: u64, every: u64) -> Self {
        Self {
            capacity,
            every,
            full_at: BTreeMap::new(),
        }
    }

    /// Takes a token of a device, if there is one.
    pub fn allows(&mut self, device: &DeviceId, now: u64) -> bool {
        let full_at = self.full_at.get(device).copied().unwrap_or(0).max(now);
        let after = full_at.saturating_add(self.every);
        if after.saturating_sub(now) > self.capacity.saturating_mul(self.every) {
            return false;
        }
        if self.full_at.len() >= DEVICES && !self.full_at.contains_key(device) {
            self.full_at.retain(|_, full_at| *full_at > now);
            if self.full_at.len() >= DEVICES {
                return false;
            }
        }
        self.full_at.insert(device.clone(), after);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_one_at_a_time() {
        let device = DeviceId::new("d").unwrap();
        let mut rate = Rate::new(3, 1000);
        let burst = (0..5).filter(|_| rate.allows(&device, 10)).count();
        assert_eq!(burst, 3);
        assert!(!rate.allows(&device, 1009));
        assert!(rate.allows(&device, 1010));
        assert!(!rate.allows(&device, 1011));
    }

    #[test]
    fn devices_do_not_share_a_bucket() {
        let mut rate = Rate::new(1, 1000);
        assert!(rate.allows(&DeviceId::new("a").unwrap(), 0));
        assert!(rate.allows(&DeviceId::new("b").unwrap(), 0));
        assert!(!rate.allows(&DeviceId::new("a").unwrap(), 0));
    }
}
