//! The real binary: what survives when it is killed, what it hands over when it is asked to stop, what it says about wrong
//! settings, and its tools against a running one.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod apart;
mod brake;
mod charges;
mod config;
mod example;
mod handover;
mod kill;
mod letters;
mod load;
mod postgres;
mod process;
mod scenario;
mod shop;
mod tools;
mod verbs;
