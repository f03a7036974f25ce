//! `cargo fuzz run publisher_page`: see the function of this name in `keyward_fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_fuzz::publisher_page(data));
