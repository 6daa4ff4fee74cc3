//! The promises of the kit, tried from outside.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod ahead;
mod append_only;
mod barrier;
mod db;
mod idempotency;
mod ids;
mod outbox;
mod peer;
mod race;
mod retention;
mod serve;
