//! What every process of Skald needs once: storage, the barrier, the outbox, refusals, time, ids, configuration, serving.

pub mod barrier;
pub mod clock;
pub mod config;
pub mod crash;
pub mod db;
pub mod filter;
pub mod hmac;
pub mod host;
pub mod http;
pub mod idempotency;
pub mod ids;
pub mod outbox;
pub mod page;
pub mod pass;
pub mod peer;
pub mod process;
pub mod refusal;
pub mod retention;
pub mod serve;
pub mod tasks;
pub mod telemetry;
pub mod verify;
pub mod wire;
