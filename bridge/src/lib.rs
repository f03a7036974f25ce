//! Beside Mosquitto: follows the chain and publishes each group's key sealed to each member (DESIGN sections 5, 6 and 7).
//!
//! [`relay`] decides; everything else carries out:
//!
//! | module | what |
//! |---|---|
//! | [`relay`] | the state machine: inputs in, durable changes and actions out |
//! | [`owner`] | the one thread that has relay and journal: changes are durable before actions are carried out |
//! | [`store`] | the journal in SQLite |
//! | [`chain`] | follows finalized blocks, reads state, submits transactions |
//! | [`mqtt`] | the connection to the broker |
//! | [`admin`] | health, metrics and status on loopback |
//! | [`config`] | the configuration file and the keys that it names |
//! | [`run`], [`command`], [`args`] | the program |

pub mod admin;
pub mod args;
pub mod chain;
pub mod command;
pub mod config;
pub mod health;
pub mod mqtt;
pub mod owner;
pub mod rekey;
pub mod relay;
pub mod run;
pub mod store;
