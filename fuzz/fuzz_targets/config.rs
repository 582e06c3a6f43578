//! The configuration file. The reader is a module of the executable, so that it is compiled in here.
#![no_main]
#![allow(dead_code, unused_imports)]

#[path = "../../crates/app/src/config/mod.rs"]
mod config;
#[path = "../../crates/app/src/http/mod.rs"]
mod http;

include!("config_check.rs");

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
