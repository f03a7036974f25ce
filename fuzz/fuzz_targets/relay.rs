//! `cargo fuzz run relay`: see the function of this name in `keyward_fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_fuzz::relay(data));
