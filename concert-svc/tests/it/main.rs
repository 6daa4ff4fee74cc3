//! The concert service from outside: scenarios over its real routes, on a real database, with a clock that tests move.

#![expect(clippy::unwrap_used, reason = "a helper that fails, fails its test")]

mod best;
mod catalogue;
mod checkout;
mod contention;
mod holds;
mod passes;
mod rivals;
mod stock;
mod verify;
mod world;
