//! The concert service from outside: scenarios over its real routes, on a real database, with a clock that tests move.

#![expect(clippy::unwrap_used, reason = "a helper that fails, fails its test")]

mod cancellation;
mod catalogue;
mod checkout;
mod contention;
mod history;
mod holds;
mod passes;
mod rivals;
mod verify;
mod world;
