//! The harness: node, Mosquitto, bridge, agents and the operator's command as real processes on free ports, with all their
//! files in one temporary directory. The demo (`keyward-demo`) and the end-to-end suites (`tests/`) are built on it.
//!
//! | module | what |
//! |---|---|
//! | [`scenario`], [`play`] | the scenario file, and running its steps |
//! | [`network`] | everything that runs, put together |
//! | [`node`], [`broker`], [`bridge`], [`agent`], [`operator`], [`council`] | one part each |
//! | [`consortium`], [`machine`], [`unit`], [`height`] | several validators, from the files of `keyward network new`; how far they are |
//! | [`capture`], [`mqtt`], [`observer`] | what really goes over the wire, and what the broker holds |
//! | [`device`] | a device in the test's own hands, with its secret keys |
//! | [`hostile`] | a broker that lies, between everybody and Mosquitto |
//! | [`page`], [`shell`], [`alerts`] | the commands of a page for operators, where they are typed, and what wakes operators up |
//! | [`faults`], [`judge`] | seeded schedules of faults, and who decides what may be believed of them |
//! | [`screen`], [`interrupt`] | what a program of this crate prints, and how it is told to stop |
//! | [`process`], [`wait`], [`place`], [`rpc`] | child processes, waiting, directories and ports, the node's RPC |
//!
//! Nothing here sleeps for a guessed time: everything is waited for by [`wait::eventually`], which says what it waited for.

pub mod agent;
pub mod alerts;
pub mod bridge;
pub mod broker;
pub mod capture;
pub mod consortium;
pub mod council;
pub mod device;
pub mod faults;
pub mod height;
pub mod hostile;
pub mod interrupt;
pub mod judge;
pub mod machine;
pub mod mqtt;
pub mod network;
pub mod node;
pub mod observer;
pub mod operator;
pub mod page;
pub mod place;
pub mod play;
pub mod process;
pub mod rpc;
pub mod scenario;
pub mod screen;
pub mod shell;
pub mod unit;
pub mod wait;
