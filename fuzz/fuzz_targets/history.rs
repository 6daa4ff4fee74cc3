//! `history`: what it does stands in `tests/src/fuzz.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| (skald_tests::fuzz::target("history").run)(data));
