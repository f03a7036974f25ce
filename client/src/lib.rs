//! The device's side: a session that seals and opens, its key store, and keyward-agent.
//!
//! Without features the crate is [`session`] alone, without std: for devices of any size.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "agent")]
pub mod agent;
pub mod session;
