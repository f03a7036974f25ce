//! The world of a bridge's relay, in memory: a chain that finalizes late and loses transactions, a broker that forgets, devices
//! that ask and acknowledge, and a process that dies after any change and any action. The bridge's tests and the fuzz target
//! `relay` live in it.
//!
//! | module | what |
//! |---|---|
//! | [`world`] | everything around the relay, and the promises that hold at every step |
//! | [`witness`] | who looks on, and judges further |
//! | [`chain`] | blocks, and the pool of transactions |
//! | [`state`], [`group`], [`custody`] | the rules of `pallets/fleet`, as far as a bridge can tell |
//! | [`broker`] | retained messages, and the line to the bridge |
//! | [`devices`], [`numbers`] | what devices say; keys and randomness that are the same in every run |

pub mod broker;
pub mod chain;
pub mod custody;
pub mod devices;
pub mod group;
pub mod numbers;
pub mod state;
pub mod witness;
pub mod world;

pub use world::World;
