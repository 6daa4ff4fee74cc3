//! Stories about the whole system. Each states a rule in its name and ends with the books being checked.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_input;
mod bulk;
mod cancel;
mod checkout;
mod compensation;
mod crash;
mod doubt;
mod parked;
mod tidy;
