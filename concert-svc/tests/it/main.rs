//! The concert service from outside: scenarios over its real routes, on a real database, with a clock that tests move.

#![expect(clippy::unwrap_used, reason = "a helper that fails, fails its test")]

mod best;
mod cancellation;
mod catalogue;
mod changes;
mod checkout;
mod contention;
mod cost;
mod crowd;
mod history;
mod holds;
mod jobs;
mod limits;
mod locks;
mod map;
mod passes;
mod patience;
mod performances;
mod retention;
mod rivals;
mod stock;
mod tickets;
mod verify;
mod world;
