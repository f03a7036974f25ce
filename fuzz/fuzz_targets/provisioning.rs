//! `cargo fuzz run provisioning`: see the function of this name in `keyward_fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_fuzz::provisioning(data));
