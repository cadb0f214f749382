#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| longshore_decoders::words(bytes));
