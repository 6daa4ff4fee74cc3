//! PostgreSQL as it fails in production: servers that may not be trusted, that stop, crash, freeze, run out of connections
//! and fail over; transactions that are taken back; answers that are lost. Whatever happens, a unit of work is done once
//! or not at all, and its caller is told which of it for certain, or that nobody can tell. And messages of one step that
//! meet in two processes have one effect.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bed;
mod chaos;
mod differential;
mod failover;
mod lost;
mod meet;
mod refused;
mod trust;
