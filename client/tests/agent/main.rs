//! `keyward-agent` as a program, with a real Mosquitto and a gateway without a chain: each module is one behaviour.

// Each test program uses another part of it.
#[allow(dead_code)]
#[path = "../broker/mod.rs"]
mod broker;
#[path = "../gateway/mod.rs"]
mod gateway;

mod anchors;
mod commands;
mod erasure;
mod lifecycle;
mod replace_keys;
mod restored;
mod scene;
mod will;
