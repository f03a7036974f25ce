//! How each pallet is configured, by what it is about.

mod consensus;
mod governance;
mod system;
