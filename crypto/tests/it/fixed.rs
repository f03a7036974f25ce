//! Values that never change, and a generator that gives known bytes.

use keyward_crypto::{AgreementSecret, SigningKey};
use keyward_protocol::{AccountId, DeviceId, GatewayName, Genesis, GroupId};
use rand_core::{CryptoRng, RngCore};

/// Gives the same byte for ever. For tests whose output must be known.
pub struct Constant(pub u8);

impl RngCore for Constant {
    fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes([self.0; 4])
    }
    fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes([self.0; 8])
    }
    fn fill_bytes(&mut self, dest: &mut [u8]) {
        dest.fill(self.0);
    }
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}
impl CryptoRng for Constant {}

/// 00 01 02 … 1f.
pub fn genesis() -> Genesis {
    Genesis(core::array::from_fn(|i| i as u8))
}

pub fn account(byte: u8) -> AccountId {
    AccountId([byte; 32])
}

pub fn signing(byte: u8) -> SigningKey {
    SigningKey::from_seed(&[byte; 32])
}

pub fn agreement(byte: u8) -> AgreementSecret {
    AgreementSecret::from_bytes(&[byte; 32])
}

pub fn device(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

pub fn group(name: &str) -> GroupId {
    GroupId::new(name).unwrap()
}

pub fn gateway_name() -> GatewayName {
    GatewayName::new("gw1").unwrap()
}
