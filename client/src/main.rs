//! The device agent.

fn main() {}
