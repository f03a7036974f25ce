//! `cargo fuzz run device_statement`: see the function of this name in `keyward_fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_fuzz::device_statement(data));
