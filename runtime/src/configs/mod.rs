//! How each pallet is configured, by what it is about.

mod consensus;
mod fleet;
pub mod governance;
mod permissions;
pub mod system;
