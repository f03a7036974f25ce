//! `cargo fuzz run protected_message`: see the function of this name in `keyward_fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_fuzz::protected_message(data));
