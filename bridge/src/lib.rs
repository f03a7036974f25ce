//! Beside Mosquitto: follows the chain and publishes each group's key sealed to each member.
//!
//! [`relay`] decides; everything else carries out. See DESIGN sections 5, 6 and 7.

pub mod relay;
