//! The promises of the kit, tried from outside.

mod barrier;
mod db;
mod disk;
mod idempotency;
mod ids;
mod outbox;
mod race;
mod serve;
