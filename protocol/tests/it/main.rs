//! The formats, judged from outside: hostile bytes, one encoding per value, sizes, rules.
mod canonical;
mod decoders;
#[cfg(feature = "serde")]
mod provisioning;
mod samples;
mod sizes;
